//! Faults of resources.

use crate::faults::edit::{at, is, items, put, repeat_first};
use crate::faults::fault::{ANY, Fault, LEGACY, MODERN, fault};
use crate::faults::hook::Hook::{Answer, Definition, Intercept, Refusal, Result};
use crate::faults::hook::Instead;
use crate::message::{INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, Object, Reply};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "resources.capability.declared/hidden",
        "Resources are served and not declared.",
        &[
            Result("initialize", |_, result| hide(result)),
            Result("server/discover", |_, result| hide(result)),
        ],
    ),
    fault(
        "resources.list.answered/internal-error",
        "A list of resources gets an internal error.",
        &[Intercept(|asked| asked.is("resources/list").then(|| Instead::error(INTERNAL_ERROR, "Internal error")))],
    ),
    fault(
        "resources.list.result-shape/left-out",
        "The list of resources is left out.",
        &[Result("resources/list", |_, result| {
            result.remove("resources");
        })],
    ),
    fault(
        "resources.list.readable/gone",
        "Resources that are listed are not there.",
        &[Intercept(|asked| {
            let gone = asked.is("resources/read");
            gone.then(|| Instead::error(INVALID_PARAMS, "Resource not found"))
        })],
    )
    .also_seen(&["resources.templates.expandable"])
    .warning_in(ANY)
    .within(MODERN),
    fault(
        "resources.definition.uri/no-scheme",
        "The URI of one resource has no scheme.",
        &[Definition("resources", |_, resource| {
            if is(resource, "name", "empty") {
                put(resource, &["uri"], "an empty note");
            }
        })],
    )
    .also_seen(&["resources.list.readable"]),
    fault(
        "resources.definition.uri-unique/twice",
        "The first resource is listed twice.",
        &[Result("resources/list", |_, result| repeat_first(result, "resources"))],
    ),
    fault(
        "resources.definition.name/left-out",
        "Resources have no name.",
        &[Definition("resources", |_, resource| {
            resource.remove("name");
        })],
    ),
    fault(
        "resources.definition.optional-types/number",
        "The media type of every resource is a number.",
        &[Definition("resources", |_, resource| put(resource, &["mimeType"], 1))],
    ),
    fault(
        "resources.definition.size-accurate/wrong",
        "The size of every resource is 7.",
        &[Definition("resources", |_, resource| put(resource, &["size"], 7))],
    ),
    fault(
        "resources.read.result-shape/left-out",
        "The contents of a resource are left out.",
        &[Result("resources/read", |_, result| {
            result.remove("contents");
        })],
    ),
    fault(
        "resources.read.content-uri/left-out",
        "The contents of a resource do not say its URI.",
        &[Result("resources/read", |_, result| {
            items(result, "contents").for_each(|item| {
                item.remove("uri");
            });
        })],
    ),
    fault(
        "resources.read.content-uri-relates/other",
        "The contents of a resource have another URI.",
        &[Result("resources/read", |_, result| {
            items(result, "contents").for_each(|item| put(item, &["uri"], "other://thing"));
        })],
    ),
    fault(
        "resources.read.text-or-blob/neither",
        "The contents of a resource have neither text nor data.",
        &[Result("resources/read", |_, result| {
            items(result, "contents").for_each(|item| {
                item.remove("text");
                item.remove("blob");
            });
        })],
    ),
    fault(
        "resources.read.blob-base64/not-base64",
        "Binary data is not base64.",
        &[Result("resources/read", |_, result| {
            items(result, "contents").filter(|item| item.contains_key("blob")).for_each(|item| put(item, &["blob"], "?!"));
        })],
    ),
    fault(
        "resources.read.not-found-error/other-code",
        "A resource that is not there gets the error of a method that is not there (https://github.com/modelcontextprotocol/go-sdk/issues/27).",
        &[Refusal("resources/read", |_, error| error.code = METHOD_NOT_FOUND)],
    ),
    fault(
        "resources.read.not-found-not-empty/empty",
        "A resource that is not there has empty contents.",
        &[Answer(|asked, answer| {
            if asked.is("resources/read") && answer.as_ref().is_err_and(|error| error.message == "Resource not found") {
                *answer = Ok(Reply::Text(r#"{"contents":[],"resultType":"complete"}"#.to_owned()));
            }
        })],
    )
    .also_seen(&["resources.read.not-found-error", "resources.read.uris-validated"])
    .within(MODERN),
    fault(
        "resources.read.not-found-error/empty",
        "A resource that is not there has empty contents.",
        &[Answer(|asked, answer| {
            if asked.is("resources/read") && answer.as_ref().is_err_and(|error| error.message == "Resource not found") {
                *answer = Ok(Reply::Text(r#"{"contents":[]}"#.to_owned()));
            }
        })],
    )
    .also_seen(&["resources.read.uris-validated"])
    .within(LEGACY),
    fault(
        "resources.templates.served/unknown-method",
        "The method resources/templates/list is not there.",
        &[Intercept(|asked| {
            asked.is("resources/templates/list").then(|| Instead::error(METHOD_NOT_FOUND, "Method not found"))
        })],
    )
    .within(MODERN),
    fault(
        "resources.templates.fields/no-name",
        "Templates have no name.",
        &[Definition("resourceTemplates", |_, template| {
            template.remove("name");
        })],
    ),
    fault(
        "resources.templates.valid-uri-template/open-brace",
        "Templates have a brace that is not closed.",
        &[Definition("resourceTemplates", |_, template| put(template, &["uriTemplate"], "note://people/{name"))],
    ),
    fault(
        "resources.subscribe.served/refused",
        "Subscribing is not there, although it is declared (https://github.com/HarperFast/harper/issues/1611).",
        &[Intercept(|asked| {
            asked.is("resources/subscribe").then(|| Instead::error(METHOD_NOT_FOUND, "Method not found"))
        })],
    )
    .within(LEGACY),
    fault(
        "resources.unsubscribe.served/refused",
        "A subscription cannot be ended.",
        &[Intercept(|asked| {
            asked.is("resources/unsubscribe").then(|| Instead::error(METHOD_NOT_FOUND, "Method not found"))
        })],
    )
    .within(LEGACY),
];

fn hide(result: &mut Object) {
    if let Some(capabilities) = at(result, &["capabilities"]) {
        capabilities.remove("resources");
    }
}
