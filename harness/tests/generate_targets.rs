//! The boundary walk and near misses keep what they promise, by a validator of the test's own; what cannot be had is told.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mcprove::generate::{Bytes, GenerateError, Mode, Seeded, Target, ValueGenerator};
use serde_json::{Map, Value, json};

fn fixtures() -> Vec<(String, Value)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/schemas");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let schemas = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    schemas
        .map(|path| {
            (path.display().to_string(), serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap())
        })
        .collect()
}

fn judge(generator: &ValueGenerator, schema: &Value) -> jsonschema::Validator {
    let formats = generator.asserts_formats();
    jsonschema::options().offline().should_validate_formats(formats).build(schema).unwrap()
}

/// Whether each error is the keyword's at its path, or of a choice of schemas above it.
fn is_alone(judge: &jsonschema::Validator, target: &Target, value: &Value) -> bool {
    let mut some = false;
    judge.iter_errors(value).all(|error| {
        some = true;
        let at = error.instance_path().as_str();
        let keyword = error.kind().keyword();
        let named = error.schema_path().as_str().rsplit('/').take(2).any(|step| step == target.keyword);
        (at == target.path && (named || keyword == target.keyword))
            || (target.path.starts_with(at) && ["anyOf", "oneOf"].contains(&keyword))
    }) && some
}

/// The walk and the near misses of a schema: the keywords that were reached, and those that were broken, with the path.
fn all_of(name: &str, schema: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut generator = ValueGenerator::new(schema.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let judge = judge(&generator, schema);
    let mut reached = BTreeSet::new();
    let walk: Vec<_> = generator.boundary_walk().collect();
    for (target, value) in walk {
        if let Ok(value) = value {
            assert!(judge.is_valid(&value), "{name} {target:?}: {value}");
            reached.insert(format!("{} {}", target.keyword, target.path));
        }
    }
    let mut broken = BTreeSet::new();
    for target in generator.breakable().list {
        for seed in 0..4 {
            if let Ok(value) = generator.near_miss(&target, Mode::Varied, &mut Seeded::new(seed)) {
                assert!(is_alone(&judge, &target, &value), "{name} {target:?}: {value}");
                broken.insert(format!("{} {}", target.keyword, target.path));
            }
        }
    }
    (reached, broken)
}

#[test]
fn every_schema_at_hand_is_walked_and_missed() {
    let (mut reached, mut broken) = (0, 0);
    for (name, schema) in fixtures() {
        let (here, missed) = all_of(&name, &schema);
        assert!(!here.is_empty() || !name.contains("add-numbers"), "{name}");
        reached += here.len();
        broken += missed.len();
    }
    assert!(reached > 200 && broken > 150, "{reached} {broken}");
}

#[test]
fn each_keyword_is_reached_and_broken() {
    let schemas = [
        (json!({"minimum": 3, "type": "integer"}), "minimum"),
        (json!({"maximum": 3, "type": "number"}), "maximum"),
        (json!({"exclusiveMinimum": 3, "type": "integer"}), "exclusiveMinimum"),
        (json!({"exclusiveMaximum": 3, "type": "number"}), "exclusiveMaximum"),
        (json!({"multipleOf": 3, "type": "integer"}), "multipleOf"),
        (json!({"minLength": 3, "type": "string"}), "minLength"),
        (json!({"maxLength": 3, "type": "string"}), "maxLength"),
        (json!({"pattern": "^[a-f]+$", "type": "string"}), "pattern"),
        (json!({"enum": ["a", "b", 3]}), "enum"),
        (json!({"const": "a"}), "const"),
        (json!({"type": ["string", "null"]}), "type"),
        (json!({"required": ["a", "b"], "type": "object"}), "required"),
        (json!({"minProperties": 2, "type": "object"}), "minProperties"),
        (json!({"maxProperties": 2, "type": "object"}), "maxProperties"),
        (json!({"properties": {"a": true}, "additionalProperties": false}), "additionalProperties"),
        (
            json!({"allOf": [{"properties": {"a": true}}], "unevaluatedProperties": false}),
            "unevaluatedProperties",
        ),
        (json!({"propertyNames": {"maxLength": 4}, "type": "object"}), "propertyNames"),
        (json!({"dependentRequired": {"a": ["b"]}, "type": "object"}), "dependentRequired"),
        (json!({"minItems": 2, "type": "array"}), "minItems"),
        (json!({"maxItems": 2, "type": "array"}), "maxItems"),
        (json!({"uniqueItems": true, "type": "array", "items": {"type": "integer"}}), "uniqueItems"),
        (json!({"contains": {"type": "integer"}, "type": "array"}), "contains"),
        (json!({"contains": {"type": "integer"}, "maxContains": 2, "type": "array"}), "maxContains"),
        (json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}), "anyOf"),
        (json!({"oneOf": [{"type": "string"}, {"minLength": 3}]}), "oneOf"),
        (json!({"not": {"type": "string"}}), "not"),
    ];
    for (schema, keyword) in schemas {
        let wrapped = json!({"type": "object", "properties": {"n": schema}, "required": ["n"]});
        for (schema, path) in [(schema, ""), (wrapped, "/n")] {
            let (reached, broken) = all_of(&schema.to_string(), &schema);
            let wanted = format!("{keyword} {path}");
            assert!(reached.contains(&wanted), "{schema}: {reached:?}");
            assert!(broken.contains(&wanted), "{schema}: {broken:?}");
        }
    }
}

