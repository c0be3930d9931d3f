//! The server's part over standard input and output.

use super::part::Part;
use super::player::{Heard, Player};
use crate::wire::Payload;
use crate::wire::framing::LineSplitter;
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The longest line that is read as a message, in bytes.
pub(super) const LONGEST: usize = 8 << 20;

/// Plays on the standard streams of this process until the input ends. `patience` is how long an answer of the client is
/// waited for.
///
/// # Errors
/// When a stream fails, but for a client that has gone.
pub async fn serve_stdio(part: Arc<Part>, patience: Duration) -> io::Result<()> {
    serve_streams(part, patience, tokio::io::stdin(), tokio::io::stdout()).await
}

/// Plays on any two streams until the input ends.
///
/// # Errors
/// As [`serve_stdio`].
pub async fn serve_streams(
    part: Arc<Part>,
    patience: Duration,
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut player = Player::new(part, patience);
    let mut splitter = LineSplitter::new(LONGEST);
    let mut buffer = vec![0; 64 << 10];
    let mut payloads = Vec::new();
    let opening = player.open();
    say(&mut output, opening).await?;
    loop {
        let due = player.due().map(tokio::time::Instant::from_std);
        let waiting = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let length = tokio::select! {
            length = input.read(&mut buffer) => length?,
            () = waiting => {
                let overdue = player.overdue(Instant::now());
                say(&mut output, overdue).await?;
                continue;
            }
        };
        let mut take = |line: crate::wire::framing::Line<'_>| {
            if line.truncated {
                let error = Some("it is too long".to_owned());
                let bytes = Bytes::copy_from_slice(line.bytes);
                payloads.push(Payload::Raw { bytes, error, truncated: true });
            } else if !line.bytes.trim_ascii().is_empty() {
                payloads.push(Payload::read(line.bytes.to_vec()));
            }
        };
        if length == 0 {
            splitter.finish(&mut take);
        } else {
            splitter.push(&buffer[..length], &mut take);
        }
        for payload in payloads.drain(..) {
            let heard = player.hear(&payload, 0, Instant::now());
            if !say(&mut output, heard).await? {
                return Ok(());
            }
        }
        if length == 0 {
            let closing = player.close();
            say(&mut output, closing).await?;
            return Ok(());
        }
    }
}

/// Writes what is said; `false` if nobody reads it any more.
async fn say(output: &mut (impl AsyncWrite + Unpin), heard: Heard) -> io::Result<bool> {
    let mut bytes = Vec::new();
    for line in heard.lines {
        bytes.extend_from_slice(line.text.as_bytes());
        bytes.push(b'\n');
    }
    if bytes.is_empty() {
        return Ok(true);
    }
    let written = async {
        output.write_all(&bytes).await?;
        output.flush().await
    };
    match written.await {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true),
    }
}
