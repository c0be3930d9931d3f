//! The fixture contract of the official conformance suite, by clients of our own, so that it holds without the suite too.
#![allow(clippy::unwrap_used, reason = "a broken test may panic")]

mod support;

use mcprove_reference_server::Config;
use serde_json::{Value, json};
use support::{Http, Pipe, initialize, modern, notification, request};

const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// A stateless call of a client with these capabilities.
fn call(name: &str, capabilities: Value, further: Value) -> Value {
    let mut params = further;
    params["name"] = name.into();
    params["_meta"] = json!({CAPABILITIES: capabilities});
    modern(1, "tools/call", params)
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {answer}"))
}

#[tokio::test]
async fn content_tools_return_what_the_contract_says_in_both_eras() {
    let mut legacy = Pipe::initialized("2025-11-25").await;
    let mut stateless = Pipe::open(Config::default());
    for (name, types) in [
        ("test_simple_text", vec!["text"]),
        ("test_image_content", vec!["image"]),
        ("test_audio_content", vec!["audio"]),
        ("test_embedded_resource", vec!["resource"]),
        ("test_multiple_content_types", vec!["text", "image", "resource"]),
    ] {
        let old = legacy.ask(&request(1, "tools/call", json!({"name": name}))).await;
        let new = stateless.ask(&call(name, json!({}), json!({}))).await;
        assert_eq!(old["result"]["content"], new["result"]["content"]);
        let blocks = new["result"]["content"].as_array().unwrap();
        assert_eq!(blocks.iter().map(|block| block["type"].as_str().unwrap()).collect::<Vec<_>>(), types);
        assert_eq!(new["result"]["isError"], false);
        for block in blocks.iter().filter(|block| block["type"] == "resource") {
            let uri = &block["resource"]["uri"];
            let read = stateless.ask(&modern(2, "resources/read", json!({"uri": uri}))).await;
            assert_eq!(read["result"]["contents"][0], block["resource"], "what is embedded can be read");
        }
    }
    let failed = stateless.ask(&call("test_error_handling", json!({}), json!({"arguments": {}}))).await;
    assert_eq!(failed["result"]["isError"], true);
}

#[tokio::test]
async fn a_schema_with_composition_is_served_whole_and_enforced() {
    let mut pipe = Pipe::open(Config::default());
    let listed = pipe.ask(&modern(1, "tools/list", json!({}))).await;
    let tools = listed["result"]["tools"].as_array().unwrap();
    let schema =
        &tools.iter().find(|tool| tool["name"] == "json_schema_2020_12_tool").unwrap()["inputSchema"];
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["$defs"]["address"]["$anchor"], "addressDef");
    for (arguments, accepted) in [
        (json!({"phone": "1", "contactMethod": "phone"}), true),
        (json!({"email": "a@b.example", "address": {"city": "Oslo"}}), true),
        (json!({"email": "a@b.example", "contactMethod": "phone"}), false),
        (json!({"phone": "1"}), false),
        (json!({"email": "a@b.example", "address": "Oslo"}), false),
        (json!({"email": "a@b.example", "other": 1}), false),
        (json!({}), false),
    ] {
        let further = json!({"arguments": arguments});
        let answer = pipe.ask(&call("json_schema_2020_12_tool", json!({}), further)).await;
        assert_eq!(answer["result"]["isError"] == false, accepted, "{answer}");
    }
}

#[tokio::test]
async fn progress_is_reported_under_the_token_which_is_then_returned() {
    let mut pipe = Pipe::initialized("2025-11-25").await;
    for token in [json!("progress-test-1"), json!(7)] {
        let params = json!({"name": "test_tool_with_progress", "_meta": {"progressToken": token}});
        pipe.send(&request(1, "tools/call", params)).await;
        for done in [0, 50, 100] {
            let report = pipe.receive().await;
            assert_eq!(report["params"]["progressToken"], token);
            assert_eq!(
                (&report["params"]["progress"], &report["params"]["total"]),
                (&json!(done), &json!(100))
            );
        }
        let answer = pipe.receive().await;
        assert_eq!(text(&answer), token.as_str().unwrap_or("7"));
    }
}

#[tokio::test]
async fn three_log_messages_are_plain_texts() {
    let mut pipe = Pipe::initialized("2025-11-25").await;
    pipe.send(&request(1, "tools/call", json!({"name": "test_tool_with_logging"}))).await;
    for expected in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        let message = pipe.receive().await;
        assert_eq!(message["method"], "notifications/message");
        assert_eq!(message["params"]["data"], expected);
    }
    assert_eq!(text(&pipe.receive().await), "Tool with logging executed successfully");
}

