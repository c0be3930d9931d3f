//! From arguments to an exit code.

use super::args::{CheckArgs, Cli, Verb};
use clap::Parser;
use std::process::ExitCode;

/// Runs the command line and returns its exit code: 0 no failure, 1 a failure, 2 wrong usage, 3 no valid answer ever
/// came from the target, 4 the selection matched nothing, 70 a bug of ours, 130 and 143 interrupted.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.verb.unwrap_or_else(|| Verb::Check(CheckArgs::default())) {
        Verb::Check(args) => super::check::check(args),
        Verb::Serve(args) => super::serve::serve(&args).map(|()| 0).map_err(Into::into),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("mcprove: {error:#}");
            ExitCode::from(2)
        }
    }
}
