//! JSON-RPC batches, which exist in 2025-03-26 and in no other revision.

use std::sync::{Arc, Mutex};

use serde_json::value::RawValue;
use tokio::task::JoinSet;

use crate::context::Sink;
use crate::legacy::dispatch::{self, notified};
use crate::legacy::{Exchange, Session};
use crate::memory::{Answered, Held, refusal};
use crate::message::{INTERNAL_ERROR, Id, Message, RpcError, error_response, read_one};
use crate::revision::Revision;
use crate::server::{Server, lock};

/// The most elements of one batch.
const LIMIT: usize = 1000;
/// The longest answer to a batch in bytes; one that is alone may be longer. Requests whose answers find no room are refused.
const LONGEST: usize = 1 << 20;

/// Serves the elements side by side; the answer is one array in the order of the requests.
pub(crate) fn take_in(session: &Arc<Session>, elements: &[&RawValue], sink: &Sink) -> Exchange {
    let revision = session.error_revision();
    if elements.is_empty() || elements.len() > LIMIT {
        let error = RpcError::invalid_request(format!("Invalid request: a batch has 1 to {LIMIT} messages"));
        return Exchange::Refused(error_response(None, &error, revision));
    }
    let mut answer = BatchAnswer::new(&session.server, revision);
    let mut requests = Vec::new();
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
            Ok(Message::Notification(notification)) => notified(session, &notification),
            Ok(Message::Response(response)) => session.peer.answered(response),
            Err(unreadable) => answer.elements.push(Some(unreadable.response(revision))),
        }
    }
    if answer.elements.is_empty() {
        return Exchange::Accepted;
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
                if let Some(answer) = serving.await {
                    lock(&answers).put(position, &id, answer);
                }
            });
        }
        while tasks.join_next().await.is_some() {}
        let answered = lock(&answers).join();
        answered
    }))
}

/// The answer as it grows; it counts in the memory for all as one.
struct BatchAnswer {
    server: Server,
    revision: Revision,
    elements: Vec<Option<String>>,
    bytes: usize,
    held: Held,
}

impl BatchAnswer {
    fn new(server: &Server, revision: Revision) -> Self {
        Self { server: server.clone(), revision, elements: Vec::new(), bytes: 0, held: Held::default() }
    }

    /// Puts the answer of one element in its place, or a refusal where it is too much.
    fn put(&mut self, position: usize, id: &Id, answer: Answered) {
        let Answered { mut text, held } = answer;
        drop(held);
        if self.bytes > 0 && self.bytes + text.len() > LONGEST {
            let error = RpcError::new(INTERNAL_ERROR, "The answer to the batch is too long, ask one by one");
            text = error_response(Some(id), &error, self.revision);
        }
        // A comma or a bracket, too.
        if !self.held.grow(self.server.memory(), text.len() + 1) {
            text = error_response(Some(id), &refusal(), self.revision);
        }
        self.bytes += text.len();
        self.elements[position] = Some(text);
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
