//! Tools that take arguments of many shapes and answer at once.

use serde_json::{Value, json};

use super::schemas::{object, text};
use crate::context::RequestContext;
use crate::features::tool::{Tool, ToolResult};
use crate::message::Object;

pub(super) const TOOLS: &[Tool] = &[
    Tool::now("echo", "Echo", "Returns the text it is given", |_, arguments| {
        ToolResult::text(text(arguments, "text"))
    })
    .input(|| object(json!({"text": {"type": "string", "description": "What to return"}}), &["text"])),
    Tool::now("add", "Add", "Adds two numbers", add)
        .input(|| object(json!({"a": {"type": "number"}, "b": {"type": "number"}}), &["a", "b"]))
        .output(|| object(json!({"sum": {"type": "number"}}), &["sum"])),
    Tool::now("fail", "Fail", "Always fails inside the tool", |_, arguments| {
        let message = arguments.get("message").and_then(Value::as_str);
        ToolResult::error(message.unwrap_or("This tool always fails."))
    })
    .input(|| object(json!({"message": {"type": "string"}}), &[])),
    Tool::now(
        "plan_trip",
        "Plan a trip",
        "Takes arguments of many shapes and returns what it understood",
        plan_trip,
    )
    .input(trip)
    .output(|| {
        object(
            json!({
                "destination": {"type": "string"},
                "travellers": {"type": "integer", "minimum": 1},
                "class": {"type": "string", "enum": ["economy", "business", "first"]},
            }),
            &["destination", "travellers", "class"],
        )
    }),
    Tool::now(
        "search_region",
        "Search a region",
        "Takes arguments that HTTP clients repeat in headers",
        |_, arguments| ToolResult::text(Value::Object(arguments.clone()).to_string()),
    )
    .input(region),
];

fn trip() -> Value {
    object(
        json!({
            "destination": {"type": "string", "minLength": 1, "maxLength": 80},
            "class": {"type": "string", "enum": ["economy", "business", "first"], "default": "economy"},
            "travellers": {
                "type": "array", "minItems": 1, "maxItems": 9,
                "items": object(
                    json!({
                        "name": {"type": "string", "minLength": 1, "maxLength": 60},
                        "age": {"type": "integer", "minimum": 0, "maximum": 130},
                    }),
                    &["name"],
                ),
            },
            "departure": {"type": "string", "format": "date"},
            "booking": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{4}$"},
            "budget": {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000},
            "bags": {"type": "integer", "minimum": 0, "maximum": 20, "multipleOf": 2},
            "flexible": {"type": "boolean", "default": false},
            "tags": {"type": "array", "uniqueItems": true, "maxItems": 5, "items": {"type": "string", "maxLength": 20}},
        }),
        &["destination", "travellers"],
    )
}

fn region() -> Value {
    object(
        json!({
            "region": {"type": "string", "maxLength": 200, "x-mcp-header": "Region"},
            "limit": {"type": "integer", "minimum": 0, "maximum": 1000, "x-mcp-header": "Limit"},
            "exact": {"type": "boolean", "x-mcp-header": "Exact"},
            "options": object(json!({"tenant": {"type": "string", "x-mcp-header": "Tenant"}}), &[]),
        }),
        &["region"],
    )
}

fn add(_: &RequestContext, arguments: &Object) -> ToolResult {
    let number = |name: &str| arguments.get(name).and_then(Value::as_f64).unwrap_or_default();
    let integer = |name: &str| arguments.get(name).and_then(Value::as_i64);
    let exact = integer("a").zip(integer("b")).and_then(|(a, b)| a.checked_add(b));
    let sum = match exact {
        Some(sum) => Value::from(sum),
        None => Value::from(number("a") + number("b")),
    };
    if sum.is_null() {
        return ToolResult::error("The sum is too large.");
    }
    ToolResult::structured(json!({"sum": sum}))
}

fn plan_trip(_: &RequestContext, arguments: &Object) -> ToolResult {
    let class = arguments.get("class").and_then(Value::as_str).unwrap_or("economy");
    let travellers = arguments.get("travellers").and_then(Value::as_array).map_or(0, Vec::len);
    ToolResult::structured(json!({
        "destination": text(arguments, "destination"),
        "travellers": travellers,
        "class": class,
    }))
}
