//! Decodes an event stream as the WHATWG HTML standard defines it (section 9.2, Server-sent events).

use super::event::SseFields;
use bytes::Bytes;
use memchr::{memchr, memchr2};
use std::borrow::Cow;

/// Decodes a stream of bytes, in whatever chunks it comes, into events and what stands between them.
///
/// Each item is delivered as soon as the byte that ends it has come: a comment at the end of its line, an event at its
/// blank line. The id and the retry time of earlier events are not carried over; an item has its own fields only.
///
/// Memory is bounded by the limit; time grows with the number of bytes and with nothing else.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// Bytes of a byte order mark seen at the very beginning; `None` once that is settled.
    mark: Option<usize>,
    /// Whether the last byte was a CR, so that an LF belongs to it.
    after_cr: bool,
    /// The line that is open, as far as it is within the limit.
    line: Vec<u8>,
    /// How many bytes the open line has.
    line_length: u64,
    block: Block,
}

/// The lines since the last blank line, comments left out.
#[derive(Debug, Default)]
struct Block {
    fields: SseFields,
    data: Vec<u8>,
    invalid_utf8: bool,
    /// Bytes of its lines without line ends. Above the limit they are counted and no longer read.
    length: u64,
    lines: bool,
}

/// What was found in an event stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An event with data.
    Event {
        /// Its fields.
        fields: SseFields,
        /// Its data lines, joined by LF, in UTF-8.
        data: Bytes,
        /// Whether something in it was no UTF-8; U+FFFD stands there, as the standard wants it.
        invalid_utf8: bool,
    },
    /// A comment, or a block without a `data` field (it may have no known field at all). The standard dispatches
    /// neither.
    Other {
        /// Its fields.
        fields: SseFields,
        /// Whether something in it was no UTF-8; U+FFFD stands there.
        invalid_utf8: bool,
    },
    /// A block or a comment longer than the limit.
    Oversized {
        /// The fields that came before the limit was reached.
        fields: SseFields,
        /// The first bytes of the data, as they were received.
        data: Bytes,
        /// How long it was, line ends not counted.
        bytes: u64,
    },
    /// The stream ended inside it. The standard does not dispatch such an event.
    Incomplete {
        /// The fields that had come.
        fields: SseFields,
        /// The data that had come.
        data: Bytes,
        /// Whether something in it was no UTF-8; U+FFFD stands there.
        invalid_utf8: bool,
    },
}

impl Decoder {
    /// How much of an oversized event's data, or of an oversized comment, is kept, in bytes.
    pub const KEEP: usize = 64 << 10;

