//! A schema without references and branches: what applies to one value, put together.

use super::compose::{merge, types};
use super::guard;
use super::make::{Keywords, Made, Run, Stop, weight};
use serde_json::{Value, json};
use std::borrow::Cow;

impl Run<'_> {
    /// One schema without references and branches: what applies in place is put together, one branch of each choice.
    pub(super) fn flatten<'m>(&mut self, map: &'m Keywords) -> Made<Cow<'m, Keywords>> {
        const BRANCHES: &[&str] =
            &["$ref", "allOf", "anyOf", "oneOf", "if", "then", "else", "not", "dependentSchemas", "$defs"];
        if !BRANCHES.iter().any(|keyword| map.contains_key(*keyword)) {
            return Ok(Cow::Borrowed(map));
        }
        self.spend(1)?;
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
        if let Some(Value::Object(not)) = map.get("not") {
            avoid(&mut flat, not);
        }
        if let Some(Value::Object(dependent)) = flat.remove("dependentSchemas") {
            for (name, schema) in dependent {
                let required = flat.get("required").and_then(Value::as_array);
                if required.is_some_and(|names| names.iter().any(|required| *required == name)) {
                    flat = self.with(flat, &schema)?;
                }
            }
        }
        Ok(Cow::Owned(flat))
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
        if let Value::Object(condition) = condition {
            avoid(&mut flat, condition);
        }
        Ok(flat)
    }
}

/// Steers away from what a negated schema says, where that is simple.
fn avoid(flat: &mut Keywords, not: &Keywords) {
    if let Some(Value::Array(names)) = not.get("required")
        && not.len() == 1
        && let Some(name) = names.first().and_then(Value::as_str)
    {
        let properties = flat.entry("properties").or_insert_with(|| json!({}));
        if let Value::Object(properties) = properties {
            properties.insert(name.to_owned(), Value::Bool(false));
        }
    }
    if let Some(unwanted) = not.get("type")
        && not.len() == 1
    {
        let unwanted = types(unwanted);
        let all = ["string", "integer", "number", "boolean", "object", "array", "null"];
        let allowed = flat.get("type").map_or_else(|| all.to_vec(), types);
        let left: Vec<&str> = allowed
            .into_iter()
            .filter(|kind| !(unwanted.contains(kind) || *kind == "integer" && unwanted.contains(&"number")))
            .collect();
        let left = json!(left);
        flat.insert("type".to_owned(), left);
    }
    let unwanted = match (not.get("const"), not.get("enum")) {
        (Some(value), None) if not.len() == 1 => std::slice::from_ref(value),
        (None, Some(Value::Array(values))) if not.len() == 1 => values.as_slice(),
        _ => return,
    };
    if let Some(Value::Array(values)) = flat.get_mut("enum") {
        values.retain(|value| !unwanted.contains(value));
    }
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
