//! The wish to stop early, shared by all parts of a run.

use std::sync::Arc;
use tokio::sync::watch;

/// A wish to stop, with the exit code that goes with it.
#[derive(Clone)]
pub struct Stop(Arc<watch::Sender<Option<u8>>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Stop {
    /// Asks to stop. The first wish counts.
    pub fn now(&self, exit_code: u8) {
        self.0.send_if_modified(|slot| slot.is_none() && slot.replace(exit_code).is_none());
    }

    /// The exit code, if somebody asked to stop.
    pub fn wanted(&self) -> Option<u8> {
        *self.0.borrow()
    }

    /// Does something until it is done or somebody asks to stop; `None` then.
    pub async fn unless<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            _ = self.wait() => None,
            done = work => Some(done),
        }
    }

    /// Waits until somebody asks to stop.
    pub async fn wait(&self) -> u8 {
        let mut receiver = self.0.subscribe();
        loop {
            if let Some(code) = *receiver.borrow_and_update() {
                return code;
            }
            if receiver.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
