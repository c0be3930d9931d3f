//! Faults of tasks (2025-11-25).

use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::edit::{at, is, items, put};
use crate::faults::fault::{Fault, HTTP, STDIO, V2025_11, fault};
use crate::faults::hook::Hook::{
    Answer, Event, HttpRequest, Intercept, Line, Neglect, Notify, Request, Result,
};
use crate::faults::hook::{Asked, Instead, Memory};
use crate::faults::tasks_told::{event, line};
use crate::message::{INTERNAL_ERROR, METHOD_NOT_FOUND, Object, Reply};

pub(super) const RELATED: &str = "io.modelcontextprotocol/related-task";

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "tasks.capability.declared/hidden",
        "Calls become tasks and the capability is not declared.",
        &[Result("initialize", |_, result| hide(result))],
    )
    .breaking(&["tasks.undeclared.ignored"])
    .within(V2025_11),
    fault(
        "tasks.capability.shape/flags",
        "The parts of the capability are flags.",
        &[Result("initialize", |_, result| put(result, &["capabilities", "tasks", "cancel"], true))],
    )
    .within(V2025_11),
    fault(
        "tasks.capability.exhaustive/lists",
        "A list becomes a task when it is asked to.",
        &[Intercept(|asked| {
            let augmented = asked.method.ends_with("/list") && asked.params.contains_key("task");
            augmented.then(|| Instead::result(&json!({"task": made_up("0123456789abcdef")})))
        })],
    )
    .also_seen(&["tools.list.result-shape", "versioning.negotiated-version-respected"])
    .within(V2025_11),
    fault(
        "tasks.capability.list-flag/unknown",
        "The list of tasks is declared and unknown.",
        &[Intercept(|asked| asked.is("tasks/list").then(|| Instead::error(METHOD_NOT_FOUND, "Method not found: tasks/list")))],
    )
    .also_seen(&["tasks.list.invalid-cursor"])
    .over(STDIO)
    .within(V2025_11),
    fault(
        "tasks.capability.cancel-flag/unknown",
        "Cancelling tasks is declared and unknown.",
        &[Intercept(|asked| asked.is("tasks/cancel").then(|| Instead::error(METHOD_NOT_FOUND, "Method not found: tasks/cancel")))],
    )
    .also_seen(&["tasks.cancel.terminal-error", "tasks.errors.unknown-id"])
    .within(V2025_11),
    fault(
        "tasks.undeclared.ignored/refused",
        "There are no tasks, and calls with `task` get an internal error (https://github.com/modelcontextprotocol/typescript-sdk).",
        &[
            Result("initialize", |_, result| hide(result)),
            Intercept(|asked| {
                if asked.method.starts_with("tasks/") {
                    return Some(Instead::error(METHOD_NOT_FOUND, "Method not found"));
                }
                let augmented = asked.is("tools/call") && asked.params.contains_key("task");
                augmented.then(|| Instead::error(INTERNAL_ERROR, "Internal error: there is no task store"))
            }),
        ],
    )
    .within(V2025_11),
    fault(
        "tasks.tool.forbidden-error/served",
        "A tool that cannot be a task is called at once, though it was to be one.",
        &[Request(|_, request| {
            let name = request.params.get("name").and_then(Value::as_str).unwrap_or_default();
            if request.method == "tools/call" && !ABLE.contains(&name) {
                request.params.remove("task");
            }
        })],
    )
    .within(V2025_11),
    fault(
        "tasks.tool.required-error/served",
        "Tools that have to be tasks are called at once.",
        &[Intercept(|asked| {
            let must = REQUIRED.contains(&asked.text("name"));
            let direct = asked.is("tools/call") && must && !asked.params.contains_key("task");
            direct.then(|| Instead::result(&json!({"content": [{"type": "text", "text": "Done."}]})))
        })],
    )
    .within(V2025_11),
    fault(
        "tasks.tool.optional-both/never-a-task",
        "A tool that may be a task is refused as one.",
        &[Intercept(|asked| {
            let refused = asked.text("name") == "slow_compute" && asked.params.contains_key("task");
            refused.then(|| Instead::error(METHOD_NOT_FOUND, "Method not found: this tool cannot run as a task"))
        })],
    )
    .within(V2025_11),
    fault(
        "tasks.create.result/direct",
        "A call that asks to become a task gets its result at once.",
        &[Request(|_, request| {
            let name = request.params.get("name").and_then(Value::as_str).unwrap_or_default();
            if request.method == "tools/call" && ABLE.contains(&name) && !REQUIRED.contains(&name) {
                request.params.remove("task");
            }
        })],
    )
    .within(V2025_11),
    fault(
        "tasks.create.prompt/at-the-end",
        "A call is answered with its task when the work is done.",
        &[Neglect(Duty::TasksAnsweredAtOnce)],
    )
    .within(V2025_11),
    fault(
        "tasks.create.no-operation-result/content",
        "The answer that names the task has content, too.",
        &[Result("tools/call", |_, result| {
            if result.contains_key("task") {
                result.insert("content".into(), json!([]));
            }
        })],
    )
    .warning_in(V2025_11)
    .within(V2025_11),
    fault(
        "tasks.create.status-working/waiting",
        "Tasks begin as if they waited for input.",
        &[Result("tools/call", |_, result| put(result, &["task", "status"], "input_required"))],
    )
    .warning_in(V2025_11)
    .within(V2025_11),
    fault(
        "tasks.id.string/number",
        "New tasks have a number for an id.",
        &[Result("tools/call", |_, result| put(result, &["task", "taskId"], 7))],
    )
    .also_seen(&["progress.stops-after-completion", "tasks.notify.shape"])
    .within(V2025_11),
    fault(
        "tasks.id.receiver-generated/adopted",
        "The client may choose the id of a task.",
        &[Result("tools/call", |asked, result| {
            let chosen = asked.params.get("task").and_then(|task| task.get("taskId"));
            if let Some(chosen) = chosen.or(asked.params.get("taskId")) {
                put(result, &["task", "taskId"], chosen.clone());
            }
        })],
    )
    .also_seen(&["tasks.notify.shape"])
    .within(V2025_11),
    fault(
        "tasks.id.unique/last-but-one",
        "Every third new task has the id of the one before.",
        &[Result("tools/call", |asked, result| {
            if let Some(id) = at(result, &["task"]).and_then(|task| task.get("taskId").cloned()) {
                let before = asked.memory.keep(id);
                if let Some(before) = before.filter(|_| asked.memory.count() % 3 == 2) {
                    put(result, &["task", "taskId"], before);
                }
            }
        })],
    )
    .also_seen(&[
        "tasks.related-task.everywhere", "tasks.related-task.nested", "tasks.input-required.related-task",
        "tasks.notify.shape", "tasks.status.terminal-final", "tasks.status.transitions", "tasks.list.complete",
        "tasks.fields.created-at", "tasks.fields.last-updated-at", "tasks.result.same-as-direct",
        "tasks.result.blocks", "tasks.cancel.sticky",
    ])
    .within(V2025_11),
    fault(
        "tasks.id.secure/times",
        "The id of a task is the time of its beginning.",
        &[Neglect(Duty::TaskIdsRandom)],
    )
    .over(HTTP)
    .warning_in(V2025_11)
    .within(V2025_11),
    fault(
        "tasks.status.known/running",
        "A task that works says that it runs.",
        &[Result("tasks/get", |_, task| swap(task, "status", "working", "running"))],
    )
    .within(V2025_11),
    fault(
        "tasks.status.terminal-final/fails-later",
        "A completed task is failed when it is asked for again.",
        &[Result("tasks/get", |asked, task| {
            if is(task, "status", "completed") && remember(asked, "completed", asked.text("taskId")) {
                put(task, &["status"], "failed");
                put(task, &["statusMessage"], "It has failed after all.");
            }
        })],
    )
    .breaking(&["tasks.status.transitions"])
    .within(V2025_11),
    fault(
        "tasks.status.failed-for-error-result/completed",
        "A task whose tool failed is completed.",
        &[
            Result("tasks/get", |_, task| complete(task)),
            Result("tasks/list", |_, result| items(result, "tasks").for_each(complete)),
            Line(|_, bytes| line(bytes, "notifications/tasks/status", complete)),
            Event(|_, text| event(text, "notifications/tasks/status", complete)),
        ],
    )
    .within(V2025_11),
    fault(
        "tasks.status.failure-message/silent",
        "A failed task does not say why.",
        &[Result("tasks/get", |_, task| {
            if is(task, "status", "failed") {
                task.remove("statusMessage");
            }
        })],
    )
    .within(V2025_11),
    fault(
        "tasks.input-required.entered/working",
        "A task that waits for its client says that it works.",
        &[Result("tasks/get", |_, task| swap(task, "status", "input_required", "working"))],
    )
    .within(V2025_11),
    fault(
        "tasks.input-required.left/stuck",
        "A task goes on waiting when it has been answered.",
        &[Neglect(Duty::TasksTakeAnswers)],
    )
    .within(V2025_11),
    fault(
        "tasks.input-required.related-task/absent",
        "Questions of a task do not name it.",
        &[
            Line(|_, bytes| line(bytes, "elicitation/create", |params| drop(params.remove("_meta")))),
            Event(|_, text| event(text, "elicitation/create", |params| drop(params.remove("_meta")))),
        ],
    )
    .breaking(&["tasks.related-task.nested", "tasks.related-task.everywhere"])
    .within(V2025_11),
    fault(
        "tasks.related-task.nested/other",
        "Questions of a task name another one.",
        &[
            Line(|_, bytes| line(bytes, "elicitation/create", |params| put(params, &["_meta", RELATED, "taskId"], "other"))),
            Event(|_, text| event(text, "elicitation/create", |params| put(params, &["_meta", RELATED, "taskId"], "other"))),
        ],
    )
    .breaking(&["tasks.input-required.related-task", "tasks.related-task.everywhere"])
    .within(V2025_11),
    fault(
        "tasks.fields.created-at/epoch",
        "The beginning of a task is a number of seconds.",
        &[Result("tasks/get", |_, task| put(task, &["createdAt"], "1764066600"))],
    )
    .within(V2025_11),
    fault(
        "tasks.fields.last-updated-at/left-out",
        "A task does not say when it was updated.",
        &[Result("tasks/get", |_, task| {
            task.remove("lastUpdatedAt");
        })],
    )
    .within(V2025_11),
    fault(
        "tasks.fields.ttl/text",
        "The time to live of a task is a text.",
        &[Result("tasks/get", |_, task| put(task, &["ttl"], "60 s"))],
    )
    .within(V2025_11),
    fault(
        "tasks.get.shape/nested",
        "The task that is asked for stands in a member of its own.",
        &[Result("tasks/get", |_, task| {
            let own = std::mem::take(task);
            task.insert("task".into(), own.into());
        })],
    )
    .within(V2025_11),
    fault(
        "tasks.get.no-sse/streams",
        "Every request is answered on an event stream.",
        &[HttpRequest(|_, request| {
            let streams = hyper::header::HeaderValue::from_static("text/event-stream, application/json");
            request.headers_mut().insert(hyper::header::ACCEPT, streams);
            None
        })],
    )
    .also_seen(&["http.resume.event-id-unique"])
    .over(HTTP)
    .within(V2025_11),
    fault(
        "tasks.result.terminal/lost",
        "The result of a completed task is lost.",
        &[
            Result("tasks/get", |asked, task| {
                if is(task, "status", "completed") {
                    remember(asked, "completed", asked.text("taskId"));
                }
            }),
            Intercept(|asked| {
                let lost = asked.is("tasks/result") && remembers(asked, "completed", asked.text("taskId"));
                lost.then(|| Instead::error(INTERNAL_ERROR, "Internal error: the result is lost"))
            }),
        ],
    )
    .within(V2025_11),
    fault(
        "tasks.result.blocks/early",
        "The result of a task that goes on is empty.",
        &[
            Result("tasks/get", |asked, task| {
                if !is(task, "status", "working") && !is(task, "status", "input_required") {
                    remember(asked, "over", asked.text("taskId"));
                }
            }),
            Intercept(|asked| {
                let id = asked.text("taskId");
                let early = asked.is("tasks/result") && id.len() == 32 && !remembers(asked, "over", id);
                early.then(|| Instead::result(&json!({"content": [], "_meta": {RELATED: {"taskId": id}}})))
            }),
        ],
    )
    // Whoever asks early is answered, the owner or not.
    .also_seen(&["tasks.isolation.bound", "tasks.isolation.foreign-refused"])
    .within(V2025_11),
    fault(
        "tasks.result.same-as-direct/reworded",
        "A result is worded otherwise when it comes from a task.",
        &[Result("tasks/result", |_, result| {
            if is_success(result) {
                result.insert("content".into(), json!([{"type": "text", "text": "The task is done."}]));
            }
        })],
    )
    .within(V2025_11),
    fault(
        "tasks.result.error-passthrough/success",
        "A protocol error of a task comes out as a result.",
        &[Answer(|asked, answer| {
            let error = answer.as_ref().err().filter(|error| error.code == INTERNAL_ERROR);
            if let Some(error) = error.filter(|_| asked.is("tasks/result")) {
                let meta = json!({RELATED: {"taskId": asked.text("taskId")}});
                let content = json!([{"type": "text", "text": error.message}]);
                *answer = Ok(Reply::Text(json!({"content": content, "_meta": meta}).to_string()));
            }
        })],
    )
    .within(V2025_11),
    fault(
        "tasks.result.related-task/absent",
        "The result of a task does not name it.",
        &[Result("tasks/result", |_, result| {
            result.remove("_meta");
        })],
    )
    .within(V2025_11),
    fault(
        "tasks.related-task.everywhere/progress",
        "Progress of a task does not name it.",
        &[Notify(|_, mut notification| {
            if notification["method"] == "notifications/progress" {
                notification["params"].as_object_mut().map(|params| params.remove("_meta"));
            }
            vec![notification]
        })],
    )
    .within(V2025_11),
    fault(
        "tasks.related-task.param-wins/metadata",
        "The metadata says which task is meant.",
        &[Request(|_, request| {
            let named = request.params.get("_meta").and_then(|meta| meta.get(RELATED)?.get("taskId").cloned());
            if let Some(named) = named.filter(|_| request.method == "tasks/get") {
                request.params.insert("taskId".into(), named);
            }
        })],
    )
    .within(V2025_11),
    fault(
        "tasks.related-task.not-in-task-results/named-twice",
        "The answer to a poll has the metadata of its task, too.",
        &[Result("tasks/get", |asked, task| {
            task.insert("_meta".into(), json!({RELATED: {"taskId": asked.text("taskId")}}));
        })],
    )
    .within(V2025_11),
];

