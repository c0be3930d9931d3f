//! Retries under test: what is missing, superfluous or malformed in them, and states that were tampered with
//! (2026-07-28, basic/patterns/mrtr).

use super::asking::{Verdict, call_params, callers};
use super::offer::Call;
use super::probe::probes;
use super::{Stage, breach};
use crate::client::{HttpEdits, Reply, Ticket, Wish, mrtr};
use crate::monitors::{Breach, Judge, rows_of};
use crate::wire::Taint;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

/// How many calls that ask for input are looked at.
const MOST_CALLS: usize = 3;
/// How many pairs of calls that demand the same are looked at.
const MOST_ALIKE: usize = 3;
/// How many demands for input are left alone.
const ABANDONED: usize = 5;

probes! {
    /// Repeats calls that ask for input with one client capability left out, or with another mode declared: no input of
    /// that kind is demanded then. The call fails with -32021, or does without.
    only_declared_input_is_demanded (Breaking, Modern, Any) decides [
        "elicitation.capability.required", "elicitation.mode.declared-only", "sampling.capability.required",
        "sampling.tools.capability", "roots.capability.required", "mrtr.result.respects-capabilities",
    ];
    /// Retries with an answer too many, with none of the answers, over another connection, and not at all: what is
    /// superfluous is ignored, what is missing is asked for again, any instance of the server can go on, and nobody
    /// waits for a retry that never comes.
    retries_may_lack_or_exceed (Breaking, Modern, Any) decides [
        "mrtr.retry.extra-responses-ignored", "mrtr.retry.missing-responses-rerequested",
        "mrtr.retry.self-contained", "mrtr.retry.not-assumed",
    ];
    /// Retries with answers that are none (a word, an action that does not exist), with `inputResponses` as an array,
    /// with `requestState` as a number: an error, or for the answers a result with `isError` or another demand.
    malformed_retries_are_refused (Breaking, Modern, Any) decides
        ["mrtr.retry.responses-validated", "mrtr.retry.malformed-error"];
    /// Retries with a state that was cut, changed by a letter, emptied, exchanged for foreign JSON, blown up, or that
    /// belongs to another call: it is refused, or the client is asked anew. Where tampering can do no harm a server
    /// need not notice, so that is told as a warning.
    tampered_states_are_refused (Breaking, Modern, Any) decides [
        "mrtr.state.untrusted", "mrtr.state.integrity-protected", "mrtr.state.tampered-refused",
        "mrtr.state.bound-to-request",
    ];
}

const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const NEEDS: &str = "no call that may be repeated asks for input";

