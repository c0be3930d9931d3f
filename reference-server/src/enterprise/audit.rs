//! The audit log: one line of JSON for every tool call, resource read and use of a prompt.
//!
//! A line is handed to the operating system in one write before the answer leaves, so that a killed process loses no record
//! of an answered call. That is not what survives a power cut, which would take an `fsync` for each line. A line that was
//! cut off is known by its checksum, which is the last thing in every line.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::auth::Principal;
use crate::context::RequestContext;
use crate::enterprise::approval::Approval;
use crate::enterprise::audit_words::{description, is_audited, named};
use crate::enterprise::profile::Enterprise;
use crate::faults::Duty;
use crate::message::{INTERNAL_ERROR, Message, Object, Request, RpcError, read_one};
use crate::server::{Server, lock};

/// What is read of the end of a log to find its last record. No line is longer.
const TAIL: u64 = 64 << 10;
/// What stands before the checksum, and its length in digits.
const SUM: &str = ",\"sum\":\"";
const DIGITS: usize = 16;
/// The most elements of one batch that are recorded one by one.
const BATCH: usize = 1000;

/// How records are written. All ways but the first are those of faults.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writing {
    Sound,
    /// Without checksums.
    WithoutSums,
    /// When there is a heap of them.
    InHeaps,
}

/// How many bytes such a heap has.
const HEAP: usize = 4096;

impl Writing {
    fn of(server: &Server) -> Self {
        if !server.keeps(Duty::AuditChecksummed) {
            Self::WithoutSums
        } else if !server.keeps(Duty::AuditFlushed) {
            Self::InHeaps
        } else {
            Self::Sound
        }
    }
}

/// A log that is appended to, by one process at a time.
pub(super) struct AuditLog {
    path: PathBuf,
    file: Mutex<Appending>,
    torn: u64,
}

struct Appending {
    file: File,
    /// Lines that have not been written yet: always none, but for a fault.
    kept_back: Vec<u8>,
    /// The number of the next record.
    next: u64,
    /// Whether the last write failed, so that the file may end in the midst of a line.
    torn: bool,
}

impl Appending {
    /// Whether the file that is written is the one at the path: a log that was removed or replaced would be written for
    /// nobody.
    #[cfg(unix)]
    fn is_at(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let is_same = |own: &std::fs::Metadata, other: &std::fs::Metadata| {
            (own.dev(), own.ino()) == (other.dev(), other.ino())
        };
        matches!((self.file.metadata(), std::fs::metadata(path)), (Ok(own), Ok(other)) if is_same(&own, &other))
    }

    /// Elsewhere a file that is open cannot be removed.
    #[cfg(not(unix))]
    #[expect(clippy::unused_self, reason = "on Unix it is looked at")]
    fn is_at(&self, _: &Path) -> bool {
        true
    }
}

/// What a log holds.
#[derive(Debug, Default, PartialEq)]
pub struct AuditReading {
    /// The records, in their order.
    pub records: Vec<Value>,
    /// Lines that are no record: torn off, or changed afterwards.
    pub damaged: usize,
}

impl AuditReading {
    /// Reads a log.
    pub fn of(log: &[u8]) -> Self {
        let mut reading = Self::default();
        for line in log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match record(line) {
                Some(record) => reading.records.push(record),
                None => reading.damaged += 1,
            }
        }
        reading
    }
}

fn checksum(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest.iter().take(DIGITS / 2).fold(String::new(), |sum, byte| sum + &format!("{byte:02x}"))
}

/// Takes the time that the checksum of a longer record would have taken, so that nobody learns by the clock whether a name
/// is one of the server's, which is logged as it is, or has a longer stand-in.
fn spend_the_rest(length: usize) {
    const EQUAL: usize = 512;
    let rest = &[0; EQUAL][length % EQUAL..];
    std::hint::black_box(Sha256::digest(rest));
}

/// The record in a line, if its checksum is right.
fn record(line: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(line).ok()?;
    let (content, end) = text.split_at_checked(text.len().checked_sub(SUM.len() + DIGITS + 2)?)?;
    let sum = end.strip_prefix(SUM)?.strip_suffix("\"}")?;
    (checksum(content) == sum).then(|| serde_json::from_str(text).ok())?
}

