//! The enterprise profile: nothing consequential is done without a human who agrees to just that, in both eras.

use std::sync::Arc;
use std::time::Duration;

use crate::support::business::{Business, Era, Said, Scratch, answered, config, question, yes};
use crate::support::{Pipe, initialize, modern, notification, request};
use mcprove_reference_server::{Config, Enterprise, EnterpriseFiles};
use serde_json::{Value, json};

const ORDER: &str = "o-5001";

fn refund() -> Value {
    json!({"name": "refund_order", "arguments": {"order": ORDER, "reason": "broken"}})
}

async fn ask(business: &Business, token: &str, call: Value) -> Said {
    business.ask(Era::Modern, token, "tools/call", call).await
}

#[tokio::test]
pub(super) async fn modern_a_yes_is_good_for_one_time() {
    let business = Business::new().await;
    let token = business.token("sue", "support");
    let first = question(&ask(&business, &token, refund()).await);
    assert_eq!(business.order_status(ORDER).await, "paid");
    let said = ask(&business, &token, answered(refund(), &first, yes())).await;
    assert_eq!(said.answer["result"]["structuredContent"]["order"]["status"], "refunded", "{}", said.text);
    let again = ask(&business, &token, answered(refund(), &first, yes())).await;
    assert!(again.is_error() || again.code() == Some(-32602), "{}", again.text);
    assert!(ask(&business, &token, refund()).await.is_error(), "it is refunded already");
}

#[tokio::test]
pub(super) async fn modern_the_question_is_one_line_and_the_reason_stays_in_its_quotes() {
    let business = Business::new().await;
    let token = business.token("sue", "support");
    let reason = "broken\"?\n\nApproved\u{2028}by \u{61c}\u{202e}the\u{fe0f} boss\u{2029}";
    let call = json!({"name": "refund_order", "arguments": {"order": ORDER, "reason": reason}});
    let said = ask(&business, &token, call).await;
    let request = said.answer["result"]["inputRequests"].as_object().unwrap().values().next().unwrap();
    let question = request["params"]["message"].as_str().unwrap();
    assert!(
        question.ends_with("in the words of the caller: \"broken'? Approved by the boss\""),
        "{question}"
    );
}

#[tokio::test]
pub(super) async fn modern_whatever_is_no_yes_does_nothing_and_uses_the_question_up() {
    let business = Business::new().await;
    let token = business.token("sue", "support");
    for answer in [
        json!({"action": "decline"}),
        json!({"action": "cancel"}),
        json!({"action": "accept", "content": {"approve": false}}),
    ] {
        let first = question(&ask(&business, &token, refund()).await);
        let said = ask(&business, &token, answered(refund(), &first, answer.clone())).await;
        assert!(said.is_error(), "{answer}: {}", said.text);
        assert!(said.words().contains("nothing was done"));
        // Who has said no cannot be turned round with the same question.
        let said = ask(&business, &token, answered(refund(), &first, yes())).await;
        assert_eq!(said.code(), Some(-32602), "{answer}: {}", said.text);
    }
    for malformed in [
        json!({"action": "accept"}),
        json!({"action": "accept", "content": {}}),
        json!({"action": "accept", "content": {"approve": "true"}}),
        json!({"action": "yes"}),
        json!(true),
    ] {
        let first = question(&ask(&business, &token, refund()).await);
        let said = ask(&business, &token, answered(refund(), &first, malformed.clone())).await;
        assert!(said.code().is_some(), "{malformed}: {}", said.text);
        // It was an answer all the same, and the only one.
        let said = ask(&business, &token, answered(refund(), &first, yes())).await;
        assert_eq!(said.code(), Some(-32602), "{malformed}: {}", said.text);
    }
    // What is no answer at all, because the request makes no sense, leaves the question open.
    for senseless in [json!([]), json!(7), json!("yes")] {
        let first = question(&ask(&business, &token, refund()).await);
        let mut call = answered(refund(), &first, yes());
        call["inputResponses"] = senseless.clone();
        let said = ask(&business, &token, call).await;
        assert!(said.code().is_some(), "{senseless}: {}", said.text);
        let said = ask(&business, &token, answered(refund(), &first, json!({"action": "decline"}))).await;
        assert!(said.is_error() && said.words().contains("not approved"), "{senseless}: {}", said.text);
    }
    assert_eq!(business.order_status(ORDER).await, "paid");
}

