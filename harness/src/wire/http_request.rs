//! HTTP requests as they are written: every byte is the caller's to choose.

use super::event::{Deliberate, Headers, Payload};
use bytes::{BufMut as _, Bytes, BytesMut};
use std::collections::VecDeque;
use std::time::Duration;
use url::Url;

/// A request. The constructors fill in what HTTP asks for; everything may be changed, removed or doubled after that.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method, written as it stands.
    pub method: String,
    /// Where to: its origin says where to connect, its path and query become the request target.
    pub url: Url,
    /// Names and values, written in this order and exactly as given.
    pub headers: Vec<(String, Vec<u8>)>,
    /// What follows the head.
    pub body: RequestBody,
    /// Written instead of all the above, on a connection of its own. `url` still says where to connect.
    pub raw: Option<Bytes>,
    /// What [`Event::Sent`](super::Event::Sent) tells; by default the body, or the raw bytes.
    pub payload: Option<Payload>,
    /// Why this is sent, where it is not simply what a client sends.
    pub deliberate: Option<Deliberate>,
    /// Whether a connection that was used before may not be taken.
    pub fresh_connection: bool,
    /// How long the response may take.
    pub response: ResponseLimits,
}

/// The body of a request.
#[derive(Debug, Clone, Default)]
pub enum RequestBody {
    /// Nothing.
    #[default]
    None,
    /// These bytes, as they are.
    Bytes(Bytes),
    /// Pieces, each followed by a pause, with the framing of the chunked transfer coding.
    Chunked(Vec<(Bytes, Duration)>),
    /// Pieces, each followed by a pause, as they are.
    Pieces(Vec<(Bytes, Duration)>),
}

/// How long a response may take, from the moment when its request begins to go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseLimits {
    /// Until its head is complete.
    pub head: Duration,
    /// Between two reads of its body.
    pub idle: Duration,
    /// For everything.
    pub total: Duration,
}

impl Default for ResponseLimits {
    fn default() -> Self {
        let head = Duration::from_secs(30);
        Self { head, idle: head, total: Duration::from_mins(5) }
    }
}

impl Request {
    /// A request with `Host`, `Accept-Encoding: identity`, and `Content-Length` or `Transfer-Encoding` where there
    /// is a body.
    pub fn new(method: impl Into<String>, url: Url, body: RequestBody) -> Self {
        let mut request = Self {
            method: method.into(),
            headers: vec![
                ("Host".to_owned(), host_header(&url).into_bytes()),
                // A compressed body would have to be unpacked, which a hostile server could make endless.
                ("Accept-Encoding".to_owned(), b"identity".to_vec()),
            ],
            url,
            body,
            raw: None,
            payload: None,
            deliberate: None,
            fresh_connection: false,
            response: ResponseLimits::default(),
        };
        let length = match &request.body {
            RequestBody::None => None,
            RequestBody::Bytes(bytes) => Some(bytes.len()),
            RequestBody::Pieces(pieces) => Some(pieces.iter().map(|(bytes, _)| bytes.len()).sum()),
            RequestBody::Chunked(_) => return request.header("Transfer-Encoding", "chunked"),
        };
        if let Some(length) = length {
            request = request.header("Content-Length", length.to_string());
        }
        request
    }

    /// A GET without a body.
    pub fn get(url: Url) -> Self {
        Self::new("GET", url, RequestBody::None)
    }

    /// A POST of a payload as `application/json`.
    pub fn post(url: Url, payload: Payload) -> Self {
        let body = RequestBody::Bytes(Bytes::copy_from_slice(payload.bytes()));
        let mut request = Self::new("POST", url, body).header("Content-Type", "application/json");
        request.payload = Some(payload);
        request
    }

    /// These bytes, and nothing else, to the origin of `url`.
    pub fn raw(url: Url, bytes: Bytes) -> Self {
        Self { raw: Some(bytes), headers: Vec::new(), ..Self::new("RAW", url, RequestBody::None) }
    }

