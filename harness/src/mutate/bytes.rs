//! What is changed about the bytes of a message, whatever is in them.

use super::dictionary::Dictionary;
use super::mutation::cut;
use crate::generate::Choices;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Bytes that are no UTF-8: a continuation alone, a beginning alone, overlong forms, a surrogate, beyond Unicode.
const NOT_UTF8: [&[u8]; 8] = [
    &[0xFF],
    &[0x80],
    &[0xC3],
    &[0xC0, 0xAF],
    &[0xE0, 0x80, 0xAF],
    &[0xED, 0xA0, 0x80],
    &[0xF4, 0x90, 0x80, 0x80],
    &[0xF8, 0x88, 0x80, 0x80, 0x80],
];
/// White space; JSON knows the first three of these alone (a line feed would end the line).
const SPACE: [&str; 8] = [" ", "\t", "\r", "    ", "\u{B}", "\u{C}", "\u{A0}", "\u{2003}"];
/// A message beside another one.
const OTHER: [&str; 4] = [
    r#"{"jsonrpc":"2.0","method":"notifications/mcprove"}"#,
    r#"{"jsonrpc":"2.0","id":"mcprove-joined","method":"ping"}"#,
    "{}",
    "null",
];
/// Bytes that mean something to readers of lines, of JSON, of shells.
const BYTES: &[u8] = b"\0\x01\x08\t\n\r\x1b \"'\\{}[]:,0-+.eE/\x7f\x80\xff";

/// One change of bytes. Places are offsets; what is shorter is changed at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum ByteMutation {
    /// The last bytes are missing.
    Truncated {
        /// So many.
        lost: usize,
    },
    /// Bytes that are no UTF-8 stand between the others.
    InvalidUtf8 {
        /// Before this byte.
        at: usize,
        /// These.
        bytes: Vec<u8>,
    },
    /// A NUL stands between the others.
    Nul {
        /// Before this byte.
        at: usize,
    },
    /// The message begins with the byte order mark of UTF-8.
    ByteOrderMark,
    /// The message is in UTF-16, little endian, with its byte order mark.
    Utf16,
    /// The line ends with CR and LF.
    CrLf,
    /// A carriage return stands between the others.
    Cr {
        /// Before this byte.
        at: usize,
    },
    /// Another message follows on the same line.
    JoinedLines {
        /// That message.
        other: String,
    },
    /// A line feed makes two lines of the message.
    SplitLine {
        /// Before this byte.
        at: usize,
    },
    /// A byte more.
    InsertedByte {
        /// Before this byte.
        at: usize,
        /// What it is.
        byte: u8,
    },
    /// A byte less.
    RemovedByte {
        /// This one.
        at: usize,
    },
    /// One bit of a byte is another.
    FlippedBit {
        /// In this byte.
        at: usize,
        /// The bit, from 0 (the lowest) to 7.
        bit: u8,
    },
    /// White space before the message.
    LeadingSpace {
        /// This.
        space: String,
    },
    /// White space after the message.
    TrailingSpace {
        /// This.
        space: String,
    },
    /// A word of a dictionary stands between the others.
    InsertedWord {
        /// Before this byte.
        at: usize,
        /// The word.
        bytes: Vec<u8>,
    },
}

impl ByteMutation {
    /// The bytes with the change; `None` where it would change nothing, or would not be what its name says.
    pub fn apply(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let length = bytes.len();
        let with = |at: usize, more: &[u8]| {
            let at = at.min(length);
            (!more.is_empty()).then(|| [&bytes[..at], more, &bytes[at..]].concat())
        };
        match self {
            Self::Truncated { lost } => {
                (*lost > 0 && length > 0).then(|| bytes[..length - (*lost).min(length)].to_vec())
            }
            Self::InvalidUtf8 { at, bytes: more } => {
                with(*at, more).filter(|changed| std::str::from_utf8(changed).is_err())
            }
            Self::Nul { at } => with(*at, b"\0"),
            Self::ByteOrderMark => with(0, "\u{FEFF}".as_bytes()),
            Self::Utf16 => {
                let text = std::str::from_utf8(bytes).ok()?;
                Some(std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect())
            }
            Self::CrLf => with(length, b"\r"),
            Self::Cr { at } => with(*at, b"\r"),
            Self::JoinedLines { other } => (!other.contains('\n')).then(|| with(length, other.as_bytes()))?,
            Self::SplitLine { at } => with(*at, b"\n"),
            Self::InsertedByte { at, byte } => with(*at, &[*byte]),
            Self::RemovedByte { at } => {
                let at = (*at).min(length.checked_sub(1)?);
                Some([&bytes[..at], &bytes[at + 1..]].concat())
            }
            Self::FlippedBit { at, bit } => {
                let at = (*at).min(length.checked_sub(1)?);
                let mut changed = bytes.to_vec();
                changed[at] ^= 1_u8.checked_shl(u32::from(*bit)).filter(|mask| *mask != 0)?;
                Some(changed)
            }
            Self::LeadingSpace { space } => is_space(space).then(|| with(0, space.as_bytes()))?,
            Self::TrailingSpace { space } => is_space(space).then(|| with(length, space.as_bytes()))?,
            Self::InsertedWord { at, bytes: more } => with(*at, more),
        }
    }

