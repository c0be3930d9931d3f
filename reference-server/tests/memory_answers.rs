//! Answers of clients to what the server asks: they are counted until the tool that asked is done, and one for which there
//! is no room ends its question.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod support;

use std::time::Instant;

use mcprove_reference_server::{Config, Server};
use serde_json::{Value, json};
use support::{Http, Pipe, Response, SOON, initialize, modern, notification, request};

const MIB: usize = 1 << 20;

/// A server with room for four large answers: three quarters of 16 MiB.
fn small() -> Config {
    Config { max_bytes_in_flight: 16 * MIB, ..Config::default() }
}

/// A value of 35 KiB that takes some 3 MiB once it is read.
fn padding() -> Value {
    json!(vec![json!({"": 0}); 5_000])
}

fn handshake() -> Value {
    let mut handshake = initialize("2025-11-25");
    handshake["params"]["capabilities"] = json!({"elicitation": {"form": {}}, "sampling": {"tools": {}}});
    handshake
}

async fn session(http: &Http) -> String {
    let response = http.post(&[], &handshake()).await;
    let session = response.headers["mcp-session-id"].clone();
    let ready = notification("notifications/initialized", json!({}));
    assert_eq!(http.post(&[("Mcp-Session-Id", &session)], &ready).await.status, 202);
    session
}

fn call(id: usize, name: &str, arguments: Value) -> Value {
    request(id, "tools/call", json!({"name": name, "arguments": arguments}))
}

fn decline(question: &Value) -> Value {
    let result = json!({"action": "decline", "extra": padding()});
    json!({"jsonrpc": "2.0", "id": question["id"], "result": result})
}

/// The next request of the server on a stream.
async fn question(stream: &mut Response) -> Value {
    loop {
        let event = stream.event().await.unwrap();
        if event.data.contains("\"method\"") {
            return event.json();
        }
    }
}

fn is_unusable(result: &Value) -> bool {
    let text = result["result"]["content"][0]["text"].as_str().unwrap_or_default();
    result["result"]["isError"] == true && text.contains("is unusable: too much")
}