#[tokio::test]
async fn every_prompt_can_be_got_with_its_arguments_and_not_without() {
    let mut pipe = Pipe::open(Config::default());
    let listed = pipe.ask(&modern(1, "prompts/list", json!({}))).await;
    assert!(listed["result"].get("nextCursor").is_none());
    let prompts = listed["result"]["prompts"].as_array().unwrap().clone();
    assert_eq!(prompts[0]["name"], "test_simple_prompt");
    for prompt in prompts.iter().filter(|prompt| prompt["name"] != "test_input_required_result_prompt") {
        let names = prompt["arguments"].as_array().map_or(&[][..], Vec::as_slice);
        let all: serde_json::Map<_, _> = names
            .iter()
            .map(|argument| (argument["name"].as_str().unwrap().to_owned(), json!("note://welcome")))
            .collect();
        let get = |arguments: &serde_json::Map<String, Value>| {
            modern(1, "prompts/get", json!({"name": prompt["name"], "arguments": arguments}))
        };
        let messages = pipe.ask(&get(&all)).await["result"]["messages"].to_string();
        assert!(names.is_empty() || messages.contains("note://welcome"), "{messages}");
        for required in names.iter().filter(|argument| argument["required"] == true) {
            let mut fewer = all.clone();
            let name = required["name"].as_str().unwrap();
            fewer.remove(name);
            let error = pipe.ask(&get(&fewer)).await["error"].clone();
            assert_eq!(error["code"], -32602);
            assert!(error["message"].as_str().unwrap().contains(name), "{error}");
        }
    }
    let no_uri =
        json!({"name": "test_prompt_with_embedded_resource", "arguments": {"resourceUri": "no uri"}});
    assert_eq!(pipe.ask(&modern(1, "prompts/get", no_uri)).await["error"]["code"], -32602);
}

#[tokio::test]
async fn a_prompt_may_ask_first() {
    let mut pipe = Pipe::open(Config::default());
    let get = |further: Value| {
        let mut params = further;
        params["name"] = "test_input_required_result_prompt".into();
        params["_meta"] = json!({CAPABILITIES: {"elicitation": {}}});
        modern(1, "prompts/get", params)
    };
    let first = pipe.ask(&get(json!({}))).await["result"].clone();
    assert_eq!(first["resultType"], "input_required");
    assert_eq!(first["inputRequests"]["user_context"]["method"], "elicitation/create");
    let answer = json!({"user_context": {"action": "accept", "content": {"context": "a rainy day"}}});
    let further = json!({"inputResponses": answer, "requestState": first["requestState"]});
    let done = pipe.ask(&get(further)).await["result"].clone();
    assert_eq!(done["resultType"], "complete");
    assert!(done["messages"].to_string().contains("a rainy day"));
    let unable = modern(1, "prompts/get", json!({"name": "test_input_required_result_prompt"}));
    assert_eq!(pipe.ask(&unable).await["error"]["code"], -32021);
    let mut legacy = Pipe::initialized("2025-11-25").await;
    let get = request(1, "prompts/get", json!({"name": "test_input_required_result_prompt"}));
    assert_eq!(legacy.ask(&get).await["error"]["code"], -32602, "only the stateless revision has it");
}

#[tokio::test]
async fn only_what_the_client_can_answer_is_asked() {
    let mut pipe = Pipe::open(Config::default());
    for (capabilities, keys) in [
        (json!({"sampling": {}}), vec!["sample_input"]),
        (json!({"elicitation": {}}), vec!["elicit_input"]),
        (json!({"elicitation": {}, "sampling": {}}), vec!["elicit_input", "sample_input"]),
    ] {
        let asked = call("test_input_required_result_capabilities", capabilities, json!({}));
        let result = pipe.ask(&asked).await["result"].clone();
        let requests = result["inputRequests"].as_object().unwrap();
        let mut asked: Vec<_> = requests.keys().collect();
        asked.sort();
        assert_eq!(asked, keys);
    }
    let nothing = call("test_input_required_result_capabilities", json!({}), json!({}));
    assert_eq!(pipe.ask(&nothing).await["error"]["code"], -32021);
    let missing = pipe.ask(&call("test_missing_capability", json!({}), json!({}))).await["error"].clone();
    assert_eq!(missing["data"], json!({"requiredCapabilities": {"sampling": {}}}));
    let there = pipe.ask(&call("test_missing_capability", json!({"sampling": {}}), json!({}))).await;
    assert_eq!(text(&there), "Success");
}

