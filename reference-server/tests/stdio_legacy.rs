//! Conversations of the revisions with a handshake, over the STDIO framing.
#![allow(clippy::unwrap_used, reason = "a broken test may panic")]

mod support;

use mcprove_reference_server::{Config, Revision};
use serde_json::{Value, json};
use support::{Pipe, initialize, notification, only, request};

const LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

#[tokio::test]
async fn each_legacy_revision_is_confirmed_and_others_get_the_newest() {
    for version in LEGACY {
        let answer = Pipe::open(Config::default()).ask(&initialize(version)).await;
        assert_eq!(answer["result"]["protocolVersion"], version);
        assert_eq!(answer["result"]["capabilities"].get("completions").is_some(), version != "2024-11-05");
        assert_eq!(answer["result"]["serverInfo"].get("title").is_some(), version >= "2025-06-18");
    }
    for version in ["2026-07-28", "1900-01-01", "2099-01-01", ""] {
        let answer = Pipe::open(Config::default()).ask(&initialize(version)).await;
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{version}");
    }
}

#[tokio::test]
async fn a_malformed_initialize_is_refused_and_can_be_repeated() {
    let mut pipe = Pipe::open(Config::default());
    for params in [
        json!({}),
        json!({"protocolVersion": 1, "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}),
        json!({"protocolVersion": "2025-11-25", "clientInfo": {"name": "a", "version": "1"}}),
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "a"}}),
    ] {
        assert_eq!(pipe.ask(&request(1, "initialize", params)).await["error"]["code"], -32602);
    }
    assert!(pipe.ask(&initialize("2025-11-25")).await["result"].is_object());
}

#[tokio::test]
async fn before_the_handshake_only_ping_is_answered_and_after_it_initialize_is_refused() {
    let mut pipe = Pipe::open(Config::default());
    assert_eq!(pipe.ask(&request(1, "tools/list", json!({}))).await["error"]["code"], -32600);
    assert_eq!(pipe.ask(&request(2, "no/such", json!({}))).await["error"]["code"], -32601);
    assert_eq!(pipe.ask(&request(3, "ping", json!({}))).await["result"], json!({}));
    pipe.ask(&initialize("2025-06-18")).await;
    assert_eq!(pipe.ask(&initialize("2025-03-26")).await["error"]["code"], -32600);
    pipe.send(&notification("notifications/initialized", json!({}))).await;
    assert_eq!(pipe.ask(&initialize("2025-06-18")).await["error"]["code"], -32600);
    assert!(pipe.ask(&request(4, "tools/list", json!({}))).await["result"].is_object());
}

#[tokio::test]
async fn malformed_lines_are_answered_and_survived() {
    let mut pipe = Pipe::initialized("2025-11-25").await;
    pipe.send_raw(b"\n  \r\n").await;
    for line in ["{", "nonsense", "{\"jsonrpc\":\"2.0\""] {
        let answer = pipe.ask_raw(line).await;
        assert_eq!(answer["error"]["code"], -32700);
        assert!(answer.get("id").is_none(), "{answer}");
    }
    pipe.send_raw(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"p\xff\"}\n").await;
    assert_eq!(pipe.receive().await["error"]["code"], -32700);
    for line in [
        "1",
        "\"a\"",
        r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
        "[]",
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
    ] {
        let answer = pipe.ask_raw(line).await;
        assert_eq!(answer["error"]["code"], -32600, "{line}");
        assert!(answer.get("id").is_none(), "{answer}");
    }
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":"deep","method":"ping","params":{{"a":{}{}}}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    assert_eq!(pipe.ask_raw(&deep).await["id"], "deep");
    pipe.send_raw(b"{\"jsonrpc\":\"2.0\",\"id\":9007199254740993,\"method\":\"ping\"}\r\n").await;
    assert_eq!(pipe.line().await, "{\"jsonrpc\":\"2.0\",\"id\":9007199254740993,\"result\":{}}\n");
}

#[tokio::test]
async fn earlier_revisions_answer_an_unreadable_id_with_null() {
    let mut pipe = Pipe::initialized("2025-06-18").await;
    assert_eq!(pipe.ask_raw("{").await["id"], Value::Null);
    assert!(pipe.ask_raw("{").await.as_object().unwrap().contains_key("id"));
}

