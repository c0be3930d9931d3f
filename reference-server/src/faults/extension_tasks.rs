//! Faults of the tasks extension (2026-07-28).

use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::edit::{at, is, put};
use crate::faults::fault::{Fault, HTTP, MODERN, STDIO, fault};
use crate::faults::hook::Hook::{
    Answer, Forgive, Input, Intercept, Neglect, Notified, Notify, Refusal, Result,
};
use crate::faults::hook::Input::{Changed, Pass};
use crate::faults::hook::Instead;
use crate::faults::tasks::{note, remember, remembers, swap};
use crate::message::{
    HEADER_MISMATCH, INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, MISSING_CLIENT_CAPABILITY, Object,
    Reply,
};

const EXTENSION: &str = "io.modelcontextprotocol/tasks";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "extension-tasks.advertised/hidden",
        "The extension is served and not advertised.",
        &[Result("server/discover", |_, result| {
            at(result, &["capabilities", "extensions"]).map(|extensions| extensions.remove(EXTENSION));
        })],
    )
    .also_seen(&["base.result-type.known"])
    .within(MODERN),
    fault(
        "extension-tasks.create.declared-clients-only/all",
        "Calls become tasks for every client.",
        &[Input(|_, bytes| declare(bytes, |_| true))],
    )
    .also_seen(&[
        "extension-tasks.legacy.client-capability-insufficient",
        "base.result-type.extension-only-when-declared",
        "base.result-type.known",
    ])
    .within(MODERN),
    fault(
        "extension-tasks.create.undeclared-required-error/internal",
        "A call that has to become a task gets an internal error where the client does not know tasks.",
        &[Refusal("tools/call", |_, error| {
            let of_tasks = error.data.as_ref().is_some_and(|data| data.to_string().contains(EXTENSION));
            if error.code == MISSING_CLIENT_CAPABILITY && of_tasks {
                error.code = INTERNAL_ERROR;
            }
        })],
    )
    .also_seen(&["tools.call.execution-error-in-result"])
    .within(MODERN),
    fault(
        "extension-tasks.create.only-tools-call/prompts",
        "Getting a prompt becomes a task.",
        &[Result("prompts/get", |_, result| put(result, &["resultType"], "task"))],
    )
    .also_seen(&["base.result-type.extension-only-when-declared", "base.result-type.known"])
    .within(MODERN),
    fault(
        "extension-tasks.create.result-type/complete",
        "A call that became a task says that it is complete.",
        &[Result("tools/call", |_, result| swap(result, "resultType", "task", "complete"))],
    )
    .also_seen(&["tools.call.result-shape"])
    .within(MODERN),
    fault(
        "extension-tasks.create.result-type-only-there/update",
        "The acknowledgement of an update says that it is a task.",
        &[Result("tasks/update", |_, result| put(result, &["resultType"], "task"))],
    )
    .breaking(&["extension-tasks.update.result-complete"])
    .within(MODERN),
    fault(
        "extension-tasks.create.durable-before-return/late",
        "A task is not found when it is asked for the first time.",
        &[Intercept(|asked| {
            let id = asked.text("taskId");
            let early = asked.is("tasks/get") && !remember(asked, "seen", id);
            early.then(|| Instead::error(INVALID_PARAMS, "Invalid params: there is no such task"))
        })],
    )
    .also_seen(&["extension-tasks.undeclared.methods-refused", "extension-tasks.name-header-validated"])
    .within(MODERN),
    fault(
        "extension-tasks.create.input-before-task/still-asks",
        "The answer that names a task still has a state of the round before.",
        &[Result("tools/call", |_, result| {
            if is(result, "resultType", "task") {
                result.insert("requestState".into(), "round 2".into());
            }
        })],
    )
    .within(MODERN),
    fault(
        "extension-tasks.task.shape/old-names",
        "A task has the names of 2025-11-25.",
        &[Result("tasks/get", |_, task| {
            if let Some(ttl) = task.remove("ttlMs") {
                task.insert("ttl".into(), ttl);
            }
        })],
    )
    .warning_in(MODERN)
    .within(MODERN),
    fault(
        "extension-tasks.task.status-values/spelling",
        "A cancelled task is canceled.",
        &[Result("tasks/get", |_, task| swap(task, "status", "cancelled", "canceled"))],
    )
    .within(MODERN),
    fault(
        "extension-tasks.task.timestamps/epoch",
        "The beginning of a task is a number of seconds.",
        &[Result("tasks/get", |_, task| put(task, &["createdAt"], "1764066600"))],
    )
    .within(MODERN),
    fault(
        "extension-tasks.task.terminal-final/fails-later",
        "A completed task is failed when it is asked for again.",
        &[Result("tasks/get", |asked, task| {
            if is(task, "status", "completed") && remember(asked, "completed", asked.text("taskId")) {
                put(task, &["status"], "failed");
                put(task, &["statusMessage"], "It has failed after all.");
                put(task, &["error"], json!({"code": INTERNAL_ERROR, "message": "Internal error"}));
                task.remove("result");
            }
        })],
    )
    .breaking(&["extension-tasks.task.transitions"])
    .within(MODERN),
    fault(
        "extension-tasks.task.failed-only-for-errors/failed",
        "A task whose tool failed is failed, with its result.",
        &[Result("tasks/get", |_, task| {
            if task.get("result").is_some_and(|result| result["isError"] == true) {
                swap(task, "status", "completed", "failed");
                put(task, &["statusMessage"], "The tool has failed.");
            }
        })],
    )
    .within(MODERN),
    fault(
        "extension-tasks.task.failed-message/silent",
        "A failed task does not say why.",
        &[Result("tasks/get", |_, task| {
            if is(task, "status", "failed") {
                task.remove("statusMessage");
            }
        })],
    )
    .within(MODERN),
    fault(
        "extension-tasks.task.id-unguessable/times",
        "The id of a task is the time of its beginning.",
        &[Neglect(Duty::TaskIdsRandom)],
    )
    .breaking(&["security.handle.random"])
    .warning_in(MODERN)
    .within(MODERN),
    fault(
        "extension-tasks.get.result-complete/task",
        "The answer to a poll says that it is a task, as examples of the extension do.",
        &[Result("tasks/get", |_, task| put(task, &["resultType"], "task"))],
    )
    .breaking(&["extension-tasks.create.result-type-only-there"])
    .warning_in(MODERN)
    .within(MODERN),
    fault(
        "extension-tasks.get.status-faithful/left-over",
        "A completed task still has questions.",
        &[Result("tasks/get", |_, task| {
            if is(task, "status", "completed") {
                task.insert("inputRequests".into(), json!({}));
            }
        })],
    )
    .warning_in(MODERN)
    .within(MODERN),
    fault(
        "extension-tasks.get.status-faithful/other-task",
        "The task that is shown has another id than the one that was asked for.",
        &[Result("tasks/get", |asked, task| {
            put(task, &["taskId"], format!("{}-copy", asked.text("taskId")));
        })],
    )
    .within(MODERN),
    fault(
        "extension-tasks.get.input-requests/left-out",
        "A task that waits does not say for what.",
        &[Result("tasks/get", |_, task| {
            task.remove("inputRequests");
        })],
    )
    .within(MODERN),
    fault(
        "extension-tasks.get.completed-result/left-out",
        "A completed task does not have its result.",
        &[Result("tasks/get", |_, task| {
            task.remove("result");
        })],
    )
    .within(MODERN),
    fault(
        "extension-tasks.get.failed-error/left-out",
        "A failed task does not have its error.",
        &[Result("tasks/get", |_, task| {
            task.remove("error");
        })],
    )
    .within(MODERN),
    fault(
        "extension-tasks.get.unknown-task/other-code",
        "Asking for a task that there is not gets an internal error.",
        &[Refusal("tasks/get", |_, error| {
            if error.code == INVALID_PARAMS {
                error.code = INTERNAL_ERROR;
            }
        })],
    )
    .within(MODERN),
    fault(
        "extension-tasks.input.keys-unique/reworded",
        "A question is worded otherwise each time it is shown.",
        &[Result("tasks/get", |asked, task| {
            for question in at(task, &["inputRequests"]).into_iter().flat_map(|all| all.values_mut()) {
                question["params"]["message"] = format!("Question {}", asked.memory.count()).into();
            }
        })],
    )
    .within(MODERN),
    fault(
        "extension-tasks.input.keys-not-reused/again",
        "A key that was answered comes again for another question.",
        &[
            Result("tasks/update", |asked, _| {
                let keys = asked.params.get("inputResponses").and_then(Value::as_object);
                if let Some(key) = keys.and_then(|keys| keys.keys().next()) {
                    asked.memory.keep(json!({"task": asked.text("taskId"), "key": key}));
                }
            }),
            Result("tasks/get", |asked, task| {
                let Some(last) = asked.memory.kept().filter(|last| last["task"] == asked.text("taskId"))
                else {
                    return;
                };
                asked.memory.keep(Value::Null);
                ask_again(task, last["key"].as_str().unwrap_or_default());
            }),
        ],
    )
    .breaking(&["extension-tasks.input.keys-unique"])
    .also_seen(&["extension-tasks.task.terminal-final", "extension-tasks.task.transitions"])
    .within(MODERN),
    fault(
        "extension-tasks.input.declared-only/asked",
        "A task asks for a form, which its client does not know.",
        &[Result("tasks/get", |_, task| {
            let lacks = task.get("error").is_some_and(|error| error["code"] == MISSING_CLIENT_CAPABILITY);
            if lacks {
                task.remove("error");
                ask_again(task, "confirmation");
            }
        })],
    )
    .also_seen(&["capabilities.client.only-declared-used"])
    .warning_in(MODERN)
    .within(MODERN),
    fault(
        "extension-tasks.update.ack-empty/task",
        "The acknowledgement of an update names the task.",
        &[Result("tasks/update", |asked, result| {
            result.insert("taskId".into(), asked.text("taskId").into());
        })],
    )
    .warning_in(MODERN)
    .within(MODERN),
    fault(
        "extension-tasks.update.unknown-task/acknowledged",
        "An update of a task that there is not is acknowledged.",
        &[Answer(|asked, answer| {
            if asked.is("tasks/update") && answer.as_ref().is_err_and(|error| error.code == INVALID_PARAMS) {
                *answer = Ok(Reply::Text(ACKNOWLEDGEMENT.to_owned()));
            }
        })],
    )
    .also_seen(&["identity.server-info-on-results"])
    .within(MODERN),
    fault(
        "extension-tasks.update.stale-keys-ignored/refused",
        "An answer under a key that nothing was asked under is refused.",
        &[
            Result("tasks/get", |asked, task| {
                let keys = task.get("inputRequests").and_then(Value::as_object);
                for key in keys.into_iter().flat_map(|keys| keys.keys()) {
                    remember(asked, "asked", key);
                }
            }),
            Intercept(|asked| {
                let keys = asked.params.get("inputResponses").and_then(Value::as_object);
                let stale = keys.is_some_and(|keys| keys.keys().any(|key| !remembers(asked, "asked", key)));
                let refused = asked.is("tasks/update") && stale;
                refused.then(|| {
                    Instead::error(INVALID_PARAMS, "Invalid params: nothing was asked under this key")
                })
            }),
        ],
    )
    .within(MODERN),
    fault(
        "extension-tasks.cancel.ack-empty/task",
        "The acknowledgement of a cancellation shows the status.",
        &[Result("tasks/cancel", |_, result| drop(result.insert("status".into(), "cancelled".into())))],
    )
    .warning_in(MODERN)
    .within(MODERN),
    fault(
        "extension-tasks.cancel.result-complete/cancelled",
        "The acknowledgement of a cancellation has a type of its own.",
        &[Result("tasks/cancel", |_, result| put(result, &["resultType"], "cancelled"))],
    )
    .also_seen(&["base.result-type.known"])
    .within(MODERN),
    fault(
        "extension-tasks.cancel.unknown-task/acknowledged",
        "Cancelling a task that there is not is acknowledged.",
        &[Answer(|asked, answer| {
            if asked.is("tasks/cancel") && answer.as_ref().is_err_and(|error| error.code == INVALID_PARAMS) {
                *answer = Ok(Reply::Text(ACKNOWLEDGEMENT.to_owned()));
            }
        })],
    )
    .also_seen(&["identity.server-info-on-results"])
    .within(MODERN),
    fault(
        "extension-tasks.cancel.not-by-notification/cancels",
        "Cancelling the request that began a task cancels the task.",
        &[
            Result("tools/call", |asked, result| {
                if let Some(task) = result.get("taskId").and_then(Value::as_str) {
                    note(asked.memory, &format!("{:?}", asked.id.key()), task);
                }
            }),
            Notified(|memory, notification| {
                let request =
                    notification.request_id.as_ref().map(|id| format!("{:?}", id.key())).unwrap_or_default();
                let kept = memory.kept().unwrap_or_default();
                let tasks = kept[&request].as_object().cloned().unwrap_or_default();
                for task in tasks.keys() {
                    note(memory, "cancelled", task);
                }
                None
            }),
            Result("tasks/get", |asked, task| {
                if remembers(asked, "cancelled", asked.text("taskId")) {
                    put(task, &["status"], "cancelled");
                    task.remove("inputRequests");
                }
            }),
        ],
    )
    .over(STDIO)
    .warning_in(MODERN)
    .within(MODERN),
    fault(
        "extension-tasks.undeclared.methods-refused/unknown",
        "Methods of tasks are unknown to clients that do not declare the extension.",
        &[
            Refusal("tasks/get", |_, error| hide_method(&mut error.code)),
            Refusal("tasks/update", |_, error| hide_method(&mut error.code)),
            Refusal("tasks/cancel", |_, error| hide_method(&mut error.code)),
        ],
    )
    .within(MODERN),
    fault(
        "extension-tasks.undeclared.listen-refused/other-code",
        "A subscription to a task of a client that does not declare the extension has wrong parameters.",
        &[Refusal("subscriptions/listen", |_, error| {
            if error.code == MISSING_CLIENT_CAPABILITY {
                error.code = INVALID_PARAMS;
            }
        })],
    )
    .within(MODERN),
    fault(
        "extension-tasks.task.authorized-per-request/listened",
        "Who listens to the task of somebody else is told its status.",
        &[Neglect(Duty::TasksToldToOwners)],
    )
    .warning_in(MODERN)
    .within(MODERN)
    .over(HTTP),
    fault(
        "extension-tasks.notify.full-task/no-result",
        "Who listens to a task is not told its result.",
        &[Notify(|_, mut notification| {
            if notification["method"] == "notifications/tasks" {
                notification["params"].as_object_mut().map(|params| params.remove("result"));
            }
            vec![notification]
        })],
    )
    .within(MODERN),
    fault(
        "extension-tasks.notify.ack-task-ids/others",
        "A subscription is acknowledged for a task that was not asked for.",
        &[Notify(|_, mut notification| {
            if let Some(ids) = notification["params"]["notifications"]["taskIds"].as_array_mut() {
                ids.push("another".into());
            }
            vec![notification]
        })],
    )
    .also_seen(&["subscriptions.ack.subset"])
    .within(MODERN),
    fault(
        "extension-tasks.notify.no-progress-or-log/logs",
        "Who listens to a task hears its log messages, too.",
        &[Notify(|_, notification| {
            if notification["method"] != "notifications/tasks" {
                return vec![notification];
            }
            let meta = json!({SUBSCRIPTION: notification["params"]["_meta"][SUBSCRIPTION]});
            let params = json!({"level": "info", "data": "The task has changed.", "_meta": meta});
            vec![json!({"jsonrpc": "2.0", "method": "notifications/message", "params": params}), notification]
        })],
    )
    .also_seen(&["http.sse.listen-stream-only-changes", "logging.message.not-on-listen"])
    .within(MODERN),
    fault(
        "extension-tasks.name-header-validated/served",
        "`Mcp-Name` may name another task than the request.",
        &[
            Forgive(|asked, error| error.code == HEADER_MISMATCH && asked.is("tasks/get")),
            Answer(|asked, answer| {
                let other = answer.as_ref().is_err_and(|error| error.code == MISSING_CLIENT_CAPABILITY);
                let declared =
                    asked.params.get("_meta").and_then(|meta| meta.get(CAPABILITIES)?.get("extensions"));
                if asked.is("tasks/get") && other && declared.is_some() {
                    *answer = Ok(Reply::Text(ACKNOWLEDGEMENT.to_owned()));
                }
            }),
        ],
    )
    .also_seen(&["extension-tasks.task.shape", "extension-tasks.get.status-faithful"])
    .over(HTTP)
    .within(MODERN),
    fault(
        "extension-tasks.legacy.methods-gone/served",
        "The list of tasks of 2025-11-25 is still served.",
        &[Intercept(|asked| {
            let list = json!({"resultType": "complete", "tasks": []});
            asked.is("tasks/list").then(|| Instead::result(&list))
        })],
    )
    .also_seen(&["versioning.removed-methods-unknown"])
    .within(MODERN),
    fault(
        "extension-tasks.legacy.task-param-ignored/refused",
        "A call with the `task` of 2025-11-25 is refused.",
        &[Intercept(|asked| {
            let old = asked.is("tools/call") && asked.params.contains_key("task");
            old.then(|| Instead::error(INVALID_PARAMS, "Invalid params: task is not known"))
        })],
    )
    .within(MODERN),
    fault(
        "extension-tasks.legacy.capability-not-advertised/declared",
        "The capability of 2025-11-25 is declared.",
        &[Result("server/discover", |_, result| {
            put(result, &["capabilities", "tasks"], json!({"cancel": {}}));
        })],
    )
    .warning_in(MODERN)
    .within(MODERN),
    fault(
        "extension-tasks.legacy.client-capability-insufficient/enough",
        "A client that declares the capability of 2025-11-25 gets tasks.",
        &[Input(|_, bytes| declare(bytes, |capabilities| capabilities.contains_key("tasks")))],
    )
    .breaking(&["extension-tasks.create.declared-clients-only"])
    .also_seen(&["base.result-type.extension-only-when-declared", "base.result-type.known"])
    .within(MODERN),
];

