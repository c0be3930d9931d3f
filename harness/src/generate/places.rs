//! The places of a schema that values reach, and the schema narrowed so that a value comes to one of them.

use super::choice::Seeded;
use super::guard::{escaped, target};
use super::make::weight;
use super::negate::FRESH;
use super::schema::Mode;
use super::string::{Patterns, string};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;

/// More places are not looked at.
const MAX_PLACES: usize = 4_000;
/// How many steps a place may be away from the root.
const MAX_ROUTE: usize = 64;

/// Keywords whose schemas apply to the same value.
const IN_PLACE: &[&str] = &["$ref", "allOf", "anyOf", "oneOf", "if", "not"];
/// A schema of more parts than this is heavy.
const HEAVY: u64 = 16;

/// A step from a schema to one that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// What `$ref` names.
    Reference,
    /// An element of `allOf`.
    All(usize),
    /// A branch of `anyOf` or `oneOf`.
    Branch(&'static str, usize),
    /// `then`, with the condition met, or `else`, with it broken.
    Condition(&'static str),
    /// What a member brings along: the keyword and the member.
    Dependent(&'static str, String),
    /// A member that the schema lists.
    Member(String),
    /// A member of a name that a keyword is about: `patternProperties` and the like.
    Other(String),
    /// An element of an array: in `prefixItems` or its like the listed one, else the first of the rest.
    Element { keyword: &'static str, index: usize, listed: bool },
}

/// A schema within the schema, with the way there.
#[derive(Debug, Clone)]
pub(super) struct Place {
    parent: Option<usize>,
    step: Step,
    depth: usize,
    /// Where it stands in the schema.
    pub(super) pointer: String,
    /// The part of the value that it is about.
    pub(super) path: String,
}

/// The places of a schema, each part of a value by the shortest way, nearest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    pub(super) list: Vec<Place>,
    /// Whether all are there: no limit was met.
    pub(super) complete: bool,
}

impl Places {
    /// Finds them.
    pub(super) fn of(root: &Value, patterns: &mut Patterns) -> Self {
        let start = Place {
            parent: None,
            step: Step::Reference,
            depth: 0,
            pointer: String::new(),
            path: String::new(),
        };
        let mut places = Self { list: vec![start], complete: true };
        let mut open = VecDeque::from([0]);
        while let Some(at) = open.pop_front() {
            let place = places.list[at].clone();
            let Some(Value::Object(map)) = root.pointer(&place.pointer) else { continue };
            for (step, pointer, path) in steps(root, map, &place, patterns) {
                if !root.pointer(&pointer).is_some_and(Value::is_object) || places.passed(at, &pointer) {
                    continue;
                }
                if places.list.len() >= MAX_PLACES || place.depth >= MAX_ROUTE {
                    places.complete = false;
                    continue;
                }
                open.push_back(places.list.len());
                places.list.push(Place { parent: Some(at), step, depth: place.depth + 1, pointer, path });
            }
        }
        places
    }

    /// Whether the way to a place leads through a schema: recursion is followed once.
    fn passed(&self, at: usize, pointer: &str) -> bool {
        let mut next = Some(at);
        while let Some(index) = next {
            if self.list[index].pointer == pointer {
                return true;
            }
            next = self.list[index].parent;
        }
        false
    }

    /// The schema narrowed to values that come to a place and do there what the change says.
    pub(super) fn narrowed(&self, root: &Value, at: usize, change: &Change) -> Value {
        let mut steps = Vec::new();
        let mut next = at;
        while let Some(parent) = self.list[next].parent {
            steps.push(&self.list[next].step);
            next = parent;
        }
        steps.reverse();
        narrow(root, root, &steps, change)
    }
}

/// What is different at a place.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Change {
    /// Keywords that are gone, or have another value.
    pub(super) instead: Vec<(String, Option<Value>)>,
    /// A schema that holds besides.
    pub(super) besides: Option<Value>,
}

fn steps(
    root: &Value,
    map: &Map<String, Value>,
    place: &Place,
    patterns: &mut Patterns,
) -> Vec<(Step, String, String)> {
    let mut found = Vec::new();
    let below = |name: &str| format!("{}/{}", place.path, escaped(name));
    let at = |rest: String| format!("{}/{rest}", place.pointer);
    let here = || place.path.clone();
    if let (Ok(Some(_)), Some(reference)) = (target(root, map), map.get("$ref").and_then(Value::as_str)) {
        let pointer = super::guard::decoded_pointer(reference.trim_start_matches('#'));
        found.push((Step::Reference, pointer, here()));
    }
    let length = |keyword: &str| map.get(keyword).and_then(Value::as_array).map_or(0, Vec::len);
    found.extend((0..length("allOf")).map(|index| (Step::All(index), at(format!("allOf/{index}")), here())));
    for keyword in ["anyOf", "oneOf"] {
        found.extend(
            (0..length(keyword)).map(|i| (Step::Branch(keyword, i), at(format!("{keyword}/{i}")), here())),
        );
    }
    if map.contains_key("if") {
        for keyword in ["then", "else"] {
            if map.contains_key(keyword) {
                found.push((Step::Condition(keyword), at(keyword.to_owned()), here()));
            }
        }
    }
    for keyword in ["dependentSchemas", "dependencies"] {
        for name in map.get(keyword).and_then(Value::as_object).into_iter().flat_map(Map::keys) {
            let step = Step::Dependent(keyword, name.clone());
            found.push((step, at(format!("{keyword}/{}", escaped(name))), here()));
        }
    }
    let listed = map.get("properties").and_then(Value::as_object);
    for name in listed.into_iter().flat_map(Map::keys) {
        found.push((Step::Member(name.clone()), at(format!("properties/{}", escaped(name))), below(name)));
    }
    for pattern in map.get("patternProperties").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
        let keywords = Map::from_iter([("pattern".to_owned(), json!(pattern))]);
        let name = (0..8)
            .filter_map(|seed| string(&keywords, "", Mode::Varied, patterns, &mut Seeded::new(seed)))
            .find(|name| listed.is_none_or(|listed| !listed.contains_key(name)));
        if let Some(name) = name {
            let path = below(&name);
            found.push((Step::Other(name), at(format!("patternProperties/{}", escaped(pattern))), path));
        }
    }
    for keyword in ["additionalProperties", "unevaluatedProperties"] {
        if map.contains_key(keyword) {
            found.push((Step::Other(FRESH.to_owned()), at(keyword.to_owned()), below(FRESH)));
        }
    }
    let element = |keyword: &'static str, index: usize, listed: bool| {
        let pointer = if listed { at(format!("{keyword}/{index}")) } else { at(keyword.to_owned()) };
        (Step::Element { keyword, index, listed }, pointer, below(&index.to_string()))
    };
    let (prefix, rest) = array_keywords(map);
    found.extend((0..length(prefix)).map(|index| element(prefix, index, true)));
    for keyword in [rest, "unevaluatedItems"] {
        if map.get(keyword).is_some_and(Value::is_object) {
            found.push(element(keyword, length(prefix), false));
        }
    }
    found
}

