//! Tools under test: unknown names, bad arguments, an order that stays (server/tools).

use super::lists::{listing, sorted};
use super::probe::probes;
use super::tour::served;
use super::{Call, Stage, breach};
use crate::client::{Outgoing, Reply, Ticket};
use crate::generate::ValueGenerator;
use crate::monitors::Breach;
use crate::protocol::{Era, Revision};
use serde_json::{Map, Value, json};

probes! {
    /// Leaves `arguments` out of a call to a tool that needs none and was called with `{}` before: the outcome is the
    /// same. Many clients leave out what is empty.
    arguments_may_be_left_out (Clean, Both, Any) decides ["tools.call.arguments-optional"];
    /// Lists everything again, four times (twice where the list is long), after all calls and reads: the sets are what
    /// they were, in the same order. Hosts cache lists and put them into prompts, which a shuffled order makes new each
    /// time.
    lists_keep_set_and_order (Clean, Modern, Any) decides [
        "tools.list.deterministic-order", "tools.list.unaffected-by-requests",
        "resources.list.unaffected-by-requests", "prompts.list.unaffected-by-requests",
    ];
    /// Calls a tool that cannot exist: error -32602. A result with `isError` is common and told as a warning; success
    /// would mean that any name does.
    unknown_tool_is_refused (Breaking, Both, Any) decides ["tools.call.unknown-tool-error"];
    /// Sends calls that do not fit the request's own schema: no name, a number as name, arguments as a list or a
    /// string. Each is a protocol error.
    malformed_calls_are_refused (Breaking, Both, Any) decides ["tools.call.malformed-request-error"];
    /// Calls a tool that was called before, with a required argument left out, or one of the wrong type, out of its
    /// bounds, none of its choices, or more than the schema allows: it fails, by `isError` (better, from 2025-11-25 on)
    /// or by -32602. A tool that goes on with missing input does who knows what.
    bad_arguments_are_noticed (Breaking, Both, Any) decides
        ["tools.call.inputs-validated", "tools.call.input-error-in-result"];
    /// Calls a known tool by its name in other letters: there is no such tool. Names are case-sensitive.
    tool_names_are_case_sensitive (Breaking, Both, Any) decides ["tools.definition.name-case-sensitive"];
    /// Gives a tool that repeats what it is given control characters, NUL, escape sequences of terminals and characters
    /// from the end of Unicode: what comes back is one sound message. What a server passes on unescaped breaks the
    /// framing of every message behind it.
    echoed_output_stays_sound (Breaking, Both, Any) decides ["tools.call.outputs-sanitized"];
}

/// A call as a client would send it, its mirrored arguments in headers where they belong.
fn call(stage: &mut Stage<'_>, name: &str, arguments: Option<&Value>) -> Outgoing {
    let mut params = json!({"name": name});
    if let Some(arguments) = arguments {
        params["arguments"] = arguments.clone();
    }
    stage.compose_call(params)
}

fn schema_of(stage: &Stage<'_>, name: &str) -> Option<Value> {
    stage.offer.tools.iter().find(|tool| tool["name"] == name)?.get("inputSchema").cloned()
}

/// Calls that worked soon, of tools that ask for nothing on the way.
fn good_calls(stage: &Stage<'_>) -> Vec<Call> {
    const QUICK: std::time::Duration = std::time::Duration::from_secs(1);
    stage
        .offer
        .calls
        .iter()
        .filter(|call| call.succeeded() && !call.asked_for_input && call.took < QUICK)
        .cloned()
        .collect()
}

fn is_listed(stage: &Stage<'_>) -> bool {
    stage.offer.listed.contains(&"tools/list")
}

