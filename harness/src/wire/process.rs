//! Child processes that speak over their standard streams, each in a group of its own, always reaped.

use super::event::{Channel, Deliberate, Event, Flow, Limits, Observer, Payload, ShutdownStep};
use super::guardian::{Guarded, RUN_VARIABLE};
use super::process_error::{StartError, WriteError, explain_spawn};
use super::process_io as io_tasks;
use super::sweep::Trace;
use bytes::{BufMut as _, Bytes, BytesMut};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::sync::{Notify, watch};

/// How long the other processes of a target may live on after the first one ended in an orderly shutdown.
const GROUP_GRACE: Duration = Duration::from_millis(300);
/// How long the end of a process is held back for what is still in its pipes, so that it is told last.
const DRAIN: Duration = Duration::from_millis(1200);
/// How long a process may take to vanish after SIGKILL before it is given up: the kernel holds it.
const VANISH: Duration = Duration::from_secs(5);

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The program, looked up in PATH.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Added to (or replacing in) the harness's own environment.
    pub env: BTreeMap<String, String>,
    /// The working directory; the harness's own by default.
    pub cwd: Option<PathBuf>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What the harness had done to end it by then.
    pub after: ShutdownStep,
    /// How many processes that it had started were alive after it and had to be killed.
    pub left_behind: usize,
    /// Whether it is gone. `false` only where the kernel did not let go of it after SIGKILL.
    pub gone: bool,
}

/// A running process. Everything that it does goes to the observer, on [`Channel::PROCESS`]; the last event is
/// [`Event::ProcessExited`]. Dropping it kills the whole group at once.
#[derive(Debug)]
pub struct Process {
    shared: Arc<Shared>,
    stdin: tokio::sync::Mutex<Stdin>,
    closing: Notify,
    closed: AtomicBool,
    exit: watch::Receiver<Option<Exit>>,
    limits: Limits,
    started_at: Instant,
}

/// What the tasks and the reaper of a process share.
pub(super) struct Shared {
    pub(super) observer: Arc<dyn Observer>,
    group: Pid,
    step: AtomicU8,
    /// Whether the first process was reaped, after which its number may belong to somebody else.
    reaped: Mutex<bool>,
    pub(super) stderr_tail: Mutex<Vec<u8>>,
    pub(super) stage: watch::Sender<Stage>,
    /// Standard output is not read before this.
    pub(super) unread_until: Mutex<Option<Instant>>,
    /// When the first line of standard output came.
    pub(super) first_line: OnceLock<Instant>,
}

/// How far the life of a process is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It runs.
    Running,
    /// The first process ended; what it had started may still run.
    Ended,
    /// All of it is gone, as far as it could be found.
    Gone,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("group", &self.group).finish_non_exhaustive()
    }
}

/// The way in.
#[derive(Debug)]
struct Stdin {
    /// Gone once it was closed.
    pipe: Option<ChildStdin>,
    /// A write was cut short: whatever comes next would be read as part of the same message.
    torn: bool,
}

