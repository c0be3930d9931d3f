//! Faults of `server/discover`.

use serde_json::json;

use crate::faults::edit::put;
use crate::faults::fault::{Fault, MODERN, STDIO, fault};
use crate::faults::hook::Hook::{Forgive, Intercept, Result};
use crate::faults::hook::Instead;
use crate::message::{INVALID_PARAMS, METHOD_NOT_FOUND, UNSUPPORTED_PROTOCOL_VERSION};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "discover.connection-independent/by-process",
        "What server/discover says differs from process to process.",
        &[Result("server/discover", |_, result| {
            put(result, &["instructions"], format!("This is process {}.", std::process::id()));
        })],
    )
    .within(MODERN)
    .over(STDIO),
    fault(
        "discover.version-checked/served",
        "server/discover is answered whatever the version of the request.",
        &[Forgive(|asked, error| asked.is("server/discover") && error.code == UNSUPPORTED_PROTOCOL_VERSION)],
    )
    .also_seen(&["http-headers.version.unsupported-refused", "versioning.request.unsupported-error"])
    .within(MODERN),
    fault(
        "discover.implemented/once",
        "server/discover is answered once in a process, and then no more.",
        &[Intercept(|asked| {
            let again = asked.is("server/discover") && asked.memory.count() > 0;
            again.then(|| Instead::error(METHOD_NOT_FOUND, "Method not found"))
        })],
    )
    .also_seen(&["base.protocol.core-supported", "meta.request.client-info-optional"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "discover.no-params-needed/wanted",
        "From the second time on, server/discover wants a parameter.",
        &[Intercept(|asked| {
            let again = asked.is("server/discover") && asked.memory.count() > 0;
            let bare = asked.params.keys().all(|name| name == "_meta");
            (again && bare).then(|| Instead::error(INVALID_PARAMS, "Invalid params: `detail` is missing"))
        })],
    )
    .also_seen(&["base.protocol.core-supported", "meta.request.client-info-optional"])
    .breaking(&["discover.implemented"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "discover.supported-versions/other",
        "From the second time on, server/discover does not name the version of the request.",
        &[Result("server/discover", |asked, result| {
            if asked.memory.count() > 0 {
                put(result, &["supportedVersions"], json!(["2027-01-01"]));
            }
        })],
    )
    .within(MODERN)
    .over(STDIO),
    fault(
        "discover.result-complete/partial",
        "From the second time on, server/discover asks for input.",
        &[Result("server/discover", |asked, result| {
            if asked.memory.count() > 0 {
                put(result, &["resultType"], "input_required");
                put(result, &["requestState"], "more");
            }
        })],
    )
    .also_seen(&["caching.hints.not-on-input-required", "mrtr.supported-methods-only"])
    .within(MODERN)
    .over(STDIO),
];
