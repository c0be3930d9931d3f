//! JSON-RPC under test: malformed messages and notifications, and the errors that are due (basic/index).

use super::Stage;
use super::probe::{breach, probes};
use super::provoke::{Provoked, refuses_a_post};
use crate::client::{Outgoing, Reply};
use crate::monitors::Breach;
use crate::protocol::{Era, Transport};
use serde_json::{Value, json};

probes! {
    /// Sends JSON that breaks off. A JSON-RPC error with code -32700 passes, over HTTP any 4xx status; silence on stdio
    /// is a warning in the legacy era, where JSON-RPC asks for an answer. The error has no id, or null: an invented one
    /// would be taken for the answer to another request. Then the same with an id that is an object.
    unreadable_json_gets_a_parse_error (Breaking, Both, Any) decides [
        "base.error.parse-error-answered",
        "base.error.parse-error-code",
        "base.error.unreadable-id-not-invented",
    ];
    /// Sends objects that are no requests: an id without a method, a method that is a number, `jsonrpc` "1.0", in the
    /// legacy era `params` that are a number. A result fails: the server would do what nobody asked. Error -32600 is
    /// right, another code or none at all a warning. Last an id with a fraction, which is no integer: a result is a
    /// warning, all else is let pass.
    what_is_no_request_is_refused (Breaking, Both, Any) decides ["base.error.invalid-request-code"];
    /// Sends requests of declared features without the parameters that they need: a tool call without a name, a
    /// resource without a URI, and so on. Error -32602 passes, another error is a warning, a result fails.
    wrong_parameters_are_refused (Breaking, Both, Any) decides
        ["base.error.invalid-params-code", "base.response.always-sent"];
    /// Sends a harmless request with the id null. A result fails: null is no id, and the answer cannot be told from an
    /// answer to something unreadable. Any error, HTTP 4xx, or silence on stdio passes.
    null_is_no_id (Breaking, Both, Any) decides ["base.request.null-id-refused"];
    /// Sends the harmless request and a light one in upper case, and with `Method` in place of `method`. A result fails: JSON-RPC names
    /// are case-sensitive, and what answers here may answer to more than its author knows.
    names_are_matched_with_their_case (Breaking, Both, Any) decides ["base.jsonrpc.names-case-sensitive"];
    /// Sends a notification that nobody knows, one with senseless parameters, one whose name does not begin with
    /// `notifications/`, requests that have no id, and up to 2025-11-25 changed roots, a cancellation and progress of what
    /// the server does not know, at once and then, if anything came of them, each followed by a valid request. What has a method and no id is a
    /// notification, and no response may come for it (an HTTP 4xx may carry an error without id); an error for the method
    /// of a request is a matter of quality. The valid request is answered.
    notifications_are_not_answered (Breaking, Both, Any) decides
        ["base.notification.no-reply", "base.notification.unknown-ignored"];
}

/// What a 4xx without a message, or silence, counts as.
enum Class {
    Result,
    Error(i64),
    ErrorWithoutCode,
    Refused,
    Accepted,
    Silent,
    Gone,
}

fn class(reply: &Reply) -> Class {
    match reply {
        Reply::Gone(_) => Class::Gone,
        Reply::Silence(_) => Class::Silent,
        Reply::NoMessage(head) if head.status >= 400 => Class::Refused,
        Reply::NoMessage(_) => Class::Accepted,
        Reply::Result(_) => Class::Result,
        Reply::Error(answer) | Reply::Unmatched(answer) => {
            if answer.message.result().is_some() {
                return Class::Result;
            }
            answer.message.error_code().map_or(Class::ErrorWithoutCode, Class::Error)
        }
    }
}

/// A breach about something that was provoked.
fn about(name: &str, message: &str, seen: &Provoked) -> Breach {
    breach(name, message, &seen.ticket, &seen.reply)
}

/// The method and version that headers mirror, for what cannot be read from the body.
fn mirrored(stage: &Stage<'_>, mut outgoing: Outgoing, method: &str) -> Outgoing {
    if stage.era() == Era::Modern {
        outgoing.method.get_or_insert_with(|| method.to_owned());
        outgoing.version.get_or_insert_with(|| stage.revision.as_str().to_owned());
    }
    outgoing
}

