//! HTTP+SSE of 2024-11-05: a GET stream for everything the server says, a POST endpoint for the client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};

use crate::auth::{Grant, Principal};
use crate::faults::Duty;
use crate::legacy::Session;
use crate::message::{self, RpcError};
use crate::revision::Revision;
use crate::seal::random_id;
use crate::server::{Server, lock};
use crate::transport::connection::{Connection, Step};
use crate::transport::http_body::FedBody;
use crate::transport::http_reply::{Reply, empty, error, events, short_json};
use crate::transport::queue::queue;
use crate::transport::sse::{COMMENT, KEEP_ALIVE, event};

/// The clients that have a stream open.
pub(crate) struct SseClients {
    table: Mutex<HashMap<String, Arc<Connection>>>,
}

impl SseClients {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { table: Mutex::default() })
    }

    /// The connection of a request; with a fault that of the client that came last, if it is a ping.
    fn of_ping(&self, own: Arc<Connection>, body: &[u8]) -> Arc<Connection> {
        let is_ping = || std::str::from_utf8(body).is_ok_and(|text| text.contains("\"ping\""));
        if own.session.server.keeps(Duty::PingsOnOwnStream) || !is_ping() {
            return own;
        }
        lock(&self.table).values().max_by_key(|other| other.session.id).cloned().unwrap_or(own)
    }

    /// The session that the query of a POST names, if it is that of the principal.
    fn find(&self, query: Option<&str>, principal: &Principal) -> Option<Arc<Connection>> {
        let id = named(query)?;
        lock(&self.table).get(id).filter(|one| one.session.principal == *principal).cloned()
    }

    /// See [`SseClients::find`].
    pub(crate) fn session(&self, query: Option<&str>, principal: &Principal) -> Option<Arc<Session>> {
        Some(Arc::clone(&self.find(query, principal)?.session))
    }

    pub(crate) fn close_all(&self) {
        for (_, connection) in lock(&self.table).drain() {
            connection.session.end();
        }
    }
}

/// Ends the session together with its stream.
struct Registration {
    clients: Arc<SseClients>,
    id: String,
}

impl Registration {
    /// A fault: progress is told to all other clients, too. What was told so ends with a blank, and is not told again.
    fn spread(&self, server: &Server, message: &str) {
        let is_own = message.contains("notifications/progress") && !message.ends_with(' ');
        if server.keeps(Duty::ProgressToOwnClient) || !is_own {
            return;
        }
        let table = lock(&self.clients.table);
        for (_, other) in table.iter().filter(|(id, _)| **id != self.id) {
            other.send_now(format!("{message} "));
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(connection) = lock(&self.clients.table).remove(&self.id) {
            connection.session.end();
        }
    }
}

/// GET `/sse`: opens the stream and names the POST endpoint in its first event. It lasts as long as the grant.
pub(crate) fn open(server: &Server, clients: &Arc<SseClients>, grant: &Grant) -> Reply {
    let id = random_id();
    let (sender, mut messages) = queue(server);
    let connection =
        Arc::new(Connection::new(Session::new(server.clone(), grant.principal.clone()), sender, false));
    let session = Arc::clone(&connection.session);
    {
        let mut table = lock(&clients.table);
        if table.len() >= server.config().max_sessions {
            return empty(StatusCode::SERVICE_UNAVAILABLE);
        }
        table.insert(id.clone(), connection);
    }
    let (mut changes, term) = (session.changes(), grant.term);
    let registration = Registration { clients: Arc::clone(clients), id };
    events(FedBody::new(server, |out| async move {
        let endpoint = format!("event: endpoint\ndata: /messages?sessionId={}\n\n", registration.id);
        out.send(endpoint.into()).await;
        let over = term.over();
        tokio::pin!(over);
        loop {
            let is_read = tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => {
                        registration.spread(&session.server, &message.text);
                        out.send_held(event(None, &message.text), message.held).await
                    }
                    None => return,
                },
                change = changes.next() => match told(&session.notifications_for(&change)) {
                    Some(events) => out.send(events).await,
                    None => true,
                },
                () = tokio::time::sleep(KEEP_ALIVE) => out.send(COMMENT).await,
                () = &mut over => return,
            };
            if !is_read {
                return;
            }
        }
    }))
}

/// The session id in a query.
fn named(query: Option<&str>) -> Option<&str> {
    query?.split('&').find_map(|pair| pair.strip_prefix("sessionId="))
}

/// POST `/messages?sessionId=...`: takes in a message, whose answer goes out on the stream.
pub(crate) async fn post(
    server: &Server,
    clients: &SseClients,
    query: Option<&str>,
    principal: &Principal,
    body: Bytes,
) -> Reply {
    let refuse = |status, reason: &str| {
        if let Ok(payload) = message::read(&body) {
            server.denies_all(principal, &payload);
        }
        error(status, None, &RpcError::invalid_request(reason), Revision::V2024_11_05)
    };
    if named(query).is_none() {
        return refuse(400, "Invalid request: sessionId is missing");
    }
    let Some(connection) = clients.find(query, principal) else {
        return refuse(404, "Invalid request: there is no such session");
    };
    let connection = clients.of_ping(connection, &body);
    let begun = connection.begin(&body);
    drop(body);
    match begun {
        Ok(Step::Unusable(error)) => short_json(400, error),
        Ok(step) => {
            // Waits while the client does not read its answers.
            connection.proceed(step).await;
            empty(StatusCode::ACCEPTED)
        }
        Err(unreadable) => short_json(400, unreadable.response(connection.session.error_revision())),
    }
}

/// The media ranges of `Accept`, in their order and without parameters.
fn accepted(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let values = headers.get_all(hyper::header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    let ranges = values.flat_map(|value| value.split(','));
    ranges.map(|range| range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Whether a client accepts a stream of events.
pub(crate) fn accepts_events(headers: &HeaderMap) -> bool {
    !headers.contains_key(hyper::header::ACCEPT)
        || accepted(headers).any(|range| matches!(range.as_str(), "text/event-stream" | "text/*" | "*/*"))
}

/// Whether a client that accepts both would rather have a stream of events: it names that first.
pub(crate) fn prefers_events(headers: &HeaderMap) -> bool {
    accepted(headers).next().is_some_and(|range| range == "text/event-stream")
}

/// Messages as events, if there are any.
fn told(messages: &[String]) -> Option<Bytes> {
    (!messages.is_empty()).then(|| messages.iter().flat_map(|message| event(None, message)).collect())
}
