//! Tasks of 2025-11-25: calls that are answered with a task, and the four methods to follow it.
#![allow(clippy::unwrap_used, reason = "a broken test may panic")]

mod support;

use std::time::{Duration, Instant};

use mcprove_reference_server::Config;
use serde_json::{Value, json};
use support::{Http, Pipe, SOON, initialize, notification, request};

const RELATED: &str = "io.modelcontextprotocol/related-task";

async fn client(version: &str, capabilities: Value) -> Pipe {
    client_of(Config::default(), version, capabilities).await
}

async fn client_of(config: Config, version: &str, capabilities: Value) -> Pipe {
    let mut pipe = Pipe::open(config);
    let mut handshake = initialize(version);
    handshake["params"]["capabilities"] = capabilities;
    pipe.ask(&handshake).await;
    pipe.send(&notification("notifications/initialized", json!({}))).await;
    pipe
}

fn call(id: impl Into<Value>, name: &str, arguments: Value, task: Value) -> Value {
    request(id, "tools/call", json!({"name": name, "arguments": arguments, "task": task}))
}

fn of(method: &str, id: impl Into<Value>, task: &Value) -> Value {
    request(id, method, json!({"taskId": task["taskId"]}))
}

/// The next message that is no notification.
async fn reply(pipe: &mut Pipe) -> Value {
    loop {
        let message = pipe.receive().await;
        if message.get("id").is_some() {
            return message;
        }
    }
}

async fn ask(pipe: &mut Pipe, message: Value) -> Value {
    pipe.send(&message).await;
    reply(pipe).await
}

async fn begin(pipe: &mut Pipe, name: &str, arguments: Value) -> Value {
    let answer = ask(pipe, call("begin", name, arguments, json!({"ttl": 60_000}))).await;
    assert_eq!(answer["result"]["task"]["status"], "working", "{answer}");
    answer["result"]["task"].clone()
}

/// Polls until the task has this status.
async fn reaches(pipe: &mut Pipe, task: &Value, status: &str) -> Value {
    let deadline = Instant::now() + SOON;
    loop {
        let now = ask(pipe, of("tasks/get", "get", task)).await["result"].clone();
        if now["status"] == status {
            return now;
        }
        assert!(Instant::now() < deadline, "not {status}: {now}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn answer(question: &Value, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": question["id"], "result": result})
}

#[tokio::test]
async fn a_call_becomes_a_task_and_its_result_is_fetched() {
    let mut pipe = client("2025-11-25", json!({})).await;
    let created =
        ask(&mut pipe, call(1, "slow_compute", json!({"label": "pi"}), json!({"ttl": 60_000}))).await;
    let result = &created["result"];
    assert!(result.get("content").is_none());
    let task = &result["task"];
    assert_eq!(result["_meta"][RELATED]["taskId"], task["taskId"]);
    assert!(result["_meta"]["io.modelcontextprotocol/model-immediate-response"].is_string());
    assert_eq!((&task["ttl"], &task["status"]), (&json!(60_000), &json!("working")));
    assert!(task["pollInterval"].as_u64().unwrap() > 0);
    assert!(task["taskId"].as_str().unwrap().len() >= 32);
    // Waits for the end, as the task has only begun.
    let done = ask(&mut pipe, of("tasks/result", 2, task)).await;
    assert_eq!(done["result"]["_meta"], json!({RELATED: {"taskId": task["taskId"]}}));
    let mut direct = ask(
        &mut pipe,
        request(3, "tools/call", json!({"name": "slow_compute", "arguments": {"label": "pi"}})),
    )
    .await;
    direct["result"]["_meta"] = done["result"]["_meta"].clone();
    assert_eq!(done["result"], direct["result"]);
    let end = reaches(&mut pipe, task, "completed").await;
    assert_eq!(end["createdAt"], task["createdAt"]);
    assert!(end["lastUpdatedAt"].as_str() >= end["createdAt"].as_str());
    assert!(end.get("_meta").is_none());
    // The result can be fetched again.
    assert_eq!(ask(&mut pipe, of("tasks/result", 2, task)).await, done);
}

