//! The tasks extension of 2026-07-28 at its edges: clients that do not declare it, tasks that there are not, headers that
//! do not match.

use super::asking::call_params;
use super::extension_tasks::{advertised, declared, declaring, know_task_tools};
use super::probe::probes;
use super::subscriptions::{Opened, end, listen, opened};
use super::task::task_of;
use super::{Call, Stage, breach};
use crate::client::{HttpEdits, Reply, Ticket, capabilities};
use crate::protocol::Revision;
use serde_json::{Value, json};

/// How many calls that become tasks are repeated without the extension.
const MOST_CALLS: usize = 4;
/// An id that no server makes.
const NO_SUCH_TASK: &str = "mcprove-no-such-task-8f0f3a5d";

probes! {
    /// Repeats calls that became tasks as a client that does not declare the extension, as one that declares the `tasks`
    /// of 2025-11-25, and with the `task` member of that revision: the result comes without a task, or the error -32021
    /// where there is none without.
    undeclared_calls_become_no_tasks (Breaking, Modern, Any) decides [
        "extension-tasks.create.declared-clients-only", "extension-tasks.create.undeclared-required-error",
        "extension-tasks.legacy.task-param-ignored", "extension-tasks.legacy.client-capability-insufficient",
    ];
    /// Sends `tasks/get`, `tasks/update`, `tasks/cancel` and a subscription to a task without the extension: error -32021
    /// each time.
    undeclared_clients_are_told_so (Breaking, Modern, Any) decides
        ["extension-tasks.undeclared.methods-refused", "extension-tasks.undeclared.listen-refused"];
    /// Asks for a task that there is not: error -32602. `tasks/result` and `tasks/list` of 2025-11-25 are unknown, error
    /// -32601; so are all methods for tasks on a server that does not advertise the extension.
    what_is_no_task_is_refused (Breaking, Modern, Any) decides [
        "extension-tasks.get.unknown-task", "extension-tasks.update.unknown-task", "extension-tasks.cancel.unknown-task",
        "extension-tasks.legacy.methods-gone", "extension-tasks.advertised",
    ];
    /// Over HTTP, asks for a task with its id in `Mcp-Name`, and with another one: the first is served, the second refused
    /// with -32020. Proxies route by that header.
    name_header_is_compared (Breaking, Modern, Http) decides ["extension-tasks.name-header-validated"];
}

/// A few calls that became tasks.
fn producers(stage: &Stage<'_>) -> Vec<Call> {
    let calls = stage.offer.calls.iter().filter(|call| stage.offer.task_tools.contains(&call.tool));
    // Those that the tour got no result of may have to be tasks.
    let (without, with): (Vec<&Call>, Vec<&Call>) = calls.partition(|call| call.result.is_none());
    without.into_iter().take(MOST_CALLS / 2).chain(with.into_iter().take(MOST_CALLS / 2)).cloned().collect()
}