#[tokio::test]
async fn triggers_reach_those_who_listen_for_them() {
    let http = Http::open(Config::default()).await;
    let listen = modern(99, "subscriptions/listen", json!({"notifications": {"promptsListChanged": true}}));
    let mut stream = http.modern(&listen, &[]).await;
    assert_eq!(stream.event().await.unwrap().json()["method"], "notifications/subscriptions/acknowledged");
    for name in ["test_trigger_tool_change", "test_trigger_prompt_change"] {
        let answer = http.modern(&call(name, json!({}), json!({})), &[]).await.json().await;
        assert_eq!(text(&answer), "Mutation triggered");
    }
    let heard = stream.event().await.unwrap().json();
    assert_eq!(heard["method"], "notifications/prompts/list_changed");
    assert_eq!(heard["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 99);
    stream.hears_nothing().await;
}

#[tokio::test]
async fn a_stream_that_ends_early_is_resumed_where_it_ended() {
    let http = Http::open(Config::default()).await;
    let session = http.initialized("2025-11-25").await;
    let headers = [("Mcp-Session-Id", session.as_str())];
    let call = request(1, "tools/call", json!({"name": "test_reconnection"}));
    let response = http.post(&headers, &call).await;
    assert_eq!(response.header("content-type"), "text/event-stream");
    let events = response.events().await;
    assert_eq!(events.len(), 1, "the stream ends before the answer: {events:?}");
    assert_eq!(events[0].data, "");
    let last = events[0].id.clone().unwrap();
    let resumed = http.send("GET", "/mcp", &[headers[0], ("Last-Event-ID", &last)], b"").await;
    let events = resumed.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].json()["id"], 1);
    assert_eq!(text(&events[0].json()), "The stream was resumed.");
    assert_ne!(events[0].id.as_ref(), Some(&last));
}

#[tokio::test]
async fn a_client_that_names_event_streams_first_gets_one() {
    let http = Http::open(Config::default()).await;
    let session = http.initialized("2025-11-25").await;
    let list = request(1000, "tools/list", json!({}));
    for (accept, expected) in [
        ("text/event-stream, application/json", "text/event-stream"),
        ("application/json, text/event-stream", "application/json"),
    ] {
        let headers = [("Mcp-Session-Id", session.as_str()), ("Accept", accept)];
        let response = http.post(&headers, &list).await;
        assert_eq!(response.header("content-type"), expected);
        let answer = if expected == "application/json" {
            response.json().await
        } else {
            response.events().await.last().unwrap().json()
        };
        assert_eq!(answer["id"], 1000);
    }
}

#[tokio::test]
async fn skills_are_declared_listed_and_read_in_the_stateless_revision_only() {
    let mut pipe = Pipe::open(Config::default());
    let discovered = pipe.ask(&modern(1, "server/discover", json!({}))).await["result"].clone();
    let extensions = &discovered["capabilities"]["extensions"];
    assert_eq!(extensions["io.modelcontextprotocol/skills"], json!({"directoryRead": true}));
    let listed = pipe.ask(&modern(1, "skills/list", json!({}))).await["result"].clone();
    assert_eq!((&listed["cacheScope"], listed["ttlMs"].is_u64()), (&json!("public"), true));
    let uri = &listed["skills"][0]["uri"];
    let got = pipe.ask(&modern(1, "skills/get", json!({"uri": uri}))).await["result"].clone();
    assert_eq!(got["skill"], listed["skills"][0]);
    let read = pipe.ask(&modern(1, "resources/read", json!({"uri": uri}))).await["result"].clone();
    assert!(read["contents"][0]["text"].as_str().unwrap().starts_with("---\nname: demo-skill\n"));
    let folder = json!({"uri": "skill://demo-skill"});
    let files = pipe.ask(&modern(1, "resources/directory/read", folder)).await["result"]["resources"].clone();
    assert_eq!(files[1]["mimeType"], "inode/directory");

    let mut legacy = Pipe::open(Config::default());
    let greeted = legacy.ask(&initialize("2025-11-25")).await["result"].clone();
    assert!(greeted["capabilities"].get("extensions").is_none());
    assert_eq!(greeted["serverInfo"]["icons"][0]["mimeType"], "image/svg+xml");
    legacy.send(&notification("notifications/initialized", json!({}))).await;
    assert_eq!(legacy.ask(&request(1, "skills/list", json!({}))).await["error"]["code"], -32601);
    let read = request(1, "resources/read", json!({"uri": "skill://demo-skill/SKILL.md"}));
    assert_eq!(legacy.ask(&read).await["error"]["code"], -32002);
}

#[tokio::test]
async fn what_does_not_exist_is_an_error_that_names_it() {
    let mut pipe = Pipe::open(Config::default());
    let uri = "test://nonexistent-resource-for-conformance-testing";
    let error = pipe.ask(&modern(1, "resources/read", json!({"uri": uri}))).await["error"].clone();
    assert_eq!((&error["code"], &error["data"]["uri"]), (&json!(-32602), &json!(uri)));
}