#[tokio::test]
async fn the_definition_says_what_a_tool_supports_and_calls_keep_to_it() {
    let mut pipe = client("2025-11-25", json!({})).await;
    let mut support = std::collections::HashMap::new();
    let mut params = json!({});
    loop {
        let page = ask(&mut pipe, request(1, "tools/list", params)).await["result"].clone();
        for tool in page["tools"].as_array().unwrap() {
            support
                .insert(tool["name"].as_str().unwrap().to_owned(), tool["execution"]["taskSupport"].clone());
        }
        let Some(next) = page.get("nextCursor") else { break };
        params = json!({"cursor": next});
    }
    assert_eq!(support["slow_compute"], "optional");
    assert_eq!(support["failing_job"], "required");
    assert_eq!(support["greet"], Value::Null);
    let task = begin(&mut pipe, "slow_compute", json!({})).await;
    reaches(&mut pipe, &task, "completed").await;
    let forbidden = ask(&mut pipe, call(2, "greet", json!({"name": "Ada"}), json!({}))).await;
    assert_eq!(forbidden["error"]["code"], -32601);
    let required = ask(&mut pipe, request(3, "tools/call", json!({"name": "failing_job"}))).await;
    assert_eq!(required["error"]["code"], -32601);
    for malformed in [json!(true), json!({"ttl": "long"}), json!({"ttl": -1})] {
        let refused = ask(&mut pipe, call(4, "slow_compute", json!({}), malformed)).await;
        assert_eq!(refused["error"]["code"], -32602);
    }
}

#[tokio::test]
async fn other_revisions_have_no_tasks_and_ignore_the_member() {
    for version in ["2024-11-05", "2025-03-26", "2025-06-18"] {
        let mut pipe = Pipe::open(Config::default());
        let handshake = pipe.ask(&initialize(version)).await;
        assert!(handshake["result"]["capabilities"].get("tasks").is_none());
        pipe.send(&notification("notifications/initialized", json!({}))).await;
        for (name, arguments) in [("slow_compute", json!({})), ("echo", json!({"text": "?"}))] {
            let result = ask(&mut pipe, call(1, name, arguments, json!({"ttl": 1}))).await;
            assert!(result["result"]["content"].is_array(), "{result}");
            assert!(result["result"].get("task").is_none());
        }
        for method in ["tasks/get", "tasks/list", "tasks/cancel", "tasks/result"] {
            let refused = ask(&mut pipe, request(2, method, json!({"taskId": "x"}))).await;
            assert_eq!(refused["error"]["code"], -32601, "{version} {method}");
        }
    }
}

#[tokio::test]
async fn failures_of_both_kinds_fail_the_task_and_come_out_as_they_were() {
    let mut pipe = client("2025-11-25", json!({})).await;
    let task = begin(&mut pipe, "failing_job", json!({})).await;
    let failed = reaches(&mut pipe, &task, "failed").await;
    assert!(failed["statusMessage"].as_str().unwrap().contains("failed"));
    let result = ask(&mut pipe, of("tasks/result", 1, &task)).await;
    assert_eq!(result["result"]["isError"], true);
    let task = begin(&mut pipe, "protocol_error_job", json!({})).await;
    let result = ask(&mut pipe, of("tasks/result", 2, &task)).await;
    assert_eq!(result["error"]["code"], -32603);
    let failed = reaches(&mut pipe, &task, "failed").await;
    assert_eq!(failed["statusMessage"], result["error"]["message"]);
    // Wrong arguments are an error of the tool, also in a task.
    let task = begin(&mut pipe, "slow_compute", json!({"seconds": "many"})).await;
    let result = ask(&mut pipe, of("tasks/result", 3, &task)).await;
    assert_eq!(result["result"]["isError"], true);
}

