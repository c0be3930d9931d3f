//! From arguments to an exit code.

use super::args::{CheckArgs, Cli, Verb};
use super::failure::Failure;
use crate::report::visible;
use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

/// Runs the command line and returns its exit code: 0 no failure, 1 a failure, 2 wrong usage or configuration, 3 no
/// valid answer ever came from the target, 4 the selection matched nothing, 70 a bug of ours, 130 and 143 interrupted.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!(" at {}:{}", place.file(), place.line()));
        let text = panic.payload_as_str().unwrap_or("no message");
        let mut stderr = std::io::stderr();
        // Without a standard error there is nobody to tell.
        let _ = writeln!(
            stderr,
            "mcprove: a bug in mcprove: {}{}; please report it with the command line",
            visible(text, 2000),
            place.unwrap_or_default()
        );
    }));
    let cli = Cli::parse();
    let run = || match cli.verb.unwrap_or_else(|| Verb::Check(Box::<CheckArgs>::default())) {
        Verb::Check(args) => super::check::check(&args),
        Verb::Inspect(args) => super::inspect::inspect(&args),
        Verb::Serve(args) => super::serve::serve(&args),
        Verb::List(args) => super::list::list(&args.what),
        Verb::Explain(args) => super::explain::explain(&args.id),
        Verb::KillMatrix(args) => super::kill_matrix::kill_matrix(&args),
        Verb::Report(args) => super::report::report(&args),
        Verb::Record(args) => super::record::record(&args),
        Verb::Replay(args) => super::replay::replay(&args),
        Verb::Minimize(args) => super::minimize::minimize(&args),
        Verb::Transcript(args) => super::transcript::transcript(&args.what),
    };
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    match result {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(failure)) => {
            let mut stderr = std::io::stderr();
            for (n, line) in failure.message().lines().enumerate() {
                let lead = if n == 0 { "mcprove: " } else { "" };
                let _ = writeln!(stderr, "{lead}{}", visible(line, 4000));
            }
            if matches!(failure, Failure::Usage(_)) {
                let _ = writeln!(stderr, "For more information, try 'mcprove --help'.");
            }
            ExitCode::from(failure.code())
        }
        // The hook has told why.
        Err(_) => ExitCode::from(70),
    }
}
