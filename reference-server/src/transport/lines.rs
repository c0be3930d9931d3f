//! Cutting bytes into lines, however they are chunked, and making lines of messages.

use crate::server::Server;

/// Appends a message and its line end.
pub(crate) fn append_line(server: &Server, buffer: &mut Vec<u8>, message: &str) {
    match server.faults() {
        None if let Some(chaos) = server.chaos() => {
            buffer.extend_from_slice(chaos.line(message).as_bytes());
            buffer.push(b'\n');
        }
        None => {
            buffer.extend_from_slice(message.as_bytes());
            buffer.push(b'\n');
        }
        Some(faults) => buffer.extend(faults.line(message)),
    }
}

/// What is written at a time: all at once, save under chaos.
pub(crate) fn pieces<'a>(server: &Server, buffer: &'a [u8]) -> Vec<&'a [u8]> {
    server.chaos().map_or_else(|| vec![buffer], |chaos| chaos.pieces(buffer))
}

/// One line of input, without its line feed.
#[derive(Debug, PartialEq)]
pub(crate) enum Line<'a> {
    Text(&'a [u8]),
    /// Told once; the rest of the line is skipped.
    TooLong,
}

/// Cuts chunks into lines; blank ones vanish. A line within one chunk is not copied.
pub(crate) struct LineSplitter {
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
    /// Whether `begun` has been handed out.
    spent: bool,
    limit: usize,
    skipping: bool,
}

impl LineSplitter {
    pub(crate) fn new(limit: usize) -> Self {
        Self { begun: Vec::new(), spent: false, limit, skipping: false }
    }

    /// Takes the next line off the front of `chunk`; without one the rest is kept, and the next chunk is due.
    pub(crate) fn next<'a, 'c: 'a>(&'a mut self, chunk: &mut &'c [u8]) -> Option<Line<'a>> {
        self.forget_spent();
        loop {
            let end = memchr::memchr(b'\n', chunk);
            let (piece, rest) = chunk.split_at(end.unwrap_or(chunk.len()));
            *chunk = rest.get(1..).unwrap_or_default();
            if self.skipping {
                self.skipping = end.is_none();
            } else if self.begun.len() + piece.len() > self.limit {
                self.begun = Vec::new();
                self.skipping = end.is_none();
                return Some(Line::TooLong);
            } else if end.is_none() {
                self.begun.extend_from_slice(piece);
            } else if self.begun.is_empty() {
                if !piece.trim_ascii().is_empty() {
                    return Some(Line::Text(piece));
                }
            } else {
                self.begun.extend_from_slice(piece);
                if self.begun.trim_ascii().is_empty() {
                    self.begun.clear();
                } else {
                    self.spent = true;
                    break;
                }
            }
            end?;
        }
        Some(Line::Text(&self.begun))
    }

    /// At the end of the input: what stands there without a line end is a line too.
    pub(crate) fn finish(&mut self) -> Option<Line<'_>> {
        self.forget_spent();
        (!self.begun.trim_ascii().is_empty()).then_some(Line::Text(&self.begun))
    }

    fn forget_spent(&mut self) {
        /// What is kept for the next line that comes in pieces.
        const KEPT: usize = 64 << 10;
        if self.spent {
            self.begun.clear();
            self.begun.shrink_to(KEPT);
            self.spent = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, LineSplitter};

    fn lines(input: &[u8], size: usize, limit: usize) -> Vec<String> {
        let mut splitter = LineSplitter::new(limit);
        let mut lines = Vec::new();
        let mut put = |line: Line<'_>| {
            lines.push(match line {
                Line::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                Line::TooLong => "TOO LONG".to_owned(),
            });
        };
        for mut chunk in input.chunks(size) {
            while let Some(line) = splitter.next(&mut chunk) {
                put(line);
            }
        }
        splitter.finish().map(put);
        lines
    }

    #[test]
    fn chunks_do_not_matter() {
        let input = b"one\n\n  \r\ntwo\r\nthree";
        for size in 1..=input.len() {
            assert_eq!(lines(input, size, 100), ["one", "two\r", "three"], "{size}");
        }
    }

    #[test]
    fn an_overlong_line_is_reported_once_and_skipped() {
        for size in 1..12 {
            assert_eq!(lines(b"123456789\nabcd\n", size, 4), ["TOO LONG", "abcd"], "{size}");
        }
    }
}
