//! A conversation with a server: send, wait, answer what it asks; in any era, over any transport.

use super::answers;
use super::handshake::Handshake;
use super::inbox::{Heard, Inbox};
use super::link::{Binding, Link, OpenError, Timeouts};
use super::outgoing::Outgoing;
use super::reply::{Gone, Reply};
use crate::protocol::{Era, Id, Revision, Transport};
use crate::transcript::Recorder;
use crate::wire::{Channel, End, Event, Exit, HttpConfig, Limits, Observer, ResponseLimits};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// How often an event stream is taken up again before its response counts as lost.
const RESUMPTIONS: u32 = 5;
/// How long the end of a process is waited for once its pipes are broken.
const FATE: Duration = Duration::from_secs(1);
/// The longest wait that a server may ask for before a stream is taken up again.
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// How a note begins that says that something was not answered in time; the id of the request follows, if it has one.
pub const TIMED_OUT: &str = "timed out: ";

/// One conversation. Nothing is sent that was not asked for, except answers to the server's requests.
pub struct Conversation {
    pub(super) recorder: Arc<Recorder>,
    pub(super) link: Link,
    pub(super) transport: Transport,
    inbox: Inbox,
    pub(super) era: Option<Era>,
    pub(super) revision: Option<Revision>,
    pub(super) handshake: Option<Handshake>,
    timeouts: Timeouts,
    next_id: i64,
    answered: HashSet<usize>,
    spoken_to: bool,
}

/// Something that was sent and may be answered.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// The id of the request, if it was one.
    pub id: Option<Id>,
    /// The HTTP exchange, or the process.
    pub channel: Channel,
    /// The position in the record from which an answer can come.
    pub since: u64,
}

/// What a conversation is opened with.
#[derive(Clone)]
pub struct Opening {
    /// The limits of the wire.
    pub limits: Limits,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// Headers for every HTTP request.
    pub headers: Vec<(String, String)>,
    /// TLS settings.
    pub http: HttpConfig,
}

impl Conversation {
    /// Starts the process, or gets ready to connect. Over HTTP+SSE this opens the stream and waits for its endpoint.
    pub async fn open(
        binding: &Binding,
        opening: &Opening,
        recorder: Arc<Recorder>,
    ) -> Result<Self, OpenError> {
        let transport = binding.transport();
        let link = match binding {
            Binding::Stdio(command) => Link::stdio(command, &opening.limits, &recorder)?,
            Binding::Http(url) | Binding::HttpSse(url) => Link::http(
                url.clone(),
                opening.headers.clone(),
                opening.http.clone(),
                &opening.limits,
                &recorder,
            )?,
        };
        let mut conversation = Self {
            recorder,
            link,
            transport,
            inbox: Inbox::default(),
            era: None,
            revision: None,
            handshake: None,
            timeouts: opening.timeouts,
            next_id: 1,
            answered: HashSet::new(),
            spoken_to: false,
        };
        if let Binding::HttpSse(url) = binding {
            conversation.open_sse(url).await?;
        }
        Ok(conversation)
    }