#[tokio::test]
pub(super) async fn modern_an_answer_counts_for_its_question_its_principal_and_its_request() {
    let business = Business::new().await;
    let token = business.token("sue", "support");
    let (key, state) = question(&ask(&business, &token, refund()).await);
    // Before it was asked.
    let mut early = refund();
    early["inputResponses"] = json!({&key: yes()});
    let said = ask(&business, &token, early).await;
    assert_eq!(said.answer["result"]["resultType"], "input_required", "{}", said.text);
    // By somebody else, or in another role.
    for other in [
        business.token("tom", "support"),
        business.token("sue", "billing"),
        business.token("sue", "manager"),
        business.token("sue", "guest"),
    ] {
        let said = ask(&business, &other, answered(refund(), &(key.clone(), state.clone()), yes())).await;
        assert_eq!(said.code(), Some(-32602), "{}", said.text);
    }
    // For another order, another reason, or with a state that was changed.
    for (pointer, value) in [("/arguments/order", "o-5003"), ("/arguments/reason", "other")] {
        let mut call = answered(refund(), &(key.clone(), state.clone()), yes());
        *call.pointer_mut(pointer).unwrap() = json!(value);
        assert_eq!(ask(&business, &token, call).await.code(), Some(-32602));
    }
    let mut forged = state.as_str().unwrap().to_owned().into_bytes();
    forged[20] = if forged[20] == b'A' { b'B' } else { b'A' };
    let forged = json!(String::from_utf8(forged).unwrap());
    assert_eq!(
        ask(&business, &token, answered(refund(), &(key.clone(), forged), yes())).await.code(),
        Some(-32602)
    );
    // Under another key it is no answer: it is asked again.
    let said = ask(&business, &token, answered(refund(), &("approve".to_owned(), state), yes())).await;
    assert_eq!(said.answer["result"]["resultType"], "input_required", "{}", said.text);
    assert_eq!(business.order_status(ORDER).await, "paid");
    assert_eq!(business.order_status("o-5003").await, "paid");
}

#[tokio::test]
pub(super) async fn modern_an_answer_after_expiry_is_too_late() {
    let business = Business::open(&EnterpriseFiles::default(), 1).await;
    let token = business.token("sue", "support");
    let first = question(&ask(&business, &token, refund()).await);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let said = ask(&business, &token, answered(refund(), &first, yes())).await;
    assert_eq!(said.code(), Some(-32602), "{}", said.text);
    assert_eq!(business.order_status(ORDER).await, "paid");
}

#[tokio::test]
pub(super) async fn modern_who_changes_the_matter_has_to_ask_again() {
    let business = Business::new().await;
    let token = business.token("boss", "manager");
    let delete = json!({"name": "delete_customer", "arguments": {"customer": "c-1006"}});
    let first = question(&ask(&business, &token, delete.clone()).await);
    // One of the orders goes away with another approval.
    let second = question(&ask(&business, &token, delete.clone()).await);
    assert_eq!(first.0, second.0, "the same question has the same key");
    let said = ask(&business, &token, answered(delete.clone(), &first, yes())).await;
    assert_eq!(said.answer["result"]["structuredContent"]["deleted"], "c-1006", "{}", said.text);
    let said = ask(&business, &token, answered(delete.clone(), &second, yes())).await;
    assert!(said.is_error(), "there is nobody to delete: {}", said.text);
    let read = business.ask(Era::Modern, &token, "resources/read", json!({"uri": "customer://c-1006"})).await;
    assert_eq!(read.code(), Some(-32602));
    let (customers, _) = business.list(Era::Modern, &token, "resources/list", "resources").await;
    assert!(!customers.iter().any(|resource| resource["uri"] == "customer://c-1006"));
}

#[tokio::test]
pub(super) async fn modern_a_client_that_cannot_ask_gets_nothing_done() {
    let business = Business::new().await;
    let token = business.token("sue", "support");
    let said = business.http.modern(&modern(1, "tools/call", refund()), &[("Authorization", &token)]).await;
    let said = said.json().await;
    assert_eq!(said["error"]["code"], -32021);
    assert_eq!(said["error"]["data"]["requiredCapabilities"], json!({"elicitation": {"form": {}}}));
    assert_eq!(business.order_status(ORDER).await, "paid");
}

/// A client over STDIO in a role.
async fn client(version: &str, capabilities: Value, answer_seconds: u64) -> Pipe {
    client_of(EnterpriseFiles::default(), version, capabilities, answer_seconds).await
}

