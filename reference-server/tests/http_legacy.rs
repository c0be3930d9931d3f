//! Conversations of the revisions with a session, over Streamable HTTP and HTTP+SSE.
#![allow(clippy::unwrap_used, reason = "a broken test may panic")]

mod support;

use mcprove_reference_server::{Config, Revision};
use serde_json::{Value, json};
use support::{Http, QUIET, initialize, modern, notification, only, request};

const LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

fn slow(id: u64, from: u64, interval: u64) -> Value {
    request(
        id,
        "tools/call",
        json!({"name": "countdown", "arguments": {"from": from, "interval_ms": interval}, "_meta": {"progressToken": id}}),
    )
}

#[tokio::test]
async fn a_session_lives_from_initialize_to_delete() {
    let http = Http::open(Config::default()).await;
    for version in LEGACY {
        let session = http.initialized(version).await;
        assert!(session.len() >= 32 && session.bytes().all(|byte| (0x21..=0x7e).contains(&byte)));
        let with = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", version)];
        let response = http.post(&with, &request(0, "ping", json!({}))).await;
        assert_eq!((response.status, response.header("content-type")), (200, "application/json"));
        assert_eq!(response.json().await, json!({"jsonrpc": "2.0", "id": 0, "result": {}}));
        let again = http.post(&with, &initialize(version)).await;
        assert_eq!(again.json().await["error"]["code"], -32600);
        assert_eq!(http.send("DELETE", "/mcp", &with, b"").await.status, 204);
        for method in ["POST", "GET", "DELETE"] {
            let gone =
                http.send(method, "/mcp", &with, request(1, "ping", json!({})).to_string().as_bytes()).await;
            assert_eq!(gone.status, 404, "{method}");
        }
    }
}

#[tokio::test]
async fn requests_without_a_session_are_refused() {
    let http = Http::open(Config::default()).await;
    let ping = request("p", "ping", json!({}));
    let missing = http.post(&[], &ping).await;
    assert_eq!(missing.status, 400);
    assert_eq!(missing.json().await["id"], "p");
    assert_eq!(http.post(&[("Mcp-Session-Id", "unknown")], &ping).await.status, 404);
    assert_eq!(http.send("GET", "/mcp", &[], b"").await.status, 400);
    assert_eq!(http.send("DELETE", "/mcp", &[], b"").await.status, 400);
    let failed = http.post(&[], &request(1, "initialize", json!({}))).await;
    assert!(!failed.headers.contains_key("mcp-session-id"));
}

#[tokio::test]
async fn the_version_header_must_name_a_version_that_a_session_can_have() {
    let http = Http::open(Config::default()).await;
    let session = http.initialized("2025-06-18").await;
    let ping = request(1, "ping", json!({}));
    for (version, status) in [
        ("2025-06-18", 200),
        ("1900-01-01", 400),
        ("2099-01-01", 400),
        ("nonsense", 400),
        ("2026-07-28", 400),
    ] {
        let headers = [("Mcp-Session-Id", session.as_str()), ("MCP-Protocol-Version", version)];
        assert_eq!(http.post(&headers, &ping).await.status, status, "{version}");
    }
}

