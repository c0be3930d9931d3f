//! Monitors over a conversation of others, event by event and in bounded memory: the server is judged as ever, the client
//! by its duties. A recording over HTTP may hold several sessions; each is judged by itself.

use super::duties::Duties;
use super::judge::Judge;
use super::watch::Watch;
use crate::protocol::{Revision, Transport};
use crate::run::ServerInfo;
use crate::transcript::{About, Record, Recorder};
use crate::wire::{Channel, Deliberate, Event, Payload, header};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// How many bytes of the last events are kept as evidence.
const EVIDENCE: usize = 1 << 20;
/// How many sessions are judged; what further ones do is not.
const SESSIONS: usize = 256;
/// How many events of an exchange wait for its session to be known.
const WAITING: usize = 64;

/// What the monitors say about a conversation.
pub struct Overheard {
    /// What was said, session by session.
    pub sessions: Vec<Session>,
    /// Events that were heard.
    pub events: u64,
    /// Why nothing is said about what came later, where that is so.
    pub cut_short: Option<String>,
    /// The name and version of the server, as far as it told.
    pub server: Option<ServerInfo>,
}

/// What the monitors say about one session.
pub struct Session {
    /// The revision that was spoken.
    pub revision: Revision,
    /// The transport.
    pub transport: Transport,
    /// What they say about the server.
    pub server: Judge,
    /// What they say about the client, by its duties.
    pub client: Judge,
}

/// Monitors that listen to others.
pub struct Overhearing {
    about: Arc<About>,
    sessions: Vec<Ears>,
    /// The session of each exchange that is known.
    belongs: HashMap<Channel, usize>,
    /// By session id.
    named: HashMap<String, usize>,
    /// Events of exchanges whose session is not known yet.
    waiting: HashMap<Channel, Vec<Arc<Record>>>,
    events: u64,
    lost: Option<String>,
}

/// What listens to one session.
struct Ears {
    watch: Watch,
    duties: Duties,
    recent: Recent,
    started: bool,
}

/// The last events, for evidence.
struct Recent {
    about: Arc<About>,
    records: VecDeque<Arc<Record>>,
    bytes: usize,
}

impl Ears {
    fn new(about: &Arc<About>) -> Self {
        let recent = Recent { about: Arc::clone(about), records: VecDeque::new(), bytes: 0 };
        Self { watch: Watch::new(about), duties: Duties::new(about.transport), recent, started: false }
    }

    fn hear(&mut self, record: &Arc<Record>) {
        let before = self.watch.judge.breaches() + self.duties.judge.breaches();
        self.recent.keep(record);
        let taint = self.duties.see(record);
        if self.duties.confused {
            // The server is judged no further.
            return self.attach(before);
        }
        match (taint, &record.event) {
            (Some(taints), Event::Sent { payload, deliberate: None }) => {
                // A server may answer what is wrong as it likes.
                let deliberate = Some(Deliberate { by: "the client".to_owned(), taints });
                let event = Event::Sent { payload: payload.clone(), deliberate };
                self.watch.see(&Arc::new(Record { event, ..(**record).clone() }));
            }
            _ => self.watch.see(record),
        }
        self.watch.forget();
        self.attach(before);
    }

    /// Gives new breaches their evidence.
    fn attach(&mut self, before: u64) {
        if self.watch.judge.breaches() + self.duties.judge.breaches() != before {
            let recent = &self.recent;
            self.watch.judge.attach(|breach| recent.evidence(breach.event, breach.sent));
            self.duties.judge.attach(|breach| recent.evidence(breach.event, breach.sent));
        }
    }

    fn finish(self, about: &About, cut_short: bool) -> Session {
        let modern = self.watch.state().modern_sent;
        let revision = self.watch.state().rules().unwrap_or(match modern {
            true => Revision::V2026_07_28,
            false => Revision::V2025_11_25,
        });
        let transport = about.transport;
        let recent = self.recent;
        let mut server =
            if cut_short || self.duties.confused { self.watch.judge } else { self.watch.finish() };
        server.attach(|breach| recent.evidence(breach.event, breach.sent));
        let mut client = self.duties.finish();
        client.attach(|breach| recent.evidence(breach.event, breach.sent));
        Session { revision, transport, server, client }
    }
}

impl Recent {
    fn keep(&mut self, record: &Arc<Record>) {
        self.bytes += weight(record);
        self.records.push_back(Arc::clone(record));
        while self.bytes > EVIDENCE && self.records.len() > 1 {
            if let Some(old) = self.records.pop_front() {
                self.bytes -= weight(&old);
            }
        }
    }

    /// A conversation of the events that show a breach, as far as they are still there.
    fn evidence(&self, event: Option<u64>, sent: Option<u64>) -> Option<Arc<Recorder>> {
        let wanted =
            |record: &&Arc<Record>| Some(record.seq) == event || sent.is_some_and(|sent| sent == record.seq);
        let records: Vec<_> = self.records.iter().filter(wanted).cloned().collect();
        (!records.is_empty()).then(|| Arc::new(Recorder::of_records((*self.about).clone(), records)))
    }
}

