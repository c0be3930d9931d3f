//! `check`: is a server what the protocol says it is?

mod accepted;
mod config;
mod confirm;
mod cpu;
mod discover;
mod engine;
mod inspect;
mod recorders;
mod overheard;
mod rejudge;
mod rows;
mod served;
mod stop;
mod target;
mod unit;

pub use config::{Accepted, CheckConfig, FailOn, Watcher};
#[cfg(feature = "proptest")]
pub(crate) use discover::newest;
pub use engine::check;
pub use inspect::{
    Argument, Entry, INSPECTION_FORMAT, INSPECTION_VERSION, Inspection, Offers, Prompt, Spoken,
    SpokenRevision, Tool, inspect,
};
pub use overheard::{Told, overheard_run};
pub use rejudge::rejudge;
pub use rows::signature;
pub use served::{ServeError, Served};
pub use stop::Stop;
#[cfg(feature = "enterprise")]
pub use target::TestIssuer;
pub use target::{Target, Up};
