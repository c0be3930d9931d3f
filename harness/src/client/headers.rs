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

fn collect(schema: &Value, arguments: &Value, depth: u32, headers: &mut Vec<(String, String)>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for (name, property) in properties {
        let Some(argument) = arguments.get(name).filter(|argument| !argument.is_null()) else { continue };
        let header = property.get("x-mcp-header").and_then(Value::as_str);
        // A name that is no token would break the request, or smuggle other headers into it.
        if let Some(header) = header.filter(|header| is_token(header)) {
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

/// Whether a text is a token of HTTP, as the name of a header is (RFC 9110, section 5.6.2).
pub fn is_token(text: &str) -> bool {
    let tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(tchar)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_name_that_is_no_token_is_not_sent() {
        for name in ["", "a b", "X\r\nEvil: 1", "ä"] {
            let schema = json!({"properties": {"a": {"type": "string", "x-mcp-header": name}}});
            assert!(mirrored_arguments(&schema, &json!({"a": "b"})).is_empty(), "{name:?}");
        }
    }

    #[test]
    fn values_are_encoded_where_they_must_be() {
        assert_eq!(encode("a b"), "a b");
        assert_eq!(encode(" a"), "=?base64?IGE=?=");
        assert_eq!(encode("Zürich"), "=?base64?WsO8cmljaA==?=");
        assert_eq!(encode("=?base64?x?="), "=?base64?PT9iYXNlNjQ/eD89?=");
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
