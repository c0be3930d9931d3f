//! Whether a value meets a schema, judged in passing while values are made: it steers, the validator decides.

use super::compose::types;
use super::guard::target;
use super::string::Patterns;
use serde_json::{Map, Value};

/// A judge of values with a limit of steps.
pub(super) struct Judge<'a> {
    pub(super) root: &'a Value,
    pub(super) patterns: &'a mut Patterns,
    pub(super) fuel: &'a mut u64,
}

/// Whether two values are equal as JSON Schema has it: 1 and 1.0 are.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(one, other)| equal(one, other))
        }
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len()
                && x.iter().all(|(name, one)| y.get(name).is_some_and(|other| equal(one, other)))
        }
        _ => a == b,
    }
}

/// Whether a value is of a type.
pub(super) fn is_of(value: &Value, kind: &str) -> bool {
    match value {
        Value::Null => kind == "null",
        Value::Bool(_) => kind == "boolean",
        Value::String(_) => kind == "string",
        Value::Array(_) => kind == "array",
        Value::Object(_) => kind == "object",
        Value::Number(number) => {
            kind == "number"
                || kind == "integer"
                    && (number.is_i64()
                        || number.is_u64()
                        || number.as_f64().is_some_and(|n| n.fract() == 0.0))
        }
    }
}

