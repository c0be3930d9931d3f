//! What the reader accepts, refuses and notes, example by example.

use super::*;
use serde_json::{Value, json};

fn value(text: &str) -> Value {
    parse(text.as_bytes()).unwrap().value
}

fn notes(text: &str) -> Notes {
    parse(text.as_bytes()).unwrap().notes
}

fn error(bytes: impl AsRef<[u8]>) -> (usize, &'static str, ErrorKind) {
    let error = parse(bytes.as_ref()).unwrap_err();
    (error.offset, error.reason, error.kind)
}

#[test]
fn values() {
    assert_eq!(
        value(" \t\r\n{\"a\" : [1, -2, true ,false,null, \"x\"], \"b\":{} , \"c\":[]}\n"),
        json!({
            "a": [1, -2, true, false, null, "x"], "b": {}, "c": []
        })
    );
    assert_eq!(value("18446744073709551615"), json!(u64::MAX));
    assert_eq!(value("-9223372036854775808"), json!(i64::MIN));
    assert_eq!(value("18446744073709551616"), json!(18_446_744_073_709_551_616.0));
    assert_eq!(value("-9223372036854775809"), json!(-9_223_372_036_854_775_809.0));
    assert_eq!(value("-0").as_f64().map(f64::is_sign_negative), Some(true));
    assert_eq!(value("1.5e3"), json!(1500.0));
    assert_eq!(value(r#""\ud83d\ude00\u00e9\n\/\\\"""#), json!("😀é\n/\\\""));
    let members: Vec<String> = value(r#"{"b":1,"a":2,"b":3}"#).as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["b", "a"]);
}

#[test]
fn syntax_errors_say_what_and_where() {
    let cases: &[(&str, usize, &str)] = &[
        ("[1,]", 2, "trailing comma"),
        ("{\"a\":1 , }", 7, "trailing comma"),
        ("[,1]", 1, "no value"),
        ("{\"a\":}", 5, "no value"),
        ("{,}", 1, "no member name"),
        ("{a:1}", 1, "member name without quotes"),
        ("{'a':1}", 1, "string in single quotes"),
        ("['a']", 1, "string in single quotes"),
        ("{\"a\" 1}", 5, "no colon after a member name"),
        ("{\"a\":1 \"b\":2}", 7, "no comma or brace after a member"),
        ("[1 2]", 3, "no comma or bracket after an element"),
        ("[1}", 2, "array closed by a brace"),
        ("{\"a\":1]", 6, "object closed by a bracket"),
        ("{} x", 3, "text after the value"),
        ("1,", 1, "text after the value"),
        ("// x\n1", 0, "comment"),
        ("[1 /* x */]", 3, "comment"),
        ("NaN", 0, "NaN is no JSON value"),
        ("[nan]", 1, "NaN is no JSON value"),
        ("-NaN", 0, "NaN is no JSON value"),
        ("Infinity", 0, "infinity is no JSON value"),
        ("[-Infinity]", 1, "infinity is no JSON value"),
        ("True", 0, "unknown literal"),
        ("undefined", 0, "unknown literal"),
        ("trux", 0, "unknown literal"),
        ("01", 0, "number with a leading zero"),
        ("-012", 1, "number with a leading zero"),
        ("0x1F", 0, "hexadecimal number"),
        ("+1", 0, "number with a leading plus sign"),
        (".5", 0, "number without a digit before the decimal point"),
        ("1.e5", 2, "no digit after the decimal point"),
        ("1e+x", 3, "no digit in the exponent"),
        ("-x", 1, "no digit after the minus sign"),
        ("\"a\nb\"", 2, "raw control character in a string"),
        ("\"\u{0}\"", 1, "raw control character in a string"),
        (r#""a\x""#, 2, "unknown escape"),
        (r#""\u12g4""#, 5, "no hexadecimal digit in a \\u escape"),
        ("\u{0}", 0, "control character"),
        ("\u{a0}1", 0, "unexpected character"),
    ];
    for &(text, offset, reason) in cases {
        assert_eq!(error(text), (offset, reason, ErrorKind::Syntax), "{text}");
    }
}

#[test]
fn every_prefix_of_a_text_is_truncated() {
    let text = r#"{"a":[true,false,null,-1.5e+7,"x\u00e9\n"],"b":{"c":"é"}}"#;
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
        let (offset, reason, kind) = error(&text[..end]);
        assert_eq!((offset, kind), (end, ErrorKind::Truncated), "{reason}: {}", &text[..end]);
    }
    assert_eq!(error("").1, "empty text");
    assert_eq!(error(" ").1, "empty text");
}

#[test]
fn encoding_errors() {
    assert_eq!(error(b"\"a\xFFb\""), (2, "invalid UTF-8", ErrorKind::Encoding));
    assert_eq!(error(b"\"\xED\xA0\x80\""), (1, "invalid UTF-8", ErrorKind::Encoding));
    assert_eq!(error(b"{}\xC3"), (2, "invalid UTF-8", ErrorKind::Encoding));
    assert_eq!(error("\u{FEFF}{}"), (0, "byte order mark", ErrorKind::Encoding));
    assert_eq!(error(b"\xFF\xFE{\0}\0"), (0, "byte order mark of UTF-16", ErrorKind::Encoding));
    // The first error is the one that is told.
    assert_eq!(error(b"[1,] \xFF"), (2, "trailing comma", ErrorKind::Syntax));
}

#[test]
fn notes_are_taken() {
    assert_eq!(notes(r#"{"a":"\ud83d\ude00"}"#), Notes::default());
    let found = notes(r#"{"a":1,"x":[0,{"b/~":1,"b/~":2,"b/~":3}],"a":2,"":1,"":2}"#);
    assert_eq!(found.duplicate_members, ["/x/1/b~1~0", "/a", "/"]);
    assert_eq!(value(r#"{"a":1,"b":2,"\u0061":3}"#), json!({"a": 3, "b": 2}));
    assert_eq!(notes(r#"{"a":{"x":1,"x":2},"a":{"x":1,"x":2}}"#).duplicate_members, ["/a/x", "/a"]);
    for lone in
        [r#""\ud800""#, r#""\udc00""#, r#""\ud800\u0041""#, r#""\ud800\ud800\udc00""#, r#"{"\uDFFF":1}"#]
    {
        assert!(notes(lone).lone_surrogates, "{lone}");
    }
    assert_eq!(value(r#""\ud800\u0041""#), json!("\u{FFFD}A"));
    for (text, clamped) in [("1e400", f64::MAX), ("-1e400", f64::MIN)] {
        assert!(notes(text).numbers_out_of_range);
        assert_eq!(value(text), json!(clamped));
    }
    assert_eq!((value("1e-400"), notes("1e-400")), (json!(0.0), Notes::default()));
}

#[test]
fn duplicates_are_bounded() {
    let members: Vec<String> = (0..100).flat_map(|i| vec![format!("\"{i}\":0"); 3]).collect();
    let text = format!("{{{}}}", members.join(","));
    assert_eq!(notes(&text).duplicate_members.len(), MAX_DUPLICATES);
    // A million duplicates below a long name take no million copies of that name.
    let text = format!("{{\"{}\":{{{}\"a\":0}}}}", "n".repeat(1 << 20), "\"a\":0,".repeat(1 << 20));
    assert_eq!(notes(&text).duplicate_members.len(), 1);
}

#[test]
fn the_number_of_values_is_bounded() {
    let list = |values: usize| format!("[{}0]", "0,".repeat(values - 2));
    assert!(parse(list(MAX_VALUES).as_bytes()).is_ok());
    // The list itself is the last value to be complete.
    let over = list(MAX_VALUES + 1);
    assert_eq!(error(&over), (over.len(), "more than 200000 values", ErrorKind::TooLarge));
    assert_eq!(error(format!("[{}{{}}]", "[],".repeat(MAX_VALUES))).2, ErrorKind::TooLarge);
    // The syntax is looked at to the end.
    assert_eq!(error(list(MAX_VALUES + 1) + "x").2, ErrorKind::Syntax);
}

#[test]
fn depth_is_bounded_without_a_stack_overflow() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(error(nested(MAX_DEPTH + 1)), (MAX_DEPTH, "nested deeper than 512", ErrorKind::TooDeep));
    let deep = nested(100_000);
    assert_eq!(error(&deep).2, ErrorKind::TooDeep);
    assert_eq!(locate(&deep, &"/0".repeat(99_999)), Some(99_999..100_001));
    assert_eq!(elements(&deep).unwrap().first(), Some(&(1..deep.len() - 1)));
    // The syntax is looked at to the end.
    assert_eq!(error(deep.clone() + "x"), (200_000, "text after the value", ErrorKind::Syntax));
    assert_eq!(error("{\"a\":".repeat(100_000)).2, ErrorKind::Truncated);
    assert_eq!(error("[".repeat(1 << 24)).2, ErrorKind::Truncated);
}

#[test]
fn places() {
    let text = r#" {"id": 1.0 ,"a":[10, {"b" : "x"}],"m~n/o":-0, "": null, "\u0061\u0062":1e0} "#;
    let at = |pointer: &str| locate(text, pointer).map(|range| &text[range]);
    assert_eq!(at(""), Some(text.trim()));
    assert_eq!(at("/id"), Some("1.0"));
    assert_eq!(at("/a"), Some(r#"[10, {"b" : "x"}]"#));
    assert_eq!(at("/a/0"), Some("10"));
    assert_eq!(at("/a/1/b"), Some(r#""x""#));
    assert_eq!(at("/m~0n~1o"), Some("-0"));
    assert_eq!(at("/"), Some("null"));
    assert_eq!(at("/ab"), Some("1e0"));
    for none in [
        "/b", "/a/2", "/a/00", "/a/01", "/a/-", "/a/", "/a/0/0", "id", "/id/", "/a/1/b/c", "/m~n", "/~2",
        "/a~",
    ] {
        assert_eq!(at(none), None, "{none}");
    }
    assert_eq!(locate("[1,", "/0"), None);
}

#[test]
fn of_duplicates_the_last_one_is_located() {
    let text = r#"{"a":{"b":1},"a":{"c":[2,3]},"\u0061":{"c":[4],"d":{"a":{"b":7}}}}"#;
    let at = |pointer: &str| locate(text, pointer).map(|range| &text[range]);
    assert_eq!(at("/a/b"), None);
    assert_eq!(at("/a/c/0"), Some("4"));
    assert_eq!(at("/a/c/1"), None);
    assert_eq!(at("/a/d/a/b"), Some("7"));
    assert_eq!(locate(r#"{"a":[1],"a":2}"#, "/a/0"), None);
    assert_eq!(locate(r#"{"a":2,"a":[1]}"#, "/a/0"), Some(12..13));
}

#[test]
fn elements_of_a_batch() {
    let text = r#" [ {"id":1}, [2] ,3 ] "#;
    let parts: Vec<&str> = elements(text).unwrap().into_iter().map(|range| &text[range]).collect();
    assert_eq!(parts, [r#"{"id":1}"#, "[2]", "3"]);
    assert_eq!(elements("[]"), Some(Vec::new()));
    assert_eq!(elements("{\"a\":[1]}"), None);
    assert_eq!(elements("3"), None);
    assert_eq!(elements("[3"), None);
}
