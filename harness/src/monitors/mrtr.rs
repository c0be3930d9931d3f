//! Demands for input and what follows on them (2026-07-28, basic/patterns/mrtr).

use super::answered::{Answered, answered};
use super::rule::monitors;
use super::{Asked, Breach, Judge, Moment, State};
use crate::client::{Wish, mrtr};
use crate::protocol::{Era, Kind};
use serde_json::Value;

/// The requests that may be answered by a demand for input.
const SUPPORTED: &[&str] = &["tools/call", "resources/read", "prompts/get"];

monitors! {
    /// Only `tools/call`, `resources/read` and `prompts/get` are answered by `input_required`: a client expects it
    /// nowhere else.
    input_is_demanded_where_it_may_be (WhileWeObey) decides ["mrtr.supported-methods-only"];
    /// A demand for input has `inputRequests` or `requestState` or both, no key twice; it is a result, the only way in
    /// which the client is asked, and the end of its request.
    demands_for_input_are_whole (WhileWeObey) decides [
        "mrtr.result.requests-or-state", "mrtr.result.keys-unique", "mrtr.result.not-an-error",
        "mrtr.result.ends-request", "mrtr.only-way-to-ask",
    ] at_end the_client_was_asked_by_results;
    /// A retry with an answer to each input and the state as it came is served, and in the end comes the plain result
    /// of the method with `resultType: "complete"`. The deprecated features, sampling and roots, are served likewise.
    retries_are_served (WhileWeObey) decides [
        "mrtr.retry.completes", "mrtr.retry.final-result-complete", "compat.deprecated-features-functional",
    ];
}

fn input_is_demanded_where_it_may_be(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "mrtr.supported-methods-only";
    let Some(answer) = modern(moment) else { return };
    let method = answer.asked.method.as_str();
    if SUPPORTED.contains(&method) {
        return;
    }
    judge.decide(ID, !mrtr::demands_input(answer.result), || {
        Breach::new("other-method", format!("`{}` was answered by a demand for input", short(method)))
            .expected(&["a complete result"])
            .actual("`resultType: \"input_required\"`")
            .at(moment.record)
            .pointer("/result/resultType")
            .sent(answer.asked.seq)
    });
}

fn modern<'a>(moment: &'a Moment<'_>) -> Option<Answered<'a>> {
    answered(moment).filter(|answer| answer.revision.era() == Era::Modern)
}

const NOT_AN_ERROR: &str = "mrtr.result.not-an-error";
const ENDS: &str = "mrtr.result.ends-request";
const ONLY_WAY: &str = "mrtr.only-way-to-ask";

fn demands_for_input_are_whole(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(heard) = &moment.message else { return };
    if let (Kind::Request, Some(Era::Modern), false) =
        (heard.message.kind(), moment.state.era(), moment.state.initialize.0)
    {
        let method = heard.message.method().unwrap_or_default();
        if Wish::of(method, heard.message.params()).is_some() {
            judge.broke(
                ONLY_WAY,
                Breach::new(
                    "request",
                    format!("the server asks by a request of its own: `{}`", short(method)),
                )
                .expected(&["an entry of an `input_required` result"])
                .actual("a request")
                .see("base.server.no-requests")
                .at(moment.record)
                .pointer("/method"),
            );
        }
        return;
    }
    if let Some(asked) = heard.answers.filter(|asked| asked.meta_version().is_some()) {
        judge_repetition(moment, asked, judge);
        let data = heard.message.error().and_then(|error| error.get("data"));
        let asks = data.is_some_and(|data| {
            data.get("inputRequests").is_some_and(Value::is_object)
                || data.get("elicitations").is_some_and(Value::is_array)
        });
        if asks {
            judge.broke(
                NOT_AN_ERROR,
                Breach::new("error", "the client is asked for input by an error")
                    .expected(&["a result with `resultType: \"input_required\"`"])
                    .actual(format!("error {}", heard.message.error_code().unwrap_or_default()))
                    .at(moment.record)
                    .pointer("/error/data")
                    .sent(asked.seq),
            );
        }
    }
    let Some(answer) = modern(moment).filter(|answer| mrtr::demands_input(answer.result)) else { return };
    judge.held(NOT_AN_ERROR);
    let requests = answer.result.get("inputRequests");
    let state = answer.result.get("requestState").is_some();
    let seen = |class: &str, message: &str| {
        Breach::new(class, message).at(moment.record).pointer("/result").sent(answer.asked.seq)
    };
    judge.decide("mrtr.result.requests-or-state", requests.is_some() || state, || {
        seen("neither", "a demand for input has neither `inputRequests` nor `requestState`")
            .expected(&["at least one of them"])
            .actual("none of them")
    });
    if !state && requests.and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
        judge.broke(
            "mrtr.result.requests-or-state",
            seen("empty", "a demand for input demands nothing, and has no state").quality().actual("`{}`"),
        );
    }
    if requests.is_some_and(Value::is_object) {
        let twice = heard.message.notes().duplicate_members.iter().find(|pointer| {
            pointer.strip_prefix("/result/inputRequests/").is_some_and(|key| !key.contains('/'))
        });
        judge.decide("mrtr.result.keys-unique", twice.is_none(), || {
            let pointer = twice.cloned().unwrap_or_default();
            seen("twice", "a key of `inputRequests` stands twice")
                .expected(&["each key once"])
                .actual(short(&pointer))
                .pointer(pointer)
        });
    }
}

