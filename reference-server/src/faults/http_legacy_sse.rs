//! Faults of HTTP+SSE.

use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::fault::{Fault, SSE, V2024_11, fault};
use crate::faults::hook::Hook::{Event, HttpReply, Input, Neglect};
use crate::faults::hook::Input::Pass;
use crate::transport::http_reply::short_json;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "http-legacy-sse.endpoint-event/late",
        "A log message precedes the endpoint.",
        &[Event(|_, event| {
            if event.starts_with("event: endpoint") {
                let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"hello"}}"#;
                return format!("event: message\ndata: {log}\n\n{event}");
            }
            event
        })],
    )
    .breaking(&["http-legacy-sse.two-endpoints"])
    .within(V2024_11)
    .over(SSE),
    fault(
        "http-legacy-sse.endpoint-uri-usable/elsewhere",
        "The endpoint is on another host.",
        &[Event(|_, event| {
            if event.starts_with("event: endpoint") { event.replacen("data: /", "data: https://mcp.example/", 1) } else { event }
        })],
    )
    .within(V2024_11)
    .over(SSE),
    fault(
        "http-legacy-sse.message-events/other-type",
        "Messages are events of another type.",
        &[Event(|_, event| event.replacen("event: message", "event: update", 1))],
    )
    .within(V2024_11)
    .over(SSE),
    fault(
        "http-legacy-sse.per-client-routing/newest",
        "Pings are taken for those of the client that came last (https://github.com/modelcontextprotocol/typescript-sdk/pull/820).",
        &[Neglect(Duty::PingsOnOwnStream)],
    )
    .also_seen(&[
        "base.response.at-most-once",
        "http.clients.multiple",
        "lifecycle.pre-init.ping-answered",
        "robustness.response.no-unknown-id",
    ])
    .within(V2024_11)
    .over(SSE),
    fault(
        "http-legacy-sse.post-answered-on-stream/in-body",
        "Pings are answered in the body of their POST, too.",
        &[
            Input(|memory, bytes| {
                let request = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
                let id = if request["method"] == "ping" { request["id"].clone() } else { Value::Null };
                memory.keep(id);
                Pass
            }),
            HttpReply(|asked, reply| {
                let id = asked.memory.kept().filter(|id| asked.path == "/messages" && !id.is_null());
                if let Some(id) = id {
                    *reply = short_json(200, json!({"jsonrpc": "2.0", "id": id, "result": {}}).to_string());
                }
            }),
        ],
    )
    .also_seen(&["base.error.invalid-request-code", "base.response.at-most-once"])
    .within(V2024_11)
    .over(SSE),
];
