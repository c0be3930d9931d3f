//! Edits of a JSON text that leave the rest of it as it is, with all that a value would not keep: duplicate members,
//! numbers as they are written, escapes.

use crate::protocol::json::{locate, parse};
use serde_json::Value;
use std::ops::Range;

/// The value of a JSON text; `None` where it is none, or one too deep or too large to be read.
pub(super) fn value_of(text: &str) -> Option<Value> {
    parse(text.as_bytes()).ok().map(|parsed| parsed.value)
}

/// The part of a text that is at a place.
pub(super) fn at<'t>(text: &'t str, place: &str) -> Option<&'t str> {
    text.get(locate(text, place)?)
}

/// The text with another value at a place.
pub(super) fn replaced(text: &str, place: &str, by: &str) -> Option<String> {
    Some(spliced(text, locate(text, place)?, by))
}

/// The text with something in the place of a part of it.
pub(super) fn spliced(text: &str, part: Range<usize>, by: &str) -> String {
    format!("{}{by}{}", &text[..part.start], &text[part.end..])
}

/// Where the name of the member at a place stands, with its quotes; `None` where the place is no member.
pub(super) fn name_of(text: &str, place: &str) -> Option<Range<usize>> {
    let value = locate(text, place)?;
    let end = text[..value.start].trim_end().strip_suffix(':')?.trim_end().len();
    let bytes = text.as_bytes();
    // The quote that ends the name is the last one; the one that begins it is the next before it without an odd number of
    // backslashes before that.
    let mut start = end.checked_sub(1)?;
    loop {
        start = text[..start].rfind('"')?;
        let escapes = bytes[..start].iter().rev().take_while(|byte| **byte == b'\\').count();
        if escapes % 2 == 0 {
            return Some(start..end);
        }
    }
}

/// The text without the member or the element at a place.
pub(super) fn without(text: &str, place: &str) -> Option<String> {
    let value = locate(text, place)?;
    if place.is_empty() {
        return None;
    }
    let start = name_of(text, place).map_or(value.start, |name| name.start);
    let before = text[..start].trim_end();
    let after = text[value.end..].trim_start();
    if let Some(before) = before.strip_suffix(',') {
        return Some(format!("{before}{after}"));
    }
    Some(format!("{before}{}", after.strip_prefix(',').unwrap_or(after)))
}

/// The text with one more member at the end of the object at a place; `None` where there is no object.
pub(super) fn with_member(text: &str, place: &str, name: &str, value: &str) -> Option<String> {
    let object = locate(text, place)?;
    let inner = text.get(object.clone())?.strip_prefix('{')?.strip_suffix('}')?;
    let comma = if inner.trim().is_empty() { "" } else { "," };
    let name = Value::from(name);
    Some(spliced(text, object.end - 1..object.end, &format!("{comma}{name}:{value}}}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{ "a" : [1, -0, {"k\\\"y":1e999}] ,"b":{},"c":"x","c":"\ud800"}"#;

    #[test]
    fn edits_leave_the_rest_as_it_is() {
        assert_eq!(at(TEXT, "/a/1"), Some("-0"));
        assert_eq!(
            replaced(TEXT, "/c", "null").unwrap(),
            r#"{ "a" : [1, -0, {"k\\\"y":1e999}] ,"b":{},"c":"x","c":null}"#
        );
        assert_eq!(
            with_member(TEXT, "/b", "n\"", "1").unwrap(),
            r#"{ "a" : [1, -0, {"k\\\"y":1e999}] ,"b":{"n\"":1},"c":"x","c":"\ud800"}"#
        );
        assert!(with_member(TEXT, "", "n", "1").unwrap().ends_with(r#","c":"\ud800","n":1}"#));
        assert_eq!(with_member(TEXT, "/a", "n", "1"), None);
    }

    #[test]
    fn names_are_found_whatever_is_in_them() {
        let name = name_of(TEXT, "/a/2/k\\\"y").unwrap();
        assert_eq!(&TEXT[name], r#""k\\\"y""#);
        assert_eq!(name_of(TEXT, "/a/2"), None);
        assert_eq!(name_of(TEXT, ""), None);
    }

    #[test]
    fn what_is_left_out_takes_its_comma_along() {
        let all = r#"{"a":[1, 2 ,3],"b":{"c":0}}"#;
        for (place, left) in [
            ("/a", r#"{"b":{"c":0}}"#),
            ("/b", r#"{"a":[1, 2 ,3]}"#),
            ("/b/c", r#"{"a":[1, 2 ,3],"b":{}}"#),
            ("/a/0", r#"{"a":[2 ,3],"b":{"c":0}}"#),
            ("/a/1", r#"{"a":[1,3],"b":{"c":0}}"#),
            ("/a/2", r#"{"a":[1, 2],"b":{"c":0}}"#),
        ] {
            let without = without(all, place).unwrap();
            let plain = |text: &str| value_of(text).unwrap();
            assert_eq!(plain(&without), plain(left), "{place}: {without}");
        }
        assert_eq!(without(all, ""), None);
        assert_eq!(without(all, "/x"), None);
    }
}
