//! The kill matrix: for each fault that the reference server can have, whether a check of it sees the fault, and
//! nothing else.

mod demand;
mod matrix;
mod planted;

pub use demand::{Seen, Unit, Verdict};
pub use matrix::{Judged, Matrix, Totals, judge_all};
pub use planted::Planted;
