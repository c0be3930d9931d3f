//! The server's part: what it said, and what of the client each of its messages followed.

use super::key::{Index, Key};
use super::reading::Reading;
use crate::protocol::Message;
use crate::transcript::{ReadError, Record, TranscriptReader};
use crate::wire::{Event, Payload};
use std::io::BufRead;

/// How many bytes of messages a recording may have that is served: in memory they take several times that.
const LARGEST: usize = 64 << 20;
/// How many events it may have.
const EVENTS: usize = 1_000_000;

/// Why a recording cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum MockError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It does not fit into the memory that is meant for it.
    #[error("it is too long to be served: more than {} MiB of messages, or {EVENTS} events", LARGEST >> 20)]
    TooLong,
    /// There is nothing to say.
    #[error("no message of a server is in it")]
    Empty,
}

/// What a server said in a recorded conversation.
#[derive(Debug)]
pub struct Part {
    /// How the recording is named to clients.
    pub(super) name: String,
    /// What the server said before the client said anything.
    pub(super) opening: Vec<Act>,
    /// What the client said, and what the server said upon it.
    pub(super) cues: Vec<Cue>,
    /// What it said when the input had ended.
    pub(super) closing: Vec<Act>,
    pub(super) index: Index,
    pub(super) http: OverHttp,
}

/// A message of the client, with what the server said upon it.
#[derive(Debug)]
pub(super) struct Cue {
    pub(super) key: Key,
    pub(super) acts: Vec<Act>,
    /// Whether an answer was recorded, wherever it stands.
    pub(super) answered: bool,
    /// The head of the response that was recorded to it, over HTTP.
    pub(super) head: Option<Head>,
}

/// The head of a recorded HTTP response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// Whether an event stream followed.
    pub stream: bool,
}

/// Something that the server did.
#[derive(Debug, Clone)]
pub(super) struct Act {
    pub(super) what: What,
    /// Whether it belongs to the request upon which it was said, and goes where its answer goes.
    pub(super) own: bool,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    /// A notification, and what in it has to fit the conversation that goes on now.
    Tell(Message, Names),
    /// A request to the client, by its number in the recording.
    Ask(usize, Message),
    /// Here the client's answer to such a request had come.
    Await(usize),
    /// The answer to the request upon which it was said.
    Answer(Message),
    /// The end of a `subscriptions/listen`, by its cue.
    End(usize, Message),
}

/// What a notification names that is new in each conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    Nothing,
    /// The progress token of the request that is this cue.
    Progress(usize),
    /// A request to the client, by its number.
    Asked(usize),
    /// The id of the `subscriptions/listen` that is this cue.
    Listening(usize),
}

/// What the recording tells of a server over HTTP.
#[derive(Debug, Clone, Default)]
pub struct OverHttp {
    /// Whether it was recorded over Streamable HTTP.
    pub recorded: bool,
    /// Whether the server gave session ids.
    pub session: bool,
    /// The response to the first GET.
    pub get: Option<Bare>,
    /// The response to the first DELETE.
    pub delete: Option<Bare>,
    /// The path of the endpoint.
    pub path: Option<String>,
}

/// A response to a request that carries no message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bare {
    /// The status.
    pub status: u16,
    /// What it said in JSON, where it refused.
    pub text: Option<String>,
}

impl Part {
    /// Reads the server's part; `name` is how the recording is named to clients.
    ///
    /// # Errors
    /// When the recording cannot be read, is too long, or no server speaks in it.
    pub fn read<R: BufRead>(mut reader: TranscriptReader<R>, name: &str) -> Result<Self, MockError> {
        let mut records = Vec::new();
        let mut bytes = 0;
        while let Some(record) = reader.next_record()? {
            bytes += match &record.event {
                Event::Sent { payload, .. } | Event::Received { payload, .. } => payload.bytes().len(),
                // What was said on standard error is not said again.
                Event::Stderr(_) | Event::Note(_) => continue,
                _ => 0,
            };
            if bytes > LARGEST || records.len() >= EVENTS {
                return Err(MockError::TooLong);
            }
            records.push(record);
        }
        let speaks =
            |record: &Record| matches!(&record.event, Event::Received { payload: Payload::Message(_), .. });
        if !records.iter().any(speaks) {
            return Err(MockError::Empty);
        }
        Ok(Reading::of(reader.about(), &records).finish(name))
    }

    /// What the recording tells of a server over HTTP.
    pub fn over_http(&self) -> &OverHttp {
        &self.http
    }

    /// How many messages of the client are known.
    pub fn cues(&self) -> usize {
        self.cues.len()
    }
}
