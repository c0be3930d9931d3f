//! One client on one shared channel: what STDIO and HTTP+SSE have in common.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::context::Sink;
use crate::faults::Arrived;
use crate::legacy::{Exchange, Serving, Session, take_in};
use crate::memory::Answered;
use crate::message::{Message, Payload, Request, Unreadable, read};
use crate::modern::{self, Closing, MirrorHeaders};
use crate::pace::{Pace, pause};
use crate::server::{Running, lock};
use crate::transport::queue::Outgoing;

/// How long requests in progress may go on after the client has closed its side.
const GRACE: Duration = Duration::from_secs(1);

/// A client whose messages and answers share one channel.
pub(crate) struct Connection {
    pub session: Arc<Session>,
    out: Outgoing,
    stateless_allowed: bool,
    tasks: Mutex<JoinSet<()>>,
    /// Requests that may be in progress at once.
    most_requests: u32,
    room: Arc<Semaphore>,
    closing: watch::Sender<bool>,
    _running: Running,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.session.end();
    }
}

/// How far a message has been served.
pub(crate) enum Step {
    /// There is nothing more to do or to say.
    Done,
    /// A broken response or notification, which is not answered; what is wrong with it.
    Unusable(String),
    /// This is the answer.
    Answer(Answered),
    /// The answer takes its time; it is that to so many requests.
    Waits(Serving, u32),
    /// The same, and nothing is read before it is given.
    First(Serving),
    /// A fault: nothing is read after this.
    Hangs,
}

impl Step {
    /// Polls work a single time. Work that is not ready is polled again by the task it moves to, so nobody has to be
    /// woken now.
    fn poll(mut work: Serving) -> Self {
        match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(answer)) => Self::Answer(answer),
            Poll::Ready(None) => Self::Done,
            Poll::Pending => Self::Waits(work, 1),
        }
    }
}

/// STDIO has no headers.
pub(crate) enum NoHeaders {}

impl MirrorHeaders for NoHeaders {
    fn values<'a>(&'a self, _: &str) -> impl Iterator<Item = &'a [u8]> {
        std::iter::empty()
    }
}

