//! Why bytes are no JSON text.

/// Why bytes are no JSON text, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}")]
pub struct Error {
    /// Byte offset in the input, from 0. Of a text that ends too early it is the length of the input.
    pub offset: usize,
    /// What is wrong there.
    pub reason: &'static str,
    /// What sort of error it is.
    pub kind: ErrorKind,
}

/// What sort of error it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The bytes are not UTF-8 without a byte order mark (RFC 8259, section 8.1).
    Encoding,
    /// The text breaks the grammar.
    Syntax,
    /// The text breaks off: some continuation of it would be a JSON text.
    Truncated,
    /// The text obeys the grammar, but is nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH): a limit of this
    /// reader (RFC 8259, section 9, allows one), no fault of the text.
    TooDeep,
    /// The text obeys the grammar, but has more than [`MAX_VALUES`](super::MAX_VALUES) values: a limit of this reader.
    TooLarge,
}

impl Error {
    /// The error of bytes that are no UTF-8 from `offset` on.
    pub fn utf8(offset: usize) -> Self {
        Self { offset, reason: "invalid UTF-8", kind: ErrorKind::Encoding }
    }

    pub(super) fn syntax(offset: usize, reason: &'static str) -> Self {
        Self { offset, reason, kind: ErrorKind::Syntax }
    }

    pub(super) fn truncated(offset: usize, reason: &'static str) -> Self {
        Self { offset, reason, kind: ErrorKind::Truncated }
    }
}
