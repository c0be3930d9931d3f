//! Conversations of the stateless revision, over the STDIO framing.
#![allow(clippy::unwrap_used, reason = "a broken test may panic")]

mod support;

use mcprove_reference_server::{Config, Revision};
use serde_json::{Value, json};
use support::{Pipe, initialize, modern, notification, only, request};

const ID: &str = "io.modelcontextprotocol/subscriptionId";

#[tokio::test]
async fn discover_may_come_first_and_names_what_is_served() {
    let answer = Pipe::open(Config::default()).ask(&modern("d", "server/discover", json!({}))).await;
    let result = &answer["result"];
    assert_eq!(result["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["cacheScope"], "public");
    assert!(result["ttlMs"].as_u64().is_some());
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "mcprove-reference-server");
    for capability in ["tools", "resources", "prompts", "logging", "completions"] {
        assert!(result["capabilities"][capability].is_object());
    }
}

#[tokio::test]
async fn required_metadata_is_required() {
    let mut pipe = Pipe::open(Config::default());
    let version = "io.modelcontextprotocol/protocolVersion";
    let capabilities = "io.modelcontextprotocol/clientCapabilities";
    for meta in [
        json!({version: "2026-07-28"}),
        json!({capabilities: {}}),
        json!({version: 1, capabilities: {}}),
        json!({version: "2026-07-28", capabilities: []}),
        json!({version: "2026-07-28", capabilities: null}),
    ] {
        let answer = pipe.ask(&request(1, "tools/list", json!({"_meta": meta}))).await;
        assert_eq!(answer["error"]["code"], -32602, "{meta}");
    }
    assert_eq!(pipe.ask(&request(1, "server/discover", json!({}))).await["error"]["code"], -32602);
    for wrong in ["2099-01-01", "2025-11-25"] {
        let answer = pipe.ask(&modern(1, "tools/list", json!({"_meta": {version: wrong}}))).await;
        assert_eq!(answer["error"]["code"], -32022);
        assert_eq!(answer["error"]["data"], json!({"supported": ["2026-07-28"], "requested": wrong}));
    }
    let extra = json!({"_meta": {"example.org/key": 1, "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}});
    assert!(pipe.ask(&modern(1, "tools/list", extra)).await["result"].is_object());
}

#[tokio::test]
async fn removed_methods_do_not_exist() {
    let mut pipe = Pipe::open(Config::default());
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/list",
        "no/such",
    ] {
        assert_eq!(pipe.ask(&modern(1, method, json!({}))).await["error"]["code"], -32601, "{method}");
    }
}

#[tokio::test]
async fn every_result_says_its_type_and_the_cacheable_ones_for_how_long() {
    let mut pipe = Pipe::open(Config::default());
    for (method, params, cacheable) in [
        ("tools/list", json!({}), true),
        ("resources/list", json!({}), true),
        ("resources/templates/list", json!({}), true),
        ("prompts/list", json!({}), true),
        ("resources/read", json!({"uri": "note://welcome"}), true),
        ("tools/call", json!({"name": "echo", "arguments": {"text": "x"}}), false),
        ("prompts/get", json!({"name": "simple"}), false),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "style", "value": ""}}),
            false,
        ),
    ] {
        let answer = pipe.ask(&modern(1, method, params)).await;
        assert_eq!(answer["result"]["resultType"], "complete", "{method}");
        assert_eq!(answer["result"]["ttlMs"].is_u64(), cacheable, "{method}");
        assert_eq!(answer["result"]["cacheScope"].is_string(), cacheable, "{method}");
    }
    let missing = pipe.ask(&modern(1, "resources/read", json!({"uri": "note://nowhere"}))).await;
    assert_eq!(
        (&missing["error"]["code"], &missing["error"]["data"]["uri"]),
        (&json!(-32602), &json!("note://nowhere"))
    );
}

#[tokio::test]
async fn both_eras_are_served_in_one_process() {
    let mut pipe = Pipe::open(Config::default());
    assert!(pipe.ask(&modern(1, "tools/list", json!({}))).await["result"]["resultType"].is_string());
    assert_eq!(pipe.ask(&initialize("2025-06-18")).await["result"]["protocolVersion"], "2025-06-18");
    assert!(pipe.ask(&modern(2, "tools/list", json!({}))).await["result"]["resultType"].is_string());
    let legacy = pipe.ask(&request(3, "tools/list", json!({}))).await;
    assert!(legacy["result"]["tools"].is_array() && legacy["result"].get("resultType").is_none());
    assert_eq!(pipe.ask(&request(4, "server/discover", json!({}))).await["error"]["code"], -32601);
}

#[tokio::test]
async fn log_messages_come_only_to_requests_that_ask() {
    let mut pipe = Pipe::open(Config::default());
    let call = |level: Option<Value>| {
        let mut params = json!({"name": "log_levels", "_meta": {}});
        if let Some(level) = level {
            params["_meta"]["io.modelcontextprotocol/logLevel"] = level;
        }
        modern(1, "tools/call", params)
    };
    assert_eq!(pipe.ask(&call(None)).await["id"], 1);
    pipe.send(&call(Some(json!("alert")))).await;
    for level in ["alert", "emergency"] {
        assert_eq!(pipe.receive().await["params"]["level"], level);
    }
    assert_eq!(pipe.receive().await["id"], 1);
    for bad in [json!("loud"), json!(3)] {
        assert_eq!(pipe.ask(&call(Some(bad))).await["error"]["code"], -32602);
    }
}

