//! The grammar of RFC 8259 as one loop with a stack of its own; a visitor is told what stands in the text.

use super::error::Error;
use super::text::{Raw, plain_run};

/// An array or an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Array,
    Object,
}

/// A value that contains no other.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(Number<'a>),
    String(Raw<'a>),
}

/// A number as written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number<'a> {
    pub(super) text: &'a str,
    pub(super) negative: bool,
    /// Whether it has neither fraction nor exponent.
    pub(super) integer: bool,
    /// Its digits, when it is an integer of at most 19 of them.
    pub(super) magnitude: Option<u64>,
}

/// Is told what stands in a text, in order. Offsets are of the first byte of a value and of the one behind it.
pub(super) trait Visitor {
    fn key(&mut self, key: Raw<'_>);
    fn scalar(&mut self, scalar: Scalar<'_>, start: usize, end: usize);
    fn begin(&mut self, container: Container, start: usize) -> Result<(), Error>;
    fn end(&mut self, end: usize);
}

/// Looks at the grammar only.
pub(super) struct SyntaxOnly;

impl Visitor for SyntaxOnly {
    fn key(&mut self, _: Raw<'_>) {}
    fn scalar(&mut self, _: Scalar<'_>, _: usize, _: usize) {}
    fn begin(&mut self, _: Container, _: usize) -> Result<(), Error> {
        Ok(())
    }
    fn end(&mut self, _: usize) {}
}

/// Reads one JSON text to its end. Takes one byte of memory a level beside what the visitor takes.
pub(super) fn scan<V: Visitor>(text: &str, visitor: &mut V) -> Result<(), Error> {
    let mut scanner = Scanner { text, bytes: text.as_bytes(), at: 0 };
    let mut open: Vec<Container> = Vec::new();
    'value: loop {
        let first = scanner.peek();
        let start = scanner.at;
        match first {
            Some(b'"') => {
                let raw = scanner.string()?;
                visitor.scalar(Scalar::String(raw), start, scanner.at);
            }
            Some(b'{') => {
                scanner.at += 1;
                visitor.begin(Container::Object, start)?;
                if scanner.peek() != Some(b'}') {
                    open.push(Container::Object);
                    scanner.member_name(visitor)?;
                    continue 'value;
                }
                scanner.at += 1;
                visitor.end(scanner.at);
            }
            Some(b'[') => {
                scanner.at += 1;
                visitor.begin(Container::Array, start)?;
                if scanner.peek() != Some(b']') {
                    open.push(Container::Array);
                    continue 'value;
                }
                scanner.at += 1;
                visitor.end(scanner.at);
            }
            Some(b'-' | b'0'..=b'9') => {
                let number = scanner.number()?;
                visitor.scalar(Scalar::Number(number), start, scanner.at);
            }
            Some(b't') => {
                scanner.literal("true")?;
                visitor.scalar(Scalar::Bool(true), start, scanner.at);
            }
            Some(b'f') => {
                scanner.literal("false")?;
                visitor.scalar(Scalar::Bool(false), start, scanner.at);
            }
            Some(b'n') => {
                scanner.literal("null")?;
                visitor.scalar(Scalar::Null, start, scanner.at);
            }
            other => return Err(scanner.no_value(other, open.is_empty())),
        }
        loop {
            let next = scanner.peek();
            match (open.last(), next) {
                (None, None) => return Ok(()),
                (None, Some(_)) => return Err(scanner.wrong("text after the value")),
                (Some(Container::Array), Some(b',')) => {
                    scanner.comma(b']')?;
                    continue 'value;
                }
                (Some(Container::Object), Some(b',')) => {
                    scanner.comma(b'}')?;
                    scanner.member_name(visitor)?;
                    continue 'value;
                }
                (Some(Container::Array), Some(b']')) | (Some(Container::Object), Some(b'}')) => {
                    scanner.at += 1;
                    open.pop();
                    visitor.end(scanner.at);
                }
                (Some(Container::Array), None) => return Err(scanner.breaks_off("text ends inside an array")),
                (Some(Container::Object), None) => {
                    return Err(scanner.breaks_off("text ends inside an object"));
                }
                (Some(Container::Array), Some(b'}')) => {
                    return Err(scanner.wrong("array closed by a brace"));
                }
                (Some(Container::Object), Some(b']')) => {
                    return Err(scanner.wrong("object closed by a bracket"));
                }
                (Some(_), Some(b'/')) => return Err(scanner.wrong("comment")),
                (Some(Container::Array), Some(_)) => {
                    return Err(scanner.wrong("no comma or bracket after an element"));
                }
                (Some(Container::Object), Some(_)) => {
                    return Err(scanner.wrong("no comma or brace after a member"));
                }
            }
        }
    }
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// The next byte that is no white space, without taking it.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    fn wrong(&self, reason: &'static str) -> Error {
        Error::syntax(self.at, reason)
    }

    fn breaks_off(&self, reason: &'static str) -> Error {
        Error::truncated(self.bytes.len(), reason)
    }

    #[inline]
    fn comma(&mut self, closing: u8) -> Result<(), Error> {
        let comma = self.at;
        self.at += 1;
        if self.peek() == Some(closing) {
            return Err(Error::syntax(comma, "trailing comma"));
        }
        Ok(())
    }

    #[inline]
    fn member_name<V: Visitor>(&mut self, visitor: &mut V) -> Result<(), Error> {
        match self.peek() {
            Some(b'"') => {}
            other => return Err(self.no_member_name(other)),
        }
        let name = self.string()?;
        visitor.key(name);
        match self.peek() {
            Some(b':') => self.at += 1,
            None => return Err(self.breaks_off("text ends after a member name")),
            Some(b'/') => return Err(self.wrong("comment")),
            Some(_) => return Err(self.wrong("no colon after a member name")),
        }
        Ok(())
    }

    #[inline]
    fn string(&mut self) -> Result<Raw<'a>, Error> {
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            at = plain_run(self.bytes, at);
            match self.bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    // Both ends are next to a quote, so on character boundaries.
                    return Ok(Raw { text: &self.text[start..at], escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    at = self.escape(at)?;
                }
                Some(_) => return Err(Error::syntax(at, "raw control character in a string")),
                None => return Err(self.breaks_off("text ends inside a string")),
            }
        }
    }

