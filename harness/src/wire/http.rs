//! An HTTP/1.1 client that hides nothing: it sends what it is told, and tells what comes back.
//!
//! It follows no redirect, uses no proxy, keeps no cookie, asks for no compression and unpacks none.

use super::event::{Channel, End, Event, Limits, Observer};
use super::http_connect::{Connector, Origin};
use super::http_exchange::{Connection, Exchange, Outcome, after};
use super::http_request::Request;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A request and the end of the kept connection that it goes out on may cross within this time.
const CROSSING: Duration = Duration::from_millis(250);

/// How connections are made and kept.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// A PEM file with certificates that are trusted beside the usual ones.
    pub ca_certificates: Option<PathBuf>,
    /// How many idle connections are kept for each origin.
    pub idle_connections: usize,
    /// How long an idle connection is kept. Servers close theirs after some seconds; a kept connection that the
    /// server is about to close is of no use.
    pub idle_for: Duration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { ca_certificates: None, idle_connections: 32, idle_for: Duration::from_secs(2) }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The certificates cannot be used.
    #[error("certificates in `{path}` cannot be used: {reason}", path = .path.display())]
    CaCertificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// Built without TLS.
    #[error("this build has no TLS; build mcprove with its cargo feature `tls`")]
    NoTls,
}

/// A client. Clones share their connections.
#[derive(Clone)]
pub struct HttpClient {
    shared: Arc<Shared>,
}

struct Shared {
    connector: Connector,
    config: HttpConfig,
    limits: Limits,
    observer: Arc<dyn Observer>,
    idle: Mutex<HashMap<Origin, Vec<Idle>>>,
}

struct Idle {
    connection: Connection,
    until: Instant,
    /// A connection works only in the runtime that made it.
    runtime: tokio::runtime::Id,
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

impl HttpClient {
    /// A client without connections.
    ///
    /// # Errors
    /// When the certificates cannot be read.
    pub fn new(config: HttpConfig, limits: Limits, observer: Arc<dyn Observer>) -> Result<Self, HttpError> {
        let connector = Connector::new(&config)?;
        let idle = Mutex::default();
        Ok(Self { shared: Arc::new(Shared { connector, config, limits, observer, idle }) })
    }

    /// Sends a request and reads its response to the end. Everything is told on `channel`, in this order:
    /// [`Event::RequestHead`]; [`Event::Sent`] if there is a body; then [`Event::ConnectFailed`] and nothing more, or
    /// [`Event::ResponseHead`] if one came, [`Event::Received`] and [`Event::SseOther`], and last
    /// [`Event::ResponseEnded`], which is also returned. In between may stand [`Event::WriteFailed`],
    /// [`Event::Flooded`] and [`Event::Note`].
    ///
    /// Dropping the future closes the connection, which is told as [`End::ClosedByUs`].
    pub async fn exchange(&self, channel: Channel, request: Request) -> End {
        let shared = &self.shared;
        let mut guard = Guard { observer: &*shared.observer, channel, armed: true };
        shared.observer.observe(
            channel,
            Event::RequestHead {
                method: request.method.clone(),
                url: request.url.to_string(),
                headers: request.headers_as_text(),
                deliberate: request.deliberate.clone(),
            },
        );
        if let Some(payload) = request.sent() {
            let deliberate = request.deliberate.clone();
            shared.observer.observe(channel, Event::Sent { payload, deliberate });
        }
        let end = shared.run(channel, &request).await;
        guard.armed = false;
        match end {
            Ok(end) => {
                shared.observer.observe(channel, Event::ResponseEnded(end.clone()));
                end
            }
            Err(reason) => {
                shared.observer.observe(channel, Event::ConnectFailed(reason.clone()));
                End::Broken(reason)
            }
        }
    }

    /// Closes all idle connections.
    pub fn close_idle(&self) {
        self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Shared {
    /// The end of the response, or why there is no connection.
    async fn run(&self, channel: Channel, request: &Request) -> Result<End, String> {
        let origin = Origin::of(&request.url)?;
        let mut kept =
            if request.fresh_connection || request.raw.is_some() { None } else { self.take(&origin) };
        let deadline = after(request.response.total);
        loop {
            let reused = kept.is_some();
            let connection = if let Some(connection) = kept.take() {
                connection
            } else {
                let left = deadline.saturating_duration_since(Instant::now());
                Connection::new(self.connector.connect(&origin, self.limits.connect.min(left)).await?)
            };
            let connection = (connection, reused);
            let exchange =
                Exchange::new(connection, channel, request, &self.limits, &*self.observer, deadline);
            let began = Instant::now();
            match exchange.run().await {
                // One that was closed later than that was closed with the request in it.
                Outcome::Stale { .. } if reused && began.elapsed() < CROSSING => {
                    let text = "the server had closed the kept connection; the request was sent on a new one";
                    self.observer.observe(channel, Event::Note(text.to_owned()));
                }
                Outcome::Stale { write_failed } => {
                    if let Some(reason) = write_failed {
                        self.observer.observe(channel, Event::WriteFailed(reason));
                    }
                    return Ok(End::Broken("closed without a response".to_owned()));
                }
                Outcome::Ended { end, keep } => {
                    if let Some((connection, limit)) = keep {
                        self.keep(origin, connection, limit);
                    }
                    return Ok(end);
                }
            }
        }
    }

    /// An idle connection that is still open.
    fn take(&self, origin: &Origin) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = idle.get_mut(origin)?;
        let (now, runtime) = (Instant::now(), tokio::runtime::Handle::current().id());
        connections.retain(|idle| idle.until > now);
        while let Some(place) = connections.iter().rposition(|idle| idle.runtime == runtime) {
            let mut candidate = connections.remove(place).connection;
            if candidate.is_quiet() {
                return Some(candidate);
            }
        }
        None
    }

    fn keep(&self, origin: Origin, connection: Connection, limit: Option<Duration>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = idle.entry(origin).or_default();
        let now = Instant::now();
        connections.retain(|idle| idle.until > now);
        if connections.len() < self.config.idle_connections {
            let until = now + self.config.idle_for.min(limit.unwrap_or(Duration::MAX));
            connections.push(Idle { connection, until, runtime: tokio::runtime::Handle::current().id() });
        }
    }
}

/// Tells that the harness closed the connection, unless it is disarmed.
struct Guard<'a> {
    observer: &'a dyn Observer,
    channel: Channel,
    armed: bool,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.observer.observe(self.channel, Event::ResponseEnded(End::ClosedByUs));
        }
    }
}