#[tokio::test]
async fn subscriptions_acknowledge_first_and_tag_everything() {
    let mut pipe = Pipe::open(Config::default());
    let filter = json!({"toolsListChanged": true, "promptsListChanged": false, "resourceSubscriptions": ["note://touches"], "unknown": {}});
    let answer = pipe.ask(&modern("L1", "subscriptions/listen", json!({"notifications": filter}))).await;
    assert_eq!(answer["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(answer["params"]["_meta"][ID], "L1");
    assert_eq!(
        answer["params"]["notifications"],
        json!({"toolsListChanged": true, "resourceSubscriptions": ["note://touches"]})
    );
    let second = pipe.ask(&modern(2, "subscriptions/listen", json!({"notifications": {}}))).await;
    assert_eq!(second["params"]["notifications"], json!({}));
    let change =
        |name: &str, arguments: Value| modern(9, "tools/call", json!({"name": name, "arguments": arguments}));
    pipe.send(&change("announce_change", json!({"list": "prompts"}))).await;
    assert_eq!(pipe.receive().await["id"], 9);
    pipe.hears_nothing().await;
    pipe.send(&change("announce_change", json!({"list": "tools"}))).await;
    let mut both = [pipe.receive().await, pipe.receive().await];
    both.sort_by_key(|message| message.get("id").is_some());
    assert_eq!(both[0]["method"], "notifications/tools/list_changed");
    assert_eq!(both[0]["params"]["_meta"][ID], "L1");
    pipe.send(&change("touch_resource", json!({"uri": "note://welcome"}))).await;
    assert_eq!(pipe.receive().await["id"], 9);
    pipe.hears_nothing().await;
    pipe.send(&change("touch_resource", json!({}))).await;
    let mut both = [pipe.receive().await, pipe.receive().await];
    both.sort_by_key(|message| message.get("id").is_some());
    assert_eq!(both[0]["params"]["uri"], "note://touches");
    pipe.send(&notification("notifications/cancelled", json!({"requestId": "L1"}))).await;
    pipe.send(&change("touch_resource", json!({}))).await;
    assert_eq!(pipe.receive().await["id"], 9);
    pipe.hears_nothing().await;
    pipe.close_input().await;
    let rest = pipe.rest().await;
    let [notice, result] = rest.as_slice() else { panic!("{rest:?}") };
    assert_eq!(notice["method"], "notifications/cancelled");
    assert_eq!((&notice["params"]["requestId"], &notice["params"]["_meta"][ID]), (&json!(2), &json!(2)));
    assert_eq!((&result["id"], &result["result"]["_meta"][ID]), (&json!(2), &json!(2)));
    assert_eq!(result["result"]["resultType"], "complete");
}

#[tokio::test]
async fn malformed_subscriptions_are_refused() {
    let mut pipe = Pipe::open(Config::default());
    for params in
        [json!({}), json!({"notifications": true}), json!({"notifications": {"toolsListChanged": "yes"}})]
    {
        assert_eq!(pipe.ask(&modern(1, "subscriptions/listen", params)).await["error"]["code"], -32602);
    }
}

#[tokio::test]
async fn a_cancelled_request_says_nothing_more() {
    let mut pipe = Pipe::open(Config::default());
    let slow = json!({"name": "countdown", "arguments": {"from": 50, "interval_ms": 20}, "_meta": {"progressToken": "p"}});
    pipe.send(&modern(7, "tools/call", slow)).await;
    assert_eq!(pipe.receive().await["params"]["progress"], 1);
    pipe.send(&notification("notifications/cancelled", json!({"requestId": 7}))).await;
    pipe.send(&modern(8, "server/discover", json!({}))).await;
    while pipe.receive().await["id"] != 8 {}
    pipe.hears_nothing().await;
}

#[tokio::test]
async fn a_modern_only_server_refuses_the_handshake_and_names_its_version() {
    let mut pipe = Pipe::open(only(&[Revision::V2026_07_28]));
    let answer = pipe.ask(&initialize("2025-11-25")).await;
    assert_eq!(answer["error"]["code"], -32022);
    assert_eq!(answer["error"]["data"], json!({"supported": ["2026-07-28"], "requested": "2025-11-25"}));
    assert_eq!(pipe.ask(&request(1, "tools/list", json!({}))).await["error"]["code"], -32602);
    let answer = pipe.ask_raw("[]").await;
    assert_eq!(answer["error"]["code"], -32600);
    assert!(answer.get("id").is_none());
    assert!(pipe.ask(&modern(2, "tools/list", json!({}))).await["result"].is_object());
}

#[tokio::test]
async fn the_tool_set_is_the_same_whatever_was_called() {
    let mut pipe = Pipe::open(Config::default());
    let list = modern(1, "tools/list", json!({}));
    let before = pipe.ask(&list).await;
    assert_eq!(
        pipe.ask(&modern(1, "tools/call", json!({"name": "toggle_tool"}))).await["error"]["code"],
        -32602
    );
    assert_eq!(pipe.ask(&list).await, before);
}
