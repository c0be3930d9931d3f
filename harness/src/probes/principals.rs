//! Several clients: what one without credentials gets, and what one sees of another (server/utilities/caching, and the
//! security sections of the features).

use super::door::{Shown, bearing, keeps_out, other_token, show};
use super::probe::{breach, probes};
use super::{Known, Solo};
use crate::client::{Conversation, Heard, Reply, Ticket};
use crate::monitors::Breach;
use crate::protocol::{Era, Transport};
use serde_json::{Value, json};
use std::time::Duration;

/// How long a call may take that is made for the sake of what others see of it.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many tools are called for it.
const MOST_CALLS: usize = 6;
/// How long what goes astray may take to arrive.
const ASTRAY: Duration = Duration::from_millis(60);
/// The level that leaves the fewest log messages.
const HIGHEST: &str = "emergency";

probes! {
    /// Where the user gave credentials (`Authorization`): sends the listings, a call, a read and a completion with them and
    /// again without. Where a listing is refused without them, what it lists is guarded, and has to be refused too. What a
    /// server marks as public may be kept and handed to anybody, so it has to be the same for all, another principal among
    /// them, and reads of a guarded server are not public at all.
    callers_without_credentials_are_kept_out (Alone, Both, Any) decides [
        "tools.call.access-control", "resources.read.access-control", "resources.read.permissions-checked",
        "completion.access-controlled", "caching.public.no-user-data", "caching.public.shared-aware",
        "caching.access-control-independent",
    ];
    /// Opens two connections over HTTP, calls tools on one of them, asking for progress and log messages, and listens on
    /// the other: nothing of the calls comes there. Where log messages come with the calls, the other one sets a log level
    /// that leaves none; if none come any more, and some when the first one sets its own level anew, the level of one
    /// client is that of all.
    connections_are_kept_apart (Alone, Both, Any) decides ["base.isolation.between-connections"];
}

const GUARDED: [&str; 3] =
    ["tools.call.access-control", "resources.read.access-control", "completion.access-controlled"];
const CHECKED: &str = "resources.read.permissions-checked";
const NO_USER_DATA: &str = "caching.public.no-user-data";
const SHARED: &str = "caching.public.shared-aware";
const INDEPENDENT: &str = "caching.access-control-independent";

/// A request that the server is known to serve, with the row that is about it and the listing of what it is for.
struct Asking {
    row: Option<&'static str>,
    listing: &'static str,
    method: &'static str,
    params: Value,
}

/// Listings first.
fn known_requests(known: &Known) -> Vec<Asking> {
    let offer = &known.offer;
    let mut requests = Vec::new();
    for method in ["tools/list", "resources/list", "prompts/list"] {
        if offer.listed.contains(&method) {
            requests.push(Asking { row: None, listing: method, method, params: json!({}) });
        }
    }
    if let Some(call) = offer.calls.iter().find(|call| call.succeeded() && !call.asked_for_input) {
        let params = json!({"name": call.tool, "arguments": call.arguments});
        requests.push(Asking { row: Some(GUARDED[0]), listing: "tools/list", method: "tools/call", params });
    }
    if let Some(uri) = offer.first.get("resources/list").and_then(|uris| uris.first()) {
        let params = json!({"uri": uri});
        requests.push(Asking {
            row: Some(GUARDED[1]),
            listing: "resources/list",
            method: "resources/read",
            params,
        });
    }
    let argument = offer.prompts.iter().find_map(|prompt| {
        let argument = prompt.get("arguments")?.get(0)?.get("name")?.as_str()?;
        Some((prompt.get("name")?.as_str()?, argument))
    });
    if let Some((name, argument)) = argument {
        let params = json!({"ref": {"type": "ref/prompt", "name": name},
            "argument": {"name": argument, "value": ""}});
        requests.push(Asking {
            row: Some(GUARDED[2]),
            listing: "prompts/list",
            method: "completion/complete",
            params,
        });
    }
    requests
}