#[test]
fn formats_are_broken_only_where_they_are_asserted() {
    let old =
        json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "string", "format": "uri"});
    assert!(all_of("draft-07", &old).1.contains("format "));
    let new = json!({"type": "string", "format": "uri"});
    assert!(!all_of("2020-12", &new).1.contains("format "));
}

#[test]
fn edges_are_where_they_say() {
    let schema = json!({"type": "object", "required": ["n"], "properties": {
        "n": {"type": "integer", "minimum": 3, "maximum": 9}, "s": {"type": "string", "maxLength": 5},
        "e": {"enum": ["x", "y"]}, "l": {"type": "array", "items": {"type": "null"}, "maxItems": 2}}});
    let mut generator = ValueGenerator::new(schema).unwrap();
    let walk: Vec<(Target, Value)> =
        generator.boundary_walk().map(|(target, value)| (target, value.unwrap())).collect();
    let of = |keyword: &str, path: &str| -> Vec<Value> {
        let here = walk.iter().filter(|(target, _)| target.keyword == keyword && target.path == path);
        here.map(|(_, value)| value.pointer(path).unwrap().clone()).collect()
    };
    assert_eq!(of("minimum", "/n"), [json!(3)]);
    assert_eq!(of("maximum", "/n"), [json!(9)]);
    assert_eq!(of("enum", "/e"), [json!("x"), json!("y")]);
    assert_eq!(of("maxLength", "/s")[0].as_str().unwrap().len(), 5);
    assert_eq!(of("maxItems", "/l"), [json!([null, null])]);
    let lengths: Vec<usize> = of("items", "/l").iter().map(|list| list.as_array().unwrap().len()).collect();
    assert_eq!(lengths, [0, 1, 2]);
    assert!(walk.iter().any(|(target, value)| target.detail == "`s` absent" && value.get("s").is_none()));
    assert!(
        walk.iter()
            .any(|(target, value)| target.detail == "all present" && value.as_object().unwrap().len() == 4)
    );
}