#[tokio::test]
async fn a_line_beyond_the_limit_is_reported_and_skipped() {
    let mut pipe = Pipe::open(Config { max_line_bytes: 1000, ..Config::default() });
    pipe.send_raw(format!("{}\n", "x".repeat(5000)).as_bytes()).await;
    assert_eq!(pipe.receive().await["error"]["code"], -32700);
    assert_eq!(pipe.ask(&request(1, "ping", json!({}))).await["result"], json!({}));
}

#[tokio::test]
async fn batches_are_served_in_2025_03_26() {
    let mut pipe = Pipe::initialized("2025-03-26").await;
    let batch = json!([
        request(1, "ping", json!({})),
        1,
        notification("notifications/unknown", json!({})),
        request(2, "tools/call", json!({"name": "countdown", "arguments": {"from": 2, "interval_ms": 1}})),
        initialize("2025-03-26"),
        request(3, "no/such", json!({})),
    ]);
    pipe.send(&batch).await;
    let mut answer = pipe.receive().await;
    while answer["method"] == "notifications/message" {
        answer = pipe.receive().await;
    }
    let answers = answer.as_array().unwrap();
    let summary: Vec<_> = answers.iter().map(|a| (a["id"].clone(), a["error"]["code"].clone())).collect();
    assert_eq!(
        summary,
        [
            (json!(1), Value::Null),
            (Value::Null, json!(-32600)),
            (json!(2), Value::Null),
            (json!("init"), json!(-32600)),
            (json!(3), json!(-32601)),
        ]
    );
    assert_eq!(pipe.ask_raw("[]").await["error"]["code"], -32600);
    pipe.send(&json!([notification("notifications/unknown", json!({}))])).await;
    pipe.hears_nothing().await;
}

#[tokio::test]
async fn a_request_is_cancelled_by_the_batch_that_brings_it() {
    let mut pipe = Pipe::initialized("2025-03-26").await;
    let slow = json!({"name": "slow_compute", "arguments": {"seconds": 60}});
    let cancel = notification("notifications/cancelled", json!({"requestId": 1}));
    let batch = json!([request(1, "tools/call", slow), request(2, "ping", json!({})), cancel]);
    let answers = pipe.ask(&batch).await;
    assert_eq!((answers.as_array().unwrap().len(), &answers[0]["id"]), (1, &json!(2)));
}

#[tokio::test]
async fn notifications_and_responses_are_never_answered() {
    let mut pipe = Pipe::initialized("2025-11-25").await;
    pipe.send(&notification("no/such", json!({}))).await;
    pipe.send(&notification("notifications/cancelled", json!({"requestId": "never"}))).await;
    pipe.send(&notification("notifications/cancelled", json!({}))).await;
    pipe.send(&json!({"jsonrpc": "2.0", "id": 77, "result": {}})).await;
    pipe.hears_nothing().await;
}

/// Follows the cursors of a list to its end.
async fn all(pipe: &mut Pipe, method: &str, member: &str) -> (usize, Vec<Value>) {
    let mut pages = 0;
    let mut items = Vec::new();
    let mut params = json!({});
    loop {
        let answer = pipe.ask(&request(1, method, params.clone())).await;
        pages += 1;
        items.extend(answer["result"][member].as_array().unwrap().clone());
        match answer["result"].get("nextCursor") {
            Some(cursor) => params["cursor"] = cursor.clone(),
            None => return (pages, items),
        }
    }
}

#[tokio::test]
async fn lists_come_in_pages_and_definitions_fit_the_revision() {
    for version in LEGACY {
        let mut pipe = Pipe::open(Config { page_size: Some(5), ..Config::default() });
        pipe.ask(&initialize(version)).await;
        let (pages, tools) = all(&mut pipe, "tools/list", "tools").await;
        assert!(pages >= 3);
        let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(names.contains(&"sound"), version >= "2025-03-26");
        assert_eq!(names.contains(&"link_note"), version >= "2025-06-18");
        assert_eq!(tools.iter().any(|tool| tool.get("outputSchema").is_some()), version >= "2025-06-18");
        let (pages, resources) = all(&mut pipe, "resources/list", "resources").await;
        assert_eq!((pages, resources.len()), (3, 11));
        assert!(resources.iter().all(|resource| resource.get("icons").is_none() || version >= "2025-11-25"));
        let dated = |resource: &Value| resource["annotations"].get("lastModified").is_some();
        assert_eq!(resources.iter().any(dated), version >= "2025-06-18");
        let (_, prompts) = all(&mut pipe, "prompts/list", "prompts").await;
        assert_eq!(prompts[1].get("title").is_some(), version >= "2025-06-18");
        let (_, templates) = all(&mut pipe, "resources/templates/list", "resourceTemplates").await;
        assert_eq!(templates.len(), 3);
        for (method, cursor) in
            [("tools/list", json!("made up")), ("prompts/list", json!("")), ("resources/list", json!(5))]
        {
            let answer = pipe.ask(&request(1, method, json!({"cursor": cursor}))).await;
            assert_eq!(answer["error"]["code"], -32602, "{method}");
        }
    }
}