#[tokio::test]
async fn bodies_that_are_no_message_are_refused() {
    let http = Http::open(Config { max_body_bytes: 10_000, ..Config::default() }).await;
    let session = http.initialized("2025-11-25").await;
    let with = [("Mcp-Session-Id", session.as_str())];
    for (body, code) in [
        ("{", -32700),
        ("", -32700),
        ("\u{feff}{}", -32700),
        ("1", -32600),
        ("[]", -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", -32600),
    ] {
        let response = http.send("POST", "/mcp", &with, body.as_bytes()).await;
        assert_eq!(response.status, 400, "{body}");
        let answer = response.json().await;
        assert_eq!(answer["error"]["code"], code, "{body}");
        assert!(answer.get("id").is_none());
    }
    assert_eq!(http.send("POST", "/mcp", &with, &vec![b' '; 20_000]).await.status, 413);
    for (media, status) in
        [("text/plain", 415), ("", 415), ("application/json; charset=utf-8", 200), ("Application/JSON", 200)]
    {
        let headers = [with[0], ("Content-Type", media)];
        let ping = request(1, "ping", json!({})).to_string();
        assert_eq!(http.send("POST", "/mcp", &headers, ping.as_bytes()).await.status, status, "{media}");
    }
    let response = http.post(&with, &json!({"jsonrpc": "2.0", "id": 5, "result": {}})).await;
    assert_eq!((response.status, response.body().await.as_str()), (202, ""));
    let response = http.post(&with, &notification("no/such", json!({}))).await;
    assert_eq!((response.status, response.body().await.as_str()), (202, ""));
}

#[tokio::test]
async fn strangers_are_refused_on_every_method() {
    let http = Http::open(Config::default()).await;
    let body = initialize("2025-11-25").to_string();
    for method in ["POST", "GET", "DELETE", "PUT"] {
        for headers in [[("Origin", "http://evil.example")], [("Host", "evil.example")], [("Origin", "null")]]
        {
            assert_eq!(
                http.send(method, "/mcp", &headers, body.as_bytes()).await.status,
                403,
                "{method} {headers:?}"
            );
        }
    }
    assert_eq!(http.send("GET", "/sse", &[("Origin", "http://evil.example")], b"").await.status, 403);
    let origin = format!("http://{}", http.address);
    assert_eq!(http.send("POST", "/mcp", &[("Origin", &origin)], body.as_bytes()).await.status, 200);
    let put = http.send("PUT", "/mcp", &[], b"").await;
    assert_eq!((put.status, put.header("allow")), (405, "GET, POST, DELETE"));
    assert_eq!(http.send("GET", "/elsewhere", &[], b"").await.status, 404);
}

#[tokio::test]
async fn a_request_that_reports_progress_is_answered_by_a_stream_that_ends() {
    let http = Http::open(Config::default()).await;
    for version in LEGACY {
        let session = http.initialized(version).await;
        let with = [("Mcp-Session-Id", session.as_str())];
        http.post(&with, &request(1, "logging/setLevel", json!({"level": "emergency"}))).await;
        let response = http.post(&with, &slow(2, 3, 1)).await;
        assert_eq!(response.header("content-type"), "text/event-stream");
        assert_eq!(response.header("x-accel-buffering"), "no");
        let mut events = response.events().await;
        if version == "2025-11-25" {
            let priming = events.remove(0);
            assert!(priming.id.is_some() && priming.data.is_empty());
        }
        assert_eq!(events.len(), 4);
        for (step, event) in events[..3].iter().enumerate() {
            assert_eq!(event.json()["params"]["progress"], step + 1);
        }
        assert_eq!(events[3].json()["id"], 2);
    }
}

#[tokio::test]
async fn a_broken_stream_is_resumed_and_a_lost_connection_cancels_nothing() {
    let http = Http::open(Config::default()).await;
    let session = http.initialized("2025-11-25").await;
    let with = [("Mcp-Session-Id", session.as_str())];
    http.post(&with, &request(1, "logging/setLevel", json!({"level": "emergency"}))).await;
    let mut broken = http.post(&with, &slow(2, 5, 30)).await;
    broken.event().await.unwrap();
    let seen = broken.event().await.unwrap();
    assert_eq!(seen.json()["params"]["progress"], 1);
    drop(broken);
    tokio::time::sleep(QUIET).await;
    // It has ended, but streams that were read to their end make room before it.
    for id in 100..120 {
        http.post(&with, &slow(id, 1, 1)).await.events().await;
    }
    let other = http.post(&with, &slow(3, 1, 1)).await.events().await;
    let resume = |id: &str| {
        let headers = [("Mcp-Session-Id", session.clone()), ("Last-Event-ID", id.to_owned())];
        let http = &http;
        async move {
            let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
            http.send("GET", "/mcp", &headers, b"").await
        }
    };
    let rest = resume(seen.id.as_deref().unwrap()).await.events().await;
    let values: Vec<Value> = rest.iter().map(|event| event.json()["params"]["progress"].clone()).collect();
    assert_eq!(values, [json!(2), json!(3), json!(4), json!(5), Value::Null]);
    assert_eq!(rest[4].json()["id"], 2, "only the stream that broke is replayed");
    let replayed = resume(other[0].id.as_deref().unwrap()).await.events().await;
    assert_eq!(replayed, other[1..]);
    let mut ids: Vec<_> =
        rest.iter().chain(&other).chain([&seen]).map(|event| event.id.clone().unwrap()).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "event ids are unique in the session");
    for unknown in ["999-1", "x", ""] {
        assert_eq!(resume(unknown).await.status, 400, "{unknown}");
    }
    let stranger = http.initialized("2025-11-25").await;
    let headers = [("Mcp-Session-Id", stranger.as_str()), ("Last-Event-ID", seen.id.as_deref().unwrap())];
    assert_eq!(http.send("GET", "/mcp", &headers, b"").await.status, 400, "streams of other sessions");
}

