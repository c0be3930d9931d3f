//! Server-sent events: the log of a stream that a client may resume, and the response body that is fed by a future.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::{Notify, mpsc};

use crate::server::lock;
use crate::transport::http_connections::Busy;

/// Events kept for replay, and the most that a reader may fall behind.
const EVENTS: u64 = 256;
/// Bytes of events kept for replay.
const BYTES: usize = 1 << 20;
/// Silence after which a comment keeps the connection alive.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Milliseconds after which a client may come back to a stream that ended before its answer.
const RETRY: u64 = 500;

/// The comment that keeps a connection alive.
pub(crate) const COMMENT: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// An event that carries a message.
pub(crate) fn event(id: Option<(u64, u64)>, message: &str) -> Bytes {
    let mut text = String::with_capacity(message.len() + 48);
    if let Some((stream, sequence)) = id {
        text.push_str(&format!("id: {stream}-{sequence}\n"));
    }
    text.push_str("event: message\ndata: ");
    text.push_str(message);
    text.push_str("\n\n");
    text.into()
}

/// The messages of one stream of a legacy session, numbered from 1.
pub(crate) struct EventLog {
    stream: u64,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    events: VecDeque<String>,
    bytes: usize,
    /// Messages that are no longer kept.
    dropped: u64,
    ended: bool,
    /// Which reader is the current one; a later reader takes over.
    reader: u64,
    /// The last message that the current reader has taken; none while nobody reads.
    position: Option<u64>,
    /// Whether the current reader ends early.
    interrupted: bool,
}

impl State {
    fn last(&self) -> u64 {
        self.dropped + self.events.len() as u64
    }

    fn push(&mut self, message: String) {
        self.bytes += message.len();
        self.events.push_back(message);
        let taken = self.position.unwrap_or(u64::MAX);
        while self.events.len() > 1
            && self.dropped < taken
            && (self.events.len() as u64 > EVENTS || self.bytes > BYTES)
        {
            self.bytes -= self.events.pop_front().map_or(0, |event| event.len());
            self.dropped += 1;
        }
    }
}

impl EventLog {
    pub(crate) fn new(stream: u64) -> Arc<Self> {
        Arc::new(Self { stream, state: Mutex::default(), changed: Notify::new() })
    }

    pub(crate) fn stream(&self) -> u64 {
        self.stream
    }

    /// Adds a message; waits while an attached reader is far behind.
    pub(crate) async fn append(&self, message: String) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut state = lock(&self.state);
                let behind = state.position.map_or(0, |position| state.last() - position);
                if behind < EVENTS {
                    if !state.ended {
                        state.push(message);
                        self.changed.notify_waiters();
                    }
                    return;
                }
            }
            changed.await;
        }
    }

    /// Adds a message without waiting, for those who serve many streams.
    pub(crate) fn append_now(&self, message: String) {
        let mut state = lock(&self.state);
        let behind = state.position.map_or(0, |position| state.last() - position);
        if !state.ended && behind < EVENTS {
            state.push(message);
            self.changed.notify_waiters();
        }
    }

    /// Adds the last message, if any, and ends the stream.
    pub(crate) fn end(&self, message: Option<String>) {
        let mut state = lock(&self.state);
        if !state.ended {
            if let Some(message) = message {
                state.push(message);
            }
            state.ended = true;
        }
        self.changed.notify_waiters();
    }

    /// Ends the current reader, so that the client has to come back for the rest (SEP-1699).
    pub(crate) fn interrupt(&self) {
        lock(&self.state).interrupted = true;
        self.changed.notify_waiters();
    }

    /// Whether nothing was ever said.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.state).last() == 0
    }

    pub(crate) fn is_attached(&self) -> bool {
        lock(&self.state).position.is_some()
    }

    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.state).ended
    }

    /// Bytes kept.
    pub(crate) fn bytes(&self) -> usize {
        lock(&self.state).bytes
    }

    /// Becomes the reader, after the message with this number; an earlier reader ends.
    pub(crate) fn attach(self: &Arc<Self>, after: u64) -> Reader {
        let mut state = lock(&self.state);
        state.reader += 1;
        let position = after.clamp(state.dropped, state.last());
        state.position = Some(position);
        state.interrupted = false;
        let generation = state.reader;
        drop(state);
        self.changed.notify_waiters();
        Reader { log: Arc::clone(self), generation, position }
    }
}

/// The one reader of a log.
pub(crate) struct Reader {
    log: Arc<EventLog>,
    generation: u64,
    position: u64,
}

/// What a stream begins with.
pub(crate) enum Opening {
    /// The answer and nothing else; none if the request was cancelled.
    Answer(Option<String>),
    /// Something before the answer.
    Messages,
}

