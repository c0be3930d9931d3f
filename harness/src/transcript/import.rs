//! Makes records of conversations that others have written down.

use super::record::{About, Record};
use crate::protocol::Transport;
use crate::wire::{BodyEnd, BodyReader, Channel, End, Event, Flow, Headers, Payload};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use std::time::Duration;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Lines with `-->` and `<--`.
    Arrows,
    /// An HTTP archive.
    Har,
    /// A log of a client.
    Log,
}

/// Why a file could not be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is of no kind that is known.
    #[error("it is neither lines with `-->` and `<--`, nor a HAR file, nor a log of a client that is known")]
    Unknown,
    /// A line is damaged.
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// It is no HTTP archive.
    #[error("it is no HTTP archive: {0}")]
    Har(String),
    /// There is no message in it.
    #[error("there is no message in it")]
    Empty,
}

/// What was imported.
#[derive(Debug, Clone)]
pub struct Imported {
    /// What the conversation was.
    pub about: About,
    /// When it began, RFC 3339, where that is known.
    pub started_at: Option<String>,
    /// Its events.
    pub records: Vec<Record>,
    /// How many lines of a log, or entries of an archive, are not part of it.
    pub left_out: usize,
}

/// Says what a text is.
pub fn source(text: &str) -> Option<Source> {
    if text.trim_start().starts_with('{') && text.contains("\"entries\"") && text.contains("\"log\"") {
        return Some(Source::Har);
    }
    text.lines().find_map(|line| {
        if arrow(line).is_some() {
            Some(Source::Arrows)
        } else if logged(line).is_some() {
            Some(Source::Log)
        } else {
            None
        }
    })
}

/// Imports a text.
///
/// # Errors
/// When it is not what it should be, or has no message.
pub fn import(text: &str, from: Option<Source>, name: &str) -> Result<Imported, ImportError> {
    let mut tape = Tape::default();
    let from = from.or_else(|| source(text)).ok_or(ImportError::Unknown)?;
    match from {
        Source::Arrows => arrows(text, &mut tape)?,
        Source::Log => log(text, &mut tape),
        Source::Har => har(text, &mut tape)?,
    }
    let any = |record: &Record| matches!(record.event, Event::Sent { .. } | Event::Received { .. });
    if !tape.records.iter().any(any) {
        return Err(ImportError::Empty);
    }
    let transport = if from == Source::Har { Transport::Http } else { Transport::Stdio };
    let about = About { revision: None, transport, purpose: "imported".to_owned(), target: name.to_owned() };
    let Tape { records, left_out, started, .. } = tape;
    Ok(Imported { about, started_at: started.map(|at| at.to_string()), records, left_out })
}

#[derive(Default)]
struct Tape {
    records: Vec<Record>,
    started: Option<jiff::Timestamp>,
    at: Duration,
    left_out: usize,
}

impl Tape {
    fn push(&mut self, channel: Channel, event: Event) {
        let seq = self.records.len() as u64;
        self.records.push(Record { seq, at: self.at, channel, event });
    }

    /// The time of what comes next; never back.
    fn clock(&mut self, time: Option<jiff::Timestamp>) {
        let Some(time) = time else { return };
        let started = *self.started.get_or_insert(time);
        let passed = Duration::try_from(time.duration_since(started)).unwrap_or_default();
        self.at = self.at.max(passed);
    }

    fn message(&mut self, sent: bool, text: &str) {
        let payload = Payload::read(text.to_owned());
        self.push(
            Channel::PROCESS,
            if sent {
                Event::Sent { payload, deliberate: None }
            } else {
                Event::Received { payload, sse: None }
            },
        );
    }
}

/// The direction and the text of a line with an arrow.
fn arrow(line: &str) -> Option<(bool, &str)> {
    let line = line.trim();
    [("-->", true), ("<--", false)]
        .into_iter()
        .find_map(|(arrow, sent)| Some((sent, line.strip_prefix(arrow)?.trim())))
}

fn arrows(text: &str, tape: &mut Tape) -> Result<(), ImportError> {
    for (index, line) in text.lines().enumerate() {
        let fail = |reason: &str| ImportError::Line { line: index + 1, reason: reason.to_owned() };
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') || trimmed.starts_with("//") {
            continue;
        }
        let (sent, text) = arrow(line).ok_or_else(|| fail("it begins with neither `-->` nor `<--`"))?;
        if text.is_empty() {
            return Err(fail("there is nothing behind the arrow"));
        }
        tape.message(sent, text);
    }
    Ok(())
}

