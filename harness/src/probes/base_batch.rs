//! Batches under test: 2025-03-26 has them, no other revision has (basic/index#batching).

use super::probe::{breach, probes};
use super::{Solo, Stage};
use crate::client::{Answer, Outgoing, Reply, Ticket};
use crate::monitors::Breach;
use crate::protocol::{Id, Kind, Revision, Transport};
use crate::wire::{Event, Payload, Taint};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

probes! {
    /// In 2025-03-26 sends an array of two pings and a notification. Both pings must be answered, once each, and the
    /// notification not at all: receiving batches is a duty of that revision. On stdio the answers come as one array;
    /// one line each is a warning.
    ///
    /// Then an empty array (one error comes back, no array), an array of two notifications (nothing comes back) and an
    /// array of the number 1 and a ping (the ping is served beside the error).
    batches_are_served (Breaking, Legacy, Any) decides [
        "base.batch.received",
        "base.batch.response-grouping",
        "base.batch.one-response-per-request",
        "http.sse.batch-responses-delivered",
        "base.batch.empty-array-refused",
        "base.batch.no-empty-response",
        "base.batch.invalid-element",
    ];
    /// In 2025-03-26 opens a conversation with an array of `initialize` and a ping. An error or HTTP 4xx passes; to
    /// serve the `initialize` is a warning: nothing else may be asked before it is answered.
    initialize_is_no_part_of_a_batch (Alone, Legacy, Any) decides ["base.batch.initialize-refused"];
}

/// How often it is looked whether an error without an id has come.
const LOOK: Duration = Duration::from_millis(50);
/// How long pings in a batch are waited for that a later request has overtaken.
const OVERTAKEN: Duration = Duration::from_secs(3);
/// How long the first answer to a batch is waited for: a server that drops arrays never gives one.
const FIRST: Duration = Duration::from_secs(15);

fn request(id: &Id, method: &str) -> Value {
    let id: Value = serde_json::from_str(id.as_json()).unwrap_or(Value::Null);
    json!({"jsonrpc": "2.0", "id": id, "method": method})
}

fn ticket_for(id: &Id, ticket: &Ticket) -> Ticket {
    Ticket { id: Some(id.clone()), ..ticket.clone() }
}

async fn batches_are_served(stage: &mut Stage<'_>) {
    if !stage.revision.has_batches() {
        return;
    }
    if !batch_is_served(stage).await {
        let odd = [
            "base.batch.response-grouping",
            "base.batch.one-response-per-request",
            "base.batch.empty-array-refused",
            "base.batch.no-empty-response",
            "base.batch.invalid-element",
        ];
        for id in odd {
            stage.judge.undecided(
                id,
                "no-batches",
                "the server does not serve batches: see base.batch.received",
            );
        }
        return;
    }
    batch_of_one(stage).await;
    empty_array(stage).await;
    nothing_to_answer(stage).await;
    invalid_element(stage).await;
}

async fn batch_is_served(stage: &mut Stage<'_>) -> bool {
    const RECEIVED: &str = "base.batch.received";
    const STREAMED: &str = "http.sse.batch-responses-delivered";
    let (first, second) = (stage.talk.fresh_id(), stage.talk.fresh_id());
    let unknown = json!({"requestId": "mcprove-never-sent", "reason": "none"});
    let told = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": unknown});
    let batch = json!([request(&first, "ping"), told, request(&second, "ping")]);
    let seen =
        stage.provoke(Outgoing { id: Some(first.clone()), ..Outgoing::bytes(batch.to_string()) }).await;
    let one = match seen.reply {
        // Nothing, and not refused either: it may take longer than the barrier, but pings not for long.
        Reply::Silence(_) if seen.barrier.result().is_some() => {
            stage.talk.reply_within(&seen.ticket, stage.talk.timeouts().request.min(OVERTAKEN)).await
        }
        other => other,
    };
    let wait = if one.result().is_some() { stage.talk.timeouts().request } else { Duration::ZERO };
    let other = stage.talk.reply_within(&ticket_for(&second, &seen.ticket), wait).await;
    let streamed = stage.transport() == Transport::Http
        && stage.talk.head(&seen.ticket).await.is_ok_and(|head| head.is_event_stream());
    match (&one, &other) {
        (Reply::Result(one), Reply::Result(other)) => {
            stage.judge.held(RECEIVED);
            if streamed {
                stage.judge.held(STREAMED);
            }
            judge_answers(stage, &seen.ticket, (&first, one), (&second, other)).await;
            true
        }
        (Reply::Gone(_), _) | (_, Reply::Gone(_)) => {
            stage.judge.undecided(RECEIVED, "gone", one.describe());
            false
        }
        (Reply::Error(_), Reply::Error(_)) if one.error_code() == Some(-32601) => {
            stage.judge.undecided(RECEIVED, "no-ping", super::lifecycle::NO_PING);
            false
        }
        _ => {
            let worse = if one.result().is_some() { &other } else { &one };
            if streamed && (one.result().is_some() || other.result().is_some()) {
                let text = "the stream of a batch lacks a response";
                let breach = breach("lacks", text, &seen.ticket, worse);
                stage.judge.broke(STREAMED, breach.expected(&["a response for each request"]).see(RECEIVED));
            }
            stage.judge.broke(
                RECEIVED,
                breach("not-served", "a batch of two pings was not served", &seen.ticket, worse)
                    .expected(&["a result for each ping, together or one by one"]),
            );
            false
        }
    }
}

