//! STDIO: one message per line on standard input and output.

use std::io::{Read, Write};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, oneshot};

use crate::faults::Duty;
use crate::legacy::Session;
use crate::message::{PARSE_ERROR, RpcError, error_response};
use crate::server::Server;
use crate::transport::connection::Connection;

/// Bytes read at a time.
const CHUNK: usize = 64 << 10;
/// Answers that wait for the writer before handlers have to wait.
const ANSWERS: usize = 256;
/// Bytes written at a time, unless one message is longer.
const WRITE: usize = 64 << 10;
/// How long the last answers may take to be written after the end of the input.
const LAST_WRITE: Duration = Duration::from_secs(1);

/// Serves one client on standard input and output; returns at the end of the input.
///
/// # Errors
/// When standard output cannot be written for another reason than the client's having closed it, or when the operating
/// system has no thread left.
pub async fn serve_stdio(server: Server) -> std::io::Result<()> {
    let (lines, incoming) = mpsc::channel(4);
    let (outgoing, answers) = mpsc::channel(ANSWERS);
    let (written, done) = oneshot::channel();
    let limit = server.config().max_line_bytes;
    let writer = server.clone();
    let stays = !server.keeps(Duty::ExitAtEndOfInput);
    // A read of standard input cannot be cancelled, so it has a thread that is left behind.
    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || read_stdin(limit, &lines))?;
    std::thread::Builder::new().name("stdout".to_owned()).spawn(move || {
        let _ = written.send(write_stdout(&writer, answers));
    })?;
    converse(server, incoming, outgoing).await;
    if stays {
        std::future::pending::<()>().await;
    }
    match tokio::time::timeout(LAST_WRITE, done).await {
        Ok(Ok(result)) => forgive_closed(result),
        Ok(Err(_)) | Err(_) => Ok(()),
    }
}

/// Serves one client on any pair of byte streams, framed as on STDIO; returns at the end of the input.
///
/// # Errors
/// When `writer` fails for another reason than its having been closed.
pub async fn serve_stream<R, W>(server: Server, mut reader: R, mut writer: W) -> std::io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (lines, incoming) = mpsc::channel(4);
    let (outgoing, mut answers) = mpsc::channel::<String>(ANSWERS);
    let limit = server.config().max_line_bytes;
    let reading = async move {
        let mut splitter = LineSplitter::new(limit);
        let mut chunk = vec![0; CHUNK];
        while let Ok(length @ 1..) = reader.read(&mut chunk).await {
            if lines.send(splitter.push(&chunk[..length])).await.is_err() {
                return;
            }
        }
        let _ = lines.send(splitter.finish()).await;
    };
    let on_writer = server.clone();
    let writing = async move {
        let server = on_writer;
        let mut buffer = Vec::new();
        while let Some(first) = answers.recv().await {
            fill(&server, &mut buffer, &first, || answers.try_recv().ok());
            writer.write_all(&buffer).await?;
            writer.flush().await?;
        }
        writer.shutdown().await
    };
    let talking = async { tokio::join!(converse(server, incoming, outgoing), writing).1 };
    tokio::pin!(talking);
    let result = tokio::select! {
        result = &mut talking => result,
        () = reading => talking.await,
    };
    forgive_closed(result)
}

