//! Faults of sessions over Streamable HTTP.

use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::faults::fault::{Fault, HTTP, MODERN, SESSIONS, V2025_11, fault};
use crate::faults::hook::Hook::{HttpReply, HttpRequest};
use crate::transport::http_reply::{empty, short_json};

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
    .within(SESSIONS)
    .over(HTTP),
    fault(
        "http-session.terminated-not-found/still-served",
        "A session that was deleted is still served.",
        &[HttpRequest(|_, request| (request.method() == Method::DELETE).then(|| empty(StatusCode::NO_CONTENT)))],
    )
    .also_seen(&["security.session.not-authentication"])
    .within(SESSIONS)
    .over(HTTP),
    fault(
        "http-session.id-charset/space",
        "Session ids have a space.",
        &[
            HttpReply(|_, reply| {
                let id = reply.headers().get("mcp-session-id").and_then(|id| id.to_str().ok());
                if let Some(Ok(id)) = id.map(|id| HeaderValue::from_str(&format!("session {id}"))) {
                    reply.headers_mut().insert("mcp-session-id", id);
                }
            }),
            HttpRequest(|_, request| {
                let id = request.headers().get("mcp-session-id").and_then(|id| id.to_str().ok());
                if let Some(Ok(id)) = id.and_then(|id| id.strip_prefix("session ")).map(HeaderValue::from_str) {
                    request.headers_mut().insert("mcp-session-id", id);
                }
                None
            }),
        ],
    )
    .within(SESSIONS)
    .over(HTTP),
    fault(
        "http-session.missing-id-refused/forbidden",
        "A request without its session id gets the status 403.",
        &[HttpReply(|asked, reply| {
            let bare = asked.method == Method::POST && !asked.headers.contains_key("mcp-session-id") && !asked.headers.contains_key("mcp-method");
            if bare && reply.status() == StatusCode::BAD_REQUEST {
                *reply.status_mut() = StatusCode::FORBIDDEN;
            }
        })],
    )
    .also_seen(&["auth.status.malformed-bad-request"])
    .within(SESSIONS)
    .over(HTTP),
    fault(
        "http-session.missing-id-refused/stream",
        "A GET without a session id gets a stream on which nothing comes.",
        &[HttpRequest(|_, request| {
            let headers = request.headers();
            let known = headers.contains_key("mcp-session-id") || !headers.contains_key(AUTHORIZATION);
            let opened = request.method() == Method::GET && request.uri().path() == "/mcp" && !known;
            opened.then(|| {
                let mut reply = short_json(200, ": nothing\n\n".to_owned());
                reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
                reply
            })
        })],
    )
    .within(SESSIONS)
    .over(HTTP),
    fault(
        "http-session.id-ignored-by-modern/refused",
        "A stateless request with a session id is refused.",
        &[HttpRequest(|_, request| {
            let headers = request.headers();
            (headers.contains_key("mcp-method") && headers.contains_key("mcp-session-id")).then(|| empty(StatusCode::NOT_FOUND))
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-session.none-minted-by-modern/minted",
        "Answers to stateless requests have a session id (https://github.com/modelcontextprotocol/rust-sdk/issues/1209).",
        &[HttpReply(|asked, reply| {
            if asked.headers.contains_key("mcp-method") {
                reply.headers_mut().insert("mcp-session-id", HeaderValue::from_static("6f1d7c0a94e84b6d8a52c6f0e1b7d93a"));
            }
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http-session.initialize-starts-fresh/shared",
        "All clients share the first session.",
        &[
            HttpReply(|asked, reply| {
                if reply.headers().contains_key("mcp-session-id") {
                    let own = reply.headers().get("mcp-session-id").and_then(|id| id.to_str().ok()).map(|id| json!(id));
                    let first = asked.memory.kept().or_else(|| {
                        asked.memory.keep(own.clone().unwrap_or_default());
                        own
                    });
                    if let Some(Ok(first)) = first.as_ref().and_then(|id| id.as_str()).map(HeaderValue::from_str) {
                        reply.headers_mut().insert("mcp-session-id", first);
                    }
                }
            }),
            HttpRequest(|_, request| (request.method() == Method::DELETE).then(|| empty(StatusCode::NO_CONTENT))),
        ],
    )
    .also_seen(&[
        "capabilities.client.only-declared-used",
        "elicitation.mode.declared-only",
        "http.origin.all-methods",
        "http.resume.same-stream-only",
        "resources.read.internal-error-code",
        "resources.subscribe.updated-only-subscribed",
        "robustness.response.no-unknown-id",
        "security.session.non-deterministic",
        "security.session.not-authentication",
    ])
    .breaking(&["http-session.id-secure", "http-session.terminated-not-found"])
    .within(V2025_11)
    .over(HTTP),
];