async fn judge_answers(
    stage: &mut Stage<'_>,
    ticket: &Ticket,
    (first, one): (&Id, &Answer),
    (second, other): (&Id, &Answer),
) {
    const GROUPED: &str = "base.batch.response-grouping";
    const ONCE: &str = "base.batch.one-response-per-request";
    let together = one.record.seq == other.record.seq;
    let separate_allowed = stage.transport() != Transport::Stdio;
    stage.judge.decide(GROUPED, together || separate_allowed, || {
        Breach::new("separate", "the responses to a batch came on separate lines")
            .quality()
            .expected(&["one array with all responses"])
            .actual("separate messages")
            .in_answer(other)
            .sent(ticket.since)
    });
    stage.talk.canary().await;
    let heard = stage.talk.heard_since(ticket.since);
    let count = |id: &Id| heard.iter().filter(|heard| heard.message.id() == Some(id)).count();
    let stray = heard
        .iter()
        .filter(|heard| heard.message.is_response())
        .find(|heard| heard.message.id().is_none_or(Id::is_null));
    let good = count(first) == 1 && count(second) == 1 && stray.is_none();
    stage.judge.decide(ONCE, good, || {
        let breach = Breach::new("other-number", "a batch was not answered with one response per request")
            .expected(&["one response for each of the two requests, none for the notification"])
            .actual(format!(
                "{} and {} responses, {} without an id",
                count(first),
                count(second),
                usize::from(stray.is_some())
            ))
            .sent(ticket.since);
        match stray {
            Some(stray) => breach.at(&stray.record),
            None => breach.in_answer(other),
        }
    });
}

/// Whether the event that carried a reply was an array.
fn in_array(reply: &Reply) -> bool {
    reply.answer().is_some_and(|answer| {
        matches!(&answer.record.event, Event::Received { payload: Payload::Message(message), .. }
            if *message.kind() == Kind::Batch)
    })
}

/// The response to a batch of one is an array of one.
async fn batch_of_one(stage: &mut Stage<'_>) {
    const GROUPED: &str = "base.batch.response-grouping";
    let id = stage.talk.fresh_id();
    let outgoing =
        Outgoing { id: Some(id.clone()), ..Outgoing::bytes(json!([request(&id, "ping")]).to_string()) };
    let seen = stage.provoke(outgoing).await;
    let streamed = stage.transport() == Transport::Http
        && stage.talk.head(&seen.ticket).await.is_ok_and(|head| head.is_event_stream());
    if seen.reply.result().is_some() && !streamed && !in_array(&seen.reply) {
        let text = "the response to a batch of one request is no array";
        let breach = breach("one", text, &seen.ticket, &seen.reply).quality();
        stage.judge.broke(GROUPED, breach.expected(&["an array with one response"]));
    }
}

async fn empty_array(stage: &mut Stage<'_>) {
    const ID: &str = "base.batch.empty-array-refused";
    let seen = stage.provoke(Outgoing::bytes("[]")).await;
    let wrong = |class: &str| {
        breach(class, "an empty array was not answered with a single error", &seen.ticket, &seen.reply)
            .expected(&["one error object with code -32600", "HTTP 4xx"])
    };
    match &seen.reply {
        Reply::Gone(_) => stage.judge.undecided(ID, "gone", seen.reply.describe()),
        reply if in_array(reply) => stage.judge.broke(ID, wrong("array").actual("an array")),
        Reply::Error(answer) | Reply::Unmatched(answer) if answer.message.error().is_some() => {
            match answer.message.error_code() {
                Some(-32600) => stage.judge.held(ID),
                _ => stage.judge.broke(ID, wrong("other-code").quality()),
            }
        }
        Reply::NoMessage(head) if (400..500).contains(&head.status) => stage.judge.held(ID),
        Reply::NoMessage(head) if head.status >= 500 => {
            stage.judge.undecided(ID, "server-error", seen.reply.describe());
        }
        Reply::Silence(_) => stage.judge.broke(ID, wrong("silence").quality().actual("nothing")),
        _ => stage.judge.broke(ID, wrong("accepted")),
    }
}

