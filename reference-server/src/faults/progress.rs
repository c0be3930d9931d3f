//! Faults of progress.

use serde_json::{Value, json};

use crate::faults::edit::{is_method, notification};
use crate::faults::fault::{Fault, HTTP, LEGACY, MODERN, STDIO, V2025_11, fault};
use crate::faults::hook::Hook::{Intercept, Notified, Notify, Question, Response};
use crate::faults::hook::{Asked, Instead};
use crate::message::{INVALID_PARAMS, Object};

const PROGRESS: &str = "notifications/progress";

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "progress.notification.shape/text",
        "Progress is a text.",
        &[Notify(|_, message| told(message, |params| params["progress"] = "some".into()))],
    ),
    fault(
        "progress.value.increases/same",
        "Progress does not grow.",
        &[Notify(|_, message| told(message, |params| params["progress"] = 1.into()))],
    ),
    fault(
        "progress.value.increases/falls",
        "Progress counts down.",
        &[Notify(|memory, message| {
            if !is_method(&message, PROGRESS) {
                return vec![message];
            }
            vec![with_progress(message, 1_000_000_u64.saturating_sub(memory.count()))]
        })],
    ),
    fault(
        "progress.notification.known-token/made-up",
        "Progress has a token that the server made up (https://github.com/kaeawc/auto-mobile/issues/6118).",
        &[Notify(|_, message| told(message, |params| params["progressToken"] = "made-up".into()))],
    )
    .also_seen(&["http.sse.no-broadcast", "http.sse.related-messages-only"]),
    fault(
        "progress.token.type-preserved/as-text",
        "A token that is a number comes back as a text.",
        &[Notify(|_, message| {
            told(message, |params| {
                if let Some(number) = params["progressToken"].as_i64() {
                    params["progressToken"] = number.to_string().into();
                }
            })
        })],
    )
    .also_seen(&["http.sse.related-messages-only"]),
    fault(
        "progress.token.accepted/zero-refused",
        "A request whose progress token is 0 is refused.",
        &[Intercept(|asked| {
            let zero = token(asked).is_some_and(|token| *token == 0);
            zero.then(|| Instead::error(INVALID_PARAMS, "Invalid params: progressToken is missing"))
        })],
    )
    .also_seen(&["discover.implemented", "ping.answered"]),
    fault(
        "progress.token.type/true",
        "The server asks for progress on its own requests with the token true.",
        &[
            Question("elicitation/create", |_, params| with_token(params, &json!(true))),
            Question("sampling/createMessage", |_, params| with_token(params, &json!(true))),
        ],
    )
    .also_seen(&["versioning.negotiated-version-respected"])
    .within(LEGACY)
    .over(STDIO),
    fault(
        "progress.token.unique/same",
        "The server asks for progress on all its requests with one token.",
        &[
            Question("elicitation/create", |_, params| with_token(params, &json!(1))),
            Question("sampling/createMessage", |_, params| with_token(params, &json!(1))),
        ],
    )
    .within(LEGACY)
    .over(STDIO),
    fault(
        "progress.stops-after-completion/once-more",
        "Progress comes once more when the request has been answered.",
        &[Response(|asked, text| {
            match token(asked).filter(|_| asked.is("tools/call") && !asked.params.contains_key("task")) {
                Some(token) => {
                    let late =
                        notification(PROGRESS, &json!({"progressToken": token, "progress": 1_000_000}));
                    format!("{text}\n{late}")
                }
                None => text,
            }
        })],
    )
    .breaking(&["progress.notification.in-progress-only"])
    .over(STDIO),
    fault(
        "progress.notification.own-stream/the-next",
        "Progress comes on the stream of the request that makes progress next.",
        &[Notify(|memory, message| {
            if !is_method(&message, PROGRESS) {
                return vec![message];
            }
            memory.keep(message).into_iter().collect()
        })],
    )
    .also_seen(&[
        "http.sse.related-messages-only",
        "progress.notification.in-progress-only",
        "progress.stops-after-completion",
    ])
    .within(MODERN)
    .over(HTTP),
    fault(
        "progress.rate-limited/flood",
        "Each step of progress is told in 300 steps.",
        &[Notify(|memory, message| {
            if !is_method(&message, PROGRESS) || memory.count() > 3 {
                return vec![message];
            }
            let value = message["params"]["progress"].as_f64().unwrap_or_default();
            (0..300).map(|step| with_progress(message.clone(), value + f64::from(step) / 1000.0)).collect()
        })],
    )
    .over(STDIO),
    fault(
        "progress.from-client-tolerated/answered",
        "Progress of the client gets an error.",
        &[Notified(|_, notification| {
            let answer = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"Unknown token"}}"#;
            (notification.method == PROGRESS).then(|| answer.to_owned())
        })],
    )
    .within(LEGACY)
    .over(STDIO),
    fault(
        "progress.task.same-token/made-up",
        "Progress of a task has a token that the server made up.",
        &[Notify(|_, message| {
            if !message["params"]["_meta"]["io.modelcontextprotocol/related-task"].is_object() {
                return vec![message];
            }
            told(message, |params| params["progressToken"] = "made-up".into())
        })],
    )
    .breaking(&["progress.task.token-kept", "progress.notification.known-token"])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "progress.task.stops-at-terminal/once-more",
        "Progress comes once more when the task is over.",
        &[Response(|asked, text| {
            let answer: Value = serde_json::from_str(&text).unwrap_or_default();
            let mut tokens = asked.memory.kept().unwrap_or_else(|| json!({}));
            if let (Some(task), Some(token)) = (answer["result"]["task"]["taskId"].as_str(), token(asked)) {
                tokens[task] = token.clone();
                asked.memory.keep(tokens);
            } else if asked.is("tasks/get")
                && answer["result"]["status"] == "completed"
                && let Some(token) = tokens.get(asked.text("taskId"))
            {
                let late = json!({"progressToken": token, "progress": 1_000_000 + asked.memory.count()});
                return format!("{text}\n{}", notification(PROGRESS, &late));
            }
            text
        })],
    )
    .also_seen(&["tasks.related-task.everywhere"])
    .within(V2025_11)
    .over(STDIO),
];

/// A message, its parameters changed where it tells progress.
fn told(mut message: Value, change: fn(&mut Value)) -> Vec<Value> {
    if is_method(&message, PROGRESS) {
        change(&mut message["params"]);
    }
    vec![message]
}

fn with_progress(mut message: Value, progress: impl Into<Value>) -> Value {
    message["params"]["progress"] = progress.into();
    message
}

fn with_token(params: &mut Object, token: &Value) {
    params.entry("_meta").or_insert_with(|| json!({}))["progressToken"] = token.clone();
}

fn token<'a>(asked: &'a Asked<'_>) -> Option<&'a Value> {
    asked.params.get("_meta")?.get("progressToken")
}
