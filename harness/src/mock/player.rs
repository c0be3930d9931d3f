//! Plays the server's part to one client: takes in what the client says and gives out what the server says upon it. Reads
//! and writes nothing, and never waits.

use super::key::Key;
use super::part::{Act, Head, Names, Part, What};
use super::reading::SUBSCRIPTION;
use crate::protocol::{Kind, Message};
use crate::wire::Payload;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many requests wait for the client at once; beyond that the oldest goes on without its answer.
const WAITING: usize = 256;
/// How many subscriptions are served at once; beyond that the oldest hears nothing more.
const LISTENERS: usize = 256;

/// Where something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Where the message came from, by the number that came with it.
    Stream(u64),
    /// To the client, wherever it listens.
    All,
}

/// A message of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it is said.
    pub to: Place,
    /// The JSON text.
    pub text: String,
}

/// What the server says upon something.
#[derive(Debug, Default)]
pub struct Heard {
    /// The messages, in order.
    pub lines: Vec<Line>,
    /// Streams on which nothing more is to come.
    pub closed: Vec<u64>,
    /// The head of the HTTP response that was recorded.
    pub head: Option<Head>,
}

/// The server's part, played to one client.
#[derive(Debug)]
pub struct Player {
    part: Arc<Part>,
    patience: Duration,
    used: Vec<bool>,
    /// The acts under way that wait for the client, in the order in which they began.
    runs: Vec<Run>,
    next_run: u64,
    next_id: i64,
    /// Our requests that have no answer: the run and the number in the recording.
    asked: HashMap<String, (u64, usize)>,
    /// The ids of the last requests to the client, by their numbers in the recording.
    ids: HashMap<usize, i64>,
    /// The progress tokens of the client, by the cue of its request.
    tokens: HashMap<usize, String>,
    listeners: Vec<Listener>,
}

/// What is being said upon one message.
#[derive(Debug)]
struct Run {
    number: u64,
    cue: usize,
    next: usize,
    /// The id of the request, as JSON text.
    id: Option<String>,
    stream: u64,
    answers: HashSet<usize>,
    waits: Option<(usize, Instant)>,
    answered: bool,
}

/// A `subscriptions/listen` that is open.
#[derive(Debug)]
struct Listener {
    cue: usize,
    id: String,
    stream: u64,
}

impl Player {
    /// Begins; `patience` is how long an answer of the client is waited for.
    pub fn new(part: Arc<Part>, patience: Duration) -> Self {
        let used = vec![false; part.cues.len()];
        Self {
            part,
            patience,
            used,
            runs: Vec::new(),
            next_run: 0,
            next_id: 1,
            asked: HashMap::new(),
            ids: HashMap::new(),
            tokens: HashMap::new(),
            listeners: Vec::new(),
        }
    }

    /// What the server says before it hears anything.
    pub fn open(&mut self) -> Heard {
        let mut heard = Heard::default();
        let part = Arc::clone(&self.part);
        let mut run = self.run(0, None, 0);
        for act in &part.opening {
            self.act(act, &mut run, Instant::now(), false, &mut heard);
        }
        heard
    }

    /// What the server says upon something that came on a stream.
    pub fn hear(&mut self, payload: &Payload, stream: u64, now: Instant) -> Heard {
        let mut heard = Heard::default();
        match payload {
            Payload::Raw { bytes, .. } => self.unread(&Key::of_bytes(bytes), -32700, stream, now, &mut heard),
            Payload::Message(message) => match message.kind() {
                Kind::Batch => self.batch(message, stream, now, &mut heard),
                Kind::NotAMessage(_) => self.unread(&Key::of(message), -32600, stream, now, &mut heard),
                _ => self.hear_one(message, stream, now, &mut heard),
            },
        }
        self.settled(heard)
    }

    /// Without the streams on which something is still to come.
    fn settled(&self, mut heard: Heard) -> Heard {
        let busy = |stream: u64| {
            self.runs.iter().any(|run| run.stream == stream)
                || self.listeners.iter().any(|listener| listener.stream == stream)
        };
        heard.closed.retain(|stream| !busy(*stream));
        heard
    }

