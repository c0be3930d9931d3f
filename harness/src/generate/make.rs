//! One attempt at a value for a schema.

use super::choice::Choices;
use super::compose::both;
use super::flatten::kinds;
use super::format::names_no_real_host;
use super::meets::Judge;
use super::number::{self, count};
use super::schema::Mode;
use super::string::{MAX_LENGTH, Patterns, string};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// From this attempt on hints (`default`, `examples`) are left aside.
const WITHOUT_HINTS: u32 = 12;
/// From this depth on only what is required is made.
const LEAN_DEPTH: usize = 6;
/// Deeper values are not made.
const MAX_DEPTH: usize = 24;
/// Longer arrays, and objects with more members, are not made.
const MAX_ITEMS: u64 = 1000;

/// How often a place with [`INTRICATE`] keywords is tried in one attempt.
const TURNS: u32 = 5;
/// What is made for these may miss, and is looked at.
const INTRICATE: &[&str] = &[
    "$ref",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "contains",
    "dependentSchemas",
    "dependencies",
    "patternProperties",
    "propertyNames",
];

/// Why an attempt ends here.
pub(super) enum Stop {
    /// Nothing fits at this place; another branch may.
    NoValue,
    /// The steps are used up.
    Spent,
}

pub(super) type Made<T> = Result<T, Stop>;
pub(super) type Keywords = Map<String, Value>;

/// One attempt.
pub(super) struct Run<'a> {
    pub(super) root: &'a Value,
    pub(super) mode: Mode,
    pub(super) attempt: u32,
    /// How often the place at work was tried in this attempt.
    pub(super) turn: u32,
    /// How many schemas are being put together within one another.
    pub(super) nested: u32,
    pub(super) fuel: u64,
    pub(super) patterns: &'a mut Patterns,
    pub(super) choices: &'a mut dyn Choices,
}