async fn undeclared_calls_become_no_tasks(stage: &mut Stage<'_>) {
    const DECLARED: &str = "extension-tasks.create.declared-clients-only";
    const REQUIRED: &str = "extension-tasks.create.undeclared-required-error";
    const IGNORED: &str = "extension-tasks.legacy.task-param-ignored";
    const OLD: &str = "extension-tasks.legacy.client-capability-insufficient";
    if !advertised(stage) {
        let but = [
            "extension-tasks.advertised",
            "extension-tasks.create.only-tools-call",
            "extension-tasks.legacy.methods-gone",
            "extension-tasks.legacy.capability-not-advertised",
        ];
        let text = "the server does not advertise the tasks extension";
        return stage.area_does_not_apply("extension-tasks", &but, text);
    }
    know_task_tools(stage).await;
    let calls = producers(stage);
    if calls.is_empty() {
        return stage.leave_open(&[DECLARED, REQUIRED, IGNORED, OLD], "no-task", "no call became a task");
    }
    for call in calls {
        let (ticket, plain) = stage.call_once(call_params(&call), None).await;
        judge_required(stage, REQUIRED, &ticket, &plain);
        let mut params = call_params(&call);
        params["task"] = json!({"ttl": 60_000});
        let (ticket, with_member) = stage.call_once(params, None).await;
        judge_ignored(stage, IGNORED, &plain, &ticket, &with_member);
        let mut old = capabilities(Revision::V2026_07_28);
        old["tasks"] = json!({"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}});
        // The monitors judge what comes of it.
        stage.call_once(declaring(call_params(&call), old), None).await;
    }
}

fn judge_required(stage: &mut Stage<'_>, id: &'static str, ticket: &Ticket, reply: &Reply) {
    let expected = ["a result without a task", "error -32021 that names the extension"];
    match reply {
        Reply::Result(_) if task_of(reply).is_none() => stage.judge.held(id),
        Reply::Error(answer) if reply.error_code() == Some(-32021) => {
            let named = answer
                .message
                .error()
                .and_then(|error| error.pointer("/data/requiredCapabilities/extensions"));
            let named = named.and_then(|all| all.get(crate::monitors::TASKS_EXTENSION)).is_some();
            stage.judge.decide(id, named, || {
                let text = "the error for a call that needs the tasks extension does not name it";
                breach("not-named", text, ticket, reply).quality().expected(&expected).pointer("/error")
            });
        }
        Reply::Error(_) => stage.judge.broke(
            id,
            breach(
                "other-code",
                "a call that becomes a task is refused without the extension by another code",
                ticket,
                reply,
            )
            .expected(&expected)
            .pointer("/error/code"),
        ),
        _ => {}
    }
}

/// Judges a call with the `task` member of 2025-11-25 by the same call without.
fn judge_ignored(stage: &mut Stage<'_>, id: &'static str, plain: &Reply, ticket: &Ticket, reply: &Reply) {
    let kind = |reply: &Reply| {
        reply.result().and_then(|result| result.get("resultType")?.as_str().map(str::to_owned))
    };
    match (plain, reply) {
        (Reply::Result(_), Reply::Result(_)) => stage.judge.decide(id, kind(plain) == kind(reply), || {
            breach(
                "other-result",
                "a call with `task` has another kind of result than one without",
                ticket,
                reply,
            )
            .expected(&["the same as without `task`"])
            .actual(kind(reply).unwrap_or_default())
            .pointer("/result/resultType")
        }),
        (Reply::Error(_), Reply::Error(_)) if plain.error_code() == reply.error_code() => {
            stage.judge.held(id);
        }
        (Reply::Result(_) | Reply::Error(_), Reply::Result(_) | Reply::Error(_)) => stage.judge.broke(
            id,
            breach(
                "other-answer",
                "a call with `task` is answered otherwise than one without",
                ticket,
                reply,
            )
            .expected(&["the same as without `task`"]),
        ),
        _ => {}
    }
}

/// Judges an answer that has to be the error -32021.
fn judge_undeclared(stage: &mut Stage<'_>, id: &'static str, what: &str, ticket: &Ticket, reply: &Reply) {
    let seen = |class: &str, text: String| breach(class, text, ticket, reply).expected(&["error -32021"]);
    match reply {
        Reply::Error(_) | Reply::Unmatched(_) if reply.error_code() == Some(-32021) => stage.judge.held(id),
        Reply::Error(_) => {
            let text = format!(
                "{what} of a client that does not declare the extension is refused with another code"
            );
            stage.judge.broke(id, seen("other-code", text).pointer("/error/code"));
        }
        Reply::Result(_) => {
            let text = format!("{what} of a client that does not declare the extension is served");
            stage.judge.broke(id, seen("served", text));
        }
        _ => stage.judge.undecided(id, "no-answer", format!("no usable answer came: {}", reply.describe())),
    }
}

/// Parameters for a method of tasks.
fn params_of(method: &str, id: &str) -> Value {
    match method {
        "tasks/update" => json!({"taskId": id, "inputResponses": {}}),
        _ => json!({"taskId": id}),
    }
}

/// A task that was begun for what follows, or an id that nothing has.
async fn some_task(stage: &mut Stage<'_>) -> Option<String> {
    know_task_tools(stage).await;
    let call = producers(stage).pop()?;
    task_of(&stage.call_once(declared(call_params(&call)), None).await.1)
}

async fn undeclared_clients_are_told_so(stage: &mut Stage<'_>) {
    const METHODS: &str = "extension-tasks.undeclared.methods-refused";
    const LISTEN: &str = "extension-tasks.undeclared.listen-refused";
    if !advertised(stage) {
        return;
    }
    let id = some_task(stage).await.unwrap_or_else(|| NO_SUCH_TASK.to_owned());
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let outgoing = stage.talk.compose(method, params_of(method, &id));
        let (ticket, reply) = stage.breaking(outgoing).await;
        judge_undeclared(stage, METHODS, &format!("`{method}`"), &ticket, &reply);
    }
    let request = stage.talk.fresh_id();
    let params = json!({"notifications": {"taskIds": [id]}});
    let listening = listen(stage, &request, params, true).await;
    match opened(stage, &listening).await {
        Opened::Answered(reply) => {
            judge_undeclared(stage, LISTEN, "a subscription to a task", &listening.ticket, &reply);
        }
        Opened::Acknowledged(heard) => {
            stage.judge.broke(
                LISTEN,
                crate::monitors::Breach::new(
                    "acknowledged",
                    "a subscription to a task is acknowledged for a client that does not declare the extension",
                )
                .expected(&["error -32021"])
                .actual("an acknowledgement")
                .at(&heard.record)
                .sent(listening.ticket.since),
            );
            end(stage, &listening).await;
        }
        Opened::Nothing => {
            stage.judge.undecided(LISTEN, "no-answer", "neither an acknowledgement nor an error came");
        }
    }
}

async fn what_is_no_task_is_refused(stage: &mut Stage<'_>) {
    const GONE: &str = "extension-tasks.legacy.methods-gone";
    const ADVERTISED: &str = "extension-tasks.advertised";
    for method in ["tasks/result", "tasks/list"] {
        let params = if method == "tasks/list" { json!({}) } else { json!({"taskId": NO_SUCH_TASK}) };
        let outgoing = stage.talk.compose(method, declared(params));
        let (ticket, reply) = stage.breaking(outgoing).await;
        let seen =
            |class: &str, text: String| breach(class, text, &ticket, &reply).expected(&["error -32601"]);
        match &reply {
            Reply::Error(_) if reply.error_code() == Some(-32601) => stage.judge.held(GONE),
            Reply::Error(_) => {
                let seen = seen(
                    "other-code",
                    format!("`{method}` is refused with another code than that of an unknown method"),
                );
                stage.judge.broke(GONE, seen.quality().pointer("/error/code"));
            }
            Reply::Result(_) => {
                stage.judge.broke(GONE, seen("served", format!("`{method}` of 2025-11-25 is still served")));
            }
            _ => {}
        }
    }
    if !advertised(stage) {
        let (ticket, reply) = stage.with_tasks("tasks/get", json!({"taskId": NO_SUCH_TASK})).await;
        return match &reply {
            Reply::Error(_) if reply.error_code() == Some(-32601) => stage.judge.held(ADVERTISED),
            Reply::Error(_) | Reply::Result(_) => stage.judge.broke(
                ADVERTISED,
                breach(
                    "known",
                    "`tasks/get` is known to a server that does not advertise the extension",
                    &ticket,
                    &reply,
                )
                .expected(&["error -32601"]),
            ),
            _ => {}
        };
    }
    let rows = [
        ("tasks/get", "extension-tasks.get.unknown-task"),
        ("tasks/update", "extension-tasks.update.unknown-task"),
        ("tasks/cancel", "extension-tasks.cancel.unknown-task"),
    ];
    for (method, id) in rows {
        let (ticket, reply) = stage.with_tasks(method, params_of(method, NO_SUCH_TASK)).await;
        let seen = |class: &str, text: String| {
            let seen = breach(class, text, &ticket, &reply).expected(&["error -32602"]);
            if method == "tasks/get" { seen } else { seen.quality() }
        };
        match &reply {
            Reply::Error(_) if reply.error_code() == Some(-32602) => stage.judge.held(id),
            Reply::Error(_) => {
                let text = format!("`{method}` for a task that there is not is refused with another code");
                stage.judge.broke(id, seen("other-code", text).pointer("/error/code"));
            }
            Reply::Result(_) => {
                stage
                    .judge
                    .broke(id, seen("served", format!("`{method}` is served for a task that there is not")));
            }
            _ => {
                stage.judge.undecided(
                    id,
                    "no-answer",
                    format!("no usable answer came: {}", reply.describe()),
                );
            }
        }
    }
}

async fn name_header_is_compared(stage: &mut Stage<'_>) {
    const ID: &str = "extension-tasks.name-header-validated";
    if !advertised(stage) {
        return;
    }
    let Some(id) = some_task(stage).await else {
        return stage.judge.undecided(ID, "no-task", "no call became a task");
    };
    let (ticket, reply) = stage.with_tasks("tasks/get", json!({"taskId": id})).await;
    if reply.is_refusal() {
        let text = "`tasks/get` with the id of its task in `Mcp-Name` is refused";
        let seen = breach("refused", text, &ticket, &reply).expected(&["the task"]);
        return stage.judge.broke(ID, seen);
    }
    let outgoing = stage.talk.compose("tasks/get", declared(json!({"taskId": id})));
    let (ticket, reply) =
        stage.breaking(outgoing.http(HttpEdits::default().set("Mcp-Name", NO_SUCH_TASK))).await;
    let seen = |class: &str, text: &str| {
        breach(class, text, &ticket, &reply).quality().expected(&["error -32020 with HTTP status 400"])
    };
    if reply.error_code() == Some(-32020) {
        stage.judge.held(ID);
    } else if reply.is_refusal() {
        stage
            .judge
            .broke(ID, seen("other-code", "`Mcp-Name` with another task is refused with another code"));
    } else {
        stage
            .judge
            .broke(ID, seen("served", "`Mcp-Name` names another task than the request, which is served"));
    }
}
