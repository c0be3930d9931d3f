//! Invariants of the JSON reader.

use super::plain::Plain;
use mcprove::protocol::json::{self, ErrorKind, MAX_DEPTH, MAX_DUPLICATES};
use serde_json::Value;

/// How many values of a text are located: each takes a pass over the text.
const LOCATED: usize = 200;

/// The reader agrees with `serde_json` wherever the two do not differ on purpose, and the place of each value holds a
/// text that reads as that value.
pub fn check(bytes: &[u8]) {
    let theirs = serde_json::from_slice(bytes).map(|Plain(value)| value);
    match json::parse(bytes) {
        Ok(parsed) => {
            assert!(parsed.notes.duplicate_members.len() <= MAX_DUPLICATES);
            match theirs {
                Ok(value) => {
                    assert!(!parsed.notes.lone_surrogates && !parsed.notes.numbers_out_of_range);
                    assert!(same(&parsed.value, &value), "{} is not {value}", parsed.value);
                }
                // `serde_json` refuses what is noted here, and what is nested 128 deep or deeper (perhaps in a
                // value that a duplicate member replaced, so the text has to tell).
                Err(error) => assert!(
                    parsed.notes.lone_surrogates
                        || parsed.notes.numbers_out_of_range
                        || bytes.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() >= 128,
                    "only we read it: {error}"
                ),
            }
            let text = std::str::from_utf8(bytes).expect("what was read is UTF-8");
            check_places(text, &parsed);
        }
        Err(error) => {
            assert!(theirs.is_err() || error.kind == ErrorKind::TooLarge, "only they read it: {error}");
            assert!(error.offset <= bytes.len());
            assert_eq!(
                error.kind == ErrorKind::TooDeep,
                error.reason == format!("nested deeper than {MAX_DEPTH}")
            );
            if error.kind == ErrorKind::Truncated {
                assert_eq!(error.offset, bytes.len());
            }
            if let Ok(text) = std::str::from_utf8(bytes)
                && !text.starts_with('\u{FEFF}')
            {
                let located = json::locate(text, "");
                let by_limit = matches!(error.kind, ErrorKind::TooDeep | ErrorKind::TooLarge);
                assert_eq!(located.is_some(), by_limit);
            }
        }
    }
}

fn check_places(text: &str, parsed: &json::Parsed) {
    let mut waiting = vec![(String::new(), &parsed.value)];
    let mut located = 0;
    while let Some((pointer, value)) = waiting.pop() {
        let range = json::locate(text, &pointer).expect("every value stands somewhere");
        let place = text.get(range).expect("a place lies on character boundaries");
        assert_eq!(place.trim(), place);
        let again = json::parse(place.as_bytes()).expect("the text of a value is a JSON text");
        assert!(same(&again.value, value) && again.value == *value, "{pointer}: {place}");
        located += 1;
        if located == LOCATED {
            break;
        }
        match value {
            Value::Array(elements) => {
                waiting
                    .extend(elements.iter().enumerate().map(|(i, value)| (format!("{pointer}/{i}"), value)));
            }
            Value::Object(members) => waiting.extend(members.iter().map(|(name, value)| {
                (format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), value)
            })),
            _ => {}
        }
    }
    for pointer in &parsed.notes.duplicate_members {
        // It may lie in a value that a later duplicate replaced.
        assert!(pointer.starts_with('/'));
    }
    let elements = json::elements(text);
    assert_eq!(elements.as_ref().map(Vec::len), parsed.value.as_array().map(Vec::len));
    for (index, range) in elements.into_iter().flatten().take(LOCATED).enumerate() {
        assert_eq!(json::locate(text, &format!("/{index}")), Some(range));
    }
}

/// Equal, up to the last digit of a double, which `serde_json` rounds in its own way.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && same(a, b))
        }
        (Value::Number(a), Value::Number(b)) => match (a.as_f64(), b.as_f64()) {
            (Some(x), Some(y)) if a.is_f64() && b.is_f64() => {
                x.is_sign_negative() == y.is_sign_negative() && x.to_bits().abs_diff(y.to_bits()) <= 2
            }
            _ => a == b,
        },
        _ => ours == theirs,
    }
}
