//! Versions under test: by handshake in the legacy era, per request in 2026-07-28.

use super::lifecycle::{hold_back, initialize};
use super::probe::probes;
use super::{Call, Offer, Solo, Stage, breach};
use crate::client::{Conversation, Handshake, Opened, Outgoing, Reply, Ticket, Wish, with_meta};
use crate::monitors::{Breach, rows_of};
use crate::protocol::{Era, Revision, Transport};
use crate::wire::Taint;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;

probes! {
    /// Asks for the versions 1999-01-01 and 2099-12-31 in conversations of their own, with few client capabilities. The
    /// server offers a version that it supports, its newest; an error that names its versions is borne; an echo fails.
    /// The version offered is then really spoken. `initialized` is held back for half a second in one of them: nothing
    /// is asked meanwhile. Then tools are called again: where no capability was declared they ask for nothing, and where
    /// `sampling` and `elicitation` were, each an empty object, for no pages and no sampling with tools. Clients newer or
    /// older than the server depend on this to get along.
    unsupported_version_gets_a_counter_offer (AloneForEra, Legacy, Any) decides [
        "versioning.initialize.counter-offer", "versioning.initialize.counter-offer-latest",
        "versioning.initialize.supported-version-echoed", "versioning.offered-version-works",
        "lifecycle.errors.handled", "lifecycle.pre-init.no-server-requests",
        "capabilities.client.only-declared-used", "elicitation.capability.required",
        "elicitation.mode.declared-only", "elicitation.required-error.client-mode",
        "sampling.capability.required", "sampling.tools.capability", "roots.capability.required",
    ];
    /// Names the versions 1900-01-01, 2099-01-01, 2026-02-30 and `nonsense` in a request's `_meta` (and in the header over HTTP),
    /// each followed by a good request. Each is answered -32022 with `supported` and `requested`; the good ones are
    /// served. Clients choose another version by it.
    unsupported_version_is_refused (Breaking, Modern, Any) decides [
        "versioning.request.unsupported-error", "discover.version-checked",
        "versioning.request.unsupported-error-data", "versioning.request.supported-list-consistent",
        "versioning.request.decided-per-request", "compat.modern-refusals-recognisable",
    ];
    /// Asks with each modern version that `server/discover` names: none is answered -32022.
    named_versions_work (Clean, Modern, Any) decides ["versioning.offered-version-works"];
    /// Sends `ping`, `logging/setLevel`, `resources/subscribe`, `resources/unsubscribe`, `tasks/list` and
    /// `tasks/result` as requests of 2026-07-28, which no longer has them: each is answered -32601.
    removed_methods_are_unknown (Breaking, Modern, Any) decides ["versioning.removed-methods-unknown"];
}

const OFFER: &str = "versioning.initialize.counter-offer";
const LATEST: &str = "versioning.initialize.counter-offer-latest";
const ECHOED: &str = "versioning.initialize.supported-version-echoed";
const WORKS: &str = "versioning.offered-version-works";
const HANDLED: &str = "lifecycle.errors.handled";

/// What came of asking for an impossible version.
struct Asked {
    opened: Opened,
    ticket: Ticket,
    reply: Reply,
    version: &'static str,
    declared: Value,
}

async fn ask(solo: &Solo<'_>, version: &'static str, declared: Value) -> Option<Asked> {
    let mut opened = solo.opener.open(solo.name, None).await.ok()?;
    let outgoing = initialize(&mut opened.talk, version, &declared, &crate::client::client_info());
    let outgoing = outgoing.deliberate(solo.name, Taint::Message);
    let (ticket, reply) = opened.talk.opening_in_legacy(outgoing).await;
    // The main conversations, which are waited for before it goes on, may need the place.
    opened.step_aside();
    Some(Asked { opened, ticket, reply, version, declared })
}

async fn unsupported_version_gets_a_counter_offer(solo: &mut Solo<'_>) {
    let some = json!({"sampling": {}, "elicitation": {}});
    let (past, future) = tokio::join!(ask(solo, "1999-01-01", some), ask(solo, "2099-12-31", json!({})));
    let Some((past, future)) = past.zip(future) else {
        for id in [OFFER, LATEST, HANDLED] {
            solo.judge.undecided(id, "no-conversation", "a further conversation could not be opened");
        }
        return;
    };
    let mut offered = None;
    for (index, asked) in [past, future].into_iter().enumerate() {
        offered = judge_offer(solo, asked, index == 0).await.or(offered);
    }
    if let Some(offered) = offered {
        judge_offered(solo, offered).await;
    }
}