impl Process {
    /// Starts a process in a group of its own, with all three standard streams piped.
    ///
    /// # Errors
    /// When it cannot be started, with what to do about it; outside a tokio runtime.
    pub fn start(
        command: &CommandLine,
        limits: &Limits,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        if let Some(directory) = command.cwd.as_ref().filter(|directory| !directory.is_dir()) {
            return Err(StartError::Directory { directory: directory.clone() });
        }
        let mut guarded = Guarded::announce().map_err(StartError::Guardian)?;
        let mut builder = std::process::Command::new(&command.program);
        builder.args(&command.args).envs(&command.env).env(RUN_VARIABLE, guarded.mark());
        builder.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        if let Some(directory) = &command.cwd {
            builder.current_dir(directory);
        }
        let started_at = Instant::now();
        let mut child = builder.spawn().map_err(|error| explain_spawn(command, error))?;
        let group = Pid::from_child(&child);
        let pipes = (|| {
            guarded.group(group).map_err(StartError::Guardian)?;
            let missing = || io::Error::other("a pipe is missing");
            let stdin = child.stdin.take().ok_or_else(missing).and_then(ChildStdin::from_std);
            let stdout = child.stdout.take().ok_or_else(missing);
            let stdout = stdout.and_then(tokio::process::ChildStdout::from_std);
            let stderr = child.stderr.take().ok_or_else(missing);
            let stderr = stderr.and_then(tokio::process::ChildStderr::from_std);
            Ok((
                stdin.map_err(StartError::Pipe)?,
                stdout.map_err(StartError::Pipe)?,
                stderr.map_err(StartError::Pipe)?,
            ))
        })();
        let (stdin, stdout, stderr) = match pipes {
            Ok(pipes) => pipes,
            Err(error) => {
                let _ = kill_process_group(group, Signal::KILL);
                let _ = child.wait();
                return Err(error);
            }
        };
        let shared = Arc::new(Shared {
            observer,
            group,
            step: AtomicU8::new(0),
            reaped: Mutex::new(false),
            stderr_tail: Mutex::default(),
            stage: watch::Sender::new(Stage::Running),
            unread_until: Mutex::default(),
            first_line: OnceLock::new(),
        });
        let program = std::iter::once(&command.program).chain(&command.args).cloned().collect();
        shared.observe(Event::ProcessStarted { pid: child.id(), command: program });
        let (draining, drained) = mpsc::channel();
        let (exit_sender, exit) = watch::channel(None);
        let reaper = Reaper {
            trace: Trace::new(group, guarded.mark()),
            shared: Arc::clone(&shared),
            // Over before the shutdown goes on to SIGTERM, which would end what is to be counted.
            grace: GROUP_GRACE.min(limits.exit / 2),
            child,
            drained,
            exit: exit_sender,
            guarded,
        };
        // A thread and not a task: it must reap also when the runtime stands still or is gone.
        std::thread::Builder::new().name("mcprove-reaper".to_owned()).spawn(move || reaper.run()).map_err(
            |error| {
                shared.kill();
                let _ = waitid(WaitId::Pid(group), WaitIdOptions::EXITED);
                StartError::Pipe(error)
            },
        )?;
        runtime.spawn(io_tasks::read_stdout(stdout, limits.message, Arc::clone(&shared), draining.clone()));
        runtime.spawn(io_tasks::drain_stderr(stderr, Arc::clone(&shared), draining));
        let stdin = tokio::sync::Mutex::new(Stdin { pipe: Some(stdin), torn: false });
        let (closing, closed) = (Notify::new(), AtomicBool::new(false));
        Ok(Self { shared, stdin, closing, closed, exit, limits: limits.clone(), started_at })
    }

    /// Sends a message: its bytes and a line feed in one write, recorded as [`Event::Sent`] before they go out.
    /// A [`Payload::Raw`] is recorded with its line feed, so that the record has exactly what was sent.
    ///
    /// # Errors
    /// When the input is closed or nothing was taken within [`Limits::write`]; also told as [`Event::WriteFailed`].
    pub async fn write(&self, payload: Payload, deliberate: Option<Deliberate>) -> Result<(), WriteError> {
        let mut line = BytesMut::with_capacity(payload.bytes().len() + 1);
        line.put_slice(payload.bytes());
        line.put_u8(b'\n');
        let line = line.freeze();
        let payload = match payload {
            Payload::Raw { error, truncated, .. } => Payload::Raw { bytes: line.clone(), error, truncated },
            message @ Payload::Message(_) => message,
        };
        self.send(&[(line, Duration::ZERO)], payload, deliberate).await
    }

    /// Sends any bytes in any pieces, each followed by a pause, and adds nothing. Recorded as one [`Event::Sent`]:
    /// a message where they are one JSON text and a line feed, else raw.
    ///
    /// # Errors
    /// As [`Process::write`].
    pub async fn write_raw(
        &self,
        chunks: Vec<(Bytes, Duration)>,
        deliberate: Option<Deliberate>,
    ) -> Result<(), WriteError> {
        let mut whole = BytesMut::with_capacity(chunks.iter().map(|(bytes, _)| bytes.len()).sum());
        for (bytes, _) in &chunks {
            whole.put_slice(bytes);
        }
        let payload = sent_payload(whole.freeze());
        self.send(&chunks, payload, deliberate).await
    }

    async fn send(
        &self,
        chunks: &[(Bytes, Duration)],
        payload: Payload,
        deliberate: Option<Deliberate>,
    ) -> Result<(), WriteError> {
        let mut stdin = self.stdin.lock().await;
        self.shared.observe(Event::Sent { payload, deliberate });
        // Tells of a write that was given up half-way because its future was dropped.
        let mut guard = WriteGuard { shared: &self.shared, armed: true };
        let result = self.write_chunks(&mut stdin, chunks).await;
        guard.armed = false;
        if let Err(error) = &result {
            self.shared.observe(Event::WriteFailed(error.to_string()));
        }
        result
    }

