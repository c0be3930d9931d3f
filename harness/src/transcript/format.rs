//! The file format of transcripts, version 1: JSON lines; a header, one line an event, and an end line.
//!
//! A message stands in its line as it crossed the wire, byte for byte, except for secrets. Bytes that are no JSON
//! text, and JSON texts with line breaks, stand as `text` (UTF-8) or `base64`. Schema:
//! `reports/schema/transcript-v1.schema.json`.

use super::record::{About, Record};
use super::rule::Rule;
use crate::protocol::Message;
use crate::wire::{Channel, Deliberate, End, Event, Headers, Payload, ShutdownStep, SseFields};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::time::Duration;

/// The format name in the first line.
pub const TRANSCRIPT_FORMAT: &str = "mcprove-transcript";
/// The version that is written, and the newest that is read.
pub const TRANSCRIPT_VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
pub(super) struct HeaderLine<'a> {
    pub(super) format: Cow<'a, str>,
    pub(super) version: u32,
    pub(super) tool_version: Cow<'a, str>,
    pub(super) started_at: Cow<'a, str>,
    #[serde(flatten)]
    pub(super) about: Cow<'a, About>,
    /// What may differ when it is replayed.
    #[serde(default, skip_serializing_if = "<[Rule]>::is_empty")]
    pub(super) rules: Cow<'a, [Rule]>,
}

/// A line: the members of all kinds of events, each present where its kind has it. (Flat, because serde cannot
/// keep the text of a message inside a tagged or flattened type.)
#[derive(Serialize, Deserialize, Default)]
pub(super) struct Line<'a> {
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    at_ns: u64,
    #[serde(default)]
    channel: Channel,
    event: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<ShutdownStep>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    headers: Option<Headers>,
    /// A JSON text as it crossed.
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    message: Option<&'a RawValue>,
    /// A JSON text with line breaks in it, as it crossed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message_text: Option<Cow<'a, str>>,
    /// Bytes that are UTF-8; a remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    /// Other bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    /// Whether bytes are missing at the end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deliberate: Option<Cow<'a, Deliberate>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sse: Option<Cow<'a, SseFields>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<Cow<'a, End>>,
    /// Why the bytes are no JSON text; why something failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    events: Option<u64>,
}

impl<'a> Line<'a> {
    pub(super) fn of(record: &'a Record) -> Self {
        let mut line = Self {
            seq: record.seq,
            at_ns: u64::try_from(record.at.as_nanos()).unwrap_or(u64::MAX),
            channel: record.channel,
            event: kind(&record.event).into(),
            ..Self::default()
        };
        match &record.event {
            Event::ProcessStarted { pid, command } => {
                line.pid = Some(*pid);
                line.command = Some(command.clone());
            }
            Event::ProcessExited { code, signal, after } => {
                line.code = *code;
                line.signal = *signal;
                line.after = Some(*after);
            }
            Event::Stderr(bytes) => line.put_bytes(bytes),
            Event::StdoutClosed | Event::StdinClosed => {}
            Event::Sent { payload, deliberate } => {
                line.put_payload(payload);
                line.deliberate = deliberate.as_ref().map(Cow::Borrowed);
            }
            Event::RequestHead { method, url, headers, deliberate } => {
                line.method = Some(method.into());
                line.url = Some(url.into());
                line.headers = Some(headers.clone());
                line.deliberate = deliberate.as_ref().map(Cow::Borrowed);
            }
            Event::ResponseHead { status, headers } => {
                line.status = Some(*status);
                line.headers = Some(headers.clone());
            }
            Event::Received { payload, sse } => {
                line.put_payload(payload);
                line.sse = sse.as_ref().map(Cow::Borrowed);
            }
            Event::SseOther(sse) => line.sse = Some(Cow::Borrowed(sse)),
            Event::ResponseEnded(end) => line.end = Some(Cow::Borrowed(end)),
            Event::WriteFailed(error) | Event::ConnectFailed(error) => line.error = Some(error.into()),
            Event::Flooded { bytes } => line.bytes = Some(*bytes),
            Event::Lost { events, bytes, reason } => {
                line.events = Some(*events);
                line.bytes = Some(*bytes);
                line.error = Some(reason.into());
            }
            Event::Note(note) => line.text = Some(note.into()),
        }
        line
    }