    async fn open_sse(&mut self, url: &Url) -> Result<(), OpenError> {
        let limits = self.stream_limits();
        let Link::Http(link) = &mut self.link else { return Ok(()) };
        let headers = vec![("Accept".to_owned(), "text/event-stream".to_owned())];
        let channel = link.bare("GET", url.clone(), headers, &Outgoing::bytes(""), limits);
        link.stream = Some(channel);
        let deadline = Instant::now() + self.timeouts.startup.min(Duration::from_secs(10));
        let failed = |why: String| OpenError::NoEndpoint { url: url.to_string(), why };
        loop {
            self.inbox.absorb(&self.recorder);
            if let Some(endpoint) = self.endpoint(channel) {
                let resolved = url.join(endpoint.trim());
                let target = resolved.map_err(|error| failed(format!("`{endpoint}` is no URL: {error}")))?;
                if target.origin() != url.origin() {
                    return Err(failed(format!("it names another origin: {target}")));
                }
                if let Link::Http(link) = &mut self.link {
                    link.url = target;
                }
                return Ok(());
            }
            let exchange = self.inbox.exchange(channel);
            if let Some(gone) = exchange.and_then(|exchange| exchange.failed.clone()) {
                return Err(failed(gone.to_string()));
            }
            if let Some(head) = exchange.and_then(|exchange| exchange.head.as_ref())
                && (head.status != 200 || head.media_type().as_deref() != Some("text/event-stream"))
            {
                let media = head.media_type().unwrap_or_else(|| "no media type".to_owned());
                return Err(failed(format!("HTTP {} with {media}", head.status)));
            }
            if exchange.is_some_and(|exchange| exchange.end.is_some()) {
                return Err(failed("the stream ended".to_owned()));
            }
            if !self.wait(deadline).await {
                return Err(failed("no `endpoint` event came in time".to_owned()));
            }
        }
    }

    /// The data of the `endpoint` event, if it has come.
    fn endpoint(&self, channel: Channel) -> Option<String> {
        self.recorder.snapshot().iter().find_map(|record| match &record.event {
            Event::Received { payload, sse: Some(sse) }
                if record.channel == channel && sse.event.as_deref() == Some("endpoint") =>
            {
                Some(String::from_utf8_lossy(payload.bytes()).into_owned())
            }
            _ => None,
        })
    }

    /// What happened so far.
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// The transport.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The revision that is spoken, once it is agreed.
    pub fn revision(&self) -> Option<Revision> {
        self.revision
    }

    /// The era of the conversation, once it is agreed.
    pub fn era(&self) -> Option<Era> {
        self.era
    }

    /// What the server said of itself when the conversation was opened.
    pub fn handshake(&self) -> Option<&Handshake> {
        self.handshake.as_ref()
    }

    /// How long this conversation waits.
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// The session id that the server gave, over HTTP in the legacy era.
    pub fn session_id(&self) -> Option<&str> {
        match &self.link {
            Link::Http(link) => link.session.as_deref(),
            Link::Stdio { .. } => None,
        }
    }

    /// Where messages are posted.
    pub fn url(&self) -> Option<&Url> {
        match &self.link {
            Link::Http(link) => Some(&link.url),
            Link::Stdio { .. } => None,
        }
    }

    /// An id that was not used yet.
    pub fn fresh_id(&mut self) -> Id {
        let id = Id::number(self.next_id);
        self.next_id += 1;
        id
    }

    /// The position in the record of whatever happens next.
    pub fn now(&self) -> u64 {
        self.recorder.len() as u64
    }

    /// The parameters of a request as a client of this era sends them: with `_meta` in the modern one.
    pub fn params(&self, params: Value) -> Option<Value> {
        if self.era == Some(Era::Modern) {
            let revision = self.revision.unwrap_or(Revision::V2026_07_28);
            return Some(with_meta(params, revision.as_str()));
        }
        match &params {
            Value::Null => None,
            Value::Object(members) if members.is_empty() => None,
            _ => Some(params),
        }
    }

    /// A valid request of this era with a fresh id.
    pub fn compose(&mut self, method: &str, params: Value) -> Outgoing {
        let params = self.params(params);
        let id = self.fresh_id();
        Outgoing::request(&id, method, params)
    }

    /// Sends without waiting.
    pub async fn send(&mut self, outgoing: Outgoing) -> Ticket {
        let since = self.now();
        let limits = self.response_limits();
        let era = self.era.or(outgoing.version.as_ref().map(|_| Era::Modern));
        let channel = self.link.send(&outgoing, era, limits).await.unwrap_or(Channel::PROCESS);
        Ticket { id: outgoing.id, channel, since }
    }

    /// Sends and waits for the answer.
    pub async fn exchange(&mut self, outgoing: Outgoing) -> Reply {
        let ticket = self.send(outgoing).await;
        self.reply(&ticket).await
    }