async fn call(pipe: &mut Pipe, name: &str, arguments: Value) -> Value {
    pipe.ask(&request(1, "tools/call", json!({"name": name, "arguments": arguments}))).await
}

#[tokio::test]
async fn tools_answer_in_the_form_of_the_revision() {
    for version in LEGACY {
        let mut pipe = Pipe::initialized(version).await;
        assert_eq!(
            call(&mut pipe, "echo", json!({"text": "hä\n"})).await["result"]["content"],
            json!([{"type": "text", "text": "hä\n"}])
        );
        let sum = call(&mut pipe, "add", json!({"a": 2, "b": 3})).await;
        assert_eq!(sum["result"]["content"][0]["text"], "{\"sum\":5}");
        assert_eq!(sum["result"].get("structuredContent").is_some(), version >= "2025-06-18");
        assert_eq!(call(&mut pipe, "fail", json!({})).await["result"]["isError"], true);
        let wrong = call(&mut pipe, "add", json!({"a": "2", "b": 3})).await;
        if version == "2025-11-25" {
            assert_eq!(wrong["result"]["isError"], true);
        } else {
            assert_eq!(wrong["error"]["code"], -32602);
        }
        assert_eq!(call(&mut pipe, "no_such_tool", json!({})).await["error"]["code"], -32602);
        assert_eq!(call(&mut pipe, "ECHO", json!({"text": ""})).await["error"]["code"], -32602);
        let missing = pipe.ask(&request(1, "tools/call", json!({"name": "picture"}))).await;
        assert_eq!(missing["result"]["content"][0]["mimeType"], "image/png");
        assert_eq!(
            call(&mut pipe, "embed_note", json!({})).await["result"]["content"][0]["resource"]["uri"],
            "note://welcome"
        );
        let bad = pipe.ask(&request(1, "tools/call", json!({"name": "echo", "arguments": "text"}))).await;
        assert_eq!(bad["error"]["code"], -32602);
        assert_eq!(pipe.ask(&request(1, "tools/call", json!({}))).await["error"]["code"], -32602);
    }
    let mut pipe = Pipe::initialized("2025-11-25").await;
    assert_eq!(call(&mut pipe, "sound", json!({})).await["result"]["content"][0]["type"], "audio");
    assert_eq!(
        call(&mut pipe, "link_note", json!({})).await["result"]["content"][0]["type"],
        "resource_link"
    );
    let trip = json!({"destination": "Oslo", "travellers": [{"name": "Ada", "age": 36}], "class": "first", "departure": "2026-02-28", "booking": "AB1234"});
    assert_eq!(call(&mut pipe, "plan_trip", trip).await["result"]["structuredContent"]["class"], "first");
    for bad in [
        json!({"destination": "Oslo", "travellers": []}),
        json!({"destination": "", "travellers": [{"name": "A"}]}),
        json!({"destination": "Oslo", "travellers": [{"name": "A"}], "booking": "x"}),
    ] {
        assert_eq!(call(&mut pipe, "plan_trip", bad).await["result"]["isError"], true);
    }
}

