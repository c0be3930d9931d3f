//! Faults of prompts.

use serde_json::json;

use crate::faults::edit::{at, is, items, put, repeat_first};
use crate::faults::fault::{ANY, Fault, MODERN, fault};
use crate::faults::hook::Hook::{Answer, Definition, Intercept, Result};
use crate::faults::hook::Instead;
use crate::message::{INTERNAL_ERROR, Reply};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "prompts.list.answered/internal-error",
        "A list of prompts gets an internal error.",
        &[Intercept(|asked| {
            asked.is("prompts/list").then(|| Instead::error(INTERNAL_ERROR, "Internal error"))
        })],
    ),
    fault(
        "prompts.list.result-shape/object",
        "The list of prompts is an object.",
        &[Result("prompts/list", |_, result| put(result, &["prompts"], json!({})))],
    ),
    fault(
        "prompts.definition.name/number",
        "The name of one prompt is a number.",
        &[Definition("prompts", |_, prompt| {
            if is(prompt, "name", "conversation") {
                put(prompt, &["name"], 5);
            }
        })],
    ),
    fault(
        "prompts.definition.name-unique/twice",
        "The first prompt is listed twice.",
        &[Result("prompts/list", |_, result| repeat_first(result, "prompts"))],
    ),
    fault(
        "prompts.definition.optional-types/number",
        "The description of every prompt is a number.",
        &[Definition("prompts", |_, prompt| put(prompt, &["description"], 1))],
    ),
    fault(
        "prompts.definition.argument-shape/required-text",
        "Whether an argument is required is a text.",
        &[Definition("prompts", |_, prompt| {
            items(prompt, "arguments").for_each(|argument| put(argument, &["required"], "yes"));
        })],
    ),
    fault(
        "prompts.get.result-shape/left-out",
        "A prompt has no messages.",
        &[Result("prompts/get", |_, result| {
            result.remove("messages");
        })],
    ),
    fault(
        "prompts.get.role/system",
        "Messages of prompts come from the system.",
        &[Result("prompts/get", |_, result| {
            items(result, "messages").for_each(|message| put(message, &["role"], "system"));
        })],
    ),
    fault(
        "prompts.get.single-content/array",
        "Messages of prompts have an array of content blocks.",
        &[Result("prompts/get", |_, result| {
            items(result, "messages").for_each(|message| {
                let content = message.remove("content");
                put(message, &["content"], json!([content]));
            });
        })],
    ),
    fault(
        "prompts.get.unknown-name-error/served",
        "A prompt that is not there is empty.",
        &[Answer(|asked, answer| {
            if asked.is("prompts/get")
                && answer.as_ref().is_err_and(|error| error.message.ends_with("unknown prompt"))
            {
                *answer = Ok(Reply::Text(r#"{"messages":[],"resultType":"complete"}"#.to_owned()));
            }
        })],
    )
    .within(MODERN),
    fault(
        "prompts.get.missing-argument-error/served",
        "A prompt whose argument is missing is empty.",
        &[Answer(|asked, answer| {
            let missing = answer.as_ref().is_err_and(|error| {
                error.message.contains("argument") && error.message.ends_with("is missing")
            });
            if asked.is("prompts/get") && missing {
                *answer = Ok(Reply::Text(r#"{"messages":[],"resultType":"complete"}"#.to_owned()));
            }
        })],
    )
    .also_seen(&["prompts.get.arguments-validated"])
    .within(MODERN),
    fault(
        "prompts.get.arguments-are-strings/any",
        "Arguments of prompts may be of any type.",
        &[Answer(|asked, answer| {
            let refused = answer.as_ref().is_err_and(|error| error.message.contains("must be strings"));
            if asked.is("prompts/get") && refused {
                *answer = Ok(Reply::Text(r#"{"messages":[],"resultType":"complete"}"#.to_owned()));
            }
        })],
    )
    .also_seen(&["prompts.get.arguments-validated"])
    .within(MODERN),
    fault(
        "prompts.content.image-valid/not-base64",
        "The image in a prompt is not base64.",
        &[Result("prompts/get", |_, result| {
            items(result, "messages")
                .filter_map(|message| at(message, &["content"]))
                .filter(|content| is(content, "type", "image"))
                .for_each(|content| put(content, &["data"], "?!"));
        })],
    ),
    fault(
        "prompts.content.resource-mime-type/left-out",
        "The resource in a prompt has no media type.",
        &[Result("prompts/get", |_, result| {
            items(result, "messages").filter_map(|message| at(message, &["content", "resource"])).for_each(
                |resource| {
                    resource.remove("mimeType");
                },
            );
        })],
    )
    .warning_in(ANY),
    fault(
        "prompts.content.resource-body/left-out",
        "The resource in a prompt has neither text nor data.",
        &[Result("prompts/get", |_, result| {
            items(result, "messages").filter_map(|message| at(message, &["content", "resource"])).for_each(
                |resource| {
                    resource.remove("text");
                    resource.remove("blob");
                },
            );
        })],
    ),
];
