//! What keeps a hostile schema from costing more than it should: limits on its size, its references, its loops, and
//! on the work of checking a value.

use super::schema::GenerateError;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// The most JSON values a schema may consist of.
const MAX_NODES: usize = 20_000;
/// The deepest that a schema may be nested.
const MAX_DEPTH: usize = 96;
/// The most text, in bytes, of all names and strings in a schema.
const MAX_TEXT: usize = 1 << 20;
/// The most patterns, and the longest one in bytes.
const MAX_PATTERNS: usize = 200;
const MAX_PATTERN: usize = 4096;
/// The most schemas in a row that apply to one and the same value (`$ref` of `allOf` of `$ref` …).
const MAX_IN_PLACE: usize = 48;
/// The most schemas in a row from the root, references followed.
const MAX_PATH: usize = 400;
/// The most steps of one check of a value.
const MAX_STEPS: u32 = 50_000;
/// What matching one pattern counts as.
const PATTERN_STEPS: u32 = 100;

const IN_PLACE_ONE: &[&str] = &["not", "if", "then", "else"];
const IN_PLACE_LIST: &[&str] = &["allOf", "anyOf", "oneOf"];
const IN_PLACE_MAP: &[&str] = &["dependentSchemas", "dependencies"];
const BELOW_ONE: &[&str] = &[
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "items",
    "additionalItems",
    "unevaluatedItems",
    "contains",
    "contentSchema",
];
const BELOW_LIST: &[&str] = &["prefixItems", "items"];
const BELOW_MAP: &[&str] = &["properties", "patternProperties"];
const KEPT: &[&str] = &["$defs", "definitions"];

/// How a schema hangs on another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    /// Applies to the same value.
    InPlace,
    /// Applies to a part of the value.
    Below,
    /// Stands there to be referred to.
    Kept,
}

/// Refuses what cannot be worked with safely, and whatever would have to be fetched.
pub(super) fn check(root: &Value) -> Result<(), GenerateError> {
    measure(root)?;
    let mut seen = HashSet::new();
    let mut patterns = 0;
    let mut open = vec![(root, 0_usize)];
    while let Some((schema, depth)) = open.pop() {
        if !seen.insert(address(schema)) {
            continue;
        }
        if depth > MAX_PATH {
            return Err(GenerateError::TooLarge("schemas in a row"));
        }
        let Value::Object(map) = schema else { continue };
        let named = map.get("patternProperties").and_then(Value::as_object);
        let texts = named.into_iter().flat_map(Map::keys).map(String::as_str);
        for pattern in texts.chain(map.get("pattern").and_then(Value::as_str)) {
            patterns += 1;
            if patterns > MAX_PATTERNS || pattern.len() > MAX_PATTERN {
                return Err(GenerateError::TooLarge("patterns"));
            }
        }
        let referred = target(root, map)?;
        let children = children(map).into_iter().map(|(_, child)| child).chain(referred);
        open.extend(children.map(|child| (child, depth + 1)));
    }
    let mut heights = HashMap::new();
    open.push((root, 0));
    let mut seen = HashSet::new();
    while let Some((schema, _)) = open.pop() {
        if !seen.insert(address(schema)) {
            continue;
        }
        height(root, schema, 0, &mut heights)?;
        if let Value::Object(map) = schema {
            let children = children(map).into_iter().map(|(_, child)| child).chain(target(root, map)?);
            open.extend(children.map(|child| (child, 0)));
        }
    }
    Ok(())
}

/// Size and nesting, without recursion.
pub(super) fn measure(root: &Value) -> Result<(), GenerateError> {
    let (mut nodes, mut text) = (0, 0);
    let mut open = vec![(root, 0)];
    while let Some((value, depth)) = open.pop() {
        nodes += 1;
        match value {
            Value::String(string) => text += string.len(),
            Value::Array(elements) => open.extend(elements.iter().map(|element| (element, depth + 1))),
            Value::Object(members) => {
                text += members.keys().map(String::len).sum::<usize>();
                open.extend(members.values().map(|member| (member, depth + 1)));
            }
            _ => {}
        }
        let limit = match () {
            () if depth > MAX_DEPTH => "nesting",
            () if nodes + open.len() > MAX_NODES => "parts",
            () if text > MAX_TEXT => "text",
            () => continue,
        };
        return Err(GenerateError::TooLarge(limit));
    }
    Ok(())
}

