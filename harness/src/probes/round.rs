//! A second round over the tools, in which everything is watched: changes are listened to, logs are wanted from `error`
//! upwards, what the server asks is not answered, and what takes long is cancelled.

use super::errands::give_up;
use super::lists::{LISTS, declares, listing};
use super::probe::probes;
use super::subscriptions::{Listening, Opened, end, listen, opened};
use super::variety::call_otherwise;
use super::{Call, Cancelled, Stage, breach};
use crate::client::{Heard, Outgoing, Reply, Ticket};
use crate::generate::larger;
use crate::monitors::Breach;
use crate::protocol::{Era, Id, Transport};
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
const PATIENCE: Duration = Duration::from_millis(600);
/// How many resources are watched.
const MOST_RESOURCES: usize = 5;
/// How long what was changed may take to be told.
const TOLD: Duration = Duration::from_millis(60);
/// How long the word of a change may take (POLICY section 3, item 9).
const DELIVERY: Duration = Duration::from_millis(500);
/// How long after something was subscribed to a first update may come.
const LATE: Duration = Duration::from_millis(400);
/// How many calls are made to take long, and how many slow tools are called again.
const MOST_SLOW: usize = 2;
/// How long a call that makes no progress runs before it is cancelled.
const UNDER_WAY: Duration = Duration::from_millis(100);
/// What comes this soon after a cancellation may have crossed it.
const CROSSING: Duration = Duration::from_millis(500);
/// A call that takes longer goes on for a while when it is cancelled, without larger numbers.
const LONG: Duration = Duration::from_millis(800);
/// How many tools are called a third time, because they seem to have changed something.
const MOST_TRIGGERS: usize = 4;

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
struct Again {
    call: Call,
    ticket: Ticket,
    token: Value,
    over: bool,
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

/// The URIs that are watched.
fn watched(stage: &Stage<'_>) -> Vec<String> {
    if !declares(stage.talk, "resources/subscribe") {
        return Vec::new();
    }
    let listed = stage.offer.first.get("resources/list");
    let changing: Vec<&str> = stage
        .offer
        .calls
        .iter()
        .flat_map(|call| call.arguments.as_object().into_iter().flat_map(|members| members.values()))
        .filter_map(Value::as_str)
        .collect();
    let mut uris: Vec<String> = listed.cloned().unwrap_or_default();
    // What tools were called with is more likely to change.
    uris.sort_by_key(|uri| !changing.contains(&uri.as_str()));
    uris.truncate(MOST_RESOURCES);
    uris
}

async fn contents(stage: &mut Stage<'_>, uris: &[String]) -> Vec<Option<Value>> {
    let mut tickets = Vec::new();
    for uri in uris {
        let outgoing = stage.talk.compose("resources/read", json!({"uri": uri}));
        tickets.push(stage.talk.send(outgoing).await);
    }
    let mut read = Vec::new();
    for ticket in tickets {
        let reply = stage.talk.reply(&ticket).await;
        read.push(reply.result().and_then(|result| result.get("contents")).cloned());
    }
    read
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

/// Fetches every list that may be announced as changed.
async fn fetch_lists(stage: &mut Stage<'_>) {
    for list in LISTS {
        let declared = declares(stage.talk, &format!("{}/listChanged", list.capability));
        if declared && stage.offer.listed.contains(&list.method) && list.method != "resources/templates/list"
        {
            listing(stage.talk, list).await;
        }
    }
}

/// Subscribes to everything: the subscriptions of 2026-07-28, or the resources one by one. With it the resources that
/// the server agreed to tell of.
async fn subscribe(stage: &mut Stage<'_>, uris: &[String]) -> (Vec<Listening>, Vec<String>) {
    if stage.era() == Era::Modern {
        let from = stage.talk.now();
        let open = listen_to_all(stage, uris).await;
        let heard = stage.talk.heard_since(from);
        let acknowledged = |uri: &&String| {
            heard.iter().filter_map(|heard| heard.message.params()).any(|params| {
                let named = params.pointer("/notifications/resourceSubscriptions").and_then(Value::as_array);
                named.is_some_and(|named| named.iter().any(|one| one == uri.as_str()))
            })
        };
        return (open, uris.iter().filter(acknowledged).cloned().collect());
    }
    let mut accepted = Vec::new();
    for uri in uris {
        let (_, reply) = stage.request("resources/subscribe", json!({"uri": uri})).await;
        accepted.extend(reply.result().map(|_| uri.clone()));
    }
    (Vec::new(), accepted)
}

/// Opens the subscriptions of 2026-07-28.
async fn listen_to_all(stage: &mut Stage<'_>, uris: &[String]) -> Vec<Listening> {
    let mut all = json!({"toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true});
    if !uris.is_empty() {
        all["resourceSubscriptions"] = json!(uris);
    }
    // Two want to hear of the same resources, one of another only.
    let mut second = json!({"promptsListChanged": true, "toolsListChanged": false});
    let mut third = json!({"resourcesListChanged": true});
    if let [others @ .., last] = uris
        && !others.is_empty()
    {
        second["resourceSubscriptions"] = json!(others);
        third["resourceSubscriptions"] = json!([last]);
    }
    // Ids of both types, and the one that is often taken for none.
    let filters =
        [(stage.talk.fresh_id(), all), (Id::string("mcprove-listen"), second), (Id::string(""), third)];
    let mut open: Vec<Listening> = Vec::new();
    for (id, filter) in filters {
        let listening = listen(stage, &id, json!({"notifications": filter}), false).await;
        match opened(stage, &listening).await {
            Opened::Acknowledged(_) => open.push(listening),
            Opened::Answered(reply) if reply.is_error() => {
                if open.is_empty() {
                    return open;
                }
                open = refused_beside(stage, open, &listening, &reply).await;
            }
            Opened::Answered(_) => {}
            Opened::Nothing => {
                let reply = Reply::Silence(stage.talk.timeouts().request);
                let text = "`subscriptions/listen` got neither an acknowledgement nor an error";
                stage.judge.broke(
                    "subscriptions.ack.sent",
                    breach("silence", text, &listening.ticket, &reply)
                        .expected(&["an acknowledgement", "an error"]),
                );
                end(stage, &listening).await;
                return open;
            }
        }
    }
    open
}

/// Ends the subscriptions that are open, and sees whether the server takes another one now: then it takes one at a time.
async fn refused_beside(
    stage: &mut Stage<'_>,
    open: Vec<Listening>,
    refused: &Listening,
    reply: &Reply,
) -> Vec<Listening> {
    const ID: &str = "subscriptions.listen.concurrent";
    for listening in &open {
        end(stage, listening).await;
    }
    stage.talk.canary().await;
    let id = Id::string("mcprove-listen-alone");
    let filter = json!({"promptsListChanged": true, "toolsListChanged": false});
    let alone = listen(stage, &id, json!({"notifications": filter}), false).await;
    if let Opened::Acknowledged(_) = opened(stage, &alone).await {
        let text = "a subscription was refused beside another one, and taken when that had ended";
        let seen = breach("one-at-a-time", text, &refused.ticket, reply).expected(&["an acknowledgement"]);
        stage.judge.broke(ID, seen);
        return vec![alone];
    }
    stage.judge.undecided(ID, "refused", format!("a further subscription was refused: {}", reply.describe()));
    Vec::new()
}

/// A request that calls a tool with a progress token.
fn compose(stage: &mut Stage<'_>, tool: &str, arguments: &Value, token: &Value, logs: bool) -> Outgoing {
    let mut meta = json!({"progressToken": token});
    if logs {
        meta[LOG_LEVEL] = json!("error");
    }
    let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
    stage.compose_call(params)
}

fn schema(stage: &Stage<'_>, tool: &str) -> Option<Value> {
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
fn slow<'a>(stage: &'a Stage<'_>) -> impl Iterator<Item = &'a Call> {
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

/// Which watched resources were told to have changed since a position.
fn told(stage: &mut Stage<'_>, since: u64) -> Vec<(String, Duration)> {
    let heard = stage.talk.heard_since(since);
    let updates =
        heard.iter().filter(|heard| heard.message.method() == Some("notifications/resources/updated"));
    updates
        .filter_map(|heard| {
            let uri = heard.message.params()?.get("uri")?.as_str()?;
            Some((uri.to_owned(), heard.record.at))
        })
        .collect()
}

/// Resources that stood still before and changed while tools were called.
async fn judge_updates(
    stage: &mut Stage<'_>,
    since: u64,
    accepted: &[String],
    reads: &[Vec<Option<Value>>; 3],
) {
    const ID: &str = "resources.subscribe.update-delivered";
    let uris = watched(stage);
    if uris.is_empty() {
        return;
    }
    if stage.era() == Era::Legacy && stage.transport() == Transport::Http && !hears(stage) {
        return stage.judge.undecided(
            ID,
            "no-stream",
            "the server has no GET stream on which it could tell changes",
        );
    }
    let [before, stable, after] = reads;
    let changed = (0..uris.len()).any(|at| stable[at].is_some() && stable[at] != after[at]);
    if changed && told(stage, since).is_empty() {
        // The change may have been the last thing that happened.
        stage.talk.idle(DELIVERY).await;
    }
    let told = told(stage, since);
    for (at, uri) in uris.iter().enumerate() {
        let (Some(before), Some(stable), Some(after)) = (&before[at], &stable[at], &after[at]) else {
            continue;
        };
        if !accepted.contains(uri) {
            continue;
        }
        if before == stable && stable != after && !told.iter().any(|(told, _)| told.starts_with(uri.as_str()))
        {
            stage.judge.broke(
                ID,
                Breach::new(
                    "silent",
                    format!("`{uri}` changed while it was subscribed to, and nothing told it"),
                )
                .quality()
                .expected(&["`notifications/resources/updated`"])
                .actual("none")
                .sent(since),
            );
        }
    }
    stage.judge.undecided(ID, "no-change", "no tool that may be called changed a watched resource");
}

/// Two subscriptions to one resource are both told of its changes.
async fn each_is_told(stage: &mut Stage<'_>, open: &[Listening], since: u64) {
    const ID: &str = "subscriptions.listen.concurrent";
    let [first, second, ..] = open else { return };
    let mut tags = told_apart(stage, first, second, since);
    if tags.iter().any(|(_, [first, second])| (*first == 0) != (*second == 0)) {
        // The word for one of them may still be on its way.
        stage.talk.idle(DELIVERY).await;
        tags = told_apart(stage, first, second, since);
    }
    for (uri, [first, second]) in tags {
        if (first == 0) == (second == 0) {
            continue;
        }
        let text = format!("two subscriptions to `{uri}` were open, and only one was told that it changed");
        let breach =
            Breach::new("one-told", text).quality().expected(&["a notification for each of the two"]);
        stage.judge.broke(ID, breach.actual(format!("{first} for one, {second} for the other")).sent(since));
    }
}

/// How often two subscriptions were told of each resource that both were acknowledged for.
fn told_apart(
    stage: &mut Stage<'_>,
    first: &Listening,
    second: &Listening,
    since: u64,
) -> Vec<(String, [usize; 2])> {
    let ids = [first.id(), second.id()];
    let mut told: Vec<(String, [usize; 2])> = Vec::new();
    let from = first.ticket.since.min(since);
    let heard = stage.talk.heard_since(from);
    let by = |heard: &Heard| {
        let tag = heard.message.params()?.pointer("/_meta/io.modelcontextprotocol~1subscriptionId")?;
        ids.iter().position(|id| *id == tag)
    };
    let named = |heard: &Heard| -> Vec<String> {
        let named =
            heard.message.params().and_then(|params| params.pointer("/notifications/resourceSubscriptions"));
        let named = named.and_then(Value::as_array).into_iter().flatten();
        named.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let acknowledged = |at: usize| -> Vec<String> {
        heard.iter().filter(|heard| by(heard) == Some(at)).flat_map(named).collect()
    };
    let (ours, theirs) = (acknowledged(0), acknowledged(1));
    told.extend(ours.into_iter().filter(|uri| theirs.contains(uri)).map(|uri| (uri, [0, 0])));
    for heard in
        heard.iter().filter(|heard| heard.message.method() == Some("notifications/resources/updated"))
    {
        let uri = heard.message.params().and_then(|params| params.get("uri")?.as_str());
        let known = told.iter_mut().find(|(known, _)| Some(known.as_str()) == uri);
        if let (Some((_, counts)), Some(at)) = (known, by(heard)) {
            counts[at] += 1;
        }
    }
    told
}

/// Whether a legacy session over HTTP has its stream open.
fn hears(stage: &mut Stage<'_>) -> bool {
    let Some(stream) = stage.talk.listening() else { return false };
    let records = stage.talk.recorder().snapshot();
    records.iter().any(|record| {
        record.channel == stream.channel && matches!(record.event, Event::ResponseHead { status: 200, .. })
    })
}

/// Ends all subscriptions, calls again what seems to have changed something, and sees that nothing is told any more.
async fn unsubscribe(
    stage: &mut Stage<'_>,
    subscriptions: Vec<Listening>,
    uris: &[String],
    since: u64,
    calls: &[Again],
) {
    const STOPS: &str = "resources.unsubscribe.stops-updates";
    const CANCELLED: &str = "subscriptions.end.client-cancel-stdio";
    let triggers = triggers(stage, since, calls);
    let legacy = stage.era() == Era::Legacy;
    let ended = match legacy {
        true => one_end_leaves_the_others(stage, uris, since, &triggers).await,
        false => None,
    };
    for listening in &subscriptions {
        end(stage, listening).await;
    }
    if legacy {
        for uri in uris.iter().filter(|uri| ended.as_ref() != Some(uri)) {
            let (_, reply) = stage.request("resources/unsubscribe", json!({"uri": uri})).await;
            if reply.result().is_none() {
                // A subscription that was not ended goes on.
                return stage.judge.undecided(STOPS, "not-ended", "`resources/unsubscribe` was refused");
            }
        }
    }
    if subscriptions.is_empty() && (!legacy || uris.is_empty()) {
        return;
    }
    // What was on its way has come by now.
    stage.talk.canary().await;
    stage.talk.idle(TOLD).await;
    let from = stage.talk.now();
    for (at, call) in triggers.iter().enumerate() {
        let token = json!(format!("trigger-{at}"));
        let outgoing = compose(stage, &call.tool, &call.arguments, &token, false);
        let ticket = stage.talk.send(outgoing).await;
        stage.talk.reply_within(&ticket, PATIENCE).await;
    }
    stage.talk.idle(TOLD).await;
    if triggers.is_empty() {
        let text = "no tool that may be called changed a watched resource or list";
        stage.judge.undecided(if legacy { STOPS } else { CANCELLED }, "no-change", text);
        return;
    }
    let stdio = stage.transport() == Transport::Stdio;
    for heard in stage.talk.heard_since(from) {
        let method = heard.message.method().unwrap_or_default().to_owned();
        let tagged = heard
            .message
            .params()
            .and_then(|params| params.pointer("/_meta/io.modelcontextprotocol~1subscriptionId"))
            .is_some();
        let late = |text: &str| {
            Breach::new("after", text)
                .expected(&["nothing after the end of the subscription"])
                .actual(format!("`{method}`"))
                .at(&heard.record)
                .sent(from)
        };
        if legacy && method == "notifications/resources/updated" {
            return stage
                .judge
                .broke(STOPS, late("an update came for a resource that was unsubscribed from"));
        }
        if !legacy && stdio && tagged && method != "notifications/cancelled" {
            return stage.judge.broke(CANCELLED, late("a subscription that was cancelled tells changes on"));
        }
    }
    if legacy {
        stage.judge.held(STOPS);
    } else if stdio {
        stage.judge.held(CANCELLED);
    }
}

/// Unsubscribes from a resource that did not change, and calls what changes others: that is told on. The URI that was
/// unsubscribed from.
async fn one_end_leaves_the_others(
    stage: &mut Stage<'_>,
    uris: &[String],
    since: u64,
    triggers: &[Call],
) -> Option<String> {
    const ID: &str = "resources.subscribe.update-delivered";
    let known = told(stage, since);
    let is_told = |told: &[(String, Duration)], uri: &str| told.iter().any(|(told, _)| told.starts_with(uri));
    let (others, still): (Vec<String>, Vec<String>) =
        uris.iter().cloned().partition(|uri| is_told(&known, uri));
    let ended = still.into_iter().next().filter(|_| !others.is_empty() && !triggers.is_empty())?;
    stage.request("resources/unsubscribe", json!({"uri": ended})).await.1.result()?;
    let before = contents(stage, &others).await;
    let from = stage.talk.now();
    for (at, call) in triggers.iter().enumerate() {
        let outgoing = compose(stage, &call.tool, &call.arguments, &json!(format!("left-{at}")), false);
        let ticket = stage.talk.send(outgoing).await;
        stage.talk.reply_within(&ticket, PATIENCE).await;
    }
    let after = contents(stage, &others).await;
    let changed = |at: &usize| before[*at].is_some() && after[*at].is_some() && before[*at] != after[*at];
    let changed: Vec<&String> = (0..others.len()).filter(changed).map(|at| &others[at]).collect();
    let silent = |stage: &mut Stage<'_>| {
        let told = told(stage, from);
        changed.iter().find(|uri| !is_told(&told, uri)).copied()
    };
    if silent(stage).is_some() {
        stage.talk.idle(DELIVERY).await;
    }
    if let Some(uri) = silent(stage) {
        let text =
            format!("`{uri}` changed, and nothing told it after the subscription to another one had ended");
        let breach = Breach::new("left", text).quality().expected(&["`notifications/resources/updated`"]);
        stage.judge.broke(ID, breach.actual("none").sent(from));
    }
    Some(ended)
}

/// The calls during which, or right after which, something was told to have changed.
fn triggers(stage: &mut Stage<'_>, since: u64, calls: &[Again]) -> Vec<Call> {
    let legacy = stage.era() == Era::Legacy;
    let heard = stage.talk.heard_since(since);
    let changes: Vec<Duration> = heard
        .iter()
        .filter(|heard| match heard.message.method() {
            Some("notifications/resources/updated") => true,
            Some(method) => !legacy && method.ends_with("/list_changed"),
            None => false,
        })
        .map(|heard| heard.record.at)
        .collect();
    let records = stage.talk.recorder().snapshot();
    let mut found: Vec<(Duration, Call)> = Vec::new();
    for again in calls.iter().filter(|again| again.over) {
        let Some(sent) = records.get(usize::try_from(again.ticket.since).unwrap_or(usize::MAX)) else {
            continue;
        };
        let answered = heard
            .iter()
            .find(|heard| heard.message.is_response() && heard.message.id() == again.ticket.id.as_ref())
            .map(|heard| heard.record.at);
        let Some(answered) = answered else { continue };
        let near = |at: &Duration| *at >= sent.at && *at <= answered + TOLD;
        if let Some(gap) = changes.iter().filter(|at| near(at)).map(|at| at.abs_diff(answered)).min() {
            found.push((gap, again.call.clone()));
        }
    }
    // Calls run side by side: the nearest answer is the likeliest to belong to the change.
    found.sort_by_key(|(gap, _)| *gap);
    let mut found: Vec<Call> = found.into_iter().map(|(_, call)| call).collect();
    // The tools that say that they change something come first.
    let reads = |call: &Call| {
        let tool = stage.offer.tools.iter().find(|tool| tool["name"] == call.tool.as_str());
        tool.is_some_and(|tool| tool.pointer("/annotations/readOnlyHint") == Some(&Value::Bool(true)))
    };
    found.sort_by_key(reads);
    found.truncate(MOST_TRIGGERS);
    found
}

/// Cancels what waits for an answer of ours, and calls that are made to take long.
async fn cancel(stage: &mut Stage<'_>, began: u64, calls: Vec<Again>) {
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
