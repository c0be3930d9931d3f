//! Answers to what servers ask of their client: `ping`, roots, sampling, elicitation. Each is valid and harmless.

use crate::protocol::Revision;
use serde_json::{Map, Value, json};

/// The capabilities that the harness declares, because it serves them.
pub fn capabilities(revision: Revision) -> Value {
    let mut capabilities = json!({"roots": {}, "sampling": {}});
    if revision >= Revision::V2025_06_18 {
        capabilities["elicitation"] = json!({});
    }
    capabilities
}

/// How the harness names itself.
pub fn client_info() -> Value {
    json!({"name": "mcprove", "version": env!("CARGO_PKG_VERSION")})
}

/// The result for a request from the server, or the code and message of the error.
pub(super) fn answer(method: &str, params: Option<&Value>) -> Result<Value, (i64, &'static str)> {
    match method {
        "ping" => Ok(json!({})),
        "roots/list" => Ok(json!({"roots": [{"uri": "file:///mcprove/root", "name": "mcprove"}]})),
        "sampling/createMessage" => Ok(json!({
            "role": "assistant",
            "content": {"type": "text", "text": "mcprove"},
            "model": "mcprove",
            "stopReason": "endTurn",
        })),
        "elicitation/create" => match params.and_then(|params| params.get("mode")).and_then(Value::as_str) {
            None | Some("form") => {
                let schema = params.and_then(|params| params.get("requestedSchema"));
                Ok(json!({"action": "accept", "content": form(schema)}))
            }
            // A URL is never opened, and this mode was not declared.
            Some(_) => Err((-32602, "this elicitation mode was not declared")),
        },
        _ => Err((-32601, "method not found")),
    }
}

/// Content for a form: a valid value for every property. Forms are flat by specification.
fn form(schema: Option<&Value>) -> Value {
    let mut content = Map::new();
    let properties = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten().take(200) {
        content.insert(name.clone(), field(property));
    }
    Value::Object(content)
}

fn field(property: &Value) -> Value {
    if let Some(default) = property.get("default") {
        return default.clone();
    }
    let first = |member: &str| property.get(member).and_then(Value::as_array).and_then(|list| list.first());
    if let Some(value) = first("enum") {
        return value.clone();
    }
    for member in ["oneOf", "anyOf"] {
        if let Some(value) = first(member).and_then(|option| option.get("const")) {
            return value.clone();
        }
    }
    match property.get("type").and_then(Value::as_str) {
        Some("boolean") => json!(true),
        Some("integer" | "number") => property.get("minimum").cloned().unwrap_or(json!(1)),
        Some("array") => match property.get("items") {
            Some(items) if property.get("minItems").and_then(Value::as_u64).unwrap_or(0) > 0 => {
                json!([field(items)])
            }
            _ => json!([]),
        },
        _ => text(property),
    }
}

fn text(property: &Value) -> Value {
    let text = match property.get("format").and_then(Value::as_str) {
        Some("email") => "mcprove@mcprove.example",
        Some("uri") => "https://mcprove.example/",
        Some("date") => "2026-01-31",
        Some("date-time") => "2026-01-31T12:00:00Z",
        _ => "mcprove",
    };
    let minimum = property.get("minLength").and_then(Value::as_u64).unwrap_or(0).min(4096);
    let mut text = text.to_owned();
    while (text.len() as u64) < minimum {
        text.push('x');
    }
    if let Some(maximum) = property.get("maxLength").and_then(Value::as_u64) {
        text.truncate(usize::try_from(maximum).unwrap_or(usize::MAX));
    }
    Value::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_filled_in() {
        let params = json!({"message": "?", "requestedSchema": {"type": "object", "properties": {
            "name": {"type": "string", "minLength": 9},
            "mail": {"type": "string", "format": "email"},
            "age": {"type": "integer", "minimum": 18},
            "size": {"type": "string", "enum": ["s", "m"]},
        }}});
        let result = answer("elicitation/create", Some(&params)).unwrap();
        assert_eq!(
            result["content"],
            json!({"name": "mcprovexx", "mail": "mcprove@mcprove.example", "age": 18, "size": "s"})
        );
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert_eq!(answer("no/such", None).unwrap_err().0, -32601);
        assert_eq!(answer("elicitation/create", Some(&json!({"mode": "url"}))).unwrap_err().0, -32602);
    }
}
