//! Words that the user knows to matter, in the syntax of AFL's dictionaries.

use super::json_type::JsonType;
use super::places::step;
use super::text::value_of;
use serde_json::Value;

/// A longer word is refused.
const LONGEST: usize = 4096;
/// More words are refused.
const MOST: usize = 100_000;
/// So many lines that look like a section and are none are told.
const MOST_NOTES: usize = 20;

/// Words that the user knows to matter, in the syntax of AFL's dictionaries, so that those that there are can be used.
///
/// One word a line, with a name or without: `name="word"`, `"word"`; `name@2="word"` has a level. In a word `\\`, `\"` and
/// `\xNN` are escapes; bytes that are no printable ASCII are written as `\xNN`. Empty lines and lines that begin with `#`
/// say nothing, with three exceptions, which other readers take for comments:
///
/// * `#@type integer`: the words that follow stand for values of this type of JSON Schema alone.
/// * `#@path /arguments/url`: they stand alone where a JSON pointer ends with these steps; `#@path url` is short for
///   `#@path /url` and so names an argument.
/// * `#@anywhere`: they stand anywhere again.
///
/// ```
/// use mcprove::mutate::Dictionary;
///
/// let words = Dictionary::parse("crash=\"../..\"\n#@type integer\nlimit=\"65536\"\n").unwrap();
/// assert_eq!(words.entries()[1].bytes, b"65536");
/// let wrong = Dictionary::parse("\"fine\"\nlimit=65536\n").unwrap_err();
/// assert!(wrong.to_string().starts_with("line 2: no word is found; write name=\"word\""));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dictionary {
    entries: Vec<Entry>,
    notes: Vec<String>,
}

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, if it has one: letters, digits, `_`, `-` and `.`.
    pub name: Option<String>,
    /// Its level, if it has one; see [`Dictionary::up_to`].
    pub level: Option<u32>,
    /// The word, at least a byte.
    pub bytes: Vec<u8>,
    /// Where it may stand.
    pub scope: Scope,
}

/// Where a word may stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scope {
    /// Anywhere.
    #[default]
    Anywhere,
    /// For values of this type.
    Type(JsonType),
    /// Where a JSON pointer ends with these steps; begins with `/`.
    Path(String),
}

/// Why a text is no dictionary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct DictionaryError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a line of a dictionary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is neither a word nor a comment.
    #[error("no word is found; write name=\"word\" or \"word\", or begin a comment with `#`")]
    NoWord,
    /// The word has no quote at its end.
    #[error("the word has no end; put a `\"` at the end of the line")]
    NoEnd,
    /// There is nothing between the quotes.
    #[error("the word is empty; write at least one character between the quotes, or leave the line out")]
    Empty,
    /// The word is too long.
    #[error("the word has {0} bytes; write one of at most 4096")]
    TooLong(usize),
    /// There are too many words.
    #[error("there are more than 100000 words; write several files")]
    TooMany,
    /// A backslash begins nothing that is known.
    #[error(
        "`\\{0}` is no escape; write `\\\\` for a backslash, `\\\"` for a quote, `\\xNN` for any other byte"
    )]
    Escape(String),
    /// A character that has to be escaped.
    #[error("`{0}` cannot stand in a word as it is; write {1}")]
    Character(String, String),
    /// The name has characters that no name has.
    #[error("`{0}` is no name; use letters, digits, `_`, `-` and `.`, or leave the name out")]
    Name(String),
    /// What follows `@` is no level.
    #[error("`{0}` is no level; write a number after the `@`, such as name@1=\"word\"")]
    Level(String),
    /// `#@type` names no type.
    #[error(
        "`{0}` is no type; write `#@type` and one of null, boolean, integer, number, string, array, object"
    )]
    Type(String),
    /// `#@path` names no place.
    #[error(
        "`{0}` is no place; write `#@path` and a name or a JSON pointer, such as `#@path /arguments/url`"
    )]
    Path(String),
    /// The word is not of the type of its section.
    #[error("`{word}` is no {kind} of JSON, which `#@type` asks for; write one, or begin another section")]
    NotOfType {
        /// The word.
        word: String,
        /// The type of the section.
        kind: JsonType,
    },
}

impl Dictionary {
    /// Reads a dictionary.
    ///
    /// # Errors
    /// The first line that cannot be read.
    pub fn parse(text: &str) -> Result<Self, DictionaryError> {
        let mut read = Self::default();
        let mut scope = Scope::Anywhere;
        for (index, line) in text.strip_prefix('\u{FEFF}').unwrap_or(text).lines().enumerate() {
            let at = |fault| DictionaryError { line: index + 1, fault };
            let line = line.trim();
            if let Some(comment) = line.strip_prefix('#') {
                match section(comment).map_err(at)? {
                    Some(next) => scope = next,
                    None if comment.starts_with('@') && read.notes.len() < MOST_NOTES => {
                        let word = comment.split_whitespace().next().unwrap_or_default();
                        read.notes.push(format!(
                            "line {}: `#{word}` is read as a comment; sections are `#@type`, `#@path` and `#@anywhere`",
                            index + 1
                        ));
                    }
                    None => {}
                }
            } else if !line.is_empty() {
                if read.entries.len() == MOST {
                    return Err(at(Fault::TooMany));
                }
                read.entries.push(entry(line, &scope).map_err(at)?);
            }
        }
        Ok(read)
    }

