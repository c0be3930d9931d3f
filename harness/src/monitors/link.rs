//! What can be known of the wire below the messages: the life of the process, lines that are no messages, what was
//! sent that cannot be read, what nobody answered in time.

use super::Asked;
use crate::client::TIMED_OUT;
use crate::protocol::json;
use crate::protocol::{Id, IdSet, Kind, Message};
use crate::transcript::Record;
use crate::wire::{Channel, Event, Payload, ShutdownStep, Taint};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Lines of standard output that are kept because they are no messages.
const STRAYS: usize = 4096;
/// Programs that fetch and start a server, and may print on their own account before it speaks.
const LAUNCHERS: &[&str] =
    &["npx", "npm", "pnpm", "yarn", "bunx", "bun", "uvx", "uv", "pipx", "pip", "docker", "podman", "deno"];

/// What is known of the wire by now.
#[derive(Debug, Default)]
pub struct LinkState {
    /// Lines of standard output that are no messages, in order.
    pub strays: Vec<Stray>,
    /// Whether the command that was started is one that starts servers for others.
    pub launcher: bool,
    /// Whether a JSON-RPC message has come.
    pub spoke: bool,
    /// Ids that were sent in what is no request: notifications, deep or broken messages, elements of arrays.
    pub ids_sent: IdSet,
    /// Whether a numeric id was sent that is no integer within 53 bits, so that it may come back written otherwise.
    pub odd_id_sent: bool,
    /// How much was sent that has no readable id: an answer to it has none either.
    pub unreadable_sent: u32,
    /// Whether an array was sent on purpose where the revision has none.
    pub array_sent: bool,
    /// Errors without an id that came while everything sent had a readable one, as far as they are kept.
    pub errors_without_id: Vec<u64>,
    /// Requests that were not answered within the time-out.
    pub timed_out: IdSet,
    /// Requests of ours that were sent after something on purpose, by the same probe: they are there to see whether the
    /// server still answers.
    pub sentinels: IdSet,
    /// How many responses had an id of no request.
    pub unknown_ids: u32,
    /// Requests that were answered with an id that is almost theirs.
    pub misanswered: IdSet,
    /// HTTP exchanges that did not come to an end within the time-out.
    pub timed_out_exchanges: HashSet<Channel>,
    /// Channels on which more came than is kept.
    pub flooded: HashSet<Channel>,
    /// Bytes of messages that have come.
    pub came: u64,
    /// How many of them since we last sent something, but for one response a request.
    pub came_unasked: u64,
    /// Requests of ours without a response, about.
    awaited: u64,
    /// The last message on a channel that was too large to be read: it may have answered anything.
    pub oversized: HashMap<Channel, u64>,
    /// Whether standard output ended before we closed standard input.
    pub stdout_closed_early: bool,
    /// Whether the last line of standard output lacked its end.
    pub unterminated: bool,
    /// Whether lines end with CR LF.
    pub crlf: bool,
    /// When we closed standard input.
    pub stdin_closed: Option<Duration>,
    /// How the process ended.
    pub exit: Option<ProcessEnd>,
    /// Whether a write failed.
    pub write_failed: bool,
    /// The last event that sent something, and when.
    pub last_sent: Option<(u64, Duration)>,
    /// The last event that sent something on purpose, since the last probe began.
    pub last_provocation: Option<u64>,
    /// When a request of ours was last cancelled.
    pub cancelled_at: Option<Duration>,
    /// Requests of the server, in order.
    pub asked_by_server: Vec<AskedByServer>,
    /// Whether anything came on standard error.
    pub stderr_seen: bool,
    /// The first event with bytes on standard error that are no UTF-8.
    pub stderr_invalid: Option<u64>,
    /// Bytes of an unfinished character at the end of what came on standard error.
    stderr_rest: Vec<u8>,
    /// The time of the last event.
    pub last_at: Duration,
    group: u32,
}

/// A line of standard output that is no message.
#[derive(Debug, Clone)]
pub struct Stray {
    /// The event.
    pub seq: u64,
    /// The line.
    pub bytes: Bytes,
    /// Whether it is longer than what is kept.
    pub truncated: bool,
    /// Whether no message had come before it.
    pub before_messages: bool,
    /// Lines with the same number came one after the other.
    pub group: u32,
}

/// How a process ended.
#[derive(Debug, Clone, Copy)]
pub struct ProcessEnd {
    /// The exit code.
    pub code: Option<i32>,
    /// The signal.
    pub signal: Option<i32>,
    /// What we had done to end it.
    pub after: ShutdownStep,
    /// The event.
    pub seq: u64,
}

/// A request of the server.
#[derive(Debug, Clone)]
pub struct AskedByServer {
    /// Its id.
    pub id: Id,
    /// Its method.
    pub method: String,
    /// When it came.
    pub at: Duration,
    /// The HTTP exchange on which it came, or the process.
    pub channel: Channel,
}