#[tokio::test]
async fn a_cancelled_task_stays_cancelled() {
    let mut pipe = client("2025-11-25", json!({})).await;
    let task = begin(&mut pipe, "slow_compute", json!({"seconds": 0.1})).await;
    pipe.send(&of("tasks/result", "waiting", &task)).await;
    pipe.send(&of("tasks/cancel", 1, &task)).await;
    let (first, second) = (reply(&mut pipe).await, reply(&mut pipe).await);
    let (cancelled, waited) = if first["id"] == 1 { (first, second) } else { (second, first) };
    assert_eq!(cancelled["result"]["status"], "cancelled");
    assert_eq!(waited["id"], "waiting");
    assert!(waited["error"]["code"].is_number(), "{waited}");
    let again = ask(&mut pipe, of("tasks/cancel", 2, &task)).await;
    assert_eq!(again["error"]["code"], -32602);
    tokio::time::sleep(Duration::from_millis(150)).await;
    reaches(&mut pipe, &task, "cancelled").await;
    let done = begin(&mut pipe, "slow_compute", json!({})).await;
    reaches(&mut pipe, &done, "completed").await;
    let late = ask(&mut pipe, of("tasks/cancel", 3, &done)).await;
    assert_eq!(late["error"]["code"], -32602);
}

#[tokio::test]
async fn cancelling_the_request_that_began_it_or_waits_for_it_leaves_the_task_alone() {
    let mut pipe = client("2025-11-25", json!({})).await;
    let task = begin(&mut pipe, "slow_compute", json!({"seconds": 0.2})).await;
    pipe.send(&notification("notifications/cancelled", json!({"requestId": "begin"}))).await;
    pipe.send(&of("tasks/result", "waiting", &task)).await;
    pipe.send(&notification("notifications/cancelled", json!({"requestId": "waiting"}))).await;
    let result = ask(&mut pipe, of("tasks/result", 1, &task)).await;
    assert_eq!((&result["id"], &result["result"]["isError"]), (&json!(1), &json!(false)));
}

#[tokio::test]
async fn questions_come_with_the_request_for_the_result() {
    let mut pipe = client("2025-11-25", json!({"elicitation": {}})).await;
    let task = begin(&mut pipe, "confirm_delete", json!({"filename": "a.txt"})).await;
    reaches(&mut pipe, &task, "input_required").await;
    pipe.send(&of("tasks/result", 1, &task)).await;
    let question = reply(&mut pipe).await;
    assert_eq!(question["method"], "elicitation/create");
    assert_eq!(question["params"]["_meta"][RELATED]["taskId"], task["taskId"]);
    // Whoever stops waiting is asked no longer; the next one is.
    pipe.send(&notification("notifications/cancelled", json!({"requestId": 1}))).await;
    let withdrawn = pipe.receive().await;
    assert_eq!(withdrawn["method"], "notifications/cancelled");
    assert_eq!(withdrawn["params"]["requestId"], question["id"]);
    reaches(&mut pipe, &task, "input_required").await;
    pipe.send(&of("tasks/result", 2, &task)).await;
    let question = reply(&mut pipe).await;
    // A second one that waits is not asked the same.
    pipe.send(&of("tasks/result", 3, &task)).await;
    pipe.send(&answer(&question, json!({"action": "accept", "content": {"confirm": true}}))).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let result = reply(&mut pipe).await;
        assert_eq!(result["result"]["content"][0]["text"], "a.txt would be deleted now.");
        ids.push(result["id"].as_u64().unwrap());
    }
    ids.sort_unstable();
    assert_eq!(ids, [2, 3]);
    reaches(&mut pipe, &task, "completed").await;
}