    /// Adds a header at the end, beside others of the same name.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets a header in the place of all others of the same name, or adds it.
    pub fn with_header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        let place = self.headers.iter().position(|(other, _)| other.eq_ignore_ascii_case(name));
        self = self.without_header(name);
        let place = place.unwrap_or(self.headers.len()).min(self.headers.len());
        self.headers.insert(place, (name.to_owned(), value.into()));
        self
    }

    /// Removes all headers of a name.
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    /// Whether the request asks for the connection to be closed after it.
    pub(super) fn asks_to_close(&self) -> bool {
        let close = |value: &[u8]| String::from_utf8_lossy(value).to_ascii_lowercase().contains("close");
        self.headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("connection") && close(value))
    }

    /// The headers as text, for the record.
    pub(super) fn headers_as_text(&self) -> Headers {
        self.headers.iter().map(|(name, value)| (name.clone(), latin1(value))).collect()
    }

    /// What [`Event::Sent`](super::Event::Sent) tells: nothing where only a head is sent.
    pub(super) fn sent(&self) -> Option<Payload> {
        if self.payload.is_some() {
            return self.payload.clone();
        }
        if let Some(bytes) = &self.raw {
            return Some(Payload::Raw { bytes: bytes.clone(), error: None, truncated: false });
        }
        match &self.body {
            RequestBody::None => None,
            RequestBody::Bytes(bytes) => Some(Payload::read(bytes.clone())),
            RequestBody::Chunked(pieces) | RequestBody::Pieces(pieces) => {
                Some(Payload::read(pieces.iter().flat_map(|(bytes, _)| bytes).copied().collect::<Bytes>()))
            }
        }
    }

    /// What is written, and the pauses in it.
    pub(super) fn compose(&self) -> VecDeque<(Bytes, Duration)> {
        let no_pause = |bytes| (bytes, Duration::ZERO);
        if let Some(raw) = &self.raw {
            return [no_pause(raw.clone())].into();
        }
        let mut head = BytesMut::with_capacity(512);
        head.put_slice(self.method.as_bytes());
        head.put_u8(b' ');
        head.put_slice(self.url.path().as_bytes());
        if let Some(query) = self.url.query() {
            head.put_u8(b'?');
            head.put_slice(query.as_bytes());
        }
        head.put_slice(b" HTTP/1.1\r\n");
        for (name, value) in &self.headers {
            head.put_slice(name.as_bytes());
            head.put_slice(b": ");
            head.put_slice(value);
            head.put_slice(b"\r\n");
        }
        head.put_slice(b"\r\n");
        match &self.body {
            RequestBody::None => [no_pause(head.freeze())].into(),
            RequestBody::Bytes(bytes) if bytes.len() <= 64 << 10 => {
                // One write, so that a small request is one packet.
                head.put_slice(bytes);
                [no_pause(head.freeze())].into()
            }
            RequestBody::Bytes(bytes) => [no_pause(head.freeze()), no_pause(bytes.clone())].into(),
            RequestBody::Pieces(pieces) => {
                std::iter::once(no_pause(head.freeze())).chain(pieces.iter().cloned()).collect()
            }
            RequestBody::Chunked(pieces) => {
                let mut out: VecDeque<_> = [no_pause(head.freeze())].into();
                // An empty chunk would be the last.
                out.extend(pieces.iter().map(|(bytes, pause)| (chunk(bytes), *pause)));
                out.push_back(no_pause(Bytes::from_static(b"0\r\n\r\n")));
                out
            }
        }
    }
}

fn chunk(bytes: &Bytes) -> Bytes {
    if bytes.is_empty() {
        return Bytes::new();
    }
    let mut out = BytesMut::with_capacity(bytes.len() + 20);
    out.put_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
    out.put_slice(bytes);
    out.put_slice(b"\r\n");
    out.freeze()
}

/// Host and port as the `Host` header has them: the port only where it is not the usual one.
fn host_header(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Bytes as text, each byte one character.
pub(super) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(request: &Request) -> String {
        request.compose().iter().map(|(bytes, _)| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    fn url() -> Url {
        Url::parse("http://[::1]:8080/mcp?a=b#c").unwrap()
    }

    #[test]
    fn a_post_has_what_http_asks_for() {
        let request = Request::post(url(), Payload::read("{}"));
        let expected = "POST /mcp?a=b HTTP/1.1\r\nHost: [::1]:8080\r\nAccept-Encoding: identity\r\n\
                        Content-Length: 2\r\nContent-Type: application/json\r\n\r\n{}";
        assert_eq!(text(&request), expected);
        assert_eq!(request.compose().len(), 1);
    }

    #[test]
    fn headers_can_be_set_removed_and_doubled() {
        let request = Request::get(url()).without_header("accept-encoding").header("Host", "evil.invalid");
        assert!(text(&request).ends_with("Host: [::1]:8080\r\nHost: evil.invalid\r\n\r\n"));
        let request = request.with_header("host", vec![0xFF]);
        assert_eq!(request.headers_as_text(), [("host".to_owned(), "\u{FF}".to_owned())]);
    }

    #[test]
    fn chunks_are_framed_and_an_empty_one_is_none() {
        let piece = |text: &'static str| (Bytes::from_static(text.as_bytes()), Duration::ZERO);
        let body = RequestBody::Chunked(vec![piece("0123456789abcdef"), piece(""), piece("x")]);
        let request = Request::new("POST", url(), body);
        assert!(text(&request).ends_with("\r\n\r\n10\r\n0123456789abcdef\r\n1\r\nx\r\n0\r\n\r\n"));
        assert_eq!(request.sent().unwrap().bytes(), b"0123456789abcdefx");
    }

    #[test]
    fn raw_bytes_are_all_that_is_written() {
        let request = Request::raw(url(), Bytes::from_static(b"\0\x01"));
        assert_eq!(text(&request), "\0\u{1}");
    }
}
