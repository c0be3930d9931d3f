//! A schema without references and branches: what applies to one value, put together.

use super::compose::{merge, types};
use super::guard;
use super::make::{Keywords, Made, Run, Stop, weight};
use super::schema::Mode;
use serde_json::{Value, json};
use std::borrow::Cow;

/// What applies in place, or to nothing.
const BRANCHES: &[&str] =
    &["$ref", "allOf", "anyOf", "oneOf", "if", "then", "else", "not", "dependentSchemas", "$defs"];
/// How many schemas may be put together within one another.
const MAX_NESTED: u32 = 160;

impl Run<'_> {
    /// One schema without references and branches: what applies in place is put together, one branch of each choice.
    pub(super) fn flatten<'m>(&mut self, map: &'m Keywords) -> Made<Cow<'m, Keywords>> {
        let conditional = map.get("dependencies").is_some_and(brings_schemas);
        if !conditional && !BRANCHES.iter().any(|keyword| map.contains_key(*keyword)) {
            return Ok(Cow::Borrowed(map));
        }
        self.spend(1)?;
        self.nested = self.nested.checked_add(1).filter(|nested| *nested <= MAX_NESTED).ok_or(Stop::Spent)?;
        let flat = self.put_together(map);
        self.nested -= 1;
        flat.map(Cow::Owned)
    }

    fn put_together(&mut self, map: &Keywords) -> Made<Keywords> {
        let mut flat = Keywords::new();
        for (name, value) in map {
            let kept = !BRANCHES.contains(&name.as_str()) && name != "definitions";
            if kept || name == "dependentSchemas" {
                flat.insert(name.clone(), self.copy(value)?);
            }
        }
        let root = self.root;
        if let Some(target) = guard::target(root, map).map_err(|_| Stop::NoValue)? {
            flat = self.with(flat, target)?;
        }
        for schema in map.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            flat = self.with(flat, schema)?;
        }
        for keyword in ["anyOf", "oneOf"] {
            if let Some(Value::Array(branches)) = map.get(keyword) {
                flat = self.with_one(flat, branches)?;
            }
        }
        if let Some(condition) = map.get("if") {
            flat = self.with_condition(flat, condition, map.get("then"), map.get("else"))?;
        }
        match map.get("not") {
            Some(Value::Bool(true)) => return Err(Stop::NoValue),
            Some(Value::Object(not)) if !avoid(&mut flat, not) => {
                flat = self.with_the_opposite(flat, not)?;
            }
            _ => {}
        }
        self.with_dependents(flat)
    }

    /// What a member brings along, where it is there or is chosen to be.
    fn with_dependents(&mut self, mut flat: Keywords) -> Made<Keywords> {
        for keyword in ["dependentSchemas", "dependencies"] {
            let Some(Value::Object(dependent)) = flat.get(keyword) else { continue };
            let dependent: Vec<(String, Value)> = dependent
                .iter()
                .filter(|(_, schema)| !schema.is_array())
                .map(|(name, schema)| (name.clone(), schema.clone()))
                .collect();
            self.spend(dependent.iter().map(|(_, schema)| weight(schema)).sum())?;
            if keyword == "dependentSchemas" {
                flat.shift_remove(keyword);
            } else if let Some(Value::Object(all)) = flat.get_mut(keyword) {
                all.retain(|_, schema| schema.is_array());
            }
            let mut left = Keywords::new();
            for (name, schema) in dependent {
                let required = flat.get("required").and_then(Value::as_array);
                let there = required.is_some_and(|names| names.iter().any(|required| *required == name));
                if there || self.mode == Mode::Varied && self.choices.chance(1, 4) {
                    let present = json!({ "required": [name] });
                    flat = self.with(flat, &present)?;
                    flat = self.with(flat, &schema)?;
                } else {
                    left.insert(name, schema);
                }
            }
            if !left.is_empty() {
                flat.insert("dependentSchemas".to_owned(), Value::Object(left));
            }
        }
        Ok(flat)
    }

    /// One way to break a schema that must not be met.
    fn with_the_opposite(&mut self, flat: Keywords, not: &Keywords) -> Made<Keywords> {
        self.spend(not.values().map(weight).sum::<u64>() * 2)?;
        let ways: Vec<Value> =
            not.keys().flat_map(|keyword| super::negate::breaks(self.root, not, keyword)).collect();
        self.spend(ways.iter().map(weight).sum())?;
        self.with_one(flat, &ways)
    }

    fn with(&mut self, flat: Keywords, schema: &Value) -> Made<Keywords> {
        match schema {
            Value::Bool(true) => Ok(flat),
            Value::Object(map) => {
                let other = self.flatten(map)?;
                self.spend(other.values().map(weight).sum())?;
                merge(flat, other.into_owned()).ok_or(Stop::NoValue)
            }
            _ => Err(Stop::NoValue),
        }
    }

    fn with_one(&mut self, flat: Keywords, branches: &[Value]) -> Made<Keywords> {
        let start = self.start(branches.len());
        for branch in branches.iter().cycle().skip(start).take(branches.len()) {
            self.spend(flat.values().map(weight).sum())?;
            match self.with(flat.clone(), branch) {
                Err(Stop::NoValue) => {}
                made => return made,
            }
        }
        Err(Stop::NoValue)
    }

    fn with_condition(
        &mut self,
        flat: Keywords,
        condition: &Value,
        then: Option<&Value>,
        otherwise: Option<&Value>,
    ) -> Made<Keywords> {
        let yes = Value::Bool(true);
        let met = (self.choices.below(2) + u64::from(self.attempt)).is_multiple_of(2);
        if met {
            let flat = self.with(flat, condition)?;
            return self.with(flat, then.unwrap_or(&yes));
        }
        let mut flat = self.with(flat, otherwise.unwrap_or(&yes))?;
        match condition {
            Value::Bool(true) => return Err(Stop::NoValue),
            Value::Object(condition) if !avoid(&mut flat, condition) => {
                flat = self.with_the_opposite(flat, condition)?;
            }
            _ => {}
        }
        Ok(flat)
    }
}

