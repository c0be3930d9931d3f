//! Faults of logging.

use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::edit::{at, is_method, notification};
use crate::faults::fault::{ANY, Fault, HTTP, LEGACY, MODERN, STDIO, fault};
use crate::faults::hook::Hook::{Answer, Intercept, Neglect, Notify, Request, Response, Result};
use crate::faults::hook::{Asked, Instead};
use crate::message::{INVALID_PARAMS, METHOD_NOT_FOUND, Object, Reply};

const MESSAGE: &str = "notifications/message";

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "logging.capability.declared/hidden",
        "Log messages are sent, and logging is not declared.",
        &[
            Result("initialize", |_, result| hide(result)),
            Result("server/discover", |_, result| hide(result)),
            // Nobody asks for log messages where they are not declared.
            Neglect(Duty::LogsWhereAsked),
        ],
    )
    .also_seen(&["logging.level.none-without"]),
    fault(
        "logging.set-level.served/unknown-method",
        "The method logging/setLevel is not there, although logging is declared.",
        &[Intercept(|asked| {
            asked.is("logging/setLevel").then(|| Instead::error(METHOD_NOT_FOUND, "Method not found"))
        })],
    )
    .breaking(&["logging.level.all-accepted"])
    .within(LEGACY),
    fault(
        "logging.level.all-accepted/no-notice",
        "The level `notice` is refused.",
        &[Intercept(|asked| {
            let refused = level(asked) == Some("notice");
            refused.then(|| Instead::error(INVALID_PARAMS, "Invalid params: unknown log level"))
        })],
    )
    .also_seen(&["discover.implemented"]),
    fault(
        "logging.level.delivers/none",
        "At the level `error` no log message is sent.",
        &[
            Request(|memory, request| {
                if let Some(level) = request.params.get("level") {
                    memory.keep(level.clone());
                }
            }),
            Notify(|memory, message| {
                let silent = is_method(&message, MESSAGE) && memory.kept() == Some("error".into());
                if silent { Vec::new() } else { vec![message] }
            }),
        ],
    )
    .within(LEGACY)
    .over(STDIO),
    fault(
        "logging.message.level/unknown",
        "Log messages have a level that there is not.",
        &[Notify(|_, message| logged(message, |params| params["level"] = "loud".into()))],
    ),
    fault(
        "logging.message.data/left-out",
        "Log messages have no data.",
        &[Notify(|_, message| {
            logged(message, |params| {
                params.as_object_mut().map(|params| params.remove("data"));
            })
        })],
    ),
    fault(
        "logging.message.logger/number",
        "The logger of log messages is a number.",
        &[Notify(|_, message| logged(message, |params| params["logger"] = 1.into()))],
    ),
    fault(
        "logging.level.filters/ignored",
        "Log messages of every level are sent, whatever level was set.",
        &[Neglect(Duty::LogThreshold)],
    )
    .within(LEGACY),
    fault(
        "logging.level.none-without/sent",
        "Log messages are sent although the request names no level.",
        &[Neglect(Duty::LogsWhereAsked)],
    )
    // On the stream of a request that asked for none, a message may have been meant for another request.
    .also_seen(&["logging.message.own-stream-only"])
    .within(MODERN),
    fault(
        "logging.level.invalid-refused/accepted",
        "A level that there is not is accepted.",
        &[Answer(|asked, answer| {
            if asked.is("logging/setLevel") && answer.is_err() {
                *answer = Ok(Reply::Text("{}".to_owned()));
            }
        })],
    )
    .also_seen(&["base.error.invalid-params-code"])
    .within(LEGACY),
    fault(
        "logging.message.before-response/after",
        "A log message comes when the request has been answered.",
        &[Response(|asked, text| match level(asked).filter(|_| asked.is("tools/call")) {
            Some(level) => {
                format!("{text}\n{}", notification(MESSAGE, &json!({"level": level, "data": "Done"})))
            }
            None => text,
        })],
    )
    .within(MODERN)
    .over(STDIO),
    fault(
        "logging.message.own-stream-only/with-progress",
        "Log messages come on the stream of whatever request makes progress next.",
        &[Notify(|memory, message| {
            if is_method(&message, MESSAGE) {
                memory.keep(message);
                return Vec::new();
            }
            let late = is_method(&message, "notifications/progress").then(|| memory.keep(Value::Null));
            [message].into_iter().chain(late.flatten().filter(Value::is_object)).collect()
        })],
    )
    .also_seen(&["logging.level.none-without", "logging.level.filters"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "logging.message.not-on-listen/tagged",
        "Log messages come through subscriptions.",
        &[Notify(|_, message| {
            let tag = &message["params"]["_meta"];
            let through = tag["io.modelcontextprotocol/subscriptionId"] != Value::Null;
            let told = notification(MESSAGE, &json!({"level": "error", "data": "A change", "_meta": tag}));
            if through { vec![message, told] } else { vec![message] }
        })],
    )
    .also_seen(&["extension-tasks.notify.no-progress-or-log", "http.sse.listen-stream-only-changes"])
    .within(MODERN),
    fault(
        "logging.no-credentials/password",
        "Log messages tell a password.",
        &[Notify(|_, message| {
            logged(message, |params| params["data"] = "connected with password=hunter2-secret".into())
        })],
    )
    .breaking(&["logging.sensitive-removed"])
    .warning_in(ANY),
    fault(
        "logging.no-personal-data/mail",
        "Log messages tell the mail address of a user.",
        &[Notify(|_, message| {
            logged(message, |params| params["data"] = json!({"user": "ada.lovelace@analytical.co.uk"}))
        })],
    )
    .breaking(&["logging.sensitive-removed"])
    .warning_in(ANY),
    fault(
        "logging.no-internals/path",
        "Log messages tell in which files the server lies.",
        &[Notify(|_, message| {
            logged(message, |params| params["data"] = "loaded /home/app/server/config.toml".into())
        })],
    )
    .breaking(&["logging.sensitive-removed"])
    .warning_in(ANY),
    fault(
        "logging.rate-limited/flood",
        "Log messages come 600 times each.",
        &[Notify(|memory, message| {
            let often = if is_method(&message, MESSAGE) && memory.count() < 4 { 600 } else { 1 };
            vec![message; often]
        })],
    )
    .over(STDIO),
];

fn hide(result: &mut Object) {
    if let Some(capabilities) = at(result, &["capabilities"]) {
        capabilities.remove("logging");
    }
}

/// The level that a request sets, for the session or for itself.
fn level<'a>(asked: &'a Asked<'_>) -> Option<&'a str> {
    let of_request = || asked.params.get("_meta")?.get("io.modelcontextprotocol/logLevel");
    asked.params.get("level").or_else(of_request)?.as_str()
}

/// A message, its parameters changed where it is a log message.
fn logged(mut message: Value, change: fn(&mut Value)) -> Vec<Value> {
    if is_method(&message, MESSAGE) {
        change(&mut message["params"]);
    }
    vec![message]
}
