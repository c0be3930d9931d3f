//! JSON-RPC messages: their shape, and the requests and notifications of the server (basic/index).

use super::rule::monitors;
use super::{Breach, Heard, Judge, Moment, State};
use crate::protocol::{Era, Kind, Message, Transport};
use crate::wire::{Channel, Event, Payload};
use serde_json::Value;

monitors! {
    /// Every JSON text that comes from the server is a JSON-RPC request, notification or response. Clients drop what
    /// they cannot classify, so whatever it was meant to say is lost. An array is a batch in 2025-03-26 and no message
    /// in any other revision; on stdio that is one message per line.
    every_message_is_a_json_rpc_message (AnyTraffic) decides
        ["base.jsonrpc.message-kinds", "base.batch.not-sent", "stdio.one-message-per-line"];
    /// Every message says `"jsonrpc": "2.0"`, as a string. Strict clients drop anything else.
    every_message_names_its_version (AnyTraffic) decides ["base.jsonrpc.version-string"];
    /// An array of nothing is no answer: a batch that asks nothing gets no reply at all.
    no_empty_array_is_sent (AnyTraffic) decides ["base.batch.no-empty-response"];
    /// What the server asks or tells has `params` that are an object, or none. Typed clients cannot read anything else.
    params_are_an_object (AnyTraffic) decides ["base.request.params-object"];
    /// Method names that begin with `rpc.` belong to JSON-RPC itself.
    reserved_method_names_are_unused (AnyTraffic) decides ["base.request.rpc-prefix-unused"];
    /// A request of the server has an id that is a string or an integer, never null, and never the same twice within a
    /// session. The id is the only thing by which an answer finds its request.
    requests_of_the_server_have_good_ids (AnyTraffic) decides
        ["base.request.id-type", "base.request.id-not-null", "base.request.id-unique"];
    /// A notification has no id, not even null: with one it is a request, and clients would answer it.
    notifications_have_no_id (AnyTraffic) decides ["base.notification.no-id"];
    /// Where all requests have their answers, an error without an id on a shared channel can only be meant for a
    /// notification. Nobody waits for it, and clients that take it for a broken connection close it.
    notifications_get_no_error (WhileWeObey) decides ["base.notification.no-reply"] at_end errors_had_a_request;
    /// In 2026-07-28 the server sends no requests at all; what it needs from the client it asks for in its results. A
    /// client of that revision does not answer, so such a request waits for ever.
    no_requests_come_from_a_modern_server (AnyTraffic) decides ["base.server.no-requests"];
}

/// Methods that are requests wherever they occur.
const SERVER_REQUESTS: &[&str] = &["ping", "roots/list", "sampling/createMessage", "elicitation/create"];

fn every_message_is_a_json_rpc_message(moment: &Moment<'_>, judge: &mut Judge) {
    const KINDS: &str = "base.jsonrpc.message-kinds";
    let stdio = moment.record.channel == Channel::PROCESS;
    let batches = moment.state.rules().is_none_or(crate::protocol::Revision::has_batches);
    let Some(heard) = moment.message else {
        return array_is_a_message(moment, batches, stdio, judge);
    };
    // What comes back for a DELETE is no message, whatever it is.
    if !heard.is_rpc() || heard.exchange.is_some_and(|exchange| exchange.method == "DELETE") {
        return;
    }
    let Kind::NotAMessage(why) = heard.message.kind() else {
        if !heard.in_batch {
            judge.held("base.batch.not-sent");
            if stdio {
                judge.held("stdio.one-message-per-line");
            }
        }
        return judge.held(KINDS);
    };
    let primer = matches!(&moment.record.event, Event::Received { sse: Some(_), .. })
        && heard.message.value().as_object().is_some_and(serde_json::Map::is_empty);
    let piece = stdio && !heard.message.value().is_object() && moment.state.link.in_fragment();
    if primer || piece || is_empty_response(heard.message) {
        // The `{}` with which older SDKs open a stream (`http.sse.event-payload` tells it), a piece of a message on
        // several lines, or a response with neither member: other rules tell these.
        return;
    }
    let breach = || {
        Breach::new("not-a-message", format!("the server sent JSON that is no JSON-RPC message: {why}"))
            .expected(&["a request, a notification or a response"])
            .actual((*why).to_owned())
            .at(moment.record)
    };
    judge.broke(KINDS, breach());
    if stdio {
        judge.broke("stdio.one-message-per-line", breach());
    }
}

