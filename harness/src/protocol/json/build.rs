//! Reads a JSON text into a value, and notes what the value does not show.

use super::error::{Error, ErrorKind};
use super::scan::{Container, Number, Scalar, SyntaxOnly, Visitor, scan};
use super::text::Raw;
use serde_json::{Map, Value, map::Entry};

/// How deep arrays and objects may be nested in a text that is read. Values are dropped, compared and written by
/// recursion; this keeps all of that within a small stack.
pub const MAX_DEPTH: usize = 512;

/// How many values a text that is read may have, containers counted. A value takes far more memory than the two bytes
/// that it may be in the text.
pub const MAX_VALUES: usize = 200_000;

/// How many pointers of duplicate members are kept.
pub const MAX_DUPLICATES: usize = 16;

/// A parsed text and what the value alone does not show.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The value; of duplicate members the last one.
    pub value: Value,
    /// What is lost in the value.
    pub notes: Notes,
}

/// What a value alone does not show of its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// JSON pointers (RFC 6901) of members that stand more than once, each pointer once, in the order of the
    /// text; of the first [`MAX_DUPLICATES`] such members.
    pub duplicate_members: Vec<String>,
    /// A string has an escaped surrogate without its partner; it reads as U+FFFD in the value.
    pub lone_surrogates: bool,
    /// A number is beyond what a double can hold; it reads as the nearest finite one in the value.
    pub numbers_out_of_range: bool,
}

/// Reads one JSON text by RFC 8259, in UTF-8 without a byte order mark.
///
/// Time and memory grow with the length of the input and with nothing else; there is no recursion. Integers that
/// fit into `i64` or `u64` are kept exactly; all other numbers read as the nearest double.
///
/// # Errors
/// When the bytes are no JSON text; where several things are wrong, the first one. A text that is nothing but nested
/// deeper than [`MAX_DEPTH`] is an error of kind [`ErrorKind::TooDeep`]; one that has more than [`MAX_VALUES`] values, of
/// kind [`ErrorKind::TooLarge`].
pub fn parse(bytes: &[u8]) -> Result<Parsed, Error> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(not_utf8(bytes, error.valid_up_to())),
    };
    if text.starts_with('\u{FEFF}') {
        return Err(Error { offset: 0, reason: "byte order mark", kind: ErrorKind::Encoding });
    }
    let mut builder = Builder::default();
    if let Err(error) = scan(text, &mut builder) {
        if matches!(error.kind, ErrorKind::TooDeep | ErrorKind::TooLarge) {
            // The builder stopped there. What comes later may yet be wrong, which weighs more.
            scan(text, &mut SyntaxOnly)?;
        }
        return Err(error);
    }
    if let Some(offset) = builder.full {
        const { assert!(MAX_VALUES == 200_000, "the reason below names the limit") };
        return Err(Error { offset, reason: "more than 200000 values", kind: ErrorKind::TooLarge });
    }
    Ok(Parsed { value: builder.root, notes: builder.notes })
}

/// The first error of bytes that are UTF-8 only up to `valid`.
fn not_utf8(bytes: &[u8], valid: usize) -> Error {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Error { offset: 0, reason: "byte order mark of UTF-16", kind: ErrorKind::Encoding };
    }
    let before = bytes.get(..valid).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
    if before.starts_with('\u{FEFF}') {
        return Error { offset: 0, reason: "byte order mark", kind: ErrorKind::Encoding };
    }
    match scan(before, &mut SyntaxOnly) {
        Err(error) if error.kind == ErrorKind::Syntax => error,
        _ => Error::utf8(valid),
    }
}

#[derive(Default)]
struct Builder {
    root: Value,
    open: Vec<Frame>,
    notes: Notes,
    /// Offset of the object and name of each duplicate that was noted.
    noted: Vec<(usize, String)>,
    /// How many values were kept, and where the first one stood that was not.
    values: usize,
    full: Option<usize>,
}

enum Frame {
    Array(Vec<Value>),
    Object { start: usize, name: String, members: Map<String, Value> },
}

