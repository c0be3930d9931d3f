//! Streamable HTTP under test: what POST and other methods are answered with (basic/transports).

use super::call::{Call, tool_calls};
use super::probe::probes;
use super::{Solo, Stage, breach};
use crate::client::{Gone, HttpEdits, Outgoing, Reply, Ticket};
use crate::monitors::Breach;
use crate::protocol::{Era, Revision};
use crate::wire::Taint;
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::Duration;

/// The size of a body of garbage, in bytes.
const GARBAGE: usize = 2 << 20;

/// How long a request has to reach the server before its response is closed.
const UNDER_WAY: Duration = Duration::from_millis(10);
/// How many of the slowest tools are called to find one whose response can be closed before its end.
const SLOWEST: usize = 5;

probes! {
    /// Sends three harmless requests at once. A client may have several streams open, so all three are served; a
    /// server that serves one at a time stalls every client that works in parallel.
    requests_at_once_are_all_served (Breaking, Legacy, Http) decides ["http.sse.multiple-streams"];
    /// Sends a request with both media types in `Accept` written in other legal ways: the other order, weights, a
    /// third type. All are served: HTTP libraries write the header each in its own way. What a server does with an
    /// `Accept` that does not name both is left to it.
    any_writing_of_accept_is_served (Breaking, Both, Http) decides ["http.post.accept-both-types-served"];
    /// Sends a request with `Content-Type: application/json; charset=utf-8`. Many HTTP libraries add the parameter by
    /// themselves, so it is accepted like the type without it.
    content_type_with_charset_is_accepted (Breaking, Both, Http) decides ["http.post.content-type-parameters"];
    /// Posts a notification that is harmless and has no effect: the cancellation of a request that is over. A server
    /// may refuse it with 4xx; if it accepts, then with 202 and no body.
    late_cancellation_is_taken_in (Breaking, Both, Http) decides
        ["http.post.notification-accepted-status", "http.post.notification-empty-body"];
    /// Posts a notification whose `params` is a number, and one with an unknown name. What is not accepted is refused
    /// by an HTTP status; a JSON-RPC error with status 200 answers something that cannot be answered.
    refused_notification_has_an_error_status (Breaking, Both, Http) decides ["http.post.input-refused-status"];
    /// Posts a response to a request that the server never made. It may be refused with 4xx; if it is accepted, then
    /// with 202 and no body.
    stray_response_is_dropped (Breaking, Legacy, Http) decides ["http.post.response-accepted-status"];
    /// Posts what is no JSON-RPC message: half a message, a number, nothing, 2 MiB of letters. None of it may be taken
    /// for accepted; 400, 413, 415 or 422 says so. An error 5xx, and a connection that is closed without a word, say that
    /// the server stumbled; 200 with an error about what cannot be read hides the error from every proxy and log.
    malformed_body_is_not_accepted (Breaking, Both, Http) decides ["http.post.malformed-body-refused"];
    /// Posts an array of two requests to a server of 2026-07-28, which has no batches. It is refused with 4xx.
    batch_is_refused (Breaking, Modern, Http) decides ["http.post.batch-body-refused"];
    /// Posts a response to a server of 2026-07-28, which never asks anything. It is ignored or refused, and neither
    /// answered with a result nor with 5xx.
    posted_response_has_no_effect (Breaking, Modern, Http) decides ["http.post.posted-response-without-effect"];
    /// Uses the method PUT on the endpoint. Where that is answered with 405, `Allow` names the methods that work.
    other_method_is_answered_with_allow (Breaking, Both, Http) decides ["http.method.allow-listed"];
    /// Uses GET and DELETE on the endpoint of a server that speaks 2026-07-28 alone. Both are gone from the protocol
    /// and answered with 405, by which older clients know that there is no stream and no session.
    removed_methods_are_refused (AloneForEra, Modern, Http) decides
        ["http.method.get-refused", "http.method.delete-refused", "http.method.allow-listed"];
    /// Sends two requests at once and closes the response of one. That cancels this one alone: the other is answered.
    /// Else one impatient user of a shared client would stop all others.
    closed_response_leaves_other_requests_alone (Breaking, Modern, Http) decides ["http.disconnect.others-unaffected"];
    /// Sends a request of 2026-07-28 with `Last-Event-ID`. Its streams cannot be resumed, so the header is ignored.
    last_event_id_is_ignored (Breaking, Modern, Http) decides ["http.resume.not-available"];
}