async fn held_falls_to(server: &Server, limit: usize) {
    let began = Instant::now();
    while server.bytes_held().0 > limit {
        assert!(began.elapsed() < SOON, "{} bytes are still held", server.bytes_held().0);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_answer_beside_an_open_question_is_counted() {
    let http = Http::open(small()).await;
    let session = session(&http).await;
    let with = [("Mcp-Session-Id", session.as_str()), ("Accept", "text/event-stream")];
    let mut streams = Vec::new();
    for id in 0..8 {
        let mut stream = http.post(&with, &call(id, "multi_input", json!({}))).await;
        let asked = question(&mut stream).await;
        assert_eq!(http.post(&with, &decline(&asked)).await.status, 202);
        assert!(http.server.bytes_held().0 <= 12 * MIB, "{}", http.server.bytes_held().0);
        streams.push(stream);
    }
    assert!(http.server.bytes_held().0 > 6 * MIB, "{}", http.server.bytes_held().0);
    // The last found no room. Its tool still asks the other question, and fails when that is over.
    let mut last = streams.pop().unwrap();
    let other = question(&mut last).await;
    let declined = json!({"jsonrpc": "2.0", "id": other["id"], "result": {"action": "decline"}});
    assert_eq!(http.post(&with, &declined).await.status, 202);
    let result = message(&mut last).await;
    assert!(is_unusable(&result), "{result}");
    // Answers are held for connections that are gone, too, and let go with their session.
    drop((streams, last));
    assert!(http.server.bytes_held().0 > 6 * MIB);
    assert_eq!(http.send("DELETE", "/mcp", &with, b"").await.status, 204);
    held_falls_to(&http.server, 0).await;
}

/// The next message on a stream, whatever it is.
async fn message(stream: &mut Response) -> Value {
    loop {
        let event = stream.event().await.unwrap();
        if !event.data.is_empty() {
            return event.json();
        }
    }
}

#[tokio::test]
async fn so_it_is_on_a_pipe() {
    let server = Server::new(small());
    let mut pipe = Pipe::on(server.clone());
    pipe.ask(&handshake()).await;
    pipe.send(&notification("notifications/initialized", json!({}))).await;
    let mut others = Vec::new();
    for id in 0..8 {
        let asked = pipe.ask(&call(id, "multi_input", json!({}))).await;
        others.push(pipe.receive().await);
        pipe.send(&decline(&asked)).await;
        pipe.ask(&request("p", "ping", json!({}))).await;
        assert!(server.bytes_held().0 <= 12 * MIB, "{}", server.bytes_held().0);
    }
    assert!(server.bytes_held().0 > 6 * MIB, "{}", server.bytes_held().0);
    let mut unusable = 0;
    for other in others {
        let declined = json!({"jsonrpc": "2.0", "id": other["id"], "result": {"action": "decline"}});
        unusable += usize::from(is_unusable(&pipe.ask(&declined).await));
    }
    assert!((3..8).contains(&unusable), "{unusable}");
    assert_eq!(server.bytes_held().0, 0);
}

#[tokio::test]
async fn an_answer_that_the_next_question_repeats_is_counted() {
    let http = Http::open(small()).await;
    let session = session(&http).await;
    let with = [("Mcp-Session-Id", session.as_str()), ("Accept", "text/event-stream")];
    let mut results = Vec::new();
    for id in 0..4 {
        let mut stream = http.post(&with, &call(id, "ask_weather", json!({"city": "Oslo"}))).await;
        let asked = question(&mut stream).await;
        let using = json!([{"type": "tool_use", "id": "u", "name": "weather", "input": {"pad": padding()}}]);
        let using = json!({"role": "assistant", "content": using, "model": "m", "stopReason": "toolUse"});
        let answer = json!({"jsonrpc": "2.0", "id": asked["id"], "result": using});
        assert_eq!(http.post(&with, &answer).await.status, 202);
        results.push(message(&mut stream).await);
        assert!(http.server.bytes_held().0 <= 12 * MIB, "{}", http.server.bytes_held().0);
    }
    // The answer and the question that repeats it, for the one that found room for both.
    assert_eq!(results[0]["method"], "sampling/createMessage");
    assert!(http.server.bytes_held().0 > 6 * MIB, "{}", http.server.bytes_held().0);
    assert_eq!(results[3]["result"]["isError"], true, "{}", results[3]);
}

#[tokio::test]
async fn what_a_task_is_told_is_counted_until_it_is_over() {
    let http = Http::open(Config { max_bytes_in_flight: MIB, ..Config::default() }).await;
    let capable = |id: usize, method: &str, mut params: Value| {
        params["_meta"] = json!({"io.modelcontextprotocol/clientCapabilities":
            {"elicitation": {"form": {}}, "extensions": {"io.modelcontextprotocol/tasks": {}}}});
        modern(id, method, params)
    };
    let tell = async |task: &Value, key: &str, extra: &Value| {
        let answers = json!({key: {"action": "decline", "extra": extra}});
        let update = capable(2, "tasks/update", json!({"taskId": task, "inputResponses": answers}));
        http.modern(&update, &[("Mcp-Name", task.as_str().unwrap())]).await
    };
    let mut tasks = Vec::new();
    for id in 0..14 {
        let begin = capable(id, "tools/call", json!({"name": "multi_input", "arguments": {}}));
        let begun = http.modern(&begin, &[]).await.json().await;
        tasks.push(begun["result"]["taskId"].clone());
    }
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    // Few bytes may take much: 4 KiB of these take more than 64 KiB.
    let large = tell(&tasks[0], "name", &json!(vec![json!({"": 0}); 500])).await.json().await;
    assert_eq!(large["error"]["code"], -32602, "{large}");
    let padding = json!(vec![json!({"": 0}); 90]);
    let mut told = 0;
    for task in &tasks {
        let response = tell(task, "name", &padding).await;
        if response.status == 200 {
            assert_eq!(response.json().await["error"], Value::Null);
            told += 1;
        } else {
            assert_eq!((response.status, &response.json().await["error"]["code"]), (503, &json!(-32603)));
        }
    }
    let held = http.server.bytes_held().0;
    assert!(told > 5 && told < tasks.len() && held > told * 30_000 && held <= MIB / 2, "{told}: {held}");
    // Who was refused may try again when there is room.
    for task in &tasks[..told] {
        assert_eq!(tell(task, "colour", &json!(0)).await.status, 200);
    }
    // What is left are the arguments of the other tasks.
    held_falls_to(&http.server, 500 * (tasks.len() - told)).await;
    assert_eq!(tell(tasks.last().unwrap(), "name", &padding).await.status, 200);
}
