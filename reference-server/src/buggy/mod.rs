//! The buggy profile: tools with one bug each, of the kinds that real servers have, so that whoever looks for bugs can be
//! measured. Each can be reached from its schema, its texts, an answer or a boundary; none hides behind a number that
//! nothing tells of. Everything else about the server is honest.
//!
//! Some of these bugs end the process or never return: serve the profile in a process of its own, as `mcprove serve` does.

mod bug;
mod numbers;
mod shapes;
mod state;
mod texts;

pub use bug::{Bug, Shows, bugs};

pub(crate) use bug::tools;
pub(crate) use state::Happened;