async fn callers_without_credentials_are_kept_out(solo: &mut Solo<'_>) {
    let rows = GUARDED.into_iter().chain([CHECKED, NO_USER_DATA, SHARED, INDEPENDENT]);
    let why = if solo.opener.binding().transport() == Transport::Stdio {
        Some("over STDIO there is one caller, who started the process")
    } else if !bearing(solo).names.is_empty() {
        None
    } else {
        Some("it takes credentials, so that there is a caller with and one without: --bearer-env or --header")
    };
    if let Some(why) = why {
        for id in rows {
            solo.judge.undecided(id, "one-caller", why);
        }
        return;
    }
    let all: Vec<&'static str> = rows.collect();
    let Some(mut opened) = solo.begin(solo.revision, &all).await else { return };
    let known = solo.known().await;
    let talk = &mut opened.talk;
    let another = other_token(solo).await;
    let mut closed: Vec<&'static str> = Vec::new();
    // Of headers whose names do not say that they let in, only 401 tells.
    let known_bearing = talk.bearing().known;
    let is_closed = |reply: &Reply| keeps_out(reply) && (known_bearing || reply.status() == Some(401));
    for Asking { row, listing, method, params } in known_requests(&known) {
        let with = talk.request(method, params.clone()).await;
        let outgoing = talk.compose(method, params.clone());
        let (ticket, without) = show(talk, solo.name, outgoing, &Shown::Nothing).await;
        if with.result().is_none() {
            continue;
        }
        match row {
            None if is_closed(&without) => closed.push(listing),
            None => {}
            Some(id) => judge_guard(solo, id, closed.contains(&listing), &without, &ticket),
        }
        if solo.revision.era() == Era::Modern {
            judge_public(solo, method, &with, &without, &ticket);
            if let Some(another) = another.as_ref().filter(|_| scope(&with) == Some("public")) {
                let outgoing = talk.compose(method, params);
                let (ticket, theirs) = show(talk, solo.name, outgoing, &Shown::Token(another)).await;
                judge_same(solo, method, &with, &theirs, &ticket);
            }
        }
    }
    if !closed.is_empty() {
        solo.judge.held(INDEPENDENT);
    }
    for id in all {
        let text = "what is asked for is not offered, or served without credentials too";
        solo.judge.undecided(id, "not-guarded", text);
    }
    solo.close(opened).await;
}

/// What came without credentials; `closed` says whether the listing takes them.
fn judge_guard(solo: &mut Solo<'_>, id: &'static str, closed: bool, without: &Reply, ticket: &Ticket) {
    if keeps_out(without) {
        if id == GUARDED[1] {
            solo.judge.held(CHECKED);
        }
        if id == GUARDED[2] {
            return solo.judge.held(id);
        }
        // That strangers are refused says nothing of those who are let in and may not have everything.
        let text =
            "strangers are refused; whether one principal gets what another may have takes --principal";
        solo.judge.undecided(id, "one-caller", text);
    } else if without.result().is_some() && closed {
        let text = "the listing takes credentials, and what it lists is served without";
        let seen =
            breach("open", text, ticket, without).quality().expected(&["a refusal, as for the listing"]);
        if id == GUARDED[1] {
            solo.judge.broke(CHECKED, seen.clone().see(id));
            if scope(without) == Some("private") {
                solo.judge.broke(INDEPENDENT, seen.clone().see(id));
            }
        }
        solo.judge.broke(id, seen);
    } else if without.result().is_some() {
        // Whether it should be is not for us to say.
        let text = "it is served without credentials as well, which may be meant so";
        solo.judge.undecided(id, "open", text);
    }
}

fn scope(reply: &Reply) -> Option<&str> {
    reply.result().and_then(|result| result.get("cacheScope")?.as_str())
}

