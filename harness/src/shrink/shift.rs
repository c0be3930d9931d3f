//! What one number has too much of, given to a later one.

use super::value::{Place, Step};
use serde_json::Value;

/// How many numbers are looked at.
const MOST: usize = 12;

/// The value with its earlier whole numbers nearer to 0 and later ones as much further away, as far as it still fails:
/// where only a sum counts, the first number becomes the least that it can be. `fails` must hold for `value` itself.
pub async fn shifted(value: &Value, mut fails: impl AsyncFnMut(&Value) -> bool) -> Value {
    let mut value = value.clone();
    let mut places = Vec::new();
    numbers(&value, &mut Vec::new(), &mut places);
    for from in 0..places.len() {
        for to in from + 1..places.len() {
            let (Some(have), Some(there)) = (whole(&value, &places[from]), whole(&value, &places[to])) else {
                continue;
            };
            // So much can be given; `good` fails still, `bad` does not.
            let (mut good, mut bad) = (0, have.checked_add(1).unwrap_or(have));
            while bad - good > 1 {
                let middle = good + (bad - good) / 2;
                let Some(more) = there.checked_add(middle) else {
                    bad = middle;
                    continue;
                };
                let mut other = value.clone();
                put(&mut other, &places[from], have - middle);
                put(&mut other, &places[to], more);
                if fails(&other).await {
                    good = middle;
                } else {
                    bad = middle;
                }
            }
            put(&mut value, &places[from], have - good);
            put(&mut value, &places[to], there.saturating_add(good));
        }
    }
    value
}

/// The places of whole numbers from 0 up, in the order in which they stand.
fn numbers(value: &Value, at: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    match value {
        Value::Number(number) if number.as_i64().is_some_and(|number| number >= 0) && found.len() < MOST => {
            found.push(at.clone());
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                at.push(Step::Element(index));
                numbers(element, at, found);
                at.pop();
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                at.push(Step::Member(name.clone()));
                numbers(member, at, found);
                at.pop();
            }
        }
        _ => {}
    }
}

fn whole(value: &Value, place: &Place) -> Option<i64> {
    let step = |value: &'_ Value, step: &Step| match step {
        Step::Member(name) => value.get(name).cloned(),
        Step::Element(index) => value.get(index).cloned(),
    };
    place.iter().try_fold(value.clone(), |value, next| step(&value, next))?.as_i64()
}

fn put(value: &mut Value, place: &Place, number: i64) {
    let step = |value, step: &Step| match step {
        Step::Member(name) => Value::get_mut(value, name),
        Step::Element(index) => Value::get_mut(value, index),
    };
    if let Some(there) = place.iter().try_fold(value, step) {
        *there = Value::from(number);
    }
}

#[cfg(test)]
mod tests {
    use super::shifted;
    use serde_json::{Value, json};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn now(value: &Value, fails: impl Fn(&Value) -> bool) -> Value {
        match pin!(shifted(value, async |value: &Value| fails(value)))
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(value) => value,
            Poll::Pending => unreachable!("nothing here waits"),
        }
    }

    #[test]
    fn what_counts_together_goes_to_the_last() {
        let fails = |value: &Value| {
            let numbers = || value.as_array().into_iter().flatten().filter_map(|call| call["n"].as_i64());
            numbers().all(|number| (1..=10).contains(&number)) && numbers().sum::<i64>() > 20
        };
        let small = now(&json!([{"n": 4}, {"n": 9}, {"n": 8}]), fails);
        assert_eq!(small, json!([{"n": 1}, {"n": 10}, {"n": 10}]));
        let fails = |value: &Value| value["a"].as_i64().unwrap() + value["b"].as_i64().unwrap() > 100;
        assert_eq!(now(&json!({"a": 70, "b": 31}), fails), json!({"a": 0, "b": 101}));
    }

    #[test]
    fn what_counts_alone_stays() {
        let value = json!({"a": 5, "b": "x", "c": [3, -2]});
        assert_eq!(now(&value, |other| *other == value), value);
    }
}
