//! Tools: how they are listed and what their calls return (server/tools).

use super::answered::{Answered, answered};
use super::rule::monitors;
use super::tool::{Dialects, dialects};
use super::{Breach, Judge, Moment};
use crate::generate::Dialect;
use crate::protocol::Revision;
use serde_json::Value;

monitors! {
    /// Every listed tool has a name of 1 to 128 ASCII letters, digits, `_`, `-` and `.`. Clients put names into
    /// prompts, headers and permission rules; others get mangled there.
    tool_names_are_plain (WhileWeObey) decides [
        "tools.definition.name-length", "tools.definition.name-charset", "tools.definition.name-no-special",
    ];
    /// `inputSchema` and `outputSchema` of every listed tool are valid JSON Schema of their dialect (without `$schema`
    /// 2020-12; before 2025-11-25 draft-07 would do too). A client that compiles the schemas drops the tool otherwise.
    tool_schemas_are_valid (WhileWeObey) decides [
        "tools.definition.input-schema-not-null", "tools.definition.input-schema-valid",
        "tools.definition.output-schema-valid", "tools.definition.input-schema-no-params", "json-schema.valid",
        "json-schema.recommended-dialect",
    ];
    /// A tool that declares `outputSchema` returns `structuredContent` that conforms to it, errors excepted. Typed
    /// clients refuse the whole result where it does not. `format` counts as an annotation, and before 2025-11-25 only
    /// what draft-07 and 2020-12 both refuse counts.
    structured_content_conforms (WhileWeObey) decides [
        "tools.structured.conforms", "tools.structured.present", "tools.structured.text-copy",
    ];
    /// A server that embeds resources in tool results declares `resources`: the reader will want to read them again.
    embedded_resources_need_the_capability (WhileWeObey) decides ["tools.content.embedded-needs-resources"];
}

fn tool_names_are_plain(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(listed) = answered(moment).and_then(|answer| answer.to("tools/list")) else { return };
    for (pointer, tool) in listed.entries("tools") {
        let Some(name) = tool.get("name").and_then(Value::as_str) else { continue };
        let at = format!("{pointer}/name");
        let length = name.chars().count();
        judge.decide("tools.definition.name-length", (1..=128).contains(&length), || {
            Breach::new("length", "a tool's name is empty or longer than 128 characters")
                .expected(&["1 to 128 characters"])
                .actual(format!("{length} characters"))
                .at(moment.record)
                .pointer(&at)
        });
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let strange = name.chars().find(|c| !plain(*c));
        for id in ["tools.definition.name-charset", "tools.definition.name-no-special"] {
            judge.decide(id, strange.is_none(), || {
                Breach::new("character", format!("the tool name `{}` has a special character", short(name)))
                    .expected(&["ASCII letters, digits, `_`, `-` and `.`"])
                    .actual(format!("{:?}", strange.unwrap_or_default()))
                    .at(moment.record)
                    .pointer(&at)
            });
        }
    }
}

fn tool_schemas_are_valid(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(listed) = answered(moment).and_then(|answer| answer.to("tools/list")) else { return };
    for (pointer, tool) in listed.entries("tools") {
        if let Some(schema) = tool.get("inputSchema") {
            let at = format!("{pointer}/inputSchema");
            let id = "tools.definition.input-schema-not-null";
            judge.decide(id, schema.is_object(), || {
                Breach::new("no-object", "`inputSchema` is no schema object")
                    .expected(&["an object"])
                    .actual(short(&schema.to_string()))
                    .at(moment.record)
                    .pointer(&at)
            });
            let ids = ["tools.definition.input-schema-valid", "json-schema.valid"];
            judge_schema(moment, schema, &at, listed.revision, &ids, judge);
            let members = schema.get("properties").and_then(Value::as_object);
            if schema["type"] == "object" && members.is_none_or(serde_json::Map::is_empty) {
                judge.held("tools.definition.input-schema-no-params");
            }
        }
        if let Some(schema) = tool.get("outputSchema") {
            let at = format!("{pointer}/outputSchema");
            let id = "tools.definition.output-schema-valid";
            judge_schema(moment, schema, &at, listed.revision, &[id], judge);
        }
    }
}

