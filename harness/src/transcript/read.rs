//! Reads a transcript, event by event, in bounded memory.

use super::format::{HeaderLine, Line, TRANSCRIPT_FORMAT, TRANSCRIPT_VERSION};
use super::record::{About, Record};
use super::rule::{Rule, RuleError};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

/// The longest line that is read, in bytes. A recorder cuts messages long before that.
const LONGEST_LINE: u64 = 256 << 20;

/// A transcript that is read one event at a time, however long it is.
#[derive(Debug)]
pub struct TranscriptReader<R> {
    input: R,
    about: About,
    rules: Vec<Rule>,
    started_at: String,
    tool_version: String,
    /// The number of the line that was read last, from 1.
    line: usize,
    bytes: Vec<u8>,
    ended: bool,
    truncated: bool,
    /// The number that the next event should have.
    next: u64,
    gaps: Gaps,
}

/// Events whose number is not the one after that of the event before: lines were taken out, put in or moved. A loss that
/// the recorder saw is an event of its own and no gap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gaps {
    /// How many numbers are left out.
    pub missing: u64,
    /// How many events have a number that is not beyond those before.
    pub repeated: u64,
    /// The first line where it is so.
    pub line: Option<usize>,
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
    /// A rule in the header cannot be used.
    #[error("line 1: {0}")]
    Rule(#[from] RuleError),
    /// A line is damaged.
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

impl TranscriptReader<BufReader<File>> {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// When there is no such file, or it is no transcript.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        Self::new(BufReader::with_capacity(256 << 10, File::open(path)?))
    }
}

impl<R: BufRead> TranscriptReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// When it is none of a transcript, or of a version that is not known.
    pub fn new(mut input: R) -> Result<Self, ReadError> {
        let mut bytes = Vec::new();
        // A file of another kind may have no line end at all.
        (&mut input).take(1 << 20).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Err(ReadError::Header("the file is empty".to_owned()));
        }
        let what = |error: serde_json::Error| {
            let text = std::str::from_utf8(&bytes).is_ok_and(|text| !text.contains('\0'));
            ReadError::Header(if text {
                format!("line 1 is no header ({error})")
            } else {
                "it is a binary file".to_owned()
            })
        };
        // The version first: what else a newer header has is not known.
        let version = serde_json::from_slice::<serde_json::Value>(&bytes).map_err(what)?;
        let format = version.get("format").and_then(serde_json::Value::as_str);
        if format != Some(TRANSCRIPT_FORMAT) {
            let format = format.map(|format| format.chars().take(80).collect::<String>());
            return Err(ReadError::Header(match format {
                Some(format) => format!("its format is `{format}`"),
                None => "line 1 names no format".to_owned(),
            }));
        }
        let version = version.get("version").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if version > u64::from(TRANSCRIPT_VERSION) {
            return Err(ReadError::Version(u32::try_from(version).unwrap_or(u32::MAX)));
        }
        let header: HeaderLine<'_> = serde_json::from_slice(&bytes).map_err(what)?;
        header.rules.iter().try_for_each(Rule::check)?;
        Ok(Self {
            input,
            about: header.about.into_owned(),
            rules: header.rules.into_owned(),
            started_at: header.started_at.into_owned(),
            tool_version: header.tool_version.into_owned(),
            line: 1,
            bytes: Vec::new(),
            ended: false,
            truncated: false,
            next: 0,
            gaps: Gaps::default(),
        })
    }

    /// What the conversation was.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// What may differ when it is replayed.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// When it began, RFC 3339.
    pub fn started_at(&self) -> &str {
        &self.started_at
    }

    /// The version of the program that wrote it.
    pub fn tool_version(&self) -> &str {
        &self.tool_version
    }

    /// The number of the line that was read last, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Whether the file was cut off: known at its end.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// What is out of its order, up to the event that was read last.
    pub fn gaps(&self) -> Gaps {
        self.gaps
    }

    /// Compares the number of an event with those before.
    fn count(&mut self, seq: u64) {
        match seq.checked_sub(self.next) {
            Some(0) => {}
            Some(more) => self.gaps.missing = self.gaps.missing.saturating_add(more),
            None => self.gaps.repeated += 1,
        }
        if seq != self.next {
            self.gaps.line.get_or_insert(self.line);
        }
        self.next = self.next.max(seq.saturating_add(1));
    }

    /// The next event; `None` at the end. A last line that was cut off is left out.
    ///
    /// # Errors
    /// When a line is damaged and it is not the last one.
    pub fn next_record(&mut self) -> Result<Option<Record>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        self.bytes.clear();
        self.bytes.shrink_to(4 << 20);
        let length = (&mut self.input).take(LONGEST_LINE).read_until(b'\n', &mut self.bytes)? as u64;
        self.line += usize::from(length > 0);
        let whole = self.bytes.last() == Some(&b'\n');
        if length == 0 || (!whole && length < LONGEST_LINE && !self.is_end()) {
            (self.ended, self.truncated) = (true, true);
            return Ok(None);
        }
        let damaged = |reason: String| ReadError::Line { line: self.line, reason };
        if !whole && length == LONGEST_LINE {
            return Err(damaged(format!("it is longer than {} MiB", LONGEST_LINE >> 20)));
        }
        match parse_line(&self.bytes) {
            Ok(Some(record)) => {
                self.count(record.seq);
                Ok(Some(record))
            }
            Ok(None) => {
                self.ended = true;
                Ok(None)
            }
            Err(reason) => {
                let error = damaged(reason);
                if self.input.fill_buf()?.is_empty() {
                    // The last line: cut off by a crash.
                    (self.ended, self.truncated) = (true, true);
                    return Ok(None);
                }
                Err(error)
            }
        }
    }

    /// Whether the line is the end line, to which nothing can be missing but its line end.
    fn is_end(&self) -> bool {
        matches!(parse_line(&self.bytes), Ok(None))
    }
}

