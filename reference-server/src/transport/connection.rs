//! One client on one shared channel: what STDIO and HTTP+SSE have in common.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::context::Sink;
use crate::legacy::{Exchange, Session, take_in};
use crate::message::{Message, Payload, Request, Unreadable, read};
use crate::modern::{self, MirrorHeaders};
use crate::server::{Serving, lock};

/// How long requests in progress may go on after the client has closed its side.
const GRACE: Duration = Duration::from_secs(1);

/// A client whose messages and answers share one channel.
pub(crate) struct Connection {
    pub session: Arc<Session>,
    out: mpsc::Sender<String>,
    stateless_allowed: bool,
    tasks: Mutex<JoinSet<()>>,
    room: Arc<Semaphore>,
    closing: watch::Sender<bool>,
    _serving: Serving,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.session.end();
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
    pub(crate) fn new(session: Arc<Session>, out: mpsc::Sender<String>, stateless_allowed: bool) -> Self {
        let room =
            Arc::new(Semaphore::new(session.server.config().max_requests_in_flight.saturating_add(16)));
        Self {
            _serving: session.server.serving(),
            session,
            out,
            stateless_allowed,
            tasks: Mutex::default(),
            room,
            closing: watch::Sender::new(false),
        }
    }

    /// Takes in the text of one message. Waits while the client does not read its answers.
    pub(crate) async fn receive(&self, text: &[u8]) -> Result<(), Unreadable> {
        let sink = Sink::Queue(self.out.clone());
        match read(text)? {
            Payload::Single(Message::Request(request)) if self.is_stateless(&request) => {
                self.serve_stateless(request, sink).await;
            }
            payload => match take_in(&self.session, payload, sink) {
                Exchange::Accepted => {}
                Exchange::Refused(error) => self.send(error).await,
                Exchange::Serving(work) => self.serve(work).await,
            },
        }
        Ok(())
    }

    /// Sends a message; a client that is gone will not miss it.
    pub(crate) async fn send(&self, message: String) {
        let _ = self.out.send(message).await;
    }

    /// Decided per request: a process serves both eras side by side.
    fn is_stateless(&self, request: &Request) -> bool {
        let modern_method = matches!(request.method.as_str(), "server/discover" | "subscriptions/listen");
        self.stateless_allowed
            && (!self.session.server.serves_legacy()
                || modern::is_stateless(&request.params)
                || (modern_method && self.session.revision().is_none()))
    }

    async fn serve_stateless(&self, request: Request, sink: Sink) {
        let server = &self.session.server;
        let admitted = match modern::admit::<NoHeaders>(server, None, &request) {
            Ok(admitted) => admitted,
            Err(error) => return self.send(modern::response(&request, Err(error)).text).await,
        };
        let ticket = if modern::may_stream(&request.method) {
            match self.session.in_flight.enter(&request.id) {
                Ok(ticket) => Some(ticket),
                Err(error) => return self.send(modern::response(&request, Err(error)).text).await,
            }
        } else {
            None
        };
        let answer = modern::answer(server.clone(), admitted, request, sink, self.closing.subscribe());
        self.serve(Box::pin(async move {
            let answer = match ticket {
                Some(ticket) => ticket.run(answer).await,
                None => Some(answer.await),
            };
            answer.map(|answer| answer.text)
        }))
        .await;
    }

    /// Runs the work; what ends at once is answered in order, what waits goes on beside the rest.
    async fn serve(&self, mut work: Pin<Box<dyn Future<Output = Option<String>> + Send>>) {
        match poll_once(&mut work).await {
            Poll::Ready(Some(text)) => self.send(text).await,
            Poll::Ready(None) => {}
            Poll::Pending => {
                let Ok(permit) = Arc::clone(&self.room).acquire_owned().await else {
                    return;
                };
                let out = self.out.clone();
                let mut tasks = lock(&self.tasks);
                while tasks.try_join_next().is_some() {}
                tasks.spawn(async move {
                    if let Some(text) = work.await {
                        let _ = out.send(text).await;
                    }
                    drop(permit);
                });
            }
        }
    }

    /// Lets requests in progress end for a short while, then drops them.
    pub(crate) async fn finish(self) {
        let _ = self.closing.send(true);
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        let _ = tokio::time::timeout(GRACE, async { while tasks.join_next().await.is_some() {} }).await;
    }
}

/// Polls a future a single time.
pub(crate) async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context))).await
}
