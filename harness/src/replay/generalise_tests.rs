use super::*;
use crate::transcript::whole;
use proptest::prelude::*;

fn pattern(texts: &[&str]) -> String {
    let pattern = pattern_of(texts.iter().copied()).unwrap();
    for text in texts {
        assert!(whole(&pattern).unwrap().is_match(text), "{pattern} on {text}");
    }
    pattern
}

fn fits(texts: &[&str], other: &str) -> bool {
    whole(&pattern(texts)).unwrap().is_match(other)
}

#[test]
fn what_stays_is_kept_and_what_varies_keeps_its_kind() {
    let times =
        ["at 2026-11-23T10:00:00.123Z ok", "at 2026-11-23T10:00:05Z ok", "at 2026-11-23T10:01:00.5+01:00 ok"];
    assert!(fits(&times, "at 2030-01-01T00:00:00Z ok"));
    assert!(!fits(&times, "at 2030-01-01T00:00:00Z no") && !fits(&times, "at noon ok"));
    let ids = ["id 6f9619ff-8b86-4011-b42d-00c04fc964ff", "id 7f9619ff-8b86-4011-b42d-00c04fc964f0"];
    assert!(fits(&ids, "id 00000000-0000-4000-8000-000000000000") && !fits(&ids, "id 12"));
    let took = ["took 12ms", "took 9ms", "took 1.5ms"];
    assert!(fits(&took, "took 100.25ms") && !fits(&took, "took 12s") && !fits(&took, "took long"));
    let hex = ["x-0a1b2c3d4e", "x-99ffaa0011"];
    assert!(fits(&hex, "x-deadbeef01") && !fits(&hex, "x-deadbeef") && !fits(&hex, "x-zzzzzzzz01"));
    assert!(fits(&["sunny", "cloudy"], "light rain") && !fits(&["sunny", "cloudy"], "a\nb"));
}

#[test]
fn numbers_beside_one_that_varies_vary_with_it() {
    let clock = ["[11/23/26 08:10:35] up", "[11/23/26 08:10:41] up"];
    assert!(fits(&clock, "[12/01/26 23:59:00] up"));
    assert!(!fits(&clock, "[12/01/26 23:59:00] down"));
}

#[test]
fn a_json_text_keeps_its_structure() {
    let texts = [
        "{\n  \"pid\": 4711,\n  \"load\": [0.5, 1.25],\n  \"host\": \"a\"\n}",
        "{\n  \"pid\": 99,\n  \"load\": [1, 2.75],\n  \"host\": \"a\"\n}",
    ];
    assert!(fits(&texts, "{\n  \"pid\": 1,\n  \"load\": [0.1, 7],\n  \"host\": \"a\"\n}"));
    assert!(!fits(&texts, "{\n  \"pid\": 1,\n  \"load\": [0.1, 7],\n  \"host\": \"b\"\n}"));
    assert!(!fits(&texts, "{\n  \"pid\": \"x\",\n  \"load\": [0.1, 7],\n  \"host\": \"a\"\n}"));
}

#[test]
fn very_long_texts_keep_their_ends() {
    let text = |middle: &str| format!("begin {middle} end");
    let ends = ends_of([text("a"), text("bb")].iter().map(String::as_str));
    assert_eq!(ends, r"begin [\s\S]* end");
    assert!(whole(&ends).unwrap().is_match(&text("anything\nelse")));
    assert_eq!(ends_of(["aa", "aaa"].into_iter()), r"aa[\s\S]*");
}

proptest! {
    #[test]
    fn every_text_fits_its_pattern(texts in prop::collection::vec("[abe1 .:/+=_\n-]{0,24}|[a1]{7,9}|[a1/+=]{16}", 1..5)) {
        let pattern = pattern_of(texts.iter().map(String::as_str)).unwrap();
        let pattern = whole(&pattern).unwrap();
        for text in &texts {
            prop_assert!(pattern.is_match(text), "{} on {text:?}", pattern.as_str());
        }
    }

    #[test]
    fn one_text_is_its_own_pattern(text in "\\PC{0,40}", other in "\\PC{0,40}") {
        let pattern = whole(&pattern_of(std::iter::once(text.as_str())).unwrap()).unwrap();
        prop_assert_eq!(pattern.is_match(&other), text == other);
    }
}

#[test]
fn numbers_in_an_id_vary_with_it() {
    let ids = ["run 5-3cda5e9cd6787fe1.1 of 3", "run 5-f62c0f92b6c48c24.1 of 3"];
    assert!(fits(&ids, "run 17-faf7313d38b10c9c.2 of 3"));
    assert!(!fits(&ids, "run 5-faf7313d38b10c9c.1 of 4"));
}

#[test]
fn long_ids_may_have_the_other_signs_of_base64() {
    let ids = ["AwAAAAKnZyXOHnlojgUvC6IV20DH", "AwAAAAJ5yaoMEdTexMdZZxL7MICU"];
    assert!(fits(&ids, "AwAAAAJ5yaoMEdTe-MdZZxL7MI_U") && !fits(&ids, "AwAAAAJ5yaoMEdTe"));
}
