//! Faults of HTTP+SSE.

use crate::faults::fault::{Fault, SSE, V2024_11, fault};
use crate::faults::hook::Hook::Event;

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
];
