//! Ten thousand principals, one after the other. Alone in its process, whose memory is measured.
#![cfg(all(feature = "enterprise", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};

use mcprove_reference_server::EnterpriseFiles;
use serde_json::json;
use support::business::{Business, Era, ROLES};
use support::{initialize, modern};

const PRINCIPALS: usize = 10_000;
/// What is kept for so many may take, beyond what the first thousand took: sessions make room for each other.
const ROOM: usize = 24 << 20;

/// Bytes of this process in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// What one principal leaves behind: a session, a request state that nobody answers, and a state that is used up.
async fn visit(business: &Business, number: usize) {
    let role = ROLES[number % ROLES.len()];
    let token = business.token(&format!("user-{number}"), role);
    let response = business.http.post(&[("Authorization", &token)], &initialize("2025-11-25")).await;
    assert_eq!(response.status, 200);
    if role != "support" {
        return;
    }
    let refund = json!({"name": "refund_order", "arguments": {"order": "o-5001", "reason": "broken"}});
    let asked = business.ask(Era::Modern, &token, "tools/call", refund.clone()).await;
    let result = &asked.answer["result"];
    let key = result["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
    let mut retry = refund;
    retry["requestState"] = result["requestState"].clone();
    retry["inputResponses"] = json!({key: {"action": "decline"}});
    let body = modern(2, "tools/call", {
        let mut params = retry;
        params["_meta"] =
            json!({"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}});
        params
    });
    let declined = business.http.modern(&body, &[("Authorization", &token)]).await.json().await;
    assert_eq!(declined["result"]["isError"], true, "{declined}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_principals_take_no_more_than_the_limits_say() {
    let business = Business::open(&EnterpriseFiles::default(), 600).await;
    let next = AtomicUsize::new(0);
    let visits = async |until: usize| {
        let one = async || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= until {
                    break;
                }
                visit(&business, number).await;
            }
        };
        futures_util::future::join_all((0..8).map(|_| one())).await;
        next.store(until, Ordering::Relaxed);
    };
    visits(PRINCIPALS / 10).await;
    let before = resident();
    visits(PRINCIPALS).await;
    let grown = resident().saturating_sub(before);
    eprintln!("{} principals: {grown} bytes more than after a tenth of them", PRINCIPALS);
    assert!(grown < ROOM, "{grown} bytes more");
    // Everybody is still somebody: the last one has the session that the first one had to give up.
    let last = business.token(&format!("user-{}", PRINCIPALS - 1), "guest");
    assert_eq!(business.ask(Era::Legacy, &last, "tools/list", json!({})).await.status, 200);
    assert_eq!(business.order_status("o-5001").await, "paid", "nobody agreed to anything");
}
