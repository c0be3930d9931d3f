//! Twisted servers of the revisions with sessions.

use super::Case;
use super::proxy::{Fate, Headers, Request, Response, Twist, data, remove, set};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const OLD: &str = "2025-03-26";
const NEW: &str = "2025-11-25";

/// A twist of requests alone.
pub(crate) struct Ask<F>(pub(crate) F);

impl<F: Fn(&mut Request) -> Option<Response> + Send + Sync + 'static> Twist for Ask<F> {
    fn request(&self, request: &mut Request) -> Option<Response> {
        (self.0)(request)
    }
}

/// A twist of whole responses alone.
pub(crate) struct Answer<F>(pub(crate) F);

impl<F: Fn(&Request, &mut Response) + Send + Sync + 'static> Twist for Answer<F> {
    fn response(&self, request: &Request, response: &mut Response) {
        (self.0)(request, response);
    }
}

/// A twist of events alone.
pub(crate) struct Events<F>(pub(crate) F);

impl<F: Fn(&Request, usize, &str) -> Fate + Send + Sync + 'static> Twist for Events<F> {
    fn event(&self, request: &Request, number: usize, event: &str) -> Fate {
        (self.0)(request, number, event)
    }
}

struct Plain;
impl Twist for Plain {}

/// Streams stay open.
struct Lingering;

impl Twist for Lingering {
    fn linger(&self, request: &Request) -> Duration {
        Duration::from_secs(if request.method == "POST" { 4 } else { 0 })
    }
}

/// What comes on the stream of a POST, or some of it, comes on the GET stream too.
struct Broadcasting {
    what: fn(&Value) -> bool,
    queue: Mutex<VecDeque<String>>,
}

impl Twist for Broadcasting {
    fn event(&self, request: &Request, _: usize, event: &str) -> Fate {
        let message = data(event).and_then(|data| serde_json::from_str::<Value>(data).ok());
        if let Some(message) = message.filter(|_| request.method == "POST")
            && (self.what)(&message)
        {
            self.queue.lock().unwrap().push_back(format!("event: message\ndata: {message}"));
        }
        Fate::unchanged(event)
    }

    fn response(&self, _: &Request, response: &mut Response) {
        let message = response.json();
        if message.get("result").is_some() && (self.what)(&message) {
            self.queue.lock().unwrap().push_back(format!("event: message\ndata: {message}"));
        }
    }

    fn injected(&self) -> Option<&Mutex<VecDeque<String>>> {
        Some(&self.queue)
    }
}

