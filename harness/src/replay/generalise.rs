//! Finds the narrowest regular expression that some texts have in common: what is the same stays, what varies becomes a class
//! of what it is: a time, a UUID, a number, digits, letters and digits, the rest of a line.

use std::sync::LazyLock;

/// Texts with more pairs of parts than that are only compared at their ends.
const PAIRS: usize = 4_000_000;
/// From this length on, digits and letters that vary keep it.
const FIXED: usize = 8;
/// Characters that a pattern keeps of each end of a text that is too long.
const ENDS: usize = 200;

const TIMESTAMP: &str = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?";
const CLOCK: &str = r"\d\d:\d\d:\d\d(?:[.,]\d+)?";
const DATE: &str = r"\d{4}-\d\d-\d\d";
const UUID: &str = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";
const NUMBER: &str = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?";

/// A part of a text, by what it looks like.
#[expect(clippy::expect_used, reason = "constants, which every test runs into")]
static PART: LazyLock<regex::Regex> = LazyLock::new(|| {
    let unit = r"[0-9]+(?:\.[0-9]+)?";
    regex::Regex::new(&format!(r"{TIMESTAMP}|{UUID}|{CLOCK}|{DATE}|{unit}|[A-Za-z0-9]+|\s+|(?s:.)"))
        .expect("a constant")
});

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Class(Class),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Class {
    Timestamp,
    Clock,
    Date,
    Uuid,
    Number,
    Digits(usize),
    Hex(usize),
    /// Letters and digits: so many, or any number.
    Alnum(Option<usize>),
    /// Letters, digits, `_` and `-`.
    Name,
    Space,
    Line,
    Any,
}

impl Class {
    fn write(&self) -> String {
        match self {
            Self::Timestamp => TIMESTAMP.to_owned(),
            Self::Clock => CLOCK.to_owned(),
            Self::Date => DATE.to_owned(),
            Self::Uuid => UUID.to_owned(),
            Self::Number => NUMBER.to_owned(),
            Self::Digits(length) => format!("[0-9]{{{length}}}"),
            Self::Hex(length) => format!("[0-9a-fA-F]{{{length}}}"),
            // As long as that it may be base64, in which other signs are rare.
            Self::Alnum(Some(length @ 16..)) => format!("[A-Za-z0-9+/=_-]{{{length}}}"),
            Self::Alnum(Some(length)) => format!("[A-Za-z0-9]{{{length}}}"),
            Self::Alnum(None) => "[A-Za-z0-9]+".to_owned(),
            Self::Name => "[A-Za-z0-9_-]*".to_owned(),
            Self::Space => r"\s*".to_owned(),
            Self::Line => r"[^\n]*".to_owned(),
            Self::Any => r"[\s\S]*".to_owned(),
        }
    }

    /// What texts of the class may look like, for joining it with more.
    fn example(&self) -> &'static str {
        match self {
            Self::Timestamp => "2026-01-31T12:00:00Z",
            Self::Clock => "12:00:00",
            Self::Date => "2026-01-31",
            Self::Uuid => "00000000-0000-4000-8000-00000000000a",
            Self::Number => "1.5",
            Self::Digits(_) => "1",
            Self::Alnum(Some(16..)) => "a1+/=_-",
            Self::Hex(_) | Self::Alnum(_) => "a1",
            Self::Name => "a-_1",
            Self::Space => "\n",
            Self::Line => "-. a",
            Self::Any => "-. \n",
        }
    }
}

/// The pattern of some texts; `None` where there are none.
pub(super) fn pattern_of<'t>(mut texts: impl Iterator<Item = &'t str>) -> Option<String> {
    let mut parts: Vec<Part> = split(texts.next()?).into_iter().map(Part::Text).collect();
    for text in texts {
        parts = join(&parts, &split(text));
    }
    Some(widen(parts).iter().map(write).collect())
}

