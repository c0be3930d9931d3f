//! The server's part over Streamable HTTP, as far as the recording tells of it: sessions, the GET stream, statuses.

use super::part::{Bare, Head, Part};
use super::player::{Heard, Place, Player, opens_session};
use super::stdio::LONGEST;
use crate::protocol::Message;
use crate::wire::{Payload, is_loopback};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use url::Url;

const SESSION: &str = "mcp-session-id";
/// How many sessions there are at once; a further one ends the oldest.
const SESSIONS: usize = 256;
/// How many connections are served at once; further ones wait.
const CONNECTIONS: usize = 256;
/// How many messages wait for one who reads slowly, or for a GET stream that is not open; further ones are lost.
const WAITING: usize = 1024;
/// How long the body of a request may take to come.
const READING: Duration = Duration::from_secs(30);
/// How often it is looked whether a client has kept the server waiting for too long.
const TICK: Duration = Duration::from_millis(50);

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// All that is served at one address.
pub struct Stage {
    part: Arc<Part>,
    patience: Duration,
    local_only: bool,
    path: String,
    seats: Mutex<Seats>,
}

#[derive(Default)]
struct Seats {
    /// By session id; the empty one is of those who have no session.
    by_session: HashMap<String, Seat>,
    /// Sessions, oldest first.
    order: VecDeque<String>,
    next_stream: u64,
}

/// One client, as far as clients can be told apart.
struct Seat {
    player: Player,
    streams: HashMap<u64, mpsc::Sender<String>>,
    /// The stream of a GET.
    general: Option<mpsc::Sender<String>>,
    /// What waits for such a stream.
    backlog: VecDeque<String>,
}

impl Seat {
    /// Delivers what does not answer the request at hand, and returns what does.
    fn deliver(&mut self, heard: Heard, own: Option<u64>) -> Vec<String> {
        let mut ours = Vec::new();
        for line in heard.lines {
            match line.to {
                Place::Stream(stream) if Some(stream) == own => ours.push(line.text),
                Place::Stream(stream) => {
                    if let Some(sender) = self.streams.get(&stream) {
                        // Whoever does not read loses it.
                        let _ = sender.try_send(line.text);
                    }
                }
                Place::All => self.tell_all(line.text),
            }
        }
        for stream in heard.closed {
            self.streams.remove(&stream);
        }
        ours
    }

    fn tell_all(&mut self, text: String) {
        let text = match &self.general {
            Some(general) => match general.try_send(text) {
                Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => return,
                Err(mpsc::error::TrySendError::Closed(text)) => text,
            },
            None => text,
        };
        if self.backlog.len() < WAITING {
            self.backlog.push_back(text);
        }
    }
}

impl Stage {
    /// Sets the stage; `patience` is how long an answer of a client is waited for. With `local_only`, clients have to call
    /// by a local name.
    pub fn new(part: Arc<Part>, patience: Duration, local_only: bool) -> Self {
        let path = part.over_http().path.clone().unwrap_or_else(|| "/mcp".to_owned());
        Self { part, patience, local_only, path, seats: Mutex::default() }
    }

