//! Sampling under test: refusals, odd and malformed messages, a model that never stops using tools (client/sampling).

use super::asking::{Verdict, callers, callers_however_slow, wish_of};
use super::probe::probes;
use super::{Stage, breach};
use crate::client::{Answering, MODEL_TEXT, Wish};
use crate::protocol::{Era, Revision};
use serde_json::{Value, json};

/// How often the model asks for tools before it gives in.
const USES: u32 = 105;
/// More than this many rounds are no limit.
const MOST: usize = 100;

probes! {
    /// Repeats calls that ask for a message of the model, and refuses with error -1 (in the legacy era): the call ends
    /// all the same.
    refused_sampling_is_borne (Breaking, Legacy, Any) decides ["sampling.result.rejection-handled"];
    /// Answers with a `stopReason` and a model that nobody has heard of, the rest as before: the call succeeds as it did.
    any_stop_reason_will_do (Breaking, Both, Any) decides ["sampling.result.any-stop-reason"];
    /// Answers with what is no message: an empty object, no role, content of an unknown type. The call fails; that it
    /// succeeds says only that the server did not look at it.
    malformed_samples_are_borne (Breaking, Both, Any) decides ["sampling.result.validated"];
    /// Answers each request with yet another use of a tool, up to 105 times. The server gives up before that.
    tool_loops_end (Breaking, Both, Any) decides ["sampling.tool-loop.limit"];
}

const NEEDS: &str = "no call that may be repeated asks for a message of the model";

async fn refused_sampling_is_borne(stage: &mut Stage<'_>) {
    const ID: &str = "sampling.result.rejection-handled";
    let mut asked = false;
    for wish in [Wish::Sampling, Wish::SamplingTools] {
        let refusal = Answering::Error(-1, "User rejected sampling request");
        if let Some((call, outcome)) = stage.call_for(wish, &refusal).await {
            asked = true;
            stage.judge_end(ID, &call, &outcome, "the user refused the sampling").await;
        }
    }
    if !asked {
        stage.judge.undecided(ID, "not-asked", NEEDS);
    }
}

async fn any_stop_reason_will_do(stage: &mut Stage<'_>) {
    const ID: &str = "sampling.result.any-stop-reason";
    // The same words as before, so that nothing else can make a difference.
    let mut found = None;
    let mut asked = false;
    for call in callers(stage.offer, Wish::Sampling) {
        let before = stage.call_answering(&call, Answering::Willing).await;
        let only = before.questions.iter().all(|one| wish_of(one) == Some(Wish::Sampling));
        asked |= before.question(Wish::Sampling).is_some();
        if before.question(Wish::Sampling).is_some() && only && before.verdict() == Verdict::Success {
            found = Some(call);
            break;
        }
        if stage.talk.gone().is_some() {
            break;
        }
    }
    let Some(call) = found else {
        return if asked {
            stage.judge.undecided(ID, "no-success", "no call that asks for a message only succeeds");
        } else {
            stage.judge.undecided(ID, "not-asked", NEEDS);
        };
    };
    let odd = json!({
        "role": "assistant", "content": {"type": "text", "text": MODEL_TEXT},
        "model": "mcprove/ödd model:0", "stopReason": "mcproveWasTired",
    });
    // It is valid, though chosen for a purpose; the call is marked all the same, as the answers of a kind are.
    let outcome = stage.call_answering(&call, Answering::Result(odd)).await;
    match outcome.verdict() {
        Verdict::Success => stage.judge.held(ID),
        Verdict::Failed | Verdict::Refused | Verdict::Asks => {
            let message = format!("`{}` fails when the model stops for an unknown reason", call.tool);
            stage.judge.broke(
                ID,
                breach("refused", message, &outcome.ticket, &outcome.reply)
                    .expected(&["the same as with `endTurn`"]),
            );
        }
        Verdict::Nothing => {
            stage.judge_end(ID, &call, &outcome, "the model stopped for an unknown reason").await;
        }
    }
}

async fn malformed_samples_are_borne(stage: &mut Stage<'_>) {
    const ID: &str = "sampling.result.validated";
    let malformed: [Value; 3] = [
        json!({}),
        json!({"content": {"type": "text", "text": MODEL_TEXT}, "model": "mcprove"}),
        json!({"role": "assistant", "content": {"type": "mcprove"}, "model": "mcprove"}),
    ];
    let mut noticed = 0;
    let mut asked = false;
    for answer in malformed {
        let Some((call, outcome)) = stage.call_for(Wish::Sampling, &Answering::Result(answer)).await else {
            break;
        };
        asked = true;
        match outcome.verdict() {
            Verdict::Failed | Verdict::Refused | Verdict::Asks => noticed += 1,
            Verdict::Success => {}
            Verdict::Nothing => {
                return stage.judge_end(ID, &call, &outcome, "the answer to sampling was no message").await;
            }
        }
    }
    match (asked, noticed) {
        (false, _) => stage.judge.undecided(ID, "not-asked", NEEDS),
        (true, 0) => stage.judge.undecided(ID, "not-noticed", "what is no message was not looked at"),
        (true, _) => stage.judge.held(ID),
    }
}

async fn tool_loops_end(stage: &mut Stage<'_>) {
    const ID: &str = "sampling.tool-loop.limit";
    if stage.revision < Revision::V2025_11_25 {
        return;
    }
    let calls = callers_however_slow(stage.offer, Wish::SamplingTools);
    let asked = stage.call_among(calls, Wish::SamplingTools, &Answering::Tools(USES)).await;
    let Some((call, outcome)) = asked else {
        let text = "no call that may be repeated asks for a message of a model that may use tools";
        return stage.judge.undecided(ID, "not-asked", text);
    };
    let rounds =
        outcome.questions.iter().filter(|question| wish_of(question) == Some(Wish::SamplingTools)).count();
    if rounds > MOST {
        let message = format!("`{}` let the model use tools more than {MOST} times", call.tool);
        return stage.judge.broke(
            ID,
            breach("endless", message, &outcome.ticket, &outcome.reply)
                .expected(&["an end after some rounds"])
                .actual(format!("{rounds} rounds")),
        );
    }
    // In the newer era a call that is given up may only have been slow.
    if outcome.verdict().is_an_end() || stage.era() == Era::Modern {
        stage.judge_end(ID, &call, &outcome, "the model used tools again and again").await;
    } else {
        let text = format!("the call did not end in time; {rounds} rounds were counted");
        stage.judge.undecided(ID, "slow", text);
    }
}
