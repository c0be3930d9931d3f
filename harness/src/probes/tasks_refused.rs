//! Tasks of 2025-11-25 at their edges: what servers refuse, ignore and limit (basic/utilities/tasks).

use super::probe::probes;
use super::task::{TTL, able, status_of, task_of};
use super::tasks::makes_tasks;
use super::{Stage, breach};
use crate::client::{Outgoing, Reply, Ticket};
use crate::monitors::RELATED_TASK;
use crate::protocol::{Revision, Transport};
use crate::wire::Taint;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long a task may stay after its time.
const REMOVED_SOON: Duration = Duration::from_secs(2);
/// How long an abandoned request for a result was open.
const ABANDONED: Duration = Duration::from_millis(120);
/// Ten years in milliseconds.
const TEN_YEARS: u64 = 315_360_000_000;
/// An id that no server makes.
const NO_SUCH_TASK: &str = "mcprove-no-such-task-8f0f3a5d";

probes! {
    /// Asks for a task that there is not by `tasks/get`, `tasks/result` and `tasks/cancel`, and for a page of `tasks/list`
    /// by a cursor that the server never gave: error -32602 each time, and with a message that says something.
    unknown_tasks_are_refused (Breaking, Legacy, Any) decides [
        "tasks.errors.unknown-id", "tasks.errors.informative", "tasks.list.invalid-cursor",
        "tasks.capability.cancel-flag", "tasks.capability.list-flag",
    ];
    /// Calls a tool that cannot be a task as one, and a tool that must be one without: error -32601 both times.
    tools_keep_to_their_task_support (Breaking, Legacy, Any) decides
        ["tasks.tool.forbidden-error", "tasks.tool.required-error"];
    /// Adds `task` to requests for which the server declares no tasks: they are served as if it were not there.
    undeclared_augmentation_is_passed_over (Breaking, Legacy, Any) decides
        ["tasks.undeclared.ignored", "tasks.capability.exhaustive", "tasks.capability.declared"];
    /// Begins tasks with an id of its own choice and with a life of ten years, and asks for one while naming another in
    /// the metadata: the server makes the ids, limits the life, and goes by the parameter.
    odd_task_parameters_are_borne (Breaking, Legacy, Any) decides [
        "tasks.id.receiver-generated", "tasks.limits.max-ttl", "tasks.related-task.param-wins", "tasks.limits.cleanup",
    ];
    /// Over HTTP, asks for the result of a running task, closes the connection, and asks again: the task is still there and
    /// comes to its end.
    tasks_outlive_connections (Breaking, Legacy, Http) decides ["tasks.transport-rules-kept"];
    /// Whether a server without authorization, which cannot tell one client over HTTP from another, keeps its tasks to
    /// itself: it does not declare `tasks.list`.
    anonymous_clients_get_no_list (Breaking, Legacy, Any) decides ["tasks.isolation.no-list-when-anonymous"];
}

fn applies(stage: &Stage<'_>) -> bool {
    stage.revision == Revision::V2025_11_25 && stage.declares("tasks")
}

/// Texts that say nothing about what was wrong.
fn says_nothing(text: &str) -> bool {
    let plain: String = text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    matches!(
        plain.as_str(),
        "" | "error"
            | "failed"
            | "failure"
            | "unknown"
            | "unknownerror"
            | "internalerror"
            | "invalidparams"
            | "invalidparameters"
            | "badrequest"
            | "invalidrequest"
            | "methodnotfound"
            | "null"
            | "undefined"
    )
}

fn judge_message(stage: &mut Stage<'_>, ticket: &Ticket, reply: &Reply) {
    const ID: &str = "tasks.errors.informative";
    let Reply::Error(answer) = reply else { return };
    let text = answer.message.error().and_then(|error| error.get("message")?.as_str()).unwrap_or_default();
    stage.judge.decide(ID, !says_nothing(text), || {
        breach("says-nothing", "the message of an error does not say what was wrong", ticket, reply)
            .quality()
            .expected(&["a message that names what was wrong, such as that there is no such task"])
            .actual(format!("`{}`", text.chars().take(80).collect::<String>()))
            .pointer("/error/message")
    });
}