#[tokio::test]
async fn the_get_stream_carries_changes_once_and_no_answers() {
    let http = Http::open(Config::default()).await;
    let session = http.initialized("2025-11-25").await;
    let with = [("Mcp-Session-Id", session.as_str())];
    let touch = request(1, "tools/call", json!({"name": "touch_resource"}));
    http.post(&with, &request(1, "resources/subscribe", json!({"uri": "note://touches"}))).await;
    http.post(&with, &touch).await.json().await;
    let mut stream = http.send("GET", "/mcp", &with, b"").await;
    assert_eq!((stream.status, stream.header("content-type")), (200, "text/event-stream"));
    assert!(stream.event().await.unwrap().data.is_empty());
    assert_eq!(stream.event().await.unwrap().json()["method"], "notifications/resources/updated");
    let mut second = http.send("GET", "/mcp", &with, b"").await;
    second.event().await.unwrap();
    http.post(&with, &touch).await.json().await;
    assert_eq!(second.event().await.unwrap().json()["params"]["uri"], "note://touches");
    stream.hears_nothing().await;
    drop(second);
    tokio::time::sleep(QUIET).await;
    http.post(&with, &touch).await.json().await;
    assert_eq!(stream.event().await.unwrap().json()["params"]["uri"], "note://touches");
    assert_eq!(http.send("DELETE", "/mcp", &with, b"").await.status, 204);
    assert_eq!(stream.event().await, None, "the stream ends with its session");
}

#[tokio::test]
async fn a_cancelled_request_ends_without_an_answer() {
    let http = Http::open(Config::default()).await;
    let session = http.initialized("2025-11-25").await;
    let with = [("Mcp-Session-Id", session.as_str())];
    let mut response = http.post(&with, &slow(2, 100, 20)).await;
    response.event().await.unwrap();
    response.event().await.unwrap();
    let cancel = notification("notifications/cancelled", json!({"requestId": 2}));
    assert_eq!(http.post(&with, &cancel).await.status, 202);
    let rest = response.events().await;
    assert!(rest.iter().all(|event| event.json().get("id").is_none()));
    assert!(rest.len() < 20);
}

#[tokio::test]
async fn batches_are_answered_in_2025_03_26_only() {
    let http = Http::open(Config::default()).await;
    let batch = json!([request(1, "ping", json!({})), 7, notification("no/such", json!({}))]);
    let session = http.initialized("2025-03-26").await;
    let with = [("Mcp-Session-Id", session.as_str())];
    let answer = http.post(&with, &batch).await.json().await;
    assert_eq!(answer[0]["result"], json!({}));
    assert_eq!((&answer[1]["id"], &answer[1]["error"]["code"]), (&Value::Null, &json!(-32600)));
    let response = http.post(&with, &json!([notification("no/such", json!({}))])).await;
    assert_eq!((response.status, response.body().await.as_str()), (202, ""));
    let streamed =
        http.post(&with, &json!([slow(5, 2, 1), request(6, "ping", json!({}))])).await.events().await;
    let last = streamed.last().unwrap().json();
    assert_eq!((&last[0]["id"], &last[1]["id"]), (&json!(5), &json!(6)));
    assert_eq!(http.post(&[], &json!([initialize("2025-03-26")])).await.status, 400);
    for version in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let session = http.initialized(version).await;
        assert_eq!(http.post(&[("Mcp-Session-Id", &session)], &batch).await.status, 400);
    }
}

#[tokio::test]
async fn the_session_idle_for_longest_makes_room() {
    let http = Http::open(Config { max_sessions: 2, ..Config::default() }).await;
    let first = http.initialized("2025-11-25").await;
    let _busy = http.send("GET", "/mcp", &[("Mcp-Session-Id", &first)], b"").await;
    let second = http.initialized("2025-11-25").await;
    let third = http.initialized("2025-11-25").await;
    let ping = request(1, "ping", json!({}));
    for (session, status) in [(first, 200), (second, 404), (third, 200)] {
        assert_eq!(http.post(&[("Mcp-Session-Id", &session)], &ping).await.status, status);
    }
}

