//! What the server asks of its client: requests of its own with a handshake, further rounds without one.
#![allow(clippy::unwrap_used, reason = "a broken test may panic")]

mod support;

use mcprove_reference_server::Config;
use serde_json::{Value, json};
use support::{Http, Pipe, initialize, modern, notification, request};

fn everything() -> Value {
    json!({"roots": {}, "sampling": {"tools": {}}, "elicitation": {"form": {}, "url": {}}})
}

async fn client(version: &str, capabilities: Value) -> Pipe {
    let mut pipe = Pipe::open(Config::default());
    let mut handshake = initialize(version);
    handshake["params"]["capabilities"] = capabilities;
    pipe.ask(&handshake).await;
    pipe.send(&notification("notifications/initialized", json!({}))).await;
    pipe
}

fn call(id: i64, name: &str, arguments: Value) -> Value {
    request(id, "tools/call", json!({"name": name, "arguments": arguments}))
}

fn answer(question: &Value, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": question["id"], "result": result})
}

#[tokio::test]
async fn a_tool_gets_the_answer_of_the_client() {
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut pipe = client(version, everything()).await;
        let question = pipe.ask(&call(1, "ask_model", json!({"prompt": "2 + 2?"}))).await;
        assert_eq!(question["method"], "sampling/createMessage");
        assert_eq!(question["params"]["messages"][0]["content"]["text"], "2 + 2?");
        let four = json!({"role": "assistant", "content": {"type": "text", "text": "4"}, "model": "m"});
        let result = pipe.ask(&answer(&question, four)).await;
        assert_eq!(result["id"], 1);
        assert_eq!(result["result"]["content"][0]["text"], "The model says: 4");
    }
}

#[tokio::test]
async fn what_was_not_declared_is_not_asked_for() {
    let mut pipe = client("2025-11-25", json!({"elicitation": {}})).await;
    for tool in ["ask_model", "list_client_roots", "visit_page", "ask_weather"] {
        let result = pipe.ask(&call(1, tool, json!({"prompt": "?", "city": "Oslo"}))).await;
        assert_eq!(result["result"]["isError"], true, "{tool}: {result}");
    }
    let question = pipe.ask(&call(2, "fill_form", json!({}))).await;
    assert_eq!(question["method"], "elicitation/create");
}

#[tokio::test]
async fn nothing_is_asked_before_the_client_is_ready() {
    let mut pipe = Pipe::open(Config::default());
    let mut handshake = initialize("2025-11-25");
    handshake["params"]["capabilities"] = everything();
    pipe.ask(&handshake).await;
    let result = pipe.ask(&call(1, "list_client_roots", json!({}))).await;
    assert_eq!(result["result"]["isError"], true);
}

#[tokio::test]
async fn refusals_and_malformed_answers_are_tool_errors() {
    let mut pipe = client("2025-11-25", everything()).await;
    let question = pipe.ask(&call(1, "list_client_roots", json!({}))).await;
    let refusal = json!({"jsonrpc": "2.0", "id": question["id"], "error": {"code": -1, "message": "no"}});
    let result = pipe.ask(&refusal).await;
    assert_eq!(result["result"]["isError"], true);
    for malformed in [json!(7), json!({}), json!({"roots": [{"uri": "http://host.example/"}]})] {
        let question = pipe.ask(&call(2, "list_client_roots", json!({}))).await;
        let result = pipe.ask(&answer(&question, malformed)).await;
        assert_eq!((&result["id"], &result["result"]["isError"]), (&json!(2), &json!(true)));
    }
}

#[tokio::test]
async fn a_cancelled_call_withdraws_its_question_and_a_late_answer_is_ignored() {
    let mut pipe = client("2025-11-25", everything()).await;
    let question = pipe.ask(&call(1, "list_client_roots", json!({}))).await;
    let withdrawn = pipe.ask(&notification("notifications/cancelled", json!({"requestId": 1}))).await;
    assert_eq!(withdrawn["method"], "notifications/cancelled");
    assert_eq!(withdrawn["params"]["requestId"], question["id"]);
    pipe.send(&answer(&question, json!({"roots": []}))).await;
    pipe.send(&json!({"jsonrpc": "2.0", "id": "server-99", "result": {}})).await;
    assert_eq!(pipe.ask(&request(2, "ping", json!({}))).await["id"], 2);
}

#[tokio::test]
async fn a_page_to_visit_is_followed_by_its_completion() {
    let mut pipe = client("2025-11-25", everything()).await;
    let question = pipe.ask(&call(1, "visit_page", json!({}))).await;
    assert_eq!(question["params"]["mode"], "url");
    let done = pipe.ask(&answer(&question, json!({"action": "accept"}))).await;
    assert_eq!(done["method"], "notifications/elicitation/complete");
    assert_eq!(done["params"]["elicitationId"], question["params"]["elicitationId"]);
    assert_eq!(pipe.receive().await["result"]["content"][0]["text"], "Confirmed.");
}

