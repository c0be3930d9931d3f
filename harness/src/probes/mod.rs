//! Probes: active checks. Each sends something on purpose and judges the answer.

mod base;
mod base_batch;
mod base_errors;
mod base_stateless;
mod lifecycle;
mod offer;
mod ping;
mod probe;
mod provoke;
mod robustness;
mod safety;
mod stdio;

pub use offer::Offer;
pub use probe::{Over, Place, Probe, Run, Settings, Solo, Stage, all, breach, deciding};
pub use provoke::Provoked;
pub use safety::{Calls, Safety, matches};
