//! Faults of what the server says of itself.

use serde_json::json;

use crate::faults::edit::{at, put};
use crate::faults::fault::{Fault, LEGACY, MODERN, SINCE_2025_03, SINCE_2025_11, STDIO, V2025_11, fault};
use crate::faults::hook::Hook::Result;
use crate::revision::Revision;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "identity.server-info-shape/no-version",
        "The server does not say its version.",
        &[Result("initialize", |_, result| {
            if let Some(info) = at(result, &["serverInfo"]) {
                info.remove("version");
            }
        })],
    )
    .within(LEGACY),
    fault(
        "identity.server-info-title/number",
        "The title of the server is a number.",
        &[Result("initialize", |_, result| put(result, &["serverInfo", "title"], 5))],
    )
    .within(&[Revision::V2025_06_18, Revision::V2025_11_25]),
    fault(
        "identity.server-info-on-results/left-out",
        "Lists of tools do not say which server they are from.",
        &[Result("tools/list", |_, result| {
            result.remove("_meta");
        })],
    )
    .within(MODERN),
    fault(
        "identity.server-info-in-discover/left-out",
        "server/discover does not say which server answers.",
        &[Result("server/discover", |_, result| {
            result.remove("_meta");
        })],
    )
    .also_seen(&["identity.server-info-on-results"])
    .within(MODERN),
    fault(
        "identity.instructions-string/array",
        "The instructions are an array.",
        &[
            Result("initialize", |_, result| put(result, &["instructions"], json!(["be kind"]))),
            Result("server/discover", |_, result| put(result, &["instructions"], json!(["be kind"]))),
        ],
    )
    .within(SINCE_2025_03),
    fault(
        "identity.capabilities-object/array",
        "The capabilities are an array.",
        &[
            Result("initialize", |_, result| put(result, &["capabilities"], json!(["prompts"]))),
            Result("server/discover", |_, result| put(result, &["capabilities"], json!(["prompts"]))),
        ],
    )
    .also_seen(&[
        "completion.error.undeclared-method",
        "extension-tasks.advertised",
        "prompts.capability.declared",
        "resources.capability.declared",
        "subscriptions.ack.omits-unsupported",
        "tools.capability.declared",
    ])
    .within(SINCE_2025_11)
    .over(STDIO),
    fault(
        "identity.server-info-extras/website",
        "The website of the server is no URL.",
        &[Result("initialize", |_, result| put(result, &["serverInfo", "websiteUrl"], "our website"))],
    )
    .within(V2025_11)
    .over(STDIO),
];