/// What is marked as public, compared with what a caller without credentials gets.
fn judge_public(solo: &mut Solo<'_>, method: &str, with: &Reply, without: &Reply, ticket: &Ticket) {
    if method == "resources/read" && keeps_out(without) {
        solo.judge.decide(SHARED, scope(with) != Some("public"), || {
            Breach::new("public", "a read that takes credentials is marked as public")
                .quality()
                .expected(&["`cacheScope: \"private\"`"])
                .reply(with)
                .actual("`cacheScope: \"public\"`")
                .pointer("/result/cacheScope")
        });
    }
    judge_same(solo, method, with, without, ticket);
}

/// What is marked as public, compared with what another caller gets.
fn judge_same(solo: &mut Solo<'_>, method: &str, with: &Reply, others: &Reply, ticket: &Ticket) {
    let plain = |reply: &Reply| {
        let mut result = reply.result()?.clone();
        let members = result.as_object_mut()?;
        for name in ["_meta", "ttlMs", "nextCursor"] {
            members.remove(name);
        }
        Some(result)
    };
    if let (Some("public"), Some(theirs), Some(ours)) = (scope(with), plain(others), plain(with)) {
        solo.judge.decide(NO_USER_DATA, theirs == ours, || {
            let text = format!("`{method}` is marked as public, and differs with the caller");
            Breach::new("differs", text)
                .quality()
                .expected(&["the same for every caller, or `cacheScope: \"private\"`"])
                .reply(others)
                .actual("another result for another caller")
                .sent(ticket.since)
                .sent_on(ticket.channel)
        });
    }
}

async fn connections_are_kept_apart(solo: &mut Solo<'_>) {
    const ID: &str = "base.isolation.between-connections";
    if solo.opener.binding().transport() == Transport::Stdio {
        let text = "over STDIO each connection has a process of its own";
        return solo.judge.not_applicable(ID, "own-process", text);
    }
    let known = solo.known().await;
    let quick = |call: &&super::Call| call.succeeded() && !call.asked_for_input && call.took < PATIENCE / 4;
    let calls: Vec<_> = known.offer.calls.iter().filter(quick).cloned().collect();
    if calls.is_empty() {
        return solo.judge.undecided(
            ID,
            "no-call",
            "no tool that may be called could leave a trace elsewhere",
        );
    }
    let Ok((mut one, mut other)) = solo.opener.open_two(solo.name, Some(solo.revision)).await else {
        return solo.judge.undecided(ID, "no-conversation", "two further conversations could not be opened");
    };
    let begun = one.talk.begin(solo.revision).await.is_ok() && other.talk.begin(solo.revision).await.is_ok();
    if begun {
        solo.judge.about(other.talk.recorder());
        listen(&mut other.talk).await;
        set_level(&mut one.talk, "debug").await;
        let heard = talk_away(&mut one.talk, &known, &calls, 0).await;
        other.talk.idle(ASTRAY).await;
        let noisy = heard.iter().any(|heard| {
            matches!(heard.message.method(), Some("notifications/progress" | "notifications/message"))
        });
        judge_stray(solo, &mut one.talk, &mut other.talk, noisy);
        if heard.iter().any(is_logged) && solo.revision.era() == Era::Legacy {
            levels_are_kept_apart(solo, [&mut one.talk, &mut other.talk], &known, &calls).await;
        }
    } else {
        solo.judge.undecided(ID, "no-conversation", "two further conversations could not be begun");
    }
    solo.close(one).await;
    solo.close(other).await;
}

