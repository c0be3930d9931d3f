//! What can be known of a conversation from its events so far; shared by all monitors, kept up to date once.

use super::ages::Ages;
use super::elicited::Elicited;
use super::link::{LinkState, alike};
use super::notices::Notices;
use super::streams::{EventIds, EventStream};
use super::task_log::TaskLog;
use super::tool::Tool;
use crate::protocol::{Era, Id, IdMap, IdSet, Kind, Message, Revision, Transport};
use crate::transcript::{About, Record};
use crate::wire::{Channel, Deliberate, End, Event, Headers, Payload, ShutdownStep, Taint, header};
use serde_json::Value;
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

/// Where a result names the server (2026-07-28).
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
/// How many tools are kept in mind.
const MOST_TOOLS: usize = 20_000;
/// How many cancellations of what was never asked are remembered.
const CANCELLED_AHEAD: usize = 1000;

/// A request of ours.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its id.
    pub id: Id,
    /// Its method.
    pub method: String,
    /// The message.
    pub message: Message,
    /// The event that sent it.
    pub seq: u64,
    /// When.
    pub at: Duration,
    /// The HTTP exchange, or the process.
    pub channel: Channel,
    /// Why it was sent, where it was sent on purpose.
    pub deliberate: Option<Deliberate>,
    /// How many responses it has had.
    pub responses: u32,
    /// Whether we cancelled it.
    pub cancelled: bool,
    /// Whether it stood in a batch.
    pub in_batch: bool,
    /// The revision that its `_meta` names.
    meta_version: Option<Box<str>>,
}

impl Asked {
    /// Whether it broke the protocol, so that its answer is not clean traffic.
    pub fn is_tainted(&self) -> bool {
        self.deliberate.as_ref().is_some_and(|deliberate| deliberate.taints >= Taint::Message)
    }

    /// The revision that its `_meta` names.
    pub fn meta_version(&self) -> Option<&str> {
        self.meta_version.as_deref()
    }

    /// The progress token that it carries.
    pub fn progress_token(&self) -> Option<&Value> {
        self.message.meta("progressToken")
    }
}

/// One HTTP exchange.
#[derive(Debug, Clone, Default)]
pub struct HttpExchange {
    /// The method of the request.
    pub method: String,
    /// The URL of the request.
    pub url: String,
    /// The headers of the request.
    pub request_headers: Headers,
    /// What was posted.
    pub body: Option<Payload>,
    /// The event that sent the head.
    pub seq: u64,
    /// Why it was sent, where it was sent on purpose.
    pub deliberate: Option<Deliberate>,
    /// The status, once there is a response.
    pub status: Option<u16>,
    /// The headers of the response.
    pub headers: Headers,
    /// The event that brought the head of the response.
    pub head_seq: u64,
    /// Payloads received on it.
    pub payloads: u32,
    /// Responses received on it.
    pub responses: u32,
    /// How it ended.
    pub end: Option<End>,
    /// When things happened on it.
    pub times: ExchangeTimes,
    /// Bodies and events with data received on it, messages or not.
    pub received: u32,
    /// What is known of it as an event stream.
    pub stream: EventStream,
}

/// The moments of an HTTP exchange, since the conversation began.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExchangeTimes {
    /// The request went out.
    pub sent: Duration,
    /// The head of the response came.
    pub head: Option<Duration>,
    /// The first JSON-RPC response came.
    pub answered: Option<Duration>,
    /// It was over.
    pub ended: Option<Duration>,
}

impl HttpExchange {
    /// The media type of the response in lower case, without parameters.
    pub fn media_type(&self) -> Option<String> {
        let value = header(&self.headers, "content-type")?;
        Some(value.split(';').next().unwrap_or(value).trim().to_ascii_lowercase())
    }

    /// Whether the response is an event stream.
    pub fn is_event_stream(&self) -> bool {
        self.media_type().as_deref() == Some("text/event-stream")
    }

    /// Whether the request broke the protocol on purpose.
    pub fn is_tainted(&self) -> bool {
        self.deliberate.as_ref().is_some_and(|deliberate| deliberate.taints >= Taint::Message)
    }

    /// A number for the session that it belongs to, or that it began; without any, for whoever sent it.
    pub fn session(&self) -> u64 {
        let within = |headers| header(headers, "mcp-session-id");
        let session = within(&self.request_headers).or_else(|| within(&self.headers));
        let mut hasher = DefaultHasher::new();
        session.or_else(|| header(&self.request_headers, "authorization")).hash(&mut hasher);
        hasher.finish()
    }

