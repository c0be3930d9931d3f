//! The HTTP responses that the transports give.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use crate::memory::Answered;
use crate::message::{Id, RpcError, error_response};
use crate::revision::Revision;
use crate::server::Server;
use crate::transport::http_body::{Chunk, FedBody, Unmeasured};
use crate::transport::http_chaos::ChaoticBody;
use crate::transport::http_connections::Busy;

/// A body that is known at once or written bit by bit.
pub(crate) enum ReplyBody {
    Whole(Chunk),
    /// The same, with a head that may tell another length.
    Unmeasured(Unmeasured),
    Fed(FedBody),
    /// Written bit by bit by a server with faults.
    Faulty(FedBody, Server),
    /// Any of these, written in unusual ways.
    Chaotic(ChaoticBody),
}

impl ReplyBody {
    /// Keeps a connection busy for as long as there is something to write.
    pub(crate) fn keep_busy(&mut self, busy: Busy) {
        match self {
            Self::Whole(body) => body.keep_busy(busy),
            Self::Unmeasured(_) => {}
            Self::Fed(body) | Self::Faulty(body, _) => body.keep_busy(busy),
            Self::Chaotic(body) => body.keep_busy(busy),
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(context),
            Self::Unmeasured(body) => Pin::new(body).poll_frame(context),
            Self::Fed(body) => Pin::new(body).poll_frame(context),
            Self::Faulty(body, server) => Pin::new(body).poll_frame(context).map_ok(|frame| {
                frame.map_data(|event| match server.faults() {
                    Some(faults) => faults.event(event),
                    None => event,
                })
            }),
            Self::Chaotic(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Unmeasured(_) | Self::Fed(_) | Self::Faulty(..) | Self::Chaotic(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Unmeasured(_) | Self::Fed(_) | Self::Faulty(..) => SizeHint::default(),
            Self::Chaotic(body) => body.size_hint(),
        }
    }
}

pub(crate) type Reply = Response<ReplyBody>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A status without a body.
pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(ReplyBody::Whole(Chunk::default()));
    *reply.status_mut() = status;
    reply
}

/// A JSON body.
pub(crate) fn json(status: u16, answered: Answered) -> Reply {
    let mut reply = Response::new(ReplyBody::Whole(answered.into()));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    reply.headers_mut().insert(CONTENT_TYPE, JSON);
    reply
}

/// A short JSON body, which is not counted.
pub(crate) fn short_json(status: u16, text: String) -> Reply {
    json(status, Answered::short(text))
}

/// A JSON-RPC error.
pub(crate) fn error(status: u16, id: Option<&Id>, error: &RpcError, revision: Revision) -> Reply {
    short_json(status, error_response(id, error, revision))
}

/// A stream of events that no proxy may hold back.
pub(crate) fn events(body: FedBody) -> Reply {
    let mut reply = Response::new(ReplyBody::Fed(body));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, EVENT_STREAM);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    reply
}

/// 405, with the methods that are allowed.
pub(crate) fn not_allowed(allowed: &'static str) -> Reply {
    let mut reply = empty(StatusCode::METHOD_NOT_ALLOWED);
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    reply
}
