//! Streamable HTTP of the revisions with a session: session ids, the GET stream, resumption.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::sync::Notify;

use crate::auth::{Principal, Term};
use crate::changes::Listener;
use crate::context::Sink;
use crate::faults::Duty;
use crate::legacy::{Exchange, Session, take_in};
use crate::memory::Answered;
use crate::message::{Payload, RpcError};
use crate::pace::pause;
use crate::revision::Revision;
use crate::seal::random_id;
use crate::server::{Server, lock};
use crate::transport::connection::poll_once;
use crate::transport::http_body::FedBody;
use crate::transport::http_reply::{Reply, empty, events, json, short_json};
use crate::transport::sse::{EventLog, Opening, Reader};

/// Streams of a session that can be resumed.
const STREAMS: usize = 64;
/// Bytes that ended streams of a session may hold for replay.
const REPLAY_BYTES: usize = 1 << 20;
/// After this time a request gets its stream, even if there is nothing to say yet.
const PATIENCE: Duration = Duration::from_millis(250);

/// A session and its streams.
pub(crate) struct HttpSession {
    pub core: Arc<Session>,
    streams: Mutex<Streams>,
    /// Changes since `initialize`, until the first GET stream takes them.
    changes: Mutex<Option<Listener>>,
    /// A GET stream has got a reader.
    opened: Notify,
    last_used: AtomicU64,
    closed: AtomicBool,
    closing: Notify,
}

/// A message that a session has taken in, and the stream on which it may be answered.
pub(crate) struct Taken {
    exchange: Exchange,
    reader: Reader,
}

#[derive(Default)]
struct Streams {
    next: u64,
    resumable: VecDeque<Arc<EventLog>>,
    /// GET streams, newest last.
    general: Vec<Arc<EventLog>>,
}

impl Streams {
    /// The newest GET stream that is being read. Those that nobody can come back to are forgotten.
    fn listening(&mut self) -> Option<Arc<EventLog>> {
        let Self { resumable, general, .. } = self;
        let is_kept = |log: &Arc<EventLog>| resumable.iter().any(|kept| Arc::ptr_eq(kept, log));
        general.retain(|log| log.is_attached() || is_kept(log));
        general.iter().rev().find(|log| log.is_attached() && !log.has_ended()).cloned()
    }

    /// Lets the oldest streams that have ended go when all that have keep too much.
    fn settle(&mut self) {
        let held = |streams: &Self| -> usize {
            streams.resumable.iter().filter(|log| log.has_ended()).map(|log| log.bytes()).sum()
        };
        while held(self) > REPLAY_BYTES
            && let Some(oldest) = self.resumable.iter().position(|log| log.has_ended())
        {
            if let Some(log) = self.resumable.remove(oldest) {
                log.make_final();
            }
        }
    }
}

impl HttpSession {
    fn new(core: Arc<Session>, now: u64) -> Arc<Self> {
        let changes = core.changes();
        Arc::new(Self {
            core,
            streams: Mutex::default(),
            changes: Mutex::new(Some(changes)),
            opened: Notify::new(),
            last_used: AtomicU64::new(now),
            closed: AtomicBool::new(false),
            closing: Notify::new(),
        })
    }

    fn revision(&self) -> Revision {
        self.core.error_revision()
    }

    /// A new stream, with its reader.
    fn open_stream(&self) -> Reader {
        let mut streams = lock(&self.streams);
        streams.next += 1;
        EventLog::open(streams.next, self.core.server.replay())
    }

    /// Keeps a stream for resumption. Of those kept, the oldest that was read to its end makes room, else the oldest GET
    /// stream that was left with nothing unread, else the oldest that has ended, else the oldest.
    fn keep(&self, log: &Arc<EventLog>) {
        let mut streams = lock(&self.streams);
        if streams.resumable.len() >= STREAMS {
            let Streams { resumable, general, .. } = &*streams;
            let left = |log: &Arc<EventLog>| {
                log.is_delivered() && !log.is_attached() && general.iter().any(|own| Arc::ptr_eq(own, log))
            };
            let oldest = |goes: &dyn Fn(&Arc<EventLog>) -> bool| resumable.iter().position(goes);
            let goes = oldest(&|log| log.has_ended() && log.is_delivered())
                .or_else(|| oldest(&left))
                .or_else(|| oldest(&|log| log.has_ended()));
            if let Some(oldest) = streams.resumable.remove(goes.unwrap_or(0)) {
                oldest.make_final();
            }
        }
        streams.resumable.push_back(Arc::clone(log));
        streams.settle();
    }

    /// Ends a stream with its answer.
    fn end_stream(&self, log: &Arc<EventLog>, answer: Option<Answered>) {
        log.end(answer.map(|answer| answer.text));
        lock(&self.streams).settle();
    }

