//! The kill matrix: for each fault that the reference server can have, whether a check of it sees the fault, and
//! nothing else.

mod demand;
mod examples;
mod matrix;
mod planted;
mod report;

pub use demand::{Seen, Unit, Verdict};
pub use examples::{example_files, examples};
pub use matrix::{Judged, Matrix, Totals, judge_all};
pub use planted::Planted;
pub use report::markdown;
