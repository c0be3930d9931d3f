//! Cancellation under test (basic/utilities/cancellation; in 2026-07-28 basic/patterns/cancellation).

use super::errands::give_up;
use super::probe::probes;
use super::provoke::refuses_a_post;
use super::{Call, Cancelled, Stage, breach};
use crate::client::{Outgoing, Reply};
use crate::protocol::{Era, Id, Transport};
use serde_json::{Value, json};
use std::ops::Range;
use std::time::Duration;
use tokio::time::Instant;

/// How long an answer to what was cancelled is waited for, once nothing keeps it back any more.
const LATE: Duration = Duration::from_millis(100);
/// The longest that a call is waited for that may go on although it was cancelled.
const GOES_ON: Duration = Duration::from_millis(2500);
/// How often a request is cancelled as soon as it is sent.
const OFTEN: usize = 10;
/// A call that takes as long can be cancelled while another one runs.
const SLOW: Range<Duration> = Duration::from_millis(35)..Duration::from_millis(400);
/// What a slow call may take longer beside others.
const BESIDE: Duration = Duration::from_millis(500);

probes! {
    /// Looks at the calls that were cancelled at the end of the clean part, half a second later, or when more would have
    /// come of them (two and a half seconds at most): no response has come, and no progress. Where the server had asked for something meanwhile, it gets its answers only now: nothing keeps
    /// the call from its end any more, and answers that come too late are passed over.
    cancelled_calls_stay_silent (Breaking, Both, Any) decides [
        "cancellation.no-response", "cancellation.stops-work", "cancellation.no-further-messages",
        "cancellation.sent.late-response-ignored", "cancellation.sent.own-direction", "cancellation.sent.in-progress",
        "cancellation.sent.shape",
    ];
    /// Cancels requests that there never were, one that was answered, and sends cancellations without `params`, with an
    /// object as `requestId`, with null. None of it is answered or does harm: cancellations cross with what they cancel,
    /// so that a server sees them too late all the time.
    odd_cancellations_are_passed_over (Breaking, Both, Any) decides [
        "cancellation.unknown-id-ignored", "cancellation.completed-id-ignored", "cancellation.malformed-ignored",
    ];
    /// Cancels ten requests as soon as they are sent, one of them twice (in 2026-07-28 over HTTP: closes their streams),
    /// and sends another one beside each: the other is answered, and the server goes on. Then calls a slow tool that only reads
    /// twice at once and cancels one of the calls: the other has its result. A further one goes on although its id was
    /// cancelled as a text, where it is a number.
    races_do_no_harm (Breaking, Both, Any) decides [
        "cancellation.race-handled", "cancellation.others-unaffected", "cancellation.unknown-id-ignored",
    ];
}

/// Whether closing the response is what cancels a request here.
fn by_closing(stage: &Stage<'_>) -> bool {
    stage.era() == Era::Modern && stage.transport().is_http()
}

async fn cancelled_calls_stay_silent(stage: &mut Stage<'_>) {
    const RESPONSE: &str = "cancellation.no-response";
    const WORK: &str = "cancellation.stops-work";
    const FURTHER: &str = "cancellation.no-further-messages";
    let cancelled = std::mem::take(&mut stage.offer.cancelled);
    if by_closing(stage) {
        let text = "over HTTP nothing can come for a request whose stream is closed";
        for id in [RESPONSE, WORK] {
            stage.judge.undecided(id, "closed", text);
        }
        return;
    }
    let first = cancelled.iter().map(|call| call.since).min().unwrap_or_else(|| stage.talk.now());
    let withdrawn = stage
        .talk
        .heard_since(first)
        .iter()
        .any(|heard| heard.message.method() == Some("notifications/cancelled"));
    let held = stage.talk.release_answers();
    if cancelled.is_empty() {
        for id in [RESPONSE, WORK, FURTHER] {
            let text = "no tool that may be called takes long enough to be cancelled";
            stage.judge.undecided(id, "no-slow-call", text);
        }
        return;
    }
    let now = Instant::now();
    let due =
        cancelled.iter().filter_map(|call| call.due).map(|due| due.saturating_duration_since(now)).max();
    stage.talk.idle(due.unwrap_or_default().clamp(LATE, GOES_ON)).await;
    for call in &cancelled {
        judge_silence(stage, call);
    }
    if !withdrawn || held == 0 {
        return;
    }
    const LATE_ANSWER: &str = "cancellation.sent.late-response-ignored";
    let alive = stage.talk.canary().await;
    stage.judge.decide(LATE_ANSWER, alive.result().is_some(), || {
        let text = "after an answer to a request that the server had cancelled, it no longer answers";
        crate::monitors::Breach::new("harm", text).expected(&["an answer passed over"]).reply(&alive)
    });
}

