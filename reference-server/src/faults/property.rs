//! Faults that show only for some arguments, or after some calls.

use serde_json::{Value, json};

use crate::context;
use crate::faults::edit::{blocks, is, put};
use crate::faults::fault::{ANY, Fault, LEGACY, SINCE_2025_03, STDIO, fault};
use crate::faults::hook::Hook::{Answer, Definition, HttpRequest, Input, Intercept};
use crate::faults::hook::Input::{Changed, Pass};
use crate::faults::hook::{self, Asked, Instead};
use crate::message::{INTERNAL_ERROR, INVALID_PARAMS, Reply, RpcError};
use crate::revision::Revision;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "property.valid.answered/third-in-a-row",
        "The third call of one tool in a row is an internal error.",
        &[Answer(|asked, answer| {
            let tool = if asked.is("tools/call") { asked.text("name") } else { "" };
            if asked.memory.in_a_row(tool) >= 2 && tool == "poem" {
                *answer = Err(RpcError::new(INTERNAL_ERROR, "Internal error"));
            }
        })],
    )
    .warning_in(ANY)
    // The hint by which calls are repeated came with this revision.
    .within(SINCE_2025_03)
    .over(STDIO),
    fault(
        "property.miss.refused/length",
        "The length of a name is not looked at.",
        &[Answer(|asked, answer| {
            if greets_too_long(asked) {
                *answer = Ok(done(asked.revision));
            }
        })],
    )
    .over(STDIO),
    fault(
        "property.miss.error/internal",
        "A name that is too long is an internal error.",
        &[Answer(|asked, answer| {
            if greets_too_long(asked) {
                *answer = Err(RpcError::new(INTERNAL_ERROR, "Internal error"));
            }
        })],
    )
    .over(STDIO),
    fault(
        "property.output.conforms/large",
        "A sum above 10 is a text.",
        &[Answer(|asked, answer| {
            if let Some(result) = hook::result(answer).filter(|_| calls(asked, "add")) {
                let sum = result.get("structuredContent").and_then(|content| content["sum"].as_f64());
                if sum.is_some_and(|sum| sum > 10.0) {
                    put(result, &["structuredContent", "sum"], "many");
                }
            }
        })],
    )
    .also_seen(&["tools.structured.conforms", "tools.structured.text-copy"])
    .over(STDIO),
    fault(
        "property.again.agrees/counts",
        "A tool that only reads tells how often it was called.",
        &[Answer(|asked, answer| {
            if calls(asked, "poem") {
                say(answer, &format!("Told {} times before.", asked.memory.count()));
            }
        })],
    )
    .within(SINCE_2025_03)
    .over(STDIO),
    fault(
        "property.spelling.agrees/escapes",
        "What is called with escapes is called with another text.",
        &[Input(|_, bytes| {
            // `tools/call`, each character of it escaped.
            const METHOD: &str = r"\u0074\u006f\u006f\u006c\u0073\u002f\u0063\u0061\u006c\u006c";
            let Ok(mut message) = serde_json::from_slice::<Value>(bytes) else { return Pass };
            match message.pointer_mut("/params/arguments/text") {
                Some(text) if String::from_utf8_lossy(bytes).contains(METHOD) => {
                    *text = json!("escaped");
                    Changed(message.to_string().into_bytes())
                }
                _ => Pass,
            }
        })],
    )
    .within(SINCE_2025_03)
    .over(STDIO),
    fault(
        "property.revisions.agree/older",
        "One tool answers otherwise in an older revision.",
        &[Answer(|asked, answer| {
            if calls(asked, "poem") && asked.revision == Revision::V2025_06_18 {
                say(answer, "This is how it was told before.");
            }
        })],
    )
    .within(LEGACY)
    .over(STDIO),
    fault(
        "property.lists.agree/media-type",
        "One resource is listed with another media type than it is read with.",
        &[Definition("resources", |_, resource| {
            if is(resource, "uri", "test://static-text") {
                put(resource, &["mimeType"], "text/markdown");
            }
        })],
    ),
    fault(
        "property.lists.agree/prompt",
        "A prompt is listed that nobody knows.",
        &[Intercept(|asked| {
            let unknown = asked.is("prompts/get") && asked.text("name") == "test_simple_prompt";
            unknown.then(|| Instead::error(INVALID_PARAMS, "Unknown prompt: test_simple_prompt"))
        })],
    ),
    fault(
        "property.transports.agree/http",
        "One tool answers otherwise over HTTP.",
        &[
            HttpRequest(|memory, _| {
                memory.keep(json!("over HTTP"));
                None
            }),
            Answer(|asked, answer| {
                if calls(asked, "poem") && asked.memory.kept().is_some() {
                    say(answer, "This is how it is told from afar.");
                }
            }),
        ],
    ),
    fault(
        "property.echo.none/last",
        "An echo tells the one before, too.",
        &[Answer(|asked, answer| {
            if calls(asked, "echo") {
                let text = asked
                    .params
                    .get("arguments")
                    .map(|arguments| arguments["text"].clone())
                    .unwrap_or_default();
                if let Some(before) = asked.memory.keep(text.clone()).filter(|before| *before != text) {
                    say(answer, before.as_str().unwrap_or_default());
                }
            }
        })],
    )
    .over(STDIO),
];

/// Whether this is a call of a tool.
fn calls(asked: &Asked, tool: &str) -> bool {
    asked.is("tools/call") && is(&asked.params, "name", tool)
}

fn greets_too_long(asked: &Asked) -> bool {
    let name = asked.params.get("arguments").and_then(|arguments| arguments["name"].as_str());
    calls(asked, "greet") && name.is_some_and(|name| name.chars().count() > 80)
}

/// A result as a tool gives it.
fn done(revision: Revision) -> Reply {
    let mut result = json!({"content": [{"type": "text", "text": "Hello."}]});
    if revision == Revision::V2026_07_28 {
        result["resultType"] = json!("complete");
    }
    Reply::Text(result.to_string())
}

/// Adds something to the text of a result.
fn say(answer: &mut context::Answer, more: &str) {
    if let Some(result) = hook::result(answer) {
        for block in blocks(result, "text") {
            let text = block.get("text").and_then(Value::as_str).unwrap_or_default();
            let text = format!("{text} {more}");
            put(block, &["text"], text);
        }
    }
}
