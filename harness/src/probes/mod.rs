//! Probes: active checks. Each sends something on purpose and judges the answer.

mod base;
mod base_batch;
mod base_errors;
mod base_stateless;
mod call;
mod completion;
mod elsewhere;
mod http;
mod http_headers;
mod http_legacy_sse;
mod http_origin;
mod http_params;
mod http_session;
mod http_streams;
mod lifecycle;
mod lists;
mod meta;
mod modern;
mod offer;
mod pagination;
mod ping;
mod probe;
mod prompts;
mod provoke;
mod resources;
mod robustness;
mod safety;
mod stdio;
mod tools;
mod tour;
mod versioning;

pub use offer::{Call, Cursor, Offer};
pub use probe::{Known, Over, Place, Probe, Run, Settings, Solo, Stage, all, breach, deciding};
pub use provoke::Provoked;
pub use safety::{Calls, Safety, matches};
