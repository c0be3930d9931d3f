//! Faults of the schemas of messages.

use serde_json::{Value, json};

use crate::faults::edit::put;
use crate::faults::fault::{ANY, Fault, LEGACY, MODERN, STDIO, V2025_11, fault};
use crate::faults::hook::Hook::{Answer, Definition, Line, Notify, Response, Result};
use crate::faults::hook::result;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "schema.optional.not-null/cursor",
        "The last page of every list has null as its cursor.",
        &[Answer(|asked, answer| {
            if let Some(result) = result(answer).filter(|_| asked.method.ends_with("/list"))
                && !result.contains_key("nextCursor")
            {
                put(result, &["nextCursor"], Value::Null);
            }
        })],
    )
    .also_seen(&["schema.messages.conform"]),
    fault(
        "schema.empty-result/subscribed",
        "The answer to a subscription has something in it.",
        &[Result("resources/subscribe", |_, result| put(result, &["subscribed"], true))],
    )
    .warning_in(ANY)
    .within(LEGACY),
    fault(
        "schema.server-notifications.known/made-up",
        "Notifications of a kind that there is not go out with others.",
        &[Notify(|_, notification| {
            vec![notification, json!({"jsonrpc": "2.0", "method": "notifications/tools/busy"})]
        })],
    )
    .within(LEGACY),
    fault(
        "schema.messages.conform/metadata",
        "The metadata of changes are a number.",
        &[Line(|_, line| match serde_json::from_slice::<Value>(&line) {
            Ok(mut message) if message["method"] == "notifications/tools/list_changed" => {
                message["params"]["_meta"] = 5.into();
                format!("{message}\n").into_bytes()
            }
            _ => line,
        })],
    )
    .also_seen(&["subscriptions.id-tag.present", "subscriptions.id-tag.value"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "schema.server-requests.known/made-up",
        "A request of a kind that there is not follows each list of tools.",
        &[Response(|asked, text| {
            if !asked.is("tools/list") {
                return text;
            }
            let id = asked.memory.count();
            format!("{text}\n{{\"jsonrpc\":\"2.0\",\"id\":\"ask-{id}\",\"method\":\"client/describe\"}}")
        })],
    )
    .also_seen(&["lifecycle.pre-init.no-server-requests"])
    .warning_in(ANY)
    .within(V2025_11)
    .over(STDIO),
    fault(
        "schema.uri-fields.valid/path",
        "What was read carries a path instead of a URI.",
        &[Definition("contents", |_, item| put(item, &["uri"], "notes/today.md"))],
    )
    .also_seen(&["resources.read.content-uri-relates"])
    .within(V2025_11)
    .over(STDIO),
];