impl Reader {
    pub(crate) fn log(&self) -> &Arc<EventLog> {
        &self.log
    }

    /// Waits until it is known how the stream begins.
    pub(crate) async fn opening(&self) -> Opening {
        loop {
            let changed = self.log.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let state = lock(&self.log.state);
                if state.ended && state.last() <= 1 {
                    return Opening::Answer(state.events.front().cloned());
                }
                if state.last() > 0 || state.interrupted {
                    return Opening::Messages;
                }
            }
            changed.await;
        }
    }

    /// The next message and its number; none at the end of the stream or when another reader has taken over.
    async fn next(&mut self) -> Option<(u64, String)> {
        loop {
            let changed = self.log.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut state = lock(&self.log.state);
                if state.reader != self.generation {
                    return None;
                }
                let next = self.position.max(state.dropped);
                let index = usize::try_from(next - state.dropped).unwrap_or(usize::MAX);
                if let Some(message) = state.events.get(index).cloned() {
                    self.position = next + 1;
                    state.position = Some(self.position);
                    self.log.changed.notify_waiters();
                    return Some((self.position, message));
                }
                if state.ended || state.interrupted {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// Writes the stream as events until it ends; `prime` puts an empty event with an id first.
    pub(crate) async fn write(mut self, prime: bool, out: mpsc::Sender<Bytes>) {
        let stream = self.log.stream;
        if prime {
            let priming = format!("id: {stream}-{}\nretry: {RETRY}\ndata: \n\n", self.position);
            let _ = out.send(priming.into()).await;
        }
        loop {
            let bytes = match tokio::time::timeout(KEEP_ALIVE, self.next()).await {
                Ok(Some((sequence, message))) => event(Some((stream, sequence)), &message),
                Ok(None) => return,
                Err(_) => COMMENT,
            };
            if out.send(bytes).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = lock(&self.log.state);
        if state.reader == self.generation {
            state.position = None;
            drop(state);
            self.log.changed.notify_waiters();
        }
    }
}

/// A response body that a future writes. Dropping the body drops the future.
pub(crate) struct FedBody {
    chunks: mpsc::Receiver<Bytes>,
    feeder: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    busy: Option<Busy>,
}

impl FedBody {
    pub(crate) fn new<F: Future<Output = ()> + Send + 'static>(
        feed: impl FnOnce(mpsc::Sender<Bytes>) -> F,
    ) -> Self {
        let (sender, chunks) = mpsc::channel(8);
        Self { chunks, feeder: Some(Box::pin(feed(sender))), busy: None }
    }
}

impl FedBody {
    /// Keeps the connection busy until the stream ends.
    pub(crate) fn keep_busy(&mut self, busy: Busy) {
        self.busy = Some(busy);
    }
}

impl hyper::body::Body for FedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(feeder) = &mut self.feeder
            && feeder.as_mut().poll(context).is_ready()
        {
            self.feeder = None;
        }
        self.chunks.poll_recv(context).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}

#[cfg(test)]
mod tests {
    use super::EventLog;

    #[tokio::test]
    async fn a_reader_resumes_after_what_it_has_seen() {
        let log = EventLog::new(3);
        let mut reader = log.attach(0);
        for n in 1..=3 {
            log.append(n.to_string()).await;
        }
        assert_eq!(reader.next().await, Some((1, "1".to_owned())));
        let mut second = log.attach(1);
        assert_eq!(reader.next().await, None, "the second reader has taken over");
        drop(reader);
        assert!(log.is_attached());
        log.end(Some("answer".to_owned()));
        for expected in [(2, "2"), (3, "3"), (4, "answer")] {
            assert_eq!(second.next().await, Some((expected.0, expected.1.to_owned())));
        }
        assert_eq!(second.next().await, None);
    }

    #[tokio::test]
    async fn a_log_that_nobody_reads_stays_bounded() {
        let log = EventLog::new(1);
        for n in 0..10_000 {
            log.append(n.to_string()).await;
        }
        assert!(log.bytes() < 256 * 5);
        let mut reader = log.attach(0);
        assert_eq!(reader.next().await, Some((9745, "9744".to_owned())));
    }

    #[tokio::test]
    async fn a_writer_waits_for_a_slow_reader() {
        let log = EventLog::new(1);
        let mut reader = log.attach(0);
        let writer = tokio::spawn({
            let log = log.clone();
            async move {
                for n in 0..2000 {
                    log.append(n.to_string()).await;
                }
                log.end(None);
            }
        });
        let mut count = 0;
        while let Some((sequence, message)) = reader.next().await {
            assert_eq!(sequence.to_string(), (message.parse::<u64>().unwrap() + 1).to_string());
            count += 1;
        }
        assert_eq!(count, 2000);
        writer.await.unwrap();
    }
}
