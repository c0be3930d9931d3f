//! Twisted servers of 2026-07-28.

use super::Case;
use super::legacy::{Answer, Ask};
use super::proxy::{Fate, Headers, Request, Response, Twist, data, remove, set};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const NEW: &str = "2026-07-28";

struct Plain;
impl Twist for Plain {}

struct Buffering;

impl Twist for Buffering {
    fn stream(&self, _: &Request, headers: &mut Headers) {
        remove(headers, "x-accel-buffering");
    }
}

/// Adds events to streams: after the first event of those of a method.
struct Adding(&'static str, fn() -> Value);

impl Twist for Adding {
    fn event(&self, request: &Request, number: usize, event: &str) -> Fate {
        if request.rpc() == self.0 && number == 0 {
            Fate::Pass(vec![event.to_owned(), format!("event: message\ndata: {}", (self.1)())])
        } else {
            Fate::unchanged(event)
        }
    }
}

/// A tool that comes and goes, whoever asks.
struct Drifting(Instant);

impl Twist for Drifting {
    fn response(&self, request: &Request, response: &mut Response) {
        if request.rpc() == "tools/list" && self.0.elapsed().as_millis() / 150 % 2 == 1 {
            let mut message = response.json();
            if let Some(tools) = message.pointer_mut("/result/tools").and_then(Value::as_array_mut) {
                tools.push(json!({"name": "guest", "description": "Says hello", "inputSchema": plain_object(json!({}))}));
                response.body = message.to_string().into_bytes();
            }
        }
    }
}

/// The streams of requests end before their response.
struct Cutting;

impl Twist for Cutting {
    fn event(&self, request: &Request, _: usize, event: &str) -> Fate {
        let response = data(event).is_some_and(|data| data.contains("\"result\""));
        if request.rpc() == "tools/call" && response { Fate::Cut(Vec::new()) } else { Fate::unchanged(event) }
    }
}

/// Who closes one stream cancels all requests.
#[derive(Default)]
struct CancelsAll {
    /// A call that asked for progress has begun.
    begun: AtomicBool,
    closed: AtomicBool,
}

impl Twist for CancelsAll {
    fn request(&self, request: &mut Request) -> Option<Response> {
        if request.rpc() != "tools/call" {
            return None;
        }
        if request.json().pointer("/params/_meta/progressToken").is_some() {
            self.begun.store(true, Ordering::SeqCst);
            return None;
        }
        if self.begun.swap(false, Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(500));
        }
        self.closed.swap(false, Ordering::SeqCst).then(|| Response::error(200, request, -32000))
    }

    fn event(&self, _: &Request, _: usize, event: &str) -> Fate {
        std::thread::sleep(Duration::from_millis(50));
        Fate::unchanged(event)
    }

    fn closed(&self, request: &Request) {
        self.closed.store(request.rpc() == "tools/call", Ordering::SeqCst);
    }
}

/// A refusal whose message has these words becomes a result.
fn served_in_spite_of(words: &'static str) -> impl Twist {
    Answer(move |request: &Request, response: &mut Response| {
        let refusal = response.json();
        let message = refusal.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
        if message.to_ascii_lowercase().contains(words) {
            let result =
                json!({"jsonrpc": "2.0", "id": request.json()["id"], "result": {"resultType": "complete"}});
            *response = Response::new(200, "application/json", result.to_string());
        }
    })
}

/// Adds a tool with an input schema to the first page of tools.
fn tool(schema: fn() -> Value) -> impl Twist {
    Answer(move |request: &Request, response: &mut Response| {
        if request.rpc() != "tools/list" || request.json().pointer("/params/cursor").is_some() {
            return;
        }
        let mut message = response.json();
        if let Some(tools) = message.pointer_mut("/result/tools").and_then(Value::as_array_mut) {
            let annotations = json!({"readOnlyHint": false});
            tools.push(json!({"name": "twisted", "inputSchema": schema(), "annotations": annotations}));
            response.body = message.to_string().into_bytes();
        }
    })
}

