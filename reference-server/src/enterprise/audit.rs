//! The audit log: one line of JSON for every tool call, resource read and use of a prompt.
//!
//! A line is handed to the operating system in one write before the answer leaves, so that a killed process loses no record
//! of an answered call. That is not what survives a power cut, which would take an `fsync` for each line. A line that was
//! cut off is known by its checksum, which is the last thing in every line.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::context::RequestContext;
use crate::enterprise::domain::Kind;
use crate::enterprise::masking::TokenKey;
use crate::enterprise::profile::Enterprise;
use crate::enterprise::tools_customers::STATUSES;
use crate::enterprise::tools_employees::DEPARTMENTS;
use crate::enterprise::tools_orders;
use crate::message::{INTERNAL_ERROR, Object, RpcError, shorten};
use crate::server::lock;

/// What is read of the end of a log to find its last record. No line is longer.
const TAIL: u64 = 64 << 10;
/// What stands before the checksum, and its length in digits.
const SUM: &str = ",\"sum\":\"";
const DIGITS: usize = 16;
/// The most parameters that a record repeats.
const PARAMETERS: usize = 16;

/// A log that is appended to, by one process at a time.
pub(super) struct AuditLog {
    file: Mutex<Appending>,
    torn: u64,
}

struct Appending {
    file: File,
    /// The number of the next record.
    next: u64,
    /// Whether the last write failed, so that the file may end in the midst of a line.
    torn: bool,
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
        let appending = Appending { file, next: last.map_or(1, |last| last + 1), torn: unfinished };
        let log = Self { file: Mutex::new(appending), torn };
        log.append(json!({"event": "opened", "tornBytes": torn}))?;
        Ok(log)
    }

    pub(super) const fn torn_bytes(&self) -> u64 {
        self.torn
    }

    /// Appends a record; it is with the operating system when this returns.
    fn append(&self, content: Value) -> io::Result<()> {
        let mut appending = lock(&self.file);
        let mut record = json!({"n": appending.next, "time": jiff::Timestamp::now().to_string()});
        if let (Some(record), Value::Object(content)) = (record.as_object_mut(), content) {
            record.extend(content);
        }
        let text = record.to_string();
        let content = &text[..text.len() - 1];
        let end = if appending.torn { "\n" } else { "" };
        let line = format!("{end}{content}{SUM}{}\"}}\n", checksum(content));
        // Should it fail on the way, the next line is kept apart from what has been written.
        appending.torn = true;
        appending.file.write_all(line.as_bytes())?;
        appending.torn = false;
        appending.next += 1;
        Ok(())
    }

    /// Whether the last record could be written.
    fn works(&self) -> bool {
        !lock(&self.file).torn
    }
}

fn unwritable() -> RpcError {
    RpcError::new(INTERNAL_ERROR, "The audit log cannot be written")
}

/// Records that something is about to be changed. Where that cannot be written, it must not be done: a change without any
/// record is what there is never to be.
pub(super) fn announce(profile: &Enterprise, context: &RequestContext) -> Result<(), RpcError> {
    let Some(log) = &profile.audit else { return Ok(()) };
    let mut content = description(profile, context);
    content.insert("outcome".to_owned(), "begun".into());
    log.append(content.into()).map_err(|_| unwritable())
}

/// Who asks for what.
fn description(profile: &Enterprise, context: &RequestContext) -> Object {
    let (key, principal) = (&profile.key, context.principal());
    let (name, params) = described(key, &context.request.method, &context.request.params);
    let mut content = Object::new();
    for (member, value) in [
        ("principal", json!(shorten(&principal.key()))),
        ("role", json!(profile.role(principal).name.as_str())),
        ("request", json!(name_or_token(key, context.request.id.raw().get().trim_matches('"')))),
        ("method", json!(context.request.method)),
        ("name", json!(name)),
        ("params", params.into()),
    ] {
        content.insert(member.to_owned(), value);
    }
    content
}

/// The record of a request that is being served. It is written when the request ends, however it does.
pub(super) struct Entry<'a> {
    log: &'a AuditLog,
    content: Object,
    begun: Instant,
    written: bool,
}

impl<'a> Entry<'a> {
    /// Begins a record; none where there is no log. While the log cannot be written, nothing is done.
    pub(super) fn begin(profile: &'a Enterprise, context: &RequestContext) -> Result<Option<Self>, RpcError> {
        let Some(log) = &profile.audit else { return Ok(None) };
        if !log.works() {
            log.append(json!({"event": "writable again"})).map_err(|_| unwritable())?;
        }
        let content = description(profile, context);
        Ok(Some(Self { log, content, begun: Instant::now(), written: false }))
    }