    /// A valid request of this era, and its answer.
    pub async fn request(&mut self, method: &str, params: Value) -> Reply {
        let outgoing = self.compose(method, params);
        self.exchange(outgoing).await
    }

    /// A valid notification of this era; over HTTP the reply is the response to its POST.
    pub async fn notify(&mut self, method: &str, params: Value) -> Ticket {
        let params = self.params(params);
        self.send(Outgoing::notification(method, params)).await
    }

    /// Waits for the answer to something, for as long as the request time-out says (the start-up time-out as long as
    /// the server has not said anything yet).
    pub async fn reply(&mut self, ticket: &Ticket) -> Reply {
        let wait = if self.spoken_to { self.timeouts.request } else { self.timeouts.startup };
        let reply = self.reply_within(ticket, wait).await;
        if let Reply::Silence(_) = reply {
            self.note_timed_out(ticket);
        }
        reply
    }

    /// Says in the record that something was not answered, however long was waited.
    pub fn note_timed_out(&self, ticket: &Ticket) {
        let id = ticket.id.as_ref().map_or("", |id| id.as_json());
        self.recorder.observe(ticket.channel, Event::Note(format!("{TIMED_OUT}{id}")));
    }

    /// Waits for the answer to something.
    pub async fn reply_within(&mut self, ticket: &Ticket, wait: Duration) -> Reply {
        let deadline = Instant::now() + wait;
        let mut resumed = 0;
        let mut fate = None;
        loop {
            self.pump().await;
            if let Some(reply) = self.settled(ticket) {
                match &reply {
                    // A pipe that breaks is mostly the beginning of an end: that tells more.
                    Reply::Gone(Gone::StdoutClosed | Gone::WriteFailed(_))
                        if ticket.channel == Channel::PROCESS =>
                    {
                        let until = *fate.get_or_insert_with(|| Instant::now() + FATE);
                        if self.wait(until).await {
                            continue;
                        }
                    }
                    Reply::NoMessage(_) | Reply::Gone(Gone::Broken(_))
                        if resumed < RESUMPTIONS && self.resume(ticket, deadline).await =>
                    {
                        resumed += 1;
                        continue;
                    }
                    _ => {}
                }
                self.spoken_to |= reply.answer().is_some() || reply.http().is_some();
                return reply;
            }
            if !self.wait(deadline).await {
                return Reply::Silence(wait);
            }
        }
    }

    /// Lets time pass, answering what the server asks meanwhile.
    pub async fn idle(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        loop {
            self.pump().await;
            if !self.wait(deadline).await {
                return;
            }
        }
    }

    /// All messages that came in since a position.
    pub fn heard_since(&mut self, since: u64) -> Vec<Heard> {
        self.inbox.absorb(&self.recorder);
        let start = self.inbox.heard.partition_point(|heard| heard.record.seq < since);
        self.inbox.heard[start..].to_vec()
    }

    /// Whether the other side is gone for good: the process ended, closed its output, or cannot be written to.
    pub fn gone(&mut self) -> Option<Gone> {
        self.inbox.absorb(&self.recorder);
        let closed = self.inbox.stdout_closed.then_some(Gone::StdoutClosed);
        self.inbox.process_gone.clone().or(closed).or_else(|| {
            let Link::Http(link) = &self.link else { return None };
            let exchange = self.inbox.exchange(link.stream?)?;
            exchange.failed.clone().or_else(|| exchange.end.clone().map(Gone::Broken))
        })
    }

    /// Opens the event stream of the session by GET; the reply to the ticket is its head, see [`Self::head`].
    pub async fn get_stream(&mut self, last_event_id: Option<&str>, edits: Outgoing) -> Ticket {
        let since = self.now();
        let limits = self.stream_limits();
        let Link::Http(link) = &mut self.link else {
            return Ticket { id: None, channel: Channel::PROCESS, since };
        };
        let mut headers = link.session_headers("text/event-stream");
        if let Some(id) = last_event_id {
            headers.push(("Last-Event-ID".to_owned(), id.to_owned()));
        }
        let channel = link.bare("GET", link.url.clone(), headers, &edits, limits);
        Ticket { id: None, channel, since }
    }

