//! What the catalogue tells people: an article for each requirement, the pages made of them, and how much of it all is
//! decided.

mod article;
mod coverage;
mod markdown;

pub use article::{Article, Block, Place, Section};
pub use coverage::{Counts, Coverage, Group, coverage_groups, coverage_table};
pub use markdown::{area_page, index_page};
