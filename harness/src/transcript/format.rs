//! The file format of transcripts, version 1: JSON lines; a header, one line an event, and an end line.
//!
//! A message stands in its line as it crossed the wire, byte for byte, except for secrets. Bytes that are no JSON
//! text, and JSON texts with line breaks, stand as `text` (UTF-8) or `base64`. Schema:
//! `reports/schema/transcript-v1.schema.json`.

use super::record::{About, Record};
use super::redact::Redactor;
use crate::protocol::Message;
use crate::wire::{Channel, Deliberate, End, Event, Headers, Payload, ShutdownStep, SseFields};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::time::Duration;

/// The format name in the first line.
pub const TRANSCRIPT_FORMAT: &str = "mcprove-transcript";
/// The version that is written, and the newest that is read.
pub const TRANSCRIPT_VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct HeaderLine<'a> {
    format: Cow<'a, str>,
    version: u32,
    tool_version: Cow<'a, str>,
    started_at: Cow<'a, str>,
    #[serde(flatten)]
    about: Cow<'a, About>,
}

/// A line: the members of all kinds of events, each present where its kind has it. (Flat, because serde cannot
/// keep the text of a message inside a tagged or flattened type.)
#[derive(Serialize, Deserialize, Default)]
struct Line<'a> {
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
}

impl<'a> Line<'a> {
    fn of(record: &'a Record) -> Self {
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
    fn into_record(mut self) -> Result<Option<Record>, String> {
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
        Event::Note(_) => "note",
    }
}

/// Writes a transcript, each event as it happens. A failure to write is kept and never disturbs the conversation.
pub struct TranscriptWriter {
    file: Option<File>,
    error: Option<String>,
}

impl TranscriptWriter {
    /// Creates the file and writes the header.
    pub fn create(path: &Path, about: &About) -> Self {
        let mut writer = Self { file: None, error: None };
        match File::create(path) {
            Ok(file) => writer.file = Some(file),
            Err(error) => writer.error = Some(format!("cannot create {}: {error}", path.display())),
        }
        let header = HeaderLine {
            format: TRANSCRIPT_FORMAT.into(),
            version: TRANSCRIPT_VERSION,
            tool_version: env!("CARGO_PKG_VERSION").into(),
            started_at: jiff::Timestamp::now().to_string().into(),
            about: Cow::Borrowed(about),
        };
        writer.write(serde_json::to_string(&header));
        writer
    }

    /// Writes one event, with the secrets that are known by now replaced.
    pub fn append(&mut self, record: &Record, redactor: &Redactor) {
        if self.file.is_none() {
            return;
        }
        let text = serde_json::to_string(&Line::of(record));
        self.write(text.map(|text| if redactor.is_empty() { text } else { redactor.clean(&text) }));
    }

    /// Writes the end line; a file without it was cut off.
    pub fn finish(mut self) {
        self.write(Ok(r#"{"event":"end"}"#.to_owned()));
    }

    /// Why the file is incomplete, if it is.
    pub fn error(&self) -> Option<String> {
        self.error.clone()
    }

    fn write(&mut self, line: serde_json::Result<String>) {
        let Some(file) = &mut self.file else { return };
        let result = line.map_err(io::Error::other).and_then(|mut line| {
            line.push('\n');
            file.write_all(line.as_bytes())
        });
        if let Err(error) = result {
            self.error = Some(format!("cannot write the transcript: {error}"));
            self.file = None;
        }
    }
}

/// A transcript read back.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// What the conversation was.
    pub about: About,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// Its events.
    pub records: Vec<Record>,
    /// Whether the end line is missing.
    pub truncated: bool,
}

/// Why a transcript could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read.
    #[error("cannot read the transcript: {0}")]
    Io(#[from] io::Error),
    /// The first line is no header of ours.
    #[error("not a transcript of mcprove: {0}")]
    Header(String),
    /// Written by a newer program.
    #[error(
        "transcript format version {0} is newer than this program knows ({TRANSCRIPT_VERSION}); use a newer mcprove"
    )]
    Version(u32),
    /// A line is damaged.
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

impl Transcript {
    /// Reads a transcript. A last line that was cut off is left out, and the result says that it is truncated.
    pub fn read(input: impl BufRead) -> Result<Self, ReadError> {
        let mut lines = input.lines().enumerate();
        let (_, first) = lines.next().ok_or_else(|| ReadError::Header("the file is empty".into()))?;
        let first = first?;
        let header: HeaderLine<'_> =
            serde_json::from_str(&first).map_err(|error| ReadError::Header(error.to_string()))?;
        if header.format != TRANSCRIPT_FORMAT {
            return Err(ReadError::Header(format!("its format is `{}`", header.format)));
        }
        if header.version > TRANSCRIPT_VERSION {
            return Err(ReadError::Version(header.version));
        }
        let mut transcript = Self {
            about: header.about.into_owned(),
            started_at: header.started_at.into_owned(),
            records: Vec::new(),
            truncated: true,
        };
        let mut damaged: Option<ReadError> = None;
        for (index, text) in lines {
            if let Some(error) = damaged.take() {
                // Not the last line: the file is damaged, not cut off.
                return Err(error);
            }
            let text = text?;
            let result = serde_json::from_str::<Line<'_>>(&text)
                .map_err(|error| error.to_string())
                .and_then(Line::into_record);
            match result {
                Ok(Some(record)) => transcript.records.push(record),
                Ok(None) => {
                    transcript.truncated = false;
                    break;
                }
                Err(reason) => damaged = Some(ReadError::Line { line: index + 1, reason }),
            }
        }
        Ok(transcript)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Revision, Transport};
    use crate::wire::{Flow, Observer, Taint};