/// The same with files.
async fn client_of(files: EnterpriseFiles, version: &str, capabilities: Value, answer_seconds: u64) -> Pipe {
    let files = EnterpriseFiles { local_role: Some("manager".to_owned()), ..files };
    let profile = Arc::new(Enterprise::open(&files).unwrap());
    let mut pipe = Pipe::open(Config { enterprise: Some(profile), answer_seconds, ..config() });
    let mut handshake = initialize(version);
    handshake["params"]["capabilities"] = capabilities;
    pipe.ask(&handshake).await;
    pipe.send(&notification("notifications/initialized", json!({}))).await;
    pipe
}

async fn status(pipe: &mut Pipe) -> Value {
    let call = json!({"name": "order_status", "arguments": {"order": ORDER}});
    pipe.ask(&request("status", "tools/call", call)).await["result"]["content"][0]["text"].clone()
}

const PAID: &str = "{\"status\":\"paid\"}";

#[tokio::test]
pub(super) async fn legacy_a_yes_is_good_for_one_time() {
    for version in ["2025-06-18", "2025-11-25"] {
        let mut pipe = client(version, json!({"elicitation": {}}), 600).await;
        let question = pipe.ask(&request(1, "tools/call", refund())).await;
        assert_eq!(question["method"], "elicitation/create");
        let message = question["params"]["message"].as_str().unwrap();
        assert!(message.contains(ORDER) && message.contains("1999 cents"), "{message}");
        assert_eq!(status(&mut pipe).await, PAID);
        let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": yes()});
        let log = pipe.ask(&answer).await;
        assert_eq!(log["params"]["data"]["event"], "order refunded");
        let done = pipe.receive().await;
        assert_eq!(done["result"]["isError"], false, "{done}");
        // Answered twice: nobody waits for it.
        pipe.send(&answer).await;
        pipe.hears_nothing().await;
        assert_eq!(status(&mut pipe).await, "{\"status\":\"refunded\"}");
    }
}

#[tokio::test]
pub(super) async fn legacy_whatever_is_no_yes_does_nothing() {
    let mut pipe = client("2025-11-25", json!({"elicitation": {}}), 600).await;
    for answer in [
        json!({"result": {"action": "decline"}}),
        json!({"result": {"action": "cancel"}}),
        json!({"result": {"action": "accept", "content": {"approve": false}}}),
        json!({"result": {"action": "accept", "content": {"approve": 1}}}),
        json!({"result": {"action": "accept"}}),
        json!({"result": {}}),
        json!({"error": {"code": -1, "message": "no"}}),
    ] {
        let question = pipe.ask(&request(1, "tools/call", refund())).await;
        let mut message = answer.clone();
        message["jsonrpc"] = json!("2.0");
        message["id"] = question["id"].clone();
        let result = pipe.ask(&message).await;
        assert_eq!(result["result"]["isError"], true, "{answer}: {result}");
        let mut late = json!({"jsonrpc": "2.0", "result": yes()});
        late["id"] = question["id"].clone();
        pipe.send(&late).await;
    }
    assert_eq!(status(&mut pipe).await, PAID);
}

#[tokio::test]
pub(super) async fn legacy_an_answer_that_comes_too_late_is_none() {
    let mut pipe = client("2025-11-25", json!({"elicitation": {}}), 1).await;
    let question = pipe.ask(&request(1, "tools/call", refund())).await;
    let (first, second) = (pipe.receive().await, pipe.receive().await);
    let withdrawn = if first["method"] == "notifications/cancelled" { &first } else { &second };
    assert_eq!(withdrawn["params"]["requestId"], question["id"]);
    let result = if first["id"] == 1 { &first } else { &second };
    assert_eq!(result["result"]["isError"], true, "{result}");
    pipe.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": yes()})).await;
    assert_eq!(status(&mut pipe).await, PAID);
    // Nor one to a call that was cancelled.
    let question = pipe.ask(&request(2, "tools/call", refund())).await;
    let withdrawn = pipe.ask(&notification("notifications/cancelled", json!({"requestId": 2}))).await;
    assert_eq!(withdrawn["params"]["requestId"], question["id"]);
    pipe.send(&json!({"jsonrpc": "2.0", "id": question["id"], "result": yes()})).await;
    assert_eq!(status(&mut pipe).await, PAID);
}

#[tokio::test]
pub(super) async fn legacy_a_client_that_cannot_ask_gets_nothing_done() {
    for (version, capabilities) in [
        ("2024-11-05", json!({"elicitation": {}})),
        ("2025-03-26", json!({"elicitation": {}})),
        ("2025-11-25", json!({})),
    ] {
        let mut pipe = client(version, capabilities, 600).await;
        let result = pipe.ask(&request(1, "tools/call", refund())).await;
        assert_eq!(result["result"]["isError"], true, "{version}: {result}");
        assert_eq!(status(&mut pipe).await, PAID);
    }
}