/// One request of a method at a time; further ones are refused.
pub(crate) struct OneAtATime(pub(crate) &'static str, pub(crate) AtomicUsize);

impl Twist for OneAtATime {
    fn request(&self, request: &mut Request) -> Option<Response> {
        if request.rpc() != self.0 {
            return None;
        }
        if self.1.fetch_add(1, Ordering::SeqCst) > 0 {
            self.1.fetch_sub(1, Ordering::SeqCst);
            return Some(Response::error(409, request, -32000));
        }
        std::thread::sleep(Duration::from_millis(60));
        None
    }

    fn response(&self, request: &Request, _: &mut Response) {
        if request.rpc() == self.0 {
            self.1.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Session ids that the proxy makes up.
struct SessionIds {
    make: fn(usize) -> String,
    known: Mutex<HashMap<String, String>>,
}

impl SessionIds {
    fn new(make: fn(usize) -> String) -> Self {
        Self { make, known: Mutex::default() }
    }
}

impl Twist for SessionIds {
    fn request(&self, request: &mut Request) -> Option<Response> {
        let own = request.get("mcp-session-id")?.to_owned();
        if let Some(real) = self.known.lock().unwrap().get(&own) {
            set(&mut request.headers, "Mcp-Session-Id", real.clone());
        }
        None
    }

    fn response(&self, request: &Request, response: &mut Response) {
        if request.rpc() == "initialize"
            && let Some(real) = super::proxy::get(&response.headers, "mcp-session-id").map(str::to_owned)
        {
            let mut known = self.known.lock().unwrap();
            let own = (self.make)(known.len());
            known.insert(own.clone(), real);
            set(&mut response.headers, "Mcp-Session-Id", own);
        }
    }
}

/// Progress of a call that came before on the stream of a later one.
#[derive(Default)]
struct ForeignProgress {
    tokens: Mutex<Vec<Value>>,
    /// How much of it was sent: each message is another, so that none comes on two streams.
    sent: AtomicUsize,
}

impl Twist for ForeignProgress {
    fn request(&self, request: &mut Request) -> Option<Response> {
        let message = request.json();
        if let Some(token) = message.pointer("/params/_meta/progressToken") {
            self.tokens.lock().unwrap().push(token.clone());
        }
        None
    }

    fn event(&self, request: &Request, _: usize, event: &str) -> Fate {
        let message = request.json();
        let own = message.pointer("/params/_meta/progressToken");
        let known = self.tokens.lock().unwrap();
        match known.iter().find(|token| own.is_some() && Some(*token) != own) {
            Some(token) if data(event).is_some_and(|data| data.contains("notifications/progress")) => {
                let sent = u32::try_from(self.sent.fetch_add(1, Ordering::SeqCst)).unwrap();
                let foreign = json!({"jsonrpc": "2.0", "method": "notifications/progress",
                    "params": {"progressToken": token, "progress": f64::from(sent) + 0.125}});
                Fate::Pass(vec![format!("event: message\ndata: {foreign}"), event.to_owned()])
            }
            _ => Fate::unchanged(event),
        }
    }
}

/// Whether a request resumes a stream.
fn resumes(request: &Request) -> bool {
    request.get("last-event-id").is_some()
}

/// Whether a request is answered by a stream that the server itself ends early, so that all hangs on its first event.
fn ends_early(request: &Request) -> bool {
    request.json().pointer("/params/name").is_some_and(|name| name == "test_reconnection")
}

/// An event without the fields of this name.
fn without(field: &str, event: &str) -> String {
    let is_kept = |line: &&str| line.split(':').next() != Some(field);
    event.lines().filter(is_kept).collect::<Vec<_>>().join("\n")
}

/// The number of the stream and of the event in an event id.
fn event_id(id: &str) -> Option<(u64, u64)> {
    let (stream, number) = id.split_once('-')?;
    Some((stream.parse().ok()?, number.parse().ok()?))
}

fn resumed_elsewhere(to: fn(u64, u64) -> (u64, u64)) -> impl Twist {
    Ask(move |request: &mut Request| {
        let (stream, number) = event_id(request.get("last-event-id")?)?;
        let (stream, number) = to(stream, number);
        set(&mut request.headers, "Last-Event-ID", format!("{stream}-{number}"));
        None
    })
}

fn is_foreign(headers: &Headers) -> bool {
    super::proxy::get(headers, "origin").is_some_and(|origin| origin.contains("evil"))
}

fn streams() -> Vec<Case> {
    vec![
        Case::new(
            "garbage-event",
            NEW,
            Events(|request: &Request, number, event: &str| {
                let garbage = "event: message\ndata: hello".to_owned();
                let post = request.method == "POST" && number == 1;
                Fate::Pass(if post { vec![garbage, event.to_owned()] } else { vec![event.to_owned()] })
            }),
            &["http.sse.event-payload"],
        ),
        Case::new(
            "not-primed",
            NEW,
            Events(|request: &Request, number, event: &str| {
                let drop = number == 0 && request.method == "POST" && !ends_early(request);
                Fate::Pass(if drop { Vec::new() } else { vec![event.to_owned()] })
            }),
            &["http.sse.priming-event"],
        ),
        Case::new(
            "closed-early",
            OLD,
            Events(|request: &Request, _, event: &str| match request.method.as_str() {
                "POST" => Fate::Cut(vec![event.to_owned()]),
                _ => Fate::unchanged(event),
            }),
            &["http.sse.not-closed-early"],
        ),
        Case::new(
            "closed-early-without-retry",
            NEW,
            Events(|request: &Request, number, event: &str| match request.method.as_str() {
                "POST" if number > 0 => Fate::Cut(vec![without("retry", event)]),
                _ => Fate::Pass(vec![without("retry", event)]),
            }),
            &["http.sse.retry-before-close"],
        ),
        Case::new(
            "closed-early-with-retry",
            NEW,
            Events(|request: &Request, number, event: &str| match request.method.as_str() {
                "POST" if number > 0 => Fate::Cut(vec![format!("retry: 20\n{event}")]),
                _ => Fate::unchanged(event),
            }),
            &[],
        ),
        Case::new(
            "response-lost",
            NEW,
            Events(|request: &Request, _, event: &str| {
                if request.rpc() == "tools/call" && event.contains("\"result\"") {
                    return Fate::Cut(Vec::new());
                }
                Fate::Pass(vec![without("id", event)])
            }),
            &["http.sse.response-delivered"],
        ),
        Case::new("lingering", NEW, Lingering, &["http.sse.ends-after-response"]),
        Case::new("foreign-progress", NEW, ForeignProgress::default(), &["http.sse.related-messages-only"]),
        Case::new(
            "progress-broadcast",
            NEW,
            Broadcasting {
                what: |message| message["method"] == "notifications/progress",
                queue: Mutex::default(),
            },
            &["http.get.messages-unrelated", "http.sse.no-broadcast"],
        ),
        Case::new(
            "responses-on-get",
            NEW,
            Broadcasting { what: |message| message.get("result").is_some(), queue: Mutex::default() },
            &["http.get.no-response"],
        ),
        Case::new(
            "one-event-id",
            NEW,
            Events(|request: &Request, number, event: &str| {
                if ends_early(request) || resumes(request) {
                    return Fate::unchanged(event);
                }
                let lines = event.lines().map(|line| if line.starts_with("id:") { "id: x" } else { line });
                let event = lines.collect::<Vec<_>>().join("\n");
                if number == 0 { Fate::Pass(Vec::new()) } else { Fate::unchanged(&event) }
            }),
            &["http.resume.event-id-unique", "http.sse.priming-event"],
        ),
        Case::new(
            "get-closed",
            NEW,
            Events(|request: &Request, number, event: &str| match request.method.as_str() {
                "GET" if number == 0 && !resumes(request) => Fate::Cut(vec![without("retry", event)]),
                _ => Fate::unchanged(event),
            }),
            &["http.get.retry-before-close"],
        ),
        Case::new(
            "no-resumption",
            NEW,
            Ask(|request: &mut Request| {
                request.get("last-event-id")?;
                let mut response = Response::new(405, "", "");
                response.headers.push(("Allow".to_owned(), "POST".to_owned()));
                Some(response)
            }),
            // The answer on a stream that the server ends early is lost.
            &["http.resume.by-get", "http.sse.response-delivered"],
        ),
        Case::new(
            "replay-from-the-start",
            NEW,
            resumed_elsewhere(|stream, _| (stream, 0)),
            &["http.resume.event-id-is-cursor"],
        ),
        Case::new(
            "replay-of-another-stream",
            NEW,
            resumed_elsewhere(|stream, _| (stream + 1, 0)),
            // The answer on the stream that should have been taken up is lost.
            &[
                "http.resume.event-id-names-stream",
                "http.resume.same-stream-only",
                "http.sse.response-delivered",
            ],
        ),
    ]
}

fn posts() -> Vec<Case> {
    vec![
        Case::new(
            "text-plain",
            NEW,
            Answer(|request: &Request, response: &mut Response| {
                if request.rpc() == "ping" && response.status == 200 {
                    set(&mut response.headers, "Content-Type", "text/plain");
                }
            }),
            &["http.post.response-content-type"],
        ),
        Case::new(
            "array",
            NEW,
            Answer(|request: &Request, response: &mut Response| {
                if request.rpc() == "ping" && response.status == 200 {
                    response.body = format!("[{}]", response.json()).into_bytes();
                }
            }),
            &["http.post.json-single-object"],
        ),
        Case::new(
            "empty-answer",
            NEW,
            Answer(|request: &Request, response: &mut Response| {
                if request.rpc() == "tools/list" {
                    response.body.clear();
                }
            }),
            &["http.post.json-single-object"],
        ),
        Case::new(
            "notification-200",
            NEW,
            Answer(|request: &Request, response: &mut Response| {
                if request.is_notification() && response.status == 202 {
                    response.status = 200;
                }
            }),
            &["http.post.notification-accepted-status"],
        ),
        Case::new(
            "notification-body",
            OLD,
            Answer(|request: &Request, response: &mut Response| {
                if request.is_notification() && response.status == 202 {
                    response.body = b"accepted".to_vec();
                }
            }),
            &["http.post.notification-empty-body"],
        ),
        Case::new(
            "response-200",
            NEW,
            Answer(|request: &Request, response: &mut Response| {
                if request.json().get("result").is_some() && response.status == 202 {
                    response.status = 200;
                }
            }),
            &["http.post.response-accepted-status"],
        ),
        Case::new(
            "notification-error",
            NEW,
            Ask(|request: &mut Request| {
                (request.rpc() == "notifications/mcprove/unknown")
                    .then(|| Response::error(200, request, -32601))
            }),
            &["http.post.input-refused-status"],
        ),
        Case::new(
            "garbage-accepted",
            NEW,
            Ask(|request: &mut Request| {
                let garbage = request.method == "POST" && request.json().is_null();
                garbage.then(|| Response::new(202, "", ""))
            }),
            &["http.post.malformed-body-refused"],
        ),
        Case::new(
            "garbage-500",
            OLD,
            Ask(|request: &mut Request| {
                let garbage = request.method == "POST" && request.json().is_null();
                garbage.then(|| Response::new(500, "text/plain", "oops"))
            }),
            &["http.post.malformed-body-refused"],
        ),
        Case::new(
            "one-accept",
            NEW,
            Ask(|request: &mut Request| {
                let usual = request.get("accept") == Some("application/json, text/event-stream");
                (request.method == "POST" && !usual).then(|| Response::new(406, "", ""))
            }),
            &["http.post.accept-both-types-served"],
        ),
        Case::new(
            "no-charset",
            NEW,
            Ask(|request: &mut Request| {
                let charset = request.get("content-type").is_some_and(|value| value.contains("charset"));
                charset.then(|| Response::new(415, "", ""))
            }),
            &["http.post.content-type-parameters"],
        ),
        Case::new(
            "no-allow",
            NEW,
            Answer(|_: &Request, response: &mut Response| {
                remove(&mut response.headers, "allow");
            }),
            &["http.method.allow-listed"],
        ),
        Case {
            only: "http.sse.multiple-streams",
            ..Case::new(
                "one-request-at-a-time",
                NEW,
                OneAtATime("ping", AtomicUsize::new(0)),
                &["http.sse.multiple-streams"],
            )
        },
        Case {
            only: "http.clients.multiple",
            ..Case::new(
                "one-client-at-a-time",
                NEW,
                OneAtATime("ping", AtomicUsize::new(0)),
                &["http.clients.multiple"],
            )
        },
        Case::new(
            "get-404",
            NEW,
            Ask(|request: &mut Request| {
                (request.method == "GET" && !resumes(request)).then(|| Response::new(404, "", ""))
            }),
            &["http.endpoint.single", "http.get.sse-or-refused"],
        ),
        Case::new(
            "get-as-text",
            NEW,
            Ask(|request: &mut Request| {
                let opens = request.method == "GET" && !resumes(request);
                opens.then(|| Response::new(200, "text/html", "<p>an MCP server"))
            }),
            &["http.get.sse-or-refused"],
        ),
        Case::new(
            "get-405",
            NEW,
            Ask(|request: &mut Request| {
                let mut response = Response::new(405, "", "");
                response.headers.push(("Allow".to_owned(), "POST, DELETE".to_owned()));
                (request.method == "GET").then_some(response)
            }),
            &["http.resume.by-get", "http.sse.response-delivered"],
        ),
    ]
}

fn callers() -> Vec<Case> {
    vec![
        Case::new(
            "any-origin",
            NEW,
            Ask(|request: &mut Request| {
                remove(&mut request.headers, "origin");
                None
            }),
            &["http.origin.all-methods", "http.origin.invalid-forbidden", "http.origin.validated"],
        ),
        Case::new(
            "origins-that-begin-like-own-ones",
            NEW,
            Ask(|request: &mut Request| {
                if request.get("origin").is_some_and(|origin| origin.starts_with("http://localhost")) {
                    remove(&mut request.headers, "origin");
                }
                None
            }),
            &["http.origin.invalid-forbidden", "http.origin.validated"],
        ),
        Case::new(
            "origin-400",
            NEW,
            Answer(|request: &Request, response: &mut Response| {
                if is_foreign(&request.headers) {
                    response.status = 400;
                }
            }),
            &["http.origin.invalid-forbidden"],
        ),
        Case::new(
            "origin-400-before-403-was-fixed",
            OLD,
            Answer(|request: &Request, response: &mut Response| {
                if is_foreign(&request.headers) {
                    response.status = 400;
                }
            }),
            &[],
        ),
        Case::new(
            "origin-on-post-only",
            OLD,
            Ask(|request: &mut Request| {
                if request.method != "POST" {
                    remove(&mut request.headers, "origin");
                }
                None
            }),
            &["http.origin.all-methods"],
        ),
        Case::new(
            "id-with-space",
            NEW,
            SessionIds::new(|number| format!("{number} 6f1d7c0a94e84b6d8a52c6f0e1b7d93{number}")),
            &["http-session.id-charset", "http-session.id-secure"],
        ),
        Case::new(
            "counted-ids",
            NEW,
            SessionIds::new(|number| format!("session-{number:08}")),
            &["http-session.id-secure"],
        ),
        Case::new(
            "missing-id-403",
            NEW,
            Ask(|request: &mut Request| {
                let missing = request.rpc() == "ping" && request.get("mcp-session-id").is_none();
                missing.then(|| Response::new(403, "", ""))
            }),
            &["http-session.missing-id-refused"],
        ),
        Case::new(
            "gone-400",
            NEW,
            Answer(|request: &Request, response: &mut Response| {
                if request.get("mcp-session-id").is_some() && response.status == 404 {
                    response.status = 400;
                }
            }),
            &["http-session.terminated-not-found", "http-session.unknown-not-found"],
        ),
        Case::new(
            "one-initialize",
            NEW,
            Ask(|request: &mut Request| {
                let message = request.json();
                let again = message["method"] == "initialize" && message["id"].as_i64() > Some(1);
                again.then(|| Response::error(400, request, -32600))
            }),
            &["http-session.initialize-starts-fresh"],
        ),
        Case::new(
            "any-version",
            NEW,
            Ask(|request: &mut Request| {
                remove(&mut request.headers, "mcp-protocol-version");
                None
            }),
            &["http-headers.version.unsupported-refused"],
        ),
        Case::new(
            "version-required",
            NEW,
            Ask(|request: &mut Request| {
                let missing = request.rpc() == "ping" && request.get("mcp-protocol-version").is_none();
                missing.then(|| Response::error(400, request, -32600))
            }),
            &["http-headers.version.absent-fallback"],
        ),
        Case::new(
            "version-refused-on-get",
            NEW,
            Ask(|request: &mut Request| {
                let text = "Bad Request: Unsupported protocol version";
                let opens = request.method == "GET" && !resumes(request);
                opens.then(|| Response::new(400, "text/plain", text))
            }),
            &["http-headers.version.negotiated-accepted", "http.get.sse-or-refused"],
        ),
        Case::new(
            "one-spelling",
            NEW,
            Ask(|request: &mut Request| {
                request.headers.retain(|(name, _)| {
                    !name.eq_ignore_ascii_case("mcp-session-id") || name == "Mcp-Session-Id"
                });
                None
            }),
            &["http-headers.names-case-insensitive"],
        ),
    ]
}

/// Answers of any session count for the one that last called a tool.
#[derive(Default)]
struct AnswersOfAll(Mutex<Option<String>>);

impl Twist for AnswersOfAll {
    fn request(&self, request: &mut Request) -> Option<Response> {
        let session = request.get("mcp-session-id").map(str::to_owned)?;
        let message = request.json();
        if request.rpc() == "tools/call" {
            *self.0.lock().unwrap() = Some(session);
        } else if message.get("method").is_none() && message.get("result").is_some() {
            let last = self.0.lock().unwrap().clone()?;
            set(&mut request.headers, "Mcp-Session-Id", last);
        }
        None
    }
}

/// That an interaction is over is told to everybody who listens.
#[derive(Default)]
struct Gossip(Mutex<VecDeque<String>>);

impl Twist for Gossip {
    fn event(&self, _: &Request, _: usize, event: &str) -> Fate {
        if event.contains("notifications/elicitation/complete") {
            let again: Vec<_> = std::iter::repeat_n(event.to_owned(), 8).collect();
            self.0.lock().unwrap().extend(again);
        }
        Fate::unchanged(event)
    }

    fn injected(&self) -> Option<&Mutex<VecDeque<String>>> {
        Some(&self.0)
    }
}

fn elicitations() -> Vec<Case> {
    let case = |name, twist: Arc<dyn Twist>, only, breaks| Case {
        twist,
        only,
        ..Case::new(name, "2025-11-25", Plain, breaks)
    };
    vec![
        case(
            "answers of all sessions count",
            Arc::new(AnswersOfAll::default()),
            "elicitation.identity",
            &["elicitation.identity.bound"],
        ),
        case(
            "gossip about pages",
            Arc::new(Gossip::default()),
            "elicitation.complete",
            &["elicitation.complete.id", "elicitation.complete.initiator-only"],
        ),
    ]
}

/// What other rules than those about HTTP see over it.
fn others() -> Vec<Case> {
    let unread = |answer: fn(&Request) -> Response| {
        Ask(move |request: &mut Request| {
            let posted = request.method == "POST" && !request.body.is_empty();
            (posted && request.json().is_null()).then(|| answer(request))
        })
    };
    let again = Ask(|request: &mut Request| {
        if request.rpc() == "initialize" {
            remove(&mut request.headers, "mcp-session-id");
        }
        None
    });
    let no_zero =
        Ask(|request: &mut Request| (request.json()["id"] == 0).then(|| Response::new(202, "", "")));
    let malformed: &[&str] = &["http.post.malformed-body-refused"];
    vec![
        Case { only: "lifecycle", ..Case::new("another session beside", NEW, again, &[]) },
        Case {
            only: "base.request,base.response",
            ..Case::new("zero is no id", NEW, no_zero, &["base.request.both-id-types-accepted"])
        },
        Case {
            only: "http.post",
            ..Case::new(
                "unreadable, with 200",
                NEW,
                unread(|request| Response::error(200, request, -32700)),
                malformed,
            )
        },
        Case {
            only: "http.post",
            ..Case::new("unreadable, closed", NEW, unread(|_| Response::none()), malformed)
        },
    ]
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = ["2025-03-26", "2025-06-18", "2025-11-25"]
        .map(|revision| Case::new("honest", revision, Plain, &[]))
        .into();
    cases.extend(streams());
    cases.extend(posts());
    cases.extend(callers());
    cases.extend(elicitations());
    cases.extend(others());
    cases
}