impl Builder {
    #[inline]
    fn attach(&mut self, value: Value, offset: usize) {
        if self.values == MAX_VALUES {
            self.full.get_or_insert(offset);
            return;
        }
        self.values += 1;
        match self.open.last_mut() {
            None => self.root = value,
            Some(Frame::Array(elements)) => elements.push(value),
            Some(Frame::Object { start, name, members }) => match members.entry(std::mem::take(name)) {
                Entry::Vacant(place) => {
                    place.insert(value);
                }
                Entry::Occupied(mut place) => {
                    place.insert(value);
                    self.values -= 1;
                    let start = *start;
                    if self.noted.len() < MAX_DUPLICATES
                        && !self.noted.iter().any(|(at, name)| *at == start && name == place.key())
                    {
                        let name = place.key().clone();
                        self.note_duplicate(start, name);
                    }
                }
            },
        }
    }

    #[cold]
    fn note_duplicate(&mut self, start: usize, name: String) {
        let mut pointer = String::new();
        let outer = self.open.len().saturating_sub(1);
        for frame in self.open.iter().take(outer) {
            match frame {
                Frame::Array(elements) => {
                    pointer.push('/');
                    pointer.push_str(&elements.len().to_string());
                }
                Frame::Object { name, .. } => push_token(&mut pointer, name),
            }
        }
        push_token(&mut pointer, &name);
        self.noted.push((start, name));
        // The same pointer again, if an object above is a duplicate itself.
        if !self.notes.duplicate_members.contains(&pointer) {
            self.notes.duplicate_members.push(pointer);
        }
    }

    #[inline]
    fn string(&mut self, raw: Raw<'_>) -> String {
        let (text, lone) = raw.decode();
        self.notes.lone_surrogates |= lone;
        text.into_owned()
    }

    #[inline]
    fn number(&mut self, number: Number<'_>) -> Value {
        match (number.magnitude, number.negative) {
            (Some(magnitude), false) => return magnitude.into(),
            (Some(magnitude @ 1..), true) => {
                if let Some(value) = 0_i64.checked_sub_unsigned(magnitude) {
                    return value.into();
                }
            }
            // A zero with a sign is a double, as is all that follows.
            (Some(0), true) => return (-0.0).into(),
            (None, false) if number.integer => {
                if let Ok(value) = number.text.parse::<u64>() {
                    return value.into();
                }
            }
            (None, _) => {}
        }
        // Rust reads every JSON number, rounds to the nearest double, and gives an infinity beyond the last one.
        let value: f64 = number.text.parse().unwrap_or(f64::INFINITY);
        if value.is_finite() {
            return value.into();
        }
        self.notes.numbers_out_of_range = true;
        if number.negative { f64::MIN.into() } else { f64::MAX.into() }
    }
}

fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    for character in token.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

impl Visitor for Builder {
    #[inline]
    fn key(&mut self, key: Raw<'_>) {
        let text = self.string(key);
        if let Some(Frame::Object { name, .. }) = self.open.last_mut() {
            *name = text;
        }
    }

    #[inline]
    fn scalar(&mut self, scalar: Scalar<'_>, start: usize, _: usize) {
        let value = match scalar {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Number(number) => self.number(number),
            Scalar::String(raw) => Value::String(self.string(raw)),
        };
        self.attach(value, start);
    }

    #[inline]
    fn begin(&mut self, container: Container, start: usize) -> Result<(), Error> {
        if self.open.len() == MAX_DEPTH {
            const { assert!(MAX_DEPTH == 512, "the reason below names the limit") };
            return Err(Error { offset: start, reason: "nested deeper than 512", kind: ErrorKind::TooDeep });
        }
        self.open.push(match container {
            Container::Array => Frame::Array(Vec::new()),
            Container::Object => Frame::Object { start, name: String::new(), members: Map::new() },
        });
        Ok(())
    }

    #[inline]
    fn end(&mut self, end: usize) {
        match self.open.pop() {
            Some(Frame::Array(elements)) => self.attach(Value::Array(elements), end),
            Some(Frame::Object { members, .. }) => self.attach(Value::Object(members), end),
            None => {}
        }
    }
}