fn forgive_closed(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// The conversation itself, apart from the bytes.
async fn converse(server: Server, mut incoming: mpsc::Receiver<Vec<Line>>, outgoing: mpsc::Sender<String>) {
    let mut changes = server.changes();
    let stateless = server.serves_modern();
    let connection = Connection::new(Session::new(server), outgoing.clone(), stateless);
    loop {
        tokio::select! {
            lines = incoming.recv() => {
                let Some(lines) = lines else { break };
                for line in lines {
                    receive(&connection, line).await;
                }
            }
            change = changes.recv() => match change {
                Ok(change) => {
                    if let Some(message) = connection.session.notification_for(&change) {
                        connection.send(message).await;
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            },
            () = outgoing.closed() => break,
        }
    }
    drop(incoming);
    connection.finish().await;
}

async fn receive(connection: &Connection, line: Line) {
    let revision = connection.session.error_revision();
    match line {
        Line::Text(text) => {
            if let Err(unreadable) = connection.receive(&text).await {
                connection.send(unreadable.response(revision)).await;
            }
        }
        Line::TooLong => {
            let error = RpcError::new(PARSE_ERROR, "Parse error: the line is too long");
            connection.send(error_response(None, &error, revision)).await;
        }
    }
}

/// Appends messages, each with its line end, until the buffer is full or nothing waits.
fn fill(server: &Server, buffer: &mut Vec<u8>, first: &str, mut next: impl FnMut() -> Option<String>) {
    buffer.clear();
    buffer.shrink_to(WRITE);
    append(server, buffer, first);
    while buffer.len() < WRITE {
        let Some(message) = next() else { break };
        append(server, buffer, &message);
    }
}

/// Appends a message and its line end.
fn append(server: &Server, buffer: &mut Vec<u8>, message: &str) {
    match server.faults() {
        None => {
            buffer.extend_from_slice(message.as_bytes());
            buffer.push(b'\n');
        }
        Some(faults) => buffer.extend(faults.line(message)),
    }
}

fn read_stdin(limit: usize, lines: &mpsc::Sender<Vec<Line>>) {
    let mut stdin = std::io::stdin().lock();
    let mut splitter = LineSplitter::new(limit);
    let mut chunk = vec![0; CHUNK];
    loop {
        match stdin.read(&mut chunk) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => break,
            Ok(length) => {
                if lines.blocking_send(splitter.push(&chunk[..length])).is_err() {
                    return;
                }
            }
        }
    }
    let _ = lines.blocking_send(splitter.finish());
}

fn write_stdout(server: &Server, mut answers: mpsc::Receiver<String>) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let mut buffer = Vec::new();
    while let Some(first) = answers.blocking_recv() {
        fill(server, &mut buffer, &first, || answers.try_recv().ok());
        stdout.write_all(&buffer)?;
        stdout.flush()?;
    }
    Ok(())
}

/// One line of input.
#[derive(Debug, PartialEq)]
enum Line {
    Text(Vec<u8>),
    TooLong,
}

/// Cuts bytes into lines, however they are chunked; blank lines vanish, overlong ones leave a mark.
struct LineSplitter {
    line: Vec<u8>,
    limit: usize,
    skipping: bool,
}

impl LineSplitter {
    fn new(limit: usize) -> Self {
        Self { line: Vec::new(), limit, skipping: false }
    }

    fn push(&mut self, mut bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.extend(&bytes[..end], &mut lines);
            bytes = &bytes[end + 1..];
            self.skipping = false;
            self.take(&mut lines);
        }
        self.extend(bytes, &mut lines);
        lines
    }

    /// The end of the input: what stands there without a line end is a line too.
    fn finish(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        self.take(&mut lines);
        lines
    }

    fn extend(&mut self, bytes: &[u8], lines: &mut Vec<Line>) {
        if self.skipping {
            return;
        }
        if self.line.len() + bytes.len() > self.limit {
            self.skipping = true;
            self.line = Vec::new();
            lines.push(Line::TooLong);
            return;
        }
        self.line.extend_from_slice(bytes);
    }

    fn take(&mut self, lines: &mut Vec<Line>) {
        if !self.line.trim_ascii().is_empty() {
            lines.push(Line::Text(std::mem::take(&mut self.line)));
        }
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, LineSplitter};

    fn text(text: &str) -> Line {
        Line::Text(text.as_bytes().to_vec())
    }

    #[test]
    fn chunks_do_not_matter() {
        let input = b"one\n\n  \r\ntwo\r\nthree";
        for size in 1..input.len() {
            let mut splitter = LineSplitter::new(100);
            let mut lines: Vec<Line> = input.chunks(size).flat_map(|chunk| splitter.push(chunk)).collect();
            lines.extend(splitter.finish());
            assert_eq!(lines, [text("one"), text("two\r"), text("three")], "{size}");
        }
    }

    #[test]
    fn an_overlong_line_is_reported_once_and_skipped() {
        for size in 1..12 {
            let mut splitter = LineSplitter::new(4);
            let lines: Vec<Line> =
                b"123456789\nabcd\n".chunks(size).flat_map(|chunk| splitter.push(chunk)).collect();
            assert_eq!(lines, [Line::TooLong, text("abcd")], "{size}");
        }
    }
}
