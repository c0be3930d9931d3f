//! What a twist is, the list of all of them, and the proxy that applies one.

use mcprove_reference_server::{Config, Server, serve_stream};
use serde_json::Value;
use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

/// One way to be wrong.
#[derive(Clone, Copy)]
pub(crate) struct Twist {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    /// Written to standard output before anything else.
    pub(crate) banner: &'static [u8],
    /// What becomes of a line from the client.
    pub(crate) incoming: fn(&mut Seen, &Incoming<'_>) -> Take,
    /// What is written in place of a line from the server, line ends included.
    pub(crate) outgoing: fn(&mut Seen, &Outgoing<'_>) -> Vec<u8>,
    /// What is written at the end, behind everything else.
    pub(crate) last: fn(&Seen) -> Vec<u8>,
    /// Whether it goes on after the end of its input.
    pub(crate) outlives_eof: bool,
    /// Whether it ignores SIGTERM.
    pub(crate) outlives_sigterm: bool,
    /// Whether it takes the end of a read for the end of a message.
    pub(crate) per_read: bool,
}

/// What the filter has seen so far.
#[derive(Default)]
pub(crate) struct Seen {
    /// Methods of requests by the JSON text of their ids.
    pub(crate) methods: HashMap<String, String>,
    /// Lines from the client.
    pub(crate) lines: u32,
    /// Free for the twist.
    pub(crate) count: u32,
    /// Free for the twist.
    pub(crate) kept: Option<Value>,
}

/// A line from the client.
pub(crate) struct Incoming<'a> {
    /// Its bytes, without the line end.
    pub(crate) bytes: &'a [u8],
    /// Its value, if it is JSON.
    pub(crate) value: Option<&'a Value>,
}

impl Incoming<'_> {
    /// The method.
    pub(crate) fn method(&self) -> Option<&str> {
        self.value?.get("method")?.as_str()
    }

    /// The id.
    pub(crate) fn id(&self) -> Option<&Value> {
        self.value?.get("id")
    }
}

/// A line from the server.
pub(crate) struct Outgoing<'a> {
    /// Its value.
    pub(crate) value: &'a Value,
    /// The method of the request that it answers.
    pub(crate) method: Option<&'a str>,
}

/// What becomes of a line from the client.
pub(crate) enum Take {
    /// The server gets it.
    Pass,
    /// The server gets this line instead.
    Instead(String),
    /// Nobody gets it.
    Drop,
    /// Nobody gets it, and this is written to standard output, line ends included.
    Answer(Vec<u8>),
    /// The server gets it, and this is written to standard output first.
    PassAnd(Vec<u8>),
    /// The process ends with this code.
    Die(i32),
}

/// A value as a line.
pub(crate) fn line(value: &Value) -> Vec<u8> {
    format!("{value}\n").into_bytes()
}

/// A twist that does nothing yet.
pub(crate) const fn twist(name: &'static str, about: &'static str) -> Twist {
    Twist {
        name,
        about,
        banner: b"",
        incoming: |_, _| Take::Pass,
        outgoing: |_, out| line(out.value),
        last: |_| Vec::new(),
        outlives_eof: false,
        outlives_sigterm: false,
        per_read: false,
    }
}