/// Judges an answer that has to be the error -32602.
fn judge_refusal(stage: &mut Stage<'_>, id: &'static str, what: &str, ticket: &Ticket, reply: &Reply) {
    let seen = |class: &str, text: String| breach(class, text, ticket, reply).expected(&["error -32602"]);
    match reply {
        Reply::Error(_) if reply.error_code() == Some(-32602) => stage.judge.held(id),
        Reply::Error(_) => {
            let seen =
                seen("other-code", format!("{what} is refused with another code")).pointer("/error/code");
            stage.judge.broke(id, seen);
        }
        Reply::Result(_) => {
            stage.judge.broke(id, seen("accepted", format!("{what} is answered with a result")));
        }
        Reply::Silence(_) => stage.judge.broke(id, seen("silence", format!("{what} is not answered"))),
        _ => stage.judge.undecided(id, "no-answer", format!("no usable answer came: {}", reply.describe())),
    }
}

async fn unknown_tasks_are_refused(stage: &mut Stage<'_>) {
    const UNKNOWN: &str = "tasks.errors.unknown-id";
    const CANCEL: &str = "tasks.capability.cancel-flag";
    const LIST: &str = "tasks.capability.list-flag";
    if !applies(stage) {
        return;
    }
    for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
        let (ticket, reply) = stage.of_task(method, NO_SUCH_TASK).await;
        if method == "tasks/cancel" {
            judge_flag(stage, CANCEL, method, &ticket, &reply);
            if !stage.declares("tasks/cancel") {
                continue;
            }
        }
        judge_refusal(stage, UNKNOWN, &format!("`{method}` for a task that there is not"), &ticket, &reply);
        judge_message(stage, &ticket, &reply);
        if matches!(reply, Reply::Silence(_)) {
            break;
        }
    }
    if !stage.declares("tasks/list") {
        let (ticket, reply) = stage.request("tasks/list", json!({})).await;
        return judge_flag(stage, LIST, "tasks/list", &ticket, &reply);
    }
    let (ticket, reply) = stage.request("tasks/list", json!({"cursor": "mcprove-no-such-cursor"})).await;
    judge_refusal(stage, "tasks.list.invalid-cursor", "a cursor that the server never gave", &ticket, &reply);
    judge_message(stage, &ticket, &reply);
}

/// A method of its own capability is served exactly where that is declared.
fn judge_flag(stage: &mut Stage<'_>, id: &'static str, method: &str, ticket: &Ticket, reply: &Reply) {
    let unknown = reply.error_code() == Some(-32601);
    let declared = stage.declares(method);
    if !matches!(reply, Reply::Result(_) | Reply::Error(_)) {
        return stage.judge.undecided(
            id,
            "no-answer",
            format!("no usable answer came: {}", reply.describe()),
        );
    }
    if declared {
        return stage.judge.decide(id, !unknown, || {
            breach("declared", format!("`{method}` is declared and unknown"), ticket, reply)
                .expected(&["that it is served"])
                .pointer("/error/code")
        });
    }
    stage.judge.decide(id, unknown, || {
        breach("undeclared", format!("`{method}` is not declared and served"), ticket, reply)
            .quality()
            .expected(&["error -32601"])
    });
}

