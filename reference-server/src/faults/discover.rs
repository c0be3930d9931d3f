//! Faults of `server/discover`.

use crate::faults::edit::put;
use crate::faults::fault::{Fault, MODERN, STDIO, fault};
use crate::faults::hook::Hook::{Forgive, Result};
use crate::message::UNSUPPORTED_PROTOCOL_VERSION;

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
    .also_seen(&["versioning.request.unsupported-error"])
    .within(MODERN),
];