    /// A request without a body (DELETE, PUT, …) on the endpoint, and its response.
    pub async fn bare(&mut self, method: &str, edits: Outgoing) -> Reply {
        let since = self.now();
        let limits = self.response_limits();
        let Link::Http(link) = &mut self.link else { return Reply::Silence(Duration::ZERO) };
        let headers = link.session_headers("application/json, text/event-stream");
        let channel = link.bare(method, link.url.clone(), headers, &edits, limits);
        self.reply(&Ticket { id: None, channel, since }).await
    }

    /// Waits for the head of an HTTP response, whether or not its body ends.
    pub async fn head(&mut self, ticket: &Ticket) -> Result<super::HttpHead, Gone> {
        let deadline = Instant::now() + self.timeouts.request;
        loop {
            self.pump().await;
            let exchange = self.inbox.exchange(ticket.channel);
            if let Some(head) = exchange.and_then(|exchange| exchange.head.clone()) {
                return Ok(head);
            }
            if let Some(gone) = exchange.and_then(|exchange| exchange.failed.clone()) {
                return Err(gone);
            }
            if let Some(end) = exchange.and_then(|exchange| exchange.end.clone()) {
                return Err(Gone::Broken(end));
            }
            if !self.wait(deadline).await {
                return Err(Gone::Broken(End::TimedOut));
            }
        }
    }

    /// How an HTTP exchange ended, if it has.
    pub fn ended(&mut self, ticket: &Ticket) -> Option<End> {
        self.inbox.absorb(&self.recorder);
        self.inbox.exchange(ticket.channel)?.end.clone()
    }

    /// Closes the response of an exchange, which in the modern era cancels its request.
    pub async fn abort(&mut self, ticket: &Ticket) {
        if let Link::Http(link) = &mut self.link {
            link.abort(ticket.channel).await;
        }
    }

    /// Asks for something harmless and waits for the answer: is the server still there and well?
    pub async fn canary(&mut self) -> Reply {
        match self.era {
            Some(Era::Modern) => self.request("server/discover", json!({})).await,
            _ => self.request("ping", json!({})).await,
        }
    }

    /// Ends the conversation as a client should: the session is deleted, the process's input closed.
    pub async fn close(mut self) -> Closed {
        let mut deleted = None;
        if self.session_id().is_some() {
            deleted = Some(self.bare("DELETE", Outgoing::bytes("")).await);
        }
        let exit = match self.link {
            Link::Stdio { process } => Some(process.shutdown().await),
            Link::Http(mut link) => {
                link.abort_all().await;
                None
            }
        };
        self.recorder.close();
        Closed { recorder: self.recorder, exit, deleted }
    }

    /// Whether an answer, or the certainty that none will come, is there.
    fn settled(&mut self, ticket: &Ticket) -> Option<Reply> {
        if let Some(id) = &ticket.id
            && let Some(answer) = self.inbox.response(id, ticket.since)
        {
            return Some(if answer.message.result().is_some() {
                Reply::Result(answer)
            } else {
                Reply::Error(answer)
            });
        }
        if ticket.channel == Channel::PROCESS {
            // A server may answer and then go: everything it wrote is read before its end is told.
            return self.gone().map(Reply::Gone);
        }
        let over_sse = matches!(&self.link, Link::Http(link) if link.stream.is_some());
        let exchange = self.inbox.exchange(ticket.channel)?;
        if let Some(gone) = &exchange.failed {
            return Some(Reply::Gone(gone.clone()));
        }
        let end = exchange.end.clone()?;
        let head = exchange.head.clone();
        if over_sse && ticket.id.is_some() && head.as_ref().is_some_and(|head| head.status < 300) {
            // The answer comes on the stream.
            return self.gone().map(Reply::Gone);
        }
        if let Some(answer) = self.inbox.response_on(ticket.channel) {
            return Some(Reply::Unmatched(answer));
        }
        Some(match (head, end) {
            (Some(head), End::Complete) => Reply::NoMessage(head),
            (_, end) => Reply::Gone(Gone::Broken(end)),
        })
    }

