//! Elicitation under test: what becomes of a call when the user declines, gives up, or fills in nonsense
//! (client/elicitation).

use super::asking::{Verdict, callers_however_slow};
use super::probe::probes;
use super::{Solo, Stage, breach};
use crate::client::{Answering, Conversation, Opened, Outgoing, Reply, Ticket, Wish};
use crate::monitors::Breach;
use crate::protocol::{Era, Revision, Transport};
use serde_json::{Value, json};
use std::time::Duration;

probes! {
    /// Repeats calls that ask the user for something, and answers with `decline`, with `cancel`, and (in the legacy
    /// era) with error -32602: each time the call ends, with whatever result or error, or asks again.
    refusing_users_are_borne (Breaking, Both, Any) decides [
        "elicitation.actions.handled", "elicitation.actions.success-not-assumed", "elicitation.error.handled",
    ];
    /// Repeats a call that asks for a form, and fills it in with values of the wrong types: the call fails, or asks
    /// again. A server that goes on with them trusts a client that need not have checked anything.
    nonsense_in_a_form_is_noticed (Breaking, Both, Any) decides ["elicitation.form.response-validated"];
    /// Opens two sessions. One is asked for a form and keeps silent; the other one answers in its place: the call must
    /// not go on. Then a page is agreed to in the first, and the notice that it is done comes to nobody else.
    elicitations_stay_with_their_client (Alone, Both, Any) decides
        ["elicitation.identity.bound", "elicitation.complete.initiator-only"];
}

const NEEDS: &str = "no call that may be repeated asks the user for anything";

async fn refusing_users_are_borne(stage: &mut Stage<'_>) {
    const HANDLED: &str = "elicitation.actions.handled";
    const NOT_ASSUMED: &str = "elicitation.actions.success-not-assumed";
    const ERROR: &str = "elicitation.error.handled";
    if stage.revision < Revision::V2025_06_18 {
        return;
    }
    for action in ["decline", "cancel"] {
        for wish in [Wish::Form, Wish::Url] {
            let Some((call, outcome)) = stage.call_for(wish, &Answering::Action(action)).await else {
                continue;
            };
            let what = format!("the user answered `{action}`");
            stage.judge_end(HANDLED, &call, &outcome, &what).await;
            // One that never ends has assumed nothing.
            if stage.era() == Era::Modern && outcome.verdict().is_an_end() {
                stage.judge.held(NOT_ASSUMED);
            }
        }
    }
    if stage.era() == Era::Legacy {
        let refusal = Answering::Error(-32602, "this elicitation cannot be shown");
        if let Some((call, outcome)) = stage.call_for(Wish::Form, &refusal).await {
            stage.judge_end(ERROR, &call, &outcome, "the client answered with error -32602").await;
        }
    }
    for id in [HANDLED, NOT_ASSUMED, ERROR] {
        stage.judge.undecided(id, "not-asked", NEEDS);
    }
}

async fn nonsense_in_a_form_is_noticed(stage: &mut Stage<'_>) {
    const ID: &str = "elicitation.form.response-validated";
    if stage.revision < Revision::V2025_06_18 {
        return;
    }
    let Some((call, outcome)) = stage.call_for(Wish::Form, &Answering::Misfit).await else {
        return stage.judge.undecided(ID, "not-asked", "no call that may be repeated asks for a form");
    };
    let typed = |question: &Value| {
        let properties = question.pointer("/params/requestedSchema/properties").and_then(Value::as_object);
        properties.is_some_and(|properties| properties.values().any(|field| field["type"].is_string()))
    };
    if !outcome.question(Wish::Form).is_some_and(typed) {
        return stage.judge.undecided(ID, "no-fields", "the form has no field that a value could misfit");
    }
    match outcome.verdict() {
        Verdict::Failed | Verdict::Refused | Verdict::Asks => stage.judge.held(ID),
        Verdict::Success => {
            let message =
                format!("`{}` went on with a form filled in with values of the wrong types", call.tool);
            stage.judge.broke(
                ID,
                breach("accepted", message, &outcome.ticket, &outcome.reply)
                    .quality()
                    .expected(&["a result with `isError: true`", "an error", "another question"])
                    .pointer("/result"),
            );
        }
        Verdict::Nothing => stage.judge_end(ID, &call, &outcome, "a form was filled in with nonsense").await,
    }
}

const BOUND: &str = "elicitation.identity.bound";
const INITIATOR: &str = "elicitation.complete.initiator-only";
/// How long an answer from the wrong side is given to have an effect.
const EFFECT: Duration = Duration::from_millis(250);
/// How long a question is waited for.
const QUESTION: Duration = Duration::from_secs(2);