    async fn write_chunks(&self, stdin: &mut Stdin, chunks: &[(Bytes, Duration)]) -> Result<(), WriteError> {
        let Stdin { pipe: Some(pipe), torn } = stdin else { return Err(WriteError::Closed) };
        if *torn {
            return Err(WriteError::Torn);
        }
        let closing = self.closing.notified();
        if self.closed.load(Ordering::Acquire) {
            return Err(WriteError::Closed);
        }
        *torn = true;
        let limit = self.limits.write;
        let writing = async {
            for (bytes, pause) in chunks {
                match tokio::time::timeout(limit, pipe.write_all(bytes)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                        return Err(WriteError::Closed);
                    }
                    Ok(Err(error)) => return Err(WriteError::Io(error)),
                    Err(_) => return Err(WriteError::TimedOut { limit }),
                }
                if !pause.is_zero() {
                    tokio::time::sleep(*pause).await;
                }
            }
            Ok(())
        };
        let result = tokio::select! {
            biased;
            result = writing => result,
            () = closing => Err(WriteError::Closed),
        };
        *torn = result.is_err();
        result
    }

    /// Leaves the standard output unread for a while from now on, as a busy client does: what the process writes fills
    /// its pipe, and then the process has to wait. At most one read that has begun is still taken.
    pub fn leave_unread(&self, time: Duration) {
        self.shared
            .observe(Event::Note(format!("standard output is left unread for {} ms", time.as_millis())));
        *self.shared.unread_until.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Instant::now() + time);
    }

    /// Closes the standard input, which asks a server to end. A write that still waits is given up.
    pub async fn close_stdin(&self) {
        self.closed.store(true, Ordering::Release);
        self.closing.notify_waiters();
        let pipe = self.stdin.lock().await.pipe.take();
        if let Some(pipe) = pipe {
            self.shared.reached(ShutdownStep::StdinClosed);
            // Told first: what the process does about it may be seen before this task goes on.
            self.shared.observe(Event::StdinClosed);
            drop(pipe);
        }
    }

    /// Ends the process in order: closes its input, waits [`Limits::exit`], sends SIGTERM to its group, waits again,
    /// and sends SIGKILL. Returns when the process was reaped and everything it had started is gone. What takes long to
    /// begin takes long to end: it has as long as the first line took, up to three times the limit.
    pub async fn shutdown(&self) -> Exit {
        self.close_stdin().await;
        let began = self.shared.first_line.get().map_or(Duration::ZERO, |at| *at - self.started_at);
        let patience = began.clamp(self.limits.exit, self.limits.exit * 3);
        if !self.ended_within(patience).await {
            self.shared.signal(ShutdownStep::Sigterm, Signal::TERM);
            if !self.ended_within(self.limits.exit).await {
                self.shared.kill();
            }
        }
        self.vanished().await
    }

    /// Ends a process that does not serve over its standard streams, so that the end of its input tells it nothing:
    /// sends SIGTERM to its group, waits [`Limits::exit`], and sends SIGKILL. Returns as [`Process::shutdown`] does.
    pub async fn terminate(&self) -> Exit {
        self.close_stdin().await;
        self.shared.signal(ShutdownStep::Sigterm, Signal::TERM);
        if !self.ended_within(self.limits.exit).await {
            self.shared.kill();
        }
        self.vanished().await
    }

    /// Kills the whole group at once and returns when everything is gone.
    pub async fn kill(&self) -> Exit {
        self.shared.kill();
        self.vanished().await
    }

    /// Waits for an end that must come, unless the kernel holds the process.
    async fn vanished(&self) -> Exit {
        tokio::time::timeout(VANISH, self.exited()).await.unwrap_or(Exit {
            code: None,
            signal: None,
            after: ShutdownStep::Sigkill,
            left_behind: 0,
            gone: false,
        })
    }

    /// Waits until the process is gone, by itself or not. May wait for ever.
    pub async fn exited(&self) -> Exit {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await.map(|exit| *exit) {
            Ok(Some(exit)) => exit,
            // The reaper holds the other end until it has told: this is not reached.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Whether the first process ends in time. What it had started may take longer: that is not its delay.
    async fn ended_within(&self, limit: Duration) -> bool {
        let mut stage = self.shared.stage.subscribe();
        let ended = stage.wait_for(|stage| *stage >= Stage::Ended);
        tokio::time::timeout(limit, ended).await.is_ok()
    }

    /// Its process id, which is also its group.
    pub fn pid(&self) -> u32 {
        self.shared.group.as_raw_nonzero().get().unsigned_abs()
    }

    /// Whether it has not ended yet.
    pub fn is_running(&self) -> bool {
        *self.shared.stage.borrow() == Stage::Running
    }

    /// How it ended, once it did.
    pub fn exit(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// When it was started.
    pub fn started_at(&self) -> Instant {
        self.started_at
    }

    /// The last 8 KiB that it wrote to its standard error, as text: what a user needs to see when it fails.
    pub fn stderr_tail(&self) -> String {
        let tail = self.shared.stderr_tail.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&tail).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.shared.kill();
    }
}

/// Says that a write was given up, unless it is disarmed.
struct WriteGuard<'a> {
    shared: &'a Shared,
    armed: bool,
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.shared.observe(Event::WriteFailed("the harness gave the write up".to_owned()));
        }
    }
}

