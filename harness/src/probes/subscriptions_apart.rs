//! Subscriptions to resources and whose they are: of what a principal may not read, no update comes to that principal
//! (server/resources#security-considerations).

use super::call::tool_calls;
use super::door::{keeps_out, other_token};
use super::lists::declares;
use super::probe::probes;
use super::tasks_apart::{self, Stranger};
use super::{Known, Settings, Solo};
use crate::client::{Conversation, Heard, Ticket};
use crate::monitors::Breach;
use crate::protocol::Era;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

const ID: &str = "resources.read.access-control";
const UPDATED: &str = "notifications/resources/updated";

/// The most pages of a list that are read for one principal.
const PAGES: usize = 50;
/// How many resources are subscribed to for each two principals.
const MOST: usize = 16;
/// How many tools are called, and how often with other arguments: what stays as it is, is not told.
const TOOLS: usize = 12;
const ROUNDS: u64 = 3;
/// How long an acknowledgement is waited for, and how long after the calls what goes with them.
const PATIENCE: Duration = Duration::from_secs(1);
const BESIDE: Duration = Duration::from_millis(80);

probes! {
    /// Where the user gave the credentials of other principals (`--principal`, `--trust-test-issuer`): asks as each of them
    /// for the updates of resources that only the list of the user's own principal has, subscribes to the same as the user,
    /// and calls the tools that may be called and do more than read. No update comes to another principal of what is served
    /// to the user and refused to that principal. That a subscription is refused or left out is right, and so is silence.
    updates_come_to_those_who_may_read (Alone, Both, Http) decides ["resources.read.access-control"];
}

async fn updates_come_to_those_who_may_read(solo: &mut Solo<'_>) {
    if other_token(solo).await.is_none() {
        let text = "it takes the credentials of another principal: --principal";
        return solo.judge.undecided(ID, "one-caller", text);
    }
    let known = solo.known().await;
    let Some(mut opened) = solo.begin(solo.revision, &[ID]).await else { return };
    let talk = &mut opened.talk;
    if declares(talk, "resources/subscribe")
        && let Some(ours) = listed(solo, talk, None).await
    {
        for other in tasks_apart::others(solo, talk).await {
            let Some(theirs) = listed(solo, talk, Some(&other)).await else { continue };
            let hidden: Vec<Value> =
                ours.iter().filter(|uri| !theirs.contains(uri)).take(MOST).cloned().collect();
            if !hidden.is_empty() {
                overhear(solo, talk, &known, &other, &hidden).await;
            }
        }
    }
    // Where nothing came, nothing may have changed.
    solo.judge.undecided(ID, "nothing-told", "no update came of a resource that is hidden from somebody");
    solo.close(opened).await;
}

/// The URIs that are listed for a principal, the user's own without one; none if the list cannot be read to its end.
async fn listed(solo: &Solo<'_>, talk: &mut Conversation, stranger: Option<&Stranger>) -> Option<Vec<Value>> {
    let (mut uris, mut params) = (Vec::new(), json!({}));
    for _ in 0..PAGES {
        let outgoing = talk.compose("resources/list", params);
        let reply = match stranger {
            Some(stranger) => stranger.sends(solo, talk, outgoing).await.1,
            None => {
                let ticket = talk.send(outgoing).await;
                talk.reply(&ticket).await
            }
        };
        let result = reply.result()?;
        let page = result.get("resources")?.as_array()?;
        uris.extend(page.iter().filter_map(|resource| resource.get("uri").cloned()));
        let Some(cursor) = result.get("nextCursor") else { return Some(uris) };
        params = json!({"cursor": cursor});
    }
    None
}

/// Lets another principal subscribe to what their list does not have, and makes it change.
async fn overhear(
    solo: &mut Solo<'_>,
    talk: &mut Conversation,
    known: &Known,
    other: &Stranger,
    hidden: &[Value],
) {
    let (streams, taken) = match solo.revision.era() {
        Era::Modern => listen(solo, talk, other, hidden).await,
        Era::Legacy => subscribe(solo, talk, other, hidden).await,
    };
    if taken {
        for round in 0..ROUNDS {
            call_tools(solo, talk, known, round).await;
            if judge(solo, talk, other, hidden, &streams.theirs).await {
                break;
            }
        }
    }
    for stream in streams.own.iter().chain([&streams.theirs]) {
        talk.abort(stream).await;
    }
}

/// The streams that were opened.
struct Streams {
    /// The user's own, if it was opened for this.
    own: Option<Ticket>,
    theirs: Ticket,
}

