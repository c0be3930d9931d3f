//! The requirements of all revisions, read from `harness/catalogue/`.

mod applicability;
mod files;
mod near;
mod read;
mod reference;
mod requirement;
mod selection;
mod verdict;

pub use applicability::NotApplicable;
pub use read::{Catalogue, CatalogueError};
pub use requirement::{
    AppliesTo, Basis, Level, Levels, Party, Requirement, Severity, Spec, Testable, VerdictMax,
};
pub use selection::{Selection, SelectionError, matches};
pub use verdict::{Violation, outcome_of_violation};

/// The frozen set of rules that this program judges by; it changes when a row changes its meaning or force.
pub const REQUIREMENT_SET: &str = "2026-11-22";