/// What a client can declare that is less than all, and the wishes that it rules out.
fn lesser_capabilities() -> [(Value, &'static [Wish]); 6] {
    let (form, url) = (json!({"elicitation": {}}), json!({"elicitation": {"url": {}}}));
    let with = |mut part: Value, others: Value| {
        if let (Some(part), Value::Object(others)) = (part.as_object_mut(), others) {
            part.extend(others);
        }
        part
    };
    let sampling = json!({"sampling": {"tools": {}}});
    let roots = json!({"roots": {}});
    [
        (with(sampling.clone(), roots.clone()), &[Wish::Form, Wish::Url]),
        (
            with(json!({"roots": {}}), json!({"elicitation": {"form": {}, "url": {}}})),
            &[Wish::Sampling, Wish::SamplingTools],
        ),
        (with(sampling.clone(), json!({"elicitation": {"form": {}, "url": {}}})), &[Wish::Roots]),
        (with(with(form, sampling.clone()), roots.clone()), &[Wish::Url]),
        (with(with(url, sampling), roots.clone()), &[Wish::Form]),
        (
            with(json!({"sampling": {}, "elicitation": {"form": {}, "url": {}}}), roots),
            &[Wish::SamplingTools],
        ),
    ]
}

async fn only_declared_input_is_demanded(stage: &mut Stage<'_>) {
    for (declared, without) in lesser_capabilities() {
        for wish in without {
            // A call that asks for this alone comes first.
            let Some(call) = callers(stage.offer, *wish).into_iter().next() else { continue };
            let mut params = call_params(&call);
            params["_meta"] = json!({CAPABILITIES: declared, VERSION: stage.revision.as_str()});
            let (_, reply) = stage.call_once(params, None).await;
            // The monitors see a demand for what is not declared.
            let asked = reply.result().is_some_and(|result| mrtr::wishes(result).contains(wish));
            if asked || !Verdict::of(&reply).is_an_end() {
                continue;
            }
            let (kind, mode) = rows_of(*wish);
            if !wish.is_known_to(&declared) {
                stage.judge.held(kind);
                stage.judge.held("mrtr.result.respects-capabilities");
            } else if let Some(mode) = mode {
                stage.judge.held(mode);
            }
        }
    }
    for id in [
        "elicitation.capability.required",
        "sampling.capability.required",
        "roots.capability.required",
        "elicitation.mode.declared-only",
        "sampling.tools.capability",
        "mrtr.result.respects-capabilities",
    ] {
        stage.judge.undecided(id, "not-asked", "no call that may be repeated asks for it");
    }
}

/// A demand for input that waits for its retry.
struct Demand {
    call: Call,
    params: Value,
    result: Value,
}

impl Demand {
    /// The parameters of a good retry.
    fn retry(&self) -> Value {
        mrtr::retry(&self.params, &self.result)
    }

    fn state(&self) -> Option<&str> {
        self.result.get("requestState")?.as_str()
    }

    /// Whether anything is asked for.
    fn asks(&self) -> bool {
        self.result
            .get("inputRequests")
            .and_then(Value::as_object)
            .is_some_and(|requests| !requests.is_empty())
    }
}

/// Calls that ask for input, one for each tool.
fn asking(stage: &Stage<'_>) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for wish in Wish::ALL {
        calls.extend(callers(stage.offer, wish).into_iter().filter(|call| call.asked_for_input));
    }
    let mut names = std::collections::HashSet::new();
    calls.retain(|call| names.insert(call.tool.clone()));
    calls
}

/// Makes a call anew up to its first demand for input.
async fn demand(stage: &mut Stage<'_>, call: &Call) -> Option<Demand> {
    let params = call_params(call);
    let (_, reply) = stage.call_once(params.clone(), None).await;
    let result = reply.result().filter(|result| mrtr::demands_input(result))?.clone();
    Some(Demand { call: call.clone(), params, result })
}

/// The first demands for input; says of these requirements why they are open where there is none.
async fn demands(stage: &mut Stage<'_>, ids: &[&'static str]) -> Vec<Demand> {
    let mut found = Vec::new();
    for call in asking(stage) {
        if found.len() == MOST_CALLS {
            break;
        }
        found.extend(demand(stage, &call).await.filter(Demand::asks));
    }
    for id in ids.iter().filter(|_| found.is_empty()) {
        stage.judge.undecided(id, "not-asked", NEEDS);
    }
    found
}

/// Whether a call came as far as it did in the tour.
fn as_before(call: &Call, verdict: Verdict) -> bool {
    let failed = call.result.as_ref().is_some_and(|result| result["isError"] == true);
    matches!(verdict, Verdict::Success | Verdict::Asks) || (failed && verdict == Verdict::Failed)
}

async fn retries_may_lack_or_exceed(stage: &mut Stage<'_>) {
    const EXTRA: &str = "mrtr.retry.extra-responses-ignored";
    const MISSING: &str = "mrtr.retry.missing-responses-rerequested";
    const SELF: &str = "mrtr.retry.self-contained";
    const ASSUMED: &str = "mrtr.retry.not-assumed";
    for demand in demands(stage, &[EXTRA, MISSING, SELF, ASSUMED]).await {
        // Nothing of the answers.
        let mut params = demand.retry();
        params["inputResponses"] = json!({});
        let (ticket, reply) = stage.call_once(params, Some(Taint::Message)).await;
        match Verdict::of(&reply) {
            Verdict::Asks => stage.judge.held(MISSING),
            Verdict::Success => {
                stage.judge.undecided(MISSING, "not-needed", "the call was served without the answers");
            }
            Verdict::Failed | Verdict::Refused => stage.judge.broke(
                MISSING,
                seen("refused", &demand, "a retry without the answers failed", &ticket, &reply)
                    .expected(&["another demand for input"]),
            ),
            Verdict::Nothing => {}
        }
        // One answer too many, over a connection of its own.
        let mut params = demand.retry();
        params["inputResponses"]["mcproveUnknown"] =
            json!({"action": "accept", "content": {"mcprove": true}});
        let (ticket, reply) = stage.call_once(params, Some(Taint::Message)).await;
        let verdict = Verdict::of(&reply);
        if verdict != Verdict::Nothing {
            stage.judge.decide(EXTRA, as_before(&demand.call, verdict), || {
                seen("refused", &demand, "a retry with an answer too many failed", &ticket, &reply)
                    .expected(&["the same as without it"])
            });
        }
        elsewhere(stage, &demand, SELF).await;
        if stage.talk.gone().is_some() {
            return;
        }
    }
    superfluous_from_the_start(stage, EXTRA).await;
    abandoned(stage, ASSUMED).await;
}