async fn unreadable_json_gets_a_parse_error(stage: &mut Stage<'_>) {
    const ANSWERED: &str = "base.error.parse-error-answered";
    const CODE: &str = "base.error.parse-error-code";
    let method = stage.harmless();
    let cut = format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"#);
    let outgoing = mirrored(stage, Outgoing::bytes(cut), method);
    let seen = stage.provoke(outgoing).await;
    let modern = stage.era() == Era::Modern;
    let http = stage.transport().is_http();
    let message = "JSON that breaks off was not answered with error -32700";
    let status = seen.reply.status();
    match class(&seen.reply) {
        Class::Gone => {
            stage.judge.undecided(ANSWERED, "gone", seen.reply.describe());
            stage.judge.undecided(CODE, "gone", seen.reply.describe());
        }
        Class::Error(code) => {
            stage.judge.held(ANSWERED);
            let accepted = modern && status.is_some_and(|status| status < 400);
            stage.judge.decide(CODE, code == -32700 && !accepted, || {
                about("other-code", message, &seen).quality().expected(if modern && http {
                    &["error -32700 with a 4xx status"]
                } else {
                    &["error -32700 (parse error)"]
                })
            });
        }
        Class::ErrorWithoutCode => stage.judge.held(ANSWERED),
        Class::Refused if status.is_some_and(|status| status >= 500) => {
            stage.judge.undecided(ANSWERED, "server-error", seen.reply.describe());
        }
        Class::Refused => {
            stage.judge.held(ANSWERED);
            stage.judge.held(CODE);
        }
        Class::Silent if !http => {
            stage.judge.broke(
                ANSWERED,
                about("silence", "JSON that breaks off was dropped without a word", &seen)
                    .quality()
                    .expected(&["a JSON-RPC error"])
                    .actual("nothing"),
            );
            if modern {
                stage.judge.held(CODE);
            } else {
                stage.judge.undecided(CODE, "no-error", "the server did not answer with an error");
            }
        }
        Class::Silent => {
            stage.judge.undecided(ANSWERED, "no-answer", seen.reply.describe());
            stage.judge.undecided(CODE, "no-answer", seen.reply.describe());
        }
        Class::Accepted | Class::Result => {
            let wrong = about("accepted", message, &seen).expected(&["a JSON-RPC error", "a 4xx status"]);
            stage.judge.broke(ANSWERED, wrong.clone());
            stage.judge.broke(CODE, wrong.quality());
        }
    }
    judge_invented_id(stage, &seen);
    if stage.talk.gone().is_some() {
        return;
    }
    let mut object = json!({"jsonrpc": "2.0", "id": {"not": "an id"}, "method": method});
    if let Some(params) = stage.talk.params(json!({})) {
        object["params"] = params;
    }
    let seen = stage.provoke(Outgoing { id: None, ..Outgoing::message(&object) }).await;
    judge_invented_id(stage, &seen);
}

/// An error for what has no readable id has none, or null; and nobody else's.
fn judge_invented_id(stage: &mut Stage<'_>, seen: &Provoked) {
    const ID: &str = "base.error.unreadable-id-not-invented";
    let expected = ["no `id`", "`id` null"];
    if let Reply::Error(answer) = &seen.barrier
        && matches!(answer.message.error_code(), Some(-32700 | -32600))
    {
        return stage.judge.broke(
            ID,
            breach(
                "id-of-another",
                "the error for an unreadable message carries the id of another request",
                &seen.ticket,
                &seen.barrier,
            )
            .expected(&expected)
            .pointer("/id"),
        );
    }
    let answer = match &seen.reply {
        Reply::Unmatched(answer) | Reply::Error(answer) if answer.message.error().is_some() => answer,
        other => {
            return stage.judge.undecided(ID, "no-error", format!("no error came: {}", other.describe()));
        }
    };
    let invented = answer.message.id().filter(|id| id.as_json().starts_with(['"', '-']) || id.is_integer());
    match invented {
        None => stage.judge.held(ID),
        Some(id) => {
            let id = id.as_json().chars().take(80).collect::<String>();
            stage.judge.broke(
                ID,
                about("invented", "the error for a message without a readable id has an id", seen)
                    .expected(&expected)
                    .actual(format!("id {id}"))
                    .pointer("/id"),
            );
        }
    }
}

