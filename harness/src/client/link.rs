//! The connection under a conversation: a process's pipes, or HTTP exchanges against a URL.

use super::outgoing::Outgoing;
use super::reply::Gone;
use crate::protocol::{Era, Revision, Transport};
use crate::transcript::Recorder;
use crate::wire::{
    Channel, CommandLine, HttpClient, HttpConfig, Limits, Observer, Payload, Process, Request, RequestBody,
    ResponseLimits, StartError,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use url::Url;

/// Where a server is to be reached.
#[derive(Debug, Clone)]
pub enum Binding {
    /// A process of our own.
    Stdio(CommandLine),
    /// A Streamable HTTP endpoint.
    Http(Url),
    /// The stream endpoint of HTTP+SSE.
    HttpSse(Url),
}

impl Binding {
    /// The transport.
    pub fn transport(&self) -> Transport {
        match self {
            Self::Stdio(_) => Transport::Stdio,
            Self::Http(_) => Transport::Http,
            Self::HttpSse(_) => Transport::HttpSse,
        }
    }
}

/// How long a conversation waits.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For the first answer of a process.
    pub startup: Duration,
    /// For the answer to a request.
    pub request: Duration,
    /// For what must not come: after a response, a cancellation, a notification.
    pub grace: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            startup: Duration::from_secs(60),
            request: Duration::from_secs(10),
            grace: Duration::from_millis(500),
        }
    }
}

/// Why no conversation could be opened.
#[derive(thiserror::Error)]
pub enum OpenError {
    /// The process could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The HTTP client could not be set up.
    #[error("cannot speak HTTP to the target: {0}")]
    Http(String),
    /// The HTTP+SSE stream did not name an endpoint.
    #[error("the stream at {url} did not name an endpoint for messages: {why}")]
    NoEndpoint {
        /// The URL of the stream.
        url: String,
        /// What came instead.
        why: String,
        /// What was seen of it.
        recorder: Arc<Recorder>,
    },
}

impl std::fmt::Debug for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenError({self})")
    }
}

pub(super) enum Link {
    Stdio { process: Process },
    Http(Box<HttpLink>),
}

pub(super) struct HttpLink {
    client: Arc<HttpClient>,
    /// Where messages are posted.
    pub(super) url: Url,
    /// Sent with every request: what the user asked for.
    pub(super) headers: Vec<(String, String)>,
    pub(super) session: Option<String>,
    /// The version header of the legacy era, once negotiated.
    pub(super) version: Option<Revision>,
    /// Over HTTP+SSE: the stream that carries every answer.
    pub(super) stream: Option<Channel>,
    next_channel: u32,
    exchanges: HashMap<Channel, JoinHandle<()>>,
}

impl Link {
    pub(super) fn stdio(
        command: &CommandLine,
        limits: &Limits,
        recorder: &Arc<Recorder>,
    ) -> Result<Self, OpenError> {
        let observer: Arc<dyn Observer> = Arc::<Recorder>::clone(recorder);
        Ok(Self::Stdio { process: Process::start(command, limits, observer)? })
    }

    pub(super) fn http(
        url: Url,
        headers: Vec<(String, String)>,
        config: HttpConfig,
        limits: &Limits,
        recorder: &Arc<Recorder>,
    ) -> Result<Self, OpenError> {
        let observer: Arc<dyn Observer> = Arc::<Recorder>::clone(recorder);
        let client = HttpClient::new(config, limits.clone(), observer)
            .map_err(|error| OpenError::Http(error.to_string()))?;
        Ok(Self::Http(Box::new(HttpLink {
            client: Arc::new(client),
            url,
            headers,
            session: None,
            version: None,
            stream: None,
            next_channel: 1,
            exchanges: HashMap::new(),
        })))
    }

    /// Sends a message; over HTTP in an exchange of its own, whose channel is returned.
    pub(super) async fn send(
        &mut self,
        outgoing: &Outgoing,
        era: Option<Era>,
        limits: ResponseLimits,
    ) -> Result<Channel, Gone> {
        match self {
            Self::Stdio { process } => {
                let deliberate = outgoing.deliberate.clone();
                let written = if outgoing.pieces.is_empty() {
                    process.write(Payload::read(outgoing.body.clone()), deliberate).await
                } else {
                    process.write_raw(outgoing.pieces.clone(), deliberate).await
                };
                // A failed write is an event too, which whoever waits for the answer will see.
                let _ = written;
                Ok(Channel::PROCESS)
            }
            Self::Http(link) => Ok(link.post(outgoing, era, limits)),
        }
    }
}

