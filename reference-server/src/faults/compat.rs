//! Faults of how the eras get along.

use serde_json::json;

use crate::faults::Duty;
use crate::faults::fault::{Fault, HTTP, MODERN, STDIO, fault};
use crate::faults::hook::Hook::{Answer, Input, Intercept, Neglect, Refusal, Result};
use crate::faults::hook::Input::{Drop, Pass};
use crate::faults::hook::Instead;
use crate::message::{INTERNAL_ERROR, INVALID_PARAMS, Object, UNSUPPORTED_PROTOCOL_VERSION};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "compat.initialize-refusal-names-versions/unnamed",
        "A server of the newer era refuses `initialize` without a word on versions.",
        &[
            Neglect(Duty::LegacyServed),
            Refusal("initialize", |_, error| {
                error.message = "Invalid request".into();
                error.data = None;
            }),
        ],
    )
    .within(MODERN)
    .over(STDIO),
    fault(
        "compat.initialize-refused-on-stdio/silent",
        "A server of the newer era does not answer `initialize`.",
        &[
            Neglect(Duty::LegacyServed),
            Input(|_, bytes| {
                let request: Object = serde_json::from_slice(bytes).unwrap_or_default();
                let handshake = request.get("method") == Some(&json!("initialize"));
                let meta = request.get("params").is_some_and(|params| params.get("_meta").is_some());
                if handshake && !meta { Drop } else { Pass }
            }),
        ],
    )
    .within(MODERN)
    .over(STDIO),
    fault(
        "compat.initialize-refused-on-http/ok",
        "A server of the newer era refuses `initialize` with the status 200.",
        &[Neglect(Duty::LegacyServed), Refusal("initialize", |_, error| error.http_status = 200)],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "compat.modern-refusals-recognisable/other-code",
        "Versions that are not supported are refused with the code for wrong parameters.",
        &[Answer(|_, answer| {
            if let Err(error) = answer
                && error.code == UNSUPPORTED_PROTOCOL_VERSION
            {
                error.code = INVALID_PARAMS;
            }
        })],
    )
    .breaking(&["versioning.request.unsupported-error"])
    .also_seen(&["discover.version-checked", "versioning.request.decided-per-request"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "compat.dual-era.modern-meta-selects-modern/legacy-result",
        "A process whose first request is for a list answers it as in the older era, whatever its metadata say.",
        &[
            Intercept(|asked| {
                asked.memory.keep(json!([asked.method, asked.memory.count() == 0]));
                None
            }),
            Result("tools/list", |asked, result| {
                if asked.memory.kept() == Some(json!(["tools/list", true])) {
                    result.remove("resultType");
                }
            }),
        ],
    )
    .breaking(&["compat.dual-era.initialize-selects-legacy"])
    .also_seen(&["base.result-type.present"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "compat.dual-era.eras-not-mixed/modern-disturbed",
        "Once a list was asked for in the older era, it is refused in the newer one.",
        &[Intercept(|asked| {
            if !asked.is("tools/list") {
                return None;
            }
            if !asked.revision.is_modern() {
                asked.memory.keep(json!(true));
                return None;
            }
            let disturbed = asked.memory.kept().is_some();
            disturbed.then(|| Instead::error(INTERNAL_ERROR, "Internal error: the server is of another era"))
        })],
    )
    .breaking(&["compat.dual-era.initialize-selects-legacy"])
    .also_seen(&["compat.dual-era.modern-meta-selects-modern"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "compat.dual-era.negotiated-revision-followed/disturbed",
        "After a request of the newer era, a session of the older one is refused what it asks for.",
        &[Intercept(|asked| {
            if asked.is("initialize") {
                return None;
            }
            let before = asked.memory.keep(json!(asked.revision.is_modern()));
            let disturbed = !asked.revision.is_modern() && before == Some(json!(true));
            disturbed.then(|| Instead::error(INTERNAL_ERROR, "Internal error: the session is of another era"))
        })],
    )
    .breaking(&["compat.dual-era.eras-not-mixed"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "compat.deprecated-features-functional/refused",
        "A call that asked for roots or sampling is refused when the answers come.",
        &[Intercept(|asked| {
            let answers = asked.params.get("inputResponses")?.as_object()?;
            let deprecated = answers.values().any(|answer| answer.get("roots").is_some() || answer.get("model").is_some());
            deprecated.then(|| Instead::error(INTERNAL_ERROR, "Internal error: deprecated"))
        })],
    )
    .also_seen(&["mrtr.retry.completes", "tools.call.execution-error-in-result"])
    .within(MODERN)
    .over(STDIO),
];
