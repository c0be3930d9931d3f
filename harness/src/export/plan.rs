//! What a program has to do to play a recording, as data: the steps with what each waits for, the values that it takes from
//! what the server says, and the answers to what the server asks.
//!
//! A message of the server is named by its kind (`request METHOD`, `notification METHOD`, `answer ID`) and by how many of
//! that name came before it. A session has `steps` in the order of the recording, `asks` (for each name of a request of the
//! server the steps that answer the first, the second…, or null), `own` (how an answer is sent that was not recorded) and
//! `end`. A step has
//! - `wait` and `maybe`: the messages that have to have come, and those that may;
//! - `send` (JSON), `text` or `bytes`: what is sent; `http`: another method than POST; `close`: the step to whose response
//!   the client stops listening; `endpoint`: the server tells first where to send;
//! - `put`: by JSON pointer what of `send` is another one now, in parts: a text, `env` (a variable of the environment),
//!   `session` (the id of the session), or `from` (a message), `at` (a JSON pointer in it), `was` (the recorded value) and
//!   `word` (which of how many words in the text, and what stands before it);
//! - `url` and `headers`, over HTTP, in parts too;
//! - `answer` for an answer to the server, and `after`: a step that comes before it.

use crate::protocol::{Message, Transport};
use crate::replay::{Bound, Script, Send, Sending, Session, stands_at};
use crate::transcript::{RulePart, is_placeholder};
use crate::wire::{Headers, Payload};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Headers that a client library writes itself.
const OWN: [&str; 6] =
    ["host", "content-length", "connection", "accept-encoding", "user-agent", "transfer-encoding"];

/// The steps of a recording.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The sessions, each of which is played by itself.
    pub(super) sessions: Vec<Value>,
    /// The words of the server's command, in parts.
    pub(super) command: Vec<Value>,
    /// The variables of the environment that the command needs.
    pub(super) command_secrets: BTreeSet<String>,
    /// The variables of the environment that the sessions need.
    pub(super) secrets: BTreeSet<String>,
}

impl Plan {
    pub(super) fn of(script: &Script) -> Self {
        let mut plan = Self::default();
        plan.command =
            script.command.iter().map(|word| Planner::new(&mut plan.command_secrets).parts(word)).collect();
        for session in &script.sessions {
            let mut planner = Planner::new(&mut plan.secrets);
            let endpoint = script.about.transport == Transport::HttpSse;
            plan.sessions.push(planner.session(session, script.about.transport.is_http(), endpoint));
        }
        plan
    }
}

/// The name of the environment variable for a placeholder.
pub(super) fn variable(placeholder: &str) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let name: String = placeholder.chars().map(upper).collect();
    // A name begins with a letter.
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("SECRET_{name}") } else { name }
}

/// The headers that a program has to write.
pub(super) fn shown(headers: &Headers) -> impl Iterator<Item = &(String, String)> {
    headers.iter().filter(|(name, _)| !OWN.contains(&name.to_ascii_lowercase().as_str()))
}

/// Cuts a text at the placeholders of secrets in it; the names of these are `Err`.
pub(super) fn placeholders(text: &str) -> Vec<Result<&str, &str>> {
    let (mut found, mut rest, mut from) = (Vec::new(), text, 0);
    while let Some(end) = rest[from..].find('»').map(|at| from + at + '»'.len_utf8()) {
        let start = rest[from..end].rfind('«').map(|at| from + at);
        match start.filter(|start| is_placeholder(&rest[*start..end])) {
            Some(start) => {
                found.push(Ok(&rest[..start]));
                found.push(Err(&rest[start + '«'.len_utf8()..end - '»'.len_utf8()]));
                (rest, from) = (&rest[end..], 0);
            }
            None => from = end,
        }
    }
    found.push(Ok(rest));
    found.retain(|part| *part != Ok(""));
    found
}

/// What a message of the server is called.
fn name(message: &Message) -> String {
    let value = message.value();
    let id = value.get("id");
    match value.get("method") {
        Some(method) => {
            let kind = if id.is_some() { "request" } else { "notification" };
            format!("{kind} {}", method.as_str().unwrap_or_default())
        }
        None => format!("answer {}", id.unwrap_or(&Value::Null)),
    }
}

/// Makes the steps of one session.
struct Planner<'a> {
    secrets: &'a mut BTreeSet<String>,
    /// The values of the server that are known by now, the longest first.
    known: Vec<Bound<'a>>,
    /// What the messages of the server are called.
    names: Vec<(String, usize)>,
}