/// The keywords for the first elements of an array and for the rest, as the dialect of the schema has them.
fn array_keywords(map: &Map<String, Value>) -> (&'static str, &'static str) {
    match map.get("items") {
        Some(Value::Array(_)) => ("items", "additionalItems"),
        _ => ("prefixItems", "items"),
    }
}

/// The keywords of a map, without what only stands there to be referred to.
fn kept(map: &Map<String, Value>) -> Map<String, Value> {
    let kept = map.iter().filter(|(name, _)| *name != "$defs" && *name != "definitions");
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn narrow(root: &Value, schema: &Value, steps: &[&Step], change: &Change) -> Value {
    let Value::Object(map) = schema else { return schema.clone() };
    let mut new = kept(map);
    let mut besides = Vec::new();
    let Some((step, rest)) = steps.split_first() else {
        for (keyword, value) in &change.instead {
            match value {
                Some(value) => new.insert(keyword.clone(), value.clone()),
                None => new.shift_remove(keyword),
            };
        }
        besides.extend(change.besides.clone());
        return conjoined(new, besides);
    };
    let inner = |child: Option<&Value>| child.map(|child| narrow(root, child, rest, change));
    let get = |keyword: &str| map.get(keyword);
    let not = |schema: &Value| json!({ "not": schema });
    match step {
        Step::Reference => {
            new.shift_remove("$ref");
            besides.extend(inner(target(root, map).ok().flatten()));
        }
        Step::All(index) => {
            let child = get("allOf").and_then(|list| list.get(*index));
            if let (Some(Value::Array(list)), Some(made)) = (new.get_mut("allOf"), inner(child)) {
                list[*index] = made;
            }
        }
        Step::Branch(keyword, index) => {
            let branches = get(keyword).and_then(Value::as_array);
            new.shift_remove(*keyword);
            for (number, branch) in branches.into_iter().flatten().enumerate() {
                if number == *index {
                    besides.extend(inner(Some(branch)));
                } else if *keyword == "oneOf" || !change.instead.is_empty() {
                    besides.push(not(branch));
                }
            }
        }
        Step::Condition(keyword) => {
            for name in ["if", "then", "else"] {
                new.shift_remove(name);
            }
            if let Some(condition) = get("if") {
                besides.push(if *keyword == "then" { condition.clone() } else { not(condition) });
            }
            besides.extend(inner(get(keyword)));
        }
        Step::Dependent(keyword, name) => {
            if let Some(Value::Object(all)) = new.get_mut(*keyword) {
                all.shift_remove(name);
            }
            besides.push(json!({"type": "object", "required": [name]}));
            besides.extend(inner(get(keyword).and_then(|all| all.get(name))));
        }
        Step::Member(name) => {
            if let Some(made) = inner(get("properties").and_then(|all| all.get(name))) {
                leave_out_the_heavy(&mut new, name);
                new["properties"][name] = made;
            }
            besides.push(json!({"type": "object", "required": [name]}));
        }
        Step::Other(name) => {
            // What the keyword says of other members is narrowed for this one alone.
            let mut replaced = None;
            for keyword in ["patternProperties", "additionalProperties", "unevaluatedProperties"] {
                let child = match get(keyword) {
                    Some(Value::Object(all)) if keyword == "patternProperties" => all
                        .iter()
                        .find(|(pattern, _)| Patterns::default().is_match(pattern, name))
                        .map(|(_, one)| one),
                    other => other,
                };
                if let Some(child) = child.filter(|child| child.is_object()) {
                    replaced = inner(Some(child));
                    if keyword == "patternProperties" && !change.instead.is_empty() {
                        new.shift_remove(keyword);
                    }
                    break;
                }
            }
            let properties = new.entry("properties").or_insert_with(|| json!({}));
            if let (Value::Object(all), Some(made)) = (properties, replaced) {
                all.insert(name.clone(), made);
            }
            besides.push(json!({"type": "object", "required": [name]}));
        }
        Step::Element { keyword, index, listed } => {
            let child = get(keyword).and_then(|items| if *listed { items.get(*index) } else { Some(items) });
            let made = inner(child).unwrap_or(Value::Bool(true));
            let (prefix, _) = array_keywords(map);
            if !*listed && prefix == "items" {
                if let Some(Value::Array(list)) = new.get_mut("items") {
                    list.push(made);
                }
            } else if *listed && prefix == "items" {
                new["items"][*index] = made;
            } else {
                let list = new.entry("prefixItems").or_insert_with(|| json!([]));
                if let Value::Array(list) = list {
                    list.truncate(if *listed { usize::MAX } else { *index });
                    if *listed { list[*index] = made } else { list.push(made) }
                }
            }
            besides.push(json!({"type": "array", "minItems": index + 1}));
        }
    }
    conjoined(new, besides)
}

/// Large members that may be absent are: what goes on beside the way to a place is not what the value is made for.
fn leave_out_the_heavy(map: &mut Map<String, Value>, name: &str) {
    const NEEDED: &[&str] = &["dependentRequired", "dependentSchemas", "dependencies", "minProperties"];
    if NEEDED.iter().chain(IN_PLACE).any(|keyword| map.contains_key(*keyword)) {
        return;
    }
    let required = map.get("required").cloned().unwrap_or_default();
    let required = required.as_array().map_or(&[][..], Vec::as_slice);
    if let Some(Value::Object(all)) = map.get_mut("properties") {
        for (other, schema) in all {
            if other != name && !required.iter().any(|one| one == other) && weight(schema) > HEAVY {
                *schema = Value::Bool(false);
            }
        }
    }
}

fn conjoined(mut map: Map<String, Value>, besides: Vec<Value>) -> Value {
    if !besides.is_empty()
        && let Value::Array(list) = map.entry("allOf").or_insert_with(|| json!([]))
    {
        list.extend(besides);
    }
    Value::Object(map)
}