#[tokio::test]
async fn the_model_may_use_a_tool_on_the_way() {
    let mut pipe = client("2025-11-25", everything()).await;
    let question = pipe.ask(&call(1, "ask_weather", json!({"city": "Oslo"}))).await;
    assert_eq!(question["params"]["tools"][0]["name"], "weather");
    let using = json!([{"type": "tool_use", "id": "u1", "name": "weather", "input": {"city": "Oslo"}}]);
    let using = json!({"role": "assistant", "content": using, "model": "m", "stopReason": "toolUse"});
    let second = pipe.ask(&answer(&question, using)).await;
    assert_eq!(second["params"]["messages"][2]["content"][0]["toolUseId"], "u1");
    let sunny = json!({"role": "assistant", "content": {"type": "text", "text": "Sunny"}, "model": "m"});
    let result = pipe.ask(&answer(&second, sunny)).await;
    assert_eq!(result["result"]["content"][0]["text"], "The model says: Sunny");
}

/// A stateless call of a client that can do everything.
fn stateless(name: &str, further: Value) -> Value {
    let mut params =
        json!({"name": name, "_meta": {"io.modelcontextprotocol/clientCapabilities": everything()}});
    for (member, value) in further.as_object().unwrap() {
        params[member] = value.clone();
    }
    modern(1, "tools/call", params)
}

fn accept(content: Value) -> Value {
    json!({"action": "accept", "content": content})
}

#[tokio::test]
async fn rounds_go_on_until_everything_is_known() {
    let mut pipe = Pipe::open(Config::default());
    let first = &pipe.ask(&stateless("book_table", json!({}))).await["result"];
    assert_eq!(first["resultType"], "input_required");
    assert_eq!(first["inputRequests"]["name"]["method"], "elicitation/create");
    assert!(first.get("ttlMs").is_none() && first.get("content").is_none());
    let name = json!({
        "inputResponses": {"name": accept(json!({"name": "Ada"})), "unasked": accept(json!({}))},
        "requestState": first["requestState"],
    });
    let second = &pipe.ask(&stateless("book_table", name)).await["result"];
    assert_eq!(second["inputRequests"]["confirmation"]["params"]["message"], "Book a table for Ada?");
    assert_ne!(first["requestState"], second["requestState"]);
    let sure = json!({
        "inputResponses": {"confirmation": accept(json!({"sure": true}))},
        "requestState": second["requestState"],
    });
    let done = &pipe.ask(&stateless("book_table", sure)).await["result"];
    assert_eq!(done["resultType"], "complete");
    assert_eq!(done["content"][0]["text"], "A table is booked for Ada.");
}

#[tokio::test]
async fn answers_may_come_before_the_questions_and_a_forged_state_is_refused() {
    let mut pipe = Pipe::open(Config::default());
    let unasked =
        json!({"inputResponses": {"name": accept(json!({"name": "Eve"})), "other": {}, "confirmation": 7}});
    let error = &pipe.ask(&stateless("book_table", unasked)).await["error"];
    assert_eq!(error["code"], -32602, "an answer that comes early is checked all the same");
    let unasked = json!({"inputResponses": {"name": accept(json!({"name": "Eve"})), "other": {}}});
    let again = &pipe.ask(&stateless("book_table", unasked.clone())).await["result"];
    assert!(
        again["inputRequests"].get("confirmation").is_some() && again["inputRequests"].get("name").is_none()
    );
    let state = again["requestState"].as_str().unwrap();
    let with = |state: Value| {
        let mut further = unasked.clone();
        further["requestState"] = state;
        further
    };
    for forged in [json!(format!("{state}-TAMPERED")), json!(""), json!(7), json!(null), json!(&state[1..])] {
        let error = &pipe.ask(&stateless("book_table", with(forged.clone()))).await["error"];
        assert_eq!(error["code"], -32602, "{forged}");
    }
    let elsewhere = &pipe.ask(&stateless("fill_form", with(json!(state)))).await["error"];
    assert_eq!(elsewhere["code"], -32602, "the state of another tool");
    let mut other = Pipe::open(Config::default());
    let error = &other.ask(&stateless("book_table", with(json!(state)))).await["error"];
    assert_eq!(error["code"], -32602, "the state of another server");
}