#[tokio::test]
async fn several_questions_are_asked_at_once_and_a_tool_may_ask_before_it_works() {
    let mut pipe = client("2025-11-25", json!({"elicitation": {}})).await;
    let task = begin(&mut pipe, "multi_input", json!({})).await;
    pipe.send(&of("tasks/result", 1, &task)).await;
    let first = reply(&mut pipe).await;
    let second = reply(&mut pipe).await;
    pipe.send(&answer(&second, json!({"action": "accept", "content": {"colour": "red"}}))).await;
    reaches(&mut pipe, &task, "input_required").await;
    pipe.send(&answer(&first, json!({"action": "accept", "content": {"name": "Ada"}}))).await;
    let result = reply(&mut pipe).await;
    assert_eq!(result["result"]["content"][0]["text"], "Ada likes red.");

    let task = begin(&mut pipe, "test_tool_with_task", json!({})).await;
    pipe.send(&of("tasks/result", 2, &task)).await;
    let question = reply(&mut pipe).await;
    pipe.send(&answer(&question, json!({"action": "accept", "content": {"name": "Alice"}}))).await;
    let result = reply(&mut pipe).await;
    assert_eq!(result["result"]["content"][0]["text"], "The task of Alice is done.");
}

#[tokio::test]
async fn refusals_malformed_answers_and_missing_capabilities_fail_the_task() {
    let mut pipe = client("2025-11-25", json!({"elicitation": {}})).await;
    for bad in [json!(7), json!({"action": "accept", "content": {"confirm": "yes"}})] {
        let task = begin(&mut pipe, "confirm_delete", json!({"filename": "a"})).await;
        pipe.send(&of("tasks/result", 1, &task)).await;
        let question = reply(&mut pipe).await;
        let result = ask(&mut pipe, answer(&question, bad)).await;
        assert_eq!(result["result"]["isError"], true);
    }
    let mut pipe = client("2025-11-25", json!({})).await;
    let task = begin(&mut pipe, "confirm_delete", json!({"filename": "a"})).await;
    reaches(&mut pipe, &task, "failed").await;
}

#[tokio::test]
async fn the_status_is_told_in_order_and_progress_goes_on_under_its_token() {
    let mut pipe = client("2025-11-25", json!({"elicitation": {}})).await;
    pipe.send(&call(1, "confirm_delete", json!({"filename": "a"}), json!({}))).await;
    let created = pipe.receive().await;
    let task = created["result"]["task"].clone();
    let told = pipe.receive().await;
    assert_eq!(told["method"], "notifications/tasks/status");
    assert_eq!(
        (&told["params"]["taskId"], &told["params"]["status"]),
        (&task["taskId"], &json!("input_required"))
    );
    assert!(told["params"].get("_meta").is_none());
    pipe.send(&of("tasks/result", 2, &task)).await;
    let question = pipe.receive().await;
    pipe.send(&answer(&question, json!({"action": "decline"}))).await;
    let mut statuses = Vec::new();
    while statuses.len() < 2 {
        let message = pipe.receive().await;
        if message["method"] == "notifications/tasks/status" {
            statuses.push(message["params"]["status"].clone());
        }
    }
    assert_eq!(statuses, ["working", "completed"]);

    let mut pipe = client("2025-11-25", json!({})).await;
    let mut begin = call(1, "slow_compute", json!({}), json!({}));
    begin["params"]["_meta"] = json!({"progressToken": "token"});
    let task = pipe.ask(&begin).await["result"]["task"].clone();
    let mut seen = Vec::new();
    loop {
        let message = pipe.receive().await;
        if message["method"] == "notifications/tasks/status" {
            assert_eq!(message["params"]["status"], "completed");
            break;
        }
        assert_eq!(message["params"]["progressToken"], "token");
        assert_eq!(message["params"]["_meta"][RELATED]["taskId"], task["taskId"]);
        seen.push(message["params"]["progress"].as_u64().unwrap());
    }
    assert!(seen.len() >= 9, "{seen:?}");
    assert!(seen.is_sorted());
}

