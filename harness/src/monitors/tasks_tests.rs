//! The rules of tasks of 2025-11-25, on conversations that are made up.

use super::testing::{Script, Verdicts};
use crate::protocol::Revision::V2025_11_25;
use serde_json::{Value, json};
use std::time::Duration;

const ID: &str = "786512e2-9e0d-44bd-8f29-789f320fe840";
const RELATED: &str = "io.modelcontextprotocol/related-task";

fn task(status: &str) -> Value {
    json!({"taskId": ID, "status": status, "createdAt": "2025-11-25T10:30:00Z",
        "lastUpdatedAt": "2025-11-25T10:30:01Z", "ttl": 60000})
}

fn with(mut task: Value, member: &str, value: Value) -> Value {
    task[member] = value;
    task
}

/// A server that makes tasks, with one tool for it.
fn begun() -> Script {
    let capabilities =
        json!({"tools": {}, "tasks": {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}});
    let tool =
        json!({"name": "t", "inputSchema": {"type": "object"}, "execution": {"taskSupport": "optional"}});
    Script::stdio(V2025_11_25)
        .handshake_with(capabilities)
        .sent(json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}))
        .received(json!({"jsonrpc": "2.0", "id": 2, "result": {"tools": [tool]}}))
}

trait Steps {
    fn asks(self, id: i64, method: &str, params: Value) -> Self;
    fn gets(self, id: i64, result: Value) -> Self;
    fn refused(self, id: i64, code: i64, message: &str) -> Self;
    fn created(self) -> Self;
    fn polled(self, id: i64, task: Value) -> Self;
}

impl Steps for Script {
    fn asks(self, id: i64, method: &str, params: Value) -> Self {
        self.sent(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
    }

    fn gets(self, id: i64, result: Value) -> Self {
        self.received(json!({"jsonrpc": "2.0", "id": id, "result": result}))
    }

    fn refused(self, id: i64, code: i64, message: &str) -> Self {
        self.received(json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}))
    }

    fn created(self) -> Self {
        self.asks(
            3,
            "tools/call",
            json!({"name": "t", "task": {"ttl": 60000}, "_meta": {"progressToken": "p"}}),
        )
        .gets(3, json!({"task": task("working")}))
    }

    fn polled(self, id: i64, task: Value) -> Self {
        self.asks(id, "tasks/get", json!({"taskId": ID})).gets(id, task)
    }
}

fn of_tasks(verdicts: &Verdicts) -> Vec<&'static str> {
    verdicts.broken().into_iter().filter(|id| id.starts_with("tasks.") || id.starts_with("schema.")).collect()
}

#[track_caller]
fn broken(script: Script, ids: &[&str]) {
    assert_eq!(of_tasks(&script.verdicts()), ids);
}

#[test]
fn a_sound_task() {
    let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params":
        {"progressToken": "p", "progress": 1, "_meta": {RELATED: {"taskId": ID}}}});
    let question = json!({"jsonrpc": "2.0", "id": "q", "method": "elicitation/create", "params":
        {"message": "?", "requestedSchema": {"type": "object", "properties": {}}, "_meta": {RELATED: {"taskId": ID}}}});
    let verdicts = begun()
        .created()
        .received(progress)
        .received(json!({"jsonrpc": "2.0", "method": "notifications/tasks/status", "params": task("input_required")}))
        .polled(4, task("input_required"))
        .asks(5, "tasks/result", json!({"taskId": ID}))
        .received(question)
        .polled(6, task("input_required"))
        .sent(json!({"jsonrpc": "2.0", "id": "q", "result": {"action": "accept", "content": {}}}))
        .gets(5, json!({"content": [], "_meta": {RELATED: {"taskId": ID}}}))
        .polled(7, task("completed"))
        .polled(8, task("completed"))
        .asks(9, "tasks/result", json!({"taskId": ID}))
        .gets(9, json!({"content": [], "_meta": {RELATED: {"taskId": ID}}}))
        .asks(10, "tasks/list", json!({}))
        .gets(10, json!({"tasks": [task("completed")], "nextCursor": "c"}))
        .verdicts();
    assert_eq!(of_tasks(&verdicts), [""; 0]);
    for id in [
        "tasks.capability.declared",
        "tasks.capability.shape",
        "tasks.create.result",
        "tasks.create.no-operation-result",
        "tasks.create.status-working",
        "tasks.id.string",
        "tasks.id.unique",
        "tasks.status.known",
        "tasks.status.transitions",
        "tasks.status.terminal-final",
        "tasks.input-required.entered",
        "tasks.input-required.related-task",
        "tasks.related-task.nested",
        "tasks.related-task.everywhere",
        "tasks.result.related-task",
        "tasks.result.terminal",
        "tasks.result.blocks",
        "tasks.fields.created-at",
        "tasks.fields.last-updated-at",
        "tasks.fields.ttl",
        "tasks.get.shape",
        "tasks.notify.shape",
        "tasks.notify.no-related-task",
        "tasks.related-task.not-in-task-results",
        "tasks.list.shape",
        "tasks.list.paginated",
        "tasks.requestor.only-declared",
    ] {
        verdicts.assert_held(id);
    }
}

