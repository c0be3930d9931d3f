//! The command line: one file per verb. It parses, calls the library, and maps errors to exit codes.

mod args;
mod check;
mod main;
mod serve;

pub use main::main;