async fn arguments_may_be_left_out(stage: &mut Stage<'_>) {
    const ID: &str = "tools.call.arguments-optional";
    let needs_none = |schema: &Value| {
        schema.get("required").and_then(Value::as_array).is_none_or(Vec::is_empty)
            && ["minProperties", "anyOf", "oneOf", "allOf", "$ref"]
                .iter()
                .all(|keyword| schema.get(*keyword).is_none())
    };
    let name = good_calls(stage)
        .into_iter()
        .map(|call| call.tool)
        .find(|name| schema_of(stage, name).is_some_and(|schema| needs_none(&schema)));
    let Some(name) = name else { return };
    let with = call(stage, &name, Some(&json!({})));
    let (_, with) = stage.valid(with).await;
    let without = call(stage, &name, None);
    let (ticket, without) = stage.valid(without).await;
    let succeeded = |reply: &Reply| reply.result().is_some_and(|result| result["isError"] != true);
    match (&with, &without) {
        (Reply::Result(_), Reply::Result(_)) if succeeded(&with) == succeeded(&without) => {
            stage.judge.held(ID);
        }
        (Reply::Result(_), Reply::Result(_) | Reply::Error(_)) if succeeded(&with) => {
            let message = format!("`{name}` works with `arguments: {{}}`, and not without `arguments`");
            let mut seen =
                breach("other-outcome", message, &ticket, &without).expected(&["the same outcome"]);
            if stage.era() == Era::Modern {
                seen = seen.quality();
            }
            stage.judge.broke(ID, seen);
        }
        _ => {}
    }
}

async fn lists_keep_set_and_order(stage: &mut Stage<'_>) {
    const ORDER: &str = "tools.list.deterministic-order";
    let rounds = if stage.has_long_list() { 2 } else { 4 };
    let mut changes = 0;
    for round in 0..rounds {
        for list in served(stage) {
            let tools = list.method == "tools/list";
            if round > 0 && !tools {
                continue;
            }
            let Some((keys, reply)) = listing(stage.talk, list).await else { continue };
            let Some(before) = stage.offer.latest.insert(list.method, keys.clone()) else { continue };
            // Nothing but listings went on in between.
            let changed = tools && sorted(&keys) != sorted(&before);
            changes += usize::from(changed && round > 0);
            if changed && changes > 1 {
                stage.judge.broke(
                    ORDER,
                    Breach::new(
                        "set",
                        "one listing after the other gives other tools, though nothing was done in between",
                    )
                    .quality()
                    .expected(&["the same tools in the same order"])
                    .actual(format!("{} tools, other ones each time", keys.len()))
                    .reply(&reply)
                    .pointer("/result/tools"),
                );
            }
            if tools && !changed {
                stage.judge.decide(ORDER, keys == before, || {
                    Breach::new("order", "the same tools come in another order")
                        .expected(&["the same order while the set is unchanged"])
                        .reply(&reply)
                        .actual("another order")
                        .pointer("/result/tools")
                });
            }
            let unaffected = match list.method {
                "tools/list" => "tools.list.unaffected-by-requests",
                "resources/list" => "resources.list.unaffected-by-requests",
                "prompts/list" => "prompts.list.unaffected-by-requests",
                _ => continue,
            };
            // What changed is compared with another connection later.
            if round == 0
                && stage.offer.first.get(list.method).is_some_and(|first| sorted(first) == sorted(&keys))
            {
                stage.judge.held(unaffected);
            }
        }
    }
}

async fn unknown_tool_is_refused(stage: &mut Stage<'_>) {
    const ID: &str = "tools.call.unknown-tool-error";
    if !is_listed(stage) {
        return;
    }
    let outgoing = call(stage, "mcprove_no_such_tool_7f3a", Some(&json!({})));
    let (ticket, reply) = stage.breaking(outgoing).await;
    let expected = ["error -32602 (invalid params)"];
    let seen = |class: &str, message: &str| breach(class, message, &ticket, &reply).expected(&expected);
    match &reply {
        Reply::Error(answer) => {
            // Any protocol error will do; the usual one is better.
            stage.judge.decide(ID, answer.message.error_code() == Some(-32602), || {
                seen("other-code", "an unknown tool was refused with another code")
                    .quality()
                    .pointer("/error/code")
            });
        }
        Reply::Result(answer) if answer.message.result().is_some_and(|result| result["isError"] == true) => {
            let message = "an unknown tool was answered with a tool result instead of a protocol error";
            stage.judge.broke(ID, seen("is-error", message).quality().pointer("/result/isError"));
        }
        Reply::Result(_) => {
            stage.judge.broke(ID, seen("success", "a call to an unknown tool succeeded").pointer("/result"));
        }
        _ => stage.judge.undecided(ID, "no-answer", format!("no usable answer came: {}", reply.describe())),
    }
}

