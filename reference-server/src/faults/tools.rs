//! Faults of tools.

use serde_json::{Value, json};

use crate::context;
use crate::faults::Duty;
use crate::faults::edit::{array, at, blocks, is, is_method, put, repeat_first, without_params};
use crate::faults::fault::{
    FORMS, Fault, LEGACY, MODERN, SINCE_2025_03, SINCE_2025_06, SINCE_2025_11, STDIO, V2025_11, fault,
};
use crate::faults::hook::Hook::{
    Answer, Definition, Input, Intercept, Neglect, Notify, Request, Response, Result,
};
use crate::faults::hook::{self, Asked, Instead};
use crate::message::{INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, Object, Reply, RpcError};
use crate::revision::Revision;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "tools.capability.declared/hidden",
        "Tools are served and not declared.",
        &[
            Result("initialize", |_, result| hide(result, "tools")),
            Result("server/discover", |_, result| hide(result, "tools")),
        ],
    ).also_seen(&["tools.list-changed.not-undeclared"]),
    fault(
        "tools.list.answered/unknown-method",
        "The method tools/list is not there, although tools are declared (https://github.com/HarperFast/harper/issues/1611).",
        &[Intercept(|asked| asked.is("tools/list").then(|| Instead::error(METHOD_NOT_FOUND, "Method not found")))],
    )
    .also_seen(&["subscriptions.ack.omits-unsupported"]),
    fault(
        "tools.list.without-params/wanted",
        "A list of tools is refused where the request has no parameters.",
        &[Input(|_, bytes| without_params(bytes, "tools/list"))],
    )
    .also_seen(&["pagination.cursor.invalid-graceful"])
    .within(LEGACY),
    fault(
        "tools.list.result-shape/object",
        "The list of tools is an object.",
        &[Result("tools/list", |_, result| put(result, &["tools"], json!({})))],
    ),
    fault(
        "tools.list.deterministic-order/turned",
        "Every second list of tools is turned around.",
        &[Result("tools/list", |asked, result| {
            let turn = asked.memory.count() % 2 == 1;
            if let Some(tools) = result.get_mut("tools").and_then(Value::as_array_mut).filter(|_| turn) {
                tools.reverse();
            }
        })],
    )
    .also_seen(&["base.stateless.interleaving", "meta.client-info-no-behaviour"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "tools.list.same-on-every-connection/by-process",
        "The name of one tool differs from process to process.",
        &[Definition("tools", |_, tool| {
            if is(tool, "name", "poem") {
                put(tool, &["name"], format!("poem-{}", std::process::id()));
            }
        })],
    )
    .within(MODERN)
    .over(STDIO),
    fault(
        "tools.definition.name/number",
        "The name of one tool is a number.",
        &[Definition("tools", |_, tool| {
            if is(tool, "name", "poem") {
                put(tool, &["name"], 5);
            }
        })],
    ),
    fault(
        "tools.definition.name-unique/twice",
        "The first tool is listed twice.",
        &[Result("tools/list", |_, result| repeat_first(result, "tools"))],
    ),
    fault(
        "tools.definition.name-charset/space",
        "One tool has a name with a space.",
        &[
            Definition("tools", |_, tool| {
                if is(tool, "name", "poem") {
                    put(tool, &["name"], "a poem");
                }
            }),
            Request(|_, request| {
                if is(&request.params, "name", "a poem") {
                    put(&mut request.params, &["name"], "poem");
                }
            }),
        ],
    )
    .breaking(&["tools.definition.name-no-special"]),
    fault(
        "tools.definition.name-length/long",
        "One tool has a name of 200 characters.",
        &[
            Definition("tools", |_, tool| {
                if is(tool, "name", "poem") {
                    put(tool, &["name"], "p".repeat(200));
                }
            }),
            Request(|_, request| {
                if is(&request.params, "name", &"p".repeat(200)) {
                    put(&mut request.params, &["name"], "poem");
                }
            }),
        ],
    ),
    fault(
        "tools.definition.name-case-sensitive/any-case",
        "Names of tools are understood in any case.",
        &[Request(|_, request| {
            if let Some(Value::String(name)) = request.params.get_mut("name") {
                name.make_ascii_lowercase();
            }
        })],
    )
    .within(SINCE_2025_11),
    fault(
        "tools.definition.title/number",
        "The title of every tool is a number.",
        &[Definition("tools", |_, tool| put(tool, &["title"], 1))],
    )
    .within(SINCE_2025_06),
    fault(
        "tools.definition.description/number",
        "The description of every tool is a number.",
        &[Definition("tools", |_, tool| put(tool, &["description"], 5))],
    ),
    fault(
        "tools.definition.input-schema-root/string",
        "The inputSchema of every tool says that arguments are a string (https://github.com/awwaiid/mcp-server-taskwarrior/issues/11).",
        &[Definition("tools", |_, tool| put(tool, &["inputSchema", "type"], "string"))],
    )
    .also_seen(&["tasks.tool.required-error"]),
    fault(
        "tools.definition.input-schema-not-null/null",
        "A tool without arguments has null as its inputSchema.",
        &[Definition("tools", |_, tool| {
            if is(tool, "name", "poem") {
                put(tool, &["inputSchema"], Value::Null);
            }
        })],
    )
    .also_seen(&["tools.definition.input-schema-root"]),
    fault(
        "tools.definition.input-schema-valid/unknown-type",
        "The inputSchema of one tool has a property of the type `text`.",
        &[Definition("tools", |_, tool| put(tool, &["inputSchema", "properties", "text", "type"], "text"))],
    )
    .breaking(&["json-schema.valid"]),
    fault(
        "tools.definition.input-schema-members/required-text",
        "The inputSchema of one tool has a text in `required`.",
        &[Definition("tools", |_, tool| {
            if is(tool, "name", "echo") {
                put(tool, &["inputSchema", "required"], "text");
            }
        })],
    )
    .also_seen(&["tools.definition.input-schema-valid"]),
    fault(
        "tools.definition.output-schema-root/array",
        "Every outputSchema says that results are an array.",
        &[Definition("tools", |_, tool| put(tool, &["outputSchema", "type"], "array"))],
    )
    .also_seen(&["tools.structured.conforms"])
    .within(&[Revision::V2025_06_18, Revision::V2025_11_25]),
    fault(
        "tools.definition.annotations-types/text",
        "The hints of every tool are texts.",
        &[Definition("tools", |_, tool| put(tool, &["annotations", "readOnlyHint"], "true"))],
    )
    .within(SINCE_2025_03),
    fault(
        "tools.call.result-shape/no-content",
        "Tool results have no content.",
        &[Result("tools/call", |_, result| {
            result.remove("content");
        })],
    )
    .also_seen(&[
        "extension-apps.text-fallback",
        "tasks.result.same-as-direct",
        "tools.structured.text-copy",
    ]),
    fault(
        "tools.call.is-error-boolean/text",
        "isError is a text.",
        &[Result("tools/call", |_, result| {
            if result.get("isError") == Some(&Value::Bool(false)) {
                put(result, &["isError"], "false");
            }
        })],
    )
    .also_seen(&["tasks.result.same-as-direct"]),
    fault(
        "tools.call.arguments-optional/wanted",
        "A call without arguments is refused.",
        &[Intercept(|asked| {
            let bare = asked.is("tools/call") && !asked.params.contains_key("arguments");
            bare.then(|| Instead::error(INVALID_PARAMS, "Invalid params: arguments are missing"))
        })],
    )
    .warning_in(MODERN),
    fault(
        "tools.call.unknown-tool-error/succeeds",
        "Calls of tools that do not exist succeed with an empty result.",
        &[Answer(|asked, answer| {
            if asked.is("tools/call") && is_unknown(answer) {
                *answer = Ok(Reply::Text(result(asked, false)));
            }
        })],
    )
    .also_seen(&["tools.definition.name-case-sensitive", "tools.call.malformed-request-error"]),
    fault(
        "tools.call.unknown-tool-error/in-result",
        "Calls of tools that do not exist give a result with isError (https://github.com/modelcontextprotocol/servers/issues/4159).",
        &[Answer(|asked, answer| {
            if asked.is("tools/call") && is_unknown(answer) {
                *answer = Ok(Reply::Text(result(asked, true)));
            }
        })],
    )
    .also_seen(&["tools.definition.name-case-sensitive", "tools.call.malformed-request-error"]),
    fault(
        "tools.call.inputs-validated/ignored",
        "Arguments are not compared with the inputSchema (https://github.com/modelcontextprotocol/go-sdk/pull/454).",
        &[Neglect(Duty::ArgumentsChecked)],
    )
    .also_seen(&[
        "json-schema.validated-by-dialect",
        "tools.call.input-error-in-result",
        "tools.structured.conforms",
    ])
    .warning_in(MODERN),
    fault(
        "tools.structured.present/left-out",
        "Results have no structured content, although there is an outputSchema.",
        &[Result("tools/call", |_, result| {
            result.remove("structuredContent");
        })],
    )
    .within(SINCE_2025_06),
    fault(
        "tools.structured.conforms/text",
        "A sum comes as a text, although the outputSchema says a number (https://github.com/cyanheads/obsidian-mcp-server/issues/108).",
        &[Result("tools/call", |_, result| {
            if let Some(content) = at(result, &["structuredContent"]).filter(|content| content.contains_key("sum")) {
                put(content, &["sum"], "much");
            }
        })],
    )
    .also_seen(&["tools.structured.text-copy"])
    .within(SINCE_2025_06),
    fault(
        "tools.structured.text-copy/left-out",
        "Structured content comes without any text.",
        &[Result("tools/call", |_, result| {
            if result.contains_key("structuredContent") {
                put(result, &["content"], json!([]));
            }
        })],
    )
    .within(SINCE_2025_06),
    fault(
        "tools.content.link-fetchable/dead",
        "Links lead to resources that are not there.",
        &[Result("tools/call", |_, result| {
            blocks(result, "resource_link").for_each(|link| put(link, &["uri"], "note://nowhere"));
        })],
    )
    .within(SINCE_2025_06),
    fault(
        "tools.list.unaffected-by-requests/after-calls",
        "The last entry of the list is gone once a tool was called.",
        &[
            Request(|memory, request| drop((request.method == "tools/call").then(|| memory.keep(true.into())))),
            Result("tools/list", |asked, result| drop(asked.memory.kept().and_then(|_| array(result, "tools")?.pop()))),
        ],
    )
    .within(MODERN)
    .warning_in(MODERN)
    .over(STDIO),
    fault(
        "tools.list-changed.sent/never",
        "The first entry of the list comes and goes, and nobody is told.",
        &[
            Result("tools/list", |asked, result| {
            let list = array(result, "tools").filter(|_| !asked.params.contains_key("cursor"));
            if let Some(list) = list.filter(|_| asked.memory.count() % 2 == 1) {
                list.remove(0);
            }
        }),
            Notify(|_, message| {
                if is_method(&message, "notifications/tools/list_changed") { Vec::new() } else { vec![message] }
            }),
        ],
    )
    .within(LEGACY)
    .over(STDIO),
    fault(
        "tools.list-changed.not-undeclared/sent",
        "Changes of the list are told, and not declared.",
        &[
            Result("initialize", |_, result| put(result, &["capabilities", "tools", "listChanged"], false)),
            Response(|asked, text| {
                let told = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
                if asked.is("tools/call") { format!("{text}\n{told}") } else { text }
            }),
        ],
    )
    .within(LEGACY)
    .over(STDIO),
    fault(
        "tools.definition.output-schema-valid/unknown-type",
        "The outputSchema of one tool has a property of the type `text`.",
        &[Definition("tools", |_, tool| put(tool, &["outputSchema", "properties", "sum", "type"], "text"))],
    )
    .within(SINCE_2025_06)
    .over(STDIO),
    fault(
        "tools.definition.task-support/sometimes",
        "Tools can be tasks `sometimes`.",
        &[Definition("tools", |_, tool| put(tool, &["execution"], json!({"taskSupport": "sometimes"})))],
    )
    .within(V2025_11),
    fault(
        "tools.call.malformed-request-error/in-result",
        "A call that does not fit its own schema gets a result with isError.",
        &[Answer(|asked, answer| {
            let named = asked.params.get("name").is_some_and(Value::is_string);
            let sound = asked.params.get("arguments").is_none_or(Value::is_object);
            if asked.is("tools/call") && !(named && sound) && answer.is_err() {
                *answer = Ok(Reply::Text(result(asked, true)));
            }
        })],
    )
    .also_seen(&["base.error.invalid-params-code"])
    .over(STDIO),
    fault(
        "tools.call.execution-error-in-result/internal-error",
        "A tool that fails is an internal error.",
        &[Answer(|asked, answer| {
            if asked.is("tools/call") && is_error(answer) {
                *answer = Err(RpcError::new(INTERNAL_ERROR, "Internal error"));
            }
        })],
    )
    .also_seen(&["tools.call.input-error-in-result"])
    .over(STDIO),
    fault(
        "tools.call.input-error-in-result/error",
        "Wrong arguments are a protocol error.",
        &[Answer(|asked, answer| {
            let told = answer.as_ref().is_ok_and(|reply| format!("{reply:?}").contains("Invalid arguments: "));
            if asked.is("tools/call") && told {
                *answer = Err(RpcError::invalid_params("Invalid params"));
            }
        })],
    )
    .within(V2025_11)
    .over(STDIO),
    fault(
        "tools.call.outputs-sanitized/raw",
        "Control characters in results are not escaped.",
        &[Response(|_, text| text.replace("\\u001b", "\u{1b}").replace("\\u0000", "\0"))],
    )
    .also_seen(&["base.encoding.valid-json", "base.response.always-sent"])
    .over(STDIO)
    .within(&[Revision::V2024_11_05, Revision::V2025_03_26, Revision::V2026_07_28]),
    fault(
        "tools.content.embedded-needs-resources/hidden",
        "Tools embed resources, and resources are not declared.",
        &[
            Result("initialize", |_, result| hide(result, "resources")),
            Result("server/discover", |_, result| hide(result, "resources")),
        ],
    )
    .also_seen(&["resources.capability.declared", "subscriptions.ack.omits-unsupported"])
    .within(SINCE_2025_06)
    .over(STDIO),
    fault(
        "tools.content.embedded-refetchable/dead",
        "Embedded resources have a URI under which nothing is read.",
        &[Result("tools/call", |_, result| {
            let embedded = blocks(result, "resource").filter_map(|block| at(block, &["resource"]));
            embedded.for_each(|resource| put(resource, &["uri"], "note://nowhere"));
        })],
    )
    .within(&[Revision::V2024_11_05, Revision::V2025_03_26])
    .over(STDIO),
    fault(
        "tools.structured.object/array",
        "Structured content is an array.",
        &[Result("tools/call", |_, result| {
            if let Some(content) = result.remove("structuredContent") {
                put(result, &["structuredContent"], json!([content]));
            }
        })],
    )
    .also_seen(&["tools.structured.conforms", "tools.structured.text-copy"])
    .within(FORMS)
    .over(STDIO),
];

fn hide(result: &mut Object, capability: &str) {
    if let Some(capabilities) = at(result, &["capabilities"]) {
        capabilities.remove(capability);
    }
}

fn is_error(answer: &mut context::Answer) -> bool {
    hook::result(answer).is_some_and(|result| result.get("isError") == Some(&Value::Bool(true)))
}

fn is_unknown(answer: &context::Answer) -> bool {
    answer.as_ref().is_err_and(|error| error.message.ends_with("unknown tool"))
}

fn result(asked: &Asked, is_error: bool) -> String {
    let mut result = json!({"content": [{"type": "text", "text": "unknown tool"}], "isError": is_error});
    if asked.revision.is_modern() {
        result["resultType"] = "complete".into();
    }
    result.to_string()
}
