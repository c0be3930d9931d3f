//! The record of one conversation, event by event.

use crate::protocol::{Revision, Transport};
use crate::wire::{Channel, Event, Flow, Observer, Payload};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

use super::redact::Redactor;
use super::write::TranscriptWriter;

/// One event of a conversation, with its place and time.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Position in the conversation, from 0, without gaps.
    pub seq: u64,
    /// Time since the conversation began.
    pub at: Duration,
    /// Where it happened.
    pub channel: Channel,
    /// What happened.
    pub event: Event,
}

/// What a conversation was.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct About {
    /// The revision that was to be spoken, if any was chosen.
    pub revision: Option<Revision>,
    /// The transport.
    pub transport: Transport,
    /// What it was for, in a few words.
    pub purpose: String,
    /// The command or URL, secrets replaced.
    pub target: String,
}

/// How much of a conversation is kept in memory before reading stops. Clones share what they may take together.
#[derive(Debug, Clone)]
pub struct Budget {
    /// Bytes, about, that each conversation may take.
    pub bytes: u64,
    /// Bytes, about, that one may take as long as all together take no more than that.
    pub most: u64,
    /// Bytes that all take at present.
    taken: Arc<AtomicU64>,
    /// Events.
    pub events: u64,
    /// Events that each may take even where all take more than `most`: many small ones cost more than their bytes.
    pub own_events: u64,
}

impl Budget {
    /// A budget of one conversation: payload bytes, about, and events.
    pub fn new(bytes: u64, events: u64) -> Self {
        Self { bytes, most: bytes, taken: Arc::default(), events, own_events: events }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { bytes: 48 << 20, most: 96 << 20, taken: Arc::default(), events: 200_000, own_events: 12_000 }
    }
}

/// Called for every event as it is recorded, in order; for the display of live traffic.
pub type Live = Arc<dyn Fn(&Record, &Redactor) + Send + Sync>;

/// Records a conversation: keeps it for judging, writes it to a file, and wakes who waits for news.
pub struct Recorder {
    about: About,
    started: Instant,
    inner: Mutex<Inner>,
    news: Notify,
    live: Option<Live>,
}

struct Inner {
    records: Vec<Arc<Record>>,
    bytes: u64,
    budget: Budget,
    writer: Option<TranscriptWriter>,
    redactor: Redactor,
    spilled: bool,
    next: u64,
}

impl Recorder {
    /// A recorder that writes to `file` too, if one is given.
    pub fn new(
        about: About,
        file: Option<&Path>,
        redactor: Redactor,
        budget: Budget,
        live: Option<Live>,
    ) -> Self {
        let writer = file.map(|path| TranscriptWriter::create(path, &about));
        Self {
            about,
            started: Instant::now(),
            inner: Mutex::new(Inner {
                records: Vec::new(),
                bytes: 0,
                budget,
                writer,
                redactor,
                spilled: false,
                next: 0,
            }),
            news: Notify::new(),
            live,
        }
    }

    /// A conversation that was read back, as if it had just been recorded.
    pub fn of_transcript(transcript: super::Transcript) -> Self {
        let recorder = Self::new(transcript.about, None, Redactor::default(), Budget::default(), None);
        recorder.lock().records = transcript.records.into_iter().map(Arc::new).collect();
        recorder
    }

    /// Some events of a conversation, in order.
    pub fn of_records(about: About, records: Vec<Arc<Record>>) -> Self {
        let recorder = Self::new(about, None, Redactor::default(), Budget::default(), None);
        recorder.lock().records = records;
        recorder
    }

    /// What is recorded.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Time since the conversation began.
    pub fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The number of events so far.
    pub fn len(&self) -> usize {
        self.lock().records.len()
    }

    /// Whether nothing has happened yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The event at an index, if there is one; the index is its position as long as nothing was shed.
    pub fn get(&self, index: usize) -> Option<Arc<Record>> {
        self.lock().records.get(index).cloned()
    }

