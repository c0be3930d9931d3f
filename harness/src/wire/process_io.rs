//! The tasks that read what a process writes.

use super::event::{Event, Flow, Payload};
use super::framing::{Line, LineSplitter};
use super::process::{Shared, Stage};
use bytes::{Bytes, BytesMut};
use std::sync::{Arc, PoisonError, mpsc};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{ChildStderr, ChildStdout};

/// The room for one read of standard output.
const STDOUT_READ: usize = 64 << 10;
/// The room for one read of standard error.
const STDERR_READ: usize = 8 << 10;
/// How much of standard error is told; the rest is read and dropped.
const STDERR_TOLD: usize = 256 << 10;
/// How much of the end of standard error is kept for error messages.
const STDERR_TAIL: usize = 8 << 10;
/// How long a line may become before it counts as endless.
const ENDLESS: u64 = 128 << 20;
/// How long a pipe is still read after the process has gone and everything it had started was killed: only a
/// process that hid itself can still hold it open.
const HELD: Duration = Duration::from_secs(1);

/// Reads standard output line by line until it ends, the observer has enough, or nobody can write to it any more.
/// The sender is only held: its drop says that the stream is done.
pub(super) async fn read_stdout(
    mut stdout: ChildStdout,
    limit: usize,
    shared: Arc<Shared>,
    _draining: mpsc::Sender<()>,
) {
    let mut lines = LineSplitter::new(limit);
    let mut buffer = BytesMut::with_capacity(STDOUT_READ);
    let (mut total, mut crlf) = (0_u64, false);
    let mut gone = std::pin::pin!(gone(&shared));
    loop {
        buffer.clear();
        let pause = *shared.unread_until.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = pause {
            tokio::time::sleep_until(until.into()).await;
            *shared.unread_until.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        let read = tokio::select! {
            biased;
            () = &mut gone => None,
            read = read(&mut stdout, &mut buffer, STDOUT_READ) => Some(read),
        };
        match read {
            Some(0) => break,
            Some(read) => total += read as u64,
            None => {
                let text = "standard output is held open by a process that could not be found";
                shared.observe(Event::Note(text.to_owned()));
                break;
            }
        }
        let mut stop = false;
        lines.push(&buffer, |line| {
            if line.ended_with_crlf && !std::mem::replace(&mut crlf, true) {
                let text = "lines of standard output end with CR LF";
                shared.observe(Event::Note(text.to_owned()));
            }
            stop = stop || tell(&shared, line) == Flow::Stop;
        });
        if lines.pending() > ENDLESS.max(limit as u64) {
            lines.finish(|line| stop = tell(&shared, line) == Flow::Stop);
            stop = true;
        }
        if stop {
            shared.observe(Event::Flooded { bytes: total });
            shared.kill();
            return;
        }
    }
    lines.finish(|line| {
        tell(&shared, line);
        let text = "the last line of standard output has no line end";
        shared.observe(Event::Note(text.to_owned()));
    });
    shared.observe(Event::StdoutClosed);
}

/// Reads standard error until it ends, so that the process never blocks on it; tells the first part.
pub(super) async fn drain_stderr(mut stderr: ChildStderr, shared: Arc<Shared>, _draining: mpsc::Sender<()>) {
    let mut buffer = BytesMut::with_capacity(STDERR_READ);
    let mut told = 0;
    let mut gone = std::pin::pin!(gone(&shared));
    loop {
        buffer.clear();
        let read = tokio::select! {
            biased;
            () = &mut gone => return,
            read = read(&mut stderr, &mut buffer, STDERR_READ) => read,
        };
        if read == 0 {
            return;
        }
        {
            let mut tail = shared.stderr_tail.lock().unwrap_or_else(PoisonError::into_inner);
            tail.extend_from_slice(&buffer);
            let excess = tail.len().saturating_sub(STDERR_TAIL);
            tail.drain(..excess);
        }
        if told > STDERR_TOLD {
            continue;
        }
        told += read;
        if shared.observe(Event::Stderr(Bytes::copy_from_slice(&buffer))) == Flow::Stop {
            told = STDERR_TOLD + 1;
        }
        if told > STDERR_TOLD {
            let text = format!("standard error is no longer told after {} KiB", STDERR_TOLD >> 10);
            shared.observe(Event::Note(text));
        }
    }
}

fn tell(shared: &Shared, line: Line<'_>) -> Flow {
    shared.first_line.get_or_init(Instant::now);
    let bytes = Bytes::copy_from_slice(line.bytes);
    let payload = if line.truncated {
        let error = Some(format!("the line has {} bytes, more than are read as a message", line.length));
        Payload::Raw { bytes, error, truncated: true }
    } else {
        Payload::receive(bytes)
    };
    shared.observe(Event::Received { payload, sse: None })
}

/// One read of at most `room` bytes; an error of a pipe is its end.
async fn read(pipe: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut, room: usize) -> usize {
    buffer.reserve(room);
    (&mut *pipe).take(room as u64).read_buf(buffer).await.unwrap_or(0)
}

/// Done a while after the process has gone.
async fn gone(shared: &Shared) {
    let mut stage = shared.stage.subscribe();
    // The sender lives as long as `shared`.
    let _ = stage.wait_for(|stage| *stage == Stage::Gone).await;
    tokio::time::sleep(HELD).await;
}