/// Opens whatever the server could use to speak by itself; a legacy session has its stream already.
async fn listen(talk: &mut Conversation) {
    if talk.era() != Some(Era::Modern) {
        return;
    }
    let filter = json!({"toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true});
    let outgoing = talk.compose("subscriptions/listen", json!({"notifications": filter}));
    let ticket = talk.send(outgoing).await;
    talk.reply_within(&ticket, ASTRAY).await;
}

fn token(at: usize) -> Value {
    json!(format!("mcprove-apart-{at}"))
}

/// Whether the server declares log messages.
fn logs(talk: &Conversation) -> bool {
    talk.handshake().is_some_and(|handshake| handshake.declares("logging"))
}

/// Sets the log level of a legacy session; whether the server agreed.
async fn set_level(talk: &mut Conversation, level: &str) -> bool {
    let has_level = logs(talk) && talk.era() == Some(Era::Legacy);
    has_level && talk.request("logging/setLevel", json!({"level": level})).await.result().is_some()
}

/// Whether it is a log message that the highest level leaves out.
fn is_logged(heard: &Heard) -> bool {
    let level = heard.message.params().and_then(|params| params.get("level")?.as_str());
    heard.message.method() == Some("notifications/message") && level != Some(HIGHEST)
}

/// A level that one client sets is none of another's. Tools need not log the same each time, so it counts only where the
/// messages are gone with the level that the other sets, and back with that of the client itself.
async fn levels_are_kept_apart(
    solo: &mut Solo<'_>,
    [one, other]: [&mut Conversation; 2],
    known: &Known,
    calls: &[super::Call],
) {
    let since = other.now();
    if !set_level(other, HIGHEST).await || talk_away(one, known, calls, 1).await.iter().any(is_logged) {
        return;
    }
    if set_level(one, "debug").await && talk_away(one, known, calls, 2).await.iter().any(is_logged) {
        let text = "the log level that one client sets is that of another client, too";
        solo.judge.broke(
            "base.isolation.between-connections",
            Breach::new("log-level", text)
                .quality()
                .expected(&["the log messages of the level that the client itself has set"])
                .actual(format!("none after another client has set the level `{HIGHEST}`"))
                .sent(since),
        );
    }
}

/// Calls tools that report on the way, with tokens that no other round has; what came meanwhile.
async fn talk_away(
    talk: &mut Conversation,
    known: &Known,
    calls: &[super::Call],
    round: usize,
) -> Vec<Heard> {
    let logs = logs(talk);
    let since = talk.now();
    // Those that took longest have most to report.
    let mut calls: Vec<_> = calls.iter().collect();
    calls.sort_by_key(|call| std::cmp::Reverse(call.took));
    let mut tickets = Vec::new();
    for (at, call) in calls.into_iter().take(MOST_CALLS).enumerate() {
        let mut meta = json!({"progressToken": token(round * MOST_CALLS + at)});
        if logs && talk.era() == Some(Era::Modern) {
            meta["io.modelcontextprotocol/logLevel"] = json!("debug");
        }
        let params = json!({"name": call.tool, "arguments": call.arguments, "_meta": meta});
        let outgoing = known.offer.compose_call(talk, params);
        tickets.push(talk.send(outgoing).await);
    }
    for ticket in &tickets {
        talk.reply_within(ticket, PATIENCE).await;
    }
    talk.heard_since(since)
}

fn judge_stray(solo: &mut Solo<'_>, one: &mut Conversation, other: &mut Conversation, noisy: bool) {
    const ID: &str = "base.isolation.between-connections";
    let tokens: Vec<Value> = (0..MOST_CALLS).map(token).collect();
    let stray = other.heard_since(0).into_iter().find(|heard| {
        let params = heard.message.params();
        let named = params.and_then(|params| params.get("progressToken"));
        named.is_some_and(|named| tokens.contains(named))
    });
    match stray {
        Some(heard) => solo.judge.broke(
            ID,
            Breach::new("progress", "progress of a call came on another connection than its own")
                .expected(&["nothing of the calls of another client"])
                .actual(heard.message.method().unwrap_or_default())
                .at(&heard.record)
                .pointer("/params/progressToken"),
        ),
        None if noisy && one.gone().is_none() && other.gone().is_none() => solo.judge.held(ID),
        None => solo.judge.undecided(ID, "silent", "the tools that were called reported nothing on the way"),
    }
}