impl AuditLog {
    /// Opens a log to append to it. An end that is torn is closed off by a line end, so that it stays a line of its own.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).read(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::WouldBlock, "another server writes to it")
            }
            TryLockError::Error(error) => error,
        })?;
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut tail = Vec::new();
        Read::by_ref(&mut file).take(TAIL).read_to_end(&mut tail)?;
        let end = tail.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        // A record that lacks nothing but its line end is one.
        let torn = if record(end).is_some() { 0 } else { end.len() as u64 };
        let unfinished = !end.is_empty();
        let last = AuditReading::of(&tail).records.pop().and_then(|record| record["n"].as_u64());
        let appending = Appending {
            file,
            kept_back: Vec::new(),
            next: last.map_or(1, |last| last + 1),
            torn: unfinished,
        };
        let log = Self { path: path.to_owned(), file: Mutex::new(appending), torn };
        log.append(json!({"event": "opened", "tornBytes": torn}), Writing::Sound)?;
        Ok(log)
    }

    pub(super) const fn torn_bytes(&self) -> u64 {
        self.torn
    }

    /// Appends a record; it is with the operating system when this returns.
    fn append(&self, content: Value, writing: Writing) -> io::Result<()> {
        let mut appending = lock(&self.file);
        if !appending.is_at(&self.path) {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it is not where it was any more"));
        }
        let mut record = json!({"n": appending.next, "time": jiff::Timestamp::now().to_string()});
        if let (Some(record), Value::Object(content)) = (record.as_object_mut(), content) {
            record.extend(content);
        }
        // With room for any usual record from the beginning, so that a longer one takes no longer to write.
        let mut text = Vec::with_capacity(1024);
        serde_json::to_writer(&mut text, &record)?;
        let text = String::from_utf8(text).map_err(io::Error::other)?;
        let content = &text[..text.len() - 1];
        let end = if appending.torn { "\n" } else { "" };
        let line = match writing {
            Writing::WithoutSums => format!("{end}{text}\n"),
            _ => format!("{end}{content}{SUM}{}\"}}\n", checksum(content)),
        };
        spend_the_rest(content.len());
        // Should it fail on the way, the next line is kept apart from what has been written.
        appending.torn = true;
        if writing == Writing::InHeaps {
            appending.kept_back.extend_from_slice(line.as_bytes());
            if appending.kept_back.len() > HEAP {
                let heap = std::mem::take(&mut appending.kept_back);
                appending.file.write_all(&heap)?;
            }
        } else {
            appending.file.write_all(line.as_bytes())?;
        }
        appending.torn = false;
        appending.next += 1;
        Ok(())
    }

    /// Whether the last record could be written, and stands where it can be found.
    fn works(&self) -> bool {
        let appending = lock(&self.file);
        !appending.torn && appending.is_at(&self.path)
    }
}

fn unwritable() -> RpcError {
    RpcError::new(INTERNAL_ERROR, "The audit log cannot be written")
}

/// Who asks for what.
fn described(profile: &Enterprise, context: &RequestContext) -> Object {
    let mut content = description(profile, context.principal(), &context.request);
    if !context.server.keeps(Duty::AuditMasked) {
        content.insert("params".to_owned(), context.request.params.clone().into());
    }
    if !context.server.keeps(Duty::AuditNamesPrincipal) {
        content.remove("principal");
    }
    content
}

/// Records that something is about to be changed. Where that cannot be written, it must not be done: a change without any
/// record is what there is never to be.
pub(super) fn announce(profile: &Enterprise, context: &RequestContext) -> Result<(), RpcError> {
    let Some(log) = &profile.audit else { return Ok(()) };
    let mut content = described(profile, context);
    content.insert("outcome".to_owned(), "begun".into());
    log.append(content.into(), Writing::of(&context.server)).map_err(|_| unwritable())
}

impl Enterprise {
    /// Records that a request was refused before it was served: for want of a scope, a header, a session, a place. Nothing
    /// is done for it, so nothing else is refused where the record cannot be written.
    pub(crate) fn denied(&self, principal: &Principal, request: &Request) {
        if let Some(log) = self.audit.as_ref().filter(|_| is_audited(&request.method)) {
            let mut content = description(self, principal, request);
            content.insert("outcome".to_owned(), "denied".into());
            let _ = log.append(content.into(), Writing::Sound);
        }
    }

    /// The same for the requests in a batch. Of a batch that is too long, the rest is counted.
    pub(crate) fn denied_each(&self, principal: &Principal, elements: &[&RawValue]) {
        let Some(log) = &self.audit else { return };
        for element in elements.iter().take(BATCH) {
            if let Ok(Message::Request(request)) = read_one(element) {
                self.denied(principal, &request);
            }
        }
        if let Some(more) = elements.len().checked_sub(BATCH).filter(|more| *more > 0) {
            let _ = log.append(
                json!({
                    "event": "batch denied", "principal": named(&principal.key()), "unrecorded": more,
                }),
                Writing::Sound,
            );
        }
    }
}

/// The record of a request that is being served. It is written when the request ends, however it does.
pub(super) struct Entry<'a> {
    log: &'a AuditLog,
    context: &'a RequestContext,
    content: Object,
    begun: Instant,
    written: bool,
}

impl<'a> Entry<'a> {
    /// Begins a record; none where there is no log, or no line for such a request. While the log cannot be written, nothing is done.
    pub(super) fn begin(
        profile: &'a Enterprise,
        context: &'a RequestContext,
    ) -> Result<Option<Self>, RpcError> {
        let Some(log) = profile.audit.as_ref().filter(|_| is_audited(&context.request.method)) else {
            return Ok(None);
        };
        if !log.works() {
            log.append(json!({"event": "writable again"}), Writing::Sound).map_err(|_| unwritable())?;
        }
        let content = described(profile, context);
        Ok(Some(Self { log, context, content, begun: Instant::now(), written: false }))
    }

