//! The arguments of tools against their `inputSchema`, in the 2020-12 dialect of JSON Schema.

use std::sync::OnceLock;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use crate::message::shorten;

/// A schema of our own. It is compiled when it is first needed, and once.
pub(crate) struct Schema {
    source: Value,
    compiled: OnceLock<Validator>,
}

impl Schema {
    pub(crate) const fn new(source: Value) -> Self {
        Self { source, compiled: OnceLock::new() }
    }

    fn validator(&self) -> &Validator {
        self.compiled.get_or_init(|| {
            jsonschema::options()
                .with_draft(Draft::Draft202012)
                .should_validate_formats(true)
                // Time linear in the text, whatever the client sends.
                .with_pattern_options(PatternOptions::regex())
                .build(&self.source)
                .expect("all our schemas are fixed, and tests compile them")
        })
    }

    /// Checks the arguments of a call; the error says in a short phrase what is wrong and where.
    pub(crate) fn check(&self, arguments: &Value) -> Result<(), String> {
        // The message leaves the value out, which may be of any length.
        self.validator().validate(arguments).map_err(|error| {
            let place = match error.instance_path().as_str() {
                "" => String::new(),
                place => format!("{place}: "),
            };
            shorten(&format!("{place}{}", error.masked_with("the value")))
        })
    }
}

/// Checks a value against a schema of our own that is used only once.
pub(crate) fn check_once(schema: &Value, value: &Value) -> Result<(), String> {
    Schema::new(schema.clone()).check(value)
}

#[cfg(test)]
mod tests {
    use super::Schema;
    use serde_json::{Value, json};

    fn holds(schema: &Value, value: &Value) -> bool {
        Schema::new(schema.clone()).check(value).is_ok()
    }

    #[test]
    fn formats_patterns_and_integers_are_checked_as_the_dialect_says() {
        let booking = json!({"type": "string", "pattern": "^[A-Z]{2}[0-9]{4}$"});
        assert!(holds(&booking, &json!("AB1234")) && !holds(&booking, &json!("AB1234\n")));
        let date = json!({"type": "string", "format": "date"});
        assert!(holds(&date, &json!("2024-02-29")) && !holds(&date, &json!("2023-02-29")));
        assert!(holds(&json!({"type": "integer"}), &json!(1.0)));
        assert!(holds(&json!({"minLength": 1, "maxLength": 1}), &json!("🐸")));
    }

    #[test]
    fn composition_anchors_and_conditions_are_checked() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$defs": {"place": {"$anchor": "place", "type": "object", "required": ["city"]}},
            "properties": {"from": {"$ref": "#/$defs/place"}, "to": {"$ref": "#place"}},
            "if": {"required": ["from"]}, "then": {"required": ["to"]},
            "not": {"required": ["never"]},
        });
        assert!(holds(&schema, &json!({"from": {"city": "a"}, "to": {"city": "b"}})));
        for wrong in [json!({"from": {"city": "a"}}), json!({"to": {}}), json!({"never": 1})] {
            assert!(!holds(&schema, &wrong), "{wrong}");
        }
    }

    #[test]
    fn the_reason_is_short_and_says_where() {
        let schema = Schema::new(json!({"properties": {"a": {"type": "array", "items": {"maxLength": 3}}}}));
        let reason = schema.check(&json!({"a": ["x", "y".repeat(100_000)]})).unwrap_err();
        assert!(reason.starts_with("/a/1: the value") && reason.len() < 300, "{reason}");
    }
}
