//! Those who listen miss nothing: many changes at once, many streams, and the end of the server.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod support;

use mcprove_reference_server::{Config, Server, serve_http_until};
use serde_json::{Value, json};
use support::{Http, Response, SOON, modern, notification, request};
use tokio::net::TcpListener;

async fn hears(stream: &mut Response, method: &str) {
    while stream.event().await.unwrap_or_else(|| panic!("no {method}")).data.find(method).is_none() {}
}

/// One change of the list of tools, then many of a resource.
fn many_changes() -> Value {
    let call = |id: usize| {
        let tool = if id == 0 { "toggle_tool" } else { "touch_resource" };
        request(id, "tools/call", json!({"name": tool, "arguments": {}}))
    };
    (0..999).map(call).collect()
}

#[tokio::test]
async fn no_listener_misses_a_change_among_many() {
    let http = Http::open(Config::default()).await;
    let filter = json!({"toolsListChanged": true, "resourceSubscriptions": ["note://touches"]});
    let mut stateless =
        http.modern(&modern("L", "subscriptions/listen", json!({"notifications": filter})), &[]).await;
    hears(&mut stateless, "acknowledged").await;
    let (listening, calling) = (http.initialized("2025-11-25").await, http.initialized("2025-03-26").await);
    let mut session = http.send("GET", "/mcp", &[("Mcp-Session-Id", &listening)], b"").await;
    let mut sse = http.send("GET", "/sse", &[], b"").await;
    let path = sse.event().await.unwrap().data;
    for message in [support::initialize("2024-11-05"), notification("notifications/initialized", json!({}))] {
        let body = message.to_string();
        assert_eq!(http.send("POST", &path, &[], body.as_bytes()).await.status, 202);
    }
    hears(&mut sse, "protocolVersion").await;
    let answers = http.post(&[("Mcp-Session-Id", &calling)], &many_changes()).await.json().await;
    assert_eq!(answers.as_array().unwrap().len(), 999);
    for stream in [&mut stateless, &mut session, &mut sse] {
        hears(stream, "tools/list_changed").await;
    }
    hears(&mut stateless, "resources/updated").await;
}

#[tokio::test]
async fn a_task_is_heard_of_among_many_changes() {
    let http = Http::open(Config::default()).await;
    let capable = |id: &str, method: &str, mut params: Value| {
        params["_meta"] = json!({"io.modelcontextprotocol/clientCapabilities":
            {"extensions": {"io.modelcontextprotocol/tasks": {}}}});
        modern(id, method, params)
    };
    let call = json!({"name": "slow_compute", "arguments": {"seconds": 60}});
    let task = http.modern(&capable("T", "tools/call", call), &[]).await.json().await;
    let task = task["result"]["taskId"].clone();
    let filter = json!({"notifications": {"taskIds": [task], "toolsListChanged": true}});
    let mut stream = http.modern(&capable("L", "subscriptions/listen", filter), &[]).await;
    hears(&mut stream, "acknowledged").await;
    let session = http.initialized("2025-03-26").await;
    let with = [("Mcp-Session-Id", session.as_str())];
    let changes = many_changes();
    let cancel = capable("C", "tasks/cancel", json!({"taskId": task}));
    let task = task.as_str().unwrap();
    let cancel_headers = [("Mcp-Name", task)];
    tokio::join!(http.modern(&cancel, &cancel_headers), http.post(&with, &changes));
    hears(&mut stream, "notifications/tasks").await;
}

#[tokio::test]
async fn a_session_whose_stream_is_read_is_not_idle() {
    let http = Http::open(Config { max_sessions: 2, ..Config::default() }).await;
    let first = http.initialized("2025-11-25").await;
    let with = [("Mcp-Session-Id", first.as_str())];
    let mut listening = http.send("GET", "/mcp", &with, b"").await;
    listening.event().await.unwrap();
    for id in 0..20 {
        let call = json!({"name": "countdown", "arguments": {"from": 2, "interval_ms": 1}, "_meta": {"progressToken": id}});
        http.post(&with, &request(id, "tools/call", call)).await.events().await;
    }
    for _ in 0..3 {
        http.initialized("2025-11-25").await;
    }
    assert_eq!(http.post(&with, &request(1, "ping", json!({}))).await.status, 200);
}