/// A pattern that only says how texts begin and end.
pub(super) fn ends_of<'t>(texts: impl Iterator<Item = &'t str> + Clone) -> String {
    let first = texts.clone().next().unwrap_or_default();
    let common = |other: &str, reverse: bool| -> usize {
        let count = |a: &mut dyn Iterator<Item = char>, b: &mut dyn Iterator<Item = char>| {
            a.zip(b).take_while(|(a, b)| a == b).count()
        };
        match reverse {
            false => count(&mut first.chars(), &mut other.chars()),
            true => count(&mut first.chars().rev(), &mut other.chars().rev()),
        }
    };
    let start = texts.clone().map(|text| common(text, false)).min().unwrap_or(0).min(ENDS);
    let shortest = texts.clone().map(|text| text.chars().count()).min().unwrap_or(0);
    let end =
        texts.map(|text| common(text, true)).min().unwrap_or(0).min(ENDS).min(shortest - start.min(shortest));
    let head: String = first.chars().take(start).collect();
    let length = first.chars().count();
    let tail: String = first.chars().skip(length - end).collect();
    format!(r"{}[\s\S]*{}", regex::escape(&head), regex::escape(&tail))
}

fn write(part: &Part) -> String {
    match part {
        Part::Text(text) => regex::escape(text),
        Part::Class(class) => class.write(),
    }
}

fn split(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in PART.find_iter(text) {
        let part = part.as_str();
        let run = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric());
        // Digits that belong to a word were taken for a number; a number keeps a short unit apart.
        match parts.last_mut() {
            Some(last) if run(last) && run(part) && !is_unit(last, part) => last.push_str(part),
            _ => parts.push(part.to_owned()),
        }
    }
    parts
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_number(text: &str) -> bool {
    is_whole(NUMBER, text)
}

fn is_unit(number: &str, unit: &str) -> bool {
    is_digits(number) && unit.len() <= 3 && unit.bytes().all(|b| b.is_ascii_alphabetic())
}

fn is_whole(pattern: &str, text: &str) -> bool {
    crate::transcript::whole(pattern).is_ok_and(|pattern| pattern.is_match(text))
}

/// The longest parts in common stay, and what stands between them is joined.
fn join(parts: &[Part], text: &[String]) -> Vec<Part> {
    let same = |part: &Part, word: &String| matches!(part, Part::Text(own) if own == word);
    let start = parts.iter().zip(text).take_while(|(part, word)| same(part, word)).count();
    let rest = (parts.len() - start).min(text.len() - start);
    let back = |n: &usize| same(&parts[parts.len() - 1 - n], &text[text.len() - 1 - n]);
    let end = (0..rest).take_while(back).count();
    let mut joined = parts[..start].to_vec();
    let (left, right) = (&parts[start..parts.len() - end], &text[start..text.len() - end]);
    if left.len().saturating_mul(right.len()) > PAIRS {
        gap(left, right, &mut joined);
    } else {
        let (mut a, mut b) = (0, 0);
        for (i, j) in common(left, right, same) {
            gap(&left[a..i], &right[b..j], &mut joined);
            joined.push(left[i].clone());
            (a, b) = (i + 1, j + 1);
        }
        gap(&left[a..], &right[b..], &mut joined);
    }
    joined.extend_from_slice(&parts[parts.len() - end..]);
    joined
}

