//! What a value can show of each keyword: its edges, and the ways to break it.

use super::meets::is_of;
use super::negate::{FRESH, breaks};
use super::places::Change;
use serde_json::{Map, Value, json};

/// How many members of one `enum`, and how many names of one `properties`, have an edge of their own.
const MAX_EACH: usize = 256;

/// A keyword with what is wanted of it.
pub(super) struct Aim {
    pub(super) keyword: String,
    /// What of the keyword the value stands for, such as `3` of an `enum` of which 3 is a member.
    pub(super) detail: String,
    /// Any of these will do; the first that leads to a value is taken.
    pub(super) changes: Vec<Change>,
}

fn besides(schema: Value) -> Change {
    Change { instead: Vec::new(), besides: Some(schema) }
}

/// The edges of every keyword of a schema.
pub(super) fn edges(map: &Map<String, Value>) -> Vec<Aim> {
    let mut found = Vec::new();
    for (keyword, wanted) in map {
        let list = || wanted.as_array().map_or(&[][..], Vec::as_slice).iter().take(MAX_EACH);
        let members = || wanted.as_object().into_iter().flatten().take(MAX_EACH);
        let mut aim = |detail: String, schemas: Vec<Value>| {
            let changes = schemas.into_iter().map(besides).collect();
            found.push(Aim { keyword: keyword.clone(), detail, changes });
        };
        let short = |value: &Value| value.to_string().chars().take(60).collect::<String>();
        let sized = |kind: &str, other: &str| vec![json!({"type": kind, other: wanted})];
        let beyond = |other: &str, sign: f64| {
            let Some(limit) = wanted.as_f64() else { return Vec::new() };
            let near = [0.0, 1e-6, 0.5, 1.0].map(|by| json!({"type": "number", other: limit + sign * by}));
            near.to_vec()
        };
        match keyword.as_str() {
            "type" => super::compose::types(wanted)
                .into_iter()
                .for_each(|kind| aim(kind.to_owned(), vec![json!({ "type": kind })])),
            "const" => aim(short(wanted), vec![json!({})]),
            "enum" => list().for_each(|member| aim(short(member), vec![json!({ "const": member })])),
            "minimum" => aim("at".to_owned(), beyond("maximum", 1.0)),
            "maximum" => aim("at".to_owned(), beyond("minimum", -1.0)),
            "exclusiveMinimum" => aim("next to".to_owned(), beyond("maximum", 1.0)),
            "exclusiveMaximum" => aim("next to".to_owned(), beyond("minimum", -1.0)),
            "multipleOf" => aim(
                "a multiple".to_owned(),
                vec![json!({ "const": wanted }), json!({"const": 0}), json!({"type": "number"})],
            ),
            "minLength" => aim("at".to_owned(), sized("string", "maxLength")),
            "maxLength" => aim("at".to_owned(), sized("string", "minLength")),
            "minItems" => aim("at".to_owned(), sized("array", "maxItems")),
            "maxItems" => aim("at".to_owned(), sized("array", "minItems")),
            "minProperties" => aim("at".to_owned(), sized("object", "maxProperties")),
            "maxProperties" => aim("at".to_owned(), sized("object", "minProperties")),
            "pattern" | "format" => aim("met".to_owned(), vec![json!({"type": "string"})]),
            "uniqueItems" => {
                aim(
                    "several".to_owned(),
                    [2, 1, 0].map(|n| json!({"type": "array", "minItems": n})).to_vec(),
                );
            }
            "contains" => aim("met".to_owned(), vec![json!({"type": "array"})]),
            "minContains" => aim(
                "at".to_owned(),
                vec![
                    json!({"type": "array", "contains": map.get("contains"), "minContains": wanted, "maxContains": wanted}),
                    json!({"type": "array"}),
                ],
            ),
            "maxContains" => aim(
                "at".to_owned(),
                vec![
                    json!({"type": "array", "contains": map.get("contains"), "minContains": wanted}),
                    json!({"type": "array"}),
                ],
            ),
            "items" | "additionalItems" | "unevaluatedItems" | "prefixItems" => {
                aim("empty".to_owned(), vec![json!({"type": "array", "maxItems": 0})]);
                aim("one".to_owned(), vec![json!({"type": "array", "minItems": 1, "maxItems": 1})]);
                aim("several".to_owned(), [3, 2].map(|n| json!({"type": "array", "minItems": n})).to_vec());
            }
            "required" => aim("present".to_owned(), vec![json!({"type": "object"})]),
            "properties" => {
                let required = map.get("required").and_then(Value::as_array);
                for (name, _) in members() {
                    if required.is_some_and(|names| names.iter().any(|one| one == name)) {
                        continue;
                    }
                    aim(format!("`{name}` present"), vec![json!({"type": "object", "required": [name]})]);
                    aim(
                        format!("`{name}` absent"),
                        vec![json!({"type": "object", "properties": {name: false}})],
                    );
                }
                let names: Vec<&String> = members().map(|(name, _)| name).collect();
                aim("all present".to_owned(), vec![json!({"type": "object", "required": names})]);
                let optional = names
                    .iter()
                    .filter(|name| !required.is_some_and(|all| all.iter().any(|one| one == **name)));
                let none: Map<String, Value> = optional.map(|name| ((*name).clone(), json!(false))).collect();
                aim("none of the optional".to_owned(), vec![json!({"type": "object", "properties": none})]);
            }
            "patternProperties" | "propertyNames" => {
                aim("met".to_owned(), [1, 0].map(|n| json!({"type": "object", "minProperties": n})).to_vec());
            }
            "additionalProperties" | "unevaluatedProperties" if *wanted == Value::Bool(false) => {
                aim("none".to_owned(), vec![json!({"type": "object"})]);
            }
            "additionalProperties" | "unevaluatedProperties" => {
                aim(
                    "one more".to_owned(),
                    vec![
                        json!({"type": "object", "required": [FRESH]}),
                        json!({"type": "object", "minProperties": 1}),
                    ],
                );
                aim("none".to_owned(), vec![json!({"type": "object", "properties": {FRESH: false}})]);
            }
            "dependentRequired" | "dependentSchemas" | "dependencies" => {
                for (name, _) in members() {
                    aim(format!("`{name}` present"), vec![json!({"type": "object", "required": [name]})]);
                    aim(
                        format!("`{name}` absent"),
                        vec![json!({"type": "object", "properties": {name: false}})],
                    );
                }
            }
            "anyOf" => list().enumerate().for_each(|(index, branch)| {
                let others: Vec<Value> = list()
                    .enumerate()
                    .filter(|(n, _)| *n != index)
                    .map(|(_, one)| json!({ "not": one }))
                    .collect();
                let alone = json!({ "allOf": [branch, {"allOf": others}] });
                aim(format!("branch {index}"), vec![alone, json!({ "allOf": [branch] })]);
            }),
            "oneOf" => list().enumerate().for_each(|(index, branch)| {
                let mut all: Vec<Value> = list()
                    .enumerate()
                    .filter(|(n, _)| *n != index)
                    .map(|(_, one)| json!({ "not": one }))
                    .collect();
                all.push(branch.clone());
                aim(format!("branch {index}"), vec![json!({ "allOf": all }), json!({ "allOf": [branch] })]);
            }),
            "if" => {
                aim("met".to_owned(), vec![json!({ "allOf": [wanted] })]);
                aim("not met".to_owned(), vec![json!({ "not": wanted })]);
            }
            "not" | "allOf" | "$ref" => aim("met".to_owned(), vec![json!({})]),
            "then" if map.contains_key("if") => {
                aim("met".to_owned(), vec![json!({ "allOf": [map.get("if")] })]);
            }
            "else" if map.contains_key("if") => aim("met".to_owned(), vec![json!({ "not": map.get("if") })]),
            _ => {}
        }
    }
    found
}

