//! Faults of cancellation.

use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::edit::{is_method, notification};
use crate::faults::fault::{Fault, LEGACY, MODERN, SINCE_2025_03, STDIO, V2025_11, fault};
use crate::faults::hook::Hook::{Input, Intercept, Neglect, Notified, Notify, Request};
use crate::faults::hook::Input::{Changed, Exit, Pass};
use crate::faults::hook::Instead;
use crate::message::{INVALID_REQUEST, Notification, Object};

const CANCELLED: &str = "notifications/cancelled";
/// What comes for a notification in the faults that answer one.
const ANSWER: &str = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Nothing to cancel"}}"#;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "cancellation.no-response/answered",
        "A cancelled request is answered all the same (https://github.com/modelcontextprotocol/python-sdk/issues/2480).",
        &[Neglect(Duty::CancelledWorkStops)],
    )
    .breaking(&["cancellation.stops-work"])
    .within(LEGACY),
    fault(
        "cancellation.no-further-messages/goes-on",
        "What was cancelled goes on to its end.",
        &[Neglect(Duty::CancelledWorkStops)],
    )
    .also_seen(&["subscriptions.end.client-cancel-stdio"])
    .breaking(&["cancellation.no-response", "cancellation.stops-work"])
    .within(MODERN)
    .over(STDIO)
    .warning_in(MODERN),
    fault(
        "cancellation.unknown-id-ignored/dies",
        "A cancellation ends the process (https://github.com/MarkusPfundstein/mcp-gsuite/issues/21).",
        &[Input(|_, bytes| if is_cancellation(bytes) { Exit(1) } else { Pass })],
    )
    .breaking(&["cancellation.race-handled"])
    .also_seen(&["cancellation.initialize-harmless", "robustness.process.survives"])
    .over(STDIO),
    fault(
        "cancellation.unknown-id-ignored/other-type",
        "A cancellation of the text \"7\" cancels the request with the number 7.",
        &[Input(|_, bytes| {
            let Ok(mut message) = serde_json::from_slice::<Value>(bytes) else { return Pass };
            let number = message.pointer("/params/requestId").and_then(Value::as_str).map(str::parse::<i64>);
            match number {
                Some(Ok(number)) if message["method"] == "notifications/cancelled" => {
                    message["params"]["requestId"] = number.into();
                    Changed(message.to_string().into_bytes())
                }
                _ => Pass,
            }
        })],
    )
    .within(SINCE_2025_03)
    .over(STDIO),
    fault(
        "cancellation.completed-id-ignored/answered",
        "A cancellation of a request that was answered gets an error.",
        &[
            Request(|memory, request| {
                if matches!(request.method.as_str(), "ping" | "server/discover") {
                    let mut ids = memory.kept().unwrap_or_else(|| json!([]));
                    ids.as_array_mut().into_iter().for_each(|ids| ids.push(request.id.raw().get().into()));
                    memory.keep(ids);
                }
            }),
            Notified(|memory, notification| {
                let ids = memory.kept()?;
                let named = cancels(notification)?;
                ids.as_array()?.iter().any(|id| *id == *named).then(|| ANSWER.to_owned())
            }),
        ],
    )
    .over(STDIO),
    fault(
        "cancellation.malformed-ignored/answered",
        "A cancellation without the id of a request gets an error.",
        &[Notified(|_, notification| {
            (notification.method == CANCELLED && notification.request_id.is_none()).then(|| ANSWER.to_owned())
        })],
    )
    .also_seen(&["base.notification.no-reply"])
    .over(STDIO),
    fault(
        "cancellation.others-unaffected/next-refused",
        "The request that follows on a cancelled one is refused.",
        &[
            Notified(|memory, notification| {
                cancels(notification)?;
                memory.keep(json!(2));
                None
            }),
            Intercept(|asked| {
                let left = asked.memory.kept().and_then(|left| left.as_u64()).filter(|left| *left > 0)?;
                asked.memory.keep(json!(left - 1));
                (left == 1).then(|| Instead::error(INVALID_REQUEST, "Request cancelled"))
            }),
        ],
    )
    .also_seen(&["discover.implemented", "ping.answered", "robustness.liveness.after-malformed"])
    .over(STDIO),
    fault(
        "cancellation.initialize-harmless/dies",
        "A cancellation of the handshake ends the process.",
        &[
            Request(|memory, request| {
                if request.method == "initialize" {
                    memory.keep(request.id.raw().get().into());
                }
            }),
            Input(|memory, bytes| {
                let message: Value = serde_json::from_slice(bytes).unwrap_or_default();
                let named = message["params"]["requestId"].to_string();
                if is_cancellation(bytes) && memory.kept() == Some(named.into()) { Exit(1) } else { Pass }
            }),
        ],
    )
    .also_seen(&["robustness.process.survives"])
    .within(LEGACY)
    .over(STDIO),
    fault(
        "cancellation.sent.own-direction/made-up",
        "The server withdraws requests that it never sent.",
        &[Notify(|_, message| withdrawal(message, |params| params["requestId"] = "made-up".into()))],
    )
    .within(LEGACY),
    fault(
        "cancellation.sent.shape/number",
        "The server gives a number as the reason for which it withdraws a request.",
        &[Notify(|_, message| withdrawal(message, |params| params["reason"] = 5.into()))],
    )
    .within(LEGACY),
    fault(
        "cancellation.sent.in-progress/first",
        "Whenever the server asks for something, it withdraws what it asked for first.",
        &[Notify(|memory, message| {
            let Some(id) = message.get("id") else { return vec![message] };
            let first = memory.kept().unwrap_or_else(|| memory.keep(id.clone()).unwrap_or_default());
            if first.is_null() { vec![message] } else { vec![withdraw(&first), message] }
        })],
    )
    .within(LEGACY)
    .over(STDIO),
    fault(
        "cancellation.sent.late-response-ignored/dies",
        "An answer to a request that was withdrawn ends the process.",
        &[
            Notify(|memory, message| {
                if is_method(&message, CANCELLED) {
                    memory.keep(message["params"]["requestId"].clone());
                }
                vec![message]
            }),
            Input(|memory, bytes| {
                let message: Value = serde_json::from_slice(bytes).unwrap_or_default();
                let withdrawn = memory.kept().is_some_and(|id| message["id"] == id);
                if withdrawn && message.get("method").is_none() { Exit(1) } else { Pass }
            }),
        ],
    )
    .also_seen(&["robustness.process.survives"])
    .within(LEGACY)
    .over(STDIO),
    fault(
        "cancellation.tasks-by-own-method/notification",
        "The server asks for tasks, and withdraws each by a notification when it asks for the next.",
        &[Notify(|memory, mut message| {
            let Some(id) = message.get("id").cloned() else { return vec![message] };
            message["params"]["task"] = json!({"ttl": 1000});
            match memory.keep(id) {
                Some(before) => vec![withdraw(&before), message],
                None => vec![message],
            }
        })],
    )
    .also_seen(&["cancellation.sent.in-progress", "tasks.requestor.only-declared"])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "cancellation.sent.only-for-listen/progress",
        "The server cancels a request that makes progress.",
        &[Notify(|_, message| {
            if is_method(&message, "notifications/progress") {
                return vec![withdraw(&"made-up".into()), message];
            }
            vec![message]
        })],
    )
    .breaking(&["cancellation.sent.names-listen-id"])
    .within(MODERN),
    fault(
        "cancellation.sent.names-listen-id/as-text",
        "The server cancels a subscription by an id that was a number and is a text.",
        &[Notify(|_, message| match &message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] {
            Value::Number(id) => vec![withdraw(&id.to_string().into()), message],
            _ => vec![message],
        })],
    )
    .within(MODERN),
];

fn is_cancellation(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Object>(bytes)
        .is_ok_and(|message| message.get("method") == Some(&CANCELLED.into()))
}

/// The id that a cancellation names, as JSON.
fn cancels(notification: &Notification) -> Option<&str> {
    let id = notification.request_id.as_ref().filter(|_| notification.method == CANCELLED)?;
    Some(id.raw().get())
}

fn withdraw(id: &Value) -> Value {
    notification(CANCELLED, &json!({"requestId": id}))
}

/// A message, its parameters changed where it withdraws a request.
fn withdrawal(mut message: Value, change: fn(&mut Value)) -> Vec<Value> {
    if is_method(&message, CANCELLED) {
        change(&mut message["params"]);
    }
    vec![message]
}