    /// Takes in what a POST brings.
    pub(crate) fn take_in(&self, payload: Payload<'_>) -> Taken {
        let reader = self.open_stream();
        let sink = self.misused(Duty::ProgressOnOwnStream).unwrap_or_else(|| Arc::clone(reader.log()));
        let exchange = take_in(&self.core, payload, Sink::Stream(sink));
        Taken { exchange, reader }
    }

    /// Answers a POST: by JSON where the answer is all there is to say, unless the client would rather have a stream.
    pub(crate) async fn answer(self: &Arc<Self>, taken: Taken, prefers_events: bool) -> Reply {
        let Taken { exchange, reader } = taken;
        let log = Arc::clone(reader.log());
        let mut work = match exchange {
            Exchange::Accepted => return empty(StatusCode::ACCEPTED),
            Exchange::Refused(error) => {
                pause(&self.core.server, &error).await;
                return short_json(400, error);
            }
            Exchange::Unusable(error) => return short_json(400, error),
            Exchange::Serving(work) => work,
        };
        match poll_once(&mut work).await {
            Poll::Ready(Some(answer)) if let Some(stream) = self.misused(Duty::ResponsesOnOwnStream) => {
                stream.append_now(answer.text);
                return empty(StatusCode::ACCEPTED);
            }
            // Most requests end here: nothing was said before the answer, and nothing has to be resumed.
            Poll::Ready(Some(answer)) if log.is_empty() && !prefers_events => return json(200, answer),
            Poll::Ready(answer) => self.end_stream(&log, answer),
            Poll::Pending => {
                // A lost connection is no cancellation, so the work must not depend on it.
                let session = Arc::clone(self);
                tokio::spawn(async move { session.end_stream(&log, work.await) });
            }
        }
        match tokio::time::timeout(PATIENCE, reader.opening()).await {
            Ok(Opening::Answer(Some(text)))
                if !prefers_events && let Some(held) = self.core.server.memory().take_answer(text.len()) =>
            {
                json(200, Answered { text, held })
            }
            // A request that was cancelled before gets a stream too, which ends without its answer.
            Ok(Opening::Answer(_) | Opening::Messages) | Err(_) => {
                self.keep(reader.log());
                self.stream(reader, true, Term::default())
            }
        }
    }

    /// The GET stream, where a fault makes it say what belongs elsewhere.
    fn misused(&self, duty: Duty) -> Option<Arc<EventLog>> {
        if self.core.server.keeps(duty) {
            return None;
        }
        lock(&self.streams).general.last().cloned()
    }

    /// The other GET streams that are being read, where a fault makes them say what one of them says.
    fn misused_beside(&self, one: &Arc<EventLog>) -> Vec<Arc<EventLog>> {
        if self.core.server.keeps(Duty::ChangesOnOneStream) {
            return Vec::new();
        }
        let streams = lock(&self.streams);
        let others = streams.general.iter().filter(|log| log.is_attached() && !log.has_ended());
        others.filter(|log| !Arc::ptr_eq(log, one)).cloned().collect()
    }

    /// An event stream; from 2025-11-25 on its first event gives the client an id to resume from. When its term is over, it
    /// can be resumed by whoever is let in again.
    fn stream(self: &Arc<Self>, reader: Reader, is_new: bool, term: Term) -> Reply {
        let primes = self.revision() >= Revision::V2025_11_25;
        let prime = is_new && primes && self.core.server.keeps(Duty::PrimingEvent);
        let lasts = self.core.server.keeps(Duty::DisconnectIsNoCancellation);
        let lost = (!lasts).then(|| EndsWhenLost(Arc::clone(reader.log())));
        let session = Arc::clone(self);
        events(FedBody::new(&self.core.server, |out| async move {
            let _lost = lost;
            let closing = session.closing.notified();
            tokio::pin!(closing);
            closing.as_mut().enable();
            if session.closed.load(Ordering::SeqCst) {
                return;
            }
            tokio::select! {
                () = reader.write(prime, out) => {}
                () = closing => {}
                () = term.over() => {}
            }
        }))
    }

    /// Opens the GET stream, or resumes the stream of the event that the client saw last, for a term.
    pub(crate) fn get(self: &Arc<Self>, last_event_id: Option<&str>, term: Term) -> Result<Reply, RpcError> {
        if let Some(id) = last_event_id {
            let unknown = || {
                RpcError::invalid_request(
                    "Invalid request: Last-Event-ID names no event kept of this session",
                )
            };
            let (stream, sequence) = id.split_once('-').ok_or_else(unknown)?;
            let stream: u64 = stream.parse().map_err(|_| unknown())?;
            let sequence: u64 = sequence.parse().map_err(|_| unknown())?;
            let log = lock(&self.streams).resumable.iter().find(|log| log.stream() == stream).cloned();
            let reader = log.and_then(|log| log.attach(sequence)).ok_or_else(unknown)?;
            self.opened.notify_waiters();
            return Ok(self.stream(reader, false, term));
        }
        let reader = self.open_stream();
        let log = Arc::clone(reader.log());
        self.keep(&log);
        let mut streams = lock(&self.streams);
        if streams.general.len() >= STREAMS {
            streams.general.remove(0).end(None);
        }
        streams.general.push(log);
        drop(streams);
        self.opened.notify_waiters();
        if let Some(changes) = lock(&self.changes).take() {
            tokio::spawn(Arc::clone(self).pump(changes));
        }
        Ok(self.stream(reader, true, term))
    }

