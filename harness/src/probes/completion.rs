//! Completion under test (server/utilities/completion).

use super::lists::{declares, not_declared};
use super::probe::probes;
use super::{Stage, breach};
use crate::client::Reply;
use crate::monitors::template_variables;
use crate::protocol::{Era, Revision};
use serde_json::{Value, json};

/// How many arguments of each kind are completed.
const MOST: usize = 3;

probes! {
    /// Completes arguments of listed prompts and variables of listed templates, with an empty value, and once with the
    /// context of another argument: each is answered with values. Without the capability the method is refused with
    /// -32601 (2024-11-05 has no such capability).
    arguments_can_be_completed (Clean, Both, Any) decides [
        "completion.capability.declared", "completion.error.undeclared-method", "completion.ref.prompt",
        "completion.ref.resource", "completion.context-accepted",
    ];
    /// Completes arguments of a prompt and a template that cannot exist, leaves out `argument` and `ref`, and refers to
    /// a kind of thing that there is not: each is an error, -32602.
    bad_completions_are_refused (Breaking, Both, Any) decides [
        "completion.error.unknown-reference", "completion.error.missing-parameter", "completion.inputs-validated",
    ];
    /// Completes arguments that begin like a way out of a folder, `../../..` and `/etc/`: what comes back names nothing
    /// of the machine.
    completion_stays_in_its_place (Breaking, Both, Any) decides ["completion.no-disclosure"];
}

async fn completion_stays_in_its_place(stage: &mut Stage<'_>) {
    const ID: &str = "completion.no-disclosure";
    if !is_offered(stage)
        || stage.judge.get("completion.capability.declared").is_none_or(|tally| tally.held == 0)
    {
        return;
    }
    for (_, params) in references(stage) {
        for value in ["../../../../../../../../etc/", "/etc/"] {
            let mut params = params.clone();
            params["argument"]["value"] = json!(value);
            let outgoing = stage.talk.compose("completion/complete", params);
            let (ticket, reply) = stage.breaking(outgoing).await;
            let Some(result) = reply.result() else { continue };
            let values = result.pointer("/completion/values").and_then(Value::as_array);
            let mut names = values.into_iter().flatten().filter_map(Value::as_str);
            let found =
                names.find(|name| ["passwd", "hosts", "shadow"].iter().any(|file| name.ends_with(file)));
            stage.judge.decide(ID, found.is_none(), || {
                breach("file", "completion names files of the machine", &ticket, &reply)
                    .quality()
                    .expected(&["no values, or an error"])
                    .actual(format!("`{}`", found.unwrap_or_default().chars().take(80).collect::<String>()))
                    .pointer("/result/completion/values")
            });
        }
    }
}

/// A completion request for a prompt's argument or a template's variable.
pub(super) fn complete(reference: &Value, argument: &str) -> Value {
    json!({"ref": reference, "argument": {"name": argument, "value": ""}})
}

fn references(stage: &Stage<'_>) -> Vec<(&'static str, Value)> {
    let mut found = Vec::new();
    for prompt in &stage.offer.prompts {
        let first = prompt.get("arguments").and_then(|list| list.get(0)?.get("name")?.as_str());
        let (Some(name), Some(argument)) = (prompt.get("name").and_then(Value::as_str), first) else {
            continue;
        };
        if found.len() < MOST {
            found.push((
                "completion.ref.prompt",
                complete(&json!({"type": "ref/prompt", "name": name}), argument),
            ));
        }
    }
    let templates = stage.offer.templates.iter().filter_map(|template| {
        let uri = template.get("uriTemplate")?.as_str()?;
        let variable = template_variables(uri).into_iter().next()?;
        Some(("completion.ref.resource", complete(&json!({"type": "ref/resource", "uri": uri}), &variable)))
    });
    found.extend(templates.take(MOST));
    found
}

/// Whether the server can be asked to complete: declared, or in 2024-11-05 seen to work.
pub(super) fn is_offered(stage: &Stage<'_>) -> bool {
    declares(stage.talk, "completions") || stage.revision == Revision::V2024_11_05
}

