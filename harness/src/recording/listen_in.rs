//! The monitors at work while a conversation is recorded, in a thread of their own: they hold up nobody, and where they
//! cannot keep up they give up.

use super::queue::{Offer, queue};
use super::tape::Audience;
use crate::monitors::{Overheard, Overhearing};
use crate::transcript::{About, Record};
use crate::wire::Event;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// How many bytes may wait to be judged.
const WAITING: usize = 32 << 20;
/// How long the end may be held back for a judgement.
const PATIENCE: Duration = Duration::from_secs(3);

/// Monitors that listen in.
pub struct ListenIn {
    verdict: mpsc::Receiver<Overheard>,
    behind: Arc<AtomicBool>,
}

impl ListenIn {
    /// Starts, and says to whom the events go.
    pub(super) fn start(about: &About) -> io::Result<(Self, Audience)> {
        let (offer, mut take) = queue::<Arc<Record>>(WAITING);
        let (sender, verdict) = mpsc::channel();
        let mut hearing = Overhearing::new(about);
        std::thread::Builder::new().name("mcprove-monitors".to_owned()).spawn(move || {
            while let Some(record) = take.next() {
                hearing.hear(&record);
            }
            // Nobody waits any more: the verdict comes too late.
            let _ = sender.send(hearing.finish(false));
        })?;
        let behind = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&behind);
        let audience: Audience = Box::new(move |record| {
            if !shared.load(Ordering::Relaxed) && !give(&offer, record) {
                shared.store(true, Ordering::Relaxed);
            }
        });
        Ok((Self { verdict, behind }, audience))
    }

    /// What they say of all of it; `None` where they did not hear it all, or take too long.
    pub(super) fn finish(self) -> Option<Overheard> {
        let verdict = self.verdict.recv_timeout(PATIENCE).ok()?;
        (!self.behind.load(Ordering::Relaxed)).then_some(verdict)
    }
}

fn give(offer: &Offer<Arc<Record>>, record: &Arc<Record>) -> bool {
    let bytes = match &record.event {
        // A message in memory takes several times its text.
        Event::Sent { payload, .. } | Event::Received { payload, .. } => 4 * payload.bytes().len(),
        Event::Stderr(bytes) => bytes.len(),
        _ => 0,
    };
    offer.offer(bytes, || Arc::clone(record))
}
