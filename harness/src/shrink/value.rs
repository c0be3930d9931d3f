//! Simpler JSON.

use super::fewer::fewer;
use super::{number, text};
use serde_json::Value;

/// A place in a JSON value: the names and indices that lead to it.
pub type Place = [Step];

/// One step into a JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Into the member of this name.
    Member(String),
    /// Into the element of this index.
    Element(usize),
}

/// The simplest value that still fails: without the members and elements that are not needed, then with shorter texts,
/// numbers nearer to 0, and `false` for `true`. What `fixed` names is neither left out nor changed; what is within it
/// may be. `fails` must hold for `value` itself.
pub async fn simpler(
    value: &Value,
    fixed: impl Fn(&Place) -> bool,
    mut fails: impl AsyncFnMut(&Value) -> bool,
) -> Value {
    let mut value = value.clone();
    // First what can be left out, from the outside to the inside; then what the leaves are.
    for leaves in [false, true] {
        let mut places: Vec<Vec<Step>> = vec![Vec::new()];
        while let Some(place) = places.pop() {
            let here = at(&value, &place).clone();
            match &here {
                Value::Object(members) if !leaves => {
                    let (kept, free): (Vec<_>, Vec<_>) = members
                        .iter()
                        .partition(|(name, _)| fixed(&with(&place, Step::Member((*name).clone()))));
                    let needed = fewer(free.len(), async |chosen: &[usize]| {
                        let chosen: Vec<_> = chosen.iter().map(|at| free[*at]).collect();
                        fails(&replaced(&value, &place, object(members, &kept, &chosen))).await
                    })
                    .await;
                    let needed: Vec<_> = needed.iter().map(|at| free[*at]).collect();
                    value = replaced(&value, &place, object(members, &kept, &needed));
                }
                Value::Array(elements) if !leaves => {
                    let needed = fewer(elements.len(), async |chosen: &[usize]| {
                        let chosen = chosen.iter().map(|at| elements[*at].clone()).collect();
                        fails(&replaced(&value, &place, Value::Array(chosen))).await
                    })
                    .await;
                    let needed = needed.iter().map(|at| elements[*at].clone()).collect();
                    value = replaced(&value, &place, Value::Array(needed));
                }
                Value::Object(_) | Value::Array(_) | Value::Null => {}
                _ if !leaves || fixed(&place) => continue,
                leaf => {
                    let simple = simpler_leaf(leaf, async |other: &Value| {
                        fails(&replaced(&value, &place, other.clone())).await
                    })
                    .await;
                    value = replaced(&value, &place, simple);
                }
            }
            match at(&value, &place) {
                Value::Object(members) => {
                    places.extend(members.keys().rev().map(|name| with(&place, Step::Member(name.clone()))));
                }
                Value::Array(elements) => {
                    places.extend((0..elements.len()).rev().map(|index| with(&place, Step::Element(index))));
                }
                _ => {}
            }
        }
    }
    value
}

async fn simpler_leaf(leaf: &Value, mut fails: impl AsyncFnMut(&Value) -> bool) -> Value {
    match leaf {
        Value::String(long) => Value::String(text::simpler(long, fails).await),
        Value::Number(far) => Value::Number(number::simpler(far, fails).await),
        Value::Bool(true) if fails(&Value::Bool(false)).await => Value::Bool(false),
        other => other.clone(),
    }
}

fn with(place: &Place, step: Step) -> Vec<Step> {
    let mut place = place.to_vec();
    place.push(step);
    place
}

/// The members that are kept, in their order.
fn object(
    members: &serde_json::Map<String, Value>,
    kept: &[(&String, &Value)],
    chosen: &[(&String, &Value)],
) -> Value {
    let is_in = |name: &String| kept.iter().chain(chosen).any(|(other, _)| *other == name);
    let members = members.iter().filter(|(name, _)| is_in(name));
    Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn at<'v>(value: &'v Value, place: &Place) -> &'v Value {
    let step = |value: &'v Value, step: &Step| match step {
        Step::Member(name) => value.get(name),
        Step::Element(index) => value.get(index),
    };
    place.iter().try_fold(value, step).unwrap_or(&Value::Null)
}

