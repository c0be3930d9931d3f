//! The tasks extension of 2026-07-28: calls that the server makes tasks of, for clients that declare the extension.
#![allow(clippy::unwrap_used, reason = "a broken test may panic")]

mod support;

use std::time::{Duration, Instant};

use mcprove_reference_server::Config;
use serde_json::{Value, json};
use support::{Http, Pipe, SOON, modern};

const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// A request of a client that has forms and knows tasks.
fn declared(id: impl Into<Value>, method: &str, mut params: Value) -> Value {
    params["_meta"][CAPABILITIES] = json!({"elicitation": {}, "extensions": {EXTENSION: {}}});
    modern(id, method, params)
}

fn call(name: &str, arguments: Value) -> Value {
    declared("call", "tools/call", json!({"name": name, "arguments": arguments}))
}

fn of(method: &str, task: &Value) -> Value {
    declared(method, method, json!({"taskId": task["taskId"]}))
}

fn update(task: &Value, responses: Value) -> Value {
    declared("update", "tasks/update", json!({"taskId": task["taskId"], "inputResponses": responses}))
}

async fn begin(pipe: &mut Pipe, name: &str, arguments: Value) -> Value {
    let answer = pipe.ask(&call(name, arguments)).await;
    assert_eq!(answer["result"]["resultType"], "task", "{answer}");
    answer["result"].clone()
}