    /// Whether it took up an earlier stream.
    pub fn is_resumption(&self) -> bool {
        header(&self.request_headers, "last-event-id").is_some()
    }

    /// The message that was posted, if it was one.
    pub fn posted(&self) -> Option<&Message> {
        self.body.as_ref().filter(|_| self.method == "POST").and_then(Payload::message)
    }

    /// The ids of the requests that were posted.
    pub fn requests(&self) -> Vec<Id> {
        let parts = self.posted().map(Message::parts).unwrap_or_default();
        parts
            .iter()
            .filter(|part| *part.kind() == Kind::Request)
            .filter_map(|part| part.id().cloned())
            .collect()
    }

    /// Whether a request was posted, by itself or in a batch.
    pub fn carries_request(&self) -> bool {
        !self.requests().is_empty()
    }

    /// Whether one message of a kind was posted.
    pub fn carries(&self, kind: &Kind) -> bool {
        self.posted().is_some_and(|message| message.kind() == kind)
    }

    /// The method of the message that was posted.
    pub fn rpc_method(&self) -> Option<&str> {
        self.posted()?.method()
    }

    /// The id of the `subscriptions/listen` that was posted.
    pub fn listen(&self) -> Option<Id> {
        self.posted().filter(|posted| posted.method() == Some("subscriptions/listen"))?.id().cloned()
    }

    /// Whether it is the stream of a GET that takes up no other.
    pub fn is_own_get_stream(&self) -> bool {
        self.method == "GET" && self.status == Some(200) && self.is_event_stream() && !self.is_resumption()
    }

    /// Whether the server speaks on it as an event stream, in answer to a POST.
    pub fn is_post_stream(&self) -> bool {
        self.method == "POST" && self.status == Some(200) && self.is_event_stream()
    }
}

/// Facts about a conversation, from the events up to now.
#[derive(Debug, Default)]
pub struct State {
    transport: Option<Transport>,
    /// The revision that the conversation was opened for.
    pub intended: Option<Revision>,
    /// The revision that was agreed on (legacy), or that requests name and the server serves (modern).
    pub revision: Option<Revision>,
    /// Our requests by id; ids are never used twice.
    pub asked: IdMap<Asked>,
    /// HTTP exchanges.
    pub exchanges: HashMap<Channel, HttpExchange>,
    /// The server's `capabilities`, once it told them.
    pub capabilities: Option<Value>,
    /// From which event on the conversation is tainted as a whole.
    pub tainted_since: Option<u64>,
    /// Whether `initialize` was sent, and whether it was answered with a result.
    pub initialize: (bool, bool),
    /// Whether `notifications/initialized` was sent.
    pub initialized: bool,
    /// Whether any modern request was sent.
    pub modern_sent: bool,
    /// Listen requests (2026-07-28) that are open.
    pub listening: IdSet,
    /// Ids whose cancellation went out before any request had them: over HTTP each message has a connection of its own, so
    /// one may overtake the other.
    cancelled_ahead: IdSet,
    /// Whether anything valid came from the server.
    pub spoke: bool,
    /// Whether anything was sent at all.
    pub sent_anything: bool,
    /// When the server last answered one of our requests.
    pub last_response_at: Option<Duration>,
    /// The probe that is at work, by its note.
    pub probe: Option<String>,
    /// What is known of the wire below the messages.
    pub link: LinkState,
    /// The tools that were listed, by name; the newest definition counts.
    pub tools: HashMap<String, Arc<Tool>>,
    /// Whether the process ended by itself, or its output did.
    pub gone: bool,
    /// When the last event was.
    pub now: Duration,
    /// The ids of the events on all streams.
    pub event_ids: EventIds,
    /// Requests that were answered by a demand for input (2026-07-28).
    pub demanded: IdSet,
    /// The pages that the user was asked to visit.
    pub elicited: Elicited,
    /// On which exchange a message came that is the only one of its kind: a request of the server, a progress value.
    pub unique: HashMap<String, Channel>,
    /// What is known of notifications.
    pub notices: Notices,
    /// What is known of tasks.
    pub tasks: TaskLog,
    /// What the server said it is, if it did.
    pub server_info: Option<Value>,
    /// In which order requests and exchanges began.
    pub(super) ages: Ages,
}

