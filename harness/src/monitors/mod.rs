//! Monitors: passive rules over any conversation. A rule reads what happened and says which requirement it bears on;
//! it sends nothing and knows no transport but by its events.

mod answered;
mod base;
mod base_encoding;
mod base_errors;
mod base_responses;
mod caching;
mod cancellation;
mod capabilities;
mod changes;
mod completion;
mod content;
mod discover;
#[cfg(test)]
mod feature_tests;
mod identity;
mod http;
mod http_headers;
mod http_legacy_sse;
mod http_session;
mod http_streams;
mod judge;
mod lifecycle;
mod limits;
mod link;
mod logging;
mod meta;
mod notices;
mod ping;
mod progress;
mod resources;
mod robustness;
mod rule;
mod schema;
mod schema_rows;
mod state;
mod stdio;
mod streams;
mod subscriptions;
#[cfg(test)]
pub(crate) mod testing;
mod text;
mod tool;
mod tools;
mod versioning;
mod watch;

pub use judge::{Breach, Judge, Tally};
pub use link::{AskedByServer, LinkState, ProcessEnd, Stray};
pub use notices::{Cancelled, Listed, Notices, Progress, Rate, Subscription, token_key};
pub use rule::{Monitor, Validity, all, deciding};
pub use state::{Asked, ExchangeTimes, Heard, HttpExchange, Moment, State};
pub use streams::{EventIds, EventStream, SeenId};
pub use text::{base64_length, template_variables};
pub use tool::Tool;
pub use watch::Watch;
