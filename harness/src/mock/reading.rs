//! Finds out what of the client each message of a recorded server followed.

use super::key::{Index, Key};
use super::part::{Act, Bare, Cue, Head, Names, OverHttp, Part, What};
use crate::protocol::{Id, Kind, Message, Transport};
use crate::transcript::{About, Record};
use crate::wire::{Channel, Event, Payload, header};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use url::Url;

/// Where a notification names the `subscriptions/listen` that it belongs to (2026-07-28).
pub(super) const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// Where what the server says next belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upon {
    Opening,
    Cue(usize),
    Closing,
}

/// A recording that is being read.
pub(super) struct Reading {
    /// Whether an answer comes on the HTTP exchange of its request.
    by_exchange: bool,
    opening: Vec<Act>,
    cues: Vec<Cue>,
    closing: Vec<Act>,
    http: OverHttp,
    /// The cues of each exchange.
    posted: HashMap<Channel, Vec<usize>>,
    methods: HashMap<Channel, String>,
    by_id: HashMap<Id, usize>,
    by_token: HashMap<String, usize>,
    /// Requests that will be answered and are not yet, in the order in which they came.
    open: VecDeque<usize>,
    /// What is no message and may have an answer without an id.
    unread: Option<usize>,
    /// The server's requests: their number, and where they stand.
    asked: HashMap<Id, (usize, Upon)>,
    asks: usize,
    upon: Upon,
    /// Which cues have an answer at all, known by a reading before this one.
    answered: Vec<bool>,
}

impl Reading {
    /// Reads all of it.
    pub(super) fn of(about: &About, records: &[Record]) -> Self {
        // What will be answered tells to which request belongs what comes before the answer.
        let mut first = Self::new(about, Vec::new());
        records.iter().for_each(|record| first.take(record));
        let answered = first.cues.iter().map(|cue| cue.answered).collect();
        let mut reading = Self::new(about, answered);
        records.iter().for_each(|record| reading.take(record));
        reading
    }

    fn new(about: &About, answered: Vec<bool>) -> Self {
        let by_exchange = about.transport == Transport::Http;
        Self {
            by_exchange,
            opening: Vec::new(),
            cues: Vec::new(),
            closing: Vec::new(),
            http: OverHttp { recorded: by_exchange, ..OverHttp::default() },
            posted: HashMap::new(),
            methods: HashMap::new(),
            by_id: HashMap::new(),
            by_token: HashMap::new(),
            open: VecDeque::new(),
            unread: None,
            asked: HashMap::new(),
            asks: 0,
            upon: Upon::Opening,
            answered,
        }
    }

    /// The part that was read.
    pub(super) fn finish(mut self, name: &str) -> Part {
        let mut index = Index::default();
        for (place, cue) in self.cues.iter_mut().enumerate() {
            // Nothing follows for which it would have to be waited.
            while matches!(cue.acts.last(), Some(Act { what: What::Await(_), .. })) {
                cue.acts.pop();
            }
            index.add(&cue.key, place, cue.answered);
        }
        let Self { opening, cues, closing, http, .. } = self;
        Part { name: name.to_owned(), opening, cues, closing, index, http }
    }

    fn take(&mut self, record: &Record) {
        match &record.event {
            Event::RequestHead { method, url, .. } if self.by_exchange => {
                self.methods.insert(record.channel, method.clone());
                if self.http.path.is_none() {
                    self.http.path = Url::parse(url).ok().map(|url| url.path().to_owned());
                }
            }
            Event::ResponseHead { status, headers } if self.by_exchange => {
                self.http.session |= header(headers, "mcp-session-id").is_some();
                if let Some(bare) = self.bare(record.channel) {
                    bare.get_or_insert(Bare { status: *status, text: None });
                }
                let media = header(headers, "content-type").unwrap_or_default();
                let stream = media.trim_start().to_ascii_lowercase().starts_with("text/event-stream");
                for &cue in self.posted.get(&record.channel).into_iter().flatten() {
                    self.cues[cue].head = Some(Head { status: *status, stream });
                }
            }
            Event::StdinClosed => self.upon = Upon::Closing,
            Event::Sent { payload: Payload::Message(message), .. } => {
                if *message.kind() == Kind::Batch {
                    self.unread(message.text().as_bytes(), record.channel);
                }
                message.parts().iter().for_each(|part| self.sent(part, record.channel));
            }
            Event::Sent { payload: Payload::Raw { bytes, .. }, .. } => self.unread(bytes, record.channel),
            Event::Received { payload: Payload::Message(message), .. } => {
                message.parts().into_iter().for_each(|part| self.received(part, record.channel));
            }
            _ => {}
        }
    }

    /// The response to a GET or DELETE that is kept, if an exchange is one of those.
    fn bare(&mut self, channel: Channel) -> Option<&mut Option<Bare>> {
        match self.methods.get(&channel)?.as_str() {
            "GET" => Some(&mut self.http.get),
            "DELETE" => Some(&mut self.http.delete),
            _ => None,
        }
    }

    fn cue(&mut self, key: Key, channel: Channel) -> usize {
        let place = self.cues.len();
        self.cues.push(Cue { key, acts: Vec::new(), answered: false, head: None });
        self.posted.entry(channel).or_default().push(place);
        self.upon = Upon::Cue(place);
        place
    }

    /// The client sent something that is no message.
    fn unread(&mut self, bytes: &[u8], channel: Channel) {
        let place = self.cue(Key::of_bytes(bytes), channel);
        self.unread = Some(place);
    }