#[tokio::test]
async fn sessions_do_not_see_each_other() {
    let http = Http::open(Config::default()).await;
    let (one, two) = (http.initialized("2025-11-25").await, http.initialized("2025-11-25").await);
    http.post(
        &[("Mcp-Session-Id", &one)],
        &request(1, "resources/subscribe", json!({"uri": "note://touches"})),
    )
    .await;
    let mut stream = http.send("GET", "/mcp", &[("Mcp-Session-Id", &two)], b"").await;
    stream.event().await.unwrap();
    let touch = request(1, "tools/call", json!({"name": "touch_resource"}));
    http.post(&[("Mcp-Session-Id", &one)], &touch).await.json().await;
    stream.hears_nothing().await;
    let running = http.post(&[("Mcp-Session-Id", &one)], &slow(9, 5, 20)).await;
    let cancel = notification("notifications/cancelled", json!({"requestId": 9}));
    http.post(&[("Mcp-Session-Id", &two)], &cancel).await;
    assert_eq!(running.events().await.last().unwrap().json()["id"], 9);
}

#[tokio::test]
async fn http_with_sse_answers_on_the_stream() {
    let http = Http::open(Config::default()).await;
    let mut stream = http.send("GET", "/sse", &[], b"").await;
    assert_eq!(stream.header("content-type"), "text/event-stream");
    let endpoint = stream.event().await.unwrap();
    assert_eq!(endpoint.name.as_deref(), Some("endpoint"));
    assert!(endpoint.data.starts_with("/messages?sessionId="));
    let mut other = http.send("GET", "/sse", &[], b"").await;
    other.event().await.unwrap();
    let post = |body: String| {
        let (http, path) = (&http, endpoint.data.clone());
        async move { http.send("POST", &path, &[], body.as_bytes()).await }
    };
    let response = post(initialize("2024-11-05").to_string()).await;
    assert_eq!((response.status, response.body().await.as_str()), (202, ""));
    let answer = stream.event().await.unwrap();
    assert_eq!(answer.name.as_deref(), Some("message"));
    assert_eq!(answer.json()["result"]["protocolVersion"], "2024-11-05");
    post(notification("notifications/initialized", json!({})).to_string()).await;
    post(slow(3, 2, 1).to_string()).await;
    let mut methods = Vec::new();
    loop {
        let message = stream.event().await.unwrap().json();
        if message["id"] == 3 {
            break;
        }
        methods.push(message["method"].as_str().unwrap().to_owned());
    }
    assert_eq!(methods.iter().filter(|method| *method == "notifications/progress").count(), 2);
    post(request(4, "resources/subscribe", json!({"uri": "note://touches"})).to_string()).await;
    post(request(5, "tools/call", json!({"name": "touch_resource"})).to_string()).await;
    let mut messages = Vec::new();
    for _ in 0..3 {
        messages.push(stream.event().await.unwrap().json());
    }
    assert!(messages.iter().any(|message| message["method"] == "notifications/resources/updated"));
    assert_eq!(post("{".to_owned()).await.status, 400);
    assert_eq!(http.send("POST", "/messages?sessionId=unknown", &[], b"{}").await.status, 404);
    assert_eq!(http.send("POST", "/messages", &[], b"{}").await.status, 400);
    assert_eq!(http.send("PUT", "/sse", &[], b"").await.status, 405);
    other.hears_nothing().await;
    drop(stream);
    tokio::time::sleep(QUIET).await;
    assert_eq!(post(request(6, "ping", json!({})).to_string()).await.status, 404);
}

#[tokio::test]
async fn a_legacy_only_server_knows_nothing_of_the_stateless_revision() {
    let http = Http::open(only(&[Revision::V2025_06_18])).await;
    let response = http.modern(&modern(1, "server/discover", json!({})), &[]).await;
    assert_eq!(response.status, 400);
    assert_eq!(response.json().await["error"]["code"], -32601);
    assert_eq!(http.send("GET", "/sse", &[], b"").await.status, 404);
    http.initialized("2025-06-18").await;
}