/// A message where the bytes are one JSON text in one line and nothing else, else raw.
fn sent_payload(bytes: Bytes) -> Payload {
    if let Some(line) = bytes.strip_suffix(b"\n")
        && !line.contains(&b'\n')
        && let message @ Payload::Message(_) = Payload::read(bytes.slice(..line.len()))
        && message.bytes() == line
    {
        return message;
    }
    Payload::Raw { bytes, error: None, truncated: false }
}

impl Shared {
    pub(super) fn observe(&self, event: Event) -> Flow {
        self.observer.observe(Channel::PROCESS, event)
    }

    fn reached(&self, step: ShutdownStep) {
        self.step.fetch_max(step as u8, Ordering::AcqRel);
    }

    fn step(&self) -> ShutdownStep {
        match self.step.load(Ordering::Acquire) {
            0 => ShutdownStep::None,
            1 => ShutdownStep::StdinClosed,
            2 => ShutdownStep::Sigterm,
            _ => ShutdownStep::Sigkill,
        }
    }

    fn signal(&self, step: ShutdownStep, signal: Signal) {
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if !*reaped {
            self.reached(step);
            let _ = kill_process_group(self.group, signal);
        }
    }

    /// Kills the group, unless the first process was reaped: then the rest of the group is gone already.
    pub(super) fn kill(&self) {
        self.signal(ShutdownStep::Sigkill, Signal::KILL);
    }
}

/// Waits for the end of the first process, ends the rest, and tells.
struct Reaper {
    shared: Arc<Shared>,
    child: std::process::Child,
    trace: Trace,
    grace: Duration,
    drained: mpsc::Receiver<()>,
    exit: watch::Sender<Option<Exit>>,
    /// Dropped last: until then the guardian would act.
    guarded: Guarded,
}

impl Reaper {
    fn run(self) {
        let Self { shared, mut child, trace, grace, drained, exit, guarded } = self;
        // Not reaped yet: as long as it is a zombie its number, which names the group, belongs to nobody else.
        let leader = WaitId::Pid(shared.group);
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while waitid(leader.clone(), options).is_err_and(|error| error == rustix::io::Errno::INTR) {}
        let after = shared.step();
        shared.stage.send_replace(Stage::Ended);
        // Killed with the others, they had no chance: nothing can be said about what it leaves behind.
        let left_behind = if after == ShutdownStep::Sigkill { 0 } else { linger(&trace, grace) };
        let status = {
            let mut reaped = shared.reaped.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = kill_process_group(shared.group, Signal::KILL);
            *reaped = true;
            child.wait()
        };
        trace.kill();
        drop(guarded);
        shared.stage.send_replace(Stage::Gone);
        // Both readers hold a sender and drop it at the end of their stream.
        let _ = drained.recv_timeout(DRAIN);
        if left_behind > 0 {
            let text = format!("{left_behind} processes that it had started outlived it and were killed");
            shared.observe(Event::Note(text));
        }
        let (code, signal) = status.map_or((None, None), |status| (status.code(), status.signal()));
        shared.observe(Event::ProcessExited { code, signal, after });
        exit.send_replace(Some(Exit { code, signal, after, left_behind, gone: true }));
    }
}

/// Gives what a process had started a while to end after it, and says how many did not.
fn linger(trace: &Trace, grace: Duration) -> usize {
    let deadline = Instant::now() + grace;
    loop {
        let living = trace.living();
        if living == 0 || Instant::now() > deadline {
            return living;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
