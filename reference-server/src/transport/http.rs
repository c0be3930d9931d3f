//! The HTTP server: who may call, what is routed where, and how a POST finds its era.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderName, HeaderValue, ORIGIN};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, StatusCode, Uri};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;

#[cfg(feature = "enterprise")]
use crate::auth;
use crate::auth::{Grant, Principal};
use crate::faults::{Arrived, Duty};
use crate::legacy::{Session, answer};
use crate::memory::Answered;
use crate::message::METHOD_NOT_FOUND;
use crate::message::{self, INVALID_REQUEST, Message, Object, Payload, RpcError};
use crate::modern::{self, Closing};
use crate::pace::pause;
use crate::revision::Revision;
use crate::server::Server;
use crate::transport::http_bodies::Bodies;
use crate::transport::http_chaos::disturbed;
use crate::transport::http_connections::{Connections, Place};
use crate::transport::http_legacy_sse::{self, SseClients, accepts_events, prefers_events};
use crate::transport::http_reply::{Reply, ReplyBody, empty, error, json, not_allowed, short_json};
use crate::transport::http_session::{HttpSession, Sessions, Taken};
use crate::transport::queue::queue;
use crate::transport::{connection::poll_once, http_modern};

/// The most bytes of a head; also what is read of a body at a time.
const BUFFER: usize = 64 << 10;
/// How long requests in progress may go on when the server is shut down.
const GRACE: Duration = Duration::from_secs(1);
/// How often idle sessions are looked for.
const SWEEP: Duration = Duration::from_secs(30);

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What all connections of one listener share.
struct Shared {
    server: Server,
    sessions: Sessions,
    clients: Arc<SseClients>,
    closing: watch::Sender<bool>,
    bodies: Bodies,
}

/// Ends every session when the server is dropped.
struct Shutdown(Arc<Shared>);

impl Drop for Shutdown {
    fn drop(&mut self) {
        let _ = self.0.closing.send(true);
        self.0.sessions.close_all();
        self.0.clients.close_all();
    }
}

/// Serves HTTP on `listener`, at `/mcp` and, for 2024-11-05, at `/sse` and `/messages`. Runs until it is dropped, which
/// closes all connections and sessions.
///
/// # Errors
/// [`crate::Config::test_authorization_server`] is set, and the listener is not on a loopback address. Failures of single
/// connections, and of accepting them, are overcome.
pub async fn serve_http(server: Server, listener: TcpListener) -> std::io::Result<()> {
    serve_http_until(server, listener, std::future::pending()).await
}

/// The same until `shutdown` ends, and in order: nobody is let in any more, `subscriptions/listen` ends with its result
/// (2026-07-28, basic/patterns/subscriptions#graceful-closure), and what is in progress has a second to end.
///
/// # Errors
/// As [`serve_http`].
pub async fn serve_http_until(
    server: Server,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> std::io::Result<()> {
    #[cfg(feature = "enterprise")]
    if server.config().test_authorization_server.is_some() {
        auth::refuse_others(&listener)?;
    }
    let connections = Connections::new(server.config().max_connections);
    let shared = Arc::new(Shared {
        sessions: Sessions::new(server.clone()),
        clients: SseClients::new(),
        closing: watch::Sender::new(false),
        bodies: Bodies::default(),
        server,
    });
    let _scarcity = {
        let connections = Arc::downgrade(&connections);
        let cut_off = move || connections.upgrade().is_some_and(|connections| connections.cut_off_unread());
        shared.server.memory().when_scarce(cut_off)
    };
    let _running = shared.server.run();
    let _shutdown = Shutdown(Arc::clone(&shared));
    let mut tasks = JoinSet::new();
    let mut sweep = tokio::time::interval(SWEEP);
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            (stream, place) = connections.accept(&listener) => {
                tasks.spawn(take_in(Arc::clone(&shared), stream, place));
            }
            Some(_) = tasks.join_next() => {}
            _ = sweep.tick() => shared.sessions.sweep(),
        }
    }
    drop(listener);
    let _ = shared.closing.send(true);
    shared.sessions.end_listening();
    connections.close_all();
    let _ = tokio::time::timeout(GRACE, async { while tasks.join_next().await.is_some() {} }).await;
    Ok(())
}

