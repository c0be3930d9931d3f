//! Progress only grows, and does not come in a flood (basic/utilities/progress).

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::server::lock;

/// So many notifications may come at once; after them one in each [`PACE`]. Clients take up to 200 a second for no flood.
const AT_ONCE: u32 = 90;
const PACE: Duration = Duration::from_millis(10);

/// Decides which notifications of one request are sent.
#[derive(Default)]
pub(crate) struct ProgressGate {
    /// One more than the last value sent; 0 when none was.
    next: AtomicU64,
    /// When the next notification would be due if all came evenly.
    due: Mutex<Option<Instant>>,
}

impl ProgressGate {
    /// Whether a value is more than the last one that was asked about.
    pub(crate) fn grows(&self, progress: u64) -> bool {
        let next = progress.saturating_add(1);
        self.next.fetch_max(next, Ordering::Relaxed) < next
    }

    /// Whether one more notification is no flood.
    pub(crate) fn is_in_pace(&self) -> bool {
        let now = Instant::now();
        let mut due = lock(&self.due);
        let next = due.map_or(now, |due| due.max(now));
        let fits = next - now <= PACE * AT_ONCE;
        if fits {
            *due = Some(next + PACE);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_does_not_grow_is_held_back() {
        let gate = ProgressGate::default();
        assert!(gate.grows(0));
        assert!(!gate.grows(0));
        assert!(gate.grows(2));
        assert!(!gate.grows(1));
    }

    #[tokio::test(start_paused = true)]
    async fn no_second_has_more_than_two_hundred() {
        let gate = ProgressGate::default();
        let mut sent = Vec::new();
        for _ in 0..3000 {
            if gate.is_in_pace() {
                sent.push(Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let most = sent.iter().map(|from| {
            sent.iter().filter(|at| *at >= from && **at < *from + Duration::from_secs(1)).count()
        });
        assert!(most.max().is_some_and(|most| most <= 195));
        assert!(sent.len() > 300, "{}", sent.len());
    }
}
