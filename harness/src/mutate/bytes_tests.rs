//! Every change of bytes is what its name says, and stays within bounds.

use super::bytes::ByteMutation;
use super::dictionary::Dictionary;
use crate::generate::Seeded;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn is_as_it_says(before: &[u8], mutation: &ByteMutation, after: &[u8]) {
    let (was, is) = (before.len(), after.len());
    let count = |bytes: &[u8], wanted: u8| memchr::memchr_iter(wanted, bytes).count();
    let one_more = |byte: u8| {
        assert_eq!((is, count(after, byte)), (was + 1, count(before, byte) + 1));
    };
    match mutation {
        ByteMutation::Truncated { lost } => {
            assert_eq!(is, was.saturating_sub(*lost));
            assert!(before.starts_with(after));
        }
        ByteMutation::InvalidUtf8 { bytes, .. } => {
            assert!(std::str::from_utf8(after).is_err());
            assert_eq!(is, was + bytes.len());
        }
        ByteMutation::Nul { .. } => one_more(0),
        ByteMutation::ByteOrderMark => assert_eq!(after, [b"\xEF\xBB\xBF", before].concat()),
        ByteMutation::Utf16 => {
            let units = after.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
            let text = String::from_utf16(&units.collect::<Vec<_>>()).unwrap();
            assert_eq!(text.strip_prefix('\u{FEFF}').unwrap().as_bytes(), before);
        }
        ByteMutation::CrLf => assert_eq!(after, [before, b"\r"].concat()),
        ByteMutation::Cr { .. } => one_more(b'\r'),
        ByteMutation::JoinedLines { other } => {
            assert_eq!(after, [before, other.as_bytes()].concat());
            assert_eq!(count(after, b'\n'), count(before, b'\n'));
        }
        ByteMutation::SplitLine { .. } => one_more(b'\n'),
        ByteMutation::InsertedByte { byte, .. } => one_more(*byte),
        ByteMutation::RemovedByte { .. } => assert_eq!(is + 1, was),
        ByteMutation::FlippedBit { .. } => {
            let bits = before.iter().zip(after).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>();
            assert_eq!((is, bits), (was, 1));
        }
        ByteMutation::LeadingSpace { space } => assert_eq!(after, [space.as_bytes(), before].concat()),
        ByteMutation::TrailingSpace { space } => assert_eq!(after, [before, space.as_bytes()].concat()),
        ByteMutation::InsertedWord { bytes, .. } => {
            assert_eq!(is, was + bytes.len());
            assert!(after.windows(bytes.len()).any(|window| window == bytes));
        }
    }
}

#[test]
fn every_kind_is_drawn_and_can_be_written() {
    let words = Dictionary::parse("\"word\"\n\"\\xff\\x00\"\n").unwrap();
    let message = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let mut kinds = BTreeSet::new();
    for seed in 0..1000 {
        let mutation = ByteMutation::draw(message, &words, &mut Seeded::new(seed)).unwrap();
        is_as_it_says(message, &mutation, &mutation.apply(message).unwrap());
        kinds.insert(mutation.name());
        let sentence = mutation.to_string();
        assert!(sentence.chars().count() < 200 && !sentence.contains('\n'), "{sentence}");
        let written = serde_json::to_value(&mutation).unwrap();
        assert_eq!(written["change"], mutation.name());
        assert_eq!(serde_json::from_value::<ByteMutation>(written).unwrap(), mutation);
    }
    assert_eq!(kinds.len(), 15, "{kinds:?}");
}

proptest! {
    #[test]
    fn any_bytes_can_be_changed(bytes in prop::collection::vec(any::<u8>(), 1..60), seed: u64) {
        let drawn = ByteMutation::draw(&bytes, &Dictionary::default(), &mut Seeded::new(seed)).unwrap();
        // What is no text cannot be written in UTF-16, and bytes that make it none may make one of it.
        match drawn.apply(&bytes) {
            Some(after) => is_as_it_says(&bytes, &drawn, &after),
            None => prop_assert!(std::str::from_utf8(&bytes).is_err(), "{drawn}"),
        }
    }

    /// A change that was drawn for a longer message is made at the end of a shorter one.
    #[test]
    fn places_beyond_the_end_are_at_the_end(long in "[a-z]{40,60}", short in "[a-z]{1,10}", seed: u64) {
        let drawn = ByteMutation::draw(long.as_bytes(), &Dictionary::default(), &mut Seeded::new(seed)).unwrap();
        let after = drawn.apply(short.as_bytes()).unwrap();
        is_as_it_says(short.as_bytes(), &drawn, &after);
    }
}

#[test]
fn nothing_is_made_of_nothing() {
    assert_eq!(ByteMutation::draw(b"", &Dictionary::default(), &mut Seeded::new(1)), None);
    for mutation in [
        ByteMutation::Truncated { lost: 1 },
        ByteMutation::RemovedByte { at: 0 },
        ByteMutation::FlippedBit { at: 0, bit: 0 },
        ByteMutation::InvalidUtf8 { at: 0, bytes: b"plain".to_vec() },
        ByteMutation::JoinedLines { other: "a\nb".to_owned() },
    ] {
        assert_eq!(mutation.apply(b""), None, "{mutation}");
    }
    assert_eq!(ByteMutation::FlippedBit { at: 0, bit: 8 }.apply(b"a"), None);
    assert_eq!(ByteMutation::LeadingSpace { space: "x".to_owned() }.apply(b"a"), None);
}
