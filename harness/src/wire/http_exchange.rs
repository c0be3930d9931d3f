//! One request and its response on one connection.

use super::event::{Channel, End, Event, Flow, Headers, Limits, Observer, header};
use super::http_body::{Framing, values};
use super::http_connect::Stream;
use super::http_reader::{BodyEnd, BodyReader};
use super::http_request::{Request, latin1};
use bytes::{Buf as _, Bytes, BytesMut};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, timeout_at};

/// The longest head of a response, in bytes.
const HEAD: usize = 64 << 10;
/// The most header fields of a response.
const FIELDS: usize = 100;
/// The most interim responses before the final one.
const INTERIM: usize = 16;
/// The room for one read.
const READ: usize = 32 << 10;

/// A connection and what was read from it and not yet used.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    buffer: BytesMut,
    scratch: Box<[u8]>,
}

/// How an exchange went.
pub(super) enum Outcome {
    /// The connection closed before any byte of a response; and what came of writing, where it was not told yet.
    Stale { write_failed: Option<String> },
    /// The response is over; the connection may be kept, for as long as the server says.
    Ended { end: End, keep: Option<(Connection, Option<Duration>)> },
}

impl Connection {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, buffer: BytesMut::new(), scratch: vec![0; READ].into() }
    }

    /// Whether it is open and nothing came on it unasked.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.poll_read(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut scratch = ReadBuf::new(&mut self.scratch);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut scratch))?;
        self.buffer.extend_from_slice(scratch.filled());
        Poll::Ready(Ok(scratch.filled().len()))
    }
}

/// What is still to be written.
struct Outgoing {
    queue: VecDeque<(Bytes, Duration)>,
    pause: Option<Pin<Box<Sleep>>>,
    stalled: Option<Pin<Box<Sleep>>>,
    limit: Duration,
    flushed: bool,
    failed: bool,
    /// Why it failed, as long as that is not told.
    untold: Option<String>,
}

impl Outgoing {
    /// Writes what can be written now.
    fn poll(&mut self, stream: &mut dyn Stream, context: &mut Context<'_>) -> Poll<Result<(), String>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            let written = match self.queue.front() {
                Some((piece, pause)) if piece.is_empty() => {
                    self.pause = (!pause.is_zero()).then(|| Box::pin(sleep(*pause)));
                    self.queue.pop_front();
                    continue;
                }
                Some((piece, _)) => Pin::new(&mut *stream).poll_write(context, piece),
                None => Pin::new(&mut *stream).poll_flush(context).map_ok(|()| 0),
            };
            match written {
                Poll::Ready(Ok(count)) => {
                    self.stalled = None;
                    match self.queue.front_mut() {
                        None => {
                            self.flushed = true;
                            return Poll::Ready(Ok(()));
                        }
                        Some(_) if count == 0 => {
                            return Poll::Ready(Err("the connection is closed".to_owned()));
                        }
                        Some((piece, _)) => piece.advance(count),
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.to_string())),
                Poll::Pending => {
                    let limit = self.limit;
                    ready!(self.stalled.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(context));
                    return Poll::Ready(Err(format!("the server took nothing for {limit:?}")));
                }
            }
        }
    }
}

/// The head of a response.
struct Head {
    status: u16,
    version: u8,
    headers: Headers,
}

/// Why an exchange ends before its response does.
enum Stop {
    Stale,
    /// More came than is kept.
    Flooded,
    End(End),
}

