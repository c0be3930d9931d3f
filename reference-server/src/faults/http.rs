//! Faults of Streamable HTTP.

use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use hyper::{Method, StatusCode};
use serde::de::IgnoredAny;
use serde_json::json;

use crate::faults::Duty;
use crate::faults::fault::{Fault, HTTP, MODERN, SESSIONS, SINCE_2025_06, SINCE_2025_11, V2025_11, fault};
use crate::faults::hook::Hook::{Event, HttpReply, HttpRequest, Input, Neglect, Notify, Response};
use crate::faults::hook::Input::{Drop, Pass};
use crate::memory::Answered;
use crate::transport::http_reply::{ReplyBody, empty};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "http.origin.invalid-forbidden/not-checked",
        "Requests with a foreign Origin are served (https://github.com/modelcontextprotocol/csharp-sdk/issues/1520).",
        &[Neglect(Duty::OriginChecked)],
    )
    .breaking(&["http.origin.validated"])
    .also_seen(&["http.origin.all-methods"])
    .within(SINCE_2025_06)
    .over(HTTP),
    fault(
        "http.origin.invalid-forbidden/bad-request",
        "Requests with a foreign Origin get the status 400.",
        &[HttpReply(|asked, reply| {
            if asked.headers.contains_key(ORIGIN) && reply.status() == StatusCode::FORBIDDEN {
                *reply.status_mut() = StatusCode::BAD_REQUEST;
            }
        })],
    )
    .within(SINCE_2025_11)
    .over(HTTP),
    fault(
        "http.origin.host-rebinding-resisted/not-checked",
        "Requests for another host are served (https://github.com/modelcontextprotocol/python-sdk/issues/2269).",
        &[HttpRequest(|_, request| {
            let foreign = request.headers().get(HOST).is_some_and(|host| host == "evil.example");
            if foreign {
                request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
                request.headers_mut().remove(ORIGIN);
            }
            None
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http.post.notification-accepted-status/ok",
        "What is accepted without an answer gets the status 200 (https://github.com/oramasearch/oramacore/pull/335).",
        &[HttpReply(|_, reply| {
            if reply.status() == StatusCode::ACCEPTED {
                *reply.status_mut() = StatusCode::OK;
            }
        })],
    )
    .breaking(&["http.post.response-accepted-status"])
    .over(HTTP),
    fault(
        "http.post.notification-empty-body/words",
        "The 202 for a notification has a body.",
        &[HttpReply(|_, reply| {
            if reply.status() == StatusCode::ACCEPTED {
                *reply.body_mut() = ReplyBody::Whole(Answered::short("accepted".to_owned()).into());
            }
        })],
    )
    .also_seen(&["http.post.response-accepted-status"])
    .over(HTTP),
    fault(
        "http.post.response-content-type/plain",
        "Lists of tools say that they are plain text.",
        &[HttpReply(|asked, reply| {
            if asked.headers.get("mcp-method").is_some_and(|method| method == "tools/list") {
                reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            }
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http.post.json-single-object/array",
        "Lists of tools come in an array of one.",
        &[Response(|asked, text| if asked.is("tools/list") { format!("[{text}]") } else { text })],
    )
    .over(HTTP),
    fault(
        "http.post.malformed-body-refused/accepted",
        "A body that is no JSON is accepted.",
        &[Input(|_, bytes| if serde_json::from_slice::<IgnoredAny>(bytes).is_ok() { Pass } else { Drop })],
    )
    .over(HTTP),
    fault(
        "http.post.accept-both-types-served/order",
        "Only one way to write Accept is understood.",
        &[HttpRequest(|_, request| {
            let usual = request.headers().get(ACCEPT).is_some_and(|accept| accept == "application/json, text/event-stream");
            let refused = request.method() == Method::POST && !usual;
            refused.then(|| empty(StatusCode::NOT_ACCEPTABLE))
        })],
    )
    .over(HTTP),
    fault(
        "http.post.content-type-parameters/refused",
        "A Content-Type with a charset is refused.",
        &[HttpRequest(|_, request| {
            let media = request.headers().get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
            media.is_some_and(|media| media.contains("charset")).then(|| empty(StatusCode::UNSUPPORTED_MEDIA_TYPE))
        })],
    )
    .over(HTTP),
    fault(
        "http.method.allow-listed/left-out",
        "A refused method is not told which ones are allowed.",
        &[HttpReply(|_, reply| {
            reply.headers_mut().remove(ALLOW);
        })],
    )
    .over(HTTP)
    .warning_in(SESSIONS),
    fault(
        "http.error.unknown-method-status/ok",
        "Unknown methods get the status 200.",
        &[HttpReply(|asked, reply| {
            if asked.headers.contains_key("mcp-method") && reply.status() == StatusCode::NOT_FOUND {
                *reply.status_mut() = StatusCode::OK;
            }
        })],
    )
    .within(MODERN)
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
    .within(SESSIONS)
    .over(HTTP)
    .also_seen(&["http.sse.response-delivered"]),
    fault(
        "http.endpoint.single/no-get",
        "A GET of the endpoint gets the status 404.",
        &[HttpRequest(|_, request| (request.method() == Method::GET).then(|| empty(StatusCode::NOT_FOUND)))],
    )
    .breaking(&["http.get.sse-or-refused"])
    .within(SESSIONS)
    .over(HTTP)
    .also_seen(&["http.sse.response-delivered"]),
    fault(
        "http.sse.event-payload/no-message",
        "Each message of a stream comes with words before it.",
        &[Event(|_, event| event.replacen("data: {", "data: message {", 1))],
    )
    .also_seen(&["http.post.accept-both-types-served", "http.sse.response-delivered", "http.sse.retry-before-close"])
    .over(HTTP),
    fault(
        "http.sse.response-delivered/cut",
        "Streams end before the response.",
        &[Event(|_, event| if event.contains("\"result\"") { ": gone\n\n".to_owned() } else { event })],
    )
    .also_seen(&["http.post.accept-both-types-served", "http.sse.not-closed-early", "http.sse.retry-before-close"])
    .over(HTTP),
    fault(
        "http.sse.priming-event/left-out",
        "A stream does not begin with an event to resume from.",
        &[Neglect(Duty::PrimingEvent)],
    )
    .within(V2025_11)
    .over(HTTP)
    .also_seen(&["http.sse.response-delivered"]),
    fault(
        "http.sse.buffering-disabled/left-out",
        "Streams do not say that they must not be held back.",
        &[HttpReply(|_, reply| {
            reply.headers_mut().remove("x-accel-buffering");
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http.sse.related-messages-only/changes",
        "A change of the list of tools is told on the stream of a call.",
        &[Notify(|_, notification| {
            vec![notification, json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})]
        })],
    )
    .also_seen(&["http.sse.listen-stream-only-changes"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "http.resume.not-available/refused",
        "A request with Last-Event-ID is refused.",
        &[HttpRequest(|_, request| {
            let modern = request.headers().contains_key("mcp-method");
            (modern && request.headers().contains_key("last-event-id")).then(|| empty(StatusCode::BAD_REQUEST))
        })],
    )
    .within(MODERN)
    .over(HTTP),
];