/// Waits for the first byte; until then a connection has neither buffers nor a state.
async fn take_in(shared: Arc<Shared>, stream: TcpStream, place: Place) {
    let mut first = [0];
    let first_byte = tokio::time::timeout(shared.server.config().read_timeout, stream.peek(&mut first));
    let has_begun = tokio::select! {
        () = place.is_needed() => false,
        peeked = first_byte => matches!(peeked, Ok(Ok(1))),
    };
    if has_begun {
        serve_boxed(shared, stream, place).await;
    }
}

/// Apart, so that the large state of a connection at work takes no room in one that is idle.
fn serve_boxed(
    shared: Arc<Shared>,
    stream: TcpStream,
    place: Place,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(serve_connection(shared, stream, place))
}

/// Serves one connection until it ends, or somebody else needs its place while it is idle.
async fn serve_connection(shared: Arc<Shared>, stream: TcpStream, place: Place) {
    let _ = stream.set_nodelay(true);
    // Who does not read what was asked for is not waited for without end.
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(shared.server.config().read_timeout));
    let stream = Box::pin(stream);
    let service = service_fn(|request| {
        let (shared, busy) = (Arc::clone(&shared), place.busy());
        async move {
            let mut reply = handle(shared, request).await?;
            reply.body_mut().keep_busy(busy);
            Ok::<_, Infallible>(reply)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.server.config().read_timeout)
        .max_buf_size(BUFFER)
        // Answers are short: to copy one behind its head costs less than to write two pieces.
        .writev(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = &mut connection => return,
        () = place.is_needed() => {}
    }
    if *shared.closing.borrow() {
        // What is in progress may end; then the connection does.
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            _ = connection => {}
            () = place.is_needed() => {}
        }
    }
}

async fn handle(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Reply, Infallible> {
    if let Some(chaos) = shared.server.chaos() {
        return Ok(disturbed(chaos, route(&shared, request).await));
    }
    let Some(faults) = shared.server.faults() else { return Ok(route(&shared, request).await) };
    let mut request = request;
    let asked = faults.http_asked(&request);
    let mut reply = match faults.http_request(&mut request) {
        Some(reply) => reply,
        None => route(&shared, request).await,
    };
    faults.http_reply(&asked, &mut reply);
    Ok(reply.map(|body| match body {
        ReplyBody::Fed(body) => ReplyBody::Faulty(body.whole(), shared.server.clone()),
        other => other,
    }))
}

async fn route(shared: &Shared, request: Request<Incoming>) -> Reply {
    let server = &shared.server;
    let (parts, body) = request.into_parts();
    if let Err(refusal) = check_caller(server, &parts.uri, &parts.headers) {
        return error(403, None, &refusal, server.newest());
    }
    #[cfg(feature = "enterprise")]
    if auth::is_open(server, parts.uri.path()) {
        return auth::open(server, &parts, body).await;
    }
    let grant = match admit(server, &parts.method, &parts.headers).await {
        Ok(grant) => grant,
        Err(refusal) => return refusal,
    };
    let has_sse = server.serves(Revision::V2024_11_05);
    let legacy = server.serves_legacy();
    match (parts.uri.path(), &parts.method) {
        ("/mcp", &Method::POST) => match shared.bodies.read(server, &parts.headers, body).await {
            Ok(body) => post(shared, &parts.headers, &grant, body).await,
            Err(refusal) => refusal,
        },
        ("/mcp", &Method::GET) if legacy => match find_session(shared, &parts.headers, &grant.principal) {
            Ok(_) if !accepts_events(&parts.headers) => empty(StatusCode::NOT_ACCEPTABLE),
            Ok(session) => {
                let last = parts.headers.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or_default());
                session
                    .get(last, grant.term)
                    .unwrap_or_else(|refusal| error(400, None, &refusal, session.core.error_revision()))
            }
            Err(refusal) => refusal.reply(server),
        },
        ("/mcp", &Method::DELETE) if legacy => match find_session(shared, &parts.headers, &grant.principal) {
            Ok(_) => {
                let id = parts.headers.get(SESSION_ID).and_then(|id| id.to_str().ok());
                let deleted = id.is_some_and(|id| shared.sessions.delete(id));
                empty(if deleted { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })
            }
            Err(refusal) => refusal.reply(server),
        },
        ("/mcp", _) if legacy => not_allowed("GET, POST, DELETE"),
        ("/mcp", _) => not_allowed("POST"),
        ("/sse", &Method::GET) if has_sse => http_legacy_sse::open(server, &shared.clients, &grant),
        ("/sse", _) if has_sse => not_allowed("GET"),
        ("/messages", &Method::POST) if has_sse => {
            match shared.bodies.read(server, &parts.headers, body).await {
                Ok(body) => messages(shared, &parts, &grant, body).await,
                Err(refusal) => refusal,
            }
        }
        ("/messages", _) if has_sse => not_allowed("POST"),
        _ => empty(StatusCode::NOT_FOUND),
    }
}

