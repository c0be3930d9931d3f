//! What is changed about the HTTP request that carries a message.

use super::mutation::{Bounds, LARGEST, cut};
use crate::client::headers::is_token;
use crate::client::{HttpEdits, Outgoing};
use crate::generate::{Choices, names_no_real_host};
use crate::protocol::Era;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// More pieces are not made of a body.
const MOST_PIECES: usize = 64;
/// The longest pause between two pieces, in milliseconds.
const LONGEST_PAUSE: u64 = 50;

const METHODS: [&str; 11] =
    ["PUT", "GET", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "post", "Post", "QUERY", "MCPROVE"];
/// What HTTP asks for, and what the transport adds.
const HEADERS: [&str; 8] = [
    "Content-Type",
    "Accept",
    "MCP-Protocol-Version",
    "Mcp-Session-Id",
    "Content-Length",
    "Host",
    "Mcp-Method",
    "Mcp-Name",
];
/// What repeats something of the body (2026-07-28, basic/transports#standard-mcp-request-headers).
const MIRRORED: [&str; 3] = ["Mcp-Method", "Mcp-Name", "MCP-Protocol-Version"];
const CONTENT_TYPES: [&str; 9] = [
    "application/json; charset=utf-8",
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json; charset=utf-16",
    "APPLICATION/JSON",
    "application/json-rpc",
    "multipart/form-data; boundary=mcprove",
    "application",
    "application/json, text/plain",
];
const ACCEPTS: [&str; 9] = [
    "application/json",
    "text/event-stream",
    "*/*",
    "text/html",
    "application/json;q=0, text/event-stream;q=0",
    "application/json;q=0.1, text/event-stream;q=0.9",
    "application/*, text/*",
    "application/json;text/event-stream",
    ",",
];
const ENCODINGS: [&str; 6] = ["gzip", "identity", "deflate", "br", "gzip, gzip", "mcprove"];
const VALUES: [&str; 12] = [
    "mcprove",
    "0",
    "-1",
    "1900-01-01",
    "9999-12-31",
    "2025-06-18, 2025-11-25",
    "tools/call",
    "=?base64?bWNwcm92ZQ==?=",
    "=?base64?%%%?=",
    "\u{e9}",
    "__proto__",
    "../..",
];
const HOSTS: [&str; 4] = ["mcprove.example", "localhost:0", "mcprove.invalid", "127.0.0.1"];

/// One change of the request that carries a message. The body is that of the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum HttpMutation {
    /// Another method than POST. `DELETE` ends a session of the legacy era, as it should.
    OtherMethod {
        /// The method.
        method: String,
    },
    /// A header is left out.
    MissingHeader {
        /// Its name.
        header: String,
    },
    /// A header stands once more, with this value.
    RepeatedHeader {
        /// Its name.
        header: String,
        /// The value.
        value: String,
    },
    /// A header has another value.
    OtherHeader {
        /// Its name.
        header: String,
        /// The value.
        value: String,
    },
    /// A header has an empty value.
    EmptyHeader {
        /// Its name.
        header: String,
    },
    /// A header has a long value.
    LongHeader {
        /// Its name.
        header: String,
        /// So many letters.
        length: usize,
    },
    /// Another content type.
    ContentType {
        /// The value of the header.
        value: String,
    },
    /// Other types that would be accepted.
    Accept {
        /// The value of the header.
        value: String,
    },
    /// The body is said to be compressed, and is not.
    ContentEncoding {
        /// The value of the header.
        value: String,
    },
    /// The body is sent in the chunked transfer coding.
    Chunked {
        /// In so many chunks, as far as there are bytes.
        chunks: usize,
    },
    /// The body is sent in pieces, with its length as usual.
    Pieces {
        /// So many, as far as there are bytes.
        pieces: usize,
        /// The pause after each, in milliseconds.
        pause: u64,
    },
    /// A header that repeats something of the body says something else.
    Mismatch {
        /// Its name.
        header: String,
        /// What it says.
        value: String,
    },
}

impl HttpMutation {
    /// The message with the change; over STDIO nothing of it shows. `None` where it would be no change, or no request
    /// that can be written: a name that is no token, a value that would end the line.
    pub fn apply(&self, outgoing: &Outgoing) -> Option<Outgoing> {
        let mut changed = outgoing.clone();
        let http = std::mem::take(&mut changed.http);
        let set =
            |header: &str, value: &str| can_be_sent(header, value).then(|| http.clone().set(header, value));
        changed.http = match self {
            Self::OtherMethod { method } => (is_token(method) && method != "POST")
                .then(|| HttpEdits { method: Some(method.clone()), ..http })?,
            Self::MissingHeader { header } => is_token(header).then(|| http.without(header))?,
            Self::RepeatedHeader { header, value } => {
                can_be_sent(header, value).then_some(())?;
                let mut http = http;
                http.add.push((header.clone(), value.clone()));
                http
            }
            Self::OtherHeader { header, value } => set(header, value)?,
            Self::EmptyHeader { header } => set(header, "")?,
            Self::LongHeader { header, length } => {
                (1..=LARGEST).contains(length).then(|| set(header, &"a".repeat(*length)))??
            }
            Self::ContentType { value } => set("Content-Type", value)?,
            Self::Accept { value } => set("Accept", value)?,
            Self::ContentEncoding { value } => set("Content-Encoding", value)?,
            Self::Chunked { chunks } => {
                changed.pieces = pieces(&outgoing.body, *chunks, 0)?;
                HttpEdits { chunked: true, ..http }
            }
            Self::Pieces { pieces: count, pause } => {
                changed.pieces = pieces(&outgoing.body, *count, *pause)?;
                http
            }
            Self::Mismatch { header, value } => {
                let said = mirrored(outgoing, header)?;
                (said != *value).then(|| set(header, value))??
            }
        };
        // What the server makes of it must not meet the next request.
        changed.http.fresh_connection = true;
        Some(changed)
    }