/// One request and its response.
pub(super) struct Exchange<'a> {
    connection: Connection,
    channel: Channel,
    request: &'a Request,
    limits: &'a Limits,
    observer: &'a dyn Observer,
    outgoing: Outgoing,
    /// Bytes of the response so far.
    bytes: u64,
    /// Whether the connection was used before: then it may be closed by now, which is nobody's fault.
    reused: bool,
    /// When the time for everything is over.
    deadline: Instant,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(
        (connection, reused): (Connection, bool),
        channel: Channel,
        request: &'a Request,
        limits: &'a Limits,
        observer: &'a dyn Observer,
        deadline: Instant,
    ) -> Self {
        let outgoing = Outgoing {
            queue: request.compose(),
            pause: None,
            stalled: None,
            limit: limits.write,
            flushed: false,
            failed: false,
            untold: None,
        };
        Self { connection, channel, request, limits, observer, outgoing, bytes: 0, reused, deadline }
    }

    fn observe(&self, event: Event) -> Flow {
        self.observer.observe(self.channel, event)
    }

    fn note(&self, text: String) {
        self.observe(Event::Note(text));
    }

    pub(super) async fn run(mut self) -> Outcome {
        let (end, keep) = match self.response().await {
            Ok(keep) => (End::Complete, keep),
            Err(Stop::End(end)) => (end, None),
            Err(Stop::Flooded) => {
                self.observe(Event::Flooded { bytes: self.bytes });
                (End::ClosedByUs, None)
            }
            Err(Stop::Stale) => return Outcome::Stale { write_failed: self.outgoing.untold },
        };
        Outcome::Ended { end, keep: keep.map(|limit| (self.connection, limit)) }
    }

    /// Reads the response; whether, and for how long, the connection may be kept.
    async fn response(&mut self) -> Result<Option<Option<Duration>>, Stop> {
        let head = self.final_head().await?;
        let method = if self.request.raw.is_some() { "" } else { &self.request.method };
        let framing = Framing::of(method, head.status, &head.headers);
        let Head { status, version, headers } = head;
        let chunked_and_length =
            header(&headers, "transfer-encoding").is_some() && header(&headers, "content-length").is_some();
        let connection = values(&headers, "connection");
        let says = |word: &str| connection.iter().any(|value| value.eq_ignore_ascii_case(word));
        let open = !says("close") && (version > 0 || says("keep-alive"));
        let limit = values(&headers, "keep-alive")
            .iter()
            .find_map(|value| Some(Duration::from_secs(value.strip_prefix("timeout=")?.parse().ok()?)));
        let mut sink = BodyReader::new(&headers, self.limits.message);
        if self.observe(Event::ResponseHead { status, headers }) == Flow::Stop {
            return Err(Stop::Flooded);
        }
        if status == 101 {
            let text = "the server switched protocols without being asked";
            return Err(Stop::End(End::Malformed(text.to_owned())));
        }
        if chunked_and_length {
            self.note("the response has both Transfer-Encoding and Content-Length".to_owned());
        }
        let mut framing = framing.map_err(|reason| Stop::End(End::Malformed(reason)))?;
        let result = self.body(&mut framing, &mut sink).await;
        let came = match &result {
            Ok(()) => BodyEnd::Complete,
            Err(Stop::Flooded) => BodyEnd::Flooded,
            Err(_) => BodyEnd::Incomplete,
        };
        if sink.finish(came, |event| self.observe(event)) == Flow::Stop {
            return Err(Stop::Flooded);
        }
        result?;
        let left = self.connection.buffer.len();
        if left > 0 {
            self.note(format!("{left} bytes came after the end of the response"));
        }
        let ends_by_itself = framing != Framing::Close && !chunked_and_length && left == 0;
        let clean = self.outgoing.flushed && self.request.raw.is_none() && !self.request.asks_to_close();
        Ok((open && ends_by_itself && clean).then_some(limit))
    }

    async fn final_head(&mut self) -> Result<Head, Stop> {
        let pauses: Duration = self.outgoing.queue.iter().map(|(_, pause)| *pause).sum();
        let deadline = after(self.request.response.head.saturating_add(pauses));
        for _ in 0..INTERIM {
            let head = self.head(deadline).await?;
            match head.status {
                100 | 102..=199 => self.note(format!("interim response {}", head.status)),
                _ => return Ok(head),
            }
        }
        Err(Stop::Flooded)
    }

    async fn head(&mut self, deadline: Instant) -> Result<Head, Stop> {
        let malformed = |reason: String| Stop::End(End::Malformed(reason));
        let mut searched = 0;
        loop {
            let buffer = &mut self.connection.buffer;
            let start = b"HTTP/1.";
            let seen = buffer.len().min(start.len());
            if buffer[..seen] != start[..seen] {
                let shown = buffer[..buffer.len().min(40)].escape_ascii().to_string();
                return Err(malformed(format!("the response does not begin with HTTP/1: `{shown}`")));
            }
            if let Some(end) = head_end(buffer, &mut searched) {
                if end > HEAD {
                    return Err(Stop::Flooded);
                }
                let head = buffer.split_to(end);
                return match parse_head(&head) {
                    Ok(head) => Ok(head),
                    Err(httparse::Error::TooManyHeaders) => {
                        self.note(format!("the response has more than {FIELDS} header fields"));
                        Err(Stop::Flooded)
                    }
                    Err(error) => Err(malformed(format!("{error} in the head of the response"))),
                };
            }
            if buffer.len() > HEAD {
                self.note(format!("the head of the response has more than {} KiB", HEAD >> 10));
                return Err(Stop::Flooded);
            }
            if self.fill(deadline).await? == 0 {
                return Err(if self.bytes == 0 {
                    Stop::Stale
                } else {
                    Stop::End(End::Broken("closed inside the head of the response".to_owned()))
                });
            }
        }
    }

    async fn body(&mut self, framing: &mut Framing, sink: &mut BodyReader) -> Result<(), Stop> {
        loop {
            let (observer, channel) = (self.observer, self.channel);
            let mut flow = Flow::Continue;
            let decoded = framing.decode(&mut self.connection.buffer, |content| {
                if flow == Flow::Continue {
                    flow = sink.push(content, |event| observer.observe(channel, event));
                }
            });
            if flow == Flow::Stop {
                return Err(Stop::Flooded);
            }
            if decoded.map_err(|reason| Stop::End(End::Malformed(reason)))? {
                return Ok(());
            }
            if self.fill(after(self.request.response.idle)).await? == 0 {
                return framing.closed().map_err(|reason| Stop::End(End::Broken(reason)));
            }
        }
    }

    /// Reads more, and meanwhile writes what is still to be written. 0 at the end of the stream.
    async fn fill(&mut self, deadline: Instant) -> Result<usize, Stop> {
        let deadline = deadline.min(self.deadline);
        // A stream that never pauses would never let the timer have its turn.
        if Instant::now() >= deadline {
            return Err(Stop::End(End::TimedOut));
        }
        let Self { connection, outgoing, observer, channel, .. } = self;
        let may_be_stale = self.reused && self.bytes == 0;
        let filling = std::future::poll_fn(|context| {
            if !outgoing.flushed
                && !outgoing.failed
                && let Poll::Ready(Err(reason)) = outgoing.poll(&mut *connection.stream, context)
            {
                outgoing.failed = true;
                outgoing.untold = Some(reason);
            }
            if !may_be_stale && let Some(reason) = outgoing.untold.take() {
                observer.observe(*channel, Event::WriteFailed(reason));
            }
            connection.poll_read(context)
        });
        match timeout_at(deadline, filling).await {
            Err(_) => {
                if let Some(reason) = self.outgoing.untold.take() {
                    self.observe(Event::WriteFailed(reason));
                }
                Err(Stop::End(End::TimedOut))
            }
            Ok(Ok(count)) => {
                self.bytes += count as u64;
                Ok(count)
            }
            Ok(Err(_)) if self.bytes == 0 => Err(Stop::Stale),
            Ok(Err(error)) => Err(Stop::End(End::Broken(error.to_string()))),
        }
    }
}