/// The members that tell whether an answer to an unreadable text can carry its id.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
}

impl LinkState {
    /// Whether the line before this one was no message either.
    pub fn in_fragment(&self) -> bool {
        self.strays.len() >= STRAYS || self.strays.last().is_some_and(|stray| stray.group == self.group)
    }

    /// Whether more came than is kept, so that the last lines may be cut off from what followed.
    pub fn strays_overflow(&self) -> bool {
        self.strays.len() >= STRAYS
    }

    /// Whether it is the whole of the conversation that is more than is kept, and not what came in one go: the last
    /// `bytes` of an HTTP exchange, or of a process from its start, and what came unasked since we last sent something.
    pub fn long_conversation(&self, channel: Channel, bytes: u64) -> bool {
        let at_once = match channel {
            Channel::PROCESS => bytes.saturating_sub(self.came) + self.came_unasked,
            _ => bytes.max(self.came_unasked),
        };
        at_once < self.came / 2
    }

    /// What provoked what happens now: the last thing sent on purpose by the probe at work, else the last thing sent.
    pub fn provocation(&self) -> Option<u64> {
        self.last_provocation.or(self.last_sent.map(|(seq, _)| seq))
    }

    /// Whether a request may have been answered by what was too large to be read.
    pub fn answer_was_oversized(&self, asked: &Asked) -> bool {
        self.oversized.get(&asked.channel).is_some_and(|seq| *seq > asked.seq)
    }

    pub(super) fn note(&mut self, record: &Record) {
        self.last_at = record.at;
        if let Event::Received { payload: Payload::Raw { truncated: true, .. }, .. } = &record.event {
            self.oversized.insert(record.channel, record.seq);
        }
        if let Event::Received { payload, .. } = &record.event {
            let bytes = payload.bytes().len() as u64;
            self.came += bytes;
            if self.awaited > 0 && payload.message().is_some_and(Message::is_response) {
                self.awaited -= 1;
            } else {
                self.came_unasked += bytes;
            }
        }
        match &record.event {
            Event::ProcessStarted { command, .. } => self.launcher = is_launcher(command),
            Event::Sent { payload, deliberate } => {
                self.last_sent = Some((record.seq, record.at));
                self.came_unasked = 0;
                self.awaited +=
                    u64::from(payload.message().is_some_and(|sent| *sent.kind() == Kind::Request));
                self.note_sent(payload);
                if deliberate.as_ref().is_some_and(|deliberate| deliberate.taints >= Taint::Message) {
                    self.last_provocation = Some(record.seq);
                }
            }
            Event::WriteFailed(_) if record.channel == Channel::PROCESS => self.write_failed = true,
            Event::Received { payload: Payload::Raw { bytes, truncated, .. }, .. }
                if record.channel == Channel::PROCESS =>
            {
                self.stray(record.seq, bytes.clone(), *truncated);
            }
            Event::Flooded { .. } => {
                self.flooded.insert(record.channel);
            }
            Event::Stderr(bytes) => self.stderr(record.seq, bytes),
            Event::StdoutClosed => self.stdout_closed_early = self.stdin_closed.is_none(),
            Event::StdinClosed => self.stdin_closed = Some(record.at),
            Event::ProcessExited { code, signal, after } => {
                self.exit = Some(ProcessEnd { code: *code, signal: *signal, after: *after, seq: record.seq });
            }
            Event::Note(text) => self.note_text(record.channel, text),
            _ => {}
        }
    }

    fn note_text(&mut self, channel: Channel, text: &str) {
        if text.starts_with("probe ") {
            self.last_provocation = None;
        } else if let Some(id) = text.strip_prefix(TIMED_OUT) {
            if channel != Channel::PROCESS {
                self.timed_out_exchanges.insert(channel);
            }
            if let Ok(value) = serde_json::from_str::<Value>(id) {
                self.timed_out.insert(Id::from_json(id, &value));
            }
        } else if text.starts_with("lines of standard output end with CR LF") {
            self.crlf = true;
        } else if text.starts_with("the last line of standard output has no line end") {
            self.unterminated = true;
        }
    }