/// How many schemas in a row apply to one value from here; an error where they come round.
fn height(
    root: &Value,
    schema: &Value,
    depth: usize,
    heights: &mut HashMap<usize, Option<usize>>,
) -> Result<usize, GenerateError> {
    match heights.get(&address(schema)) {
        Some(Some(height)) if depth + height <= MAX_IN_PLACE => return Ok(*height),
        Some(None) => {
            return Err(GenerateError::Unsupported("references that go round in a circle".to_owned()));
        }
        _ if depth > MAX_IN_PLACE => return Err(GenerateError::TooLarge("schemas in a row for one value")),
        _ => {}
    }
    let Value::Object(map) = schema else { return Ok(0) };
    heights.insert(address(schema), None);
    let mut highest = 0;
    let in_place = children(map).into_iter().filter(|(edge, _)| *edge == Edge::InPlace);
    for child in in_place.map(|(_, child)| child).chain(target(root, map)?) {
        highest = highest.max(1 + height(root, child, depth + 1, heights)?);
    }
    heights.insert(address(schema), Some(highest));
    Ok(highest)
}

/// The schema that `$ref` names, if there is one; references are pointers here.
pub(super) fn target<'a>(
    root: &'a Value,
    map: &Map<String, Value>,
) -> Result<Option<&'a Value>, GenerateError> {
    let Some(Value::String(reference)) = map.get("$ref") else { return Ok(None) };
    let Some(fragment) = reference.strip_prefix('#') else {
        return Err(GenerateError::Unsupported(format!("the reference `{}`", shortened(reference))));
    };
    let found = if fragment.contains('%') {
        root.pointer(&decoded_pointer(fragment))
    } else {
        root.pointer(fragment)
    };
    found
        .map(Some)
        .ok_or_else(|| GenerateError::InvalidSchema(format!("`{}` leads nowhere", shortened(reference))))
}

pub(super) fn shortened(text: &str) -> String {
    text.chars().take(120).collect()
}