#[tokio::test]
async fn the_list_holds_the_own_tasks_page_by_page() {
    let mut pipe = client("2025-11-25", json!({})).await;
    let mut begun = Vec::new();
    for _ in 0..12 {
        begun.push(begin(&mut pipe, "slow_compute", json!({})).await["taskId"].clone());
    }
    let mut listed = Vec::new();
    let (mut params, mut pages) = (json!({}), 0);
    loop {
        let page = ask(&mut pipe, request(1, "tasks/list", params)).await["result"].clone();
        pages += 1;
        for task in page["tasks"].as_array().unwrap() {
            assert!(task["ttl"].is_number() && task["createdAt"].is_string());
            listed.push(task["taskId"].clone());
        }
        let Some(next) = page.get("nextCursor") else { break };
        params = json!({"cursor": next});
    }
    assert_eq!(listed, begun);
    assert!(pages > 1);
    let tools = ask(&mut pipe, request(2, "resources/list", json!({}))).await["result"]["nextCursor"].clone();
    for bad in [json!("garbage"), json!(7), tools] {
        let refused = ask(&mut pipe, request(3, "tasks/list", json!({"cursor": bad}))).await;
        assert_eq!(refused["error"]["code"], -32602);
    }
}

#[tokio::test]
async fn unknown_tasks_are_refused() {
    let mut pipe = client("2025-11-25", json!({})).await;
    for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
        for params in [json!({"taskId": "0".repeat(32)}), json!({"taskId": 7}), json!({})] {
            let refused = ask(&mut pipe, request(1, method, params)).await;
            assert_eq!(refused["error"]["code"], -32602, "{method}");
        }
    }
    // The parameter counts, not the metadata.
    let task = begin(&mut pipe, "slow_compute", json!({})).await;
    let mut get = of("tasks/get", 2, &task);
    get["params"]["_meta"] = json!({RELATED: {"taskId": "other"}});
    assert_eq!(ask(&mut pipe, get).await["result"]["taskId"], task["taskId"]);
}

#[tokio::test]
async fn time_removes_a_task_and_its_waiting_readers_hear_of_it() {
    let config = Config { max_task_ttl_seconds: 1, ..Config::default() };
    let mut pipe = client_of(config, "2025-11-25", json!({})).await;
    let created =
        ask(&mut pipe, call(1, "slow_compute", json!({"seconds": 60}), json!({"ttl": 3_000_000}))).await;
    let task = &created["result"]["task"];
    assert_eq!(task["ttl"], 1000);
    let expired = ask(&mut pipe, of("tasks/result", 2, task)).await;
    assert_eq!(expired["error"]["code"], -32602);
    let expired = ask(&mut pipe, of("tasks/get", 3, task)).await;
    assert_eq!(expired["error"]["code"], -32602);
    let list = ask(&mut pipe, request(4, "tasks/list", json!({}))).await;
    assert_eq!(list["result"]["tasks"], json!([]));
}

#[tokio::test]
async fn the_number_of_tasks_is_limited() {
    let config = Config { max_tasks_per_client: 2, ..Config::default() };
    let mut pipe = client_of(config, "2025-11-25", json!({})).await;
    for _ in 0..2 {
        begin(&mut pipe, "slow_compute", json!({})).await;
    }
    let refused = ask(&mut pipe, call(1, "slow_compute", json!({}), json!({}))).await;
    assert_eq!(refused["error"]["code"], -32603);
}

#[tokio::test]
async fn the_end_of_the_input_ends_a_running_task_at_once() {
    let mut pipe = client("2025-11-25", json!({})).await;
    begin(&mut pipe, "slow_compute", json!({"seconds": 60})).await;
    let closed = Instant::now();
    pipe.close_input().await;
    assert!(pipe.rest().await.is_empty());
    assert!(closed.elapsed() < SOON);
    assert!(pipe.served.await.unwrap().is_ok());
}

fn session(id: &str) -> [(&str, &str); 2] {
    [("Mcp-Session-Id", id), ("MCP-Protocol-Version", "2025-11-25")]
}

