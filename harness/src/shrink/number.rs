//! Numbers nearer to nothing.

use serde_json::{Number, Value};

/// The simplest number that still fails: 0, else the whole part, else the number nearest to 0 that a search by halves
/// finds: where everything beyond a bound fails, that is the bound.
pub(super) async fn simpler(number: &Number, mut fails: impl AsyncFnMut(&Value) -> bool) -> Number {
    if number.as_f64() != Some(0.0) && fails(&Value::from(0)).await {
        return Number::from(0);
    }
    let Some(whole) = whole(number) else { return number.clone() };
    let sign = whole.signum();
    // Not at `good`, still at `bad`; both are distances from 0.
    let (mut good, mut bad) = (0_u128, whole.unsigned_abs());
    let is_whole = number.is_i64() || number.is_u64();
    if !is_whole && !fails(&written(sign, bad)).await {
        return number.clone();
    }
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if fails(&written(sign, middle)).await {
            bad = middle;
        } else {
            good = middle;
        }
    }
    match written(sign, bad) {
        Value::Number(simple) => simple,
        _ => number.clone(),
    }
}

/// The whole part of a number that is one to be searched: one that integers of JSON libraries can hold.
fn whole(number: &Number) -> Option<i128> {
    if let Some(number) = number.as_i64() {
        return (number != 0).then_some(i128::from(number));
    }
    if let Some(number) = number.as_u64() {
        return Some(i128::from(number));
    }
    let float = number.as_f64().filter(|float| float.abs() >= 1.0 && float.abs() < 9.0e18)?;
    #[allow(clippy::cast_possible_truncation, reason = "the whole part is meant, and it fits")]
    Some(float as i128)
}

fn written(sign: i128, distance: u128) -> Value {
    let signed = i128::try_from(distance).unwrap_or(i128::MAX) * sign;
    i64::try_from(signed)
        .map(Value::from)
        .or_else(|_| u64::try_from(signed).map(Value::from))
        .unwrap_or(Value::Null)
}
