//! The baseline: defects of a server that are known and accepted for now, each with the reason. It cannot rot: what
//! no longer happens, covers too much, has no reason or is past its day is told, and fails the run.

mod file;
mod judge;
#[cfg(test)]
mod tests_support;
mod update;

#[cfg(feature = "cli")]
pub(crate) use file::line_of;
pub use file::{Baseline, BaselineError, Entry, NO_REASON};
pub use judge::Scope;
pub use update::Updated;
