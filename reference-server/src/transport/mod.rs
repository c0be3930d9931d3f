//! The transports: STDIO, Streamable HTTP of both eras, and HTTP+SSE.

mod connection;
mod http;
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

pub use http::serve_http;
pub use stdio::{serve_stdio, serve_stream};

pub(crate) use http_reply::Reply as HttpReply;
pub(crate) use queue::Outgoing;
pub(crate) use replay::Replay;
pub(crate) use sse::EventLog;
