//! Programs are what a client may do, drawn or shrunk.

use super::offered::{Listing, Offered};
use super::program::{Act, Action, Filter, Program, Step};
use super::program_draw::program;
use super::program_rules::Refusal;
use crate::generate::{Bytes, Seeded};
use crate::protocol::schema::{Checked, Party, check_request};
use crate::protocol::{Era, Revision};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn offered(revision: Revision) -> Offered {
    let keyed = json!({"type": "object", "properties": {"key": {"type": "string"}, "n": {"type": "integer"}}, "required": ["key"]});
    let tools = ["put", "get"].map(|name| json!({"name": name, "inputSchema": keyed}));
    let prompts =
        [json!({"name": "greet", "arguments": [{"name": "who", "required": true}, {"name": "how"}]})];
    let resources = [json!({"uri": "note://a", "name": "a"}), json!({"uri": "note://b", "name": "b"})];
    let capabilities = json!({
        "tools": {"listChanged": true}, "prompts": {}, "resources": {"subscribe": true, "listChanged": true},
    });
    Offered::new(revision, &capabilities, &tools, &prompts, &resources).unwrap()
}

fn kind(act: &Act) -> String {
    let written = serde_json::to_value(act).unwrap();
    written["do"].as_str().unwrap().to_owned()
}

#[test]
fn every_kind_is_drawn_in_its_era_and_every_program_is_valid() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let offered = offered(revision);
        let (mut kinds, mut together, mut pages, mut longest) = (BTreeSet::new(), BTreeSet::new(), 0, 0);
        for seed in 0..1500 {
            let drawn = program(&offered, 24, &mut Seeded::new(seed));
            assert_eq!(drawn.check(&offered), Ok(()), "seed {seed}\n{drawn}");
            assert_eq!(drawn.repaired(&offered), drawn);
            longest = longest.max(drawn.acts().count());
            for step in &drawn.steps {
                kinds.extend(step.acts().iter().map(kind));
                if let Step::Together(acts) = step {
                    together.extend(acts.iter().map(kind));
                }
            }
            pages +=
                drawn.acts().filter(|act| matches!(act.action, Action::List { after: Some(_), .. })).count();
            let written = serde_json::to_string(&drawn).unwrap();
            assert_eq!(serde_json::from_str::<Program>(&written).unwrap(), drawn);
            assert!(drawn.to_string().lines().count() >= drawn.steps.len());
        }
        let own = if revision.era() == Era::Legacy { "subscribe" } else { "listen" };
        let wanted = [
            "ping",
            "call",
            "read",
            "get",
            "list",
            own,
            "unsubscribe",
            "cancel",
            "retry",
            "disconnect",
            "reconnect",
        ];
        assert_eq!(kinds, wanted.map(str::to_owned).into());
        assert_eq!(together, wanted[..10].iter().map(|kind| (*kind).to_owned()).collect());
        assert!(pages > 100 && longest == 24, "{pages} further pages, {longest} acts");
    }
}

