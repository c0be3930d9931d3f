//! Faults of a server that does not stand everything.

use hyper::StatusCode;
use hyper::body::Body;
use hyper::header::CONTENT_LENGTH;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::faults::edit::put;
use crate::faults::fault::{ANY, Fault, HTTP, LEGACY, MODERN, STDIO, V2025_11, fault};
use crate::faults::hook::Hook::{Answer, HttpReply, HttpRequest, Input, Intercept, Response, Result};
use crate::faults::hook::Input::{Changed, Drop, Exit, Hang, Pass};
use crate::faults::hook::{self as input, Instead, Memory};
use crate::transport::http_reply::{ReplyBody, empty};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "robustness.process.survives/dies-of-garbage",
        "A line that is no JSON ends the process (https://github.com/modelcontextprotocol/servers/issues/3359, https://github.com/huaweicloud/huaweicloud-devkit/issues/637).",
        &[Input(|_, bytes| if is_json(bytes) { Pass } else { Exit(1) })],
    )
    .over(STDIO),
    fault(
        "robustness.process.survives/dies-of-bytes",
        "A line that is not UTF-8 ends the process (https://github.com/modelcontextprotocol/python-sdk/issues/2328).",
        &[Input(|_, bytes| if std::str::from_utf8(bytes).is_ok() { Pass } else { Exit(1) })],
    )
    .over(STDIO),
    fault(
        "robustness.process.survives/leaves-on-null-params",
        "A request whose params are null ends the process without a word (https://github.com/paiml/paiml-mcp-agent-toolkit/issues/648).",
        &[Input(|_, bytes| if contains(bytes, "\"params\":null") { Exit(0) } else { Pass })],
    )
    .over(STDIO),
    fault(
        "robustness.process.survives/dies-of-depth",
        "Deeply nested JSON ends the process.",
        &[Input(|_, bytes| if bytes.windows(64).any(|window| window.iter().all(|byte| *byte == b'[')) { Exit(134) } else { Pass })],
    )
    .over(STDIO),
    fault(
        "robustness.liveness.after-malformed/deaf",
        "After a line that is no JSON nothing is read any more (https://github.com/jonnyzzz/mcp-steroid/issues/461).",
        &[Input(|_, bytes| if is_json(bytes) { Pass } else { Hang })],
    )
    .breaking(&["stdio.malformed-line-survived"])
    .also_seen(&["base.error.parse-error-answered", "stdio.exit-on-eof"])
    .over(STDIO),
    fault(
        "robustness.liveness.after-malformed/all-dropped",
        "After a line that is no JSON everything is thrown away (https://github.com/modelcontextprotocol/servers/issues/4206).",
        &[Input(|memory, bytes| match memory.kept() {
            Some(_) => Drop,
            None if is_json(bytes) => Pass,
            None => {
                memory.keep(json!(true));
                Drop
            }
        })],
    )
    .also_seen(&["base.error.parse-error-answered"])
    .over(STDIO),
    fault(
        "robustness.liveness.after-stress/deaf-after-length",
        "After a long line everything is thrown away.",
        &[Input(|memory, bytes| {
            if bytes.len() > 130_000 && is_json(bytes) {
                memory.keep(json!(true));
            }
            if memory.kept().is_some() { Drop } else { Pass }
        })],
    )
    .over(STDIO),
    fault(
        "robustness.stdio.late-reader/forgets",
        "Of several long requests at once only the first are answered (https://github.com/modelcontextprotocol/rust-sdk/issues/941).",
        &[Intercept(|asked| {
            let long = asked.params.get("_meta").is_some_and(|meta| meta.to_string().len() > 16 << 10);
            (long && asked.memory.count() > 1).then_some(Instead::Never)
        })],
    )
    .also_seen(&["base.response.always-sent", "robustness.request.no-hang"])
    .over(STDIO),
    fault(
        "robustness.equal-json-equal-verdict/escapes-refused",
        "Texts with an escape at their beginning are not understood.",
        &[Input(|_, bytes| match std::str::from_utf8(bytes) {
            Ok(text) if text.contains("\"\\u00") => Changed(text.replace("\"\\u00", "\"no").into_bytes()),
            _ => Pass,
        })],
    )
    .within(LEGACY)
    .over(STDIO),
    fault(
        "robustness.response.no-unknown-id/made-up",
        "A response that nobody asked for follows each list of tools.",
        &[Response(|asked, text| {
            if asked.is("tools/list") { format!("{text}\n{{\"jsonrpc\":\"2.0\",\"id\":987654,\"result\":{{}}}}") } else { text }
        })],
    )
    .over(STDIO),
    fault(
        "robustness.output.no-internals/stack-trace",
        "Errors for wrong parameters tell where in the program they come from (https://github.com/modelcontextprotocol/python-sdk/pull/3314).",
        &[Answer(|_, answer| {
            if let Err(error) = answer {
                error.message = format!(
                    "Traceback (most recent call last):\n  File \"/srv/app/server.py\", line 212, in handle\n    raise McpError(\"{}\")",
                    error.message
                );
            }
        })],
    )
    .also_seen(&["base.error.internal-error-code", "base.error.message-concise"])
    .breaking(&["security.errors-leak-nothing"])
    .over(STDIO),
    fault(
        "robustness.output.no-internals/key-echoed",
        "The error for what is not known repeats the key that the request showed.",
        &[
            HttpRequest(|memory, request| {
                if let Some(key) = request.headers().get("x-api-key").and_then(|key| key.to_str().ok()) {
                    memory.keep(json!(key));
                }
                None
            }),
            Answer(|asked, answer| {
                if let (Err(error), Some(Value::String(key))) = (answer, asked.memory.kept()) {
                    error.message = format!("{} (key {key})", error.message);
                }
            }),
        ],
    )
    .breaking(&["security.errors-leak-nothing"])
    .warning_in(ANY)
    .over(HTTP),
    fault(
        "robustness.process.survives/leaves-on-scalar",
        "A line that is no object ends the process without a word (https://github.com/0xMassi/webclaw/pull/112).",
        &[Input(|_, bytes| if bytes.trim_ascii_start().starts_with(b"{") { Pass } else { Exit(0) })],
    )
    .within(V2025_11)
    .over(STDIO),
    fault(
        "robustness.process.survives/dies-of-number-params",
        "Params that are a number end the process (https://github.com/radareorg/radare2-mcp/issues/52).",
        &[Input(|_, bytes| {
            let message = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
            if message.get("params").is_some_and(Value::is_number) { Exit(139) } else { Pass }
        })],
    )
    .also_seen(&["base.error.invalid-request-code"])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "robustness.process.survives/leaves-on-many",
        "Many requests of one kind in a row end the process without a word (https://github.com/scottcrosby-securebine/kali-mcp-server/issues/47).",
        &[Intercept(|asked| {
            let before = asked.memory.kept().unwrap_or_default();
            let again = if before[0] == *asked.method { before[1].as_u64().unwrap_or_default() + 1 } else { 0 };
            asked.memory.keep(json!([asked.method, again]));
            if again == 12 {
                std::process::exit(0);
            }
            None
        })],
    )
    .also_seen(&["base.request.concurrent", "base.response.always-sent", "cancellation.race-handled"])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "robustness.http.no-5xx/broken-by-arguments",
        "Arguments that are a text leave the server answering 500 to everybody (https://github.com/modelcontextprotocol/python-sdk/issues/820).",
        &[
            Input(|memory, bytes| {
                if contains(bytes, "\"arguments\":\"") {
                    memory.keep(json!(true));
                }
                Pass
            }),
            HttpReply(|asked, reply| {
                if asked.memory.kept().is_some() {
                    *reply = empty(StatusCode::INTERNAL_SERVER_ERROR);
                }
            }),
        ],
    )
    .also_seen(&[
        "tools.call.malformed-request-error",
        "robustness.liveness.after-malformed",
        "robustness.liveness.after-stress",
    ])
    .within(V2025_11)
    .over(HTTP),
    fault(
        "robustness.http.valid/too-short",
        "Answers to calls of tools announce more bytes than they have.",
        &[HttpReply(|asked, reply| {
            let calls = asked.headers.get("mcp-method").is_some_and(|method| method == "tools/call");
            if let ReplyBody::Whole(body) = reply.body_mut()
                && calls
            {
                let length = body.size_hint().exact().unwrap_or_default() + 7;
                *reply.body_mut() = ReplyBody::Unmeasured(std::mem::take(body).into());
                reply.headers_mut().insert(CONTENT_LENGTH, length.into());
            }
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "robustness.output.bounded/huge",
        "A list of templates is longer than any client reads.",
        &[Result("resources/templates/list", |_, result| put(result, &["_meta"], json!({"padding": "x".repeat(9 << 20)})))],
    )
    .within(V2025_11)
    .over(STDIO),
    fault(
        "robustness.request.no-hang/list",
        "Lists of templates are never answered.",
        &[Intercept(|asked| asked.is("resources/templates/list").then_some(Instead::Never))],
    )
    .also_seen(&["base.response.always-sent"])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "robustness.long-strings/long-uri-hangs",
        "A long URI keeps the server busy for ever (https://github.com/modelcontextprotocol/typescript-sdk/issues/965).",
        &[Input(|_, bytes| if bytes.len() > 60_000 && contains(bytes, "\"resources/read\"") { Hang } else { Pass })],
    )
    .also_seen(&["robustness.liveness.after-malformed", "stdio.exit-on-eof"])
    .breaking(&["robustness.liveness.after-stress"])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "robustness.deep-nesting/next-lost",
        "The message after deeply nested JSON is lost.",
        &[Input(|memory, bytes| next_lost(memory, bytes.windows(64).any(|window| window.iter().all(|byte| *byte == b'['))))],
    )
    .breaking(&["robustness.liveness.after-stress"])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "robustness.numbers/next-lost",
        "The message after a number that no machine holds is lost.",
        &[Input(|memory, bytes| next_lost(memory, contains(bytes, "1e400")))],
    )
    .breaking(&["robustness.liveness.after-stress"])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "robustness.strings/next-lost",
        "The message after half a surrogate is lost.",
        &[Input(|memory, bytes| next_lost(memory, contains(bytes, "\\ud800")))],
    )
    .breaking(&["robustness.liveness.after-stress"])
    .within(V2025_11)
    .over(STDIO),
    fault(
        "robustness.members/next-lost",
        "The message after ten thousand members is lost.",
        &[Input(|memory, bytes| next_lost(memory, contains(bytes, "\"m9999\":9999")))],
    )
    .breaking(&["robustness.liveness.after-stress"])
    .within(V2025_11)
    .over(STDIO),
];

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// Throws away what follows a text of some kind.
fn next_lost(memory: &Memory, kind: bool) -> input::Input {
    match memory.keep(json!(kind)) {
        Some(Value::Bool(true)) => Drop,
        _ => Pass,
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|line| line.contains(text))
}
