//! What the schemas of tools are made of, and how arguments are read that they have already checked.

use std::time::Duration;

use serde_json::{Value, json};

use crate::message::Object;

/// A closed object schema.
pub(super) fn object(properties: Value, required: &[&str]) -> Value {
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// A string argument that the schema has already asked for.
pub(super) fn text<'a>(arguments: &'a Object, name: &str) -> &'a str {
    arguments.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// An integer from 0 up, which JSON may also write as `3.0`.
pub(super) fn whole(value: &Value) -> u64 {
    value
        .as_u64()
        .or_else(|| {
            value.as_f64().map(|number| Duration::try_from_secs_f64(number).map_or(0, |d| d.as_secs()))
        })
        .unwrap_or_default()
}