async fn nothing_to_answer(stage: &mut Stage<'_>) {
    const ID: &str = "base.batch.no-empty-response";
    let told = |id: &str| {
        let params = json!({"requestId": id, "reason": "none"});
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
    };
    let batch = json!([told("mcprove-never-sent-1"), told("mcprove-never-sent-2")]);
    let seen = stage.provoke(Outgoing::bytes(batch.to_string())).await;
    // An empty array itself is told by the monitor, wherever it comes.
    match &seen.reply {
        Reply::Silence(_) if seen.survived() => stage.judge.held(ID),
        Reply::NoMessage(head) if head.status < 300 => stage.judge.held(ID),
        Reply::Unmatched(answer) if answer.message.error().is_some() => stage.judge.held(ID),
        other => stage.judge.undecided(ID, "no-answer", other.describe()),
    }
}

async fn invalid_element(stage: &mut Stage<'_>) {
    const ID: &str = "base.batch.invalid-element";
    let id = stage.talk.fresh_id();
    let batch = json!([1, request(&id, "ping")]);
    let outgoing = Outgoing { id: Some(id), ..Outgoing::bytes(batch.to_string()) };
    let seen = stage.provoke(outgoing).await;
    match &seen.reply {
        Reply::Result(_) => stage.judge.held(ID),
        Reply::Gone(_) => stage.judge.undecided(ID, "gone", seen.reply.describe()),
        _ => stage.judge.broke(
            ID,
            breach(
                "all-refused",
                "a valid request beside an invalid one was not served",
                &seen.ticket,
                &seen.reply,
            )
            .quality()
            .expected(&["the result of the ping, and an error for the other element"]),
        ),
    }
}

async fn initialize_is_no_part_of_a_batch(solo: &mut Solo<'_>) {
    const ID: &str = "base.batch.initialize-refused";
    if !solo.revision.has_batches() {
        return;
    }
    let Ok(mut opened) = solo.open(Some(Revision::V2025_03_26)).await else {
        return solo.judge.undecided(ID, "no-conversation", "a further conversation could not be opened");
    };
    let talk = &mut opened.talk;
    let (id, ping) = (talk.fresh_id(), talk.fresh_id());
    let mut initialize = request(&id, "initialize");
    initialize["params"] = json!({
        "protocolVersion": Revision::V2025_03_26.as_str(),
        "capabilities": {},
        "clientInfo": {"name": "mcprove", "version": env!("CARGO_PKG_VERSION")},
    });
    let batch = json!([initialize, request(&ping, "ping")]);
    let outgoing = Outgoing { id: Some(id), ..Outgoing::bytes(batch.to_string()) };
    let ticket = talk.send(outgoing.deliberate(solo.name, Taint::Conversation)).await;
    // A ping may come before `initialize`; once it is answered, nothing more is to be expected.
    let alone = talk.fresh_id();
    let alone = talk.send(Outgoing::message(&request(&alone, "ping"))).await;
    let mut patience = 4;
    let deadline = Instant::now() + FIRST.min(talk.timeouts().startup);
    let reply = loop {
        let reply = talk.reply_within(&ticket, LOOK).await;
        let Reply::Silence(_) = reply else { break reply };
        // An error without an id, on stdio.
        let error = talk.heard_since(ticket.since).into_iter().find(|heard| heard.message.error().is_some());
        if let Some(heard) = error {
            break Reply::Unmatched(Answer { message: heard.message, record: heard.record, http: None });
        }
        let answered = !matches!(talk.reply_within(&alone, Duration::ZERO).await, Reply::Silence(_));
        patience -= i32::from(answered);
        if patience <= 0 || Instant::now() > deadline {
            break reply;
        }
    };
    match &reply {
        Reply::Result(_) => solo.judge.broke(
            ID,
            breach("served", "an `initialize` inside a batch was served", &ticket, &reply)
                .quality()
                .expected(&["an error", "HTTP 4xx"])
                .pointer("/result"),
        ),
        reply if reply.is_refusal() => solo.judge.held(ID),
        reply => {
            solo.judge.undecided(ID, "no-answer", format!("no usable answer came: {}", reply.describe()));
        }
    }
    solo.close(opened).await;
}
