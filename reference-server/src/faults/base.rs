//! Faults of the messages themselves.

use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::faults::edit::{at, message, put};
use crate::faults::fault::{ANY, Fault, LEGACY, MODERN, STDIO, V2025_03, fault};
use crate::faults::hook::Hook::{
    Answer, Input, Intercept, Line, Notified, Notify, Refusal, Request, Response, Result,
};
use crate::faults::hook::Input::{Changed, Drop, Pass};
use crate::faults::hook::Instead;
use crate::message::{
    HEADER_MISMATCH, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, LEGACY_RESOURCE_NOT_FOUND,
    METHOD_NOT_FOUND,
};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "base.response.same-id/as-string",
        "Answers to pings carry a number in the id as a string (https://github.com/modelcontextprotocol/python-sdk/issues/961).",
        &[Response(|asked, text| {
            let id = asked.id.raw().get();
            if asked.is("ping") && !id.starts_with('"') {
                return text.replacen(&format!("\"id\":{id}"), &format!("\"id\":\"{id}\""), 1);
            }
            text
        })],
    )
    .within(LEGACY),
    fault(
        "base.response.at-most-once/strings-are-zero",
        "Answers to harmless requests whose id is a string carry the id 0, which belongs to another request (https://github.com/DeusData/codebase-memory-mcp/issues/253).",
        &[Response(|asked, text| {
            let id = asked.id.raw().get();
            if asked.is_harmless() && id.starts_with('"') {
                return text.replacen(&format!("\"id\":{id}"), "\"id\":0", 1);
            }
            text
        })],
    )
    .within(MODERN),
    fault(
        "base.response.at-most-once/twice",
        "Lists of tools are sent twice.",
        &[Response(|asked, text| if asked.is("tools/list") { format!("{text}\n{text}") } else { text })],
    )
    .over(STDIO),
    fault(
        "base.response.always-sent/unknown-method-dropped",
        "Requests with an unknown method are not answered (https://github.com/modelcontextprotocol/typescript-sdk/issues/2247).",
        &[Intercept(|asked| {
            let family = asked.method.split('/').next().unwrap_or_default();
            let known = ["initialize", "ping", "server", "tools", "resources", "prompts", "completion", "logging", "subscriptions"];
            (!known.contains(&family)).then_some(Instead::Never)
        })],
    )
    .over(STDIO),
    fault(
        "base.response.result-xor-error/null-error",
        "Lists of tools have an error that is null beside their result.",
        &[Response(|asked, text| {
            if asked.is("tools/list") { message(&text, |message| put(message, &["error"], Value::Null)) } else { text }
        })],
    )
    .also_seen(&["base.error.shape"]),
    fault(
        "base.response.result-object/array",
        "The result of resources/templates/list is an array.",
        &[Intercept(|asked| asked.is("resources/templates/list").then(|| Instead::result(&json!([]))))],
    ),
    fault(
        "base.jsonrpc.version-string/left-out",
        "Lists of tools have no `jsonrpc`.",
        &[Response(|asked, text| {
            if asked.is("tools/list") { text.replacen("\"jsonrpc\":\"2.0\",", "", 1) } else { text }
        })],
    ),
    fault(
        "base.jsonrpc.version-string/number",
        "Lists of tools have the number 2.0 in `jsonrpc`.",
        &[Response(|asked, text| {
            if asked.is("tools/list") { text.replacen("\"2.0\"", "2.0", 1) } else { text }
        })],
    ),
    fault(
        "base.jsonrpc.message-kinds/no-message",
        "Something that is no message follows each list of tools.",
        &[Response(|asked, text| {
            if asked.is("tools/list") { format!("{text}\n{{\"level\":\"info\",\"message\":\"listed\"}}") } else { text }
        })],
    )
    .over(STDIO),
    fault(
        "base.jsonrpc.names-case-sensitive/any-method",
        "Names of methods are understood in any case.",
        &[Request(|_, request| {
            if request.method.bytes().all(|byte| !byte.is_ascii_lowercase()) {
                request.method.make_ascii_lowercase();
            }
        })],
    )
    .within(LEGACY)
    .over(STDIO),
    fault(
        "base.jsonrpc.names-case-sensitive/any-member",
        "Names of members are understood in any case (https://github.com/modelcontextprotocol/go-sdk/issues/805).",
        &[Input(|_, bytes| match std::str::from_utf8(bytes) {
            Ok(text) if text.contains("\"Method\"") => Changed(text.replacen("\"Method\"", "\"method\"", 1).into_bytes()),
            _ => Pass,
        })],
    )
    .warning_in(MODERN)
    .over(STDIO),
    fault(
        "base.encoding.valid-json/trailing-comma",
        "Lists of tools end with a comma before the last brace.",
        &[Response(|asked, text| {
            if asked.is("tools/list") { format!("{},}}", &text[..text.len() - 1]) } else { text }
        })],
    )
    .also_seen(&["base.response.always-sent"]),
    fault(
        "base.encoding.utf8/latin1",
        "An umlaut is written in ISO 8859-1.",
        &[Line(|_, line| match String::from_utf8(line) {
            Ok(text) => text.split('\u{fc}').map(str::as_bytes).collect::<Vec<_>>().join(&b"\xfc"[..]),
            Err(error) => error.into_bytes(),
        })],
    )
    .also_seen(&["base.encoding.valid-json"])
    .over(STDIO),
    fault(
        "base.result-type.present/left-out",
        "Lists of tools do not say that they are complete.",
        &[Result("tools/list", |_, result| {
            result.remove("resultType");
        })],
    )
    .within(MODERN),
    fault(
        "base.result-type.known/partial",
        "Lists of tools have a `resultType` of their own.",
        &[Result("tools/list", |_, result| put(result, &["resultType"], "partial"))],
    )
    .within(MODERN),
    fault(
        "base.error.shape/no-message",
        "Errors for unknown methods have no message.",
        &[Response(|_, text| {
            if !text.contains("-32601") {
                return text;
            }
            message(&text, |message| {
                if let Some(error) = at(message, &["error"]) {
                    error.remove("message");
                }
            })
        })],
    ),
    fault(
        "base.error.code-integer/string",
        "The code of errors for unknown methods is a string.",
        &[Response(|_, text| text.replacen("\"code\":-32601", "\"code\":\"-32601\"", 1))],
    ),
    fault(
        "base.error.method-not-found-code/invalid-params",
        "Unknown methods get the code for wrong parameters.",
        &[Answer(|_, answer| {
            if let Err(error) = answer
                && error.code == METHOD_NOT_FOUND
            {
                error.code = INVALID_PARAMS;
            }
        })],
    ),
    fault(
        "base.error.invalid-params-code/internal",
        "A prompt without a name gets the code for internal errors.",
        &[Refusal("prompts/get", |_, error| error.code = INTERNAL_ERROR)],
    )
    .warning_in(ANY),
    fault(
        "base.error.message-concise/long",
        "Errors for unknown methods come with a long list.",
        &[Answer(|_, answer| {
            if let Err(error) = answer
                && error.code == METHOD_NOT_FOUND
            {
                error.message.push_str(&"\ntry another method".repeat(30));
            }
        })],
    )
    .within(LEGACY),
    fault(
        "base.error.parse-error-answered/dropped",
        "A line that is no JSON is thrown away (https://github.com/PrefectHQ/fastmcp/issues/1161).",
        &[Input(|_, bytes| if is_json(bytes) { Pass } else { Drop })],
    )
    .over(STDIO),
    fault(
        "base.error.parse-error-code/internal",
        "A line that is no JSON gets the code for internal errors.",
        &[Line(|_, line| replace(line, "-32700", "-32603"))],
    )
    .warning_in(ANY)
    .over(STDIO),
    fault(
        "base.error.unreadable-id-not-invented/word",
        "The error for a line that is no JSON has an id that nobody gave.",
        &[Line(|_, line| {
            let line = replace(line, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700", "{\"jsonrpc\":\"2.0\",\"id\":\"server-error\",\"error\":{\"code\":-32700");
            replace(line, "\"id\":null,\"error\":{\"code\":-32700", "\"id\":\"server-error\",\"error\":{\"code\":-32700")
        })],
    )
    .over(STDIO),
    fault(
        "base.response.at-most-once/errors-are-zero",
        "The error for a line that is no JSON has the id 0, which belongs to another request (https://github.com/oisee/odata_mcp_go/pull/33).",
        &[Line(|_, line| {
            let line = replace(line, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700", "{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":-32700");
            replace(line, "\"id\":null,\"error\":{\"code\":-32700", "\"id\":0,\"error\":{\"code\":-32700")
        })],
    )
    .also_seen(&["base.error.parse-error-answered", "base.error.unreadable-id-not-invented"])
    .over(STDIO),
    fault(
        "base.error.retired-not-found-code-unused/used",
        "Resources that are not there get the code of earlier revisions (https://github.com/modelcontextprotocol/conformance/pull/200).",
        &[Refusal("resources/read", |_, error| error.code = LEGACY_RESOURCE_NOT_FOUND)],
    )
    .also_seen(&["base.error.invalid-params-code"])
    .within(MODERN),
    fault(
        "base.error.undefined-mcp-codes-unused/made-up",
        "Resources that are not there get a code that the protocol keeps for itself.",
        &[Refusal("resources/read", |_, error| error.code = -32055)],
    )
    .also_seen(&["base.error.invalid-params-code"])
    .within(MODERN),
    fault(
        "base.error.defined-codes-by-meaning/header-mismatch",
        "Resources that are not there get the code for headers that differ from the body.",
        &[Refusal("resources/read", |_, error| error.code = HEADER_MISMATCH)],
    )
    .also_seen(&["base.error.invalid-params-code"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "base.request.null-id-refused/served",
        "Requests with the id null are served (https://github.com/ArcadeData/arcadedb/issues/5394).",
        &[
            Input(|_, bytes| match std::str::from_utf8(bytes) {
                Ok(text) if text.contains("\"id\":null") => Changed(text.replacen("\"id\":null", "\"id\":\"was-null\"", 1).into_bytes()),
                _ => Pass,
            }),
            Line(|_, line| replace(line, "\"id\":\"was-null\"", "\"id\":null")),
        ],
    )
    .within(MODERN)
    .over(STDIO),
    fault(
        "base.request.both-id-types-accepted/numbers-only",
        "Harmless requests whose id is a string are refused.",
        &[Intercept(|asked| {
            let refused = asked.is_harmless() && asked.id.raw().get().starts_with('"');
            refused.then(|| Instead::error(INVALID_REQUEST, "Invalid request: id must be a number"))
        })],
    )
    .warning_in(ANY),
    fault(
        "base.request.unknown-params-tolerated/refused",
        "Unknown members of the parameters of lists and pings are refused.",
        &[Intercept(|asked| {
            let checked = asked.is("ping") || asked.is("server/discover") || asked.method.ends_with("/list");
            let unknown = asked.params.keys().any(|name| !matches!(&**name, "_meta" | "cursor"));
            (checked && unknown).then(|| Instead::error(INVALID_PARAMS, "Invalid params: unknown member"))
        })],
    ),
    fault(
        "base.notification.no-reply/unknown-answered",
        "Notifications with an unknown method are answered with an error (https://github.com/HatriGt/hana-mcp-server/issues/22).",
        &[Notified(|_, notification| {
            let known = matches!(&*notification.method, "notifications/initialized" | "notifications/cancelled");
            (!known).then(|| {
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"Method not found"}}"#.to_owned()
            })
        })],
    )
    .within(LEGACY)
    .over(STDIO),
    fault(
        "base.notification.no-id/null",
        "Notifications about a request have the id null.",
        &[Notify(|_, mut notification| {
            notification["id"] = Value::Null;
            vec![notification]
        })],
    ),
    fault(
        "base.server.no-requests/asks",
        "A request of the server follows each list of tools.",
        &[Response(|asked, text| {
            if !asked.is("tools/list") {
                return text;
            }
            let id = asked.memory.count();
            format!("{text}\n{{\"jsonrpc\":\"2.0\",\"id\":\"ask-{id}\",\"method\":\"roots/list\"}}")
        })],
    )
    .within(MODERN)
    .over(STDIO),
    fault(
        "base.request.id-unique/always-1",
        "Requests of the server that follow lists of tools always have the same id.",
        &[Response(|asked, text| {
            if asked.is("tools/list") { format!("{text}\n{{\"jsonrpc\":\"2.0\",\"id\":\"ask\",\"method\":\"ping\"}}") } else { text }
        })],
    )
    .within(LEGACY)
    .over(STDIO),
    fault(
        "base.batch.received/refused",
        "Batches are refused (https://github.com/paiml/paiml-mcp-agent-toolkit/issues/648).",
        &[Input(|_, bytes| if bytes.starts_with(b"[") { Changed(b"0".to_vec()) } else { Pass })],
    )
    .within(V2025_03)
    .over(STDIO),
    fault(
        "base.batch.received/dropped",
        "Batches are thrown away (https://github.com/modelcontextprotocol/go-sdk/issues/1256).",
        &[Input(|_, bytes| if bytes.starts_with(b"[") { Drop } else { Pass })],
    )
    .within(V2025_03)
    .over(STDIO),
    fault(
        "base.batch.empty-array-refused/dropped",
        "An empty batch is thrown away.",
        &[Input(|_, bytes| if bytes.trim_ascii() == b"[]" { Drop } else { Pass })],
    )
    .warning_in(ANY)
    .within(V2025_03)
    .over(STDIO),
    fault(
        "base.batch.response-grouping/apart",
        "The answers to a batch come on lines of their own.",
        &[Line(|_, line| match serde_json::from_slice::<Vec<Value>>(&line) {
            Ok(answers) => {
                let lines: Vec<String> = answers.iter().map(Value::to_string).collect();
                format!("{}\n", lines.join("\n")).into_bytes()
            }
            Err(_) => line,
        })],
    )
    .within(V2025_03)
    .over(STDIO),
];

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

fn replace(line: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    match String::from_utf8(line) {
        Ok(text) => text.replacen(from, to, 1).into_bytes(),
        Err(error) => error.into_bytes(),
    }
}
