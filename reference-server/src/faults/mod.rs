//! Faults: named ways in which the server breaks one requirement on purpose, so that a harness can show that it sees
//! them. The honest server has none.

mod duty;
mod edit;
mod fault;
mod force;
mod hook;
mod registry;

#[cfg(feature = "enterprise")]
mod access;
#[cfg(feature = "enterprise")]
mod auth;
#[cfg(feature = "enterprise")]
mod auth_server;
mod base;
mod caching;
mod cancellation;
mod capabilities;
mod compat;
mod completion;
mod content;
mod discover;
mod elicitation;
#[cfg(feature = "enterprise")]
mod enterprise;
mod extension_apps;
mod extension_tasks;
mod http;
mod http_headers;
mod http_legacy_sse;
mod http_session;
mod identity;
mod json_schema;
mod lifecycle;
mod logging;
mod meta;
mod mrtr;
mod pagination;
mod ping;
mod progress;
mod prompts;
mod property;
mod resources;
mod robustness;
mod roots;
mod sampling;
mod schema;
mod security;
mod stdio;
mod subscriptions;
mod tasks;
mod tasks_kept;
mod tasks_told;
mod tools;
mod versioning;

pub use fault::{Fault, FaultId, Transport};
pub use registry::{UnknownFault, areas, faults, faults_within};

pub(crate) use duty::Duty;
pub(crate) use force::{Arrived, FaultsOnRequest, Force};