/// The text of a fragment: percent signs taken away.
pub(super) fn decoded_pointer(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = match (first, tail) {
            (b'%', [high, low, ..]) => std::str::from_utf8(&[*high, *low])
                .ok()
                .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
                .and_then(|digits| u8::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Every schema that stands in a schema, with its place as the steps of a JSON pointer.
pub(super) fn each_child<'a>(map: &'a Map<String, Value>, mut told: impl FnMut(&str, &'a Value)) {
    for name in IN_PLACE_ONE.iter().chain(BELOW_ONE) {
        if let Some(child) = map.get(*name).filter(|child| !child.is_array()) {
            told(name, child);
        }
    }
    for name in IN_PLACE_LIST.iter().chain(BELOW_LIST) {
        for (index, child) in map.get(*name).and_then(Value::as_array).into_iter().flatten().enumerate() {
            told(&format!("{name}/{index}"), child);
        }
    }
    for name in IN_PLACE_MAP.iter().chain(BELOW_MAP).chain(KEPT) {
        for (member, child) in map.get(*name).and_then(Value::as_object).into_iter().flatten() {
            told(&format!("{name}/{}", escaped(member)), child);
        }
    }
}

/// A name as a step of a JSON pointer.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn address(value: &Value) -> usize {
    std::ptr::from_ref(value).addr()
}

/// The schemas that stand in a schema.
fn children(map: &Map<String, Value>) -> Vec<(Edge, &Value)> {
    let mut found = Vec::new();
    for (names, edge) in [(IN_PLACE_ONE, Edge::InPlace), (BELOW_ONE, Edge::Below)] {
        found.extend(names.iter().filter_map(|name| map.get(*name)).map(|child| (edge, child)));
    }
    for (names, edge) in [(IN_PLACE_LIST, Edge::InPlace), (BELOW_LIST, Edge::Below)] {
        let lists = names.iter().filter_map(|name| map.get(*name)?.as_array());
        found.extend(lists.flatten().map(|child| (edge, child)));
    }
    for (names, edge) in [(IN_PLACE_MAP, Edge::InPlace), (BELOW_MAP, Edge::Below), (KEPT, Edge::Kept)] {
        let maps = names.iter().filter_map(|name| map.get(*name)?.as_object());
        found.extend(maps.flat_map(Map::values).map(|child| (edge, child)));
    }
    found
}

/// Whether checking `value` stays within the limit of steps: the same walk as a validator's, without the judging.
pub(super) fn affordable(root: &Value, value: &Value) -> bool {
    let mut steps = MAX_STEPS;
    walk(root, root, value, &mut steps).is_some()
}

fn walk(root: &Value, schema: &Value, value: &Value, steps: &mut u32) -> Option<()> {
    *steps = steps.checked_sub(1)?;
    let Value::Object(map) = schema else { return Some(()) };
    if map.contains_key("pattern") {
        *steps = steps.checked_sub(PATTERN_STEPS)?;
    }
    // Keywords about what is unevaluated look at the schemas beside them once more.
    let again = map.contains_key("unevaluatedProperties") || map.contains_key("unevaluatedItems");
    for _ in 0..=u32::from(again) {
        let in_place = children(map).into_iter().filter(|(edge, _)| *edge == Edge::InPlace);
        for child in in_place.map(|(_, child)| child).chain(target(root, map).ok()?) {
            walk(root, child, value, steps)?;
        }
    }
    let get = |name: &str| map.get(name);
    match value {
        Value::Object(members) => {
            let patterns = get("patternProperties").and_then(Value::as_object);
            for (name, member) in members {
                let own = get("properties").and_then(|properties| properties.get(name));
                for (_, child) in patterns.into_iter().flatten() {
                    *steps = steps.checked_sub(PATTERN_STEPS)?;
                    walk(root, child, member, steps)?;
                }
                let others = [own, get("additionalProperties"), get("unevaluatedProperties")];
                for child in others.into_iter().flatten() {
                    walk(root, child, member, steps)?;
                }
                if let Some(names) = get("propertyNames") {
                    walk(root, names, &Value::Null, steps)?;
                }
            }
        }
        Value::Array(elements) => {
            let lists = BELOW_LIST.iter().filter_map(|name| get(name)?.as_array());
            let lists: Vec<_> = lists.collect();
            for (index, element) in elements.iter().enumerate() {
                let listed = lists.iter().filter_map(|list| list.get(index));
                let each = ["items", "additionalItems", "unevaluatedItems", "contains"];
                for child in each.iter().filter_map(|name| get(name)).chain(listed) {
                    walk(root, child, element, steps)?;
                }
            }
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn circles_and_strangers_are_refused() {
        for schema in [
            json!({"$ref": "#"}),
            json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}}),
            json!({"$ref": "https://mcprove.example/schema.json"}),
            json!({"$ref": "file:///etc/passwd"}),
            json!({"properties": {"a": {"$ref": "other.json"}}}),
            json!({"$ref": "#/no/where"}),
        ] {
            assert!(check(&schema).is_err(), "{schema}");
        }
        for schema in [
            json!(true),
            json!({"properties": {"next": {"$ref": "#"}}}),
            json!({"properties": {"$ref": {"type": "string"}, "$id": {"type": "string"}}}),
            json!({"$defs": {"a b": true}, "$ref": "#/$defs/a%20b"}),
        ] {
            assert_eq!(check(&schema), Ok(()), "{schema}");
        }
    }

    #[test]
    fn sizes_are_limited() {
        let mut deep = json!({});
        for _ in 0..200 {
            deep = json!({ "items": deep });
        }
        assert_eq!(check(&deep), Err(GenerateError::TooLarge("nesting")));
        assert_eq!(check(&json!({ "enum": vec![0; 30_000] })), Err(GenerateError::TooLarge("parts")));
        let chain: Map<String, Value> = (0..1000)
            .map(|n| (format!("d{n}"), json!({ "$ref": format!("#/$defs/d{}", (n + 1).min(999)) })))
            .collect();
        assert!(check(&json!({ "$defs": chain })).is_err());
        assert!(check(&json!({ "pattern": "a".repeat(5000) })).is_err());
    }

    #[test]
    fn costly_checks_are_foreseen() {
        let mut defs = Map::new();
        for n in 0..40 {
            let next = json!({ "$ref": format!("#/$defs/d{}", n + 1) });
            defs.insert(format!("d{n}"), json!({ "allOf": [next.clone(), next] }));
        }
        defs.insert("d40".to_owned(), json!(true));
        let schema = json!({ "$defs": defs, "properties": { "a": { "$ref": "#/$defs/d20" } } });
        assert!(!affordable(&schema, &json!({"a": 1})));
        assert!(affordable(&schema, &json!({"b": 1})));
    }
}