    /// Everything so far.
    pub fn snapshot(&self) -> Vec<Arc<Record>> {
        self.lock().records.clone()
    }

    /// Waits until something new may have happened.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// A text without the secrets that are known by now.
    pub fn redact(&self, text: &str) -> String {
        self.lock().redactor.clean(text)
    }

    /// Adds a remark.
    pub fn note(&self, text: impl Into<String>) {
        self.observe(Channel::PROCESS, Event::Note(text.into()));
    }

    /// Writes the last line of the file. Events that come later are kept out of it.
    pub fn close(&self) {
        if let Some(writer) = self.lock().writer.take() {
            writer.finish();
        }
    }

    /// Forgets what came in, all but the events at some positions: for a conversation that is over and judged.
    pub fn shed(&self, keep: &BTreeSet<u64>) {
        let mut inner = self.lock();
        let mut freed = 0;
        inner.records.retain(|record| {
            let came_in =
                matches!(record.event, Event::Received { .. } | Event::Stderr(_) | Event::SseOther(_));
            let stays = keep.contains(&record.seq) || !came_in;
            freed += if stays { 0 } else { size(&record.event) };
            stays
        });
        inner.records.shrink_to_fit();
        inner.release(freed);
    }

    /// Why the file is incomplete, if writing failed.
    pub fn write_error(&self) -> Option<String> {
        self.lock().writer.as_ref().and_then(TranscriptWriter::error)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock was held leaves at worst a missing record.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Counts bytes; whether that is too much.
    fn take(&mut self, bytes: u64) -> bool {
        self.bytes += bytes;
        let all = self.budget.taken.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let events = self.records.len() as u64;
        let much = self.bytes > self.budget.bytes || events > self.budget.own_events;
        events >= self.budget.events || (much && all > self.budget.most)
    }

    fn release(&mut self, bytes: u64) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.taken.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.release(u64::MAX);
    }
}

impl Observer for Recorder {
    fn observe(&self, channel: Channel, event: Event) -> Flow {
        let mut inner = self.lock();
        inner.redactor.learn(&event);
        let record = Arc::new(Record { seq: inner.next, at: self.started.elapsed(), channel, event });
        inner.next += 1;
        let over = inner.take(size(&record.event));
        let Inner { records, writer, redactor, spilled, .. } = &mut *inner;
        if let Some(writer) = writer {
            writer.append(&record, redactor);
        }
        if let Some(live) = &self.live {
            live(&record, redactor);
        }
        // Past the budget only what ends things is kept: the rest would be more of the same.
        if !over || ends_something(&record.event) || !*spilled {
            records.push(record);
        }
        *spilled |= over;
        drop(inner);
        self.news.notify_one();
        if over { Flow::Stop } else { Flow::Continue }
    }
}

fn ends_something(event: &Event) -> bool {
    matches!(
        event,
        Event::ProcessExited { .. }
            | Event::StdoutClosed
            | Event::ResponseEnded(_)
            | Event::ConnectFailed(_)
            | Event::Flooded { .. }
            | Event::Sent { .. }
            | Event::ResponseHead { .. }
    )
}

/// A rough count of the memory that an event holds.
fn size(event: &Event) -> u64 {
    // The record, and what those who wait for messages keep of it.
    const EVENT: usize = 2 * size_of::<Record>();
    let payload = match event {
        Event::Sent { payload, .. } | Event::Received { payload, .. } => match payload {
            Payload::Message(message) => message.footprint(),
            Payload::Raw { bytes, .. } => bytes.len(),
        },
        Event::Stderr(bytes) => bytes.len(),
        Event::RequestHead { headers, .. } | Event::ResponseHead { headers, .. } => {
            headers.iter().map(|(name, value)| name.len() + value.len() + 48).sum()
        }
        _ => 0,
    };
    (EVENT + payload) as u64
}
