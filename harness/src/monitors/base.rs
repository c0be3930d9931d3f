//! JSON-RPC messages: their shape, their ids, their errors (basic/index).

use super::rule::monitors;
use super::{Breach, Heard, Judge, Moment, State};
use crate::protocol::Kind;
use serde_json::Value;

monitors! {
    /// Every JSON text that comes from the server is a JSON-RPC request, notification or response. Clients drop what
    /// they cannot classify, so whatever it was meant to say is lost. An array counts as a batch in 2025-03-26 only
    /// and is judged by `base.batch.not-sent`.
    every_message_is_a_json_rpc_message (AnyTraffic) decides ["base.jsonrpc.message-kinds"];
    /// A response has exactly one of `result` and `error`. With both, one client sees success and another failure.
    response_has_result_or_error (AnyTraffic) decides ["base.response.result-xor-error"];
    /// A request is answered at most once: a second response confuses clients that have already forgotten the first.
    request_is_answered_at_most_once (AnyTraffic) decides ["base.response.at-most-once"] at_end answers_were_counted;
}

fn every_message_is_a_json_rpc_message(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(Heard { message, exchange, .. }) = moment.message else { return };
    let Kind::NotAMessage(why) = message.kind() else {
        return judge.held("base.jsonrpc.message-kinds");
    };
    // The body of an HTTP error may be anything: it need not be the MCP server's.
    if exchange.and_then(|exchange| exchange.status).is_some_and(|status| status >= 400) {
        return;
    }
    judge.broke(
        "base.jsonrpc.message-kinds",
        Breach::new("not-a-message", format!("the server sent JSON that is no JSON-RPC message: {why}"))
            .expected(&["a request, a notification or a response"])
            .actual(why.to_owned())
            .at(moment.record),
    );
}

fn response_has_result_or_error(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(Heard { message, .. }) = moment.message else { return };
    if !message.is_response() {
        return;
    }
    let both = message.result().is_some() && message.error().is_some();
    let null_error = message.error() == Some(&Value::Null);
    judge.decide("base.response.result-xor-error", !both && !null_error, || {
        let class = if null_error { "null-error" } else { "both" };
        Breach::new(class, "a response has both `result` and `error`")
            .expected(&["exactly one of `result` and `error`"])
            .actual(if null_error { "`error` is null" } else { "both members" })
            .at(moment.record)
            .pointer("/error")
    });
}

fn request_is_answered_at_most_once(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(Heard { answers: Some(asked), exchange, .. }) = moment.message else { return };
    let replayed = exchange.is_some_and(super::HttpExchange::is_resumption);
    if asked.responses > 0 && !replayed {
        judge.broke(
            "base.response.at-most-once",
            Breach::new("second-response", format!("`{}` was answered a second time", asked.method))
                .expected(&["one response"])
                .actual(format!("response number {}", asked.responses + 1))
                .at(moment.record)
                .sent(asked.seq),
        );
    }
}

fn answers_were_counted(state: &State, judge: &mut Judge) {
    if state.asked.values().any(|asked| asked.responses == 1) {
        judge.held("base.response.at-most-once");
    }
}
