//! What has changed is told to those whose role sees it change, and to nobody else.

use serde_json::{Value, json};

use crate::support::business::Business;
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
