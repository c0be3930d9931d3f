//! What is recorded: what the taps saw goes through a bounded queue to a thread that makes events of it and writes them.
//! The conversation never waits for that thread.

use super::assemble::Assembler;
use super::queue::{Offer, Take, queue};
use crate::transcript::{About, Loss, Record, Redactor, TranscriptWriter};
use crate::wire::{Channel, End, Event, Headers, Way};
use bytes::Bytes;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// How many bytes may wait to be written.
const WAITING: usize = 64 << 20;
/// How long the end of a conversation is held back for what is still to be written, and to be judged.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Something that a tap saw.
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "over HTTP only the command line records"))]
pub(super) enum Seen {
    /// An event, whole.
    Event(Event),
    /// Bytes of the client's side of a process.
    Input(Bytes),
    /// Bytes of the process's side.
    Output(Bytes),
    /// The client's side is over; whether it was closed by the process.
    InputOver { refused: bool },
    /// The process's side is over.
    OutputOver { refused: bool },
    /// The body of a request goes on; it ends with `last`.
    RequestBody { bytes: Bytes, last: bool },
    /// The head of a response.
    ResponseHead { status: u16, headers: Headers },
    /// The body of a response goes on.
    ResponseBody(Bytes),
    /// A response is over.
    ResponseOver(End),
    /// The conversation is over, whoever still holds a tap.
    Over,
    /// So much was seen before this and not taken, of a stream of the process or of something else.
    Gap(Loss, Option<Way>),
}

impl Seen {
    fn size(&self) -> usize {
        match self {
            Self::Event(Event::Stderr(bytes))
            | Self::Input(bytes)
            | Self::Output(bytes)
            | Self::RequestBody { bytes, .. }
            | Self::ResponseBody(bytes) => bytes.len(),
            Self::Event(Event::RequestHead { headers, .. }) | Self::ResponseHead { headers, .. } => {
                headers.iter().map(|(name, value)| name.len() + value.len() + 48).sum()
            }
            _ => 0,
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Event(Event::RequestHead { .. }) | Self::ResponseHead { .. } => 0,
            other => other.size() as u64,
        }
    }
}

/// Something that was seen, with its place and time.
struct Sighting {
    at: Duration,
    channel: Channel,
    seen: Seen,
}

/// One place where a conversation is looked at.
#[derive(Clone)]
pub(super) struct Tap {
    offer: Offer<Sighting>,
    started: Instant,
    channel: Channel,
    way: Option<Way>,
    lost: Loss,
}

impl Tap {
    /// The same for another channel.
    #[cfg(feature = "cli")]
    pub(super) fn on(&self, channel: Channel) -> Self {
        Self { channel, lost: Loss::default(), ..self.clone() }
    }

    /// The same for one stream of the process.
    pub(super) fn along(&self, way: Way) -> Self {
        Self { way: Some(way), lost: Loss::default(), ..self.clone() }
    }

    /// Takes note of something, without ever waiting.
    pub(super) fn see(&mut self, seen: Seen) {
        let at = self.started.elapsed();
        let (channel, way, lost) = (self.channel, self.way, self.lost);
        if !lost.is_none() && !self.offer.offer(0, || Sighting { at, channel, seen: Seen::Gap(lost, way) }) {
            self.lost.join(Loss { events: 1, bytes: seen.bytes() });
            return;
        }
        self.lost = Loss::default();
        let loss = Loss { events: 1, bytes: seen.bytes() };
        if !self.offer.offer(seen.size(), || Sighting { at, channel, seen }) {
            self.lost = loss;
        }
    }
}

/// Takes what was recorded, as it is written; for the monitors.
pub(super) type Audience = Box<dyn FnMut(&Arc<Record>) + Send>;

/// A recording at work.
pub(super) struct Tape {
    tap: Option<Tap>,
    done: mpsc::Receiver<()>,
    state: Arc<Mutex<Progress>>,
}

