//! Streamable HTTP of the revisions with a session: session ids, the GET stream, resumption.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast};

use crate::context::Sink;
use crate::faults::Duty;
use crate::legacy::{Exchange, Session, take_in};
use crate::memory::Answered;
use crate::message::{Payload, RpcError};
use crate::pace::pause;
use crate::revision::Revision;
use crate::seal::random_id;
use crate::server::{Change, Server, lock};
use crate::transport::connection::poll_once;
use crate::transport::http_body::FedBody;
use crate::transport::http_reply::{Reply, empty, events, json};
use crate::transport::sse::{EventLog, Opening, Reader};

/// Streams of a session that can be resumed.
const STREAMS: usize = 16;
/// Bytes that ended streams of a session may hold for replay.
const REPLAY_BYTES: usize = 1 << 20;
/// After this time a request gets its stream, even if there is nothing to say yet.
const PATIENCE: Duration = Duration::from_millis(250);

/// A session and its streams.
pub(crate) struct HttpSession {
    pub core: Arc<Session>,
    streams: Mutex<Streams>,
    /// Changes since `initialize`, until the first GET stream takes them.
    changes: Mutex<Option<broadcast::Receiver<Change>>>,
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
        let changes = core.server.changes();
        Arc::new(Self {
            core,
            streams: Mutex::default(),
            changes: Mutex::new(Some(changes)),
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

    /// Keeps a stream for resumption; the oldest make room.
    fn keep(&self, log: &Arc<EventLog>) {
        let mut streams = lock(&self.streams);
        streams.resumable.push_back(Arc::clone(log));
        while streams.resumable.len() > STREAMS {
            if let Some(oldest) = streams.resumable.pop_front() {
                oldest.make_final();
            }
        }
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
        let exchange = take_in(&self.core, payload, Sink::Stream(Arc::clone(reader.log())));
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
                return json(400, Answered::short(error));
            }
            Exchange::Serving(work) => work,
        };
        match poll_once(&mut work).await {
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
            Ok(Opening::Answer(Some(text))) if !prefers_events => {
                let held = self.core.server.memory().count(text.len());
                json(200, Answered { text, held })
            }
            Ok(Opening::Answer(None)) => empty(StatusCode::ACCEPTED),
            Ok(Opening::Answer(Some(_)) | Opening::Messages) | Err(_) => {
                self.keep(reader.log());
                self.stream(reader, true)
            }
        }
    }

    /// An event stream; from 2025-11-25 on its first event gives the client an id to resume from.
    fn stream(self: &Arc<Self>, reader: Reader, is_new: bool) -> Reply {
        let primes = self.revision() >= Revision::V2025_11_25;
        let prime = is_new && primes && self.core.server.keeps(Duty::PrimingEvent);
        let session = Arc::clone(self);
        events(FedBody::new(&self.core.server, |out| async move {
            let closing = session.closing.notified();
            tokio::pin!(closing);
            closing.as_mut().enable();
            if session.closed.load(Ordering::SeqCst) {
                return;
            }
            tokio::select! {
                () = reader.write(prime, out) => {}
                () = closing => {}
            }
        }))
    }

    /// Opens the GET stream, or resumes the stream of the event that the client saw last.
    pub(crate) fn get(self: &Arc<Self>, last_event_id: Option<&str>) -> Result<Reply, RpcError> {
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
            return Ok(self.stream(reader, false));
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
        if let Some(changes) = lock(&self.changes).take() {
            tokio::spawn(Arc::clone(self).pump(changes));
        }
        Ok(self.stream(reader, true))
    }

    /// Puts changes on one GET stream: the newest that is being read, else the newest.
    async fn pump(self: Arc<Self>, mut changes: broadcast::Receiver<Change>) {
        loop {
            let closing = self.closing.notified();
            tokio::pin!(closing);
            closing.as_mut().enable();
            if self.closed.load(Ordering::SeqCst) {
                return;
            }
            let change = tokio::select! {
                () = closing => return,
                change = changes.recv() => match change {
                    Ok(change) => change,
                    Err(RecvError::Lagged(_)) => continue,
                    Err(RecvError::Closed) => return,
                },
            };
            let Some(message) = self.core.notification_for(&change) else {
                continue;
            };
            let mut streams = lock(&self.streams);
            if let Some(newest) = streams.general.last().cloned() {
                let kept: Vec<u64> = streams.resumable.iter().map(|log| log.stream()).collect();
                streams.general.retain(|log| log.is_attached() || kept.contains(&log.stream()));
                let read = streams.general.iter().rev().find(|log| log.is_attached());
                read.unwrap_or(&newest).append_now(message);
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
        !self.core.in_flight.is_empty() || streams.resumable.iter().any(|log| log.is_attached())
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
        let id = random_id();
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

    pub(crate) fn find(&self, id: &str) -> Option<Arc<HttpSession>> {
        let session = lock(&self.table).get(id).cloned()?;
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

    pub(crate) fn close_all(&self) {
        for (_, session) in lock(&self.table).drain() {
            session.close();
        }
    }
}