#[tokio::test]
async fn malformed_answers_are_refused_and_missing_ones_asked_for_again() {
    let mut pipe = Pipe::open(Config::default());
    let first = &pipe.ask(&stateless("book_table", json!({}))).await["result"];
    for (responses, expected) in [
        (json!(null), Err(-32602)),
        (json!([]), Err(-32602)),
        (json!({"name": 12345}), Err(-32602)),
        (json!({"name": {"action": "perhaps"}}), Err(-32602)),
        (json!({"name": accept(json!({"name": 1}))}), Err(-32602)),
        (json!({"wrong_key": accept(json!({}))}), Ok("input_required")),
        (json!({}), Ok("input_required")),
        (json!({"name": {"action": "decline"}}), Ok("complete")),
    ] {
        let further = json!({"inputResponses": responses, "requestState": first["requestState"]});
        let reply = pipe.ask(&stateless("book_table", further)).await;
        match expected {
            Ok(kind) => assert_eq!(reply["result"]["resultType"], kind, "{responses}"),
            Err(code) => assert_eq!(reply["error"]["code"], code, "{responses}"),
        }
    }
}

#[tokio::test]
async fn a_state_expires() {
    let mut pipe = Pipe::open(Config { answer_seconds: 0, ..Config::default() });
    let first = &pipe.ask(&stateless("book_table", json!({}))).await["result"];
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let late = json!({"inputResponses": {}, "requestState": first["requestState"]});
    let error = &pipe.ask(&stateless("book_table", late)).await["error"];
    assert_eq!(error["code"], -32602);
}

#[tokio::test]
async fn a_missing_capability_is_named() {
    let mut pipe = Pipe::open(Config::default());
    for (tool, required) in [
        ("list_client_roots", json!({"roots": {}})),
        ("fill_form", json!({"elicitation": {"form": {}}})),
        ("visit_page", json!({"elicitation": {"url": {}}})),
    ] {
        let error = &pipe.ask(&modern(1, "tools/call", json!({"name": tool}))).await["error"];
        assert_eq!(error["code"], -32021);
        assert_eq!(error["data"]["requiredCapabilities"], required);
    }
}

/// Ways to break the response with this id.
fn broken(id: &str) -> Vec<String> {
    vec![
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"roots":[],"a":"\ud800"}}}}"#),
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"roots":[]}},"error":{{"code":1,"message":"x"}}}}"#
        ),
        format!(r#"{{"jsonrpc":"1.0","id":{id},"result":{{"roots":[]}}}}"#),
        format!(r#"{{"id":{id},"result":{{"roots":[]}}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"roots":[]}},"result":{{}}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"a":[{}0]}}}}"#, "[],".repeat(300_000)),
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{}{}}}"#, "[".repeat(5000), "]".repeat(5000)),
    ]
}

fn is_unusable(result: &Value) -> bool {
    let text = result["result"]["content"][0]["text"].as_str().unwrap_or_default();
    result["result"]["isError"] == true && text.contains("The answer to roots/list is unusable: ")
}

#[tokio::test]
async fn a_broken_response_is_not_answered_and_ends_its_question_at_once() {
    for version in ["2025-03-26", "2025-11-25"] {
        let mut pipe = client(version, everything()).await;
        for kind in 0..broken("").len() {
            // The id of our question, and that of a request of the client's own, which is in progress.
            let question = pipe.ask(&call(9, "list_client_roots", json!({}))).await;
            let id = question["id"].to_string();
            pipe.send_raw(format!("{}\n", broken("9")[kind]).as_bytes()).await;
            assert_eq!(pipe.ask(&request("p", "ping", json!({}))).await["id"], "p");
            let line = &broken(&id)[kind];
            let result = pipe.ask_raw(line).await;
            assert!(result["id"] == 9 && is_unusable(&result), "{result}: {:.99}", line);
        }
    }
}

#[tokio::test]
async fn an_error_without_a_readable_id_is_taken_in_silence() {
    for version in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let mut pipe = client(version, everything()).await;
        // Two peers that each say so of the other's words would go on for ever.
        let own = pipe.ask_raw("{broken").await;
        pipe.send(&own).await;
        for id in [r#""id":null,"#, r#""id":{},"#, ""] {
            let error = format!(r#"{{"jsonrpc":"2.0",{id}"error":{{"code":-32700,"message":"?"}}}}"#);
            pipe.send_raw(format!("{error}\n").as_bytes()).await;
        }
        assert_eq!(pipe.ask(&request(1, "ping", json!({}))).await["id"], 1);
    }
}