#[test]
fn beginnings() {
    let call = |result: Value| {
        begun().asks(3, "tools/call", json!({"name": "t", "task": {"ttl": 60000}})).gets(3, result)
    };
    broken(call(json!({"content": []})), &["tasks.create.result"]);
    broken(call(json!({"task": task("working"), "content": []})), &["tasks.create.no-operation-result"]);
    broken(call(json!({"task": task("completed")})), &["tasks.create.status-working"]);
    broken(call(json!({"task": with(task("working"), "taskId", json!(7))})), &["tasks.id.string"]);
    broken(call(json!({"task": with(task("working"), "taskId", json!(""))})), &["tasks.id.string"]);
    let twice = begun().created().asks(4, "tools/call", json!({"name": "t", "task": {}}));
    broken(twice.gets(4, json!({"task": task("working")})), &["tasks.id.unique"]);
    let undeclared = Script::stdio(V2025_11_25).handshake_with(json!({"tools": {}})).created();
    broken(undeclared, &["tasks.capability.declared"]);
    let list = begun().asks(3, "tools/list", json!({"task": {}}));
    assert!(
        list.gets(3, json!({"task": task("working"), "tools": []}))
            .verdicts()
            .broken()
            .contains(&"tasks.capability.exhaustive")
    );
}

#[test]
fn members() {
    let got = |task: Value| begun().created().polled(4, task);
    broken(got(with(task("working"), "createdAt", json!("1764066600"))), &["tasks.fields.created-at"]);
    broken(
        got(with(task("working"), "createdAt", json!("2025-11-25T10:30:01Z"))),
        &["tasks.fields.created-at"],
    );
    broken(
        got(with(task("working"), "lastUpdatedAt", json!("2025-11-25T10:29:00Z"))),
        &["tasks.fields.last-updated-at"],
    );
    broken(got(with(task("working"), "ttl", json!(-1))), &["tasks.fields.ttl"]);
    broken(got(with(task("working"), "ttl", json!("60 s"))), &["tasks.fields.ttl"]);
    broken(got(with(task("running"), "statusMessage", json!("on its way"))), &["tasks.status.known"]);
    broken(got(json!({"task": task("working")})), &["tasks.get.shape"]);
    broken(got(with(task("working"), "taskId", json!("other"))), &["tasks.get.shape"]);
    broken(got(with(task("working"), "ttl", json!(null))), &[]);
    broken(got(task("failed")), &["tasks.status.failure-message"]);
    let meta = json!({RELATED: {"taskId": ID}});
    broken(got(with(task("working"), "_meta", meta)), &["tasks.related-task.not-in-task-results"]);
}

#[test]
fn ends_are_final_unless_the_answers_crossed() {
    let both = ["tasks.status.terminal-final", "tasks.status.transitions"];
    broken(begun().created().polled(4, task("completed")).polled(5, task("working")), &both);
    let crossing = begun()
        .created()
        .asks(4, "tasks/get", json!({"taskId": ID}))
        .polled(5, task("completed"))
        .gets(4, task("working"));
    broken(crossing, &[]);
    let cancel =
        |status: &str| begun().created().asks(4, "tasks/cancel", json!({"taskId": ID})).gets(4, task(status));
    broken(cancel("cancelled").polled(5, task("cancelled")), &[]);
    broken(cancel("working"), &["tasks.cancel.to-cancelled"]);
    let revived = ["tasks.cancel.sticky", "tasks.status.terminal-final", "tasks.status.transitions"];
    broken(cancel("cancelled").polled(5, task("completed")), &revived);
    let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params":
        {"progressToken": "p", "progress": 1, "_meta": {RELATED: {"taskId": ID}}}});
    let late = cancel("cancelled").wait(Duration::from_millis(700)).received(progress.clone());
    broken(late, &["tasks.cancel.stops-work"]);
    broken(cancel("cancelled").wait(Duration::from_millis(100)).received(progress), &[]);
}

#[test]
fn results() {
    let related = json!({RELATED: {"taskId": ID}});
    let ask = |script: Script| script.asks(8, "tasks/result", json!({"taskId": ID}));
    let early =
        ask(begun().created()).gets(8, json!({"content": [], "_meta": related})).polled(9, task("working"));
    broken(early, &["tasks.result.blocks"]);
    let completed = || ask(begun().created().polled(4, task("completed")));
    broken(completed().gets(8, json!({"content": []})), &["tasks.result.related-task"]);
    broken(completed().refused(8, -32603, "lost"), &["tasks.result.terminal"]);
    broken(
        completed().gets(8, json!({"content": [], "isError": true, "_meta": related})),
        &["tasks.status.failed-for-error-result"],
    );
    let failed = with(task("failed"), "statusMessage", json!("it broke"));
    let failed = || ask(begun().created().polled(4, failed.clone()));
    broken(failed().gets(8, json!({"content": [], "_meta": related})), &["tasks.result.error-passthrough"]);
    failed().refused(8, -32603, "it broke").verdicts().assert_held("tasks.result.error-passthrough");
    failed().refused(8, -32602, "no such task").verdicts().assert_open("tasks.result.error-passthrough");
    let with_error = failed().gets(8, json!({"content": [], "isError": true, "_meta": related})).verdicts();
    with_error.assert_held("tasks.status.failed-for-error-result");
}

