//! Faults of Streamable HTTP.

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};

use crate::faults::Duty;
use crate::faults::fault::{Fault, HTTP, LEGACY, fault};
use crate::faults::hook::Hook::{Event, HttpReply, Neglect};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "http.origin.invalid-forbidden/not-checked",
        "Requests with a foreign Origin are served (https://github.com/modelcontextprotocol/csharp-sdk/issues/1520).",
        &[Neglect(Duty::OriginChecked)],
    )
    .breaking(&["http.origin.validated"])
    .over(HTTP),
    fault(
        "http.post.notification-accepted-status/ok",
        "Notifications that are accepted get the status 200 (https://github.com/oramasearch/oramacore/pull/335).",
        &[HttpReply(|_, reply| {
            if reply.status() == StatusCode::ACCEPTED {
                *reply.status_mut() = StatusCode::OK;
            }
        })],
    )
    .over(HTTP),
    fault(
        "http.get.sse-or-refused/as-text",
        "The stream of a GET says that it is plain text.",
        &[HttpReply(|asked, reply| {
            if asked.method == Method::GET && reply.status() == StatusCode::OK {
                reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            }
        })],
    )
    .within(LEGACY)
    .over(HTTP),
    fault(
        "http.sse.event-payload/no-message",
        "Each message of a stream comes with words before it.",
        &[Event(|_, event| event.replacen("data: {", "data: message {", 1))],
    )
    .over(HTTP),
];