#[tokio::test]
async fn in_a_batch_a_broken_response_has_no_answer_either() {
    let mut pipe = client("2025-03-26", everything()).await;
    let question = pipe.ask(&call(9, "list_client_roots", json!({}))).await;
    let broken = &broken(&question["id"].to_string())[0];
    pipe.send_raw(format!("[{broken},{}]\n", request("p", "ping", json!({}))).as_bytes()).await;
    let (one, other) = (pipe.receive().await, pipe.receive().await);
    let (batch, result) = if one.is_array() { (one, other) } else { (other, one) };
    assert_eq!((batch.as_array().unwrap().len(), &batch[0]["id"]), (1, &json!("p")));
    assert!(is_unusable(&result), "{result}");
    pipe.send_raw(format!("[{broken}]\n").as_bytes()).await;
    pipe.hears_nothing().await;
}

#[tokio::test]
async fn over_http_a_broken_response_has_a_status_and_an_error_without_an_id() {
    let http = Http::open(Config::default()).await;
    for version in ["2025-03-26", "2025-11-25"] {
        let mut handshake = initialize(version);
        handshake["params"]["capabilities"] = everything();
        let session = http.post(&[], &handshake).await.headers["mcp-session-id"].clone();
        let with = [("Mcp-Session-Id", session.as_str()), ("Accept", "text/event-stream")];
        http.post(&with, &notification("notifications/initialized", json!({}))).await;
        let mut stream = http.post(&with, &call(9, "list_client_roots", json!({}))).await;
        let mut messages = Vec::new();
        while messages.len() < 2 {
            let event = stream.event().await.unwrap();
            if event.data.is_empty() {
                continue;
            }
            messages.push(event.json());
            if let [question] = &messages[..] {
                let broken = &broken(&question["id"].to_string())[0];
                let response = http.send("POST", "/mcp", &with, broken.as_bytes()).await;
                assert_eq!(response.status, 400);
                let error = response.json().await;
                assert!(error.get("id").is_none() && error["error"]["code"] == -32600, "{error}");
            }
        }
        assert!(is_unusable(&messages[1]), "{}", messages[1]);
        let unreadable = json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "?"}});
        assert_eq!(http.post(&with, &unreadable).await.status, 202);
    }
    let mut sse = http.send("GET", "/sse", &[], b"").await;
    let path = sse.event().await.unwrap().data;
    let mut handshake = initialize("2024-11-05");
    handshake["params"]["capabilities"] = everything();
    let ready = notification("notifications/initialized", json!({}));
    for message in [handshake, ready, call(9, "list_client_roots", json!({}))] {
        assert_eq!(http.send("POST", &path, &[], message.to_string().as_bytes()).await.status, 202);
    }
    sse.event().await.unwrap();
    let question = sse.event().await.unwrap().json();
    let broken = &broken(&question["id"].to_string())[0];
    let response = http.send("POST", &path, &[], broken.as_bytes()).await;
    assert_eq!(response.status, 400);
    assert!(response.json().await.get("id").is_none());
    let result = sse.event().await.unwrap().json();
    assert!(is_unusable(&result), "{result}");
}

#[tokio::test]
async fn the_content_of_a_model_is_a_block_or_since_2025_11_25_some() {
    let block = json!({"type": "text", "text": "4"});
    for (version, content, is_good) in [
        ("2025-06-18", json!(block), true),
        ("2025-06-18", json!([block]), false),
        ("2025-11-25", json!([block]), true),
        ("2025-11-25", json!([]), false),
    ] {
        let mut pipe = client(version, everything()).await;
        let question = pipe.ask(&call(1, "ask_model", json!({"prompt": "2 + 2?"}))).await;
        let said = json!({"role": "assistant", "content": content, "model": "m"});
        let result = pipe.ask(&answer(&question, said)).await;
        assert_eq!(result["result"]["isError"], !is_good, "{version}: {result}");
    }
}

#[tokio::test]
async fn a_statement_is_refused_until_the_user_was_sent_to_a_page() {
    let mut pipe = client("2025-11-25", everything()).await;
    let refused = pipe.ask(&call(1, "read_statement", json!({}))).await;
    assert_eq!(refused["error"]["code"], -32042, "{refused}");
    let page = &refused["error"]["data"]["elicitations"][0];
    assert_eq!(page["mode"], "url");
    assert!(page["elicitationId"].is_string() && page["url"].as_str().unwrap().starts_with("https://"));
    let result = pipe.ask(&call(2, "read_statement", json!({}))).await;
    assert_eq!(result["result"]["isError"], false, "{result}");

    // Who cannot open pages is not sent to one.
    let mut pipe = client("2025-11-25", json!({"elicitation": {"form": {}}})).await;
    let result = pipe.ask(&call(1, "read_statement", json!({}))).await;
    assert_eq!(result["result"]["isError"], true, "{result}");
}