/// How a recording went.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// Events in the file.
    pub(super) events: u64,
    /// What is not in it.
    pub(super) lost: Loss,
    /// Why.
    pub(super) error: Option<String>,
    /// Whether the writer came to its end in time.
    pub(super) finished: bool,
}

impl Tape {
    /// Begins to record. The file is opened by the thread that writes it: not even that can hold up anything.
    pub(super) fn start(
        file: PathBuf,
        about: About,
        redactor: Redactor,
        audience: Audience,
    ) -> std::io::Result<Self> {
        let (offer, take) = queue(WAITING);
        let (sender, done) = mpsc::channel();
        let state = Arc::new(Mutex::new(Progress::default()));
        let shared = Arc::clone(&state);
        std::thread::Builder::new().name("mcprove-recorder".to_owned()).spawn(move || {
            let writer = TranscriptWriter::create(&file, &about);
            let scribe = Scribe {
                writer,
                redactor,
                audience,
                next: 0,
                last: Duration::ZERO,
                state: shared,
                lost: Loss::default(),
            };
            scribe.run(take);
            // Who waited has gone on without.
            let _ = sender.send(());
        })?;
        let tap = Tap {
            offer,
            started: Instant::now(),
            channel: Channel::PROCESS,
            way: None,
            lost: Loss::default(),
        };
        Ok(Self { tap: Some(tap), done, state })
    }

    /// A place to look from.
    pub(super) fn tap(&self) -> Option<Tap> {
        self.tap.clone()
    }

    /// Ends the recording, after all other taps are gone or given up, and says how it went.
    pub(super) fn finish(mut self) -> Progress {
        if let Some(tap) = self.tap.take() {
            let lost = tap.lost;
            drop(tap);
            self.lock().lost.join(lost);
        }
        // As long as it gets on it may take its time.
        let mut before = self.lock().events;
        while self.done.recv_timeout(LAST_WORDS) == Err(mpsc::RecvTimeoutError::Timeout) {
            let now = self.lock().events;
            if now == before {
                return self.lock().clone();
            }
            before = now;
        }
        let mut progress = self.lock();
        progress.finished = true;
        progress.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes events of what was seen, and writes them.
struct Scribe {
    writer: TranscriptWriter,
    redactor: Redactor,
    audience: Audience,
    next: u64,
    /// When the last event was.
    last: Duration,
    state: Arc<Mutex<Progress>>,
    lost: Loss,
}

impl Scribe {
    fn run(mut self, mut take: Take<Sighting>) {
        let mut assembler = Assembler::default();
        while let Some(Sighting { at, channel, seen }) = take.next() {
            if matches!(seen, Seen::Event(Event::ProcessExited { .. })) {
                // The last thing that is told of a process.
                assembler.close(&mut |channel, event| self.record(at, channel, event));
            }
            match seen {
                Seen::Over => break,
                Seen::Gap(lost, way) => {
                    self.lost.join(lost);
                    let Loss { events, bytes } = assembler.gap(channel, way, lost);
                    let reason = "the recorder did not keep up".to_owned();
                    self.record(at, channel, Event::Lost { events, bytes, reason });
                }
                seen => assembler.take(channel, seen, &mut |channel, event| self.record(at, channel, event)),
            }
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.events = self.next;
            state.error = self.writer.error();
            state.lost = self.lost;
        }
        assembler.close(&mut |channel, event| self.record(self.last, channel, event));
        let untold = self.writer.end();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.events = self.next;
        state.error = self.writer.error();
        state.lost = self.lost;
        state.lost.join(untold);
    }

    fn record(&mut self, at: Duration, channel: Channel, event: Event) {
        self.redactor.learn(&event);
        self.last = at;
        let record = Arc::new(Record { seq: self.next, at, channel, event });
        self.next += 1;
        self.writer.append(&record, &self.redactor);
        (self.audience)(&record);
    }
}
