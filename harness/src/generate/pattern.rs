//! Strings that match a regular expression.

use super::choice::Choices;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// How many characters a match may have.
const MAX_LENGTH: usize = 4096;
/// How deep expressions may be nested.
const MAX_NESTING: u32 = 64;

/// A parsed pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Hir);

impl Pattern {
    /// Parses a pattern; `None` for what the parser does not know: look-around and back-references.
    pub(super) fn parse(pattern: &str) -> Option<Self> {
        ParserBuilder::new().nest_limit(MAX_NESTING).build().parse(pattern).ok().map(Self)
    }

    /// A string that holds a match, most likely: assertions are not looked at. Repetitions without an upper end run
    /// up to `extra` times beyond their minimum. `None` when no match fits the length limit.
    pub(super) fn string(&self, choices: &mut dyn Choices, extra: u32) -> Option<String> {
        let mut text = String::new();
        let mut fuel = MAX_LENGTH * 4;
        write(&self.0, choices, extra, &mut text, &mut fuel)?;
        Some(text)
    }
}

fn write(
    hir: &Hir,
    choices: &mut dyn Choices,
    extra: u32,
    text: &mut String,
    fuel: &mut usize,
) -> Option<()> {
    *fuel = fuel.checked_sub(1)?;
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(class) => text.push(character(class, choices)?),
        HirKind::Capture(capture) => write(&capture.sub, choices, extra, text, fuel)?,
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX).min(repetition.min.saturating_add(extra));
            let count = choices.between(i64::from(repetition.min), i64::from(most));
            for _ in 0..count {
                write(&repetition.sub, choices, extra, text, fuel)?;
            }
        }
        HirKind::Concat(parts) => {
            for part in parts {
                write(part, choices, extra, text, fuel)?;
            }
        }
        HirKind::Alternation(branches) => write(choices.pick(branches)?, choices, extra, text, fuel)?,
    }
    (text.len() <= MAX_LENGTH).then_some(())
}

/// A character of a class: a letter, digit or other printable ASCII character where the class has one.
fn character(class: &Class, choices: &mut dyn Choices) -> Option<char> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => class.iter().map(|r| (u32::from(r.start()), u32::from(r.end()))).collect(),
        Class::Bytes(class) => class
            .iter()
            .filter(|r| r.start().is_ascii())
            .map(|r| (u32::from(r.start()), u32::from(r.end().min(0x7f))))
            .collect(),
    };
    for (first, last) in [(u32::from('a'), u32::from('z')), (u32::from('0'), u32::from('9')), (0x21, 0x7e)] {
        let within: Vec<(u32, u32)> = ranges
            .iter()
            .map(|(start, end)| ((*start).max(first), (*end).min(last)))
            .filter(|(start, end)| start <= end)
            .collect();
        // Digits and signs get their turn even where letters would do.
        if !within.is_empty() && (first == 0x21 || choices.below(3) < 2) {
            return from_ranges(&within, choices);
        }
    }
    from_ranges(&ranges, choices)
}

fn from_ranges(ranges: &[(u32, u32)], choices: &mut dyn Choices) -> Option<char> {
    let total: u64 = ranges.iter().map(|(start, end)| u64::from(end - start) + 1).sum();
    let mut drawn = choices.below(total);
    for (start, end) in ranges {
        let size = u64::from(end - start) + 1;
        if drawn < size {
            return char::from_u32(start + u32::try_from(drawn).ok()?).or_else(|| char::from_u32(*start));
        }
        drawn -= size;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::choice::{Bytes, Seeded};
    use super::*;
    use serde_json::json;

    #[test]
    fn strings_match() {
        for pattern in [
            "^[a-z]+$",
            "^\\d{3}-\\d{4}$",
            "^(foo|bar)[A-Z_]{2,5}$",
            "^#[0-9a-fA-F]{6}$",
            "^[^/]+/[^/]+$",
            "^\\S+@\\S+\\.\\S+$",
            "^v?(0|[1-9]\\d*)\\.(0|[1-9]\\d*)$",
            "[\\u4e00-\\u9fff]{2}",
            "^\\w+(\\/\\w+)*$",
            "x",
            "",
        ] {
            let validator = jsonschema::options().build(&json!({"pattern": pattern})).unwrap();
            let parsed = Pattern::parse(pattern).unwrap_or_else(|| panic!("{pattern}"));
            for seed in 0..100 {
                let text = parsed.string(&mut Seeded::new(seed), 8).unwrap();
                assert!(validator.is_valid(&json!(text)), "{pattern}: {text}");
            }
        }
    }

    #[test]
    fn hostile_patterns_end() {
        assert!(Pattern::parse("(?=x)").is_none());
        assert!(Pattern::parse(&"(".repeat(100_000)).is_none());
        for pattern in ["(a+)+$", "a{100000}", "((a{50}){50}){50}", "[a&&b]", "(?:){4000000}"] {
            if let Some(parsed) = Pattern::parse(pattern) {
                let text = parsed.string(&mut Bytes::new(&[0xff; 64]), 8).unwrap_or_default();
                assert!(text.len() <= MAX_LENGTH, "{pattern}");
            }
        }
    }
}