    fn events() -> Vec<(Channel, Event)> {
        let sse = SseFields { id: Some("7".into()), has_data: true, ..SseFields::default() };
        vec![
            (Channel(0), Event::ProcessStarted { pid: 7, command: vec!["a".into(), "b c".into()] }),
            (
                Channel(0),
                Event::Sent {
                    payload: Payload::read(r#"{"jsonrpc":"2.0",  "id":1.0,"method":"ping"}"#),
                    deliberate: Some(Deliberate { by: "x".into(), taints: Taint::Message }),
                },
            ),
            (
                Channel(0),
                Event::Received { payload: Payload::read("{\n\"id\":1,\n\"result\":{}}"), sse: None },
            ),
            (Channel(0), Event::Received { payload: Payload::read(vec![0xff, 0xfe]), sse: None }),
            (Channel(0), Event::Received { payload: Payload::read("hello"), sse: Some(sse.clone()) }),
            (Channel(0), Event::Stderr(Bytes::from_static(b"oops\n"))),
            (Channel(1), Event::SseOther(sse)),
            (Channel(1), Event::ResponseEnded(End::Broken("reset".into()))),
            (Channel(0), Event::Flooded { bytes: 9 }),
            (Channel(0), Event::StdoutClosed),
            (Channel(0), Event::ProcessExited { code: None, signal: Some(9), after: ShutdownStep::None }),
        ]
    }

    fn recorded(path: &Path) -> Vec<Record> {
        let about = About {
            revision: Some(Revision::V2025_06_18),
            transport: Transport::Stdio,
            purpose: "test".into(),
            target: "a 'b c'".into(),
        };
        let recorder = super::super::Recorder::new(
            about,
            Some(path),
            Redactor::default(),
            super::super::Budget::default(),
            None,
        );
        for (channel, event) in events() {
            assert_eq!(recorder.observe(channel, event), Flow::Continue);
        }
        recorder.close();
        recorder.snapshot().iter().map(|record| (**record).clone()).collect()
    }

    #[test]
    fn what_is_written_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        let records = recorded(&path);
        let read = Transcript::read(io::BufReader::new(File::open(&path).unwrap())).unwrap();
        assert!(!read.truncated);
        assert_eq!(read.records, records);
        let Event::Sent { payload, .. } = &read.records[1].event else { panic!() };
        assert_eq!(payload.message().unwrap().text(), r#"{"jsonrpc":"2.0",  "id":1.0,"method":"ping"}"#);
    }

    #[test]
    fn a_file_that_was_cut_off_still_reads() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        let records = recorded(&path);
        let bytes = std::fs::read(&path).unwrap();
        for cut in [bytes.len() - 3, bytes.len() - 60] {
            let read = Transcript::read(&bytes[..cut]).unwrap();
            assert!(read.truncated);
            assert!(read.records.len() >= records.len() - 2);
        }
        let newer = String::from_utf8(bytes).unwrap().replacen("\"version\":1", "\"version\":99", 1);
        assert!(matches!(Transcript::read(newer.as_bytes()), Err(ReadError::Version(99))));
        assert!(matches!(Transcript::read(&b"{}\n"[..]), Err(ReadError::Header(_))));
    }
}
