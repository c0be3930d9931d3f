//! Calls that become tasks: which tools can, with what arguments, and how one is followed. Both eras.

use super::Stage;
use crate::client::{Reply, Ticket};
use crate::generate::{Seeded, valid_value};
use crate::protocol::catalogue::{Catalogue, Testable};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// The time to live that tasks are begun with, in milliseconds.
pub(super) const TTL: u64 = 60_000;
/// How long a task that should take long takes, where a tool can be told.
const SLOW: f64 = 1.5;

/// A tool that can be called as a task.
#[derive(Debug, Clone)]
pub(super) struct Able {
    pub(super) name: String,
    /// Whether it can be called without, too.
    pub(super) optional: bool,
    pub(super) arguments: Value,
    /// The result of the direct call, where it was called.
    pub(super) direct: Option<Value>,
    /// How long the direct call took.
    pub(super) direct_took: Option<Duration>,
    /// Arguments with which it takes about a second and a half, by the names of its parameters.
    pub(super) slow: Option<Value>,
}

/// The value of a parameter that says how long something takes, and whether it is the whole of it; `None` for others.
fn slow_value(name: &str, property: &Value) -> Option<(Value, bool)> {
    let name = name.to_ascii_lowercase();
    let whole = match property.get("type").and_then(Value::as_str) {
        Some("integer") => true,
        Some("number") => false,
        _ => return None,
    };
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let total = !has(&["interval", "step", "every"]);
    let in_time = has(&["second", "duration", "delay", "sleep", "wait", "time", "interval"]);
    let mut value = match () {
        () if has(&["milli", "_ms", "ms_"]) || name == "ms" => {
            if total {
                SLOW * 1000.0
            } else {
                400.0
            }
        }
        () if in_time => SLOW,
        () => return None,
    };
    if let Some(most) = property.get("maximum").and_then(Value::as_f64) {
        value = value.min(most);
    }
    if let Some(least) = property.get("minimum").and_then(Value::as_f64) {
        value = value.max(least);
    }
    #[expect(clippy::cast_possible_truncation, reason = "a few thousand at most, but for a strange minimum")]
    let value = if whole { json!(value.round() as i64) } else { json!(value) };
    Some((value, total))
}

/// Arguments with which a tool takes long, if its parameters tell how: with whether they set the whole time.
pub(super) fn slow_arguments(schema: &Value, arguments: &Value) -> Option<(Value, bool)> {
    let properties = schema.get("properties")?.as_object()?;
    let found = properties.iter().filter_map(|(name, property)| {
        let (value, total) = slow_value(name, property)?;
        let mut slow = arguments.clone();
        slow.as_object_mut()?.insert(name.clone(), value);
        Some((slow, total))
    });
    found.max_by_key(|(_, total)| *total)
}

/// The tools that may be called and can be as tasks, by what they say of themselves (2025-11-25); those that can be told
/// to take long first.
pub(super) fn able(stage: &Stage<'_>) -> Vec<Able> {
    let mut found: Vec<(u8, Able)> = Vec::new();
    for tool in &stage.offer.tools {
        let support = tool.pointer("/execution/taskSupport").and_then(Value::as_str);
        let optional = match support {
            Some("optional") => true,
            Some("required") => false,
            _ => continue,
        };
        let Some(name) = tool.get("name").and_then(Value::as_str) else { continue };
        if stage.settings.safety.may_call(tool).is_err() {
            continue;
        }
        let schema = tool.get("inputSchema").cloned().unwrap_or_else(|| json!({"type": "object"}));
        let call = stage.offer.calls.iter().find(|call| call.tool == name);
        let arguments = match call {
            Some(call) => call.arguments.clone(),
            None => match valid_value(&schema, &mut Seeded::new(stage.settings.seed)) {
                Ok(arguments) => arguments,
                Err(_) => continue,
            },
        };
        let direct = call.and_then(|call| call.result.clone());
        let direct_took = call.map(|call| call.took);
        let slow = slow_arguments(&schema, &arguments);
        let rank = match &slow {
            Some((_, true)) => 0,
            Some((_, false)) => 1,
            None => 2,
        };
        let slow = slow.map(|(slow, _)| slow);
        found.push((rank, Able { name: name.to_owned(), optional, arguments, direct, direct_took, slow }));
    }
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, able)| able).collect()
}

