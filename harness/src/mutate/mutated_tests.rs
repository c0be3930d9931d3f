//! Messages with changes on all levels.

use super::bytes::ByteMutation;
use super::dictionary::Dictionary;
use super::harmless::adds_no_real_host;
use super::http::HttpMutation;
use super::json::{JsonChange, JsonMutation};
use super::mutated::{Ground, Mutated};
use super::mutation::{Bounds, Mutation};
use crate::generate::{Bytes, Seeded};
use crate::protocol::{Era, Transport};
use crate::wire::Taint;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn message() -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {
        "name": "fetch", "arguments": {"url": "http://127.0.0.1:8080/a", "host": "192.0.2.17", "n": 3}}})
}

fn ground(dictionary: &Dictionary) -> Ground<'_> {
    let bounds = Bounds { bytes: 4000, depth: 100 };
    Ground { transport: Transport::Http, era: Era::Modern, bounds, most: 4, dictionary }
}

#[test]
fn all_levels_are_drawn_none_names_a_host_and_all_can_be_kept() {
    let words = Dictionary::parse("\"https://github.com/\"\n\"8.8.8.8\"\n\"word\"\n").unwrap();
    let (mut kinds, mut most, mut untouched) = (BTreeSet::new(), 0, 0);
    let before = message().to_string();
    for seed in 0..4000 {
        let drawn = Mutated::draw(message(), ground(&words), &mut Seeded::new(seed));
        let body = drawn.body().expect("what is drawn can be made");
        assert!(adds_no_real_host(before.as_bytes(), &body), "{drawn}");
        assert!(body.len() < before.len() + 5 * 4100, "{drawn}");
        let outgoing = drawn.outgoing("a fuzzer").expect("what is drawn can be sent");
        assert_eq!(outgoing.body, body);
        kinds.extend(drawn.mutations.iter().map(Mutation::name));
        most = most.max(drawn.mutations.len());
        untouched += u32::from(drawn.mutations.is_empty());
        let written = serde_json::to_string(&drawn).unwrap();
        assert_eq!(serde_json::from_str::<Mutated>(&written).unwrap(), drawn);
        assert_eq!(drawn, Mutated::draw(message(), ground(&words), &mut Seeded::new(seed)));
    }
    assert_eq!(kinds.len(), 14 + 15 + 12, "{kinds:?}");
    assert!(most == 4 && untouched < 10, "{most}, {untouched}");
}

proptest! {
    #[test]
    fn any_bytes_draw_something_that_can_be_sent(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let words = Dictionary::default();
        let drawn = Mutated::draw(message(), ground(&words), &mut Bytes::new(&bytes));
        prop_assert!(drawn.outgoing("a fuzzer").is_some(), "{}", drawn);
    }
}

fn with(mutations: Vec<Mutation>) -> Mutated {
    Mutated { message: message(), mutations }
}

fn at(place: &str, change: JsonChange) -> Mutation {
    Mutation::Json(JsonMutation { place: place.to_owned(), change })
}

#[test]
fn headers_mirror_the_changed_body() {
    let other = at("/params/name", JsonChange::PrototypeName { name: "constructor".to_owned() });
    let outgoing = with(vec![other.clone()]).outgoing("x").unwrap();
    assert_eq!(outgoing.name.as_deref(), Some("constructor"));
    assert!(outgoing.id.is_some());
    assert_eq!(outgoing.deliberate.unwrap().taints, Taint::Message);
    // What cannot be read leaves them as they were, and has no id to wait for.
    let outgoing =
        with(vec![other, Mutation::Bytes(ByteMutation::Truncated { lost: 1 })]).outgoing("x").unwrap();
    assert_eq!((outgoing.name.as_deref(), outgoing.id), (Some("fetch"), None));
    let outgoing = with(vec![at("/id", JsonChange::MissingMember)]).outgoing("x").unwrap();
    assert_eq!(outgoing.id, None);
    assert_eq!(with(Vec::new()).outgoing("x").unwrap().deliberate.unwrap().taints, Taint::Nothing);
}

/// What a server that fails like this leaves of a case.
fn simplest(case: &Mutated, fails: impl Fn(&Mutated) -> bool) -> Mutated {
    assert!(fails(case), "{case}");
    let allows = |message: &Value| message["params"]["name"].is_string();
    let search = pin!(case.simplest(allows, async |case: &Mutated| fails(case)));
    let Poll::Ready(small) = search.poll(&mut Context::from_waker(Waker::noop())) else {
        unreachable!("nothing here waits")
    };
    assert!(fails(&small) && small.outgoing("x").is_some(), "{small}");
    small
}

#[test]
fn only_the_change_that_matters_is_left_and_as_small_as_can_be() {
    let case = with(vec![
        at("/params/arguments/n", JsonChange::NullValue),
        at("/params/arguments", JsonChange::Deep { levels: 3000, objects: false }),
        Mutation::Bytes(ByteMutation::TrailingSpace { space: "\t".to_owned() }),
        Mutation::Http(HttpMutation::Pieces { pieces: 7, pause: 40 }),
    ]);
    let deep =
        |case: &Mutated| case.body().is_some_and(|body| memchr::memchr_iter(b'[', &body).count() >= 17);
    let small = simplest(&case, deep);
    assert_eq!(small.mutations, [at("/params/arguments", JsonChange::Deep { levels: 17, objects: false })]);
    let params = json!({"name": "", "arguments": {}});
    assert_eq!(small.message, json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}));
}

#[test]
fn changes_of_bytes_and_requests_become_small_too() {
    let case = with(vec![
        Mutation::Bytes(ByteMutation::Nul { at: 90 }),
        Mutation::Http(HttpMutation::Chunked { chunks: 9 }),
    ]);
    let small = simplest(&case, |case| case.body().is_some_and(|body| body.contains(&0)));
    assert_eq!(small.mutations, [Mutation::Bytes(ByteMutation::Nul { at: 0 })]);
    let small = simplest(&case, |case| {
        case.outgoing("x").is_some_and(|sent| sent.http.chunked && sent.pieces.len() > 2)
    });
    assert_eq!(small.mutations, [Mutation::Http(HttpMutation::Chunked { chunks: 3 })]);
}
