//! A conversation with a server: send, wait, answer what it asks; in any era, over any transport.

use super::answers::{self, Answering};
use super::bearing::Bearing;
use super::handshake::Handshake;
use super::inbox::{Heard, Inbox};
use super::link::{Binding, Link, OpenError, Timeouts};
use super::outgoing::Outgoing;
use super::pace::Pace;
use super::reply::{Gone, HttpHead, Reply};
use super::streams::Listening;
use super::wish::Wish;
use crate::protocol::{Era, Id, Kind, Revision, Transport};
use crate::transcript::Recorder;
use crate::wire::{Channel, End, Event, Exit, HttpConfig, Limits, Observer, ResponseLimits, Taint};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// How often an event stream is taken up again before its response counts as lost.
const RESUMPTIONS: u32 = 5;
/// How long the session's end may take.
const FAREWELL: Duration = Duration::from_secs(2);
/// How many valid requests in a row may stay without an answer before the server is asked whether it is there at all.
const PATIENCE: u32 = 2;
/// How long the end of a process may come after its pipes have closed.
const LAST_WORDS: Duration = Duration::from_millis(1500);

/// How a note begins that says that something was not answered in time; the id of the request follows, if it has one.
pub const TIMED_OUT: &str = "timed out: ";

/// One conversation. Nothing is sent that was not asked for, except answers to the server's requests.
pub struct Conversation {
    pub(super) recorder: Arc<Recorder>,
    pub(super) link: Link,
    pub(super) transport: Transport,
    pub(super) inbox: Inbox,
    /// The stream that a legacy session over HTTP listens on.
    pub(super) listening: Option<Listening>,
    pub(super) era: Option<Era>,
    /// What the server answers in the legacy era whatever happens: `ping`, or the list that stands for it.
    alive: &'static str,
    pub(super) revision: Option<Revision>,
    pub(super) handshake: Option<Handshake>,
    pub(super) timeouts: Timeouts,
    pace: Option<Arc<Pace>>,
    /// How the server's own requests are answered.
    answering: Answering,
    next_id: i64,
    answered: HashSet<usize>,
    /// Whether answers to the server's requests are held back, and which are.
    holds_answers: bool,
    held_back: Vec<usize>,
    spoken_to: bool,
    /// Where valid requests were sent: these must be answered.
    owed: HashSet<u64>,
    /// How many of them in a row were not.
    unanswered: u32,
    /// Whether it is given up.
    hangs: bool,
    /// Whether the end of the process was waited for after its pipes had closed.
    heard_out: bool,
    /// Whether the server has agreed to the end of the session.
    session_over: bool,
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
    /// Keeps messages apart.
    pub pace: Option<Arc<Pace>>,
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
            listening: None,
            era: None,
            alive: "ping",
            revision: None,
            handshake: None,
            timeouts: opening.timeouts,
            pace: opening.pace.clone(),
            answering: Answering::Willing,
            next_id: 1,
            answered: HashSet::new(),
            holds_answers: false,
            held_back: Vec::new(),
            spoken_to: false,
            owed: HashSet::new(),
            unanswered: 0,
            hangs: false,
            heard_out: false,
            session_over: false,
        };
        if let Binding::HttpSse(url) = binding {
            conversation.open_sse(url).await?;
        }
        Ok(conversation)
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

    /// What lets every request in, among the headers that the user gave.
    pub fn bearing(&self) -> Bearing {
        match &self.link {
            Link::Http(link) => Bearing::among(&link.headers),
            Link::Stdio { .. } => Bearing::default(),
        }
    }

    /// Where messages are posted.
    pub fn url(&self) -> Option<&Url> {
        match &self.link {
            Link::Http(link) => Some(&link.url),
            Link::Stdio { .. } => None,
        }
    }

    /// Answers what the server asks in this way from now on.
    pub fn answer_as(&mut self, answering: Answering) {
        self.answering = answering;
    }

    /// The requests of the server that came in since a position.
    pub fn asked_since(&mut self, since: u64) -> Vec<Heard> {
        let mut heard = self.heard_since(since);
        heard.retain(|heard| *heard.message.kind() == Kind::Request);
        heard
    }

    /// An id that was not used yet.
    pub fn fresh_id(&mut self) -> Id {
        let id = Id::number(self.next_id);
        self.next_id += 1;
        id
    }

    /// Counts the ids of its own requests from here on, for a conversation in which messages with ids of their own are
    /// sent, too.
    pub fn count_from(&mut self, id: i64) {
        self.next_id = id;
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
        if self.hangs {
            return Ticket { id: outgoing.id, channel: Channel::PROCESS, since: self.now() };
        }
        self.turn().await;
        let since = self.now();
        let breaks = outgoing.deliberate.as_ref().is_some_and(|why| why.taints != Taint::Nothing);
        if outgoing.id.is_some() && !breaks {
            self.owed.insert(since);
        }
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

    /// Waits for the answer to something. A server that leaves valid requests unanswered again and again is given up:
    /// nothing more is sent, and every further reply is [`Gone::Hangs`] at once.
    pub async fn reply_within(&mut self, ticket: &Ticket, wait: Duration) -> Reply {
        let reply = self.await_reply(ticket, wait).await;
        match &reply {
            Reply::Silence(_) if wait >= self.timeouts.request => self.waited_in_vain(ticket).await,
            Reply::Silence(_) | Reply::Gone(_) => {}
            _ => self.unanswered = 0,
        }
        reply
    }

    /// Counts a request that was waited for as long as any is, and has no answer.
    pub async fn waited_in_vain(&mut self, ticket: &Ticket) {
        if !self.owed.contains(&ticket.since) {
            return;
        }
        self.unanswered += 1;
        if self.unanswered >= PATIENCE && self.handshake.is_some() {
            self.give_up_unless_alive().await;
        }
    }

    /// Waits until one of these requests has its reply, or no reply is to come for it: its place among them; `None` if
    /// that is so for none at the deadline.
    pub async fn first_settled(&mut self, tickets: &[Ticket], deadline: Instant) -> Option<usize> {
        loop {
            self.pump().await;
            if let Some(at) = tickets.iter().position(|ticket| self.settled(ticket).is_some()) {
                return Some(at);
            }
            if !self.wait(deadline).await {
                return None;
            }
        }
    }

    /// Waits for news until a deadline, answering what the server asks meanwhile; `false` when it has passed.
    pub async fn news(&mut self, deadline: Instant) -> bool {
        self.pump().await;
        self.wait(deadline).await
    }

    /// What came of something that was sent, as far as that is known by now.
    pub fn outcome(&mut self, ticket: &Ticket) -> Option<Reply> {
        self.inbox.absorb(&self.recorder);
        self.settled(ticket)
    }

    /// Takes up an event stream again that ended before the response to a request; whether that worked.
    pub async fn take_up(&mut self, ticket: &Ticket, deadline: Instant) -> bool {
        self.resume(ticket, deadline).await
    }

    /// A server may leave out only what is unusual: whether it is there shows with what every server answers.
    async fn give_up_unless_alive(&mut self) {
        let outgoing = self.compose(self.harmless(), json!({}));
        let ticket = self.send(outgoing).await;
        if let Reply::Silence(_) = self.await_reply(&ticket, self.timeouts.request).await {
            self.note_timed_out(&ticket);
            self.hangs = true;
            self.recorder.note("the target answers nothing any more; the conversation is given up");
        }
        self.unanswered = 0;
    }

    async fn await_reply(&mut self, ticket: &Ticket, wait: Duration) -> Reply {
        let deadline = Instant::now() + wait;
        let mut resumed = 0;
        loop {
            self.pump().await;
            if let Some(mut reply) = self.settled(ticket) {
                match &reply {
                    Reply::Gone(Gone::WriteFailed(_) | Gone::StdoutClosed)
                        if !std::mem::replace(&mut self.heard_out, true) =>
                    {
                        // A pipe that closed is most often the first sign of an end, which tells more.
                        reply = self.last_words().await.map_or(reply, Reply::Gone);
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

    /// Waits a moment for the end of a process whose pipes have closed.
    async fn last_words(&mut self) -> Option<Gone> {
        let deadline = Instant::now() + LAST_WORDS;
        loop {
            if let Some(gone @ Gone::Exited { .. }) = self.gone() {
                return Some(gone);
            }
            if !self.wait(deadline).await {
                return self.gone();
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

    /// Leaves what a process writes unread for a while from now on, as a busy client does; returns at once. Over HTTP
    /// nothing happens.
    pub fn leave_unread(&self, time: Duration) {
        if let Link::Stdio { process } = &self.link {
            process.leave_unread(time);
        }
    }

    /// Holds answers to what the server asks from now on back, pings aside, or no longer does. What was held back stays
    /// so until [`Conversation::release_answers`].
    pub fn hold_answers(&mut self, hold: bool) {
        self.holds_answers = hold;
    }

    /// How many requests of the server wait for an answer that is held back.
    pub fn held_answers(&self) -> usize {
        self.held_back.len()
    }

    /// Sends the answers that were held back, as soon as something is waited for; how many there are.
    pub fn release_answers(&mut self) -> usize {
        self.holds_answers = false;
        let held = self.held_back.len();
        self.inbox.asked.append(&mut self.held_back);
        held
    }

    /// All messages that came in since a position.
    pub fn heard_since(&mut self, since: u64) -> Vec<Heard> {
        self.inbox.absorb(&self.recorder);
        let start = self.inbox.heard.partition_point(|heard| heard.record.seq < since);
        self.inbox.heard[start..].to_vec()
    }

    /// Whether the other side is gone for good: the process ended, closed its output, cannot be written to, or answers
    /// nothing any more.
    pub fn gone(&mut self) -> Option<Gone> {
        self.inbox.absorb(&self.recorder);
        let closed = self.inbox.stdout_closed.then_some(Gone::StdoutClosed);
        let hangs = self.hangs.then_some(Gone::Hangs);
        self.inbox.process_gone.clone().or(closed).or(hangs).or_else(|| {
            let Link::Http(link) = &self.link else { return None };
            let exchange = self.inbox.exchange(link.stream?)?;
            exchange.failed.clone().or_else(|| exchange.end.clone().map(Gone::Broken))
        })
    }

    /// A request without a body (DELETE, PUT, …) on the endpoint, and its response.
    pub async fn bare(&mut self, method: &str, edits: Outgoing) -> Reply {
        let wait = self.timeouts.request;
        self.bare_within(method, edits, wait).await
    }

    async fn bare_within(&mut self, method: &str, edits: Outgoing, wait: Duration) -> Reply {
        if self.hangs {
            return Reply::Gone(Gone::Hangs);
        }
        self.turn().await;
        let since = self.now();
        let limits = self.response_limits();
        let Link::Http(link) = &mut self.link else { return Reply::Silence(Duration::ZERO) };
        let headers = link.session_headers("application/json, text/event-stream");
        let channel = link.bare(method, link.url.clone(), headers, &edits, limits);
        if method == "DELETE"
            && let Some(listening) = &mut self.listening
        {
            listening.let_go();
        }
        let own = edits.http.remove.iter().all(|name| !name.eq_ignore_ascii_case("mcp-session-id"));
        let reply = self.reply_within(&Ticket { id: None, channel, since }, wait).await;
        self.session_over |=
            method == "DELETE" && own && reply.status().is_some_and(|status| (200..300).contains(&status));
        reply
    }

    /// Waits for the head of an HTTP response, whether or not its body ends.
    pub async fn head(&mut self, ticket: &Ticket) -> Result<HttpHead, Gone> {
        if self.hangs {
            return Err(Gone::Hangs);
        }
        self.head_before(ticket, Instant::now() + self.timeouts.request).await
    }

    pub(super) async fn head_before(&mut self, ticket: &Ticket, deadline: Instant) -> Result<HttpHead, Gone> {
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

    /// The method of a request that does nothing and that the server answers: `server/discover`, or `ping`. A server
    /// that does not know `ping` is asked for a list, once a canary has shown that.
    pub fn harmless(&self) -> &'static str {
        if self.era == Some(Era::Modern) { "server/discover" } else { self.alive }
    }

    /// Asks for something harmless and waits for the answer: is the server still there and well?
    pub async fn canary(&mut self) -> Reply {
        let reply = self.request(self.harmless(), json!({})).await;
        if self.harmless() != "ping" || reply.error_code() != Some(-32601) {
            return reply;
        }
        let list = [("tools", "tools/list"), ("resources", "resources/list"), ("prompts", "prompts/list")]
            .into_iter()
            .find(|(capability, _)| self.handshake.as_ref().is_some_and(|known| known.declares(capability)));
        let Some((_, list)) = list else { return reply };
        let listed = self.request(list, json!({})).await;
        if listed.result().is_none() {
            return reply;
        }
        self.alive = list;
        listed
    }

    /// Ends the conversation as a client should: the session is deleted, the process's input closed.
    pub async fn close(mut self) -> Closed {
        self.stop_listening().await;
        let mut deleted = None;
        if self.session_id().is_some() && !self.session_over {
            let wait = self.timeouts.request.min(FAREWELL);
            deleted = Some(self.bare_within("DELETE", Outgoing::bytes(""), wait).await);
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
        let channel = self.inbox.continuation(ticket.channel);
        let exchange = self.inbox.exchange(channel)?;
        if let Some(gone) = &exchange.failed {
            return Some(Reply::Gone(gone.clone()));
        }
        let end = exchange.end.clone()?;
        let head = exchange.head.clone();
        if over_sse && ticket.id.is_some() && head.as_ref().is_some_and(|head| head.status < 300) {
            // The answer comes on the stream.
            return self.gone().map(Reply::Gone);
        }
        if let Some(answer) = self.inbox.response_on(channel) {
            return Some(Reply::Unmatched(answer));
        }
        Some(match (head, end) {
            (Some(head), End::Complete) => Reply::NoMessage(head),
            (_, end) => Reply::Gone(Gone::Broken(end)),
        })
    }

    /// Takes in what came and answers what the server asked.
    pub(super) async fn pump(&mut self) {
        self.inbox.absorb(&self.recorder);
        self.keep_listening();
        for index in std::mem::take(&mut self.inbox.asked) {
            // In the modern era a server asks nothing; whatever it sends is left to the monitors.
            if self.era == Some(Era::Modern) || self.answered.contains(&index) {
                continue;
            }
            let heard = self.inbox.heard[index].message.clone();
            if self.holds_answers && heard.method() != Some("ping") {
                self.held_back.push(index);
                continue;
            }
            self.answered.insert(index);
            let (Some(id), Some(method)) = (heard.id(), heard.method()) else { continue };
            let id: Value = serde_json::from_str(id.as_json()).unwrap_or(Value::Null);
            let breaks = self.answering.breaks_the_protocol() && Wish::of(method, heard.params()).is_some();
            let Some(answer) = self.answering.answer(method, heard.params()) else { continue };
            let response = match answer {
                Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
                Err((code, message)) => {
                    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
                }
            };
            let mut outgoing = Outgoing { id: None, ..Outgoing::message(&response) };
            if breaks {
                outgoing = outgoing.deliberate("an answer that a client should not give", Taint::Message);
            }
            self.send(outgoing).await;
        }
    }

    pub(super) async fn turn(&self) {
        if let Some(pace) = &self.pace {
            pace.turn().await;
        }
    }

    /// Waits for news until a deadline; `false` when it has passed.
    pub(super) async fn wait(&self, deadline: Instant) -> bool {
        let due = self.listening.as_ref().and_then(Listening::due);
        let until = due.map_or(deadline, |due| due.min(deadline));
        tokio::time::timeout_at(until, self.recorder.news()).await.is_ok() || until < deadline
    }

    fn response_limits(&self) -> ResponseLimits {
        let wait = if self.spoken_to { self.timeouts.request } else { self.timeouts.startup };
        // The conversation's own time-out is what counts; the wire's is the bound behind it.
        let total = wait + Duration::from_secs(5);
        ResponseLimits { head: total, idle: total, total }
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