#[test]
fn questions_and_notifications_name_their_task() {
    let question = |meta: Value| {
        json!({"jsonrpc": "2.0", "id": "q", "method": "elicitation/create", "params":
            {"message": "?", "requestedSchema": {"type": "object", "properties": {}}, "_meta": meta}})
    };
    let all =
        ["tasks.input-required.related-task", "tasks.related-task.everywhere", "tasks.related-task.nested"];
    broken(begun().created().received(question(json!({}))), &all);
    broken(begun().created().received(question(json!({RELATED: {"taskId": "other"}}))), &all);
    // Another call may have asked.
    let other = begun().created().asks(4, "tools/call", json!({"name": "t"})).received(question(json!({})));
    broken(other, &[]);
    let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params":
        {"progressToken": "p", "progress": 1}});
    broken(begun().created().received(progress), &["tasks.related-task.everywhere"]);
    let told =
        |task: Value| json!({"jsonrpc": "2.0", "method": "notifications/tasks/status", "params": task});
    broken(
        begun().created().received(told(json!({"taskId": ID, "status": "completed"}))),
        &["tasks.notify.shape"],
    );
    let foreign = with(task("completed"), "taskId", json!("other"));
    broken(begun().created().received(told(foreign)), &["tasks.notify.shape"]);
    let twice = with(task("completed"), "_meta", json!({RELATED: {"taskId": ID}}));
    broken(begun().created().received(told(twice)), &["tasks.notify.no-related-task"]);
    let named = question(json!({RELATED: {"taskId": ID}}));
    broken(begun().created().received(named).polled(4, task("working")), &["tasks.input-required.entered"]);
    let mut augmented = question(json!({RELATED: {"taskId": ID}}));
    augmented["params"]["task"] = json!({"ttl": 1});
    broken(begun().created().received(augmented), &["tasks.requestor.only-declared"]);
}

#[test]
fn lists_and_ids() {
    let crowd: Vec<Value> = (0..300).map(|_| task("completed")).collect();
    let listed = begun().asks(4, "tasks/list", json!({})).gets(4, json!({"tasks": crowd}));
    broken(listed, &["tasks.list.paginated"]);
    broken(begun().asks(4, "tasks/list", json!({})).gets(4, json!({"tasks": {}})), &["tasks.list.shape"]);
    let mut script =
        Script::http(V2025_11_25).handshake_with(json!({"tasks": {"requests": {"tools": {"call": {}}}}}));
    for id in 10..14 {
        let call =
            json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "t", "task": {}}});
        let created = with(task("working"), "taskId", json!(format!("task-{id}")));
        let answer = json!({"jsonrpc": "2.0", "id": id, "result": {"task": created}});
        script = script.exchange(call, 200, "application/json", &[answer], None);
    }
    let get = json!({"jsonrpc": "2.0", "id": 20, "method": "tasks/get", "params": {"taskId": "task-10"}});
    let got =
        json!({"jsonrpc": "2.0", "id": 20, "result": with(task("working"), "taskId", json!("task-10"))});
    let verdicts = script.exchange(get, 200, "text/event-stream", &[got], None).verdicts();
    assert_eq!(of_tasks(&verdicts), ["tasks.get.no-sse", "tasks.id.secure"]);
}

#[test]
fn progress_of_a_task_may_come_on_any_stream() {
    let http =
        || Script::http(V2025_11_25).handshake_with(json!({"tasks": {"requests": {"tools": {"call": {}}}}}));
    let call = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call",
        "params": {"name": "t", "task": {}, "_meta": {"progressToken": "p"}}});
    let created = json!({"jsonrpc": "2.0", "id": 3, "result": {"task": task("working")}});
    let get = json!({"jsonrpc": "2.0", "id": 4, "method": "tasks/result", "params": {"taskId": ID}});
    let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params":
        {"progressToken": "p", "progress": 1, "_meta": {RELATED: {"taskId": ID}}}});
    let result = json!({"jsonrpc": "2.0", "id": 4,
        "result": {"content": [], "_meta": {RELATED: {"taskId": ID}}}});
    let verdicts = http()
        .exchange(call, 200, "application/json", &[created], None)
        .exchange(get, 200, "text/event-stream", &[progress, result], None)
        .verdicts();
    verdicts.assert_open("http.sse.related-messages-only");
}
