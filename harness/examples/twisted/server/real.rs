//! What real servers do: it breaks less than it seems to, or it was overlooked.

use super::twist::{Incoming, Take, Twist, line, twist};
use serde_json::{Value, json};

pub(super) static TWISTS: &[Twist] = &[
    twist("knows-no-ping", "`ping` is a method that does not exist").incoming(|_, incoming| {
        match incoming.method() {
            Some("ping") => error(incoming, -32601, "method not found"),
            _ => Take::Pass,
        }
    }),
    twist("no-ping-no-notifications", "neither `ping` nor notifications are known").incoming(
        |_, incoming| match incoming.method() {
            Some("ping") => error(incoming, -32601, "method not found"),
            Some(method) if incoming.id().is_none() && method != "notifications/initialized" => {
                error(incoming, -32601, "method not found")
            }
            _ => Take::Pass,
        },
    ),
    twist("serves-both-eras-at-once", "requests without `_meta` are served as those of the older era")
        .incoming(|_, incoming| match incoming.method() {
            Some("tools/list") if incoming.value.is_some_and(|value| value.get("params").is_none()) => {
                result(incoming, &json!({"tools": []}))
            }
            _ => Take::Pass,
        }),
    twist("lists-no-tools", "`tools/list` always fails").incoming(|_, incoming| match incoming.method() {
        Some("tools/list") => error(incoming, -32603, "fetch failed"),
        _ => Take::Pass,
    }),
    twist("finds-nothing-internally", "what a template leads to is not found, as an internal error")
        .incoming(|_, incoming| {
            let uri = incoming.value.and_then(|value| value.pointer("/params/uri")?.as_str());
            match incoming.method() {
                Some("resources/read") if uri.is_some_and(|uri| uri.contains('1')) => {
                    error(incoming, -32603, "Component \"1\" not found")
                }
                // It suggests nothing, so that a made-up name is all there is.
                Some("completion/complete") => error(incoming, -32602, "Nothing to suggest"),
                _ => Take::Pass,
            }
        }),
    twist("gets-no-prompts", "prompts are listed, and `prompts/get` does not exist").incoming(
        |_, incoming| match incoming.method() {
            Some("prompts/get") => error(incoming, -32601, "method not found"),
            _ => Take::Pass,
        },
    ),
    twist("completes-nothing", "what cannot be completed has no values").incoming(|_, incoming| {
        let kind = incoming.value.and_then(|value| value.pointer("/params/ref/type")?.as_str());
        match incoming.method() {
            Some("completion/complete") if !matches!(kind, Some("ref/prompt" | "ref/resource")) => {
                result(incoming, &json!({"completion": {"values": [], "hasMore": false}}))
            }
            _ => Take::Pass,
        }
    }),
];

fn answer(incoming: &Incoming<'_>, member: &str, content: &Value) -> Take {
    let id = incoming.id().cloned().unwrap_or_default();
    Take::Answer(line(&json!({"jsonrpc": "2.0", "id": id, member: content})))
}

fn error(incoming: &Incoming<'_>, code: i64, message: &str) -> Take {
    answer(incoming, "error", &json!({"code": code, "message": message}))
}

fn result(incoming: &Incoming<'_>, result: &Value) -> Take {
    answer(incoming, "result", result)
}