/// A message in a line of a log: the time, the direction and the text.
///
/// Claude Desktop: `2026-01-01T00:00:00.000Z [name] [info] Message from client: {…} { metadata: undefined }`.
/// VS Code: `2026-01-01 00:00:00.000 [trace] [editor -> server] {…}`.
fn logged(line: &str) -> Option<(Option<jiff::Timestamp>, bool, &str)> {
    const MARKS: [(&str, bool); 4] = [
        ("Message from client: ", true),
        ("Message from server: ", false),
        ("[editor -> server] ", true),
        ("[server -> editor] ", false),
    ];
    let (at, mark, sent) = MARKS.into_iter().find_map(|(mark, sent)| Some((line.find(mark)?, mark, sent)))?;
    let text = &line[at + mark.len()..];
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let text = text.trim_end();
    let text = text.strip_suffix("{ metadata: undefined }").map_or(text, str::trim_end);
    Some((time(line), sent, text))
}

/// The time at the beginning of a line.
fn time(line: &str) -> Option<jiff::Timestamp> {
    let first = line.split_whitespace().next()?;
    if let Ok(time) = first.parse() {
        return Some(time);
    }
    let second = line.split_whitespace().nth(1)?;
    format!("{first}T{second}Z").parse().ok()
}

fn log(text: &str, tape: &mut Tape) {
    for line in text.lines() {
        if let Some((time, sent, text)) = logged(line) {
            tape.clock(time);
            if text.contains(" chars truncated]...") {
                let note = "the log has only a part of the next message".to_owned();
                tape.push(Channel::PROCESS, Event::Note(note));
                let bytes = text.to_owned().into();
                let error = Some("the log has only a part of it".to_owned());
                let payload = Payload::Raw { bytes, error, truncated: true };
                let event = match sent {
                    true => Event::Sent { payload, deliberate: None },
                    false => Event::Received { payload, sse: None },
                };
                tape.push(Channel::PROCESS, event);
            } else {
                tape.message(sent, text);
            }
        } else {
            tape.left_out += usize::from(!line.trim().is_empty());
        }
    }
}

#[derive(Deserialize)]
struct Har {
    log: HarLog,
}