    fn put_bytes(&mut self, bytes: &'a [u8]) {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.text = Some(text.into()),
            Err(_) => self.base64 = Some(BASE64.encode(bytes)),
        }
    }

    fn put_payload(&mut self, payload: &'a Payload) {
        match payload {
            Payload::Raw { bytes, error, truncated } => {
                self.put_bytes(bytes);
                self.error = error.as_deref().map(Cow::Borrowed);
                self.truncated = *truncated;
            }
            Payload::Message(message) => {
                // A text that serde_json refuses (a lone surrogate, say) stands as a string.
                // `RawValue` takes what only looks like JSON to it; every reader must understand the line.
                self.message = (!message.text().contains(['\n', '\r']) && !message.notes().lone_surrogates)
                    .then(|| serde_json::from_str(message.text()).ok())
                    .flatten();
                if self.message.is_none() {
                    self.message_text = Some(message.text().into());
                }
            }
        }
    }

    fn take_bytes(&mut self) -> Result<Bytes, String> {
        if let Some(text) = self.text.take() {
            return Ok(Bytes::copy_from_slice(text.as_bytes()));
        }
        match self.base64.take() {
            Some(encoded) => {
                BASE64.decode(encoded).map(Bytes::from).map_err(|error| format!("invalid base64: {error}"))
            }
            None => Ok(Bytes::new()),
        }
    }

    fn take_payload(&mut self) -> Result<Payload, String> {
        let text = match (self.message.take(), self.message_text.take()) {
            (Some(raw), _) => Some(raw.get().to_owned()),
            (None, text) => text.map(Cow::into_owned),
        };
        if let Some(text) = text {
            let message =
                Message::parse(text.as_bytes()).map_err(|error| format!("invalid message: {error}"))?;
            return Ok(Payload::Message(message));
        }
        let error = self.error.take().map(Cow::into_owned);
        Ok(Payload::Raw { bytes: self.take_bytes()?, error, truncated: self.truncated })
    }

    /// `None` for the end line.
    pub(super) fn into_record(mut self) -> Result<Option<Record>, String> {
        let event = match &*self.event.clone() {
            "process-started" => Event::ProcessStarted {
                pid: need(self.pid, "pid")?,
                command: self.command.unwrap_or_default(),
            },
            "process-exited" => Event::ProcessExited {
                code: self.code,
                signal: self.signal,
                after: self.after.unwrap_or(ShutdownStep::None),
            },
            "stderr" => Event::Stderr(self.take_bytes()?),
            "stdout-closed" => Event::StdoutClosed,
            "stdin-closed" => Event::StdinClosed,
            "sent" => Event::Sent {
                payload: self.take_payload()?,
                deliberate: self.deliberate.map(Cow::into_owned),
            },
            "write-failed" => Event::WriteFailed(need(self.error, "error")?.into_owned()),
            "request-head" => Event::RequestHead {
                method: need(self.method, "method")?.into_owned(),
                url: need(self.url, "url")?.into_owned(),
                headers: self.headers.unwrap_or_default(),
                deliberate: self.deliberate.map(Cow::into_owned),
            },
            "response-head" => Event::ResponseHead {
                status: need(self.status, "status")?,
                headers: self.headers.unwrap_or_default(),
            },
            "received" => {
                Event::Received { payload: self.take_payload()?, sse: self.sse.map(Cow::into_owned) }
            }
            "sse-other" => Event::SseOther(need(self.sse, "sse")?.into_owned()),
            "response-ended" => Event::ResponseEnded(need(self.end, "end")?.into_owned()),
            "connect-failed" => Event::ConnectFailed(need(self.error, "error")?.into_owned()),
            "flooded" => Event::Flooded { bytes: need(self.bytes, "bytes")? },
            "lost" => Event::Lost {
                events: need(self.events, "events")?,
                bytes: need(self.bytes, "bytes")?,
                reason: need(self.error, "error")?.into_owned(),
            },
            "note" => Event::Note(need(self.text, "text")?.into_owned()),
            "end" => return Ok(None),
            other => return Err(format!("unknown event `{other}`")),
        };
        let at = Duration::from_nanos(self.at_ns);
        Ok(Some(Record { seq: self.seq, at, channel: self.channel, event }))
    }
}

fn need<T>(member: Option<T>, name: &str) -> Result<T, String> {
    member.ok_or_else(|| format!("`{name}` is missing"))
}

/// The name of a kind of event in the file.
fn kind(event: &Event) -> &'static str {
    match event {
        Event::ProcessStarted { .. } => "process-started",
        Event::ProcessExited { .. } => "process-exited",
        Event::Stderr(_) => "stderr",
        Event::StdoutClosed => "stdout-closed",
        Event::StdinClosed => "stdin-closed",
        Event::Sent { .. } => "sent",
        Event::WriteFailed(_) => "write-failed",
        Event::RequestHead { .. } => "request-head",
        Event::ResponseHead { .. } => "response-head",
        Event::Received { .. } => "received",
        Event::SseOther(_) => "sse-other",
        Event::ResponseEnded(_) => "response-ended",
        Event::ConnectFailed(_) => "connect-failed",
        Event::Flooded { .. } => "flooded",
        Event::Lost { .. } => "lost",
        Event::Note(_) => "note",
    }
}