async fn malformed_calls_are_refused(stage: &mut Stage<'_>) {
    const ID: &str = "tools.call.malformed-request-error";
    if !is_listed(stage) {
        return;
    }
    let name =
        good_calls(stage).first().map_or("mcprove_no_such_tool_7f3a".to_owned(), |call| call.tool.clone());
    for (class, params) in [
        ("no-name", json!({"arguments": {}})),
        ("number-name", json!({"name": 7, "arguments": {}})),
        ("list-arguments", json!({"name": name, "arguments": [1]})),
        ("string-arguments", json!({"name": name, "arguments": "mcprove"})),
    ] {
        let outgoing = stage.talk.compose("tools/call", params);
        let (ticket, reply) = stage.breaking(outgoing).await;
        let seen = |message: &str| {
            breach(class, message, &ticket, &reply).expected(&["error -32602 (invalid params)"])
        };
        match &reply {
            Reply::Error(_) | Reply::Unmatched(_) if reply.is_error() => stage.judge.held(ID),
            Reply::NoMessage(head) if head.status >= 400 => stage.judge.held(ID),
            Reply::Result(answer) => {
                let error = answer.message.result().is_some_and(|result| result["isError"] == true);
                let message = if error {
                    "a call that breaks the request's schema was answered with a tool result"
                } else {
                    "a call that breaks the request's schema succeeded"
                };
                let seen = seen(message).pointer("/result");
                stage.judge.broke(ID, if error { seen.quality() } else { seen });
            }
            _ => {}
        }
        if stage.talk.gone().is_some() {
            return;
        }
    }
}

/// Arguments with one thing wrong.
struct Bad {
    class: &'static str,
    what: String,
    arguments: Value,
}

/// Ways to break a tool's input schema, from arguments that fit: a required one left out, one of the wrong type, out of
/// its bounds or none of its choices, and one that a closed schema does not know.
fn spoiled(schema: &Value, good: &Value) -> Vec<Bad> {
    let mut bad = Vec::new();
    let Some(arguments) = good.as_object() else { return bad };
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    // What has a default is filled in by many servers.
    let has_default = |name: &str| {
        properties.is_some_and(|all| all.get(name).is_some_and(|one| one.get("default").is_some()))
    };
    let names = required.into_iter().flatten().filter_map(Value::as_str);
    if let Some(name) = names.clone().find(|name| arguments.contains_key(*name) && !has_default(name)) {
        let mut arguments = arguments.clone();
        arguments.remove(name);
        let what = format!("without the required argument `{name}`");
        bad.push(Bad { class: "required", what, arguments: Value::Object(arguments) });
    }
    for (name, property) in properties.into_iter().flatten() {
        let wrong = match property.get("type").and_then(Value::as_str) {
            Some("object" | "boolean" | "number" | "integer" | "array") => json!("mcprove: no such value"),
            Some("string") => json!({"mcprove": true}),
            _ => continue,
        };
        let mut arguments: Map<String, Value> = arguments.clone();
        arguments.insert(name.clone(), wrong);
        let what = format!("with `{name}` of the wrong type");
        bad.push(Bad { class: "type", what, arguments: Value::Object(arguments) });
        break;
    }
    let beyond = properties.into_iter().flatten().find_map(|(name, property)| {
        let (class, what, value) = out_of_bounds(property)?;
        Some((class, format!("with `{name}` {what}"), name.clone(), value))
    });
    if let Some((class, what, name, value)) = beyond {
        let mut arguments = arguments.clone();
        arguments.insert(name, value);
        bad.push(Bad { class, what, arguments: Value::Object(arguments) });
    }
    if schema.get("additionalProperties") == Some(&Value::Bool(false))
        && schema.get("patternProperties").is_none()
    {
        let mut arguments = arguments.clone();
        arguments.insert("mcproveUnknown".to_owned(), json!(1));
        let what = "with an argument that its closed schema does not know".to_owned();
        bad.push(Bad { class: "unknown", what, arguments: Value::Object(arguments) });
    }
    let validator = ValueGenerator::new(schema.clone()).ok();
    bad.retain(|bad| validator.as_ref().is_none_or(|schema| schema.judges(&bad.arguments) == Some(false)));
    bad
}

