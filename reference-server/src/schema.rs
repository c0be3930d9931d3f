//! A validator for the JSON Schema keywords that our own tools use, in the 2020-12 dialect.
//!
//! It is no general validator: a test holds that no tool uses a keyword that is not checked here.

use serde_json::Value;

use crate::message::Object;

/// Checks an object against a schema; the error says in a short phrase what is wrong and where.
pub(crate) fn validate_object(schema: &Value, object: &Object) -> Result<(), String> {
    object_members(schema, object, "arguments")
}

fn validate(schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{path} {what}"));
    let matches = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("number") => value.is_number(),
        Some("integer") => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => true,
    };
    if !matches {
        return wrong(&format!("must be of type {}", schema["type"].as_str().unwrap_or_default()));
    }
    if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
        return wrong("is none of the allowed values");
    }
    match value {
        Value::String(text) => string(schema, text).or_else(&wrong),
        Value::Number(_) => number(schema, value.as_f64().unwrap_or_default()).or_else(wrong),
        Value::Array(items) => array(schema, items, path),
        Value::Object(object) => object_members(schema, object, path),
        Value::Bool(_) | Value::Null => Ok(()),
    }
}

fn string(schema: &Value, text: &str) -> Result<(), &'static str> {
    let length = text.chars().count() as u64;
    if schema["minLength"].as_u64().is_some_and(|minimum| length < minimum) {
        return Err("is too short");
    }
    if schema["maxLength"].as_u64().is_some_and(|maximum| length > maximum) {
        return Err("is too long");
    }
    if schema["pattern"].as_str().is_some_and(|pattern| !matches_pattern(pattern, text)) {
        return Err("does not match the pattern");
    }
    if schema["format"] == "date" && !is_date(text) {
        return Err("is no date");
    }
    Ok(())
}

fn number(schema: &Value, number: f64) -> Result<(), &'static str> {
    let limit = |keyword: &str| schema[keyword].as_f64();
    if limit("minimum").is_some_and(|minimum| number < minimum)
        || limit("exclusiveMinimum").is_some_and(|minimum| number <= minimum)
    {
        return Err("is too small");
    }
    if limit("maximum").is_some_and(|maximum| number > maximum) {
        return Err("is too large");
    }
    if limit("multipleOf").is_some_and(|step| number % step != 0.0) {
        return Err("is no multiple of the step");
    }
    Ok(())
}

fn array(schema: &Value, items: &[Value], path: &str) -> Result<(), String> {
    let length = items.len() as u64;
    if schema["minItems"].as_u64().is_some_and(|minimum| length < minimum) {
        return Err(format!("{path} has too few items"));
    }
    if schema["maxItems"].as_u64().is_some_and(|maximum| length > maximum) {
        return Err(format!("{path} has too many items"));
    }
    // Arrays with uniqueItems have a maxItems too, so this stays cheap.
    if schema["uniqueItems"] == true && items.iter().enumerate().any(|(n, item)| items[..n].contains(item)) {
        return Err(format!("{path} has an item twice"));
    }
    if schema.get("items").is_none() {
        return Ok(());
    }
    items
        .iter()
        .enumerate()
        .try_for_each(|(index, item)| validate(&schema["items"], item, &format!("{path}[{index}]")))
}

fn object_members(schema: &Value, object: &Object, path: &str) -> Result<(), String> {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for name in required {
        if !object.contains_key(name) {
            return Err(format!("{path}.{name} is missing"));
        }
    }
    for (name, value) in object {
        if let Some(property) = schema["properties"].get(name) {
            validate(property, value, &format!("{path}.{name}"))?;
        } else if schema["additionalProperties"] == false {
            return Err(format!("{path} has an unknown member"));
        }
    }
    Ok(())
}

/// Matches `^`, then classes such as `[A-Z]`, each with an optional `{n}`, then `$`: all that our schemas use.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let Some(mut rest) = pattern.strip_prefix('^').and_then(|p| p.strip_suffix('$')) else {
        return false;
    };
    let mut text = text.chars();
    while let Some((class, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let (times, after) = match after.strip_prefix('{').and_then(|after| after.split_once('}')) {
            Some((times, after)) => (times.parse().unwrap_or(0), after),
            None => (1, after),
        };
        let bounds: Vec<char> = class.chars().collect();
        let &[low, '-', high] = bounds.as_slice() else {
            return false;
        };
        for _ in 0..times {
            if !text.next().is_some_and(|c| (low..=high).contains(&c)) {
                return false;
            }
        }
        rest = after;
    }
    rest.is_empty() && text.next().is_none()
}

