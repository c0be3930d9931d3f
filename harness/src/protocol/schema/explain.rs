//! What is wrong with a value: a walk over the types beside the value that chooses the branch of a union by its
//! discriminator and reports that branch's errors.

use serde_json::{Map, Value};

use super::check::Violation;
use super::resolve::RevisionModel;
use super::shape::{Field, Shape};

/// How many violations are listed.
pub(super) const MAX_VIOLATIONS: usize = 20;
/// How many values are looked at while explaining; the verdict does not depend on it.
const MAX_STEPS: u32 = 100_000;
const MAX_TEXT: usize = 60;
const MAX_KEY: usize = 200;

/// Whether the value has the type.
pub(super) fn accepts(model: &RevisionModel, shape: &Shape, value: &Value) -> bool {
    let inner = |shape: &Shape, value: &Value| accepts(model, shape, value);
    match shape {
        Shape::Any => true,
        Shape::Definition(at) => inner(&model.definitions[*at].shape, value),
        Shape::Unnamed(_, shape) => inner(shape, value),
        Shape::Union(parts) => parts.iter().any(|part| inner(part, value)),
        Shape::All(parts) => parts.iter().all(|part| inner(part, value)),
        Shape::Array { items, most } => value.as_array().is_some_and(|list| {
            most.is_none_or(|most| list.len() as u64 <= most) && list.iter().all(|item| inner(items, item))
        }),
        Shape::Object { members, rest } => value.as_object().is_some_and(|object| {
            members.iter().all(|member| match object.get(&member.name) {
                Some(value) => inner(&member.shape, value),
                None => !member.required,
            }) && rest.as_ref().is_none_or(|rest| {
                object
                    .iter()
                    .all(|(name, value)| members.iter().any(|m| m.name == *name) || inner(rest, value))
            })
        }),
        _ => accepts_scalar(shape, value),
    }
}

fn accepts_scalar(shape: &Shape, value: &Value) -> bool {
    match shape {
        Shape::Null => value.is_null(),
        Shape::Boolean => value.is_boolean(),
        Shape::String { .. } => value.is_string(),
        Shape::OneOf(texts) => value.as_str().is_some_and(|text| texts.iter().any(|known| known == text)),
        Shape::Code(code) => {
            value.as_f64().is_some_and(|number| (number - *code as f64).abs() < f64::EPSILON)
        }
        Shape::Integer { least } => is_integer(value) && in_range(value, *least, None),
        Shape::Number { least, most } => value.is_number() && in_range(value, *least, *most),
        _ => false,
    }
}

fn is_integer(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn in_range(value: &Value, least: Option<i64>, most: Option<i64>) -> bool {
    let inside = |number: f64| {
        least.is_none_or(|least| number >= least as f64) && most.is_none_or(|most| number <= most as f64)
    };
    value.as_f64().is_some_and(inside)
}

/// What is wrong with the value; empty if it has the type of the definition.
pub(super) fn explain(model: &RevisionModel, definition: usize, value: &Value) -> Vec<Violation> {
    let mut walk = Walk { model, pointer: String::new(), found: Vec::new(), steps: 0 };
    let definition = &model.definitions[definition];
    walk.value(&definition.shape, value, definition.name);
    walk.found
}

struct Walk<'a> {
    model: &'a RevisionModel,
    pointer: String,
    found: Vec<Violation>,
    steps: u32,
}

/// One way to satisfy a union.
#[derive(Clone, Copy)]
struct Branch<'a> {
    shape: &'a Shape,
    definition: &'a str,
}

impl<'a> Walk<'a> {
    fn is_full(&self) -> bool {
        self.found.len() >= MAX_VIOLATIONS || self.steps >= MAX_STEPS
    }

    fn report(&mut self, definition: &str, expected: String, actual: String) {
        let violation =
            Violation { pointer: self.pointer.clone(), expected, actual, definition: definition.to_owned() };
        if !self.is_full() && !self.found.contains(&violation) {
            self.found.push(violation);
        }
    }

