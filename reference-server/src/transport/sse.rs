//! Server-sent events, and the log of a stream that a client may resume.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use crate::server::lock;
use crate::transport::http_body::Feed;
use crate::transport::replay::Replay;

/// Events kept for replay, and the most that a reader may fall behind.
const EVENTS: u64 = 256;
/// The same in bytes; a longer event is kept alone.
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
    replay: Arc<Replay>,
}

#[derive(Default)]
struct State {
    events: VecDeque<String>,
    bytes: usize,
    /// Those of them that the current reader has not taken yet; none while nobody reads.
    unread: usize,
    /// Messages that are no longer kept.
    dropped: u64,
    ended: bool,
    /// Which reader is the current one; a later reader takes over.
    reader: u64,
    /// The last message that the current reader has taken; none while nobody reads.
    position: Option<u64>,
    /// The last message that any reader has taken.
    delivered: u64,
    /// Whether the current reader ends early.
    interrupted: bool,
    /// Whether nobody can come back, so that nothing is kept that has been read.
    is_final: bool,
    /// The number among all streams that keep something.
    entered: Option<u64>,
}

impl State {
    fn last(&self) -> u64 {
        self.dropped + self.events.len() as u64
    }

    fn push(&mut self, message: String) {
        self.bytes += message.len();
        self.unread += if self.position.is_some() { message.len() } else { 0 };
        self.events.push_back(message);
        self.trim();
    }

    /// Drops what is too much of that which has been read, or that nobody reads.
    fn trim(&mut self) {
        let (least, events, bytes) = if self.is_final { (0, 0, 0) } else { (1, EVENTS, BYTES) };
        while self.events.len() > least
            && self.dropped < self.taken()
            && (self.events.len() as u64 > events || self.bytes > bytes)
        {
            self.drop_first();
        }
    }

    /// The last message that no reader waits for.
    fn taken(&self) -> u64 {
        self.position.unwrap_or(u64::MAX)
    }

    fn drop_first(&mut self) {
        self.bytes -= self.events.pop_front().map_or(0, |event| event.len());
        self.dropped += 1;
    }

    /// Whether the reader is so far behind that nothing more is added.
    fn is_behind(&self) -> bool {
        let behind = self.position.map_or(0, |position| self.last().saturating_sub(position));
        behind >= EVENTS || self.unread >= BYTES
    }
}

impl EventLog {
    /// An empty stream; `replay` counts what it keeps.
    pub(crate) fn new(stream: u64, replay: &Arc<Replay>) -> Arc<Self> {
        let (state, changed) = (Mutex::default(), Notify::new());
        Arc::new(Self { stream, state, changed, replay: Arc::clone(replay) })
    }

    pub(crate) fn stream(&self) -> u64 {
        self.stream
    }