fn seen(class: &str, demand: &Demand, message: &str, ticket: &Ticket, reply: &Reply) -> Breach {
    breach(class, format!("`{}`: {message}", demand.call.tool), ticket, reply)
}

/// Retries over a connection of its own, where there are connections.
async fn elsewhere(stage: &mut Stage<'_>, demand: &Demand, id: &'static str) {
    if !stage.transport().is_http() {
        let text =
            "over STDIO there is one process, and what it remembers cannot be told from what it is told";
        return stage.judge.undecided(id, "own-process", text);
    }
    let outgoing = stage.compose_call(demand.retry());
    let edits = HttpEdits { fresh_connection: true, ..HttpEdits::default() };
    let ticket = stage.talk.send(outgoing.http(edits)).await;
    let reply = stage.talk.reply_within(&ticket, super::asking::PATIENCE).await;
    match Verdict::of(&reply) {
        Verdict::Nothing => {}
        verdict => stage.judge.decide(id, as_before(&demand.call, verdict), || {
            seen("refused", demand, "a retry over another connection failed", &ticket, &reply)
                .expected(&["a result: complete, or with another demand for input"])
        }),
    }
}

/// Sends answers with a call that asks for nothing.
async fn superfluous_from_the_start(stage: &mut Stage<'_>, id: &'static str) {
    let quick = std::time::Duration::from_secs(1);
    let plain = |call: &&Call| call.succeeded() && !call.asked_for_input && call.took < quick;
    let Some(call) = stage.offer.calls.iter().find(plain).cloned() else { return };
    let mut params = call_params(&call);
    params["inputResponses"] = json!({"mcproveUnknown": {"action": "accept", "content": {}}});
    let (ticket, reply) = stage.call_once(params, Some(Taint::Message)).await;
    let verdict = Verdict::of(&reply);
    if verdict != Verdict::Nothing {
        stage.judge.decide(id, verdict == Verdict::Success, || {
            let message =
                format!("`{}`, which asks for nothing, failed with an answer to nothing", call.tool);
            breach("unasked", message, &ticket, &reply).expected(&["the same as without it"])
        });
    }
}

/// Leaves demands for input alone; a fresh call begins anew.
async fn abandoned(stage: &mut Stage<'_>, id: &'static str) {
    let Some(call) = asking(stage).into_iter().next() else { return };
    for _ in 0..ABANDONED {
        if demand(stage, &call).await.is_none() {
            return stage.judge.undecided(
                id,
                "not-asked-again",
                "a fresh call does not always ask for input",
            );
        }
    }
    let (ticket, reply) = stage.call_once(call_params(&call), None).await;
    match Verdict::of(&reply) {
        Verdict::Asks if stage.talk.canary().await.result().is_some() => stage.judge.held(id),
        Verdict::Asks | Verdict::Nothing => {
            stage.judge.undecided(
                id,
                "no-answer",
                "no usable answer came after demands that were left alone",
            );
        }
        _ => stage.judge.broke(
            id,
            breach(
                "not-anew",
                format!("`{}` does not begin anew after demands that were left alone", call.tool),
                &ticket,
                &reply,
            )
            .expected(&["a demand for input, as before"]),
        ),
    }
}

