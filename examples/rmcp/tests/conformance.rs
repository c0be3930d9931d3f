//! Every requirement of the protocol that this server has to do with, as a test.

use mcprove::suite::Suite;

/// What rmcp 3.9 does not do: it drops the batches of 2025-03-26.
const KNOWN: [&str; 1] = ["base.batch.received"];

fn main() -> std::process::ExitCode {
    let suite = Suite::new(env!("CARGO_BIN_EXE_rmcp-example"));
    Suite::run_or_explain(suite.and_then(|suite| suite.select(&[], &KNOWN)).and_then(Suite::environment))
}