    /// The path of the endpoint.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        // A panic while it was held leaves at worst a message unsent.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seat(&self) -> Seat {
        let mut player = Player::new(Arc::clone(&self.part), self.patience);
        let opening = player.open();
        let mut seat = Seat { player, streams: HashMap::new(), general: None, backlog: VecDeque::new() };
        seat.deliver(opening, None);
        seat
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        if self.local_only && !is_local(request.headers()) {
            return plain(StatusCode::FORBIDDEN, "only clients that call by a local name are served");
        }
        if request.uri().path() != self.path {
            return plain(StatusCode::NOT_FOUND, "the endpoint of the recording is elsewhere");
        }
        match *request.method() {
            Method::POST => self.post(request).await,
            Method::GET => self.listen(request.headers()),
            Method::DELETE => self.delete(request.headers()),
            _ => plain(StatusCode::METHOD_NOT_ALLOWED, "POST, GET or DELETE"),
        }
    }

    async fn post(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let Ok(Ok(body)) = tokio::time::timeout(READING, Limited::new(body, LONGEST).collect()).await else {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long, or did not come in time");
        };
        let payload = Payload::read(body.to_bytes());
        let message = payload.message();
        let opens = message.is_some_and(opens_session);
        let mut session = match self.session(&head.headers, opens || message.is_none_or(is_modern)) {
            Ok(session) => session,
            Err(refusal) => return *refusal,
        };
        let mut seats = self.seats();
        let number = seats.next_stream;
        seats.next_stream += 1;
        let minted = opens && self.part.over_http().session;
        if opens {
            // Whoever begins anew hears all of it again.
            session = if minted { seats.mint() } else { String::new() };
            seats.by_session.insert(session.clone(), self.seat());
        }
        let Some(seat) = seats.get(&session, || self.seat()) else { return no_session() };
        let heard = seat.player.hear(&payload, number, Instant::now());
        let (recorded, over) = (heard.head, heard.closed.contains(&number));
        let lines = seat.deliver(heard, Some(number));
        let mut response = if over {
            whole(recorded, lines)
        } else {
            let (sender, receiver) = mpsc::channel(WAITING);
            seat.streams.insert(number, sender);
            let guard = Guard { stage: Arc::clone(&self), session: session.clone(), stream: Some(number) };
            streamed(lines, receiver, guard)
        };
        drop(seats);
        if minted && let Ok(value) = HeaderValue::from_str(&session) {
            response.headers_mut().insert(SESSION, value);
        }
        response
    }

    /// To which session a request belongs.
    fn session(&self, headers: &HeaderMap, free: bool) -> Result<String, Box<Response<Body>>> {
        if !self.part.over_http().session {
            return Ok(String::new());
        }
        match headers.get(SESSION).map(|id| id.to_str().unwrap_or_default()) {
            Some(id) if !id.is_empty() && self.seats().by_session.contains_key(id) => Ok(id.to_owned()),
            Some(_) => Err(Box::new(no_session())),
            None if free => Ok(String::new()),
            None => Err(Box::new(plain(StatusCode::BAD_REQUEST, "Mcp-Session-Id is missing"))),
        }
    }

    /// Opens the stream on which the server speaks by itself.
    fn listen(self: Arc<Self>, headers: &HeaderMap) -> Response<Body> {
        let http = self.part.over_http();
        match &http.get {
            Some(recorded) if recorded.status != 200 => return bare(recorded),
            None if http.recorded => {
                return plain(StatusCode::METHOD_NOT_ALLOWED, "the recording has no stream");
            }
            _ => {}
        }
        let session = match self.session(headers, false) {
            Ok(session) => session,
            Err(refusal) => return *refusal,
        };
        let (sender, receiver) = mpsc::channel(WAITING);
        let mut seats = self.seats();
        let Some(seat) = seats.get(&session, || self.seat()) else { return no_session() };
        seat.general = Some(sender);
        let lines = seat.backlog.drain(..).collect();
        drop(seats);
        streamed(lines, receiver, Guard { stage: Arc::clone(&self), session, stream: None })
    }

    fn delete(&self, headers: &HeaderMap) -> Response<Body> {
        let session = match self.session(headers, false) {
            Ok(session) => session,
            Err(refusal) => return *refusal,
        };
        let response = match (&self.part.over_http().delete, session.as_str()) {
            (Some(recorded), _) => bare(recorded),
            (None, "") => plain(StatusCode::METHOD_NOT_ALLOWED, "there are no sessions"),
            (None, _) => empty(StatusCode::OK),
        };
        if response.status().is_success() {
            let mut seats = self.seats();
            seats.by_session.remove(&session);
            seats.order.retain(|known| *known != session);
        }
        response
    }

    /// Goes on where clients have kept the server waiting for too long.
    fn tick(&self) {
        for seat in self.seats().by_session.values_mut() {
            if seat.player.due().is_some_and(|due| due <= Instant::now()) {
                let heard = seat.player.overdue(Instant::now());
                seat.deliver(heard, None);
            }
        }
    }
}

impl Seats {
    /// The seat of a session, or the one of all who have none, which is always there.
    fn get(&mut self, session: &str, new: impl FnOnce() -> Seat) -> Option<&mut Seat> {
        if session.is_empty() {
            return Some(self.by_session.entry(String::new()).or_insert_with(new));
        }
        self.by_session.get_mut(session)
    }

    /// A new session id; the oldest session ends where there are too many.
    fn mint(&mut self) -> String {
        let mut bytes = [0_u8; 16];
        if getrandom::fill(&mut bytes).is_err() {
            // Nothing depends on its being secret: a mock lets anybody in.
            bytes[..8].copy_from_slice(&self.next_stream.to_be_bytes());
        }
        let id = format!("{:032x}", u128::from_be_bytes(bytes));
        if self.order.len() >= SESSIONS
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_session.remove(&oldest);
        }
        self.order.push_back(id.clone());
        id
    }
}

