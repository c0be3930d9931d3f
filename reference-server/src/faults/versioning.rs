//! Faults of version negotiation.

use serde_json::json;

use crate::faults::Transport;
use crate::faults::edit::put;
use crate::faults::fault::{ANY, Fault, LEGACY, MODERN, STDIO, fault};
use crate::faults::hook::Hook::{Answer, Forgive, Intercept, Result};
use crate::faults::hook::Instead;
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
    .within(LEGACY)
    .over(&[Transport::Stdio, Transport::Http]),
    fault(
        "versioning.request.unsupported-error/served",
        "Requests of any version are served as if they were of the one that the server knows.",
        &[Forgive(|_, error| error.code == UNSUPPORTED_PROTOCOL_VERSION)],
    )
    .breaking(&["discover.version-checked"])
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
    .within(MODERN)
    .over(STDIO),
];