    /// One change, of any kind, for a message. Those of the headers that mirror a body are drawn in the modern era only.
    pub fn draw(outgoing: &Outgoing, era: Era, bounds: Bounds, choices: &mut dyn Choices) -> Self {
        let owned = |text: Option<&&str>| text.map_or_else(String::new, |text| (*text).to_owned());
        let known = if era == Era::Modern { HEADERS.len() } else { HEADERS.len() - 2 };
        let header = owned(choices.pick(&HEADERS[..known]));
        let value = |header: &str, choices: &mut dyn Choices| match header {
            "Host" => owned(choices.pick(&HOSTS)),
            "Content-Type" => owned(choices.pick(&CONTENT_TYPES)),
            "Accept" => owned(choices.pick(&ACCEPTS)),
            // A wrong length is a matter of HTTP, and whoever gets it waits.
            "Content-Length" => outgoing.body.len().to_string(),
            _ => owned(choices.pick(&VALUES)),
        };
        let mirrored: Vec<&str> =
            MIRRORED.into_iter().filter(|name| mirrored(outgoing, name).is_some()).collect();
        match choices.below(12) {
            0 => Self::ContentType { value: owned(choices.pick(&CONTENT_TYPES)) },
            1 => Self::Accept { value: owned(choices.pick(&ACCEPTS)) },
            2 => Self::MissingHeader { header },
            3 => Self::RepeatedHeader { value: value(&header, choices), header },
            4 if header != "Content-Length" => Self::OtherHeader { value: value(&header, choices), header },
            5 => Self::EmptyHeader { header },
            6 => {
                let lengths = [1000, 4096, 8191, 8192, 16_384, 65_536, LARGEST];
                let length = lengths[choices.index(lengths.len())].min(bounds.bytes).max(1);
                Self::LongHeader { header, length }
            }
            7 => Self::ContentEncoding { value: owned(choices.pick(&ENCODINGS)) },
            8 => Self::Chunked { chunks: 1 + choices.index(8) },
            9 => Self::Pieces { pieces: 2 + choices.index(8), pause: choices.below(5) },
            10 | 11 if era == Era::Modern && !mirrored.is_empty() => {
                let header = owned(choices.pick(&mirrored));
                Self::Mismatch { value: owned(choices.pick(&VALUES)), header }
            }
            _ => Self::OtherMethod { method: owned(choices.pick(&METHODS)) },
        }
    }

    /// The name of the kind of change.
    pub fn name(&self) -> &'static str {
        match self {
            Self::OtherMethod { .. } => "other-method",
            Self::MissingHeader { .. } => "missing-header",
            Self::RepeatedHeader { .. } => "repeated-header",
            Self::OtherHeader { .. } => "other-header",
            Self::EmptyHeader { .. } => "empty-header",
            Self::LongHeader { .. } => "long-header",
            Self::ContentType { .. } => "content-type",
            Self::Accept { .. } => "accept",
            Self::ContentEncoding { .. } => "content-encoding",
            Self::Chunked { .. } => "chunked",
            Self::Pieces { .. } => "pieces",
            Self::Mismatch { .. } => "mismatch",
        }
    }
}

/// Whether a header can be written, and names no host of the network.
fn can_be_sent(header: &str, value: &str) -> bool {
    is_token(header)
        && !value.chars().any(|c| c.is_control() && c != '\t')
        && value.len() <= LARGEST
        && names_no_real_host(value)
}

/// What a header that mirrors the body says.
fn mirrored<'o>(outgoing: &'o Outgoing, header: &str) -> Option<&'o str> {
    match header {
        "Mcp-Method" => outgoing.method.as_deref(),
        "Mcp-Name" => outgoing.name.as_deref(),
        "MCP-Protocol-Version" => outgoing.version.as_deref(),
        _ => None,
    }
}

/// The body in pieces of one length, the last one shorter.
fn pieces(body: &Bytes, count: usize, pause: u64) -> Option<Vec<(Bytes, Duration)>> {
    let allowed = (1..=MOST_PIECES).contains(&count) && pause <= LONGEST_PAUSE && !body.is_empty();
    let pause = Duration::from_millis(pause);
    allowed.then(|| {
        let length = body.len().div_ceil(count);
        (0..body.len())
            .step_by(length)
            .map(|at| (body.slice(at..(at + length).min(body.len())), pause))
            .collect()
    })
}

impl fmt::Display for HttpMutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherMethod { method } => write!(f, "the method is {method}"),
            Self::MissingHeader { header } => write!(f, "the header `{header}` is left out"),
            Self::RepeatedHeader { header, value } => {
                write!(f, "the header `{header}` stands once more: {}", cut(value))
            }
            Self::OtherHeader { header, value } | Self::Mismatch { header, value } => {
                write!(f, "the header `{header}` says {}", cut(value))
            }
            Self::EmptyHeader { header } => write!(f, "the header `{header}` is empty"),
            Self::LongHeader { header, length } => write!(f, "the header `{header}` has {length} letters"),
            Self::ContentType { value } => write!(f, "the content type is {}", cut(value)),
            Self::Accept { value } => write!(f, "`Accept` is {}", cut(value)),
            Self::ContentEncoding { value } => {
                write!(f, "the body is said to be in the encoding {}", cut(value))
            }
            Self::Chunked { chunks } => write!(f, "the body is sent in {chunks} chunks"),
            Self::Pieces { pieces, pause } => {
                write!(f, "the body is sent in {pieces} pieces, {pause} ms after each")
            }
        }
    }
}