    /// One change, of any kind, for a message that has these bytes; `None` only for no bytes at all.
    pub fn draw(bytes: &[u8], dictionary: &Dictionary, choices: &mut dyn Choices) -> Option<Self> {
        if bytes.is_empty() {
            return None;
        }
        let text = |one: Option<&&str>| one.map_or_else(String::new, |one| (*one).to_owned());
        let words = dictionary.entries();
        let kinds = if words.is_empty() { 14 } else { 18 };
        let kind = choices.below(kinds);
        let at = choices.index(bytes.len() + 1);
        Some(match kind {
            0 => Self::LeadingSpace { space: text(choices.pick(&SPACE)) },
            1 => Self::TrailingSpace { space: text(choices.pick(&SPACE)) },
            2 => Self::CrLf,
            3 => Self::Cr { at },
            4 => Self::RemovedByte { at: choices.index(bytes.len()) },
            5 => Self::FlippedBit {
                at: choices.index(bytes.len()),
                bit: u8::try_from(choices.below(8)).unwrap_or(0),
            },
            6 => {
                let byte = choices.pick(BYTES).copied().unwrap_or_default();
                Self::InsertedByte { at, byte }
            }
            7 => Self::Truncated { lost: 1 + choices.index(bytes.len()) },
            8 => Self::Nul { at },
            9 => Self::ByteOrderMark,
            10 => {
                let bytes = choices.pick(&NOT_UTF8).map(|bytes| bytes.to_vec()).unwrap_or_default();
                Self::InvalidUtf8 { at, bytes }
            }
            11 => Self::SplitLine { at },
            12 => Self::JoinedLines { other: text(choices.pick(&OTHER)) },
            13 => Self::Utf16,
            _ => {
                let word = choices.pick(words).map(|entry| entry.bytes.clone()).unwrap_or_default();
                Self::InsertedWord { at, bytes: word }
            }
        })
    }

    /// The name of the kind of change.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "truncated",
            Self::InvalidUtf8 { .. } => "invalid-utf8",
            Self::Nul { .. } => "nul",
            Self::ByteOrderMark => "byte-order-mark",
            Self::Utf16 => "utf16",
            Self::CrLf => "cr-lf",
            Self::Cr { .. } => "cr",
            Self::JoinedLines { .. } => "joined-lines",
            Self::SplitLine { .. } => "split-line",
            Self::InsertedByte { .. } => "inserted-byte",
            Self::RemovedByte { .. } => "removed-byte",
            Self::FlippedBit { .. } => "flipped-bit",
            Self::LeadingSpace { .. } => "leading-space",
            Self::TrailingSpace { .. } => "trailing-space",
            Self::InsertedWord { .. } => "inserted-word",
        }
    }
}

fn is_space(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() && c != '\n')
}

impl fmt::Display for ByteMutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { lost } => write!(f, "the last {lost} bytes are missing"),
            Self::InvalidUtf8 { at, bytes } => {
                write!(f, "at byte {at} stands what is no UTF-8: {}", bytes.escape_ascii())
            }
            Self::Nul { at } => write!(f, "a NUL stands at byte {at}"),
            Self::ByteOrderMark => write!(f, "the message begins with a byte order mark"),
            Self::Utf16 => write!(f, "the message is in UTF-16"),
            Self::CrLf => write!(f, "the line ends with CR LF"),
            Self::Cr { at } => write!(f, "a carriage return stands at byte {at}"),
            Self::JoinedLines { other } => write!(f, "another message is on the same line: {}", cut(other)),
            Self::SplitLine { at } => write!(f, "a line feed at byte {at} splits the message"),
            Self::InsertedByte { at, byte } => write!(f, "the byte 0x{byte:02x} is inserted at byte {at}"),
            Self::RemovedByte { at } => write!(f, "byte {at} is missing"),
            Self::FlippedBit { at, bit } => write!(f, "bit {bit} of byte {at} is flipped"),
            Self::LeadingSpace { space } => {
                write!(f, "white space stands before the message: {}", space.escape_unicode())
            }
            Self::TrailingSpace { space } => {
                write!(f, "white space stands after the message: {}", space.escape_unicode())
            }
            Self::InsertedWord { at, bytes } => {
                write!(f, "a word of the dictionary is inserted at byte {at}: {}", bytes.escape_ascii())
            }
        }
    }
}