    /// Takes up an event stream again that ended before its response (legacy era, basic/transports#resumability).
    async fn resume(&mut self, ticket: &Ticket, deadline: Instant) -> bool {
        if self.era != Some(Era::Legacy) || self.transport != Transport::Http || ticket.id.is_none() {
            return false;
        }
        let exchange = self.inbox.exchange_mut(ticket.channel);
        let Some(last) = exchange.last_event_id.clone().filter(|_| !exchange.resumed) else { return false };
        exchange.resumed = true;
        let pause = Duration::from_millis(exchange.retry.unwrap_or(100)).min(LONGEST_RETRY);
        if Instant::now() + pause > deadline {
            return false;
        }
        self.idle(pause).await;
        let again = self.get_stream(Some(&last), Outgoing::bytes("")).await;
        // The answer is looked for by its id on every stream; this exchange only has to stay open until then.
        let exchange = self.inbox.exchange_mut(ticket.channel);
        exchange.end = None;
        self.recorder.note(format!("exchange {} is taken up again as {}", ticket.channel, again.channel));
        true
    }

    /// Takes in what came and answers what the server asked.
    async fn pump(&mut self) {
        self.inbox.absorb(&self.recorder);
        for index in std::mem::take(&mut self.inbox.asked) {
            // In the modern era a server asks nothing; whatever it sends is left to the monitors.
            if self.era == Some(Era::Modern) || !self.answered.insert(index) {
                continue;
            }
            let heard = self.inbox.heard[index].message.clone();
            let (Some(id), Some(method)) = (heard.id(), heard.method()) else { continue };
            let id: Value = serde_json::from_str(id.as_json()).unwrap_or(Value::Null);
            let response = match answers::answer(method, heard.params()) {
                Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
                Err((code, message)) => {
                    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
                }
            };
            let outgoing = Outgoing { id: None, ..Outgoing::message(&response) };
            self.send(outgoing).await;
        }
    }

    /// Waits for news until a deadline; `false` when it has passed.
    async fn wait(&self, deadline: Instant) -> bool {
        tokio::time::timeout_at(deadline, self.recorder.news()).await.is_ok()
    }

    fn response_limits(&self) -> ResponseLimits {
        let wait = if self.spoken_to { self.timeouts.request } else { self.timeouts.startup };
        // The conversation's own time-out is what counts; the wire's is the bound behind it.
        let total = wait + Duration::from_secs(5);
        ResponseLimits { head: total, idle: total, total }
    }

    fn stream_limits(&self) -> ResponseLimits {
        let hour = Duration::from_secs(3600);
        ResponseLimits { head: self.timeouts.startup, idle: hour, total: hour }
    }
}

/// A conversation that is over.
pub struct Closed {
    /// What happened.
    pub recorder: Arc<Recorder>,
    /// How the process ended, on stdio.
    pub exit: Option<Exit>,
    /// The answer to DELETE of the session, where there was one.
    pub deleted: Option<Reply>,
}

/// Parameters with the metadata that every modern request carries (2026-07-28, basic/index#request-metadata).
pub fn with_meta(mut params: Value, version: &str) -> Value {
    if !params.is_object() {
        params = json!({});
    }
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": answers::capabilities(Revision::V2026_07_28),
        "io.modelcontextprotocol/clientInfo": answers::client_info(),
    });
    match params.get_mut("_meta").and_then(Value::as_object_mut) {
        Some(own) => {
            if let Value::Object(meta) = meta {
                for (name, value) in meta {
                    own.entry(name).or_insert(value);
                }
            }
        }
        None => params["_meta"] = meta,
    }
    params
}
