//! Faults of what is told of tasks (2025-11-25), and how messages are changed on their way out.

use serde_json::{Value, json};

use crate::faults::edit::message;
use crate::faults::fault::{Fault, V2025_11, fault};
use crate::faults::hook::Hook::{Event, Line};
use crate::faults::tasks::RELATED;
use crate::message::Object;

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "tasks.notify.shape/status-only",
        "A notification has no more of a task than its id and its status.",
        &[
            Line(|_, bytes| line(bytes, STATUS, |params| params.retain(|name, _| is_core(name)))),
            Event(|_, text| event(text, STATUS, |params| params.retain(|name, _| is_core(name)))),
        ],
    )
    .within(V2025_11),
    fault(
        "tasks.notify.no-related-task/named-twice",
        "A notification of a status has the metadata of its task, too.",
        &[Line(|_, bytes| line(bytes, STATUS, name_twice)), Event(|_, text| event(text, STATUS, name_twice))],
    )
    .within(V2025_11),
];

const STATUS: &str = "notifications/tasks/status";

fn is_core(name: &str) -> bool {
    matches!(name, "taskId" | "status")
}

fn name_twice(params: &mut Object) {
    let id = params.get("taskId").cloned().unwrap_or_default();
    params.insert("_meta".into(), json!({RELATED: {"taskId": id}}));
}

/// The parameters of a message with this method, changed.
fn changed(text: &str, method: &str, change: impl FnOnce(&mut Object)) -> Option<String> {
    let mut found = false;
    let text = message(text, |message| {
        if message.get("method").and_then(Value::as_str) == Some(method)
            && let Some(Value::Object(params)) = message.get_mut("params")
        {
            change(params);
            found = true;
        }
    });
    found.then_some(text)
}

/// A line of output, its message changed if it has this method.
pub(super) fn line(bytes: Vec<u8>, method: &str, change: impl FnOnce(&mut Object)) -> Vec<u8> {
    let changed = std::str::from_utf8(&bytes).ok().and_then(|text| changed(text.trim_end(), method, change));
    changed.map_or(bytes, |text| format!("{text}\n").into_bytes())
}

/// An event of a stream, its message changed if it has this method.
pub(super) fn event(text: String, method: &str, change: impl FnOnce(&mut Object)) -> String {
    let data = text.lines().find_map(|line| line.strip_prefix("data: "));
    let Some(data) = data else { return text };
    match changed(data, method, change) {
        Some(new) => text.replacen(data, &new, 1),
        None => text,
    }
}