fn array_is_a_message(moment: &Moment<'_>, batches: bool, stdio: bool, judge: &mut Judge) {
    let Event::Received { payload: Payload::Message(message), .. } = &moment.record.event else { return };
    // To an array of ours the answer may be one too: the probe that sent it judges that.
    if *message.kind() != Kind::Batch || batches || moment.state.link.array_sent {
        return;
    }
    let ids: &[&'static str] = if stdio {
        &["base.jsonrpc.message-kinds", "base.batch.not-sent", "stdio.one-message-per-line"]
    } else {
        &["base.jsonrpc.message-kinds", "base.batch.not-sent"]
    };
    for id in ids {
        let breach = Breach::new("array", "the server sent an array in a revision that has no batches")
            .expected(&["a single message"])
            .actual(format!("an array of {}", message.value().as_array().map_or(0, Vec::len)))
            .at(moment.record);
        judge.broke(id, breach);
    }
}

/// Whether it was meant as a response and has neither `result` nor `error`.
fn is_empty_response(message: &Message) -> bool {
    let value = message.value();
    value.get("jsonrpc").is_some() && value.get("id").is_some() && value.get("method").is_none()
}

fn every_message_names_its_version(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(heard) = moment.message else { return };
    if !heard.is_rpc() || !heard.message.value().is_object() {
        return;
    }
    let version = heard.message.value().get("jsonrpc");
    if version.is_none() && matches!(heard.message.kind(), Kind::NotAMessage(_)) {
        return;
    }
    judge.decide("base.jsonrpc.version-string", version == Some(&Value::from("2.0")), || {
        let breach = Breach::new(
            if version.is_some() { "other-version" } else { "no-version" },
            "a message does not say `\"jsonrpc\": \"2.0\"`",
        )
        .expected(&["`jsonrpc` is the string \"2.0\""])
        .actual(version.map_or("no such member".to_owned(), Value::to_string))
        .at(moment.record);
        if version.is_some() { breach.pointer("/jsonrpc") } else { breach }
    });
}

fn no_empty_array_is_sent(moment: &Moment<'_>, judge: &mut Judge) {
    let Event::Received { payload: Payload::Message(message), .. } = &moment.record.event else { return };
    if *message.kind() == Kind::Batch && message.value().as_array().is_some_and(Vec::is_empty) {
        judge.broke(
            "base.batch.no-empty-response",
            Breach::new("empty-array", "the server sent an empty array")
                .expected(&["nothing, or an array with responses in it"])
                .actual("`[]`")
                .at(moment.record),
        );
    }
}

fn params_are_an_object(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(Heard { message, .. }) = moment.message else { return };
    if !matches!(message.kind(), Kind::Request | Kind::Notification) {
        return;
    }
    let params = message.params();
    judge.decide("base.request.params-object", params.is_none_or(Value::is_object), || {
        Breach::new("not-an-object", "`params` of a message from the server is no object")
            .expected(&["an object, or no `params`"])
            .actual(kind_of(params))
            .at(moment.record)
            .pointer("/params")
    });
}

fn reserved_method_names_are_unused(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(method) = moment.message.and_then(|heard| heard.message.method()) else { return };
    judge.decide("base.request.rpc-prefix-unused", !method.starts_with("rpc."), || {
        Breach::new("reserved", "the server uses a method name that is reserved for JSON-RPC itself")
            .expected(&["a method that does not begin with `rpc.`"])
            .actual(format!("`{}`", method.chars().take(80).collect::<String>()))
            .at(moment.record)
            .pointer("/method")
    });
}