    fn below(&mut self, key: &str, walk: impl FnOnce(&mut Self)) {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&shorten(key, MAX_KEY).replace('~', "~0").replace('/', "~1"));
        walk(self);
        self.pointer.truncate(length);
    }

    fn value(&mut self, shape: &'a Shape, value: &Value, definition: &'a str) {
        self.steps += 1;
        if self.is_full() {
            return;
        }
        match (shape, value) {
            (Shape::Definition(at), _) => {
                let inner = &self.model.definitions[*at];
                self.value(&inner.shape, value, inner.name);
            }
            (Shape::Unnamed(name, inner), _) => self.value(inner, value, name),
            (Shape::Union(parts), _) => self.union(parts, value, definition),
            (Shape::All(parts), _) => parts.iter().for_each(|part| self.value(part, value, definition)),
            (Shape::Array { items, most }, Value::Array(list)) => {
                if most.is_some_and(|most| list.len() as u64 > most) {
                    self.report(definition, self.describe(shape), summary(value));
                }
                for (index, item) in list.iter().enumerate() {
                    if self.is_full() {
                        return;
                    }
                    self.below(&index.to_string(), |walk| walk.value(items, item, definition));
                }
            }
            (Shape::Object { members, rest }, Value::Object(object)) => {
                self.object(members, rest.as_deref(), object, definition);
            }
            _ => {
                if !accepts(self.model, shape, value) {
                    self.report(definition, self.describe(shape), summary(value));
                }
            }
        }
    }

    fn object(
        &mut self,
        members: &'a [Field],
        rest: Option<&'a Shape>,
        object: &Map<String, Value>,
        definition: &'a str,
    ) {
        for member in members {
            match object.get(&member.name) {
                Some(value) => self.below(&member.name, |walk| walk.value(&member.shape, value, definition)),
                None if member.required => {
                    let expected = format!("a member `{}`: {}", member.name, self.describe(&member.shape));
                    self.report(definition, expected, "no such member".to_owned());
                }
                None => {}
            }
        }
        if let Some(rest) = rest {
            for (name, value) in object.iter().filter(|(name, _)| members.iter().all(|m| m.name != **name)) {
                if self.is_full() {
                    return;
                }
                self.below(name, |walk| walk.value(rest, value, definition));
            }
        }
    }

    /// Reports what is wrong with the branch that the value was meant to be.
    fn union(&mut self, parts: &'a [Shape], value: &Value, definition: &'a str) {
        if parts.iter().any(|part| accepts(self.model, part, value)) {
            return;
        }
        let mut branches = Vec::new();
        for part in parts {
            self.flatten(Branch { shape: part, definition }, &mut branches);
        }
        let all = branches.clone();
        branches.retain(|branch| self.is_of_kind(branch.shape, value));
        let best = match value {
            Value::Object(object) => {
                if self.discriminate(&mut branches, object, definition) {
                    return;
                }
                branches.iter().copied().min_by_key(|branch| distance(branch.shape, object))
            }
            Value::Array(list) => branches.iter().copied().max_by_key(|branch| match branch.shape {
                Shape::Array { items, .. } => {
                    list.iter().take(32).filter(|item| accepts(self.model, items, item)).count()
                }
                _ => 0,
            }),
            _ => None,
        };
        if let Some(branch) = best {
            self.value(branch.shape, value, branch.definition);
        } else {
            let mut kinds: Vec<String> = Vec::new();
            for branch in &all {
                let named = matches!(branch.shape, Shape::Object { .. }) && branch.definition != definition;
                let kind = if named { branch.definition.to_owned() } else { self.describe(branch.shape) };
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            self.report(definition, kinds.join(" or "), summary(value));
        }
    }

    fn flatten(&self, branch: Branch<'a>, branches: &mut Vec<Branch<'a>>) {
        match branch.shape {
            Shape::Definition(at) => {
                let inner = &self.model.definitions[*at];
                self.flatten(Branch { shape: &inner.shape, definition: inner.name }, branches);
            }
            Shape::Unnamed(name, shape) => self.flatten(Branch { shape, definition: name }, branches),
            Shape::Union(parts) => {
                for shape in parts {
                    self.flatten(Branch { shape, ..branch }, branches);
                }
            }
            _ => branches.push(branch),
        }
    }

    /// Whether the type is one for values of this JSON type.
    fn is_of_kind(&self, shape: &Shape, value: &Value) -> bool {
        match shape {
            Shape::Object { .. } => value.is_object(),
            Shape::Array { .. } => value.is_array(),
            Shape::String { .. } | Shape::OneOf(_) => value.is_string(),
            Shape::Integer { .. } | Shape::Number { .. } | Shape::Code(_) => value.is_number(),
            Shape::All(parts) => parts.iter().all(|part| self.is_of_kind(part, value)),
            Shape::Definition(at) => self.is_of_kind(&self.model.definitions[*at].shape, value),
            _ => accepts(self.model, shape, value),
        }
    }

    /// Leaves the branches whose constant members fit. True if that already says what is wrong.
    fn discriminate(
        &mut self,
        branches: &mut Vec<Branch<'a>>,
        object: &Map<String, Value>,
        definition: &'a str,
    ) -> bool {
        let mut names: Vec<&'a str> = Vec::new();
        for branch in branches.iter() {
            for member in fields(branch.shape).iter().filter(|m| is_constant(&m.shape)) {
                if !names.contains(&member.name.as_str()) {
                    names.push(&member.name);
                }
            }
        }
        for name in names {
            let field = |branch: &Branch<'a>| fields(branch.shape).iter().find(|m| m.name == name);
            let fits = |branch: &Branch<'a>| match (field(branch), object.get(name)) {
                (None, _) => true,
                (Some(member), None) => !member.required,
                (Some(member), Some(value)) => accepts_scalar(&member.shape, value),
            };
            if branches.iter().any(fits) {
                branches.retain(fits);
            } else if branches.len() > 1 {
                let shapes =
                    branches.iter().filter_map(|branch| Some(field(branch)?.shape.clone())).collect();
                let expected = Shape::union(shapes).map(|shape| self.describe(&shape)).unwrap_or_default();
                if let Some(value) = object.get(name) {
                    self.below(name, |walk| walk.report(definition, expected, summary(value)));
                } else {
                    let expected = format!("a member `{name}`: {expected}");
                    self.report(definition, expected, "no such member".to_owned());
                }
                return true;
            }
        }
        false
    }

    /// The type in words.
    fn describe(&self, shape: &Shape) -> String {
        match shape {
            Shape::Any => "any value".to_owned(),
            Shape::Null => "null".to_owned(),
            Shape::Boolean => "a boolean".to_owned(),
            Shape::String { .. } => "a string".to_owned(),
            Shape::Integer { least } => format!("an integer{}", range(*least, None)),
            Shape::Number { least, most } => format!("a number{}", range(*least, *most)),
            Shape::OneOf(texts) if texts.len() == 1 => format!("\"{}\"", texts[0]),
            Shape::OneOf(texts) => {
                format!(
                    "one of {}",
                    texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", ")
                )
            }
            Shape::Code(code) => code.to_string(),
            Shape::Array { most: None, .. } => "an array".to_owned(),
            Shape::Array { most: Some(most), .. } => format!("an array of at most {most} items"),
            Shape::Object { .. } | Shape::All(_) => "an object".to_owned(),
            Shape::Definition(at) => {
                let definition = &self.model.definitions[*at];
                self.describe_named(&definition.shape, definition.name)
            }
            Shape::Unnamed(name, shape) => self.describe_named(shape, name),
            Shape::Union(parts) => {
                let mut kinds: Vec<String> = Vec::new();
                for kind in parts.iter().map(|part| self.describe(part)) {
                    if !kinds.contains(&kind) {
                        kinds.push(kind);
                    }
                }
                kinds.join(" or ")
            }
        }
    }

    fn describe_named(&self, shape: &Shape, name: &str) -> String {
        match shape {
            Shape::Object { .. } | Shape::All(_) => format!("an object ({name})"),
            Shape::Union(parts)
                if parts.iter().all(|part| self.is_of_kind(part, &Value::Object(Map::new()))) =>
            {
                format!("an object ({name})")
            }
            _ => self.describe(shape),
        }
    }
}