/// What the sender of a request may do.
#[cfg(feature = "enterprise")]
#[allow(clippy::result_large_err, reason = "a refusal is rare, and goes out as it is")]
async fn admit(server: &Server, method: &Method, headers: &HeaderMap) -> Result<Grant, Reply> {
    auth::admit(server, method, headers).await
}

/// Without authorization, everybody may do everything.
#[cfg(not(feature = "enterprise"))]
#[allow(clippy::result_large_err, reason = "a refusal is rare, and goes out as it is")]
#[expect(clippy::unnecessary_wraps, reason = "with authorization not everybody is let in")]
#[expect(clippy::unused_async, reason = "with authorization there may be something to wait for")]
async fn admit(_: &Server, _: &Method, _: &HeaderMap) -> Result<Grant, Reply> {
    Ok(Grant::everything())
}

/// Whether the sender may do what a body asks for.
#[cfg(feature = "enterprise")]
#[allow(clippy::result_large_err, reason = "a refusal is rare, and goes out as it is")]
fn permit(
    server: &Server,
    grant: &Grant,
    payload: &Payload<'_>,
    session: impl Fn() -> Option<Arc<Session>>,
) -> Result<(), Reply> {
    auth::step_up(server, grant, payload, &|response| session()?.peer.scopes(response))
}

#[cfg(not(feature = "enterprise"))]
#[allow(clippy::result_large_err, reason = "a refusal is rare, and goes out as it is")]
#[expect(clippy::unnecessary_wraps, reason = "with authorization not everything is allowed")]
fn permit(_: &Server, _: &Grant, _: &Payload<'_>, _: impl Fn() -> Option<Arc<Session>>) -> Result<(), Reply> {
    Ok(())
}

/// A message of HTTP+SSE.
async fn messages(shared: &Shared, parts: &Parts, grant: &Grant, body: Bytes) -> Reply {
    if shared.server.is_protected()
        && let Ok(payload) = message::read(&body)
        && let Err(refusal) = permit(&shared.server, grant, &payload, || {
            shared.clients.session(parts.uri.query(), &grant.principal)
        })
    {
        shared.server.denies_all(&grant.principal, &payload);
        return refusal;
    }
    http_legacy_sse::post(&shared.server, &shared.clients, parts.uri.query(), &grant.principal, body).await
}

/// Refuses what a page in a browser may have been tricked into sending: foreign origins, and hosts that are not ours.
fn check_caller(server: &Server, uri: &Uri, headers: &HeaderMap) -> Result<(), RpcError> {
    let refuse = |what: &str| Err(RpcError::invalid_request(format!("Forbidden: {what}")));
    let config = server.config();
    let mut hosts = headers.get_all(HOST).into_iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).and_then(host_name);
    let allowed = |host: &str| {
        is_loopback(host) || config.allowed_hosts.iter().any(|name| name.eq_ignore_ascii_case(host))
    };
    if hosts.next().is_some() || !host.is_some_and(allowed) {
        return refuse("Host names another server");
    }
    if uri.host().is_some_and(|host| !allowed(host)) {
        return refuse("the URI names another server");
    }
    if !server.keeps(Duty::OriginChecked) {
        return Ok(());
    }
    for origin in headers.get_all(ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        let local = authority.and_then(host_name).is_some_and(is_loopback);
        if !local && !config.allowed_origins.iter().any(|allowed| allowed == origin) {
            return refuse("Origin is not allowed");
        }
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || matches!(host, "127.0.0.1" | "[::1]")
}

/// The host of `host[:port]`; none if the port is no number.
fn host_name(authority: &str) -> Option<&str> {
    let end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, port) = authority.split_at(end);
    let digits = port.strip_prefix(':').unwrap_or(port);
    let valid =
        (port.is_empty() || port.starts_with(':')) && digits.bytes().all(|byte| byte.is_ascii_digit());
    valid.then_some(host)
}

