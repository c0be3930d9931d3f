//! Two schemas for one value, put together into one that is at least as strict where that is easy to say; what is
//! lost is caught by the check that follows every generation.

use serde_json::{Map, Value, json};

const LARGER: &[&str] =
    &["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains", "multipleOf"];
const SMALLER: &[&str] =
    &["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"];

/// The keywords of both; `None` where no value can meet both.
pub(super) fn merge(
    mut first: Map<String, Value>,
    mut second: Map<String, Value>,
) -> Option<Map<String, Value>> {
    close(&mut first, &second);
    close(&mut second, &first);
    for (name, theirs) in second {
        let Some(ours) = first.get_mut(&name) else {
            first.insert(name, theirs);
            continue;
        };
        if *ours == theirs {
            continue;
        }
        match name.as_str() {
            "type" => *ours = types_of_both(ours, &theirs)?,
            "const" => return None,
            "enum" => {
                let (Value::Array(a), Value::Array(b)) = (&mut *ours, &theirs) else { continue };
                a.retain(|value| b.contains(value));
                if a.is_empty() {
                    return None;
                }
            }
            "required" => {
                let (Value::Array(a), Value::Array(b)) = (&mut *ours, theirs) else { continue };
                let new: Vec<Value> = b.into_iter().filter(|name| !a.contains(name)).collect();
                a.extend(new);
            }
            "properties" | "patternProperties" | "dependentSchemas" => {
                let (Value::Object(a), Value::Object(b)) = (&mut *ours, theirs) else { continue };
                for (name, schema) in b {
                    match a.get_mut(&name) {
                        Some(own) => *own = both(own.take(), schema),
                        None => {
                            a.insert(name, schema);
                        }
                    }
                }
            }
            "additionalProperties"
            | "unevaluatedProperties"
            | "items"
            | "propertyNames"
            | "contains"
            | "unevaluatedItems"
            | "additionalItems"
                if !ours.is_array() && !theirs.is_array() =>
            {
                *ours = both(ours.take(), theirs);
            }
            "prefixItems" | "items" => {
                let (Value::Array(a), Value::Array(b)) = (&mut *ours, theirs) else { continue };
                for (index, schema) in b.into_iter().enumerate() {
                    match a.get_mut(index) {
                        Some(own) => *own = both(own.take(), schema),
                        None => a.push(schema),
                    }
                }
            }
            "uniqueItems" => *ours = Value::Bool(true),
            keyword if LARGER.contains(&keyword) && theirs.as_f64() > ours.as_f64() => *ours = theirs,
            keyword if SMALLER.contains(&keyword) && theirs.as_f64() < ours.as_f64() => *ours = theirs,
            // The stricter bound is there already; of `pattern`, `format` and annotations the first one stays.
            _ => {}
        }
    }
    Some(first)
}

/// A schema that closes its object applies `additionalProperties` to the names that only the other one lists.
fn close(closed: &mut Map<String, Value>, other: &Map<String, Value>) {
    let Some(rest) = closed.get("additionalProperties").filter(|rest| **rest != Value::Bool(true)).cloned()
    else {
        return;
    };
    // Names that a pattern may allow are left to the check.
    if closed.contains_key("patternProperties") {
        return;
    }
    let Some(Value::Object(names)) = other.get("properties") else { return };
    let own = closed.entry("properties").or_insert_with(|| json!({}));
    let Value::Object(own) = own else { return };
    for name in names.keys() {
        if !own.contains_key(name) {
            own.insert(name.clone(), rest.clone());
        }
    }
}

/// A schema for what meets both.
pub(super) fn both(a: Value, b: Value) -> Value {
    match (a, b) {
        (Value::Bool(true), other) | (other, Value::Bool(true)) => other,
        (Value::Bool(false), _) | (_, Value::Bool(false)) => Value::Bool(false),
        (a, b) if a == b => a,
        (a, b) => json!({ "allOf": [a, b] }),
    }
}

/// The types that a `type` keyword names.
pub(super) fn types(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn types_of_both(a: &Value, b: &Value) -> Option<Value> {
    let (a, b) = (types(a), types(b));
    let mut common = Vec::new();
    for one in &a {
        for other in &b {
            let kind = match (*one, *other) {
                (x, y) if x == y => x,
                ("integer", "number") | ("number", "integer") => "integer",
                _ => continue,
            };
            if !common.contains(&kind) {
                common.push(kind);
            }
        }
    }
    (!common.is_empty()).then(|| json!(common))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(a: Value, b: Value) -> Option<Value> {
        let (Value::Object(a), Value::Object(b)) = (a, b) else { panic!() };
        merge(a, b).map(Value::Object)
    }

    #[test]
    fn keywords_are_put_together() {
        let table = [
            (json!({"minimum": 1}), json!({"minimum": 2, "maximum": 9}), json!({"minimum": 2, "maximum": 9})),
            (json!({"type": ["string", "number"]}), json!({"type": "integer"}), json!({"type": ["integer"]})),
            (json!({"enum": [1, 2, 3]}), json!({"enum": [3, 4]}), json!({"enum": [3]})),
            (json!({"required": ["a"]}), json!({"required": ["a", "b"]}), json!({"required": ["a", "b"]})),
            (
                json!({"properties": {"a": true}, "additionalProperties": false}),
                json!({"properties": {"a": {"type": "null"}, "b": true}}),
                json!({"properties": {"a": {"type": "null"}, "b": false}, "additionalProperties": false}),
            ),
        ];
        for (a, b, expected) in table {
            assert_eq!(merged(a.clone(), b.clone()), Some(expected), "{a} {b}");
        }
    }

    #[test]
    fn contradictions_are_seen() {
        assert_eq!(merged(json!({"type": "string"}), json!({"type": "null"})), None);
        assert_eq!(merged(json!({"const": 1}), json!({"const": 2})), None);
        assert_eq!(merged(json!({"enum": [1]}), json!({"enum": [2]})), None);
    }
}
