//! Arguments that make a call take longer, or keep it short.

use super::schema::ValueGenerator;
use serde_json::{Value, json};

/// The most that a number among arguments is raised to, so that a call takes longer.
const LARGER: f64 = 50.0;
/// The most that a time is raised to for the same reason, in seconds.
const SLOW: f64 = 2.0;
/// The same for the time between two steps.
const STEP: f64 = 0.05;
/// The longest that a call is asked to wait where its arguments say for how long, in seconds.
const SHORT: f64 = 0.2;
/// Words in the names of tools and arguments that speak of time.
const TIME: [&str; 9] =
    ["wait", "delay", "duration", "sleep", "pause", "second", "interval", "timeout", "milli"];

/// The same arguments with short times where they say how long something is to take, so that longer ones can be tried
/// later. A number speaks of time by its name, or, where it is the only one, by the tool's.
pub fn unhurried(tool: &str, generator: &ValueGenerator, arguments: Value) -> Value {
    let schema = generator.original();
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return arguments };
    let numbers = properties.values().filter(|property| is_number(property)).count();
    let mut better = arguments;
    for (name, property) in properties.iter().filter(|(_, property)| is_number(property)) {
        let Some(now) = better.get(name).and_then(Value::as_f64) else { continue };
        let of_time = is_millis(name) || speaks_of_time(name) || (numbers == 1 && speaks_of_time(tool));
        if !of_time {
            continue;
        }
        let least = property.get("minimum").and_then(Value::as_f64).unwrap_or(0.0);
        let most = property.get("maximum").and_then(Value::as_f64).unwrap_or(f64::INFINITY);
        let short = if is_millis(name) { SHORT * 1000.0 } else { SHORT };
        let wanted = (most / 10.0).min(short).max(least);
        let value = if property["type"] == "integer" {
            #[allow(clippy::cast_possible_truncation, reason = "compared with what it is to replace")]
            let whole = wanted.ceil() as i64;
            json!(whole)
        } else {
            json!(wanted)
        };
        if value.as_f64().is_some_and(|value| value < now) {
            let mut next = better.clone();
            next[name] = value;
            if generator.allows(&next) {
                better = next;
            }
        }
    }
    better
}

fn is_number(property: &Value) -> bool {
    matches!(property.get("type").and_then(Value::as_str), Some("integer" | "number"))
}

fn speaks_of_time(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TIME.iter().any(|word| name.contains(word))
}

/// Whether a name says that its number counts milliseconds.
fn is_millis(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower == "ms" || lower.ends_with("_ms") || name.ends_with("Ms") || lower.contains("milli")
}

/// Arguments with larger numbers, as far as the schema allows them; `None` where none can be larger. Times grow less than
/// counts, and those between steps less than whole ones, so that steps come soon and go on for a while.
pub fn larger(tool: &str, schema: &Value, arguments: &Value) -> Option<Value> {
    let properties = schema.get("properties")?.as_object()?;
    let generator = ValueGenerator::new(schema.clone()).ok()?;
    let numbers: Vec<_> = properties.iter().filter(|(_, property)| is_number(property)).collect();
    let of_time =
        |name: &str| is_millis(name) || speaks_of_time(name) || (numbers.len() == 1 && speaks_of_time(tool));
    let has_counts = numbers.iter().any(|(name, _)| !of_time(name));
    let mut better = arguments.clone();
    for (name, property) in &numbers {
        let seconds = if has_counts && is_between_steps(name) { STEP } else { SLOW };
        let wanted = match of_time(name) {
            true if is_millis(name) => seconds * 1000.0,
            true => seconds,
            false => LARGER,
        };
        let most = property.get("maximum").and_then(Value::as_f64).unwrap_or(wanted).min(wanted);
        let now = better.get(*name).and_then(Value::as_f64);
        let mut next = better.clone();
        next[*name] = if property["type"] == "integer" || most.fract() == 0.0 {
            #[allow(clippy::cast_possible_truncation, reason = "at most 2000")]
            let whole = most.floor() as i64;
            json!(whole)
        } else {
            json!(most)
        };
        if next[*name].as_f64() > now && generator.allows(&next) {
            better = next;
        }
    }
    (better != *arguments).then_some(better)
}

/// Whether a time is, by its name, that between two steps and not that of the whole.
fn is_between_steps(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["interval", "delay", "pause"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_made_larger_within_their_bounds() {
        let schema = json!({"type": "object", "properties": {
            "steps": {"type": "integer", "minimum": 1, "maximum": 10},
            "delay": {"type": "number"},
            "even": {"type": "integer", "multipleOf": 4},
            "name": {"type": "string"},
        }});
        let made = larger("t", &schema, &json!({"steps": 2, "delay": 0.01, "name": "a"})).unwrap();
        // 50 is no multiple of 4, so that one stays away.
        assert_eq!(made, json!({"steps": 10, "delay": 0.05, "name": "a"}));
        assert_eq!(larger("t", &schema, &json!({"steps": 10, "delay": 0.1})), None);
        let whole = json!({"type": "object", "properties": {
            "duration": {"type": "number"}, "steps": {"type": "integer"}}});
        let made = larger("t", &whole, &json!({"duration": 0.2, "steps": 5})).unwrap();
        assert_eq!(made, json!({"duration": 2, "steps": 50}));
        assert_eq!(larger("t", &json!({"type": "object"}), &json!({})), None);
        let time = json!({"type": "object", "properties": {"seconds": {"type": "number", "maximum": 1}}});
        assert_eq!(larger("t", &time, &json!({"seconds": 1})), None);
    }

    #[test]
    fn times_are_kept_short_within_their_bounds() {
        let schema = json!({"type": "object", "properties": {
            "seconds": {"type": "number", "minimum": 0, "maximum": 2},
            "interval_ms": {"type": "integer", "maximum": 100_000},
            "delay": {"type": "integer", "minimum": 3},
            "count": {"type": "integer"},
        }});
        let long = json!({"seconds": 2, "interval_ms": 5000, "delay": 60, "count": 9});
        let short = json!({"seconds": 0.2, "interval_ms": 200, "delay": 3, "count": 9});
        let generator = ValueGenerator::new(schema).unwrap();
        assert_eq!(unhurried("t", &generator, long), short);
        // What is short already stays, and so does what speaks of no time.
        assert_eq!(unhurried("t", &generator, json!({"seconds": 0.1})), json!({"seconds": 0.1}));
        let bare = json!({"type": "object", "properties": {"n": {"type": "number"}}});
        let bare = ValueGenerator::new(bare).unwrap();
        assert_eq!(unhurried("sleep_well", &bare, json!({"n": 7})), json!({"n": 0.2}));
        assert_eq!(unhurried("add", &bare, json!({"n": 7})), json!({"n": 7}));
    }
}