async fn what_is_no_request_is_refused(stage: &mut Stage<'_>) {
    let method = stage.harmless();
    let params = stage.talk.params(json!({}));
    let modern = stage.era() == Era::Modern;
    let mut stimuli = vec![
        ("no-method", json!({"jsonrpc": "2.0"})),
        ("numeric-method", json!({"jsonrpc": "2.0", "method": 7})),
        ("old-version", json!({"jsonrpc": "1.0", "method": method})),
    ];
    if !modern {
        stimuli.push(("scalar-params", json!({"jsonrpc": "2.0", "method": method, "params": 7})));
    }
    for (name, mut message) in stimuli {
        let id = stage.talk.fresh_id();
        message["id"] = serde_json::from_str(id.as_json()).unwrap_or(Value::Null);
        if let (Some(params), None) = (&params, message.get("params")) {
            message["params"] = params.clone();
        }
        let outgoing = mirrored(stage, Outgoing::message(&message), method);
        let seen = stage.provoke(outgoing).await;
        judge_invalid_request(stage, name, &seen, modern);
        if let Reply::Gone(_) = seen.barrier {
            return;
        }
    }
    fractional_id(stage).await;
}

/// Prose wants an integer, the schema a number, and JSON-RPC no more than that a fraction should not be sent: so whoever
/// serves it is warned, and no refusal is judged.
async fn fractional_id(stage: &mut Stage<'_>) {
    const ID: &str = "base.error.invalid-request-code";
    let method = stage.harmless();
    // Rounded, it is the id of no other request.
    let mut message = json!({"jsonrpc": "2.0", "id": 4_294_967_301.5, "method": method});
    if let Some(params) = stage.talk.params(json!({})) {
        message["params"] = params;
    }
    let outgoing = mirrored(stage, Outgoing { id: None, ..Outgoing::message(&message) }, method);
    let seen = stage.provoke(outgoing).await;
    if let Class::Result = class(&seen.reply) {
        let text = "a request with a fraction as its id was served";
        stage.judge.broke(
            ID,
            about("fractional-id", text, &seen)
                .quality()
                .expected(&["error -32600 (invalid request)", "silence on stdio"])
                .pointer("/id"),
        );
    }
}

fn judge_invalid_request(stage: &mut Stage<'_>, name: &str, seen: &Provoked, modern: bool) {
    const ID: &str = "base.error.invalid-request-code";
    let text = "an object that is no valid request was not refused with error -32600";
    let wrong = || about(name, text, seen).expected(&["error -32600 (invalid request)"]);
    match class(&seen.reply) {
        Class::Result => stage.judge.broke(ID, wrong().pointer("/result")),
        Class::Error(-32600) => stage.judge.held(ID),
        // Parameters that are none make the request invalid, and are invalid parameters too.
        Class::Error(-32602) if name == "scalar-params" => stage.judge.held(ID),
        // A header mirrors the method, so a server may look at that first.
        Class::Error(-32602 | -32700 | -32020) if modern => stage.judge.held(ID),
        Class::Error(_) => stage.judge.broke(ID, wrong().quality().pointer("/error/code")),
        Class::Refused if seen.reply.status().is_some_and(|status| status >= 500) => {
            stage.judge.undecided(ID, "server-error", seen.reply.describe());
        }
        Class::Refused | Class::Accepted | Class::ErrorWithoutCode => {
            stage.judge.broke(ID, wrong().quality());
        }
        Class::Silent if stage.transport().is_http() && stage.transport() != Transport::HttpSse => {
            stage.judge.undecided(ID, "no-answer", seen.reply.describe());
        }
        Class::Silent => stage.judge.broke(ID, wrong().quality().actual("nothing")),
        Class::Gone => stage.judge.undecided(ID, "gone", seen.reply.describe()),
    }
}

