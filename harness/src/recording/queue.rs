//! A queue that never makes the sender wait: it is bounded in bytes, and what does not fit is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// What an item takes beside its bytes.
const ITEM: usize = 128;

/// The way in. Clones share the bound.
pub(super) struct Offer<T> {
    items: mpsc::Sender<(usize, T)>,
    taken: Arc<AtomicUsize>,
    bound: usize,
}

impl<T> Clone for Offer<T> {
    fn clone(&self) -> Self {
        Self { items: self.items.clone(), taken: Arc::clone(&self.taken), bound: self.bound }
    }
}

/// The way out.
pub(super) struct Take<T> {
    items: mpsc::Receiver<(usize, T)>,
    taken: Arc<AtomicUsize>,
    /// What the last item takes, until the next one is asked for.
    held: usize,
}

/// A queue of so many bytes.
pub(super) fn queue<T>(bound: usize) -> (Offer<T>, Take<T>) {
    let (sender, receiver) = mpsc::channel();
    let taken = Arc::new(AtomicUsize::new(0));
    (Offer { items: sender, taken: Arc::clone(&taken), bound }, Take { items: receiver, taken, held: 0 })
}

impl<T> Offer<T> {
    /// Puts an item of so many bytes in, if there is room and somebody takes it.
    pub(super) fn offer(&self, bytes: usize, item: impl FnOnce() -> T) -> bool {
        let size = bytes + ITEM;
        if self.taken.fetch_add(size, Ordering::Relaxed) + size > self.bound {
            self.taken.fetch_sub(size, Ordering::Relaxed);
            return false;
        }
        self.items.send((size, item())).is_ok()
    }
}

impl<T> Take<T> {
    /// The next item; `None` once nobody can put one in.
    pub(super) fn next(&mut self) -> Option<T> {
        self.taken.fetch_sub(std::mem::take(&mut self.held), Ordering::Relaxed);
        let (size, item) = self.items.recv().ok()?;
        self.held = size;
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_and_room_comes_back() {
        let (offer, mut take) = queue(3 * ITEM);
        assert!(offer.offer(ITEM, || 1));
        assert!(!offer.offer(ITEM, || 2));
        assert!(offer.offer(0, || 3));
        assert_eq!(take.next(), Some(1));
        // The first one is still at work.
        assert!(!offer.offer(ITEM, || 4));
        assert_eq!(take.next(), Some(3));
        assert!(offer.offer(ITEM, || 5));
        drop(offer);
        assert_eq!((take.next(), take.next()), (Some(5), None));
    }
}
