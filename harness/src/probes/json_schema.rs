//! Arguments under test that only one reading of a tool's schema refuses (basic/index#json-schema-usage).

use super::asking::Verdict;
use super::probe::probes;
use super::{Call, Stage, breach};
use crate::client::{Gone, Reply, Ticket};
use crate::generate::{Dialect, ValueGenerator};
use crate::monitors::Breach;
use crate::protocol::Revision;
use crate::wire::Taint;
use serde_json::{Map, Value, json};
use std::time::Duration;

probes! {
    /// Looks for arguments that a tool's schema refuses by its dialect's own key words alone (for 2020-12 `$defs`,
    /// `prefixItems`, `dependentRequired` and the like), calls the tool with them, and expects an error. A schema that
    /// declares no dialect is read as 2020-12.
    schemas_are_read_by_their_dialect (Breaking, Both, Any) decides
        ["json-schema.validated-by-dialect", "json-schema.default-dialect"];
    /// Calls tools whose schema combines schemas or refers to some, with arguments that are nested 60 levels deep and
    /// with a list of 500 entries: each call is answered within the time-out, and the server goes on serving.
    validation_is_bounded (Breaking, Modern, Any) decides ["json-schema.bounded-validation"];
}

/// How long a call may have taken to be repeated.
const QUICK: Duration = Duration::from_secs(1);
/// Pairs of an object and an array in each other; the readers of many servers stop at 128 levels.
const DEPTH: u32 = 30;
/// Entries of a long list.
const LENGTH: usize = 500;
/// How many tools are looked at.
const MOST_TOOLS: usize = 40;

/// Calls that worked soon and can be repeated, with the schema of their arguments.
fn good_calls(stage: &Stage<'_>) -> Vec<(Call, Value)> {
    let good = |call: &&Call| call.succeeded() && !call.asked_for_input && call.took < QUICK;
    let schema = |call: &Call| {
        let tool = stage.offer.tools.iter().find(|tool| tool["name"] == call.tool.as_str())?;
        Some((call.clone(), tool.get("inputSchema")?.clone()))
    };
    stage.offer.calls.iter().filter(good).filter_map(schema).take(MOST_TOOLS).collect()
}

/// Key words that came with 2019-09 and 2020-12, and those that they replaced.
const NEWER: &[&str] = &[
    "prefixItems",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedItems",
    "unevaluatedProperties",
    "minContains",
    "maxContains",
];
const OLDER: &[&str] = &["dependencies", "additionalItems"];

/// The schema without what belongs to one age of JSON Schema: its key words, and references into its definitions.
fn stripped(schema: &Value, words: &[&str], definitions: &str, depth: usize) -> Value {
    match schema {
        _ if depth == 0 => json!(true),
        Value::Object(members) => {
            let kept = |(name, value): (&String, &Value)| {
                let gone = words.contains(&name.as_str())
                    || (name == "$ref" && value.as_str().is_some_and(|to| to.starts_with(definitions)))
                    || (definitions == OLD_DEFINITIONS && name == "items" && value.is_array());
                (!gone).then(|| (name.clone(), stripped(value, words, definitions, depth - 1)))
            };
            Value::Object(members.iter().filter_map(kept).collect::<Map<_, _>>())
        }
        Value::Array(items) => {
            items.iter().map(|item| stripped(item, words, definitions, depth - 1)).collect()
        }
        plain => plain.clone(),
    }
}

const NEW_DEFINITIONS: &str = "#/$defs/";
const OLD_DEFINITIONS: &str = "#/definitions/";

/// Arguments that are wrong only by what belongs to the schema's dialect.
fn telling_arguments(schema: &Value, good: &Value) -> Option<Value> {
    let newer = match Dialect::declared(schema) {
        Ok(None | Some(Dialect::Draft2019 | Dialect::Draft2020)) => true,
        Ok(Some(_)) => false,
        Err(_) => return None,
    };
    let (words, definitions) = if newer { (NEWER, NEW_DEFINITIONS) } else { (OLDER, OLD_DEFINITIONS) };
    let without = stripped(schema, words, definitions, 100);
    if without == *schema {
        return None;
    }
    let (whole, without) = (ValueGenerator::new(schema.clone()).ok()?, ValueGenerator::new(without).ok()?);
    let good = good.as_object()?;
    let properties = schema.get("properties").and_then(Value::as_object)?;
    let values = [
        json!(7),
        json!("mcprove"),
        json!([7]),
        json!(["mcprove"]),
        json!([[]]),
        json!({}),
        json!({"mcprove": 7}),
    ];
    let mut candidates = Vec::new();
    for name in properties.keys().take(50) {
        for value in &values {
            let mut arguments = good.clone();
            arguments.insert(name.clone(), value.clone());
            candidates.push(Value::Object(arguments));
        }
        let mut arguments = good.clone();
        if arguments.remove(name).is_some() {
            candidates.push(Value::Object(arguments));
        }
    }
    candidates
        .into_iter()
        .find(|arguments| whole.judges(arguments) == Some(false) && without.judges(arguments) == Some(true))
}