/// A value of the right type that breaks the bounds or choices of a property, and how.
fn out_of_bounds(property: &Value) -> Option<(&'static str, &'static str, Value)> {
    let choices = property.get("enum").and_then(Value::as_array);
    match property.get("type").and_then(Value::as_str)? {
        "string" if choices.is_some() => {
            Some(("choice", "that is none of its choices", json!("mcprove: none")))
        }
        "integer" | "number" if choices.is_none() => {
            let whole = |name: &str| property.get(name).and_then(Value::as_i64);
            let value = whole("minimum").and_then(|least| least.checked_sub(1));
            let value = value.or_else(|| whole("maximum").and_then(|most| most.checked_add(1)))?;
            Some(("bounds", "out of its bounds", json!(value)))
        }
        _ => None,
    }
}

async fn bad_arguments_are_noticed(stage: &mut Stage<'_>) {
    let mut seen = std::collections::HashSet::new();
    for good in good_calls(stage) {
        let Some(schema) = schema_of(stage, &good.tool) else { continue };
        for bad in spoiled(&schema, &good.arguments) {
            // Two tools for each kind are enough.
            if seen.insert((bad.class, 0)) || seen.insert((bad.class, 1)) {
                let outgoing = call(stage, &good.tool, Some(&bad.arguments));
                // A number out of its bounds may well be a time to wait.
                let (ticket, reply) = match bad.class {
                    "bounds" => stage.breaking_for_long(outgoing).await,
                    _ => stage.breaking(outgoing).await,
                };
                judge_bad(stage, &good.tool, &bad, &ticket, &reply);
            }
        }
        if stage.talk.gone().is_some() {
            return;
        }
    }
}

fn judge_bad(stage: &mut Stage<'_>, tool: &str, bad: &Bad, ticket: &Ticket, reply: &Reply) {
    const VALIDATED: &str = "tools.call.inputs-validated";
    const IN_RESULT: &str = "tools.call.input-error-in-result";
    let expected = ["a result with `isError: true`", "error -32602 (invalid params)"];
    match reply {
        Reply::Error(_) => {
            stage.judge.held(VALIDATED);
            // The newest page and the newest schema disagree on which is right.
            stage.judge.decide(IN_RESULT, stage.revision != Revision::V2025_11_25, || {
                breach(
                    "protocol-error",
                    format!("`{tool}` called {} was answered with a protocol error", bad.what),
                    ticket,
                    reply,
                )
                .quality()
                .expected(&["a result with `isError: true`, which a model can read"])
                .pointer("/error")
            });
        }
        Reply::Result(answer) => {
            let result = answer.message.result().cloned().unwrap_or(Value::Null);
            let asks = result["resultType"] == "input_required";
            if result["isError"] == true || asks {
                stage.judge.held(VALIDATED);
                stage.judge.held(IN_RESULT);
                return;
            }
            let message = format!("`{tool}` called {} reported success", bad.what);
            let seen = breach(bad.class, message, ticket, reply).expected(&expected).pointer("/result");
            let lesser = bad.class != "required" || stage.era() == Era::Modern;
            stage.judge.broke(VALIDATED, if lesser { seen.quality() } else { seen });
        }
        _ => {}
    }
}

async fn tool_names_are_case_sensitive(stage: &mut Stage<'_>) {
    const ID: &str = "tools.definition.name-case-sensitive";
    let switched = |name: &str| -> String {
        name.chars()
            .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
            .collect()
    };
    let found = good_calls(stage).into_iter().find_map(|good| {
        let other = switched(&good.tool);
        let listed = stage.offer.tools.iter().any(|tool| tool["name"] == other);
        (other != good.tool && !listed).then_some((other, good.arguments))
    });
    let Some((name, arguments)) = found else { return };
    let outgoing = call(stage, &name, Some(&arguments));
    let (ticket, reply) = stage.breaking(outgoing).await;
    match &reply {
        Reply::Error(_) => stage.judge.held(ID),
        Reply::Result(answer) => {
            let error = answer.message.result().is_some_and(|result| result["isError"] == true);
            stage.judge.decide(ID, error, || {
                breach(
                    "other-case",
                    format!("`{name}`, which is not listed, was called all the same"),
                    &ticket,
                    &reply,
                )
                .quality()
                .expected(&["an error: there is no such tool"])
                .pointer("/result")
            });
        }
        _ => {}
    }
}