fn annotated(annotation: &str, kind: &str) -> Value {
    json!({"type": "object", "properties": {"region": {"type": kind, "x-mcp-header": annotation}}})
}

fn plain_object(properties: Value) -> Value {
    json!({"type": "object", "properties": properties})
}

fn mirror(request: &mut Request) -> Option<Response> {
    let method = request.rpc();
    if !method.is_empty() && request.method == "POST" {
        set(&mut request.headers, "Mcp-Method", method);
    }
    None
}

fn mirror_name(request: &mut Request) -> Option<Response> {
    let message = request.json();
    let name = match request.rpc().as_str() {
        "tools/call" | "prompts/get" => message.pointer("/params/name"),
        "resources/read" => message.pointer("/params/uri"),
        _ => None,
    };
    let name = name.and_then(Value::as_str)?.to_owned();
    set(&mut request.headers, "Mcp-Name", name);
    None
}

fn refuses(when: fn(&Request) -> bool, status: u16, code: i64) -> impl Twist {
    Ask(move |request: &mut Request| when(request).then(|| Response::error(status, request, code)))
}

fn bodies() -> Vec<Case> {
    let case = |name, twist: Box<dyn Twist>, breaks| Case {
        name,
        twist: twist.into(),
        revision: NEW,
        serves: &[],
        only: super::AREAS,
        path: "/mcp",
        arguments: &[],
        breaks,
    };
    vec![
        case("honest", Box::new(Plain), &[]),
        case(
            "any-origin",
            Box::new(Ask(|request: &mut Request| {
                remove(&mut request.headers, "origin");
                None
            })),
            &["http.origin.invalid-forbidden", "http.origin.validated"],
        ),
        case(
            "any-host",
            Box::new(Ask(|request: &mut Request| {
                if request.get("host") == Some("evil.example") {
                    set(&mut request.headers, "Host", "localhost");
                    remove(&mut request.headers, "origin");
                }
                None
            })),
            &["http.origin.host-rebinding-resisted"],
        ),
        case(
            "origin-required",
            Box::new(Ask(|request: &mut Request| {
                let forbidden = request.rpc() == "prompts/list" && request.get("origin").is_none();
                forbidden.then(|| Response::new(403, "", ""))
            })),
            &["http.origin.absent-accepted"],
        ),
        case(
            "unknown-method-200",
            Box::new(Answer(|_: &Request, response: &mut Response| {
                if response.status == 404 {
                    response.status = 200;
                }
            })),
            &["http.error.unknown-method-status"],
        ),
        case(
            "bare-404",
            Box::new(Answer(|_: &Request, response: &mut Response| {
                if response.status == 404 {
                    *response = Response::new(404, "text/plain", "not here");
                }
            })),
            &["http.error.unknown-method-status"],
        ),
        case(
            "batch-served",
            Box::new(Ask(|request: &mut Request| {
                let first = request.json().get(0)?.clone();
                let result =
                    json!([{"jsonrpc": "2.0", "id": first["id"], "result": {"resultType": "complete"}}]);
                Some(Response::new(200, "application/json", result.to_string()))
            })),
            &["http.post.batch-body-refused"],
        ),
        case(
            "response-500",
            Box::new(Ask(|request: &mut Request| {
                request.json().get("result").map(|_| Response::new(500, "text/plain", "oops"))
            })),
            &["http.post.posted-response-without-effect"],
        ),
        case(
            "last-event-id",
            Box::new(refuses(|request| request.get("last-event-id").is_some(), 400, -32600)),
            &["http.resume.not-available"],
        ),
        Case {
            only: "http.disconnect.others-unaffected",
            ..case("cancels-all", Box::<CancelsAll>::default(), &["http.disconnect.others-unaffected"])
        },
        Case {
            only: "tools.list.same-on-every-connection,tools.list.unaffected-by-requests",
            ..case("drifting", Box::new(Drifting(Instant::now())), &[])
        },
        case("buffering", Box::new(Buffering), &["http.sse.buffering-disabled"]),
        case("stream-cut", Box::new(Cutting), &["http.sse.response-delivered"]),
        case(
            "progress-on-listen",
            Box::new(Adding("subscriptions/listen", || {
                json!({"jsonrpc": "2.0", "method": "notifications/progress",
                    "params": {"progressToken": "x", "progress": 1}})
            })),
            &["http.sse.listen-stream-only-changes"],
        ),
        case(
            "change-on-call",
            Box::new(Adding(
                "tools/call",
                || json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}),
            )),
            &["http.sse.related-messages-only"],
        ),
        case(
            "session-refused",
            Box::new(refuses(|request| request.get("mcp-session-id").is_some(), 404, -32600)),
            &["http-session.id-ignored-by-modern"],
        ),
        case(
            "session-minted",
            Box::new(Answer(|_: &Request, response: &mut Response| {
                set(&mut response.headers, "Mcp-Session-Id", "6f1d7c0a94e84b6d8a52c6f0e1b7d93a");
            })),
            &["http-session.none-minted-by-modern"],
        ),
        Case {
            serves: &[NEW],
            ..case(
                "removed-methods",
                Box::new(Ask(|request: &mut Request| match request.method.as_str() {
                    "GET" => Some(Response::new(404, "", "")),
                    "DELETE" => Some(Response::new(200, "", "")),
                    _ => None,
                })),
                &["http.method.delete-refused", "http.method.get-refused"],
            )
        },
        Case { serves: &[NEW], ..case("honest-modern-only", Box::new(Plain), &[]) },
    ]
}