/// The tools that can be tasks, and those that have to be.
const ABLE: &[&str] = &[
    "slow_compute",
    "countdown",
    "confirm_delete",
    "multi_input",
    "failing_job",
    "protocol_error_job",
    "test_tool_with_task",
];
const REQUIRED: &[&str] = &["failing_job", "protocol_error_job", "test_tool_with_task"];

fn hide(result: &mut Object) {
    if let Some(capabilities) = at(result, &["capabilities"]) {
        capabilities.remove("tasks");
    }
}

/// A task that there is not.
fn made_up(id: &str) -> Value {
    let now = "2025-11-25T00:00:00Z";
    json!({"taskId": id, "status": "working", "createdAt": now, "lastUpdatedAt": now, "ttl": 1000})
}

/// Puts one text in the place of another.
pub(super) fn swap(object: &mut Object, member: &str, from: &str, to: &str) {
    if is(object, member, from) {
        put(object, &[member], to);
    }
}

/// Completes a task whose tool failed; not one that ended in a protocol error.
fn complete(task: &mut Object) {
    let of_tool =
        task.get("statusMessage").and_then(Value::as_str).is_some_and(|text| text.contains("always does"));
    if of_tool {
        swap(task, "status", "failed", "completed");
    }
}

fn is_success(result: &Object) -> bool {
    result.get("isError") != Some(&Value::Bool(true))
}

/// Notes a word about a task; whether it was noted before.
pub(super) fn note(memory: &Memory, word: &str, id: &str) -> bool {
    let mut kept = memory.kept().unwrap_or_else(|| json!({}));
    let before = !kept[word][id].is_null();
    kept[word][id] = true.into();
    memory.keep(kept);
    before
}

pub(super) fn remember(asked: &Asked, word: &str, id: &str) -> bool {
    note(asked.memory, word, id)
}

pub(super) fn remembers(asked: &Asked, word: &str, id: &str) -> bool {
    asked.memory.kept().is_some_and(|kept| kept[word][id] == true)
}