/// Polls until the task has this status.
async fn reaches(pipe: &mut Pipe, task: &Value, status: &str) -> Value {
    let deadline = Instant::now() + SOON;
    loop {
        let now = pipe.ask(&of("tasks/get", task)).await["result"].clone();
        assert_eq!(now["resultType"], "complete");
        if now["status"] == status {
            return now;
        }
        assert!(Instant::now() < deadline, "not {status}: {now}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn is_ack(answer: &Value) -> bool {
    let result = answer["result"].as_object();
    result.is_some_and(|result| {
        result["resultType"] == "complete"
            && result.keys().all(|key| matches!(key.as_str(), "resultType" | "_meta"))
    })
}

#[tokio::test]
async fn a_call_becomes_a_flat_task_and_ends_with_its_result() {
    let mut pipe = Pipe::open(Config::default());
    let task = begin(&mut pipe, "slow_compute", json!({"label": "pi"})).await;
    for member in ["result", "error", "inputRequests", "task", "ttl", "pollInterval", "requestState"] {
        assert!(task.get(member).is_none(), "{member}");
    }
    assert_eq!(task["status"], "working");
    assert!(task["ttlMs"].as_u64().unwrap() > 0 && task["pollIntervalMs"].as_u64().unwrap() > 0);
    assert!(task["taskId"].as_str().unwrap().len() >= 32);
    let done = reaches(&mut pipe, &task, "completed").await;
    assert_eq!(done["createdAt"], task["createdAt"]);
    assert!(done["result"]["content"][0]["text"].as_str().unwrap().starts_with("pi is done"));
    assert!(done["result"].get("_meta").is_none());
    assert_eq!(reaches(&mut pipe, &task, "completed").await, done);
}

#[tokio::test]
async fn who_does_not_declare_the_extension_gets_no_task() {
    let http = Http::open(Config::default()).await;
    let discovered = http.modern(&modern(1, "server/discover", json!({})), &[]).await.json().await;
    let capabilities = &discovered["result"]["capabilities"];
    assert_eq!(capabilities["extensions"][EXTENSION], json!({}));
    assert!(capabilities.get("tasks").is_none());
    let old = json!({"tasks": {"requests": {"tools": {"call": {}}}}});
    for client in [json!({}), old, json!({"extensions": {}}), json!({"extensions": {EXTENSION: true}})] {
        let meta = json!({CAPABILITIES: client});
        // The member of 2025-11-25 means nothing here.
        let params = json!({"name": "slow_compute", "task": {"ttl": 1000}, "_meta": meta.clone()});
        let result = http.modern(&modern(2, "tools/call", params), &[]).await.json().await;
        assert_eq!(result["result"]["resultType"], "complete");
        let refused = [
            modern(3, "tools/call", json!({"name": "failing_job", "_meta": meta.clone()})),
            modern(4, "tasks/get", json!({"taskId": "x", "_meta": meta.clone()})),
            modern(5, "tasks/update", json!({"taskId": "x", "inputResponses": {}, "_meta": meta.clone()})),
            modern(6, "tasks/cancel", json!({"taskId": "x", "_meta": meta.clone()})),
            modern(
                7,
                "subscriptions/listen",
                json!({"notifications": {"taskIds": ["x"]}, "_meta": meta.clone()}),
            ),
        ];
        for request in refused {
            let name = request["params"]["name"].as_str().or(request["params"]["taskId"].as_str());
            let response = http.modern(&request, &[("Mcp-Name", name.unwrap_or_default())]).await;
            assert_eq!(response.status, 400, "{request}");
            let error = response.json().await["error"].clone();
            assert_eq!(error["code"], -32021, "{request}");
            assert_eq!(error["data"]["requiredCapabilities"], json!({"extensions": {EXTENSION: {}}}));
        }
    }
    for gone in ["tasks/list", "tasks/result"] {
        let response = http.modern(&declared(8, gone, json!({"taskId": "x"})), &[]).await;
        assert_eq!(response.status, 404);
        assert_eq!(response.json().await["error"]["code"], -32601);
    }
}

#[tokio::test]
async fn tools_without_support_answer_as_always() {
    let mut pipe = Pipe::open(Config::default());
    let answer = pipe.ask(&call("greet", json!({"name": "Ada"}))).await;
    assert_eq!(answer["result"]["resultType"], "complete");
    assert_eq!(answer["result"]["content"][0]["text"], "Hello, Ada!");
    // Where there is nothing to do, there is no task.
    let answer = pipe.ask(&call("slow_compute", json!({"seconds": "many"}))).await;
    assert_eq!(
        (&answer["result"]["resultType"], &answer["result"]["isError"]),
        (&json!("complete"), &json!(true))
    );
    let list = pipe.ask(&declared(1, "tools/list", json!({}))).await;
    assert!(!list.to_string().contains("taskSupport"));
}

#[tokio::test]
async fn a_tool_error_completes_and_a_protocol_error_fails() {
    let mut pipe = Pipe::open(Config::default());
    let task = begin(&mut pipe, "failing_job", json!({})).await;
    assert_eq!(reaches(&mut pipe, &task, "completed").await["result"]["isError"], true);
    let task = begin(&mut pipe, "protocol_error_job", json!({})).await;
    let failed = reaches(&mut pipe, &task, "failed").await;
    assert_eq!(failed["error"]["code"], -32603);
    assert_eq!(failed["statusMessage"], failed["error"]["message"]);
    assert!(failed.get("result").is_none());
}

#[tokio::test]
async fn input_comes_by_updates() {
    let mut pipe = Pipe::open(Config::default());
    let task = begin(&mut pipe, "multi_input", json!({})).await;
    let asking = reaches(&mut pipe, &task, "input_required").await;
    let requests = asking["inputRequests"].as_object().unwrap();
    assert_eq!(requests.len(), 2);
    assert!(requests.values().all(|request| request["method"] == "elicitation/create"));
    // What was not asked for is ignored, also beside something malformed that was.
    assert!(is_ack(&pipe.ask(&update(&task, json!({"unknown": 7}))).await));
    let colour = json!({"action": "accept", "content": {"colour": "red"}});
    let malformed = pipe.ask(&update(&task, json!({"colour": colour, "name": 7}))).await;
    assert_eq!(malformed["error"]["code"], -32602);
    let endless = json!({"action": "accept", "content": {"more": "x".repeat(100_000)}});
    assert_eq!(pipe.ask(&update(&task, json!({"name": endless}))).await["error"]["code"], -32602);
    assert_eq!(reaches(&mut pipe, &task, "input_required").await["inputRequests"], asking["inputRequests"]);
    assert!(is_ack(&pipe.ask(&update(&task, json!({"colour": colour}))).await));
    let left = reaches(&mut pipe, &task, "input_required").await["inputRequests"].clone();
    assert_eq!(left.as_object().unwrap().keys().collect::<Vec<_>>(), ["name"]);
    let name = json!({"action": "accept", "content": {"name": "Ada"}});
    // An answered key is stale.
    assert!(is_ack(&pipe.ask(&update(&task, json!({"name": name, "colour": 7}))).await));
    let done = reaches(&mut pipe, &task, "completed").await;
    assert_eq!(done["result"]["content"][0]["text"], "Ada likes red.");
    assert!(is_ack(&pipe.ask(&update(&task, json!({"name": name}))).await));
    for bad in [json!(null), json!([])] {
        assert_eq!(pipe.ask(&update(&task, bad)).await["error"]["code"], -32602);
    }
}

#[tokio::test]
async fn a_tool_may_ask_in_rounds_before_its_task_begins() {
    let mut pipe = Pipe::open(Config::default());
    let round = pipe.ask(&call("test_tool_with_task", json!({}))).await["result"].clone();
    assert_eq!(round["resultType"], "input_required");
    assert!(round.get("taskId").is_none());
    let mut again = call("test_tool_with_task", json!({}));
    again["params"]["requestState"] = round["requestState"].clone();
    again["params"]["inputResponses"] =
        json!({"user_name": {"action": "accept", "content": {"name": "Alice"}}});
    let task = pipe.ask(&again).await["result"].clone();
    assert_eq!(task["resultType"], "task");
    let done = reaches(&mut pipe, &task, "completed").await;
    assert_eq!(done["result"]["content"][0]["text"], "The task of Alice is done.");
}

#[tokio::test]
async fn what_the_client_did_not_declare_is_not_asked_for() {
    let mut pipe = Pipe::open(Config::default());
    let mut request = call("confirm_delete", json!({"filename": "a"}));
    request["params"]["_meta"][CAPABILITIES] = json!({"extensions": {EXTENSION: {}}});
    let task = pipe.ask(&request).await["result"].clone();
    let failed = reaches(&mut pipe, &task, "failed").await;
    assert_eq!(failed["error"]["code"], -32021);
}

#[tokio::test]
async fn only_the_method_cancels_and_for_good() {
    let mut pipe = Pipe::open(Config::default());
    let task = begin(&mut pipe, "slow_compute", json!({"seconds": 0.1})).await;
    pipe.send(&support::notification("notifications/cancelled", json!({"requestId": "call"}))).await;
    reaches(&mut pipe, &task, "completed").await;
    assert!(is_ack(&pipe.ask(&of("tasks/cancel", &task)).await));
    reaches(&mut pipe, &task, "completed").await;
    let jobs = [
        ("slow_compute", json!({"seconds": 60}), "working"),
        ("confirm_delete", json!({"filename": "a"}), "input_required"),
    ];
    for (name, arguments, status) in jobs {
        let task = begin(&mut pipe, name, arguments).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        reaches(&mut pipe, &task, status).await;
        assert!(is_ack(&pipe.ask(&of("tasks/cancel", &task)).await), "{name}");
        let cancelled = reaches(&mut pipe, &task, "cancelled").await;
        assert!(cancelled.get("error").is_none() && cancelled.get("inputRequests").is_none());
    }
}

#[tokio::test]
async fn unknown_tasks_and_expired_ones_are_refused() {
    let mut pipe = Pipe::open(Config { task_ttl_seconds: 1, ..Config::default() });
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        for id in [json!("0".repeat(32)), json!(7), json!(null)] {
            let params = json!({"taskId": id, "inputResponses": {}});
            assert_eq!(pipe.ask(&declared(1, method, params)).await["error"]["code"], -32602, "{method}");
        }
    }
    let task = begin(&mut pipe, "slow_compute", json!({})).await;
    assert_eq!(task["ttlMs"], 1000);
    reaches(&mut pipe, &task, "completed").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(pipe.ask(&of("tasks/get", &task)).await["error"]["code"], -32602);
}

#[tokio::test]
async fn the_name_header_repeats_the_task_id() {
    let http = Http::open(Config::default()).await;
    let task = http.modern(&call("slow_compute", json!({})), &[]).await.json().await["result"].clone();
    let id = task["taskId"].as_str().unwrap();
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let mut request = of(method, &task);
        request["params"]["inputResponses"] = json!({});
        assert_eq!(http.modern(&request, &[("Mcp-Name", id)]).await.status, 200, "{method}");
        for wrong in ["other", ""] {
            let response = http.modern(&request, &[("Mcp-Name", wrong)]).await;
            assert_eq!(response.status, 400);
            assert_eq!(response.json().await["error"]["code"], -32020);
        }
    }
}