/// The longest common subsequence, as pairs of places.
fn common(left: &[Part], right: &[String], same: impl Fn(&Part, &String) -> bool) -> Vec<(usize, usize)> {
    let width = right.len() + 1;
    let mut lengths = vec![0_u32; (left.len() + 1) * width];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            lengths[i * width + j] = if same(&left[i], &right[j]) {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < left.len() && j < right.len() {
        if same(&left[i], &right[j]) {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[(i + 1) * width + j] >= lengths[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// What stands in one place in some texts and in another.
fn gap(left: &[Part], right: &[String], joined: &mut Vec<Part>) {
    if left.is_empty() && right.is_empty() {
        return;
    }
    if left.len() == right.len() {
        let classes: Vec<Option<Part>> = left.iter().zip(right).map(|(part, word)| one(part, word)).collect();
        if classes.iter().all(Option::is_some) {
            joined.extend(classes.into_iter().flatten());
            return;
        }
    }
    let whole = |parts: &mut dyn Iterator<Item = String>| parts.collect::<String>();
    let ours = whole(&mut left.iter().map(|part| match part {
        Part::Text(text) => text.clone(),
        Part::Class(class) => class.example().to_owned(),
    }));
    let theirs = right.concat();
    joined.push(Part::Class(class_of(&[&ours, &theirs])));
}

/// The class of two parts that stand for each other; `None` where only the rest of a line would do.
fn one(part: &Part, word: &str) -> Option<Part> {
    let Part::Text(text) = part else {
        let Part::Class(class) = part else { return None };
        if is_whole(&class.write(), word) {
            return Some(part.clone());
        }
        let wider = class_of(&[class.example(), word]);
        return (!matches!(wider, Class::Line | Class::Any)).then_some(Part::Class(wider));
    };
    if text == word {
        return Some(part.clone());
    }
    let class = class_of(&[text, word]);
    (!matches!(class, Class::Line | Class::Any)).then_some(Part::Class(class))
}

/// The narrowest class that some texts have in common.
fn class_of(texts: &[&str]) -> Class {
    let all = |fits: &dyn Fn(&str) -> bool| texts.iter().all(|text| fits(text));
    let length = texts[0].len();
    let fixed = length >= FIXED && texts.iter().all(|text| text.len() == length);
    let alnum = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let any_digit = texts.iter().any(|text| text.bytes().any(|b| b.is_ascii_digit()));
    if all(&|text| is_whole(TIMESTAMP, text)) {
        Class::Timestamp
    } else if all(&|text| is_whole(CLOCK, text)) {
        Class::Clock
    } else if all(&|text| is_whole(DATE, text)) {
        Class::Date
    } else if all(&|text| is_whole(UUID, text)) {
        Class::Uuid
    } else if fixed && all(&is_digits) {
        Class::Digits(length)
    } else if all(&is_number) {
        Class::Number
    } else if fixed && any_digit && all(&|text| text.bytes().all(|b| b.is_ascii_hexdigit())) {
        Class::Hex(length)
    } else if any_digit && all(&alnum) {
        Class::Alnum(fixed.then_some(length))
    } else if all(&|text| text.chars().all(char::is_whitespace)) {
        Class::Space
    } else if any_digit
        && all(&|text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'))
    {
        Class::Name
    } else if all(&|text| !text.contains('\n')) {
        Class::Line
    } else {
        Class::Any
    }
}

/// Numbers beside a number that varies vary with it: `08:10:35` counts on. So do those in an id of several parts. Two rests
/// of a line are one.
fn widen(mut parts: Vec<Part>) -> Vec<Part> {
    let joint =
        |part: &Part, joints: &[&str]| matches!(part, Part::Text(text) if joints.contains(&text.as_str()));
    let number = |part: &Part| matches!(part, Part::Text(text) if is_number(text));
    let mut again = true;
    while again {
        again = false;
        for at in 0..parts.len() {
            let joints: &[&str] = match &parts[at] {
                Part::Class(Class::Number | Class::Digits(_) | Class::Clock) => {
                    &[":", "/", ".", "-", ",", " "]
                }
                Part::Class(Class::Hex(_) | Class::Alnum(_) | Class::Name) => &[":", ".", "-", "_"],
                _ => continue,
            };
            let right = at + 2;
            if right < parts.len() && joint(&parts[at + 1], joints) && number(&parts[right]) {
                parts[right] = Part::Class(Class::Number);
                again = true;
            }
            if at >= 2 && joint(&parts[at - 1], joints) && number(&parts[at - 2]) {
                parts[at - 2] = Part::Class(Class::Number);
                again = true;
            }
        }
    }
    parts.dedup_by(|next, part| {
        next == part && matches!(part, Part::Class(Class::Line | Class::Any | Class::Space))
    });
    parts
}

#[cfg(test)]
#[path = "generalise_tests.rs"]
mod tests;
