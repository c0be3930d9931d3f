//! Scripted conversations for the tests of monitors: say what was sent and what came, then ask what the rules said.
//!
//! ```ignore
//! let verdicts = Script::stdio(Revision::V2025_11_25)
//!     .handshake()
//!     .sent(json!({"jsonrpc": "2.0", "id": 7, "method": "ping"}))
//!     .received(json!({"jsonrpc": "2.0", "id": 7, "result": {}}))
//!     .verdicts();
//! verdicts.assert_held("ping.answered");
//! ```

use super::{Judge, Watch};
use crate::protocol::{Era, Revision, Transport};
use crate::transcript::{About, Record};
use crate::wire::{Channel, Deliberate, End, Event, Payload, SseFields, Taint};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A conversation that is made up. Each event takes a millisecond.
pub(crate) struct Script {
    about: About,
    records: Vec<Arc<Record>>,
    clock: Duration,
    exchanges: u32,
}

/// What the rules said about a script.
pub(crate) struct Verdicts(Judge);

impl Script {
    pub(crate) fn new(revision: Option<Revision>, transport: Transport) -> Self {
        let about = About { revision, transport, purpose: "test".to_owned(), target: "scripted".to_owned() };
        Self { about, records: Vec::new(), clock: Duration::ZERO, exchanges: 0 }
    }

    /// A process that was started.
    pub(crate) fn stdio(revision: Revision) -> Self {
        Self::started(revision, &["server"])
    }

    /// A process that was started by a command.
    pub(crate) fn started(revision: Revision, command: &[&str]) -> Self {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        Self::new(Some(revision), Transport::Stdio).event(Event::ProcessStarted { pid: 7, command })
    }

    pub(crate) fn http(revision: Revision) -> Self {
        Self::new(Some(revision), Transport::Http)
    }

    /// An event of the process.
    pub(crate) fn event(self, event: Event) -> Self {
        self.on(Channel::PROCESS, event)
    }

    /// An event on a channel.
    pub(crate) fn on(mut self, channel: Channel, event: Event) -> Self {
        self.clock += Duration::from_millis(1);
        let seq = self.records.len() as u64;
        self.records.push(Arc::new(Record { seq, at: self.clock, channel, event }));
        self
    }

    /// Time passes.
    pub(crate) fn wait(mut self, time: Duration) -> Self {
        self.clock += time;
        self
    }

    /// We send a message on stdio.
    pub(crate) fn sent(self, message: Value) -> Self {
        self.sent_bytes(message.to_string().as_bytes(), None)
    }

    /// We send a message on stdio on purpose.
    pub(crate) fn sent_tainted(self, message: Value, taint: Taint) -> Self {
        self.sent_bytes(message.to_string().as_bytes(), Some(taint))
    }

    /// We send any bytes on stdio.
    pub(crate) fn sent_bytes(self, bytes: &[u8], taint: Option<Taint>) -> Self {
        let deliberate = taint.map(|taints| Deliberate { by: "a_probe".to_owned(), taints });
        self.event(Event::Sent { payload: Payload::read(bytes.to_vec()), deliberate })
    }

    /// The server writes a message on stdio.
    pub(crate) fn received(self, message: Value) -> Self {
        self.received_bytes(message.to_string().as_bytes())
    }

    /// The server writes a line on stdio.
    pub(crate) fn received_bytes(self, line: &[u8]) -> Self {
        self.event(Event::Received { payload: Payload::read(line.to_vec()), sse: None })
    }

    /// A probe begins.
    pub(crate) fn probe(self, name: &str) -> Self {
        self.event(Event::Note(format!("probe {name}")))
    }

    /// A whole HTTP exchange: what is posted, the status, the media type, and the messages that come back.
    pub(crate) fn exchange(
        self,
        posted: Value,
        status: u16,
        media: &str,
        bodies: &[Value],
        taint: Option<Taint>,
    ) -> Self {
        let (mut script, channel) = self.posted(posted.to_string().as_bytes(), taint);
        let headers = vec![("content-type".to_owned(), media.to_owned())];
        script = script.on(channel, Event::ResponseHead { status, headers });
        let sse =
            (media == "text/event-stream").then(|| SseFields { has_data: true, ..SseFields::default() });
        for body in bodies {
            let payload = Payload::read(body.to_string().into_bytes());
            script = script.on(channel, Event::Received { payload, sse: sse.clone() });
        }
        script.on(channel, Event::ResponseEnded(End::Complete))
    }

