//! Facts about the Model Context Protocol, without any input or output.

pub mod catalogue;
mod id;
pub mod json;
mod message;
mod revision;
pub mod schema;

pub use id::{Id, IdMap, IdSet};
pub use message::{Kind, Message};
pub use revision::{Era, Revision, Transport, UnknownRevision};
