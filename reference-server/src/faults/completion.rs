//! Faults of completion.

use serde_json::json;

use crate::faults::edit::{at, put};
use crate::faults::fault::{ANY, Fault, MODERN, SINCE_2025_03, fault};
use crate::faults::hook::Hook::{Answer, Intercept, Result};
use crate::faults::hook::{Asked, Instead};
use crate::message::{INVALID_PARAMS, Object, Reply};

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
    ),
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