impl State {
    /// The state of a conversation that has not begun.
    pub fn new(about: &About) -> Self {
        Self { transport: Some(about.transport), intended: about.revision, ..Self::default() }
    }

    /// The transport.
    pub fn transport(&self) -> Transport {
        self.transport.unwrap_or(Transport::Stdio)
    }

    /// The era, as far as it is known.
    pub fn era(&self) -> Option<Era> {
        match (self.revision.or(self.intended), self.modern_sent, self.initialize.0) {
            (Some(revision), ..) => Some(revision.era()),
            (None, true, false) => Some(Era::Modern),
            (None, false, true) => Some(Era::Legacy),
            _ => None,
        }
    }

    /// The revision whose rules hold: the agreed one, else the intended one.
    pub fn rules(&self) -> Option<Revision> {
        self.revision.or(self.intended)
    }

    /// HTTP exchanges in which we obeyed the protocol.
    pub fn clean_exchanges(&self) -> impl Iterator<Item = (Channel, &HttpExchange)> {
        let until = self.tainted_since.unwrap_or(u64::MAX);
        self.exchanges
            .iter()
            .filter(move |(_, exchange)| !exchange.is_tainted() && exchange.seq < until)
            .map(|(channel, exchange)| (*channel, exchange))
    }

    /// When the session was deleted, if it was.
    pub fn deleted_at(&self) -> Option<Duration> {
        let deletes = self.exchanges.values().filter(|exchange| exchange.method == "DELETE");
        deletes.map(|exchange| exchange.times.sent).min()
    }

    /// Takes in an event after the rules have seen it.
    pub(super) fn note_seen(&mut self, record: &Record) {
        let (fields, has_content) = match &record.event {
            Event::Received { sse: Some(fields), .. } => (fields, true),
            Event::SseOther(fields) => (fields, false),
            _ => return,
        };
        let exchange = self.exchanges.get(&record.channel);
        let resumed = exchange.is_some_and(HttpExchange::is_resumption);
        let session = exchange.map_or(0, HttpExchange::session);
        if let Some(id) = fields.id.as_ref().filter(|_| !resumed) {
            self.event_ids.note(session, id, record, has_content);
        }
    }

    /// The request that a response answers.
    pub fn answered_by(&self, message: &Message) -> Option<&Asked> {
        self.asked.get(message.id()?)
    }

    /// The request whose id this almost is. Looked for only so often: a server can send any number of wrong ids.
    pub fn meant_by(&self, id: &Id) -> Option<&Asked> {
        const OFTEN: u32 = 500;
        if self.link.unknown_ids > OFTEN {
            return None;
        }
        self.asked.values().find(|asked| alike(&asked.id, id))
    }

    /// Our requests that have no response yet and were not cancelled.
    pub fn unanswered(&self) -> impl Iterator<Item = &Asked> {
        self.asked.values().filter(|asked| asked.responses == 0 && !asked.cancelled)
    }

    /// Whether the server declared a capability, by path: `resources/subscribe`.
    pub fn declares(&self, path: &str) -> bool {
        let mut steps = path.split('/');
        let value =
            self.capabilities.as_ref().and_then(|all| steps.try_fold(all, |value, step| value.get(step)));
        value.is_some_and(|value| !value.is_null() && value != &Value::Bool(false))
    }