/// Judges one counter-offer and goes on with it; the version offered.
async fn judge_offer(solo: &mut Solo<'_>, asked: Asked, holds_back: bool) -> Option<Revision> {
    let Asked { mut opened, ticket, reply, version, declared } = asked;
    solo.judge.about(opened.talk.recorder());
    let offered =
        reply.result().and_then(|result| result.get("protocolVersion")?.as_str()).map(str::to_owned);
    let seen = |class: &str, message: String| {
        breach(class, message, &ticket, &reply)
            .expected(&["a result with another version, which the server supports"])
    };
    let mut agreed = None;
    match (&reply, &offered) {
        (Reply::Result(_), Some(offered)) if offered == version => solo.judge.broke(
            OFFER,
            seen("echo", format!("the version `{version}`, which was never published, was agreed to"))
                .actual(format!("`{offered}`"))
                .pointer("/result/protocolVersion"),
        ),
        (Reply::Result(_), Some(offered)) => match offered.parse::<Revision>() {
            Ok(offered) => {
                solo.judge.held(OFFER);
                agreed = Some(offered);
            }
            Err(_) => solo.judge.broke(
                OFFER,
                seen(
                    "unpublished",
                    format!("`{version}` was answered with a version that was never published"),
                )
                .quality()
                .actual(format!("`{}`", offered.chars().take(60).collect::<String>()))
                .pointer("/result/protocolVersion"),
            ),
        },
        // The page shows such an error itself, beside the rule that says otherwise.
        (Reply::Error(_), _) => solo.judge.broke(
            OFFER,
            seen(
                "error",
                format!("the version `{version}` was answered with an error instead of another version"),
            )
            .quality()
            .pointer("/error"),
        ),
        (Reply::NoMessage(head), _) if head.status >= 400 => solo.judge.broke(
            OFFER,
            seen(
                "refused",
                format!("the version `{version}` was refused instead of being answered with another"),
            )
            .quality(),
        ),
        _ => solo.judge.undecided(OFFER, "no-answer", format!("no usable answer came: {}", reply.describe())),
    }
    match opened.talk.gone() {
        Some(gone) => {
            let message = format!("the server went away when it was asked for the version `{version}`");
            solo.judge
                .broke(HANDLED, seen("gone", message).expected(&["an answer"]).actual(gone.to_string()));
        }
        None if agreed.is_some() && opened.talk.agree(&reply).is_ok() => {
            if holds_back {
                hold_back(solo, &mut opened.talk).await;
            }
            opened.talk.initialized().await;
            call_with_few_capabilities(solo, &mut opened.talk, &declared).await;
            let works = opened.talk.request("ping", json!({})).await;
            if works.result().is_some() {
                solo.judge.held(HANDLED);
            } else if works.error_code() == Some(-32601) {
                solo.judge.undecided(WORKS, "no-ping", super::lifecycle::NO_PING);
            } else if matches!(works, Reply::Error(_)) {
                let message = "after a version was negotiated down, a ping was refused";
                solo.judge.broke(
                    WORKS,
                    Breach::new("no-ping", message).expected(&["an empty result"]).reply(&works),
                );
            }
        }
        None if matches!(reply, Reply::Error(_) | Reply::NoMessage(_)) => solo.judge.held(HANDLED),
        None => {}
    }
    solo.close(opened).await;
    agreed
}