async fn wrong_parameters_are_refused(stage: &mut Stage<'_>) {
    const ID: &str = "base.error.invalid-params-code";
    let modern = stage.era() == Era::Modern;
    let stimuli = [
        ("tools", "tools/call", json!({"arguments": {}})),
        ("prompts", "prompts/get", if modern { json!({}) } else { json!({"name": 7}) }),
        ("resources", "resources/read", json!({})),
        ("completions", "completion/complete", json!({"argument": {"name": "a", "value": "b"}})),
        ("logging", "logging/setLevel", json!({})),
    ];
    let mut tried = false;
    for (capability, method, params) in stimuli {
        if !stage.declares(capability) || (modern && capability == "logging") {
            continue;
        }
        tried = true;
        let outgoing = stage.talk.compose(method, params);
        let (ticket, reply) = stage.breaking(outgoing).await;
        let wrong = || {
            let text = format!("`{method}` without the parameters that it needs was not refused with -32602");
            breach(method, text, &ticket, &reply).expected(&["error -32602 (invalid params)"])
        };
        match class(&reply) {
            Class::Error(-32602) => stage.judge.held(ID),
            // The name is mirrored in a header, which is missing too.
            Class::Error(-32020) if modern && stage.transport().is_http() => stage.judge.held(ID),
            // That a method of a declared feature does not exist is told elsewhere.
            Class::Error(-32601) => {
                stage.judge.undecided(ID, "no-method", "the method is refused as unknown");
            }
            Class::Error(_) => stage.judge.broke(ID, wrong().quality().pointer("/error/code")),
            Class::ErrorWithoutCode => stage.judge.broke(ID, wrong().quality()),
            Class::Result => {
                let tool_error =
                    reply.result().and_then(|result| result.get("isError")) == Some(&json!(true));
                let wrong = wrong().pointer("/result");
                stage.judge.broke(ID, if tool_error { wrong.quality() } else { wrong });
            }
            Class::Gone => return stage.judge.undecided(ID, "gone", reply.describe()),
            Class::Silent => return stage.judge.undecided(ID, "no-answer", reply.describe()),
            Class::Refused | Class::Accepted => stage.judge.undecided(ID, "no-answer", reply.describe()),
        }
    }
    if !tried {
        stage.judge.not_applicable(
            ID,
            "not-declared",
            "the server declares no feature whose methods have parameters",
        );
    }
}

async fn null_is_no_id(stage: &mut Stage<'_>) {
    const ID: &str = "base.request.null-id-refused";
    let method = stage.harmless();
    let mut message = json!({"jsonrpc": "2.0", "id": null, "method": method});
    if let Some(params) = stage.talk.params(json!({})) {
        message["params"] = params;
    }
    let seen = stage.provoke(Outgoing { id: None, ..Outgoing::message(&message) }).await;
    match class(&seen.reply) {
        Class::Result => stage.judge.broke(
            ID,
            about("served", "a request with the id null was served", &seen)
                .expected(&["an error", "HTTP 4xx", "silence on stdio"])
                .actual("a result")
                .pointer("/result"),
        ),
        Class::Gone => stage.judge.undecided(ID, "gone", seen.reply.describe()),
        _ if seen.survived() => stage.judge.held(ID),
        _ => stage.judge.undecided(ID, "no-barrier", "the valid request after it was not answered"),
    }
}

async fn names_are_matched_with_their_case(stage: &mut Stage<'_>) {
    const ID: &str = "base.jsonrpc.names-case-sensitive";
    let method = stage.harmless();
    let shouted = stage.talk.compose(&method.to_ascii_uppercase(), json!({}));
    // Methods of features may be looked up otherwise than those of the protocol itself.
    let light = stage.light_request();
    let shouted_too = stage.talk.compose(&light.to_ascii_uppercase(), json!({}));
    let id = stage.talk.fresh_id();
    let params = stage.talk.params(json!({})).unwrap_or(json!({}));
    let id_value: Value = serde_json::from_str(id.as_json()).unwrap_or(Value::Null);
    let member = json!({"jsonrpc": "2.0", "id": id_value, "Method": method, "params": params});
    let member = mirrored(stage, Outgoing::message(&member), method);
    for (name, outgoing) in [("method-name", shouted), ("method-name", shouted_too), ("member-name", member)]
    {
        let seen = stage.provoke(outgoing).await;
        match class(&seen.reply) {
            Class::Result => stage.judge.broke(
                ID,
                about(name, "a name in another case was taken for the real one", &seen)
                    .expected(&["an error", "HTTP 4xx", "silence"])
                    .pointer("/result"),
            ),
            Class::Gone => return stage.judge.undecided(ID, "gone", seen.reply.describe()),
            _ if seen.survived() => stage.judge.held(ID),
            _ => stage.judge.undecided(ID, "no-barrier", "the valid request after it was not answered"),
        }
    }
}

