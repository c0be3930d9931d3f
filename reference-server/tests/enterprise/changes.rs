//! What has changed is told to those whose role sees it change, and to nobody else.

use serde_json::{Value, json};

use crate::support::business::{Business, Era, answered, question, yes};
use crate::support::{modern, request};

const URI: &str = "customer://c-1003";

#[tokio::test]
pub(super) async fn what_a_role_does_not_see_change_it_is_not_told_of() {
    let business = Business::new().await;
    let filter = json!({"notifications": {"resourceSubscriptions": [URI, "customer://c-1003/orders"]}});
    let mut streams = Vec::new();
    for role in ["sales", "billing", "support"] {
        let token = business.token("listener", role);
        let body = modern(role, "subscriptions/listen", filter.clone());
        let mut stream = business.http.modern(&body, &[("Authorization", &token)]).await;
        assert_eq!(
            stream.event().await.unwrap().json()["method"],
            "notifications/subscriptions/acknowledged"
        );
        streams.push((role, stream));
        // The same with a session.
        let session = business.session(&token).await;
        let headers = [
            ("Authorization", token.as_str()),
            ("Mcp-Session-Id", session.as_str()),
            ("Accept", "text/event-stream, application/json"),
        ];
        let subscribe = request(1, "resources/subscribe", json!({"uri": URI}));
        assert_eq!(business.http.post(&headers, &subscribe).await.status, 200);
        streams.push((role, business.http.send("GET", "/mcp", &headers, b"").await));
    }
    let boss = business.token("boss", "manager");
    let change = async |changes: Value| {
        let mut arguments = json!({"customer": "c-1003"});
        arguments.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let said = business.call(&boss, "update_customer", arguments).await;
        assert!(!said.is_error() && said.code().is_none(), "{}", said.text);
    };
    // Of the telephone number sales and billing see nothing.
    change(json!({"phone": "+44 20 7946 0000"})).await;
    // The outline of an address, which is what billing sees, stays the same.
    change(json!({"email": "customer33@mail.example"})).await;
    // What stays as it was is no change.
    change(json!({"status": "active"})).await;
    change(json!({"status": "closed"})).await;
    for (role, stream) in &mut streams {
        // Whatever they are told of comes in its order: the last is what all of them see.
        let times = if *role == "support" { 3 } else { 1 };
        for _ in 0..times {
            let event = loop {
                let event = stream.event().await.unwrap();
                if !event.data.is_empty() {
                    break event;
                }
            };
            assert_eq!(event.json()["params"]["uri"], URI, "{role}");
        }
        stream.hears_nothing().await;
    }
}

#[tokio::test]
pub(super) async fn what_is_deleted_is_told_to_those_who_may_read_it() {
    const GONE: [&str; 4] =
        ["customer://c-1006", "customer://c-1006/orders", "order://o-5002", "order://o-5014"];
    let business = Business::new().await;
    let mut streams = Vec::new();
    for role in ["people", "sales", "billing", "support"] {
        let token = business.token("listener", role);
        let filter = json!({"notifications": {"resourceSubscriptions": GONE, "resourcesListChanged": true}});
        let body = modern(role, "subscriptions/listen", filter);
        let mut stream = business.http.modern(&body, &[("Authorization", &token)]).await;
        assert_eq!(
            stream.event().await.unwrap().json()["method"],
            "notifications/subscriptions/acknowledged"
        );
        streams.push((role, stream));
        // The same with a session, which hears of the lists unasked.
        let session = business.session(&token).await;
        let headers = [
            ("Authorization", token.as_str()),
            ("Mcp-Session-Id", session.as_str()),
            ("Accept", "text/event-stream, application/json"),
        ];
        for uri in GONE {
            let subscribe = request(1, "resources/subscribe", json!({"uri": uri}));
            business.http.post(&headers, &subscribe).await;
        }
        let mut stream = business.http.send("GET", "/mcp", &headers, b"").await;
        assert_eq!(stream.event().await.unwrap().data, "", "the stream begins with its id");
        streams.push((role, stream));
    }
    let boss = business.token("boss", "manager");
    let delete = json!({"name": "delete_customer", "arguments": {"customer": "c-1006"}});
    let asked = question(&business.ask(Era::Modern, &boss, "tools/call", delete.clone()).await);
    let said = business.ask(Era::Modern, &boss, "tools/call", answered(delete, &asked, yes())).await;
    assert_eq!(said.answer["result"]["structuredContent"]["deleted"], "c-1006", "{}", said.text);
    for (role, stream) in &mut streams {
        // The resources that the role may read, then each list that it has.
        let (uris, lists) = match *role {
            "people" => (&[][..], 0),
            "sales" => (&GONE[..1], 1),
            "billing" => (&[GONE[0], GONE[2], GONE[3]][..], 2),
            _ => (&GONE[..], 2),
        };
        let mut told = Vec::new();
        while told.len() < uris.len() + lists {
            let event = stream.event().await.unwrap();
            if !event.data.is_empty() {
                told.push(event.json());
            }
        }
        let heard: Vec<&Value> =
            told.iter().map(|told| &told["params"]["uri"]).filter(|uri| uri.is_string()).collect();
        assert_eq!(heard, uris, "{role}");
        stream.hears_nothing().await;
    }
}
