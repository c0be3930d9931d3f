//! Every change of a JSON text is what its name says.

use super::dictionary::Dictionary;
use super::json::{JsonChange, JsonMutation, Large, PROTOTYPE, Put};
use super::json_type::JsonType;
use super::mutation::{Bounds, LARGEST};
use super::text;
use crate::generate::{Bytes, Choices, Seeded};
use crate::protocol::json::{MAX_DEPTH, parse};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn message() -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {
        "name": "echo", "arguments": {"text": "hi", "n": 3, "list": [1, {"deep": null}], "flag": true, "x": {}}}})
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-dA-B/~\"\\\\]{0,3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Holds the text after a change against what the change says that it is.
fn is_as_it_says(before: &Value, mutation: &JsonMutation, after: &str) {
    let place = mutation.place.as_str();
    let was = before.pointer(place).expect("something was there");
    let read = parse(after.as_bytes());
    let depth = |what: &str| after.bytes().filter(|byte| *byte == what.as_bytes()[0]).count();
    if let JsonChange::Deep { levels, objects } = &mutation.change {
        let open = if *objects { "{" } else { "[" };
        let more =
            depth(open) - before.to_string().bytes().filter(|byte| *byte == open.as_bytes()[0]).count();
        assert_eq!(more, *levels);
        // What was there before is nested less than 16 levels, and may be no list at all.
        assert!(if read.is_err() { *levels > MAX_DEPTH - 16 } else { *levels <= MAX_DEPTH }, "{mutation}");
        return;
    }
    let read = read.unwrap_or_else(|error| panic!("{mutation}: {error}: {after}"));
    let now = || read.value.pointer(place).unwrap_or_else(|| panic!("{mutation}: {after}"));
    let parent = || read.value.pointer(place.rsplit_once('/').unwrap().0).unwrap();
    match &mutation.change {
        JsonChange::MissingMember => {
            let sizes = |parent: &Value| {
                parent.as_object().map_or_else(|| parent.as_array().unwrap().len(), serde_json::Map::len)
            };
            let old = before.pointer(place.rsplit_once('/').unwrap().0).unwrap();
            assert_eq!(sizes(parent()) + 1, sizes(old));
        }
        JsonChange::NullValue => assert!(now().is_null() && !was.is_null()),
        JsonChange::WrongType { value } => {
            assert!(!JsonType::of(now()).is_like(JsonType::of(was)) && now() == value);
        }
        JsonChange::ExtraMember { name, value } | JsonChange::PrototypeMember { name, value } => {
            assert!(was.get(name).is_none() && now().get(name) == Some(value));
            assert_eq!(now().as_object().unwrap().len(), was.as_object().unwrap().len() + 1);
            let is_special = matches!(mutation.change, JsonChange::PrototypeMember { .. });
            assert!(!is_special || PROTOTYPE.contains(&name.as_str()));
        }
        JsonChange::OtherCase { name } => {
            assert_eq!(parent().get(name), Some(was), "{after}");
            assert!(!place.ends_with(&format!("/{name}")));
        }
        JsonChange::ArrayForObject { pairs } => {
            let elements = now().as_array().unwrap();
            assert_eq!(elements.len(), was.as_object().unwrap().len());
            assert!(
                !pairs || elements.iter().all(|pair| pair.as_array().is_some_and(|pair| pair.len() == 2))
            );
        }
        JsonChange::OddNumber { written } => {
            assert!(now().is_number());
            assert_eq!(text::at(after, place), Some(written.as_str()));
        }
        JsonChange::OddText { written, put } => {
            let there = text::at(after, place).unwrap();
            assert!(now().is_string() && there.contains(written.as_str()));
            assert!(*put != Put::Instead || there.len() == written.len() + 2);
        }
        JsonChange::PrototypeName { name } => {
            assert!(was.is_string() && now() == name.as_str() && PROTOTYPE.contains(&name.as_str()));
        }
        JsonChange::DuplicateMember { value, first } => {
            assert_eq!(read.notes.duplicate_members, [place]);
            assert_eq!(now(), if *first { was } else { value });
        }
        JsonChange::Large { what, count } => match what {
            Large::Text => assert_eq!(now().as_str().unwrap().len(), *count),
            Large::Digits => assert_eq!(text::at(after, place).unwrap().len(), *count),
            Large::Array => assert_eq!(now().as_array().unwrap().len(), *count),
            Large::Object => assert_eq!(now().as_object().unwrap().len(), *count),
            Large::Name => assert!(now().as_object().unwrap().keys().any(|name| name.len() == *count)),
        },
        JsonChange::Word { written } => assert_eq!(text::at(after, place), Some(written.as_str())),
        JsonChange::Deep { .. } => unreachable!("told above"),
    }
}