/// Where the head ends: after its first empty line. `searched` is where the search goes on next time.
fn head_end(buffer: &[u8], searched: &mut usize) -> Option<usize> {
    while let Some(place) = memchr::memchr(b'\n', buffer.get(*searched..)?) {
        let next = *searched + place + 1;
        match buffer.get(next..)? {
            [b'\n', ..] => return Some(next + 1),
            [b'\r', b'\n', ..] => return Some(next + 2),
            // It may become an empty line.
            [] | [b'\r'] => return None,
            _ => *searched = next,
        }
    }
    *searched = buffer.len();
    None
}

fn parse_head(bytes: &[u8]) -> Result<Head, httparse::Error> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    match response.parse(bytes)? {
        httparse::Status::Complete(length) if length == bytes.len() => {}
        _ => return Err(httparse::Error::NewLine),
    }
    let headers = response.headers.iter().map(|field| (field.name.to_owned(), latin1(field.value))).collect();
    let (Some(status), Some(version)) = (response.code, response.version) else {
        return Err(httparse::Error::Status);
    };
    Ok(Head { status, version, headers })
}

/// The moment after so much time; far away if that is no moment any more.
pub(super) fn after(limit: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(limit).unwrap_or_else(|| now + Duration::from_hours(24 * 365))
}