impl<'a> Planner<'a> {
    fn new(secrets: &'a mut BTreeSet<String>) -> Self {
        Self { secrets, known: Vec::new(), names: Vec::new() }
    }

    fn session(&mut self, session: &'a Session, http: bool, endpoint: bool) -> Value {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for expected in &session.expected {
            let name = name(&expected.message);
            let count = counts.entry(name.clone()).or_default();
            self.names.push((name, *count));
            *count += 1;
        }
        // Where the server tells where to send, that is another place now.
        let listen = session.sends.iter().find(|send| endpoint && matches!(send.what, Sending::Listen));
        let url = |send: &'a Send| listen.map_or(send.url.as_str(), |listen| listen.url.as_str());
        let (mut steps, mut waited) = (Vec::new(), 0);
        for (number, send) in session.sends.iter().enumerate() {
            let mut step = Map::new();
            if let Some(ask) = send.answers {
                step.insert("answer".into(), true.into());
                if let Some(after) = before_answer(session, number, ask) {
                    step.insert("after".into(), after.into());
                }
            } else {
                self.waits(session, waited..send.after, &mut step);
                waited = waited.max(send.after);
            }
            self.what(session, number, &mut step);
            if http && !matches!(send.what, Sending::Abort(_)) {
                step.insert("url".into(), self.parts(url(send)));
                step.insert("headers".into(), self.headers(send));
                if endpoint && matches!(send.what, Sending::Listen) {
                    step.insert("endpoint".into(), true.into());
                }
            }
            steps.push(Value::Object(step));
        }
        let mut asks: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for (at, expected) in session.expected.iter().enumerate() {
            if expected.part == RulePart::Request {
                let answer = session.sends.iter().position(|send| send.answers == Some(at));
                asks.entry(&self.names[at].0).or_default().push(answer.map_or(Value::Null, Value::from));
            }
        }
        let asks = json!(asks);
        let mut end = Map::new();
        self.waits(session, waited..session.expected.len(), &mut end);
        let posts = |send: &&Send| http && matches!(send.what, Sending::Payload(_));
        let own = session
            .sends
            .iter()
            .rfind(posts)
            .map_or(json!({}), |send| json!({"url": self.parts(url(send)), "headers": self.headers(send)}));
        json!({"steps": steps, "asks": asks, "own": own, "end": end})
    }

    /// What a step waits for: of each name the last one.
    fn waits(&self, session: &Session, places: std::ops::Range<usize>, step: &mut Map<String, Value>) {
        let (mut wait, mut maybe) = (BTreeMap::new(), BTreeMap::new());
        for place in places {
            let expected = &session.expected[place];
            let (name, nth) = &self.names[place];
            let answer = expected.part == RulePart::Answer;
            // What ends a subscription, and what follows the end of the input, comes when the conversation is closed.
            if expected.ends_subscription || (expected.after_close && !answer) {
                continue;
            }
            let sure = answer && expected.owner.is_some_and(|owner| !session.cancels(owner));
            (if sure { &mut wait } else { &mut maybe }).insert(name, nth);
        }
        for (name, list) in [("wait", wait), ("maybe", maybe)] {
            if !list.is_empty() {
                step.insert(name.into(), list.into_iter().map(|(name, nth)| json!([name, nth])).collect());
            }
        }
    }

    /// What a step does.
    fn what(&mut self, session: &'a Session, number: usize, step: &mut Map<String, Value>) {
        for bound in session.bound(number) {
            if !self.known.iter().any(|known| known.was == bound.was) {
                self.known.push(bound);
            }
        }
        self.known.sort_by_key(|known| std::cmp::Reverse(known.was.len()));
        let send = &session.sends[number];
        let (name, what) = match &send.what {
            Sending::Listen => ("http", "GET".into()),
            Sending::Delete => ("http", "DELETE".into()),
            Sending::Abort(earlier) => ("close", (*earlier).into()),
            Sending::Payload(Payload::Raw { bytes, .. }) => {
                // A line that is no message was kept with its end.
                let bytes = match send.url.as_str() {
                    "" => bytes.strip_suffix(b"\n").unwrap_or(bytes),
                    _ => bytes,
                };
                match std::str::from_utf8(bytes) {
                    Ok(text) => ("text", text.into()),
                    Err(_) => ("bytes", bytes.to_vec().into()),
                }
            }
            Sending::Payload(Payload::Message(message)) => {
                let mut put = Map::new();
                self.puts(message.value(), &mut put);
                let written = message.value().to_string();
                let same = minified(message.text()) == written;
                if same || !put.is_empty() || send.answers.is_some() {
                    if !put.is_empty() {
                        step.insert("put".into(), put.into());
                    }
                    ("send", message.value().clone())
                } else {
                    // A name that stands twice, or a number that not every language can hold, stays as it was.
                    ("text", minified(message.text()).into())
                }
            }
        };
        step.insert(name.into(), what);
    }

    /// What of a message is the server's or a secret, by JSON pointer.
    fn puts(&mut self, message: &Value, put: &mut Map<String, Value>) {
        let parts: Vec<(String, &Value)> = match message {
            Value::Array(parts) => {
                parts.iter().enumerate().map(|(at, part)| (format!("/{at}"), part)).collect()
            }
            one => vec![(String::new(), one)],
        };
        for (start, part) in parts {
            for top in ["params", "result", "error"] {
                if let Some(value) = part.get(top) {
                    self.put(value, &format!("{start}/{top}"), put);
                }
            }
        }
    }

    fn put(&mut self, value: &Value, pointer: &str, put: &mut Map<String, Value>) {
        match value {
            Value::String(text) => {
                let parts = self.parts(text);
                if parts.is_array() {
                    put.insert(pointer.to_owned(), parts);
                }
            }
            Value::Number(number) => {
                let text = number.to_string();
                if let Some(known) = self.known.iter().find(|known| known.was == text) {
                    put.insert(pointer.to_owned(), json!([self.reference(known)]));
                }
            }
            Value::Array(elements) => {
                for (at, element) in elements.iter().enumerate() {
                    self.put(element, &format!("{pointer}/{at}"), put);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    self.put(member, &format!("{pointer}/{name}"), put);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn headers(&mut self, send: &Send) -> Value {
        let value = |(name, value): &(String, String)| {
            let session = name.eq_ignore_ascii_case("mcp-session-id");
            let parts = if session { json!([{"session": true}]) } else { self.parts(value) };
            (name.clone(), parts)
        };
        Value::Object(shown(&send.headers).map(value).collect())
    }

    /// A text in parts; itself where nothing of it is the server's or a secret.
    fn parts(&mut self, text: &str) -> Value {
        let mut parts: Vec<Result<String, Value>> = Vec::new();
        let mut at = 0;
        while let Some(next) = text[at..].chars().next() {
            let whole = self.known.iter().find(|known| at == 0 && text == known.was);
            let known = whole.or_else(|| self.known.iter().find(|known| stands_at(text, at, known.was)));
            match (known, parts.last_mut()) {
                (Some(known), _) => {
                    at += known.was.len();
                    parts.push(Err(self.reference(known)));
                    continue;
                }
                (None, Some(Ok(before))) => before.push(next),
                (None, _) => parts.push(Ok(next.to_string())),
            }
            at += next.len_utf8();
        }
        let mut told = Vec::new();
        for part in parts {
            match part {
                Ok(text) => told.extend(placeholders(&text).into_iter().map(|part| match part {
                    Ok(text) => text.into(),
                    Err(name) => {
                        self.secrets.insert(variable(name));
                        json!({"env": variable(name)})
                    }
                })),
                Err(reference) => told.push(reference),
            }
        }
        if told.iter().all(Value::is_string) { text.into() } else { told.into() }
    }

    fn reference(&self, known: &Bound<'_>) -> Value {
        let (name, nth) = &self.names[known.expected];
        let mut reference = json!({"from": [name, nth], "at": known.pointer, "was": known.was});
        if let Some((index, count, before)) = known.word {
            reference["word"] = json!([index, count, before]);
        }
        reference
    }
}

/// The last step that has to come before an answer: what the client did between the question and its answer.
fn before_answer(session: &Session, number: usize, ask: usize) -> Option<usize> {
    let between = |send: &Send| send.after > ask && send.answers.is_none();
    session.sends[..number].iter().rposition(between)
}

/// A JSON text without what stands between its values.
fn minified(text: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    let keep = |c: &char| {
        if inside {
            inside = escaped || *c != '"';
            escaped = !escaped && *c == '\\';
            return true;
        }
        inside = *c == '"';
        !matches!(c, ' ' | '\t' | '\r' | '\n')
    };
    text.chars().filter(keep).collect()
}
