//! A second round over the tools, in which everything is watched: changes are listened to, logs are wanted from `error`
//! upwards, what the server asks is not answered, and what takes long is cancelled.

use super::errands::give_up;
use super::lists::declares;
use super::probe::probes;
use super::round_cancelled::cancel;
use super::round_told::{
    contents, each_is_told, fetch_lists, judge_updates, subscribe, unsubscribe, watched,
};
use super::variety::call_otherwise;
use super::{Call, Stage};
use crate::client::{Outgoing, Reply, Ticket};
use crate::monitors::Breach;
use crate::protocol::Era;
use crate::transcript::Record;
use crate::wire::Event;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";

/// How many tools are called again, and how many at once.
const MOST_CALLS: usize = 80;
const AT_ONCE: usize = 8;
/// A tool that took longer is called again only to see what it tells meanwhile, and to be cancelled.
const QUICK: Duration = Duration::from_millis(400);
/// A tool that took longer than this is not called again at all.
const SLOW: Duration = Duration::from_secs(3);
/// How long the calls that are under way at once are waited for.
pub(super) const PATIENCE: Duration = Duration::from_millis(600);
/// How long what was changed may take to be told.
pub(super) const TOLD: Duration = Duration::from_millis(60);
/// How long after something was subscribed to a first update may come.
const LATE: Duration = Duration::from_millis(400);
/// How many calls are made to take long, and how many slow tools are called again.
pub(super) const MOST_SLOW: usize = 2;

probes! {
    /// Calls the quick tools of the tour once more, those that may change something with other arguments, too, and two slow
    /// ones that logged or made progress. Before that it subscribes to every change that the server declares
    /// and to five listed resources, sets the log level `error`, and holds answers to the server's own requests back.
    /// Lists and resources are read before and after: what changed has to be told, and no longer after the end of the
    /// subscription. Calls that wait for an answer, calls of slow tools, and calls with larger numbers that report
    /// progress are cancelled; what comes of that is judged half a second later.
    everything_is_watched (Clean, Both, Any) decides [
        "resources.subscribe.update-delivered", "resources.unsubscribe.stops-updates",
        "tools.list-changed.sent", "prompts.list-changed.sent", "resources.list-changed.sent",
        "logging.level.filters", "logging.level.delivers", "logging.level.none-without",
        "logging.message.before-response", "logging.message.own-stream-only", "logging.message.not-on-listen",
        "progress.notification.known-token", "progress.notification.in-progress-only",
        "progress.notification.own-stream", "progress.value.increases", "progress.stops-after-completion",
        "subscriptions.listen.supported", "subscriptions.listen.sse-answer", "subscriptions.listen.stays-open",
        "subscriptions.listen.concurrent", "subscriptions.filter.only-requested-types",
        "subscriptions.filter.false-or-omitted", "subscriptions.filter.no-unsolicited-changes",
        "subscriptions.ack.sent", "subscriptions.ack.first", "subscriptions.ack.nothing-before",
        "subscriptions.ack.shape", "subscriptions.ack.subset", "subscriptions.ack.omits-unsupported",
        "subscriptions.ack.includes-advertised", "subscriptions.id-tag.present", "subscriptions.id-tag.value",
        "subscriptions.end.client-cancel-stdio", "cancellation.sent.only-for-listen",
    ];
}

/// A call of the second round.
pub(super) struct Again {
    pub(super) call: Call,
    pub(super) ticket: Ticket,
    pub(super) token: Value,
    pub(super) over: bool,
}