/// Whether `dependencies` holds schemas.
fn brings_schemas(all: &Value) -> bool {
    all.as_object().is_some_and(|all| all.values().any(|one| !one.is_array()))
}

/// Steers away from what a negated schema says, where that is simple: whether it was.
fn avoid(flat: &mut Keywords, not: &Keywords) -> bool {
    if not.len() != 1 {
        return false;
    }
    if let Some(Value::Array(names)) = not.get("required")
        && let [Value::String(name)] = names.as_slice()
    {
        let properties = flat.entry("properties").or_insert_with(|| json!({}));
        if let Value::Object(properties) = properties {
            properties.insert(name.to_owned(), Value::Bool(false));
        }
        return true;
    }
    if let Some(unwanted) = not.get("type") {
        let unwanted = types(unwanted);
        if unwanted == ["integer"] {
            // A number that is no integer is looked for by trying.
            return flat.get("type").is_some_and(|kind| types(kind) == ["number"]);
        }
        if unwanted.contains(&"integer") && !unwanted.contains(&"number") {
            return false;
        }
        let all = ["string", "integer", "number", "boolean", "object", "array", "null"];
        let allowed = flat.get("type").map_or_else(|| all.to_vec(), types);
        let left: Vec<&str> = allowed
            .into_iter()
            .filter(|kind| !(unwanted.contains(kind) || *kind == "integer" && unwanted.contains(&"number")))
            .collect();
        let left = json!(left);
        flat.insert("type".to_owned(), left);
        return true;
    }
    for (keyword, kind) in [("multipleOf", "number"), ("pattern", "string"), ("format", "string")] {
        if not.contains_key(keyword) {
            // Values are tried until one does not meet it.
            flat.entry("type").or_insert_with(|| json!(kind));
            return true;
        }
    }
    let unwanted = match (not.get("const"), not.get("enum")) {
        (Some(value), None) => std::slice::from_ref(value),
        (None, Some(Value::Array(values))) => values.as_slice(),
        _ => return false,
    };
    if let Some(Value::Array(values)) = flat.get_mut("enum") {
        values.retain(|value| !unwanted.contains(value));
    }
    // What is not listed may be anything: that the value is another one is looked at when it is there.
    true
}

/// The types to try: as the schema says, else as its keywords suggest.
pub(super) fn kinds(flat: &Keywords) -> Vec<&str> {
    const HINTS: &[(&str, &[&str])] = &[
        (
            "object",
            &[
                "properties",
                "required",
                "additionalProperties",
                "patternProperties",
                "minProperties",
                "propertyNames",
            ],
        ),
        ("array", &["items", "prefixItems", "minItems", "contains", "uniqueItems"]),
        ("string", &["pattern", "format", "minLength", "maxLength"]),
        ("number", &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]),
    ];
    match flat.get("type") {
        Some(kind) => types(kind),
        None => HINTS
            .iter()
            .filter(|(_, keywords)| keywords.iter().any(|keyword| flat.contains_key(*keyword)))
            .map(|(kind, _)| *kind)
            .collect(),
    }
}