/// So many streams of subscriptions, and no more.
struct Limited(std::sync::atomic::AtomicU32);

impl Twist for Limited {
    fn request(&self, request: &mut Request) -> Option<Response> {
        let listen = request.rpc() == "subscriptions/listen";
        let full = listen && self.0.fetch_add(1, Ordering::SeqCst) > 8;
        full.then(|| Response::error(200, request, -32603))
    }
}

/// Asks for credentials; refuses who has none, if it is told to.
struct Guarded {
    refuses: bool,
}

impl Twist for Guarded {
    fn request(&self, request: &mut Request) -> Option<Response> {
        let anonymous = request.get("authorization").is_none();
        (anonymous && self.refuses).then(|| Response::new(401, "", ""))
    }

    fn response(&self, request: &Request, response: &mut Response) {
        // Who has credentials is greeted by name.
        let mut message = response.json();
        if request.get("authorization").is_some() && request.rpc() == "prompts/list" && !self.refuses {
            message["result"]["prompts"][0]["description"] = json!("For you alone");
            response.body = message.to_string().into_bytes();
        }
        if request.rpc() == "resources/read" && message.get("result").is_some() {
            message["result"]["cacheScope"] = json!("public");
            response.body = message.to_string().into_bytes();
        }
    }
}

/// Progress of calls comes on any GET stream as well.
struct Leaking(std::sync::Mutex<std::collections::VecDeque<String>>);

impl Twist for Leaking {
    fn event(&self, request: &Request, _: usize, event: &str) -> Fate {
        let progress =
            data(event).is_some_and(|data| data.contains("mcprove-apart") && data.contains("progressToken"));
        if request.rpc() == "tools/call" && progress {
            let mut leaked = self.0.lock().unwrap();
            (0..4).for_each(|_| leaked.push_back(event.to_owned()));
        }
        Fate::unchanged(event)
    }

    fn injected(&self) -> Option<&std::sync::Mutex<std::collections::VecDeque<String>>> {
        Some(&self.0)
    }
}