/// Repeats the calls of the main conversation where few client capabilities were declared, those that asked for something
/// first: the monitors see whether the server asks for more all the same.
pub(super) async fn call_with_few_capabilities(
    solo: &mut Solo<'_>,
    talk: &mut Conversation,
    declared: &Value,
) {
    const BUDGET: Duration = Duration::from_secs(3);
    const QUICK: Duration = Duration::from_secs(1);
    /// How many calls that asked for something are repeated, and others.
    const MOST: (usize, usize) = (40, 12);
    let known = solo.known().await;
    let deadline = tokio::time::Instant::now() + BUDGET;
    let quick: Vec<&Call> = known.offer.calls.iter().filter(|call| call.took < QUICK).collect();
    let mut asking: Vec<&Call> = Vec::new();
    for wish in Wish::ALL {
        // Where it is known which one asks, that one will do.
        let one = known.offer.asker.get(&wish);
        let found = quick.iter().copied().filter(|call| match one {
            Some(one) => call.tool == *one,
            None => call.wishes.contains(&wish),
        });
        asking.extend(
            found.filter(|call| !asking.iter().any(|other| other.tool == call.tool)).collect::<Vec<_>>(),
        );
    }
    let bare = declared.as_object().is_some_and(serde_json::Map::is_empty);
    let others = quick.into_iter().filter(|call| bare && call.wishes.is_empty());
    let calls = asking.into_iter().take(MOST.0).chain(others.take(MOST.1));
    let mut answered = false;
    let mut left_out: HashSet<Wish> = HashSet::new();
    let mut repeated: HashSet<Wish> = HashSet::new();
    for call in calls {
        let wait = deadline.saturating_duration_since(tokio::time::Instant::now());
        let outgoing = talk.compose("tools/call", json!({"name": call.tool, "arguments": call.arguments}));
        let reply = if wait.is_zero() || talk.gone().is_some() {
            None
        } else {
            let ticket = talk.send(outgoing).await;
            Some(talk.reply_within(&ticket, wait).await)
        };
        let reply = reply.filter(|reply| reply.answer().is_some());
        answered |= reply.is_some();
        if reply.is_some_and(|reply| reply.error_code() != Some(-32042)) {
            repeated.extend(asked_by(&known.offer, call));
        } else {
            left_out.extend(asked_by(&known.offer, call));
        }
    }
    if answered {
        solo.judge.held("capabilities.client.only-declared-used");
    }
    // Which call it was that asked is not always known: all that may have must have come to their end. What was asked
    // for all the same is a breach, which outweighs this.
    for wish in repeated.into_iter().filter(|wish| !left_out.contains(wish)) {
        let (kind, mode) = rows_of(wish);
        match mode {
            _ if !wish.is_known_to(declared) => solo.judge.held(kind),
            Some(mode) if !wish.is_declared_by(declared) => {
                solo.judge.held(mode);
                if wish == Wish::Url {
                    solo.judge.held("elicitation.required-error.client-mode");
                }
            }
            _ => {}
        }
    }
}

/// What a call asks for, or may ask for where it is not known which one does.
fn asked_by(offer: &Offer, call: &Call) -> impl Iterator<Item = Wish> {
    let known =
        |wish: &Wish| offer.asker.get(wish).map_or(call.wishes.contains(wish), |one| *one == call.tool);
    Wish::ALL.into_iter().filter(known)
}

/// Whether the version offered is spoken when it is asked for, and whether it is the newest one that is.
async fn judge_offered(solo: &mut Solo<'_>, offered: Revision) {
    let known = solo.known().await;
    let newest = known.spoken.iter().copied().filter(|revision| revision.era() == Era::Legacy).max();
    if let Some(newest) = newest {
        solo.judge.decide(LATEST, offered >= newest, || {
            Breach::new("older", "the version offered is not the newest one that the server speaks")
                .expected(&[&format!("`{newest}`")])
                .actual(format!("`{offered}`"))
        });
    }
    if known.spoken.contains(&offered) {
        // Its own conversation began with it and works.
        return solo.judge.held(WORKS);
    }
    let Ok(mut opened) = solo.open(Some(offered)).await else {
        return solo.judge.undecided(WORKS, "no-conversation", "a further conversation could not be opened");
    };
    let reply = opened.talk.initialize(offered.as_str()).await;
    let version = reply.result().map(|result| Handshake { result: result.clone() });
    let version = version.as_ref().and_then(Handshake::protocol_version).map(str::to_owned);
    if version.as_deref() == Some(offered.as_str()) {
        let agreed = opened.talk.agree(&reply).is_ok();
        opened.talk.initialized().await;
        let works = opened.talk.request("ping", json!({})).await;
        if agreed && works.result().is_some() {
            solo.judge.held(WORKS);
        }
    } else if reply.answer().is_some() {
        let seen = || {
            Breach::new(
                "not-spoken",
                format!("the server offered version `{offered}`, but does not confirm it when asked for it"),
            )
            .expected(&[&format!("`{offered}`")])
            .reply(&reply)
        };
        solo.judge.broke(ECHOED, seen());
        solo.judge.broke(WORKS, seen().see(ECHOED));
    }
    solo.close(opened).await;
}

