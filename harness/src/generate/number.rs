//! Numbers within bounds, and multiples.

use super::choice::Choices;
use serde_json::{Map, Number, Value};

/// The largest integer that every reader of JSON keeps exactly (2^53 - 1).
const SAFE: i128 = 9_007_199_254_740_991;

/// The bounds that a schema sets.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    low: Option<f64>,
    high: Option<f64>,
    low_open: bool,
    high_open: bool,
}

impl Bounds {
    fn of(schema: &Map<String, Value>) -> Self {
        let number = |name: &str| schema.get(name).and_then(Value::as_f64);
        let (mut low, mut low_open) = (number("minimum"), false);
        match schema.get("exclusiveMinimum") {
            Some(Value::Bool(open)) => low_open = *open,
            Some(value) => {
                if let Some(open) = value.as_f64().filter(|open| low.is_none_or(|low| *open >= low)) {
                    (low, low_open) = (Some(open), true);
                }
            }
            None => {}
        }
        let (mut high, mut high_open) = (number("maximum"), false);
        match schema.get("exclusiveMaximum") {
            Some(Value::Bool(open)) => high_open = *open,
            Some(value) => {
                if let Some(open) = value.as_f64().filter(|open| high.is_none_or(|high| *open <= high)) {
                    (high, high_open) = (Some(open), true);
                }
            }
            None => {}
        }
        Self { low, high, low_open, high_open }
    }

    /// The integers within, clamped to those that doubles keep exactly, as far as the bounds allow.
    fn integers(self, spread: i128) -> Option<(i128, i128)> {
        let low = self.low.map(|low| {
            let ceiling = to_integer(low.ceil());
            if self.low_open && low.fract() == 0.0 { ceiling + 1 } else { ceiling }
        });
        let high = self.high.map(|high| {
            let floor = to_integer(high.floor());
            if self.high_open && high.fract() == 0.0 { floor - 1 } else { floor }
        });
        let (low, high) = match (low, high) {
            (Some(low), Some(high)) => (low, high),
            (Some(low), None) => (low, low + spread),
            (None, Some(high)) => (high - spread, high),
            (None, None) => (0, spread),
        };
        (low <= high).then_some((low, high))
    }
}

/// Saturates at ±2^100, far outside of what is used.
fn to_integer(value: f64) -> i128 {
    const LIMIT: f64 = 1.267_650_600_228_229_4e30;
    if value.is_nan() { 0 } else { value.clamp(-LIMIT, LIMIT) as i128 }
}

/// A keyword that counts something, such as `minItems`; what is beyond 2^53 counts as that.
pub(super) fn count(schema: &Map<String, Value>, keyword: &str) -> Option<u64> {
    let value = schema.get(keyword)?.as_f64()?;
    u64::try_from(to_integer(value).clamp(0, SAFE)).ok()
}

/// An integer within the schema's bounds; `None` where there is none that JSON numbers of 64 bits can hold.
/// Small numbers are preferred, and the bounds themselves come often.
pub(super) fn integer(schema: &Map<String, Value>, choices: &mut dyn Choices, spread: u32) -> Option<Value> {
    let (low, high) = Bounds::of(schema).integers(i128::from(spread))?;
    let step = match schema.get("multipleOf").and_then(Value::as_f64) {
        Some(step) if step.is_finite() && step > 0.0 => integral_step(step)?,
        _ => 1,
    };
    // Multiples of the step: first and last k with low <= k * step <= high.
    let (first, last) = (-(-low).div_euclid(step), high.div_euclid(step));
    if first > last {
        return None;
    }
    let width = u64::try_from(last - first).unwrap_or(u64::MAX - 1);
    let k = match choices.below(8) {
        6 => first,
        7 => last,
        // Near zero, if zero is within; otherwise near the lower bound.
        0..=2 => {
            let near = 0.clamp(first, last);
            (near + i128::from(choices.below(width.saturating_add(1).min(10)))).min(last)
        }
        _ => first + i128::from(choices.below(width.saturating_add(1))),
    };
    let value = k * step;
    i64::try_from(value).map(Value::from).or_else(|_| u64::try_from(value).map(Value::from)).ok()
}

