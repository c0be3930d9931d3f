//! Records an HTTP server: a reverse proxy that streams requests and responses as they come, and keeps what crosses.

use super::listen_in::ListenIn;
use super::stdio::Recorded;
use super::tape::{Seen, Tap, Tape};
use crate::protocol::Transport;
use crate::transcript::{About, Redactor};
use crate::wire::{Channel, Connector, End, Event, Headers, HttpConfig, HttpError, Stream};
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{Builder as ClientBuilder, SendRequest};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1::Builder as ServerBuilder;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use url::Url;

/// How long a connection to the server may take to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// What concerns one connection only (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [&str; 7] =
    ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

/// Why there is no proxy.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The server's address cannot be used.
    #[error("`{url}` is no address of an HTTP server: {reason}")]
    Upstream {
        /// As given.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// There is nothing to listen at.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// As given.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// TLS cannot be had.
    #[error(transparent)]
    Tls(#[from] HttpError),
    /// The system does not let us.
    #[error("cannot record: {0}")]
    Io(#[from] io::Error),
}

/// A proxy in front of one server.
pub struct Proxy {
    listener: TcpListener,
    address: SocketAddr,
    route: Arc<Route>,
}

/// Where requests go.
struct Route {
    upstream: Url,
    authority: HeaderValue,
    connector: Connector,
    /// Whether the server is asked for bodies without compression.
    identity: bool,
    /// Whether only clients that call this machine by a local name are served.
    local_only: bool,
    exchanges: AtomicU32,
}

impl Proxy {
    /// Listens in front of the server that has this URL. With `identity` it is asked to compress nothing.
    ///
    /// # Errors
    /// When the URL or the address cannot be used.
    pub async fn bind(
        address: SocketAddr,
        upstream: &str,
        config: &HttpConfig,
        identity: bool,
    ) -> Result<Self, ProxyError> {
        let refuse = |reason: String| ProxyError::Upstream { url: upstream.to_owned(), reason };
        let url = Url::parse(upstream).map_err(|error| refuse(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("it is neither http nor https".to_owned()));
        }
        let host = url.host_str().ok_or_else(|| refuse("it names no host".to_owned()))?;
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let authority = HeaderValue::from_str(&authority).map_err(|error| refuse(error.to_string()))?;
        let connector = Connector::new(config)?;
        let listen = |source| ProxyError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let local_only = address.ip().is_loopback();
        let exchanges = AtomicU32::new(0);
        let route = Route { upstream: url, authority, connector, identity, local_only, exchanges };
        Ok(Self { listener, address, route: Arc::new(route) })
    }

    /// What clients call instead of the server's URL.
    pub fn url(&self) -> String {
        let mut url = self.route.upstream.clone();
        // Both fit: an address is always a host, and http has a port.
        let _ = url.set_scheme("http");
        let _ = url.set_ip_host(self.address.ip());
        let _ = url.set_port(Some(self.address.port()));
        let _ = (url.set_username(""), url.set_password(None));
        url.to_string()
    }

    /// Serves and records until it is told to end. `name` is how the server is named in the file, without secrets.
    ///
    /// # Errors
    /// When the system has no thread for it; never because of the recording.
    pub async fn record(
        self,
        name: &str,
        file: &Path,
        redactor: Redactor,
        until: impl Future<Output = ()>,
    ) -> Result<Recorded, ProxyError> {
        let legacy = self.route.upstream.path().trim_end_matches('/').ends_with("/sse");
        let about = About {
            revision: None,
            transport: if legacy { Transport::HttpSse } else { Transport::Http },
            purpose: "recorded".to_owned(),
            target: name.to_owned(),
        };
        let (listener, audience) = ListenIn::start(&about)?;
        let tape = Tape::start(file.to_owned(), about, redactor, audience)?;
        if let Some(tap) = tape.tap() {
            let mut connections = JoinSet::new();
            let mut until = std::pin::pin!(until);
            loop {
                let accepted = tokio::select! {
                    accepted = self.listener.accept() => accepted,
                    () = &mut until => break,
                };
                while connections.try_join_next().is_some() {}
                let Ok((stream, _)) = accepted else {
                    // Too many are open: some will close.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                // Without it a small piece can wait for the acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                connections.spawn(serve(stream, Arc::clone(&self.route), tap.clone()));
            }
            connections.shutdown().await;
            let mut tap = tap;
            tap.see(Seen::Over);
        }
        let finish = tokio::task::spawn_blocking(move || {
            let progress = tape.finish();
            (progress, listener.finish())
        });
        let (progress, overheard) = finish.await.map_err(io::Error::other)?;
        Ok(Recorded::new(file, progress, overheard))
    }
}

type Upstream = SendRequest<Tapped>;

/// One connection of a client, with one of its own to the server.
async fn serve(stream: tokio::net::TcpStream, route: Arc<Route>, tap: Tap) {
    let upstream = Arc::new(Mutex::new(None::<Upstream>));
    let service = service_fn(|request| {
        let (route, tap, upstream) = (Arc::clone(&route), tap.clone(), Arc::clone(&upstream));
        async move { Ok::<_, Infallible>(forward(request, &route, &tap, &upstream).await) }
    });
    // A client that breaks off, or speaks no HTTP, ends its connection and nothing else.
    let mut builder = ServerBuilder::new();
    // Headers are those of the server, and no others.
    builder.preserve_header_case(true).auto_date_header(false);
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

async fn forward(
    request: Request<Incoming>,
    route: &Route,
    tap: &Tap,
    upstream: &Mutex<Option<Upstream>>,
) -> Response<Answer> {
    if route.local_only && !names_us(&request) {
        return refused(StatusCode::FORBIDDEN, "this proxy serves only clients that call it by a local name");
    }
    if request.method() == hyper::Method::CONNECT || request.headers().contains_key(header::UPGRADE) {
        return refused(StatusCode::NOT_IMPLEMENTED, "the recording proxy of mcprove passes no upgrades on");
    }
    let channel = Channel(route.exchanges.fetch_add(1, Ordering::Relaxed) + 1);
    let mut tap = tap.on(channel);
    let (mut head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let mut url = route.upstream.clone();
    let (path, query) =
        target.split_once('?').map_or((target.as_str(), None), |(path, query)| (path, Some(query)));
    url.set_path(path);
    url.set_query(query);
    url.set_fragment(None);
    tap.see(Seen::Event(Event::RequestHead {
        method: head.method.to_string(),
        url: url.to_string(),
        headers: told(&head.headers),
        deliberate: None,
    }));
    strip(&mut head.headers);
    head.headers.insert(header::HOST, route.authority.clone());
    if route.identity {
        head.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    // What was written as the target is written again.
    if let Ok(target) = target.parse::<Uri>() {
        head.uri = target;
    }
    head.version = hyper::Version::HTTP_11;
    let body = Tapped { inner: Some(body), tap: tap.clone(), side: Side::Request, over: false };
    match send(Request::from_parts(head, body), route, upstream).await {
        Ok(response) => {
            let (mut head, body) = response.into_parts();
            tap.see(Seen::ResponseHead { status: head.status.as_u16(), headers: told(&head.headers) });
            strip(&mut head.headers);
            head.version = hyper::Version::HTTP_11;
            let body = Tapped { inner: Some(body), tap, side: Side::Response, over: false };
            Response::from_parts(head, Answer::Passed(body))
        }
        Err(reason) => {
            tap.see(Seen::Event(Event::ConnectFailed(reason.clone())));
            refused(StatusCode::BAD_GATEWAY, &format!("the server cannot be reached: {reason}"))
        }
    }
}

/// Sends a request on the connection that is there, or on a new one.
async fn send(
    mut request: Request<Tapped>,
    route: &Route,
    upstream: &Mutex<Option<Upstream>>,
) -> Result<Response<Incoming>, String> {
    let mut kept = upstream.lock().await;
    for _ in 0..2 {
        let mut sender = match kept.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => connect(route).await?,
        };
        if sender.ready().await.is_err() {
            continue;
        }
        match sender.try_send_request(request).await {
            Ok(response) => {
                *kept = Some(sender);
                return Ok(response);
            }
            Err(mut error) => match error.take_message() {
                // It was closed before anything was sent.
                Some(unsent) => request = unsent,
                None => return Err(error.into_error().to_string()),
            },
        }
    }
    Err("the server closes every connection at once".to_owned())
}

async fn connect(route: &Route) -> Result<Upstream, String> {
    let stream: Box<dyn Stream> = route.connector.connect_to(&route.upstream, CONNECT).await?;
    let (sender, connection) = ClientBuilder::new()
        .preserve_header_case(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    // It ends with the sender, or when the server closes it: what was under way is told there.
    tokio::spawn(connection);
    Ok(sender)
}

/// Whether a client calls this machine by a local name. Through any other, a page in a browser could reach a server that
/// would refuse it.
fn names_us(request: &Request<Incoming>) -> bool {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.or_else(|| request.uri().authority().map(hyper::http::uri::Authority::as_str))
    else {
        return true;
    };
    Url::parse(&format!("http://{host}/")).is_ok_and(|url| crate::wire::is_loopback(&url))
}

/// Takes out what concerns one connection only.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn told(headers: &HeaderMap) -> Headers {
    let text = |value: &HeaderValue| value.as_bytes().iter().map(|&byte| char::from(byte)).collect();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

fn refused(status: StatusCode, why: &str) -> Response<Answer> {
    let mut response = Response::new(Answer::Ours(Some(Bytes::from(format!("{why}\n")))));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Response,
}

/// A body on its way, looked at as it passes.
struct Tapped {
    inner: Option<Incoming>,
    tap: Tap,
    side: Side,
    over: bool,
}

impl Tapped {
    fn end(&mut self, end: End) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        match self.side {
            Side::Request => self.tap.see(Seen::RequestBody { bytes: Bytes::new(), last: true }),
            Side::Response => self.tap.see(Seen::ResponseOver(end)),
        }
    }
}

impl Body for Tapped {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        let polled = Pin::new(&mut *inner).poll_frame(context);
        let last = inner.is_end_stream();
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(bytes) = frame.data_ref() {
                    let bytes = bytes.clone();
                    this.tap.see(match this.side {
                        Side::Request => Seen::RequestBody { bytes, last: false },
                        Side::Response => Seen::ResponseBody(bytes),
                    });
                }
                // Before its last bytes go on: what they lead to comes after it.
                if last {
                    this.end(End::Complete);
                }
            }
            Poll::Ready(Some(Err(error))) => this.end(End::Broken(error.to_string())),
            Poll::Ready(None) => this.end(End::Complete),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Tapped {
    fn drop(&mut self) {
        let end = if self.is_end_stream() { End::Complete } else { End::ClosedByUs };
        self.end(end);
    }
}

/// What the client gets: what the server sent, or a word of ours.
enum Answer {
    Passed(Tapped),
    Ours(Option<Bytes>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Passed(body) => Pin::new(body).poll_frame(context),
            Self::Ours(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Passed(body) => body.is_end_stream(),
            Self::Ours(text) => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Passed(body) => body.size_hint(),
            Self::Ours(text) => SizeHint::with_exact(text.as_ref().map_or(0, Bytes::len) as u64),
        }
    }
}