    /// Puts changes on one GET stream, the newest that is being read. They wait for as long as none is, or as its client is
    /// behind.
    async fn pump(self: Arc<Self>, mut changes: Listener) {
        loop {
            let closing = self.closing.notified();
            tokio::pin!(closing);
            closing.as_mut().enable();
            if self.closed.load(Ordering::SeqCst) {
                return;
            }
            tokio::select! {
                () = closing => return,
                change = changes.next() => {
                    for message in self.core.notifications_for(&change) {
                        self.tell(message).await;
                    }
                }
            }
        }
    }

    /// Puts a message on the GET stream that is being read, once there is one with room; gives up when the session ends.
    async fn tell(&self, message: String) {
        loop {
            let (opened, closing) = (self.opened.notified(), self.closing.notified());
            tokio::pin!(opened, closing);
            opened.as_mut().enable();
            closing.as_mut().enable();
            if self.closed.load(Ordering::SeqCst) {
                return;
            }
            let stream = lock(&self.streams).listening();
            let has_room = async {
                match &stream {
                    Some(stream) => stream.has_room().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = has_room => {
                    // Nobody may have read it for some time, and others may be read.
                    if let Some(stream) = stream.filter(|stream| stream.is_attached() && !stream.has_ended()) {
                        for other in self.misused_beside(&stream) {
                            other.append_now(message.clone());
                        }
                        stream.append_now(message);
                        return;
                    }
                }
                () = closing => return,
                () = opened => {}
            }
        }
    }

    /// Ends the session: its requests are cancelled, its streams close.
    fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.core.end();
        self.closing.notify_waiters();
    }

    fn is_busy(&self) -> bool {
        let streams = lock(&self.streams);
        let mut logs = streams.resumable.iter().chain(&streams.general);
        !self.core.in_flight.is_empty() || logs.any(|log| log.is_attached())
    }
}

/// A fault: the stream ends for good with its connection.
struct EndsWhenLost(Arc<EventLog>);

impl Drop for EndsWhenLost {
    fn drop(&mut self) {
        self.0.end(None);
    }
}

/// All sessions of one HTTP server.
pub(crate) struct Sessions {
    server: Server,
    table: Mutex<HashMap<String, Arc<HttpSession>>>,
    started: Instant,
}

impl Sessions {
    pub(crate) fn new(server: Server) -> Self {
        Self { server, table: Mutex::default(), started: Instant::now() }
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    /// Registers a session whose handshake has begun; returns its id.
    pub(crate) fn open(&self, core: Arc<Session>) -> String {
        let id = if self.server.keeps(Duty::SessionIdRandom) {
            random_id()
        } else {
            format!("session-{:016}", self.server.number_session())
        };
        let session = HttpSession::new(core, self.now());
        let mut table = lock(&self.table);
        if table.len() >= self.server.config().max_sessions {
            let age = |session: &HttpSession| (session.is_busy(), session.last_used.load(Ordering::Relaxed));
            let oldest = table.iter().min_by_key(|(_, session)| age(session)).map(|(id, _)| id.clone());
            if let Some(evicted) = oldest.and_then(|oldest| table.remove(&oldest)) {
                evicted.close();
            }
        }
        table.insert(id.clone(), session);
        id
    }

    /// The session with this id, which is that of its principal: to others there is none.
    pub(crate) fn find(&self, id: &str, principal: &Principal) -> Option<Arc<HttpSession>> {
        let session = lock(&self.table).get(id).cloned()?;
        if session.core.principal != *principal && self.server.keeps(Duty::SessionBound) {
            return None;
        }
        session.last_used.store(self.now(), Ordering::Relaxed);
        Some(session)
    }

    /// Ends a session; false if there is none with this id.
    pub(crate) fn delete(&self, id: &str) -> bool {
        let session = lock(&self.table).remove(id);
        session.is_some_and(|session| {
            session.close();
            true
        })
    }

    /// Ends the sessions that have been idle for too long.
    pub(crate) fn sweep(&self) {
        let oldest = self.now().saturating_sub(self.server.config().session_idle_seconds);
        lock(&self.table).retain(|_, session| {
            let keep = session.last_used.load(Ordering::Relaxed) >= oldest || session.is_busy();
            if !keep {
                session.close();
            }
            keep
        });
    }

    /// Ends all GET streams.
    pub(crate) fn end_listening(&self) {
        for session in lock(&self.table).values() {
            lock(&session.streams).general.iter().for_each(|log| log.end(None));
        }
    }

    pub(crate) fn close_all(&self) {
        for (_, session) in lock(&self.table).drain() {
            session.close();
        }
    }
}