fn weight(record: &Record) -> usize {
    const EVENT: usize = 256;
    EVENT
        + match &record.event {
            Event::Sent { payload, .. } | Event::Received { payload, .. } => match payload {
                Payload::Message(message) => 4 * message.text().len(),
                Payload::Raw { bytes, .. } => bytes.len(),
            },
            Event::Stderr(bytes) => bytes.len(),
            _ => 0,
        }
}

impl Overhearing {
    /// Monitors for a conversation that begins.
    pub fn new(about: &About) -> Self {
        Self {
            about: Arc::new(about.clone()),
            sessions: Vec::new(),
            belongs: HashMap::new(),
            named: HashMap::new(),
            waiting: HashMap::new(),
            events: 0,
            lost: None,
        }
    }

    /// Takes in the next event.
    pub fn hear(&mut self, record: &Arc<Record>) {
        self.events += 1;
        if let Event::Lost { reason, .. } = &record.event {
            let text = format!("events are missing from event {} on: {reason}", record.seq);
            self.lost.get_or_insert(text);
        }
        // What is missing may be what was waited for.
        if self.lost.is_some() {
            return;
        }
        if self.about.transport != Transport::Http || record.channel == Channel::PROCESS {
            return self.session(0, |ears| ears.hear(record));
        }
        match self.belongs.get(&record.channel) {
            Some(&session) => self.session(session, |ears| ears.hear(record)),
            None => self.wait(record),
        }
        if matches!(record.event, Event::ResponseEnded(_) | Event::ConnectFailed(_)) {
            self.belongs.remove(&record.channel);
        }
    }

    /// Holds an event back until it is known to which session its exchange belongs.
    fn wait(&mut self, record: &Arc<Record>) {
        let waiting = self.waiting.entry(record.channel).or_default();
        waiting.push(Arc::clone(record));
        let named = |headers| header(headers, "mcp-session-id").map(str::to_owned);
        let session = match &record.event {
            Event::RequestHead { headers, .. } => match named(headers) {
                Some(name) => self.named.get(&name).copied().or_else(|| {
                    let new = self.sessions.len();
                    self.named.insert(name, new);
                    Some(new)
                }),
                None => None,
            },
            Event::ResponseHead { headers, .. } => {
                let begins = waiting.iter().any(|record| begins_session(record));
                match named(headers) {
                    Some(name) => {
                        let new = self.sessions.len();
                        Some(*self.named.entry(name).or_insert(new))
                    }
                    // Without a session id: a new beginning is a new session.
                    None => match self.named.get("").copied() {
                        Some(known)
                            if !(begins && self.sessions.get(known).is_some_and(|ears| ears.started)) =>
                        {
                            Some(known)
                        }
                        _ => {
                            let new = self.sessions.len();
                            self.named.insert(String::new(), new);
                            Some(new)
                        }
                    },
                }
            }
            Event::ResponseEnded(_) | Event::ConnectFailed(_) => {
                Some(self.named.get("").copied().unwrap_or(0))
            }
            _ if waiting.len() > WAITING => Some(self.named.get("").copied().unwrap_or(0)),
            _ => None,
        };
        let Some(session) = session else { return };
        self.belongs.insert(record.channel, session);
        for record in self.waiting.remove(&record.channel).unwrap_or_default() {
            let begins = begins_session(&record);
            self.session(session, |ears| {
                ears.started |= begins;
                ears.hear(&record);
            });
        }
    }

    fn session(&mut self, index: usize, hear: impl FnOnce(&mut Ears)) {
        if self.sessions.len() <= index && self.sessions.len() < SESSIONS {
            self.sessions.push(Ears::new(&self.about));
        }
        if let Some(ears) = self.sessions.get_mut(index) {
            hear(ears);
        }
    }

    /// What the monitors say; of a recording that was cut off nothing is said about what did not come.
    pub fn finish(mut self, truncated: bool) -> Overheard {
        let waiting: Vec<_> = self.waiting.drain().flat_map(|(_, records)| records).collect();
        for record in waiting {
            self.session(0, |ears| ears.hear(&record));
        }
        let cut_short = self.lost.or_else(|| truncated.then(|| "the recording was cut off".to_owned()));
        let server =
            self.sessions.iter().find_map(|ears| server_info(ears.watch.state().server_info.as_ref()?));
        let done = self.sessions.into_iter().map(|ears| ears.finish(&self.about, cut_short.is_some()));
        Overheard { sessions: done.collect(), events: self.events, cut_short, server }
    }
}

fn begins_session(record: &Record) -> bool {
    match &record.event {
        Event::Sent { payload: Payload::Message(message), .. } => message.method() == Some("initialize"),
        _ => false,
    }
}

fn server_info(info: &Value) -> Option<ServerInfo> {
    let text = |name: &str| Some(info.get(name)?.as_str()?.to_owned());
    Some(ServerInfo { name: text("name")?, version: text("version").unwrap_or_default() })
}
