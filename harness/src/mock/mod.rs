//! A server that says what was recorded: the server's part of a conversation, played again to any client.

#[cfg(feature = "cli")]
mod http;
mod key;
mod part;
mod player;
mod reading;
mod stdio;

#[cfg(feature = "cli")]
pub use http::{Stage, serve_http};
pub use part::{Bare, Head, MockError, OverHttp, Part};
pub use player::{Heard, Line, Place, Player};
pub use stdio::{serve_stdio, serve_streams};
