//! Faults of resources.

use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::edit::{array, at, is, is_method, items, put, repeat_first, without_params};
use crate::faults::fault::{ANY, Fault, LEGACY, MODERN, SESSIONS, STDIO, fault};
use crate::faults::hook::Hook::{
    Answer, Definition, Input, Intercept, Neglect, Notify, Refusal, Request, Response, Result,
};
use crate::faults::hook::Instead;
use crate::message::{INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, Object, Reply};

const UPDATED: &str = "notifications/resources/updated";

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "resources.capability.declared/hidden",
        "Resources are served and not declared.",
        &[
            Result("initialize", |_, result| hide(result)),
            Result("server/discover", |_, result| hide(result)),
        ],
    )
    .also_seen(&["subscriptions.ack.omits-unsupported", "tools.content.embedded-needs-resources"]),
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
    )
    .also_seen(&["base.stateless.interleaving"]),
    fault(
        "resources.list.readable/gone",
        "Resources that are listed are not there.",
        &[Intercept(|asked| {
            let gone = asked.is("resources/read");
            gone.then(|| Instead::error(INVALID_PARAMS, "Resource not found"))
        })],
    )
    .also_seen(&[
        "extension-apps.resource-readable",
        "resources.templates.expandable",
        "tools.content.link-fetchable",
    ])
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
        "resources.definition.custom-scheme-valid/underscore",
        "The URI of one resource has a scheme of its own, with an underscore in it.",
        &[Definition("resources", |_, resource| {
            if is(resource, "name", "empty") {
                put(resource, &["uri"], "my_notes://empty");
            }
        })],
    )
    .breaking(&["resources.definition.uri"])
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
    )
    .also_seen(&["extension-apps.resource-readable"]),
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
    )
    .also_seen(&["http-headers.mismatch-error-shape"]),
    fault(
        "resources.read.not-found-not-empty/empty",
        "A resource that is not there has empty contents.",
        &[Answer(|asked, answer| {
            if asked.is("resources/read") && answer.as_ref().is_err_and(|error| error.message == "Resource not found") {
                *answer = Ok(Reply::Text(r#"{"contents":[],"resultType":"complete"}"#.to_owned()));
            }
        })],
    )
    .also_seen(&[
        "caching.hints.resources-read",
        "identity.server-info-on-results",
        "resources.read.not-found-error",
        "resources.read.uris-validated",
    ])
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
    .within(LEGACY)
    .also_seen(&["resources.unsubscribe.stops-updates"]),
    fault(
        "resources.list.without-params/wanted",
        "A list is refused where the request has no parameters.",
        &[Input(|_, bytes| without_params(bytes, "resources/list"))],
    )
    .within(LEGACY),
    fault(
        "resources.list.same-on-every-connection/by-process",
        "An entry of the list differs from process to process.",
        &[Definition("resources", |_, entry| {
            if is(entry, "uri", "note://welcome") {
                put(entry, &["uri"], format!("note://welcome-{}", std::process::id()));
            }
        })],
    )
    .within(MODERN)
    .over(STDIO)
    .also_seen(&["resources.list.readable"]),
    fault(
        "resources.list.unaffected-by-requests/after-calls",
        "The list is empty once a tool was called.",
        &[
            Request(|memory, request| drop((request.method == "tools/call").then(|| memory.keep(true.into())))),
            Result("resources/list", |asked, result| {
                if let Some(list) = array(result, "resources").filter(|_| asked.memory.kept().is_some()) {
                    list.clear();
                }
            }),
        ],
    )
    .within(MODERN)
    .warning_in(MODERN)
    .over(STDIO),
    fault(
        "resources.list-changed.sent/never",
        "The first entry of the list comes and goes, and nobody is told.",
        &[
            Result("resources/list", |asked, result| {
            let list = array(result, "resources").filter(|_| !asked.params.contains_key("cursor"));
            if let Some(list) = list.filter(|_| asked.memory.count() % 2 == 1) {
                list.remove(0);
            }
        }),
            Notify(|_, message| {
                if is_method(&message, "notifications/resources/list_changed") { Vec::new() } else { vec![message] }
            }),
        ],
    )
    .within(LEGACY)
    .over(STDIO),
    fault(
        "resources.list-changed.not-undeclared/sent",
        "Changes of the list are told, and not declared.",
        &[
            Result("initialize", |_, result| put(result, &["capabilities", "resources", "listChanged"], false)),
            Response(|asked, text| {
                let told = r#"{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}"#;
                if asked.is("tools/call") { format!("{text}\n{told}") } else { text }
            }),
        ],
    )
    .within(LEGACY)
    .over(STDIO),
    fault(
        "resources.capability.subscribe-flag/not-acknowledged",
        "Updates of resources are declared, and not acknowledged.",
        &[Notify(|_, mut message| {
            if let Some(filter) = message["params"]["notifications"].as_object_mut() {
                filter.remove("resourceSubscriptions");
            }
            vec![message]
        })],
    )
    .also_seen(&["subscriptions.ack.includes-advertised"])
    .within(MODERN),
    fault(
        "resources.read.text-is-text/bytes",
        "An image comes as text.",
        &[Result("resources/read", |_, result| {
            items(result, "contents").filter(|item| item.contains_key("blob")).for_each(|item| {
                item.remove("blob");
                put(item, &["text"], "\u{89}PNG\r\n\u{1a}\n\0\0\0\rIHDR\0\0\0\u{1}\0\0\0\u{1}\u{8}\u{6}\0\0\0\u{1f}\u{15}");
            });
        })],
    )
    .over(STDIO)
    .also_seen(&["resources.definition.size-accurate"]),
    fault(
        "resources.read.internal-error-code/blamed",
        "A listed resource that cannot be read gets the error of an invalid request.",
        &[Intercept(|asked| {
            let fails = asked.is("resources/read") && asked.text("uri") == "test://static-text";
            fails.then(|| Instead::error(INVALID_REQUEST, "The file could not be opened"))
        })],
    )
    .over(STDIO),
    fault(
        "resources.templates.result-shape/object",
        "The list of templates is an object.",
        &[Result("resources/templates/list", |_, result| put(result, &["resourceTemplates"], json!({})))],
    )
    .over(STDIO),
    fault(
        "resources.templates.expandable/not-found",
        "What a template comes to cannot be read.",
        &[Request(|_, request| {
            let uri = request.params.get("uri").and_then(Value::as_str).unwrap_or_default();
            if ["note://people/", "note://squares/", "test://template/"].iter().any(|begin| uri.starts_with(begin)) {
                put(&mut request.params, &["uri"], "note://nowhere");
            }
        })],
    )
    .over(STDIO),
    fault(
        "resources.subscribe.update-delivered/never",
        "Updates of resources are not told.",
        &[Notify(|_, message| if is_method(&message, UPDATED) { Vec::new() } else { vec![message] })],
    )
    .over(STDIO),
    fault(
        "resources.subscribe.update-delivered/left",
        "The end of one subscription ends all.",
        &[
            Request(|memory, request| {
                if matches!(request.method.as_str(), "resources/subscribe" | "resources/unsubscribe") {
                    memory.keep(json!(request.method == "resources/unsubscribe"));
                }
            }),
            Notify(|memory, message| {
                let over = memory.kept() == Some(json!(true));
                if over && is_method(&message, UPDATED) { Vec::new() } else { vec![message] }
            }),
        ],
    )
    .within(LEGACY)
    .over(STDIO),
    fault(
        "resources.subscribe.updated-shape/no-uri",
        "Updates do not say of which resource.",
        &[Notify(|_, mut message| {
            if is_method(&message, UPDATED) {
                message["params"].as_object_mut().map(|params| params.remove("uri"));
            }
            vec![message]
        })],
    )
    .also_seen(&["resources.subscribe.update-delivered"])
    .over(STDIO)
    .within(MODERN),
    fault(
        "resources.subscribe.updated-only-subscribed/all",
        "Updates of all resources are told to everybody.",
        &[Neglect(Duty::UpdatesAsSubscribed)],
    )
    .also_seen(&["resources.unsubscribe.stops-updates"])
    .within(LEGACY)
    .over(STDIO),
    fault(
        "resources.subscribe.updated-needs-capability/undeclared",
        "Updates are told, and not declared.",
        &[
            Neglect(Duty::UpdatesAsSubscribed),
            Result("initialize", |_, result| put(result, &["capabilities", "resources", "subscribe"], false)),
        ],
    )
    .also_seen(&["resources.subscribe.updated-only-subscribed", "resources.subscribe.undeclared-refused"])
    .within(LEGACY)
    .over(STDIO),
    fault(
        "resources.subscribe.undeclared-refused/served",
        "Subscribing is served, and not declared.",
        &[Result("initialize", |_, result| put(result, &["capabilities", "resources", "subscribe"], false))],
    )
    .within(LEGACY)
    .over(STDIO)
    .also_seen(&["resources.subscribe.updated-needs-capability"]),
    fault(
        "resources.unsubscribe.stops-updates/goes-on",
        "A subscription that was ended goes on.",
        &[Intercept(|asked| asked.is("resources/unsubscribe").then(|| Instead::result(&json!({}))))],
    )
    .within(SESSIONS),
];

fn hide(result: &mut Object) {
    if let Some(capabilities) = at(result, &["capabilities"]) {
        capabilities.remove("resources");
    }
}