async fn malformed_retries_are_refused(stage: &mut Stage<'_>) {
    const VALIDATED: &str = "mrtr.retry.responses-validated";
    const ERROR: &str = "mrtr.retry.malformed-error";
    for demand in demands(stage, &[VALIDATED, ERROR]).await {
        let spoil = |value: &Value| {
            let mut params = demand.retry();
            let keys =
                params["inputResponses"].as_object().map(|map| map.keys().cloned().collect::<Vec<_>>());
            let spoilt = keys.into_iter().flatten().map(|key| (key, value.clone()));
            params["inputResponses"] = Value::Object(spoilt.collect::<Map<_, _>>());
            params
        };
        for (class, value) in [("word", json!("mcprove")), ("action", json!({"action": "mcprove"}))] {
            let (ticket, reply) = stage.call_once(spoil(&value), Some(Taint::Message)).await;
            match Verdict::of(&reply) {
                Verdict::Nothing => {}
                verdict => stage.judge.decide(VALIDATED, verdict != Verdict::Success, || {
                    seen(class, &demand, "a retry with answers that are none succeeded", &ticket, &reply)
                        .quality()
                        .expected(&["an error", "a result with `isError: true`", "another demand for input"])
                        .pointer("/result")
                }),
            }
        }
        let mut array = demand.retry();
        array["inputResponses"] = json!([]);
        let mut number = demand.retry();
        number["requestState"] = json!(7);
        for (class, params) in [("array", array), ("number", number)] {
            let (ticket, reply) = stage.call_once(params, Some(Taint::Message)).await;
            match Verdict::of(&reply) {
                Verdict::Refused => stage.judge.held(ERROR),
                Verdict::Success | Verdict::Failed => stage.judge.broke(
                    ERROR,
                    seen(class, &demand, "a retry that breaks the schema was not refused", &ticket, &reply)
                        .quality()
                        .expected(&["error -32602 (invalid params)"])
                        .pointer("/result"),
                ),
                // What was malformed may count as not sent.
                Verdict::Asks => {
                    stage.judge.undecided(ERROR, "asked-again", "a malformed retry led to another demand");
                }
                Verdict::Nothing => {}
            }
        }
        if stage.talk.gone().is_some() {
            return;
        }
    }
}

const UNTRUSTED: &str = "mrtr.state.untrusted";
const INTEGRITY: &str = "mrtr.state.integrity-protected";
const TAMPERED: &str = "mrtr.state.tampered-refused";
const REQUEST: &str = "mrtr.state.bound-to-request";

async fn tampered_states_are_refused(stage: &mut Stage<'_>) {
    let demands = demands(stage, &[UNTRUSTED, INTEGRITY, TAMPERED, REQUEST]).await;
    let stateful: Vec<&Demand> = demands.iter().filter(|demand| demand.state().is_some()).collect();
    for id in [UNTRUSTED, INTEGRITY, TAMPERED, REQUEST] {
        if stateful.is_empty() && !demands.is_empty() {
            stage.judge.not_applicable(id, "no-state", "the server gives no `requestState`");
        }
    }
    for demand in &stateful {
        let Some(state) = demand.state().map(str::to_owned) else { continue };
        let mut borne = 0;
        let odd = [
            state[..half(&state)].to_owned(),
            String::new(),
            "{\"mcprove\":true}".to_owned(),
            "A".repeat(20_000),
        ];
        let all = odd.len();
        for odd in odd {
            let (_, reply) = with_state(stage, demand, &odd).await;
            let leaks = reply.status().is_some_and(|status| status >= 500) && !reply.is_error();
            borne += usize::from(Verdict::of(&reply).is_an_end() && !leaks);
        }
        if borne == all {
            stage.judge.held(UNTRUSTED);
        } else if stage.talk.gone().is_none() && stage.talk.canary().await.result().is_some() {
            stage.judge.broke(
                UNTRUSTED,
                Breach::new("no-answer", format!("`{}`: an odd state got no answer", demand.call.tool))
                    .expected(&["an error", "another demand for input"])
                    .actual(format!("{borne} of {all} were answered")),
            );
        }
        judge_tampering(stage, demand, &state).await;
    }
    judge_binding(stage, &stateful).await;
}

