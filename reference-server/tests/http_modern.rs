//! Conversations of the stateless revision over Streamable HTTP.
#![allow(clippy::unwrap_used, reason = "a broken test may panic")]

mod support;

use std::time::Duration;

use mcprove_reference_server::{Config, Revision};
use serde_json::{Value, json};
use support::{Http, initialize, modern, notification, only, request};

const VERSION: &str = "MCP-Protocol-Version";
const ID: &str = "io.modelcontextprotocol/subscriptionId";

fn echo() -> Value {
    modern(7, "tools/call", json!({"name": "echo", "arguments": {"text": "hi"}}))
}

#[tokio::test]
async fn a_request_is_served_without_a_handshake_or_a_session() {
    let http = Http::open(Config::default()).await;
    for stray in [
        [("Mcp-Session-Id", "stray"), ("Last-Event-ID", "1-1")],
        [("mcp-method", "tools/call"), ("MCP-NAME", "  echo  ")],
    ] {
        let response = http.modern(&echo(), &stray).await;
        assert_eq!((response.status, response.header("content-type")), (200, "application/json"));
        assert!(!response.headers.contains_key("mcp-session-id"));
        let answer = response.json().await;
        assert_eq!(answer["result"]["content"][0]["text"], "hi");
        assert_eq!(answer["result"]["resultType"], "complete");
    }
}

#[tokio::test]
async fn headers_must_repeat_the_body() {
    let http = Http::open(Config::default()).await;
    for changed in [
        ("Mcp-Method", ""),
        ("Mcp-Method", "tools/list"),
        ("Mcp-Method", "TOOLS/CALL"),
        ("Mcp-Name", ""),
        ("Mcp-Name", "add"),
        ("Mcp-Name", "ECHO"),
        ("Mcp-Name", "=?base64?!!!?="),
        (VERSION, ""),
        (VERSION, "2025-11-25"),
        (VERSION, "2099-01-01"),
    ] {
        let response = http.modern(&echo(), &[changed]).await;
        assert_eq!(response.status, 400, "{changed:?}");
        let answer = response.json().await;
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(-32020), &json!(7)), "{changed:?}");
    }
    let encoded = http.modern(&echo(), &[("Mcp-Name", "=?base64?ZWNobw==?=")]).await;
    assert_eq!(encoded.status, 200);
    let twice = http.modern(&echo(), &[("Mcp-Name", "echo"), ("mcp-name", "add")]).await;
    assert_eq!(twice.json().await["error"]["code"], -32020);
    let foreign = http.modern(&echo(), &[("Mcp-Name", "échö")]).await;
    assert_eq!(foreign.status, 400);
    let read = modern(1, "resources/read", json!({"uri": "note://welcome"}));
    assert_eq!(http.modern(&read, &[]).await.status, 200);
    assert_eq!(http.modern(&read, &[("Mcp-Name", "note://empty")]).await.status, 400);
    assert_eq!(
        http.modern(&modern(1, "prompts/get", json!({"name": "simple"})), &[("Mcp-Name", "")]).await.status,
        400
    );
}

#[tokio::test]
async fn annotated_arguments_are_compared_with_their_headers() {
    let http = Http::open(Config::default()).await;
    let call =
        |arguments: Value| modern(1, "tools/call", json!({"name": "search_region", "arguments": arguments}));
    let region = json!({"region": "Hello"});
    for (arguments, headers, accepted) in [
        (region.clone(), vec![("Mcp-Param-Region", "Hello")], true),
        (region.clone(), vec![("Mcp-Param-Region", "=?base64?SGVsbG8=?=")], true),
        (region.clone(), vec![("Mcp-Param-Region", "Hello"), ("Mcp-Param-Other", "x")], true),
        (region.clone(), vec![], false),
        (region.clone(), vec![("Mcp-Param-Region", "hello")], false),
        (region.clone(), vec![("Mcp-Param-Region", "=?base64?SGVsbG8?=")], false),
        (region.clone(), vec![("Mcp-Param-Region", "Hello"), ("Mcp-Param-Limit", "3")], false),
        (json!({"region": "SGVsbG8="}), vec![("Mcp-Param-Region", "SGVsbG8=")], true),
        (
            json!({"region": "a", "limit": 42, "exact": true}),
            vec![("Mcp-Param-Region", "a"), ("Mcp-Param-Limit", "42"), ("Mcp-Param-Exact", "true")],
            true,
        ),
        (
            json!({"region": "a", "limit": 42}),
            vec![("Mcp-Param-Region", "a"), ("Mcp-Param-Limit", "43")],
            false,
        ),
        (
            json!({"region": "a", "options": {"tenant": "t"}}),
            vec![("Mcp-Param-Region", "a"), ("Mcp-Param-Tenant", "t")],
            true,
        ),
        (json!({"region": "a", "options": {"tenant": "t"}}), vec![("Mcp-Param-Region", "a")], false),
    ] {
        let response = http.modern(&call(arguments.clone()), &headers).await;
        assert_eq!(response.status, if accepted { 200 } else { 400 }, "{arguments} {headers:?}");
        let code = &response.json().await["error"]["code"];
        assert_eq!(code == -32020, !accepted);
    }
}