impl Connection {
    /// `stateless_allowed`: whether requests of the modern era are served here too.
    pub(crate) fn new(session: Arc<Session>, out: Outgoing, stateless_allowed: bool) -> Self {
        let most_requests = session.server.config().max_requests_in_flight.saturating_add(16);
        let most_requests = u32::try_from(most_requests.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        Self {
            _running: session.server.run(),
            session,
            out,
            stateless_allowed,
            tasks: Mutex::default(),
            most_requests,
            room: Arc::new(Semaphore::new(most_requests as usize)),
            closing: watch::Sender::new(false),
        }
    }

    /// Takes in the text of one message and serves it as far as that goes without waiting.
    pub(crate) fn begin(&self, text: &[u8]) -> Result<Step, Unreadable> {
        let sink = Sink::Queue(self.out.clone());
        let text = match self.session.server.arrived(text) {
            Arrived::Text(text) => text,
            Arrived::Dropped => return Ok(Step::Done),
            Arrived::Hangs => return Ok(Step::Hangs),
        };
        let payload = match read(&text) {
            Err(unreadable) if unreadable.is_notification => {
                return Ok(Step::Unusable(unreadable.response(self.session.error_revision())));
            }
            read => read?,
        };
        let is_handshake =
            matches!(&payload, Payload::Single(Message::Request(request)) if request.method == "initialize");
        let requests = match &payload {
            Payload::Single(_) => 1,
            Payload::Batch(elements) => u32::try_from(elements.len()).unwrap_or(u32::MAX),
        };
        let step = match payload {
            Payload::Single(Message::Request(request)) if self.is_stateless(&request) => {
                self.begin_stateless(request, sink)
            }
            payload => match take_in(&self.session, payload, sink) {
                Exchange::Accepted => Step::Done,
                Exchange::Refused(error) => Step::Answer(Answered::short(error)),
                Exchange::Unusable(error) => Step::Unusable(error),
                Exchange::Serving(work) => Step::poll(work),
            },
        };
        Ok(match step {
            // Whatever holds it back, the answer to `initialize` keeps its place.
            Step::Waits(work, _) if is_handshake => Step::First(work),
            Step::Waits(work, _) => Step::Waits(work, requests.min(self.most_requests)),
            step => step,
        })
    }

    /// What is said to a text that is no message.
    pub(crate) fn refuse(&self, error: String) -> Step {
        let server = self.session.server.clone();
        Step::poll(Box::pin(async move {
            pause(&server, &error).await;
            Some(Answered::short(error))
        }))
    }

    /// Sends a message; a client that is gone will not miss it.
    pub(crate) async fn send(&self, message: String) {
        self.out.send(message).await;
    }

    /// Sends a message without waiting; where there is no room, it is lost.
    pub(crate) fn send_now(&self, message: String) {
        self.out.send_now(message);
    }

    /// Decided per request: a process serves both eras side by side.
    fn is_stateless(&self, request: &Request) -> bool {
        let modern_method = matches!(request.method.as_str(), "server/discover" | "subscriptions/listen");
        self.stateless_allowed
            && (!self.session.server.serves_legacy()
                || modern::is_stateless(&request.params)
                || (modern_method && self.session.revision().is_none()))
    }

    fn begin_stateless(&self, request: Request, sink: Sink) -> Step {
        let server = &self.session.server;
        let refused = |request, error| {
            server.denies(&self.session.principal, request);
            Step::Answer(modern::refused(server, request, error).answered)
        };
        let admitted = match modern::admit::<NoHeaders>(server, None, &request) {
            Ok((revision, mut meta)) => {
                meta.principal = self.session.principal.clone();
                (revision, meta)
            }
            Err(error) => return refused(&request, error),
        };
        let in_flight = &self.session.in_flight;
        // What is held back is in progress too.
        let ticket = if modern::may_stream(&request.method) || server.pace().is_some() {
            in_flight.enter(&request.id).map(Some)
        } else {
            in_flight.refuse_double(&request.id).map(|()| None)
        };
        let ticket = match ticket {
            Ok(ticket) => ticket,
            Err(error) => return refused(&request, error),
        };
        let closing = Closing { signal: self.closing.subscribe(), is_shared: true };
        let answer = modern::answer(server.clone(), admitted, request, sink, closing);
        Step::poll(Box::pin(async move {
            let answer = match ticket {
                Some(ticket) => ticket.run(answer).await,
                None => Some(answer.await),
            };
            answer.map(|answer| answer.answered)
        }))
    }

    /// Does what is left to do, and waits where the client or the number of requests in progress demand it.
    pub(crate) async fn proceed(&self, step: Step) {
        match step {
            Step::Done | Step::Unusable(_) => {}
            Step::Answer(answer) => self.out.answer(answer).await,
            Step::Waits(work, requests) => {
                if let Ok(permit) = Arc::clone(&self.room).acquire_many_owned(requests).await {
                    self.go_on(work, permit);
                }
            }
            Step::First(work) => {
                if let Some(answer) = work.await {
                    self.out.answer(answer).await;
                }
            }
            Step::Hangs => std::future::pending().await,
        }
    }

    /// The same for whoever must not wait: hands back what cannot be done at once.
    pub(crate) fn proceed_at_once(&self, step: Step) -> Option<Step> {
        match step {
            Step::Done | Step::Unusable(_) => None,
            Step::Answer(answer) => self.out.try_answer(answer).err().map(Step::Answer),
            Step::Waits(work, requests) => match Arc::clone(&self.room).try_acquire_many_owned(requests) {
                Ok(permit) => {
                    self.go_on(work, permit);
                    None
                }
                Err(_) => Some(Step::Waits(work, requests)),
            },
            Step::First(_) | Step::Hangs => Some(step),
        }
    }

    /// Lets work that waits go on beside the rest.
    fn go_on(&self, work: Serving, permit: OwnedSemaphorePermit) {
        let out = self.out.clone();
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            if let Some(answer) = work.await {
                out.answer(answer).await;
            }
            drop(permit);
        });
    }

    /// Lets requests in progress end for a short while, and answers that are held back be given, then drops them.
    pub(crate) async fn finish(&self) {
        let grace = GRACE + self.session.server.pace().map_or(Duration::ZERO, Pace::longest);
        let _ = self.closing.send(true);
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        let _ = tokio::time::timeout(grace, async { while tasks.join_next().await.is_some() {} }).await;
    }
}

/// Polls a future a single time.
pub(crate) async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context))).await
}
