//! What crossed the wire when a fault was caught, and what crosses it at the same place when the honest server is
//! checked: the examples of `explain`, without anything that differs from run to run.

use super::matrix::Matrix;
use super::planted::Planted;
use crate::protocol::catalogue::{Catalogue, Example, Selection};
use crate::protocol::{Revision, Transport};
use crate::run::{Finding, Outcome, ResultRow, RunEvent};
use crate::transcript::{Record, Transcript};
use crate::wire::{Channel, Event, Payload};
use futures_util::StreamExt as _;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// The most that is kept of a message, in characters.
const LONGEST: usize = 600;

/// A conversation of a check.
struct Told {
    revision: Revision,
    transport: Transport,
    records: Vec<Record>,
}

impl Told {
    /// The conversation of a transcript; `None` where it cannot be read.
    fn read(file: &Path, revision: Revision, transport: Transport) -> Option<Self> {
        let transcript = Transcript::read(BufReader::new(File::open(file).ok()?)).ok()?;
        Some(Self { revision, transport, records: transcript.records })
    }

    fn at(&self, seq: u64) -> Option<&Record> {
        let index = self.records.partition_point(|record| record.seq < seq);
        self.records.get(index).filter(|record| record.seq == seq)
    }

    /// The message with which the harness asked for what was received, by its id; over HTTP else by the channel.
    fn asked(&self, received: &Record) -> Option<&Record> {
        let before = || self.records.iter().rev().filter(|record| record.seq < received.seq);
        let by_id = value(received).and_then(|message| {
            let id = message.get("id").filter(|_| message.get("method").is_none())?.clone();
            before().find(|record| {
                is_sent(record) && value(record).is_some_and(|sent| sent.get("id") == Some(&id))
            })
        });
        by_id.or_else(|| {
            let here =
                |record: &&Record| received.channel != Channel::PROCESS && record.channel == received.channel;
            before().filter(here).find(|record| is_sent(record))
        })
    }

    /// What came for a message that was sent: the answer with its id, else what else came on its channel.
    fn answered(&self, sent: &Record) -> Option<&Record> {
        let after = || self.records.iter().filter(|record| record.seq > sent.seq);
        let id = value(sent).and_then(|message| message.get("id").cloned());
        let by_id = id.and_then(|id| {
            after().find(|record| {
                is_received(record)
                    && value(record).is_some_and(|m| m.get("id") == Some(&id) && m.get("method").is_none())
            })
        });
        by_id.or_else(|| {
            let here = |record: &&Record| sent.channel != Channel::PROCESS && record.channel == sent.channel;
            after().filter(here).find(|record| is_received(record) || is_head(record))
        })
    }
}

fn is_sent(record: &Record) -> bool {
    matches!(record.event, Event::Sent { .. })
}

fn is_received(record: &Record) -> bool {
    matches!(record.event, Event::Received { .. })
}

fn is_head(record: &Record) -> bool {
    matches!(record.event, Event::ResponseHead { .. })
}

fn text(record: &Record) -> Option<String> {
    match &record.event {
        Event::Sent { payload, .. } | Event::Received { payload, .. } => {
            Some(String::from_utf8_lossy(payload.bytes()).into_owned())
        }
        Event::ResponseHead { status, headers } => {
            let lines = headers.iter().map(|(name, value)| format!("\n{name}: {value}"));
            Some(format!("HTTP {status}{}", lines.collect::<String>()))
        }
        _ => None,
    }
}

fn value(record: &Record) -> Option<Value> {
    match &record.event {
        Event::Sent { payload: Payload::Message(message), .. }
        | Event::Received { payload: Payload::Message(message), .. } => {
            serde_json::from_str(message.text()).ok()
        }
        _ => None,
    }
}

/// What makes two messages the same stimulus: all but the id and what differs from run to run.
fn stimulus(message: &Value) -> String {
    let mut message = message.clone();
    if let Some(members) = message.as_object_mut() {
        members.remove("id");
    }
    steady(&message.to_string())
}