#[tokio::test]
async fn a_task_can_be_followed_by_a_subscription() {
    let http = Http::open(Config::default()).await;
    let task = http.modern(&call("confirm_delete", json!({"filename": "a"})), &[]).await.json().await;
    let task = &task["result"];
    let id = task["taskId"].as_str().unwrap();
    let notifications = json!({"taskIds": [id, "0".repeat(32)], "toolsListChanged": true});
    let listen = declared(99, "subscriptions/listen", json!({"notifications": notifications}));
    let mut stream = http.modern(&listen, &[]).await;
    let acknowledged = stream.event().await.unwrap().json();
    assert_eq!(acknowledged["params"]["notifications"], json!({"taskIds": [id], "toolsListChanged": true}));
    // Another task is not told of.
    http.modern(&call("slow_compute", json!({})), &[]).await.body().await;
    let answer = json!({"confirmation": {"action": "accept", "content": {}}});
    tokio::time::sleep(Duration::from_millis(50)).await;
    http.modern(&update(task, answer), &[("Mcp-Name", id)]).await.body().await;
    let mut statuses = Vec::new();
    let last = loop {
        let told = stream.event().await.unwrap().json();
        assert_eq!(told["method"], "notifications/tasks");
        assert_eq!(told["params"]["taskId"], id);
        assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 99);
        statuses.push(told["params"]["status"].as_str().unwrap().to_owned());
        if statuses.last().unwrap() == "completed" {
            break told["params"].clone();
        }
    };
    assert!(statuses.ends_with(&["working".to_owned(), "completed".to_owned()]), "{statuses:?}");
    let got = http.modern(&of("tasks/get", task), &[("Mcp-Name", id)]).await.json().await;
    for member in ["result", "status", "createdAt", "lastUpdatedAt", "ttlMs", "pollIntervalMs"] {
        assert_eq!(last[member], got["result"][member], "{member}");
    }
    stream.hears_nothing().await;
}

#[tokio::test]
async fn the_end_of_the_server_ends_its_tasks() {
    let mut pipe = Pipe::open(Config::default());
    begin(&mut pipe, "slow_compute", json!({"seconds": 60})).await;
    let closed = Instant::now();
    pipe.close_input().await;
    assert!(pipe.rest().await.is_empty());
    assert!(closed.elapsed() < SOON);
}