/// A request that was answered by a demand for input gets nothing more.
fn judge_repetition(moment: &Moment<'_>, asked: &Asked, judge: &mut Judge) {
    if asked.responses > 0 && moment.state.demanded.contains(&asked.id) {
        judge.broke(
            ENDS,
            Breach::new("more", "a request that was answered by a demand for input got another answer")
                .expected(&["nothing more for its id"])
                .actual("another response")
                .see("base.response.at-most-once")
                .at(moment.record)
                .pointer("/id")
                .sent(asked.seq),
        );
    }
}

fn the_client_was_asked_by_results(state: &State, judge: &mut Judge) {
    // A breach would outweigh it.
    if !state.demanded.is_empty() {
        judge.held(ENDS);
        judge.held(ONLY_WAY);
    }
}

fn retries_are_served(moment: &Moment<'_>, judge: &mut Judge) {
    const COMPLETES: &str = "mrtr.retry.completes";
    const COMPLETE: &str = "mrtr.retry.final-result-complete";
    const DEPRECATED: &str = "compat.deprecated-features-functional";
    let Some(heard) = &moment.message else { return };
    let Some(asked) = heard.answers.filter(|asked| asked.responses == 0 && asked.meta_version().is_some())
    else {
        return;
    };
    let responses = asked.message.params().and_then(|params| params.get("inputResponses")?.as_object());
    let Some(responses) = responses.filter(|responses| !responses.is_empty()) else { return };
    let deprecated = responses.values().any(|response| {
        response.get("roots").is_some() || (response.get("model").is_some() && response.get("role").is_some())
    });
    let refused = || {
        Breach::new("refused", format!("a retry of `{}` with all answers was refused", short(&asked.method)))
            .expected(&["a result: complete, with or without `isError`, or another demand for input"])
            .actual(format!("error {}", heard.message.error_code().unwrap_or_default()))
            .at(moment.record)
            .pointer("/error")
            .sent(asked.seq)
    };
    let served = heard.message.result();
    // Who declines, or wants tools used for ever, may be refused.
    let unwilling = responses.values().any(|response| {
        matches!(response["action"].as_str(), Some("decline" | "cancel"))
            || response["stopReason"] == "toolUse"
    });
    if served.is_none() && unwilling {
        return;
    }
    judge.decide(COMPLETES, served.is_some(), refused);
    if deprecated {
        judge.decide(DEPRECATED, served.is_some(), || refused().see(COMPLETES));
    }
    let Some(result) = served.filter(|result| !mrtr::demands_input(result)) else { return };
    // A task is another way to go on.
    if result["resultType"] == "task" {
        return;
    }
    judge.decide(COMPLETE, result["resultType"] == "complete", || {
        Breach::new("type", "the result after the last round does not say that it is complete")
            .expected(&["`resultType: \"complete\"`"])
            .actual(short(&result.get("resultType").map_or("no such member".to_owned(), Value::to_string)))
            .see("base.result-type.present")
            .at(moment.record)
            .pointer("/result/resultType")
            .sent(asked.seq)
    });
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}
