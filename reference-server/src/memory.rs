//! The memory that is held for clients: one account for the requests in progress and for all that waits to be read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use crate::message::{INTERNAL_ERROR, RpcError};
use crate::server::lock;

/// Up to this many bytes a request is small, and an answer is not counted: there are no more of these than connections
/// and requests in progress.
pub(crate) const SMALL: usize = 16 << 10;
/// What a request takes besides its bytes.
const REQUEST: usize = 2 << 10;
/// How often a message that finds no room tries again.
const RETRY: Duration = Duration::from_millis(20);
/// The most clients that are cut off to make room for one request or answer.
const CUT_OFF: usize = 256;

/// Cuts off the client that has not read for longest, if there is one that has not read for long enough.
type CutOff = Box<dyn Fn() -> bool + Send + Sync>;

/// The account. The last quarter is for small requests, so that a few large ones do not keep everybody out.
pub(crate) struct Memory {
    limit: usize,
    used: AtomicUsize,
    /// What of that is kept when the requests that brought it are done.
    kept: AtomicUsize,
    /// One for each transport that can cut clients off, with its number.
    cut_off: Mutex<Vec<(usize, CutOff)>>,
}

/// A share of the memory, given back when it is dropped.
#[derive(Default)]
pub(crate) struct Held {
    memory: Option<Arc<Memory>>,
    bytes: usize,
    /// What of that is kept.
    kept: usize,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
            cut_off: Mutex::default(),
        })
    }

    fn reserve(self: &Arc<Self>, bytes: usize, limit: usize) -> Option<Held> {
        add_within(&self.used, bytes, limit).then(|| Held { memory: Some(Arc::clone(self)), bytes, kept: 0 })
    }

    /// Room for what is no small request; none if there is too little left.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize) -> Option<Held> {
        self.reserve(bytes, self.limit - self.limit / 4)
    }

    /// Room for a request that takes so many bytes.
    pub(crate) fn take_request(self: &Arc<Self>, bytes: usize) -> Result<Held, RpcError> {
        let held = if bytes <= SMALL {
            self.reserve(bytes + REQUEST, self.limit)
        } else {
            self.take(bytes.saturating_add(REQUEST))
        };
        held.ok_or_else(refusal)
    }

    /// Room for what is kept when the request that brought it is done: half of the account at most, so that clients that
    /// are gone leave room for others.
    pub(crate) fn take_kept(self: &Arc<Self>, bytes: usize) -> Option<Held> {
        let mut held = self.take(bytes)?;
        held.kept = if add_within(&self.kept, bytes, self.limit / 2) { bytes } else { return None };
        Some(held)
    }

    /// Room for an answer until it is written; short ones need none.
    pub(crate) fn take_answer(self: &Arc<Self>, bytes: usize) -> Option<Held> {
        if bytes <= SMALL { Some(Held::default()) } else { self.take(bytes) }
    }

    /// When room is scarce, `cut_off` is called until it says that nobody can go, or until what it returns is dropped.
    pub(crate) fn when_scarce(
        self: &Arc<Self>,
        cut_off: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Scarcity {
        let mut all = lock(&self.cut_off);
        let number = all.last().map_or(0, |(number, _)| number + 1);
        all.push((number, Box::new(cut_off)));
        Scarcity { memory: Arc::clone(self), number }
    }

    fn cut_off(&self) -> bool {
        lock(&self.cut_off).iter().any(|(_, cut_off)| cut_off())
    }

    /// Takes room; where there is none, clients that do not read what they asked for are cut off, one by one.
    pub(crate) async fn find<T, E>(&self, mut take: impl FnMut() -> Result<T, E>) -> Result<T, E> {
        let mut taken = take();
        for _ in 0..CUT_OFF {
            if taken.is_ok() || !self.cut_off() {
                break;
            }
            // Who is cut off lets go of everything as soon as it has its turn.
            for _ in 0..2 {
                yield_now().await;
                taken = take();
                if taken.is_ok() {
                    break;
                }
            }
        }
        taken
    }

    /// Waits for room; none if it takes longer than `patience`.
    pub(crate) async fn wait(self: &Arc<Self>, bytes: usize, patience: Duration) -> Option<Held> {
        if let Some(held) = self.take(bytes) {
            return Some(held);
        }
        let end = Instant::now() + patience;
        while Instant::now() < end {
            self.cut_off();
            sleep(RETRY).await;
            if let Some(held) = self.take(bytes) {
                return Some(held);
            }
        }
        None
    }

    /// Bytes held at present.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// The way to cut clients off, for as long as there is one.
pub(crate) struct Scarcity {
    memory: Arc<Memory>,
    number: usize,
}

impl Drop for Scarcity {
    fn drop(&mut self) {
        lock(&self.memory.cut_off).retain(|(number, _)| *number != self.number);
    }
}

impl Held {
    /// Takes as much again as is needed for `bytes` more; false if there is too little.
    pub(crate) fn grow(&mut self, memory: &Arc<Memory>, bytes: usize) -> bool {
        let more = memory.take(bytes);
        let is_enough = more.is_some();
        self.add(more.unwrap_or_default());
        is_enough
    }

    /// Makes one of two shares.
    pub(crate) fn add(&mut self, mut more: Self) {
        self.bytes += std::mem::take(&mut more.bytes);
        self.kept += std::mem::take(&mut more.kept);
        self.memory = more.memory.take().or(self.memory.take());
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(memory) = &self.memory {
            memory.used.fetch_sub(self.bytes, Ordering::Relaxed);
            if self.kept > 0 {
                memory.kept.fetch_sub(self.kept, Ordering::Relaxed);
            }
        }
    }
}

/// Adds unless there would be more than `limit`; whether it did.
fn add_within(sum: &AtomicUsize, bytes: usize, limit: usize) -> bool {
    let grown = |sum: usize| sum.checked_add(bytes).filter(|sum| *sum <= limit);
    sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).is_ok()
}

