//! Probes: active checks. Each sends something on purpose and judges the answer.

mod base;
mod lifecycle;
mod offer;
mod probe;
mod safety;

pub use offer::Offer;
pub use probe::{Known, Over, Place, Probe, Run, Settings, Solo, Stage, all, breach, deciding};
pub use safety::{Calls, Safety, matches};