async fn elicitations_stay_with_their_client(solo: &mut Solo<'_>) {
    match (solo.opener.binding().transport(), solo.revision.era()) {
        (Transport::Http, Era::Legacy) => {}
        (_, Era::Legacy) => {
            return solo.judge.not_applicable(BOUND, "one-client", "a process has one client");
        }
        (_, Era::Modern) => {
            let text = "whose the answers are shows with two principals, and a check is one of them at most";
            return solo.judge.undecided(BOUND, "one-principal", text);
        }
    }
    let known = solo.known().await;
    let forms = callers_however_slow(&known.offer, Wish::Form);
    let pages = callers_however_slow(&known.offer, Wish::Url);
    if forms.is_empty() && pages.is_empty() {
        for id in [BOUND, INITIATOR] {
            solo.judge.undecided(id, "not-asked", NEEDS);
        }
        return;
    }
    let Ok((mut ours, mut other)) = solo.opener.open_two(solo.name, Some(solo.revision)).await else {
        for id in [BOUND, INITIATOR] {
            solo.judge.undecided(id, "no-conversation", "two further conversations could not be opened");
        }
        return;
    };
    let begun = ours.talk.begin(solo.revision).await.is_ok() && other.talk.begin(solo.revision).await.is_ok();
    let apart = ours.talk.session_id().is_some() && ours.talk.session_id() != other.talk.session_id();
    if begun && apart {
        for call in &forms {
            solo.judge.about(ours.talk.recorder());
            let params = super::asking::call_params(call);
            if answered_by_another(solo, &mut ours, &mut other, &params).await {
                break;
            }
        }
        for call in &pages {
            let params = super::asking::call_params(call);
            if completed_for_one(solo, &mut ours, &mut other, &params).await {
                break;
            }
        }
    } else {
        for id in [BOUND, INITIATOR] {
            solo.judge.undecided(id, "no-sessions", "without sessions clients cannot be told apart");
        }
    }
    solo.close(ours).await;
    solo.close(other).await;
}

/// Waits until the server asks for a thing, or answers; the id of its question.
async fn question(talk: &mut Conversation, ticket: &Ticket, wish: Wish) -> Option<Value> {
    let deadline = tokio::time::Instant::now() + QUESTION;
    loop {
        let reply = talk.reply_within(ticket, Duration::from_millis(20)).await;
        let asked = talk.asked_since(ticket.since).into_iter().find(|heard| {
            let message = &heard.message;
            message.method().and_then(|method| Wish::of(method, message.params())) == Some(wish)
        });
        if let Some(asked) = asked {
            return asked.message.value().get("id").cloned();
        }
        if !matches!(reply, Reply::Silence(_)) || tokio::time::Instant::now() > deadline {
            return None;
        }
    }
}

/// Answers a question that was put to one client from another one; whether the question came.
async fn answered_by_another(
    solo: &mut Solo<'_>,
    ours: &mut Opened,
    other: &mut Opened,
    params: &Value,
) -> bool {
    ours.talk.answer_as(Answering::Never);
    let outgoing = ours.talk.compose("tools/call", params.clone());
    let ticket = ours.talk.send(outgoing).await;
    let id = question(&mut ours.talk, &ticket, Wish::Form).await;
    let asked = id.is_some();
    if let Some(id) = id {
        let answer = |action: &str| {
            let answer = json!({"jsonrpc": "2.0", "id": id, "result": {"action": action}});
            Outgoing { id: None, ..Outgoing::message(&answer) }
        };
        let foreign = answer("cancel").deliberate(solo.name, crate::wire::Taint::Message);
        let posted = other.talk.send(foreign).await;
        // It may be refused or dropped.
        other.talk.reply_within(&posted, EFFECT).await;
        let early = ours.talk.reply_within(&ticket, EFFECT).await;
        judge_bound(solo, &ticket, &early);
        ours.talk.send(answer("cancel")).await;
    }
    ours.talk.answer_as(Answering::Willing);
    ours.talk.reply_within(&ticket, super::asking::PATIENCE).await;
    asked
}

fn judge_bound(solo: &mut Solo<'_>, ticket: &Ticket, early: &Reply) {
    match early {
        Reply::Silence(_) => solo.judge.held(BOUND),
        Reply::Result(_) | Reply::Error(_) => solo.judge.broke(
            BOUND,
            breach("answered", "an answer from another session counted as the client's", ticket, early)
                .expected(&["the call waits for the answer of its own client"]),
        ),
        _ => {
            let text = format!("no usable answer came: {}", early.describe());
            solo.judge.undecided(BOUND, "no-answer", text);
        }
    }
}

/// Agrees to a page in one session and listens in another one; whether the notice came at all.
async fn completed_for_one(
    solo: &mut Solo<'_>,
    ours: &mut Opened,
    other: &mut Opened,
    params: &Value,
) -> bool {
    let since = other.talk.now();
    let outgoing = ours.talk.compose("tools/call", params.clone());
    let ticket = ours.talk.send(outgoing).await;
    if question(&mut ours.talk, &ticket, Wish::Url).await.is_none() {
        return false;
    }
    ours.talk.reply_within(&ticket, super::asking::PATIENCE).await;
    ours.talk.idle(EFFECT).await;
    other.talk.idle(Duration::from_millis(50)).await;
    let notices = |talk: &mut Conversation, since: u64| -> Vec<_> {
        let mut heard = talk.heard_since(since);
        heard.retain(|heard| heard.message.method() == Some("notifications/elicitation/complete"));
        heard
    };
    if notices(&mut ours.talk, ticket.since).is_empty() {
        let text = "the server did not say that an interaction is over";
        solo.judge.undecided(INITIATOR, "no-notice", text);
        return false;
    }
    let stray = notices(&mut other.talk, since);
    solo.judge.about(other.talk.recorder());
    let Some(stray) = stray.first() else {
        solo.judge.held(INITIATOR);
        return true;
    };
    solo.judge.broke(
        INITIATOR,
        Breach::new("elsewhere", "that an interaction is over was told to another client too")
            .expected(&["no notice but to the client that was asked"])
            .actual("a notice in another session")
            .at(&stray.record)
            .pointer("/method"),
    );
    true
}
