//! Faults of the use of JSON Schema.

use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::edit::{at, put};
use crate::faults::fault::{Fault, MODERN, SINCE_2025_11, STDIO, fault};
use crate::faults::hook::Hook::{Definition, Input, Neglect};
use crate::faults::hook::Input::{Hang, Pass};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "json-schema.validated-by-dialect/ignored",
        "Arguments are not compared with the inputSchema, whose dialect is nowhere named.",
        &[
            Neglect(Duty::ArgumentsChecked),
            Definition("tools", |_, tool| {
                at(tool, &["inputSchema"]).map(|schema| schema.remove("$schema"));
            }),
        ],
    )
    .also_seen(&["tools.call.inputs-validated"])
    .breaking(&["json-schema.default-dialect"])
    .within(SINCE_2025_11)
    .warning_in(SINCE_2025_11)
    .over(STDIO),
    fault(
        "json-schema.ref.unresolved-refused/elsewhere",
        "The schema of one tool refers to another server.",
        &[Definition("tools", |_, tool| {
            put(tool, &["inputSchema", "properties", "text"], json!({"$ref": "https://schemas.example/text.json"}));
        })],
    )
    .within(MODERN)
    .over(STDIO),
    fault(
        "json-schema.valid/pattern",
        "What a tool gives back has a pattern that is no regular expression.",
        &[Definition("tools", |_, tool| {
            put(tool, &["outputSchema", "properties", "unused"], json!({"type": "string", "pattern": "(["}));
        })],
    )
    .warning_in(MODERN)
    .within(MODERN)
    .over(STDIO),
    fault(
        "json-schema.bounded-validation/hangs",
        "Arguments that are nested 20 levels deep are compared with the schema for ever, and nothing else is served.",
        &[Input(|_, bytes| {
            let message: Value = serde_json::from_slice(bytes).unwrap_or_default();
            if depth(&message["params"]["arguments"]) > 20 { Hang } else { Pass }
        })],
    )
    .also_seen(&["stdio.exit-on-eof"])
    .within(MODERN)
    .over(STDIO),
];

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}
