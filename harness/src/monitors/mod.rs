//! Monitors: passive rules over any conversation. A rule reads what happened and says which requirement it bears on;
//! it sends nothing and knows no transport but by its events.

mod base;
mod http;
mod http_headers;
mod http_legacy_sse;
mod http_session;
mod http_streams;
mod judge;
mod rule;
mod state;
mod streams;
mod watch;

pub use judge::{Breach, Judge, Tally};
pub use rule::{Monitor, Validity, all, deciding};
pub use state::{Asked, ExchangeTimes, Heard, HttpExchange, Moment, State};
pub use streams::{EventIds, EventStream, SeenId};
pub use watch::Watch;