/// Why a request does not reach its session.
struct NoSession {
    status: u16,
    message: &'static str,
}

impl NoSession {
    fn reply(&self, server: &Server) -> Reply {
        error(self.status, None, &RpcError::invalid_request(self.message), server.newest())
    }
}

/// The session that the headers name, if the protocol version is one that a session can have.
fn find_session(
    shared: &Shared,
    headers: &HeaderMap,
    principal: &Principal,
) -> Result<Arc<HttpSession>, NoSession> {
    let refuse = |status, message| Err(NoSession { status, message });
    let mut versions = headers.get_all(PROTOCOL_VERSION).into_iter();
    if let Some(first) = versions.next()
        && versions.any(|other| other != first)
    {
        return refuse(400, "Invalid request: MCP-Protocol-Version has two values");
    }
    for version in headers.get_all(PROTOCOL_VERSION) {
        let known = version.to_str().ok().and_then(|version| Revision::parse(version.trim()));
        let served = known.is_some_and(|revision| !revision.is_modern() && shared.server.serves(revision));
        if !served && shared.server.keeps(Duty::VersionHeaderChecked) {
            return refuse(400, "Invalid request: MCP-Protocol-Version is not supported");
        }
    }
    let mut ids = headers.get_all(SESSION_ID).into_iter();
    let Some(id) = ids.next() else {
        return refuse(400, "Invalid request: Mcp-Session-Id is missing, initialize first");
    };
    if ids.any(|other| other != id) {
        return refuse(400, "Invalid request: Mcp-Session-Id has two values");
    }
    match id.to_str().ok().and_then(|id| shared.sessions.find(id, principal)) {
        Some(session) => Ok(session),
        None => refuse(404, "Session not found: initialize again"),
    }
}

/// Whether a message belongs to the modern era: by its metadata, else by the version header.
fn is_modern(server: &Server, headers: &HeaderMap, params: &Object) -> bool {
    if !server.serves_modern() {
        return false;
    }
    if !server.serves_legacy() || modern::is_stateless(params) {
        return true;
    }
    let version = headers.get(PROTOCOL_VERSION).map(|value| value.to_str().unwrap_or_default().trim());
    match version.map(Revision::parse) {
        None => false,
        Some(Some(revision)) => revision.is_modern(),
        Some(None) => !headers.contains_key(SESSION_ID),
    }
}

/// Where a message goes once it is read.
enum Destination {
    /// Nowhere: this is the reply.
    Reply(Reply),
    /// Nowhere, and this is said about it.
    Refused(String),
    /// A fault: there is no reply.
    Hangs,
    Modern(message::Request),
    Handshake(message::Request),
    Session(Arc<HttpSession>, Taken),
}

async fn post(shared: &Shared, headers: &HeaderMap, grant: &Grant, body: Bytes) -> Reply {
    let server = &shared.server;
    let destination = destination(shared, headers, grant, &body);
    // What it says is kept elsewhere now, as far as it is needed.
    drop(body);
    match destination {
        Destination::Reply(reply) => reply,
        Destination::Refused(refusal) => {
            pause(server, &refusal).await;
            short_json(400, refusal)
        }
        Destination::Hangs => std::future::pending().await,
        Destination::Modern(request) => {
            let closing = Closing { signal: shared.closing.subscribe(), is_shared: false };
            http_modern::post(server, headers, request, grant, closing).await
        }
        Destination::Handshake(request) => initialize(shared, grant.principal.clone(), request).await,
        Destination::Session(session, taken) => session.answer(taken, prefers_events(headers)).await,
    }
}

