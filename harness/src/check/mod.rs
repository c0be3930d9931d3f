//! `check`: is a server what the protocol says it is?

mod config;
mod confirm;
mod cpu;
mod discover;
mod engine;
mod recorders;
mod rows;
mod served;
mod stop;
mod unit;

pub use config::CheckConfig;
pub use engine::{check, fails};
pub use served::{ServeError, Served};
pub use stop::Stop;
