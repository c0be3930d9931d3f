//! A recording as a script: what the client sent, what each of its messages has to wait for, and what the server said.

use super::bind::{Bonds, Bound, bonds};
use super::split::sessions;
use crate::protocol::{Era, Kind, Message, Revision, Transport};
use crate::transcript::{About, ReadError, Record, Rule, RulePart, TranscriptReader, is_placeholder};
use crate::wire::{Channel, Event, Headers, Payload};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::BufRead;
use std::time::Duration;

/// How many messages a recording may have that is replayed, those of both sides together.
const MESSAGES: usize = 20_000;
/// How many bytes these may have.
const BYTES: usize = 64 << 20;
/// The version that a request of the modern era names.
pub(super) const VERSION: &str = "/_meta/io.modelcontextprotocol~1protocolVersion";

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It does not fit into the memory that is meant for it.
    #[error(
        "it is too long to be replayed or exported: more than {MESSAGES} messages, or {} MiB of them; take a shorter part of it",
        BYTES >> 20
    )]
    TooLong,
    /// There is nothing to send.
    #[error("no message of a client is in it, so there is nothing to replay")]
    Empty,
}

/// What the client did in a recording, and what the server said.
#[derive(Debug, Clone)]
pub struct Script {
    /// What was recorded.
    pub about: About,
    /// What may differ, by the header of the recording.
    pub rules: Vec<Rule>,
    /// The command of the server, where one was started.
    pub command: Vec<String>,
    /// The sessions, in the order in which they began. Over STDIO there is one.
    pub sessions: Vec<Session>,
    /// Whether the file was cut off.
    pub truncated: bool,
}

/// One session of a recording.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// Its id, or what stands for it; only over HTTP, and where the server gave any.
    pub name: Option<String>,
    /// What the client sent, in order.
    pub sends: Vec<Send>,
    /// What the server said, in order.
    pub expected: Vec<Expected>,
    /// How often it sent what is no message.
    pub noise: usize,
    /// How the process ended, where it did so before its input was closed: its exit code, and the signal.
    pub ended: Option<(Option<i32>, Option<i32>)>,
    /// What of the client's messages comes from the server.
    pub(super) bonds: Bonds,
}

/// Something that the client did.
#[derive(Debug, Clone)]
pub struct Send {
    /// The event in the recording.
    pub seq: u64,
    /// When, since the recording began.
    pub at: Duration,
    /// The exchange that carried it, or the process.
    pub channel: Channel,
    /// What it was.
    pub what: Sending,
    /// How many of the server's messages had come before it.
    pub after: usize,
    /// Which of the server's requests it answers, by its place among the expected messages.
    pub answers: Option<usize>,
    /// The status of the HTTP response to it.
    pub status: Option<u16>,
    /// The URL of the HTTP request that carried it; empty over STDIO.
    pub url: String,
    /// The headers of the HTTP request that carried it.
    pub headers: Headers,
}

/// What a client does.
#[derive(Debug, Clone)]
pub enum Sending {
    /// Sends a message, a batch, or bytes that are neither.
    Payload(Payload),
    /// Opens the stream on which the server may speak by itself (HTTP, legacy era).
    Listen,
    /// Ends the session (HTTP, legacy era).
    Delete,
    /// Closes the response to an earlier send, by its number (HTTP); in the modern era that cancels a request.
    Abort(usize),
}

/// A message that the server sent.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The event in the recording.
    pub seq: u64,
    /// When, since the recording began.
    pub at: Duration,
    /// The exchange on which it came, or the process.
    pub channel: Channel,
    /// The message.
    pub message: Message,
    /// What it is.
    pub part: RulePart,
    /// Its method, or that of the request that it answers; empty where it answers what was no request.
    pub method: String,
    /// How many like it came before it. Of an answer: how many requests of the method came before the one that it answers.
    pub nth: u64,
    /// The send that it answers, or to which it belongs.
    pub owner: Option<usize>,
    /// Whether it came after the client had closed its side.
    pub after_close: bool,
    /// Whether it answers a subscription, which it ends.
    pub ends_subscription: bool,
    /// Whether a replay compares it. What stands for the answer of another era is only waited for.
    pub compared: bool,
}

impl Send {
    /// The messages in it.
    pub fn messages(&self) -> Vec<Message> {
        match &self.what {
            Sending::Payload(Payload::Message(message)) => message.parts(),
            _ => Vec::new(),
        }
    }

