//! The opposite of a keyword: schemas whose values break it.

use super::compose::types;
use super::guard::target;
use super::number::count;
use serde_json::{Map, Value, json};

const TYPES: [&str; 6] = ["null", "boolean", "number", "string", "array", "object"];

/// A name that no schema lists.
pub(super) const FRESH: &str = "mcproveExtra";

/// Schemas each of which is met only by values that break the keyword: the ways to break it, or some of them.
pub(super) fn breaks(root: &Value, map: &Map<String, Value>, keyword: &str) -> Vec<Value> {
    let Some(wanted) = map.get(keyword) else { return Vec::new() };
    let not = |schema: &Value| json!({ "not": schema });
    let sized = |kind: &str, other: &str, by: i64| -> Vec<Value> {
        let size = count(map, keyword).and_then(|size| size.checked_add_signed(by));
        size.map(|size| json!({"type": kind, other: size})).into_iter().collect()
    };
    let list = || wanted.as_array().map_or(&[][..], Vec::as_slice);
    let members = || wanted.as_object().into_iter().flatten();
    match keyword {
        "type" => other_types(&types(wanted)),
        "const" => others(std::slice::from_ref(wanted), wanted, "const"),
        "enum" => others(list(), wanted, "enum"),
        "minimum" => vec![json!({"type": "number", "exclusiveMaximum": wanted})],
        "maximum" => vec![json!({"type": "number", "exclusiveMinimum": wanted})],
        "exclusiveMinimum" if wanted.is_number() => vec![json!({"type": "number", "maximum": wanted})],
        "exclusiveMaximum" if wanted.is_number() => vec![json!({"type": "number", "minimum": wanted})],
        "multipleOf" => vec![json!({"type": "number", "not": {"multipleOf": wanted}})],
        "minLength" => sized("string", "maxLength", -1),
        "maxLength" => sized("string", "minLength", 1),
        "minItems" => sized("array", "maxItems", -1),
        "maxItems" => sized("array", "minItems", 1),
        "minProperties" => sized("object", "maxProperties", -1),
        "maxProperties" => sized("object", "minProperties", 1),
        "pattern" | "format" => {
            let strange = ["", " ", "\u{1}", "mcprove", "-", "MCPROVE mcprove", "a", "0", "\u{4e2d}", "a/b c:d"];
            vec![
                json!({"type": "string", "enum": strange, "not": {keyword: wanted}}),
                json!({"type": "string", "not": {keyword: wanted}}),
            ]
        }
        "required" => list()
            .iter()
            .filter_map(Value::as_str)
            .map(|name| json!({"type": "object", "properties": {name: false}}))
            .collect(),
        "properties" => members()
            .map(|(name, schema)| json!({"type": "object", "required": [name], "properties": {name: not(schema)}}))
            .collect(),
        "additionalProperties" | "unevaluatedProperties" => {
            vec![json!({"type": "object", "required": [FRESH], "properties": {FRESH: not(wanted)}})]
        }
        "propertyNames" => {
            vec![json!({"type": "object", "minProperties": 1, "propertyNames": not(wanted)})]
        }
        "dependentRequired" | "dependencies" | "dependentSchemas" => members()
            .flat_map(|(name, dependent)| match dependent {
                Value::Array(names) => names
                    .iter()
                    .filter_map(Value::as_str)
                    .map(|other| json!({"type": "object", "required": [name], "properties": {other: false}}))
                    .collect::<Vec<_>>(),
                schema => vec![json!({"type": "object", "required": [name], "allOf": [not(schema)]})],
            })
            .collect(),
        "items" if !wanted.is_array() => {
            let prefix = map.get("prefixItems").and_then(Value::as_array).map_or(0, Vec::len);
            let mut list = vec![Value::Bool(true); prefix];
            list.push(not(wanted));
            vec![json!({"type": "array", "minItems": prefix + 1, "prefixItems": list})]
        }
        "prefixItems" | "items" => (0..list().len())
            .map(|index| {
                let mut prefix = vec![Value::Bool(true); index];
                prefix.push(not(&list()[index]));
                json!({"type": "array", "minItems": index + 1, "prefixItems": prefix})
            })
            .collect(),
        "unevaluatedItems" | "additionalItems" => {
            let prefix = map.get("prefixItems").or_else(|| map.get("items"));
            let prefix = prefix.and_then(Value::as_array).map_or(0, Vec::len);
            let mut list = vec![Value::Bool(true); prefix];
            list.push(not(wanted));
            vec![json!({"type": "array", "minItems": prefix + 1, "prefixItems": list})]
        }
        "contains" => {
            vec![json!({"type": "array", "items": not(wanted)}), json!({"type": "array", "maxItems": 0})]
        }
        "minContains" => {
            let least = wanted.as_u64().unwrap_or(1).saturating_sub(1);
            let prefix = map.get("contains").map_or_else(Vec::new, |one| vec![one.clone(); least.min(64) as usize]);
            let rest = map.get("contains").map(not);
            vec![json!({"type": "array", "prefixItems": prefix, "minItems": least, "items": rest})]
        }
        "maxContains" => {
            let least = wanted.as_u64().unwrap_or(0).saturating_add(1);
            vec![json!({"type": "array", "minItems": least, "items": map.get("contains")})]
        }
        "not" => vec![json!({ "allOf": [wanted] })],
        "allOf" => list().iter().map(not).collect(),
        "anyOf" => vec![json!({"allOf": list().iter().map(not).collect::<Vec<_>>()})],
        "oneOf" => {
            let mut found = vec![json!({"allOf": list().iter().map(not).collect::<Vec<_>>()})];
            if let [first, second, ..] = list() {
                found.push(json!({ "allOf": [first, second] }));
            }
            found
        }
        "if" => {
            let mut found = Vec::new();
            if let Some(then) = map.get("then") {
                found.push(json!({"allOf": [wanted, not(then)]}));
            }
            if let Some(otherwise) = map.get("else") {
                found.push(json!({"allOf": [not(wanted), not(otherwise)]}));
            }
            found
        }
        "$ref" => target(root, map).ok().flatten().map(not).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// One schema for each type that is not among the types.
fn other_types(allowed: &[&str]) -> Vec<Value> {
    let mut found: Vec<Value> = TYPES
        .iter()
        .filter(|kind| !(allowed.contains(kind) || **kind == "number" && allowed.contains(&"integer")))
        .map(|kind| json!({ "type": kind }))
        .collect();
    if allowed.contains(&"integer") && !allowed.contains(&"number") {
        found.push(json!({"type": "number", "not": {"type": "integer"}}));
    }
    found
}

/// Values beside those that are listed: nearly the same first, then any of the same types, then any at all.
fn others(members: &[Value], wanted: &Value, keyword: &str) -> Vec<Value> {
    let near: Vec<Value> = members
        .iter()
        .take(16)
        .filter_map(|member| match member {
            Value::String(text) => Some(json!(format!("{text}x"))),
            Value::Number(number) => number
                .as_i64()
                .and_then(|n| n.checked_add(1))
                .map(|n| json!(n))
                .or_else(|| Some(json!(number.as_f64()? + 1.0))),
            Value::Bool(flag) => Some(json!(!flag)),
            _ => None,
        })
        .filter(|candidate| !members.contains(candidate))
        .collect();
    let mut kinds: Vec<&str> = Vec::new();
    for member in members {
        let kind = match member {
            Value::Null => continue,
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let unlike = json!({ keyword: wanted });
    let mut found = Vec::new();
    if !near.is_empty() {
        found.push(json!({ "enum": near, "not": unlike }));
    }
    if !kinds.is_empty() {
        found.push(json!({"type": kinds, "not": unlike}));
    }
    found.push(json!({"type": TYPES, "not": unlike}));
    found
}
