//! Delta debugging: makes something that fails as small as it can be while it still fails.
//!
//! `fewer`, `value`, `text` and `number` know nothing of messages. They ask a question, "does this fail as well?", as an
//! asynchronous closure, one at a time, since each may mean a process that is started afresh. Where the answer does not
//! depend on what was asked before, the result is minimal in this sense: without any single one of the parts that are
//! left, nothing fails. `conversation` uses them for what a client says to a server.

mod conversation;
mod fewer;
mod number;
mod text;
mod value;

pub use conversation::{Limits, MinimizeError, Minimized, Seen, Wanted, broken, minimize};
pub use fewer::fewer;
pub use value::{Place, Step, simpler};
