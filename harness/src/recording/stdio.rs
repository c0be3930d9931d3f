//! Records a STDIO server: runs it, stands in for it, and passes on how it ends.

use super::listen_in::ListenIn;
use super::tape::{Progress, Seen, Tap, Tape};
use crate::monitors::Overheard;
use crate::protocol::Transport;
use crate::transcript::{About, Loss, Redactor};
use crate::wire::{
    CommandLine, Ended, Event, Glimpse, ShutdownStep, Signals, StandIn, StartError, Streams, Way,
};
use bytes::Bytes;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, mpsc};

/// SIGHUP, SIGINT, SIGQUIT and SIGTERM have these numbers on every system.
const ENDING: [i32; 4] = [1, 2, 3, 15];

/// What came of a recording.
pub struct Recorded {
    /// The file.
    pub file: PathBuf,
    /// Events in it.
    pub events: u64,
    /// What is missing in it.
    pub lost: Loss,
    /// Why it is not complete, if it is not.
    pub error: Option<String>,
    /// What the monitors say, unless they could not keep up.
    pub overheard: Option<Overheard>,
}

impl Recorded {
    pub(super) fn new(file: &Path, progress: Progress, overheard: Option<Overheard>) -> Self {
        let Progress { events, lost, mut error, finished } = progress;
        if !finished {
            error.get_or_insert_with(|| "writing took too long, and was given up".to_owned());
        }
        Self { file: file.to_owned(), events, lost, error, overheard }
    }
}

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The server cannot be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The system does not let us.
    #[error("cannot record: {0}")]
    Io(#[from] io::Error),
}

/// Runs a command and stands in for it on the standard streams of this process, until it ends. `name` is how it is named
/// in the file, without secrets.
///
/// # Errors
/// When it cannot be started; never because of the recording.
pub fn record_stdio(
    command: &CommandLine,
    name: &str,
    file: &Path,
    redactor: Redactor,
) -> Result<(Ended, Recorded), RecordError> {
    let about = About {
        revision: None,
        transport: Transport::Stdio,
        purpose: "recorded".to_owned(),
        target: name.to_owned(),
    };
    let (listener, audience) = ListenIn::start(&about)?;
    let words = std::iter::once(&command.program).chain(&command.args);
    let words: Vec<String> = words.map(|word| redactor.clean(word)).collect();
    let tape = Tape::start(file.to_owned(), about, redactor, audience)?;
    let Some(tap) = tape.tap() else { return Err(io::Error::other("the recording is over").into()) };
    // What the client has done to end it.
    let step = Arc::new(AtomicU8::new(0));
    // The streams wait for this to be told: it comes first.
    let (ready, started) = mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(started));
    let process = StandIn::start(command, Streams::of_this_process()?, |way| {
        let (mut tap, gate) = (tap.along(way), Arc::clone(&gate));
        let (mut first, step) = (true, Arc::clone(&step));
        move |glimpse: Glimpse<'_>| {
            if std::mem::take(&mut first) {
                // Ready, or given up: either way it goes on.
                let _ = gate.lock().map(|gate| gate.recv());
            }
            if (way, glimpse) == (Way::In, Glimpse::End) {
                step.fetch_max(1, Ordering::AcqRel);
            }
            look(way, glimpse, &mut tap);
        }
    })?;
    let mut tap = tap;
    tap.see(Seen::Event(Event::ProcessStarted { pid: process.pid(), command: words }));
    drop(ready);
    pass_on_signals(process.signals(), Arc::clone(&step))?;
    let ended = process.wait()?;
    let Ended { code, signal } = ended;
    let after = match step.load(Ordering::Acquire) {
        0 => ShutdownStep::None,
        1 => ShutdownStep::StdinClosed,
        _ => ShutdownStep::Sigterm,
    };
    tap.see(Seen::Event(Event::ProcessExited { code, signal, after }));
    // The thread that reads our standard input may hold a tap for ever, waiting for a client that says nothing more.
    tap.see(Seen::Over);
    drop(tap);
    let progress = tape.finish();
    let overheard = listener.finish();
    Ok((ended, Recorded::new(file, progress, overheard)))
}

fn look(way: Way, glimpse: Glimpse<'_>, tap: &mut Tap) {
    let seen = match (way, glimpse) {
        (Way::In, Glimpse::Bytes(bytes)) => Seen::Input(Bytes::copy_from_slice(bytes)),
        (Way::Out, Glimpse::Bytes(bytes)) => Seen::Output(Bytes::copy_from_slice(bytes)),
        (Way::Err, Glimpse::Bytes(bytes)) => Seen::Event(Event::Stderr(Bytes::copy_from_slice(bytes))),
        (Way::In, end) => Seen::InputOver { refused: end == Glimpse::Refused },
        (Way::Out, end) => Seen::OutputOver { refused: end == Glimpse::Refused },
        (Way::Err, _) => return,
    };
    tap.see(seen);
}

/// Passes signals on for as long as this process lives.
fn pass_on_signals(to: Signals, step: Arc<AtomicU8>) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let streams = {
        let _inside = runtime.enter();
        let kinds = [
            SignalKind::hangup(),
            SignalKind::interrupt(),
            SignalKind::quit(),
            SignalKind::terminate(),
            SignalKind::user_defined1(),
            SignalKind::user_defined2(),
        ];
        kinds
            .into_iter()
            .map(|kind| Ok((kind.as_raw_value(), signal(kind)?)))
            .collect::<io::Result<Vec<_>>>()?
    };
    std::thread::Builder::new().name("mcprove-signals".to_owned()).spawn(move || {
        runtime.block_on(async move {
            let each = streams.into_iter().map(|(number, mut stream)| {
                let step = &step;
                async move {
                    while stream.recv().await.is_some() {
                        if ENDING.contains(&number) {
                            step.fetch_max(2, Ordering::AcqRel);
                        }
                        to.send(number);
                    }
                }
            });
            futures_util::future::join_all(each).await;
        });
    })?;
    Ok(())
}
