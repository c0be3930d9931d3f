//! Faults of version negotiation.

use serde_json::json;

use crate::faults::fault::{Fault, LEGACY, MODERN, fault};
use crate::faults::hook::Hook::{Forgive, Intercept, Result};
use crate::faults::hook::Instead;
use crate::message::{METHOD_NOT_FOUND, UNSUPPORTED_PROTOCOL_VERSION};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "versioning.initialize.counter-offer/echo",
        "Any version is agreed to (https://github.com/proffesor-for-testing/agentic-qe/issues/527).",
        &[Result("initialize", |asked, result| {
            result["protocolVersion"] = asked.text("protocolVersion").into();
        })],
    )
    .within(LEGACY),
    fault(
        "versioning.request.unsupported-error/served",
        "Requests of any version are served as if they were of the one that the server knows.",
        &[Forgive(|_, error| error.code == UNSUPPORTED_PROTOCOL_VERSION)],
    )
    .breaking(&["discover.version-checked"])
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
            let early = first && asked.revision.is_modern() && !asked.is("server/discover");
            early.then(|| Instead::error(METHOD_NOT_FOUND, "server/discover comes first"))
        })],
    )
    .within(MODERN)
    .over(&[crate::faults::Transport::Stdio]),
];
