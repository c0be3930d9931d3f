//! The revisions with a handshake: 2024-11-05 to 2025-11-25.

mod batch;
mod dispatch;
mod lifecycle;
mod peer;
mod session;

pub(crate) use dispatch::{Exchange, Serving, answer, take_in};
pub(crate) use peer::Peer;
pub(crate) use session::Session;