/// The id of the task that a call became.
pub(super) fn task_of(reply: &Reply) -> Option<String> {
    let result = reply.result()?;
    let id = match result.pointer("/task/taskId") {
        Some(id) => id,
        None => result.get("taskId").filter(|_| result["resultType"] == "task")?,
    };
    id.as_str().map(str::to_owned)
}

/// The status in an answer to `tasks/get` or `tasks/cancel`.
pub(super) fn status_of(reply: &Reply) -> Option<&str> {
    reply.result()?.get("status")?.as_str()
}

impl Stage<'_> {
    /// Sends a call that asks to become a task (2025-11-25).
    pub(super) async fn send_task(
        &mut self,
        name: &str,
        arguments: &Value,
        task: Value,
        token: Option<&str>,
    ) -> Ticket {
        let mut params = json!({"name": name, "arguments": arguments, "task": task});
        if let Some(token) = token {
            params["_meta"] = json!({"progressToken": token});
        }
        let outgoing = self.compose_call(params);
        self.talk.send(outgoing).await
    }

    /// Makes a task of a call (2025-11-25); its id, if it became one.
    pub(super) async fn begin_task(
        &mut self,
        name: &str,
        arguments: &Value,
        token: Option<&str>,
    ) -> Option<String> {
        let ticket = self.send_task(name, arguments, json!({"ttl": TTL}), token).await;
        let reply = self.talk.reply(&ticket).await;
        let id = task_of(&reply)?;
        self.offer.tasks.push(id.clone());
        Some(id)
    }

    /// `tasks/get`, `tasks/result` or `tasks/cancel` of a task (2025-11-25).
    pub(super) async fn of_task(&mut self, method: &str, id: &str) -> (Ticket, Reply) {
        self.request(method, json!({"taskId": id})).await
    }

    /// Asks for the status of a task until it is one of these or time is up; the last answer.
    pub(super) async fn await_status(
        &mut self,
        id: &str,
        wanted: &[&str],
        time: Duration,
    ) -> (Ticket, Reply) {
        let deadline = Instant::now() + time;
        loop {
            let seen = self.of_task("tasks/get", id).await;
            let reached = status_of(&seen.1).is_none_or(|status| wanted.contains(&status));
            if reached || Instant::now() >= deadline {
                return seen;
            }
            self.talk.idle(LOOK).await;
        }
    }

    /// How long after something was sent its answer came.
    pub(super) fn answered_after(&self, ticket: &Ticket, reply: &Reply) -> Option<Duration> {
        let sent = self.talk.recorder().get(usize::try_from(ticket.since).ok()?)?;
        Some(reply.answer()?.record.at.saturating_sub(sent.at))
    }

    /// Says of rows that they could not be decided.
    pub(super) fn leave_open(&mut self, ids: &[&'static str], code: &str, text: &str) {
        for id in ids {
            self.judge.undecided(id, code, text);
        }
    }

    /// Says of all conditional rows of an area that they do not apply, but for those named.
    pub(super) fn area_does_not_apply(&mut self, area: &str, but: &[&str], text: &str) {
        for row in Catalogue::get().iter() {
            if row.area == area && row.testable == Testable::Conditional && !but.contains(&row.id.as_str()) {
                self.judge.not_applicable(&row.id, "not-declared", text);
            }
        }
    }
}

/// The pause between two looks at a task.
pub(super) const LOOK: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_told_to_take_long() {
        let schema = json!({"properties": {
            "label": {"type": "string"}, "seconds": {"type": "number", "maximum": 600},
            "interval_ms": {"type": "integer", "maximum": 1000}}});
        assert_eq!(slow_arguments(&schema, &json!({})), Some((json!({"seconds": 1.5}), true)));
        let schema = json!({"properties": {"interval_ms": {"type": "integer", "maximum": 1000}, "n": {"type": "integer"}}});
        assert_eq!(
            slow_arguments(&schema, &json!({"n": 3})),
            Some((json!({"n": 3, "interval_ms": 400}), false))
        );
        assert_eq!(slow_arguments(&json!({"properties": {"timeout": {"type": "string"}}}), &json!({})), None);
    }
}