#[tokio::test]
async fn refusals_have_the_status_of_their_code() {
    let http = Http::open(Config::default()).await;
    let discover = |params: Value| request(1, "server/discover", params);
    let headers = [(VERSION, "2026-07-28"), ("Mcp-Method", "server/discover")];
    for params in [
        json!({}),
        json!({"_meta": {}}),
        json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}),
    ] {
        let response = http.post(&headers, &discover(params)).await;
        assert_eq!(response.status, 400);
        assert_eq!(response.json().await["error"]["code"], -32602);
    }
    let future = json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "v999.0.0"}});
    let response = http.modern(&modern(1, "server/discover", future), &[(VERSION, "v999.0.0")]).await;
    assert_eq!(response.status, 400);
    let answer = response.json().await;
    assert_eq!(answer["error"]["code"], -32022);
    assert_eq!(answer["error"]["data"], json!({"supported": ["2026-07-28"], "requested": "v999.0.0"}));
    for method in ["no/such", "initialize", "ping", "logging/setLevel", "resources/subscribe"] {
        let response = http.modern(&modern("m", method, json!({})), &[("Mcp-Name", "")]).await;
        assert_eq!(response.status, 404, "{method}");
        let answer = response.json().await;
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(-32601), &json!("m")));
    }
    let response = http.modern(&modern(1, "tools/call", json!({"name": "no such"})), &[]).await;
    assert_eq!((response.status, response.json().await["error"]["code"].clone()), (200, json!(-32602)));
    let wrong = http.modern(&modern(1, "tools/call", json!({"name": "echo", "arguments": {}})), &[]).await;
    assert_eq!(wrong.json().await["result"]["isError"], true);
}

#[tokio::test]
async fn only_single_requests_and_notifications_are_taken() {
    let http = Http::open(Config::default()).await;
    let headers = [(VERSION, "2026-07-28")];
    let response =
        http.post(&headers, &notification("notifications/cancelled", json!({"requestId": 1}))).await;
    assert_eq!((response.status, response.body().await.as_str()), (202, ""));
    for body in
        [json!([echo(), echo()]), json!([]), json!({"jsonrpc": "2.0", "id": 1, "result": {}}), json!(5)]
    {
        let response = http.post(&headers, &body).await;
        assert_eq!(response.status, 400, "{body}");
        assert!(response.json().await.get("id").is_none());
    }
    let response =
        http.post(&[(VERSION, "2099-01-01")], &notification("notifications/cancelled", json!({}))).await;
    assert_eq!(response.status, 400);
}

#[tokio::test]
async fn notifications_of_a_request_come_on_its_own_stream_before_the_answer() {
    let http = Http::open(Config::default()).await;
    let call = json!({"name": "countdown", "arguments": {"from": 3, "interval_ms": 1},
        "_meta": {"progressToken": "t", "io.modelcontextprotocol/logLevel": "info"}});
    let response = http.modern(&modern(1, "tools/call", call), &[]).await;
    assert_eq!(response.header("content-type"), "text/event-stream");
    assert_eq!(response.header("x-accel-buffering"), "no");
    let events = response.events().await;
    let kinds: Vec<Value> = events.iter().map(|event| event.json()["method"].clone()).collect();
    let (log, progress) = (json!("notifications/message"), json!("notifications/progress"));
    assert_eq!(kinds, [log.clone(), progress.clone(), progress.clone(), progress, log, Value::Null]);
    assert_eq!(events[5].json()["id"], 1);
    assert!(events.iter().all(|event| event.id.is_none()));
    let quiet = json!({"name": "countdown", "arguments": {"from": 2, "interval_ms": 1}});
    let response = http.modern(&modern(2, "tools/call", quiet), &[]).await;
    assert_eq!(response.header("content-type"), "application/json");
    assert_eq!(response.json().await["result"]["isError"], false);
}

