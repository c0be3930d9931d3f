//! Reading a run back: tolerant of what a killed run leaves behind and of what later versions add, strict about
//! never letting a loss look like a whole run.

use super::event::{Footer, Header, RUN_FORMAT, RUN_VERSION, RunEvent};
use super::folder::RUN_FILE;
use serde::Deserialize;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The longest line that is read, in bytes; a longer one counts as unreadable.
const LINE: u64 = 64 << 20;

/// Why a run cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file or folder cannot be read.
    #[error("cannot read `{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The first line is not the header of a run.
    #[error("`{path}` holds no run of mcprove: {why}")]
    NotARun {
        /// The file.
        path: PathBuf,
        /// What is wrong with its first line.
        why: String,
    },
    /// The file was written in a version of the format that this program does not know.
    #[error(
        "`{path}` is a run in version {found} of the format; this mcprove reads version {RUN_VERSION}: take the mcprove that wrote it ({tool}) or a newer one"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The version of the tool that wrote it.
        tool: String,
    },
}

/// Reads the events of a run, the header first.
///
/// Kinds of events and members that this version does not know are passed over. A last line that was cut, or a
/// missing footer, makes the run truncated; so does a line in the middle that cannot be read, because a result may
/// have been in it.
#[derive(Debug)]
pub struct RunReader<R = BufReader<File>> {
    path: PathBuf,
    input: R,
    header: Option<Header>,
    ended: bool,
    footer_seen: bool,
    footer_truncated: bool,
    ignored: u64,
    unreadable: u64,
}

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    event: String,
    #[serde(default)]
    format: String,
    #[serde(default)]
    version: u64,
    #[serde(default)]
    tool_version: String,
}

#[derive(Deserialize)]
struct Kind {
    event: String,
}

enum Line {
    End,
    Text(Vec<u8>),
    TooLong,
}

impl RunReader {
    /// Opens a run by its folder or its `run.jsonl`, and reads the header.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when there is no such file, no header, or a version that this program does not read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        let path = path.as_ref();
        let path = if path.is_dir() { path.join(RUN_FILE) } else { path.to_owned() };
        let file = File::open(&path).map_err(|source| ReadError::Io { path: path.clone(), source })?;
        Self::new(path, BufReader::with_capacity(1 << 16, file))
    }
}

impl<R: BufRead> RunReader<R> {
    /// Reads a run from any input; `path` is what errors name.
    ///
    /// # Errors
    ///
    /// As [`open`](RunReader::open).
    pub fn new(path: impl Into<PathBuf>, input: R) -> Result<Self, ReadError> {
        let mut reader = Self {
            path: path.into(),
            input,
            header: None,
            ended: false,
            footer_seen: false,
            footer_truncated: false,
            ignored: 0,
            unreadable: 0,
        };
        let not_a_run = |why: &str| ReadError::NotARun { path: reader.path.clone(), why: why.to_owned() };
        let line = match read_line(&mut reader.input) {
            Ok(Line::Text(line)) => line,
            Ok(Line::End) => return Err(not_a_run("it is empty")),
            Ok(Line::TooLong) => return Err(not_a_run("its first line is too long for a header")),
            Err(source) => return Err(ReadError::Io { path: reader.path, source }),
        };
        let Ok(head) = serde_json::from_slice::<Head>(&line) else {
            return Err(not_a_run("its first line is no complete header"));
        };
        if head.event != "header" || head.format != RUN_FORMAT {
            return Err(not_a_run("its first line is no header of a run"));
        }
        if head.version != u64::from(RUN_VERSION) {
            return Err(ReadError::Version {
                path: reader.path,
                found: head.version,
                tool: head.tool_version,
            });
        }
        match serde_json::from_slice(&line) {
            Ok(RunEvent::Header(header)) => reader.header = Some(header),
            Ok(_) => return Err(not_a_run("its first line is no header of a run")),
            Err(error) => return Err(not_a_run(&format!("its header cannot be read: {error}"))),
        }
        Ok(reader)
    }

    /// Whether something is missing. Holds once the last event was read.
    pub fn truncated(&self) -> bool {
        !self.footer_seen || self.footer_truncated || self.unreadable > 0
    }

    /// Events of a kind that this version does not know.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Lines that could not be read.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    fn read_next(&mut self) -> io::Result<Option<RunEvent>> {
        loop {
            let line = match read_line(&mut self.input)? {
                Line::End => return Ok(None),
                Line::TooLong => {
                    self.unreadable += 1;
                    continue;
                }
                Line::Text(line) => line,
            };
            if line.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_slice::<RunEvent>(&line) {
                Ok(RunEvent::Header(_)) => self.unreadable += 1,
                Ok(RunEvent::Footer(footer)) => {
                    self.ended = true;
                    self.footer_seen = true;
                    let truncated = footer.truncated || self.unreadable > 0;
                    self.footer_truncated = truncated;
                    return Ok(Some(RunEvent::Footer(Footer { truncated, ..footer })));
                }
                Ok(event) => return Ok(Some(event)),
                Err(_) => match serde_json::from_slice::<Kind>(&line) {
                    Ok(kind) if !RunEvent::KINDS.contains(&kind.event.as_str()) => self.ignored += 1,
                    _ => self.unreadable += 1,
                },
            }
        }
    }
}

impl<R: BufRead> Iterator for RunReader<R> {
    type Item = Result<RunEvent, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(header) = self.header.take() {
            return Some(Ok(RunEvent::Header(header)));
        }
        if self.ended {
            return None;
        }
        match self.read_next() {
            Ok(Some(event)) => Some(Ok(event)),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(source) => {
                self.ended = true;
                Some(Err(ReadError::Io { path: self.path.clone(), source }))
            }
        }
    }
}

/// One line without its end; the rest of a line that is too long is passed over.
fn read_line(input: &mut impl BufRead) -> io::Result<Line> {
    let mut line = Vec::new();
    input.by_ref().take(LINE + 1).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(Line::End);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Line::Text(line));
    }
    if line.len() as u64 <= LINE {
        return Ok(Line::Text(line));
    }
    input.skip_until(b'\n')?;
    Ok(Line::TooLong)
}

/// A run read back whole.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRun {
    /// The events, the header first.
    pub events: Vec<RunEvent>,
    /// Whether something is missing: the run was cut short, or lines of it were lost.
    pub truncated: bool,
    /// Events of a kind that this version does not know.
    pub ignored: u64,
    /// Lines that could not be read.
    pub unreadable: u64,
}

impl StoredRun {
    /// Reads a run by its folder or its `run.jsonl`.
    ///
    /// # Errors
    ///
    /// As [`RunReader::open`], and when reading fails half way.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        let mut reader = RunReader::open(path)?;
        let events = reader.by_ref().collect::<Result<_, _>>()?;
        Ok(Self {
            events,
            truncated: reader.truncated(),
            ignored: reader.ignored,
            unreadable: reader.unreadable,
        })
    }
}
