//! Calls to which nothing came.

use super::Solo;
use super::errands::PATIENCE;
use super::probe::{breach, probes};
use crate::client::Reply;
use serde_json::json;

const ID: &str = "robustness.request.no-hang";

probes! {
    /// Takes a tool call for which nothing had come when its time in the tour was over, and makes it again alone. No answer,
    /// no progress and no other message within the whole time-out (`--timeout`) is a warning: a tool may take its time,
    /// but a client cannot tell that from one that hangs.
    silent_calls_come_to_an_end (AloneForEra, Both, Any) decides ["robustness.request.no-hang"];
}

async fn silent_calls_come_to_an_end(solo: &mut Solo<'_>) {
    let known = solo.known().await;
    let limit = solo.opener.opening().timeouts.request;
    let silent = known
        .offer
        .calls
        .iter()
        .find(|call| call.result.is_none() && !call.asked_for_input && call.took >= PATIENCE.min(limit));
    let Some(call) = silent else { return };
    let Some(mut opened) = solo.begin(solo.revision, &[ID]).await else { return };
    let token = json!({"progressToken": "silence"});
    let params = json!({"name": call.tool, "arguments": call.arguments, "_meta": token});
    let outgoing = known.offer.compose_call(&mut opened.talk, params);
    let ticket = opened.talk.send(outgoing).await;
    let reply = opened.talk.reply_within(&ticket, limit).await;
    if matches!(reply, Reply::Silence(_)) && opened.talk.heard_since(ticket.since).is_empty() {
        let text = format!("nothing came for a call of `{}`", call.tool);
        let seen = breach("silent-call", text, &ticket, &reply).quality();
        solo.judge.broke(ID, seen.expected(&["an answer, or progress, within the time-out"]));
    }
    solo.close(opened).await;
}
