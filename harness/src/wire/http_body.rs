//! Where the body of an HTTP/1.1 response ends (RFC 9112, section 6), decided and decoded without trust.

use super::event::{Headers, header};
use bytes::{Buf as _, BytesMut};

/// The longest line of a chunk: its size and its extensions.
const CHUNK_LINE: usize = 4 << 10;
/// The most that may come after the last chunk.
const TRAILERS: usize = 64 << 10;

/// Reads the framing of a body off its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes are missing.
    Length(u64),
    /// The chunked transfer coding.
    Chunked(Chunk),
    /// Until the connection closes.
    Close,
}

/// Where in a chunked body the next byte stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    Size,
    Data(u64),
    DataEnd,
    Trailer { passed: usize },
    Done,
}

impl Framing {
    /// Decides by the head of the response.
    pub(super) fn of(method: &str, status: u16, headers: &Headers) -> Result<Self, String> {
        if method.eq_ignore_ascii_case("HEAD") || matches!(status, 100..=199 | 204 | 304) {
            return Ok(Self::Length(0));
        }
        let codings = values(headers, "transfer-encoding");
        if let Some(last) = codings.last() {
            return Ok(if last.eq_ignore_ascii_case("chunked") {
                Self::Chunked(Chunk::Size)
            } else {
                Self::Close
            });
        }
        let lengths = values(headers, "content-length");
        let Some(first) = lengths.first() else { return Ok(Self::Close) };
        if lengths.iter().any(|other| other != first) {
            return Err("more than one content length".to_owned());
        }
        // `parse` alone would take a plus sign.
        if first.is_empty() || !first.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("content length `{}` is no number", shorten(first)));
        }
        first
            .parse()
            .map(Self::Length)
            .map_err(|_| format!("content length `{}` is too large", shorten(first)))
    }

    /// Takes what is in the buffer, hands on the content, and says whether the body is complete.
    ///
    /// # Errors
    /// When the bytes break the framing.
    pub(super) fn decode(
        &mut self,
        buffer: &mut BytesMut,
        mut content: impl FnMut(&[u8]),
    ) -> Result<bool, String> {
        match self {
            Self::Close => {
                content(buffer);
                buffer.clear();
                Ok(false)
            }
            Self::Length(left) => {
                take(left, buffer, &mut content);
                Ok(*left == 0)
            }
            Self::Chunked(state) => {
                while state.step(buffer, &mut content)? {}
                Ok(*state == Chunk::Done)
            }
        }
    }

    /// What it means that the connection closed here.
    pub(super) fn closed(&self) -> Result<(), String> {
        match self {
            Self::Close | Self::Length(0) | Self::Chunked(Chunk::Done) => Ok(()),
            Self::Length(left) => Err(format!("closed {left} bytes before the announced end of the body")),
            Self::Chunked(_) => Err("closed before the last chunk of the body".to_owned()),
        }
    }
}

impl Chunk {
    /// One step; `false` when more bytes are needed, or at the end.
    fn step(&mut self, buffer: &mut BytesMut, content: &mut impl FnMut(&[u8])) -> Result<bool, String> {
        match self {
            Self::Size => {
                let Some(line) = line(buffer, CHUNK_LINE, "the line of a chunk size")? else {
                    return Ok(false);
                };
                let size = line[..].split(|&byte| byte == b';').next().unwrap_or_default();
                *self = match chunk_size(size.trim_ascii_end()) {
                    Some(0) => Self::Trailer { passed: 0 },
                    Some(size) => Self::Data(size),
                    None => {
                        return Err(format!(
                            "`{}` is no chunk size",
                            shorten(&line.escape_ascii().to_string())
                        ));
                    }
                };
                Ok(true)
            }
            Self::Data(left) => {
                take(left, buffer, content);
                if *left > 0 {
                    return Ok(false);
                }
                *self = Self::DataEnd;
                Ok(true)
            }
            Self::DataEnd => {
                if buffer.len() < 2 && b"\r\n".starts_with(buffer) {
                    return Ok(false);
                }
                if !buffer.starts_with(b"\r\n") {
                    return Err("a chunk is longer than its size says".to_owned());
                }
                buffer.advance(2);
                *self = Self::Size;
                Ok(true)
            }
            Self::Trailer { passed } => {
                let room = TRAILERS.saturating_sub(*passed);
                let Some(line) = line(buffer, room, "what follows the last chunk")? else { return Ok(false) };
                *passed += line.len() + 2;
                if line.is_empty() {
                    *self = Self::Done;
                }
                Ok(true)
            }
            Self::Done => Ok(false),
        }
    }
}

fn take(left: &mut u64, buffer: &mut BytesMut, content: &mut impl FnMut(&[u8])) {
    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
    if count > 0 {
        content(&buffer[..count]);
        buffer.advance(count);
        *left -= count as u64;
    }
}

