//! Splits a stream of bytes into lines, as the stdio transport frames its messages.

use memchr::memchr;

/// Splits a stream of bytes, in whatever chunks it comes, into lines that end with LF.
///
/// Every line is delivered, blank ones too. A line longer than the limit is delivered once, when it ends: its first
/// bytes and how long it was. Memory is bounded by the limit; time grows with the number of bytes and with nothing else.
#[derive(Debug)]
pub struct LineSplitter {
    limit: usize,
    keep: usize,
    /// The beginning of the line that is open: all of it up to the limit and one byte, the first `keep` beyond that.
    buffer: Vec<u8>,
    /// Bytes of the open line so far.
    length: u64,
    last: Option<u8>,
}

/// A line, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its bytes, or the first of them.
    pub bytes: &'a [u8],
    /// How many bytes it has.
    pub length: u64,
    /// Whether it was longer than the limit, so that bytes are missing at the end.
    pub truncated: bool,
    /// Whether it ended with CR LF instead of LF; the CR is not in `bytes` and not in `length`.
    pub ended_with_crlf: bool,
    /// Whether it ended with LF at all; only the last line of a stream may lack it.
    pub terminated: bool,
}

impl LineSplitter {
    /// How much of a line beyond the limit is kept, in bytes.
    pub const KEEP: usize = 64 << 10;

    /// A splitter for lines of at most `limit` bytes, line end not counted. Of longer ones the first
    /// [`KEEP`](Self::KEEP) bytes are kept (or `limit`, if that is less).
    pub fn new(limit: usize) -> Self {
        Self { limit, keep: limit.min(Self::KEEP), buffer: Vec::new(), length: 0, last: None }
    }

    /// Takes the next bytes of the stream and delivers the lines that end in them.
    pub fn push(&mut self, chunk: &[u8], mut deliver: impl FnMut(Line<'_>)) {
        let mut rest = chunk;
        while let Some(end) = memchr(b'\n', rest) {
            let (head, tail) = rest.split_at(end);
            rest = tail.get(1..).unwrap_or_default();
            if self.length == 0 {
                deliver(self.line(head, head.len() as u64, head.last().copied(), true));
            } else {
                self.append(head);
                self.deliver_buffer(true, &mut deliver);
            }
        }
        self.append(rest);
    }

    /// Ends the stream; delivers the last line if it lacked its newline. Then a new stream may begin.
    pub fn finish(&mut self, mut deliver: impl FnMut(Line<'_>)) {
        if self.length > 0 {
            self.deliver_buffer(false, &mut deliver);
        }
    }

    /// How many bytes of the line that is open have come so far. Beyond the limit they are counted, not kept.
    pub fn pending(&self) -> u64 {
        self.length
    }

    fn append(&mut self, bytes: &[u8]) {
        let Some(last) = bytes.last() else { return };
        self.last = Some(*last);
        self.length += bytes.len() as u64;
        // One byte more than the limit: it may be the CR of the line end.
        let bound = self.limit.saturating_add(1);
        if self.length <= bound as u64 {
            self.buffer.extend_from_slice(bytes);
            return;
        }
        let room = self.keep.saturating_sub(self.buffer.len()).min(bytes.len());
        self.buffer.extend_from_slice(&bytes[..room]);
        if self.buffer.len() > self.keep {
            self.buffer.truncate(self.keep);
            self.buffer.shrink_to_fit();
        }
    }

    fn deliver_buffer(&mut self, terminated: bool, deliver: &mut impl FnMut(Line<'_>)) {
        deliver(self.line(&self.buffer, self.length, self.last, terminated));
        self.buffer.clear();
        // A single large line must not hold its memory for the rest of the stream.
        self.buffer.shrink_to(Self::KEEP);
        self.length = 0;
        self.last = None;
    }

    fn line<'a>(&self, bytes: &'a [u8], length: u64, last: Option<u8>, terminated: bool) -> Line<'a> {
        let ended_with_crlf = terminated && last == Some(b'\r');
        let length = length - u64::from(ended_with_crlf);
        let truncated = length > self.limit as u64;
        let kept = if truncated { self.keep } else { bytes.len() - usize::from(ended_with_crlf) };
        let bytes = bytes.get(..kept).unwrap_or(bytes);
        Line { bytes, length, truncated, ended_with_crlf, terminated }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = (Vec<u8>, u64, bool, bool, bool);

    fn split(limit: usize, chunks: &[&[u8]]) -> Vec<Seen> {
        let mut lines = Vec::new();
        let mut splitter = LineSplitter::new(limit);
        let mut take = |l: Line<'_>| {
            lines.push((l.bytes.to_vec(), l.length, l.truncated, l.ended_with_crlf, l.terminated));
        };
        for chunk in chunks {
            splitter.push(chunk, &mut take);
        }
        splitter.finish(&mut take);
        assert_eq!(splitter.pending(), 0);
        lines
    }

    fn whole(bytes: &[u8]) -> Seen {
        (bytes.to_vec(), bytes.len() as u64, false, false, true)
    }

    #[test]
    fn lines_and_blank_lines() {
        assert_eq!(split(9, &[b"a\n\nb", b"c\n"]), [whole(b"a"), whole(b""), whole(b"bc")]);
        assert_eq!(split(9, &[]), []);
        assert_eq!(split(9, &[b"", b"\n"]), [whole(b"")]);
    }

    #[test]
    fn line_ends_are_told_apart() {
        let crlf = |bytes: &[u8]| (bytes.to_vec(), bytes.len() as u64, false, true, true);
        assert_eq!(split(9, &[b"a\r\n\r\nb\rc\n"]), [crlf(b"a"), crlf(b""), whole(b"b\rc")]);
        assert_eq!(split(9, &[b"a\r", b"\n"]), [crlf(b"a")]);
        assert_eq!(split(9, &[b"a\nb"]), [whole(b"a"), (b"b".to_vec(), 1, false, false, false)]);
        assert_eq!(split(9, &[b"b\r"]), [(b"b\r".to_vec(), 2, false, false, false)]);
    }

    #[test]
    fn the_limit_counts_no_line_end() {
        for chunks in [&[b"abc\r\nabcd\n".as_slice()][..], &[b"abc", b"\r", b"\nabc", b"d", b"\n"]] {
            assert_eq!(
                split(3, chunks),
                [(b"abc".to_vec(), 3, false, true, true), (b"abc".to_vec(), 4, true, false, true),]
            );
        }
        assert_eq!(
            split(0, &[b"\n", b"\r", b"\nx\n"]),
            [whole(b""), (Vec::new(), 0, false, true, true), (Vec::new(), 1, true, false, true),]
        );
    }

    #[test]
    fn an_endless_line_takes_bounded_memory_and_linear_time() {
        let limit = 1 << 20;
        let mut splitter = LineSplitter::new(limit);
        let mut lines = 0;
        for _ in 0..(1 << 20) {
            splitter.push(b"abcdefg", |_| lines += 1);
        }
        assert_eq!(splitter.pending(), 7 * (1 << 20));
        assert!(splitter.buffer.capacity() <= LineSplitter::KEEP * 2);
        splitter.push(b"\nnext\n", |line| {
            lines += 1;
            assert_eq!(line.truncated, lines == 1);
            assert_eq!(line.bytes.len(), if lines == 1 { LineSplitter::KEEP } else { 4 });
        });
        assert_eq!(lines, 2);
    }
}
