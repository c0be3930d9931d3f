//! JSON-RPC batches, which exist in 2025-03-26 and in no other revision.

use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::task::JoinSet;

use crate::context::Sink;
use crate::legacy::dispatch::{answer, notified};
use crate::legacy::{Exchange, Session};
use crate::memory::Answered;
use crate::message::{Message, RpcError, Unreadable, error_response, read_one};

/// The most elements of one batch.
const LIMIT: usize = 1000;

/// Serves the elements side by side; the answer is one array in the order of the requests.
pub(crate) fn take_in(session: &Arc<Session>, elements: &[&RawValue], sink: &Sink) -> Exchange {
    let revision = session.error_revision();
    if elements.is_empty() || elements.len() > LIMIT {
        let error = RpcError::invalid_request(format!("Invalid request: a batch has 1 to {LIMIT} messages"));
        return Exchange::Refused(error_response(None, &error, revision));
    }
    let mut answers: Vec<Option<Answered>> = Vec::new();
    let mut requests = Vec::new();
    for element in elements {
        match read_one(element) {
            Ok(Message::Request(request)) if request.method == "initialize" => {
                let error =
                    RpcError::invalid_request("Invalid request: initialize must not be part of a batch");
                let refused = error_response(Some(&request.id), &error, revision);
                answers.push(Some(Answered::short(refused)));
            }
            Ok(Message::Request(request)) => {
                requests.push((answers.len(), request));
                answers.push(None);
            }
            Ok(Message::Notification(notification)) => notified(session, &notification),
            Ok(Message::Response(response)) => session.peer.answered(response),
            Err(unreadable) => {
                answers.push(Some(Answered::short(Unreadable::response(&unreadable, revision))));
            }
        }
    }
    if answers.is_empty() {
        return Exchange::Accepted;
    }
    let session = Arc::clone(session);
    let sink = sink.clone();
    Exchange::Serving(Box::pin(async move {
        let mut tasks = JoinSet::new();
        for (position, request) in requests {
            let serving = answer(Arc::clone(&session), request, sink.clone());
            tasks.spawn(async move { (position, serving.await) });
        }
        while let Some(done) = tasks.join_next().await {
            if let Ok((position, answer)) = done {
                answers[position] = answer;
            }
        }
        let answers: Vec<Answered> = answers.into_iter().flatten().collect();
        let texts: Vec<&str> = answers.iter().map(|answered| &*answered.text).collect();
        let text = format!("[{}]", texts.join(","));
        let held = session.server.memory().count(text.len());
        (!answers.is_empty()).then_some(Answered { text, held })
    }))
}
