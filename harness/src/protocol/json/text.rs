//! The inside of a JSON string: finding its end quickly, and reading its escapes.

use memchr::memchr;
use std::borrow::Cow;

/// A string as written, without its quotes; its escapes are known to be well formed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'a> {
    pub(super) text: &'a str,
    pub(super) escaped: bool,
}

impl<'a> Raw<'a> {
    /// The string that is meant, and whether a lone surrogate in it became U+FFFD.
    pub(super) fn decode(self) -> (Cow<'a, str>, bool) {
        if self.escaped {
            let (text, lone) = unescape(self.text);
            (text.into(), lone)
        } else {
            (self.text.into(), false)
        }
    }
}

fn unescape(mut rest: &str) -> (String, bool) {
    let mut out = String::with_capacity(rest.len());
    let mut lone = false;
    while let Some(backslash) = memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..backslash]);
        rest = &rest[backslash..];
        let plain = match rest.as_bytes().get(1) {
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let (character, length) = unicode_escape(rest);
                lone |= character.is_none();
                out.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
                rest = rest.get(length..).unwrap_or_default();
                continue;
            }
            Some(&other) => char::from(other),
            None => break,
        };
        out.push(plain);
        rest = rest.get(2..).unwrap_or_default();
    }
    out.push_str(rest);
    (out, lone)
}

/// The character of the `\u` escape (or pair of them) that `text` begins with, `None` for a lone surrogate, and
/// how many bytes it takes.
fn unicode_escape(text: &str) -> (Option<char>, usize) {
    let unit = |at: usize| text.get(at..at + 4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let Some(first) = unit(2) else { return (None, 6) };
    if !(0xD800..0xDC00).contains(&first) {
        return (char::from_u32(first), 6);
    }
    match unit(8).filter(|_| text.get(6..8) == Some("\\u")) {
        Some(second @ 0xDC00..0xE000) => {
            (char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)), 12)
        }
        _ => (None, 6),
    }
}

/// The first place from `at` on that holds a quote, a backslash or a control character, or the length.
#[inline]
pub(super) fn plain_run(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Eight bytes at a time: the lowest high bit of `hits` marks the first byte that is one of them. (A borrow
    // can only reach a byte above a hit, so the lowest mark is never false.)
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * 0x22);
        let backslash = word ^ (ONES * 0x5C);
        let hits = ((quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word))
            & HIGH;
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|&b| b >= 0x20 && b != b'"' && b != b'\\') {
        at += 1;
    }
    at
}
