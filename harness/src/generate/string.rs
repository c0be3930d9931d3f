//! Strings: by pattern, by format, by length, and such as a person would write.

use super::choice::Choices;
use super::format;
use super::number::count;
use super::pattern::Pattern;
use super::schema::Mode;
use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Longer strings are not made.
pub(super) const MAX_LENGTH: u64 = 65_536;
/// How often a string is tried for one place.
const ATTEMPTS: u32 = 12;

/// Strings that meet many patterns that cannot be taken apart.
const COMMON: &[&str] = &[
    "mcprove",
    "https://mcprove.example/",
    "http://127.0.0.1/mcprove",
    "a",
    "1",
    "A1b2C3d4!",
    "mcprove-1",
    "mcprove.txt",
    "/mcprove/a.txt",
    "mcprove@mcprove.example",
    "2026-01-02",
    "12:30:00",
    "#00ff00",
    "1.2.3",
    "",
];

/// Patterns that were met before, parsed once.
#[derive(Default)]
pub(super) struct Patterns {
    known: HashMap<String, Known>,
    formats: HashMap<String, Option<Validator>>,
}

struct Known {
    parsed: Option<Pattern>,
    matches: Option<Validator>,
}

impl Patterns {
    /// Whether a text holds a match; false for a pattern that cannot be compiled.
    pub(super) fn is_match(&mut self, pattern: &str, text: &str) -> bool {
        self.get(pattern).matches.as_ref().is_some_and(|validator| validator.is_valid(&Value::from(text)))
    }

    /// Whether a text is of a format; true for a format that is not known.
    pub(super) fn is_of_format(&mut self, format: &str, text: &str) -> bool {
        if !self.formats.contains_key(format) {
            let schema = json!({ "format": format });
            let built = jsonschema::options().offline().should_validate_formats(true).build(&schema).ok();
            self.formats.insert(format.to_owned(), built);
        }
        let validator = self.formats.get(format).and_then(Option::as_ref);
        validator.is_none_or(|validator| validator.is_valid(&Value::from(text)))
    }

    fn get(&mut self, pattern: &str) -> &Known {
        if !self.known.contains_key(pattern) {
            let matches = jsonschema::options()
                .offline()
                .with_pattern_options(limits())
                .build(&json!({ "pattern": pattern }));
            let known = Known { parsed: Pattern::parse(pattern), matches: matches.ok() };
            self.known.insert(pattern.to_owned(), known);
        }
        &self.known[pattern]
    }
}

/// The limits for patterns that a server wrote: matching one costs less than a millisecond.
pub(super) fn limits() -> PatternOptions<jsonschema::FancyRegex> {
    PatternOptions::fancy_regex().backtrack_limit(10_000).size_limit(1 << 18).dfa_size_limit(1 << 18)
}

/// A string for a schema, found at the member `name`; `None` when none was found.
pub(super) fn string(
    schema: &Map<String, Value>,
    name: &str,
    mode: Mode,
    patterns: &mut Patterns,
    choices: &mut dyn Choices,
) -> Option<String> {
    let least = count(schema, "minLength").unwrap_or(0);
    let most = count(schema, "maxLength").unwrap_or(MAX_LENGTH).min(MAX_LENGTH);
    if least > most {
        return None;
    }
    let fits = |text: &str| (least..=most).contains(&(text.chars().count() as u64));
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        return by_pattern(pattern, schema, (least, most), patterns, choices);
    }
    if let Some(format) = schema.get("format").and_then(Value::as_str) {
        for _ in 0..ATTEMPTS {
            match format::string_of(format, choices) {
                Some(text) if fits(&text) => return Some(text),
                Some(_) => {}
                None => break,
            }
        }
    }
    let text = match mode {
        Mode::Varied => varied(choices),
        Mode::Plausible | Mode::Minimal => plausible(name, choices),
    };
    Some(fit(text, least, most))
}

fn by_pattern(
    pattern: &str,
    schema: &Map<String, Value>,
    (least, most): (u64, u64),
    patterns: &mut Patterns,
    choices: &mut dyn Choices,
) -> Option<String> {
    let known = patterns.get(pattern);
    let good = |text: &str| {
        (least..=most).contains(&(text.chars().count() as u64))
            && format::names_no_real_host(text)
            && known.matches.as_ref().is_some_and(|validator| validator.is_valid(&Value::from(text)))
    };
    if let Some(format) = schema.get("format").and_then(Value::as_str)
        && let Some(text) = format::string_of(format, choices).filter(|text| good(text))
    {
        return Some(text);
    }
    // What looks like a URL or an address is taken from the list, where the hosts are known.
    for mark in ["//", "@"] {
        if pattern.contains(mark)
            && let Some(text) = COMMON.iter().find(|text| text.contains(mark) && good(text))
        {
            return Some((*text).to_owned());
        }
    }
    if let Some(parsed) = &known.parsed {
        for attempt in 0..ATTEMPTS {
            let extra = [4, 1, 0, 16][attempt as usize % 4].max(u32::try_from(least).unwrap_or(u32::MAX));
            let extra = u64::from(extra).min(most) as u32;
            let Some(text) = parsed.string(choices, extra) else { continue };
            if good(&text) {
                return Some(text);
            }
            let padded = fit(text, least, most);
            if good(&padded) {
                return Some(padded);
            }
        }
    }
    COMMON.iter().find(|text| good(text)).map(|text| (*text).to_owned())
}