/// The request that harms nobody.
pub(super) fn harmless(stage: &mut Stage<'_>) -> Outgoing {
    stage.talk.compose(stage.harmless(), json!({}))
}

/// Bytes with the headers that a message of the era has.
fn bytes(stage: &Stage<'_>, body: impl Into<Bytes>) -> Outgoing {
    let mut outgoing = Outgoing::bytes(body);
    if stage.era() == Era::Modern {
        outgoing.version = Some(Revision::V2026_07_28.to_string());
        outgoing.method = Some("server/discover".to_owned());
    }
    outgoing
}

async fn requests_at_once_are_all_served(stage: &mut Stage<'_>) {
    const ID: &str = "http.sse.multiple-streams";
    let mut tickets = Vec::new();
    for _ in 0..3 {
        let outgoing = harmless(stage);
        tickets.push(stage.talk.send(outgoing).await);
    }
    for ticket in &tickets {
        match stage.talk.reply(ticket).await {
            Reply::Result(_) => stage.judge.held(ID),
            reply @ Reply::Gone(_) => stage.judge.undecided(ID, "no-answer", reply.describe()),
            reply if reply.status() == Some(429) => {
                stage.judge.undecided(ID, "rate-limit", "HTTP 429 for three requests at once");
            }
            reply => stage.judge.broke(
                ID,
                breach("not-served", "of three requests at once, not all were served", ticket, &reply)
                    .expected(&["a result for each of the three"]),
            ),
        }
    }
}

async fn any_writing_of_accept_is_served(stage: &mut Stage<'_>) {
    const ID: &str = "http.post.accept-both-types-served";
    let variants = [
        "text/event-stream, application/json",
        "application/json;q=0.9, text/event-stream;q=0.8",
        "application/json, text/event-stream, text/plain;q=0.1",
    ];
    for accept in variants {
        let outgoing = harmless(stage).http(HttpEdits::default().set("Accept", accept));
        let (ticket, reply) = stage.valid(outgoing).await;
        match &reply {
            Reply::Result(_) => stage.judge.held(ID),
            _ if reply.status().is_some() => {
                let message = format!("a request with `Accept: {accept}` was not served");
                let breach = breach("refused", message, &ticket, &reply).expected(&["a result"]);
                stage.judge.broke(ID, breach);
            }
            _ => stage.judge.undecided(ID, "no-answer", reply.describe()),
        }
    }
}

async fn content_type_with_charset_is_accepted(stage: &mut Stage<'_>) {
    const ID: &str = "http.post.content-type-parameters";
    let edits = HttpEdits::default().set("Content-Type", "application/json; charset=utf-8");
    let outgoing = harmless(stage).http(edits);
    let (ticket, reply) = stage.valid(outgoing).await;
    match &reply {
        Reply::Result(_) => stage.judge.held(ID),
        _ if reply.is_refusal() => stage.judge.broke(
            ID,
            breach("refused", "`Content-Type: application/json; charset=utf-8` was refused", &ticket, &reply)
                .expected(&["a result"]),
        ),
        _ => stage.judge.undecided(ID, "no-answer", reply.describe()),
    }
}

async fn late_cancellation_is_taken_in(stage: &mut Stage<'_>) {
    let over = harmless(stage);
    let id = over.id.as_ref().and_then(|id| serde_json::from_str::<Value>(id.as_json()).ok());
    stage.valid(over).await;
    let params = stage.talk.params(json!({"requestId": id, "reason": "it is over"}));
    let outgoing = Outgoing::notification("notifications/cancelled", params);
    // Valid, so the monitors judge its answer.
    let ticket = stage.talk.send(outgoing.deliberate(stage.name, Taint::Nothing)).await;
    stage.talk.reply(&ticket).await;
}

