//! The rules of the tasks extension of 2026-07-28, on conversations that are made up.

use super::testing::{Script, Verdicts, modern};
use crate::protocol::Revision::V2026_07_28;
use serde_json::{Value, json};

const ID: &str = "786512e2-9e0d-44bd-8f29-789f320fe840";
const EXTENSION: &str = "io.modelcontextprotocol/tasks";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

fn task(status: &str) -> Value {
    json!({"resultType": "complete", "taskId": ID, "status": status, "createdAt": "2026-07-28T10:30:00Z",
        "lastUpdatedAt": "2026-07-28T10:30:01Z", "ttlMs": 60000})
}

fn with(mut task: Value, member: &str, value: Value) -> Value {
    task[member] = value;
    task
}

fn begun() -> Script {
    Script::stdio(V2026_07_28).handshake_with(json!({"tools": {}, "extensions": {EXTENSION: {}}}))
}

/// A request of a client that declares this.
fn declaring(id: i64, method: &str, mut params: Value, capabilities: Value) -> Value {
    params["_meta"][CAPABILITIES] = capabilities;
    modern(id, method, params)
}

trait Steps {
    fn asks(self, id: i64, method: &str, params: Value) -> Self;
    fn gets(self, id: i64, result: Value) -> Self;
    fn created(self) -> Self;
    fn polled(self, id: i64, task: Value) -> Self;
}

impl Steps for Script {
    fn asks(self, id: i64, method: &str, params: Value) -> Self {
        self.sent(declaring(id, method, params, json!({"elicitation": {}, "extensions": {EXTENSION: {}}})))
    }

    fn gets(self, id: i64, result: Value) -> Self {
        self.received(json!({"jsonrpc": "2.0", "id": id, "result": result}))
    }

    fn created(self) -> Self {
        self.asks(3, "tools/call", json!({"name": "t"}))
            .gets(3, with(task("working"), "resultType", json!("task")))
    }

    fn polled(self, id: i64, task: Value) -> Self {
        self.asks(id, "tasks/get", json!({"taskId": ID})).gets(id, task)
    }
}

fn of_tasks(verdicts: &Verdicts) -> Vec<&'static str> {
    verdicts.broken().into_iter().filter(|id| id.starts_with("extension-tasks.")).collect()
}

#[track_caller]
fn broken(script: Script, ids: &[&str]) {
    let all: Vec<String> = ids.iter().map(|id| format!("extension-tasks.{id}")).collect();
    assert_eq!(of_tasks(&script.verdicts()), all);
}

fn asking(message: &str) -> Value {
    let form = json!({"message": message, "requestedSchema": {"type": "object", "properties": {}}});
    with(
        task("input_required"),
        "inputRequests",
        json!({"k": {"method": "elicitation/create", "params": form}}),
    )
}

fn completed() -> Value {
    with(task("completed"), "result", json!({"content": [], "isError": true}))
}

#[test]
fn a_sound_task() {
    let told = json!({"jsonrpc": "2.0", "method": "notifications/tasks",
        "params": with(completed(), "_meta", json!({SUBSCRIPTION: 20}))});
    let acknowledged = json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
        "params": {"notifications": {"taskIds": [ID]}, "_meta": {SUBSCRIPTION: 20}}});
    let verdicts = begun()
        .created()
        .polled(4, asking("?"))
        .polled(5, asking("?"))
        .asks(20, "subscriptions/listen", json!({"notifications": {"taskIds": [ID]}}))
        .received(acknowledged)
        .asks(6, "tasks/update", json!({"taskId": ID, "inputResponses": {"k": {"action": "decline"}}}))
        .gets(6, json!({"resultType": "complete"}))
        .received(told)
        .polled(7, completed())
        .polled(8, completed())
        .asks(9, "tasks/cancel", json!({"taskId": ID}))
        .gets(9, json!({"resultType": "complete"}))
        .sent(modern(10, "tools/call", json!({"name": "t"})))
        .gets(10, json!({"resultType": "complete", "content": []}))
        .verdicts();
    assert_eq!(of_tasks(&verdicts), [""; 0]);
    for id in [
        "advertised",
        "create.declared-clients-only",
        "create.only-tools-call",
        "create.result-type",
        "create.result-type-only-there",
        "task.shape",
        "task.status-values",
        "task.timestamps",
        "task.terminal-final",
        "task.transitions",
        "task.failed-only-for-errors",
        "get.result-complete",
        "get.status-faithful",
        "get.input-requests",
        "get.completed-result",
        "input.keys-unique",
        "input.keys-not-reused",
        "input.declared-only",
        "update.ack-empty",
        "update.result-complete",
        "cancel.ack-empty",
        "cancel.result-complete",
        "notify.full-task",
        "notify.ack-task-ids",
        "notify.no-progress-or-log",
        "legacy.capability-not-advertised",
    ] {
        verdicts.assert_held(&format!("extension-tasks.{id}"));
    }
}