async fn everything_is_watched(stage: &mut Stage<'_>) {
    let began = stage.talk.now();
    let uris = watched(stage);
    let before = contents(stage, &uris).await;
    let stable = contents(stage, &uris).await;
    let logs_before = severe_logs(stage, 0);
    let (subscriptions, accepted) = subscribe(stage, &uris).await;
    let subscribed = stage.talk.now();
    let first_update = Instant::now() + LATE;
    if stage.era() == Era::Legacy && declares(stage.talk, "logging") {
        stage.request("logging/setLevel", json!({"level": "error"})).await;
    }
    fetch_lists(stage).await;
    stage.talk.hold_answers(stage.era() == Era::Legacy);
    let quiet = stage.talk.now();
    let slow = call_slow(stage).await;
    let calls = call_again(stage).await;
    stage.talk.idle(TOLD).await;
    await_slow(stage, slow).await;
    let logs = severe_logs(stage, quiet);
    if !subscriptions.is_empty() {
        call_a_talkative_one(stage).await;
    }
    call_otherwise(stage).await;
    stage.talk.idle(TOLD).await;
    if !accepted.is_empty() {
        stage.talk.idle(first_update.saturating_duration_since(Instant::now())).await;
    }
    fetch_lists(stage).await;
    let after = contents(stage, &uris).await;
    judge_updates(stage, subscribed, &accepted, &[before, stable, after]).await;
    each_is_told(stage, &subscriptions, subscribed).await;
    // Only where all that logged before was called again.
    if calls.len() == stage.offer.calls.iter().filter(|call| call.result.is_some()).count() {
        judge_logs(stage, logs_before, logs, quiet, &calls).await;
    }
    unsubscribe(stage, subscriptions, &accepted, subscribed, &calls).await;
    cancel(stage, began, calls).await;
    stage.talk.hold_answers(false);
}

/// How many log messages of `error` or above came since a position.
fn severe_logs(stage: &mut Stage<'_>, since: u64) -> usize {
    let severe = |level: &str| matches!(level, "error" | "critical" | "alert" | "emergency");
    let heard = stage.talk.heard_since(since);
    heard
        .iter()
        .filter(|heard| heard.message.method() == Some("notifications/message"))
        .filter_map(|heard| heard.message.params()?.get("level")?.as_str())
        .filter(|level| severe(level))
        .count()
}

/// Judges whether what was called again logged its errors again.
async fn judge_logs(stage: &mut Stage<'_>, before: usize, again: usize, since: u64, calls: &[Again]) {
    const ID: &str = "logging.level.delivers";
    if stage.era() != Era::Legacy || before == 0 {
        return;
    }
    if again > 0 {
        return stage.judge.held(ID);
    }
    // Others may have logged before, such as calls that failed: do these, when everything is asked for?
    stage.request("logging/setLevel", json!({"level": "debug"})).await;
    let open = stage.talk.now();
    for again in calls.iter().filter(|again| again.over) {
        let params = json!({"name": again.call.tool, "arguments": again.call.arguments});
        stage.request("tools/call", params).await;
    }
    let there = severe_logs(stage, open);
    stage.request("logging/setLevel", json!({"level": "error"})).await;
    if there == 0 {
        return stage.judge.undecided(ID, "no-logs", "the tools that were called again log no errors");
    }
    stage.judge.broke(
        ID,
        Breach::new("none", "tools that logged errors at the level `debug` log none at the level `error`")
            .quality()
            .expected(&["the messages of `error` and above that come at the level `debug`"])
            .actual(format!("{there} at `debug`, none at `error`"))
            .sent(since),
    );
}

/// A request that calls a tool with a progress token.
pub(super) fn compose(
    stage: &mut Stage<'_>,
    tool: &str,
    arguments: &Value,
    token: &Value,
    logs: bool,
) -> Outgoing {
    let mut meta = json!({"progressToken": token});
    if logs {
        meta[LOG_LEVEL] = json!("error");
    }
    let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
    stage.compose_call(params)
}

pub(super) fn schema(stage: &Stage<'_>, tool: &str) -> Option<Value> {
    stage.offer.tools.iter().find(|known| known["name"] == tool)?.get("inputSchema").cloned()
}

/// Calls the quick tools of the tour again. Those that wait for an answer of ours stay open.
async fn call_again(stage: &mut Stage<'_>) -> Vec<Again> {
    let logs = stage.era() == Era::Modern && declares(stage.talk, "logging");
    let quick = |call: &&Call| call.result.is_some() && !call.asked_for_input && call.took < QUICK;
    let mut known: Vec<Call> = stage.offer.calls.iter().filter(quick).cloned().collect();
    known.sort_by_key(|call| call.took);
    known.truncate(MOST_CALLS);
    let mut calls: Vec<Again> = Vec::new();
    for (index, some) in known.chunks(AT_ONCE).enumerate() {
        let from = calls.len();
        for (at, call) in some.iter().enumerate() {
            let number = index * AT_ONCE + at;
            // Of the other type than in the tour: a server that makes one of the other is seen by every tool.
            let token =
                if call.token.is_string() { json!(2000 + number) } else { json!(format!("round-{number}")) };
            let outgoing = compose(stage, &call.tool, &call.arguments, &token, logs && at % 2 == 0);
            let ticket = stage.talk.send(outgoing).await;
            calls.push(Again { call: call.clone(), ticket, token, over: false });
        }
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && stage.talk.gone().is_none() {
            let mut waiting = 0;
            for again in calls[from..].iter_mut().filter(|again| !again.over) {
                let mut reply = stage.talk.reply_within(&again.ticket, Duration::from_millis(2)).await;
                // A stream that ended early is taken up again, which takes its time.
                if matches!(&reply, Reply::NoMessage(head) if head.status < 300) {
                    reply = stage.talk.reply_within(&again.ticket, PATIENCE).await;
                }
                again.over = !matches!(reply, Reply::Silence(_));
                waiting += usize::from(!again.over);
            }
            let open = calls.iter().filter(|again| !again.over).count();
            // What is still open waits for us.
            if waiting == 0 || open <= stage.talk.held_answers() {
                break;
            }
        }
    }
    calls
}