impl Twist {
    /// Twists what comes in.
    pub(crate) const fn incoming(mut self, incoming: fn(&mut Seen, &Incoming<'_>) -> Take) -> Self {
        self.incoming = incoming;
        self
    }

    /// Twists what goes out.
    pub(crate) const fn outgoing(mut self, outgoing: fn(&mut Seen, &Outgoing<'_>) -> Vec<u8>) -> Self {
        self.outgoing = outgoing;
        self
    }

    /// Writes something at the end.
    pub(crate) const fn last(mut self, last: fn(&Seen) -> Vec<u8>) -> Self {
        self.last = last;
        self
    }

    /// Begins with a banner.
    pub(crate) const fn banner(mut self, banner: &'static [u8]) -> Self {
        self.banner = banner;
        self
    }

    /// Goes on after the end of its input; after SIGTERM too, if that is said.
    pub(crate) const fn outlives(mut self, sigterm: bool) -> Self {
        self.outlives_eof = true;
        self.outlives_sigterm = sigterm;
        self
    }

    /// Takes the end of a read for the end of a message.
    pub(crate) const fn per_read(mut self) -> Self {
        self.per_read = true;
        self
    }
}

/// All twists, by area.
pub(crate) fn all() -> impl Iterator<Item = &'static Twist> {
    [
        super::asking::TWISTS,
        super::base::TWISTS,
        super::batch::TWISTS,
        super::features::TWISTS,
        super::notices::TWISTS,
        super::robustness::TWISTS,
        super::stdio::TWISTS,
        super::real::TWISTS,
        super::values::TWISTS,
    ]
    .into_iter()
    .flatten()
}

/// Serves with a twist; `None` if there is none of that name.
pub(crate) fn run(name: &str) -> Option<ExitCode> {
    let twist = all().find(|twist| twist.name == name).copied()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(serve(twist));
    runtime.shutdown_background();
    Some(ExitCode::SUCCESS)
}

async fn serve(twist: Twist) {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let (reader, writer) = tokio::io::split(theirs);
    tokio::spawn(serve_stream(
        Server::new(Config { page_size: Some(5), secret: Some([0; 32]), ..Config::default() }),
        reader,
        writer,
    ));
    let (mut from_server, mut to_server) = tokio::io::split(ours);
    let seen = Arc::new(Mutex::new(Seen::default()));
    write(twist.banner);
    let outgoing = tokio::spawn({
        let seen = Arc::clone(&seen);
        async move {
            let mut lines = Lines::default();
            let mut buffer = vec![0; 64 << 10];
            while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
                for text in lines.push(&buffer[..length]) {
                    let Ok(value) = serde_json::from_slice::<Value>(&text) else { continue };
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    let id = value.get("id").map(Value::to_string);
                    let method = id.and_then(|id| seen.methods.get(&id).cloned());
                    let out = Outgoing { value: &value, method: method.as_deref() };
                    write(&(twist.outgoing)(&mut seen, &out));
                }
            }
        }
    });
    let term = twist
        .outlives_sigterm
        .then(|| tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()));
    let mut stdin = BufReader::new(tokio::io::stdin());
    let mut bytes = Vec::new();
    while let Ok(1..) = read(&mut stdin, twist.per_read, &mut bytes).await {
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes).to_vec();
        bytes.clear();
        let value = serde_json::from_slice::<Value>(&text).ok();
        let take = {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.lines += 1;
            let incoming = Incoming { bytes: &text, value: value.as_ref() };
            if let (Some(method), Some(id)) = (incoming.method(), incoming.id()) {
                seen.methods.insert(id.to_string(), method.to_owned());
            }
            (twist.incoming)(&mut seen, &incoming)
        };
        let mut forward = match take {
            Take::Pass => text,
            Take::Instead(other) => other.into_bytes(),
            Take::Drop => continue,
            Take::Answer(answer) => {
                write(&answer);
                continue;
            }
            Take::PassAnd(first) => {
                write(&first);
                text
            }
            Take::Die(code) => std::process::exit(code),
        };
        forward.push(b'\n');
        if to_server.write_all(&forward).await.is_err() {
            break;
        }
    }
    if twist.outlives_eof {
        std::future::pending::<()>().await;
    }
    drop(term);
    let _ = to_server.shutdown().await;
    let _ = outgoing.await;
    write(&(twist.last)(&seen.lock().unwrap_or_else(PoisonError::into_inner)));
}

async fn read(
    stdin: &mut BufReader<tokio::io::Stdin>,
    per_read: bool,
    bytes: &mut Vec<u8>,
) -> std::io::Result<usize> {
    if !per_read {
        return stdin.read_until(b'\n', bytes).await;
    }
    let available = stdin.fill_buf().await?;
    // Whole lines are told apart, so that messages sent one after the other are not the point.
    let end = available.iter().position(|byte| *byte == b'\n').map_or(available.len(), |at| at + 1);
    bytes.extend_from_slice(&available[..end]);
    stdin.consume(end);
    Ok(end)
}

/// Writes to standard output at once.
pub(super) fn write(bytes: &[u8]) {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(bytes).and_then(|()| stdout.flush());
}

/// Cuts bytes into lines.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.0.extend_from_slice(bytes);
        let mut lines = Vec::new();
        while let Some(end) = self.0.iter().position(|byte| *byte == b'\n') {
            let rest = self.0.split_off(end + 1);
            let mut whole = std::mem::replace(&mut self.0, rest);
            whole.pop();
            lines.push(whole);
        }
        lines
    }
}
