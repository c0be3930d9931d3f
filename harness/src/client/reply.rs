//! What can come of something that was sent.

use crate::protocol::Message;
use crate::transcript::Record;
use crate::wire::{End, Headers, header};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// A message that came in, with where it stood.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The message (an element of it, where it came in a batch).
    pub message: Message,
    /// The event that carried it.
    pub record: Arc<Record>,
    /// The HTTP response that carried it.
    pub http: Option<HttpHead>,
}

/// Status and headers of an HTTP response.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpHead {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: Headers,
}

impl HttpHead {
    /// The media type in lower case, without parameters.
    pub fn media_type(&self) -> Option<String> {
        let value = header(&self.headers, "content-type")?;
        Some(value.split(';').next().unwrap_or(value).trim().to_ascii_lowercase())
    }

    /// Whether what follows is an event stream.
    pub fn is_event_stream(&self) -> bool {
        self.status == 200 && self.media_type().as_deref() == Some("text/event-stream")
    }
}

/// The outcome of waiting for an answer. A closed connection and a dead process are their own cases: they never
/// count as a refusal.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A result with the id of the request.
    Result(Answer),
    /// An error with the id of the request.
    Error(Answer),
    /// Over HTTP only: the response of this exchange carried a message, but none with the id of the request.
    Unmatched(Answer),
    /// Over HTTP only: a whole response without a JSON-RPC message in it.
    NoMessage(HttpHead),
    /// Nothing, for as long as was waited.
    Silence(Duration),
    /// The other side is gone, or the connection broke before an answer.
    Gone(Gone),
}

/// How the other side went away.
#[derive(Debug, Clone, PartialEq)]
pub enum Gone {
    /// The process ended.
    Exited {
        /// The exit code, unless a signal ended it.
        code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
    },
    /// The process closed its standard output and lives on.
    StdoutClosed,
    /// No connection could be made.
    ConnectFailed(String),
    /// The HTTP response broke off or was no HTTP.
    Broken(End),
    /// The message could not be written.
    WriteFailed(String),
    /// It sent more than the harness is willing to keep.
    Flooded,
    /// It has left several valid requests in a row without an answer, the last one as harmless as can be.
    Hangs,
}

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited { code: Some(code), .. } => write!(f, "the process exited with code {code}"),
            Self::Exited { signal: Some(signal), .. } => {
                write!(f, "the process was ended by signal {signal}")
            }
            Self::Exited { .. } => f.write_str("the process exited"),
            Self::StdoutClosed => f.write_str("the process closed its standard output"),
            Self::ConnectFailed(error) => write!(f, "no connection: {error}"),
            Self::Broken(End::Broken(how)) => write!(f, "the response broke off: {how}"),
            Self::Broken(End::Malformed(how)) => write!(f, "the response is no valid HTTP: {how}"),
            Self::Broken(End::TimedOut) => f.write_str("the response did not end in time"),
            Self::Broken(_) => f.write_str("the response ended"),
            Self::WriteFailed(error) => write!(f, "the message could not be written: {error}"),
            Self::Flooded => f.write_str("it sent more than the harness keeps"),
            Self::Hangs => f.write_str("it no longer answers anything"),
        }
    }
}

impl Reply {
    /// The message, if any came.
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Result(answer) | Self::Error(answer) | Self::Unmatched(answer) => Some(answer),
            _ => None,
        }
    }

    /// The result, if it is one.
    pub fn result(&self) -> Option<&Value> {
        match self {
            Self::Result(answer) => answer.message.result(),
            _ => None,
        }
    }

    /// The code of the error, with or without the id of the request.
    pub fn error_code(&self) -> Option<i64> {
        self.answer()?.message.error_code()
    }

    /// Whether a JSON-RPC error came, with or without the id of the request.
    pub fn is_error(&self) -> bool {
        match self {
            Self::Error(_) => true,
            Self::Unmatched(answer) => answer.message.error().is_some(),
            _ => false,
        }
    }

    /// The HTTP response, over HTTP.
    pub fn http(&self) -> Option<&HttpHead> {
        match self {
            Self::NoMessage(head) => Some(head),
            _ => self.answer()?.http.as_ref(),
        }
    }

    /// The HTTP status, over HTTP.
    pub fn status(&self) -> Option<u16> {
        self.http().map(|head| head.status)
    }

    /// Whether the server refused: a JSON-RPC error, or an HTTP status of 400 or more.
    pub fn is_refusal(&self) -> bool {
        self.is_error() || self.status().is_some_and(|status| status >= 400)
    }

    /// A short text for a report.
    pub fn describe(&self) -> String {
        let status = self.status().map(|status| format!(" (HTTP {status})")).unwrap_or_default();
        match self {
            Self::Result(_) => format!("a result{status}"),
            Self::Error(answer) => format!("error {}{status}", code_text(answer)),
            Self::Unmatched(answer) if answer.message.error().is_some() => {
                let id = answer.message.id().map_or("no id".to_owned(), |id| format!("id {id}"));
                format!("error {} with {id}{status}", code_text(answer))
            }
            Self::Unmatched(_) => format!("a message that does not answer the request{status}"),
            Self::NoMessage(head) => format!("HTTP {} without a JSON-RPC message", head.status),
            Self::Silence(waited) => format!("nothing within {} ms", waited.as_millis()),
            Self::Gone(gone) => gone.to_string(),
        }
    }
}

fn code_text(answer: &Answer) -> String {
    answer.message.error().and_then(|error| error.get("code")).map_or("without a code".to_owned(), |code| {
        let text = code.to_string();
        text.chars().take(40).collect()
    })
}
