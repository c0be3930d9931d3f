//! Every change of an HTTP request is what its name says.

use super::http::HttpMutation;
use super::mutation::{Bounds, LARGEST};
use crate::client::Outgoing;
use crate::generate::{Seeded, names_no_real_host};
use crate::protocol::Era;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn message(era: Era) -> Value {
    let mut message = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "echo", "arguments": {}}});
    if era == Era::Modern {
        message["params"]["_meta"] = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});
    }
    message
}

fn is_as_it_says(before: &Outgoing, mutation: &HttpMutation, after: &Outgoing) {
    let http = &after.http;
    assert!(http.fresh_connection);
    assert_eq!(after.body, before.body);
    let added = |header: &str| {
        let found = http.add.iter().find(|(name, _)| name == header);
        found.map_or_else(|| panic!("{mutation}"), |(_, value)| value.as_str())
    };
    let removed = |header: &str| http.remove.iter().any(|name| name == header);
    match mutation {
        HttpMutation::OtherMethod { method } => assert_eq!(http.method.as_ref(), Some(method)),
        HttpMutation::MissingHeader { header } => assert!(removed(header) && http.add.is_empty()),
        HttpMutation::RepeatedHeader { header, value } => {
            assert!(added(header) == value && http.remove.is_empty());
        }
        HttpMutation::OtherHeader { header, value } => assert!(added(header) == value && removed(header)),
        HttpMutation::EmptyHeader { header } => assert!(added(header).is_empty() && removed(header)),
        HttpMutation::LongHeader { header, length } => {
            assert!(added(header).len() == *length && removed(header));
        }
        HttpMutation::ContentType { value } => assert_eq!(added("Content-Type"), value),
        HttpMutation::Accept { value } => assert_eq!(added("Accept"), value),
        HttpMutation::ContentEncoding { value } => assert_eq!(added("Content-Encoding"), value),
        HttpMutation::Chunked { chunks: count } | HttpMutation::Pieces { pieces: count, .. } => {
            let whole: Vec<u8> = after.pieces.iter().flat_map(|(piece, _)| piece.to_vec()).collect();
            assert_eq!(whole, before.body);
            assert!(after.pieces.len() <= *count && after.pieces.iter().all(|(piece, _)| !piece.is_empty()));
            assert_eq!(http.chunked, matches!(mutation, HttpMutation::Chunked { .. }));
        }
        HttpMutation::Mismatch { header, value } => {
            let said = match header.as_str() {
                "Mcp-Method" => "tools/call",
                "Mcp-Name" => "echo",
                _ => "2026-07-28",
            };
            assert!(added(header) == value && removed(header) && value != said);
        }
    }
}

#[test]
fn every_kind_is_drawn_and_is_what_its_name_says() {
    for (era, wanted) in [(Era::Legacy, 11), (Era::Modern, 12)] {
        let before = Outgoing::message(&message(era));
        let mut kinds = BTreeSet::new();
        for seed in 0..2000 {
            let bounds = Bounds { bytes: 5000, depth: 10 };
            let mutation = HttpMutation::draw(&before, era, bounds, &mut Seeded::new(seed));
            // A value that is drawn may be the one that the header has.
            let Some(after) = mutation.apply(&before) else {
                assert!(matches!(mutation, HttpMutation::Mismatch { .. }), "{mutation}");
                continue;
            };
            is_as_it_says(&before, &mutation, &after);
            for (name, value) in &after.http.add {
                assert!(names_no_real_host(value) && value.len() <= 5000, "{name}: {value}");
            }
            kinds.insert(mutation.name());
            let sentence = mutation.to_string();
            assert!(sentence.chars().count() < 200 && !sentence.contains('\n'), "{sentence}");
            let written = serde_json::to_value(&mutation).unwrap();
            assert_eq!(written["change"], mutation.name());
            assert_eq!(serde_json::from_value::<HttpMutation>(written).unwrap(), mutation);
        }
        assert_eq!(kinds.len(), wanted, "{kinds:?}");
    }
}

#[test]
fn what_would_be_another_request_is_not_made() {
    let before = Outgoing::message(&message(Era::Modern));
    let owned = str::to_owned;
    for mutation in [
        HttpMutation::OtherMethod { method: owned("POST") },
        HttpMutation::OtherMethod { method: owned("GET /x") },
        HttpMutation::OtherHeader { header: owned("X\r\nY"), value: owned("1") },
        HttpMutation::OtherHeader { header: owned("X"), value: owned("1\r\nY: 2") },
        HttpMutation::OtherHeader { header: owned("Origin"), value: owned("https://github.com") },
        HttpMutation::LongHeader { header: owned("X"), length: LARGEST + 1 },
        HttpMutation::Chunked { chunks: 0 },
        HttpMutation::Pieces { pieces: 2, pause: 60_000 },
        HttpMutation::Mismatch { header: owned("Mcp-Name"), value: owned("echo") },
        HttpMutation::Mismatch { header: owned("Accept"), value: owned("echo") },
    ] {
        assert!(mutation.apply(&before).is_none(), "{mutation}");
    }
}

#[test]
fn changes_can_be_made_on_top_of_each_other() {
    let before = Outgoing::message(&message(Era::Legacy));
    let first = HttpMutation::ContentType { value: "text/plain".to_owned() };
    let second = HttpMutation::Chunked { chunks: 3 };
    let after = second.apply(&first.apply(&before).unwrap()).unwrap();
    assert!(after.http.chunked && after.pieces.len() == 3);
    assert_eq!(after.http.add, [("Content-Type".to_owned(), "text/plain".to_owned())]);
}