async fn schemas_are_read_by_their_dialect(stage: &mut Stage<'_>) {
    const BY_DIALECT: &str = "json-schema.validated-by-dialect";
    const DEFAULT: &str = "json-schema.default-dialect";
    if stage.revision < Revision::V2025_11_25 {
        return;
    }
    for (call, schema) in good_calls(stage) {
        let Some(arguments) = telling_arguments(&schema, &call.arguments) else { continue };
        let params = json!({"name": call.tool, "arguments": arguments});
        let (ticket, reply) = stage.call_once(params, Some(Taint::Message)).await;
        let noticed = match Verdict::of(&reply) {
            Verdict::Nothing => continue,
            verdict => verdict != Verdict::Success,
        };
        let seen = || {
            let message = format!("`{}` took arguments that its schema refuses by its dialect", call.tool);
            breach("taken", message, &ticket, &reply)
                .quality()
                .expected(&["a result with `isError: true`", "error -32602 (invalid params)"])
                .pointer("/result")
        };
        stage.judge.decide(BY_DIALECT, noticed, seen);
        if schema.get("$schema").is_none() {
            stage.judge.decide(DEFAULT, noticed, || seen().see(BY_DIALECT));
        }
        if stage.talk.gone().is_some() {
            return;
        }
    }
    let text = "no tool that may be called has a schema that its dialect's own key words decide";
    for id in [BY_DIALECT, DEFAULT] {
        stage.judge.undecided(id, "no-such-tool", text);
    }
}

/// Whether a schema combines other schemas or refers to some.
fn combines(schema: &Value) -> bool {
    const WORDS: &[&str] = &["$ref", "anyOf", "oneOf", "allOf", "if", "not"];
    let mut open = vec![schema];
    let mut seen = 0;
    while let Some(value) = open.pop() {
        seen += 1;
        if seen > 20_000 {
            return true;
        }
        match value {
            Value::Object(members) if WORDS.iter().any(|word| members.contains_key(*word)) => return true,
            Value::Object(members) => open.extend(members.values()),
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    false
}

async fn validation_is_bounded(stage: &mut Stage<'_>) {
    const ID: &str = "json-schema.bounded-validation";
    const TOOLS: usize = 3;
    let calls: Vec<_> = good_calls(stage).into_iter().filter(|(_, schema)| combines(schema)).collect();
    if calls.is_empty() {
        return stage.judge.undecided(ID, "no-such-tool", "no tool that may be called combines schemas");
    }
    let deep = (0..DEPTH).fold(json!({}), |inner, _| json!({"mcprove": [inner]}));
    for (call, schema) in calls.into_iter().take(TOOLS) {
        let names =
            schema.get("properties").and_then(Value::as_object).map(|all| all.keys().cloned().collect());
        let names: Vec<String> = names.unwrap_or_default();
        for value in [deep.clone(), json!(vec![json!({"mcprove": 7}); LENGTH])] {
            let mut arguments = call.arguments.clone();
            for name in names.iter().take(3) {
                arguments[name.as_str()] = value.clone();
            }
            let params = json!({"name": call.tool, "arguments": arguments});
            let (ticket, reply) = stage.call_once(params, Some(Taint::Message)).await;
            judge_bounded(stage, ID, &call, &ticket, &reply).await;
            if stage.talk.gone().is_some() {
                return;
            }
        }
    }
}

async fn judge_bounded(stage: &mut Stage<'_>, id: &'static str, call: &Call, ticket: &Ticket, reply: &Reply) {
    if Verdict::of(reply).is_an_end() || matches!(reply, Reply::NoMessage(_)) {
        return stage.judge.held(id);
    }
    let busy = matches!(reply, Reply::Silence(_)) && stage.talk.gone().is_none();
    // What is dropped keeps nobody from serving others.
    if !busy || !matches!(stage.talk.canary().await, Reply::Silence(_) | Reply::Gone(Gone::Hangs)) {
        return stage.judge.undecided(
            id,
            "no-answer",
            format!("no usable answer came: {}", reply.describe()),
        );
    }
    stage.judge.broke(
        id,
        Breach::new("slow", format!("`{}` spends its time on arguments that are deep or long", call.tool))
            .expected(&["an answer within the time-out"])
            .reply(reply)
            .sent(ticket.since)
            .sent_on(ticket.channel),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_tell_dialects_apart() {
        let tuple = json!({"type": "object", "properties": {
            "pair": {"type": "array", "prefixItems": [{"type": "string"}]}}});
        assert_eq!(telling_arguments(&tuple, &json!({"pair": []})), Some(json!({"pair": [7]})));
        let named = json!({"type": "object", "$defs": {"n": {"type": "number"}},
            "properties": {"n": {"$ref": "#/$defs/n"}}});
        assert_eq!(telling_arguments(&named, &json!({})), Some(json!({"n": "mcprove"})));
        let depends = json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
            "properties": {"a": {}, "b": {}}, "dependencies": {"a": ["b"]}});
        assert_eq!(telling_arguments(&depends, &json!({})), Some(json!({"a": 7})));
        let plain = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
        assert_eq!(telling_arguments(&plain, &json!({"a": "b"})), None);
        assert_eq!(telling_arguments(&json!({"$schema": "urn:x", "$defs": {}}), &json!({})), None);
    }

    #[test]
    fn combined_schemas_are_known() {
        assert!(combines(&json!({"properties": {"a": {"anyOf": []}}})));
        assert!(!combines(&json!({"properties": {"a": {"type": "string"}}})));
    }
}