/// The stimuli of the honest server, with what came for them.
#[derive(Default)]
struct Honest {
    conversations: Vec<Told>,
    asked: HashMap<(Revision, Transport, String), (usize, usize)>,
    /// Messages of the server's own, by their method.
    told: HashMap<(Revision, Transport, String), (usize, usize)>,
}

impl Honest {
    fn of(conversations: Vec<Told>) -> Self {
        let mut honest = Self::default();
        for (c, conversation) in conversations.iter().enumerate() {
            for (r, record) in conversation.records.iter().enumerate() {
                let Some(message) = value(record) else { continue };
                let unit = |text: String| (conversation.revision, conversation.transport, text);
                if is_sent(record) {
                    if conversation.answered(record).is_some() {
                        honest.asked.entry(unit(stimulus(&message))).or_insert((c, r));
                    }
                } else if let Some(method) = message.get("method").and_then(Value::as_str) {
                    honest.told.entry(unit(method.to_owned())).or_insert((c, r));
                }
            }
        }
        honest.conversations = conversations;
        honest
    }

    /// What was sent and what came at the place where a finding was made, as far as there is such a place.
    fn like(&self, conversation: &Told, finding: &Finding) -> (Option<String>, Option<String>) {
        let decisive = finding.evidence.event.and_then(|seq| conversation.at(seq));
        let sent = match decisive {
            Some(record) if is_sent(record) => Some(record),
            Some(record) => conversation.asked(record),
            None => None,
        };
        let unit = |text: String| (conversation.revision, conversation.transport, text);
        let of_text =
            finding.evidence.sent.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let asked = of_text.or_else(|| sent.and_then(value)).map(|message| stimulus(&message));
        if let Some((c, r)) = asked.and_then(|stimulus| self.asked.get(&unit(stimulus))) {
            let sent = &self.conversations[*c].records[*r];
            let answer = self.conversations[*c].answered(sent).and_then(text);
            return (text(sent), answer);
        }
        let method = decisive.and_then(value).and_then(|m| Some(m.get("method")?.as_str()?.to_owned()));
        match method.and_then(|method| self.told.get(&unit(method))) {
            Some((c, r)) => (None, text(&self.conversations[*c].records[*r])),
            None => (None, None),
        }
    }
}

/// Makes the examples of all that the faults break, and tells of each fault that was tried. One stands for each
/// requirement: that of the first fault that breaks it.
pub async fn examples(
    matrix: &Matrix,
    faults: &[Planted],
    told: &mut dyn FnMut(&str, usize),
) -> Vec<Example> {
    let Ok(scratch) = Scratch::new("honest") else { return Vec::new() };
    let (_, conversations) = matrix.recorded(None, &Selection::all(), &scratch).await;
    let honest = Honest::of(conversations.into_values().collect());
    let mut examples: BTreeMap<String, Example> = BTreeMap::new();
    let mut tried: BTreeSet<&str> = BTreeSet::new();
    loop {
        // In each round the first fault of each requirement that none has shown yet.
        let mut taken: BTreeSet<&str> = BTreeSet::new();
        let mut round: Vec<(&Planted, Vec<&str>)> = Vec::new();
        for fault in faults.iter().filter(|fault| !tried.contains(fault.id.as_str())) {
            let open = fault.breaks.iter().map(String::as_str).filter(|id| !examples.contains_key(*id));
            let open: Vec<&str> = open.filter(|id| taken.insert(id)).collect();
            if !open.is_empty() {
                round.push((fault, open));
            }
        }
        if round.is_empty() || matrix.stop.wanted().is_some() {
            break;
        }
        tried.extend(round.iter().map(|(fault, _)| fault.id.as_str()));
        let checks = round.into_iter().map(|(fault, open)| matrix.shown(fault, open, &honest));
        let mut checks = futures_util::stream::iter(checks).buffered(matrix.jobs.max(1));
        while let Some((fault, shown)) = checks.next().await {
            told(&fault.id, shown.len());
            for example in shown {
                examples.entry(example.id.clone()).or_insert(example);
            }
        }
    }
    examples.into_values().collect()
}

