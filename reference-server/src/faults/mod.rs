//! Faults: named ways in which the server breaks one requirement on purpose, so that a harness can show that it sees
//! them. The honest server has none.

mod duty;
mod fault;
mod force;
mod hook;
mod registry;

mod base;
mod http;
mod http_session;
mod pagination;
mod ping;
mod resources;
mod robustness;
mod stdio;
mod tools;
mod versioning;

pub use fault::{Fault, FaultId, Transport};
pub use registry::{UnknownFault, faults};

pub(crate) use duty::Duty;
pub(crate) use force::{FaultsOnRequest, Force};
pub(crate) use hook::{HttpAsked, Input};