fn requests_of_the_server_have_good_ids(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(Heard { message, exchange, .. }) = moment.message else { return };
    let Some(method) = message.method() else { return };
    if method.starts_with("notifications/") {
        return;
    }
    let Some(id) = message.id() else {
        if SERVER_REQUESTS.contains(&method) {
            judge.broke(
                "base.request.id-type",
                Breach::new(
                    "no-id",
                    format!("the server sent `{method}`, which is a request, without an id"),
                )
                .expected(&["a string or an integer as `id`"])
                .actual("no `id`")
                .at(moment.record),
            );
        }
        return;
    };
    judge.decide("base.request.id-not-null", !id.is_null(), || {
        Breach::new("null", "a request of the server has the id null")
            .expected(&["a string or an integer"])
            .actual("null")
            .at(moment.record)
            .pointer("/id")
    });
    if id.is_null() {
        return;
    }
    // `1.0` is an integer to a JSON Schema; some serializers write integers so.
    let whole = id.as_json().parse::<f64>().is_ok_and(|number| number.fract() == 0.0);
    judge.decide("base.request.id-type", id.is_well_formed() || whole, || {
        Breach::new("other-type", "the id of a request of the server is neither a string nor an integer")
            .expected(&["a string or an integer"])
            .actual(shorten(id.as_json()))
            .at(moment.record)
            .pointer("/id")
    });
    let replayed = exchange.is_some_and(super::HttpExchange::is_resumption);
    let earlier = &moment.state.link.asked_by_server;
    if earlier.is_empty() || replayed {
        return;
    }
    // Others that were let in have sessions of their own.
    let session = exchange.map(super::HttpExchange::session);
    let here = |asked: &super::AskedByServer| {
        let there = moment.state.exchanges.get(&asked.channel);
        there.is_none_or(|there| Some(there.session()) == session)
    };
    let is_new = earlier.iter().all(|asked| asked.id != *id || !here(asked));
    judge.decide("base.request.id-unique", is_new, || {
        Breach::new("reused", "the server used the id of an earlier request of its own again")
            .expected(&["an id that was not used in this session"])
            .actual(shorten(id.as_json()))
            .at(moment.record)
            .pointer("/id")
    });
}

fn notifications_have_no_id(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(Heard { message, .. }) = moment.message else { return };
    if !message.method().is_some_and(|method| method.starts_with("notifications/")) {
        return;
    }
    judge.decide("base.notification.no-id", message.id().is_none(), || {
        Breach::new("id", "a notification has an id")
            .expected(&["no member `id`"])
            .actual(message.id().map_or(String::new(), |id| shorten(id.as_json())))
            .at(moment.record)
            .pointer("/id")
    });
}

fn notifications_get_no_error(_: &Moment<'_>, _: &mut Judge) {}

fn errors_had_a_request(state: &State, judge: &mut Judge) {
    if state.transport() == Transport::Http || !state.initialized {
        return;
    }
    for seq in &state.link.errors_without_id {
        let obeyed = state.tainted_since.is_none_or(|since| *seq < since);
        let owed = state.asked.values().any(|asked| asked.seq < *seq && asked.responses == 0);
        if obeyed && !owed {
            let mut breach = Breach::new("error", "a notification was answered with an error")
                .expected(&["no response"])
                .actual("an error without an id");
            breach.event = Some(*seq);
            judge.broke("base.notification.no-reply", breach);
        }
    }
}

fn no_requests_come_from_a_modern_server(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "base.server.no-requests";
    let Some(Heard { message, .. }) = moment.message else { return };
    // In a conversation with a handshake the older rules hold.
    if moment.state.era() != Some(Era::Modern) || moment.state.initialize.0 {
        return;
    }
    let Some(method) = message.method().filter(|_| *message.kind() == Kind::Request) else {
        return judge.held(ID);
    };
    if method.starts_with("notifications/") {
        return;
    }
    judge.broke(
        ID,
        Breach::new("request", "the server sent a request of its own")
            .expected(&["responses and notifications only; input is asked for in `input_required` results"])
            .actual(format!("request `{}`", shorten(method)))
            .at(moment.record)
            .pointer("/method"),
    );
}

/// The JSON type of a member, for a report.
pub(super) fn kind_of(value: Option<&Value>) -> &'static str {
    match value {
        None => "no such member",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a string",
        Some(Value::Array(_)) => "an array",
        Some(Value::Object(_)) => "an object",
    }
}