/// Whether a text is a full-date of RFC 3339.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = bytes.len() == 10
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !shape {
        return false;
    }
    let number = |digits: &str| digits.parse::<u32>().unwrap_or(0);
    let (year, month, day) = (number(&text[..4]), number(&text[5..7]), number(&text[8..]));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::{is_date, matches_pattern, validate, validate_object};
    use crate::message::Object;
    use crate::server::{Config, Server};
    use crate::{Revision, features::list_tools};
    use serde_json::{Value, json};

    #[test]
    fn each_keyword_is_checked() {
        let bad = [
            (json!({"type": "integer"}), json!(1.5)),
            (json!({"type": "integer"}), json!("1")),
            (json!({"type": "number", "exclusiveMinimum": 0}), json!(0)),
            (json!({"maximum": 3}), json!(3.5)),
            (json!({"multipleOf": 2}), json!(3)),
            (json!({"minLength": 2}), json!("é")),
            (json!({"maxLength": 1}), json!("éé")),
            (json!({"enum": ["a"]}), json!("A")),
            (json!({"minItems": 1}), json!([])),
            (json!({"maxItems": 1}), json!([1, 2])),
            (json!({"uniqueItems": true}), json!([1, 2, 1])),
            (json!({"items": {"type": "string"}}), json!(["a", 1])),
            (json!({"properties": {"a": {"type": "string"}}}), json!({"a": null})),
            (json!({"required": ["a"]}), json!({})),
            (json!({"additionalProperties": false}), json!({"a": 1})),
            (json!({"format": "date"}), json!("2026-02-29")),
            (json!({"pattern": "^[A-Z]{2}[0-9]{4}$"}), json!("AB123")),
        ];
        for (schema, value) in bad {
            assert!(validate(&schema, &value, "x").is_err(), "{schema} {value}");
        }
        assert_eq!(validate(&json!({"type": "integer", "minimum": 1}), &json!(1.0), "x"), Ok(()));
        assert_eq!(validate(&json!({"minLength": 1, "maxLength": 1}), &json!("🐸"), "x"), Ok(()));
    }

    #[test]
    fn dates_and_patterns() {
        assert!(is_date("2024-02-29") && is_date("1999-12-31") && !is_date("2023-02-29"));
        assert!(!is_date("2023-13-01") && !is_date("2023-1-01") && !is_date("２０２３-01-01"));
        assert!(matches_pattern("^[A-Z]{2}[0-9]{4}$", "AB1234"));
        for text in ["AB12345", "ab1234", "AB123", "", "AB1234\n"] {
            assert!(!matches_pattern("^[A-Z]{2}[0-9]{4}$", text), "{text}");
        }
    }

    #[test]
    fn no_tool_uses_a_keyword_that_is_not_checked() {
        const KNOWN: [&str; 23] = [
            "type",
            "properties",
            "required",
            "additionalProperties",
            "items",
            "minItems",
            "maxItems",
            "uniqueItems",
            "minLength",
            "maxLength",
            "pattern",
            "format",
            "enum",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "multipleOf",
            "default",
            "title",
            "description",
            "x-mcp-header",
            "$schema",
            "$comment",
        ];
        fn check(schema: &Value) {
            for (keyword, value) in schema.as_object().unwrap() {
                assert!(KNOWN.contains(&keyword.as_str()), "{keyword}");
                match keyword.as_str() {
                    "properties" => value.as_object().unwrap().values().for_each(check),
                    "items" => check(value),
                    _ => {}
                }
            }
        }
        let server = Server::new(Config { page_size: 100, ..Config::default() });
        let listed = list_tools(&server, Revision::V2026_07_28, &Object::new()).unwrap();
        listed["tools"].as_array().unwrap().iter().for_each(|tool| check(&tool["inputSchema"]));
        assert!(validate_object(&json!({"required": ["a"]}), &Object::new()).is_err());
    }
}
