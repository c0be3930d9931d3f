//! A run: its events, its results, and the folder that holds them.

mod event;
mod result;

pub use event::{
    Footer, Header, Identity, RUN_FORMAT, RUN_VERSION, RunError, RunEvent, ServerInfo, TargetInfo,
};
pub use result::{Evidence, Finding, Outcome, Reason, ResultRow, Summary};