fn fields(shape: &Shape) -> &[Field] {
    if let Shape::Object { members, .. } = shape { members } else { &[] }
}

fn is_constant(shape: &Shape) -> bool {
    matches!(shape, Shape::OneOf(_) | Shape::Code(_))
}

/// How far an object is from a type, by the names of its members: required ones that are absent, then known ones present.
fn distance(shape: &Shape, object: &Map<String, Value>) -> (usize, std::cmp::Reverse<usize>) {
    let fields = fields(shape);
    let missing = fields.iter().filter(|m| m.required && !object.contains_key(&m.name)).count();
    (missing, std::cmp::Reverse(fields.iter().filter(|m| object.contains_key(&m.name)).count()))
}

fn range(least: Option<i64>, most: Option<i64>) -> String {
    match (least, most) {
        (None, None) => String::new(),
        (Some(least), None) => format!(", at least {least}"),
        (None, Some(most)) => format!(", at most {most}"),
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
    }
}

/// A value in a few words.
fn summary(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{:?}", shorten(text, MAX_TEXT)),
        Value::Array(list) if list.len() == 1 => "an array of 1 item".to_owned(),
        Value::Array(list) => format!("an array of {} items", list.len()),
        Value::Object(object) if object.is_empty() => "an empty object".to_owned(),
        Value::Object(object) => {
            let mut names: Vec<String> = object.keys().take(4).map(|key| shorten(key, 24)).collect();
            if object.len() > names.len() {
                names.push("…".to_owned());
            }
            format!("an object with {}", names.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
