//! Twists of what tools are given and give, of ids and of cursors: wrong now and then only.

use super::twist::{Take, Twist, line, twist};
use serde_json::{Value, json};

pub(super) static TWISTS: &[Twist] = &[
    twist("wrong-below-zero", "a negative sum is told as a text").outgoing(|_, out| {
        let mut value = out.value.clone();
        let sum = value.pointer("/result/structuredContent/sum").and_then(Value::as_f64);
        if let Some(sum) = sum.filter(|sum| *sum < 0.0) {
            value["result"]["structuredContent"]["sum"] = json!(sum.to_string());
        }
        line(&value)
    }),
    twist("tells-otherwise", "the text of a sum is another sum").outgoing(|_, out| {
        let mut value = out.value.clone();
        if value.pointer("/result/structuredContent/sum").is_some() {
            value["result"]["content"] = json!([{"type": "text", "text": "{\"sum\": 4711.5}"}]);
        }
        line(&value)
    }),
    twist("deaf-to-long-arguments", "a tool does not answer to a long argument").incoming(|_, incoming| {
        let long = incoming.bytes.len() > 60_000 && incoming.method() == Some("tools/call");
        if long { Take::Drop } else { Take::Pass }
    }),
    twist("dies-of-blank-line", "a blank line ends the process").incoming(|_, incoming| {
        if incoming.bytes.is_empty() { Take::Die(1) } else { Take::Pass }
    }),
    twist("answers-cancellations", "who cancels a request gets an error for it").incoming(|seen, incoming| {
        let id = incoming.value.and_then(|value| value.pointer("/params/requestId"));
        let known = id.filter(|id| seen.methods.get(&id.to_string()).is_some_and(|method| method == "tools/call"));
        match known.filter(|_| incoming.method() == Some("notifications/cancelled")) {
            Some(id) => Take::PassAnd(line(
                &json!({"jsonrpc": "2.0", "id": id, "error": {"code": 0, "message": "Request cancelled"}}),
            )),
            None => Take::Pass,
        }
    }),
    twist("cursors-in-a-circle", "the last page of tools leads back to the second").outgoing(|seen, out| {
        let mut value = out.value.clone();
        if out.method == Some("tools/list") && value["result"]["tools"].is_array() {
            match (value.pointer("/result/nextCursor"), &seen.kept) {
                (Some(cursor), None) => seen.kept = Some(cursor.clone()),
                (None, Some(first)) => value["result"]["nextCursor"] = first.clone(),
                _ => {}
            }
        }
        line(&value)
    }),
    twist("trims-ids", "spaces around an id are lost").outgoing(|_, out| {
        let mut value = out.value.clone();
        if let Some(id) = out.value.get("id").and_then(Value::as_str) {
            value["id"] = json!(id.trim());
        }
        line(&value)
    }),
    twist("tokens-are-text", "progress tokens come back as texts").outgoing(|_, out| {
        let mut value = out.value.clone();
        if let Some(token) = out.value.pointer("/params/progressToken").filter(|token| token.is_number()) {
            value["params"]["progressToken"] = json!(token.to_string());
        }
        line(&value)
    }),
    twist("null-beside-errors", "errors come with a result of null").outgoing(|_, out| {
        let mut value = out.value.clone();
        if value.get("error").is_some() {
            value["result"] = Value::Null;
        }
        line(&value)
    }),
    twist("names-no-versions", "discovery names no versions").outgoing(|_, out| {
        let mut value = out.value.clone();
        if let (Some("server/discover"), Some(result)) = (out.method, value["result"].as_object_mut()) {
            result.remove("supportedVersions");
        }
        line(&value)
    }),
];