fn replaced(value: &Value, place: &Place, by: Value) -> Value {
    let mut value = value.clone();
    let step = |value, step: &Step| match step {
        Step::Member(name) => Value::get_mut(value, name),
        Step::Element(index) => Value::get_mut(value, index),
    };
    if let Some(there) = place.iter().try_fold(&mut value, step) {
        *there = by;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::{Place, Step, simpler};
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn simplest(value: &Value, fails: impl Fn(&Value) -> bool) -> Value {
        simplest_but(value, |_| false, fails)
    }

    /// The same; nothing here waits.
    fn simplest_but(value: &Value, fixed: impl Fn(&Place) -> bool, fails: impl Fn(&Value) -> bool) -> Value {
        assert!(fails(value), "the value itself fails");
        let made = pin!(simpler(value, fixed, async |value: &Value| fails(value)));
        match made.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => {
                assert!(fails(&value), "{value} fails no more");
                value
            }
            Poll::Pending => unreachable!("nothing here waits"),
        }
    }

    #[test]
    fn a_bound_is_found_to_the_digit() {
        let call = json!({"name": "add", "arguments": {"n": 918_273, "m": 5, "note": "hello"}, "_meta": {"k": [1, 2]}});
        let small = simplest(&call, |call| call["arguments"]["n"].as_i64().is_some_and(|n| n > 1000));
        assert_eq!(small, json!({"arguments": {"n": 1001}}));
        let small = simplest(&json!({"n": -918_273.5}), |call| call["n"].as_f64().is_some_and(|n| n < -77.0));
        assert_eq!(small, json!({"n": -78}));
        let small = simplest(&json!(u64::MAX), |n| n.as_u64().is_some_and(|n| n >= 1 << 63));
        assert_eq!(small, json!(1_u64 << 63));
        let small = simplest(&json!({"n": 0.25}), |call| call["n"].is_f64());
        assert_eq!(small, json!({"n": 0.25}));
    }

    #[test]
    fn texts_keep_what_matters() {
        let long = format!("{}é{}", "x".repeat(70), "y".repeat(3000));
        let small = simplest(&json!({"s": long}), |v| v["s"].as_str().is_some_and(|s| s.contains('é')));
        assert_eq!(small, json!({"s": "é"}));
        let small = simplest(&json!(["k", long]), |v| v[1].as_str().is_some_and(|s| s.chars().count() >= 64));
        assert_eq!(small, json!(["", "a".repeat(64)]));
        let small = simplest(&json!({"s": "../../etc/passwd"}), |v| {
            v["s"].as_str().is_some_and(|s| s.contains(".."))
        });
        assert_eq!(small, json!({"s": ".."}));
        // As near to ASCII as it can be.
        let small =
            simplest(&json!("a🔑b"), |v| v.as_str().is_some_and(|s| s.chars().any(|c| c > '\u{FFFF}')));
        assert_eq!(small, json!("\u{10000}"));
        // A date stays one.
        let leap = |v: &Value| {
            let parts: Vec<u32> =
                v.as_str().into_iter().flat_map(|s| s.split('-')).filter_map(|n| n.parse().ok()).collect();
            matches!(parts[..], [year, 2, 29] if year % 4 == 0) && v.as_str().is_some_and(|s| s.len() == 10)
        };
        assert_eq!(simplest(&json!("1996-02-29"), leap), json!("0000-02-29"));
    }

    #[test]
    fn arrays_become_short_and_nested_members_go() {
        let value =
            json!({"items": [{"id": 1, "deep": {"a": true}}, {"id": 2}, {"id": 7, "more": [1, 2, 3]}]});
        let has_seven = |v: &Value| {
            let items = v["items"].as_array();
            items.is_some_and(|items| items.iter().any(|item| item["id"].as_i64().is_some_and(|id| id >= 7)))
        };
        assert_eq!(simplest(&value, has_seven), json!({"items": [{"id": 7}]}));
    }

    #[test]
    fn what_is_fixed_stays() {
        let request = json!({"jsonrpc": "2.0", "id": 17, "method": "tools/call", "params": {"name": "long", "x": "abc"}});
        let fixed = |place: &Place| matches!(place, [Step::Member(name)] if name != "params");
        let small = simplest_but(&request, fixed, |_| true);
        assert_eq!(small, json!({"jsonrpc": "2.0", "id": 17, "method": "tools/call"}));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-d]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Whatever the question, the answer for what comes out is the same, and nothing needed is nothing left.
        #[test]
        fn it_still_fails(value in any_json(), part in any::<prop::sample::Index>()) {
            let mut leaves = Vec::new();
            gather(&value, &mut leaves);
            let wanted = leaves[part.index(leaves.len())].clone();
            let has = |value: &Value| {
                let mut leaves = Vec::new();
                gather(value, &mut leaves);
                leaves.contains(&wanted)
            };
            let small = simplest(&value, has);
            let mut left = Vec::new();
            gather(&small, &mut left);
            prop_assert!(left.len() <= leaves.len());
            prop_assert!(small.to_string().len() <= value.to_string().len());
        }
    }

    fn gather(value: &Value, leaves: &mut Vec<Value>) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                members.values().for_each(|value| gather(value, leaves));
            }
            Value::Array(elements) if !elements.is_empty() => {
                elements.iter().for_each(|value| gather(value, leaves));
            }
            leaf => leaves.push(leaf.clone()),
        }
    }
}
