//! Monitors: passive rules over any conversation. A rule reads what happened and says which requirement it bears on;
//! it sends nothing and knows no transport but by its events.

mod base;
mod base_encoding;
mod base_errors;
mod base_responses;
mod judge;
mod link;
mod ping;
mod robustness;
mod rule;
mod state;
mod stdio;
#[cfg(test)]
pub(crate) mod testing;
mod watch;

pub use judge::{Breach, Judge, Tally};
pub use link::{AskedByServer, LinkState, ProcessEnd, Stray};
pub use rule::{Monitor, Validity, all, deciding};
pub use state::{Asked, Heard, HttpExchange, Moment, State};
pub use watch::Watch;
