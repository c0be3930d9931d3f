//! The command line of mcprove.

fn main() -> std::process::ExitCode {
    mcprove::cli::main()
}