    /// Changes the state, and counts what that means for all streams.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.state);
        let before = state.bytes;
        let changed = change(&mut state);
        self.replay.count(before, state.bytes);
        changed
    }

    /// Adds a message if the stream goes on; then all streams together may have to make room.
    fn push(self: &Arc<Self>, message: String, ends: bool) {
        self.change(|state| {
            if !state.ended {
                state.push(message);
                state.ended = ends;
            }
        });
        self.enter_replay();
        self.changed.notify_waiters();
        self.replay.make_room();
    }

    /// Enters the streams that keep something, unless that has been done.
    pub(super) fn enter_replay(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        if state.entered.is_none() {
            state.entered = Some(self.replay.enter(self));
        }
    }

    pub(super) fn left_replay(&self) {
        lock(&self.state).entered = None;
    }

    /// Drops what no reader waits for; says how many bytes are left.
    pub(super) fn forget_read(&self) -> usize {
        self.change(|state| {
            while !state.events.is_empty() && state.dropped < state.taken() {
                state.drop_first();
            }
            state.bytes
        })
    }

    /// Drops everything; the reader ends without the rest.
    pub(super) fn cut_off(&self) {
        self.change(|state| {
            state.reader += 1;
            state.position = None;
            state.unread = 0;
        });
        self.forget_read();
        self.changed.notify_waiters();
    }

    /// Adds a message; waits while an attached reader is far behind.
    pub(crate) async fn append(self: &Arc<Self>, message: String) {
        self.has_room().await;
        self.push(message, false);
    }

    /// Waits until no reader is far behind.
    pub(crate) async fn has_room(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if !lock(&self.state).is_behind() {
                return;
            }
            changed.await;
        }
    }

    /// Adds a message without waiting, for those who serve many streams.
    pub(crate) fn append_now(self: &Arc<Self>, message: String) {
        let is_behind = lock(&self.state).is_behind();
        if !is_behind {
            self.push(message, false);
        }
    }

    /// Adds the last message, if any, and ends the stream.
    pub(crate) fn end(self: &Arc<Self>, message: Option<String>) {
        match message {
            Some(message) => self.push(message, true),
            None => {
                lock(&self.state).ended = true;
                self.changed.notify_waiters();
            }
        }
    }

    /// Ends the current reader, so that the client has to come back for the rest (SEP-1699).
    pub(crate) fn interrupt(&self) {
        lock(&self.state).interrupted = true;
        self.changed.notify_waiters();
    }

    /// Nobody can come back to this stream any more.
    pub(crate) fn make_final(&self) {
        self.change(|state| {
            state.is_final = true;
            state.trim();
        });
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

    /// Whether the stream has ended and was read to its end, so that nobody has reason to come back.
    pub(crate) fn is_delivered(&self) -> bool {
        let state = lock(&self.state);
        state.ended && state.delivered >= state.last()
    }

    /// Bytes kept.
    pub(crate) fn bytes(&self) -> usize {
        lock(&self.state).bytes
    }

    /// Becomes the reader, after the message with this number; an earlier reader ends. None if there is no such message,
    /// or something that followed it is lost.
    pub(crate) fn attach(self: &Arc<Self>, after: u64) -> Option<Reader> {
        let mut state = lock(&self.state);
        if after > state.last() || after < state.dropped {
            return None;
        }
        state.reader += 1;
        let position = after;
        let taken = usize::try_from(position - state.dropped).unwrap_or(usize::MAX);
        state.unread = state.events.iter().skip(taken).map(String::len).sum();
        state.position = Some(position);
        state.interrupted = false;
        let generation = state.reader;
        drop(state);
        self.changed.notify_waiters();
        Some(Reader { log: Arc::clone(self), generation, position })
    }

    /// A new stream with its first reader.
    pub(crate) fn open(stream: u64, replay: &Arc<Replay>) -> Reader {
        let log = Self::new(stream, replay);
        lock(&log.state).position = Some(0);
        Reader { log, generation: 0, position: 0 }
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.replay.count(state.bytes, 0);
        if let Some(number) = state.entered {
            self.replay.leave(number);
        }
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
                // The answer is there, unless it had to make room.
                if state.ended && state.last() <= 1 && state.dropped == 0 {
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
                    state.delivered = state.delivered.max(self.position);
                    state.unread = state.unread.saturating_sub(message.len());
                    drop(state);
                    self.log.change(State::trim);
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
    pub(crate) async fn write(mut self, prime: bool, out: Feed) {
        let stream = self.log.stream;
        if prime {
            let priming = format!("id: {stream}-{}\nretry: {RETRY}\ndata: \n\n", self.position);
            out.send(priming.into()).await;
        }
        loop {
            let bytes = match tokio::time::timeout(KEEP_ALIVE, self.next()).await {
                Ok(Some((sequence, message))) => event(Some((stream, sequence)), &message),
                Ok(None) => return,
                Err(_) => COMMENT,
            };
            if !out.send(bytes).await {
                return;
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.log.change(|state| {
            if state.reader == self.generation {
                state.position = None;
                state.unread = 0;
                state.trim();
            }
        });
        self.log.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::EventLog;
    use crate::transport::Replay;
    use std::sync::Arc;

    fn log(stream: u64) -> Arc<EventLog> {
        EventLog::new(stream, &Replay::new(64 << 20))
    }

    #[tokio::test]
    async fn a_reader_resumes_after_what_it_has_seen() {
        let log = log(3);
        let mut reader = log.attach(0).unwrap();
        for n in 1..=3 {
            log.append(n.to_string()).await;
        }
        assert_eq!(reader.next().await, Some((1, "1".to_owned())));
        assert!(log.attach(4).is_none(), "nobody has seen what was never sent");
        let mut second = log.attach(1).unwrap();
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
        let log = log(1);
        for n in 0..10_000 {
            log.append(n.to_string()).await;
        }
        assert!(log.bytes() < 256 * 5);
        assert!(log.attach(0).is_none(), "a stream with a gap cannot be resumed");
        let mut reader = log.attach(9744).unwrap();
        assert_eq!(reader.next().await, Some((9745, "9744".to_owned())));
        drop(reader);
        log.make_final();
        assert_eq!(log.bytes(), 0);
    }

    #[tokio::test]
    async fn a_writer_waits_for_a_slow_reader() {
        let log = log(1);
        let mut reader = log.attach(0).unwrap();
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

    #[tokio::test]
    async fn what_waits_for_a_reader_is_bounded_in_bytes() {
        let replay = Replay::new(64 << 20);
        let mut reader = EventLog::open(1, &replay);
        let log = Arc::clone(reader.log());
        let writer = tokio::spawn({
            let log = log.clone();
            async move {
                for _ in 0..100 {
                    log.append("x".repeat(100_000)).await;
                }
            }
        });
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert!((1_000_000..1_200_000).contains(&log.bytes()), "{}", log.bytes());
        for sequence in 1..=100 {
            assert_eq!(reader.next().await.map(|(number, _)| number), Some(sequence));
            assert!(log.bytes() < 1_200_000, "{}", log.bytes());
        }
        writer.await.unwrap();
        drop((reader, log));
        assert_eq!(replay.bytes(), 0);
    }
}