/// At most 80 characters.
pub(super) fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Requests that were not answered in time and to which an answer is due: sorted as they were sent.
pub(super) fn unanswered_in_time(state: &State) -> Vec<&super::Asked> {
    let mut late: Vec<_> = state
        .asked
        .values()
        .filter(|asked| {
            state.link.timed_out.contains(&asked.id)
                && asked.responses == 0
                && !asked.cancelled
                // Whether a batch is served at all is a row of its own.
                && !asked.in_batch
                // What comes after a provocation is judged as that.
                && !state.link.sentinels.contains(&asked.id)
                && !state.link.misanswered.contains(&asked.id)
                && !asked.is_tainted()
                && !state.link.answer_was_oversized(asked)
                && state.tainted_since.is_none_or(|since| asked.seq < since)
                // These end when they end.
                && !matches!(asked.method.as_str(), "subscriptions/listen" | "tasks/result")
        })
        .collect();
    late.sort_by_key(|asked| asked.seq);
    late
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Script, modern};
    use crate::protocol::Revision::{V2025_03_26, V2025_06_18, V2025_11_25, V2026_07_28};
    use crate::wire::Taint;
    use serde_json::json;

    /// An error without an id is meant for a notification, unless we sent a response that bears no good id either.
    #[test]
    fn errors_without_an_id() {
        let error = json!({"jsonrpc": "2.0", "error": {"code": -32600, "message": "m"}});
        let told = Script::stdio(V2025_11_25).handshake().received(error.clone()).verdicts();
        assert!(told.broken().contains(&"base.notification.no-reply"), "{:?}", told.broken());
        for id in [json!(null), json!(0.5)] {
            let verdicts = Script::stdio(V2025_11_25)
                .handshake()
                .received(json!({"jsonrpc": "2.0", "id": id, "method": "ping"}))
                .sent(json!({"jsonrpc": "2.0", "id": id, "result": {}}))
                .received(error.clone())
                .verdicts();
            assert!(!verdicts.broken().contains(&"base.notification.no-reply"), "{:?}", verdicts.broken());
        }
    }

    #[test]
    fn an_empty_batch_is_owed_an_error_and_a_notification_is_not() {
        let error = json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "m"}});
        let told = json!({"jsonrpc": "2.0", "method": "notifications/unknown"});
        for (sent, broken) in [(json!([]), &[][..]), (told, &["base.notification.no-reply"])] {
            let script = Script::stdio(V2025_03_26).handshake().sent_tainted(sent, Taint::Message);
            script.received(error.clone()).verdicts().assert_broken(broken);
        }
    }

    #[test]
    fn what_is_no_message_is_told() {
        let script = Script::stdio(V2025_06_18).handshake().received(json!({"hello": 1}));
        script.verdicts().assert_broken(&["base.jsonrpc.message-kinds", "stdio.one-message-per-line"]);
        let script = Script::stdio(V2025_06_18).handshake().received(json!("hello"));
        script.verdicts().assert_broken(&["base.jsonrpc.message-kinds", "stdio.one-message-per-line"]);
        let error = json!({"detail": "Not Found"});
        let script = Script::http(V2025_06_18).handshake().exchange(
            json!({}),
            404,
            "application/json",
            &[error],
            None,
        );
        script.verdicts().assert_broken(&[]);
    }

    #[test]
    fn arrays_are_for_2025_03_26() {
        let ping = || json!({"jsonrpc": "2.0", "id": 7, "method": "ping"});
        let array = || json!([{"jsonrpc": "2.0", "id": 7, "result": {}}]);
        let verdicts = Script::stdio(V2025_03_26).handshake().sent(ping()).received(array()).verdicts();
        verdicts.assert_broken(&[]);
        let verdicts = Script::stdio(V2025_11_25).handshake().sent(ping()).received(array()).verdicts();
        verdicts.assert_broken(&[
            "base.batch.not-sent",
            "base.jsonrpc.message-kinds",
            "stdio.one-message-per-line",
        ]);
        let verdicts = Script::stdio(V2025_03_26).handshake().received(json!([])).verdicts();
        verdicts.assert_broken(&["base.batch.no-empty-response"]);
    }

    #[test]
    fn the_version_is_a_string() {
        let ping = json!({"jsonrpc": "2.0", "id": 7, "method": "ping"});
        for answer in [json!({"id": 7, "result": {}}), json!({"jsonrpc": 2.0, "id": 7, "result": {}})] {
            let script = Script::stdio(V2025_11_25).handshake().sent(ping.clone()).received(answer);
            script.verdicts().assert_broken(&["base.jsonrpc.version-string"]);
        }
    }

    #[test]
    fn requests_of_the_server() {
        let asks = |id: serde_json::Value| {
            Script::stdio(V2025_11_25)
                .handshake()
                .received(json!({"jsonrpc": "2.0", "id": id, "method": "ping"}))
        };
        let good = asks(json!("a")).received(json!({"jsonrpc": "2.0", "id": 1, "method": "roots/list"}));
        let good = good.verdicts();
        good.assert_broken(&[]);
        for id in ["base.request.id-type", "base.request.id-not-null", "base.request.id-unique"] {
            good.assert_held(id);
        }
        asks(json!(1.5)).verdicts().assert_broken(&["base.request.id-type"]);
        asks(json!(1.0)).verdicts().assert_held("base.request.id-type");
        asks(json!(null)).verdicts().assert_broken(&["base.request.id-not-null"]);
        let again = asks(json!(3)).received(json!({"jsonrpc": "2.0", "id": 3, "method": "roots/list"}));
        again.verdicts().assert_broken(&["base.request.id-unique"]);
        let bare =
            Script::stdio(V2025_11_25).handshake().received(json!({"jsonrpc": "2.0", "method": "ping"}));
        bare.verdicts().assert_broken(&["base.request.id-type"]);
        let odd = json!({"jsonrpc": "2.0", "id": 3, "method": "rpc.x", "params": [1]});
        let odd = Script::stdio(V2025_11_25).handshake().received(odd).verdicts();
        odd.assert_broken(&["base.request.params-object", "base.request.rpc-prefix-unused"]);
    }

    #[test]
    fn notifications_and_modern_servers() {
        let told = json!({"jsonrpc": "2.0", "id": null, "method": "notifications/message", "params": {}});
        Script::stdio(V2025_11_25)
            .handshake()
            .received(told)
            .verdicts()
            .assert_broken(&["base.notification.no-id"]);
        let params = json!({"messages": [], "maxTokens": 1});
        let asked = json!({"jsonrpc": "2.0", "id": 5, "method": "sampling/createMessage", "params": params});
        let verdicts = Script::stdio(V2026_07_28)
            .handshake()
            .sent(modern(2, "tools/list", json!({})))
            .received(asked.clone())
            .verdicts();
        verdicts.assert_broken(&["base.server.no-requests", "mrtr.only-way-to-ask"]);
        Script::stdio(V2025_11_25).handshake().received(asked).verdicts().assert_broken(&[]);
    }
}
