//! Faults of lists, cancellations and limits of tasks (2025-11-25).

use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::edit::{at, put};
use crate::faults::fault::{Fault, HTTP, STDIO, V2025_11, fault};
use crate::faults::hook::Hook::{Answer, Event, Intercept, Line, Neglect, Refusal, Request, Result};
use crate::faults::hook::{Instead, Memory};
use crate::faults::tasks::{note, remembers, swap};
use crate::faults::tasks_told::{event, line};
use crate::message::{INTERNAL_ERROR, INVALID_PARAMS, Reply};

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "tasks.list.shape/by-id",
        "Listed tasks have no members but their id.",
        &[Result("tasks/list", |_, result| {
            result.insert("tasks".into(), json!({}));
        })],
    )
    .also_seen(&["tasks.list.complete", "tasks.list.next-cursor"])
    .over(STDIO)
    .within(V2025_11),
    fault(
        "tasks.list.paginated/crowded",
        "Hundreds of tasks are listed at once.",
        &[Result("tasks/list", |_, result| {
            if let Some(Value::Array(tasks)) = result.get_mut("tasks") {
                *tasks = tasks.iter().cycle().take(tasks.len() * 60).cloned().collect();
            }
        })],
    )
    .over(STDIO)
    .within(V2025_11),
    fault(
        "tasks.list.next-cursor/never",
        "The list of tasks ends after its first page.",
        &[Result("tasks/list", |_, result| {
            result.remove("nextCursor");
        })],
    )
    .breaking(&["tasks.list.complete"])
    .over(STDIO)
    .within(V2025_11),
    fault(
        "tasks.list.complete/running-only",
        "Tasks that have ended are not listed.",
        &[Result("tasks/list", |_, result| {
            if let Some(Value::Array(tasks)) = result.get_mut("tasks") {
                tasks.retain(|task| task["status"] == "working" || task["status"] == "input_required");
            }
        })],
    )
    .breaking(&["tasks.list.next-cursor"])
    .over(STDIO)
    .within(V2025_11),
    fault(
        "tasks.list.invalid-cursor/empty-page",
        "An unknown cursor leads to an empty page.",
        &[Answer(|asked, answer| {
            if asked.is("tasks/list") && answer.is_err() {
                *answer = Ok(Reply::Text(r#"{"tasks":[]}"#.to_owned()));
            }
        })],
    )
    .over(STDIO)
    .within(V2025_11),
    fault(
        "tasks.cancel.to-cancelled/working",
        "A task is still at work when its cancellation is answered.",
        &[Result("tasks/cancel", |_, task| put(task, &["status"], "working"))],
    )
    .within(V2025_11),
    fault(
        "tasks.cancel.stops-work/runs-on",
        "The work of a cancelled task goes on.",
        &[Neglect(Duty::CancelledTasksStop)],
    )
    .also_seen(&["progress.task.stops-at-terminal"])
    .over(STDIO)
    .within(V2025_11),
    fault(
        "tasks.cancel.sticky/completed",
        "A cancelled task is completed later.",
        &[Result("tasks/get", |_, task| swap(task, "status", "cancelled", "completed"))],
    )
    .breaking(&["tasks.status.terminal-final", "tasks.status.transitions"])
    .within(V2025_11),
    fault(
        "tasks.cancel.terminal-error/other-code",
        "Cancelling a task that is over gets an internal error.",
        &[Refusal("tasks/cancel", |_, error| {
            if error.message.contains("already") {
                error.code = INTERNAL_ERROR;
            }
        })],
    )
    .within(V2025_11),
    fault(
        "tasks.errors.unknown-id/other-code",
        "Asking for a task that there is not gets an internal error.",
        &[Refusal("tasks/get", |_, error| error.code = INTERNAL_ERROR)],
    )
    .within(V2025_11),
    fault(
        "tasks.errors.informative/bare",
        "Errors about tasks say that there is an error.",
        &[
            Refusal("tasks/get", |_, error| "Error".clone_into(&mut error.message)),
            Refusal("tasks/list", |_, error| "Error".clone_into(&mut error.message)),
        ],
    )
    .within(V2025_11),
    fault(
        "tasks.isolation.no-list-when-anonymous/listed",
        "Tasks are listed for clients that nobody knows.",
        &[Neglect(Duty::TasksListedForKnownClients)],
    )
    .where_anonymous()
    .over(HTTP)
    .within(V2025_11),
    fault(
        "tasks.limits.max-ttl/any",
        "A task is kept for as long as its client likes.",
        &[Result("tools/call", |asked, result| {
            if let Some(ttl) = asked.params.get("task").and_then(|task| task.get("ttl")) {
                put(result, &["task", "ttl"], ttl.clone());
            }
        })],
    )
    .also_seen(&["tasks.limits.cleanup"])
    .within(V2025_11),
    fault(
        "tasks.limits.cleanup/stays",
        "A task is there long after its time.",
        &[
            Result("tools/call", |asked, result| {
                let brief = at(result, &["task"])
                    .filter(|task| task.get("ttl").and_then(Value::as_u64) == Some(1000));
                if let Some(task) = brief {
                    asked.memory.keep(task.clone().into());
                }
            }),
            Answer(|asked, answer| {
                let stays = asked.memory.kept().filter(|task| task["taskId"] == asked.text("taskId"));
                if let Some(mut task) = stays.filter(|_| asked.is("tasks/get") && answer.is_err()) {
                    task["status"] = "completed".into();
                    task["lastUpdatedAt"] = jiff::Timestamp::now().to_string().into();
                    *answer = Ok(Reply::Text(task.to_string()));
                }
            }),
        ],
    )
    .within(V2025_11),
    fault(
        "tasks.transport-rules-kept/gone-with-its-reader",
        "A task whose result was asked for is gone until the result has been sent.",
        &[
            Request(|memory, request| {
                let id = request.params.get("taskId").and_then(Value::as_str);
                if let Some(id) = id.filter(|_| request.method == "tasks/result") {
                    note(memory, "awaited", id);
                }
            }),
            Intercept(|asked| {
                let gone = asked.is("tasks/get") && remembers(asked, "awaited", asked.text("taskId"));
                gone.then(|| Instead::error(INVALID_PARAMS, "Invalid params: there is no such task"))
            }),
            Answer(|asked, _| {
                if asked.is("tasks/result") {
                    forget(asked.memory, "awaited", asked.text("taskId"));
                }
            }),
        ],
    )
    .over(HTTP)
    .within(V2025_11),
    fault(
        "tasks.requestor.only-declared/augmented",
        "Questions to the client are to become tasks, which it did not declare.",
        &[
            Line(|_, bytes| {
                line(bytes, "elicitation/create", |params| put(params, &["task"], json!({"ttl": 60_000})))
            }),
            Event(|_, text| {
                event(text, "elicitation/create", |params| put(params, &["task"], json!({"ttl": 60_000})))
            }),
        ],
    )
    .within(V2025_11),
];

/// Takes back what was noted about a task.
fn forget(memory: &Memory, word: &str, id: &str) {
    let mut kept = memory.kept().unwrap_or_else(|| json!({}));
    kept[word][id] = Value::Null;
    memory.keep(kept);
}