fn judge_silence(stage: &mut Stage<'_>, call: &Cancelled) {
    let strict = stage.era() == Era::Modern && stage.transport() == Transport::Stdio;
    let (mut answered, mut progress) = (false, false);
    for heard in stage.talk.heard_since(call.since) {
        answered |= heard.message.is_response() && heard.message.id() == call.ticket.id.as_ref();
        let token = heard.message.params().and_then(|params| params.get("progressToken"));
        progress |= token.is_some() && token == call.progressed.as_ref();
    }
    // What came is for the monitors to judge: it may have crossed the cancellation.
    if answered || progress {
        return;
    }
    // A call that went on would have come to its end by now, or have made progress.
    let ended = call.due.is_some_and(|due| due <= Instant::now());
    let stopped = call.progressed.is_some() && (ended || call.due.is_none());
    if call.asked || stopped || ended {
        stage.judge.held("cancellation.no-response");
        if strict {
            stage.judge.held("cancellation.no-further-messages");
        }
    }
    if stopped {
        stage.judge.held("cancellation.stops-work");
    }
}

async fn odd_cancellations_are_passed_over(stage: &mut Stage<'_>) {
    const UNKNOWN: &str = "cancellation.unknown-id-ignored";
    const COMPLETED: &str = "cancellation.completed-id-ignored";
    const MALFORMED: &str = "cancellation.malformed-ignored";
    let over = stage.talk.fresh_id();
    let method = stage.harmless();
    let params = stage.talk.params(json!({}));
    let done = stage.talk.exchange(Outgoing::request(&over, method, params)).await;
    let over: Value = serde_json::from_str(over.as_json()).unwrap_or_default();
    let mut cases = vec![
        (UNKNOWN, "string", json!({"requestId": "mcprove-no-such-request", "reason": "mcprove"})),
        (UNKNOWN, "number", json!({"requestId": 987_654_321})),
        (MALFORMED, "no-params", Value::Null),
        (MALFORMED, "no-id", json!({"reason": "mcprove"})),
        (MALFORMED, "object", json!({"requestId": {"a": 1}})),
        (MALFORMED, "null", json!({"requestId": null})),
        (
            MALFORMED,
            "reason",
            json!({"requestId": "mcprove-no-such-request", "reason": 7, "mcproveUnknown": {}}),
        ),
    ];
    if done.result().is_some() {
        cases.push((COMPLETED, "completed", json!({"requestId": over})));
    }
    let cases: Vec<_> = cases
        .into_iter()
        .map(|(id, class, params)| {
            let params = if params.is_null() { None } else { stage.talk.params(params) };
            (id, class, Outgoing::notification("notifications/cancelled", params))
        })
        .collect();
    // All at once: where nothing comes of any, each of them was passed over.
    if stage.none_is_answered(cases.iter().map(|(.., outgoing)| outgoing)).await {
        return cases.iter().for_each(|(id, ..)| stage.judge.held(id));
    }
    for (id, class, outgoing) in cases {
        let provoked = stage.provoke(outgoing).await;
        let seen = |class: &str, text: &str| {
            breach(class, text, &provoked.ticket, &provoked.reply).expected(&["no answer, and no harm"])
        };
        if !provoked.survived() {
            let text = "after a cancellation that cancels nothing, a valid request was not answered";
            stage.judge.broke(id, seen(class, text).reply(&provoked.barrier));
        } else if provoked.reply.answer().is_some_and(|answer| !refuses_a_post(answer)) {
            stage.judge.broke(id, seen(class, "a cancellation that cancels nothing was answered"));
        } else {
            stage.judge.held(id);
        }
        if stage.talk.gone().is_some() {
            return;
        }
    }
}