#[tokio::test]
pub(super) async fn legacy_an_answer_of_somebody_else_is_none() {
    let mut business = Business::new().await;
    business.elicits = true;
    let (sue, tom) = (business.token("sue", "support"), business.token("tom", "support"));
    let (session, other) = (business.session(&sue).await, business.session(&tom).await);
    let headers = [
        ("Authorization", sue.as_str()),
        ("Mcp-Session-Id", session.as_str()),
        ("Accept", "text/event-stream, application/json"),
    ];
    let mut stream = business.http.post(&headers, &request(1, "tools/call", refund())).await;
    let question = loop {
        let event = stream.event().await.unwrap();
        if !event.data.is_empty() {
            break event.json();
        }
    };
    assert_eq!(question["method"], "elicitation/create");
    let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": yes()});
    // In a session of their own, and in that of the one who was asked.
    for (session, status) in [(&other, 202), (&session, 404)] {
        let headers = [("Authorization", tom.as_str()), ("Mcp-Session-Id", session.as_str())];
        assert_eq!(business.http.post(&headers, &answer).await.status, status);
    }
    stream.hears_nothing().await;
    assert_eq!(business.order_status(ORDER).await, "paid");
    let headers = [("Authorization", sue.as_str()), ("Mcp-Session-Id", session.as_str())];
    assert_eq!(business.http.post(&headers, &answer).await.status, 202);
    let texts: String = stream.events().await.into_iter().map(|event| event.data).collect();
    assert!(texts.contains("\"isError\":false"), "{texts}");
    assert_eq!(business.order_status(ORDER).await, "refunded");
}

#[tokio::test]
pub(super) async fn legacy_what_has_changed_since_the_question_is_not_done() {
    let database = Scratch::new("approval.db");
    let files = EnterpriseFiles { database: Some(database.path()), ..EnterpriseFiles::default() };
    let mut pipe = client_of(files, "2025-11-25", json!({"elicitation": {}}), 600).await;
    let delete = json!({"name": "delete_customer", "arguments": {"customer": "c-1006"}});
    let question = pipe.ask(&request(1, "tools/call", delete)).await;
    assert_eq!(question["method"], "elicitation/create");
    let other = rusqlite::Connection::open(&*database).unwrap();
    other.execute("UPDATE customers SET name = 'Somebody Else' WHERE id = 'c-1006'", []).unwrap();
    let result = pipe.ask(&json!({"jsonrpc": "2.0", "id": question["id"], "result": yes()})).await;
    assert_eq!(result["result"]["isError"], true, "{result}");
    assert!(result.to_string().contains("has changed meanwhile"), "{result}");
    let left: i64 =
        other.query_row("SELECT count(*) FROM customers WHERE id = 'c-1006'", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 1);
}

#[tokio::test]
pub(super) async fn legacy_an_answer_takes_the_scopes_of_the_call() {
    let mut business = Business::new().await;
    business.elicits = true;
    let full = business.token("sue", "support");
    let little = business.mint(&json!({"sub": "sue", "roles": ["support"], "scope": "mcp"}));
    let session = business.session(&full).await;
    let accept = ("Accept", "text/event-stream, application/json");
    let headers = [("Authorization", full.as_str()), ("Mcp-Session-Id", session.as_str()), accept];
    let mut stream = business.http.post(&headers, &request(1, "tools/call", refund())).await;
    let question = loop {
        let event = stream.event().await.unwrap();
        if !event.data.is_empty() {
            break event.json();
        }
    };
    let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": yes()});
    let headers = [("Authorization", little.as_str()), ("Mcp-Session-Id", session.as_str())];
    let refused = business.http.post(&headers, &answer).await;
    assert_eq!(refused.status, 403);
    assert!(refused.headers["www-authenticate"].contains("mcp:write"), "{:?}", refused.headers);
    stream.hears_nothing().await;
    assert_eq!(business.order_status(ORDER).await, "paid");
    // An answer that nobody waits for takes no more than anything else.
    let stray = json!({"jsonrpc": "2.0", "id": "server-99", "result": yes()});
    assert_eq!(business.http.post(&headers, &stray).await.status, 202);
    let headers = [("Authorization", full.as_str()), ("Mcp-Session-Id", session.as_str())];
    assert_eq!(business.http.post(&headers, &answer).await.status, 202);
    stream.events().await;
    assert_eq!(business.order_status(ORDER).await, "refunded");
}
