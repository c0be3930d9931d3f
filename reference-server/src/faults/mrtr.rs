//! Faults of multi round-trip requests.

use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::edit::{is, is_method, message, put};
use crate::faults::fault::{Fault, HTTP, MODERN, STDIO, fault};
use crate::faults::hook::Hook::{Answer, Forgive, Intercept, Neglect, Notify, Request, Response};
use crate::faults::hook::{Asked, Instead, result};
use crate::features::Capability;
use crate::message::{INTERNAL_ERROR, INVALID_PARAMS, Object, RpcError};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "mrtr.only-way-to-ask/request",
        "The server asks for roots by a request of its own.",
        &[Notify(|_, message| {
            let asks = json!({"jsonrpc": "2.0", "id": "server-1", "method": "roots/list"});
            if is_method(&message, "notifications/progress") { vec![asks, message] } else { vec![message] }
        })],
    )
    .within(MODERN),
    fault(
        "mrtr.supported-methods-only/completion",
        "A completion demands input.",
        &[Answer(|asked, answer| {
            if let Some(result) = result(answer).filter(|_| asked.is("completion/complete")) {
                put(result, &["resultType"], "input_required");
                put(result, &["requestState"], "state");
            }
        })],
    )
    .within(MODERN),
    fault(
        "mrtr.result.requests-or-state/neither",
        "A demand for input has neither requests nor a state.",
        &[Answer(|_, answer| {
            demand(answer, |result| {
                result.remove("inputRequests");
                result.remove("requestState");
            });
        })],
    )
    .within(MODERN),
    fault(
        "mrtr.result.input-requests-object/array",
        "The requests of a demand for input are an array.",
        &[Answer(|_, answer| demand(answer, |result| put(result, &["inputRequests"], json!([]))))],
    )
    .within(MODERN),
    fault(
        "mrtr.result.keys-unique/twice",
        "The first key of a demand for input stands twice.",
        &[Response(|_, text| {
            let response: Value = serde_json::from_str(&text).unwrap_or_default();
            let requests = response["result"]["inputRequests"].as_object();
            match requests.and_then(|requests| requests.iter().next()) {
                Some((key, request)) => {
                    let first = format!("\"inputRequests\":{{{}:{request},", json!(key));
                    text.replacen("\"inputRequests\":{", &first, 1)
                }
                None => text,
            }
        })],
    )
    .within(MODERN),
    fault(
        "mrtr.result.request-kinds/tools",
        "A demand for input asks for the tools of the client.",
        &[Answer(|_, answer| requests(answer, |request| put(request, &["method"], "tools/list")))],
    )
    .within(MODERN),
    fault(
        "mrtr.result.request-shape/no-params",
        "What is asked for in a demand for input has no parameters.",
        &[Answer(|_, answer| requests(answer, |request| drop(request.remove("params"))))],
    )
    .also_seen(&["mrtr.retry.completes"])
    .within(MODERN),
    fault(
        "mrtr.result.respects-capabilities/undeclared",
        "A demand for input asks for what the client did not declare.",
        &[Neglect(Duty::AsksWhatIsDeclared(Capability::Roots))],
    )
    .breaking(&["roots.capability.required"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "mrtr.result.state-string/object",
        "The state of a request is an object.",
        &[Answer(|_, answer| demand(answer, |result| put(result, &["requestState"], json!({"step": 1}))))],
    )
    .also_seen(&["mrtr.retry.completes"])
    .within(MODERN),
    fault(
        "mrtr.result.not-an-error/error",
        "Input is demanded by an error.",
        &[Answer(|_, answer| {
            let requests = result(answer).and_then(|result| result.get("inputRequests").cloned());
            if let Some(requests) = requests {
                *answer = Err(RpcError::new(-32000, "Input required").with_data(json!({"inputRequests": requests})));
            }
        })],
    )
    .within(MODERN),
    fault(
        "mrtr.result.ends-request/more",
        "On a demand for input follows a result for the same request.",
        &[Response(|_, text| {
            if !text.contains("\"input_required\"") {
                return text;
            }
            let more = message(&text, |response| {
                put(response, &["result"], json!({"resultType": "complete", "content": []}));
            });
            format!("{text}\n{more}")
        })],
    )
    .within(MODERN)
    .over(STDIO),
    fault(
        "mrtr.state.untrusted/hangs",
        "An empty state is never answered.",
        &[Intercept(|asked| (state(asked) == Some("")).then_some(Instead::Never))],
    )
    .within(MODERN),
    fault(
        "mrtr.state.tampered-refused/trailer",
        "Only the first third of a state is looked at.",
        &[
            Answer(|_, answer| demand(answer, |result| with_state(result, |state| format!("{state}.{}", state.repeat(2))))),
            Request(|_, request| {
                with_state(&mut request.params, |state| state.split('.').next().unwrap_or_default().to_owned());
            }),
        ],
    )
    .warning_in(MODERN)
    .within(MODERN),
    fault(
        "mrtr.state.integrity-protected/readable",
        "A state says who is asked, for everybody to read and to change.",
        &[
            Answer(|asked, answer| {
                demand(answer, |result| {
                    with_state(result, |state| json!({"asked": "guest", "sealed": state}).to_string());
                });
                let state: Value = serde_json::from_str(asked.text("requestState")).unwrap_or_default();
                let who = asked.memory.kept().filter(|_| state.is_null());
                if let Some((result, who)) = result(answer).filter(|result| is(result, "resultType", "complete")).zip(who) {
                    put(result, &["content"], json!([{"type": "text", "text": format!("Done for {who}.")}]));
                }
            }),
            Request(|memory, request| {
                let state: Value = serde_json::from_str(text(&request.params, "requestState")).unwrap_or_default();
                memory.keep(state["asked"].clone());
                if let Some(sealed) = state["sealed"].as_str() {
                    put(&mut request.params, &["requestState"], sealed);
                }
            }),
        ],
    )
    .warning_in(MODERN)
    .within(MODERN)
    .over(STDIO),
    fault(
        "mrtr.state.bound-to-request/any",
        "The state of one call is taken with another.",
        &[Neglect(Duty::StateBound)],
    )
    .within(MODERN)
    .over(STDIO)
    .warning_in(MODERN),
    fault(
        "mrtr.state.bound-to-principal/anybody",
        "The state that one user was given is taken from any other.",
        &[Neglect(Duty::StateBoundToPrincipal)],
    )
    .within(MODERN)
    .over(HTTP)
    .warning_in(MODERN),
    fault(
        "mrtr.retry.not-assumed/waits",
        "After five demands for input that nobody met, none is made.",
        &[Answer(|asked, answer| {
            let retries = asked.params.contains_key("inputResponses");
            let open = asked.memory.kept().and_then(|open| open.as_u64()).unwrap_or_default();
            if retries {
                asked.memory.keep(json!(0));
            } else if result(answer).is_some_and(|result| result.contains_key("inputRequests")) {
                asked.memory.keep(json!(open + 1));
                if open >= 5 {
                    *answer = Err(RpcError::new(INTERNAL_ERROR, "Still waiting for input"));
                }
            }
        })],
    )
    .within(MODERN)
    .over(STDIO),
    fault(
        "mrtr.retry.self-contained/last-only",
        "Of all states the server knows only the one that it gave out last.",
        &[
            Answer(|asked, answer| {
                if let Some(state) = result(answer).and_then(|result| result.get("requestState")) {
                    asked.memory.keep(state.clone());
                }
            }),
            Intercept(|asked| {
                let unknown = state(asked).is_some_and(|state| asked.memory.kept() != Some(state.into()));
                unknown.then(|| Instead::error(INVALID_PARAMS, "Invalid params: unknown requestState"))
            }),
        ],
    )
    .also_seen(&["mrtr.retry.extra-responses-ignored", "mrtr.retry.missing-responses-rerequested", "mrtr.retry.completes"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "mrtr.retry.completes/refused",
        "Retries that bring answers are refused.",
        &[Intercept(|asked| {
            let brings = responses(asked).is_some_and(|responses| !responses.is_empty());
            brings.then(|| Instead::error(INTERNAL_ERROR, "Internal error"))
        })],
    )
    .also_seen(&["mrtr.retry.extra-responses-ignored", "mrtr.retry.self-contained"])
    .within(MODERN),
    fault(
        "mrtr.retry.final-result-complete/no-type",
        "The result after the last round has no resultType.",
        &[Answer(|asked, answer| {
            let retried = responses(asked).is_some();
            if let Some(result) = result(answer).filter(|result| retried && is(result, "resultType", "complete")) {
                result.remove("resultType");
            }
        })],
    )
    .within(MODERN),
    fault(
        "mrtr.retry.responses-validated/ignored",
        "What answers a demand for input is not looked at.",
        &[Neglect(Duty::AnswersChecked)],
    )
    .within(MODERN),
    fault(
        "mrtr.retry.malformed-error/in-result",
        "A retry that breaks the schema gets a result with isError.",
        &[
            Forgive(|asked, _| is_malformed(asked)),
            Intercept(|asked| {
                let told = json!({"content": [{"type": "text", "text": "Malformed"}], "isError": true, "resultType": "complete"});
                is_malformed(asked).then(|| Instead::result(&told))
            }),
        ],
    )
    .within(MODERN),
    fault(
        "mrtr.retry.extra-responses-ignored/refused",
        "An answer to what was not asked is refused.",
        &[
            Answer(|asked, answer| {
                demand(answer, |_| ());
                let requests = result(answer).and_then(|result| result.get("inputRequests")?.as_object());
                let mut known = asked.memory.kept().unwrap_or_else(|| json!({}));
                for key in requests.into_iter().flat_map(Object::keys) {
                    known[key] = json!(true);
                }
                asked.memory.keep(known);
            }),
            Intercept(|asked| {
                let known = asked.memory.kept().unwrap_or_default();
                let unknown = responses(asked)?.keys().any(|key| known.get(key).is_none());
                unknown.then(|| Instead::error(INVALID_PARAMS, "Invalid params: nobody asked for that"))
            }),
        ],
    )
    .within(MODERN),
    fault(
        "mrtr.retry.missing-responses-rerequested/refused",
        "A retry without answers is refused.",
        &[Intercept(|asked| {
            let lacks = state(asked).is_some() && responses(asked).is_none_or(Object::is_empty);
            lacks.then(|| Instead::error(INVALID_PARAMS, "Invalid params: inputResponses are missing"))
        })],
    )
    .within(MODERN),
];

/// Changes a result that demands input.
fn demand(answer: &mut crate::context::Answer, change: fn(&mut Object)) {
    if let Some(result) = result(answer).filter(|result| is(result, "resultType", "input_required")) {
        change(result);
    }
}

/// Changes each request in a result that demands input.
fn requests(answer: &mut crate::context::Answer, change: fn(&mut Object)) {
    let requests = result(answer).and_then(|result| result.get_mut("inputRequests")?.as_object_mut());
    requests.into_iter().flatten().filter_map(|(_, request)| request.as_object_mut()).for_each(change);
}

fn with_state(object: &mut Object, change: fn(&str) -> String) {
    if let Some(Value::String(state)) = object.get_mut("requestState") {
        *state = change(state);
    }
}

fn text<'a>(params: &'a Object, name: &str) -> &'a str {
    params.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn state<'a>(asked: &'a Asked<'_>) -> Option<&'a str> {
    asked.params.get("requestState")?.as_str()
}

fn responses<'a>(asked: &'a Asked<'_>) -> Option<&'a Object> {
    asked.params.get("inputResponses")?.as_object()
}

fn is_malformed(asked: &Asked) -> bool {
    let wrong =
        |name: &str, right: fn(&Value) -> bool| asked.params.get(name).is_some_and(|value| !right(value));
    wrong("inputResponses", Value::is_object) || wrong("requestState", Value::is_string)
}
