//! Generated values are valid, reproducible and harmless, and no schema keeps the generator from coming back.
#![allow(clippy::unwrap_used)]

use mcprove::generate::{Bytes, GenerateError, Mode, Recorder, Replay, Seeded, ValueGenerator, valid_value};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

const MODES: [Mode; 3] = [Mode::Minimal, Mode::Plausible, Mode::Varied];

fn fixtures() -> Vec<(String, Value)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/schemas");
    let mut found: Vec<(String, Value)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap())
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(found.len() > 30);
    found
}

/// A validator of the test's own: whatever dialect, formats asserted.
fn judge(schema: &Value) -> jsonschema::Validator {
    jsonschema::options().offline().should_validate_formats(true).build(schema).unwrap()
}

#[test]
fn fixtures_get_valid_values_in_every_mode() {
    for (name, schema) in fixtures() {
        let judge = judge(&schema);
        let mut generator = ValueGenerator::new(schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        for mode in MODES {
            for seed in 0..100 {
                let value = generator.value(mode, &mut Seeded::new(seed));
                let value = value.unwrap_or_else(|error| panic!("{name} {mode:?} {seed}: {error}"));
                assert!(judge.is_valid(&value), "{name} {mode:?} {seed}: {value}");
                assert!(generator.allows(&value));
                assert!(!value.to_string().contains("real-host"), "{name} {seed}: {value}");
            }
        }
    }
}

#[test]
fn the_same_choices_give_the_same_value() {
    for (name, schema) in fixtures() {
        let value = valid_value(&schema, &mut Seeded::new(7)).unwrap();
        let mut source = Seeded::new(7);
        let mut recorder = Recorder::new(&mut source);
        // A generator that was used before gives the same.
        let mut generator = ValueGenerator::new(schema).unwrap();
        generator.value(Mode::Varied, &mut Seeded::new(1)).unwrap();
        assert_eq!(generator.value(Mode::Plausible, &mut recorder).unwrap(), value, "{name}");
        let recording = recorder.into_choices();
        assert_eq!(generator.value(Mode::Plausible, &mut Replay::new(&recording)).unwrap(), value, "{name}");
    }
}

#[test]
fn exhausted_sources_still_give_values() {
    for (name, schema) in fixtures() {
        let mut generator = ValueGenerator::new(schema).unwrap();
        for bytes in [&[][..], &[0xff; 8], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]] {
            let value = generator.value(Mode::Varied, &mut Bytes::new(bytes));
            assert!(value.is_ok(), "{name}: {value:?}");
        }
    }
}

#[test]
fn seeds_make_a_difference() {
    let (_, schema) = fixtures().into_iter().find(|(name, _)| name == "pydantic-refs").unwrap();
    let mut generator = ValueGenerator::new(schema).unwrap();
    let mut values: Vec<String> = (0..50)
        .map(|seed| generator.value(Mode::Varied, &mut Seeded::new(seed)).unwrap().to_string())
        .collect();
    values.sort();
    values.dedup();
    assert!(values.len() > 20, "{}", values.len());
}

#[test]
fn minimal_is_minimal_and_plausible_is_plain() {
    let schema = json!({
        "type": "object",
        "properties": {"message": {"type": "string"}, "loud": {"type": "boolean"}},
        "required": ["message"]
    });
    let mut generator = ValueGenerator::new(schema).unwrap();
    for seed in 0..50 {
        let least = generator.value(Mode::Minimal, &mut Seeded::new(seed)).unwrap();
        assert_eq!(least.as_object().unwrap().keys().collect::<Vec<_>>(), ["message"]);
        let plain = generator.value(Mode::Plausible, &mut Seeded::new(seed)).unwrap();
        assert!(plain["message"].as_str().unwrap().chars().all(|c| c.is_ascii_graphic()), "{plain}");
    }
}

#[test]
fn defaults_and_examples_are_preferred_when_plausible() {
    let schema = json!({"type": "string", "default": "metric", "examples": ["imperial"]});
    let mut generator = ValueGenerator::new(schema).unwrap();
    let hinted = (0..100)
        .map(|seed| generator.value(Mode::Plausible, &mut Seeded::new(seed)).unwrap())
        .filter(|value| value == "metric" || value == "imperial")
        .count();
    assert!(hinted > 50, "{hinted}");
}

