//! Tasks: work that outlives the request that began it, in the dialects of both eras.

pub(crate) mod extension;
pub(crate) mod legacy;
mod outlet;
mod state;
mod store;
mod support;
mod task;

pub(crate) use outlet::Outlet;
pub(crate) use store::{Owner, TaskStore};
pub(crate) use support::{TaskSupport, begin, terms};
#[cfg(test)]
pub(crate) use task::Terms;
pub(crate) use task::{Task, TaskView};