#[derive(Deserialize)]
struct HarLog {
    entries: Vec<HarEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HarEntry {
    started_date_time: Option<String>,
    request: HarRequest,
    response: HarResponse,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HarRequest {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<HarPair>,
    post_data: Option<HarText>,
}

#[derive(Deserialize)]
struct HarResponse {
    status: u16,
    #[serde(default)]
    headers: Vec<HarPair>,
    content: Option<HarText>,
}

#[derive(Deserialize)]
struct HarPair {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct HarText {
    text: Option<String>,
    encoding: Option<String>,
}

impl HarText {
    fn bytes(self) -> Option<Vec<u8>> {
        let text = self.text.filter(|text| !text.is_empty())?;
        match self.encoding.as_deref() {
            Some("base64") => BASE64.decode(text).ok(),
            _ => Some(text.into_bytes()),
        }
    }
}

/// Entries of other pages than MCP endpoints are left out: those that neither send nor get JSON-RPC or an event stream.
fn har(text: &str, tape: &mut Tape) -> Result<(), ImportError> {
    let har: Har = serde_json::from_str(text).map_err(|error| ImportError::Har(error.to_string()))?;
    let mut number = 0;
    for entry in har.log.entries {
        let pairs = |pairs: Vec<HarPair>| -> Headers {
            // HTTP/2 writes the request line as headers.
            let plain = pairs.into_iter().filter(|pair| !pair.name.starts_with(':'));
            plain.map(|pair| (pair.name, pair.value)).collect()
        };
        let body = entry.request.post_data.and_then(HarText::bytes);
        let content = entry.response.content.and_then(HarText::bytes);
        let mut headers = pairs(entry.response.headers);
        // The archive has the body as it was before any coding.
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-encoding"));
        let rpc = |bytes: &Option<Vec<u8>>| {
            bytes.as_ref().is_some_and(|bytes| memchr::memmem::find(bytes, b"\"jsonrpc\"").is_some())
        };
        let stream = crate::wire::header(&headers, "content-type")
            .is_some_and(|kind| kind.starts_with("text/event-stream"));
        if !rpc(&body) && !rpc(&content) && !stream {
            tape.left_out += 1;
            continue;
        }
        number += 1;
        let channel = Channel(number);
        tape.clock(entry.started_date_time.and_then(|time| time.parse().ok()));
        tape.push(
            channel,
            Event::RequestHead {
                method: entry.request.method,
                url: entry.request.url,
                headers: pairs(entry.request.headers),
                deliberate: None,
            },
        );
        if let Some(body) = body {
            tape.push(channel, Event::Sent { payload: Payload::read(body), deliberate: None });
        }
        let mut reader = BodyReader::new(&headers, 64 << 20);
        tape.push(channel, Event::ResponseHead { status: entry.response.status, headers });
        let mut take = |event| {
            tape.push(channel, event);
            Flow::Continue
        };
        reader.push(&content.unwrap_or_default(), &mut take);
        reader.finish(BodyEnd::Complete, &mut take);
        tape.push(channel, Event::ResponseEnded(End::Complete));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directions(imported: &Imported) -> String {
        let sign = |record: &Record| match record.event {
            Event::Sent { .. } => ">",
            Event::Received { .. } => "<",
            _ => "",
        };
        imported.records.iter().map(sign).collect()
    }

    #[test]
    fn logs_of_clients_are_read() {
        let desktop = "2025-07-12T05:51:44.599Z [x] [info] Server started { metadata: undefined }\n\
            2025-07-12T05:51:44.601Z [x] [info] Message from client: {\"method\":\"ping\",\"jsonrpc\":\"2.0\",\"id\":0} { metadata: undefined }\n\
            2025-07-12T05:51:45.101Z [x] [info] Message from server: {\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}} { metadata: undefined }\n\
            2025-07-12T05:51:46.101Z [x] [info] Message from server: {\"a\":\"...[18778 chars truncated]...\"} { metadata: undefined }\n";
        let imported = import(desktop, None, "x").unwrap();
        assert_eq!((directions(&imported).as_str(), imported.left_out), ("><<", 1));
        assert_eq!(imported.records[1].at, Duration::from_millis(500));
        let Event::Sent { payload: Payload::Message(message), .. } = &imported.records[0].event else {
            panic!()
        };
        assert_eq!(message.method(), Some("ping"));
        let code = "2025-04-11 17:37:13.853 [trace] [editor -> server] {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\
            2025-04-11 17:37:13.863 [trace] [server -> editor] {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n";
        let imported = import(code, None, "x").unwrap();
        assert_eq!(
            (directions(&imported).as_str(), imported.records[1].at),
            ("><", Duration::from_millis(10))
        );
    }

    #[test]
    fn lines_with_arrows_are_read() {
        let text = "# a comment\n--> {\"id\":1,\"method\":\"ping\"}\n\n<-- no JSON\n";
        assert_eq!(directions(&import(text, None, "x").unwrap()), "><");
        let error = import("--> {}\nhello\n", None, "x").unwrap_err();
        assert_eq!(error.to_string(), "line 2: it begins with neither `-->` nor `<--`");
        assert!(matches!(import("hello", None, "x"), Err(ImportError::Unknown)));
        assert!(matches!(import("# nothing", Some(Source::Arrows), "x"), Err(ImportError::Empty)));
    }

    #[test]
    fn archives_are_read() {
        let har = serde_json::json!({"log": {"entries": [
            {"request": {"method": "GET", "url": "http://h/logo.png"}, "response": {"status": 200}},
            {"startedDateTime": "2025-01-01T00:00:00Z",
             "request": {"method": "POST", "url": "http://h/mcp", "headers": [{"name": ":authority", "value": "h"}],
                "postData": {"text": "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"}},
             "response": {"status": 200, "headers": [{"name": "Content-Type", "value": "text/event-stream"}],
                "content": {"text": "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n"}}}]}});
        let imported = import(&har.to_string(), None, "x").unwrap();
        assert_eq!((directions(&imported).as_str(), imported.records.len()), ("><", 5));
        assert_eq!(imported.left_out, 1);
        assert!(matches!(import("{\"log\": 3, \"entries\": 1}", None, "x"), Err(ImportError::Har(_))));
    }
}
