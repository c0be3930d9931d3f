//! JSON-RPC under test: ids, errors, malformed input, notifications, batches (basic/index).

use super::probe::probes;
use super::{Stage, breach};
use crate::client::{Outgoing, Reply};
use crate::protocol::{Era, Id};
use serde_json::json;

probes! {
    /// Sends a request for a method that does not exist, valid in every other way. The answer is error -32601: clients
    /// detect features by it, and another code makes them take an optional feature for a broken one.
    unknown_method_is_not_found (Clean, Both, Any) decides ["base.error.method-not-found-code"];
    /// Sends harmless requests (`ping`, in 2026-07-28 `server/discover`) with ids of every legal kind: zero, negative,
    /// beyond 32 bits, the largest exact integer, strings that look like numbers, the empty string, other alphabets,
    /// 1 KiB. Each answer carries the same id, in value and JSON type. A client that gets another one waits for ever.
    answers_carry_the_id_of_the_request (Clean, Both, Any) decides
        ["base.response.same-id", "base.request.both-id-types-accepted"];
}

async fn unknown_method_is_not_found(stage: &mut Stage<'_>) {
    const ID: &str = "base.error.method-not-found-code";
    let (ticket, reply) = stage.request("mcprove/no-such-method", json!({})).await;
    let message = "a request for a method that does not exist was not answered with error -32601";
    let expected = ["error -32601 (method not found)"];
    match &reply {
        Reply::Error(answer) if answer.message.error_code() == Some(-32601) => stage.judge.held(ID),
        Reply::Error(_) => stage.judge.broke(
            ID,
            breach("other-code", message, &ticket, &reply).expected(&expected).pointer("/error/code"),
        ),
        Reply::Result(_) => stage
            .judge
            .broke(ID, breach("result", message, &ticket, &reply).expected(&expected).pointer("/result")),
        // An answer without the id, a refusal by a gateway, silence and death are judged by their own rows.
        _ => stage.judge.undecided(ID, "no-answer", format!("no usable answer came: {}", reply.describe())),
    }
}

async fn answers_carry_the_id_of_the_request(stage: &mut Stage<'_>) {
    let ids = [
        Id::number(0),
        Id::number(-7),
        Id::number(2_147_483_648),
        Id::number(9_007_199_254_740_991),
        Id::string("1"),
        Id::string(""),
        Id::string("a b"),
        Id::string("ключ-鍵-🔑"),
        Id::string(&"long".repeat(256)),
    ];
    let method = if stage.era() == Era::Modern { "server/discover" } else { "ping" };
    let mut types_served = (false, false);
    for id in ids {
        let outgoing = Outgoing::request(&id, method, stage.talk.params(json!({})));
        let (ticket, reply) = stage.valid(outgoing).await;
        match &reply {
            Reply::Result(_) => {
                stage.judge.held("base.response.same-id");
                if id.is_integer() { types_served.0 = true } else { types_served.1 = true }
            }
            Reply::Unmatched(answer) => stage.judge.broke(
                "base.response.same-id",
                breach("other-id", "the response does not carry the id of the request", &ticket, &reply)
                    .expected(&[&format!("id {id}")])
                    .in_answer(answer)
                    .pointer("/id"),
            ),
            _ => {}
        }
    }
    if types_served == (true, true) {
        stage.judge.held("base.request.both-id-types-accepted");
    }
}