#[test]
fn who_gets_a_task() {
    let created = || with(task("working"), "resultType", json!("task"));
    let undeclared = begun().sent(modern(3, "tools/call", json!({"name": "t"}))).gets(3, created());
    broken(undeclared, &["create.declared-clients-only"]);
    let old = declaring(3, "tools/call", json!({"name": "t"}), json!({"tasks": {}}));
    let old = begun().sent(old).gets(3, created());
    broken(old, &["create.declared-clients-only", "legacy.client-capability-insufficient"]);
    let other = begun().asks(3, "prompts/get", json!({"name": "p"})).gets(3, created());
    broken(other, &["create.only-tools-call"]);
    broken(
        begun().asks(3, "tools/call", json!({"name": "t"})).gets(3, task("working")),
        &["create.result-type"],
    );
    let asks = with(created(), "requestState", json!("s"));
    broken(begun().asks(3, "tools/call", json!({"name": "t"})).gets(3, asks), &["create.input-before-task"]);
    let silent = Script::stdio(V2026_07_28).handshake_with(json!({"tools": {}})).created();
    broken(silent, &["advertised"]);
    let declares = Script::stdio(V2026_07_28).handshake_with(json!({"tasks": {}}));
    broken(declares, &["legacy.capability-not-advertised"]);
}

#[test]
fn members_and_details() {
    let got = |task: Value| begun().created().polled(4, task);
    broken(got(with(task("working"), "ttlMs", json!(1.5))), &["task.shape"]);
    broken(got(with(task("working"), "ttl", json!(1))), &["task.shape"]);
    broken(got(with(task("running"), "x", json!(1))), &["task.status-values"]);
    broken(got(with(task("working"), "createdAt", json!("today"))), &["task.timestamps"]);
    broken(
        got(with(task("working"), "resultType", json!("task"))),
        &["create.result-type-only-there", "get.result-complete"],
    );
    broken(got(with(task("working"), "result", json!({}))), &["get.status-faithful"]);
    broken(got(task("completed")), &["get.completed-result"]);
    broken(got(with(task("failed"), "statusMessage", json!("it broke"))), &["get.failed-error"]);
    let error = json!({"code": -32603, "message": "it broke"});
    broken(got(with(task("failed"), "error", error.clone())), &["task.failed-message"]);
    let failed = with(with(task("failed"), "error", error), "statusMessage", json!("it broke"));
    let verdicts = got(failed).verdicts();
    verdicts.assert_held("extension-tasks.get.failed-error");
    verdicts.assert_held("extension-tasks.task.failed-message");
    let wrong = with(with(completed(), "status", json!("failed")), "statusMessage", json!("it broke"));
    broken(got(wrong), &["task.failed-only-for-errors"]);
    broken(got(task("input_required")), &["get.input-requests"]);
    broken(got(completed()).polled(5, task("working")), &["task.terminal-final", "task.transitions"]);
    let other = with(completed(), "result", json!({"content": []}));
    broken(got(completed()).polled(5, other), &["task.terminal-final"]);
}

#[test]
fn questions() {
    let asked = || begun().created().polled(4, asking("?"));
    broken(asked().polled(5, asking("again?")), &["input.keys-unique"]);
    let answered = asked()
        .asks(5, "tasks/update", json!({"taskId": ID, "inputResponses": {"k": {}}}))
        .gets(5, json!({"resultType": "complete"}));
    broken(answered.polled(6, asking("again?")), &["input.keys-not-reused", "input.keys-unique"]);
    let bare = || json!({"extensions": {EXTENSION: {}}});
    let undeclared = begun()
        .sent(declaring(3, "tools/call", json!({"name": "t"}), bare()))
        .gets(3, with(task("working"), "resultType", json!("task")))
        .sent(declaring(4, "tasks/get", json!({"taskId": ID}), bare()))
        .gets(4, asking("?"));
    broken(undeclared, &["input.declared-only"]);
    let update = |result: Value| {
        begun().created().asks(4, "tasks/update", json!({"taskId": ID, "inputResponses": {}})).gets(4, result)
    };
    broken(update(json!({"resultType": "complete", "status": "working"})), &["update.ack-empty"]);
    broken(update(json!({"resultType": "done"})), &["update.result-complete"]);
    let cancel =
        |result: Value| begun().created().asks(4, "tasks/cancel", json!({"taskId": ID})).gets(4, result);
    broken(cancel(json!({"resultType": "complete", "status": "cancelled"})), &["cancel.ack-empty"]);
    broken(cancel(json!({"resultType": "done"})), &["cancel.result-complete"]);
}

#[test]
fn what_listeners_hear() {
    let listening = |ids: Value| {
        begun()
            .created()
            .asks(20, "subscriptions/listen", json!({"notifications": {"taskIds": [ID]}}))
            .received(json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
                "params": {"notifications": {"taskIds": ids}, "_meta": {SUBSCRIPTION: 20}}}))
    };
    broken(listening(json!([ID, "other"])), &["notify.ack-task-ids"]);
    listening(json!([])).verdicts().assert_open("extension-tasks.notify.ack-task-ids");
    let told = |method: &str, params: Value| {
        let params = with(params, "_meta", json!({SUBSCRIPTION: 20}));
        listening(json!([ID])).received(json!({"jsonrpc": "2.0", "method": method, "params": params}))
    };
    broken(told("notifications/tasks", task("completed")), &["notify.full-task"]);
    broken(
        told("notifications/message", json!({"level": "info", "data": "x"})),
        &["notify.no-progress-or-log"],
    );
    broken(told("notifications/tasks", task("working")), &[]);
}