    /// A dictionary of these words.
    pub fn of(entries: Vec<Entry>) -> Self {
        Self { entries, notes: Vec::new() }
    }

    /// The words, in the order of the file.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The words up to a level; those without one are of level 0.
    #[must_use]
    pub fn up_to(&self, level: u32) -> Self {
        let entries = self.entries.iter().filter(|entry| entry.level.unwrap_or(0) <= level);
        Self { entries: entries.cloned().collect(), notes: self.notes.clone() }
    }

    /// Lines that look like the beginning of a section and are none, in a sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Scope {
    /// Whether a word may stand at a place (a JSON pointer) for a value of a type.
    pub fn covers(&self, place: &str, kind: JsonType) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Type(wanted) => wanted.covers(kind),
            Self::Path(steps) => place.ends_with(steps.as_str()),
        }
    }
}

impl Entry {
    /// The word as JSON text for a place of a type: a text for a text; for anything else what it says if it is JSON, and
    /// a text if it is not. `None` for bytes that are no UTF-8.
    pub fn written(&self, kind: JsonType) -> Option<String> {
        let text = std::str::from_utf8(&self.bytes).ok()?;
        let is_json = kind != JsonType::String && value_of(text).is_some();
        Some(if is_json { text.to_owned() } else { Value::from(text).to_string() })
    }
}

/// The scope that a comment begins, if it does.
fn section(comment: &str) -> Result<Option<Scope>, Fault> {
    let mut words = comment.splitn(2, char::is_whitespace);
    let (word, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().trim());
    match word {
        "@anywhere" => Ok(Some(Scope::Anywhere)),
        "@type" => {
            rest.parse().map(|kind| Some(Scope::Type(kind))).map_err(|()| Fault::Type(rest.to_owned()))
        }
        "@path" if rest.is_empty() || rest == "/" => Err(Fault::Path(rest.to_owned())),
        "@path" if rest.starts_with('/') => Ok(Some(Scope::Path(rest.to_owned()))),
        "@path" => Ok(Some(Scope::Path(step(rest)))),
        _ => Ok(None),
    }
}

/// A line with a word.
fn entry(line: &str, scope: &Scope) -> Result<Entry, Fault> {
    let (before, word) = line.split_once('"').ok_or(Fault::NoWord)?;
    let (name, level) = label(before)?;
    let inner = word.strip_suffix('"').ok_or(Fault::NoEnd)?;
    let bytes = unescaped(inner)?;
    match bytes.len() {
        0 => return Err(Fault::Empty),
        length if length > LONGEST => return Err(Fault::TooLong(length)),
        _ => {}
    }
    if let Scope::Type(kind) = scope
        && *kind != JsonType::String
    {
        let value = std::str::from_utf8(&bytes).ok().and_then(value_of);
        if !value.is_some_and(|value| kind.covers(JsonType::of(&value))) {
            return Err(Fault::NotOfType { word: inner.to_owned(), kind: *kind });
        }
    }
    Ok(Entry { name, level, bytes, scope: scope.clone() })
}

/// What stands before a word: a name, a level, `=`.
fn label(before: &str) -> Result<(Option<String>, Option<u32>), Fault> {
    let before = before.trim_end();
    let label = before.strip_suffix('=').map_or(before, str::trim_end);
    let (name, level) = match label.split_once('@') {
        Some((name, level)) => (name, Some(level.parse().map_err(|_| Fault::Level(level.to_owned()))?)),
        None => (label, None),
    };
    let named = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    if !named || (label.is_empty() && !before.is_empty()) {
        return Err(Fault::Name(if name.is_empty() { before } else { name }.to_owned()));
    }
    Ok(((!name.is_empty()).then(|| name.to_owned()), level))
}

