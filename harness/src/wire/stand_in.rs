//! Stands in for a process: starts it, hands every byte of the three standard streams on as it comes, both ways, and
//! passes on how either side closes them.
//!
//! Threads and blocking reads, no runtime: nothing is added to a byte's way but one read, one look and one write.

use super::guardian::{Guarded, RUN_VARIABLE};
use super::process::CommandLine;
use super::process_error::{StartError, explain_spawn};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The room for one read.
const READ: usize = 64 << 10;
/// How long what is still in the pipes of a process that has ended may take, as long as more comes.
const DRAIN: Duration = Duration::from_millis(500);

/// One of the three streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the client to the standard input of the process.
    In,
    /// From the standard output of the process to the client.
    Out,
    /// From the standard error of the process to ours.
    Err,
}

/// What is seen of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glimpse<'a> {
    /// These bytes are about to be handed on.
    Bytes(&'a [u8]),
    /// It ended, and the end is about to be handed on.
    End,
    /// Who should have read the last bytes has closed the stream.
    Refused,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

/// A process that somebody else speaks to through this one. It has a group of its own, and ends with this process.
pub struct StandIn {
    child: Child,
    group: Pid,
    done: mpsc::Receiver<Way>,
    /// Dropped last: until then the guardian would act.
    _guarded: Guarded,
}

/// Our ends of the three streams.
pub struct Streams {
    /// Where the client writes.
    pub stdin: OwnedFd,
    /// Where the client reads.
    pub stdout: OwnedFd,
    /// Where the standard error of the process goes.
    pub stderr: OwnedFd,
}

impl Streams {
    /// The standard streams of this process.
    ///
    /// # Errors
    /// When a descriptor cannot be copied.
    pub fn of_this_process() -> io::Result<Self> {
        Ok(Self {
            stdin: io::stdin().as_fd().try_clone_to_owned()?,
            stdout: io::stdout().as_fd().try_clone_to_owned()?,
            stderr: io::stderr().as_fd().try_clone_to_owned()?,
        })
    }
}

impl StandIn {
    /// Starts a process. `look` makes what looks at each stream; it is called in a thread of its own for each, right before
    /// the bytes go on, and must not wait.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start<L>(
        command: &CommandLine,
        streams: Streams,
        mut look: impl FnMut(Way) -> L,
    ) -> Result<Self, StartError>
    where
        L: FnMut(Glimpse<'_>) + Send + 'static,
    {
        let mut guarded = Guarded::announce().map_err(StartError::Guardian)?;
        let mut builder = Command::new(&command.program);
        builder.args(&command.args).envs(&command.env).env(RUN_VARIABLE, guarded.mark());
        builder.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        if let Some(directory) = &command.cwd {
            builder.current_dir(directory);
        }
        let mut child = builder.spawn().map_err(|error| explain_spawn(command, error))?;
        let group = Pid::from_child(&child);
        let (sender, done) = mpsc::channel();
        let started = (|| {
            guarded.group(group).map_err(StartError::Guardian)?;
            let missing = || StartError::Pipe(io::Error::other("a pipe is missing"));
            let stdin = OwnedFd::from(child.stdin.take().ok_or_else(missing)?);
            let stdout = OwnedFd::from(child.stdout.take().ok_or_else(missing)?);
            let stderr = OwnedFd::from(child.stderr.take().ok_or_else(missing)?);
            let pumps = [
                (Way::In, streams.stdin, stdin),
                (Way::Out, stdout, streams.stdout),
                (Way::Err, stderr, streams.stderr),
            ];
            for (way, from, to) in pumps {
                let (look, sender) = (look(way), sender.clone());
                let pump = move || {
                    pump(way, from, to, look);
                    // Nobody waits any more: the process has been given up.
                    let _ = sender.send(way);
                };
                std::thread::Builder::new().spawn(pump).map_err(StartError::Pipe)?;
            }
            Ok(())
        })();
        if let Err(error) = started {
            let _ = kill_process_group(group, Signal::KILL);
            let _ = child.wait();
            return Err(error);
        }
        Ok(Self { child, group, done, _guarded: guarded })
    }

    /// Its process id, which is also its group.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Who can send it signals.
    pub fn signals(&self) -> Signals {
        Signals { group: self.group }
    }

    /// Waits until it has ended and what it wrote was handed on.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn wait(mut self) -> io::Result<Ended> {
        // Not reaped yet: until then its number, to which signals go, belongs to nobody else.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while waitid(WaitId::Pid(self.group), options).is_err_and(|error| error == Errno::INTR) {}
        let mut open = 2;
        while open > 0 {
            match self.done.recv_timeout(DRAIN) {
                Ok(Way::In) => {}
                Ok(Way::Out | Way::Err) => open -= 1,
                // What it had started holds its streams open. Its own end is not held back for that.
                Err(_) => break,
            }
        }
        let status = self.child.wait()?;
        Ok(Ended { code: status.code(), signal: status.signal() })
    }
}

