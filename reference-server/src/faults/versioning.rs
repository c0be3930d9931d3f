//! Faults of version negotiation.

use serde_json::json;

use crate::faults::edit::put;
use crate::faults::fault::{ANY, Fault, HTTP, LEGACY, MODERN, STDIO, V2024_11, V2025_11, fault};
use crate::faults::hook::Hook::{Answer, Forgive, Intercept, Neglect, Result};
use crate::faults::hook::Instead;
use crate::faults::{Duty, Transport};
use crate::message::{INVALID_PARAMS, METHOD_NOT_FOUND, UNSUPPORTED_PROTOCOL_VERSION};
use crate::revision::Revision;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "versioning.initialize.counter-offer/echo",
        "Any version is agreed to (https://github.com/proffesor-for-testing/agentic-qe/issues/527).",
        &[Result("initialize", |asked, result| put(result, &["protocolVersion"], asked.text("protocolVersion")))],
    )
    .within(LEGACY),
    fault(
        "versioning.initialize.counter-offer/refused",
        "A version that is not known is refused (https://github.com/Dicklesworthstone/mcp_agent_mail_rust/issues/321).",
        &[Intercept(|asked| {
            let unknown = asked.is("initialize") && Revision::parse(asked.text("protocolVersion")).is_none();
            unknown.then(|| Instead::error(INVALID_PARAMS, "Unsupported protocol version"))
        })],
    )
    .also_seen(&["lifecycle.errors.handled"])
    .warning_in(ANY)
    .within(LEGACY),
    fault(
        "versioning.initialize.counter-offer-latest/oldest",
        "Where a version is not known, the oldest one is offered.",
        &[Result("initialize", |asked, result| {
            if Revision::parse(asked.text("protocolVersion")).is_none() {
                put(result, &["protocolVersion"], "2024-11-05");
            }
        })],
    )
    .also_seen(&["content.known-type", "http.sse.not-closed-early", "schema.server-requests.known"])
    .within(LEGACY)
    .over(&[Transport::Stdio, Transport::Http]),
    fault(
        "versioning.request.unsupported-error/served",
        "Requests of any version are served as if they were of the one that the server knows.",
        &[Forgive(|_, error| error.code == UNSUPPORTED_PROTOCOL_VERSION)],
    )
    .also_seen(&["http-headers.version.unsupported-refused"])
    .breaking(&["discover.version-checked"])
    .within(MODERN),
    fault(
        "versioning.request.unsupported-error/same-year",
        "Requests of every version of 2026 are served.",
        &[Forgive(|_, error| {
            let requested = error.data.as_ref().and_then(|data| data.get("requested")?.as_str());
            error.code == UNSUPPORTED_PROTOCOL_VERSION
                && requested.is_some_and(|version| version.starts_with("2026"))
        })],
    )
    .also_seen(&["http-headers.version.unsupported-refused"])
    .within(MODERN),
    fault(
        "versioning.request.unsupported-error-data/left-out",
        "The error for an unsupported version does not say what is supported.",
        &[Answer(|_, answer| {
            if let Err(error) = answer
                && error.code == UNSUPPORTED_PROTOCOL_VERSION
            {
                error.data = None;
            }
        })],
    )
    .within(MODERN),
    fault(
        "versioning.request.supported-list-consistent/more",
        "The error for an unsupported version names one that is not served.",
        &[Answer(|_, answer| {
            if let Err(error) = answer
                && error.code == UNSUPPORTED_PROTOCOL_VERSION
            {
                error.data = Some(Box::new(json!({"supported": ["2026-07-28", "2027-01-01"], "requested": "another"})));
            }
        })],
    )
    .also_seen(&["versioning.offered-version-works", "versioning.request.unsupported-error-data"])
    .within(MODERN),
    fault(
        "versioning.offered-version-works/not-served",
        "server/discover names a version that is not served (https://github.com/jgravelle/jcodemunch-mcp/issues/536).",
        &[Result("server/discover", |_, result| put(result, &["supportedVersions"], json!(["2026-07-28", "2027-01-01"])))],
    )
    .also_seen(&["versioning.request.supported-list-consistent"])
    .within(MODERN),
    fault(
        "versioning.removed-methods-unknown/pings",
        "A ping is still answered in the revision that has none.",
        &[Intercept(|asked| {
            let pings = asked.is("ping") && asked.revision.is_modern();
            pings.then(|| Instead::result(&json!({"resultType": "complete"})))
        })],
    )
    .within(MODERN),
    fault(
        "versioning.request.no-handshake-needed/refused",
        "Without a request for server/discover before it, nothing is served.",
        &[Intercept(|asked| {
            let first = asked.memory.kept().is_none();
            if asked.is("server/discover") {
                asked.memory.keep(json!(asked.params.len()));
            }
            let early = first && asked.revision.is_modern() && !asked.is("server/discover") && !asked.is("initialize");
            early.then(|| Instead::error(METHOD_NOT_FOUND, "server/discover comes first"))
        })],
    )
    .also_seen(&["compat.dual-era.initialize-selects-legacy", "compat.dual-era.modern-meta-selects-modern"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "versioning.initialize.supported-version-echoed/newest",
        "2025-06-18 is offered to whoever asks for an unknown version, but whoever asks for it gets the newest (https://github.com/modelcontextprotocol/rust-sdk/issues/841).",
        &[Result("initialize", |asked, result| match Revision::parse(asked.text("protocolVersion")) {
            None => put(result, &["protocolVersion"], "2025-06-18"),
            Some(_) => put(result, &["protocolVersion"], "2025-11-25"),
        })],
    )
    .breaking(&["versioning.offered-version-works"])
    .also_seen(&["versioning.initialize.counter-offer-latest"])
    .within(V2025_11)
    .over(HTTP),
    fault(
        "versioning.negotiated-version-respected/newest",
        "A session of 2024-11-05 is served content that came later (https://github.com/modelcontextprotocol/go-sdk/issues/1258).",
        &[Result("tools/call", |asked, result| {
            if asked.revision == Revision::V2024_11_05 {
                put(result, &["content"], json!([{"type": "audio", "data": "AAAA", "mimeType": "audio/wav"}]));
            }
        })],
    )
    .also_seen(&["content.known-type"])
    .within(V2024_11)
    .over(STDIO),
    fault(
        "versioning.request.decided-per-request/stuck",
        "After a request with an unknown version, no version is good.",
        &[
            Answer(|asked, answer| {
                if answer.as_ref().is_err_and(|error| error.code == UNSUPPORTED_PROTOCOL_VERSION) {
                    asked.memory.keep(json!(true));
                }
            }),
            Intercept(|asked| {
                let stuck = asked.is("server/discover") && asked.memory.kept().is_some();
                stuck.then(|| Instead::error(INVALID_PARAMS, "Invalid params: the version does not change"))
            }),
        ],
    )
    .also_seen(&[
        "discover.implemented",
        "robustness.liveness.after-malformed",
        "versioning.offered-version-works",
    ])
    .within(MODERN)
    .over(STDIO),
    fault(
        "versioning.request.legacy-version-refused/served",
        "A server of the newer era alone serves requests that name a version of the older one.",
        &[
            Neglect(Duty::LegacyServed),
            Forgive(|asked, error| {
                let named = asked.params.get("_meta").and_then(|meta| meta.get("io.modelcontextprotocol/protocolVersion"));
                error.code == UNSUPPORTED_PROTOCOL_VERSION && named == Some(&json!("2025-11-25"))
            }),
        ],
    )
    .within(MODERN)
    .over(STDIO),
];