/// The order in which units are read most easily: STDIO first, and the newest revision with a handshake.
fn rank(revision: Revision, transport: Transport) -> (Transport, bool, std::cmp::Reverse<Revision>) {
    (transport, revision != Revision::V2025_11_25, std::cmp::Reverse(revision))
}

/// A folder for the conversations of one check.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> std::io::Result<Self> {
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let folder = std::env::temp_dir().join(format!("mcprove-examples-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is litter in a folder for it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Matrix {
    /// The examples that a fault gives of some of what it breaks.
    async fn shown<'a>(
        &self,
        fault: &'a Planted,
        open: Vec<&str>,
        honest: &Honest,
    ) -> (&'a Planted, Vec<Example>) {
        let mut examples: Vec<Example> = Vec::new();
        let Ok(selection) = Selection::parse(&open) else { return (fault, examples) };
        // One unit is enough, if it shows there.
        let mut narrow = fault.clone();
        if let Some((revision, transport)) = fault.units().min_by_key(|(r, t)| rank(*r, *t)) {
            narrow.revisions = vec![revision];
            narrow.transports = vec![transport];
        }
        for planted in [&narrow, fault] {
            let known = |id: &str, examples: &[Example]| examples.iter().any(|example| example.id == id);
            if self.stop.wanted().is_some() || open.iter().all(|id| known(id, &examples)) {
                break;
            }
            let Ok(scratch) = Scratch::new(&fault.id) else { break };
            let (rows, conversations) = self.recorded(Some(planted), &selection, &scratch).await;
            for example in of_rows(fault, &rows, &conversations, honest) {
                if open.contains(&example.id.as_str()) && !known(&example.id, &examples) {
                    examples.push(example);
                }
            }
        }
        (fault, examples)
    }

    /// The rows and conversations of a check of the server, with a fault or without.
    async fn recorded(
        &self,
        fault: Option<&Planted>,
        selection: &Selection,
        scratch: &Scratch,
    ) -> (Vec<ResultRow>, BTreeMap<String, Told>) {
        let mut config = self.config(fault, selection.clone());
        config.transcripts = Some(scratch.0.clone());
        let target = self.target(fault);
        let (mut rows, mut files) = (Vec::new(), Vec::new());
        let mut take = |event: RunEvent| match event {
            RunEvent::Result(row) => rows.push(*row),
            RunEvent::Conversation { transcript, revision, transport, .. } => {
                files.push((transcript, revision, transport));
            }
            _ => {}
        };
        target.check(config, &mut take).await;
        let conversations = files.into_iter().filter_map(|(name, revision, transport)| {
            let file = scratch.0.join(Path::new(&name).file_name()?);
            let told = Told::read(&file, revision, transport)?;
            Some((name, told))
        });
        (rows, conversations.collect())
    }
}

/// The examples that the rows of a fault's check give: one for each requirement that it breaks itself.
fn of_rows(
    fault: &Planted,
    rows: &[ResultRow],
    conversations: &BTreeMap<String, Told>,
    honest: &Honest,
) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut done = BTreeSet::new();
    let mut sorted: Vec<&ResultRow> =
        rows.iter().filter(|row| fault.breaks.contains(&row.requirement)).collect();
    sorted.sort_by_key(|row| rank(row.revision, row.transport));
    for row in sorted {
        let Some(finding) = row.findings.first() else { continue };
        if !matches!(row.outcome, Outcome::Fail | Outcome::Warn) || !done.insert(&row.requirement) {
            continue;
        }
        let conversation = finding.transcript.as_ref().and_then(|name| conversations.get(name));
        let (good_sent, good_received) =
            conversation.map_or((None, None), |conversation| honest.like(conversation, finding));
        let asked = conversation.and_then(|conversation| {
            conversation.asked(conversation.at(finding.evidence.event?)?).and_then(text)
        });
        let short = |text: Option<String>| text.map(|text| shortened(&steady(&text)));
        examples.push(Example {
            id: row.requirement.clone(),
            fault: fault.id.clone(),
            about: fault.about.clone(),
            revision: row.revision.to_string(),
            transport: row.transport.to_string(),
            message: shortened(&steady(&finding.message)),
            expected: finding.expected.iter().take(6).map(|text| shortened(&steady(text))).collect(),
            actual: shortened(&steady(&finding.actual)),
            sent: short(finding.evidence.sent.clone().or(asked)),
            received: short(finding.evidence.received.clone()),
            good_sent: short(good_sent),
            good_received: short(good_received),
        });
    }
    examples
}

