//! Clients that would fill the memory: whatever they send and do not read, what is held for them stays within the limits,
//! and is let go when they are gone.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod support;

use std::time::{Duration, Instant};

use mcprove_reference_server::{Config, Server};
use serde_json::{Value, json};
use support::{Http, Pipe, SOON, initialize, modern, request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const MIB: usize = 1 << 20;

/// Sends a POST and reads nothing.
async fn unread(http: &Http, path: &str, headers: &str, body: &Value) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(http.address).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n",
        http.address,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // Who is refused early may not be read to the end.
    let _ = stream.write_all(body.as_bytes()).await;
    stream
}

/// The headers of a modern tool call.
fn calling(tool: &str) -> String {
    format!("MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n")
}

fn echo(length: usize) -> Value {
    json!({"name": "echo", "arguments": {"text": "x".repeat(length)}})
}

/// The most that is held of each kind for as long as the work goes on.
async fn most_held(server: &Server, work: impl Future<Output = ()>) -> (usize, usize) {
    let mut most = (0, 0);
    tokio::pin!(work);
    loop {
        let (memory, replay) = server.bytes_held();
        most = (most.0.max(memory), most.1.max(replay));
        tokio::select! {
            () = &mut work => return most,
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
    }
}

async fn held_falls_below(server: &Server, limit: usize) {
    let began = Instant::now();
    loop {
        let (memory, replay) = server.bytes_held();
        if memory + replay < limit {
            return;
        }
        assert!(began.elapsed() < SOON, "{memory} and {replay} bytes are still held");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn is_served(http: &Http) {
    assert_eq!(http.post(&[], &initialize("2025-11-25")).await.status, 200);
    let discover = http.modern(&modern(1, "server/discover", json!({})), &[]).await;
    assert_eq!(discover.status, 200);
}

#[tokio::test]
async fn a_stream_that_is_not_read_holds_little_however_long_its_messages_are() {
    let http = Http::open(Config::default()).await;
    let session = http.initialized("2025-11-25").await;
    // Each message repeats the token; longer ones are not kept at all.
    for length in [60_000, 4 * MIB - 1000] {
        let token = "t".repeat(length);
        let call = request(
            length,
            "tools/call",
            json!({
                "name": "countdown", "arguments": {"from": 200, "interval_ms": 1}, "_meta": {"progressToken": token},
            }),
        );
        let headers = format!("Mcp-Session-Id: {session}\r\nAccept: text/event-stream\r\n");
        let stream = unread(&http, "/mcp", &headers, &call).await;
        let (memory, replay) = most_held(&http.server, tokio::time::sleep(Duration::from_millis(800))).await;
        assert!(replay < 2 * MIB, "{replay} bytes of events are kept");
        assert!(memory < 16 * MIB, "{memory} bytes are held");
        drop(stream);
        // What ended streams keep for a client that comes back is bounded too.
        held_falls_below(&http.server, 3 * MIB / 2).await;
    }
}

#[tokio::test]
async fn what_a_client_left_unread_is_let_go_when_its_stream_ends() {
    let config = Config { read_timeout: Duration::from_millis(300), ..Config::default() };
    let http = Http::open(config).await;
    let session = http.initialized("2025-11-25").await;
    let headers = format!("Mcp-Session-Id: {session}\r\nAccept: text/event-stream\r\n");
    let mut streams = Vec::new();
    for id in 0..4 {
        streams.push(unread(&http, "/mcp", &headers, &request(id, "tools/call", echo(3 * MIB))).await);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(streams);
    held_falls_below(&http.server, 3 * MIB / 2).await;
}

#[tokio::test]
async fn long_ids_are_refused_and_others_are_counted() {
    let http = Http::open(Config::default()).await;
    let session = http.initialized("2025-11-25").await;
    let slow = json!({"name": "slow_compute", "arguments": {"seconds": 60}});
    let session_header = ("Mcp-Session-Id", session.as_str());
    let long = request("i".repeat(4 * MIB - 1000), "tools/call", slow.clone());
    let refused = http.post(&[session_header], &long).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json().await["error"]["code"], -32600);
    let listen = modern("i".repeat(100_000), "subscriptions/listen", json!({"notifications": {}}));
    assert_eq!(http.modern(&listen, &[]).await.status, 400);

    let mut pipe = Pipe::initialized("2025-11-25").await;
    let refused = pipe.ask(&long).await;
    assert_eq!(refused["error"]["code"], -32600);
    assert!(refused["id"].is_null());
    let id = "i".repeat(60_000);
    assert_eq!(pipe.ask(&request(id.clone(), "ping", json!({}))).await["id"], id);

    // Ids that are served take room like all else.
    let before = http.server.bytes_held().0;
    let mut streams = Vec::new();
    for n in 0..20 {
        let call = request(format!("{n}{id}"), "tools/call", slow.clone());
        streams.push(unread(&http, "/mcp", &format!("Mcp-Session-Id: {session}\r\n"), &call).await);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let held = http.server.bytes_held().0 - before;
    assert!((20 * 3 * 60_000..20 * 4 * 60_000).contains(&held), "{held}");
}

#[tokio::test]
async fn what_else_clients_say_about_themselves_is_not_kept() {
    const SESSIONS: usize = 12;
    let http = Http::open(Config::default()).await;
    let mut hello = initialize("2025-11-25");
    hello["params"]["capabilities"] = json!({"experimental": {"x": ["a".repeat(3 * MIB)]}, "sampling": {}});
    let before = resident();
    for _ in 0..SESSIONS {
        assert_eq!(http.post(&[], &hello).await.status, 200);
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < SESSIONS * 3 * MIB * 2 / 3, "{grown} bytes for {SESSIONS} sessions");
}

/// Bytes of this process in memory; nothing where nobody says.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap_or_default() * 1024
}

#[tokio::test]
async fn tasks_hold_nothing_of_the_requests_that_began_them() {
    let http = Http::open(Config { max_bytes_in_flight: 16 * MIB, ..Config::default() }).await;
    let begin = |meta: Value, arguments: Value| {
        let mut call =
            modern(1, "tools/call", json!({"name": "slow_compute", "arguments": arguments, "_meta": meta}));
        call["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
            json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
        call
    };
    let padding = vec![0; 80_000];
    for _ in 0..8 {
        let answer = http.modern(&begin(json!({"pad": padding}), json!({"seconds": 600})), &[]).await;
        assert_eq!(answer.json().await["result"]["resultType"], "task");
    }
    // But for their arguments.
    let held = http.server.bytes_held().0;
    assert!((8 * 20..8 * 1024).contains(&held), "{held}");
    is_served(&http).await;
    // The arguments are what a task keeps.
    let session = http.initialized("2025-11-25").await;
    let arguments = json!({"seconds": 600, "pad": padding});
    let long = json!({"name": "slow_compute", "arguments": arguments, "task": {}});
    let long = http.post(&[("Mcp-Session-Id", &session)], &request(1, "tools/call", long)).await;
    assert_eq!(long.json().await["error"]["code"], -32602);
}

#[tokio::test]
async fn large_requests_leave_room_for_small_ones() {
    let http = Http::open(Config { max_bytes_in_flight: 4 * MIB, ..Config::default() }).await;
    let call = |padding: usize| {
        let meta = json!({"padding": "x".repeat(padding)});
        modern(1, "tools/call", json!({"name": "slow_compute", "arguments": {"seconds": 60}, "_meta": meta}))
    };
    let mut streams = Vec::new();
    for _ in 0..10 {
        streams.push(unread(&http, "/mcp", &calling("slow_compute"), &call(MIB)).await);
    }
    for _ in 0..10 {
        streams.push(unread(&http, "/mcp", &calling("slow_compute"), &call(20_000)).await);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(http.server.bytes_held().0 > 2 * MIB);
    let refused = http.modern(&call(MIB), &[]).await;
    assert_eq!((refused.status, &refused.json().await["error"]["code"]), (503, &json!(-32603)));
    is_served(&http).await;
    drop(streams);
    held_falls_below(&http.server, 1).await;
}

#[tokio::test]
async fn answers_that_wait_to_be_read_share_what_there_is() {
    let config = Config {
        max_bytes_in_flight: 32 * MIB,
        max_body_bytes: 8 * MIB,
        read_timeout: Duration::from_secs(2),
        ..Config::default()
    };
    let http = Http::open(config).await;
    // More than the operating system takes off our hands.
    let call = modern(1, "tools/call", echo(7 * MIB));
    let mut streams = Vec::new();
    let flood = async {
        for _ in 0..10 {
            streams.push(unread(&http, "/mcp", &calling("echo"), &call).await);
        }
    };
    let (most, _) = most_held(&http.server, flood).await;
    assert!((14 * MIB..=32 * MIB).contains(&most), "{most}");
    is_served(&http).await;
    // Who is refused is told; who has not read for too long is cut off.
    let mut without = 0;
    for stream in &mut streams {
        let mut start = [0; 12];
        let begun = tokio::time::timeout(SOON, stream.read_exact(&mut start)).await.unwrap().is_ok();
        if !begun || &start == b"HTTP/1.1 503" {
            without += 1;
            continue;
        }
        let mut rest = vec![0; 7 * MIB];
        without += usize::from(stream.read_exact(&mut rest).await.is_err());
    }
    assert!(without > 3, "{without}");
    // In time the rest are given up.
    held_falls_below(&http.server, 1).await;
}

#[tokio::test]
async fn the_events_of_all_sessions_are_bounded_together() {
    let http = Http::open(Config { max_replay_bytes: 4 * MIB, ..Config::default() }).await;
    let call = request(1, "tools/call", echo(MIB - 10_000));
    let mut first = None;
    for _ in 0..12 {
        let session = http.initialized("2025-11-25").await;
        let headers = [("Mcp-Session-Id", session.as_str()), ("Accept", "text/event-stream")];
        let events = http.post(&headers, &call).await.events().await;
        assert_eq!(events.len(), 2);
        assert!(http.server.bytes_held().1 <= 4 * MIB);
        first.get_or_insert_with(|| (session.clone(), events[0].id.clone().unwrap()));
    }
    // The oldest made room, and whoever asks for it is told.
    let (session, id) = first.unwrap();
    let resumed =
        http.send("GET", "/mcp", &[("Mcp-Session-Id", &session), ("Last-Event-ID", &id)], b"").await;
    assert_eq!(resumed.status, 400);
}

/// A batch whose answer would have some 3 MiB.
fn large_batch() -> Value {
    (0..300).map(|id| request(id, "tools/list", json!({}))).collect()
}

#[tokio::test]
async fn a_batch_is_answered_with_one_bounded_answer() {
    let http = Http::open(Config::default()).await;
    let session = http.initialized("2025-03-26").await;
    let response = http.post(&[("Mcp-Session-Id", &session)], &large_batch()).await;
    // What takes long is answered on a stream.
    let answer = match response.header("content-type") {
        "application/json" => response.body().await,
        _ => response.events().await.pop().unwrap().data,
    };
    assert!(answer.len() < 3 * MIB / 2, "{}", answer.len());
    let answers: Value = serde_json::from_str(&answer).unwrap();
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 300);
    for (id, answer) in answers.iter().enumerate() {
        assert_eq!(answer["id"], id);
        assert!(answer["result"].is_object() || answer["error"]["code"] == -32603, "{answer}");
    }
    assert!(answers[0]["result"].is_object() && answers[299]["error"].is_object());
    assert_eq!(http.server.bytes_held().0, 0);
}

#[tokio::test]
async fn batches_that_are_not_read_hold_no_more_than_the_limit() {
    let http = Http::open(Config { max_bytes_in_flight: 16 * MIB, ..Config::default() }).await;
    let session = http.initialized("2025-03-26").await;
    let mut streams = Vec::new();
    let flood = async {
        for _ in 0..12 {
            let headers = format!("Mcp-Session-Id: {session}\r\n");
            streams.push(unread(&http, "/mcp", &headers, &large_batch()).await);
        }
    };
    let (most, _) = most_held(&http.server, flood).await;
    assert!(most <= 12 * MIB, "{most}");
    is_served(&http).await;
}

#[tokio::test]
async fn one_batch_after_the_other_is_served_on_a_pipe() {
    let server = Server::new(Config::default());
    let mut pipe = support::Pipe::on(server.clone());
    pipe.ask(&initialize("2025-03-26")).await;
    let line = format!("{}\n", large_batch());
    let flood = async {
        let endless = async {
            loop {
                pipe.send_raw(line.as_bytes()).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(1500), endless).await;
    };
    let (most, _) = most_held(&server, flood).await;
    assert!((MIB / 2..6 * MIB).contains(&most), "{most}");
}

#[tokio::test]
async fn clients_that_do_not_read_make_room_for_newcomers() {
    let http = Http::open(Config { max_bytes_in_flight: 32 * MIB, ..Config::default() }).await;
    // More than the operating system takes off our hands.
    let call = modern(1, "tools/call", echo(4 * MIB - 1000));
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(unread(&http, "/mcp", &calling("echo"), &call).await);
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    for _ in 0..2 {
        let newcomer = http.modern(&call, &[]).await;
        assert_eq!(newcomer.status, 200);
        assert!(newcomer.body().await.len() > 4 * MIB - 1000);
    }
}

#[tokio::test]
async fn the_filter_of_a_subscription_is_counted_too() {
    let http = Http::open(Config::default()).await;
    let uris: Vec<String> = (0..999).map(|n| format!("test://{n}{}", "u".repeat(2000))).collect();
    let listen = modern(1, "subscriptions/listen", json!({"notifications": {"resourceSubscriptions": uris}}));
    let mut stream = http.modern(&listen, &[]).await;
    stream.event().await.unwrap();
    let held = http.server.bytes_held().0;
    assert!(held > 2 * listen.to_string().len(), "{held}");
}

#[tokio::test]
async fn the_subscriptions_of_sessions_without_a_connection_are_counted() {
    let http = Http::open(Config { max_bytes_in_flight: MIB, ..Config::default() }).await;
    let subscribe = |number: usize| {
        let uri = format!("test://template/{number:04}{}/data", "a".repeat(55));
        request(number, "resources/subscribe", json!({"uri": uri}))
    };
    let batch: Value = (0..1000).map(subscribe).collect();
    let mut refused = 0;
    let mut sessions = Vec::new();
    for _ in 0..5 {
        let session = http.initialized("2025-03-26").await;
        let answers = http.post(&[("Mcp-Session-Id", &session)], &batch).await.json().await;
        for answer in answers.as_array().unwrap() {
            refused +=
                usize::from(answer["error"]["message"].as_str().unwrap_or_default().contains("all clients"));
            assert!(answer["error"].is_null() || answer["error"]["code"] == -32603, "{answer}");
        }
        sessions.push(session);
    }
    let held = http.server.bytes_held().0;
    assert!(refused > 1000 && refused < 4500, "{refused}");
    assert!(held > (5000 - refused) * 80 && held <= MIB / 2, "{held} for {}", 5000 - refused);
    // What is kept leaves room for requests.
    let call = modern(1, "tools/call", echo(20_000));
    assert_eq!(http.modern(&call, &[]).await.status, 200);
    // Nothing is counted twice, and what ends gives back what it took.
    let with = [("Mcp-Session-Id", sessions[0].as_str())];
    assert_eq!(http.post(&with, &subscribe(0)).await.json().await["result"], json!({}));
    assert_eq!(http.server.bytes_held().0, held);
    let unsubscribe = request(1, "resources/unsubscribe", subscribe(0)["params"].clone());
    assert_eq!(http.post(&with, &unsubscribe).await.json().await["result"], json!({}));
    assert!((80..300).contains(&(held - http.server.bytes_held().0)));
    for session in &sessions {
        http.send("DELETE", "/mcp", &[("Mcp-Session-Id", session)], b"").await;
    }
    held_falls_below(&http.server, 1).await;
}
