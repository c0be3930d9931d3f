//! Delta debugging: makes something that fails as small as it can be while it still fails.
//!
//! It knows nothing of messages. It asks a question, "does this fail as well?", as an asynchronous closure, one at a time,
//! since each may mean a process that is started afresh. Where the answer does not depend on what was asked before, the
//! result is minimal in this sense: without any single one of the parts that are left, nothing fails.

mod fewer;
mod number;
mod shift;
mod text;
mod value;

pub use fewer::fewer;
pub use shift::shifted;
pub use value::{Place, Step, simpler};