const CREDENTIALS: &[&str] = &["--header", "Authorization: Bearer mcprove-test"];
const CALLS: &[&str] = &["--calls", "all"];
const PUBLIC: &str = "caching.public,caching.access-control-independent,tools.call.access-control,resources.read.access-control";

/// Servers with several callers.
fn callers() -> Vec<Case> {
    let case = |name, twist: Box<dyn Twist>, only, arguments, breaks| Case {
        name,
        twist: twist.into(),
        revision: NEW,
        serves: &[NEW],
        only,
        path: "/mcp",
        arguments,
        breaks,
    };
    vec![
        case(
            "streams-are-never-over",
            Box::new(Limited(std::sync::atomic::AtomicU32::new(0))),
            "subscriptions.end.client-close-http",
            &[],
            &["subscriptions.end.client-close-http"],
        ),
        case(
            "public-reads-of-a-guarded-server",
            Box::new(Guarded { refuses: true }),
            PUBLIC,
            CREDENTIALS,
            &["caching.public.shared-aware"],
        ),
        case(
            "public-lists-for-one",
            Box::new(Guarded { refuses: false }),
            PUBLIC,
            CREDENTIALS,
            &["caching.public.no-user-data"],
        ),
        case("without-credentials", Box::new(Plain), PUBLIC, &[], &[]),
        Case {
            revision: "2025-11-25",
            serves: &[],
            ..case(
                "progress-for-everybody",
                Box::new(Leaking(std::sync::Mutex::default())),
                "base.isolation",
                CALLS,
                &["base.isolation.between-connections"],
            )
        },
    ]
}

fn headers() -> Vec<Case> {
    vec![
        Case::new(
            "method-ignored",
            NEW,
            Ask(mirror),
            &[
                "http-headers.duplicates-refused",
                "http-headers.method.mismatch-refused",
                "http-headers.method.required",
                "http-headers.value.case-sensitive",
                "http-headers.value.invalid-characters-refused",
            ],
        ),
        Case::new(
            "name-ignored",
            NEW,
            Ask(mirror_name),
            &[
                "http-headers.duplicates-refused",
                "http-headers.name.mismatch-refused",
                "http-headers.name.required",
                "http-headers.value.base64-malformed-refused",
                "http-headers.value.base64-sentinel-exact",
                "http-headers.value.invalid-characters-refused",
            ],
        ),
        Case::new(
            "name-trusted",
            NEW,
            Answer(|_: &Request, response: &mut Response| {
                let refusal = response.json();
                let message = refusal.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
                if message.contains("mcp-name differs from params") || message.contains("Mcp-Name differs") {
                    response.body = response.json().to_string().replace("-32020", "-32602").into_bytes();
                }
            }),
            &["http-headers.mismatch-error-shape", "http-headers.name.mismatch-refused"],
        ),
        Case::new(
            "first-value-counts",
            NEW,
            Ask(|request: &mut Request| {
                for name in ["Mcp-Method", "Mcp-Name"] {
                    if let Some(first) = request.get(name).map(str::to_owned) {
                        set(&mut request.headers, name, first);
                    }
                }
                None
            }),
            &["http-headers.duplicates-refused"],
        ),
        Case::new(
            "no-base64",
            NEW,
            refuses(
                |request| {
                    let name = request.get("mcp-name").unwrap_or_default();
                    name.starts_with("=?base64?") && name.ends_with("?=")
                },
                400,
                -32020,
            ),
            &["http-headers.name.base64-decoded"],
        ),
        Case::new(
            "spaces-count",
            NEW,
            refuses(
                |request| request.get("mcp-method").is_some_and(|value| value.contains(' ')),
                400,
                -32020,
            ),
            &["http-headers.value.whitespace-trimmed"],
        ),
        Case::new(
            "name-always",
            NEW,
            refuses(
                |request| request.rpc() == "tools/list" && request.get("mcp-name").is_none(),
                400,
                -32020,
            ),
            &["http-headers.name.not-needed-elsewhere"],
        ),
        Case::new(
            "one-spelling",
            NEW,
            Ask(|request: &mut Request| {
                request
                    .headers
                    .retain(|(name, _)| !name.eq_ignore_ascii_case("mcp-method") || name == "Mcp-Method");
                None
            }),
            &["http-headers.names-case-insensitive"],
        ),
        Case::new(
            "mismatch-200",
            NEW,
            Answer(|_: &Request, response: &mut Response| {
                if response.error_code() == Some(-32020) {
                    response.status = 200;
                }
            }),
            &["http-headers.mismatch-error-shape", "http-headers.version.mismatch-refused"],
        ),
        Case::new(
            "mismatch-code",
            NEW,
            Answer(|_: &Request, response: &mut Response| {
                if response.error_code() == Some(-32020) {
                    response.body = response.json().to_string().replace("-32020", "-32001").into_bytes();
                }
            }),
            &["http-headers.mismatch-error-shape", "http-headers.version.mismatch-refused"],
        ),
        Case::new(
            "any-version",
            NEW,
            Ask(|request: &mut Request| {
                let mut message = request.json();
                let named = message.pointer_mut("/params/_meta/io.modelcontextprotocol~1protocolVersion");
                if let Some(version) = named {
                    *version = json!(NEW);
                    request.set_body(&message);
                    set(&mut request.headers, "MCP-Protocol-Version", NEW);
                }
                None
            }),
            &["http-headers.version.mismatch-refused", "http-headers.version.unsupported-refused"],
        ),
        Case::new(
            "unsupported-as-text",
            NEW,
            Answer(|_: &Request, response: &mut Response| {
                if response.error_code() == Some(-32022) {
                    *response = Response::new(400, "text/plain", "Bad Request: unsupported version");
                }
            }),
            &["http-headers.version.unsupported-refused"],
        ),
        Case {
            serves: &[NEW],
            ..Case::new(
                "version-header-optional",
                NEW,
                Ask(|request: &mut Request| {
                    if request.get("mcp-protocol-version").is_none() {
                        set(&mut request.headers, "MCP-Protocol-Version", NEW);
                    }
                    None
                }),
                &["http-headers.version.missing-refused"],
            )
        },
    ]
}