/// The middle of a text, at a character.
fn half(text: &str) -> usize {
    let mut middle = text.len() / 2;
    while !text.is_char_boundary(middle) {
        middle -= 1;
    }
    middle
}

async fn with_state(stage: &mut Stage<'_>, demand: &Demand, state: &str) -> (Ticket, Reply) {
    let mut params = demand.retry();
    params["requestState"] = json!(state);
    stage.call_once(params, Some(Taint::Message)).await
}

async fn judge_tampering(stage: &mut Stage<'_>, demand: &Demand, state: &str) {
    // A signature stands at the end, if there is one.
    for flipped in [half(state), end(state)].into_iter().filter_map(|at| flipped(state, at)) {
        let (ticket, reply) = with_state(stage, demand, &flipped).await;
        match Verdict::of(&reply) {
            Verdict::Nothing => {}
            verdict => stage.judge.decide(TAMPERED, verdict != Verdict::Success, || {
                seen("flipped", demand, "a state in which a letter was changed was taken", &ticket, &reply)
                    .quality()
                    .expected(&["an error", "another demand for input"])
                    .pointer("/result")
            }),
        }
        if matches!(Verdict::of(&reply), Verdict::Refused | Verdict::Failed | Verdict::Asks) {
            stage.judge.held(INTEGRITY);
        }
    }
    let Some(forged) = forged(state) else { return };
    let (_, honest) = with_state(stage, demand, state).await;
    let (ticket, reply) = with_state(stage, demand, &forged).await;
    let (Some(honest), Some(taken)) = (honest.result(), reply.result()) else { return };
    let taken_well = Verdict::of(&reply) == Verdict::Success && !mrtr::demands_input(honest);
    if taken_well && honest.get("content") != taken.get("content") {
        stage.judge.broke(
            INTEGRITY,
            seen(
                "forged",
                demand,
                "a field of the state was changed, and the result with it",
                &ticket,
                &reply,
            )
            .quality()
            .expected(&["an error", "another demand for input"])
            .pointer("/result"),
        );
    }
}

/// Near the end of a text, at a character; not in its last ones, which may mean less than they could.
fn end(text: &str) -> usize {
    let mut near = text.len() - text.len() / 8;
    while !text.is_char_boundary(near) {
        near -= 1;
    }
    near
}

/// The state with one character exchanged for another letter.
fn flipped(state: &str, at: usize) -> Option<String> {
    let old = state[at..].chars().next()?;
    let new = if old == 'A' { 'B' } else { 'A' };
    Some(format!("{}{new}{}", &state[..at], &state[at + old.len_utf8()..]))
}

/// The state with one value in it changed, where it is readable: JSON, plain or in base64.
fn forged(state: &str) -> Option<String> {
    let object = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok().filter(Value::is_object);
    if let Some(mut plain) = object(state.as_bytes()) {
        return change(&mut plain).then(|| plain.to_string());
    }
    let bare = state.trim_end_matches('=');
    let padding = &state[bare.len()..];
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        let Some(mut value) = engine.decode(bare).ok().and_then(|bytes| object(&bytes)) else { continue };
        if change(&mut value) {
            let encoded = engine.encode(value.to_string());
            let pad = if padding.is_empty() { 0 } else { (4 - encoded.len() % 4) % 4 };
            return Some(encoded + &"=".repeat(pad));
        }
    }
    None
}

/// Changes the first text or number in a value; whether there was one.
fn change(value: &mut Value) -> bool {
    match value {
        Value::String(text) => {
            text.push_str("mcprove");
            true
        }
        Value::Number(number) => {
            *value = json!(number.as_f64().unwrap_or_default() + 1000.0);
            true
        }
        Value::Array(items) => items.iter_mut().any(change),
        Value::Object(members) => members.values_mut().any(change),
        _ => false,
    }
}