const ACKNOWLEDGEMENT: &str = r#"{"resultType":"complete"}"#;

fn hide_method(code: &mut i64) {
    if *code == MISSING_CLIENT_CAPABILITY {
        *code = METHOD_NOT_FOUND;
    }
}

/// Makes a task wait for a form.
fn ask_again(task: &mut Object, key: &str) {
    let form = json!({"mode": "form", "message": "Once more: are you sure?",
        "requestedSchema": {"type": "object", "properties": {"sure": {"type": "boolean"}}}});
    put(task, &["status"], "input_required");
    task.remove("result");
    task.insert("inputRequests".into(), json!({key: {"method": "elicitation/create", "params": form}}));
}

/// A call as a client would send it that declares the extension, where its capabilities are like that.
fn declare(bytes: &[u8], like: fn(&Object) -> bool) -> crate::faults::hook::Input {
    let changed = || {
        let mut message: Value = serde_json::from_slice(bytes).ok()?;
        if message["method"] != "tools/call" {
            return None;
        }
        let capabilities = message["params"]["_meta"].get_mut(CAPABILITIES)?.as_object_mut()?;
        if !like(capabilities) {
            return None;
        }
        capabilities.insert("extensions".into(), json!({EXTENSION: {}}));
        Some(message.to_string().into_bytes())
    };
    changed().map_or(Pass, Changed)
}