/// The ways to break every keyword of a schema, each alone. Keywords that only apply other schemas are not among them:
/// what breaks those is a keyword of the schema that they apply.
pub(super) fn misses(root: &Value, map: &Map<String, Value>, formats: bool) -> Vec<Aim> {
    let mut found = Vec::new();
    for (keyword, wanted) in map {
        let closes = *wanted == Value::Bool(false);
        let gone = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), None)).collect::<Vec<_>>();
        let instead = match keyword.as_str() {
            "properties" | "$ref" | "allOf" | "if" | "prefixItems" | "dependentSchemas"
            | "patternProperties" => continue,
            "additionalProperties" | "items" | "additionalItems" if !closes => continue,
            "format" if !formats => continue,
            "contains" => gone(&["contains", "minContains", "maxContains"]),
            "minContains" | "maxContains" if !map.contains_key("contains") => continue,
            "minContains" | "maxContains" => gone(&["contains", "minContains", "maxContains"]),
            name => gone(&[name]),
        };
        // What the listed values are not cannot be had without breaking the list too.
        let listed = map
            .get("const")
            .map(std::slice::from_ref)
            .or(map.get("enum").and_then(Value::as_array).map(Vec::as_slice));
        let mut ways: Vec<Change> = breaks(root, map, keyword)
            .into_iter()
            .map(|schema| Change { instead: instead.clone(), besides: Some(schema) })
            .collect();
        if let ("required", Value::Array(names)) = (keyword.as_str(), wanted) {
            for (index, way) in ways.iter_mut().enumerate() {
                let others: Vec<&Value> =
                    names.iter().enumerate().filter(|(n, _)| *n != index).map(|(_, one)| one).collect();
                way.instead = vec![(keyword.clone(), Some(json!(others)))];
            }
        }
        if let ("dependentRequired" | "dependencies", Value::Object(_)) = (keyword.as_str(), wanted) {
            ways.retain(|way| way.besides.as_ref().is_some_and(|schema| schema.get("properties").is_some()));
        }
        if let ("type", Some(listed)) = (keyword.as_str(), listed) {
            ways.retain(|way| {
                let kind = way.besides.as_ref().and_then(|schema| schema["type"].as_str());
                kind.is_some_and(|kind| listed.iter().any(|member| is_of(member, kind)))
            });
        }
        let each = matches!(keyword.as_str(), "required" | "type" | "dependentRequired" | "dependencies");
        if each {
            for way in ways {
                let detail = way.besides.as_ref().map_or_else(String::new, ToString::to_string);
                found.push(Aim { keyword: keyword.clone(), detail, changes: vec![way] });
            }
        } else if !ways.is_empty() || keyword == "uniqueItems" && *wanted == Value::Bool(true) {
            found.push(Aim { keyword: keyword.clone(), detail: String::new(), changes: ways });
        }
    }
    found
}