    /// What it is, in a few words.
    pub fn name(&self) -> String {
        match &self.what {
            Sending::Payload(Payload::Raw { .. }) => "bytes that are no message".to_owned(),
            Sending::Payload(Payload::Message(message)) if *message.kind() == Kind::Batch => {
                "a batch".to_owned()
            }
            Sending::Payload(Payload::Message(message)) => match message.method() {
                Some(method) => method.to_owned(),
                None => "an answer".to_owned(),
            },
            Sending::Listen => "GET".to_owned(),
            Sending::Delete => "DELETE".to_owned(),
            Sending::Abort(_) => "the close of a response".to_owned(),
        }
    }

    /// Whether it is a request that is to be answered.
    pub fn is_request(&self) -> bool {
        self.messages().iter().any(|message| *message.kind() == Kind::Request)
    }
}

impl Script {
    /// Reads a recording.
    ///
    /// # Errors
    /// When it cannot be read, is too long, or no client speaks in it.
    pub fn read<R: BufRead>(mut reader: TranscriptReader<R>) -> Result<Self, ScriptError> {
        let (mut records, mut messages, mut bytes) = (Vec::new(), 0, 0);
        while let Some(record) = reader.next_record()? {
            match &record.event {
                Event::Sent { payload, .. } | Event::Received { payload, .. } => {
                    bytes += payload.bytes().len();
                    messages += 1;
                }
                // None of it is replayed or compared.
                Event::Stderr(_) | Event::Note(_) | Event::SseOther(_) => continue,
                _ => {}
            }
            // Each message has a few events about it.
            if messages > MESSAGES || bytes > BYTES || records.len() > 8 * MESSAGES {
                return Err(ScriptError::TooLong);
            }
            records.push(record);
        }
        let truncated = reader.truncated();
        let mut script = Self::of_records(reader.about(), reader.rules(), records)?;
        script.truncated = truncated;
        Ok(script)
    }

    /// A script of the events of a conversation.
    ///
    /// # Errors
    /// When no client speaks in it.
    pub fn of_records(about: &About, rules: &[Rule], records: Vec<Record>) -> Result<Self, ScriptError> {
        let started = records.iter().find_map(|record| match &record.event {
            Event::ProcessStarted { command, .. } => Some(command.clone()),
            _ => None,
        });
        let split = sessions(about.transport, records);
        let mut sessions: Vec<Session> =
            split.into_iter().map(|(name, records)| super::reading::read(name, &records)).collect();
        sessions.retain(|session| session.sends.iter().any(|send| matches!(send.what, Sending::Payload(_))));
        if sessions.is_empty() {
            return Err(ScriptError::Empty);
        }
        Ok(Self {
            about: about.clone(),
            rules: rules.to_vec(),
            command: started.unwrap_or_default(),
            sessions,
            truncated: false,
        })
    }

    /// How many messages the client sends.
    pub fn sends(&self) -> usize {
        self.sessions.iter().map(|session| session.sends.len()).sum()
    }

    /// The longest that an answer took.
    pub fn longest(&self) -> Duration {
        let answers = |session: &Session| {
            let took = |one: &Expected| one.owner.map(|owner| one.at.saturating_sub(session.sends[owner].at));
            session.expected.iter().filter_map(took).max()
        };
        self.sessions.iter().filter_map(answers).max().unwrap_or_default()
    }

    /// The placeholders of secrets that the client sends and no server had said before, without the angle quotes.
    pub fn placeholders(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for session in &self.sessions {
            for send in &session.sends {
                for message in send.messages() {
                    let said = |text: &str| {
                        let earlier = session.expected.iter().take(send.after);
                        earlier.into_iter().any(|one| one.message.text().contains(text))
                    };
                    let mut rest = message.text();
                    while let Some((_, after)) = rest.split_once('«') {
                        let Some((name, after)) = after.split_once('»') else { break };
                        let whole = format!("«{name}»");
                        if is_placeholder(&whole) && !said(&whole) {
                            found.insert(name.to_owned());
                        }
                        rest = after;
                    }
                }
            }
        }
        found
    }

    /// The placeholders in the credentials of the recorded HTTP requests, without the angle quotes.
    pub fn credentials(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for send in self.sessions.iter().flat_map(|session| &session.sends) {
            for (name, value) in &send.headers {
                let hidden = value.split_once('«').and_then(|(_, rest)| rest.split_once('»'));
                if let Some((placeholder, _)) =
                    hidden.filter(|_| !name.eq_ignore_ascii_case("mcp-session-id"))
                {
                    found.insert(placeholder.to_owned());
                }
            }
        }
        found
    }