fn doubling(levels: usize, below: bool) -> Value {
    let mut defs = Map::new();
    for n in 0..levels {
        let next = json!({ "$ref": format!("#/$defs/d{}", n + 1) });
        let twice = json!([next.clone(), next.clone()]);
        let schema =
            if below { json!({ "properties": {"a": next, "b": next} }) } else { json!({ "allOf": twice }) };
        defs.insert(format!("d{n}"), schema);
    }
    defs.insert(format!("d{levels}"), json!({"type": "string"}));
    json!({ "$defs": defs, "$ref": "#/$defs/d0" })
}

#[test]
fn hostile_schemas_end_soon() {
    let mut nested = json!({"type": "string"});
    for _ in 0..80 {
        nested = json!({"type": "array", "items": nested, "minItems": 2});
    }
    let chain: Map<String, Value> = (0..300)
        .map(|n| {
            let next = json!({ "$ref": format!("#/$defs/d{}", n + 1) });
            (format!("d{n}"), json!({"type": "object", "properties": {"a": next}, "required": ["a"]}))
        })
        .chain([("d300".to_owned(), json!(true))])
        .collect();
    let schemas = [
        json!(false),
        json!({"$ref": "#"}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
        json!({"$ref": "https://mcprove.example/never-fetched.json"}),
        json!({"$ref": "file:///etc/passwd"}),
        json!({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}),
        json!({"type": "array", "minItems": 4_000_000_000_u64}),
        json!({"type": "array", "minItems": 1000, "items": {"type": "array", "minItems": 1000}}),
        json!({"type": "array", "uniqueItems": true, "minItems": 900, "items": {"enum": [1, 2]}}),
        json!({"type": "string", "minLength": 1e15}),
        json!({"type": "string", "minLength": 5, "maxLength": 4}),
        json!({"type": "string", "pattern": "^(a+)+$", "minLength": 60_000}),
        json!({"type": "string", "pattern": "^((((a*)*)*)*)*b$"}),
        json!({"type": "string", "pattern": "^(?=(a+)+$)(?!a+$).*$"}),
        json!({"type": "string", "pattern": "a{100000}"}),
        json!({"type": "string", "pattern": "("}),
        json!({"type": "integer", "multipleOf": 1e-300}),
        json!({"type": "number", "minimum": 1e308, "maximum": -1e308}),
        json!({"type": "integer", "minimum": 1e30}),
        json!({"enum": []}),
        json!({"not": {}}),
        json!({"allOf": [{"type": "string"}, {"type": "integer"}]}),
        json!({"oneOf": [{"type": "string"}, {"type": "string"}]}),
        json!({"type": "object", "required": ["a"], "properties": {"a": false}}),
        json!({"type": "object", "minProperties": 999_999}),
        json!({"type": "object", "minProperties": 3, "propertyNames": {"enum": ["a"]}}),
        json!({"type": 7, "properties": [], "required": "x", "minimum": "y", "items": 3}),
        json!({"$schema": "https://mcprove.example/own-dialect", "type": "string"}),
        doubling(18, false),
        doubling(22, false),
        doubling(40, false),
        doubling(300, false),
        doubling(20, true),
        json!({"$defs": doubling(30, false)["$defs"], "properties": {"a": {"$ref": "#/$defs/d10"}}, "required": ["a"]}),
        json!({ "$defs": chain, "$ref": "#/$defs/d0" }),
        nested,
    ];
    for schema in schemas {
        let shown: String = schema.to_string().chars().take(160).collect();
        let begin = Instant::now();
        let mut outcome = String::new();
        match ValueGenerator::new(schema) {
            Ok(mut generator) => {
                for mode in MODES {
                    let value = generator.value(mode, &mut Seeded::new(1));
                    outcome = value.map_or_else(|error| error.to_string(), |_| "a value".to_owned());
                }
            }
            Err(error) => outcome = error.to_string(),
        }
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(20), "{took:?} {shown}: {outcome}");
        println!("{took:?} {outcome}: {shown}");
    }
}