impl Run<'_> {
    pub(super) fn spend(&mut self, steps: u64) -> Made<()> {
        self.fuel = self.fuel.checked_sub(steps).ok_or(Stop::Spent)?;
        Ok(())
    }

    /// A deep copy, paid for.
    pub(super) fn copy(&mut self, value: &Value) -> Made<Value> {
        self.spend(weight(value))?;
        Ok(value.clone())
    }

    /// Whether only what is required is made here.
    fn lean(&self, depth: usize) -> bool {
        self.mode == Mode::Minimal || depth >= LEAN_DEPTH || self.attempt % 4 == 3
    }

    /// An index to begin with; it moves on from attempt to attempt, so that an exhausted source tries all.
    pub(super) fn start(&mut self, length: usize) -> usize {
        (self.choices.index(length) + self.attempt as usize + self.turn as usize)
            .checked_rem(length)
            .unwrap_or(0)
    }

    pub(super) fn value(&mut self, schema: &Value, name: &str, depth: usize) -> Made<Value> {
        self.spend(1)?;
        let map = match schema {
            Value::Object(map) if depth <= MAX_DEPTH => map,
            Value::Bool(true) => return Ok(self.any()),
            _ => return Err(Stop::NoValue),
        };
        if !INTRICATE.iter().any(|keyword| map.contains_key(*keyword)) {
            return self.once(map, name, depth);
        }
        let before = self.turn;
        let mut made = Err(Stop::NoValue);
        for turn in 0..TURNS {
            self.turn = before + turn;
            made = match self.once(map, name, depth) {
                Ok(value) if self.meets(map, &value) == Some(false) => Err(Stop::NoValue),
                made => made,
            };
            if !matches!(made, Err(Stop::NoValue)) {
                break;
            }
        }
        self.turn = before;
        made
    }

    fn meets(&mut self, map: &Keywords, value: &Value) -> Option<bool> {
        Judge { root: self.root, patterns: self.patterns, fuel: &mut self.fuel }.meets_all(map, value)
    }

    /// A value that ought to meet the schema.
    fn once(&mut self, map: &Keywords, name: &str, depth: usize) -> Made<Value> {
        let flat = self.flatten(map)?;
        if let Some(constant) = flat.get("const") {
            return self.copy(constant);
        }
        if self.mode == Mode::Plausible
            && self.attempt < WITHOUT_HINTS
            && let Some(hint) = self.hint(&flat)?
        {
            return Ok(hint);
        }
        if let Some(Value::Array(values)) = flat.get("enum") {
            let start = self.start(values.len());
            for value in values.iter().cycle().skip(start).take(values.len()) {
                let fits = flat.len() == 1 || self.meets(&flat, value) != Some(false);
                if fits {
                    return self.copy(value);
                }
                self.spend(1)?;
            }
            return Err(Stop::NoValue);
        }
        let kinds = kinds(&flat);
        if kinds.is_empty() {
            return Ok(self.any());
        }
        let start = self.start(kinds.len());
        for kind in kinds.iter().cycle().skip(start).take(kinds.len()) {
            match self.of_kind(kind, &flat, name, depth) {
                Err(Stop::NoValue) => {}
                made => return made,
            }
        }
        Err(Stop::NoValue)
    }

    fn of_kind(&mut self, kind: &str, flat: &Keywords, name: &str, depth: usize) -> Made<Value> {
        let spread = if self.mode == Mode::Varied { 1000 } else { 10 };
        let made = match kind {
            "null" => Some(Value::Null),
            "boolean" => Some(Value::Bool(self.choices.flip())),
            "integer" => number::integer(flat, self.choices, spread),
            "number" => number::number(flat, self.choices, spread),
            "string" => {
                let text = string(flat, name, self.mode, self.patterns, self.choices);
                let text = text.ok_or(Stop::NoValue)?;
                self.spend(text.len().min(MAX_LENGTH as usize) as u64 / 16)?;
                Some(Value::String(text))
            }
            "array" => return self.array(flat, name, depth),
            "object" => return self.object(flat, depth),
            _ => None,
        };
        made.ok_or(Stop::NoValue)
    }

    /// A default or an example, three times of four where there is one that names no real host.
    fn hint(&mut self, flat: &Keywords) -> Made<Option<Value>> {
        let examples = flat.get("examples").and_then(Value::as_array);
        let hints: Vec<&Value> = flat
            .get("default")
            .into_iter()
            .chain(examples.into_iter().flatten())
            .filter(|hint| !hint.is_null() && is_harmless(hint))
            .collect();
        if hints.is_empty() || self.choices.below(4) == 3 {
            return Ok(None);
        }
        let index = self.start(hints.len());
        hints.get(index).map(|hint| self.copy(hint)).transpose()
    }

    /// Any value at all.
    fn any(&mut self) -> Value {
        if self.mode != Mode::Varied && self.attempt + self.turn == 0 {
            return json!("mcprove");
        }
        match (self.start(8) + 7) % 8 {
            0 => Value::Null,
            1 => json!(self.choices.flip()),
            2 => json!(self.choices.between(-10, 1000)),
            3 => json!(0.5),
            4 => json!([]),
            5 => json!({}),
            6 => json!(["mcprove", 1]),
            _ => json!("mcprove"),
        }
    }

    fn array(&mut self, flat: &Keywords, name: &str, depth: usize) -> Made<Value> {
        let prefix = match (flat.get("prefixItems"), flat.get("items")) {
            (Some(Value::Array(prefix)), _) | (None, Some(Value::Array(prefix))) => prefix.as_slice(),
            _ => &[],
        };
        let yes = Value::Bool(true);
        let rest = match flat.get("items") {
            Some(Value::Array(_)) => flat.get("additionalItems"),
            items => items,
        };
        let rest = rest.or_else(|| flat.get("unevaluatedItems")).unwrap_or(&yes);
        let contains = flat.get("contains");
        let wanted = contains.map_or(0, |_| count(flat, "minContains").unwrap_or(1));
        let mut least = count(flat, "minItems").unwrap_or(0).max(wanted);
        let mut most = count(flat, "maxItems").unwrap_or(MAX_ITEMS);
        if *rest == Value::Bool(false) {
            most = most.min(prefix.len() as u64);
        }
        if wanted > 0 {
            least = least.max((prefix.len() as u64 + wanted).min(most));
        }
        if least > most || least > MAX_ITEMS {
            return Err(Stop::NoValue);
        }
        let extra = match self.mode {
            _ if self.lean(depth) => 0,
            Mode::Varied => 4,
            _ => 2,
        };
        // An array with one element tells more about a tool than an empty one.
        let usual = if self.mode == Mode::Plausible && extra > 0 { least.max(1).min(most) } else { least };
        let length = usual + self.choices.below((most - usual).min(extra) + 1);
        let unique = flat.get("uniqueItems") == Some(&Value::Bool(true));
        let mut elements: Vec<Value> = Vec::new();
        while (elements.len() as u64) < length {
            let index = elements.len();
            let own = prefix.get(index).unwrap_or(rest);
            let holds = contains.filter(|_| (index as u64) + wanted >= length);
            let schema = match holds {
                Some(contains) => Cow::Owned(both(self.copy(own)?, self.copy(contains)?)),
                None => Cow::Borrowed(own),
            };
            let mut made = self.value(&schema, name, depth + 1);
            for _ in 0..16 {
                match &made {
                    Ok(element) if unique && elements.contains(element) => {
                        made = self.value(&schema, name, depth + 1);
                    }
                    _ => break,
                }
            }
            match made {
                Ok(element) if unique && elements.contains(&element) => {
                    if index as u64 >= least {
                        break;
                    }
                    return Err(Stop::NoValue);
                }
                Ok(element) => elements.push(element),
                Err(Stop::NoValue) if index as u64 >= least => break,
                Err(stop) => return Err(stop),
            }
        }
        Ok(Value::Array(elements))
    }

    fn object(&mut self, flat: &Keywords, depth: usize) -> Made<Value> {
        let none = Keywords::new();
        let properties = flat.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let least = count(flat, "minProperties").unwrap_or(0);
        let most = count(flat, "maxProperties").unwrap_or(MAX_ITEMS).min(MAX_ITEMS);
        let required = required(flat);
        if least > most || required.len() as u64 > most {
            return Err(Stop::NoValue);
        }
        let mut members = Keywords::new();
        for name in &required {
            let value = self.member(flat, properties, name, depth)?;
            members.insert((*name).to_owned(), value);
        }
        let (part, of) = if self.mode == Mode::Varied { (1, 2) } else { (1, 3) };
        for name in properties.keys() {
            let full = members.len() as u64 >= most;
            let needed = (members.len() as u64) < least;
            let wanted = needed || (!self.lean(depth) && self.choices.chance(part, of));
            if full || !wanted || members.contains_key(name) || brings_more(flat, name, &members) {
                continue;
            }
            match self.member(flat, properties, name, depth) {
                Ok(value) => {
                    members.insert(name.clone(), value);
                }
                Err(Stop::NoValue) => {}
                Err(stop) => return Err(stop),
            }
        }
        let open = flat.get("additionalProperties").or_else(|| flat.get("unevaluatedProperties"));
        let is_map = open.is_some_and(Value::is_object) || flat.contains_key("patternProperties");
        let mut extra = if is_map && !self.lean(depth) { self.choices.below(3) } else { 0 };
        let mut tries = 0_u64;
        while ((members.len() as u64) < least || extra > 0) && (members.len() as u64) < most {
            tries += 1;
            if tries > least + 16 {
                break;
            }
            extra = extra.saturating_sub(1);
            let name = self.new_name(flat, tries, depth)?;
            if members.contains_key(&name) || properties.contains_key(&name) {
                continue;
            }
            match self.member(flat, properties, &name, depth) {
                Ok(value) => {
                    members.insert(name, value);
                }
                Err(Stop::NoValue) => {}
                Err(stop) => return Err(stop),
            }
        }
        if (members.len() as u64) < least {
            return Err(Stop::NoValue);
        }
        Ok(Value::Object(members))
    }

    /// A value for a member: by its own schema, by patterns for its name, or by what holds for all others.
    fn member(&mut self, flat: &Keywords, properties: &Keywords, name: &str, depth: usize) -> Made<Value> {
        let own = properties.get(name);
        let mut schema = own.map(Cow::Borrowed);
        for (pattern, by_name) in
            flat.get("patternProperties").and_then(Value::as_object).into_iter().flatten()
        {
            if self.patterns.is_match(pattern, name) {
                schema = Some(match schema {
                    Some(schema) => {
                        self.spend(weight(by_name) + weight(&schema))?;
                        Cow::Owned(both(schema.into_owned(), by_name.clone()))
                    }
                    None => Cow::Borrowed(by_name),
                });
            }
        }
        let yes = Value::Bool(true);
        let others = || flat.get("additionalProperties").or_else(|| flat.get("unevaluatedProperties"));
        let schema = schema.unwrap_or_else(|| Cow::Borrowed(others().unwrap_or(&yes)));
        self.value(&schema, name, depth + 1)
    }

    /// A name for a member that the schema does not list.
    fn new_name(&mut self, flat: &Keywords, number: u64, depth: usize) -> Made<String> {
        if let Some(Value::Object(names)) = flat.get("propertyNames") {
            let mut names = names.clone();
            names.insert("type".to_owned(), json!("string"));
            // Longer from try to try, so that an exhausted source does not give one name for ever.
            let least = count(&names, "minLength").unwrap_or(0) + (number - 1) % 16;
            if count(&names, "maxLength").is_none_or(|most| least <= most) {
                names.insert("minLength".to_owned(), json!(least));
            }
            self.spend(names.values().map(weight).sum())?;
            if let Value::String(name) = self.value(&Value::Object(names), "", depth + 1)? {
                return Ok(name);
            }
        }
        let patterns = flat.get("patternProperties").and_then(Value::as_object);
        let closed = flat.get("additionalProperties") == Some(&Value::Bool(false));
        if let Some(patterns) = patterns.filter(|patterns| !patterns.is_empty())
            && (closed || self.choices.flip())
        {
            let index = self.start(patterns.len());
            let pattern = patterns.keys().nth(index).ok_or(Stop::NoValue)?;
            let schema = json!({ "type": "string", "pattern": pattern });
            if let Value::String(name) = self.value(&schema, "", depth + 1)? {
                return Ok(name);
            }
        }
        Ok(format!("mcprove{number}"))
    }
}

