//! Batches under test: 2025-03-26 has them, no other revision has (basic/index#batching).

use super::probe::{breach, probes};
use super::{Solo, Stage};
use crate::client::{Outgoing, Reply, Ticket};
use crate::monitors::Breach;
use crate::protocol::{Id, Kind, Revision, Transport};
use crate::wire::{Event, Payload, Taint};
use serde_json::{Value, json};
use std::time::Duration;

probes! {
    /// In 2025-03-26 sends an array of two pings and a notification. Both pings must be answered, once each, and the
    /// notification not at all: receiving batches is a duty of that revision. On stdio the answers come as one array;
    /// one line each is a warning.
    batches_are_served (Breaking, Legacy, Any) decides [
        "base.batch.received",
        "base.batch.response-grouping",
        "base.batch.one-response-per-request",
        "http.sse.batch-responses-delivered",
    ];
    /// In 2025-03-26 sends an empty array (one error, no array), an array of two notifications (nothing comes back) and
    /// an array of the number 1 and a ping (the ping is served beside the error).
    odd_batches_are_taken_as_json_rpc_says (Breaking, Legacy, Any) decides [
        "base.batch.empty-array-refused",
        "base.batch.no-empty-response",
        "base.batch.invalid-element",
    ];
    /// In 2025-03-26 opens a conversation with an array of `initialize` and a ping. An error or HTTP 4xx passes; to
    /// serve the `initialize` is a warning: nothing else may be asked before it is answered.
    initialize_is_no_part_of_a_batch (Alone, Legacy, Any) decides ["base.batch.initialize-refused"];
}

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
    const RECEIVED: &str = "base.batch.received";
    const GROUPED: &str = "base.batch.response-grouping";
    const ONCE: &str = "base.batch.one-response-per-request";
    if !stage.revision.has_batches() {
        return;
    }
    let (first, second) = (stage.talk.fresh_id(), stage.talk.fresh_id());
    let unknown = json!({"requestId": "mcprove-never-sent", "reason": "none"});
    let told = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": unknown});
    let batch = json!([request(&first, "ping"), told, request(&second, "ping")]);
    let outgoing = Outgoing::bytes(batch.to_string()).deliberate(stage.name, Taint::Nothing);
    let ticket = stage.talk.send(outgoing).await;
    let (a, b) = (ticket_for(&first, &ticket), ticket_for(&second, &ticket));
    let one = stage.talk.reply_within(&a, stage.talk.timeouts().request).await;
    let wait = if one.result().is_some() { stage.talk.timeouts().request } else { Duration::ZERO };
    let other = stage.talk.reply_within(&b, wait).await;
    match (&one, &other) {
        (Reply::Result(_), Reply::Result(_)) => stage.judge.held(RECEIVED),
        (Reply::Gone(_), _) | (_, Reply::Gone(_)) => {
            for id in [RECEIVED, GROUPED, ONCE] {
                stage.judge.undecided(id, "gone", one.describe());
            }
            return;
        }
        _ => {
            let worse = if one.result().is_some() { &other } else { &one };
            stage.judge.broke(
                RECEIVED,
                breach("not-served", "a batch of two pings was not served", &ticket, worse)
                    .expected(&["a result for each ping, together or one by one"]),
            );
            for id in [GROUPED, ONCE] {
                stage.judge.undecided(id, "no-batches", "the server does not serve batches");
            }
            return;
        }
    }
    let (Some(one), Some(other)) = (one.answer(), other.answer()) else { return };
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
    let good = count(&first) == 1 && count(&second) == 1 && stray.is_none();
    stage.judge.decide(ONCE, good, || {
        let breach = Breach::new("other-number", "a batch was not answered with one response per request")
            .expected(&["one response for each of the two requests, none for the notification"])
            .actual(format!(
                "{} and {} responses, {} without an id",
                count(&first),
                count(&second),
                usize::from(stray.is_some())
            ))
            .sent(ticket.since);
        match stray {
            Some(stray) => breach.at(&stray.record),
            None => breach.in_answer(other),
        }
    });
}

async fn odd_batches_are_taken_as_json_rpc_says(stage: &mut Stage<'_>) {
    if !stage.revision.has_batches() {
        return;
    }
    empty_array(stage).await;
    nothing_to_answer(stage).await;
    invalid_element(stage).await;
}

/// Whether the event that carried a reply was an array.
fn in_array(reply: &Reply) -> bool {
    reply.answer().is_some_and(|answer| {
        matches!(&answer.record.event, Event::Received { payload: Payload::Message(message), .. }
            if *message.kind() == Kind::Batch)
    })
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
    let mut reply = talk.reply_within(&ticket, FIRST.min(talk.timeouts().startup)).await;
    if let Reply::Silence(_) = reply {
        // An error without an id, on stdio.
        let error = talk.heard_since(ticket.since).into_iter().find(|heard| heard.message.error().is_some());
        if let Some(heard) = error {
            let answer = crate::client::Answer { message: heard.message, record: heard.record, http: None };
            reply = Reply::Unmatched(answer);
        }
    }
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
            solo.judge.undecided(ID, "no-answer", format!("no usable answer came: {}", reply.describe()))
        }
    }
    solo.close(opened).await;
}