/// What is said to a request for which there is no room.
pub(crate) fn refusal() -> RpcError {
    RpcError::new(INTERNAL_ERROR, "Too much is being served already").with_status(503)
}

/// The text of an answer, and the memory that it takes until it is written or dropped.
pub(crate) struct Answered {
    pub text: String,
    pub held: Held,
}

impl Answered {
    /// A short text, which is not counted.
    pub(crate) fn short(text: String) -> Self {
        Self { text, held: Held::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::{Memory, SMALL};

    #[test]
    fn what_is_dropped_makes_room() {
        let memory = Memory::new(100);
        let first = memory.take(70).unwrap();
        assert!(memory.take(10).is_none());
        drop(first);
        assert_eq!(memory.used(), 0);
        assert!(memory.take(usize::MAX).is_none());
        assert!(memory.take_request(usize::MAX).is_err());
        let mut kept = memory.take_kept(40).unwrap();
        assert!(memory.take_kept(20).is_none(), "half is for requests");
        assert_eq!(memory.used(), 40);
        kept.add(super::Held::default());
        kept.add(memory.take(20).unwrap());
        kept.add(memory.take_kept(10).unwrap());
        assert_eq!(memory.used(), 70);
        drop(kept);
        assert_eq!(memory.used(), 0);
        assert!(memory.take_kept(50).is_some(), "all is given back");
    }

    #[test]
    fn large_requests_leave_room_for_small_ones() {
        let memory = Memory::new(1 << 20);
        let mut large = Vec::new();
        while let Ok(held) = memory.take_request(SMALL + 1) {
            large.push(held);
        }
        assert!(memory.used() <= 3 << 18);
        let mut small = Vec::new();
        while let Ok(held) = memory.take_request(100) {
            small.push(held);
        }
        assert!(small.len() > 100 && memory.used() <= 1 << 20);
        drop((large, small));
        assert_eq!(memory.used(), 0);
    }
}
