//! Probes: active checks. Each sends something on purpose and judges the answer.

mod base;
mod call;
mod http;
mod http_headers;
mod http_legacy_sse;
mod http_origin;
mod http_params;
mod http_session;
mod http_streams;
mod lifecycle;
mod offer;
mod probe;
mod safety;

pub use offer::Offer;
pub use probe::{Over, Place, Probe, Run, Settings, Solo, Stage, all, breach, deciding};
pub use safety::{Calls, Safety, matches};