fn drawn(before: &Value, words: &Dictionary, choices: &mut dyn Choices) -> JsonMutation {
    let bounds = Bounds { bytes: 20_000, depth: 2000 };
    let text = before.to_string();
    let mutation = JsonMutation::draw(&text, bounds, words, choices).expect("every JSON text can be changed");
    let after = mutation.apply(&text).expect("what is drawn can be made");
    assert_ne!(after, text, "{mutation}");
    assert!(after.len() <= text.len() + bounds.bytes + 100, "{mutation}: {} bytes", after.len());
    is_as_it_says(before, &mutation, &after);
    mutation
}

#[test]
fn every_kind_is_drawn_and_is_what_its_name_says() {
    let words = Dictionary::parse("\"word\"\n#@type integer\n\"99\"\n#@path text\n\"own\"\n").unwrap();
    let (mut kinds, mut sentences, mut own) = (BTreeSet::new(), BTreeSet::new(), 0);
    for seed in 0..6000 {
        let mutation = drawn(&message(), &words, &mut Seeded::new(seed));
        kinds.insert(mutation.name());
        let sentence = mutation.to_string();
        assert!(sentence.chars().count() < 200 && !sentence.contains('\n'), "{sentence}");
        sentences.insert(sentence);
        own += u32::from(mutation.change == JsonChange::Word { written: "\"own\"".to_owned() });
        // Written and read, it is the same, and its name is the one that is written.
        let written = serde_json::to_value(&mutation).unwrap();
        assert_eq!(written["change"], mutation.name());
        assert_eq!(serde_json::from_value::<JsonMutation>(written).unwrap(), mutation);
    }
    assert_eq!(kinds.len(), 14, "{kinds:?}");
    assert!(sentences.len() > 1000 && own > 100, "{} sentences, {own}", sentences.len());
}

proptest! {
    #[test]
    fn any_json_can_be_changed(value in any_json(), seed: u64) {
        // The text of a double may not be what is read from it again.
        let value = text::value_of(&value.to_string()).unwrap();
        drawn(&value, &Dictionary::default(), &mut Seeded::new(seed));
    }

    #[test]
    fn few_bytes_are_enough_for_a_change(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
        drawn(&message(), &Dictionary::default(), &mut Bytes::new(&bytes));
    }

    /// Changes on top of each other leave a text that can be read, as long as it is not too deep.
    #[test]
    fn changes_can_be_made_of_changed_texts(seed: u64) {
        let mut choices = Seeded::new(seed);
        let bounds = Bounds { bytes: 1000, depth: 20 };
        let mut text = message().to_string();
        for _ in 0..6 {
            let mutation = JsonMutation::draw(&text, bounds, &Dictionary::default(), &mut choices).unwrap();
            text = mutation.apply(&text).unwrap();
            prop_assert!(text::value_of(&text).is_some(), "{}: {}", mutation, text);
        }
    }
}

#[test]
fn what_would_not_be_what_it_says_is_not_made() {
    let text = message().to_string();
    let apply =
        |place: &str, change: JsonChange| JsonMutation { place: place.to_owned(), change }.apply(&text);
    assert_eq!(apply("/none", JsonChange::NullValue), None);
    assert_eq!(apply("", JsonChange::MissingMember), None);
    assert_eq!(apply("/id", JsonChange::WrongType { value: json!(8) }), None);
    assert_eq!(apply("/params", JsonChange::ExtraMember { name: "name".to_owned(), value: json!(1) }), None);
    assert_eq!(apply("/id", JsonChange::OtherCase { name: "idx".to_owned() }), None);
    assert_eq!(apply("/id", JsonChange::OddNumber { written: "1,\"x\":1".to_owned() }), None);
    assert_eq!(apply("/method", JsonChange::OddText { written: "\"".to_owned(), put: Put::After }), None);
    assert_eq!(apply("/id", JsonChange::PrototypeName { name: "__proto__".to_owned() }), None);
    assert_eq!(apply("/id", JsonChange::Deep { levels: 0, objects: false }), None);
    assert_eq!(apply("/id", JsonChange::Large { what: Large::Text, count: LARGEST + 1 }), None);
    assert_eq!(
        apply("/params/arguments/list/0", JsonChange::DuplicateMember { value: json!(1), first: false }),
        None
    );
}
