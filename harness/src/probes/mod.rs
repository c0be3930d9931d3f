//! Probes: active checks. Each sends something on purpose and judges the answer.

mod base;
mod completion;
mod call;
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
mod probe;
mod prompts;
mod resources;
mod safety;
mod tools;
mod tour;
mod versioning;

pub use offer::{Call, Cursor, Offer};
pub use probe::{Known, Over, Place, Probe, Run, Settings, Solo, Stage, all, breach, deciding};
pub use safety::{Calls, Safety, matches};