/// Sends signals to the group of a process that is not reaped.
#[derive(Debug, Clone, Copy)]
pub struct Signals {
    group: Pid,
}

impl Signals {
    /// Sends a signal.
    pub fn send(&self, signal: i32) {
        if let Some(signal) = Signal::from_named_raw(signal) {
            // It has ended by itself.
            let _ = kill_process_group(self.group, signal);
        }
    }
}

/// Hands on what comes until one of both sides closes, and closes the other.
fn pump(way: Way, from: OwnedFd, to: OwnedFd, mut look: impl FnMut(Glimpse<'_>)) {
    let mut buffer = vec![0; READ];
    loop {
        let read = match next(&from, &to, &mut buffer) {
            Next::Bytes(read) => read,
            Next::End => {
                look(Glimpse::End);
                break;
            }
            Next::Refused => {
                look(Glimpse::Refused);
                break;
            }
        };
        look(Glimpse::Bytes(&buffer[..read]));
        if !write_all(&to, &buffer[..read]) {
            look(Glimpse::Refused);
            break;
        }
    }
    // Both sides see it at once. Our own standard streams are more than the copies that are dropped here.
    drop((from, to));
    if way != Way::Err
        && let Ok(nothing) = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")
    {
        let _ = match way {
            Way::In => rustix::stdio::dup2_stdin(nothing),
            _ => rustix::stdio::dup2_stdout(nothing),
        };
    }
}

enum Next {
    Bytes(usize),
    End,
    Refused,
}

/// Waits for bytes, and meanwhile for whoever should read them to go away.
fn next(from: &OwnedFd, to: &OwnedFd, buffer: &mut [u8]) -> Next {
    loop {
        let mut both =
            [PollFd::new(from, PollFlags::IN), PollFd::from_borrowed_fd(to.as_fd(), PollFlags::empty())];
        match poll(&mut both, None) {
            Err(Errno::INTR | Errno::AGAIN) => continue,
            // What cannot be polled can still be read.
            Err(_) => {}
            Ok(_) => {
                let (readable, gone) = (both[0].revents(), both[1].revents());
                if readable.is_empty() && gone.intersects(PollFlags::ERR | PollFlags::HUP) {
                    return Next::Refused;
                }
                if readable.is_empty() {
                    continue;
                }
            }
        }
        match rustix::io::read(from, &mut *buffer) {
            Ok(0) => return Next::End,
            Ok(read) => return Next::Bytes(read),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return Next::End,
        }
    }
}

/// Whether all was taken.
fn write_all(to: &OwnedFd, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            // Somebody made the stream non-blocking: it is shared with others.
            Err(Errno::AGAIN) => wait_writable(to.as_fd()),
            Err(_) => return false,
        }
    }
    true
}

fn wait_writable(to: BorrowedFd<'_>) {
    let mut one = [PollFd::from_borrowed_fd(to, PollFlags::OUT)];
    // An error shows at the next write.
    let _ = poll(&mut one, None);
}

/// Ends this process by the signal that ended the one that it stood in for. Returns if that cannot be done.
pub fn die_by(signal: i32) {
    // A fresh program has no handlers: the signal does what it does by default. A core of it would say nothing.
    let script = format!("ulimit -c 0; kill -s {signal} $$; kill -{signal} $$");
    let _ = Command::new("/bin/sh").args(["-c", &script]).exec();
}