    /// A decoder for events of at most `limit` bytes: all lines of the block, without line ends and comments. The
    /// limit holds for each comment by itself.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            mark: Some(0),
            after_cr: false,
            line: Vec::new(),
            line_length: 0,
            block: Block::default(),
        }
    }

    /// Takes the next bytes of the stream and delivers what ends in them.
    pub fn push(&mut self, chunk: &[u8], mut deliver: impl FnMut(Item)) {
        let mut rest = self.skip_mark(chunk);
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = memchr2(b'\n', b'\r', rest) {
            let (head, tail) = rest.split_at(end);
            self.end_line(head, &mut deliver);
            rest = tail.strip_prefix(b"\r\n").or(tail.get(1..)).unwrap_or_default();
            self.after_cr = tail == b"\r";
        }
        self.append(rest);
    }

    /// Ends the stream; delivers what was left open. Then a new stream may begin.
    pub fn finish(&mut self, mut deliver: impl FnMut(Item)) {
        if let Some(seen @ 1..) = self.mark {
            self.append(&MARK[..seen]);
        }
        let open = self.line_length > 0;
        if open && !self.is_comment() {
            self.end_line(&[], &mut deliver);
        }
        let mut block = std::mem::take(&mut self.block);
        if block.length > self.limit as u64 {
            deliver(block.oversized());
            block = Block::default();
        }
        if self.line_length > self.limit as u64 {
            deliver(self.oversized_comment());
        } else if self.line_length > 0 {
            let line = std::mem::take(&mut self.line);
            block.fields.comment = Some(block.text(line.get(1..).unwrap_or_default()));
            block.lines = true;
        }
        if block.lines {
            let (fields, data, invalid_utf8) = block.into_parts();
            deliver(Item::Incomplete { fields, data, invalid_utf8 });
        }
        *self = Self::new(self.limit);
    }

    /// How many bytes of what is open (a line, and the block that it belongs to) have come so far. Beyond the
    /// limit they are counted, not kept.
    pub fn pending(&self) -> u64 {
        self.block.length + self.line_length
    }

    /// Takes the byte order mark off the beginning of the stream.
    fn skip_mark<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        let Some(seen) = self.mark else { return chunk };
        let wanted = &MARK[seen..];
        let same = wanted.iter().zip(chunk).take_while(|(a, b)| a == b).count();
        if same == wanted.len() {
            self.mark = None;
            return &chunk[same..];
        }
        if same == chunk.len() {
            self.mark = Some(seen + same);
            return &[];
        }
        // It is none: what looked like its beginning is text.
        self.mark = None;
        self.append(&MARK[..seen]);
        chunk
    }

    fn is_comment(&self) -> bool {
        self.line.first() == Some(&b':')
    }

    fn append(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        // The first byte tells whether the line is a comment, so it is kept whatever the limit.
        let comment = self.line.first().or(bytes.first()) == Some(&b':');
        let room = self.room(comment).saturating_sub(self.line.len()).min(bytes.len());
        self.line.extend_from_slice(&bytes[..room]);
        self.line_length += bytes.len() as u64;
    }

    /// How many bytes of the open line are kept: what the limit leaves, and at least the first.
    fn room(&self, comment: bool) -> usize {
        let used = if comment { 0 } else { usize::try_from(self.block.length).unwrap_or(usize::MAX) };
        self.limit.saturating_sub(used).max(1)
    }

    /// The open line ends with `tail`.
    fn end_line(&mut self, tail: &[u8], deliver: &mut impl FnMut(Item)) {
        if self.line_length == 0 && tail.len() <= self.room(tail.first() == Some(&b':')) {
            return self.take_line(tail, tail.len() as u64, deliver);
        }
        self.append(tail);
        let line = std::mem::take(&mut self.line);
        let length = std::mem::take(&mut self.line_length);
        self.take_line(&line, length, deliver);
        self.line = line;
        self.line.clear();
        self.line.shrink_to(Self::KEEP);
    }

    /// Takes a whole line of `length` bytes, of which those beyond the limit are missing.
    fn take_line(&mut self, line: &[u8], length: u64, deliver: &mut impl FnMut(Item)) {
        match line.first() {
            None => {
                let block = std::mem::take(&mut self.block);
                if block.length > self.limit as u64 {
                    deliver(block.oversized());
                } else if block.lines {
                    let (fields, data, invalid_utf8) = block.into_parts();
                    deliver(if fields.has_data {
                        Item::Event { fields, data, invalid_utf8 }
                    } else {
                        Item::Other { fields, invalid_utf8 }
                    });
                }
            }
            Some(b':') if length > self.limit as u64 => deliver(oversized_comment(line, length)),
            Some(b':') => {
                let (text, invalid_utf8) = lossy(&line[1..]);
                let fields = SseFields { comment: Some(text.into_owned()), ..SseFields::default() };
                deliver(Item::Other { fields, invalid_utf8 });
            }
            Some(_) => {
                // Of an oversized block the line that passes the limit is still read, as far as it is kept.
                if self.block.length <= self.limit as u64 {
                    self.block.field(line);
                }
                self.block.length += length;
                self.block.lines = true;
                if self.block.length > self.limit as u64 {
                    self.block.data.truncate(Self::KEEP);
                    self.block.data.shrink_to_fit();
                }
            }
        }
    }

    fn oversized_comment(&self) -> Item {
        oversized_comment(&self.line, self.line_length)
    }
}

const MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

fn oversized_comment(line: &[u8], bytes: u64) -> Item {
    let text = line.get(1..).unwrap_or_default();
    let (text, _) = lossy(&text[..text.len().min(Decoder::KEEP)]);
    let fields = SseFields { comment: Some(text.into_owned()), ..SseFields::default() };
    Item::Oversized { fields, data: Bytes::new(), bytes }
}

fn lossy(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.into(), false),
        Err(_) => (String::from_utf8_lossy(bytes), true),
    }
}

