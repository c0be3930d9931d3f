//! Standard output: written at once where that cannot block, else by a thread that may.
//!
//! An answer that has to go through another thread costs two switches between threads, which is more than all the rest
//! of a short call. So the thread that reads a message also writes what can be answered at once, unless the client is
//! behind with its reading.

use std::io::{ErrorKind, Write};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::task::{Context, Poll, Waker};

use crate::server::{Server, lock};
use crate::transport::lines::{append_line, pieces};
use crate::transport::queue::Queue;

/// Bytes gathered for one write, unless one message is longer.
const GATHERED: usize = 64 << 10;

/// What is to be written. Whoever holds the lock may write, and everything leaves in the order of `buffer`, then `queue`.
struct Pending {
    server: Server,
    /// Whole messages with their line ends; perhaps without the beginning of the first, which has been written.
    buffer: Vec<u8>,
    /// Messages of handlers that wait, and all messages while the writing thread is at work.
    queue: Queue,
    /// Wakes the writing thread.
    writer: Option<Waker>,
    file: File,
}

/// Standard output, shared by the thread that reads messages and the one that writes what is left over.
#[derive(Clone)]
pub(crate) struct Stdout {
    pending: Arc<Mutex<Pending>>,
}

impl Stdout {
    /// Everything that is sent to the other end of `queue` is written.
    pub(crate) fn new(server: Server, queue: Queue) -> std::io::Result<Self> {
        let pending = Pending { server, buffer: Vec::new(), queue, writer: None, file: File::stdout()? };
        Ok(Self { pending: Arc::new(Mutex::new(pending)) })
    }

    /// The right to write, if nobody is writing.
    pub(crate) fn try_turn(&self) -> Option<Turn<'_>> {
        match self.pending.try_lock() {
            Ok(pending) => Some(Turn(pending)),
            Err(TryLockError::Poisoned(poisoned)) => Some(Turn(poisoned.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Writes until nobody can send any more; for a thread of its own, which it blocks while the client does not read.
    pub(crate) async fn write(&self) -> std::io::Result<()> {
        while std::future::poll_fn(|context| lock(&self.pending).poll(context)).await? {}
        Ok(())
    }
}

impl Pending {
    /// Writes everything; false at the end.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<bool>> {
        if self.buffer.is_empty() {
            self.writer = Some(context.waker().clone());
            match self.queue.poll_recv(context) {
                Poll::Ready(Some(message)) => self.push(&message.text),
                Poll::Ready(None) => return Poll::Ready(Ok(false)),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.gather();
        let written = self.write_all();
        self.clear();
        if written.is_err() {
            // Nobody will read this any more; those who send are told.
            self.queue.close();
        }
        Poll::Ready(written.map(|()| true))
    }

    /// Waits until the client has taken everything.
    fn write_all(&mut self) -> std::io::Result<()> {
        for piece in pieces(&self.server, &self.buffer) {
            self.file.write_all(piece)?;
            if let Some(chaos) = self.server.chaos() {
                std::thread::sleep(chaos.rest(piece));
            }
        }
        Ok(())
    }

    fn push(&mut self, message: &str) {
        append_line(&self.server, &mut self.buffer, message);
    }

    /// Takes over what is queued, as far as there is room.
    fn gather(&mut self) {
        while self.buffer.len() < GATHERED
            && let Some(message) = self.queue.try_recv()
        {
            self.push(&message.text);
        }
    }

    fn clear(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(GATHERED);
    }
}

/// The right to write; others wait meanwhile, so nothing may be waited for.
pub(crate) struct Turn<'a>(MutexGuard<'a, Pending>);

impl Turn<'_> {
    /// Adds an answer, behind what its handler has said before. False if there is no room for another one.
    #[must_use]
    pub(crate) fn answer(&mut self, message: &str) -> bool {
        // All of it, or the answer would overtake what is still queued.
        while let Some(earlier) = self.0.queue.try_recv() {
            self.0.push(&earlier.text);
        }
        self.0.push(message);
        if self.0.buffer.len() >= GATHERED {
            self.write();
        }
        self.0.buffer.len() < GATHERED
    }

    /// Writes as much as the client takes without being waited for.
    fn write(&mut self) {
        let Pending { buffer, file, .. } = &mut *self.0;
        let mut written = 0;
        while written < buffer.len() && file.takes_without_blocking() {
            let piece = &buffer[written..buffer.len().min(written + PIECE)];
            match file.0.write(piece) {
                Ok(length) => written += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The writing thread meets the same failure, and tells it.
                Err(_) => break,
            }
        }
        if written == buffer.len() {
            self.0.clear();
        } else {
            buffer.drain(..written);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.write();
        if !self.0.buffer.is_empty()
            && let Some(writer) = self.0.writer.take()
        {
            writer.wake();
        }
    }
}

/// The most that a pipe takes without blocking once it says that it takes anything.
#[cfg(unix)]
const PIECE: usize = rustix::pipe::PIPE_BUF;
#[cfg(not(unix))]
const PIECE: usize = 0;

/// Standard output without the buffer of the standard library, which would split what we write in one piece.
#[cfg(unix)]
struct File(std::fs::File);
#[cfg(not(unix))]
struct File(std::io::Stdout);

#[cfg(unix)]
impl File {
    fn stdout() -> std::io::Result<Self> {
        use std::os::fd::AsFd;
        Ok(Self(std::io::stdout().as_fd().try_clone_to_owned()?.into()))
    }

    fn takes_without_blocking(&self) -> bool {
        self.wait_until_it_takes(Some(&rustix::event::Timespec::default()))
    }

    /// Whether it takes something before the time is over; without one, waits for ever.
    fn wait_until_it_takes(&self, limit: Option<&rustix::event::Timespec>) -> bool {
        use rustix::event::{PollFd, PollFlags};
        let mut polled = [PollFd::new(&self.0, PollFlags::OUT)];
        rustix::event::poll(&mut polled, limit).is_ok_and(|ready| ready > 0)
    }

    /// Writes all, even if whoever started us has made standard output non-blocking.
    fn write_all(&mut self, mut bytes: &[u8]) -> std::io::Result<()> {
        while !bytes.is_empty() {
            match self.0.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(length) => bytes = &bytes[length..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait_until_it_takes(None);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(not(unix))]
impl File {
    fn stdout() -> std::io::Result<Self> {
        Ok(Self(std::io::stdout()))
    }

    /// Nobody can say here, so all is left to the thread that may block.
    fn takes_without_blocking(&self) -> bool {
        false
    }

    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes)?;
        self.0.flush()
    }
}