    /// Writes how the request ended. The answer may leave only when that has been done.
    pub(super) fn end(mut self, result: &Result<Object, RpcError>) -> Result<(), RpcError> {
        let outcome = match result {
            Ok(result) if result.get("isError") == Some(&Value::Bool(true)) => "error",
            Ok(result) if result.contains_key("inputRequests") => "input_required",
            Ok(_) => "ok",
            Err(error) => {
                self.content.insert("code".to_owned(), error.code.into());
                "refused"
            }
        };
        self.write(outcome).map_err(|_| unwritable())
    }

    fn write(&mut self, outcome: &str) -> io::Result<()> {
        self.written = true;
        let mut content = std::mem::take(&mut self.content);
        content.insert("outcome".to_owned(), outcome.into());
        let millis = self.begun.elapsed().as_micros() as f64 / 1000.0;
        content.insert("ms".to_owned(), millis.into());
        self.log.append(content.into())
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        if !self.written {
            // Nobody waits for the answer any more.
            let _ = self.write("cancelled");
        }
    }
}

/// What is called, read or used, and with what parameters, as the log may know it.
fn described(key: &TokenKey, method: &str, params: &Object) -> (String, Object) {
    let member = if method == "resources/read" { "uri" } else { "name" };
    let name = params.get(member).and_then(Value::as_str).unwrap_or_default();
    let arguments = params.get("arguments").and_then(Value::as_object);
    let masked = arguments.into_iter().flatten().take(PARAMETERS);
    let masked = masked.map(|(name, value)| (name_or_token(key, name), parameter(key, value)));
    (name_or_token(key, name), masked.collect())
}

/// A name where it is written like one, else a stand-in. Whether anything has the name does not matter and is not looked
/// for, so that the time taken does not tell.
fn name_or_token(key: &TokenKey, name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte);
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    // As many as an id has at most, and fewer than an account or a card.
    if name.len() <= 64 && digits <= 9 && name.bytes().all(is_plain) {
        name.to_owned()
    } else {
        key.token("audit", name)
    }
}

/// A parameter as the log shows it: ids, words of the schemas and small numbers as they are, all else as a stand-in.
fn parameter(key: &TokenKey, value: &Value) -> Value {
    const SMALL: u64 = 1_000_000;
    match value {
        Value::Null | Value::Bool(_) => value.clone(),
        Value::Number(number) if number.as_u64().is_some_and(|number| number <= SMALL) => value.clone(),
        Value::String(text) if is_known(text) => value.clone(),
        Value::String(text) => key.token("audit", text).into(),
        other => key.token("audit", &other.to_string()).into(),
    }
}

fn is_known(text: &str) -> bool {
    let words = [STATUSES, tools_orders::STATUSES, DEPARTMENTS].concat();
    Kind::ALL.iter().any(|kind| kind.is_id(text)) || words.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::{AuditLog, AuditReading, described};
    use crate::enterprise::masking::TokenKey;
    use serde_json::json;
    use std::sync::Arc;

    fn path(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("mcprove-audit-{}-{name}", std::process::id()))
    }

    #[test]
    fn a_log_goes_on_where_it_ended_and_a_torn_end_is_no_record() {
        let path = path("torn");
        let log = AuditLog::open(&path).unwrap();
        log.append(json!({"outcome": "ok"})).unwrap();
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

    #[test]
    fn parameters_are_masked() {
        let key = TokenKey(Arc::new([1; 32]));
        let params = json!({"name": "refund_order", "arguments": {
            "order": "o-5001", "reason": "card 4111111111111111", "limit": 5, "4111111111111111": 4_111_111_111_111_111_u64,
            "status": "paid", "nested": {"email": "ada@mail.example"},
        }});
        let (name, masked) = described(&key, "tools/call", params.as_object().unwrap());
        assert_eq!(name, "refund_order");
        assert_eq!(
            (&masked["order"], &masked["limit"], &masked["status"]),
            (&json!("o-5001"), &json!(5), &json!("paid"))
        );
        let text = json!(masked).to_string();
        assert!(!text.contains("4111") && !text.contains("mail") && text.contains("tok_"), "{text}");
        let (name, _) =
            described(&key, "resources/read", json!({"uri": "customer://c-1001"}).as_object().unwrap());
        assert_eq!(name, "customer://c-1001");
        let (name, _) =
            described(&key, "resources/read", json!({"uri": "file:///etc/passwd"}).as_object().unwrap());
        assert_eq!(name, "file:///etc/passwd");
        let (name, _) = described(
            &key,
            "resources/read",
            json!({"uri": "customer://4111111111111"}).as_object().unwrap(),
        );
        assert!(name.starts_with("tok_"));
    }
}