/// A string as a person would give it for a member of that name.
fn plausible(name: &str, choices: &mut dyn Choices) -> String {
    let name = name.to_ascii_lowercase();
    let text = if ["url", "uri", "link", "endpoint"].iter().any(|part| name.contains(part)) {
        "https://mcprove.example/"
    } else if name.contains("email") {
        "mcprove@mcprove.example"
    } else if ["path", "file"].iter().any(|part| name.contains(part)) {
        "mcprove.txt"
    } else if name.contains("date") {
        "2026-01-02"
    } else {
        ["mcprove", "mcprove", "hello", "test"][choices.index(4)]
    };
    text.to_owned()
}

/// A string of up to 24 characters: letters mostly, sometimes signs, spaces, and characters beyond ASCII.
fn varied(choices: &mut dyn Choices) -> String {
    const OTHERS: &[char] = &[
        ' ',
        '-',
        '_',
        '.',
        '"',
        '\\',
        '/',
        '<',
        '&',
        '\'',
        '{',
        '\u{e9}',
        '\u{df}',
        '\u{4e2d}',
        '\u{1f600}',
    ];
    let length = choices.below(25);
    (0..length)
        .map(|_| match choices.below(8) {
            0..=4 => char::from(b'a' + choices.below(26) as u8),
            5 => char::from(b'0' + choices.below(10) as u8),
            6 => char::from(b'A' + choices.below(26) as u8),
            _ => OTHERS[choices.index(OTHERS.len())],
        })
        .collect()
}

/// The text cut or continued until its length is right.
fn fit(mut text: String, least: u64, most: u64) -> String {
    let length = text.chars().count() as u64;
    if length > most {
        return text.chars().take(usize::try_from(most).unwrap_or(usize::MAX)).collect();
    }
    text.extend((length..least).map(|place| char::from(b'a' + (place % 26) as u8)));
    text
}

#[cfg(test)]
mod tests {
    use super::super::choice::Seeded;
    use super::*;

    fn make(schema: Value, name: &str, mode: Mode, seed: u64) -> Option<String> {
        let mut patterns = Patterns::default();
        string(schema.as_object().unwrap(), name, mode, &mut patterns, &mut Seeded::new(seed))
    }

    #[test]
    fn lengths_are_kept() {
        for seed in 0..100 {
            for mode in [Mode::Minimal, Mode::Plausible, Mode::Varied] {
                let text = make(json!({"minLength": 3, "maxLength": 5}), "path", mode, seed).unwrap();
                assert!((3..=5).contains(&text.chars().count()), "{text}");
            }
        }
        assert_eq!(make(json!({"minLength": 3, "maxLength": 2}), "x", Mode::Varied, 0), None);
        assert_eq!(make(json!({"minLength": 1e18}), "x", Mode::Varied, 0), None);
    }

    #[test]
    fn plausible_strings_are_plain() {
        for seed in 0..50 {
            let text = make(json!({}), "message", Mode::Plausible, seed).unwrap();
            assert!(text.chars().all(|c| c.is_ascii_alphanumeric()), "{text}");
        }
        assert_eq!(make(json!({}), "pageUrl", Mode::Plausible, 1).unwrap(), "https://mcprove.example/");
    }

    #[test]
    fn patterns_and_lengths_together() {
        for seed in 0..50 {
            let schema = json!({"pattern": "^[a-z]+$", "minLength": 20, "maxLength": 22});
            let text = make(schema, "x", Mode::Varied, seed).unwrap();
            assert!((20..=22).contains(&text.len()), "{text}");
            let url = make(json!({"pattern": "^https?://.+"}), "x", Mode::Varied, seed).unwrap();
            assert!(format::names_no_real_host(&url), "{url}");
            let mail = make(json!({"pattern": "^\\S+@\\S+\\.\\S+$"}), "x", Mode::Varied, seed);
            assert_eq!(mail.as_deref(), Some("mcprove@mcprove.example"));
            let ahead = make(json!({"pattern": "^(?=.*[0-9])(?=.*[A-Z]).{8,}$"}), "x", Mode::Varied, seed);
            assert!(ahead.is_some());
        }
    }
}