    /// The era in which it was recorded; `None` where nothing tells.
    pub fn era(&self) -> Option<Era> {
        self.sessions.iter().find_map(Session::era)
    }

    /// The revision in which it was recorded: the one agreed upon, else the one named.
    pub fn revision(&self) -> Option<Revision> {
        self.sessions.iter().find_map(Session::revision).or(self.about.revision)
    }

    /// The part of the script that has the sends for which `keep` says so (by session and number), with whatever those
    /// depend on: the opening, the request to which an answer was given, the request that a cancellation names, the
    /// request whose answer minted a value that is sent back.
    #[must_use]
    pub fn only(&self, keep: impl Fn(usize, usize) -> bool) -> Self {
        let part = |(number, session): (usize, &Session)| session.only(|send| keep(number, send));
        let mut sessions: Vec<Session> = self.sessions.iter().enumerate().map(part).collect();
        sessions.retain(|session| !session.sends.is_empty());
        Self {
            sessions,
            about: self.about.clone(),
            rules: self.rules.clone(),
            command: self.command.clone(),
            ..*self
        }
    }

    /// What of it a program does not do that sends the same bytes again, in sentences: it takes a replay.
    pub fn beyond_bytes(&self) -> Vec<String> {
        let mut told = Vec::new();
        let minted: BTreeSet<&str> =
            self.sessions.iter().flat_map(|session| session.bonds.minted()).collect();
        let shown: Vec<String> = minted.iter().take(3).map(|value| format!("`{value}`")).collect();
        if !minted.is_empty() {
            let more = if minted.len() > shown.len() { " and others" } else { "" };
            told.push(format!(
                "the server made up {}{more}; they are sent as they were, and one that makes up others refuses them",
                shown.join(", ")
            ));
        }
        let mut sends = self.sessions.iter().flat_map(|session| &session.sends);
        if sends.any(|send| send.answers.is_some()) {
            told.push("the client answers what the server asks on the way; the answers come when they came, with the ids of then".to_owned());
        }
        told
    }

    /// The same script with another message in the place of one that the client sends, by session and number.
    #[must_use]
    pub fn with_message(&self, session: usize, number: usize, message: Message) -> Self {
        let mut script = self.clone();
        if let Some(session) = script.sessions.get_mut(session)
            && let Some(send) = session.sends.get_mut(number)
        {
            send.what = Sending::Payload(Payload::Message(message));
            session.bind();
        }
        script
    }
}

impl Session {
    /// The era in which it was recorded, by its first message that tells.
    pub fn era(&self) -> Option<Era> {
        let messages = self.sends.iter().flat_map(Send::messages);
        let mut requests = messages.filter(|message| message.method().is_some());
        requests.find_map(|message| {
            if message.method() == Some("initialize") {
                Some(Era::Legacy)
            } else {
                message.params()?.pointer(VERSION).map(|_| Era::Modern)
            }
        })
    }

    /// The revision that was agreed upon or named.
    pub fn revision(&self) -> Option<Revision> {
        let agreed = self
            .expected
            .iter()
            .find(|expected| expected.method == "initialize" && expected.part == RulePart::Answer);
        let agreed = agreed.and_then(|answer| answer.message.result()?.get("protocolVersion")?.as_str());
        let named = || {
            let mut messages = self.sends.iter().flat_map(Send::messages);
            messages.find_map(|message| Some(message.params()?.pointer(VERSION)?.as_str()?.to_owned()))
        };
        agreed.map(str::to_owned).or_else(named)?.parse().ok()
    }

    /// See [`Script::only`].
    #[must_use]
    pub fn only(&self, keep: impl Fn(usize) -> bool) -> Self {
        let mut kept: Vec<bool> = (0..self.sends.len()).map(keep).collect();
        if !kept.contains(&true) {
            return Self { name: self.name.clone(), ..Self::default() };
        }
        // What each depends on came before it, so that one walk from the end is enough.
        for number in (0..self.sends.len()).rev() {
            let opening = self.sends[number]
                .messages()
                .iter()
                .any(|message| matches!(message.method(), Some("initialize" | "notifications/initialized")));
            kept[number] |= opening && self.era() == Some(Era::Legacy);
            if kept[number] {
                self.needs(number).into_iter().for_each(|need| kept[need] = true);
            }
        }
        self.with(&kept)
    }