async fn notifications_are_not_answered(stage: &mut Stage<'_>) {
    const SILENT: &str = "base.notification.no-reply";
    const IGNORED: &str = "base.notification.unknown-ignored";
    let senseless = json!({"requestId": {"not": "an id"}, "reason": 7});
    let unknown = stage.talk.params(json!({"any": "thing"}));
    let harmless = stage.harmless();
    let light = stage.light_request();
    let mut stimuli = vec![
        ("unknown", Outgoing::notification("notifications/mcprove-unknown", unknown)),
        ("bad-params", Outgoing::notification("notifications/cancelled", stage.talk.params(senseless))),
        ("other-name", Outgoing::notification("mcprove/no-such-method", stage.talk.params(json!({})))),
        ("request-name", Outgoing::notification(harmless, stage.talk.params(json!({})))),
    ];
    if light != harmless {
        stimuli.push(("request-name", Outgoing::notification(light, stage.talk.params(json!({})))));
    }
    if stage.era() == Era::Legacy {
        // What has a handler of its own may be answered by it.
        let late = json!({"requestId": "mcprove-no-such-request", "reason": "too late"});
        let foreign = json!({"progressToken": "mcprove-no-such-token", "progress": 1});
        stimuli.extend([
            ("roots-changed", Outgoing::notification("notifications/roots/list_changed", None)),
            ("cancelled", Outgoing::notification("notifications/cancelled", Some(late))),
            ("progress", Outgoing::notification("notifications/progress", Some(foreign))),
        ]);
    }
    // All at once, and the unknown one right before a request: where nothing comes of any, none of them was answered.
    if stage.none_is_answered(stimuli.iter().rev().map(|(_, outgoing)| outgoing)).await {
        stage.judge.held(SILENT);
        return stage.judge.held(IGNORED);
    }
    for (name, outgoing) in stimuli {
        let seen = stage.provoke(outgoing).await;
        match &seen.reply {
            Reply::Gone(_) => stage.judge.undecided(SILENT, "gone", seen.reply.describe()),
            Reply::Unmatched(answer) if refuses_a_post(answer) => stage.judge.held(SILENT),
            Reply::Result(_) | Reply::Error(_) | Reply::Unmatched(_) => {
                let breach = about(name, "a notification was answered", &seen).expected(&["no response"]);
                // The method of a request without an id can be taken for a request that is no valid one.
                let refused = name == "request-name" && !seen.is_result();
                stage.judge.broke(SILENT, if refused { breach.quality() } else { breach });
            }
            Reply::Silence(_) | Reply::NoMessage(_) if seen.survived() => stage.judge.held(SILENT),
            Reply::Silence(_) | Reply::NoMessage(_) => {
                stage.judge.undecided(SILENT, "no-barrier", "the valid request after it was not answered");
            }
        }
        match &seen.barrier {
            _ if name != "unknown" => {}
            Reply::Result(_) => stage.judge.held(IGNORED),
            Reply::Gone(_) => stage.judge.undecided(IGNORED, "gone", seen.barrier.describe()),
            _ => stage.judge.broke(
                IGNORED,
                breach(
                    "unusable",
                    "after an unknown notification a valid request failed",
                    &seen.ticket,
                    &seen.barrier,
                )
                .expected(&["the result of the valid request"]),
            ),
        }
        if let Reply::Gone(_) = seen.barrier {
            return;
        }
    }
}
