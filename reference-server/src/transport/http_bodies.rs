//! Reading the bodies of requests: however many clients send theirs slowly, others are read.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::{HeaderMap, StatusCode};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::message::{PARSE_ERROR, RpcError};
use crate::server::{Server, lock};
use crate::transport::connection::poll_once;
use crate::transport::http_reply::{Reply, empty, error};

/// Bodies that are being waited for at once, each of which may be as large as is allowed. For a further one the slowest
/// gives way.
const BODIES: usize = 64;
/// Up to so many bytes of a body are read whoever else sends bodies.
const SHORT: usize = 16 << 10;
/// A body is not called slow before.
const FIRST_JUDGED: Duration = Duration::from_millis(250);

/// The long bodies that are being waited for.
#[derive(Default)]
pub(crate) struct Bodies {
    table: Mutex<Table>,
    left: Notify,
}

#[derive(Default)]
struct Table {
    next: u64,
    bodies: HashMap<u64, Arc<Progress>>,
}

/// How far a body has come.
struct Progress {
    began: Instant,
    bytes: AtomicUsize,
    gives_way: Notify,
}

/// Why a body was not read.
enum Failure {
    TooLong,
    Incomplete,
    TooSlow,
}

impl Bodies {
    /// Reads the body of a POST within the limits.
    pub(crate) async fn read(
        &self,
        server: &Server,
        headers: &HeaderMap,
        mut body: Incoming,
    ) -> Result<Bytes, Reply> {
        let limit = server.config().max_body_bytes;
        let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !media.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
            return Err(empty(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let length = announced.and_then(|length| length.parse::<usize>().ok());
        if length.is_some_and(|length| length > limit) {
            return Err(empty(StatusCode::PAYLOAD_TOO_LARGE));
        }
        let mut text = Text::default();
        // A short body has come with its head; it needs no timer.
        let read = match text.add_what_is_there(&mut body, limit).await {
            Ok(true) => Ok(()),
            Err(failure) => Err(failure),
            Ok(false) => {
                let rest = self.read_rest(&mut body, &mut text, limit);
                let rest = tokio::time::timeout(server.config().read_timeout, rest).await;
                rest.unwrap_or(Err(Failure::TooSlow))
            }
        };
        match read {
            Ok(()) => Ok(text.finish()),
            Err(Failure::TooLong) => Err(empty(StatusCode::PAYLOAD_TOO_LARGE)),
            Err(Failure::TooSlow) => Err(empty(StatusCode::REQUEST_TIMEOUT)),
            Err(Failure::Incomplete) => {
                let failure = RpcError::new(PARSE_ERROR, "Parse error: the body is incomplete");
                Err(error(400, None, &failure, server.newest()))
            }
        }
    }

    async fn read_rest(&self, body: &mut Incoming, text: &mut Text, limit: usize) -> Result<(), Failure> {
        let mut place = None;
        loop {
            if place.is_none() && text.length() > SHORT {
                place = Some(self.enter().await);
            }
            let frame = match &place {
                None => body.frame().await,
                Some(Place { progress, .. }) => {
                    progress.bytes.store(text.length(), Ordering::Relaxed);
                    tokio::select! {
                        frame = body.frame() => frame,
                        () = progress.gives_way.notified() => return Err(Failure::TooSlow),
                    }
                }
            };
            if !text.add(frame, limit)? || text.add_what_is_there(body, limit).await? {
                return Ok(());
            }
        }
    }

    /// A place among the bodies that are waited for, once there is one.
    async fn enter(&self) -> Place<'_> {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if let Some(place) = self.try_enter() {
                return place;
            }
            // All have only begun; soon it can be told which is slow.
            let _ = tokio::time::timeout(FIRST_JUDGED, left).await;
        }
    }

    fn try_enter(&self) -> Option<Place<'_>> {
        let mut table = lock(&self.table);
        if table.bodies.len() >= BODIES {
            let now = Instant::now();
            let judged = table.bodies.iter().filter(|(_, body)| now - body.began >= FIRST_JUDGED);
            let slowest = judged.min_by(|(_, one), (_, other)| one.rate(now).total_cmp(&other.rate(now)));
            let slowest = slowest.map(|(number, _)| *number)?;
            table.bodies.remove(&slowest)?.gives_way.notify_one();
        }
        table.next += 1;
        let number = table.next;
        let (began, bytes) = (Instant::now(), AtomicUsize::new(0));
        let progress = Arc::new(Progress { began, bytes, gives_way: Notify::new() });
        table.bodies.insert(number, Arc::clone(&progress));
        Some(Place { bodies: self, number, progress })
    }
}

impl Progress {
    /// Bytes in a second.
    fn rate(&self, now: Instant) -> f64 {
        self.bytes.load(Ordering::Relaxed) as f64 / (now - self.began).as_secs_f64()
    }
}

/// The place of one body.
struct Place<'a> {
    bodies: &'a Bodies,
    number: u64,
    progress: Arc<Progress>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(&self.bodies.table).bodies.remove(&self.number);
        self.bodies.left.notify_waiters();
    }
}

/// A body as far as it was read; one that came in one piece is not copied.
#[derive(Default)]
struct Text {
    /// The only piece; empty when there are several.
    only: Bytes,
    pieces: BytesMut,
}

type Frame = Option<Result<hyper::body::Frame<Bytes>, hyper::Error>>;

impl Text {
    fn length(&self) -> usize {
        self.only.len() + self.pieces.len()
    }

    /// Adds one piece; false at the end.
    fn add(&mut self, frame: Frame, limit: usize) -> Result<bool, Failure> {
        let Some(frame) = frame else { return Ok(false) };
        let Ok(piece) = frame.map_err(|_| Failure::Incomplete)?.into_data() else { return Ok(true) };
        if self.length() + piece.len() > limit {
            return Err(Failure::TooLong);
        }
        if self.length() == 0 {
            self.only = piece;
        } else {
            let only = std::mem::take(&mut self.only);
            self.pieces.extend_from_slice(&only);
            self.pieces.extend_from_slice(&piece);
        }
        Ok(true)
    }

    /// Adds all pieces that need not be waited for; true if that is all.
    async fn add_what_is_there(&mut self, body: &mut Incoming, limit: usize) -> Result<bool, Failure> {
        while !body.is_end_stream() {
            match poll_once(&mut body.frame()).await {
                Poll::Pending => return Ok(false),
                Poll::Ready(frame) => {
                    if !self.add(frame, limit)? {
                        break;
                    }
                }
            }
        }
        Ok(true)
    }

    fn finish(self) -> Bytes {
        if self.pieces.is_empty() { self.only } else { self.pieces.freeze() }
    }
}