async fn arguments_can_be_completed(stage: &mut Stage<'_>) {
    if !is_offered(stage) {
        return undeclared(stage).await;
    }
    let oldest = stage.revision == Revision::V2024_11_05;
    let mut with_context = None;
    for (id, params) in references(stage) {
        let (ticket, reply) = stage.request("completion/complete", params.clone()).await;
        match &reply {
            Reply::Result(_) => {
                stage.judge.held(id);
                stage.judge.held("completion.capability.declared");
                with_context.get_or_insert(params);
            }
            Reply::Error(_) if oldest && reply.error_code() == Some(-32601) => {
                return not_declared(stage, "completions");
            }
            Reply::Error(_) => {
                let seen = breach(
                    "refused",
                    "completing an argument that the server lists was refused",
                    &ticket,
                    &reply,
                );
                stage
                    .judge
                    .broke(id, seen.expected(&["a result, possibly without values"]).pointer("/error"));
            }
            _ => {
                stage.judge.undecided(
                    id,
                    "no-answer",
                    format!("no usable answer came: {}", reply.describe()),
                );
            }
        }
    }
    if !oldest {
        let text = "the server declares `completions`";
        stage.judge.not_applicable("completion.error.undeclared-method", "declared", text);
    }
    let Some(mut params) = with_context.filter(|_| stage.revision >= Revision::V2025_06_18) else { return };
    params["context"] = json!({"arguments": {"mcprove_other": "x"}});
    let (ticket, reply) = stage.request("completion/complete", params).await;
    match &reply {
        Reply::Result(_) => stage.judge.held("completion.context-accepted"),
        Reply::Error(_) => stage.judge.broke(
            "completion.context-accepted",
            breach("refused", "a completion that works is refused with `context.arguments`", &ticket, &reply)
                .expected(&["a result"])
                .pointer("/error"),
        ),
        _ => {}
    }
}

async fn undeclared(stage: &mut Stage<'_>) {
    const DECLARED: &str = "completion.capability.declared";
    const REFUSED: &str = "completion.error.undeclared-method";
    not_declared(stage, "completions");
    let known = references(stage).into_iter().next().map(|(_, params)| params);
    let params = known.unwrap_or_else(|| {
        complete(&json!({"type": "ref/prompt", "name": "mcprove_no_such_prompt_7f3a"}), "a")
    });
    let (ticket, reply) = stage.request("completion/complete", params).await;
    let expected = ["error -32601 (method not found)", "the capability declared"];
    match &reply {
        Reply::Result(_) => {
            // Some kits always answer: a mismatch, and no more than that.
            let message = "`completion/complete` is served although `completions` is not declared";
            let seen =
                breach("served", message, &ticket, &reply).quality().expected(&expected).pointer("/result");
            stage.judge.broke(DECLARED, seen.clone());
            stage.judge.broke(REFUSED, seen.see(DECLARED));
        }
        Reply::Error(answer) => {
            stage.judge.held(DECLARED);
            stage.judge.decide(REFUSED, answer.message.error_code() == Some(-32601), || {
                breach(
                    "other-code",
                    "a method of an undeclared capability was refused with another code",
                    &ticket,
                    &reply,
                )
                .quality()
                .expected(&expected)
                .pointer("/error/code")
            });
        }
        _ => {}
    }
}

async fn bad_completions_are_refused(stage: &mut Stage<'_>) {
    const UNKNOWN: &str = "completion.error.unknown-reference";
    const MISSING: &str = "completion.error.missing-parameter";
    const VALIDATED: &str = "completion.inputs-validated";
    if !is_offered(stage)
        || stage.judge.get("completion.result.shape").is_some_and(|tally| tally.not_applicable.is_some())
    {
        return;
    }
    let prompt = json!({"type": "ref/prompt", "name": "mcprove_no_such_prompt_7f3a"});
    let template = json!({"type": "ref/resource", "uri": "mcprove-none://{a}"});
    let cases = [
        (UNKNOWN, "prompt", complete(&prompt, "a")),
        (UNKNOWN, "template", complete(&template, "a")),
        (MISSING, "no-argument", json!({"ref": prompt})),
        (MISSING, "no-ref", json!({"argument": {"name": "a", "value": ""}})),
        (VALIDATED, "other-ref", complete(&json!({"type": "ref/mcprove", "name": "a"}), "a")),
    ];
    for (id, class, params) in cases {
        let outgoing = stage.talk.compose("completion/complete", params);
        let (ticket, reply) = stage.breaking(outgoing).await;
        let modern = stage.era() == Era::Modern;
        let seen = |message: &str| {
            breach(class, message, &ticket, &reply).expected(&["error -32602 (invalid params)"])
        };
        match &reply {
            Reply::Error(answer) => {
                let right = answer.message.error_code() == Some(-32602) || id == VALIDATED;
                stage.judge.decide(id, right, || {
                    seen("a completion that cannot be was refused with another code")
                        .quality()
                        .pointer("/error/code")
                });
            }
            Reply::Result(_) => {
                let seen = seen("a completion that cannot be was answered with a result").pointer("/result");
                // What values there are for something unknown is often answered with none: nobody says that this is no
                // way to validate.
                let none = reply.result().and_then(|result| result.pointer("/completion/values"));
                let none = none.and_then(Value::as_array).is_some_and(Vec::is_empty);
                let lesser = id == UNKNOWN || (id == VALIDATED && (modern || none));
                stage.judge.broke(id, if lesser { seen.quality() } else { seen });
            }
            _ => {}
        }
        if stage.talk.gone().is_some() {
            return;
        }
    }
}