const REFUSED: &str = "versioning.request.unsupported-error";
const DATA: &str = "versioning.request.unsupported-error-data";
const RECOGNISABLE: &str = "compat.modern-refusals-recognisable";

/// A request of 2026-07-28 that names a version of the caller's choice, in its header too.
pub(super) fn naming(id: &crate::protocol::Id, method: &str, version: &str) -> Outgoing {
    Outgoing::request(id, method, Some(with_meta(json!({}), version)))
}

async fn unsupported_version_is_refused(stage: &mut Stage<'_>) {
    const PER_REQUEST: &str = "versioning.request.decided-per-request";
    let mut refused = false;
    let other = stage.offer.listed.first().copied().unwrap_or("server/discover");
    // The last one is a day that there is not.
    let versions = ["1900-01-01", "2099-01-01", "nonsense", "2026-02-30"];
    for (at, version) in versions.into_iter().enumerate() {
        let method = if at == 0 { "server/discover" } else { other };
        let id = stage.talk.fresh_id();
        let (ticket, reply) = stage.breaking(naming(&id, method, version)).await;
        refused |= judge_refusal(stage, method, version, &ticket, &reply);
        if stage.talk.gone().is_some() {
            return;
        }
    }
    let (ticket, reply) = stage.request("server/discover", json!({})).await;
    match &reply {
        Reply::Result(_) if refused => stage.judge.held(PER_REQUEST),
        Reply::Error(_) => stage.judge.broke(
            PER_REQUEST,
            breach(
                "stuck",
                "after a request with an unknown version, a good one is refused",
                &ticket,
                &reply,
            )
            .expected(&["a result"])
            .pointer("/error"),
        ),
        _ => stage.judge.undecided(PER_REQUEST, "no-refusal", "no unknown version was refused before"),
    }
}

/// Judges the answer to an unknown version; whether it was refused as it should.
fn judge_refusal(stage: &mut Stage<'_>, method: &str, version: &str, ticket: &Ticket, reply: &Reply) -> bool {
    let ids: &[&'static str] = match method {
        "server/discover" => &[REFUSED, "discover.version-checked"],
        _ => &[REFUSED],
    };
    let expected = ["error -32022 with `supported` and `requested`"];
    let message = format!("`{method}` naming the version `{version}` was not answered with error -32022");
    let class = match reply {
        Reply::Error(_) | Reply::Unmatched(_) if reply.error_code() == Some(-32022) => {
            for id in ids {
                stage.judge.held(id);
            }
            stage.judge.held(RECOGNISABLE);
            judge_data(stage, version, ticket, reply);
            return true;
        }
        Reply::Result(_) => "served",
        Reply::Error(_) => "other-code",
        // A plain 400 is the server's; others may come from what stands before it.
        Reply::NoMessage(head) if head.status == 400 => "no-error",
        _ => {
            let text = format!("no usable answer came: {}", reply.describe());
            for id in ids {
                stage.judge.undecided(id, "no-answer", text.clone());
            }
            return false;
        }
    };
    for id in ids {
        stage.judge.broke(id, breach(class, message.clone(), ticket, reply).expected(&expected));
    }
    // A client of both eras takes any other answer for that of an older server.
    if class != "served" {
        stage
            .judge
            .broke(RECOGNISABLE, breach(class, message, ticket, reply).expected(&expected).see(REFUSED));
    }
    false
}