impl Block {
    /// Takes one line that is neither blank nor a comment.
    fn field(&mut self, line: &[u8]) {
        let colon = memchr(b':', line).unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => {
                if self.fields.has_data {
                    self.data.push(b'\n');
                }
                self.fields.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => self.fields.event = Some(self.text(value)),
            b"id" if memchr(0, value).is_none() => self.fields.id = Some(self.text(value)),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let digits = value.iter().map(|digit| u64::from(digit - b'0'));
                let number =
                    digits.fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(digit));
                self.fields.retry = Some(number);
            }
            // The standard ignores all other lines.
            _ => {}
        }
    }

    fn text(&mut self, value: &[u8]) -> String {
        let (text, invalid) = lossy(value);
        self.invalid_utf8 |= invalid;
        text.into_owned()
    }

    fn into_parts(self) -> (SseFields, Bytes, bool) {
        match String::from_utf8(self.data) {
            Ok(data) => (self.fields, data.into(), self.invalid_utf8),
            Err(error) => {
                let data = String::from_utf8_lossy(error.as_bytes()).into_owned();
                (self.fields, data.into(), true)
            }
        }
    }

    fn oversized(self) -> Item {
        Item::Oversized { fields: self.fields, data: self.data.into(), bytes: self.length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(limit: usize, chunks: &[&[u8]]) -> Vec<Item> {
        let mut items = Vec::new();
        let mut decoder = Decoder::new(limit);
        for chunk in chunks {
            decoder.push(chunk, |item| items.push(item));
        }
        decoder.finish(|item| items.push(item));
        assert_eq!(decoder.pending(), 0);
        items
    }

    fn all(text: &[u8]) -> Vec<Item> {
        decode(1 << 20, &[text])
    }

    fn with_data() -> SseFields {
        SseFields { has_data: true, ..SseFields::default() }
    }

    fn event(data: &str) -> Item {
        Item::Event {
            fields: with_data(),
            data: Bytes::copy_from_slice(data.as_bytes()),
            invalid_utf8: false,
        }
    }

    fn other(fields: SseFields) -> Item {
        Item::Other { fields, invalid_utf8: false }
    }

    fn comment(text: &str) -> Item {
        other(SseFields { comment: Some(text.into()), ..SseFields::default() })
    }

    #[test]
    fn data_lines() {
        assert_eq!(all(b"data: a\ndata:b\n\ndata:  c\n\n"), [event("a\nb"), event(" c")]);
        assert_eq!(all(b"data\n\ndata\ndata\n\n"), [event(""), event("\n")]);
        assert_eq!(all(b"\n\n\n"), []);
    }

    #[test]
    fn line_ends() {
        for text in ["data: a\r\n\r\ndata: b\r\n\r\n", "data: a\r\rdata: b\r\r", "data: a\r\n\rdata: b\n\r\n"]
        {
            assert_eq!(all(text.as_bytes()), [event("a"), event("b")], "{text:?}");
            for at in 0..text.len() {
                let (a, b) = text.as_bytes().split_at(at);
                assert_eq!(decode(99, &[a, b]), [event("a"), event("b")], "{text:?} {at}");
            }
        }
        let mut decoder = Decoder::new(99);
        let mut items = Vec::new();
        decoder.push(b"data: a\r\r", |item| items.push(item));
        assert_eq!(items, [event("a")], "a CR ends a line before it is known whether an LF follows");
        decoder.push(b"\ndata: b\n", |item| items.push(item));
        decoder.push(b"\n", |item| items.push(item));
        assert_eq!(items, [event("a"), event("b")]);
    }

    #[test]
    fn fields() {
        let fields = SseFields {
            event: Some("message".into()),
            id: Some("7".into()),
            retry: Some(1500),
            ..with_data()
        };
        let text = b"id: 7\nevent: x\nevent: message\nretry: 1500\nretry: 1s\nretry:\nretry: -1\nid: 8\0\nunknown: 1\ndata: {}\n\n";
        assert_eq!(all(text), [Item::Event { fields, data: "{}".into(), invalid_utf8: false }]);
        // An id of its own only, not the one of the event before.
        assert_eq!(all(b"id: 7\ndata: a\n\ndata: b\n\n")[1], event("b"));
        assert_eq!(
            all(b"retry: 99999999999999999999999\n\n"),
            [other(SseFields { retry: Some(u64::MAX), ..SseFields::default() })]
        );
    }

    #[test]
    fn what_is_no_event_is_delivered_too() {
        assert_eq!(all(b": ping\n\n"), [comment(" ping")]);
        assert_eq!(all(b"data: a\n:c\ndata: b\n\n"), [comment("c"), event("a\nb")]);
        let id = SseFields { id: Some("1".into()), ..SseFields::default() };
        assert_eq!(all(b"id: 1\n\n"), [other(id)]);
        assert_eq!(all(b"{\"jsonrpc\":\"2.0\"}\n\n"), [other(SseFields::default())]);
    }

    #[test]
    fn one_byte_order_mark() {
        assert_eq!(all(b"\xEF\xBB\xBFdata: a\n\n"), [event("a")]);
        assert_eq!(decode(99, &[b"\xEF", b"\xBB", b"\xBFdata: a\n\n"]), [event("a")]);
        assert_eq!(all(b"\xEF\xBB\xBF\xEF\xBB\xBFdata: a\n\n"), [other(SseFields::default())]);
        assert_eq!(decode(99, &[b"\xEF", b"data: a\n\n"]), [other(SseFields::default())]);
        assert_eq!(decode(99, &[b"\xEF\xBB"]).len(), 1);
    }

    #[test]
    fn a_cut_off_event_is_not_dispatched() {
        let incomplete = |data: &'static str| Item::Incomplete {
            fields: with_data(),
            data: data.into(),
            invalid_utf8: false,
        };
        assert_eq!(all(b"data: a\n\ndata: b\n"), [event("a"), incomplete("b")]);
        assert_eq!(all(b"data: a\ndata: b"), [incomplete("a\nb")]);
        assert_eq!(all(b"data: a\r"), [incomplete("a")]);
        let fields = SseFields { comment: Some("x".into()), ..with_data() };
        assert_eq!(all(b"data: a\n:x"), [Item::Incomplete { fields, data: "a".into(), invalid_utf8: false }]);
    }

    #[test]
    fn invalid_utf8_is_replaced_and_told() {
        assert_eq!(
            all(b"data: \xFFx\ndata: \xE2\x82\n\n"),
            [Item::Event { fields: with_data(), data: "\u{FFFD}x\n\u{FFFD}".into(), invalid_utf8: true }]
        );
        let fields = SseFields { event: Some("\u{FFFD}".into()), ..SseFields::default() };
        assert_eq!(all(b"event: \x80\n\n"), [Item::Other { fields, invalid_utf8: true }]);
        assert_eq!(all("data: é\n\n".as_bytes()), [event("é")]);
    }

    #[test]
    fn too_large_events_are_cut_and_counted() {
        let text = b"id: 1\ndata: 12345\ndata: 6\n\ndata: a\n\n:1234567890123\n:123456789\n";
        let expected = [
            Item::Oversized {
                fields: SseFields { id: Some("1".into()), ..with_data() },
                data: Bytes::new(),
                bytes: 23,
            },
            event("a"),
            Item::Oversized {
                fields: SseFields { comment: Some("123456789".into()), ..SseFields::default() },
                data: Bytes::new(),
                bytes: 14,
            },
            comment("123456789"),
        ];
        assert_eq!(decode(10, &[text]), expected);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(decode(10, &bytes), expected);
        assert_eq!(
            decode(12, &[b"data: 12345", b"67890\n\n"]),
            [Item::Oversized { fields: with_data(), data: "123456".into(), bytes: 16 }]
        );
        assert!(matches!(decode(3, &[b"data: 1"])[..], [Item::Oversized { bytes: 7, .. }]));
    }

    #[test]
    fn an_endless_line_takes_bounded_memory_and_linear_time() {
        let limit = 1 << 20;
        let mut decoder = Decoder::new(limit);
        decoder.push(b"data:", |_| ());
        for _ in 0..(1 << 20) {
            decoder.push(b"abcdefg", |_| ());
        }
        assert!(decoder.line.capacity() <= 2 * limit);
        let mut items = Vec::new();
        decoder.push(b"\ndata: more\n\n", |item| items.push(item));
        let [Item::Oversized { data, bytes, .. }] = &items[..] else { panic!("{} items", items.len()) };
        assert_eq!((data.len(), *bytes), (Decoder::KEEP, 5 + 7 * (1 << 20) + 10));
    }
}