    fn batch(&mut self, message: &Message, stream: u64, now: Instant, heard: &mut Heard) {
        let key = Key::of_bytes(message.text().as_bytes());
        let refused = self.part.index.like(&key).is_some_and(|places| self.part.cues[places[0]].answered);
        let parts = message.parts();
        if refused || parts.is_empty() {
            return self.unread(&key, -32600, stream, now, heard);
        }
        let mut all = Heard::default();
        for part in parts {
            match part.kind() {
                Kind::NotAMessage(_) | Kind::Batch => {
                    self.unread(&Key::of(&part), -32600, stream, now, &mut all);
                }
                _ => self.hear_one(&part, stream, now, &mut all),
            }
        }
        // Answers that are there at once come as one array.
        let answer = |line: &Line| {
            line.to == Place::Stream(stream)
                && Message::parse(line.text.as_bytes()).is_ok_and(|message| message.is_response())
        };
        let (answers, others): (Vec<Line>, Vec<Line>) = all.lines.into_iter().partition(answer);
        heard.lines.extend(others);
        if !answers.is_empty() {
            let texts: Vec<&str> = answers.iter().map(|line| line.text.as_str()).collect();
            heard.lines.push(Line { to: Place::Stream(stream), text: format!("[{}]", texts.join(",")) });
        }
        heard.closed.extend(all.closed);
        heard.head = heard.head.or(all.head);
    }

    /// What is no message is answered as it was, else by an error without an id.
    fn unread(&mut self, key: &Key, code: i64, stream: u64, now: Instant, heard: &mut Heard) {
        if let Some(cue) = self.choose(key) {
            return self.play(cue, None, stream, now, heard);
        }
        let what = if code == -32700 { "Parse error" } else { "Invalid Request" };
        refuse("null", code, &format!("{what}: nothing like it is in {}", self.part.name), stream, heard);
        heard.head = Some(Head { status: 400, stream: false });
        heard.closed.push(stream);
    }

    fn hear_one(&mut self, message: &Message, stream: u64, now: Instant, heard: &mut Heard) {
        let id = message.id().map(|id| id.as_json().to_owned());
        if message.is_response() {
            heard.closed.push(stream);
            let Some((number, ask)) = id.and_then(|id| self.asked.remove(&id)) else { return };
            let Some(at) = self.runs.iter().position(|run| run.number == number) else { return };
            self.runs[at].answers.insert(ask);
            if self.runs[at].waits.is_some_and(|(awaited, _)| awaited == ask) {
                let run = self.runs.remove(at);
                self.go_on(run, now, true, heard);
            }
            return;
        }
        let cancels = message.method() == Some("notifications/cancelled");
        let target = message.params().filter(|_| cancels).and_then(|params| params.get("requestId"));
        let cancelled = target.map(Value::to_string);
        if cancelled.is_some() {
            self.runs.retain(|run| run.id != cancelled);
        }
        let key = Key::of(message);
        let Some(cue) = self.choose(&key) else {
            heard.closed.push(stream);
            self.listeners.retain(|listener| Some(&listener.id) != cancelled.as_ref());
            if *message.kind() == Kind::Request {
                self.unknown(&key, message, stream, heard);
            }
            return;
        };
        if let Some(token) = message.meta("progressToken") {
            self.tokens.insert(cue, token.to_string());
        } else {
            self.tokens.remove(&cue);
        }
        self.play(cue, id, stream, now, heard);
        if let Some(request) = cancelled {
            self.listeners.retain(|listener| listener.id != request);
        }
    }

