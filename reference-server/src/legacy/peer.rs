//! The requests of the server to its client, in the revisions that have them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::sync::oneshot;

use crate::context::{RequestContext, Sink};
use crate::features::{Given, InputRequest, Stop};
use crate::memory::Memory;
use crate::message::{IdKey, Outcome, Response, notification, shorten, to_json};
use crate::server::{Server, lock};

/// The most requests of ours that one client may leave unanswered.
const PENDING: usize = 256;

/// The client as one who is asked.
#[derive(Default)]
pub(crate) struct Peer {
    next: AtomicU64,
    pending: Arc<Pending>,
}

/// What came of a request of ours.
enum Reaction {
    Given(Given),
    /// The client refused, for this reason.
    Refused(String),
    /// There was an answer, but for this reason it is worth nothing.
    Unusable(&'static str),
}

/// A request of ours that waits for its answer.
struct Asked {
    waiting: oneshot::Sender<Reaction>,
    /// The scopes that the request takes for the sake of which we ask, with spaces between them: the answer is a part of it.
    #[cfg_attr(
        not(feature = "enterprise"),
        expect(dead_code, reason = "without authorization nothing takes any")
    )]
    scopes: &'static str,
}

#[derive(Default)]
struct Pending(Mutex<HashMap<String, Asked>>);

impl Peer {
    /// Sends a request on the stream of the client's own request, and waits for the answer.
    pub(crate) async fn ask(&self, context: &RequestContext, question: &InputRequest) -> Result<Given, Stop> {
        let id = format!("server-{}", self.next.fetch_add(1, Ordering::Relaxed) + 1);
        let (sender, answer) = oneshot::channel();
        {
            let mut pending = lock(&self.pending.0);
            if pending.len() >= PENDING {
                return Err(Stop::Refused("Too many questions wait for the client's answer.".to_owned()));
            }
            pending.insert(id.clone(), Asked { waiting: sender, scopes: context.scopes() });
        }
        let (server, sink) = (context.server.clone(), context.sink.clone());
        let waiting = Waiting { pending: Arc::clone(&self.pending), id, server, sink };
        context.send(request(&waiting.id, question)).await;
        let patience = Duration::from_secs(context.server.config().answer_seconds);
        let method = question.method;
        match tokio::time::timeout(patience, answer).await {
            Ok(Ok(Reaction::Given(given))) => Ok(given),
            Ok(Ok(Reaction::Refused(reason))) => {
                Err(Stop::Refused(format!("The client refused {method}: {reason}")))
            }
            Ok(Ok(Reaction::Unusable(reason))) => {
                Err(Stop::Refused(format!("The answer to {method} is unusable: {reason}")))
            }
            Ok(Err(_)) => Err(Stop::Refused(format!("The session ended before {method} was answered."))),
            Err(_) => Err(Stop::Refused(format!("The client did not answer {method} in time."))),
        }
    }

    /// The scopes that an answer takes, if anybody waits for it.
    #[cfg(feature = "enterprise")]
    pub(crate) fn scopes(&self, response: &Response) -> Option<&'static str> {
        let IdKey::Text(id) = response.id.as_ref().map(crate::message::Id::key)? else { return None };
        lock(&self.pending.0).get(&**id).map(|asked| asked.scopes)
    }

    /// Hands an answer to the one who waits for it, with the room that it takes in `memory`; one that nobody waits for is
    /// ignored. An answer for which there is no room is unusable.
    pub(crate) fn answered(&self, response: Response, memory: &Arc<Memory>) {
        let Some(IdKey::Text(id)) = response.id.as_ref().map(crate::message::Id::key) else {
            return;
        };
        let Some(Asked { waiting, .. }) = lock(&self.pending.0).remove(&**id) else {
            return;
        };
        let reaction = match response.outcome {
            Outcome::Result(value) => match memory.take_request(response.footprint) {
                Ok(held) => Reaction::Given(Given { value, held }),
                Err(_) => Reaction::Unusable("too much is held in memory already"),
            },
            Outcome::Error(error) => {
                Reaction::Refused(shorten(error["message"].as_str().unwrap_or("without a reason")))
            }
            Outcome::Unusable(reason) => Reaction::Unusable(reason),
        };
        // Who asked may have gone in the meantime.
        let _ = waiting.send(reaction);
    }
}

fn request(id: &str, question: &InputRequest) -> String {
    let (method, params) = (question.method, to_json(&question.params));
    format!("{{\"jsonrpc\":\"2.0\",\"id\":\"{id}\",\"method\":\"{method}\",\"params\":{params}}}")
}

/// A request of ours that has no answer yet. When it is dropped unanswered, the client is told not to bother.
struct Waiting {
    pending: Arc<Pending>,
    id: String,
    server: Server,
    sink: Sink,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if lock(&self.pending.0).remove(&self.id).is_some() {
            let withdrawn = notification("notifications/cancelled", &json!({"requestId": self.id}));
            self.server.says(withdrawn).into_iter().for_each(|message| self.sink.send_now(message));
        }
    }
}
