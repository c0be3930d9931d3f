//! Faults of Streamable HTTP.

use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use hyper::{Method, StatusCode};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::fault::{
    Fault, HTTP, MODERN, SESSIONS, SINCE_2025_03, SINCE_2025_06, SINCE_2025_11, V2025_03, V2025_11, fault,
};
use crate::faults::hook::Hook::{
    Event, HttpReply, HttpRequest, Input, Intercept, Neglect, Notified, Notify, Response,
};
use crate::faults::hook::Input::{Changed, Drop, Pass};
use crate::faults::hook::Instead;
use crate::memory::Answered;
use crate::message::INTERNAL_ERROR;
use crate::transport::http_reply::{Reply, ReplyBody, empty, short_json};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "http.origin.invalid-forbidden/not-checked",
        "Requests with a foreign Origin are served (https://github.com/modelcontextprotocol/csharp-sdk/issues/1520).",
        &[Neglect(Duty::OriginChecked)],
    )
    .breaking(&["http.origin.validated", "http.origin.all-methods"])
    .within(SINCE_2025_06)
    .over(HTTP),
    fault(
        "http.origin.invalid-forbidden/first-request-only",
        "The Origin is looked at for `server/discover` alone.",
        &[HttpRequest(|_, request| {
            let other = request.headers().get("mcp-method").is_some_and(|method| method != "server/discover");
            if other {
                request.headers_mut().remove(ORIGIN);
            }
            None
        })],
    )
    .breaking(&["http.origin.validated"])
    .within(MODERN)
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
    .also_seen(&["base.jsonrpc.message-kinds"])
    .over(HTTP),
    fault(
        "http.post.malformed-body-refused/accepted",
        "A body that is no JSON is accepted.",
        &[Input(|_, bytes| if serde_json::from_slice::<IgnoredAny>(bytes).is_ok() { Pass } else { Drop })],
    )
    .also_seen(&["base.error.parse-error-answered", "base.error.parse-error-code"])
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
    .warning_in(SINCE_2025_03),
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
    .also_seen(&[
        "auth.metadata.json-ok",
        "http.sse.response-delivered",
        "resources.subscribe.update-delivered",
    ]),
    fault(
        "http.endpoint.single/no-get",
        "A GET of the endpoint gets the status 404.",
        &[HttpRequest(|_, request| (request.method() == Method::GET).then(|| empty(StatusCode::NOT_FOUND)))],
    )
    .breaking(&["http.get.sse-or-refused"])
    .within(SESSIONS)
    .over(HTTP)
    .also_seen(&[
        "auth.as.fallback-urls",
        "auth.as.metadata",
        "auth.http-conformance",
        "auth.metadata.implemented",
        "http.sse.response-delivered",
    ]),
    fault(
        "http.sse.event-payload/no-message",
        "Each message of a stream comes with words before it.",
        &[Event(|_, event| event.replacen("data: {", "data: message {", 1))],
    )
    .also_seen(&[
        "base.response.always-sent",
        "base.encoding.valid-json",
        "http.post.accept-both-types-served",
        "http.sse.response-delivered",
        "http.sse.retry-before-close",
        "resources.subscribe.update-delivered",
        "subscriptions.ack.sent",
    ])
    .over(HTTP),
    fault(
        "http.sse.response-delivered/cut",
        "Streams end before the response, and nothing tells when to come back.",
        &[Event(|_, event| {
            if event.contains("\"result\"") {
                return ": gone\n\n".to_owned();
            }
            event.split_inclusive('\n').filter(|line| !line.starts_with("retry:")).collect()
        })],
    )
    .breaking(&["http.sse.not-closed-early", "http.sse.retry-before-close"])
    .also_seen(&["http.post.accept-both-types-served", "roots.list-changed.handled"])
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
    .also_seen(&[
        "http.sse.listen-stream-only-changes",
        "subscriptions.filter.only-requested-types",
        "subscriptions.id-tag.present",
    ])
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
    fault(
        "http.origin.absent-accepted/forbidden",
        "Lists of tools that come without an Origin are forbidden.",
        &[HttpRequest(|_, request| {
            let lists = request.headers().get("mcp-method").is_some_and(|method| method == "tools/list");
            (lists && !request.headers().contains_key(ORIGIN)).then(|| empty(StatusCode::FORBIDDEN))
        })],
    )
    .also_seen(&[
        "auth.scope.insufficient-error",
        "auth.scope.insufficient-metadata",
        "auth.scope.insufficient-scopes-named",
    ])
    .within(MODERN)
    .over(HTTP),
    fault(
        "http.clients.multiple/one",
        "Only one session lives at a time: another `initialize` ends it.",
        &[
            HttpReply(|asked, reply| {
                if let Some(id) = reply.headers().get("mcp-session-id").and_then(|id| id.to_str().ok()) {
                    asked.memory.keep(json!(id));
                }
            }),
            HttpRequest(|memory, request| {
                let id = request.headers().get("mcp-session-id").and_then(|id| id.to_str().ok())?;
                (memory.kept() != Some(json!(id))).then(|| empty(StatusCode::NOT_FOUND))
            }),
        ],
    )
    .also_seen(&["http.get.sse-or-refused", "lifecycle.shutdown.http-close-harmless"])
    .within(V2025_11)
    .over(HTTP),
    fault(
        "http.post.notification-accepted-status/response",
        "A notification gets the status 200 and a response without an id (https://github.com/pgEdge/pgedge-postgres-mcp/issues/142).",
        &[HttpReply(|_, reply| {
            if reply.status() == StatusCode::ACCEPTED {
                *reply = short_json(200, r#"{"jsonrpc":"2.0","result":{}}"#.to_owned());
            }
        })],
    )
    .also_seen(&[
        "base.notification.no-reply",
        "base.response.same-id",
        "cancellation.completed-id-ignored",
        "cancellation.malformed-ignored",
        "cancellation.unknown-id-ignored",
        "http.post.input-refused-status",
        "http.post.response-accepted-status",
        "progress.from-client-tolerated",
    ])
    .within(V2025_11)
    .over(HTTP),
    fault(
        "http.post.input-refused-status/ok",
        "Notifications with an unknown method are refused with the status 200.",
        &[
            Notified(|_, notification| {
                let known = matches!(&*notification.method, "notifications/initialized" | "notifications/cancelled");
                (!known).then(|| {
                    r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"No such notification"}}"#.to_owned()
                })
            }),
            HttpReply(|_, reply| {
                if whole(reply).contains("No such notification") {
                    *reply.status_mut() = StatusCode::OK;
                }
            }),
        ],
    )
    .also_seen(&[
        "base.notification.no-reply",
        "http.post.notification-accepted-status",
        "progress.from-client-tolerated",
    ])
    .within(V2025_11)
    .over(HTTP),
    fault(
        "http.post.batch-body-refused/served",
        "Of an array the first request is served.",
        &[Input(|_, bytes| match serde_json::from_slice::<Vec<Value>>(bytes).unwrap_or_default().first() {
            Some(first @ Value::Object(_)) => Changed(first.to_string().into_bytes()),
            _ => Pass,
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http.post.posted-response-without-effect/stumbles",
        "A response that nobody asked for makes the server stumble.",
        &[HttpReply(|_, reply| {
            if whole(reply).contains("asks nothing") {
                *reply = empty(StatusCode::INTERNAL_SERVER_ERROR);
            }
        })],
    )
    .also_seen(&["robustness.http.no-5xx"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "http.method.get-refused/not-found",
        "A server of the newer era answers GET with the status 404.",
        &[
            Neglect(Duty::LegacyServed),
            HttpReply(|asked, reply| {
                if asked.method == Method::GET && reply.status() == StatusCode::METHOD_NOT_ALLOWED {
                    *reply.status_mut() = StatusCode::NOT_FOUND;
                }
            }),
        ],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http.method.delete-refused/accepted",
        "A server of the newer era answers DELETE with the status 204.",
        &[
            Neglect(Duty::LegacyServed),
            HttpReply(|asked, reply| {
                if asked.method == Method::DELETE {
                    *reply = empty(StatusCode::NO_CONTENT);
                }
            }),
        ],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "http.sse.batch-responses-delivered/lost",
        "Of the answers to a batch the last is lost on a stream.",
        &[
            HttpRequest(|_, request| {
                if request.headers().contains_key("mcp-session-id") && request.method() == Method::POST {
                    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
                }
                None
            }),
            Event(|_, event| {
                let data = event.lines().find_map(|line| line.strip_prefix("data: ["));
                let answers = data.and_then(|data| serde_json::from_str::<Vec<Value>>(&format!("[{data}")).ok());
                match (data, answers) {
                    (Some(data), Some(mut answers)) => {
                        answers.pop();
                        event.replace(&format!("[{data}"), &Value::Array(answers).to_string())
                    }
                    _ => event,
                }
            }),
        ],
    )
    .also_seen(&["base.batch.received", "http.sse.not-closed-early", "http.sse.response-delivered"])
    .within(V2025_03)
    .over(HTTP),
    fault(
        "http.sse.ends-after-response/more",
        "A log message follows the response on its stream.",
        &[Event(|_, event| {
            if !event.contains("\"result\"") {
                return event;
            }
            let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"answered"}}"#;
            format!("{event}data: {log}\n\n")
        })],
    )
    .also_seen(&["logging.level.filters"])
    .within(V2025_11)
    .over(HTTP),
    fault(
        "http.sse.listen-stream-only-changes/logs",
        "A log message comes on the stream of a subscription.",
        &[Event(|_, event| {
            if !event.contains("notifications/subscriptions/acknowledged") {
                return event;
            }
            let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"listening"}}"#;
            format!("{event}data: {log}\n\n")
        })],
    )
    .also_seen(&["extension-tasks.notify.no-progress-or-log", "logging.message.not-on-listen"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "http.sse.multiple-streams/busy",
        "The third request of one kind in a row is refused.",
        &[Intercept(|asked| {
            let number = asked.memory.in_a_row(&asked.method);
            (number == 2).then(|| Instead::error(INTERNAL_ERROR, "Internal error: busy"))
        })],
    )
    .within(V2025_11)
    .over(HTTP),
    fault(
        "http.sse.no-broadcast/twice",
        "Progress comes on the next stream, too.",
        &[Event(|memory, event| {
            if !event.contains("notifications/progress") {
                return event;
            }
            let data = event.lines().find(|line| line.starts_with("data:")).unwrap_or_default().to_owned();
            match memory.keep(json!(data)) {
                Some(Value::String(other)) if other != data => format!("{event}{other}\n\n"),
                _ => event,
            }
        })],
    )
    .also_seen(&[
        "http.get.messages-unrelated",
        "http.resume.same-stream-only",
        "http.sse.related-messages-only",
        "progress.notification.known-token",
        "progress.stops-after-completion",
        "progress.value.increases",
    ])
    .within(V2025_11)
    .over(HTTP),
    fault(
        "http.sse.no-broadcast/changes",
        "Changes are told on every GET stream of a session.",
        &[Neglect(Duty::ChangesOnOneStream)],
    )
    .within(V2025_11)
    .over(HTTP),
    fault(
        "http.disconnect.not-cancellation/ends",
        "A request ends with its connection.",
        &[Neglect(Duty::DisconnectIsNoCancellation)],
    )
    .also_seen(&["http.sse.response-delivered", "http.sse.retry-before-close"])
    .within(V2025_11)
    .over(HTTP),
    fault(
        "http.disconnect.others-unaffected/all-cancelled",
        "When a client gives up one call, all others end.",
        &[Neglect(Duty::CallsCancelledAlone)],
    )
    // A call of another probe may be among those that end.
    .also_seen(&["tools.call.execution-error-in-result"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "http.get.messages-unrelated/progress",
        "Progress comes on the stream of a GET.",
        &[Neglect(Duty::ProgressOnOwnStream)],
    )
    .within(V2025_11)
    .over(HTTP),
    fault(
        "http.get.no-response/answers",
        "Answers come on the stream of a GET.",
        &[Neglect(Duty::ResponsesOnOwnStream)],
    )
    .also_seen(&[
        "base.request.both-id-types-accepted",
        "base.response.always-sent",
        "http.clients.multiple",
        "http.post.accept-both-types-served",
        "http.post.json-single-object",
        "http.post.response-content-type",
        "http.sse.multiple-streams",
    ])
    .within(V2025_11)
    .over(HTTP),
    fault(
        "http.get.retry-before-close/none",
        "The stream of a GET is closed at once, and nothing says when to come back.",
        &[HttpReply(|asked, reply| {
            if asked.method == Method::GET && reply.status() == StatusCode::OK && !asked.headers.contains_key("last-event-id") {
                *reply.body_mut() = ReplyBody::Whole(Answered::short("id: 0-0\ndata:\n\n".to_owned()).into());
            }
        })],
    )
    .also_seen(&["auth.http-conformance", "auth.metadata.implemented", "http.resume.event-id-unique"])
    .within(V2025_11)
    .over(HTTP),
    fault(
        "http.resume.event-id-unique/always-1",
        "All events have the same id.",
        &[Event(|_, event| match event.split_once('\n') {
            Some((id, rest)) if id.starts_with("id: ") => format!("id: 1\n{rest}"),
            _ => event,
        })],
    )
    .also_seen(&["http.sse.response-delivered"])
    .within(V2025_11)
    .over(HTTP),
    fault(
        "http.resume.event-id-is-cursor/from-the-start",
        "A stream that is taken up again begins anew.",
        &[HttpRequest(|_, request| {
            resume(request, |stream| format!("{stream}-0"));
            None
        })],
    )
    .within(V2025_11)
    .over(HTTP),
    fault(
        "http.resume.event-id-is-cursor/skips-one",
        "A stream that is taken up again goes on after the event that would come next.",
        &[HttpRequest(|_, request| {
            let sequence = request.headers().get("last-event-id").and_then(|id| id.to_str().ok()?.split_once('-')?.1.parse().ok());
            if let Some(sequence) = sequence {
                resume(request, |stream| format!("{stream}-{}", 1_u64.saturating_add(sequence)));
            }
            None
        })],
    )
    .within(V2025_11)
    .over(HTTP),
    fault(
        "http.resume.same-stream-only/newest",
        "Who takes a stream up again gets the one that was opened after it (https://github.com/modelcontextprotocol/servers/pull/4099).",
        &[HttpRequest(|_, request| {
            resume(request, |stream| format!("{}-0", stream + 1));
            None
        })],
    )
    .breaking(&["http.resume.event-id-names-stream"])
    .also_seen(&[
        "http.disconnect.not-cancellation",
        "http.resume.event-id-is-cursor",
        "http.sse.response-delivered",
        "progress.stops-after-completion",
    ])
    .within(V2025_11)
    .over(HTTP),
    fault(
        "http.resume.by-get/not-allowed",
        "Events have ids, but GET with Last-Event-ID gets the status 405.",
        &[HttpRequest(|_, request| {
            let resumes = request.headers().contains_key("last-event-id") && request.method() == Method::GET;
            resumes.then(|| empty(StatusCode::METHOD_NOT_ALLOWED))
        })],
    )
    .also_seen(&["http.method.allow-listed", "http.sse.response-delivered"])
    .within(V2025_11)
    .over(HTTP),
];

/// The text of a response that is known as a whole.
fn whole(reply: &Reply) -> String {
    match reply.body() {
        ReplyBody::Whole(body) => body.text(),
        _ => String::new(),
    }
}

/// Names another event in `Last-Event-ID`, by the number of the stream.
fn resume(request: &mut hyper::Request<hyper::body::Incoming>, other: impl FnOnce(u64) -> String) {
    let stream = request
        .headers()
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.split_once('-')?.0.parse().ok());
    if let Some(Ok(id)) = stream.map(|stream| HeaderValue::from_str(&other(stream))) {
        request.headers_mut().insert("last-event-id", id);
    }
}