    /// The sends that one cannot do without.
    fn needs(&self, number: usize) -> HashSet<usize> {
        let send = &self.sends[number];
        let mut needs: HashSet<usize> =
            self.bonds.sources(number).filter_map(|at| self.expected[at].owner).collect();
        needs.extend(send.answers.and_then(|ask| self.expected[ask].owner));
        if let Sending::Abort(earlier) = &send.what {
            needs.insert(*earlier);
        }
        for message in send.messages() {
            let named = (message.method() == Some("notifications/cancelled"))
                .then(|| message.params()?.get("requestId").cloned())
                .flatten();
            let Some(named) = named else { continue };
            let names =
                |earlier: &Send| earlier.messages().iter().any(|one| one.value().get("id") == Some(&named));
            needs.extend(self.sends[..number].iter().rposition(names));
        }
        needs.retain(|need| *need < number);
        needs
    }

    /// The sends that are kept, and what belongs to them or to none.
    fn with(&self, kept: &[bool]) -> Self {
        let fits = |expected: &&Expected| expected.owner.is_none_or(|owner| kept[owner]);
        let places: HashMap<usize, usize> = (0..self.expected.len())
            .filter(|at| fits(&&self.expected[*at]))
            .enumerate()
            .map(|(new, old)| (old, new))
            .collect();
        let numbers: HashMap<usize, usize> =
            (0..kept.len()).filter(|old| kept[*old]).enumerate().map(|(new, old)| (old, new)).collect();
        let expected = self.expected.iter().filter(fits).map(|expected| Expected {
            owner: expected.owner.and_then(|owner| numbers.get(&owner).copied()),
            ..expected.clone()
        });
        let expected: Vec<Expected> = expected.collect();
        let sends = self.sends.iter().enumerate().filter(|(old, _)| kept[*old]).map(|(_, send)| {
            let what = match &send.what {
                Sending::Abort(earlier) => Sending::Abort(numbers.get(earlier).copied().unwrap_or_default()),
                other => other.clone(),
            };
            let after = (0..send.after).filter(|at| places.contains_key(at)).count();
            let answers = send.answers.and_then(|ask| places.get(&ask).copied());
            Send { what, after, answers, ..send.clone() }
        });
        let sends: Vec<Send> = sends.collect();
        let bonds = bonds(&sends, &expected);
        Self { name: self.name.clone(), sends, expected, bonds, noise: self.noise, ended: self.ended }
    }

    /// The session without some sends; what belonged to them is still waited for by nobody, and not compared.
    pub(super) fn without(mut self, dropped: &[bool]) -> Self {
        let kept: Vec<bool> = dropped.iter().map(|dropped| !dropped).collect();
        self.expected.retain(|expected| expected.compared || expected.owner.is_some());
        let seqs: Vec<u64> = self.expected.iter().map(|expected| expected.seq).collect();
        for send in &mut self.sends {
            send.after = seqs.partition_point(|seq| *seq < send.seq);
            send.answers = None;
        }
        self.with(&kept)
    }

    /// Puts a send at a place.
    pub(super) fn insert(&mut self, at: usize, send: Send) {
        self.sends.insert(at, send);
        for expected in &mut self.expected {
            expected.owner = expected.owner.map(|owner| if owner >= at { owner + 1 } else { owner });
        }
        for send in &mut self.sends {
            if let Sending::Abort(earlier) = &mut send.what
                && *earlier >= at
            {
                *earlier += 1;
            }
        }
    }

    /// The values of a send that come from the server.
    pub(crate) fn bound(&self, number: usize) -> impl Iterator<Item = Bound<'_>> {
        self.bonds.of(number)
    }

    /// Whether the client cancels the request of a send, or closes the response to it.
    pub(crate) fn cancels(&self, number: usize) -> bool {
        let Some(send) = self.sends.get(number) else { return false };
        let ids: Vec<_> =
            send.messages().iter().filter_map(|message| message.value().get("id").cloned()).collect();
        self.sends[number + 1..].iter().any(|later| {
            matches!(later.what, Sending::Abort(earlier) if earlier == number)
                || later.messages().iter().any(|message| {
                    let named = message.params().and_then(|params| params.get("requestId"));
                    message.method() == Some("notifications/cancelled")
                        && named.is_some_and(|id| ids.contains(id))
                })
        })
    }

    /// Finds out anew what of the client's messages comes from the server.
    pub(super) fn bind(&mut self) {
        self.bonds = bonds(&self.sends, &self.expected);
    }
}

/// Whether a recording was made over a transport that carries messages over HTTP.
pub(super) fn over_http(transport: Transport) -> bool {
    transport != Transport::Stdio
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
