//! Words of a dictionary in values that are valid.

use super::dictionary::{Dictionary, Scope};
use super::json_type::JsonType;
use super::places::spots;
use super::text::value_of;
use crate::generate::{Choices, GenerateError, Mode, ValueGenerator, names_no_real_host};
use serde_json::Value;

/// So many words are tried in one value.
const TRIES: usize = 8;

/// A valid value for a schema, with words of a dictionary where the schema allows them.
///
/// # Errors
/// See [`ValueGenerator::value`].
pub fn value_with(
    generator: &mut ValueGenerator,
    mode: Mode,
    dictionary: &Dictionary,
    choices: &mut dyn Choices,
) -> Result<Value, GenerateError> {
    let mut value = generator.value(mode, choices)?;
    if dictionary.entries().is_empty() {
        return Ok(value);
    }
    for _ in 0..choices.index(TRIES + 1) {
        if let Some(other) = with_word(&value, dictionary, choices)
            && generator.allows(&other)
        {
            value = other;
        }
    }
    Ok(value)
}

/// A value with a word at one of its leaves.
fn with_word(value: &Value, dictionary: &Dictionary, choices: &mut dyn Choices) -> Option<Value> {
    let mut spots = spots(value);
    spots.retain(|spot| !matches!(spot.kind, JsonType::Array | JsonType::Object));
    let spot = choices.pick(&spots)?;
    let words = dictionary.at(&spot.place, spot.kind, choices)?;
    let mut other = value.clone();
    let word = value_of(&words)?;
    if word.as_str().is_some_and(|text| !names_no_real_host(text)) {
        return None;
    }
    *other.pointer_mut(&spot.place)? = word;
    Some(other)
}

impl Dictionary {
    /// A word for a place (a JSON pointer) where a value of a type stands, as JSON text; the words of its type or place
    /// come more often than those for anywhere.
    pub fn at(&self, place: &str, kind: JsonType, choices: &mut dyn Choices) -> Option<String> {
        let fitting = || self.entries().iter().filter(|entry| entry.scope.covers(place, kind));
        let own: Vec<_> = fitting().filter(|entry| entry.scope != Scope::Anywhere).collect();
        let entry = if own.is_empty() || choices.chance(1, 4) {
            *choices.pick(&fitting().collect::<Vec<_>>())?
        } else {
            *choices.pick(&own)?
        };
        entry.written(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Seeded;
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn words_come_where_they_may_and_what_is_drawn_stays_valid() {
        let dictionary = "\"anywhere\"\n#@type integer\n\"777\"\n\"99999\"\n#@path url\n\"http://localhost/word\"\n\
                          \"https://github.com/\"\n";
        let dictionary = Dictionary::parse(dictionary).unwrap();
        let schema = json!({
            "type": "object", "required": ["n", "url", "note"],
            "properties": {"n": {"type": "integer", "maximum": 1000}, "url": {"type": "string"}, "note": {"type": "string"}},
        });
        let mut generator = ValueGenerator::new(schema).unwrap();
        let mut seen = BTreeSet::new();
        for seed in 0..400 {
            let value =
                value_with(&mut generator, Mode::Varied, &dictionary, &mut Seeded::new(seed)).unwrap();
            assert!(generator.allows(&value), "{value}");
            for name in ["n", "url", "note"] {
                seen.insert(format!("{name}={}", value[name]));
            }
        }
        let has = |text: &str| seen.contains(text);
        assert!(has("n=777") && has("note=\"anywhere\"") && has("url=\"http://localhost/word\""), "{seen:?}");
        // Neither what the schema forbids, nor what stands for another place, nor a real host.
        assert!(!has("n=99999") && !has("note=\"http://localhost/word\""));
        assert!(!has("url=\"https://github.com/\"") && !has("note=\"777\""));
    }

    #[test]
    fn an_empty_dictionary_changes_nothing() {
        let mut generator = ValueGenerator::new(json!({"type": "integer"})).unwrap();
        let plain = generator.value(Mode::Varied, &mut Seeded::new(3)).unwrap();
        let same =
            value_with(&mut generator, Mode::Varied, &Dictionary::default(), &mut Seeded::new(3)).unwrap();
        assert_eq!(plain, same);
    }
}