async fn tools_keep_to_their_task_support(stage: &mut Stage<'_>) {
    const FORBIDDEN: &str = "tasks.tool.forbidden-error";
    const REQUIRED: &str = "tasks.tool.required-error";
    if !makes_tasks(stage) {
        return;
    }
    let support = |tool: &Value| {
        tool.pointer("/execution/taskSupport").and_then(Value::as_str).unwrap_or("forbidden").to_owned()
    };
    let forbidden = stage.offer.calls.iter().find(|call| {
        let tool = stage.offer.tools.iter().find(|tool| tool["name"] == call.tool.as_str());
        call.succeeded() && tool.is_some_and(|tool| support(tool) == "forbidden")
    });
    if let Some(call) = forbidden.cloned() {
        let params = json!({"name": call.tool, "arguments": call.arguments, "task": {"ttl": TTL}});
        let outgoing = stage.compose_call(params);
        let (ticket, reply) = stage.breaking(outgoing).await;
        let seen = |class: &str, text: &str| {
            breach(class, text, &ticket, &reply).quality().expected(&["error -32601"])
        };
        match &reply {
            Reply::Error(_) if reply.error_code() == Some(-32601) => stage.judge.held(FORBIDDEN),
            Reply::Error(_) => stage.judge.broke(
                FORBIDDEN,
                seen("other-code", "a tool that cannot be a task is refused as one with another code")
                    .pointer("/error/code"),
            ),
            Reply::Result(_) if task_of(&reply).is_some() => {
                stage.judge.broke(FORBIDDEN, seen("task", "a tool that cannot be a task became one"));
            }
            Reply::Result(_) => {
                stage.judge.broke(
                    FORBIDDEN,
                    seen("served", "a tool that cannot be a task is called as if it were asked to"),
                );
            }
            _ => {}
        }
    }
    let Some(tool) = able(stage).into_iter().find(|tool| !tool.optional) else {
        let text = "no tool that may be called has to be a task";
        return stage.judge.undecided(REQUIRED, "no-such-tool", text);
    };
    let outgoing = stage.compose_call(json!({"name": tool.name, "arguments": tool.arguments}));
    let (ticket, reply) = stage.breaking(outgoing).await;
    let seen = |class: &str, text: &str| breach(class, text, &ticket, &reply).expected(&["error -32601"]);
    match &reply {
        Reply::Error(_) if reply.error_code() == Some(-32601) => stage.judge.held(REQUIRED),
        Reply::Error(_) => {
            let text = "a tool that has to be a task is refused without `task` by another code";
            stage.judge.broke(REQUIRED, seen("other-code", text).quality().pointer("/error/code"));
        }
        // The right word in the wrong place.
        Reply::Result(answer) if answer.message.result().is_some_and(|result| result["isError"] == true) => {
            let text = "a tool that has to be a task is refused without `task` by a result with `isError`";
            stage.judge.broke(REQUIRED, seen("tool-error", text).quality());
        }
        Reply::Result(_) => {
            let text = "a tool that has to be a task is served without `task`";
            stage.judge.broke(REQUIRED, seen("served", text));
        }
        _ => {}
    }
}

async fn undeclared_augmentation_is_passed_over(stage: &mut Stage<'_>) {
    const IGNORED: &str = "tasks.undeclared.ignored";
    const EXHAUSTIVE: &str = "tasks.capability.exhaustive";
    if stage.revision != Revision::V2025_11_25 {
        return;
    }
    // Whatever lists there are: none of these can be a task.
    if let Some((method, _)) = stage.lists().first().copied() {
        let (ticket, reply) = stage.request(method, json!({"task": {"ttl": TTL}})).await;
        if task_of(&reply).is_none() && matches!(reply, Reply::Result(_) | Reply::Error(_)) {
            stage.judge.held(EXHAUSTIVE);
        } else if task_of(&reply).is_some() {
            let text = format!("`{method}` became a task, which the capabilities do not list");
            let seen = breach("not-listed", text, &ticket, &reply)
                .expected(&["the usual result"])
                .pointer("/result/task");
            stage.judge.broke(EXHAUSTIVE, seen);
        }
    } else {
        stage.judge.undecided(EXHAUSTIVE, "no-list", "the server has no list to ask for as a task");
    }
    if stage.declares("tasks/requests/tools/call") {
        return;
    }
    // Where it could become a task, that would show best.
    let support = |call: &&super::Call| {
        let tool = stage.offer.tools.iter().find(|tool| tool["name"] == call.tool.as_str());
        tool.is_some_and(|tool| {
            tool.pointer("/execution/taskSupport").is_some_and(|support| support == "optional")
        })
    };
    let mut calls = stage.offer.calls.iter().filter(|call| call.succeeded());
    let Some(call) = calls.clone().find(support).or(calls.next()).cloned() else {
        let text = "no tool that may be called gave a result to compare with";
        return stage.judge.undecided(IGNORED, "no-call", text);
    };
    let params = json!({"name": call.tool, "arguments": call.arguments, "task": {"ttl": TTL}});
    let outgoing = stage.compose_call(params);
    let (ticket, reply) = stage.breaking(outgoing).await;
    if task_of(&reply).is_some() {
        let text = "a call became a task on a server that does not declare so";
        let seen = breach("undeclared", text, &ticket, &reply)
            .expected(&["`tasks.requests.tools.call` in the capabilities, or the result of the call"])
            .actual("a task");
        stage.judge.broke("tasks.capability.declared", seen);
    }
    match &reply {
        Reply::Result(answer) => {
            let content = answer.message.result().is_some_and(|result| result.get("content").is_some());
            stage.judge.decide(IGNORED, content, || {
                breach("task", "a call became a task on a server that declares no tasks", &ticket, &reply)
                    .expected(&["the result of the call"])
                    .actual("another result")
            });
        }
        Reply::Error(_) => stage.judge.broke(
            IGNORED,
            breach(
                "refused",
                "a call with `task` is refused by a server that declares no tasks",
                &ticket,
                &reply,
            )
            .expected(&["the result of the call, as without `task`"])
            .pointer("/error"),
        ),
        _ => stage.judge.undecided(
            IGNORED,
            "no-answer",
            format!("no usable answer came: {}", reply.describe()),
        ),
    }
}