fn judge_schema(
    moment: &Moment<'_>,
    schema: &Value,
    at: &str,
    revision: Revision,
    ids: &[&'static str],
    judge: &mut Judge,
) {
    if !schema.is_object() {
        return;
    }
    // Another dialect than the recommended one is no more than worth a note.
    judge.held("json-schema.recommended-dialect");
    let dialects = match dialects(schema, revision) {
        Dialects::Any(dialects) => dialects,
        Dialects::Unknown(named) => {
            for id in ids {
                judge.undecided(id, "unknown-dialect", format!("the dialect `{named}` is not known here"));
            }
            return;
        }
    };
    let faults: Result<Vec<Option<String>>, _> =
        dialects.iter().map(|dialect| dialect.fault(schema)).collect();
    let faults = match faults {
        Ok(faults) => faults,
        Err(error) => {
            for id in ids {
                judge.undecided(id, "too-large", error.to_string());
            }
            return;
        }
    };
    let names: Vec<&str> = dialects.iter().map(|dialect| Dialect::uri(*dialect)).collect();
    for id in ids {
        judge.decide(id, faults.iter().any(Option::is_none), || {
            let fault = faults.iter().flatten().next().cloned().unwrap_or_default();
            Breach::new("invalid", "a tool's schema is no valid JSON Schema")
                .expected(&[&format!("a valid schema by {}", names.join(" or "))])
                .actual(fault)
                .at(moment.record)
                .pointer(at)
        });
    }
}

/// A result of a tool call that is the tool's own, and no error.
fn success<'a>(moment: &'a Moment<'_>) -> Option<Answered<'a>> {
    let call = answered(moment).and_then(|answer| answer.to("tools/call"))?;
    (call.is_complete() && call.result["isError"] != true).then_some(call)
}

/// A text that is a JSON object with the members of the structured content and other values, where no text has the same.
fn contradiction<'a>(content: &Value, result: &'a Value) -> Option<&'a str> {
    let members = content.as_object()?;
    let mut other = None;
    for text in result.get("content")?.as_array()?.iter().filter_map(|block| block.get("text")?.as_str()) {
        let Ok(Value::Object(told)) = serde_json::from_str(text) else { continue };
        if told.len() != members.len() || !told.keys().all(|name| members.contains_key(name)) {
            continue;
        }
        if same_json(&Value::Object(told), content) {
            return None;
        }
        other = Some(text);
    }
    other
}

/// Whether two values are the same JSON, however their numbers are written.
fn same_json(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_json(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| same_json(one, other)))
        }
        _ => one == other,
    }
}

fn structured_content_conforms(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(call) = success(moment) else { return };
    let tool = call.param("name").and_then(|name| moment.state.tools.get(name));
    let content = call.result.get("structuredContent");
    if content.is_some() {
        // Text that tells the same in other words serves its reader as well.
        let blocks = call.result.get("content").and_then(Value::as_array).into_iter().flatten();
        let told = blocks.filter_map(|block| block.get("text")?.as_str()).any(|text| !text.trim().is_empty());
        judge.decide("tools.structured.text-copy", told, || {
            Breach::new(
                "no-text",
                "a result has structured content and no text for clients that read only that",
            )
            .expected(&["a text block with the structured content as JSON, or in other words"])
            .actual("no text")
            .at(moment.record)
            .pointer("/result/content")
            .sent(call.asked.seq)
        });
        if let Some(other) = content.and_then(|content| contradiction(content, call.result)) {
            judge.broke(
                "tools.structured.text-copy",
                Breach::new(
                    "other-values",
                    "the text of a result says otherwise than its structured content",
                )
                .quality()
                .expected(&["the same values in both"])
                .actual(short(other))
                .at(moment.record)
                .pointer("/result/content")
                .sent(call.asked.seq),
            );
        }
    }
    let Some(tool) = tool.filter(|tool| tool.get("outputSchema").is_some()) else { return };
    let name = short(call.param("name").unwrap_or_default());
    judge.decide("tools.structured.present", content.is_some(), || {
        Breach::new(
            "absent",
            format!("`{name}` declares `outputSchema`, but its result has no `structuredContent`"),
        )
        .expected(&["a `structuredContent` member", "`isError: true`"])
        .actual("no such member")
        .at(moment.record)
        .pointer("/result")
        .sent(call.asked.seq)
    });
    let Some(content) = content else { return };
    match tool.output_conforms(content, call.revision) {
        Some(Ok(())) => judge.held("tools.structured.conforms"),
        Some(Err((place, why))) => judge.broke(
            "tools.structured.conforms",
            Breach::new(
                "mismatch",
                format!("the structured content of `{name}` does not conform to its `outputSchema`"),
            )
            .expected(&["a value that `outputSchema` allows"])
            .actual(why)
            .at(moment.record)
            .pointer(format!("/result/structuredContent{place}"))
            .sent(call.asked.seq),
        ),
        None => {
            let text = "the tool's `outputSchema` cannot be used";
            judge.undecided("tools.structured.conforms", "schema-unusable", text);
        }
    }
}

fn embedded_resources_need_the_capability(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "tools.content.embedded-needs-resources";
    let Some(call) = answered(moment).and_then(|answer| answer.to("tools/call")) else { return };
    let embedded = call.entries("content").find(|(_, block)| block["type"] == "resource");
    let (Some((pointer, _)), Some(_)) = (embedded, &moment.state.capabilities) else { return };
    judge.decide(ID, moment.state.declares("resources"), || {
        Breach::new("undeclared", "a tool result embeds a resource, but `resources` is not declared")
            .expected(&["the `resources` capability"])
            .actual("it is not declared")
            .at(moment.record)
            .pointer(pointer)
    });
}

fn short(text: &str) -> String {
    text.chars().take(100).collect()
}