/// Characters that a careless server passes on as they are.
const UNSOUND: &str = "mcprove \u{0}\u{1b}[31m\u{7f}\r\n\u{2028}\u{feff}\u{fffe}\u{10ffff} \"}\\";

/// A call that was answered with one of its own arguments, and the name of that argument.
fn echo(stage: &Stage<'_>) -> Option<(Call, String)> {
    stage.offer.calls.iter().filter(|call| call.succeeded()).find_map(|call| {
        let text = call.result.as_ref()?.get("content")?.to_string();
        let arguments = call.arguments.as_object()?;
        let (name, _) = arguments.iter().find(|(_, value)| {
            value.as_str().is_some_and(|value| value.len() >= 3 && text.contains(value.trim_matches('"')))
        })?;
        Some((call.clone(), name.clone()))
    })
}

async fn echoed_output_stays_sound(stage: &mut Stage<'_>) {
    const ID: &str = "tools.call.outputs-sanitized";
    let Some((call, argument)) = echo(stage) else {
        return stage.judge.undecided(ID, "no-echo", "no tool that may be called repeats its arguments");
    };
    let mut arguments = call.arguments.clone();
    arguments[&argument] = json!(UNSOUND);
    let outgoing = stage.compose_call(json!({"name": call.tool, "arguments": arguments.clone()}));
    let (ticket, reply) = stage.breaking(outgoing).await;
    let records = stage.talk.recorder().snapshot();
    let unread = |record: &crate::transcript::Record| match &record.event {
        crate::wire::Event::Received { payload: crate::wire::Payload::Raw { bytes, .. }, .. } => {
            Some(bytes.clone())
        }
        _ => None,
    };
    let (before, since): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.seq < ticket.since);
    let raw = since.into_iter().any(|record| unread(record).is_some());
    // A broken message may repeat what other calls were given; whatever else is no message, such as a log, is noise.
    let noise = |bytes: &bytes::Bytes| {
        !(bytes.starts_with(b"{") && bytes.windows(9).any(|part| part == b"\"jsonrpc\""))
    };
    if raw && before.into_iter().filter_map(|record| unread(record)).any(|bytes| noise(&bytes)) {
        let text = "what is no message comes from the server in answer to other calls, too";
        return stage.judge.undecided(ID, "noise", text);
    }
    match &reply {
        Reply::Result(_) | Reply::Error(_) if !raw => stage.judge.held(ID),
        _ if raw => {
            let text = format!("`{}` repeats control characters so that its answer is no message", call.tool);
            stage
                .judge
                .broke(ID, breach("unsound", text, &ticket, &reply).expected(&["one JSON-RPC message"]));
        }
        _ => stage.judge.undecided(ID, "no-answer", format!("no usable answer came: {}", reply.describe())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_spoiled_in_one_place_each() {
        let schema = json!({"type": "object", "properties": {
            "a": {"type": "number", "default": 1}, "b": {"type": "string"},
        }, "required": ["a", "b"]});
        let bad = spoiled(&schema, &json!({"a": 1, "b": "x"}));
        assert_eq!(bad.len(), 2);
        assert_eq!(bad[0].arguments, json!({"a": 1}));
        assert_eq!(bad[1].arguments["b"], "x");
        assert!(bad[1].arguments["a"].is_string());
        assert!(spoiled(&json!({"type": "object"}), &json!({})).is_empty());
    }

    #[test]
    fn bounds_choices_and_closed_schemas_are_broken_too() {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}},
            "additionalProperties": false});
        let bad = spoiled(&schema, &json!({"n": 2}));
        let classes: Vec<_> = bad.iter().map(|bad| (bad.class, bad.arguments.clone())).collect();
        assert_eq!(classes[1], ("bounds", json!({"n": 0})));
        assert_eq!(classes[2], ("unknown", json!({"n": 2, "mcproveUnknown": 1})));
        let schema = json!({"type": "object", "properties": {"unit": {"type": "string", "enum": ["a"]}}});
        assert_eq!(spoiled(&schema, &json!({"unit": "a"}))[1].class, "choice");
        // What the schema allows after all is no bad argument.
        let schema = json!({"type": "object", "properties": {"n": {"type": "number", "maximum": 1}},
            "anyOf": [true]});
        assert_eq!(spoiled(&schema, &json!({"n": 0})).len(), 2);
    }
}