/// A session whose client has forms.
async fn session_with_forms(http: &Http) -> String {
    let mut handshake = initialize("2025-11-25");
    handshake["params"]["capabilities"] = json!({"elicitation": {}});
    let response = http.post(&[], &handshake).await;
    let id = response.headers["mcp-session-id"].clone();
    response.body().await;
    http.post(&session(&id), &notification("notifications/initialized", json!({}))).await;
    id
}

#[tokio::test]
async fn sessions_neither_see_nor_touch_the_tasks_of_others() {
    let http = Http::open(Config::default()).await;
    let (own, other) = (http.initialized("2025-11-25").await, http.initialized("2025-11-25").await);
    let created = http
        .post(&session(&own), &call(1, "slow_compute", json!({"seconds": 60}), json!({})))
        .await
        .json()
        .await;
    let task = &created["result"]["task"];
    for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
        let refused = http.post(&session(&other), &of(method, 2, task)).await.json().await;
        assert_eq!(refused["error"]["code"], -32602, "{method}");
    }
    for id in [&own, &other] {
        let list = http.post(&session(id), &request(3, "tasks/list", json!({}))).await.json().await;
        assert_eq!(list["error"]["code"], -32601, "nobody is known here, so nobody gets a list");
    }
    let got = http.post(&session(&own), &of("tasks/get", 4, task)).await;
    assert!(got.header("content-type").starts_with("application/json"));
    assert_eq!(got.json().await["result"]["status"], "working");
    // The modern era does not know it either.
    let mut get = support::modern(5, "tasks/get", json!({"taskId": task["taskId"]}));
    get["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
        json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    let name = task["taskId"].as_str().unwrap();
    let refused = http.modern(&get, &[("Mcp-Name", name)]).await.json().await;
    assert_eq!(refused["error"]["code"], -32602);
}

#[tokio::test]
async fn over_http_the_stream_of_the_result_carries_questions_and_the_get_stream_the_status() {
    let http = Http::open(Config::default()).await;
    let id = session_with_forms(&http).await;
    let mut stream = http.send("GET", "/mcp", &session(&id), b"").await;
    let _prime = stream.event().await;
    let delete = call(1, "confirm_delete", json!({"filename": "a"}), json!({}));
    let created = http.post(&session(&id), &delete).await.json().await;
    let task = &created["result"]["task"];
    let told = stream.event().await.unwrap().json();
    assert_eq!(told["params"]["status"], "input_required");
    let mut result = http.post(&session(&id), &of("tasks/result", 2, task)).await;
    let question = loop {
        let event = result.event().await.unwrap();
        if !event.data.is_empty() {
            break event.json();
        }
    };
    assert_eq!(question["params"]["_meta"][RELATED]["taskId"], task["taskId"]);
    let accepted = answer(&question, json!({"action": "accept", "content": {}}));
    assert_eq!(http.post(&session(&id), &accepted).await.status, 202);
    let done = result.event().await.unwrap().json();
    assert_eq!(done["id"], 2);
    assert_eq!(stream.event().await.unwrap().json()["params"]["status"], "working");
    assert_eq!(stream.event().await.unwrap().json()["params"]["status"], "completed");
}

#[tokio::test]
async fn the_end_of_a_session_ends_its_tasks() {
    let http = Http::open(Config { max_tasks: 1, ..Config::default() }).await;
    let (first, second) = (http.initialized("2025-11-25").await, http.initialized("2025-11-25").await);
    let slow = call(1, "slow_compute", json!({"seconds": 60}), json!({}));
    assert!(http.post(&session(&first), &slow).await.json().await["result"]["task"].is_object());
    assert!(http.post(&session(&second), &slow).await.json().await["error"].is_object());
    assert_eq!(http.send("DELETE", "/mcp", &session(&first), b"").await.status, 204);
    assert!(http.post(&session(&second), &slow).await.json().await["result"]["task"].is_object());
}