    fn unknown(&self, key: &Key, message: &Message, stream: u64, heard: &mut Heard) {
        let short = |text: &str| text.chars().take(200).collect::<String>();
        let (code, text) = if self.part.index.knows(&key.method) {
            let name = short(key.name.as_deref().unwrap_or("these parameters"));
            let text = format!("{} has no {} of {name}", self.part.name, short(&key.method));
            (-32602, format!("Invalid params: {text}"))
        } else {
            (-32601, format!("Method not found: {} has no {}", self.part.name, short(&key.method)))
        };
        refuse(message.id().map_or("null", |id| id.as_json()), code, &text, stream, heard);
        let modern = message.meta("io.modelcontextprotocol/protocolVersion").is_some();
        let status = if modern && code == -32601 { 404 } else { 200 };
        heard.head = Some(Head { status, stream: false });
    }

    /// The first recorded message like it that was not used yet, else the last one.
    fn choose(&mut self, key: &Key) -> Option<usize> {
        let places = self.part.index.like(key)?;
        let fresh = places.iter().find(|place| !self.used[**place]);
        let place = *fresh.or(places.last())?;
        self.used[place] = true;
        Some(place)
    }

    fn run(&mut self, cue: usize, id: Option<String>, stream: u64) -> Run {
        let number = self.next_run;
        self.next_run += 1;
        Run { number, cue, next: 0, id, stream, answers: HashSet::new(), waits: None, answered: false }
    }

    fn play(&mut self, cue: usize, id: Option<String>, stream: u64, now: Instant, heard: &mut Heard) {
        let recorded = &self.part.cues[cue];
        heard.head = recorded.head;
        if recorded.key.method == "subscriptions/listen"
            && let Some(id) = &id
        {
            if self.listeners.len() >= LISTENERS {
                let oldest = self.listeners.remove(0);
                heard.closed.push(oldest.stream);
            }
            self.listeners.push(Listener { cue, id: id.clone(), stream });
        }
        let run = self.run(cue, id, stream);
        self.go_on(run, now, true, heard);
        if self.runs.len() > WAITING {
            let oldest = self.runs.remove(0);
            self.go_on(oldest, now, false, heard);
        }
    }

    /// Says what comes next, up to where the client has to answer first.
    fn go_on(&mut self, mut run: Run, now: Instant, patient: bool, heard: &mut Heard) {
        let part = Arc::clone(&self.part);
        let cue = &part.cues[run.cue];
        run.waits = None;
        while let Some(act) = cue.acts.get(run.next) {
            if !self.act(act, &mut run, now, patient, heard) {
                self.runs.push(run);
                return;
            }
            run.next += 1;
        }
        self.asked.retain(|_, (number, _)| *number != run.number);
        // Without an answer a subscription stays open, and what was left open when it was recorded.
        let open = cue.head.is_none_or(|head| head.stream && head.status == 200);
        let listens = cue.key.method == "subscriptions/listen";
        let stays = cue.key.request && !run.answered && (listens || open);
        if run.answered {
            // Refused, it hears nothing.
            self.listeners
                .retain(|listener| listener.stream != run.stream || Some(&listener.id) != run.id.as_ref());
        }
        if !stays {
            heard.closed.push(run.stream);
        }
    }