fn destination(shared: &Shared, headers: &HeaderMap, grant: &Grant, body: &[u8]) -> Destination {
    let server = &shared.server;
    let none = Object::new();
    let body = match server.arrived(body) {
        Arrived::Text(body) => body,
        Arrived::Dropped => return Destination::Reply(empty(StatusCode::ACCEPTED)),
        Arrived::Hangs => return Destination::Hangs,
    };
    let payload = match message::read(&body) {
        Ok(payload) => payload,
        Err(unreadable) => {
            let session = find_session(shared, headers, &grant.principal).ok();
            let revision = session.map_or(server.newest(), |session| session.core.error_revision());
            return Destination::Refused(unreadable.response(revision));
        }
    };
    let session =
        || find_session(shared, headers, &grant.principal).ok().map(|session| Arc::clone(&session.core));
    if let Err(refusal) = permit(server, grant, &payload, session) {
        server.denies_all(&grant.principal, &payload);
        return Destination::Reply(refusal);
    }
    let payload = match payload {
        Payload::Single(Message::Request(request)) if is_modern(server, headers, &request.params) => {
            return Destination::Modern(request);
        }
        Payload::Single(Message::Notification(note)) if is_modern(server, headers, &note.params) => {
            return Destination::Reply(http_modern::notified(server, headers, &note));
        }
        Payload::Single(Message::Response(_)) if is_modern(server, headers, &none) => {
            return Destination::Reply(http_modern::refused("a server of this revision asks nothing"));
        }
        Payload::Batch(_) if is_modern(server, headers, &none) => {
            server.denies_all(&grant.principal, &payload);
            return Destination::Reply(http_modern::refused("this revision has no batches"));
        }
        Payload::Single(Message::Request(request))
            if request.method == "initialize" && !headers.contains_key(SESSION_ID) =>
        {
            return Destination::Handshake(request);
        }
        other => other,
    };
    match find_session(shared, headers, &grant.principal) {
        Ok(session) => {
            let taken = session.take_in(payload);
            Destination::Session(session, taken)
        }
        Err(refusal) => {
            server.denies_all(&grant.principal, &payload);
            let (id, code) = match &payload {
                Payload::Single(Message::Request(request)) => {
                    let unknown = request.method == "server/discover";
                    (Some(&request.id), if unknown { METHOD_NOT_FOUND } else { INVALID_REQUEST })
                }
                _ => (None, INVALID_REQUEST),
            };
            let failure = RpcError::new(code, refusal.message);
            Destination::Reply(error(refusal.status, id, &failure, server.newest()))
        }
    }
}

/// Begins a session; only a handshake that succeeds gets an id.
async fn initialize(shared: &Shared, principal: Principal, request: message::Request) -> Reply {
    let core = Session::new(shared.server.clone(), principal);
    // The handshake takes no time and says nothing before its answer.
    let (sender, _receiver) = queue(&shared.server);
    let sink = crate::context::Sink::Queue(sender);
    let mut handshake = Box::pin(answer(Arc::clone(&core), request, sink));
    let text = match poll_once(&mut handshake).await {
        Poll::Ready(answer) => answer,
        Poll::Pending => handshake.await,
    };
    let text = text.unwrap_or_else(|| Answered::short(String::new()));
    if core.revision().is_none() {
        return json(400, text);
    }
    let session_id = shared.sessions.open(core);
    let mut reply = json(200, text);
    if let Ok(value) = HeaderValue::from_str(&session_id) {
        reply.headers_mut().insert(SESSION_ID, value);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::{check_caller, host_name};
    use crate::server::{Config, Server};
    use hyper::HeaderMap;
    use hyper::header::{HOST, ORIGIN};

    fn allowed(host: Option<&str>, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        host.map(|host| headers.insert(HOST, host.parse().unwrap()));
        origin.map(|origin| headers.insert(ORIGIN, origin.parse().unwrap()));
        let config = Config { allowed_hosts: vec!["mcp.example".to_owned()], ..Config::default() };
        check_caller(&Server::new(config), &"/mcp".parse().unwrap(), &headers).is_ok()
    }

    #[test]
    fn only_our_own_hosts_are_served() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]:1", "[::1]", "mcp.example"] {
            assert!(allowed(Some(host), None), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost:80@evil",
            "",
            "[::1]x",
        ] {
            assert!(!allowed(Some(host), None), "{host}");
        }
        assert!(!allowed(None, None));
    }

    #[test]
    fn only_local_origins_are_served() {
        for origin in ["http://localhost", "https://localhost:3000", "http://127.0.0.1:1", "http://[::1]:5"] {
            assert!(allowed(Some("localhost"), Some(origin)), "{origin}");
        }
        for origin in [
            "null",
            "http://evil.example",
            "http://localhost.evil.example",
            "file://localhost",
            "http://localhost:x",
            "",
        ] {
            assert!(!allowed(Some("localhost"), Some(origin)), "{origin}");
        }
        assert_eq!(host_name("a:1:2"), None);
    }
}