/// Tells the player that a stream is closed.
struct Guard {
    stage: Arc<Stage>,
    session: String,
    /// `None` for the stream of a GET.
    stream: Option<u64>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let (Some(seat), Some(stream)) =
            (self.stage.seats().by_session.get_mut(&self.session), self.stream)
        {
            seat.streams.remove(&stream);
            seat.player.forget(stream);
        }
    }
}

/// Whether a message names its revision itself, and so has no session.
fn is_modern(message: &Message) -> bool {
    message.parts().iter().any(|part| part.meta("io.modelcontextprotocol/protocolVersion").is_some())
}

/// Whether a client calls this machine by a local name, and no page of elsewhere does: through any other, a page in a
/// browser could reach it.
fn is_local(headers: &HeaderMap) -> bool {
    let local = |url: &str| Url::parse(url).is_ok_and(|url| is_loopback(&url));
    let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
    text(header::HOST).is_none_or(|host| local(&format!("http://{host}/")))
        && text(header::ORIGIN).is_none_or(local)
}

/// A response that is complete: in JSON, or as an event stream where several messages came or one was recorded.
fn whole(recorded: Option<Head>, lines: Vec<String>) -> Response<Body> {
    let status = recorded.and_then(|head| StatusCode::from_u16(head.status).ok());
    match lines.as_slice() {
        [] => empty(status.filter(|status| *status != StatusCode::OK).unwrap_or(StatusCode::ACCEPTED)),
        [_] if !recorded.is_some_and(|head| head.stream) => {
            let body = lines.into_iter().next().unwrap_or_default();
            respond(
                status.unwrap_or(StatusCode::OK),
                "application/json",
                Full::new(Bytes::from(body)).boxed_unsync(),
            )
        }
        _ => {
            let events: String = lines.iter().map(|line| event(line)).collect();
            respond(StatusCode::OK, "text/event-stream", Full::new(Bytes::from(events)).boxed_unsync())
        }
    }
}

/// A response that goes on.
fn streamed(lines: Vec<String>, receiver: mpsc::Receiver<String>, guard: Guard) -> Response<Body> {
    let first: VecDeque<String> = lines.into();
    let frames = stream::unfold((first, receiver, guard), |(mut first, mut receiver, guard)| async move {
        let line = match first.pop_front() {
            Some(line) => line,
            None => receiver.recv().await?,
        };
        let frame = Frame::data(Bytes::from(event(&line)));
        Some((Ok(frame), (first, receiver, guard)))
    });
    respond(StatusCode::OK, "text/event-stream", StreamBody::new(frames).boxed_unsync())
}

fn event(text: &str) -> String {
    format!("event: message\ndata: {text}\n\n")
}

fn respond(status: StatusCode, media: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A response that was recorded to what carries no message.
fn bare(recorded: &Bare) -> Response<Body> {
    let status = StatusCode::from_u16(recorded.status).unwrap_or(StatusCode::METHOD_NOT_ALLOWED);
    match recorded.text.clone() {
        Some(text) => respond(status, "application/json", Full::new(Bytes::from(text)).boxed_unsync()),
        None => empty(status),
    }
}

fn no_session() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "there is no such session")
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Full::default().boxed_unsync());
    *response.status_mut() = status;
    response
}

fn plain(status: StatusCode, why: &str) -> Response<Body> {
    respond(status, "text/plain; charset=utf-8", Full::new(Bytes::from(format!("{why}\n"))).boxed_unsync())
}

/// Serves until it is told to end.
pub async fn serve_http(stage: Arc<Stage>, listener: TcpListener, until: impl Future<Output = ()>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    let mut until = std::pin::pin!(until);
    let mut ticks = tokio::time::interval(TICK);
    loop {
        let accepted = tokio::select! {
            () = &mut until => break,
            _ = ticks.tick() => {
                stage.tick();
                while connections.try_join_next().is_some() {}
                continue;
            }
            accepted = accept(&listener, &permits) => accepted,
        };
        let Some((stream, permit)) = accepted else { continue };
        let stage = Arc::clone(&stage);
        connections.spawn(async move {
            let service = service_fn(|request| {
                let stage = Arc::clone(&stage);
                async move { Ok::<_, Infallible>(stage.answer(request).await) }
            });
            // A client that breaks off, or speaks no HTTP, ends its connection and nothing else.
            let _ = Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(30))
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(permit);
        });
    }
    connections.shutdown().await;
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Without it a small piece can wait for the acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
            Some((stream, permit))
        }
        Err(_) => {
            // Too many are open: some will close.
            tokio::time::sleep(Duration::from_millis(20)).await;
            None
        }
    }
}
