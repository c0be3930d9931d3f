//! Opens conversations with one target over one transport: counts process starts, bounds how many run at once, and
//! keeps the records of all of them.

use super::conversation::{Closed, Conversation, Opening};
use super::fetch::{Fetch, Fetched};
use super::link::{Binding, OpenError};
use crate::protocol::Revision;
use crate::transcript::{About, Recorder};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// How long it takes until several places are asked for again.
const AGAIN: Duration = Duration::from_millis(5);

/// Makes the recorder of a conversation: where its file lies, what is secret, who watches.
pub trait RecorderSource: Send + Sync {
    /// A recorder for a conversation that is about to begin.
    fn recorder(&self, about: About) -> Arc<Recorder>;
}

/// Opens conversations.
pub struct Opener {
    binding: Binding,
    opening: Opening,
    display: String,
    source: Arc<dyn RecorderSource>,
    permits: Arc<Semaphore>,
    starts: Arc<AtomicU32>,
}

/// A conversation that is open, with its place among those that may run at once.
pub struct Opened {
    /// The conversation.
    pub talk: Conversation,
    permit: Option<OwnedSemaphorePermit>,
}

/// Conversations that are over and not judged yet.
#[derive(Default)]
pub struct Finished(Mutex<Vec<Arc<Recorder>>>);

impl Finished {
    /// Adds one.
    pub fn push(&self, recorder: Arc<Recorder>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(recorder);
    }

    /// Takes all.
    pub fn take(&self) -> Vec<Arc<Recorder>> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Opener {
    /// An opener for a target. `display` is how the target is named in files, `permits` how many conversations may run
    /// at once.
    pub fn new(
        binding: Binding,
        opening: Opening,
        display: String,
        source: Arc<dyn RecorderSource>,
        permits: Arc<Semaphore>,
        starts: Arc<AtomicU32>,
    ) -> Self {
        Self { binding, opening, display, source, permits, starts }
    }

    /// Where the server is reached.
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// What conversations are opened with.
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// The same target reached otherwise.
    pub fn over(&self, binding: Binding) -> Self {
        Self {
            binding,
            opening: self.opening.clone(),
            display: self.display.clone(),
            source: Arc::clone(&self.source),
            permits: Arc::clone(&self.permits),
            starts: Arc::clone(&self.starts),
        }
    }

    /// The server runs, and gave its first answer within this time: later conversations need not wait for its start-up as
    /// well, only for as long as any request may take, or four times as long as that answer took.
    pub fn has_answered_within(&mut self, took: Duration) {
        let timeouts = &mut self.opening.timeouts;
        timeouts.startup = timeouts.startup.min(timeouts.request.max(took.saturating_mul(4)));
    }

    /// Opens a conversation; waits while too many are open. Nothing is sent yet.
    pub async fn open(&self, purpose: &str, revision: Option<Revision>) -> Result<Opened, OpenError> {
        self.open_with(self.permits(1).await?, purpose, revision).await
    }

    /// Opens two conversations that are open at the same time. (Whoever holds one and waits for another would wait
    /// for ever where others do the same.)
    pub async fn open_two(
        &self,
        purpose: &str,
        revision: Option<Revision>,
    ) -> Result<(Opened, Opened), OpenError> {
        let mut permits = self.permits(2).await?;
        // Two were taken, so one can be split off.
        let other = permits.split(1).ok_or_else(|| OpenError::Http("no permit".to_owned()))?;
        let first = self.open_with(permits, purpose, revision).await?;
        Ok((first, self.open_with(other, purpose, revision).await?))
    }

    /// Fetches something beside the endpoint, at the target's own origin and nowhere else. What comes is no part of any
    /// conversation.
    ///
    /// # Errors
    /// Another origin, or no response.
    pub async fn fetch(&self, purpose: &str, fetch: Fetch) -> Result<Fetched, String> {
        let (Binding::Http(own) | Binding::HttpSse(own)) = &self.binding else {
            return Err("the target is not reached over HTTP".to_owned());
        };
        if own.origin() != fetch.url.origin() {
            return Err(format!("{} is of another origin, where nothing is ever sent to", fetch.url));
        }
        let about = About {
            revision: None,
            transport: self.binding.transport(),
            purpose: purpose.to_owned(),
            target: self.display.clone(),
        };
        let wait = self.opening.timeouts.request;
        fetch.run(self.opening.http.clone(), &self.opening.limits, self.source.recorder(about), wait).await
    }

    async fn permits(&self, count: u32) -> Result<OwnedSemaphorePermit, OpenError> {
        // Whoever waits in line for several keeps those behind from the one that they need to get on.
        if count > 1 {
            loop {
                match Arc::clone(&self.permits).try_acquire_many_owned(count) {
                    Ok(permits) => return Ok(permits),
                    Err(TryAcquireError::NoPermits) => tokio::time::sleep(AGAIN).await,
                    Err(error @ TryAcquireError::Closed) => return Err(OpenError::Http(error.to_string())),
                }
            }
        }
        let permits = Arc::clone(&self.permits).acquire_many_owned(count).await;
        // The semaphore is never closed.
        permits.map_err(|error| OpenError::Http(error.to_string()))
    }

    async fn open_with(
        &self,
        permit: OwnedSemaphorePermit,
        purpose: &str,
        revision: Option<Revision>,
    ) -> Result<Opened, OpenError> {
        if matches!(self.binding, Binding::Stdio(_)) {
            self.starts.fetch_add(1, Ordering::Relaxed);
        }
        let about = About {
            revision,
            transport: self.binding.transport(),
            purpose: purpose.to_owned(),
            target: self.display.clone(),
        };
        let recorder = self.source.recorder(about);
        let talk = Conversation::open(&self.binding, &self.opening, recorder).await?;
        Ok(Opened { talk, permit: Some(permit) })
    }
}

impl Opened {
    /// Gives its place to others, for what has to wait for them while it stays open.
    pub fn step_aside(&mut self) {
        self.permit = None;
    }

    /// Ends it as a client should.
    pub async fn close(self) -> Closed {
        self.talk.close().await
    }
}
