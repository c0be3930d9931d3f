//! The HTTP headers that repeat parts of a stateless request, and their comparison with the body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::message::{HEADER_MISMATCH, Request, RpcError};
use crate::server::Server;

/// The headers of an HTTP request, as far as the checks need them.
pub(crate) trait MirrorHeaders {
    /// Every value of the header with this lower-case name, as bytes.
    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]>;
}

fn mismatch(message: String) -> RpcError {
    RpcError::new(HEADER_MISMATCH, message)
}

/// The one value of a header: absent, or visible ASCII without the space around it, however often it is repeated.
fn single<'a>(headers: &'a impl MirrorHeaders, name: &str) -> Result<Option<&'a str>, RpcError> {
    let mut found: Option<&str> = None;
    for bytes in headers.values(name) {
        let value = std::str::from_utf8(bytes)
            .ok()
            .map(|value| value.trim_matches([' ', '\t']))
            .filter(|value| value.bytes().all(|byte| (0x20..=0x7e).contains(&byte)))
            .ok_or_else(|| {
                mismatch(format!("Header mismatch: {name} has characters that no header may have"))
            })?;
        if found.is_some_and(|earlier| earlier != value) {
            return Err(mismatch(format!("Header mismatch: {name} has two values")));
        }
        found = Some(value);
    }
    Ok(found)
}

/// Undoes the encoding of values that do not fit into a header as they are.
fn decode(value: &str) -> Option<String> {
    let Some(encoded) = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Some(value.to_owned());
    };
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
}

/// The version that the headers name.
pub(crate) fn version(headers: &impl MirrorHeaders) -> Result<&str, RpcError> {
    let missing = || mismatch("Header mismatch: MCP-Protocol-Version is missing".to_owned());
    single(headers, "mcp-protocol-version")?.ok_or_else(missing)
}

/// The version header against the version in the body.
pub(crate) fn check_version(headers: &impl MirrorHeaders, version: &str) -> Result<(), RpcError> {
    if self::version(headers)? == version {
        return Ok(());
    }
    Err(mismatch("Header mismatch: MCP-Protocol-Version differs from _meta".to_owned()))
}

/// Compares all other headers with the body.
pub(crate) fn check(
    server: &Server,
    headers: &impl MirrorHeaders,
    request: &Request,
) -> Result<(), RpcError> {
    match single(headers, "mcp-method")? {
        Some(method) if method == request.method => {}
        Some(_) => {
            return Err(mismatch("Header mismatch: Mcp-Method differs from method".to_owned()));
        }
        None => {
            return Err(mismatch("Header mismatch: Mcp-Method is missing".to_owned()));
        }
    }
    let member = match request.method.as_str() {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        "tasks/get" | "tasks/update" | "tasks/cancel" => "taskId",
        _ => return Ok(()),
    };
    let name = request.params.get(member).and_then(Value::as_str);
    match (single(headers, "mcp-name")?, name) {
        (Some(value), Some(name)) if decode(value).as_deref() == Some(name) => {}
        (None, None) => {}
        (None, _) => return Err(mismatch("Header mismatch: Mcp-Name is missing".to_owned())),
        (Some(_), _) => {
            return Err(mismatch(format!("Header mismatch: Mcp-Name differs from params.{member}")));
        }
    }
    if request.method == "tools/call" {
        check_arguments(server, headers, request, name.unwrap_or_default())?;
    }
    Ok(())
}

fn check_arguments(
    server: &Server,
    headers: &impl MirrorHeaders,
    request: &Request,
    tool: &str,
) -> Result<(), RpcError> {
    for argument in server.common_tools().mirrored(tool) {
        let header = &argument.header;
        let mut value = request.params.get("arguments").unwrap_or(&Value::Null);
        for name in &argument.path {
            value = value.get(name).unwrap_or(&Value::Null);
        }
        let expected = match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Number(number) => Some(number.to_string()),
            // No header can repeat it; the tool's schema refuses it later.
            Value::Array(_) | Value::Object(_) => continue,
        };
        match (single(headers, header)?, expected) {
            (None, None) => {}
            (Some(given), Some(expected)) if same(given, &expected, value) => {}
            (None, Some(_)) => {
                return Err(mismatch(format!("Header mismatch: {header} is missing")));
            }
            (Some(_), None) => {
                return Err(mismatch(format!("Header mismatch: {header} repeats no argument")));
            }
            (Some(_), Some(_)) => {
                return Err(mismatch(format!("Header mismatch: {header} differs from its argument")));
            }
        }
    }
    Ok(())
}

/// Whether a header says what the body says; numbers are compared as numbers.
fn same(given: &str, expected: &str, value: &Value) -> bool {
    let Some(decoded) = decode(given) else {
        return false;
    };
    if decoded == expected {
        return true;
    }
    match (integer(&decoded), integer(expected)) {
        (Some(given), Some(expected)) => value.is_number() && given == expected,
        _ => value.is_f64() && is_plain(&decoded) && decoded.parse::<f64>().ok() == value.as_f64(),
    }
}

/// Whether a text holds nothing but digits, signs and points.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
}

/// The sign and the digits of an integer, however it is written: `42`, `042` and `42.0` are one number.
fn integer(text: &str) -> Option<(bool, &str)> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !all(whole) || !all(fraction) || fraction.bytes().any(|digit| digit != b'0') {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    Some((digits.len() < text.len() && !whole.is_empty(), whole))
}

#[cfg(test)]
mod tests {
    use super::{decode, same};
    use serde_json::json;

    #[test]
    fn only_exact_markers_and_strict_base64_are_decoded() {
        assert_eq!(decode("=?base64?SGVsbG8=?=").as_deref(), Some("Hello"));
        assert_eq!(decode("=?base64?SGVsbG8?="), None);
        assert_eq!(decode("=?base64?SGVs!!!bG8=?="), None);
        assert_eq!(decode("=?base64?/w==?="), None);
        for literal in ["SGVsbG8=", "=?base64?SGVsbG8=", "=?BASE64?SGVsbG8=?=", ""] {
            assert_eq!(decode(literal).as_deref(), Some(literal));
        }
    }

    #[test]
    fn integers_are_compared_as_numbers() {
        assert!(same("42", "42", &json!(42)));
        assert!(same("42.0", "42", &json!(42)));
        assert!(same("042", "42", &json!(42)));
        assert!(same("-0", "0", &json!(0)));
        assert!(!same("43", "42", &json!(42)));
        assert!(!same("-42", "42", &json!(42)));
        assert!(!same("42.", "42", &json!(42)));
        assert!(!same("9007199254740992", "9007199254740993", &json!(9_007_199_254_740_993_u64)));
        assert!(same("1.50", "1.5", &json!(1.5)));
        assert!(!same("42.0", "42", &json!("42")));
        assert!(!same("TRUE", "true", &json!(true)));
    }
}
