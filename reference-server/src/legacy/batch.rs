//! JSON-RPC batches, which exist in 2025-03-26 and in no other revision.

use std::sync::{Arc, Mutex};

use serde_json::value::RawValue;
use tokio::task::JoinSet;

use crate::context::Sink;
use crate::faults::Duty;
use crate::legacy::dispatch::{self, notified};
use crate::legacy::{Exchange, Session};
use crate::memory::{Answered, Held, refusal};
use crate::message::{INTERNAL_ERROR, Id, Message, Request, RpcError, error_response, read_one};
use crate::revision::Revision;
use crate::server::{Server, lock};

/// The most elements of one batch.
const LIMIT: usize = 1000;
/// The longest answer to a batch in bytes; one that is alone may be longer. Requests whose answers find no room are refused.
const LONGEST: usize = 1 << 20;
/// A comma or a bracket.
const SEPARATOR: usize = 1;

/// Serves the elements side by side; the answer is one array in the order of the requests.
pub(crate) fn take_in(session: &Arc<Session>, elements: &[&RawValue], sink: &Sink) -> Exchange {
    let revision = session.error_revision();
    if elements.is_empty() || elements.len() > LIMIT {
        let error = RpcError::invalid_request(format!("Invalid request: a batch has 1 to {LIMIT} messages"));
        return Exchange::Refused(error_response(None, &error, revision));
    }
    let mut answer = BatchAnswer::new(&session.server, revision);
    let mut requests: Vec<(usize, Request)> = Vec::new();
    let mut complaint = None;
    for element in elements {
        match read_one(element) {
            Ok(Message::Request(request)) if request.method == "initialize" => {
                let error =
                    RpcError::invalid_request("Invalid request: initialize must not be part of a batch");
                answer.elements.push(Some(error_response(Some(&request.id), &error, revision)));
            }
            Ok(Message::Request(request)) => {
                requests.push((answer.elements.len(), request));
                answer.elements.push(None);
            }
            Ok(Message::Notification(notification)) => {
                notified(session, &notification);
                // A request before it in the batch is as good as in progress.
                if let Some(id) = &notification.request_id
                    && session.server.keeps(Duty::CancelledWorkStops)
                {
                    requests.retain(|(_, request)| request.id.key() != id.key());
                }
            }
            Ok(Message::Response(response)) => {
                complaint = complaint.or_else(|| dispatch::complaint(&response));
                session.peer.answered(response, session.server.memory());
            }
            Err(unreadable) => answer.elements.push(Some(unreadable.response(revision))),
        }
    }
    if answer.elements.is_empty() {
        return complaint.map_or(Exchange::Accepted, Exchange::Unusable);
    }
    let session = Arc::clone(session);
    let sink = sink.clone();
    Exchange::Serving(Box::pin(async move {
        let answers = Arc::new(Mutex::new(answer));
        let mut tasks = JoinSet::new();
        for (position, request) in requests {
            let id = request.id.clone();
            let serving = dispatch::answer(Arc::clone(&session), request, sink.clone());
            let answers = Arc::clone(&answers);
            // Counted as soon as it is there: nothing waits outside the account.
            tasks.spawn(async move {
                if lock(&answers).refuse(position, &id) {
                    return;
                }
                if let Some(answer) = serving.await {
                    lock(&answers).put(position, &id, answer);
                }
            });
        }
        while tasks.join_next().await.is_some() {}
        lock(&answers).join()
    }))
}

/// The answer as it grows; it counts in the memory for all as one.
struct BatchAnswer {
    server: Server,
    revision: Revision,
    elements: Vec<Option<String>>,
    bytes: usize,
    held: Held,
    /// Whether an answer was too much; then no more is served.
    is_full: bool,
}

impl BatchAnswer {
    fn new(server: &Server, revision: Revision) -> Self {
        let (elements, held) = (Vec::new(), Held::default());
        Self { server: server.clone(), revision, elements, bytes: 0, held, is_full: false }
    }

    /// Refuses one more element if an answer was too much before; true if that is so.
    fn refuse(&mut self, position: usize, id: &Id) -> bool {
        if self.is_full {
            let error = RpcError::new(INTERNAL_ERROR, "The answer to the batch is too long, ask one by one");
            self.elements[position] = Some(error_response(Some(id), &error, self.revision));
        }
        self.is_full
    }

    /// Puts the answer of one element in its place, or a refusal where it is too much.
    fn put(&mut self, position: usize, id: &Id, answer: Answered) {
        let Answered { text, held } = answer;
        drop(held);
        if self.bytes > 0 && self.bytes + text.len() > LONGEST {
            self.is_full = true;
            self.refuse(position, id);
        } else if self.held.grow(self.server.memory(), text.len() + SEPARATOR) {
            self.bytes += text.len();
            self.elements[position] = Some(text);
        } else {
            self.elements[position] = Some(error_response(Some(id), &refusal(), self.revision));
        }
    }

    /// All in one text; none if all were cancelled.
    fn join(&mut self) -> Option<Answered> {
        let mut text = String::with_capacity(self.bytes + self.elements.len() + 2);
        for element in self.elements.drain(..).flatten() {
            text.push(if text.is_empty() { '[' } else { ',' });
            text.push_str(&element);
        }
        text.push(']');
        (text.len() > 1).then(|| Answered { text, held: std::mem::take(&mut self.held) })
    }
}