async fn races_do_no_harm(stage: &mut Stage<'_>) {
    const RACE: &str = "cancellation.race-handled";
    const OTHERS: &str = "cancellation.others-unaffected";
    let method = stage.harmless();
    let mut others = Vec::new();
    for round in 0..OFTEN {
        let params = stage.talk.params(json!({}));
        let id: Id = stage.talk.fresh_id();
        let ticket = stage.talk.send(Outgoing::request(&id, method, params)).await;
        let other = stage.talk.compose(method, json!({}));
        others.push(stage.talk.send(other).await);
        if by_closing(stage) {
            stage.talk.abort(&ticket).await;
            continue;
        }
        let id: Value = serde_json::from_str(id.as_json()).unwrap_or_default();
        for _ in 0..=usize::from(round == 0) {
            stage.talk.notify("notifications/cancelled", json!({"requestId": id, "reason": "mcprove"})).await;
        }
    }
    let mut lost = None;
    for ticket in others {
        let reply = stage.talk.reply(&ticket).await;
        if reply.result().is_none() {
            lost.get_or_insert((ticket, reply));
        }
        if stage.talk.gone().is_some() {
            break;
        }
    }
    let alive = stage.talk.canary().await;
    if alive.result().is_none() {
        let text = "after requests were cancelled as soon as they were sent, a valid one is not answered";
        stage
            .judge
            .broke(RACE, crate::monitors::Breach::new("harm", text).expected(&["a result"]).reply(&alive));
        return;
    }
    stage.judge.held(RACE);
    match lost {
        None => stage.judge.held(OTHERS),
        Some((ticket, reply @ (Reply::Error(_) | Reply::Silence(_)))) => {
            let text = "a request got no result because another one was cancelled";
            stage.judge.broke(OTHERS, breach("lost", text, &ticket, &reply).expected(&["a result"]));
        }
        Some(_) => {}
    }
    slow_call_beside_a_cancelled_one(stage, OTHERS).await;
    if !by_closing(stage) {
        slow_call_whose_likeness_is_cancelled(stage, "cancellation.unknown-id-ignored").await;
    }
}

/// A tool that only reads and takes its time: the call of the tour that was over first.
fn slow_call(stage: &Stage<'_>) -> Option<Call> {
    let reads = |call: &&Call| {
        let tool = stage.offer.tools.iter().find(|tool| tool["name"] == call.tool.as_str());
        tool.is_some_and(|tool| tool.pointer("/annotations/readOnlyHint") == Some(&Value::Bool(true)))
    };
    let plain = stage.offer.calls.iter().filter(|call| call.succeeded() && !call.asked_for_input);
    plain.filter(|call| SLOW.contains(&call.took)).filter(reads).min_by_key(|call| call.took).cloned()
}

/// A slow call, and a cancellation of its id in another JSON type, which is the id of nothing: the call goes on.
async fn slow_call_whose_likeness_is_cancelled(stage: &mut Stage<'_>, id: &'static str) {
    let Some(call) = slow_call(stage) else { return };
    let params = json!({"name": call.tool, "arguments": call.arguments});
    let outgoing = stage.compose_call(params);
    let ticket = stage.talk.send(outgoing).await;
    let Some(number) = ticket.id.as_ref().map(|id| id.as_json().to_owned()) else { return };
    stage.talk.idle(SLOW.start / 4).await;
    stage.talk.notify("notifications/cancelled", json!({"requestId": number})).await;
    let reply = stage.talk.reply_within(&ticket, call.took * 4 + BESIDE).await;
    match reply {
        Reply::Result(_) => stage.judge.held(id),
        Reply::Silence(_) | Reply::NoMessage(_) if stage.talk.gone().is_none() => {
            let text = "a call with a number as its id was cancelled by a text with the same digits";
            stage.judge.broke(id, breach("other-type", text, &ticket, &reply).expected(&["a result"]));
        }
        _ => {}
    }
}

/// Two slow calls of a tool that only reads, of which one is cancelled: the other one goes on.
async fn slow_call_beside_a_cancelled_one(stage: &mut Stage<'_>, id: &'static str) {
    let Some(call) = slow_call(stage) else { return };
    let params = json!({"name": call.tool, "arguments": call.arguments});
    let patience = call.took * 4 + BESIDE;
    let beside = async |stage: &mut Stage<'_>, cancel: bool| {
        let mut tickets = Vec::new();
        for _ in 0..2 {
            let outgoing = stage.compose_call(params.clone());
            tickets.push(stage.talk.send(outgoing).await);
        }
        let [first, second] = [tickets[0].clone(), tickets[1].clone()];
        if cancel {
            stage.talk.idle(SLOW.start / 4).await;
            give_up(stage, &first).await;
        } else {
            stage.talk.reply_within(&first, patience).await;
        }
        let reply = stage.talk.reply_within(&second, patience).await;
        (second, reply)
    };
    let (ticket, reply) = beside(stage, true).await;
    match reply {
        Reply::Result(_) => stage.judge.held(id),
        // A server may let nobody make two such calls at once.
        Reply::Error(_) | Reply::Silence(_) if beside(stage, false).await.1.result().is_some() => {
            let text = "a slow call got no result because another one was cancelled";
            stage.judge.broke(id, breach("slow-lost", text, &ticket, &reply).expected(&["a result"]));
        }
        _ => {}
    }
}
