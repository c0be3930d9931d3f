//! Faults of capabilities.

use serde_json::{Value, json};

use crate::faults::edit::{at, put};
use crate::faults::fault::{ANY, Fault, HTTP, LEGACY, MODERN, SINCE_2025_11, STDIO, V2025_11, fault};
use crate::faults::hook::Hook::{Answer, Intercept, Response, Result};
use crate::faults::hook::Instead;
use crate::message::{INVALID_PARAMS, METHOD_NOT_FOUND, MISSING_CLIENT_CAPABILITY, Object};

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
    .also_seen(&["lifecycle.initialize.answered"])
    .within(LEGACY),
    fault(
        "capabilities.extension.identifier-format/no-prefix",
        "An extension is declared by a name without a prefix.",
        &[Result("server/discover", |_, result| {
            put(result, &["capabilities", "extensions", "fast"], json!({}));
        })],
    )
    .also_seen(&["base.result-type.known", "extension-tasks.advertised"])
    .within(MODERN),
    fault(
        "capabilities.extension.settings-object/boolean",
        "The settings of an extension are `true`.",
        &[Result("server/discover", |_, result| {
            put(result, &["capabilities", "extensions", "com.example/fast"], true);
        })],
    )
    .within(MODERN),
    fault(
        "capabilities.extension.unknown-tolerated/refused",
        "Extensions of the client that are not known are refused.",
        &[Intercept(|asked| {
            let declared = asked
                .params
                .get("_meta")?
                .pointer("/io.modelcontextprotocol~1clientCapabilities/extensions")?;
            let unknown =
                declared.as_object()?.keys().any(|name| !name.starts_with("io.modelcontextprotocol/"));
            unknown.then(|| Instead::error(INVALID_PARAMS, "Invalid params: unknown extension"))
        })],
    )
    .within(MODERN)
    .over(STDIO),
    fault(
        "capabilities.client.only-declared-used/asks",
        "Every call of a tool makes the server ask for roots, whatever the client declared.",
        &[Response(|asked, text| {
            if !asked.is("tools/call") {
                return text;
            }
            let id = asked.memory.count();
            format!("{{\"jsonrpc\":\"2.0\",\"id\":\"roots-{id}\",\"method\":\"roots/list\"}}\n{text}")
        })],
    )
    .also_seen(&["roots.capability.required"])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "capabilities.client.missing-error/other-code",
        "The error for a missing capability has the code for wrong parameters.",
        &[Answer(|_, answer| {
            if let Err(error) = answer
                && error.code == MISSING_CLIENT_CAPABILITY
            {
                error.code = INVALID_PARAMS;
                error.http_status = 400;
            }
        })],
    )
    .also_seen(&[
        "extension-tasks.create.undeclared-required-error",
        "extension-tasks.undeclared.listen-refused",
        "extension-tasks.undeclared.methods-refused",
    ])
    .within(MODERN)
    .over(STDIO),
    fault(
        "capabilities.client.missing-error-data/left-out",
        "The error for a missing capability does not say which.",
        &[Answer(|_, answer| {
            if let Err(error) = answer
                && error.code == MISSING_CLIENT_CAPABILITY
            {
                error.data = None;
            }
        })],
    )
    .also_seen(&["extension-tasks.create.undeclared-required-error"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "capabilities.client.missing-error-http-status/forbidden",
        "The error for a missing capability has the status 403.",
        &[Answer(|_, answer| {
            if let Err(error) = answer
                && error.code == MISSING_CLIENT_CAPABILITY
            {
                error.http_status = 403;
            }
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "capabilities.server.advertised/left-out",
        "There are prompts, but the server does not declare them.",
        &[
            Result("initialize", |_, result| undeclare(result, "prompts")),
            Result("server/discover", |_, result| undeclare(result, "prompts")),
        ],
    )
    .breaking(&["prompts.capability.declared"])
    .also_seen(&[
        "capabilities.server.undeclared-method-refused",
        "prompts.capability.respected",
        "prompts.list-changed.not-undeclared",
        "subscriptions.ack.omits-unsupported",
    ])
    .within(SINCE_2025_11)
    .over(STDIO),
    fault(
        "capabilities.server.declared-works/unknown-method",
        "Prompts are declared, but cannot be listed.",
        &[Intercept(|asked| {
            asked.is("prompts/list").then(|| Instead::error(METHOD_NOT_FOUND, "Method not found"))
        })],
    )
    .breaking(&["prompts.list.answered"])
    .within(SINCE_2025_11)
    .over(STDIO),
    fault(
        "capabilities.server.undeclared-method-refused/other-code",
        "There are no prompts, and whoever asks for them gets the code for wrong parameters.",
        &[
            Result("initialize", |_, result| undeclare(result, "prompts")),
            Intercept(|asked| {
                asked.method.starts_with("prompts/").then(|| Instead::error(INVALID_PARAMS, "No prompts"))
            }),
        ],
    )
    .also_seen(&["prompts.list-changed.not-undeclared"])
    .warning_in(ANY)
    .within(V2025_11)
    .over(STDIO),
];

fn undeclare(result: &mut Object, capability: &str) {
    if let Some(capabilities) = at(result, &["capabilities"]) {
        capabilities.remove(capability);
    }
}