    /// Takes in an event, before the rules see it for what was sent, after them for what was received.
    pub(super) fn note_sent(&mut self, record: &Record) {
        self.link.note(record);
        self.now = record.at;
        match &record.event {
            Event::RequestHead { method, url, headers, deliberate } => {
                if deliberate.as_ref().is_some_and(|d| d.taints == Taint::Conversation) {
                    self.tainted_since.get_or_insert(record.seq);
                }
                self.ages.exchange(record.channel);
                let exchange = self.exchanges.entry(record.channel).or_default();
                exchange.deliberate.clone_from(deliberate);
                exchange.method.clone_from(method);
                exchange.url.clone_from(url);
                exchange.times.sent = record.at;
                exchange.request_headers.clone_from(headers);
                exchange.seq = record.seq;
            }
            Event::Sent { payload, deliberate } => {
                self.sent_anything = true;
                if deliberate.as_ref().is_some_and(|d| d.taints == Taint::Conversation) {
                    self.tainted_since.get_or_insert(record.seq);
                }
                if record.channel != Channel::PROCESS {
                    let exchange = self.exchanges.entry(record.channel).or_default();
                    exchange.body = Some(payload.clone());
                    exchange.deliberate.clone_from(deliberate);
                }
                match payload {
                    Payload::Message(message) => {
                        let in_batch = *message.kind() == Kind::Batch;
                        for part in message.parts() {
                            self.note_sent_message(record, &part, deliberate.as_ref(), in_batch);
                        }
                    }
                    // Several messages in one write.
                    Payload::Raw { bytes, .. } if record.channel == Channel::PROCESS => {
                        for line in bytes.split(|byte| *byte == b'\n') {
                            if let Ok(message) = Message::parse(line) {
                                self.note_sent_message(record, &message, deliberate.as_ref(), false);
                            }
                        }
                    }
                    Payload::Raw { .. } => {}
                }
            }
            Event::ResponseHead { status, headers } => {
                let exchange = self.exchanges.entry(record.channel).or_default();
                exchange.status = Some(*status);
                exchange.headers.clone_from(headers);
                exchange.head_seq = record.seq;
                exchange.times.head = Some(record.at);
            }
            Event::ResponseEnded(end) => {
                let exchange = self.exchanges.entry(record.channel).or_default();
                exchange.end = Some(end.clone());
                exchange.times.ended = Some(record.at);
                if *end == End::ClosedByUs {
                    self.notices.note_closed(record);
                }
            }
            Event::Received { sse, .. } if record.channel != Channel::PROCESS => {
                let exchange = self.exchanges.entry(record.channel).or_default();
                exchange.received += 1;
                if let Some(fields) = sse {
                    exchange.stream.note(fields, true, record.seq);
                }
            }
            Event::SseOther(fields) => {
                let exchange = self.exchanges.entry(record.channel).or_default();
                exchange.stream.note(fields, false, record.seq);
            }
            Event::ProcessExited { after: ShutdownStep::None, .. } | Event::StdoutClosed => self.gone = true,
            Event::Note(text) => {
                if let Some(name) = text.strip_prefix("probe ") {
                    self.probe = Some(name.to_owned());
                }
            }
            _ => {}
        }
    }

    fn note_sent_message(
        &mut self,
        record: &Record,
        message: &Message,
        deliberate: Option<&Deliberate>,
        in_batch: bool,
    ) {
        if message.is_response() {
            self.notices.note_answer(message, record);
            if let Some(id) = message.id() {
                self.tasks.note_answer(id);
            }
        }
        let Some(method) = message.method() else { return };
        match (message.kind(), message.id()) {
            // With the id null it is no request that an answer could find.
            (Kind::Request, Some(id)) if !id.is_null() => {
                let asked = Asked {
                    id: id.clone(),
                    method: method.to_owned(),
                    message: message.clone(),
                    seq: record.seq,
                    at: record.at,
                    channel: record.channel,
                    deliberate: deliberate.cloned(),
                    responses: 0,
                    cancelled: self.cancelled_ahead.remove(id),
                    in_batch,
                    meta_version: message
                        .meta("io.modelcontextprotocol/protocolVersion")
                        .and_then(Value::as_str)
                        .map(Into::into),
                };
                self.initialize.0 |= method == "initialize";
                self.modern_sent |= asked.meta_version().is_some();
                if method == "subscriptions/listen" {
                    self.listening.insert(id.clone());
                }
                self.notices.note_request(&asked);
                self.ages.asked(&asked);
                self.asked.insert(id.clone(), asked);
            }
            (Kind::Notification, _) if method == "notifications/initialized" => self.initialized = true,
            (Kind::Notification, _) if method == "notifications/cancelled" => {
                let target = message.params().and_then(|params| params.get("requestId"));
                if let Some(target) = target {
                    let id = Id::from_json(&target.to_string(), target);
                    self.listening.remove(&id);
                    if let Some(asked) = self.asked.get_mut(&id) {
                        self.notices.note_cancelled(asked, record);
                        asked.cancelled = true;
                        self.link.cancelled_at = Some(record.at);
                    } else if self.cancelled_ahead.len() < CANCELLED_AHEAD {
                        self.cancelled_ahead.insert(id);
                    }
                }
            }
            _ => {}
        }
    }