#[tokio::test]
async fn a_stream_that_goes_on_is_kept_longer_than_ended_ones() {
    let http = Http::open(Config::default()).await;
    let session = http.initialized("2025-11-25").await;
    let with = [("Mcp-Session-Id", session.as_str())];
    let call = |id: i32, from: i32, interval: i32| {
        let call = json!({"name": "countdown", "arguments": {"from": from, "interval_ms": interval}, "_meta": {"progressToken": id}});
        request(id, "tools/call", call)
    };
    let mut lost = http.post(&with, &call(99, 15, 100)).await;
    let last = lost.event().await.unwrap().id.unwrap();
    drop(lost);
    for id in 0..20 {
        http.post(&with, &call(id, 2, 1)).await.events().await;
    }
    let with = [("Mcp-Session-Id", session.as_str()), ("Last-Event-ID", &last)];
    let resumed = http.send("GET", "/mcp", &with, b"").await;
    assert_eq!(resumed.status, 200);
    assert_eq!(resumed.events().await.last().unwrap().json()["id"], 99);
}

#[tokio::test]
async fn a_stream_with_a_gap_is_not_resumed() {
    let http = Http::open(Config::default()).await;
    let session = http.initialized("2025-11-25").await;
    let with = [("Mcp-Session-Id", session.as_str())];
    // A log message for each step.
    http.post(&with, &request(0, "logging/setLevel", json!({"level": "debug"}))).await;
    let call = json!({"name": "countdown", "arguments": {"from": 400, "interval_ms": 1}, "_meta": {"progressToken": 1}});
    let mut lost = http.post(&with, &request(1, "tools/call", call)).await;
    let last = lost.event().await.unwrap().id.unwrap();
    drop(lost);
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    let with = [("Mcp-Session-Id", session.as_str()), ("Last-Event-ID", &last)];
    assert_eq!(http.send("GET", "/mcp", &with, b"").await.status, 400);
}

#[tokio::test]
async fn a_request_cancelled_at_once_gets_a_stream_without_an_answer() {
    let http = Http::open(Config::default()).await;
    let session = http.initialized("2025-11-25").await;
    let with = [("Mcp-Session-Id", session.as_str())];
    let call = request(5, "tools/call", json!({"name": "slow_compute", "arguments": {"seconds": 5}}));
    let cancel = async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        http.post(&with, &notification("notifications/cancelled", json!({"requestId": 5}))).await
    };
    let (response, _) = tokio::join!(http.post(&with, &call), cancel);
    assert_eq!((response.status, response.header("content-type")), (200, "text/event-stream"));
    assert!(response.events().await.iter().all(|event| event.data.is_empty()));
}

#[tokio::test]
async fn malformed_metadata_and_capabilities_are_refused() {
    let mut pipe = support::Pipe::open(Config::default());
    for capabilities in [
        json!({"roots": 5}),
        json!({"sampling": []}),
        json!({"sampling": {"tools": true}}),
        json!({"elicitation": true}),
        json!({"elicitation": {"form": 1}}),
    ] {
        let mut hello = support::initialize("2025-11-25");
        hello["params"]["capabilities"] = capabilities;
        assert_eq!(pipe.ask(&hello).await["error"]["code"], -32602);
    }
    let mut pipe = support::Pipe::initialized("2025-11-25").await;
    for meta in [json!(5), json!([]), json!({"progressToken": {}}), json!({"progressToken": 1.5})] {
        for method in ["ping", "tools/list", "tools/call"] {
            let params = json!({"name": "echo", "arguments": {"text": "x"}, "_meta": meta});
            assert_eq!(
                pipe.ask(&request(1, method, params)).await["error"]["code"],
                -32602,
                "{method} {meta}"
            );
        }
    }
}

#[tokio::test]
async fn subscriptions_end_with_their_result_when_the_server_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new(Config::default());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async { drop(stopped.await) };
    let served = tokio::spawn(serve_http_until(server.clone(), listener, shutdown));
    // A client of the server that is served here; its own is never asked.
    let mut http = Http::open(Config::default()).await;
    http.address = address;
    let listen = modern("L", "subscriptions/listen", json!({"notifications": {"toolsListChanged": true}}));
    let mut stream = http.modern(&listen, &[]).await;
    hears(&mut stream, "acknowledged").await;
    let call = json!({"name": "slow_compute", "arguments": {"seconds": 0.3}});
    let call = modern(2, "tools/call", call);
    let (called, ended) = tokio::join!(http.modern(&call, &[]), async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        drop(stop);
        tokio::time::timeout(SOON, served).await
    });
    assert_eq!(called.json().await["result"]["resultType"], "complete", "what is in progress may end");
    let last = stream.events().await.pop().unwrap().json();
    assert_eq!((&last["id"], &last["result"]["resultType"]), (&json!("L"), &json!("complete")));
    ended.unwrap().unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
