//! Responses: their ids, their number, their members (basic/index).

use super::base::{kind_of, shorten, unanswered_in_time};
use super::link::is_plain;
use super::rule::monitors;
use super::{Asked, Breach, Heard, Judge, Moment, State};
use crate::protocol::{Era, Kind, Transport};
use crate::wire::{Channel, End, ShutdownStep};
use serde_json::Value;

monitors! {
    /// A response has exactly one of `result` and `error`. With both, one client sees success and another failure.
    response_has_result_or_error (AnyTraffic) decides ["base.response.result-xor-error"];
    /// `result` is an object. Clients look for members in it; with null or a string they fail.
    result_is_an_object (AnyTraffic) decides ["base.response.result-object"];
    /// A request is answered at most once: a second response confuses clients that have already forgotten the first.
    request_is_answered_at_most_once (AnyTraffic) decides ["base.response.at-most-once"] at_end answers_were_counted;
    /// Every valid request that was not cancelled gets a result or an error within the time-out. Without one, a client
    /// waits for ever. A refusal by HTTP status is no silence.
    valid_requests_are_answered (AnyTraffic) decides ["base.response.always-sent"] at_end nothing_was_left_unanswered;
    /// A response carries the id of a request that was sent, in value and JSON type; only where an id could not be read
    /// may an error have none, or null. A client cannot tell what an invented id answers, and waits for the right one.
    responses_carry_ids_that_were_sent (AnyTraffic) decides
        ["robustness.response.no-unknown-id", "base.response.same-id"];
    /// An error repeats the id of its request wherever that could be read.
    errors_carry_the_id_of_their_request (AnyTraffic) decides ["base.error.same-id"];
    /// In 2026-07-28 every result says by `resultType` what it is: `complete`, `input_required`, or a type of an
    /// extension that both sides declared. A client has to refuse a result whose type it does not know.
    results_say_what_they_are (AnyTraffic) decides [
        "base.result-type.present",
        "base.result-type.known",
        "base.result-type.extension-only-when-declared",
    ];
}

fn response_has_result_or_error(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "base.response.result-xor-error";
    let Some(heard) = moment.message else { return };
    let message = heard.message;
    if !heard.is_rpc() {
        return;
    }
    if !message.is_response() {
        let value = message.value();
        if matches!(message.kind(), Kind::NotAMessage(_))
            && value.get("jsonrpc").is_some()
            && value.get("id").is_some()
            && value.get("method").is_none()
        {
            judge.broke(
                ID,
                Breach::new("neither", "a response has neither `result` nor `error`")
                    .expected(&["exactly one of `result` and `error`"])
                    .actual("neither member")
                    .at(moment.record),
            );
        }
        return;
    }
    let both = message.has_both();
    let null_error = message.error() == Some(&Value::Null);
    judge.decide(ID, !both && !null_error, || {
        let class = if null_error { "null-error" } else { "both" };
        Breach::new(class, "a response has both `result` and `error`")
            .expected(&["exactly one of `result` and `error`"])
            .actual(if null_error { "`error` is null" } else { "both members" })
            .at(moment.record)
            .pointer("/error")
    });
}

fn result_is_an_object(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(heard @ Heard { message, answers, .. }) = moment.message else { return };
    let Some(result) = message.result().filter(|_| heard.is_rpc() && message.error().is_none()) else {
        return;
    };
    judge.decide("base.response.result-object", result.is_object(), || {
        let method = answers.map_or("a request", |asked| asked.method.as_str());
        let breach =
            Breach::new("not-an-object", format!("the result of `{}` is no object", shorten(method)))
                .expected(&["an object"])
                .actual(kind_of(Some(result)))
                .at(moment.record)
                .pointer("/result");
        match answers {
            Some(asked) => breach.sent(asked.seq),
            None => breach,
        }
    });
}

