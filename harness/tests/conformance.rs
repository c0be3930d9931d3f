//! The conformance check as tests, one a requirement × revision × transport: of the embedded reference server, or of
//! the target in `MCPROVE_TARGET`.

use mcprove::suite::Suite;

fn main() -> std::process::ExitCode {
    Suite::run_or_explain(Suite::embedded(env!("CARGO_BIN_EXE_mcprove")).environment())
}