async fn refused_notification_has_an_error_status(stage: &mut Stage<'_>) {
    const ID: &str = "http.post.input-refused-status";
    let unknown = stage.talk.params(json!({}));
    let outgoings = [
        ("scalar-params", json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": 7})),
        ("unknown", {
            let mut message = json!({"jsonrpc": "2.0", "method": "notifications/mcprove/unknown"});
            if let Some(params) = unknown {
                message["params"] = params;
            }
            message
        }),
    ];
    for (class, message) in outgoings {
        let mut outgoing = Outgoing::message(&message);
        if stage.era() == Era::Modern {
            outgoing.version = Some(Revision::V2026_07_28.to_string());
        }
        let (ticket, reply) = stage.breaking(outgoing).await;
        match (reply.status(), &reply) {
            (Some(200..=299), Reply::Unmatched(_) | Reply::Error(_)) => stage.judge.broke(
                ID,
                breach(class, "a notification was answered by a message with a 2xx status", &ticket, &reply)
                    .expected(&["HTTP 202 without a body", "HTTP 4xx"]),
            ),
            (Some(_), _) => stage.judge.held(ID),
            (None, _) => stage.judge.undecided(ID, "no-answer", reply.describe()),
        }
    }
}

async fn malformed_body_is_not_accepted(stage: &mut Stage<'_>) {
    const ID: &str = "http.post.malformed-body-refused";
    let bodies: [(&str, Bytes); 4] = [
        ("truncated", Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"method":"pi"#)),
        ("scalar", Bytes::from_static(b"7")),
        ("empty", Bytes::new()),
        ("garbage", Bytes::from(vec![b'x'; GARBAGE])),
    ];
    // The last one is large in the record too: the newest revision of each era is enough.
    let newest = stage.revision >= Revision::V2025_11_25;
    for (class, body) in bodies.into_iter().filter(|(class, _)| newest || *class != "garbage") {
        let (ticket, reply) = malformed(stage, &body).await;
        let broke = |text: &str| {
            breach(class, text, &ticket, &reply).expected(&["HTTP 4xx, with a JSON-RPC error or without"])
        };
        match reply.status() {
            Some(200..=299) if !reply.is_error() => {
                stage.judge.broke(ID, broke("a body that is no JSON-RPC message was accepted"));
            }
            // A number is JSON, and which status a JSON-RPC error about it has was free for long.
            Some(200..=299) if class != "scalar" => {
                let text = "a body that cannot be read was answered with an error and a status of success";
                stage.judge.broke(ID, broke(text).quality());
            }
            Some(500..) => {
                let text = "a body that is no JSON-RPC message was answered as a fault of the server";
                stage.judge.broke(ID, broke(text).quality());
            }
            Some(_) => stage.judge.held(ID),
            // Who will not read all of it may close the connection on the rest.
            None if matches!(reply, Reply::Gone(Gone::Broken(_))) && class != "garbage" => {
                let text = "a body that is no JSON-RPC message was answered by closing the connection";
                stage.judge.broke(ID, broke(text).quality());
            }
            None if class == "garbage" => stage.judge.undecided(ID, "no-answer", reply.describe()),
            None => stage.judge.unseen(ID, "no-answer", reply.describe()),
        }
    }
}

/// Posts a body that is no message; once more on a connection of its own if that broke, which need not be its fault.
async fn malformed(stage: &mut Stage<'_>, body: &Bytes) -> (Ticket, Reply) {
    let outgoing = bytes(stage, body.clone());
    let (ticket, reply) = stage.breaking(outgoing).await;
    if !matches!(reply, Reply::Gone(Gone::Broken(_))) {
        return (ticket, reply);
    }
    let edits = HttpEdits { fresh_connection: true, ..HttpEdits::default() };
    let outgoing = bytes(stage, body.clone()).http(edits);
    stage.breaking(outgoing).await
}

async fn batch_is_refused(stage: &mut Stage<'_>) {
    const ID: &str = "http.post.batch-body-refused";
    let mut requests = Vec::new();
    for _ in 0..2 {
        let request = harmless(stage);
        requests.extend(serde_json::from_slice::<Value>(&request.body));
    }
    let outgoing = bytes(stage, Value::Array(requests).to_string());
    let (ticket, reply) = stage.breaking(outgoing).await;
    let served = matches!(&reply, Reply::Result(_))
        || reply.answer().is_some_and(|answer| answer.message.result().is_some());
    let broke = |class: &str, text: &str| {
        breach(class, text, &ticket, &reply).expected(&["HTTP 4xx, usually with error -32600"])
    };
    match reply.status() {
        Some(_) if served => stage.judge.broke(ID, broke("served", "the requests of a batch were processed")),
        Some(500..) => stage.judge.broke(ID, broke("5xx", "a batch was answered as a fault of the server")),
        Some(_) => stage.judge.held(ID),
        None if matches!(reply, Reply::Silence(_)) => {
            stage.judge.broke(ID, broke("hang", "a batch was never answered"));
        }
        None => stage.judge.undecided(ID, "no-answer", reply.describe()),
    }
}

async fn posted_response_has_no_effect(stage: &mut Stage<'_>) {
    const ID: &str = "http.post.posted-response-without-effect";
    let mut outgoing =
        Outgoing::message(&json!({"jsonrpc": "2.0", "id": "mcprove-never-asked", "result": {}}));
    outgoing.version = Some(Revision::V2026_07_28.to_string());
    // It is answered by nothing that has its id.
    outgoing.id = None;
    let (ticket, reply) = stage.breaking(outgoing).await;
    let result = reply.answer().is_some_and(|answer| answer.message.result().is_some());
    match reply.status() {
        Some(status) if result || status >= 500 => stage.judge.broke(
            ID,
            breach("effect", "a response that nobody had asked for was not just dropped", &ticket, &reply)
                .expected(&["HTTP 202", "HTTP 4xx"]),
        ),
        Some(_) => stage.judge.held(ID),
        None => stage.judge.undecided(ID, "no-answer", reply.describe()),
    }
}

async fn stray_response_is_dropped(stage: &mut Stage<'_>) {
    const ID: &str = "http.post.response-accepted-status";
    let mut outgoing =
        Outgoing::message(&json!({"jsonrpc": "2.0", "id": "mcprove-never-asked", "result": {}}));
    outgoing.id = None;
    let (ticket, reply) = stage.breaking(outgoing).await;
    match (reply.status(), &reply) {
        (Some(202), Reply::NoMessage(_)) => stage.judge.held(ID),
        (Some(200..=299), _) => stage.judge.broke(
            ID,
            breach("stray", "a response was accepted otherwise than with an empty 202", &ticket, &reply)
                .expected(&["HTTP 202 without a body", "HTTP 4xx"]),
        ),
        _ => {
            let text = format!("a response to no request was not accepted: {}", reply.describe());
            stage.judge.undecided(ID, "not-accepted", text);
        }
    }
}

async fn removed_methods_are_refused(solo: &mut Solo<'_>) {
    const GET: &str = "http.method.get-refused";
    const DELETE: &str = "http.method.delete-refused";
    if solo.dual_era {
        for id in [GET, DELETE] {
            let text = "the server speaks the older era too, which has these methods";
            solo.judge.not_applicable(id, "dual-era", text);
        }
        return;
    }
    let Some(mut opened) = solo.begin(solo.revision, &[GET, DELETE]).await else { return };
    let edits = || Outgoing::bytes("").deliberate(solo.name, Taint::Message);
    let ticket = opened.talk.get_stream(None, &edits());
    let head = opened.talk.head(&ticket).await;
    opened.talk.abort(&ticket).await;
    let get = head.ok().map(|head| head.status);
    let delete = opened.talk.bare("DELETE", edits()).await.status();
    for (id, method, status) in [(GET, "GET", get), (DELETE, "DELETE", delete)] {
        match status {
            Some(405) => solo.judge.held(id),
            Some(401 | 403 | 429 | 502..) | None => {
                solo.judge.undecided(id, "no-verdict", format!("{method} was not answered clearly"));
            }
            Some(status) => solo.judge.broke(
                id,
                Breach::new("other-status", format!("{method} was not refused with 405"))
                    .expected(&["HTTP 405"])
                    .actual(format!("HTTP {status}"))
                    .sent(ticket.since),
            ),
        }
    }
    solo.close(opened).await;
}

async fn other_method_is_answered_with_allow(stage: &mut Stage<'_>) {
    let put = Outgoing::bytes("").deliberate(stage.name, Taint::Message);
    let reply = stage.talk.bare("PUT", put).await;
    // A monitor looks at every 405.
    if reply.status() != Some(405) {
        let text = format!("PUT was not answered with 405: {}", reply.describe());
        stage.judge.undecided("http.method.allow-listed", "no-405", text);
    }
}

async fn closed_response_leaves_other_requests_alone(stage: &mut Stage<'_>) {
    const ID: &str = "http.disconnect.others-unaffected";
    for call in slowest_calls(stage).await.into_iter().take(SLOWEST) {
        if let Some((kept, reply)) = beside_another(stage, &call, true).await {
            return judge_kept(stage, ID, &call, &kept, reply).await;
        }
    }
    let text = "no response took long enough to be closed before its end";
    stage.judge.undecided(ID, "over", text);
}

/// Calls a tool twice at once, closes the response to the first call or leaves it, and waits for the other; none where the
/// first was over before it could be closed. Each call has a connection of its own: on one that was kept, a request whose
/// connection is closed is sent again.
async fn beside_another(stage: &mut Stage<'_>, call: &Call, close: bool) -> Option<(Ticket, Reply)> {
    let own = || HttpEdits { fresh_connection: true, ..HttpEdits::default() };
    let first = call.compose(stage.talk, Some(json!({"progressToken": stage.talk.now()})));
    let first = stage.talk.send(first.http(own())).await;
    stage.talk.idle(UNDER_WAY).await;
    // Both are under way when one is closed.
    let kept = call.compose(stage.talk, None).http(own());
    let kept = stage.talk.send(kept).await;
    stage.talk.idle(UNDER_WAY).await;
    let over = stage.talk.ended(&first).is_some();
    if close && !over {
        stage.talk.abort(&first).await;
    }
    let reply = stage.talk.reply(&kept).await;
    if !close {
        stage.talk.reply(&first).await;
    }
    (!close || !over).then_some((kept, reply))
}

/// Calls of tools as they were answered before, the slowest first: these are the likeliest to be closed in the middle.
async fn slowest_calls(stage: &mut Stage<'_>) -> Vec<Call> {
    let mut calls = Vec::new();
    for mut call in tool_calls(stage.talk, stage.offer, stage.settings).await {
        let known =
            stage.offer.calls.iter().filter(|known| known.tool == call.name && !known.asked_for_input);
        let slowest = known.max_by_key(|known| known.took);
        if let Some(known) = slowest {
            call.params["arguments"] = known.arguments.clone();
        }
        calls.push((slowest.map_or(Duration::ZERO, |known| known.took), call));
    }
    calls.sort_by_key(|(took, _)| std::cmp::Reverse(*took));
    calls.into_iter().map(|(_, call)| call).collect()
}

async fn judge_kept(stage: &mut Stage<'_>, id: &'static str, call: &Call, kept: &Ticket, reply: Reply) {
    // A connection may break for any reason: this one counts where that happens again, and never without the other.
    if is_broken(&reply) {
        let again = beside_another(stage, call, true).await;
        let alone = beside_another(stage, call, false).await;
        let counts = again.is_some_and(|(_, reply)| is_broken(&reply))
            && alone.is_some_and(|(_, reply)| reply.result().is_some());
        if counts {
            let text = "the connection of a request was closed when the response of another was closed";
            return stage.judge.broke(id, breach("broken", text, kept, &reply).expected(&["a result"]));
        }
    }
    match reply {
        Reply::Result(_) => stage.judge.held(id),
        reply @ (Reply::Gone(_) | Reply::NoMessage(_)) => {
            stage.judge.undecided(id, "no-answer", reply.describe());
        }
        reply if reply.status() == Some(429) => {
            stage.judge.undecided(id, "rate-limit", "HTTP 429 for two requests at once");
        }
        reply => stage.judge.broke(
            id,
            breach(
                "other",
                "a request was not answered after the response of another was closed",
                kept,
                &reply,
            )
            .expected(&["a result"]),
        ),
    }
}

fn is_broken(reply: &Reply) -> bool {
    matches!(reply, Reply::Gone(Gone::Broken(_)))
}

async fn last_event_id_is_ignored(stage: &mut Stage<'_>) {
    const ID: &str = "http.resume.not-available";
    let outgoing = harmless(stage).http(HttpEdits::default().set("Last-Event-ID", "mcprove-1"));
    let (ticket, reply) = stage.breaking(outgoing).await;
    match &reply {
        Reply::Result(_) => stage.judge.held(ID),
        Reply::Silence(_) | Reply::Gone(_) => stage.judge.undecided(ID, "no-answer", reply.describe()),
        _ => {
            let breach: Breach =
                breach("refused", "`Last-Event-ID` on a request changed its outcome", &ticket, &reply)
                    .expected(&["the result, as without the header"]);
            stage.judge.broke(ID, breach);
        }
    }
}