#[tokio::test]
async fn resources_prompts_and_completion() {
    let mut pipe = Pipe::initialized("2025-11-25").await;
    let read = pipe.ask(&request(1, "resources/read", json!({"uri": "note://pixel"}))).await;
    assert!(read["result"]["contents"][0]["blob"].as_str().unwrap().starts_with("iVBOR"));
    let square = pipe.ask(&request(1, "resources/read", json!({"uri": "note://squares/12"}))).await;
    assert_eq!(square["result"]["contents"][0]["text"], "{\"number\":12,\"square\":144}");
    let missing = pipe.ask(&request(1, "resources/read", json!({"uri": "note://nowhere"}))).await;
    assert_eq!(
        (&missing["error"]["code"], &missing["error"]["data"]["uri"]),
        (&json!(-32002), &json!("note://nowhere"))
    );
    assert_eq!(pipe.ask(&request(1, "resources/read", json!({}))).await["error"]["code"], -32602);

    let prompt =
        pipe.ask(&request(1, "prompts/get", json!({"name": "greet", "arguments": {"name": "Ada"}}))).await;
    assert_eq!(prompt["result"]["messages"][0]["content"]["text"], "Greet Ada in a friendly style.");
    let embedded = pipe
        .ask(&request(
            1,
            "prompts/get",
            json!({"name": "summarise_note", "arguments": {"uri": "note://table"}}),
        ))
        .await;
    assert_eq!(embedded["result"]["messages"][0]["content"]["resource"]["mimeType"], "text/csv");
    for params in [
        json!({"name": "no such"}),
        json!({"name": "greet"}),
        json!({"name": "greet", "arguments": {"name": 1}}),
        json!({"name": "greet", "arguments": []}),
        json!({}),
    ] {
        assert_eq!(pipe.ask(&request(1, "prompts/get", params)).await["error"]["code"], -32602);
    }

    let complete = |reference: Value, name: &str| {
        request(1, "completion/complete", json!({"ref": reference, "argument": {"name": name, "value": "f"}}))
    };
    let answer = pipe.ask(&complete(json!({"type": "ref/prompt", "name": "greet"}), "style")).await;
    assert_eq!(
        answer["result"]["completion"],
        json!({"values": ["formal", "friendly"], "total": 2, "hasMore": false})
    );
    for (reference, name) in [
        (json!({"type": "ref/prompt", "name": "none"}), "style"),
        (json!({"type": "ref/resource", "uri": "note://none/{a}"}), "a"),
        (json!({"type": "ref/other"}), "a"),
        (json!(1), "a"),
    ] {
        assert_eq!(pipe.ask(&complete(reference, name)).await["error"]["code"], -32602);
    }
}

#[tokio::test]
async fn progress_and_log_messages_come_before_the_answer_and_obey_the_level() {
    let mut pipe = Pipe::initialized("2025-11-25").await;
    assert_eq!(
        pipe.ask(&request(1, "logging/setLevel", json!({"level": "error"}))).await["result"],
        json!({})
    );
    assert_eq!(
        pipe.ask(&request(1, "logging/setLevel", json!({"level": "loud"}))).await["error"]["code"],
        -32602
    );
    pipe.send(&request(2, "tools/call", json!({"name": "log_levels"}))).await;
    for level in ["error", "critical", "alert", "emergency"] {
        assert_eq!(pipe.receive().await["params"]["level"], level);
    }
    assert_eq!(pipe.receive().await["id"], 2);
    for token in ["\"tök\"", "0", "123456789012345678901"] {
        pipe.send_raw(format!("{{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{{\"name\":\"countdown\",\"_meta\":{{\"progressToken\":{token}}}}}}}\n").as_bytes()).await;
        for step in 1..=3 {
            let line = pipe.line().await;
            assert!(
                line.contains(&format!("\"progressToken\":{token},\"progress\":{step},\"total\":3,")),
                "{line}"
            );
        }
        assert_eq!(pipe.receive().await["id"], 3);
    }
}

#[tokio::test]
async fn the_oldest_revision_has_progress_without_a_message() {
    let mut pipe = Pipe::initialized("2024-11-05").await;
    pipe.ask(&request(1, "logging/setLevel", json!({"level": "emergency"}))).await;
    pipe.send(&request(2, "tools/call", json!({"name": "countdown", "_meta": {"progressToken": 1}}))).await;
    assert_eq!(pipe.receive().await["params"], json!({"progressToken": 1, "progress": 1, "total": 3}));
}