#[tokio::test]
async fn a_subscription_carries_only_what_was_asked_for() {
    let http = Http::open(Config::default()).await;
    let listen =
        |id: Value, filter: Value| modern(id, "subscriptions/listen", json!({"notifications": filter}));
    let mut tools =
        http.modern(&listen(json!(1_234_567_890_123_u64), json!({"toolsListChanged": true})), &[]).await;
    let mut prompts = http.modern(&listen(json!("p"), json!({"promptsListChanged": true})), &[]).await;
    assert_eq!((tools.status, tools.header("content-type")), (200, "text/event-stream"));
    let acknowledged = tools.event().await.unwrap().json();
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(
        acknowledged["params"],
        json!({"_meta": {ID: 1_234_567_890_123_u64}, "notifications": {"toolsListChanged": true}})
    );
    assert_eq!(prompts.event().await.unwrap().json()["params"]["_meta"][ID], "p");
    let change = modern(1, "tools/call", json!({"name": "announce_change", "arguments": {"list": "tools"}}));
    assert_eq!(http.modern(&change, &[]).await.status, 200);
    let changed = tools.event().await.unwrap().json();
    assert_eq!(changed["method"], "notifications/tools/list_changed");
    assert_eq!(changed["params"]["_meta"][ID], 1_234_567_890_123_u64);
    prompts.hears_nothing().await;
    let mut resource =
        http.modern(&listen(json!(3), json!({"resourceSubscriptions": ["note://touches"]})), &[]).await;
    resource.event().await.unwrap();
    http.modern(&modern(1, "tools/call", json!({"name": "touch_resource"})), &[]).await;
    assert_eq!(resource.event().await.unwrap().json()["params"]["uri"], "note://touches");
}

#[tokio::test]
async fn closing_the_response_stops_the_work() {
    // One connection is served at a time, so the second request is answered only when the first has been given up.
    let http = Http::open(Config { max_connections: 1, ..Config::default() }).await;
    let call = json!({"name": "countdown", "arguments": {"from": 1000, "interval_ms": 1000}, "_meta": {"io.modelcontextprotocol/logLevel": "info"}});
    let mut response = http.modern(&modern(1, "tools/call", call), &[]).await;
    response.event().await.unwrap();
    drop(response);
    let answer = tokio::time::timeout(Duration::from_secs(2), http.modern(&echo(), &[])).await;
    assert_eq!(answer.expect("the work to be dropped").status, 200);
}

#[tokio::test]
async fn closing_the_connection_before_there_is_an_answer_stops_the_work_too() {
    let http = Http::open(Config { max_connections: 1, ..Config::default() }).await;
    let call = modern(
        1,
        "tools/call",
        json!({"name": "countdown", "arguments": {"from": 1000, "interval_ms": 1000}}),
    );
    let waiting = tokio::time::timeout(support::QUIET, http.modern(&call, &[])).await;
    assert!(waiting.is_err(), "a silent request has no response yet");
    let answer = tokio::time::timeout(Duration::from_secs(2), http.modern(&echo(), &[])).await;
    assert_eq!(answer.expect("the work to be dropped").status, 200);
}

#[tokio::test]
async fn cursors_work_on_any_connection() {
    let http = Http::open(Config { page_size: Some(5), ..Config::default() }).await;
    let first = http.modern(&modern(1, "tools/list", json!({})), &[]).await.json().await;
    let cursor = &first["result"]["nextCursor"];
    let second = http.modern(&modern(1, "tools/list", json!({"cursor": cursor})), &[]).await.json().await;
    assert_ne!(first["result"]["tools"], second["result"]["tools"]);
    assert_eq!(first["result"]["cacheScope"], second["result"]["cacheScope"]);
    let wrong = http.modern(&modern(1, "prompts/list", json!({"cursor": cursor})), &[]).await.json().await;
    assert_eq!(wrong["error"]["code"], -32602);
}

#[tokio::test]
async fn a_modern_only_server_has_one_method_and_no_sessions() {
    let http = Http::open(only(&[Revision::V2026_07_28])).await;
    for method in ["GET", "DELETE", "PUT"] {
        let response = http.send(method, "/mcp", &[], b"").await;
        assert_eq!((response.status, response.header("allow")), (405, "POST"), "{method}");
    }
    let response = http.post(&[], &initialize("2025-11-25")).await;
    assert_eq!(response.status, 400);
    assert!(!response.headers.contains_key("mcp-session-id"));
    let answer = response.json().await;
    assert_eq!(answer["error"]["data"]["supported"], json!(["2026-07-28"]));
    let missing = http.modern(&echo(), &[(VERSION, "")]).await;
    assert_eq!((missing.status, missing.json().await["error"]["code"].clone()), (400, json!(-32020)));
    assert_eq!(http.send("GET", "/sse", &[], b"").await.status, 404);
    assert_eq!(http.modern(&echo(), &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_eras_share_the_endpoint() {
    let http = Http::open(Config::default()).await;
    let session = http.initialized("2025-11-25").await;
    assert_eq!(http.modern(&echo(), &[]).await.status, 200);
    assert_eq!(http.post(&[("Mcp-Session-Id", &session)], &request(1, "ping", json!({}))).await.status, 200);
    let discover =
        http.modern(&modern(1, "server/discover", json!({})), &[("Mcp-Session-Id", &session)]).await;
    assert_eq!(discover.json().await["result"]["supportedVersions"], json!(["2026-07-28"]));
}