/// The files of `catalogue/examples/` that the examples make, by area.
pub fn example_files(examples: &[Example]) -> BTreeMap<&'static str, String> {
    #[derive(Serialize)]
    struct Rows<'a> {
        row: Vec<&'a Example>,
    }
    let head = "# What was seen on the wire when the requirements of this area were kept and broken. Written by `mcprove kill-matrix --examples`.\n";
    let mut files = BTreeMap::new();
    for area in Catalogue::get().areas() {
        let of_area = Catalogue::get().iter().filter(|row| row.area == *area);
        let row: Vec<&Example> =
            of_area.filter_map(|row| examples.iter().find(|example| example.id == row.id)).collect();
        let rows =
            if row.is_empty() { String::new() } else { toml::to_string(&Rows { row }).unwrap_or_default() };
        files.insert(*area, format!("{head}{}{rows}", if rows.is_empty() { "" } else { "\n" }));
    }
    files
}

/// At most [`LONGEST`] characters.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A text without what differs from run to run: ids of messages, ports, times, and what is made at random.
fn steady(text: &str) -> String {
    let mut steady = String::with_capacity(text.len());
    let mut word = String::new();
    // The id of a message is a number beside its name.
    let mut after_id = false;
    // What follows the hour of a time belongs to it.
    let mut in_time = false;
    for c in text.chars().chain([' ']) {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') {
            word.push(c);
            continue;
        }
        if in_time && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'Z') {
            in_time = matches!(c, ':' | '.');
            word.clear();
            if !in_time {
                steady.push(c);
            }
            continue;
        }
        let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        if after_id && is_number {
            steady.push('1');
        } else if is_number && steady.ends_with("127.0.0.1:") {
            steady.push_str("PORT");
        } else {
            let stands = changing(&word).unwrap_or(&word);
            in_time = stands == "TIME" && c == ':';
            steady.push_str(stands);
        }
        if !word.is_empty() || !matches!(c, '"' | ':' | ' ') {
            after_id = word == "id" && c == '"' && steady.ends_with("\"id");
        }
        word.clear();
        if !in_time {
            steady.push(c);
        }
    }
    steady.pop();
    steady
}

/// What stands for a word that differs from run to run.
fn changing(word: &str) -> Option<&'static str> {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let hex = word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if hex && word.len() >= 8 && digits > 0 && word.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return Some("RANDOM");
    }
    let dated = word.len() >= 13 && word.as_bytes().get(10) == Some(&b'T') && word.starts_with("20");
    if dated {
        return Some("TIME");
    }
    (digits == word.len() && digits >= 9).then_some("NUMBER").or_else(|| {
        let mixed = word.len() >= 20 && digits >= 4 && !word.contains(['-', '_']);
        (mixed || word.len() >= 40).then_some("RANDOM")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_gone() {
        for (text, expected) in [
            (r#"{"jsonrpc":"2.0","id":85,"method":"ping"}"#, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#),
            (
                r#"{"jsonrpc":"2.0","id": 7 ,"result":{"n":85}}"#,
                r#"{"jsonrpc":"2.0","id": 1 ,"result":{"n":85}}"#,
            ),
            ("POST http://127.0.0.1:41234/mcp", "POST http://127.0.0.1:PORT/mcp"),
            ("at 2026-11-22T17:28:58.944Z, or", "at TIME, or"),
            ("mcp-session-id: 3f2a99c1d4e5f60718293a4b5c6d7e8f", "mcp-session-id: RANDOM"),
            ("2025-11-25 and no-such-method", "2025-11-25 and no-such-method"),
            ("\"code\":-32601", "\"code\":-32601"),
        ] {
            assert_eq!(steady(text), expected);
        }
        let long = "ä".repeat(LONGEST + 1);
        assert_eq!(shortened(&long).chars().count(), LONGEST + 1);
    }
}
