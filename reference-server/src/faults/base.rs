//! Faults of the messages themselves.

use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::edit::{at, is_method, message, put};
use crate::faults::fault::{
    ANY, Fault, HTTP, LEGACY, MODERN, SSE, STDIO, V2024_11, V2025_03, V2025_06, V2025_11, fault,
};
use crate::faults::hook::Hook::{
    Answer, Forgive, Input, Intercept, Line, Neglect, Notified, Notify, Refusal, Request, Response, Result,
};
use crate::faults::hook::Input::{Changed, Drop, Hang, Pass};
use crate::faults::hook::{Instead, result};
use crate::message::{
    HEADER_MISMATCH, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, LEGACY_RESOURCE_NOT_FOUND,
    METHOD_NOT_FOUND, Object,
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
    .also_seen(&[
        "http.clients.multiple",
        "lifecycle.pre-init.ping-answered",
        "lifecycle.shutdown.http-close-harmless",
    ])
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
        "Requests with an unknown method are not answered.",
        &[Intercept(|asked| {
            let family = asked.method.split('/').next().unwrap_or_default();
            let known = ["initialize", "ping", "server", "tools", "resources", "prompts", "completion", "logging", "subscriptions"];
            (!known.contains(&family)).then_some(Instead::Never)
        })],
    )
    .also_seen(&["robustness.long-strings", "tasks.errors.unknown-id", "tasks.list.invalid-cursor"])
    .over(STDIO),
    fault(
        "base.response.always-sent/deaf-after-cancellation",
        "Once a request was cancelled that was in progress, nothing is read any more (https://github.com/modelcontextprotocol/python-sdk/issues/1152).",
        &[
            Input(|memory, bytes| {
                let message = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
                match message["method"].as_str() {
                    Some("notifications/cancelled") if memory.kept() == Some(message["params"]["requestId"].clone()) => {
                        Hang
                    }
                    Some("notifications/cancelled") | None => Pass,
                    Some(_) => {
                        memory.keep(message["id"].clone());
                        Pass
                    }
                }
            }),
        ],
    )
    .also_seen(&[
        "ping.answered",
        "cancellation.stops-work",
        "cancellation.initialize-harmless",
        "stdio.exit-on-eof",
    ])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "base.response.result-xor-error/null-error",
        "Lists of tools have an error that is null beside their result.",
        &[Response(|asked, text| {
            if asked.is("tools/list") { message(&text, |message| put(message, &["error"], Value::Null)) } else { text }
        })],
    )
    .also_seen(&[
        "base.error.shape",
        "http-headers.mismatch-error-shape",
        "pagination.cursor.invalid-error",
        "versioning.request.unsupported-error",
    ]),
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
    .also_seen(&[
        "base.response.always-sent",
        "capabilities.server.declared-works",
        "http-headers.mismatch-error-shape",
        "lifecycle.pre-init.request-answered",
        "robustness.long-strings",
    ]),
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
    .also_seen(&[
        "compat.dual-era.eras-not-mixed",
        "compat.dual-era.initialize-selects-legacy",
        "compat.dual-era.modern-meta-selects-modern",
    ])
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
    )
    .also_seen(&[
        "extension-tasks.legacy.methods-gone",
        "tasks.tool.forbidden-error",
        "tasks.tool.required-error",
        "versioning.removed-methods-unknown",
    ]),
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
    )
    .also_seen(&[
        "extension-tasks.legacy.methods-gone",
        "tasks.tool.forbidden-error",
        "tasks.tool.required-error",
        "versioning.removed-methods-unknown",
    ])
    .breaking(&["base.error.standard-codes"]),
    fault(
        "base.error.invalid-params-code/internal",
        "A prompt without a name gets the code for internal errors.",
        &[Refusal("prompts/get", |_, error| error.code = INTERNAL_ERROR)],
    )
    .also_seen(&[
        "http-headers.mismatch-error-shape",
        "prompts.get.missing-argument-error",
        "prompts.get.unknown-name-error",
    ])
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
        "base.error.unreadable-id-not-invented/zero",
        "The error for a line that is no JSON has the id 0, which belongs to another request (https://github.com/oisee/odata_mcp_go/pull/33).",
        &[Line(|_, line| {
            let line = replace(line, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700", "{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":-32700");
            replace(line, "\"id\":null,\"error\":{\"code\":-32700", "\"id\":0,\"error\":{\"code\":-32700")
        })],
    )
    .also_seen(&["base.error.parse-error-answered", "base.response.at-most-once"])
    .over(STDIO),
    fault(
        "base.error.retired-not-found-code-unused/used",
        "Resources that are not there get the code of earlier revisions (https://github.com/modelcontextprotocol/conformance/pull/200).",
        &[Refusal("resources/read", |_, error| error.code = LEGACY_RESOURCE_NOT_FOUND)],
    )
    .also_seen(&[
        "base.error.invalid-params-code",
        "http-headers.mismatch-error-shape",
        "http-headers.name.mismatch-refused",
        "resources.read.not-found-error",
    ])
    .within(MODERN),
    fault(
        "base.error.undefined-mcp-codes-unused/made-up",
        "Resources that are not there get a code that the protocol keeps for itself.",
        &[Refusal("resources/read", |_, error| error.code = -32055)],
    )
    .also_seen(&[
        "base.error.invalid-params-code",
        "http-headers.mismatch-error-shape",
        "resources.read.not-found-error",
    ])
    .within(MODERN),
    fault(
        "base.error.defined-codes-by-meaning/header-mismatch",
        "Resources that are not there get the code for headers that differ from the body.",
        &[Refusal("resources/read", |_, error| error.code = HEADER_MISMATCH)],
    )
    .breaking(&["stdio.metadata-in-body"])
    .also_seen(&["base.error.invalid-params-code", "resources.read.not-found-error"])
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
    .also_seen(&["ping.answered"]),
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
    .also_seen(&["progress.from-client-tolerated"])
    .within(LEGACY)
    .over(STDIO),
    fault(
        "base.notification.no-id/null",
        "Notifications about a request have the id null.",
        &[Notify(|_, mut message| {
            // What has an id is a request.
            if message.get("id").is_none() {
                message["id"] = Value::Null;
            }
            vec![message]
        })],
    )
    .also_seen(&[
        "http.sse.no-broadcast",
        "subscriptions.ack.first",
        "tasks.input-required.entered",
        "tools.list-changed.sent",
    ]),
    fault(
        "base.error.same-id/left-out",
        "Errors for unknown methods do not say to which request they belong.",
        &[Response(|_, text| {
            if !text.contains("-32601") {
                return text;
            }
            message(&text, |message| {
                message.remove("id");
            })
        })],
    )
    .also_seen(&["base.response.same-id", "base.response.always-sent"])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "base.error.invalid-request-code/dropped",
        "A request without the right `jsonrpc` is thrown away (https://github.com/modelcontextprotocol/typescript-sdk/issues/2247).",
        &[Input(|_, bytes| match object(bytes) {
            Some(message) if message.get("jsonrpc") != Some(&json!("2.0")) => Drop,
            _ => Pass,
        })],
    )
    .warning_in(ANY)
    .within(V2025_11)
    .over(STDIO),
    fault(
        "base.error.invalid-request-code/no-method-dropped",
        "A request without `method` is thrown away (https://github.com/modelcontextprotocol/typescript-sdk/issues/563).",
        &[Input(|_, bytes| match object(bytes) {
            Some(message) if !["method", "result", "error"].iter().any(|name| message.contains_key(*name)) => Drop,
            _ => Pass,
        })],
    )
    .warning_in(ANY)
    .within(V2025_06)
    .over(STDIO),
    fault(
        "base.error.internal-error-code/invalid-params",
        "A panic in a handler is told as wrong parameters.",
        &[Refusal("resources/read", |_, error| error.message = "handler panicked: index out of bounds".into())],
    )
    .warning_in(ANY)
    .within(V2025_11)
    .over(STDIO),
    fault(
        "base.error.custom-codes-outside-reserved/own",
        "Resources that are not there get a code of the server's own from the range of JSON-RPC.",
        &[Refusal("resources/read", |_, error| error.code = -32500)],
    )
    .also_seen(&["base.error.invalid-params-code", "resources.read.not-found-error"])
    .warning_in(ANY)
    .within(V2025_11)
    .over(STDIO),
    fault(
        "base.error.legacy-code-range-avoided/own",
        "Resources that are not there get a code of the server's own from the range that is closed.",
        &[Refusal("resources/read", |_, error| error.code = -32010)],
    )
    .also_seen(&["base.error.invalid-params-code", "resources.read.not-found-error"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "base.error.retired-url-elicitation-code-unused/used",
        "Resources that are not there get the code that once asked for a URL.",
        &[Refusal("resources/read", |_, error| error.code = -32042)],
    )
    .breaking(&["base.error.undefined-mcp-codes-unused"])
    .also_seen(&["base.error.invalid-params-code", "resources.read.not-found-error"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "base.request.concurrent/lost",
        "Of many requests of one kind in a row, one is never answered (https://github.com/modelcontextprotocol/rust-sdk/issues/941).",
        &[Intercept(|asked| {
            let number = asked.memory.in_a_row(&asked.method);
            (number == 11).then_some(Instead::Never)
        })],
    )
    .also_seen(&[
        "base.response.always-sent",
        "robustness.liveness.after-malformed",
        "robustness.liveness.after-stress",
        "robustness.stdio.late-reader",
    ])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "base.request.id-not-null/null",
        "A request of the server has the id null.",
        &[Response(|asked, text| {
            if asked.is("tools/list") { format!("{text}\n{{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}}") } else { text }
        })],
    )
    .also_seen(&["ping.not-excessive"])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "base.request.id-type/fraction",
        "Requests of the server have a fraction as id.",
        &[Response(|asked, text| {
            if !asked.is("tools/list") {
                return text;
            }
            let number = asked.memory.count();
            format!("{text}\n{{\"jsonrpc\":\"2.0\",\"id\":{number}.5,\"method\":\"ping\"}}")
        })],
    )
    .also_seen(&["ping.not-excessive"])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "base.request.params-object/array",
        "The params of notifications about a request are an array.",
        &[Notify(|_, mut notification| {
            notification["params"] = json!([]);
            vec![notification]
        })],
    )
    .also_seen(&[
        "elicitation.complete.id",
        "resources.subscribe.update-delivered",
        "tasks.input-required.related-task",
    ])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "base.request.rpc-prefix-unused/statistics",
        "A message whose name is reserved for JSON-RPC follows each notification about a request.",
        &[Notify(|_, notification| vec![notification, json!({"jsonrpc": "2.0", "method": "rpc.statistics"})])],
    )
    .also_seen(&["schema.server-notifications.known"])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "base.result-type.extension-only-when-declared/task",
        "Calls of tools that declare no extension get the result of one.",
        &[Result("tools/call", |asked, result| {
            let pointer = "/io.modelcontextprotocol~1clientCapabilities/extensions";
            if asked.params.get("_meta").is_none_or(|meta| meta.pointer(pointer).is_none()) {
                put(result, &["resultType"], "job");
            }
        })],
    )
    .breaking(&["base.result-type.known", "capabilities.extension.fallback"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "base.notification.no-reply/initialized-answered",
        "`notifications/initialized` is answered with an error (https://github.com/zeenix/rust-analyzer-mcp/issues/21).",
        &[Notified(|_, notification| {
            (notification.method == "notifications/initialized").then(|| {
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"Method not found"}}"#.to_owned()
            })
        })],
    )
    .within(V2025_11)
    .over(STDIO),
    fault(
        "base.notification.unknown-ignored/next-lost",
        "The message after a notification with an unknown method is lost.",
        &[Input(|memory, bytes| {
            let method = object(bytes).and_then(|message| Some(message.get("method")?.as_str()?.to_owned()));
            let method = method.unwrap_or_default();
            let known = ["initialized", "cancelled", "progress", "roots/list_changed", "message"];
            let name = method.strip_prefix("notifications/");
            match memory.keep(json!(name.is_some_and(|name| !known.contains(&name)))) {
                Some(Value::Bool(true)) => Drop,
                _ => Pass,
            }
        })],
    )
    .also_seen(&[
        "base.notification.no-reply",
        "base.response.always-sent",
        "robustness.liveness.after-malformed",
    ])
    .warning_in(ANY)
    .within(V2025_11)
    .over(STDIO),
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
    .also_seen(&["capabilities.client.only-declared-used"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "base.request.id-unique/always-1",
        "Requests of the server that follow lists of tools always have the same id.",
        &[Response(|asked, text| {
            if asked.is("tools/list") { format!("{text}\n{{\"jsonrpc\":\"2.0\",\"id\":\"ask\",\"method\":\"ping\"}}") } else { text }
        })],
    )
    .also_seen(&["ping.not-excessive"])
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
    fault(
        "base.batch.response-grouping/object",
        "The answer to a batch of one request is no array.",
        &[Line(|_, line| match serde_json::from_slice::<Vec<Value>>(&line).as_deref() {
            Ok([answer]) => format!("{answer}\n").into_bytes(),
            _ => line,
        })],
    )
    .within(V2025_03)
    .over(STDIO),
    fault(
        "base.batch.one-response-per-request/for-notifications",
        "The answer to a batch has a response for what was none of its requests, too.",
        &[Line(|_, line| match serde_json::from_slice::<Vec<Value>>(&line) {
            Ok(mut answers) => {
                answers.push(json!({"jsonrpc": "2.0", "id": null, "error": {"code": METHOD_NOT_FOUND, "message": "Method not found"}}));
                format!("{}\n", Value::Array(answers)).into_bytes()
            }
            Err(_) => line,
        })],
    )
    .within(V2025_03)
    .over(STDIO),
    fault(
        "base.batch.no-empty-response/empty",
        "A batch of notifications is answered with an empty array.",
        &[
            Input(|_, bytes| match serde_json::from_slice::<Vec<Value>>(bytes) {
                Ok(all) if !all.is_empty() && all.iter().all(|message| message.get("method").is_some() && message.get("id").is_none()) => {
                    Changed(br#"[{"jsonrpc":"2.0","id":"nothing","method":"ping"}]"#.to_vec())
                }
                _ => Pass,
            }),
            Line(|_, line| {
                if line.starts_with(br#"[{"jsonrpc":"2.0","id":"nothing""#) { b"[]\n".to_vec() } else { line }
            }),
        ],
    )
    .within(V2025_03)
    .over(STDIO),
    fault(
        "base.batch.invalid-element/all-refused",
        "One element that is no message makes the whole batch fail.",
        &[Input(|_, bytes| match serde_json::from_slice::<Vec<Value>>(bytes) {
            Ok(all) if !all.iter().all(Value::is_object) => Changed(b"0".to_vec()),
            _ => Pass,
        })],
    )
    .warning_in(ANY)
    .within(V2025_03)
    .over(STDIO),
    fault(
        "base.batch.initialize-refused/served",
        "`initialize` in a batch is served.",
        &[Input(|_, bytes| match serde_json::from_slice::<Vec<Value>>(bytes) {
            Ok(all) => {
                let handshake = all.iter().find(|message| message["method"] == "initialize");
                handshake.map_or(Pass, |message| Changed(message.to_string().into_bytes()))
            }
            Err(_) => Pass,
        })],
    )
    .within(V2025_03)
    .over(STDIO),
    fault(
        "base.batch.not-sent/array",
        "Lists of tools come in an array of one.",
        &[Response(|asked, text| if asked.is("tools/list") { format!("[{text}]") } else { text })],
    )
    .breaking(&["base.jsonrpc.message-kinds", "stdio.one-message-per-line"])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "base.isolation.between-connections/told-to-all",
        "Progress is told to all clients.",
        &[Neglect(Duty::ProgressToOwnClient)],
    )
    .also_seen(&["progress.notification.known-token"])
    .within(V2024_11)
    .over(SSE),
    fault(
        "base.isolation.between-connections/log-level",
        "Where one client wants the gravest log messages alone, no other one gets more.",
        &[
            Request(|memory, request| {
                if let Some(level) = request.params.get("level") {
                    memory.keep(level.clone());
                }
            }),
            Notify(|memory, message| {
                let silent = is_method(&message, "notifications/message") && memory.kept() == Some("emergency".into());
                if silent { Vec::new() } else { vec![message] }
            }),
        ],
    )
    .within(V2025_11)
    .over(HTTP),
    fault(
        "base.stateless.no-reliance-on-earlier-requests/remembered",
        "After a request with `_meta`, others need none.",
        &[
            Request(|memory, request| {
                if request.params.contains_key("_meta") {
                    memory.keep(json!(true));
                }
            }),
            Forgive(|asked, error| asked.memory.kept().is_some() && error.message.ends_with("_meta must be an object")),
        ],
    )
    .also_seen(&["meta.request.absent-refused"])
    .within(MODERN)
    .over(HTTP),
    fault(
        "base.stateless.capabilities-not-inferred/remembered",
        "The capabilities of an earlier request hold for one that declares none.",
        &[Input(|memory, bytes| {
            let Some(mut request) = object(bytes) else { return Pass };
            let Some(meta) = at(&mut request, &["params", "_meta"]) else { return Pass };
            match meta.get(CAPABILITIES) {
                Some(Value::Object(none)) if none.is_empty() => {
                    let Some(kept) = memory.kept() else { return Pass };
                    meta.insert(CAPABILITIES.to_owned(), kept);
                    Changed(Value::Object(request).to_string().into_bytes())
                }
                Some(declared @ Value::Object(_)) => {
                    memory.keep(declared.clone());
                    Pass
                }
                _ => Pass,
            }
        })],
    )
    .breaking(&["capabilities.client.only-declared-used"])
    .also_seen(&["capabilities.client.missing-error"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "base.stateless.interleaving/last-list-only",
        "A cursor is refused once another list was asked for.",
        &[Intercept(|asked| {
            if !asked.method.ends_with("/list") {
                return None;
            }
            if !asked.params.contains_key("cursor") {
                asked.memory.keep(json!(asked.method));
                return None;
            }
            let other = asked.memory.kept() != Some(json!(asked.method));
            other.then(|| Instead::error(INVALID_PARAMS, "Invalid params: the cursor is over"))
        })],
    )
    .also_seen(&["pagination.cursor.accepted"])
    .within(MODERN)
    .over(STDIO),
    fault(
        "base.stateless.no-connection-affinity/by-process",
        "A cursor is good in the process that gave it alone.",
        &[
            Request(|_, request| {
                let own = format!("{}-", std::process::id());
                if let Some(Value::String(cursor)) = request.params.get_mut("cursor") {
                    *cursor = cursor.strip_prefix(&own).unwrap_or("elsewhere").to_owned();
                }
            }),
            Answer(|_, answer| {
                if let Some(Value::String(cursor)) = result(answer).and_then(|result| result.get_mut("nextCursor")) {
                    cursor.insert_str(0, &format!("{}-", std::process::id()));
                }
            }),
        ],
    )
    .within(MODERN)
    .over(STDIO),
];

const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

fn object(bytes: &[u8]) -> Option<Object> {
    serde_json::from_slice(bytes).ok()
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

fn replace(line: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    match String::from_utf8(line) {
        Ok(text) => text.replacen(from, to, 1).into_bytes(),
        Err(error) => error.into_bytes(),
    }
}