/// Sends the state of one call with another one: calls that demand the same, if there are any, for there nothing else
/// stands in the way.
async fn judge_binding(stage: &mut Stage<'_>, demands: &[&Demand]) {
    let mut tried = false;
    for (first, second) in alike(&stage.offer.calls) {
        let (Some(first), Some(second)) = (demand(stage, &first).await, demand(stage, &second).await) else {
            continue;
        };
        if first.state().is_some() && second.state().is_some() {
            tried = true;
            exchange_states(stage, &first, &second).await;
        }
    }
    match demands {
        [first, second, ..] if !tried => exchange_states(stage, first, second).await,
        _ => stage.judge.undecided(REQUEST, "one-call", "fewer than two calls give a `requestState`"),
    }
}

async fn exchange_states(stage: &mut Stage<'_>, first: &Demand, second: &Demand) {
    let foreign = second.retry();
    // With the answers that belong to the state, and with those that belong to the call.
    for answers in [&foreign, &first.retry()] {
        let mut params = first.retry();
        params["inputResponses"] = answers["inputResponses"].clone();
        params["requestState"] = foreign["requestState"].clone();
        let (ticket, reply) = stage.call_once(params, Some(Taint::Message)).await;
        judge_foreign(stage.judge, first, &ticket, &reply);
    }
}

/// Pairs of calls whose first demands were the same, each call in one pair.
fn alike(calls: &[Call]) -> Vec<(Call, Call)> {
    let (mut pairs, mut single): (Vec<(Call, Call)>, Vec<&Call>) = (Vec::new(), Vec::new());
    let asks = |call: &&Call| {
        call.demanded.as_ref().and_then(Value::as_object).is_some_and(|requests| !requests.is_empty())
    };
    for call in calls.iter().filter(asks) {
        match single.iter().position(|other| other.demanded == call.demanded) {
            Some(at) => pairs.push((single.swap_remove(at).clone(), call.clone())),
            None => single.push(call),
        }
    }
    pairs.truncate(MOST_ALIKE);
    pairs
}

fn judge_foreign(judge: &mut Judge, demand: &Demand, ticket: &Ticket, reply: &Reply) {
    match Verdict::of(reply) {
        Verdict::Nothing => {}
        verdict => judge.decide(REQUEST, verdict != Verdict::Success, || {
            seen(
                "other-call",
                demand,
                "the state of another call was taken, and nothing asked",
                ticket,
                reply,
            )
            .quality()
            .expected(&["an error", "another demand for input"])
            .pointer("/result")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_changed_in_one_place() {
        assert_eq!(flipped("abAde", half("abAde")).as_deref(), Some("abBde"));
        assert_eq!(flipped("äöü", half("äöü")).as_deref(), Some("äAü"));
        assert_eq!(flipped("", end("")), None);
        assert_eq!(flipped("äöüäöüäöü", end("äöüäöüäöü")).as_deref(), Some("äöüäöüäöA"));
    }

    #[test]
    fn calls_are_alike_where_they_demand_the_same() {
        let call = |tool: &str, demanded: Option<Value>| Call {
            tool: tool.to_owned(),
            arguments: json!({}),
            result: None,
            asked_for_input: demanded.is_some(),
            demanded,
            wishes: Vec::new(),
            token: json!(1),
            took: std::time::Duration::ZERO,
        };
        let roots = || Some(json!({"roots": {"method": "roots/list"}}));
        let calls = [
            call("a", None),
            call("b", Some(json!({}))),
            call("c", roots()),
            call("d", Some(json!({}))),
            call("e", Some(json!({"name": {"method": "elicitation/create"}}))),
            call("f", roots()),
            call("g", roots()),
        ];
        let found: Vec<_> = alike(&calls).into_iter().map(|(one, other)| (one.tool, other.tool)).collect();
        assert_eq!(found, [("c".to_owned(), "f".to_owned())]);
    }

    #[test]
    fn readable_states_are_forged_in_their_own_writing() {
        assert_eq!(forged(r#"{"a":1}"#).as_deref(), Some(r#"{"a":1001.0}"#));
        let sealed = URL_SAFE_NO_PAD.encode(r#"{"user":"ada?"}"#);
        let opened = URL_SAFE_NO_PAD.decode(forged(&sealed).unwrap()).unwrap();
        assert_eq!(opened, br#"{"user":"ada?mcprove"}"#);
        assert_eq!(forged("no JSON"), None);
        assert_eq!(forged(&STANDARD_NO_PAD.encode([0xFF, 0, 1])), None);
    }
}
