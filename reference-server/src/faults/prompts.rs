//! Faults of prompts.

use serde_json::json;

use crate::faults::edit::{array, at, is, is_method, items, put, repeat_first, without_params};
use crate::faults::fault::{ANY, Fault, LEGACY, MODERN, SINCE_2025_03, STDIO, fault};
use crate::faults::hook::Hook::{Answer, Definition, Input, Intercept, Notify, Request, Response, Result};
use crate::faults::hook::Instead;
use crate::message::{INTERNAL_ERROR, INVALID_PARAMS, Object, Reply};

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
    .warning_in(MODERN)
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
    )
    .also_seen(&["content.image"]),
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
    )
    .also_seen(&["content.embedded-resource"]),
    fault(
        "prompts.capability.declared/hidden",
        "Prompts are served and not declared.",
        &[
            Result("initialize", |_, result| hide(result)),
            Result("server/discover", |_, result| hide(result)),
        ],
    )
    .breaking(&["prompts.capability.respected"])
    .also_seen(&["prompts.list-changed.not-undeclared", "subscriptions.ack.omits-unsupported"]),
    fault(
        "prompts.list.without-params/wanted",
        "A list is refused where the request has no parameters.",
        &[Input(|_, bytes| without_params(bytes, "prompts/list"))],
    )
    .within(LEGACY),
    fault(
        "prompts.list.same-on-every-connection/by-process",
        "An entry of the list differs from process to process.",
        &[Definition("prompts", |_, entry| {
            if is(entry, "name", "conversation") {
                put(entry, &["name"], format!("conversation-{}", std::process::id()));
            }
        })],
    )
    .within(MODERN)
    .over(STDIO),
    fault(
        "prompts.list.unaffected-by-requests/after-calls",
        "The last entry of the list is gone once a tool was called.",
        &[
            Request(|memory, request| drop((request.method == "tools/call").then(|| memory.keep(true.into())))),
            Result("prompts/list", |asked, result| drop(asked.memory.kept().and_then(|_| array(result, "prompts")?.pop()))),
        ],
    )
    .within(MODERN)
    .warning_in(MODERN)
    .over(STDIO),
    fault(
        "prompts.list-changed.sent/never",
        "The first entry of the list comes and goes, and nobody is told.",
        &[
            Result("prompts/list", |asked, result| {
            let list = array(result, "prompts").filter(|_| !asked.params.contains_key("cursor"));
            if let Some(list) = list.filter(|_| asked.memory.count() % 2 == 1) {
                list.remove(0);
            }
        }),
            Notify(|_, message| {
                if is_method(&message, "notifications/prompts/list_changed") { Vec::new() } else { vec![message] }
            }),
        ],
    )
    .within(LEGACY)
    .over(STDIO),
    fault(
        "prompts.list-changed.not-undeclared/sent",
        "Changes of the list are told, and not declared.",
        &[
            Result("initialize", |_, result| put(result, &["capabilities", "prompts", "listChanged"], false)),
            Response(|asked, text| {
                let told = r#"{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}"#;
                if asked.is("tools/call") { format!("{text}\n{told}") } else { text }
            }),
        ],
    )
    .within(LEGACY)
    .over(STDIO),
    fault(
        "prompts.get.internal-error-code/blamed",
        "A prompt that cannot be made gets the error of wrong parameters.",
        &[Intercept(|asked| {
            let fails = asked.is("prompts/get") && asked.text("name") == "conversation";
            fails.then(|| Instead::error(INVALID_PARAMS, "The template could not be loaded"))
        })],
    )
    .over(STDIO),
    fault(
        "prompts.get.arguments-validated/coerced",
        "Arguments of prompts are taken as they come: what is no text is made one.",
        &[Request(|_, request| {
            let arguments = at(&mut request.params, &["arguments"]).filter(|_| request.method == "prompts/get");
            for argument in arguments.into_iter().flat_map(Object::values_mut) {
                if !argument.is_string() {
                    *argument = argument.to_string().into();
                }
            }
        })],
    )
    .breaking(&["prompts.get.arguments-are-strings"])
    .warning_in(ANY)
    .over(STDIO),
    fault(
        "prompts.content.audio-valid/not-base64",
        "The data of a sound in a prompt is not base64.",
        &[Result("prompts/get", |_, result| {
            let sound = json!({"type": "audio", "data": "?!", "mimeType": "audio/wav"});
            items(result, "messages").for_each(|message| put(message, &["content"], sound.clone()));
        })],
    )
    .breaking(&["content.audio"])
    .within(SINCE_2025_03)
    .over(STDIO),
    fault(
        "prompts.content.resource-uri/words",
        "The URI of a resource in a prompt is none.",
        &[Result("prompts/get", |_, result| {
            let resource = json!({"type": "resource", "resource": {"uri": "no uri", "text": "?", "mimeType": "text/plain"}});
            items(result, "messages").for_each(|message| put(message, &["content"], resource.clone()));
        })],
    )
    .over(STDIO),
    fault(
        "prompts.injection-safe/evaluated",
        "Expressions in arguments of prompts are evaluated.",
        &[Response(|asked, text| if asked.is("prompts/get") { text.replace("7*7", "49") } else { text })],
    )
    .over(STDIO),
];

fn hide(result: &mut Object) {
    if let Some(capabilities) = at(result, &["capabilities"]) {
        capabilities.remove("prompts");
    }
}
