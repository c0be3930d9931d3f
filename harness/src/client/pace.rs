//! How fast messages are sent: `--rate`.

use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Keeps messages apart, over all conversations that share it.
#[derive(Debug)]
pub struct Pace {
    apart: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    /// At most so many messages a second; `None` where the number is not positive and finite, or less than one in an
    /// hour.
    pub fn per_second(rate: f64) -> Option<Self> {
        let apart = Duration::try_from_secs_f64(1.0 / rate).ok()?;
        (rate.is_finite() && apart <= Duration::from_secs(3600))
            .then(|| Self { apart, next: Mutex::new(Instant::now()) })
    }

    /// Waits for its turn.
    pub async fn turn(&self) {
        let at = {
            let mut next = self.next.lock().await;
            let at = (*next).max(Instant::now());
            *next = at + self.apart;
            at
        };
        tokio::time::sleep_until(at).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sensible_rates() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-9] {
            assert!(Pace::per_second(rate).is_none(), "{rate}");
        }
        assert!(Pace::per_second(0.5).is_some());
    }

    #[tokio::test]
    async fn messages_are_kept_apart() {
        let pace = Pace::per_second(100.0).unwrap();
        let begun = Instant::now();
        for _ in 0..4 {
            pace.turn().await;
        }
        assert!(begun.elapsed() >= Duration::from_millis(30));
    }
}