fn unescaped(inner: &str) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\\' => {
                let fault = || Fault::Escape(after.chars().take(3).collect());
                let (byte, length) = match after.as_bytes().first() {
                    Some(b'\\') => (b'\\', 1),
                    Some(b'"') => (b'"', 1),
                    Some(b'x') => {
                        let digits = after.get(1..3).ok_or_else(fault)?;
                        let are_digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                        let byte = u8::from_str_radix(digits, 16).ok().filter(|_| are_digits);
                        (byte.ok_or_else(fault)?, 3)
                    }
                    // The quote that it escapes was taken for the end of the word.
                    None => return Err(Fault::NoEnd),
                    _ => return Err(fault()),
                };
                bytes.push(byte);
                &after[length..]
            }
            ' '..='~' => {
                bytes.push(c as u8);
                after
            }
            other => {
                let mut buffer = [0; 4];
                let escapes = other.encode_utf8(&mut buffer).bytes().map(|byte| format!("\\x{byte:02x}"));
                return Err(Fault::Character(other.escape_debug().collect(), escapes.collect()));
            }
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Entry> {
        Dictionary::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).entries
    }

    fn words(text: &str) -> Vec<Vec<u8>> {
        read(text).into_iter().map(|entry| entry.bytes).collect()
    }

    #[test]
    fn what_afl_reads_is_read() {
        let text = "# a comment\n\nheader_png=\"\\x89PNG\\x0d\\x0a\"\n  \"plain\"  \r\nquoted = \"a\\\"b\\\\c\"\n\
                    loose=\"a\"b\"\nlevel@2=\"x\"\n@1=\"y\"\nwith-dash.2=\"#no comment\"\n";
        assert_eq!(
            words(text),
            [&b"\x89PNG\r\n"[..], b"plain", b"a\"b\\c", b"a\"b", b"x", b"y", b"#no comment"]
        );
        let entries = read(text);
        assert_eq!(entries[0].name.as_deref(), Some("header_png"));
        assert_eq!((entries[1].name.as_deref(), entries[1].level), (None, None));
        assert_eq!((entries[4].name.as_deref(), entries[4].level), (Some("level"), Some(2)));
        assert_eq!((entries[5].name.as_deref(), entries[5].level), (None, Some(1)));
        assert!(entries.iter().all(|entry| entry.scope == Scope::Anywhere));
        let dictionary = Dictionary::parse(text).unwrap();
        assert_eq!([0, 1, 2].map(|level| dictionary.up_to(level).entries().len()), [5, 6, 7]);
    }

    #[test]
    fn sections_say_where_words_may_stand() {
        let text = "\"a\"\n#@type integer\n\"42\"\nbig=\"9007199254740993\"\n#@path url\n\"u\"\n\
                    #@path /arguments/a~1b\n\"p\"\n# @type is a comment\n#@anywhere\n\"z\"\n#@tpye string\n";
        let dictionary = Dictionary::parse(text).unwrap();
        let scopes: Vec<&Scope> = dictionary.entries().iter().map(|entry| &entry.scope).collect();
        let path = |path: &str| Scope::Path(path.to_owned());
        let integer = Scope::Type(JsonType::Integer);
        assert_eq!(
            scopes,
            [&Scope::Anywhere, &integer, &integer, &path("/url"), &path("/arguments/a~1b"), &Scope::Anywhere]
        );
        assert_eq!(dictionary.notes().len(), 1);
        assert!(dictionary.notes()[0].starts_with("line 12: `#@tpye`"), "{:?}", dictionary.notes());
        assert!(path("/url").covers("/params/arguments/url", JsonType::String));
        assert!(!path("/url").covers("/params/arguments/curl", JsonType::String));
        assert!(Scope::Type(JsonType::Number).covers("/n", JsonType::Integer));
        assert!(!integer.covers("/n", JsonType::Number));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line, told) in [
            ("word", 1, "write name=\"word\""),
            ("\n\nname=\"word", 3, "put a `\"` at the end"),
            ("\"a\\\"", 1, "put a `\"` at the end"),
            ("\"\"", 1, "the word is empty"),
            ("\"a\\nb\"", 1, "`\\nb` is no escape"),
            ("\"\\x4\"", 1, "is no escape"),
            ("\"\\x+4\"", 1, "is no escape"),
            ("\"é\"", 1, "write \\xc3\\xa9"),
            ("\"a\tb\"", 1, "write \\x09"),
            ("a name=\"x\"", 1, "`a name` is no name"),
            ("=\"x\"", 1, "is no name"),
            ("name@high=\"x\"", 1, "`high` is no level"),
            ("#@type int\n", 1, "one of null, boolean, integer"),
            ("#@path\n", 1, "write `#@path` and a name"),
            ("#@type integer\n\"4.5\"\n", 2, "is no integer of JSON"),
        ] {
            let error = Dictionary::parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text}: {error}");
            let shown = error.to_string();
            assert!(shown.starts_with(&format!("line {line}: ")) && shown.contains(told), "{text}: {shown}");
        }
        let long = format!("\"{}\"", "a".repeat(LONGEST + 1));
        assert_eq!(Dictionary::parse(&long).unwrap_err().fault, Fault::TooLong(LONGEST + 1));
    }

    #[test]
    fn a_word_is_written_as_its_place_wants_it() {
        let word = |text: &str| Entry {
            name: None,
            level: None,
            bytes: text.as_bytes().to_vec(),
            scope: Scope::Anywhere,
        };
        assert_eq!(word("42").written(JsonType::Integer).unwrap(), "42");
        assert_eq!(word("42").written(JsonType::String).unwrap(), "\"42\"");
        assert_eq!(word("a\"b").written(JsonType::Integer).unwrap(), "\"a\\\"b\"");
        assert_eq!(Entry { bytes: vec![0xFF], ..word("") }.written(JsonType::String), None);
    }
}
