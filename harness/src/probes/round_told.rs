//! What is subscribed to in the second round of calls, and what is told of it.

use super::lists::{LISTS, declares, listing};
use super::round::{Again, PATIENCE, TOLD, compose};
use super::subscriptions::{Listening, Opened, bare, end, listen, opened};
use super::{Call, Stage, breach};
use crate::client::{Heard, Reply};
use crate::monitors::Breach;
use crate::protocol::{Era, Id, Transport};
use crate::wire::Event;
use serde_json::{Value, json};
use std::time::Duration;

/// How many resources are watched.
const MOST_RESOURCES: usize = 5;
/// How long the word of a change may take (POLICY section 3, item 9).
const DELIVERY: Duration = Duration::from_millis(500);
/// How many tools are called a third time, because they seem to have changed something.
const MOST_TRIGGERS: usize = 4;

/// The URIs that are watched.
pub(super) fn watched(stage: &Stage<'_>) -> Vec<String> {
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

pub(super) async fn contents(stage: &mut Stage<'_>, uris: &[String]) -> Vec<Option<Value>> {
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

/// Fetches every list that may be announced as changed.
pub(super) async fn fetch_lists(stage: &mut Stage<'_>) {
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
pub(super) async fn subscribe(stage: &mut Stage<'_>, uris: &[String]) -> (Vec<Listening>, Vec<String>) {
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
pub(super) async fn judge_updates(
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
pub(super) async fn each_is_told(stage: &mut Stage<'_>, open: &[Listening], since: u64) {
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
        // That it has another JSON type is told of the id.
        ids.iter().position(|id| bare(id) == bare(tag))
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
pub(super) async fn unsubscribe(
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
