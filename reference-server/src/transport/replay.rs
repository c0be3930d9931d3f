//! The events that the streams of all sessions keep, bounded together: the oldest streams make room.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use crate::server::lock;
use crate::transport::sse::EventLog;

/// All streams that keep something.
pub(crate) struct Replay {
    limit: usize,
    bytes: AtomicUsize,
    logs: Mutex<Logs>,
}

#[derive(Default)]
struct Logs {
    next: u64,
    oldest_first: BTreeMap<u64, Weak<EventLog>>,
}

impl Replay {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, bytes: AtomicUsize::new(0), logs: Mutex::default() })
    }

    /// Bytes kept by all streams.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// A stream keeps more or fewer bytes than before.
    pub(super) fn count(&self, before: usize, now: usize) {
        if now > before {
            self.bytes.fetch_add(now - before, Ordering::Relaxed);
        } else if now < before {
            self.bytes.fetch_sub(before - now, Ordering::Relaxed);
        }
    }

    /// Enters a stream that keeps something from now on; its number here.
    pub(super) fn enter(&self, log: &Arc<EventLog>) -> u64 {
        let mut logs = lock(&self.logs);
        logs.next += 1;
        let number = logs.next;
        logs.oldest_first.insert(number, Arc::downgrade(log));
        number
    }

    /// A stream is gone.
    pub(super) fn leave(&self, number: u64) {
        lock(&self.logs).oldest_first.remove(&number);
    }

    /// Makes room if there is too much: first all that has been read goes, then readers that are behind are cut off.
    pub(super) fn make_room(&self) {
        if self.bytes() <= self.limit {
            return;
        }
        // Somewhat more than is needed, so that the next event need not look for room again.
        let enough = self.limit - self.limit / 4;
        let mut behind = Vec::new();
        while self.bytes() > enough
            && let Some(log) = self.take_oldest()
        {
            if log.forget_read() > 0 {
                behind.push(log);
            }
        }
        for log in behind {
            if self.bytes() > enough {
                log.cut_off();
            } else {
                log.enter_replay();
            }
        }
    }

    /// Takes the oldest stream out; it enters again with its next event.
    fn take_oldest(&self) -> Option<Arc<EventLog>> {
        loop {
            // A stream that is dropped leaves, so the lock must not be held when it may be.
            let (_, oldest) = lock(&self.logs).oldest_first.pop_first()?;
            if let Some(log) = oldest.upgrade() {
                log.left_replay();
                return Some(log);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Replay;
    use crate::transport::sse::{EventLog, Opening};

    const LIMIT: usize = 1_000_000;

    #[tokio::test]
    async fn the_oldest_streams_make_room_for_all() {
        let replay = Replay::new(LIMIT);
        let logs: Vec<_> = (0..30).map(|stream| EventLog::new(stream, &replay)).collect();
        let slow = logs[1].attach(0).unwrap();
        for log in &logs {
            log.end(Some("x".repeat(100_000)));
            assert!(replay.bytes() <= LIMIT, "{}", replay.bytes());
        }
        assert!(logs[0].attach(0).is_none(), "what it kept is lost");
        assert!(logs[29].attach(0).is_some());
        assert!(logs[29].attach(2).is_none(), "there is no such event");
        let waits = matches!(slow.opening().await, Opening::Answer(Some(_)));
        assert!(waits, "a reader that is behind is spared while others can make room");
        drop(logs);
        assert_eq!(replay.bytes(), 100_000);
        drop(slow);
        assert_eq!(replay.bytes(), 0);
    }

    #[tokio::test]
    async fn readers_that_are_behind_are_cut_off_when_nobody_else_can_make_room() {
        let replay = Replay::new(LIMIT);
        let readers: Vec<_> = (0..30).map(|stream| EventLog::open(stream, &replay)).collect();
        for reader in &readers {
            reader.log().append("x".repeat(100_000)).await;
            assert!(replay.bytes() <= LIMIT, "{}", replay.bytes());
        }
        assert!(!readers[0].log().is_attached());
        assert!(readers[29].log().is_attached());
    }
}