/// The slow tools that logged or made progress in the tour.
fn slow_talkers(stage: &mut Stage<'_>) -> Vec<Call> {
    let heard = stage.talk.heard_since(0);
    let told = |call: &Call, sent: Duration| {
        heard.iter().filter(|heard| heard.record.at > sent && heard.record.at < sent + call.took).any(
            |heard| {
                let token = heard.message.params().and_then(|params| params.get("progressToken"));
                heard.message.method() == Some("notifications/message") || token == Some(&call.token)
            },
        )
    };
    let records = stage.talk.recorder().snapshot();
    let sent = |call: &Call| {
        let carries = |record: &&Arc<Record>| match &record.event {
            Event::Sent { payload, .. } => payload.message().is_some_and(|message| {
                let token = message.params().and_then(|params| params.pointer("/_meta/progressToken"));
                message.method() == Some("tools/call") && token == Some(&call.token)
            }),
            _ => false,
        };
        records.iter().find(carries).map(|record| record.at)
    };
    let mut calls: Vec<Call> =
        slow(stage).filter(|call| sent(call).is_some_and(|at| told(call, at))).cloned().collect();
    calls.truncate(MOST_SLOW);
    calls
}

/// The calls of the tour that took long, within limits. Where the server asked for something meanwhile it need not have
/// been for them.
pub(super) fn slow<'a>(stage: &'a Stage<'_>) -> impl Iterator<Item = &'a Call> {
    let within = QUICK..SLOW;
    let plain = |call: &Call| call.succeeded() && !call.asked_for_input;
    stage.offer.calls.iter().filter(move |call| plain(call) && within.contains(&call.took))
}

/// Calls slow tools again, without progress tokens: logs come from `error` upwards, and no progress.
async fn call_slow(stage: &mut Stage<'_>) -> Vec<(Ticket, Instant)> {
    let logs = stage.era() == Era::Modern && declares(stage.talk, "logging");
    let mut tickets = Vec::new();
    for call in slow_talkers(stage) {
        let mut params = json!({"name": call.tool, "arguments": call.arguments});
        if logs {
            params["_meta"] = json!({LOG_LEVEL: "error"});
        }
        let outgoing = stage.compose_call(params);
        let until = Instant::now() + call.took * 3 / 2;
        tickets.push((stage.talk.send(outgoing).await, until));
    }
    tickets
}

/// Calls a slow tool that logged or made progress with all that it may say, so that it shows where that goes while there are
/// subscriptions.
async fn call_a_talkative_one(stage: &mut Stage<'_>) {
    let Some(call) = slow_talkers(stage).into_iter().min_by_key(|call| call.took) else { return };
    let mut meta = json!({"progressToken": "talkative"});
    if declares(stage.talk, "logging") {
        meta[LOG_LEVEL] = json!("debug");
    }
    let params = json!({"name": call.tool, "arguments": call.arguments, "_meta": meta});
    let outgoing = stage.compose_call(params);
    let until = Instant::now() + call.took * 3 / 2;
    let ticket = stage.talk.send(outgoing).await;
    await_slow(stage, vec![(ticket, until)]).await;
}

/// Waits for slow calls to come to their end.
async fn await_slow(stage: &mut Stage<'_>, calls: Vec<(Ticket, Instant)>) {
    for (ticket, until) in calls {
        let wait = until.saturating_duration_since(Instant::now());
        if let Reply::Silence(_) = stage.talk.reply_within(&ticket, wait).await {
            give_up(stage, &ticket).await;
        }
    }
}