impl HttpLink {
    fn post(&mut self, outgoing: &Outgoing, era: Option<Era>, limits: ResponseLimits) -> Channel {
        let method = outgoing.http.method.as_deref().unwrap_or("POST");
        let mut headers = vec![
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("Accept".to_owned(), "application/json, text/event-stream".to_owned()),
        ];
        if let Some(session) = &self.session {
            headers.push(("Mcp-Session-Id".to_owned(), session.clone()));
        }
        if era == Some(Era::Modern) {
            headers.extend(modern_headers(outgoing));
        } else if let Some(version) = self.version.filter(|version| *version >= Revision::V2025_06_18) {
            headers.push(("MCP-Protocol-Version".to_owned(), version.to_string()));
        }
        let whole = || vec![(outgoing.body.clone(), Duration::ZERO)];
        let body = match (outgoing.http.chunked, outgoing.pieces.is_empty()) {
            (false, true) => RequestBody::Bytes(outgoing.body.clone()),
            (false, false) => RequestBody::Pieces(outgoing.pieces.clone()),
            (true, true) => RequestBody::Chunked(whole()),
            (true, false) => RequestBody::Chunked(outgoing.pieces.clone()),
        };
        let url = self.url.clone();
        self.exchange(method, url, headers, outgoing, body, limits)
    }

    /// A GET of the event stream, a DELETE of the session, or any other request without a body.
    pub(super) fn bare(
        &mut self,
        method: &str,
        url: Url,
        headers: Vec<(String, String)>,
        outgoing: &Outgoing,
        limits: ResponseLimits,
    ) -> Channel {
        self.exchange(method, url, headers, outgoing, RequestBody::None, limits)
    }

    /// The headers of a GET or DELETE within the session.
    pub(super) fn session_headers(&self, accept: &str) -> Vec<(String, String)> {
        let mut headers = vec![("Accept".to_owned(), accept.to_owned())];
        if let Some(session) = &self.session {
            headers.push(("Mcp-Session-Id".to_owned(), session.clone()));
        }
        if let Some(version) = self.version.filter(|version| *version >= Revision::V2025_06_18) {
            headers.push(("MCP-Protocol-Version".to_owned(), version.to_string()));
        }
        headers
    }

    fn exchange(
        &mut self,
        method: &str,
        url: Url,
        mut headers: Vec<(String, String)>,
        outgoing: &Outgoing,
        body: RequestBody,
        limits: ResponseLimits,
    ) -> Channel {
        headers.extend(self.headers.iter().cloned());
        let edits = &outgoing.http;
        let mut request = Request::new(method, url, body);
        request.headers.extend(headers.into_iter().map(|(name, value)| (name, value.into_bytes())));
        for gone in &edits.remove {
            request = request.without_header(gone);
        }
        request
            .headers
            .extend(edits.add.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())));
        request.deliberate.clone_from(&outgoing.deliberate);
        request.fresh_connection = edits.fresh_connection;
        request.response = limits;
        let channel = Channel(self.next_channel);
        self.next_channel += 1;
        let client = Arc::clone(&self.client);
        self.exchanges.retain(|_, task| !task.is_finished());
        self.exchanges.insert(
            channel,
            tokio::spawn(async move {
                client.exchange(channel, request).await;
            }),
        );
        channel
    }

    /// Closes the response of an exchange, which in the modern era cancels its request.
    pub(super) async fn abort(&mut self, channel: Channel) {
        if let Some(task) = self.exchanges.remove(&channel) {
            task.abort();
            let _ = task.await;
        }
    }

    /// Closes everything that is open.
    pub(super) async fn abort_all(&mut self) {
        for (_, task) in self.exchanges.drain() {
            task.abort();
            let _ = task.await;
        }
    }
}

fn modern_headers(outgoing: &Outgoing) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    let mut add = |name: String, value: &str| headers.push((name, super::headers::encode(value)));
    if let Some(version) = &outgoing.version {
        add("MCP-Protocol-Version".to_owned(), version);
    }
    if let Some(method) = &outgoing.method {
        add("Mcp-Method".to_owned(), method);
    }
    if let Some(name) = &outgoing.name {
        add("Mcp-Name".to_owned(), name);
    }
    headers
        .extend(outgoing.mirrored.iter().map(|(name, value)| (format!("Mcp-Param-{name}"), value.clone())));
    headers
}

impl Drop for HttpLink {
    fn drop(&mut self) {
        self.exchanges.values().for_each(JoinHandle::abort);
    }
}
