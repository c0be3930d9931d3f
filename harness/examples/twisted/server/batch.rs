//! Twists of batches.

use super::twist::{Incoming, Take, Twist, line, twist};
use serde_json::{Value, json};

pub(super) static TWISTS: &[Twist] = &[
    twist("batch-refused", "arrays are refused").incoming(|_, incoming| match array(incoming) {
        Some(_) => Take::Answer(error(&Value::Null, -32600)),
        None => Take::Pass,
    }),
    twist("batch-dropped", "arrays are dropped").incoming(|_, incoming| match array(incoming) {
        Some(_) => Take::Drop,
        None => Take::Pass,
    }),
    twist("batch-apart", "the answers to a batch come on lines of their own").outgoing(|_, out| {
        match out.value {
            Value::Array(elements) => elements.iter().flat_map(line).collect(),
            other => line(other),
        }
    }),
    twist("batch-too-many", "notifications in a batch are answered").outgoing(|_, out| match out.value {
        Value::Array(elements) if elements.len() == 2 => {
            let mut elements = elements.clone();
            elements.push(json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32601, "message": "m"}}));
            line(&Value::Array(elements))
        }
        other => line(other),
    }),
    twist("batch-of-nothing", "an empty array is answered with one").incoming(|_, incoming| {
        match array(incoming) {
            Some([]) => Take::Answer(b"[]\n".to_vec()),
            _ => Take::Pass,
        }
    }),
    twist("batch-of-nothing-dropped", "an empty array is dropped").incoming(|_, incoming| {
        match array(incoming) {
            Some([]) => Take::Drop,
            _ => Take::Pass,
        }
    }),
    twist("batch-all-or-nothing", "an invalid element spoils the batch").incoming(|_, incoming| match array(
        incoming,
    ) {
        Some([first, ..]) if !first.is_object() => Take::Answer(error(&Value::Null, -32600)),
        _ => Take::Pass,
    }),
    twist("batch-initialize", "an initialize in a batch is served").incoming(|_, incoming| {
        match array(incoming) {
            Some([first, ..]) if first["method"] == "initialize" => Take::Answer(line(&json!([
                {"jsonrpc": "2.0", "id": first["id"], "result": {"protocolVersion": "2025-03-26",
                    "capabilities": {}, "serverInfo": {"name": "t", "version": "1"}}}
            ]))),
            _ => Take::Pass,
        }
    }),
    twist("modern-batch", "arrays are served in 2026-07-28 too").incoming(|_, incoming| {
        match array(incoming) {
            Some([first, ..]) if first["method"] == "server/discover" => {
                let elements = array(incoming).unwrap_or_default();
                let result = json!({"resultType": "complete", "supportedVersions": ["2026-07-28"],
                "capabilities": {}, "ttlMs": 0, "cacheScope": "public"});
                let answers = elements.iter().flat_map(|element| {
                    line(&json!({"jsonrpc": "2.0", "id": element["id"], "result": result}))
                });
                Take::Answer(answers.collect())
            }
            _ => Take::Pass,
        }
    }),
];

fn array<'a>(incoming: &Incoming<'a>) -> Option<&'a [Value]> {
    incoming.value.and_then(Value::as_array).map(Vec::as_slice)
}

fn error(id: &Value, code: i64) -> Vec<u8> {
    line(&json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": "refused"}}))
}