    fn sent(&mut self, message: &Message, channel: Channel) {
        match message.kind() {
            Kind::Request => {
                let place = self.cue(Key::of(message), channel);
                if let Some(id) = message.id() {
                    self.by_id.insert(id.clone(), place);
                }
                if let Some(token) = message.meta("progressToken") {
                    self.by_token.insert(token.to_string(), place);
                }
                if self.answered.get(place) == Some(&true) && !self.listens(place) {
                    self.open.push_back(place);
                }
            }
            Kind::Notification => drop(self.cue(Key::of(message), channel)),
            Kind::Result | Kind::Error => {
                let asked = message.id().and_then(|id| self.asked.get(id));
                if let Some(&(ask, upon)) = asked {
                    self.acts(upon).push(Act { what: What::Await(ask), own: true });
                    if !self.open.iter().any(|&open| Upon::Cue(open) == upon) {
                        self.upon = upon;
                    }
                }
            }
            Kind::Batch | Kind::NotAMessage(_) => self.unread(message.text().as_bytes(), channel),
        }
    }

    fn acts(&mut self, upon: Upon) -> &mut Vec<Act> {
        match upon {
            Upon::Opening => &mut self.opening,
            Upon::Cue(place) => &mut self.cues[place].acts,
            Upon::Closing => &mut self.closing,
        }
    }

    fn listens(&self, place: usize) -> bool {
        self.cues[place].key.method == "subscriptions/listen"
    }

    fn received(&mut self, message: Message, channel: Channel) {
        match message.kind() {
            Kind::Result | Kind::Error => self.answer(message, channel),
            Kind::Request => {
                let (upon, own) = self.upon(&message, channel);
                let number = self.asks;
                self.asks += 1;
                if let Some(id) = message.id() {
                    self.asked.insert(id.clone(), (number, upon));
                }
                self.acts(upon).push(Act { what: What::Ask(number, message), own });
            }
            Kind::Notification => {
                let (upon, own) = self.upon(&message, channel);
                let names = self.names(&message);
                self.acts(upon).push(Act { what: What::Tell(message, names), own });
            }
            Kind::Batch | Kind::NotAMessage(_) => {}
        }
    }

    fn answer(&mut self, message: Message, channel: Channel) {
        let id = message.id();
        // Sessions may use the same ids; the exchange tells them apart.
        let here = self.posted.get(&channel).and_then(|posted| match posted.as_slice() {
            [only] if self.by_exchange => Some(*only),
            _ => None,
        });
        let known = id.and_then(|id| self.by_id.get(id)).copied();
        let place = match (here, known) {
            (Some(here), _) => here,
            (None, Some(known)) => known,
            (None, None) => {
                if let Some(Some(bare)) = self.bare(channel) {
                    bare.text.get_or_insert_with(|| message.text().to_owned());
                    return;
                }
                let Some(unread) = self.unread.take() else { return };
                unread
            }
        };
        self.cues[place].answered = true;
        self.open.retain(|open| *open != place);
        if self.listens(place) && message.error().is_none() {
            let upon = match self.upon {
                Upon::Cue(_) => self.open.front().map_or(self.upon, |&open| Upon::Cue(open)),
                upon => upon,
            };
            self.acts(upon).push(Act { what: What::End(place, message), own: false });
        } else {
            self.cues[place].acts.push(Act { what: What::Answer(message), own: true });
        }
    }

    /// Upon what the server says something, and whether it is part of that.
    fn upon(&self, message: &Message, channel: Channel) -> (Upon, bool) {
        let open = |place: &usize| self.open.contains(place);
        let posted = self.posted.get(&channel).and_then(|posted| posted.last()).copied();
        if let Some(place) = posted.filter(|place| self.by_exchange && !self.listens(*place)) {
            return (Upon::Cue(place), true);
        }
        match self.names(message) {
            Names::Listening(place)
                if message.method() == Some("notifications/subscriptions/acknowledged") =>
            {
                return (Upon::Cue(place), true);
            }
            Names::Progress(place) if !self.by_exchange && open(&place) => return (Upon::Cue(place), true),
            _ => {}
        }
        match self.open.front() {
            Some(&place) => (Upon::Cue(place), !self.by_exchange),
            None => (self.upon, false),
        }
    }

    fn names(&self, message: &Message) -> Names {
        let param = |name: &str| message.params().and_then(|params| params.get(name));
        let id = |value: &Value| Id::from_json(&value.to_string(), value);
        match message.method() {
            Some("notifications/progress") => param("progressToken")
                .and_then(|token| self.by_token.get(&token.to_string()))
                .map_or(Names::Nothing, |&place| Names::Progress(place)),
            Some("notifications/cancelled") => {
                let request = param("requestId").map(id);
                let asked = request.as_ref().and_then(|request| self.asked.get(request));
                let listens = request.as_ref().and_then(|request| self.by_id.get(request));
                match (asked, listens) {
                    (Some(&(number, _)), _) => Names::Asked(number),
                    (None, Some(&place)) if self.listens(place) => Names::Listening(place),
                    _ => Names::Nothing,
                }
            }
            _ => {
                let listened = message.meta(SUBSCRIPTION).map(id);
                match listened.and_then(|listened| self.by_id.get(&listened)) {
                    Some(&place) if self.listens(place) => Names::Listening(place),
                    _ => Names::Nothing,
                }
            }
        }
    }
}
