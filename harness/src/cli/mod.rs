//! The command line: one file per verb. It parses, calls the library, and maps errors to exit codes.

mod args;
mod check;
mod explain;
mod failure;
mod inspect;
mod kill_matrix;
mod list;
mod live;
mod main;
mod minimize;
mod minimize_args;
mod options;
mod out;
mod record;
mod replay;
mod report;
mod review;
mod sandbox;
mod serve;
#[cfg(feature = "enterprise")]
mod serve_authorization;
mod section;
mod session;
mod settings;
mod transcript;
mod transcript_args;

pub use main::main;