    /// The offset behind the escape at `at`.
    fn escape(&self, at: usize) -> Result<usize, Error> {
        match self.bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => {
                for digit in at + 2..at + 6 {
                    match self.bytes.get(digit) {
                        Some(byte) if byte.is_ascii_hexdigit() => {}
                        Some(_) => return Err(Error::syntax(digit, "no hexadecimal digit in a \\u escape")),
                        None => return Err(self.breaks_off("text ends inside a string")),
                    }
                }
                Ok(at + 6)
            }
            Some(_) => Err(Error::syntax(at, "unknown escape")),
            None => Err(self.breaks_off("text ends inside a string")),
        }
    }

    #[inline]
    fn number(&mut self) -> Result<Number<'a>, Error> {
        let start = self.at;
        let negative = self.bytes[start] == b'-';
        let first = start + usize::from(negative);
        let mut at = first;
        let mut magnitude = 0_u64;
        while let Some(digit) = self.bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
            magnitude = magnitude.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            at += 1;
        }
        let digits = at - first;
        if digits == 0 {
            return Err(self.no_digit(first));
        }
        if self.bytes[first] == b'0' {
            if digits > 1 {
                return Err(Error::syntax(first, "number with a leading zero"));
            }
            if matches!(self.bytes.get(at), Some(b'x' | b'X')) {
                return Err(Error::syntax(first, "hexadecimal number"));
            }
        }
        let mut integer = true;
        if self.bytes.get(at) == Some(&b'.') {
            integer = false;
            at = self.digits(at + 1, "no digit after the decimal point")?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(at) {
            integer = false;
            let sign = usize::from(matches!(self.bytes.get(at + 1), Some(b'+' | b'-')));
            at = self.digits(at + 1 + sign, "no digit in the exponent")?;
        }
        self.at = at;
        // A number is ASCII, so both ends are on character boundaries.
        let text = &self.text[start..at];
        Ok(Number { text, negative, integer, magnitude: (integer && digits <= 19).then_some(magnitude) })
    }

    /// The offset behind a run of digits, of which there has to be one.
    fn digits(&self, from: usize, reason: &'static str) -> Result<usize, Error> {
        let mut at = from;
        while self.bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        match self.bytes.get(from) {
            None => Err(self.breaks_off("text ends inside a number")),
            Some(_) if at == from => Err(Error::syntax(from, reason)),
            Some(_) => Ok(at),
        }
    }

    fn no_digit(&self, at: usize) -> Error {
        match self.bytes.get(at) {
            None => self.breaks_off("text ends inside a number"),
            Some(b'I') => Error::syntax(self.at, "infinity is no JSON value"),
            Some(b'N') => Error::syntax(self.at, "NaN is no JSON value"),
            Some(_) => Error::syntax(at, "no digit after the minus sign"),
        }
    }

    #[inline]
    fn literal(&mut self, word: &'static str) -> Result<(), Error> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        if word.as_bytes().starts_with(rest) {
            return Err(self.breaks_off("text ends inside a literal"));
        }
        Err(self.wrong(if rest.starts_with(b"nan") { "NaN is no JSON value" } else { "unknown literal" }))
    }

    #[cold]
    fn no_value(&self, found: Option<u8>, outermost: bool) -> Error {
        let rest = &self.bytes[self.at..];
        let Some(found) = found else {
            return self.breaks_off(if outermost { "empty text" } else { "text ends before a value" });
        };
        self.wrong(match found {
            b',' | b']' | b'}' | b':' => "no value",
            b'/' | b'#' => "comment",
            b'\'' => "string in single quotes",
            b'+' => "number with a leading plus sign",
            b'.' => "number without a digit before the decimal point",
            b'N' if rest.starts_with(b"NaN") => "NaN is no JSON value",
            b'I' if rest.starts_with(b"Infinity") => "infinity is no JSON value",
            0..0x20 | 0x7F => "control character",
            byte if byte.is_ascii_alphabetic() => "unknown literal",
            _ => "unexpected character",
        })
    }

    #[cold]
    fn no_member_name(&self, found: Option<u8>) -> Error {
        let Some(found) = found else { return self.breaks_off("text ends inside an object") };
        self.wrong(match found {
            b',' | b':' => "no member name",
            b'/' | b'#' => "comment",
            b'\'' => "string in single quotes",
            0..0x20 | 0x7F => "control character",
            _ => "member name without quotes",
        })
    }
}
