//! State handles (2026-07-28): what a server hands out for later, and who may use it. The handles that can be recognised
//! are the ids of tasks; what a tool returns of its own kind looks like any other text.

use super::door::{Shown, show};
use super::probe::{breach, probes};
use super::{Call, Known, Solo};
use crate::client::{Conversation, Outgoing, Reply};
use crate::monitors::Breach;
use crate::wire::Taint;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;

const NOT_AUTHENTICATION: &str = "security.handle.not-authentication";
const BOUND: &str = "security.handle.bound-to-user";
const RANDOM: &str = "security.handle.random";
const ROWS: [&str; 3] = [NOT_AUTHENTICATION, BOUND, RANDOM];

const TASKS: &str = "io.modelcontextprotocol/tasks";
/// How many tools are called to get a handle, and how many handles are compared.
const TOOLS: usize = 60;
const HANDLES: usize = 8;
/// Handles that vary by less than this, in bits, count as guessable.
const BITS: f64 = 48.0;
const PATIENCE: Duration = Duration::from_secs(2);

probes! {
    /// Calls tools as a client with the tasks extension until one answers with a task, whose id is a handle. The ids of
    /// several tasks vary so much that nobody can guess one; and with authorization, neither a request without a token
    /// nor one of another principal gets the task by its id.
    handles_are_no_keys (Alone, Modern, Any) decides [
        "security.handle.not-authentication", "security.handle.bound-to-user", "security.handle.random",
    ];
}

/// A request of a client with the tasks extension.
fn compose(talk: &mut Conversation, method: &str, mut params: Value) -> Outgoing {
    let mut capabilities = crate::client::capabilities(crate::protocol::Revision::V2026_07_28);
    capabilities["extensions"][TASKS] = json!({});
    params["_meta"] = json!({"io.modelcontextprotocol/clientCapabilities": capabilities});
    talk.compose(method, params)
}

/// The id of a task that answers a call.
fn task(reply: &Reply) -> Option<String> {
    let result = reply.result().filter(|result| result["resultType"] == "task")?;
    Some(result.get("taskId")?.as_str()?.to_owned())
}

async fn begin(talk: &mut Conversation, by: &str, known: &Known, call: &Call) -> Option<String> {
    let params = json!({"name": call.tool, "arguments": call.arguments});
    let mut outgoing = compose(talk, "tools/call", params);
    outgoing.mirrored = known.offer.mirrored(talk, &call.tool, &call.arguments);
    let ticket = talk.send(outgoing.deliberate(by, Taint::Message)).await;
    task(&talk.reply_within(&ticket, PATIENCE).await)
}

async fn handles_are_no_keys(solo: &mut Solo<'_>) {
    let known = solo.known().await;
    let offers = known.offer.discovered.as_ref().is_some_and(|discovered| {
        discovered.pointer("/capabilities/extensions").and_then(|extensions| extensions.get(TASKS)).is_some()
    });
    let mut calls: Vec<_> = known.offer.calls.iter().filter(|call| call.succeeded()).cloned().collect();
    // What takes long is most likely to become a task.
    calls.retain(|call| call.took < PATIENCE);
    calls.sort_by_key(|call| std::cmp::Reverse(call.took));
    calls.truncate(TOOLS);
    if !offers || calls.is_empty() {
        for id in ROWS {
            let text = "the handles that can be recognised are the ids of tasks, and the server has none";
            solo.judge.undecided(id, "no-handle", text);
        }
        return;
    }
    let Some(mut opened) = solo.begin(solo.revision, &ROWS).await else { return };
    let talk = &mut opened.talk;
    let mut handles = Vec::new();
    for call in &calls {
        let Some(first) = begin(talk, solo.name, &known, call).await else { continue };
        handles.push(first);
        while handles.len() < HANDLES {
            let Some(next) = begin(talk, solo.name, &known, call).await else { break };
            handles.push(next);
        }
        break;
    }
    if handles.len() < HANDLES {
        for id in ROWS {
            solo.judge.undecided(id, "no-handle", "no call became a task");
        }
        return solo.close(opened).await;
    }
    let distinct = handles.iter().collect::<HashSet<_>>().len();
    let bits = super::http_session::varying_bits(&handles);
    solo.judge.decide(RANDOM, distinct == handles.len() && bits >= BITS, || {
        Breach::new("guessable", "the ids of tasks vary too little to be unguessable")
            .expected(&["ids with 128 random bits, such as random UUIDs"])
            .actual(format!("about {bits:.0} bits vary from id to id"))
    });
    judge_others(solo, talk, &handles[0]).await;
    for handle in &handles {
        let outgoing = compose(talk, "tasks/cancel", json!({"taskId": handle}));
        let ticket = talk.send(outgoing.deliberate(solo.name, Taint::Message)).await;
        talk.reply_within(&ticket, PATIENCE).await;
    }
    solo.close(opened).await;
}

/// The task of one principal, asked for by nobody in particular and by another.
async fn judge_others(solo: &mut Solo<'_>, talk: &mut Conversation, handle: &str) {
    if !talk.transport().is_http() {
        for id in [NOT_AUTHENTICATION, BOUND] {
            solo.judge.not_applicable(
                id,
                "one-caller",
                "over STDIO there is one caller, who started the process",
            );
        }
        return;
    }
    let get = |talk: &mut Conversation| compose(talk, "tasks/get", json!({"taskId": handle}));
    let outgoing = get(talk);
    let ticket = talk.send(outgoing.deliberate(solo.name, Taint::Message)).await;
    let own = talk.reply(&ticket).await;
    if own.result().is_none() || super::door::own_token(solo).is_none() {
        for id in [NOT_AUTHENTICATION, BOUND] {
            let text = "it takes callers with tokens of their own: --bearer-env and --principal";
            solo.judge.undecided(id, "one-principal", text);
        }
        return;
    }
    let outgoing = get(talk);
    let (ticket, reply) = show(talk, solo.name, outgoing, &Shown::Nothing).await;
    let listing = talk.compose("tools/list", json!({}));
    let (_, bare) = show(talk, solo.name, listing, &Shown::Nothing).await;
    if bare.result().is_some() {
        solo.judge.undecided(NOT_AUTHENTICATION, "no-authorization", super::auth::OPEN);
    } else {
        solo.judge.decide(NOT_AUTHENTICATION, reply.result().is_none(), || {
            breach("no-token", "a task was told to whoever knew its id, without a token", &ticket, &reply)
                .expected(&["HTTP 401"])
        });
    }
    let Some(other) = super::door::other_token(solo).await else {
        let text = "it takes the token of another principal: --principal NAME=VAR, or --trust-test-issuer";
        return solo.judge.undecided(BOUND, "one-principal", text);
    };
    let listing = talk.compose("tools/list", json!({}));
    let (_, let_in) = show(talk, solo.name, listing, &Shown::Token(&other)).await;
    if let_in.result().is_none() {
        let text = format!("the token of the other principal is not taken: {}", let_in.describe());
        return solo.judge.undecided(BOUND, "token-refused", text);
    }
    let outgoing = get(talk);
    let (ticket, reply) = show(talk, solo.name, outgoing, &Shown::Token(&other)).await;
    solo.judge.decide(BOUND, reply.result().is_none(), || {
        breach("shared", "the task of one principal was told to another", &ticket, &reply)
            .expected(&["an error, as for an unknown task"])
    });
}