fn params() -> Vec<Case> {
    vec![
        Case::new(
            "params-ignored",
            NEW,
            served_in_spite_of("mcp-param-"),
            &[
                "http-headers.param.boolean-lowercase",
                "http-headers.param.header-without-argument-refused",
                "http-headers.param.invalid-characters-refused",
                "http-headers.param.mismatch-refused",
                "http-headers.param.missing-refused",
            ],
        ),
        Case::new(
            "params-refused",
            NEW,
            refuses(
                |request| request.headers.iter().any(|(name, _)| name.starts_with("Mcp-Param-")),
                400,
                -32020,
            ),
            &["http-headers.param.match-accepted", "http-headers.param.unknown-ignored"],
        ),
        Case::new(
            "params-always",
            NEW,
            refuses(
                |request| {
                    let any = request.headers.iter().any(|(name, _)| name.starts_with("Mcp-Param-"));
                    any && request.get("mcp-param-mcprove-unknown").is_none()
                        && request.headers.iter().filter(|(name, _)| name.starts_with("Mcp-Param-")).count()
                            < 4
                },
                400,
                -32020,
            ),
            &["http-headers.param.absent-needs-no-header", "http-headers.param.null-needs-no-header"],
        ),
        Case::new(
            "integers-as-text",
            NEW,
            refuses(
                |request| {
                    let limit = request.get("mcp-param-limit");
                    limit.is_some_and(|value| value.contains('.'))
                },
                400,
                -32020,
            ),
            &["http-headers.param.integer-numeric-compare"],
        ),
    ]
}