async fn odd_task_parameters_are_borne(stage: &mut Stage<'_>) {
    if !makes_tasks(stage) {
        return;
    }
    let quick = stage.offer.quick_task.clone();
    let Some((name, arguments)) =
        quick.or(able(stage).into_iter().next().map(|tool| (tool.name, tool.arguments)))
    else {
        let rows = ["tasks.id.receiver-generated", "tasks.limits.max-ttl", "tasks.related-task.param-wins"];
        return stage.leave_open(&rows, "no-tool", "no tool that may be called can be called as a task");
    };
    own_choice(stage, &name, &arguments).await;
    let ticket = stage.send_task(&name, &arguments, json!({"ttl": TEN_YEARS}), None).await;
    let long = stage.talk.reply(&ticket).await;
    judge_max_ttl(stage, &ticket, &long);
    let other = task_of(&long);
    if let (Some(one), Some(other)) = (stage.begin_task(&name, &arguments, None).await, other) {
        contrary(stage, &one, &other).await;
    }
    brief_is_gone(stage).await;
}

/// Asks for an id by name.
async fn own_choice(stage: &mut Stage<'_>, name: &str, arguments: &Value) {
    const ID: &str = "tasks.id.receiver-generated";
    const CHOSEN: &str = "mcprove-chosen-id";
    let task = json!({"ttl": TTL, "taskId": CHOSEN});
    let outgoing =
        stage.compose_call(json!({"name": name, "arguments": arguments, "task": task, "taskId": CHOSEN}));
    let (ticket, reply) = stage.breaking(outgoing).await;
    match task_of(&reply) {
        Some(id) => stage.judge.decide(ID, id != CHOSEN, || {
            breach("adopted", "the server took the id that the client chose for a task", &ticket, &reply)
                .expected(&["an id of the server's own"])
                .actual(format!("`{id}`"))
                .pointer("/result/task/taskId")
        }),
        // To refuse what is not known there is as good.
        None if reply.is_error() => stage.judge.held(ID),
        None => stage.judge.undecided(ID, "no-task", "the call did not become a task"),
    }
}

fn judge_max_ttl(stage: &mut Stage<'_>, ticket: &Ticket, reply: &Reply) {
    const ID: &str = "tasks.limits.max-ttl";
    if reply.is_error() {
        // A refusal is a limit, too.
        return stage.judge.held(ID);
    }
    let Some(ttl) = reply.result().and_then(|result| result.pointer("/task/ttl")) else {
        return stage.judge.undecided(ID, "no-ttl", "the call did not become a task with a time to live");
    };
    #[expect(clippy::cast_precision_loss, reason = "ten years in milliseconds are well within a double")]
    let limited = ttl.as_f64().is_some_and(|ttl| ttl < TEN_YEARS as f64);
    stage.judge.decide(ID, limited, || {
        breach("unlimited", "a task is kept for as long as its client likes", ticket, reply)
            .quality()
            .expected(&["a shorter time to live than ten years"])
            .actual(ttl.to_string())
            .pointer("/result/task/ttl")
    });
}

/// Asks for one task while naming another in the metadata.
async fn contrary(stage: &mut Stage<'_>, one: &str, other: &str) {
    const ID: &str = "tasks.related-task.param-wins";
    let params = json!({"taskId": one, "_meta": {RELATED_TASK: {"taskId": other}}});
    let outgoing = stage.talk.compose("tasks/get", params);
    let (ticket, reply) = stage.breaking(outgoing).await;
    let seen = |class: &str, text: &str| {
        breach(class, text, &ticket, &reply).expected(&["the task of the parameter"])
    };
    match reply.result().and_then(|result| result.get("taskId")?.as_str()) {
        Some(id) if id == one => stage.judge.held(ID),
        Some(_) => {
            stage.judge.broke(ID, seen("metadata", "`tasks/get` goes by the metadata and not by `taskId`"));
        }
        None => {
            let refused = seen("refused", "`tasks/get` is refused for its metadata").pointer("/error");
            // Whether it is the metadata shows by the same request without it.
            if reply.is_error() && stage.of_task("tasks/get", one).await.1.result().is_some() {
                stage.judge.broke(ID, refused);
            }
        }
    }
}