#[test]
fn impossible_schemas_are_told_from_unsupported_ones() {
    let error = |schema: Value| valid_value(&schema, &mut Seeded::new(1)).unwrap_err();
    assert!(matches!(error(json!(false)), GenerateError::Unsatisfiable));
    assert!(matches!(error(json!({"enum": [1], "type": "string"})), GenerateError::Unsatisfiable));
    assert!(matches!(error(json!({"$ref": "other.json"})), GenerateError::Unsupported(_)));
    assert!(matches!(error(json!({"type": "strng"})), GenerateError::InvalidSchema(_)));
    assert!(matches!(error(json!({"enum": vec![1; 50_000]})), GenerateError::TooLarge(_)));
}

/// Schemas that have a value: what is made of them on the way is satisfiable by construction.
fn schemas() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "null"})),
        Just(json!({"type": "boolean"})),
        Just(json!(true)),
        (-50_i64..50, 0_i64..50)
            .prop_map(|(low, width)| { json!({"type": "integer", "minimum": low, "maximum": low + width}) }),
        (1_i64..9, -20_i64..20).prop_map(|(step, low)| {
            json!({"type": "integer", "multipleOf": step, "minimum": low, "maximum": low + step})
        }),
        (-5.0_f64..5.0, 0.5_f64..9.0).prop_map(|(low, width)| {
            json!({"type": "number", "minimum": low, "exclusiveMaximum": low + width})
        }),
        (0_u64..9, 0_u64..9).prop_map(|(least, more)| {
            json!({"type": "string", "minLength": least, "maxLength": least + more})
        }),
        prop::sample::select(vec!["date", "date-time", "email", "uri", "uuid", "ipv4", "ipv6", "hostname"])
            .prop_map(|format| json!({"type": "string", "format": format})),
        prop::sample::select(vec!["^[a-f]{2,6}$", "\\d", "^(x|y)+z?$", "^[^a]*$"])
            .prop_map(|pattern| json!({"type": "string", "pattern": pattern})),
        prop::collection::vec(
            prop_oneof![any::<i32>().prop_map(Value::from), "[a-z]{0,5}".prop_map(Value::from)],
            1..4
        )
        .prop_map(|values| json!({ "enum": values })),
        any::<i32>().prop_map(|value| json!({ "const": value })),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            (prop::collection::btree_map("[a-d]", inner.clone(), 0..4), any::<u8>(), any::<bool>()).prop_map(
                |(properties, mask, open)| {
                    let required: Vec<&String> = properties
                        .keys()
                        .enumerate()
                        .filter(|(index, _)| mask & (1 << index) != 0)
                        .map(|(_, name)| name)
                        .collect();
                    json!({
                        "type": "object",
                        "properties": properties,
                        "required": required,
                        "additionalProperties": open
                    })
                }
            ),
            (inner.clone(), 0_u64..3, 0_u64..3).prop_map(|(items, least, more)| {
                json!({"type": "array", "items": items, "minItems": least, "maxItems": least + more})
            }),
            (prop::collection::vec(inner.clone(), 1..3)).prop_map(|prefix| {
                json!({"type": "array", "minItems": prefix.len(), "prefixItems": prefix, "items": false})
            }),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|branches| json!({ "anyOf": branches })),
            inner.clone().prop_map(|schema| json!({ "allOf": [schema, true] })),
            inner.clone().prop_map(|schema| json!({ "oneOf": [schema, false] })),
            inner.clone().prop_map(|schema| json!({"additionalProperties": schema, "type": "object"})),
            inner.prop_map(|schema| {
                json!({"type": "object", "properties": {"a": schema}, "if": {"required": ["a"]},
                       "then": {"required": ["b"]}, "else": {"maxProperties": 3}})
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn satisfiable_schemas_get_valid_values(schema in schemas(), seed: u64) {
        let judge = judge(&schema);
        let mut generator = ValueGenerator::new(schema.clone()).unwrap();
        for mode in MODES {
            let value = generator.value(mode, &mut Seeded::new(seed));
            let value = value.map_err(|error| TestCaseError::fail(format!("{schema}: {error}")))?;
            prop_assert!(judge.is_valid(&value), "{} {}", schema, value);
            prop_assert_eq!(generator.value(mode, &mut Seeded::new(seed)).unwrap(), value);
        }
    }

    #[test]
    fn any_bytes_give_a_valid_value(schema in schemas(), bytes: Vec<u8>) {
        let judge = judge(&schema);
        let value = ValueGenerator::new(schema).unwrap().value(Mode::Varied, &mut Bytes::new(&bytes)).unwrap();
        prop_assert!(judge.is_valid(&value));
    }
}
