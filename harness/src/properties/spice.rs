//! Valid arguments made stranger, and valid still.

use super::pool::Pool;
use super::subject::Subject;
use crate::generate::{Choices, names_no_real_host};
use serde_json::{Value, json};

/// How often something stranger is tried for one value.
const TRIES: usize = 6;
/// The largest value that is made by putting a value into itself, in bytes.
const LARGEST: usize = 8 << 10;

/// Texts that programs forget: of no length, of characters outside of what is usual, of what means something elsewhere.
const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "\"",
    "'",
    "\\",
    "\0",
    "\n",
    "\r\n",
    "\t",
    "\u{10000}",
    "\u{1F468}\u{200D}\u{1F469}",
    "\u{300}",
    "e\u{301}",
    "é",
    "ß",
    "İ",
    "\u{2028}",
    "\u{202E}",
    "\u{FEFF}",
    "\u{FFFD}",
    "<b>",
    "&amp;",
    "%s%n",
    "%00",
    "{{x}}",
    "${x}",
    "../",
    "/",
    ".",
    "-",
    "--",
    "-1",
    "0",
    "1e999",
    "NaN",
    "null",
    "true",
    "undefined",
    "__proto__",
    "[]",
];
/// Days and times at the edges of calendars.
const TIMES: &[&str] = &[
    "2000-02-29",
    "1996-02-29",
    "1970-01-01",
    "0001-01-01",
    "9999-12-31",
    "2000-02-29T00:00:00Z",
    "1970-01-01T00:00:00Z",
    "2038-01-19T03:14:08Z",
    "9999-12-31T23:59:59Z",
    "23:59:59Z",
    "00:00:00Z",
    "P1D",
    "PT0S",
];

/// The arguments with something stranger in one place, if they stay valid.
pub(super) fn spiced(subject: &Subject, arguments: Value, pool: &Pool, choices: &mut dyn Choices) -> Value {
    let mut places = Vec::new();
    leaves(&arguments, &mut String::new(), &mut places);
    if choices.chance(1, 8)
        && let Some(deeper) = deeper(subject, &arguments, choices)
    {
        return deeper;
    }
    for _ in 0..TRIES {
        let Some(place) = choices.pick(&places) else { return arguments };
        let mut other = arguments.clone();
        let Some(leaf) = other.pointer_mut(place) else { continue };
        *leaf = match leaf {
            Value::String(text) => Value::from(stranger(text, subject, pool, choices)),
            Value::Number(_) => number(choices),
            Value::Bool(flag) => Value::Bool(!*flag),
            _ => continue,
        };
        let safe = other.pointer(place).and_then(Value::as_str).is_none_or(names_no_real_host);
        if safe && other != arguments && subject.takes(&other) {
            return other;
        }
    }
    arguments
}

fn stranger(text: &str, subject: &Subject, pool: &Pool, choices: &mut dyn Choices) -> String {
    let piece = match choices.below(8) {
        0 => choices.pick(TIMES).copied().unwrap_or_default(),
        1 => pool.get(choices.index(pool.len())).unwrap_or_default(),
        2 => choices.pick(&subject.words).map_or("", String::as_str),
        _ => choices.pick(TEXTS).copied().unwrap_or_default(),
    };
    match choices.below(4) {
        0 => format!("{text}{piece}"),
        1 => format!("{piece}{text}"),
        2 => {
            let at =
                text.char_indices().nth(choices.index(text.chars().count().max(1))).map_or(0, |(at, _)| at);
            format!("{}{piece}{}", &text[..at], &text[at..])
        }
        _ => piece.to_owned(),
    }
}

fn number(choices: &mut dyn Choices) -> Value {
    let whole: [i64; 20] = [
        0,
        1,
        -1,
        2,
        10,
        100,
        127,
        128,
        255,
        256,
        1000,
        1001,
        32_767,
        65_535,
        65_536,
        1 << 31,
        (1 << 31) - 1,
        -(1 << 31),
        (1 << 53) - 1,
        -(1 << 53) + 1,
    ];
    match choices.below(6) {
        0 => json!(choices.between(-1000, 1000) as f64 / 8.0),
        1 => json!(choices.between(-100_000, 100_000)),
        2 => json!([1e-7, 1e15, -0.5, 0.1, 99.999][choices.index(5)]),
        _ => json!(whole[choices.index(whole.len())]),
    }
}

/// A value that holds itself where its schema is about itself, a few times over.
fn deeper(subject: &Subject, arguments: &Value, choices: &mut dyn Choices) -> Option<Value> {
    let mut value = arguments.clone();
    let mut grown = None;
    for _ in 0..TRIES {
        let mut places = Vec::new();
        nodes(&value, &mut String::new(), &mut places);
        // A part of a part: the outer one takes the place of the inner one.
        let inner = choices.pick(&places)?.clone();
        let outer: Vec<&String> = places
            .iter()
            .filter(|place| inner.len() > place.len() && inner.starts_with(&format!("{place}/")))
            .collect();
        let Some(outer) = outer.first().copied() else { continue };
        let copy = value.pointer(outer)?.clone();
        let mut other = value.clone();
        *other.pointer_mut(&inner)? = copy;
        if other.to_string().len() <= LARGEST && subject.takes(&other) {
            value = other;
            grown = Some(value.clone());
        }
    }
    grown
}

fn leaves(value: &Value, at: &mut String, found: &mut Vec<String>) {
    walk(value, at, &mut |place, value| {
        if matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_)) {
            found.push(place.to_owned());
        }
    });
}

/// The places of objects and arrays below the arguments themselves.
fn nodes(value: &Value, at: &mut String, found: &mut Vec<String>) {
    walk(value, at, &mut |place, value| {
        if !place.is_empty() && (value.is_object() || value.is_array()) {
            found.push(place.to_owned());
        }
    });
}

/// Every part of a value with its JSON pointer, the outer ones first.
pub(super) fn walk(value: &Value, at: &mut String, tell: &mut impl FnMut(&str, &Value)) {
    tell(at, value);
    let length = at.len();
    match value {
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                at.push_str(&format!("/{index}"));
                walk(element, at, tell);
                at.truncate(length);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                at.push('/');
                at.push_str(&name.replace('~', "~0").replace('/', "~1"));
                walk(member, at, tell);
                at.truncate(length);
            }
        }
        _ => {}
    }
}