    /// Takes in a message from the server, after the rules have seen it.
    pub(super) fn note_received(&mut self, record: &Record, message: &Message) {
        self.spoke = true;
        self.link.note_received(record, message);
        self.elicited.note(record, message);
        if record.channel != Channel::PROCESS {
            let exchange = self.exchanges.entry(record.channel).or_default();
            exchange.payloads += 1;
            if message.is_response() {
                exchange.responses += 1;
                exchange.times.answered.get_or_insert(record.at);
            } else if exchange.responses > 0 {
                exchange.stream.after_response += 1;
            }
            if let Some(key) = super::streams::unique_key(message)
                && self.unique.len() < super::streams::KEPT
            {
                self.unique.entry(key).or_insert(record.channel);
            }
        }
        let Some(id) = message.id().filter(|_| message.is_response()) else {
            let listen = self.exchanges.get(&record.channel).and_then(HttpExchange::listen);
            self.tasks.note(record, message, None);
            return self.notices.note_received(record, message, listen.as_ref());
        };
        self.listening.remove(id);
        if !self.asked.contains_key(id) {
            if let Some(meant) = self.meant_by(id) {
                self.link.misanswered.insert(meant.id.clone());
            }
            self.link.unknown_ids += 1;
        }
        let Some(asked) = self.asked.get_mut(id) else { return };
        self.notices.note_response(record, asked, message);
        self.tasks.note(record, message, Some(asked));
        asked.responses += 1;
        self.last_response_at = Some(record.at);
        let (method, first) = (asked.method.clone(), asked.responses == 1);
        let meta_version = asked.meta_version().and_then(|version| version.parse::<Revision>().ok());
        let Some(result) = message.result().filter(|_| first) else { return };
        if meta_version.is_some() && crate::client::mrtr::demands_input(result) {
            self.demanded.insert(id.clone());
        }
        if self.server_info.is_none() {
            let named = || result.get("_meta")?.get(SERVER_INFO);
            self.server_info = result.get("serverInfo").or_else(named).cloned();
        }
        match method.as_str() {
            "initialize" => {
                self.initialize.1 = true;
                let version = result.get("protocolVersion").and_then(Value::as_str);
                self.revision = version.and_then(|version| version.parse().ok());
                self.capabilities = result.get("capabilities").cloned();
            }
            "server/discover" => {
                self.revision = meta_version.or(self.revision);
                self.capabilities = result.get("capabilities").cloned();
            }
            "tools/list" => {
                let listed = result.get("tools").and_then(Value::as_array);
                for tool in listed.into_iter().flatten() {
                    let Some(name) = tool.get("name").and_then(Value::as_str) else { continue };
                    if self.tools.len() < MOST_TOOLS || self.tools.contains_key(name) {
                        self.tools.insert(name.to_owned(), Arc::new(Tool::new(tool.clone())));
                    }
                }
            }
            _ => {}
        }
    }
}

/// Something that a rule looks at.
pub struct Moment<'a> {
    /// The event.
    pub record: &'a Arc<Record>,
    /// The message in it, where it is one from the server; elements of a batch come one by one.
    pub message: Option<Heard<'a>>,
    /// What is known by now. Of a message from the server: before it is counted.
    pub state: &'a State,
}

/// A message from the server, with what it belongs to.
#[derive(Clone, Copy)]
pub struct Heard<'a> {
    /// The message.
    pub message: &'a Message,
    /// The request that it answers, if it is a response to one of ours.
    pub answers: Option<&'a Asked>,
    /// The HTTP exchange that carried it.
    pub exchange: Option<&'a HttpExchange>,
    /// Whether it came in a batch.
    pub in_batch: bool,
    /// Whether what we did before makes it unfit to be judged as clean traffic.
    pub tainted: bool,
    /// The revision that it is judged by, where it is the first result of a request of ours.
    pub(super) revision: Option<Revision>,
}

impl Heard<'_> {
    /// Whether it claims to be JSON-RPC. The body of an HTTP error may be anything, such as a gateway's or the error
    /// of an authorization server, unless it says `jsonrpc`.
    pub fn is_rpc(&self) -> bool {
        let refused = self.exchange.and_then(|exchange| exchange.status).is_some_and(|status| status >= 400);
        !refused || self.message.value().get("jsonrpc").is_some()
    }
}
