//! Tools that are called with more than one set of arguments: some results break what others keep.

use super::errands::give_up;
use super::probe::probes;
use super::{Call, Stage};
use crate::client::headers::mirrored_arguments;
use crate::client::{Outgoing, Reply, Ticket};
use crate::generate::{Mode, Seeded, ValueGenerator};
use crate::protocol::{Era, Transport};
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

probes! {
    /// Calls each quick tool that has an `outputSchema` or says `readOnlyHint: true`, and does not say
    /// `destructiveHint: true`, eight times more with other valid arguments, at most twelve tools. The monitors judge the
    /// results: a result that fits the schema once need not fit it each time.
    results_fit_for_other_arguments (Clean, Both, Any) decides ["tools.structured.conforms"];
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
        let takes_some = |schema: &&Value| {
            schema.get("properties").and_then(Value::as_object).is_some_and(|members| !members.is_empty())
        };
        if let Some(schema) = tool.get("inputSchema").filter(takes_some) {
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

async fn results_fit_for_other_arguments(stage: &mut Stage<'_>) {
    let over_http = stage.era() == Era::Modern && stage.transport() == Transport::Http;
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
            let mut outgoing: Outgoing =
                stage.talk.compose("tools/call", json!({"name": call.tool, "arguments": arguments}));
            if over_http {
                outgoing.mirrored = mirrored_arguments(&schema, &arguments);
            }
            tickets.push(stage.talk.send(outgoing).await);
        }
        // What takes much longer than before was asked for by its arguments.
        let enough = (Instant::now() + (call.took * 4).max(AT_LEAST)).min(deadline);
        for ticket in &tickets {
            let left = enough.saturating_duration_since(Instant::now());
            let reply = stage.talk.reply_within(ticket, left.max(Duration::from_millis(5))).await;
            if matches!(reply, Reply::Silence(_)) {
                give_up(stage, ticket).await;
            }
        }
        if stage.talk.gone().is_some() || Instant::now() >= deadline {
            return;
        }
    }
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
