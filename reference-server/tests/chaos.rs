//! Late, reordered and oddly written answers: all there, and in the order that matters.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod support;

use std::time::{Duration, Instant};

use mcprove_reference_server::{Config, Delay, Stall};
use serde_json::{Value, json};
use support::{Http, Pipe, initialize, modern, notification, request};

#[tokio::test]
async fn everything_is_answered_and_initialize_keeps_its_place() {
    let mut reordered = 0;
    for seed in 0..20 {
        let mut pipe = Pipe::open(Config { chaos: Some(seed), ..Config::default() });
        let mut input = format!(
            "{}\n{}\n",
            initialize("2025-11-25"),
            notification("notifications/initialized", json!({}))
        );
        for id in 0..20 {
            input.push_str(&format!("{}\n", request(id, "ping", json!({}))));
        }
        pipe.send_raw(input.as_bytes()).await;
        assert_eq!(pipe.receive().await["id"], "init", "{seed}");
        let mut ids = Vec::new();
        for _ in 0..20 {
            ids.push(pipe.receive().await["id"].as_u64().unwrap());
        }
        reordered += usize::from(!ids.is_sorted());
        ids.sort_unstable();
        assert_eq!(ids, (0..20).collect::<Vec<_>>(), "{seed}");
    }
    assert!(reordered > 10, "{reordered}");
}

#[tokio::test]
async fn what_a_request_says_keeps_its_order() {
    for seed in 0..10 {
        let mut pipe = Pipe::open(Config { chaos: Some(seed), ..Config::default() });
        let params = json!({"name": "countdown", "arguments": {"from": 5, "interval_ms": 1}, "_meta": {"progressToken": "t"}});
        pipe.send(&modern(1, "tools/call", params)).await;
        for progress in 1..=5 {
            assert_eq!(pipe.receive().await["params"]["progress"], progress, "{seed}");
        }
        assert_eq!(pipe.receive().await["id"], 1, "{seed}");
    }
}

#[tokio::test]
async fn http_says_the_same_under_chaos() {
    for seed in 0..10 {
        let http = Http::open(Config { chaos: Some(seed), ..Config::default() }).await;
        let listed = http.modern(&modern(1, "tools/list", json!({})), &[]).await;
        assert_eq!(listed.status, 200);
        let honest = Http::open(Config::default()).await;
        let expected = honest.modern(&modern(1, "tools/list", json!({})), &[]).await.json().await;
        let strip = |mut answer: Value| {
            answer["result"].as_object_mut().unwrap().remove("nextCursor");
            answer
        };
        assert_eq!(strip(listed.json().await), strip(expected), "{seed}");
        let params = json!({"name": "countdown", "arguments": {"from": 3, "interval_ms": 1}, "_meta": {"progressToken": 7}});
        let text = http.modern(&modern(2, "tools/call", params), &[]).await.body().await;
        assert_eq!(text.matches("\"progressToken\"").count(), 3, "{seed}: {text}");
    }
}

#[tokio::test]
async fn delays_and_stalls_hold_answers_back() {
    const WAIT: Duration = Duration::from_millis(150);
    let delay = Config { delay: Some(Delay::Fixed(WAIT)), ..Config::default() };
    let stall = Config { stall: Some(Stall { after: Duration::ZERO, length: WAIT }), ..Config::default() };
    for (name, config) in [("delay", delay), ("stall", stall)] {
        let mut pipe = Pipe::open(config.clone());
        let began = Instant::now();
        pipe.send(&request(1, "ping", json!({}))).await;
        pipe.send_raw(b"no message\n").await;
        assert!(pipe.receive().await.is_object() && pipe.receive().await.is_object());
        let took = began.elapsed();
        assert!((WAIT..WAIT * 2).contains(&took), "{name}: both are held back at the same time: {took:?}");
        let http = Http::open(config).await;
        let began = Instant::now();
        assert_eq!(http.modern(&modern(1, "server/discover", json!({})), &[]).await.status, 200);
        assert!(began.elapsed() >= WAIT, "{name}");
    }
    // Before and after it, a stall is not felt.
    let stall = Stall { after: Duration::from_secs(60), length: Duration::from_secs(60) };
    let mut pipe = Pipe::open(Config { stall: Some(stall), ..Config::default() });
    assert_eq!(pipe.ask(&request(1, "ping", json!({}))).await["id"], 1);
}

#[tokio::test]
async fn an_answer_that_is_held_back_can_still_be_cancelled() {
    let delay = Some(Delay::Fixed(Duration::from_millis(200)));
    for modern_era in [false, true] {
        let mut pipe = Pipe::open(Config { delay, ..Config::default() });
        let echo = json!({"name": "echo", "arguments": {"text": "hello"}});
        let call = if modern_era {
            modern(1, "tools/call", echo)
        } else {
            pipe.ask(&initialize("2025-11-25")).await;
            request(1, "tools/call", echo)
        };
        pipe.send(&call).await;
        pipe.send(&notification("notifications/cancelled", json!({"requestId": 1}))).await;
        let listed =
            if modern_era { modern(2, "tools/list", json!({})) } else { request(2, "tools/list", json!({})) };
        assert_eq!(pipe.ask(&listed).await["id"], 2, "the cancelled call stays without an answer");
        pipe.hears_nothing().await;
    }
}

#[tokio::test]
async fn answers_that_are_held_back_are_given_after_the_end_of_the_input() {
    let delay = Some(Delay::Fixed(Duration::from_millis(1300)));
    let mut pipe = Pipe::open(Config { delay, ..Config::default() });
    for id in 0..10 {
        pipe.send(&modern(id, "server/discover", json!({}))).await;
    }
    pipe.close_input().await;
    assert_eq!(pipe.rest().await.len(), 10);
}

#[tokio::test]
async fn what_is_held_back_is_in_progress() {
    let delay = Some(Delay::Fixed(Duration::from_millis(300)));
    let mut pipe = Pipe::open(Config { delay, max_requests_in_flight: 2, ..Config::default() });
    pipe.ask(&initialize("2025-11-25")).await;
    for id in 0..3 {
        pipe.send(&request(id, "ping", json!({}))).await;
    }
    pipe.send(&modern(3, "server/discover", json!({}))).await;
    let mut refused = 0;
    for _ in 0..4 {
        refused += usize::from(pipe.receive().await["error"]["code"] == -32603);
    }
    assert_eq!(refused, 2);
}
