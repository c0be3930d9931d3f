//! Tools that are called with more than one set of arguments: some results break what others keep.

use super::errands::give_up;

use super::probe::probes;
use super::tour::judge_failure;
use super::{Call, Stage};
use crate::client::{Reply, Ticket};
use crate::generate::{Mode, Seeded, ValueGenerator, unhurried};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How many tools are called again, and how often each.
const MOST_TOOLS: usize = 12;
const TIMES: u64 = 8;
/// A tool that took longer is not called again.
const QUICK: Duration = Duration::from_millis(400);
/// How long the calls of one tool are waited for, at least.
const AT_LEAST: Duration = Duration::from_millis(150);
/// How long all calls may take.
const BUDGET: Duration = Duration::from_secs(3);
/// How often arguments are drawn until they are others than before.
const DRAWS: usize = 4;

probes! {
    /// Calls each quick tool that has an `outputSchema` or says `readOnlyHint: true`, and does not say
    /// `destructiveHint: true`, eight times more with other valid arguments, at most twelve tools. The monitors judge the
    /// results: a result that fits the schema once need not fit it each time. That a tool failed is told by its result.
    results_fit_for_other_arguments (Clean, Both, Any) decides
        ["tools.structured.conforms", "tools.call.execution-error-in-result"];
}

/// Whether a schema names any argument.
fn takes_some(schema: &Value) -> bool {
    schema.get("properties").and_then(Value::as_object).is_some_and(|members| !members.is_empty())
}

/// Quick calls of tools that are not likely to change anything, with their input schemas.
fn repeatable(stage: &Stage<'_>) -> Vec<(Call, Value)> {
    let mut found = Vec::new();
    for call in &stage.offer.calls {
        if !call.succeeded() || call.asked_for_input || call.took > QUICK {
            continue;
        }
        let Some(tool) = stage.offer.tools.iter().find(|tool| tool["name"] == call.tool.as_str()) else {
            continue;
        };
        let hint = |name: &str| tool.pointer(&format!("/annotations/{name}")) == Some(&Value::Bool(true));
        if hint("destructiveHint") || !(hint("readOnlyHint") || tool.get("outputSchema").is_some()) {
            continue;
        }
        if let Some(schema) = tool.get("inputSchema").filter(|schema| takes_some(schema)) {
            found.push((call.clone(), schema.clone()));
        }
    }
    // Those that promise a structure come first.
    let promises = |call: &Call| {
        let tool = stage.offer.tools.iter().find(|tool| tool["name"] == call.tool.as_str());
        tool.is_some_and(|tool| tool.get("outputSchema").is_some())
    };
    found.sort_by_key(|(call, _)| !promises(call));
    found.truncate(MOST_TOOLS);
    found
}

/// The arguments with their numbers below zero, where the schema allows it.
fn negated(generator: &ValueGenerator, arguments: Value) -> Value {
    let mut other = arguments.clone();
    for value in other.as_object_mut().into_iter().flat_map(|members| members.values_mut()) {
        if let Some(number) = value.as_i64().filter(|number| *number > 0) {
            *value = json!(-number);
        } else if let Some(number) = value.as_f64().filter(|number| *number > 0.0) {
            *value = json!(-number);
        }
    }
    if generator.allows(&other) { other } else { arguments }
}

async fn send(stage: &mut Stage<'_>, tool: &str, arguments: &Value) -> Ticket {
    let outgoing = stage.compose_call(json!({"name": tool, "arguments": arguments}));
    stage.talk.send(outgoing).await
}

async fn results_fit_for_other_arguments(stage: &mut Stage<'_>) {
    let deadline = Instant::now() + BUDGET;
    for (call, schema) in repeatable(stage) {
        let Ok(mut generator) = ValueGenerator::new(schema.clone()) else { continue };
        let mut tickets: Vec<Ticket> = Vec::new();
        for turn in 0..TIMES {
            let mut seeded = Seeded::new(stage.settings.seed.wrapping_add(turn + 1));
            let mode = if turn % 4 == 3 { Mode::Minimal } else { Mode::Varied };
            let Ok(mut arguments) = generator.value(mode, &mut seeded) else { continue };
            if turn % 2 == 1 {
                arguments = negated(&generator, arguments);
            }
            tickets.push(send(stage, &call.tool, &arguments).await);
        }
        // What takes much longer than before was asked for by its arguments.
        let enough = (Instant::now() + (call.took * 4).max(AT_LEAST)).min(deadline);
        await_all(stage, &tickets, enough).await;
        if stage.talk.gone().is_some() || Instant::now() >= deadline {
            return;
        }
    }
}

/// Waits for the answers, for so long, and tells of tools that failed otherwise than by a result.
async fn await_all(stage: &mut Stage<'_>, tickets: &[Ticket], until: Instant) {
    for ticket in tickets {
        let left = until.saturating_duration_since(Instant::now());
        let reply = stage.talk.reply_within(ticket, left.max(Duration::from_millis(5))).await;
        match reply {
            Reply::Silence(_) => give_up(stage, ticket).await,
            _ => judge_failure(stage, ticket, &reply),
        }
    }
}

/// Quick calls of tools that may change something, with their input schemas.
fn changing(stage: &Stage<'_>) -> Vec<(Call, Value)> {
    let mut found = Vec::new();
    for call in &stage.offer.calls {
        let tool = stage.offer.tools.iter().find(|tool| tool["name"] == call.tool.as_str());
        let Some(tool) = tool.filter(|_| call.succeeded() && !call.asked_for_input && call.took < QUICK)
        else {
            continue;
        };
        let hint = |name: &str| tool.pointer(&format!("/annotations/{name}")) == Some(&Value::Bool(true));
        let schema = tool.get("inputSchema").filter(|schema| takes_some(schema));
        // It was called with the consent of the user, who was told what it does.
        if let Some(schema) = schema.filter(|_| !hint("readOnlyHint")) {
            found.push((call.clone(), schema.clone()));
        }
    }
    found.truncate(MOST_TOOLS);
    found
}

/// Calls each quick tool that may change something once more, with other valid arguments than before, and waits a moment
/// for the answers: what was added is not added a second time, and then nothing is announced either.
pub(super) async fn call_otherwise(stage: &mut Stage<'_>) {
    let mut tickets = Vec::new();
    for (call, schema) in changing(stage) {
        let Ok(mut generator) = ValueGenerator::new(schema.clone()) else { continue };
        let mut seeded = Seeded::new(stage.settings.seed.wrapping_add(1 + TIMES));
        let mut drawn = (0..DRAWS).filter_map(|_| generator.value(Mode::Varied, &mut seeded).ok());
        let Some(arguments) = drawn.find(|arguments| *arguments != call.arguments) else { continue };
        let arguments = unhurried(&call.tool, &generator, arguments);
        tickets.push(send(stage, &call.tool, &arguments).await);
    }
    await_all(stage, &tickets, Instant::now() + QUICK).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_below_zero_where_they_may() {
        let negate =
            |schema: Value, arguments: Value| negated(&ValueGenerator::new(schema).unwrap(), arguments);
        let free = json!({"properties": {"a": {"type": "number"}, "b": {"type": "integer"}}});
        assert_eq!(negate(free, json!({"a": 0.5, "b": 2, "c": "x"})), json!({"a": -0.5, "b": -2, "c": "x"}));
        let bound = json!({"properties": {"a": {"type": "number", "minimum": 0}}});
        assert_eq!(negate(bound, json!({"a": 1})), json!({"a": 1}));
    }
}