#[tokio::test]
async fn a_cancelled_request_gets_no_further_messages_and_others_go_on() {
    let mut pipe = Pipe::initialized("2025-11-25").await;
    pipe.ask(&request(1, "logging/setLevel", json!({"level": "emergency"}))).await;
    let slow = |id: &str| {
        request(id, "tools/call", json!({"name": "countdown", "arguments": {"from": 4, "interval_ms": 50}}))
    };
    pipe.send(&slow("a")).await;
    pipe.send(&slow("b")).await;
    assert_eq!(pipe.ask(&slow("b")).await["error"]["code"], -32600, "an id in use");
    pipe.send(&notification("notifications/cancelled", json!({"requestId": "a", "reason": "enough"}))).await;
    assert_eq!(pipe.receive().await["id"], "b");
    pipe.hears_nothing().await;
    assert_eq!(pipe.ask(&request("a", "ping", json!({}))).await["id"], "a");
}

#[tokio::test]
async fn changes_reach_those_who_subscribed() {
    let mut pipe = Pipe::initialized("2025-06-18").await;
    let uri = json!({"uri": "note://touches"});
    let touch = request(2, "tools/call", json!({"name": "touch_resource"}));
    assert_eq!(pipe.ask(&touch).await["id"], 2);
    pipe.hears_nothing().await;
    assert_eq!(pipe.ask(&request(1, "resources/subscribe", uri.clone())).await["result"], json!({}));
    assert_eq!(pipe.ask(&touch).await["id"], 2);
    let updated = pipe.receive().await;
    assert_eq!((&updated["method"], &updated["params"]), (&json!("notifications/resources/updated"), &uri));
    assert_eq!(call(&mut pipe, "touch_resource", json!({"uri": "note://welcome"})).await["id"], 1);
    pipe.hears_nothing().await;
    assert_eq!(pipe.ask(&request(1, "resources/unsubscribe", uri)).await["result"], json!({}));
    pipe.ask(&touch).await;
    pipe.hears_nothing().await;
    assert_eq!(
        pipe.ask(&request(1, "resources/subscribe", json!({"uri": "note://nowhere"}))).await["error"]["code"],
        -32002
    );

    assert_eq!(call(&mut pipe, "extra", json!({})).await["error"]["code"], -32602);
    assert_eq!(call(&mut pipe, "toggle_tool", json!({})).await["result"]["isError"], false);
    assert_eq!(pipe.receive().await["method"], "notifications/tools/list_changed");
    assert_eq!(call(&mut pipe, "extra", json!({})).await["result"]["isError"], false);
    for list in ["prompts", "resources"] {
        call(&mut pipe, "announce_change", json!({"list": list})).await;
        assert_eq!(pipe.receive().await["method"], format!("notifications/{list}/list_changed"));
    }
}

#[tokio::test]
async fn at_the_end_of_input_running_requests_are_still_answered() {
    let mut pipe = Pipe::initialized("2025-11-25").await;
    pipe.ask(&request(1, "logging/setLevel", json!({"level": "emergency"}))).await;
    pipe.send(&request(
        2,
        "tools/call",
        json!({"name": "countdown", "arguments": {"from": 3, "interval_ms": 20}}),
    ))
    .await;
    pipe.send(&request(
        3,
        "tools/call",
        json!({"name": "countdown", "arguments": {"from": 1000, "interval_ms": 1000}}),
    ))
    .await;
    pipe.close_input().await;
    let rest = pipe.rest().await;
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0]["id"], 2);
    assert!((&mut pipe.served).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_legacy_only_server_knows_no_discover() {
    let mut pipe = Pipe::open(only(&[Revision::V2024_11_05, Revision::V2025_06_18]));
    assert_eq!(pipe.ask(&support::modern(1, "server/discover", json!({}))).await["error"]["code"], -32601);
    assert_eq!(pipe.ask(&initialize("2025-11-25")).await["result"]["protocolVersion"], "2025-06-18");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_pipelined_requests_are_each_answered_once() {
    let mut pipe = Pipe::initialized("2025-11-25").await;
    let mut seen = std::collections::HashSet::new();
    for round in 0..20 {
        for n in 0..50 {
            let id = round * 50 + n;
            let message = if n % 2 == 0 {
                request(id, "ping", json!({}))
            } else {
                request(id, "tools/call", json!({"name": "echo", "arguments": {"text": "x"}}))
            };
            pipe.send(&message).await;
        }
        for _ in 0..50 {
            assert!(seen.insert(pipe.receive().await["id"].as_u64().unwrap()));
        }
    }
    assert_eq!(seen.len(), 1000);
}