/// The next line, without its end.
fn line(buffer: &mut BytesMut, limit: usize, what: &str) -> Result<Option<BytesMut>, String> {
    let Some(end) = memchr::memchr(b'\n', buffer) else {
        return if buffer.len() > limit { Err(format!("{what} is too long")) } else { Ok(None) };
    };
    if end > limit {
        return Err(format!("{what} is too long"));
    }
    let mut line = buffer.split_to(end + 1);
    if !line.ends_with(b"\r\n") {
        return Err(format!("{what} ends with LF and not with CR LF"));
    }
    line.truncate(end - 1);
    Ok(Some(line))
}

fn chunk_size(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 16 || !text.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

/// All values of a header, lists taken apart.
pub(super) fn values<'a>(headers: &'a Headers, name: &str) -> Vec<&'a str> {
    headers
        .iter()
        .filter(|(other, _)| other.eq_ignore_ascii_case(name))
        .flat_map(|(_, value)| value.split(','))
        .map(str::trim)
        .collect()
}

/// Whether the body is an event stream: its media type, without regard to case and parameters.
pub(super) fn is_event_stream(headers: &Headers) -> bool {
    let media_type = header(headers, "content-type").and_then(|value| value.split(';').next());
    media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// The coding of the content, unless it is plain.
pub(super) fn coding(headers: &Headers) -> Option<String> {
    let codings = values(headers, "content-encoding");
    let coded = codings.iter().any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"));
    coded.then(|| codings.join(", "))
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: &[(&str, &str)]) -> Headers {
        text.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn framing(text: &[(&str, &str)]) -> Result<Framing, String> {
        Framing::of("POST", 200, &headers(text))
    }

    /// Decodes in pieces of one size; the content, whether it was complete, and what was left.
    fn chunked(bytes: &[u8], piece: usize) -> Result<(Vec<u8>, bool, Vec<u8>), String> {
        let mut framing = Framing::Chunked(Chunk::Size);
        let (mut content, mut buffer, mut done) = (Vec::new(), BytesMut::new(), false);
        for piece in bytes.chunks(piece) {
            buffer.extend_from_slice(piece);
            done = framing.decode(&mut buffer, |bytes| content.extend_from_slice(bytes))?;
        }
        Ok((content, done, buffer.to_vec()))
    }

    #[test]
    fn the_head_decides() {
        assert_eq!(framing(&[]), Ok(Framing::Close));
        assert_eq!(framing(&[("Content-Length", "7"), ("content-length", "7")]), Ok(Framing::Length(7)));
        assert_eq!(framing(&[("Content-Length", "7, 7")]), Ok(Framing::Length(7)));
        for bad in ["7, 8", "+7", "-1", "", "0x7", "99999999999999999999"] {
            assert!(framing(&[("Content-Length", bad)]).is_err(), "{bad}");
        }
        let both = [("Content-Length", "7"), ("Transfer-Encoding", "gzip, Chunked")];
        assert_eq!(framing(&both), Ok(Framing::Chunked(Chunk::Size)));
        assert_eq!(framing(&[("Transfer-Encoding", "gzip")]), Ok(Framing::Close));
        for (method, status) in [("HEAD", 200), ("POST", 204), ("GET", 304)] {
            let length = headers(&[("Content-Length", "7")]);
            assert_eq!(Framing::of(method, status, &length), Ok(Framing::Length(0)));
        }
    }

    #[test]
    fn chunks_extensions_and_trailers_at_every_split() {
        let bytes = b"5;a=\"b\"\r\nhello\r\n00A \r\n0123456789\r\n0\r\nX: y\r\n\r\nmore";
        for piece in 1..=bytes.len() {
            let (content, done, left) = chunked(bytes, piece).unwrap();
            assert_eq!(content, b"hello0123456789", "in pieces of {piece}");
            assert!(done);
            assert_eq!(left, b"more");
        }
    }

    #[test]
    fn broken_chunks_are_errors() {
        let zeros = [b'0'; 5000];
        let bad: [&[u8]; 8] = [
            b"\r\n",
            b"x\r\n",
            b"-1\r\n",
            b"0x5\r\n",
            b"5\nhello",
            b"2\r\nabc\r\n",
            b"11111111111111111\r\n",
            &zeros,
        ];
        for bytes in bad {
            for piece in [1, bytes.len()] {
                assert!(chunked(bytes, piece).is_err(), "{}", bytes.escape_ascii());
            }
        }
        let mut trailers = b"0\r\n".to_vec();
        (0..20_000).for_each(|_| trailers.extend_from_slice(b"a: b\r\n"));
        assert!(chunked(&trailers, 1000).is_err());
    }

    #[test]
    fn closing_is_complete_only_where_it_ends_the_body() {
        assert!(Framing::Close.closed().is_ok());
        assert!(Framing::Length(0).closed().is_ok());
        assert!(Framing::Length(3).closed().unwrap_err().contains("3 bytes"));
        assert!(Framing::Chunked(Chunk::Size).closed().is_err());
    }
}
