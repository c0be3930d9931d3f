//! The closed set of things that can be observed on the wire.

use super::framing::LineSplitter;
use crate::protocol::Message;
use crate::protocol::json::ErrorKind;
use bytes::Bytes;
use std::fmt;

/// Where in a conversation something happened: channel 0 is the process (its pipes, its life), every other
/// number is one HTTP exchange (a request and its response, however long that streams).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Channel(pub u32);

impl Channel {
    /// The process: standard streams, standard error, start and exit.
    pub const PROCESS: Self = Self(0);
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One thing that was seen. There are no others: whatever a server does shows up as a sequence of these.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A process runs.
    ProcessStarted {
        /// Its process id, which is also its group.
        pid: u32,
        /// Program and arguments.
        command: Vec<String>,
    },
    /// The process is gone and was reaped.
    ProcessExited {
        /// The exit code, unless a signal ended it.
        code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
        /// What the harness had done to end it by then.
        after: ShutdownStep,
    },
    /// The process wrote to its standard error (one event a read, at most 8 KiB).
    Stderr(Bytes),
    /// Standard output ended.
    StdoutClosed,
    /// The harness closed the standard input of the process.
    StdinClosed,
    /// The harness sent a message, or bytes that are none.
    Sent {
        /// What was sent.
        payload: Payload,
        /// Why, where it was not simply a message of a client that obeys the protocol.
        deliberate: Option<Deliberate>,
    },
    /// Something could not be written: the other side is gone, or took nothing for too long.
    WriteFailed(String),
    /// The head of an HTTP request went out.
    RequestHead {
        /// The HTTP method.
        method: String,
        /// The full URL.
        url: String,
        /// Names and values in order, as written.
        headers: Headers,
        /// Why, where it is not simply a request of a client that obeys the protocol. The same as on the
        /// [`Event::Sent`] that follows where there is a body.
        deliberate: Option<Deliberate>,
    },
    /// The head of an HTTP response came in.
    ResponseHead {
        /// The status code.
        status: u16,
        /// Names and values in order, as received.
        headers: Headers,
    },
    /// A stdout line, a JSON body, or the data of an SSE event came in.
    Received {
        /// What came; without the line end.
        payload: Payload,
        /// The other fields of the SSE event that carried it.
        sse: Option<SseFields>,
    },
    /// An SSE event without data, or a comment.
    SseOther(SseFields),
    /// A response is over.
    ResponseEnded(End),
    /// No connection could be made.
    ConnectFailed(String),
    /// More came than the harness is willing to keep; it stopped reading this channel.
    Flooded {
        /// Bytes read on the channel by then.
        bytes: u64,
    },
    /// Things happened here that were not recorded.
    Lost {
        /// How many events, about.
        events: u64,
        /// How many bytes of payload they had, about.
        bytes: u64,
        /// Why they were not recorded.
        reason: String,
    },
    /// A remark of the harness, such as the start of a probe.
    Note(String),
}

/// HTTP header fields in order; values are shown as text, bytes above 0x7F as Latin-1.
pub type Headers = Vec<(String, String)>;

/// The first value of a header, by its name without regard to case.
pub fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Something with a body: a JSON text, or bytes that are none.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// A JSON text, classified.
    Message(Message),
    /// Bytes that are no JSON text, and why.
    Raw {
        /// The bytes, cut at the limit on what is kept.
        bytes: Bytes,
        /// Why they are no JSON text.
        error: Option<String>,
        /// Whether bytes are missing at the end: a limit on one message was passed, its length, its depth or the
        /// number of its values.
        truncated: bool,
    },
}

impl Payload {
    /// Reads bytes: a message if they are a JSON text.
    pub fn read(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        match Message::parse(&bytes) {
            Ok(message) => Self::Message(message),
            Err(error) => Self::Raw { bytes, error: Some(error.to_string()), truncated: false },
        }
    }

    /// Reads bytes that came in. What is more than is read as a message is cut.
    pub fn receive(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        match Message::parse(&bytes) {
            Ok(message) => Self::Message(message),
            Err(error) => {
                let truncated = matches!(error.kind, ErrorKind::TooDeep | ErrorKind::TooLarge);
                let kept = if truncated { bytes.len().min(LineSplitter::KEEP) } else { bytes.len() };
                let more = if truncated { ", which is more than is read as a message" } else { "" };
                let bytes = Bytes::copy_from_slice(&bytes[..kept]);
                Self::Raw { bytes, error: Some(format!("{error}{more}")), truncated }
            }
        }
    }

    /// The message, if it is one.
    pub fn message(&self) -> Option<&Message> {
        match self {
            Self::Message(message) => Some(message),
            Self::Raw { .. } => None,
        }
    }

    /// The bytes, or the text of the message.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Message(message) => message.text().as_bytes(),
            Self::Raw { bytes, .. } => bytes,
        }
    }
}

/// Why the harness sent something that a client which obeys the protocol would not send, or not at this place.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Deliberate {
    /// The probe that sent it.
    pub by: String,
    /// What can no longer be judged as clean traffic because of it.
    pub taints: Taint,
}

/// How far a deliberate breach of the protocol reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Taint {
    /// Nothing: the message is valid, though chosen for a purpose.
    Nothing,
    /// The message and its answer.
    Message,
    /// Everything that follows in this conversation.
    Conversation,
}

/// The fields of an SSE event beside its data.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SseFields {
    /// The `event` field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The `id` field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The `retry` field, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<u64>,
    /// A comment line, without its colon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether there was a `data` field (possibly empty).
    #[serde(default)]
    pub has_data: bool,
}

/// How a response came to its end.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// As HTTP wants it: the announced length, the last chunk, or the close of a body without length.
    Complete,
    /// The harness closed it.
    ClosedByUs,
    /// The connection was closed or reset before the end of the response.
    Broken(String),
    /// The response is no valid HTTP, and why.
    Malformed(String),
    /// Nothing came for too long, or not all of it in time.
    TimedOut,
}

/// How far the harness had gone to end a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShutdownStep {
    /// Nothing: the process ended by itself.
    None,
    /// Its standard input had been closed.
    StdinClosed,
    /// It had been sent SIGTERM.
    Sigterm,
    /// It had been sent SIGKILL.
    Sigkill,
}

/// Receives what is observed, at the moment when it is observed, in order.
pub trait Observer: Send + Sync {
    /// Takes one event. On [`Flow::Stop`] the caller stops reading the channel: the bound on what is kept is reached.
    fn observe(&self, channel: Channel, event: Event) -> Flow;
}

/// Whether to go on reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Stop: enough was kept.
    Stop,
}

/// The bounds on what the wire reads and how long it waits.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The longest stdout line, JSON body or SSE event that is read as a message, in bytes.
    pub message: usize,
    /// How long a connection may take to be made.
    pub connect: std::time::Duration,
    /// How long one write may take.
    pub write: std::time::Duration,
    /// How long a process may take to exit after its input was closed, and again after SIGTERM.
    pub exit: std::time::Duration,
}

impl Default for Limits {
    fn default() -> Self {
        use std::time::Duration;
        Self {
            message: 8 << 20,
            connect: Duration::from_secs(5),
            write: Duration::from_secs(5),
            exit: Duration::from_secs(2),
        }
    }
}
