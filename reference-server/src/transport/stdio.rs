//! STDIO: one message per line on standard input and output.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::auth::Principal;
use crate::changes::Listener;
use crate::faults::Duty;
use crate::legacy::Session;
use crate::message::{PARSE_ERROR, RpcError, error_response};
use crate::server::Server;
use crate::transport::connection::{Connection, Step};
use crate::transport::lines::{Line, LineSplitter, append_line, pieces};
use crate::transport::queue::{Outgoing, queue};
use crate::transport::stdout::Stdout;

/// Bytes read at a time.
const CHUNK: usize = 64 << 10;
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
    let (outgoing, queue) = queue(&server);
    let stdout = Stdout::new(server.clone(), queue)?;
    let stays = !server.keeps(Duty::ExitAtEndOfInput);
    #[cfg(unix)]
    let _deaf = deaf(&server)?;
    let unasked = server.faults().map(|faults| faults.speak_unasked(&outgoing));
    let connection = Arc::new(open(server, &outgoing));
    // Before anything is read, so that no change is missed.
    let changes = connection.session.changes();
    let (read, input_ended) = oneshot::channel();
    let (written, all_written) = oneshot::channel();
    // A read of standard input cannot be cancelled, so it has a thread that is left behind.
    let runtime = Handle::current();
    std::thread::Builder::new().name("stdin".to_owned()).spawn({
        let (connection, stdout) = (Arc::clone(&connection), stdout.clone());
        move || {
            read_stdin(&connection, &stdout, &runtime);
            drop(connection);
            let _ = read.send(());
        }
    })?;
    let runtime = Handle::current();
    std::thread::Builder::new().name("stdout".to_owned()).spawn(move || {
        let _ = written.send(runtime.block_on(stdout.write()));
    })?;
    tokio::select! {
        _ = input_ended => {}
        never = tell_changes(&connection, changes) => never,
        () = outgoing.closed() => {}
    }
    connection.finish().await;
    if stays {
        std::future::pending::<()>().await;
    }
    drop((connection, outgoing, unasked));
    match tokio::time::timeout(LAST_WRITE, all_written).await {
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
    let (outgoing, mut queue) = queue(&server);
    let connection = open(server.clone(), &outgoing);
    let changes = connection.session.changes();
    let serving = async move {
        let reading = async {
            let mut splitter = LineSplitter::new(connection.session.server.config().max_line_bytes);
            let mut chunk = vec![0; CHUNK];
            while let Ok(length @ 1..) = reader.read(&mut chunk).await {
                let mut rest = &chunk[..length];
                while let Some(line) = splitter.next(&mut rest) {
                    connection.proceed(begin(&connection, &line)).await;
                }
            }
            if let Some(line) = splitter.finish() {
                connection.proceed(begin(&connection, &line)).await;
            }
        };
        tokio::select! {
            () = reading => {}
            never = tell_changes(&connection, changes) => never,
            () = outgoing.closed() => {}
        }
        connection.finish().await;
    };
    let writing = async move {
        let mut buffer = Vec::new();
        while let Some(first) = queue.recv().await {
            buffer.clear();
            buffer.shrink_to(WRITE);
            let mut next = Some(first);
            while let Some(message) = next {
                append_line(&server, &mut buffer, &message.text);
                next = if buffer.len() < WRITE { queue.try_recv() } else { None };
            }
            for piece in pieces(&server, &buffer) {
                writer.write_all(piece).await?;
                writer.flush().await?;
            }
        }
        writer.shutdown().await
    };
    forgive_closed(tokio::join!(serving, writing).1)
}

/// Keeps SIGTERM from ending the process, for a fault.
#[cfg(unix)]
fn deaf(server: &Server) -> std::io::Result<Option<tokio::signal::unix::Signal>> {
    use tokio::signal::unix::{SignalKind, signal};
    if server.keeps(Duty::EndOnSigterm) { Ok(None) } else { signal(SignalKind::terminate()).map(Some) }
}

fn forgive_closed(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn open(server: Server, outgoing: &Outgoing) -> Connection {
    let stateless = server.serves_modern();
    Connection::new(Session::new(server, Principal::LocalUser), outgoing.clone(), stateless)
}

/// Tells the client about changes for as long as there may be any.
async fn tell_changes(connection: &Connection, mut changes: Listener) -> ! {
    loop {
        for message in connection.session.notifications_for(&changes.next().await) {
            connection.send(message).await;
        }
    }
}

/// Takes in one line.
fn begin(connection: &Connection, line: &Line<'_>) -> Step {
    let revision = connection.session.error_revision();
    match line {
        Line::Text(text) => connection
            .begin(text)
            .unwrap_or_else(|unreadable| connection.refuse(unreadable.response(revision))),
        Line::TooLong => {
            let error = RpcError::new(PARSE_ERROR, "Parse error: the line is too long");
            connection.refuse(error_response(None, &error, revision))
        }
    }
}

/// Reads messages until the end of the input. What needs no waiting is answered by this thread, with one write for all
/// answers to what was read at once.
fn read_stdin(connection: &Connection, stdout: &Stdout, runtime: &Handle) {
    // For timers and for tasks that go on beside the reading.
    let _entered = runtime.enter();
    let mut stdin = std::io::stdin().lock();
    let mut splitter = LineSplitter::new(connection.session.server.config().max_line_bytes);
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = match stdin.read(&mut chunk) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => break,
            Ok(length) => length,
        };
        let mut rest = &chunk[..length];
        let mut turn = stdout.try_turn();
        while let Some(line) = splitter.next(&mut rest) {
            let step = begin(connection, &line);
            if let (Some(ours), Step::Answer(answer)) = (&mut turn, &step) {
                if !ours.answer(&answer.text) {
                    turn = None;
                }
                continue;
            }
            if let Some(step) = connection.proceed_at_once(step) {
                // Whoever waits must not keep others from writing.
                turn = None;
                runtime.block_on(connection.proceed(step));
            }
        }
        if !connection.session.server.keeps(Duty::LinesJoined)
            && let Some(piece) = splitter.finish()
        {
            let step = begin(connection, &piece);
            splitter = LineSplitter::new(connection.session.server.config().max_line_bytes);
            turn = None;
            runtime.block_on(connection.proceed(step));
        }
    }
    if let Some(line) = splitter.finish() {
        runtime.block_on(connection.proceed(begin(connection, &line)));
    }
}