    /// Does one thing; `false` where it has to wait for the client.
    fn act(&mut self, act: &Act, run: &mut Run, now: Instant, patient: bool, heard: &mut Heard) -> bool {
        let to = if act.own { Place::Stream(run.stream) } else { Place::All };
        let mut say = |to, text| heard.lines.push(Line { to, text });
        match &act.what {
            What::Tell(message, Names::Nothing) => say(to, one_line(message.text())),
            What::Tell(message, Names::Progress(cue)) => {
                // Who gave no token hears of no progress.
                if let Some(token) = self.tokens.get(cue) {
                    say(to, with(message, &[("/params/progressToken", token)]));
                }
            }
            What::Tell(message, Names::Asked(number)) => {
                if let Some(id) = self.ids.get(number) {
                    say(to, with(message, &[("/params/requestId", &id.to_string())]));
                }
            }
            What::Tell(message, Names::Listening(cue)) => {
                for listener in self.listeners.iter().filter(|listener| listener.cue == *cue) {
                    let meta = format!("/params/_meta/{}", SUBSCRIPTION.replace('/', "~1"));
                    let edits = [(meta.as_str(), listener.id.as_str()), ("/params/requestId", &listener.id)];
                    say(Place::Stream(listener.stream), with(message, &edits));
                }
            }
            What::Ask(number, message) => {
                let id = self.next_id;
                self.next_id += 1;
                self.asked.insert(id.to_string(), (run.number, *number));
                self.ids.insert(*number, id);
                say(to, with(message, &[("/id", &id.to_string())]));
            }
            What::Await(number) => {
                let asked = self.asked.values().any(|(run_of, ask)| (*run_of, ask) == (run.number, number));
                if patient && asked && !run.answers.contains(number) {
                    run.waits = Some((*number, now + self.patience));
                    return false;
                }
            }
            What::Answer(message) => {
                run.answered = true;
                let text = run.id.as_ref().map(|id| with(message, &[("/id", id)]));
                say(Place::Stream(run.stream), text.unwrap_or_else(|| one_line(message.text())));
            }
            What::End(cue, message) => {
                let meta = format!("/result/_meta/{}", SUBSCRIPTION.replace('/', "~1"));
                for listener in self.listeners.extract_if(.., |listener| listener.cue == *cue) {
                    let edits = [("/id", listener.id.as_str()), (meta.as_str(), listener.id.as_str())];
                    heard
                        .lines
                        .push(Line { to: Place::Stream(listener.stream), text: with(message, &edits) });
                    heard.closed.push(listener.stream);
                }
            }
        }
        true
    }

    /// When the client has kept the server waiting for too long, if nothing comes before that.
    pub fn due(&self) -> Option<Instant> {
        self.runs.iter().filter_map(|run| Some(run.waits?.1)).min()
    }

    /// Goes on where the client has kept the server waiting for too long.
    pub fn overdue(&mut self, now: Instant) -> Heard {
        let mut heard = Heard::default();
        while let Some(at) = self.runs.iter().position(|run| run.waits.is_some_and(|(_, due)| due <= now)) {
            let mut run = self.runs.remove(at);
            // As if it had come.
            run.answers.extend(run.waits.map(|(ask, _)| ask));
            self.go_on(run, now, true, &mut heard);
        }
        self.settled(heard)
    }

    /// Nobody listens on a stream any more.
    pub fn forget(&mut self, stream: u64) {
        let gone: Vec<u64> =
            self.runs.extract_if(.., |run| run.stream == stream).map(|run| run.number).collect();
        self.asked.retain(|_, (run, _)| !gone.contains(run));
        self.listeners.retain(|listener| listener.stream != stream);
    }

    /// What the server says when the input has ended, and what it had still to say.
    pub fn close(&mut self) -> Heard {
        let mut heard = Heard::default();
        let now = Instant::now();
        for run in std::mem::take(&mut self.runs) {
            self.go_on(run, now, false, &mut heard);
        }
        let part = Arc::clone(&self.part);
        let mut run = self.run(0, None, 0);
        for act in &part.closing {
            self.act(act, &mut run, now, false, &mut heard);
        }
        heard
    }
}

fn refuse(id: &str, code: i64, text: &str, stream: u64, heard: &mut Heard) {
    let error = json!({"code": code, "message": text});
    let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#);
    heard.lines.push(Line { to: Place::Stream(stream), text });
}

/// The text of a message with other JSON texts at some places, where there are such places.
fn with(message: &Message, edits: &[(&str, &str)]) -> String {
    let mut text = message.text().to_owned();
    let mut places: Vec<_> =
        edits.iter().filter_map(|(pointer, new)| Some((message.locate(pointer)?, *new))).collect();
    places.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    for (range, new) in places {
        text.replace_range(range, new);
    }
    one_line(&text)
}

/// Line breaks of a JSON text stand between its parts, where a space is as good.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// Whether a message opens a session.
#[cfg(feature = "cli")]
pub(super) fn opens_session(message: &Message) -> bool {
    message.method() == Some("initialize") && message.params().is_some_and(Value::is_object)
}

#[cfg(test)]
#[path = "player_tests.rs"]
mod tests;
