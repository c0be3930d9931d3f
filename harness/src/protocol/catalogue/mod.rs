//! The requirements of all revisions, read from `harness/catalogue/`.

mod advice;
mod applicability;
mod duties;
mod files;
mod near;
mod read;
mod reference;
mod requirement;
mod selection;
mod sets;
mod verdict;

pub use advice::{Advice, Example, advice, example, no_fault};
pub use applicability::NotApplicable;
pub use duties::{Duty, duties};
pub use read::{Catalogue, CatalogueError};
pub use requirement::{
    AppliesTo, Basis, ImpliedBy, Level, Levels, Party, Requirement, Severity, Spec, Testable, VerdictMax,
};
pub use selection::{Selection, SelectionError, in_shard, matches};
pub use sets::{RequirementSet, UnknownSet};
pub use verdict::{Violation, outcome_of_violation};

/// The date of the catalogue as it is; a test demands that `catalogue/sets/` has it frozen under this name.
pub const REQUIREMENT_SET: &str = "2026-11-23";