fn request_is_answered_at_most_once(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(Heard { answers: Some(asked), exchange, .. }) = moment.message else { return };
    let replayed = exchange.is_some_and(super::HttpExchange::is_resumption);
    // The probe that sends what cannot be read judges the id that comes back.
    let unreadable = moment.state.link.unreadable_sent > 0
        && moment.message.as_ref().is_some_and(|heard| heard.message.error_code() == Some(-32700));
    if asked.responses > 0 && !replayed && !unreadable {
        judge.broke(
            "base.response.at-most-once",
            Breach::new(
                "second-response",
                format!("`{}` was answered a second time", shorten(&asked.method)),
            )
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

fn valid_requests_are_answered(_: &Moment<'_>, _: &mut Judge) {}

fn nothing_was_left_unanswered(state: &State, judge: &mut Judge) {
    const ID: &str = "base.response.always-sent";
    if state.asked.values().any(|asked| asked.responses > 0 && !asked.is_tainted()) {
        judge.held(ID);
    }
    for asked in unanswered_in_time(state) {
        // Pings have a row of their own.
        if asked.method == "ping" {
            continue;
        }
        let refused = state.exchanges.get(&asked.channel).and_then(|exchange| exchange.status);
        if refused.is_some_and(|status| status >= 400) {
            continue;
        }
        judge.broke(
            ID,
            Breach::new("no-answer", format!("`{}` was not answered", shorten(&asked.method)))
                .expected(&["a result or an error within the time-out"])
                .actual("nothing")
                .sent(asked.seq),
        );
    }
    for asked in state.unanswered().filter(|asked| !asked.is_tainted()) {
        match fate(state, asked) {
            Fate::Open => {}
            Fate::Lost(why) => judge.unseen(ID, "answer-lost", format!("{why} before it answered a request")),
            Fate::Nothing(actual) => judge.broke(
                ID,
                Breach::new("empty", format!("`{}` was not answered", shorten(&asked.method)))
                    .expected(&["a result or an error"])
                    .actual(actual)
                    .sent(asked.seq),
            ),
        }
    }
}

/// What became of a request that has no response, whether or not it was waited for.
enum Fate {
    /// Nothing that would say more than the time-out.
    Open,
    /// What ended the conversation is judged elsewhere; whether an answer would have come is not known.
    Lost(&'static str),
    /// There was an end, and no answer in it.
    Nothing(String),
}

fn fate(state: &State, asked: &Asked) -> Fate {
    let link = &state.link;
    if link.flooded.contains(&asked.channel) {
        return Fate::Lost("the server sent more than is kept");
    }
    if link.answer_was_oversized(asked) {
        return Fate::Lost("the server sent a message that is too large to be read");
    }
    if asked.channel == Channel::PROCESS {
        let died = link.exit.is_some_and(|exit| exit.after == ShutdownStep::None);
        // What was killed at once had no choice.
        let killed =
            link.stdin_closed.is_none() && link.exit.is_some_and(|exit| exit.after == ShutdownStep::Sigkill);
        let closed = link.stdout_closed_early && !killed;
        let gone = (died || closed) && !link.timed_out.contains(&asked.id);
        return if gone { Fate::Lost("the server went away") } else { Fate::Open };
    }
    // Over HTTP+SSE the answer comes on the stream, and not in the exchange of the request.
    let over_stream = state.transport() == Transport::HttpSse;
    let Some(exchange) = state.exchanges.get(&asked.channel).filter(|_| !over_stream) else {
        return Fate::Open;
    };
    match (&exchange.end, exchange.status) {
        // Who may not ask is answered by HTTP.
        (Some(End::Complete), Some(401 | 403)) => Fate::Open,
        (Some(End::Complete), Some(status)) if status >= 400 => {
            Fate::Lost("the server refused by HTTP status")
        }
        // A stream may end before its response and be taken up again.
        (Some(End::Complete), Some(status)) if !exchange.is_event_stream() && exchange.responses == 0 => {
            Fate::Nothing(format!("HTTP {status} without a JSON-RPC message"))
        }
        (Some(End::Broken(why)), None) if why.starts_with("closed without") => {
            Fate::Nothing("the connection was closed without a response".to_owned())
        }
        (Some(End::Broken(_) | End::Malformed(_)), _) => Fate::Lost("the response broke off"),
        _ => Fate::Open,
    }
}

fn responses_carry_ids_that_were_sent(moment: &Moment<'_>, judge: &mut Judge) {
    const UNKNOWN: &str = "robustness.response.no-unknown-id";
    const SAME: &str = "base.response.same-id";
    let Some(heard @ Heard { message, answers, exchange, .. }) = moment.message else { return };
    if !message.is_response() || !heard.is_rpc() {
        return;
    }
    let link = &moment.state.link;
    let is_error = *message.kind() == Kind::Error;
    let Some(id) = message.id().filter(|id| !id.is_null()) else {
        if is_error {
            judge.held(UNKNOWN);
        } else if link.unreadable_sent == 0 {
            judge.broke(
                SAME,
                Breach::new("no-id", "a result has no id")
                    .expected(&["the id of the request"])
                    .actual(if message.id().is_some() { "`id` is null" } else { "no member `id`" })
                    .at(moment.record)
                    .sent(link.last_sent.map_or(0, |(seq, _)| seq)),
            );
        }
        return;
    };
    if answers.is_some() || link.ids_sent.contains(id) {
        return judge.held(UNKNOWN);
    }
    let posted =
        exchange.and_then(super::HttpExchange::posted).filter(|posted| *posted.kind() == Kind::Request);
    let posted = posted.and_then(|posted| posted.id()).filter(|id| is_plain(id));
    let meant = moment.state.meant_by(id);
    let wanted = meant.map(|asked| (&asked.id, asked.seq)).or_else(|| {
        let exchange = exchange?;
        posted.map(|id| (id, exchange.seq))
    });
    if let Some((wanted, seq)) = wanted {
        judge.broke(
            SAME,
            Breach::new(
                if meant.is_some() { "other-type" } else { "other-id" },
                "a response does not carry the id of its request",
            )
            .expected(&[&format!("id {}", shorten(wanted.as_json()))])
            .actual(format!("id {}", shorten(id.as_json())))
            .at(moment.record)
            .pointer("/id")
            .sent(seq),
        );
        return;
    }
    // The probe that sends what has no readable id judges what comes back; odd numbers may be written otherwise.
    let explained =
        (is_error && link.unreadable_sent > 0) || (link.odd_id_sent && id.as_json().parse::<f64>().is_ok());
    if !explained {
        judge.broke(
            UNKNOWN,
            Breach::new("unknown-id", "a response carries an id that was never sent")
                .expected(&["the id of a request that was sent"])
                .actual(format!("id {}", shorten(id.as_json())))
                .at(moment.record)
                .pointer("/id"),
        );
    }
}

fn errors_carry_the_id_of_their_request(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "base.error.same-id";
    /// Refusals that are decided before the body is read.
    const TRANSPORT: [u16; 7] = [401, 403, 405, 406, 413, 415, 429];
    let Some(heard @ Heard { message, answers, exchange, .. }) = moment.message else { return };
    if *message.kind() != Kind::Error || !heard.is_rpc() {
        return;
    }
    if answers.is_some() {
        return judge.held(ID);
    }
    let Some(exchange) = exchange else { return };
    let status = exchange.status.unwrap_or(200);
    // In the legacy era the transport refuses sessions and versions on its own, without the body.
    let transport = TRANSPORT.contains(&status) || (status >= 400 && moment.state.era() != Some(Era::Modern));
    let unreadable = matches!(message.error_code(), Some(-32700 | -32600));
    let Some(wanted) = exchange.posted().filter(|posted| *posted.kind() == Kind::Request) else { return };
    let Some(wanted) = wanted.id().filter(|id| is_plain(id)) else { return };
    if message.id() == Some(wanted) {
        // The request broke the protocol, so that it does not count as asked; its id was there to be read.
        return judge.held(ID);
    }
    if transport || unreadable {
        return;
    }
    judge.broke(
        ID,
        Breach::new("other-id", "an error does not carry the id of the request that it answers")
            .expected(&[&format!("id {}", shorten(wanted.as_json()))])
            .actual(message.id().map_or("no id".to_owned(), |id| format!("id {}", shorten(id.as_json()))))
            .at(moment.record)
            .sent(exchange.seq),
    );
}

fn results_say_what_they_are(moment: &Moment<'_>, judge: &mut Judge) {
    const PRESENT: &str = "base.result-type.present";
    const KNOWN: &str = "base.result-type.known";
    const DECLARED: &str = "base.result-type.extension-only-when-declared";
    let Some(Heard { message, answers: Some(asked), .. }) = moment.message else { return };
    let Some(result) = message.result().and_then(Value::as_object) else { return };
    if asked.meta_version() != Some("2026-07-28") || asked.method == "initialize" {
        return;
    }
    let breach = |class: &str, text: &str| {
        Breach::new(class, text).at(moment.record).sent(asked.seq).pointer("/result/resultType")
    };
    let result_type = result.get("resultType");
    let Some(Value::String(result_type)) = result_type else {
        let actual = kind_of(result_type);
        let breach = breach("missing", "a result does not say its type")
            .expected(&["`resultType` is a string"])
            .actual(actual);
        return judge.broke(PRESENT, if result_type.is_some() { breach } else { breach.pointer("/result") });
    };
    judge.held(PRESENT);
    if matches!(result_type.as_str(), "complete" | "input_required") {
        judge.held(KNOWN);
        if asked.method == "tools/call" && extensions(asked).is_none() {
            judge.held(DECLARED);
        }
        return;
    }
    let advertised = moment.state.capabilities.as_ref().and_then(|own| own.get("extensions")?.as_object());
    let shared = extensions(asked)
        .zip(advertised)
        .is_some_and(|(ours, theirs)| ours.keys().any(|extension| theirs.contains_key(extension)));
    if shared {
        return judge.held(KNOWN);
    }
    for id in [KNOWN, DECLARED] {
        let breach =
            breach("unknown", "a result has a type that neither the protocol nor a declared extension has")
                .expected(&[
                    "`complete`",
                    "`input_required`",
                    "a type of an extension that both sides declared",
                ])
                .actual(format!("`{}`", shorten(result_type)));
        judge.broke(id, breach);
    }
}

/// The extensions that a request declares; `None` where it declares none.
fn extensions(asked: &super::Asked) -> Option<&serde_json::Map<String, Value>> {
    let declared = asked
        .message
        .params()?
        .pointer("/_meta/io.modelcontextprotocol~1clientCapabilities/extensions")?
        .as_object()?;
    (!declared.is_empty()).then_some(declared)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Script, modern};
    use crate::protocol::Revision::{V2025_11_25, V2026_07_28};
    use crate::wire::{Event, Payload, Taint};
    use serde_json::{Value, json};

    fn answered(answer: Value) -> Script {
        let ping = json!({"jsonrpc": "2.0", "id": 7, "method": "ping"});
        Script::stdio(V2025_11_25).handshake().sent(ping).received(answer)
    }

    /// A request that is none (its method is a number) has an id all the same, and the error repeats it.
    #[test]
    fn an_error_for_what_is_no_request_may_carry_its_id() {
        let broken = br#"{"jsonrpc":"2.0","method":7,"id":46}"#;
        for (id, kept) in [(json!(46), true), (json!(47), false)] {
            let error = json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "m"}});
            let (script, at) = Script::http(V2025_11_25).handshake().posted(broken, Some(Taint::Message));
            let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
            let verdicts = script
                .on(at, Event::ResponseHead { status: 200, headers })
                .on(at, Event::Received { payload: Payload::read(error.to_string()), sse: None })
                .verdicts();
            if kept {
                verdicts.assert_held("base.error.same-id");
                verdicts.assert_broken(&[]);
            } else {
                assert!(!verdicts.judge().get("base.error.same-id").unwrap().breaches.is_empty());
            }
        }
    }

    #[test]
    fn members_of_a_response() {
        let xor = &["base.response.result-xor-error"];
        answered(json!({"jsonrpc": "2.0", "id": 7})).verdicts().assert_broken(xor);
        answered(json!({"jsonrpc": "2.0", "id": 7, "result": {}, "error": null}))
            .verdicts()
            .assert_broken(xor);
        let error = json!({"code": -32601, "message": "m"});
        let beside = answered(json!({"jsonrpc": "2.0", "id": 7, "result": null, "error": error}));
        assert!(beside.verdicts().broken().contains(&"base.response.result-xor-error"));
        let null = answered(json!({"jsonrpc": "2.0", "id": 7, "result": null})).verdicts();
        null.assert_broken(&["base.response.result-object", "ping.empty-result"]);
        let good = answered(json!({"jsonrpc": "2.0", "id": 7, "result": {}})).verdicts();
        good.assert_broken(&[]);
        good.assert_held("base.response.result-object");
        good.assert_held("base.response.result-xor-error");
        good.assert_held("base.response.at-most-once");
        good.assert_held("base.response.always-sent");
        good.assert_held("robustness.response.no-unknown-id");
    }

    #[test]
    fn ids_of_responses() {
        answered(json!({"jsonrpc": "2.0", "id": "7", "result": {}}))
            .verdicts()
            .assert_broken(&["base.response.same-id"]);
        answered(json!({"jsonrpc": "2.0", "id": 7.0, "result": {}}))
            .verdicts()
            .assert_broken(&["base.response.same-id"]);
        answered(json!({"jsonrpc": "2.0", "result": {}}))
            .verdicts()
            .assert_broken(&["base.response.same-id"]);
        answered(json!({"jsonrpc": "2.0", "id": 99, "result": {}}))
            .verdicts()
            .assert_broken(&["robustness.response.no-unknown-id"]);
        let twice = json!({"jsonrpc": "2.0", "id": 7, "result": {}});
        answered(twice.clone()).received(twice).verdicts().assert_broken(&["base.response.at-most-once"]);
        // An error in answer to what cannot be read has no id.
        Script::stdio(V2025_11_25)
            .handshake()
            .sent_bytes(b"{", Some(Taint::Message))
            .received(json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "m"}}))
            .verdicts()
            .assert_broken(&[]);
    }

    #[test]
    fn ids_of_errors_over_http() {
        let error =
            |id: Value| json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "m"}});
        let asked = || modern(7, "no/such", json!({}));
        let over = |error| {
            Script::http(V2026_07_28).handshake().exchange(asked(), 404, "application/json", &[error], None)
        };
        over(error(json!(7))).verdicts().assert_held("base.error.same-id");
        over(error(json!(null))).verdicts().assert_broken(&["base.error.same-id"]);
        over(error(json!(8))).verdicts().assert_broken(&["base.error.same-id", "base.response.same-id"]);
    }

    #[test]
    fn silence_is_told_where_an_answer_was_due() {
        let silent = |request: Value| {
            Script::stdio(V2025_11_25).handshake().sent(request).event(Event::Note("timed out: 7".to_owned()))
        };
        let broken = &["base.response.always-sent", "robustness.request.no-hang"];
        let list = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/list"});
        silent(list.clone()).verdicts().assert_broken(broken);
        let cancel =
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}});
        silent(list).sent(cancel).verdicts().assert_broken(&[]);
    }

    #[test]
    fn types_of_results() {
        let over = |mut result: Value| {
            result["content"] = json!([]);
            result["_meta"] = json!({"io.modelcontextprotocol/serverInfo": {"name": "s", "version": "1"}});
            Script::stdio(V2026_07_28)
                .handshake()
                .sent(modern(7, "tools/call", json!({"name": "x"})))
                .received(json!({"jsonrpc": "2.0", "id": 7, "result": result}))
                .verdicts()
        };
        over(json!({})).assert_broken(&["base.result-type.present"]);
        over(json!({"resultType": 1})).assert_broken(&["base.result-type.present"]);
        let mut task = over(json!({"resultType": "task"})).broken();
        task.retain(|id| id.starts_with("base."));
        assert_eq!(task, ["base.result-type.extension-only-when-declared", "base.result-type.known"]);
        over(json!({"resultType": "complete"})).assert_held("base.result-type.extension-only-when-declared");
    }
}