    fn note_sent(&mut self, payload: &Payload) {
        match payload {
            Payload::Message(message) => {
                self.array_sent |= *message.kind() == Kind::Batch;
                let parts = message.parts();
                // An empty batch is answered by an error that has no id to name.
                self.unreadable_sent += u32::from(parts.is_empty());
                for part in parts {
                    self.note_sent_message(&part);
                }
            }
            Payload::Raw { bytes, .. } => {
                for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
                    match Message::parse(line) {
                        Ok(message) => self.note_sent_message(&message),
                        Err(_) => self.note_unreadable(line),
                    }
                }
            }
        }
    }

    fn note_sent_message(&mut self, message: &Message) {
        if message.is_response() {
            // To a request of the server that has no good id; what is said of it has none either.
            self.unreadable_sent += u32::from(message.id().is_none_or(|id| !id.is_well_formed()));
            return;
        }
        let Some(id) = message.id() else {
            self.unreadable_sent += u32::from(!matches!(message.kind(), Kind::Notification));
            return;
        };
        if self.last_provocation.is_some() {
            self.sentinels.insert(id.clone());
        }
        self.note_id(id);
    }

    fn note_id(&mut self, id: &Id) {
        self.odd_id_sent |= id.as_json().parse::<f64>().is_ok() && !is_plain(id);
        self.unreadable_sent += u32::from(!id.is_well_formed());
        self.ids_sent.insert(id.clone());
    }

    /// What we could not read ourselves may still have an id that others can.
    fn note_unreadable(&mut self, line: &[u8]) {
        self.unreadable_sent += 1;
        let Ok(Envelope { id: Some(id) }) = serde_json::from_slice(line) else { return };
        if let Ok(value) = serde_json::from_str::<Value>(id.get()) {
            self.note_id(&Id::from_json(id.get(), &value));
        }
    }

    fn stray(&mut self, seq: u64, bytes: Bytes, truncated: bool) {
        if self.strays.len() < STRAYS {
            let before_messages = !self.spoke;
            self.strays.push(Stray { seq, bytes, truncated, before_messages, group: self.group });
        }
    }

    pub(super) fn note_received(&mut self, record: &Record, message: &Message) {
        if let Kind::NotAMessage(_) = message.kind() {
            // A scalar can be a piece of a message that is spread over lines.
            if record.channel == Channel::PROCESS && !message.value().is_object() && self.in_fragment() {
                self.stray(record.seq, Bytes::copy_from_slice(message.text().as_bytes()), false);
            }
            return;
        }
        self.spoke = true;
        self.group += 1;
        let nameless = *message.kind() == Kind::Error && message.id().is_none_or(Id::is_null);
        if nameless && self.unreadable_sent == 0 && self.errors_without_id.len() < STRAYS {
            self.errors_without_id.push(record.seq);
        }
        if let (Kind::Request, Some(id), Some(method)) = (message.kind(), message.id(), message.method()) {
            self.asked_by_server.push(AskedByServer {
                id: id.clone(),
                method: method.to_owned(),
                at: record.at,
                channel: record.channel,
            });
        }
    }

    fn stderr(&mut self, seq: u64, bytes: &[u8]) {
        self.stderr_seen = true;
        self.stderr_rest.extend_from_slice(bytes);
        let rest = std::mem::take(&mut self.stderr_rest);
        if let Err(error) = std::str::from_utf8(&rest) {
            match error.error_len() {
                None => self.stderr_rest = rest.get(error.valid_up_to()..).unwrap_or_default().to_vec(),
                Some(_) => self.stderr_invalid = self.stderr_invalid.or(Some(seq)),
            }
        }
    }
}

/// Whether an id comes back as it was sent from any server: a string, or an integer within 53 bits.
pub(super) fn is_plain(id: &Id) -> bool {
    if !id.is_integer() {
        return id.is_well_formed();
    }
    let small = id.as_json().parse::<i64>().is_ok_and(|number| number.unsigned_abs() <= 1 << 53);
    small && id.as_json() != "-0"
}

/// Whether two ids are the same but for their JSON type or the way their number is written.
pub(super) fn alike(sent: &Id, came: &Id) -> bool {
    let bare = |id: &Id| {
        let text = id.as_json();
        let text = serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_owned());
        text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
    };
    sent != came && bare(sent) == bare(came)
}

/// Whether a line that is no message was meant as one: it begins like an object or array, after a byte order mark if
/// there is one, and not like a line of a log (`[INFO] ready`).
pub(super) fn meant_as_message(line: &[u8]) -> bool {
    let text = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii();
    match text {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [b'{', ..] => true,
        [b'[', rest @ ..] => {
            let literal = [b"true".as_slice(), b"false", b"null"].iter().any(|word| rest.starts_with(word));
            literal || !rest.first().is_some_and(u8::is_ascii_alphabetic)
        }
        _ => false,
    }
}

/// Why a stray line is no JSON text; `None` where it is one after all.
pub(super) fn fault(bytes: &[u8]) -> Option<json::Error> {
    json::parse(bytes).err()
}

fn is_launcher(command: &[String]) -> bool {
    command.first().is_some_and(|program| {
        let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
        let name = name.split('.').next().unwrap_or(name);
        LAUNCHERS.contains(&name)
    })
}