/// Whether the task with the shortest life was removed.
async fn brief_is_gone(stage: &mut Stage<'_>) {
    const ID: &str = "tasks.limits.cleanup";
    let Some((id, at)) = stage.offer.brief_task.take() else {
        return stage.judge.undecided(
            ID,
            "long-lives",
            "the server gives its tasks lives too long to wait for",
        );
    };
    let deadline = at + REMOVED_SOON;
    loop {
        let wait = if Instant::now() < at {
            at.saturating_duration_since(Instant::now())
        } else {
            REMOVED_SOON / 10
        };
        let (ticket, reply) = stage.of_task("tasks/get", &id).await;
        if reply.is_error() {
            return stage.judge.held(ID);
        }
        if status_of(&reply).is_none() {
            return;
        }
        if Instant::now() >= deadline {
            let seen = breach("stays", "a task is still there long after its time to live", &ticket, &reply)
                .quality()
                .expected(&["error -32602, as it is removed"])
                .actual("the task");
            return stage.judge.broke(ID, seen);
        }
        stage.talk.idle(wait + Duration::from_millis(10)).await;
    }
}

async fn tasks_outlive_connections(stage: &mut Stage<'_>) {
    const ID: &str = "tasks.transport-rules-kept";
    if !makes_tasks(stage) {
        return;
    }
    let tools = able(stage);
    let slow = tools.iter().find(|tool| tool.slow.is_some()).or(tools.first()).cloned();
    let Some(tool) = slow else {
        return stage.judge.undecided(ID, "no-tool", "no tool that may be called can be called as a task");
    };
    let arguments = tool.slow.as_ref().unwrap_or(&tool.arguments);
    let Some(id) = stage.begin_task(&tool.name, arguments, None).await else {
        return stage.judge.undecided(ID, "no-task", "the call did not become a task");
    };
    let outgoing: Outgoing = stage.talk.compose("tasks/result", json!({"taskId": id}));
    // What is given up is not owed an answer.
    let waiting = stage.talk.send(outgoing.deliberate(stage.name, Taint::Message)).await;
    let open = stage.talk.reply_within(&waiting, ABANDONED).await;
    stage.talk.abort(&waiting).await;
    let (ticket, reply) = stage.of_task("tasks/get", &id).await;
    match status_of(&reply) {
        status if matches!(open, Reply::Silence(_)) && (status == Some("cancelled") || reply.is_error()) => {
            stage.judge.broke(
                ID,
                breach(
                    "ends-with-connection",
                    "a task ends when a connection that waited for it is closed",
                    &ticket,
                    &reply,
                )
                .expected(&["the task, going on"])
                .actual(status_of(&reply).unwrap_or("no task")),
            );
        }
        Some(_) => stage.judge.held(ID),
        None => {
            stage.judge.undecided(ID, "no-answer", format!("no usable answer came: {}", reply.describe()));
        }
    }
    if stage.declares("tasks/cancel") {
        stage.of_task("tasks/cancel", &id).await;
    }
}

async fn anonymous_clients_get_no_list(stage: &mut Stage<'_>) {
    const ID: &str = "tasks.isolation.no-list-when-anonymous";
    if !applies(stage) {
        return;
    }
    let list = stage.declares("tasks/list");
    if !list || stage.transport() == Transport::Stdio {
        // Over STDIO there is one client, who started the process.
        return stage.judge.held(ID);
    }
    if stage.talk.bearing().known {
        return stage.judge.undecided(ID, "authorized", "the client is known by its credentials");
    }
    let breach = crate::monitors::Breach::new(
        "declared",
        "a server that cannot tell its clients apart lists their tasks",
    )
    .quality()
    .expected(&["no `tasks.list` without authorization"])
    .actual("`tasks.list` over HTTP, without credentials");
    stage.judge.broke(ID, breach);
}

#[cfg(test)]
mod tests {
    #[test]
    fn texts_that_say_nothing() {
        for text in ["", "Error", "Invalid params", "invalid_params", "Internal error."] {
            assert!(super::says_nothing(text), "{text}");
        }
        for text in ["Invalid params: there is no such task", "Task not found"] {
            assert!(!super::says_nothing(text), "{text}");
        }
    }
}
