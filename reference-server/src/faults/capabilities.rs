//! Faults of capabilities.

use serde_json::{Value, json};

use crate::faults::edit::put;
use crate::faults::fault::{Fault, LEGACY, MODERN, fault};
use crate::faults::hook::Hook::{Intercept, Result};
use crate::faults::hook::Instead;
use crate::message::INVALID_PARAMS;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "capabilities.server.flag-types/text",
        "The flags of capabilities are texts.",
        &[
            Result("initialize", |_, result| put(result, &["capabilities", "tools", "listChanged"], "true")),
            Result("server/discover", |_, result| {
                put(result, &["capabilities", "tools", "listChanged"], "true");
            }),
        ],
    ),
    fault(
        "capabilities.client.unknown-tolerated/refused",
        "Capabilities of the client that are not known are refused.",
        &[Intercept(|asked| {
            let known = ["roots", "sampling", "elicitation", "tasks", "experimental", "extensions"];
            let capabilities = asked
                .params
                .get("capabilities")
                .and_then(Value::as_object)
                .filter(|_| asked.is("initialize"));
            let unknown = capabilities.is_some_and(|all| all.keys().any(|name| !known.contains(&&**name)));
            unknown.then(|| Instead::error(INVALID_PARAMS, "Invalid params: unknown capability"))
        })],
    )
    .within(LEGACY),
    fault(
        "capabilities.extension.identifier-format/no-prefix",
        "An extension is declared by a name without a prefix.",
        &[Result("server/discover", |_, result| {
            put(result, &["capabilities", "extensions"], json!({"fast": {}}));
        })],
    )
    .within(MODERN),
    fault(
        "capabilities.extension.settings-object/boolean",
        "The settings of an extension are `true`.",
        &[Result("server/discover", |_, result| {
            put(result, &["capabilities", "extensions"], json!({"com.example/fast": true}));
        })],
    )
    .within(MODERN),
];
