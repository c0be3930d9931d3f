//! Progress: each value sent for a token is greater than the one before.

use std::sync::atomic::{AtomicU64, Ordering};

/// Lets only growing values pass.
#[derive(Default)]
pub(crate) struct ProgressGate {
    /// One more than the last value sent; 0 when none was.
    next: AtomicU64,
}

impl ProgressGate {
    pub(crate) fn admits(&self, progress: u64) -> bool {
        let next = progress.saturating_add(1);
        self.next.fetch_max(next, Ordering::Relaxed) < next
    }
}

#[cfg(test)]
mod tests {
    use super::ProgressGate;

    #[test]
    fn a_value_that_does_not_grow_is_held_back() {
        let gate = ProgressGate::default();
        assert!(gate.admits(0));
        assert!(!gate.admits(0));
        assert!(gate.admits(2));
        assert!(!gate.admits(1));
    }
}