/// The smallest integer that is a multiple of a step; `None` if none is found among the first few.
fn integral_step(step: f64) -> Option<i128> {
    (1..=1000_i32).map(|k| step * f64::from(k)).find_map(|multiple| {
        let rounded = multiple.round();
        let integral = rounded >= 1.0 && (multiple - rounded).abs() <= 1e-9 * rounded;
        (integral && rounded < SAFE as f64).then(|| to_integer(rounded))
    })
}

/// A number within the schema's bounds, often no integer.
pub(super) fn number(schema: &Map<String, Value>, choices: &mut dyn Choices, spread: u32) -> Option<Value> {
    if choices.below(3) == 0
        && let Some(value) = integer(schema, choices, spread)
    {
        return Some(value);
    }
    let bounds = Bounds::of(schema);
    let spread = f64::from(spread);
    let (low, high) = match (bounds.low, bounds.high) {
        (Some(low), Some(high)) => (low, high),
        (Some(low), None) => (low, low + spread),
        (None, Some(high)) => (high - spread, high),
        (None, None) => (0.0, spread),
    };
    if low > high {
        return None;
    }
    let value = match schema.get("multipleOf").and_then(Value::as_f64) {
        Some(step) if step > 0.0 => {
            let (first, last) = ((low / step).ceil(), (high / step).floor());
            let width = to_integer(last - first).clamp(0, 1_000_000);
            let k = first + choices.below(u64::try_from(width).unwrap_or(0) + 1) as f64;
            rounded(k * step, step)
        }
        _ => {
            // Halves and the like first: they have a short, exact text.
            let parts = [2.0, 4.0, 1000.0][choices.index(3)];
            let part = choices.between(0, parts as i64) as f64 / parts;
            let value = low + (high - low) * part;
            let excluded = (bounds.low_open && value <= low) || (bounds.high_open && value >= high);
            if excluded { low + (high - low) / 2.0 } else { value }
        }
    };
    Number::from_f64(value).map(Value::Number).or_else(|| integer(schema, choices, 100))
}

/// The multiple without the noise of binary arithmetic: with as many decimals as the step is written with.
fn rounded(value: f64, step: f64) -> f64 {
    let text = step.to_string();
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len()).min(17);
    format!("{value:.decimals$}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::super::choice::Seeded;
    use super::*;
    use serde_json::json;

    fn all_valid(schema: Value) {
        let validator = jsonschema::options().build(&schema).unwrap();
        for seed in 0..300 {
            let mut choices = Seeded::new(seed);
            let object = schema.as_object().unwrap();
            let value = if schema["type"] == "integer" {
                integer(object, &mut choices, 100)
            } else {
                number(object, &mut choices, 100)
            };
            let value = value.unwrap_or_else(|| panic!("{schema}"));
            assert!(validator.is_valid(&value), "{schema}: {value}");
        }
    }

    #[test]
    fn values_are_within_bounds() {
        for schema in [
            json!({"type": "integer"}),
            json!({"type": "integer", "minimum": 1, "maximum": 5}),
            json!({"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 3}),
            json!({"type": "integer", "minimum": 0.5, "maximum": 1.5}),
            json!({"type": "integer", "maximum": -7, "multipleOf": 5}),
            json!({"type": "integer", "minimum": 11, "multipleOf": 2.5}),
            json!({"type": "integer", "minimum": -9_007_199_254_740_991_i64, "maximum": 9_007_199_254_740_991_i64}),
            json!({"type": "number", "minimum": 0, "maximum": 1}),
            json!({"type": "number", "multipleOf": 0.01}),
            json!({"type": "number", "multipleOf": 0.1, "minimum": 3, "maximum": 4}),
            json!({"type": "number", "exclusiveMinimum": 0}),
            json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
            json!({"type": "number", "maximum": -1e300}),
        ] {
            all_valid(schema);
        }
    }

    #[test]
    fn empty_ranges_have_no_value() {
        for schema in [
            json!({"minimum": 2, "maximum": 1}),
            json!({"exclusiveMinimum": 1, "exclusiveMaximum": 2}),
            json!({"minimum": 1, "maximum": 2, "multipleOf": 3}),
            json!({"minimum": 1e300}),
        ] {
            assert_eq!(integer(schema.as_object().unwrap(), &mut Seeded::new(1), 100), None, "{schema}");
        }
    }
}