fn annotations() -> Vec<Case> {
    vec![
        Case::new("empty", NEW, tool(|| annotated("", "string")), &["http-headers.annotation.not-empty"]),
        Case::new("space", NEW, tool(|| annotated("a b", "string")), &["http-headers.annotation.token"]),
        Case::new(
            "line-break",
            NEW,
            tool(|| annotated("a\r\nEvil: 1", "string")),
            &["http-headers.annotation.no-control-characters"],
        ),
        Case::new(
            "number",
            NEW,
            tool(|| annotated("Region", "number")),
            &["http-headers.annotation.primitive-only"],
        ),
        Case::new(
            "no-type",
            NEW,
            tool(|| plain_object(json!({"region": {"x-mcp-header": "Region"}}))),
            &["http-headers.annotation.primitive-only"],
        ),
        Case::new(
            "twice",
            NEW,
            tool(|| {
                let string = |header: &str| json!({"type": "string", "x-mcp-header": header});
                plain_object(json!({"one": string("Region"), "two": string("REGION")}))
            }),
            &["http-headers.annotation.unique"],
        ),
        Case::new(
            "in-items",
            NEW,
            tool(|| {
                let items = json!({"type": "string", "x-mcp-header": "Region"});
                plain_object(json!({"list": {"type": "array", "items": items}}))
            }),
            &["http-headers.annotation.statically-reachable"],
        ),
        Case::new(
            "in-any-of",
            NEW,
            tool(|| {
                let inner = plain_object(json!({"region": {"type": "string", "x-mcp-header": "Region"}}));
                json!({"type": "object", "anyOf": [inner]})
            }),
            &["http-headers.annotation.statically-reachable"],
        ),
        Case::new(
            "large",
            NEW,
            tool(|| {
                let region = json!({"type": "integer", "maximum": 1_u64 << 60, "x-mcp-header": "Region"});
                plain_object(json!({"region": region}))
            }),
            &["http-headers.annotation.safe-integers"],
        ),
        Case::new(
            "secret",
            NEW,
            tool(|| plain_object(json!({"api_key": {"type": "string", "x-mcp-header": "Key"}}))),
            &["http-headers.annotation.not-sensitive"],
        ),
    ]
}

/// How the eras get along.
fn eras() -> Vec<Case> {
    let refuses = Ask(|request: &mut Request| {
        (request.rpc() == "initialize").then(|| Response::error(404, request, -32601))
    });
    let legacy_lists = Ask(|request: &mut Request| {
        let in_session = request.get("mcp-session-id").is_some();
        (in_session && request.rpc() == "tools/list").then(|| Response::error(200, request, -32600))
    });
    let untyped = Answer(|request: &Request, response: &mut Response| {
        let mut message = response.json();
        let modern = request.get("mcp-session-id").is_none() && request.rpc() == "tools/list";
        if let Some(result) = message["result"].as_object_mut().filter(|_| modern) {
            result.remove("resultType");
            response.body = message.to_string().into_bytes();
        }
    });
    let only = "compat";
    vec![
        Case {
            serves: &["2026-07-28"],
            only,
            ..Case::new(
                "initialize refused without a word",
                NEW,
                refuses,
                &["compat.initialize-refusal-names-versions", "compat.initialize-refused-on-http"],
            )
        },
        Case {
            only,
            ..Case::new(
                "lists refused in sessions",
                NEW,
                legacy_lists,
                &["compat.dual-era.eras-not-mixed", "compat.dual-era.negotiated-revision-followed"],
            )
        },
        Case {
            only,
            ..Case::new(
                "lists of the older era",
                NEW,
                untyped,
                &[
                    "compat.dual-era.eras-not-mixed",
                    "compat.dual-era.initialize-selects-legacy",
                    "compat.dual-era.modern-meta-selects-modern",
                ],
            )
        },
    ]
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = bodies();
    cases.extend(callers());
    cases.extend(headers());
    cases.extend(params());
    cases.extend(annotations());
    cases.extend(eras());
    cases
}