impl<R: BufRead> Iterator for TranscriptReader<R> {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_record().transpose();
        self.ended |= matches!(next, Some(Err(_)));
        next
    }
}

/// `None` for the end line.
fn parse_line(bytes: &[u8]) -> Result<Option<Record>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("it is no UTF-8: {error}"))?;
    serde_json::from_str::<Line<'_>>(text).map_err(|error| error.to_string()).and_then(Line::into_record)
}

/// A whole transcript, read back.
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

impl Transcript {
    /// Reads a transcript. A last line that was cut off is left out, and the result says that it is truncated.
    ///
    /// # Errors
    /// When it is no transcript, or a line is damaged.
    pub fn read(input: impl BufRead) -> Result<Self, ReadError> {
        let mut reader = TranscriptReader::new(input)?;
        let mut records = Vec::new();
        while let Some(record) = reader.next_record()? {
            records.push(record);
        }
        let TranscriptReader { about, started_at, truncated, .. } = reader;
        Ok(Self { about, started_at, records, truncated })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Revision, Transport};
    use crate::transcript::Redactor;
    use crate::wire::{Channel, Deliberate, End, Event, Payload, ShutdownStep, SseFields};
    use crate::wire::{Flow, Observer, Taint};
    use bytes::Bytes;

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
            (Channel(0), Event::Lost { events: 2, bytes: 7, reason: "full".into() }),
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
    fn error_of(bytes: &[u8]) -> String {
        Transcript::read(bytes).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        recorded(&path);
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines[3] = r#"{"event":"sent","message":{"#;
        assert!(error_of(lines.join("\n").as_bytes()).starts_with("line 4: "));
        lines[3] = r#"{"event":"unheard-of"}"#;
        assert_eq!(error_of(lines.join("\n").as_bytes()), "line 4: unknown event `unheard-of`");
        let mut bytes = lines[..3].join("\n").into_bytes();
        bytes.extend_from_slice(b"\n\xff\xfe\n{}\n");
        assert!(error_of(&bytes).starts_with("line 4: it is no UTF-8"));
        assert!(error_of(b"").ends_with("the file is empty"));
        assert!(error_of(b"\x7fELF\0\0\xff").ends_with("it is a binary file"));
        assert!(error_of(br#"{"format":"har","version":1}"#).ends_with("its format is `har`"));
        assert!(error_of(b"hello").contains("line 1 is no header"));
        // A newer version may have any header.
        let newer = br#"{"format":"mcprove-transcript","version":2,"started":7}"#;
        assert!(error_of(newer).contains("use a newer mcprove"));
    }

    #[test]
    fn the_end_line_needs_no_line_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        let records = recorded(&path);
        let bytes = std::fs::read(&path).unwrap();
        let read = Transcript::read(bytes.strip_suffix(b"\n").unwrap()).unwrap();
        assert_eq!((read.truncated, read.records), (false, records));
    }

    #[test]
    fn lines_that_were_taken_out_or_put_in_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.jsonl");
        recorded(&path);
        let gaps = |text: &str| {
            let mut reader = TranscriptReader::new(text.as_bytes()).unwrap();
            while reader.next_record().unwrap().is_some() {}
            reader.gaps()
        };
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(gaps(&text), Gaps::default());
        let mut lines: Vec<&str> = text.lines().collect();
        lines.remove(3);
        lines.insert(5, lines[4]);
        assert_eq!(gaps(&lines.join("\n")), Gaps { missing: 1, repeated: 1, line: Some(4) });
    }
}
