//! The HTTP headers that mirror a request's body (2026-07-28, basic/transports#standard-mcp-request-headers).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

/// How a value stands in a header: plain where it is safe ASCII, else as `=?base64?…?=`.
pub fn encode(value: &str) -> String {
    let plain = value.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
        && !value.starts_with([' ', '\t'])
        && !value.ends_with([' ', '\t'])
        && !(value.starts_with("=?base64?") && value.ends_with("?="));
    if plain { value.to_owned() } else { format!("=?base64?{}?=", BASE64.encode(value)) }
}

/// The `Mcp-Param-*` headers for a tool call: each argument that the input schema annotates with `x-mcp-header` and
/// that is present and not null. Annotations are found through `properties` only, at most 32 levels deep.
pub fn mirrored_arguments(input_schema: &Value, arguments: &Value) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    collect(input_schema, arguments, 32, &mut headers);
    headers
}

/// What is wrong with the `x-mcp-header` annotations of an input schema; a client over HTTP must not use such a tool.
pub fn annotation_fault(input_schema: &Value) -> Option<&'static str> {
    let mut names = Vec::new();
    let fault = annotations(input_schema, true, 64, &mut names);
    fault.or_else(|| {
        names.sort();
        names
            .windows(2)
            .any(|pair| pair[0] == pair[1])
            .then_some("two `x-mcp-header` annotations have one name")
    })
}

/// Walks a schema; `reachable` while only `properties` led there.
fn annotations(schema: &Value, reachable: bool, depth: u32, names: &mut Vec<String>) -> Option<&'static str> {
    let members = schema.as_object().filter(|_| depth > 0)?;
    if let Some(header) = members.get("x-mcp-header") {
        let Some(name) = header.as_str() else { return Some("an `x-mcp-header` annotation is no string") };
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let primitive =
            matches!(members.get("type").and_then(Value::as_str), Some("string" | "integer" | "boolean"));
        if !reachable {
            return Some("an `x-mcp-header` annotation stands where `properties` alone does not lead");
        }
        if name.is_empty() || !name.bytes().all(token) {
            return Some("the name of an `x-mcp-header` annotation is no header name");
        }
        if !primitive {
            return Some(
                "an `x-mcp-header` annotation stands on a parameter that is no string, integer or boolean",
            );
        }
        names.push(name.to_ascii_lowercase());
    }
    for (keyword, value) in members {
        let fault = match (keyword.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                properties.values().find_map(|property| annotations(property, reachable, depth - 1, names))
            }
            ("patternProperties" | "$defs" | "definitions" | "dependentSchemas", Value::Object(schemas)) => {
                schemas.values().find_map(|schema| annotations(schema, false, depth - 1, names))
            }
            ("allOf" | "anyOf" | "oneOf" | "prefixItems" | "items", Value::Array(schemas)) => {
                schemas.iter().find_map(|schema| annotations(schema, false, depth - 1, names))
            }
            (
                "items"
                | "additionalItems"
                | "additionalProperties"
                | "not"
                | "if"
                | "then"
                | "else"
                | "contains"
                | "propertyNames"
                | "unevaluatedItems"
                | "unevaluatedProperties",
                schema,
            ) => annotations(schema, false, depth - 1, names),
            _ => None,
        };
        if fault.is_some() {
            return fault;
        }
    }
    None
}

fn collect(schema: &Value, arguments: &Value, depth: u32, headers: &mut Vec<(String, String)>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for (name, property) in properties {
        let Some(argument) = arguments.get(name).filter(|argument| !argument.is_null()) else { continue };
        if let Some(header) = property.get("x-mcp-header").and_then(Value::as_str) {
            let text = match argument {
                Value::String(text) => Some(encode(text)),
                Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
                Value::Bool(flag) => Some(flag.to_string()),
                _ => None,
            };
            headers.extend(text.map(|text| (header.to_owned(), text)));
        }
        if depth > 0 {
            collect(property, argument, depth - 1, headers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_encoded_where_they_must_be() {
        assert_eq!(encode("a b"), "a b");
        assert_eq!(encode(" a"), "=?base64?IGE=?=");
        assert_eq!(encode("Zürich"), "=?base64?WsO8cmljaA==?=");
        assert_eq!(encode("=?base64?x?="), "=?base64?PT9iYXNlNjQ/eD89?=");
    }

    #[test]
    fn bad_annotations_are_found() {
        let on = |property: Value| json!({"type": "object", "properties": {"a": property}});
        assert_eq!(annotation_fault(&on(json!({"type": "string", "x-mcp-header": "Region"}))), None);
        let nested = on(json!({"type": "string", "x-mcp-header": "A"}));
        assert_eq!(annotation_fault(&on(nested)), None);
        for bad in [
            on(json!({"type": "string", "x-mcp-header": ""})),
            on(json!({"type": "string", "x-mcp-header": "a b"})),
            on(json!({"type": "string", "x-mcp-header": 1})),
            on(json!({"type": "number", "x-mcp-header": "A"})),
            on(json!({"type": "array", "items": {"type": "string", "x-mcp-header": "A"}})),
            json!({"properties": {"a": {"type": "string", "x-mcp-header": "A"}, "b": {"type": "string", "x-mcp-header": "a"}}}),
            json!({"$defs": {"d": {"type": "string", "x-mcp-header": "A"}}}),
        ] {
            assert!(annotation_fault(&bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn annotated_arguments_are_mirrored_at_their_place() {
        let schema = json!({"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "limit": {"type": "integer", "x-mcp-header": "Limit"},
            "none": {"type": "string", "x-mcp-header": "None"},
            "inner": {"type": "object", "properties": {"flag": {"type": "boolean", "x-mcp-header": "Flag"}}},
        }});
        let arguments = json!({"region": "eu", "limit": 42, "none": null, "inner": {"flag": true}});
        let mut headers = mirrored_arguments(&schema, &arguments);
        headers.sort();
        assert_eq!(
            headers,
            [("Flag", "true"), ("Limit", "42"), ("Region", "eu")].map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
    }
}