/// Whatever is drawn as a request fits its type once it has what every request of the era has.
#[test]
fn requests_fit_their_types() {
    for revision in Revision::ALL {
        let offered = offered(revision);
        for seed in 0..100 {
            let drawn = program(&offered, 20, &mut Seeded::new(seed));
            for act in drawn.acts() {
                let Some((method, mut params)) = drawn.request(act.id, revision.era(), Some("next")) else {
                    let ends =
                        matches!(act.action, Action::Unsubscribe { .. } if revision.era() == Era::Modern);
                    let others =
                        matches!(act.action, Action::Cancel { .. } | Action::Disconnect | Action::Reconnect);
                    assert!(ends || others, "{}", act.action);
                    continue;
                };
                if revision.era() == Era::Modern {
                    params = crate::client::with_meta(params, revision.as_str());
                }
                let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
                assert_eq!(check_request(revision, Party::Client, &request), Checked::Valid, "{request}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_draw_a_valid_program(bytes in prop::collection::vec(any::<u8>(), 0..200), most in 0..40_usize) {
        let offered = offered(Revision::V2025_11_25);
        let drawn = program(&offered, most, &mut Bytes::new(&bytes));
        prop_assert_eq!(drawn.check(&offered), Ok(()));
        prop_assert!(drawn.acts().count() <= most.max(1));
    }

    /// Whatever is taken out of a program, what is left can be repaired by leaving more out.
    #[test]
    fn what_is_repaired_is_valid(seed: u64, gaps: u64) {
        let offered = offered(Revision::V2026_07_28);
        let mut drawn = program(&offered, 40, &mut Seeded::new(seed));
        for (index, step) in drawn.steps.iter_mut().enumerate() {
            if let Step::Together(acts) = step {
                acts.retain(|act| (gaps >> (act.id % 64)) & 1 == 0);
            } else if (gaps >> (index % 64)) & 1 == 1 {
                *step = Step::Together(Vec::new());
            }
        }
        prop_assert_eq!(drawn.repaired(&offered).check(&offered), Ok(()));
    }
}

fn one(id: u32, action: Action) -> Step {
    Step::One(Act { id, action })
}

fn call(tool: &str, arguments: Value) -> Action {
    Action::Call { tool: tool.to_owned(), arguments }
}

#[test]
fn what_may_not_be_done_is_told() {
    let legacy = offered(Revision::V2025_11_25);
    let put = || call("put", json!({"key": "a"}));
    let subscribe = || Action::Subscribe { uri: "note://a".to_owned() };
    let next = |after| Action::List { list: Listing::Tools, after: Some(after) };
    let filter = Filter { tools: true, ..Filter::default() };
    let group = |actions: Vec<Action>| {
        Step::Together((10..).zip(actions).map(|(id, action)| Act { id, action }).collect())
    };
    for (steps, refusal) in [
        (vec![one(1, put()), one(1, put())], Refusal::Twice(1)),
        (vec![one(1, Action::Cancel { of: 2 }), one(2, put())], Refusal::Reference(1, 2)),
        (vec![one(1, Action::Retry { of: 1 })], Refusal::Reference(1, 1)),
        (vec![one(1, subscribe()), one(2, Action::Retry { of: 1 })], Refusal::Reference(2, 1)),
        (vec![one(1, call("gone", json!({})))], Refusal::NotOffered(1)),
        (vec![one(1, call("put", json!({})))], Refusal::Arguments(1)),
        (vec![one(1, call("put", json!([])))], Refusal::Arguments(1)),
        (vec![one(1, Action::Read { uri: "note://c".to_owned() })], Refusal::NotOffered(1)),
        (vec![one(1, Action::Listen { filter: filter.clone() })], Refusal::NotOffered(1)),
        (vec![one(1, Action::Disconnect), one(2, put())], Refusal::Closed(2)),
        (vec![one(1, Action::Reconnect)], Refusal::Open(1)),
        (
            vec![
                one(1, put()),
                one(2, Action::Disconnect),
                one(3, Action::Reconnect),
                one(4, Action::Cancel { of: 1 }),
            ],
            Refusal::Reference(4, 1),
        ),
        (
            vec![
                one(1, subscribe()),
                one(2, Action::Unsubscribe { of: 1 }),
                one(3, Action::Unsubscribe { of: 1 }),
            ],
            Refusal::Reference(3, 1),
        ),
        (
            vec![one(1, Action::List { list: Listing::Prompts, after: None }), one(2, next(1))],
            Refusal::Reference(2, 1),
        ),
        (
            vec![group(vec![Action::List { list: Listing::Tools, after: None }, next(10)])],
            Refusal::Reference(11, 10),
        ),
        (vec![group(vec![Action::Disconnect, put()])], Refusal::InGroup(10)),
        (vec![one(1, Action::Disconnect), group(vec![Action::Reconnect, put()])], Refusal::InGroup(10)),
        (vec![group(vec![put()])], Refusal::NoGroup),
    ] {
        let program = Program { steps };
        assert_eq!(program.check(&legacy), Err(refusal.clone()), "{refusal}\n{program}");
        assert_eq!(program.repaired(&legacy).check(&legacy), Ok(()));
    }
    let modern = offered(Revision::V2026_07_28);
    let check = |action: Action| Program { steps: vec![one(1, action)] }.check(&modern);
    assert_eq!(check(Action::Listen { filter }), Ok(()));
    assert_eq!(check(Action::Listen { filter: Filter::default() }), Err(Refusal::NotOffered(1)));
    assert_eq!(check(subscribe()), Err(Refusal::NotOffered(1)));
    // Sent again after the connection was closed: that is allowed.
    let again = vec![
        one(1, put()),
        one(2, Action::Disconnect),
        one(3, Action::Reconnect),
        one(4, Action::Retry { of: 1 }),
    ];
    assert_eq!(Program { steps: again }.check(&legacy), Ok(()));
}

/// The simplest program that fails, of the first one drawn that does.
fn simplest(offered: &Offered, fails: impl Fn(&Program) -> bool) -> Program {
    let drawn = (0..5000).map(|seed| program(offered, 40, &mut Seeded::new(seed)));
    let first = drawn.into_iter().find(|program| program.acts().count() > 25 && fails(program)).unwrap();
    let search = pin!(first.simplest(offered, async |program: &Program| {
        assert_eq!(program.check(offered), Ok(()), "{program}");
        fails(program)
    }));
    let Poll::Ready(small) = search.poll(&mut Context::from_waker(Waker::noop())) else {
        unreachable!("nothing here waits")
    };
    assert!(fails(&small));
    small
}

/// A server that forgets who cancelled what when the connection is closed: what is sent again is never answered.
#[test]
fn a_retry_over_a_new_connection_keeps_its_request() {
    let offered = offered(Revision::V2025_11_25);
    let small = simplest(&offered, |program| {
        let mut closed = BTreeSet::new();
        let mut before = BTreeSet::new();
        program.acts().any(|act| {
            match &act.action {
                Action::Disconnect => closed.append(&mut before),
                Action::Call { .. } => drop(before.insert(act.id)),
                _ => {}
            }
            matches!(act.action, Action::Retry { of } if closed.contains(&of))
        })
    });
    let kinds: Vec<String> = small.acts().map(kind).collect();
    assert_eq!(kinds, ["call", "disconnect", "reconnect", "retry"], "{small}");
    let Action::Call { arguments, .. } = &small.acts().next().unwrap().action else { panic!("{small}") };
    assert_eq!(*arguments, json!({"key": ""}));
}

/// Three calls at once break it; one after the other they do not.
#[test]
fn a_group_stays_a_group_where_it_matters() {
    let offered = offered(Revision::V2026_07_28);
    let calls = |acts: &[Act]| acts.iter().filter(|act| kind(act) == "call").count();
    let small = simplest(&offered, |program| program.steps.iter().any(|step| calls(step.acts()) >= 3));
    let [Step::Together(acts)] = &small.steps[..] else { panic!("{small}") };
    assert_eq!((acts.len(), calls(acts)), (3, 3));
    // Where it does not matter, it is taken apart.
    let small = simplest(&offered, |program| program.acts().filter(|act| kind(act) == "read").count() >= 3);
    assert!(small.steps.len() == 3 && small.steps.iter().all(|step| matches!(step, Step::One(_))), "{small}");
}

/// Arguments become simple, and stay valid: a bound is found to the digit.
#[test]
fn arguments_become_simple() {
    let offered = offered(Revision::V2025_11_25);
    let small = simplest(&offered, |program| {
        program.acts().any(
            |act| matches!(&act.action, Action::Call { arguments, .. } if arguments["n"].as_i64() > Some(40)),
        )
    });
    let Action::Call { arguments, .. } = &small.acts().next().unwrap().action else { panic!("{small}") };
    assert_eq!((small.acts().count(), arguments), (1, &json!({"key": "", "n": 41})));
}

#[test]
fn what_is_nothing_to_offer_is_a_ping() {
    let none = Offered::new(Revision::V2025_11_25, &json!({}), &[], &[], &[]).unwrap();
    let drawn = program(&none, 30, &mut Seeded::new(5));
    assert_eq!(drawn.check(&none), Ok(()));
    assert!(drawn.acts().all(|act| !matches!(kind(act).as_str(), "call" | "read" | "get" | "list")));
    assert!(Offered::new(Revision::V2025_11_25, &json!({}), &[json!({})], &[], &[]).is_err());
}