fn judge_data(stage: &mut Stage<'_>, version: &str, ticket: &Ticket, reply: &Reply) {
    const CONSISTENT: &str = "versioning.request.supported-list-consistent";
    let data =
        reply.answer().and_then(|answer| answer.message.error()?.get("data")).cloned().unwrap_or(Value::Null);
    let supported: Option<Vec<&str>> =
        data["supported"].as_array().and_then(|list| list.iter().map(Value::as_str).collect());
    let fault = match &supported {
        None => Some("`supported` is no array of strings"),
        Some(list) if list.is_empty() => Some("`supported` is empty"),
        Some(list) if list.contains(&version) => Some("`supported` contains the version that was refused"),
        Some(_) if data["requested"] != version => Some("`requested` is not the version that was asked for"),
        Some(_) => None,
    };
    stage.judge.decide(DATA, fault.is_none(), || {
        breach(
            "data",
            "the data of error -32022 does not say what is supported and what was requested",
            ticket,
            reply,
        )
        .expected(&["`supported`: an array of version strings; `requested`: the version asked for"])
        .actual(fault.unwrap_or_default())
        .pointer("/error/data")
    });
    let (Some(supported), Some(handshake)) = (supported, stage.talk.handshake()) else { return };
    let modern = |list: Vec<&str>| {
        let mut list: Vec<String> =
            list.into_iter().filter(|version| *version >= "2026-07-28").map(str::to_owned).collect();
        list.sort();
        list.dedup();
        list
    };
    let named = handshake.supported_versions();
    let (here, there) = (modern(supported), modern(named.iter().map(String::as_str).collect()));
    stage.judge.decide(CONSISTENT, here == there, || {
        breach("differs", "error -32022 and `server/discover` name different versions", ticket, reply)
            .expected(&[&there.join(", ")])
            .actual(here.join(", "))
            .pointer("/error/data/supported")
    });
}

async fn named_versions_work(stage: &mut Stage<'_>) {
    let named = stage.talk.handshake().map(Handshake::supported_versions).unwrap_or_default();
    for version in named.iter().filter(|version| version.as_str() >= "2026-07-28").take(10) {
        let id = stage.talk.fresh_id();
        let (ticket, reply) = stage.valid(naming(&id, "server/discover", version)).await;
        match &reply {
            Reply::Result(_) => stage.judge.held(WORKS),
            Reply::Error(_) if reply.error_code() == Some(-32022) => stage.judge.broke(
                WORKS,
                breach(
                    "refused",
                    format!("the version `{version}`, which the server names, is refused"),
                    &ticket,
                    &reply,
                )
                .expected(&["a result"])
                .pointer("/error"),
            ),
            _ => {}
        }
    }
}

async fn removed_methods_are_unknown(stage: &mut Stage<'_>) {
    const ID: &str = "versioning.removed-methods-unknown";
    let uri = stage.offer.latest.get("resources/list").and_then(|uris| uris.first()).cloned();
    let uri = uri.unwrap_or_else(|| "mcprove:none".to_owned());
    let methods = [
        ("ping", json!({})),
        ("logging/setLevel", json!({"level": "info"})),
        ("resources/subscribe", json!({"uri": uri})),
        ("resources/unsubscribe", json!({"uri": uri})),
        ("tasks/list", json!({})),
        ("tasks/result", json!({"taskId": "mcprove-none"})),
    ];
    for (method, params) in methods {
        let outgoing = stage.talk.compose(method, params);
        let (ticket, reply) = stage.breaking(outgoing).await;
        judge_removed(stage.judge, ID, method, &ticket, &reply);
    }
}

/// Judges the answer to a method that the revision no longer has.
pub(super) fn judge_removed(
    judge: &mut crate::monitors::Judge,
    id: &'static str,
    method: &str,
    ticket: &Ticket,
    reply: &Reply,
) {
    match reply {
        Reply::Error(_) | Reply::Unmatched(_) if reply.error_code() == Some(-32601) => judge.held(id),
        Reply::Result(_) | Reply::Error(_) => judge.broke(
            id,
            breach(
                method,
                format!("`{method}`, which the revision no longer has, was not answered -32601"),
                ticket,
                reply,
            )
            .expected(&["error -32601 (method not found)"]),
        ),
        _ => {}
    }
}

/// Whether a transport keeps one process for one conversation.
pub(super) fn is_own_process(transport: Transport) -> bool {
    transport == Transport::Stdio
}