impl Judge<'_> {
    /// `None`: not known, or the steps are used up.
    pub(super) fn meets(&mut self, schema: &Value, value: &Value) -> Option<bool> {
        match schema {
            Value::Bool(answer) => Some(*answer),
            Value::Object(map) => self.meets_all(map, value),
            _ => None,
        }
    }

    /// Whether the value meets every keyword.
    pub(super) fn meets_all(&mut self, map: &Map<String, Value>, value: &Value) -> Option<bool> {
        let mut known = true;
        for (keyword, wanted) in map {
            *self.fuel = self.fuel.checked_sub(1)?;
            match self.keyword(map, keyword, wanted, value) {
                Some(false) => return Some(false),
                Some(true) => {}
                None => known = false,
            }
        }
        known.then_some(true)
    }

    fn all<'s>(&mut self, pairs: impl Iterator<Item = (&'s Value, &'s Value)>) -> Option<bool> {
        let mut known = true;
        for (schema, value) in pairs {
            match self.meets(schema, value) {
                Some(false) => return Some(false),
                Some(true) => {}
                None => known = false,
            }
        }
        known.then_some(true)
    }

    /// How many schemas a value meets; `None` where one is not known.
    fn count(&mut self, schemas: &[Value], value: &Value) -> Option<usize> {
        let mut met = 0;
        for schema in schemas {
            met += usize::from(self.meets(schema, value)?);
        }
        Some(met)
    }

    fn keyword(
        &mut self,
        map: &Map<String, Value>,
        keyword: &str,
        wanted: &Value,
        value: &Value,
    ) -> Option<bool> {
        match keyword {
            "type" => Some(types(wanted).iter().any(|kind| is_of(value, kind))),
            "const" => Some(equal(wanted, value)),
            "enum" => Some(wanted.as_array()?.iter().any(|member| equal(member, value))),
            "$ref" => {
                let found = target(self.root, map).ok()??;
                self.meets(found, value)
            }
            "allOf" => self.all(wanted.as_array()?.iter().map(|schema| (schema, value))),
            "anyOf" => {
                let mut known = true;
                for schema in wanted.as_array()? {
                    match self.meets(schema, value) {
                        Some(true) => return Some(true),
                        Some(false) => {}
                        None => known = false,
                    }
                }
                known.then_some(false)
            }
            "oneOf" => self.count(wanted.as_array()?, value).map(|met| met == 1),
            "not" => self.meets(wanted, value).map(|met| !met),
            "if" => {
                let next = if self.meets(wanted, value)? { "then" } else { "else" };
                map.get(next).map_or(Some(true), |schema| self.meets(schema, value))
            }
            _ => match value {
                Value::Number(number) => number_meets(keyword, wanted, number.as_f64()?),
                Value::String(text) => self.string_meets(keyword, wanted, text),
                Value::Array(elements) => self.array_meets(map, keyword, wanted, elements),
                Value::Object(members) => self.object_meets(map, keyword, wanted, value, members),
                _ => Some(true),
            },
        }
    }

    fn string_meets(&mut self, keyword: &str, wanted: &Value, text: &str) -> Option<bool> {
        match keyword {
            "minLength" => Some(text.chars().count() as f64 >= wanted.as_f64()?),
            "maxLength" => Some(text.chars().count() as f64 <= wanted.as_f64()?),
            "pattern" => Some(self.patterns.is_match(wanted.as_str()?, text)),
            "format" => Some(self.patterns.is_of_format(wanted.as_str()?, text)),
            _ => Some(true),
        }
    }

    fn array_meets(
        &mut self,
        map: &Map<String, Value>,
        keyword: &str,
        wanted: &Value,
        elements: &[Value],
    ) -> Option<bool> {
        let number = wanted.as_f64();
        let length = elements.len() as f64;
        match keyword {
            "minItems" => Some(length >= number?),
            "maxItems" => Some(length <= number?),
            "uniqueItems" => Some(*wanted != Value::Bool(true) || is_unique(elements)),
            "prefixItems" => self.all(wanted.as_array()?.iter().zip(elements)),
            "items" => match wanted {
                Value::Array(prefix) => self.all(prefix.iter().zip(elements)),
                rest => {
                    let begin = map.get("prefixItems").and_then(Value::as_array).map_or(0, Vec::len);
                    self.all(elements.iter().skip(begin).map(|element| (rest, element)))
                }
            },
            "additionalItems" => {
                let begin = map.get("items").and_then(Value::as_array).map_or(usize::MAX, Vec::len);
                self.all(elements.iter().skip(begin).map(|element| (wanted, element)))
            }
            "contains" => {
                let bound = |name: &str| map.get(name).and_then(Value::as_f64);
                let mut met = 0.0;
                for element in elements {
                    met += f64::from(u8::from(self.meets(wanted, element)?));
                }
                Some(
                    met >= bound("minContains").unwrap_or(1.0)
                        && bound("maxContains").is_none_or(|most| met <= most),
                )
            }
            "unevaluatedItems" => None,
            _ => Some(true),
        }
    }

    fn object_meets(
        &mut self,
        map: &Map<String, Value>,
        keyword: &str,
        wanted: &Value,
        value: &Value,
        members: &Map<String, Value>,
    ) -> Option<bool> {
        let has = |names: &Value| {
            names.as_array().is_none_or(|names| {
                names.iter().all(|name| name.as_str().is_none_or(|name| members.contains_key(name)))
            })
        };
        match keyword {
            "required" => Some(has(wanted)),
            "minProperties" => Some(members.len() as f64 >= wanted.as_f64()?),
            "maxProperties" => Some(members.len() as f64 <= wanted.as_f64()?),
            "properties" => {
                let schemas = wanted.as_object()?;
                self.all(members.iter().filter_map(|(name, member)| Some((schemas.get(name)?, member))))
            }
            "patternProperties" => {
                let mut known = true;
                for (pattern, schema) in wanted.as_object()? {
                    for (name, member) in members {
                        *self.fuel = self.fuel.checked_sub(4)?;
                        if self.patterns.is_match(pattern, name) {
                            match self.meets(schema, member) {
                                Some(false) => return Some(false),
                                Some(true) => {}
                                None => known = false,
                            }
                        }
                    }
                }
                known.then_some(true)
            }
            "additionalProperties" => {
                let own = map.get("properties").and_then(Value::as_object);
                let patterns = map.get("patternProperties").and_then(Value::as_object);
                let mut known = true;
                for (name, member) in members {
                    let listed = own.is_some_and(|own| own.contains_key(name))
                        || patterns
                            .is_some_and(|all| all.keys().any(|one| self.patterns.is_match(one, name)));
                    if !listed {
                        match self.meets(wanted, member) {
                            Some(false) => return Some(false),
                            Some(true) => {}
                            None => known = false,
                        }
                    }
                }
                known.then_some(true)
            }
            "propertyNames" => {
                let names: Vec<Value> = members.keys().map(|name| Value::from(name.as_str())).collect();
                self.all(names.iter().map(|name| (wanted, name)))
            }
            "dependentRequired" | "dependentSchemas" | "dependencies" => {
                let mut known = true;
                for (name, dependent) in wanted.as_object()? {
                    if members.contains_key(name) {
                        let met = if dependent.is_array() {
                            Some(has(dependent))
                        } else {
                            self.meets(dependent, value)
                        };
                        match met {
                            Some(false) => return Some(false),
                            Some(true) => {}
                            None => known = false,
                        }
                    }
                }
                known.then_some(true)
            }
            "unevaluatedProperties" => None,
            _ => Some(true),
        }
    }
}

fn number_meets(keyword: &str, wanted: &Value, number: f64) -> Option<bool> {
    let limit = || wanted.as_f64();
    Some(match keyword {
        "minimum" => number >= limit()?,
        "maximum" => number <= limit()?,
        // A boolean is draft 4's, and a matter of the validator.
        "exclusiveMinimum" => number > limit()?,
        "exclusiveMaximum" => number < limit()?,
        "multipleOf" => {
            let quotient = number / limit()?;
            (quotient - quotient.round()).abs() <= 1e-9 * quotient.abs().max(1.0)
        }
        _ => true,
    })
}

fn is_unique(elements: &[Value]) -> bool {
    elements.iter().enumerate().all(|(index, one)| !elements[..index].iter().any(|other| equal(one, other)))
}