/// The names that must be there, with those that they bring along.
fn required(flat: &Keywords) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    let listed = flat.get("required").and_then(Value::as_array);
    for name in listed.into_iter().flatten().filter_map(Value::as_str) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut next = 0;
    while let Some(name) = names.get(next).copied() {
        next += 1;
        for keyword in ["dependentRequired", "dependencies"] {
            let brought = flat.get(keyword).and_then(|map| map.get(name)).and_then(Value::as_array);
            for other in brought.into_iter().flatten().filter_map(Value::as_str) {
                if !names.contains(&other) {
                    names.push(other);
                }
            }
        }
    }
    names
}

/// Whether a member would make others necessary that are not there.
fn brings_more(flat: &Keywords, name: &str, members: &Keywords) -> bool {
    ["dependentRequired", "dependencies", "dependentSchemas"].iter().any(|keyword| {
        match flat.get(*keyword).and_then(|map| map.get(name)) {
            Some(Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).any(|other| !members.contains_key(other))
            }
            Some(schema) => *schema != Value::Bool(true),
            None => false,
        }
    })
}

/// How many values a value consists of.
pub(super) fn weight(value: &Value) -> u64 {
    match value {
        Value::Array(elements) => 1 + elements.iter().map(weight).sum::<u64>(),
        Value::Object(members) => 1 + members.values().map(weight).sum::<u64>(),
        Value::String(text) => 1 + text.len() as u64 / 64,
        _ => 1,
    }
}

/// Whether no string in a value names a real host.
fn is_harmless(value: &Value) -> bool {
    match value {
        Value::String(text) => names_no_real_host(text),
        Value::Array(elements) => elements.iter().all(is_harmless),
        Value::Object(members) => members.values().all(is_harmless),
        _ => true,
    }
}