    /// Writes how the request ended. The answer may leave only when that has been done.
    pub(super) fn end(mut self, result: &Result<Object, RpcError>) -> Result<(), RpcError> {
        let was_approved = lock(&self.context.approval).is_none_or(|approval| approval == Approval::Given);
        let outcome = match result {
            Ok(result) if result.get("isError") == Some(&Value::Bool(true)) => "error",
            Ok(result) if result.contains_key("inputRequests") => "input_required",
            Ok(_) => "ok",
            Err(error) => {
                self.content.insert("code".to_owned(), error.code.into());
                "refused"
            }
        };
        if outcome == "refused" && !self.context.server.keeps(Duty::RefusalsAudited) {
            self.written = true;
            return Ok(());
        }
        let outcome = if was_approved || outcome == "ok" { outcome } else { "not_approved" };
        self.write(outcome).map_err(|_| unwritable())
    }

    fn write(&mut self, outcome: &str) -> io::Result<()> {
        self.written = true;
        let mut content = std::mem::take(&mut self.content);
        content.insert("outcome".to_owned(), outcome.into());
        if let Some(approval) = *lock(&self.context.approval) {
            content.insert("approval".to_owned(), approval.as_str().into());
        }
        let millis = self.begun.elapsed().as_micros() as f64 / 1000.0;
        content.insert("ms".to_owned(), millis.into());
        let server = &self.context.server;
        if !server.keeps(Duty::AuditedFirst) {
            write_later(server.clone(), content);
            return Ok(());
        }
        self.log.append(content.into(), Writing::of(server))
    }
}

/// Writes a record when the answer has left, as a fault.
fn write_later(server: Server, content: Object) {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if let Some(log) = server.enterprise().and_then(|profile| profile.audit.as_ref()) {
            let _ = log.append(content.into(), Writing::Sound);
        }
    });
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        if !self.written {
            // Nobody waits for the answer any more.
            let _ = self.write("cancelled");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AuditLog, AuditReading, Writing};
    use serde_json::json;

    fn path(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("mcprove-audit-{}-{name}", std::process::id()))
    }

    #[test]
    fn a_log_goes_on_where_it_ended_and_a_torn_end_is_no_record() {
        let path = path("torn");
        let log = AuditLog::open(&path).unwrap();
        log.append(json!({"outcome": "ok"}), Writing::Sound).unwrap();
        assert!(AuditLog::open(&path).is_err(), "one process at a time");
        drop(log);
        let whole = std::fs::read(&path).unwrap();
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        // Cut at every byte of the second line.
        for length in first..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let torn = AuditLog::open(&path).unwrap().torn_bytes();
            let reading = AuditReading::of(&std::fs::read(&path).unwrap());
            let lacks_only_its_end = length == whole.len() - 1;
            let lost = if length == first || lacks_only_its_end { 0 } else { length - first };
            assert_eq!(torn, lost as u64);
            assert_eq!(reading.damaged, usize::from(lost > 0));
            let numbers: Vec<_> =
                reading.records.iter().map(|record| record["n"].as_u64().unwrap()).collect();
            assert_eq!(numbers, if lacks_only_its_end { vec![1, 2, 3] } else { vec![1, 2] });
            assert_eq!(reading.records.last().unwrap()["tornBytes"], lost);
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_changed_record_is_none() {
        let path = path("changed");
        AuditLog::open(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(AuditReading::of(text.as_bytes()).records.len(), 1);
        for other in [text.replace("\"n\":1", "\"n\":2"), text.replace('}', " }"), text.replace("sum", "som")]
        {
            assert_eq!(AuditReading::of(other.as_bytes()), AuditReading { records: Vec::new(), damaged: 1 });
        }
        std::fs::remove_file(path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_log_that_is_not_where_it_was_is_not_written() {
        let (path, elsewhere) = (path("gone"), path("elsewhere"));
        let log = AuditLog::open(&path).unwrap();
        log.append(json!({"outcome": "ok"}), Writing::Sound).unwrap();
        std::fs::rename(&path, &elsewhere).unwrap();
        assert!(!log.works() && log.append(json!({"outcome": "ok"}), Writing::Sound).is_err());
        std::fs::write(&path, "").unwrap();
        assert!(log.append(json!({"outcome": "ok"}), Writing::Sound).is_err(), "another file is there");
        std::fs::rename(&elsewhere, &path).unwrap();
        log.append(json!({"outcome": "ok"}), Writing::Sound).unwrap();
        let reading = AuditReading::of(&std::fs::read(&path).unwrap());
        let numbers: Vec<_> = reading.records.iter().map(|record| record["n"].as_u64().unwrap()).collect();
        assert_eq!((numbers, reading.damaged), (vec![1, 2, 3], 0));
        std::fs::remove_file(path).unwrap();
    }
}
