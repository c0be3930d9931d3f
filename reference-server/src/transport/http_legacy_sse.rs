//! HTTP+SSE of 2024-11-05: a GET stream for everything the server says, a POST endpoint for the client.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};

use crate::auth::Principal;
use crate::faults::Duty;
use crate::legacy::Session;
use crate::message::RpcError;
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

    /// A fault: some requests are taken for those of the client that came last.
    fn misrouted(&self, own: Arc<Connection>, body: &[u8]) -> Arc<Connection> {
        let strays = |duty, word| {
            !own.session.server.keeps(duty) && std::str::from_utf8(body).is_ok_and(|text| text.contains(word))
        };
        if !strays(Duty::PingsOnOwnStream, "\"ping\"") && !strays(Duty::CallsOnOwnStream, "progressToken") {
            return own;
        }
        lock(&self.table).values().max_by_key(|other| other.session.id).cloned().unwrap_or(own)
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

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(connection) = lock(&self.clients.table).remove(&self.id) {
            connection.session.end();
        }
    }
}

/// GET `/sse`: opens the stream and names the POST endpoint in its first event.
pub(crate) fn open(server: &Server, clients: &Arc<SseClients>, principal: Principal) -> Reply {
    let id = random_id();
    let (sender, mut messages) = queue(server);
    let connection = Arc::new(Connection::new(Session::new(server.clone(), principal), sender, false));
    let session = Arc::clone(&connection.session);
    {
        let mut table = lock(&clients.table);
        if table.len() >= server.config().max_sessions {
            return empty(StatusCode::SERVICE_UNAVAILABLE);
        }
        table.insert(id.clone(), connection);
    }
    let mut changes = session.changes();
    let registration = Registration { clients: Arc::clone(clients), id };
    events(FedBody::new(server, |out| async move {
        let endpoint = format!("event: endpoint\ndata: /messages?sessionId={}\n\n", registration.id);
        out.send(endpoint.into()).await;
        loop {
            let is_read = tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => out.send_held(event(None, &message.text), message.held).await,
                    None => return,
                },
                change = changes.next() => match told(&session.notifications_for(&change)) {
                    Some(events) => out.send(events).await,
                    None => true,
                },
                () = tokio::time::sleep(KEEP_ALIVE) => out.send(COMMENT).await,
            };
            if !is_read {
                return;
            }
        }
    }))
}

/// POST `/messages?sessionId=...`: takes in a message, whose answer goes out on the stream.
pub(crate) async fn post(
    clients: &SseClients,
    query: Option<&str>,
    principal: &Principal,
    body: Bytes,
) -> Reply {
    let mut pairs = query.unwrap_or_default().split('&');
    let refuse = |status, message: &str| {
        error(status, None, &RpcError::invalid_request(message), Revision::V2024_11_05)
    };
    let Some(id) = pairs.find_map(|pair| pair.strip_prefix("sessionId=")) else {
        return refuse(400, "Invalid request: sessionId is missing");
    };
    let Some(connection) =
        lock(&clients.table).get(id).filter(|one| one.session.principal == *principal).cloned()
    else {
        return refuse(404, "Invalid request: there is no such session");
    };
    let connection = clients.misrouted(connection, &body);
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