/// Both listen to the updates (2026-07-28); whether those of the other one are acknowledged.
async fn listen(
    solo: &Solo<'_>,
    talk: &mut Conversation,
    other: &Stranger,
    hidden: &[Value],
) -> (Streams, bool) {
    let params = json!({"notifications": {"resourceSubscriptions": hidden}});
    let outgoing = talk.compose("subscriptions/listen", params.clone());
    let own = talk.send(outgoing).await;
    let outgoing = talk.compose("subscriptions/listen", params);
    let theirs = other.opens(solo, talk, outgoing).await;
    let deadline = Instant::now() + PATIENCE;
    let acknowledged = |heard: &Heard| {
        let params = heard.message.params();
        let uris = params.and_then(|params| params.pointer("/notifications/resourceSubscriptions"));
        heard.message.method() == Some("notifications/subscriptions/acknowledged")
            && uris.and_then(Value::as_array).is_some_and(|uris| !uris.is_empty())
    };
    let mut taken = false;
    while !taken && talk.ended(&theirs).is_none() && Instant::now() < deadline {
        talk.idle(Duration::from_millis(20)).await;
        taken = on(talk, &theirs).iter().any(acknowledged);
    }
    (Streams { own: Some(own), theirs }, taken)
}

/// Both subscribe (until 2025-11-25); whether any of the other one's subscriptions is taken.
async fn subscribe(
    solo: &Solo<'_>,
    talk: &mut Conversation,
    other: &Stranger,
    hidden: &[Value],
) -> (Streams, bool) {
    let theirs = other.opens_stream(solo, talk);
    let mut taken = talk.head(&theirs).await.is_ok_and(|head| head.is_event_stream());
    let mut any = false;
    for uri in hidden.iter().filter(|_| taken) {
        talk.request("resources/subscribe", json!({"uri": uri})).await;
        let outgoing = talk.compose("resources/subscribe", json!({"uri": uri}));
        any |= other.sends(solo, talk, outgoing).await.1.result().is_some();
    }
    taken &= any;
    (Streams { own: None, theirs }, taken)
}

/// What came on a stream.
fn on(talk: &mut Conversation, stream: &Ticket) -> Vec<Heard> {
    let mut heard = talk.heard_since(stream.since);
    heard.retain(|heard| heard.record.channel == stream.channel);
    heard
}

/// Calls the tools that may be called and do more than read, with other arguments each round.
async fn call_tools(solo: &Solo<'_>, talk: &mut Conversation, known: &Known, round: u64) {
    let settings = Settings { seed: solo.settings.seed.wrapping_add(round), ..solo.settings.clone() };
    let reads = |name: &str| {
        let tool = known.offer.tools.iter().find(|tool| tool["name"] == name);
        tool.is_some_and(|tool| tool.pointer("/annotations/readOnlyHint") == Some(&Value::Bool(true)))
    };
    let calls = tool_calls(talk, &known.offer, &settings).await;
    for call in calls.iter().filter(|call| !reads(&call.name)).take(TOOLS) {
        let outgoing = call.compose(talk, None);
        call.send(talk, outgoing).await;
    }
    talk.idle(BESIDE).await;
}

/// Looks for an update of what the other one may not read; whether there was one.
async fn judge(
    solo: &mut Solo<'_>,
    talk: &mut Conversation,
    other: &Stranger,
    hidden: &[Value],
    stream: &Ticket,
) -> bool {
    let mut uris: Vec<Value> = Vec::new();
    for heard in on(talk, stream) {
        let uri = heard.message.params().and_then(|params| params.get("uri")).cloned().unwrap_or_default();
        if heard.message.method() != Some(UPDATED) || !hidden.contains(&uri) || uris.contains(&uri) {
            continue;
        }
        uris.push(uri.clone());
        // What is only left out of a list is open to all.
        let own = talk.request("resources/read", json!({"uri": uri})).await;
        let outgoing = talk.compose("resources/read", json!({"uri": uri}));
        let (_, theirs) = other.sends(solo, talk, outgoing).await;
        if own.result().is_some() && keeps_out(&theirs) {
            let text = "an update came to a principal of a resource that is refused to that principal";
            let seen = Breach::new("updates", text).quality();
            let seen = seen.expected(&["a refusal of the subscription, or no updates"]).at(&heard.record);
            let seen = seen.actual(format!("`{UPDATED}`")).pointer("/params/uri");
            solo.judge.broke(ID, seen.sent(stream.since).sent_on(stream.channel));
            return true;
        }
    }
    false
}
