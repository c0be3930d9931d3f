//! Faults of completion.

use serde_json::json;

use crate::faults::edit::{at, put};
use crate::faults::fault::{ANY, Fault, MODERN, SINCE_2025_03, SINCE_2025_06, STDIO, fault};
use crate::faults::hook::Hook::{Answer, Intercept, Refusal, Result};
use crate::faults::hook::{Asked, Instead};
use crate::message::{INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, Object, Reply};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "completion.capability.declared/hidden",
        "Completion is served and not declared.",
        &[
            Result("initialize", |_, result| hide(result)),
            Result("server/discover", |_, result| hide(result)),
        ],
    )
    .within(SINCE_2025_03)
    .warning_in(ANY),
    fault(
        "completion.result.shape/objects",
        "Suggestions are objects.",
        &[Result("completion/complete", |_, result| {
            put(result, &["completion"], json!({"values": [{"value": "a"}]}));
        })],
    ),
    fault(
        "completion.result.max-values/more",
        "There are 150 suggestions.",
        &[Result("completion/complete", |_, result| {
            let values: Vec<String> = (0..150).map(|number| number.to_string()).collect();
            put(result, &["completion"], json!({"values": values}));
        })],
    )
    .also_seen(&["resources.templates.expandable"]),
    fault(
        "completion.result.optional-types/texts",
        "The number of suggestions is a text.",
        &[Result("completion/complete", |_, result| put(result, &["completion", "total"], "many"))],
    ),
    fault(
        "completion.result.totals-consistent/zero",
        "The number of suggestions is always 0.",
        &[Result("completion/complete", |_, result| put(result, &["completion", "total"], 0))],
    ),
    fault(
        "completion.ref.prompt/refused",
        "References to prompts are refused.",
        &[Intercept(|asked| refuse(asked, "ref/prompt"))],
    ),
    fault(
        "completion.ref.resource/refused",
        "References to resource templates are refused.",
        &[Intercept(|asked| refuse(asked, "ref/resource"))],
    ),
    fault(
        "completion.error.unknown-reference/empty",
        "A reference to a prompt that is not there has no suggestions.",
        &[Answer(|asked, answer| {
            let unknown = answer.as_ref().is_err_and(|error| {
                error.message.ends_with("unknown prompt")
                    || error.message.ends_with("unknown resource template")
            });
            if asked.is("completion/complete") && unknown {
                *answer =
                    Ok(Reply::Text(r#"{"completion":{"values":[]},"resultType":"complete"}"#.to_owned()));
            }
        })],
    )
    .also_seen(&["completion.inputs-validated"])
    .within(MODERN),
    fault(
        "completion.error.undeclared-method/served",
        "Completion is not declared, and served all the same.",
        &[
            Result("initialize", |_, result| hide(result)),
            Result("server/discover", |_, result| hide(result)),
        ],
    )
    .also_seen(&["completion.capability.declared"])
    .within(SINCE_2025_03)
    .over(STDIO),
    fault(
        "completion.context-accepted/refused",
        "A completion with a context is refused.",
        &[Intercept(|asked| {
            let refused = asked.is("completion/complete") && asked.params.contains_key("context");
            refused.then(|| Instead::error(INVALID_PARAMS, "Invalid params: unknown member context"))
        })],
    )
    .within(SINCE_2025_06)
    .over(STDIO),
    fault(
        "completion.error.missing-parameter/internal-error",
        "A completion without its argument gets an internal error.",
        &[Refusal("completion/complete", |_, error| {
            if error.message.ends_with("is missing") {
                error.code = INTERNAL_ERROR;
            }
        })],
    )
    .also_seen(&["base.error.invalid-params-code", "completion.inputs-validated"])
    .within(SINCE_2025_03)
    .over(STDIO),
    fault(
        "completion.error.internal-code/blamed",
        "A completion that fails inside gets the error of an invalid request.",
        &[Intercept(|asked| {
            let fails = asked.is("completion/complete")
                && *asked.params.get("ref")? == json!({"type": "ref/prompt", "name": "greet"});
            fails.then(|| Instead::error(INVALID_REQUEST, "The index could not be read"))
        })],
    )
    .also_seen(&["completion.ref.prompt"])
    .within(SINCE_2025_03)
    .over(STDIO),
    fault(
        "completion.inputs-validated/ignored",
        "A completion that makes no sense has no suggestions.",
        &[Answer(|asked, answer| {
            if asked.is("completion/complete") && answer.is_err() {
                *answer =
                    Ok(Reply::Text(r#"{"completion":{"values":[]},"resultType":"complete"}"#.to_owned()));
            }
        })],
    )
    .also_seen(&[
        "base.error.invalid-params-code",
        "completion.error.missing-parameter",
        "completion.error.unknown-reference",
    ])
    .over(STDIO)
    .warning_in(ANY),
    fault(
        "completion.inputs-validated/invented",
        "A completion that makes no sense has a suggestion.",
        &[Answer(|asked, answer| {
            if asked.is("completion/complete") && answer.is_err() {
                *answer =
                    Ok(Reply::Text(r#"{"completion":{"values":["a"]},"resultType":"complete"}"#.to_owned()));
            }
        })],
    )
    .also_seen(&[
        "base.error.invalid-params-code",
        "completion.error.missing-parameter",
        "completion.error.unknown-reference",
    ])
    .over(STDIO)
    .warning_in(MODERN),
    fault(
        "completion.no-disclosure/files",
        "Whoever types the path of a folder is told what is in it.",
        &[Result("completion/complete", |asked, result| {
            let typed = asked.params.get("argument").and_then(|argument| argument.get("value")?.as_str());
            if let Some(folder) = typed.filter(|typed| typed.ends_with("/etc/")) {
                put(result, &["completion"], json!({"values": [format!("{folder}passwd")]}));
            }
        })],
    )
    .over(STDIO)
    .warning_in(ANY),
];

fn hide(result: &mut Object) {
    if let Some(capabilities) = at(result, &["capabilities"]) {
        capabilities.remove("completions");
    }
}

fn refuse(asked: &Asked, kind: &str) -> Option<Instead> {
    let named = asked.params.get("ref").and_then(|reference| reference.get("type")?.as_str());
    let refused = asked.is("completion/complete") && named == Some(kind);
    refused.then(|| Instead::error(INVALID_PARAMS, "Invalid params: this kind of ref is not known"))
}
