//! Streamable HTTP of 2026-07-28: one POST, one answer, no session.

use hyper::HeaderMap;
use hyper::StatusCode;

use crate::auth::Grant;
use crate::context::Sink;
use crate::memory::Answered;
use crate::message::{Notification, Request, RpcError};
use crate::modern::{self, Closing, MirrorHeaders, ModernAnswer};
use crate::pace::pause;
use crate::revision::Revision;
use crate::server::Server;
use crate::transport::http_body::{FedBody, Feed};
use crate::transport::http_reply::{Reply, empty, error, events, json};
use crate::transport::queue::{Queue, queue};
use crate::transport::sse::{COMMENT, KEEP_ALIVE, event};

impl MirrorHeaders for HeaderMap {
    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.get_all(name).into_iter().map(hyper::header::HeaderValue::as_bytes)
    }
}

/// Answers a request: JSON, or a stream once the handler says something before it answers.
///
/// Nothing is spawned: when the client goes away, this future or the body is dropped, and with it the request.
pub(crate) async fn post(
    server: &Server,
    headers: &HeaderMap,
    request: Request,
    grant: &Grant,
    closing: Closing,
) -> Reply {
    let mut admitted = match modern::admit(server, Some(headers), &request) {
        Ok(admitted) => admitted,
        Err(error) => {
            server.denies(&grant.principal, &request);
            let refusal = modern::refused(server, &request, error);
            pause(server, &refusal.answered.text).await;
            return plain(refusal);
        }
    };
    (admitted.1.principal, admitted.1.term) = (grant.principal.clone(), grant.term);
    let (sender, mut messages) = queue(server);
    let mut work = Box::pin(modern::answer(server.clone(), admitted, request, Sink::Queue(sender), closing));
    let first = tokio::select! {
        biased;
        Some(message) = messages.recv() => message,
        answer = &mut work => match messages.try_recv() {
            Some(message) => return events(FedBody::new(server, |out| finished(message, messages, answer, out))),
            None => return plain(answer),
        },
    };
    events(FedBody::new(server, |out| async move {
        send(&out, first).await;
        let answer = loop {
            tokio::select! {
                biased;
                Some(message) = messages.recv() => send(&out, message).await,
                answer = &mut work => break answer,
                () = tokio::time::sleep(KEEP_ALIVE) => {
                    out.send(COMMENT).await;
                }
            }
        };
        drain(messages, answer, &out).await;
    }))
}

/// A handler that ended before the stream was opened, but after it had spoken.
async fn finished(first: Answered, messages: Queue, answer: ModernAnswer, out: Feed) {
    send(&out, first).await;
    drain(messages, answer, &out).await;
}

async fn drain(mut messages: Queue, answer: ModernAnswer, out: &Feed) {
    while let Some(message) = messages.try_recv() {
        send(out, message).await;
    }
    send(out, answer.answered).await;
}

/// Sends a message as an event; when the client is gone, nobody will miss it.
async fn send(out: &Feed, message: Answered) {
    out.send_held(event(None, &message.text), message.held).await;
}

fn plain(answer: ModernAnswer) -> Reply {
    json(answer.http_status, answer.answered)
}

/// Takes in a notification. None has an effect here: a request is cancelled by closing its response.
pub(crate) fn notified(server: &Server, headers: &HeaderMap, notification: &Notification) -> Reply {
    match modern::admit_notification(server, headers, notification) {
        Ok(()) => empty(StatusCode::ACCEPTED),
        Err(refusal) => error(400, None, &refusal, Revision::V2026_07_28),
    }
}

/// Refuses what no client of this revision sends.
pub(crate) fn refused(what: &str) -> Reply {
    let refusal = RpcError::invalid_request(format!("Invalid request: {what}"));
    error(400, None, &refusal, Revision::V2026_07_28)
}
