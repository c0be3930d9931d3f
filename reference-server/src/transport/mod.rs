//! The transports: STDIO, Streamable HTTP of both eras, and HTTP+SSE.

mod connection;
mod http;
mod http_bodies;
mod http_body;
mod http_chaos;
mod http_connections;
mod http_legacy_sse;
mod http_modern;
pub(crate) mod http_reply;
mod http_session;
mod lines;
mod queue;
mod replay;
mod sse;
mod stdio;
mod stdout;

pub use http::{serve_http, serve_http_until};
pub use stdio::{serve_stdio, serve_stream};

pub(crate) use http_reply::Reply as HttpReply;
#[cfg(feature = "enterprise")]
pub(crate) use http_reply::{
    error as error_reply, not_allowed as not_allowed_reply, short_json as json_reply,
};
pub(crate) use queue::Outgoing;
pub(crate) use replay::Replay;
pub(crate) use sse::EventLog;