    /// The beginning of an HTTP exchange: head and body go out.
    pub(crate) fn posted(mut self, body: &[u8], taint: Option<Taint>) -> (Self, Channel) {
        self.exchanges += 1;
        let channel = Channel(self.exchanges);
        let deliberate = taint.map(|taints| Deliberate { by: "a_probe".to_owned(), taints });
        let head = Event::RequestHead {
            method: "POST".to_owned(),
            url: "http://localhost/mcp".to_owned(),
            headers: Vec::new(),
            deliberate: None,
        };
        let sent = Event::Sent { payload: Payload::read(body.to_vec()), deliberate };
        (self.on(channel, head).on(channel, sent), channel)
    }

    /// The response of an exchange begins as an event stream.
    pub(crate) fn streaming(self, channel: Channel) -> Self {
        let headers = vec![("content-type".to_owned(), "text/event-stream".to_owned())];
        self.on(channel, Event::ResponseHead { status: 200, headers })
    }

    /// A message comes as an event on a stream.
    pub(crate) fn event_on(self, channel: Channel, message: &Value) -> Self {
        let payload = Payload::read(message.to_string().into_bytes());
        let sse = Some(SseFields { has_data: true, ..SseFields::default() });
        self.on(channel, Event::Received { payload, sse })
    }

    /// The messages with which a good server of the revision is opened; server capabilities as given.
    pub(crate) fn handshake_with(self, capabilities: Value) -> Self {
        let revision = self.about.revision.unwrap_or(Revision::V2025_11_25);
        let (request, result) = match revision.era() {
            Era::Legacy => (
                json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
                    "protocolVersion": revision.as_str(),
                    "capabilities": crate::client::capabilities(revision),
                    "clientInfo": {"name": "t", "version": "1"}}}),
                json!({"protocolVersion": revision.as_str(), "capabilities": capabilities,
                    "serverInfo": {"name": "s", "version": "1"}}),
            ),
            Era::Modern => (
                modern(1, "server/discover", json!({})),
                json!({"resultType": "complete", "supportedVersions": [revision.as_str()],
                    "capabilities": capabilities, "ttlMs": 1, "cacheScope": "public",
                    "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "s", "version": "1"}}}),
            ),
        };
        let response = json!({"jsonrpc": "2.0", "id": 1, "result": result});
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        match (self.about.transport, revision.era()) {
            (Transport::Stdio, Era::Legacy) => self.sent(request).received(response).sent(initialized),
            (Transport::Stdio, Era::Modern) => self.sent(request).received(response),
            (_, Era::Legacy) => self.exchange(request, 200, "application/json", &[response], None).exchange(
                initialized,
                202,
                "text/plain",
                &[],
                None,
            ),
            (_, Era::Modern) => self.exchange(request, 200, "application/json", &[response], None),
        }
    }

    /// The handshake with a server that declares nothing.
    pub(crate) fn handshake(self) -> Self {
        self.handshake_with(json!({}))
    }

    /// Runs all monitors over it.
    pub(crate) fn verdicts(self) -> Verdicts {
        let mut watch = Watch::new(&self.about);
        for record in &self.records {
            watch.see(record);
        }
        Verdicts(watch.finish())
    }
}

/// A valid request of the modern era.
pub(crate) fn modern(id: i64, method: &str, params: Value) -> Value {
    let params = crate::client::with_meta(params, Revision::V2026_07_28.as_str());
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

impl Verdicts {
    /// Ids with a breach, sorted.
    pub(crate) fn broken(&self) -> Vec<&'static str> {
        self.0.broken().map(|(id, _)| id).collect()
    }

    /// The classes of the breaches of a requirement.
    pub(crate) fn classes(&self, id: &str) -> Vec<String> {
        let tally = self.0.get(id);
        tally.into_iter().flat_map(|tally| &tally.breaches).map(|breach| breach.class.clone()).collect()
    }

    /// The judge itself.
    pub(crate) fn judge(&self) -> &Judge {
        &self.0
    }

    /// Fails unless exactly these requirements are broken.
    #[track_caller]
    pub(crate) fn assert_broken(&self, ids: &[&str]) {
        assert_eq!(self.broken(), ids);
    }

    /// Fails unless the requirement was seen to hold and nothing broke it.
    #[track_caller]
    pub(crate) fn assert_held(&self, id: &str) {
        let tally = self.0.get(id);
        assert!(tally.is_some_and(|tally| tally.held > 0), "{id} was not seen to hold");
        assert!(tally.is_some_and(|tally| tally.breaches.is_empty()), "{id} is broken");
    }

    /// Fails if anything was decided about the requirement.
    #[track_caller]
    pub(crate) fn assert_open(&self, id: &str) {
        let decided = self.0.get(id).is_some_and(|tally| tally.held > 0 || !tally.breaches.is_empty());
        assert!(!decided, "{id} is decided");
    }
}
