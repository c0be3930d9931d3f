//! Faults of sessions over Streamable HTTP.

use hyper::StatusCode;

use crate::faults::fault::{Fault, HTTP, LEGACY, fault};
use crate::faults::hook::Hook::HttpReply;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "http-session.unknown-not-found/bad-request",
        "An unknown session id gets the status 400 (https://github.com/modelcontextprotocol/python-sdk/issues/1727).",
        &[HttpReply(|asked, reply| {
            let in_session = asked.path == "/mcp" && asked.headers.contains_key("mcp-session-id");
            if in_session && reply.status() == StatusCode::NOT_FOUND {
                *reply.status_mut() = StatusCode::BAD_REQUEST;
            }
        })],
    )
    .breaking(&["http-session.terminated-not-found"])
    .within(LEGACY)
    .over(HTTP),
];