#[test]
fn references_of_every_kind_are_followed() {
    let schemas = [
        json!({"$defs": {"a": {"$anchor": "x", "type": "integer"}}, "properties": {"v": {"$ref": "#x"}}, "required": ["v"]}),
        json!({"$id": "https://mcprove.example/root", "$defs": {"a": {"$id": "inner", "type": "integer"}},
               "properties": {"v": {"$ref": "inner"}}, "required": ["v"]}),
        json!({"$dynamicAnchor": "node", "type": "object", "properties": {"v": {"type": "integer"}, "next": {"$dynamicRef": "#node"}},
               "required": ["v"]}),
        json!({"type": "object", "properties": {"v": {"type": "integer"}, "next": {"$ref": "#"}}, "required": ["v"]}),
    ];
    for schema in schemas {
        let (reached, broken) = all_of("references", &schema);
        assert!(
            reached.contains("type /v") && broken.contains("type /v"),
            "{schema}: {reached:?} {broken:?}"
        );
    }
}

#[test]
fn the_same_choices_give_the_same_and_any_bytes_will_do() {
    for (name, schema) in fixtures() {
        let mut first = ValueGenerator::new(schema.clone()).unwrap();
        let mut second = ValueGenerator::new(schema).unwrap();
        let targets = first.breakable().list;
        assert_eq!(targets, second.breakable().list);
        for target in targets.iter().take(12) {
            let one = first.near_miss(target, Mode::Varied, &mut Bytes::new(&[9, 8, 7, 6, 5]));
            let other = second.near_miss(target, Mode::Varied, &mut Bytes::new(&[9, 8, 7, 6, 5]));
            assert_eq!(one, other, "{name}");
        }
    }
}

#[test]
fn hostile_schemas_end_and_say_why() {
    let many: Map<String, Value> = (0..5000).map(|n| (format!("p{n}"), json!({"type": "string"}))).collect();
    let mut deep = json!({"type": "string"});
    for _ in 0..200 {
        deep = json!({"type": "array", "items": deep});
    }
    let branches: Vec<Value> =
        (0..300).map(|n| json!({"type": "string", "minLength": n, "pattern": "^(a+)+$"})).collect();
    let schemas = [
        (json!({"properties": many.clone(), "description": "x".repeat(10 << 20)}), true),
        (deep, true),
        (json!({"$ref": "https://mcprove.example/never-fetched.json"}), true),
        (json!({"$schema": "https://mcprove.example/own", "type": "string"}), true),
        (json!({"type": "object", "properties": many}), false),
        (json!({"anyOf": branches}), true),
        (json!({"not": {"not": {"not": {"anyOf": [{"type": "string"}, {"minimum": 3}]}}}}), false),
        (
            json!({"not": {"$ref": "#/$defs/a"}, "$defs": {"a": {"properties": {"b": {"$ref": "#/$defs/a"}}}}}),
            false,
        ),
    ];
    for (schema, refused) in schemas {
        let shown: String = schema.to_string().chars().take(100).collect();
        let began = Instant::now();
        match ValueGenerator::new(schema) {
            Ok(mut generator) => {
                assert!(!refused, "{shown}");
                let walked = generator.boundary_walk().take(40).count();
                let targets = generator.breakable().list;
                for target in targets.iter().take(40) {
                    let _ = generator.near_miss(target, Mode::Varied, &mut Seeded::new(1));
                }
                assert!(walked + targets.len() > 0, "{shown}");
            }
            Err(error) => {
                assert!(refused, "{shown}: {error}");
                assert!(!matches!(error, GenerateError::GaveUp(_)), "{shown}");
            }
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{shown}: {:?}", began.elapsed());
    }
}

#[test]
fn contradictions_are_proved() {
    for schema in [
        json!(false),
        json!({"type": "integer", "minimum": 4, "maximum": 3}),
        json!({"enum": ["a"], "type": "integer"}),
        json!({"allOf": [{"type": "string"}, {"type": "null"}]}),
        json!({"type": "object", "required": ["a"], "properties": {"a": false}}),
    ] {
        let made = ValueGenerator::new(schema.clone()).unwrap().value(Mode::Varied, &mut Seeded::new(1));
        assert_eq!(made, Err(GenerateError::Unsatisfiable), "{schema}");
    }
}
