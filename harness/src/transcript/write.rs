//! Writes a transcript to a file, each event as it happens.

use super::format::{HeaderLine, Line, TRANSCRIPT_FORMAT, TRANSCRIPT_VERSION};
use super::record::{About, Record};
use super::redact::Redactor;
use super::rule::Rule;
use crate::wire::{Channel, Event};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// Writes a transcript, each event with a write of its own. A failure never disturbs the conversation: what could not be
/// written is counted, and told in the file by [`Event::Lost`] as soon as something can be written again.
pub struct TranscriptWriter {
    file: Option<File>,
    /// Bytes of whole lines in the file.
    written: u64,
    error: Option<String>,
    lost: Loss,
    next: u64,
    last: Duration,
    line: Vec<u8>,
}

/// What is missing in a recording.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loss {
    /// How many events.
    pub events: u64,
    /// The bytes of their payloads.
    pub bytes: u64,
}

impl Loss {
    /// One more event.
    pub fn add(&mut self, event: &Event) {
        self.events += 1;
        self.bytes += match event {
            Event::Sent { payload, .. } | Event::Received { payload, .. } => payload.bytes().len() as u64,
            Event::Stderr(bytes) => bytes.len() as u64,
            _ => 0,
        };
    }

    /// Both losses.
    pub fn join(&mut self, other: Self) {
        self.events += other.events;
        self.bytes += other.bytes;
    }

    /// Whether nothing is missing.
    pub fn is_none(&self) -> bool {
        self.events == 0
    }
}

impl TranscriptWriter {
    /// Creates the file and writes the header.
    pub fn create(path: &Path, about: &About) -> Self {
        let mut writer = match File::create(path) {
            Ok(file) => Self::to(file),
            Err(error) => {
                let mut writer = Self { file: None, ..Self::none() };
                writer.error = Some(format!("cannot create {}: {error}", path.display()));
                writer
            }
        };
        // Why there is no file is told already.
        if writer.file.is_some() {
            writer.header(about, &jiff::Timestamp::now().to_string(), &[]);
        }
        writer
    }

    fn none() -> Self {
        Self {
            file: None,
            written: 0,
            error: None,
            lost: Loss::default(),
            next: 0,
            last: Duration::ZERO,
            line: Vec::new(),
        }
    }

    fn to(file: File) -> Self {
        Self { file: Some(file), ..Self::none() }
    }

    /// Writes a copy of a transcript that began at another time, with these rules for its replay.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn copy(path: &Path, about: &About, started_at: &str, rules: &[Rule]) -> io::Result<Self> {
        let mut writer = Self::to(File::create(path)?);
        writer.header(about, started_at, rules);
        Ok(writer)
    }

    fn header(&mut self, about: &About, started_at: &str, rules: &[Rule]) {
        let header = HeaderLine {
            format: TRANSCRIPT_FORMAT.into(),
            version: TRANSCRIPT_VERSION,
            tool_version: env!("CARGO_PKG_VERSION").into(),
            started_at: started_at.into(),
            about: Cow::Borrowed(about),
            rules: Cow::Borrowed(rules),
        };
        self.line.clear();
        let result = serde_json::to_writer(&mut self.line, &header).map_err(io::Error::other);
        if let Err(error) = result.and_then(|()| self.put()) {
            self.failed(&error);
        }
    }

    /// Writes one event, with the secrets that are known by now replaced.
    pub fn append(&mut self, record: &Record, redactor: &Redactor) {
        self.last = record.at;
        if self.file.is_none() || !self.tell_loss(record.at) {
            self.lost.add(&record.event);
            return;
        }
        let renumbered;
        // What a loss took the place of moves on.
        let record = if record.seq < self.next {
            renumbered = Record { seq: self.next, ..record.clone() };
            &renumbered
        } else {
            record
        };
        if let Err(error) = self.write(&Line::of(record), redactor) {
            self.failed(&error);
            self.lost.add(&record.event);
        } else {
            self.next = record.seq + 1;
        }
    }

    /// Writes the end line; a file without it was cut off.
    pub fn finish(mut self) {
        self.end();
    }

    /// Writes the end line, and says what is missing in the file and not told there.
    pub fn end(&mut self) -> Loss {
        if self.file.is_some() && self.tell_loss(self.last) {
            self.line.clear();
            self.line.extend_from_slice(br#"{"event":"end"}"#);
            if let Err(error) = self.put() {
                self.failed(&error);
            }
        }
        self.lost
    }

    /// Why the file is incomplete, if it is.
    pub fn error(&self) -> Option<String> {
        self.error.clone()
    }

    /// Writes what was lost, if anything was; whether the file can be written to.
    fn tell_loss(&mut self, at: Duration) -> bool {
        if self.lost.is_none() {
            return true;
        }
        let reason = self.error.clone().unwrap_or_default();
        let Loss { events, bytes } = self.lost;
        let event = Event::Lost { events, bytes, reason };
        let record = Record { seq: self.next, at, channel: Channel::PROCESS, event };
        match self.write(&Line::of(&record), &Redactor::default()) {
            Ok(()) => {
                self.next += 1;
                self.lost = Loss::default();
                true
            }
            Err(error) => {
                self.failed(&error);
                false
            }
        }
    }

    fn failed(&mut self, error: &io::Error) {
        self.error = Some(format!("cannot write the transcript: {error}"));
    }

    fn write(&mut self, line: &Line<'_>, redactor: &Redactor) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, line).map_err(io::Error::other)?;
        if !redactor.is_empty()
            && let Ok(text) = std::str::from_utf8(&self.line)
        {
            self.line = redactor.clean(text).into_bytes();
        }
        self.put()
    }

    /// Writes the line and its end; of a write that failed nothing is left in the file.
    fn put(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Err(io::Error::other("it is not open")) };
        self.line.push(b'\n');
        let result = file.write_all(&self.line);
        match &result {
            Ok(()) => self.written += self.line.len() as u64,
            // Where the file cannot be cut (a pipe, say), the next line stands behind a broken one.
            Err(_) => {
                let _ = file.set_len(self.written);
                let _ = io::Seek::seek(file, io::SeekFrom::Start(self.written));
            }
        }
        if self.line.capacity() > 1 << 20 {
            self.line = Vec::new();
        }
        result
    }
}
