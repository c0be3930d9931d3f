//! Faults of a server that does not stand everything.

use serde::de::IgnoredAny;
use serde_json::json;

use crate::faults::fault::{Fault, LEGACY, STDIO, fault};
use crate::faults::hook::Hook::{Answer, Input, Intercept, Response};
use crate::faults::hook::Input::{Changed, Drop, Exit, Hang, Pass};
use crate::faults::hook::Instead;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "robustness.process.survives/dies-of-garbage",
        "A line that is no JSON ends the process (https://github.com/modelcontextprotocol/servers/issues/3359).",
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
    .over(STDIO),
    fault(
        "robustness.liveness.after-stress/deaf-after-length",
        "After a long line everything is thrown away.",
        &[Input(|memory, bytes| {
            if bytes.len() > 60_000 && is_json(bytes) {
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
    .also_seen(&["robustness.request.no-hang"])
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
    .over(STDIO),
];

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|line| line.contains(text))
}
