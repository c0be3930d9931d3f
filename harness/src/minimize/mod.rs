//! The smallest conversation that still shows a defect: what a client says to a server, made small by `shrink`.

mod conversation;

pub use conversation::{Limits, MinimizeError, Minimized, Seen, Wanted, broken, minimize};
