//! The calls of the second round that are cancelled: what waits for an answer, and what is made to take long.

use super::round::{Again, MOST_SLOW, PATIENCE, compose, schema, slow};
use super::{Call, Cancelled, Stage};
use crate::client::{Heard, Reply, Ticket};
use crate::generate::larger;
use crate::protocol::Era;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long a call that makes no progress runs before it is cancelled.
const UNDER_WAY: Duration = Duration::from_millis(100);
/// What comes this soon after a cancellation may have crossed it.
const CROSSING: Duration = Duration::from_millis(500);
/// A call that takes longer goes on for a while when it is cancelled, without larger numbers.
const LONG: Duration = Duration::from_millis(800);

/// Cancels what waits for an answer of ours, and calls that are made to take long.
pub(super) async fn cancel(stage: &mut Stage<'_>, began: u64, calls: Vec<Again>) {
    let mut reported: Vec<Call> = Vec::new();
    for heard in stage.talk.heard_since(began) {
        let token = heard.message.params().and_then(|params| params.get("progressToken"));
        let Some(token) = token.filter(|_| heard.message.method() == Some("notifications/progress")) else {
            continue;
        };
        if let Some(again) = calls.iter().find(|again| again.over && again.token == *token)
            && !reported.iter().any(|call| call.tool == again.call.tool)
        {
            reported.push(again.call.clone());
        }
    }
    let asking = stage.talk.held_answers() > 0;
    for again in calls.into_iter().filter(|again| !again.over && asking) {
        stop(stage, again.ticket, again.call.tool, None, true, None).await;
    }
    // What has larger numbers and tells how far it is shows more than what is slow as it is.
    let mut long: Vec<(Call, Value, Duration)> = Vec::new();
    for call in slow(stage).chain(&reported) {
        let raised =
            schema(stage, &call.tool).and_then(|schema| larger(&call.tool, &schema, &call.arguments));
        match raised.filter(|_| call.took < LONG) {
            Some(arguments) => long.push((call.clone(), arguments, PATIENCE)),
            None if call.took >= LONG => long.push((call.clone(), call.arguments.clone(), UNDER_WAY)),
            None => {}
        }
    }
    long.truncate(MOST_SLOW);
    let mut running = Vec::new();
    for (call, arguments, patience) in long {
        let token = json!(format!("slow-{}", call.tool));
        let outgoing = compose(stage, &call.tool, &arguments, &token, false);
        let ticket = stage.talk.send(outgoing).await;
        let (began, as_it_was) = (Instant::now(), call.arguments == arguments);
        running.push(Running { call, token, ticket, began, until: began + patience, as_it_was });
    }
    while !running.is_empty() {
        stage.talk.idle(Duration::from_millis(5)).await;
        for call in std::mem::take(&mut running) {
            if !matches!(stage.talk.reply_within(&call.ticket, Duration::ZERO).await, Reply::Silence(_)) {
                continue;
            }
            let steps = call.steps(stage);
            if steps.len() < 2 && Instant::now() < call.until {
                running.push(call);
                continue;
            }
            // The time between two steps tells when the next one would come.
            let due = match steps.as_slice() {
                [.., before, last] => Some(Instant::now() + CROSSING + last.saturating_sub(*before) * 2),
                _ if call.as_it_was => Some(call.began + call.call.took + CROSSING),
                _ => None,
            };
            let progressed = (!steps.is_empty()).then_some(call.token);
            stop(stage, call.ticket, call.call.tool, progressed, false, due).await;
        }
    }
}

/// A call that takes long.
struct Running {
    call: Call,
    token: Value,
    ticket: Ticket,
    began: Instant,
    /// When it is cancelled at the latest.
    until: Instant,
    /// Whether its arguments are those of the tour.
    as_it_was: bool,
}

impl Running {
    /// When it told of progress.
    fn steps(&self, stage: &mut Stage<'_>) -> Vec<Duration> {
        let heard = stage.talk.heard_since(self.ticket.since);
        let token = |heard: &Heard| heard.message.params()?.get("progressToken").cloned();
        heard
            .iter()
            .filter(|heard| token(heard).as_ref() == Some(&self.token))
            .map(|heard| heard.record.at)
            .collect()
    }
}

/// Cancels a call that runs.
async fn stop(
    stage: &mut Stage<'_>,
    ticket: Ticket,
    tool: String,
    progressed: Option<Value>,
    asked: bool,
    due: Option<Instant>,
) {
    if stage.era() == Era::Modern && stage.transport().is_http() {
        stage.talk.abort(&ticket).await;
    } else if let Some(id) =
        ticket.id.as_ref().and_then(|id| serde_json::from_str::<Value>(id.as_json()).ok())
    {
        stage
            .talk
            .notify("notifications/cancelled", json!({"requestId": id, "reason": "no longer needed"}))
            .await;
    }
    // What crosses the cancellation comes at once.
    stage.talk.idle(Duration::from_millis(20)).await;
    let since = stage.talk.now();
    stage.offer.cancelled.push(Cancelled { ticket, tool, since, progressed, asked, due });
}
