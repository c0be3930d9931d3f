//! Faults of `_meta`.

use serde_json::{Value, json};

use crate::faults::edit::put;
use crate::faults::fault::{Fault, HTTP, MODERN, SINCE_2025_06, SINCE_2025_11, STDIO, fault};
use crate::faults::hook::Hook::{Answer, Forgive, Intercept, Result};
use crate::faults::hook::Instead;
use crate::message::INVALID_PARAMS;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "meta.value-object/array",
        "`_meta` of a list of tools is an array.",
        &[Result("tools/list", |_, result| put(result, &["_meta"], json!([])))],
    )
    .also_seen(&["identity.server-info-on-results"]),
    fault(
        "meta.key-name-syntax/space",
        "A key in `_meta` has a space.",
        &[Result("tools/list", |_, result| put(result, &["_meta"], json!({"example.com/two words": 1})))],
    )
    .also_seen(&["identity.server-info-on-results"])
    .within(SINCE_2025_06),
    fault(
        "meta.key-prefix-syntax/dots",
        "The prefix of a key in `_meta` has two dots in a row.",
        &[Result("tools/list", |_, result| put(result, &["_meta"], json!({"example..com/speed": 1})))],
    )
    .also_seen(&["identity.server-info-on-results"])
    .within(SINCE_2025_06),
    fault(
        "meta.reserved-prefix-unused/own",
        "A key of the server's own in `_meta` has the prefix of the protocol.",
        &[Result("tools/list", |_, result| {
            put(result, &["_meta"], json!({"io.modelcontextprotocol/speed": 1}));
        })],
    )
    .also_seen(&["identity.server-info-on-results"])
    .within(SINCE_2025_11),
    fault(
        "meta.extra-keys-tolerated/refused",
        "A key in `_meta` that is not known makes a request fail.",
        &[Intercept(|asked| {
            let known = |key: &String| {
                key == "progressToken"
                    || key.starts_with("io.modelcontextprotocol/")
                    || key.starts_with("trace")
                    || key == "baggage"
            };
            let meta = asked.params.get("_meta").and_then(Value::as_object);
            let unknown = meta.is_some_and(|meta| !meta.keys().all(known));
            unknown.then(|| Instead::error(INVALID_PARAMS, "Invalid params: _meta has an unknown key"))
        })],
    ),
    fault(
        "meta.trace-context.tolerated/refused",
        "Requests with trace context are refused.",
        &[Intercept(|asked| {
            let traced = asked.params.get("_meta").is_some_and(|meta| meta.get("traceparent").is_some());
            traced.then(|| Instead::error(INVALID_PARAMS, "Invalid params: _meta has an unknown key"))
        })],
    )
    .within(MODERN),
    fault(
        "meta.request.absent-refused/served",
        "Requests without `_meta` are served.",
        &[Forgive(|_, error| error.message.ends_with("_meta must be an object"))],
    )
    .also_seen(&[
        "base.stateless.no-reliance-on-earlier-requests",
        "meta.request.refusal-http-status",
        "meta.request.wrong-type-refused",
    ])
    .within(MODERN)
    .over(HTTP),
    fault(
        "meta.request.version-missing-refused/served",
        "Requests that name no version are served.",
        &[Forgive(|_, error| error.message.ends_with("_meta needs protocolVersion, a string"))],
    )
    .also_seen(&["meta.request.wrong-type-refused", "meta.request.refusal-http-status"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "meta.request.capabilities-missing-refused/served",
        "Requests that name no capabilities of the client are served.",
        &[Forgive(|_, error| error.message.ends_with("_meta needs clientCapabilities, an object"))],
    )
    .also_seen(&["meta.request.wrong-type-refused", "meta.request.refusal-http-status"])
    .within(MODERN),
    fault(
        "meta.request.refusal-http-status/ok",
        "The refusal of a request without `_meta` has the status 200.",
        &[Answer(|_, answer| {
            if let Err(error) = answer
                && error.message.starts_with("Invalid params: _meta")
            {
                error.http_status = 200;
            }
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "meta.request.client-info-optional/wanted",
        "Requests without clientInfo are refused.",
        &[Intercept(|asked| {
            let meta = asked.params.get("_meta").filter(|_| asked.revision.is_modern());
            let bare = meta.is_some_and(|meta| meta.get("io.modelcontextprotocol/clientInfo").is_none());
            bare.then(|| Instead::error(INVALID_PARAMS, "Invalid params: _meta needs clientInfo"))
        })],
    )
    .also_seen(&["discover.implemented"])
    .within(MODERN),
    fault(
        "meta.reserved-keys-no-assumptions/refused",
        "An undefined key with the prefix of the protocol makes a request fail.",
        &[Intercept(|asked| {
            let known = ["protocolVersion", "clientCapabilities", "clientInfo", "logLevel"];
            let unknown = |key: &String| {
                key.strip_prefix("io.modelcontextprotocol/").is_some_and(|name| !known.contains(&name))
            };
            let meta = asked.params.get("_meta")?.as_object()?;
            meta.keys()
                .any(unknown)
                .then(|| Instead::error(INVALID_PARAMS, "Invalid params: _meta has an undefined key"))
        })],
    )
    .warning_in(MODERN)
    .within(MODERN)
    .over(STDIO),
    fault(
        "meta.request.wrong-type-refused/served",
        "Capabilities of the client that are a text are served.",
        &[Forgive(|asked, _| {
            let meta = asked.params.get("_meta");
            meta.and_then(|meta| meta.get("io.modelcontextprotocol/clientCapabilities"))
                .is_some_and(Value::is_string)
        })],
    )
    .within(MODERN)
    .over(STDIO),
    fault(
        "meta.client-info-no-behaviour/fewer",
        "One client gets fewer tools than others.",
        &[Result("tools/list", |asked, result| {
            let name = "/_meta/io.modelcontextprotocol~1clientInfo/name";
            let name = asked
                .params
                .get("_meta")
                .map(|meta| json!({"_meta": meta}))
                .and_then(|all| all.pointer(name).cloned());
            if name == Some(json!("claude-desktop"))
                && let Some(tools) = result.get_mut("tools").and_then(Value::as_array_mut)
            {
                tools.pop();
            }
        })],
    )
    .within(MODERN)
    .over(STDIO),
    fault(
        "meta.trace-context.format/short",
        "The trace context of a list of tools is none.",
        &[Result("tools/list", |_, result| put(result, &["_meta"], json!({"traceparent": "00-1-2-01"})))],
    )
    .also_seen(&["identity.server-info-on-results"])
    .within(MODERN)
    .over(STDIO),
];
