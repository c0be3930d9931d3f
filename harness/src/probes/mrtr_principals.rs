//! Request states and whose they are (2026-07-28, basic/patterns/mrtr): what one principal was asked, another may not
//! answer.

use super::auth::OPEN;
use super::door::{Shown, other_token, own_token, show};
use super::probe::{breach, probes};
use super::{Call, Known, Solo};
use crate::client::{Conversation, Reply, mrtr};
use crate::wire::Taint;
use serde_json::{Value, json};
use std::time::Duration;

const BOUND: &str = "mrtr.state.bound-to-principal";
/// How many calls are tried, and how long one may have taken before and may take now.
const MOST_CALLS: usize = 3;
const QUICK: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(3);

probes! {
    /// Makes a call that asks for input as one principal, and lets another answer it: with the state that the first one was
    /// given. It is refused, fails, or is asked anew. Before that both are seen to be asked, and the first one to be served
    /// when it answers for itself.
    states_belong_to_who_was_asked (Alone, Modern, Http) decides ["mrtr.state.bound-to-principal"];
}

/// The first demand for input of a call, if it comes with a state.
fn demand(reply: &Reply) -> Option<Value> {
    let result = reply.result().filter(|result| mrtr::demands_input(result))?;
    let asks = result.get("inputRequests").and_then(Value::as_object).is_some_and(|asked| !asked.is_empty());
    (asks && result.get("requestState").is_some_and(Value::is_string)).then(|| result.clone())
}

fn is_served(reply: &Reply) -> bool {
    reply.result().is_some_and(|result| !mrtr::demands_input(result) && result["isError"] != true)
}

async fn states_belong_to_who_was_asked(solo: &mut Solo<'_>) {
    let known = solo.known().await;
    let mut calls: Vec<Call> =
        known.offer.calls.iter().filter(|call| call.asked_for_input && call.took < QUICK).cloned().collect();
    calls.truncate(MOST_CALLS);
    let other = other_token(solo).await;
    let why = match (calls.is_empty(), own_token(solo), &other) {
        (true, ..) => Some(("not-asked", "no call that may be repeated asks for input")),
        (_, None, _) => {
            Some(("one-principal", "it takes tokens of two principals: --bearer-env and --principal"))
        }
        (_, _, None) => Some((
            "one-principal",
            "it takes the token of another principal: --principal NAME=VAR, or --trust-test-issuer",
        )),
        _ => None,
    };
    let Some(other) = other.filter(|_| why.is_none()) else {
        let (code, text) = why.unwrap_or(("one-principal", OPEN));
        return solo.judge.undecided(BOUND, code, text);
    };
    let Some(mut opened) = solo.begin(solo.revision, &[BOUND]).await else { return };
    let talk = &mut opened.talk;
    let listing = talk.compose("tools/list", json!({}));
    let (_, bare) = show(talk, solo.name, listing, &Shown::Nothing).await;
    if bare.result().is_some() {
        solo.judge.not_applicable(BOUND, "no-authorization", OPEN);
    } else {
        for call in &calls {
            exchange(solo, talk, &known, call, &other).await;
        }
        solo.judge.undecided(BOUND, "not-asked", "no call gives both principals a `requestState`");
    }
    solo.close(opened).await;
}

/// Lets another principal answer what the first one was asked.
async fn exchange(solo: &mut Solo<'_>, talk: &mut Conversation, known: &Known, call: &Call, other: &str) {
    let params = json!({"name": call.tool, "arguments": call.arguments});
    let by = solo.name;
    let own = async |talk: &mut Conversation, params: Value| {
        let outgoing = known.offer.compose_call(talk, params).deliberate(by, Taint::Message);
        let ticket = talk.send(outgoing).await;
        talk.reply_within(&ticket, PATIENCE).await
    };
    let Some(first) = demand(&own(talk, params.clone()).await) else { return };
    if !is_served(&own(talk, mrtr::retry(&params, &first)).await) {
        return;
    }
    let outgoing = known.offer.compose_call(talk, params.clone());
    let (_, theirs) = show(talk, by, outgoing, &Shown::Token(other)).await;
    if demand(&theirs).is_none() {
        return;
    }
    let Some(again) = demand(&own(talk, params.clone()).await) else { return };
    let outgoing = known.offer.compose_call(talk, mrtr::retry(&params, &again));
    let (ticket, reply) = show(talk, by, outgoing, &Shown::Token(other)).await;
    if reply.status().is_none_or(|status| status == 429) {
        return;
    }
    solo.judge.decide(BOUND, !is_served(&reply), || {
        let text = format!("`{}`: the state that one principal was given was taken from another", call.tool);
        breach("shared", text, &ticket, &reply)
            .expected(&["an error", "another demand for input"])
            .pointer("/result")
    });
}
