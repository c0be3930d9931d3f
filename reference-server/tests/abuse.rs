//! Clients that mean no good, or know no better: the server stays up, bounded, and serves whoever comes next.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod support;

use std::time::{Duration, Instant};

use mcprove_reference_server::Config;
use serde_json::json;
use support::{Http, Pipe, SOON, initialize, modern, request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn is_served(http: &Http) {
    assert_eq!(http.post(&[], &initialize("2025-11-25")).await.status, 200);
}

/// What the server says until it closes; a reset ends it too.
async fn heard(stream: &mut TcpStream) -> String {
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    let reading = async {
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            text.extend_from_slice(&buffer[..length]);
        }
    };
    tokio::time::timeout(SOON, reading).await.expect("the server closes");
    String::from_utf8(text).unwrap()
}

fn head(http: &Http, rest: &str) -> String {
    format!("POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{rest}", http.address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_make_room_for_newcomers() {
    let most = 20;
    let http = Http::open(Config { max_connections: most, ..Config::default() }).await;
    // A stream that is open is not idle, however long it says nothing.
    let session = http.initialized("2025-11-25").await;
    let mut stream = http.send("GET", "/mcp", &[("Mcp-Session-Id", &session)], b"").await;
    assert_eq!(stream.status, 200);
    let mut idle = Vec::new();
    for _ in 0..10 * most {
        idle.push(TcpStream::connect(http.address).await.unwrap());
        if idle.len() % 40 == 0 {
            is_served(&http).await;
        }
    }
    is_served(&http).await;
    assert_eq!(heard(&mut idle[0]).await, "", "the connection that was idle for longest is closed");
    let mut newest = idle.pop().unwrap();
    let nothing = tokio::time::timeout(support::QUIET, newest.read(&mut [0; 1])).await;
    assert!(nothing.is_err(), "the newest one is kept");
    assert_eq!(stream.event().await.map(|event| event.data), Some(String::new()));
    stream.hears_nothing().await;
}

#[tokio::test]
async fn a_busy_connection_is_not_closed_for_a_newcomer() {
    let http = Http::open(Config { max_connections: 1, ..Config::default() }).await;
    let session = http.initialized("2025-11-25").await;
    let arguments = json!({"from": 5, "interval_ms": 100});
    let slow = |id| request(id, "tools/call", json!({"name": "countdown", "arguments": arguments}));
    let headers = [("Mcp-Session-Id", session.as_str())];
    let (first, second) = (slow(1), slow(2));
    let call = async |slow, after| {
        tokio::time::sleep(Duration::from_millis(after)).await;
        http.post(&headers, slow).await.events().await
    };
    let newcomers = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        for _ in 0..5 {
            is_served(&http).await;
        }
    };
    let (first, second, ()) = tokio::join!(call(&first, 0), call(&second, 50), newcomers);
    for events in [first, second] {
        assert_eq!(events.last().unwrap().json()["result"]["isError"], false);
    }
}

#[tokio::test]
async fn floods_of_headers_are_refused() {
    let http = Http::open(Config::default()).await;
    let headers = |count| (0..count).map(|n| format!("X-{n}: {n}\r\n")).collect::<Vec<_>>().concat();
    let many = headers(10_000);
    let long = format!("X-Long: {}\r\n", "x".repeat(1 << 20));
    for flood in [many, long] {
        let mut stream = TcpStream::connect(http.address).await.unwrap();
        let request = head(&http, &flood) + "Content-Length: 2\r\n\r\n{}";
        let (mut reader, mut writer) = stream.split();
        let mut answer = vec![0; 12];
        let (_, read) = tokio::join!(
            writer.write_all(request.as_bytes()),
            tokio::time::timeout(SOON, reader.read_exact(&mut answer))
        );
        // Who still writes may meet the reset before the answer.
        if read.expect("no hang").is_ok() {
            assert_eq!(answer, b"HTTP/1.1 431");
        }
        is_served(&http).await;
    }
    let some = headers(200);
    let mut stream = TcpStream::connect(http.address).await.unwrap();
    stream.write_all((head(&http, &some) + "Content-Length: 2\r\n\r\n{}").as_bytes()).await.unwrap();
    assert!(heard(&mut stream).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn large_bodies_are_refused_before_they_are_read() {
    const LARGE: usize = 100 << 20;
    let http = Http::open(Config::default()).await;
    for announced in [true, false] {
        let mut stream = TcpStream::connect(http.address).await.unwrap();
        let length =
            if announced { format!("Content-Length: {LARGE}") } else { "Transfer-Encoding: chunked".into() };
        stream.write_all((head(&http, &length) + "\r\n\r\n").as_bytes()).await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let writing = async {
            let chunk = if announced {
                vec![b' '; 1 << 16]
            } else {
                [b"10000\r\n".as_slice(), &vec![b' '; 1 << 16], b"\r\n"].concat()
            };
            let mut written = 0;
            while written < LARGE && writer.write_all(&chunk).await.is_ok() {
                written += 1 << 16;
            }
            written
        };
        let mut answer = vec![0; 12];
        let (written, read) =
            tokio::join!(writing, tokio::time::timeout(SOON, reader.read_exact(&mut answer)));
        read.expect("no hang").unwrap();
        assert_eq!(answer, b"HTTP/1.1 413", "{announced}");
        assert!(written < LARGE / 2, "{written} bytes were taken");
        is_served(&http).await;
    }
}

#[tokio::test]
async fn slow_clients_run_out_of_time() {
    let read_timeout = Duration::from_millis(300);
    let http = Http::open(Config { read_timeout, ..Config::default() }).await;
    let begun = head(&http, "Content-Length: 100\r\n\r\n{");
    for (sent, status) in [("", ""), ("POST /mc", ""), (begun.as_str(), "HTTP/1.1 408")] {
        let mut stream = TcpStream::connect(http.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let began = Instant::now();
        let heard = heard(&mut stream).await;
        assert!(heard.starts_with(status), "{sent}: {heard}");
        assert!(began.elapsed() >= read_timeout / 2, "{sent}");
    }
    // Byte by byte is no way around it.
    let mut stream = TcpStream::connect(http.address).await.unwrap();
    let began = Instant::now();
    while stream.write_all(b"P").await.is_ok() {
        assert!(began.elapsed() < SOON);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    is_served(&http).await;
}

#[tokio::test]
async fn slow_bodies_do_not_keep_others_out() {
    let http = Http::open(Config::default()).await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(http.address).await.unwrap();
        stream.write_all(head(&http, "Content-Length: 4000000\r\n\r\n{").as_bytes()).await.unwrap();
        slow.push(stream);
    }
    is_served(&http).await;
}

#[tokio::test]
async fn abrupt_ends_leave_nothing_behind() {
    let http = Http::open(Config { max_connections: 50, ..Config::default() }).await;
    let session = http.initialized("2025-11-25").await;
    let call =
        request(1, "tools/call", json!({"name": "countdown", "arguments": {"from": 1000}})).to_string();
    let whole =
        head(&http, &format!("Mcp-Session-Id: {session}\r\nContent-Length: {}\r\n\r\n{call}", call.len()));
    for length in (1..whole.len()).step_by(whole.len() / 150) {
        let mut stream = TcpStream::connect(http.address).await.unwrap();
        stream.write_all(&whole.as_bytes()[..length]).await.unwrap();
        if length % 2 == 0 {
            // A reset instead of an orderly end.
            stream.set_zero_linger().unwrap();
        }
    }
    let mut stream = TcpStream::connect(http.address).await.unwrap();
    stream.write_all(whole.as_bytes()).await.unwrap();
    drop(stream);
    is_served(&http).await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_not_read_any_more() {
    let mut pipe = Pipe::initialized("2025-11-25").await;
    let ping = format!("{}\n", request(1, "ping", json!({})));
    let mut written = 0;
    let endless = async {
        loop {
            pipe.send_raw(ping.as_bytes()).await;
            written += 1;
        }
    };
    assert!(tokio::time::timeout(Duration::from_millis(500), endless).await.is_err());
    assert!(written < 20_000, "{written} answers would be held in memory");
    // What was asked is answered once the client reads.
    for _ in 0..written.min(1000) {
        assert_eq!(pipe.receive().await["id"], 1);
    }
}

#[tokio::test]
async fn a_body_in_two_pieces_is_read_beside_slow_long_ones() {
    let http = Http::open(Config::default()).await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(http.address).await.unwrap();
        stream.write_all(head(&http, "Content-Length: 4000000\r\n\r\n{").as_bytes()).await.unwrap();
        slow.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let body = initialize("2025-11-25").to_string();
    let mut stream = TcpStream::connect(http.address).await.unwrap();
    let start = head(&http, &format!("Connection: close\r\nContent-Length: {}\r\n\r\n", body.len()));
    stream.write_all(start.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    stream.write_all(body.as_bytes()).await.unwrap();
    assert!(heard(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn parameters_that_would_fill_the_memory_are_refused() {
    let zeros = "0,".repeat(1 << 20) + "0";
    let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":[{zeros}]}}}}"#);
    let mut pipe = Pipe::initialized("2025-11-25").await;
    let answer = pipe.ask_raw(&text).await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(-32600)));

    // Requests in progress share what there is.
    let config = Config { max_bytes_in_flight: 64 << 10, ..Config::default() };
    let mut pipe = Pipe::open(config);
    pipe.ask(&initialize("2025-11-25")).await;
    let call = |id: i64, padding: usize| {
        let meta = json!({"padding": "x".repeat(padding)});
        let arguments = json!({"from": 1000, "interval_ms": 1000});
        request(id, "tools/call", json!({"name": "countdown", "arguments": arguments, "_meta": meta}))
    };
    pipe.send(&call(1, 40_000)).await;
    assert_eq!(pipe.receive().await["method"], "notifications/message", "the first call is under way");
    let refused = pipe.ask(&call(2, 40_000)).await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(2), &json!(-32603)));
    pipe.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}))
        .await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    pipe.send(&call(3, 40_000)).await;
    assert_eq!(pipe.receive().await["method"], "notifications/message", "the third call found room");
}

#[tokio::test]
async fn a_stream_that_is_not_read_holds_little() {
    let http = Http::open(Config::default()).await;
    let mut stream = http.send("GET", "/sse", &[], b"").await;
    let endpoint = stream.event().await.unwrap().data;
    let text = "x".repeat(1 << 20);
    let mut taken = 0;
    http.send("POST", &endpoint, &[], initialize("2024-11-05").to_string().as_bytes()).await;
    for id in 0..60 {
        let call =
            request(id, "tools/call", json!({"name": "echo", "arguments": {"text": text}})).to_string();
        let posted = http.send("POST", &endpoint, &[], call.as_bytes());
        match tokio::time::timeout(Duration::from_millis(300), posted).await {
            Ok(reply) => assert_eq!(reply.status, 202),
            Err(_) => break,
        }
        taken += 1;
    }
    assert!(taken < 30, "{taken} answers of a mebibyte wait for a client that reads nothing");
    is_served(&http).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_is_not_waited_for() {
    let http = Http::open(Config { read_timeout: Duration::from_millis(300), ..Config::default() }).await;
    let text = "x".repeat(4_000_000);
    let mut call = modern(1, "tools/call", json!({"name": "echo", "arguments": {"text": text}}));
    call["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    let call = call.to_string();
    let headers = "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n";
    let whole = head(&http, &format!("{headers}Content-Length: {}\r\n\r\n{call}", call.len()));
    let (mut reading, mut writing) = TcpStream::connect(http.address).await.unwrap().into_split();
    let asking = tokio::spawn(async move {
        for _ in 0..6 {
            if writing.write_all(whole.as_bytes()).await.is_err() {
                break;
            }
        }
        writing
    });
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let (mut heard, mut buffer) = (0, vec![0; 1 << 20]);
    while let Ok(Ok(length @ 1..)) = tokio::time::timeout(SOON, reading.read(&mut buffer)).await {
        heard += length;
    }
    assert!(heard > 0 && heard < 6 * 4_000_000, "{heard} bytes were waited for");
    asking.abort();
    is_served(&http).await;
}

#[tokio::test]
async fn an_id_in_progress_is_refused_to_every_other_request() {
    let slow = json!({"name": "slow_compute", "arguments": {"seconds": 1}});
    let mut pipe = Pipe::initialized("2025-11-25").await;
    pipe.send(&request(7, "tools/call", slow.clone())).await;
    for other in [
        request(7, "ping", json!({})),
        request(7, "tools/list", json!({})),
        request(7, "tools/call", slow.clone()),
        modern(7, "server/discover", json!({})),
        modern(7, "tools/call", slow.clone()),
    ] {
        let refused = pipe.ask(&other).await;
        assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(7), &json!(-32600)), "{other}");
    }
    assert!(pipe.ask(&request(8, "ping", json!({}))).await["result"].is_object());
    assert!(pipe.receive().await["result"].is_object(), "the first is served to its end");
    assert!(pipe.ask(&request(7, "ping", json!({}))).await["result"].is_object(), "then the id is free");
}

#[tokio::test]
async fn events_that_never_were_are_not_resumed_from() {
    let http = Http::open(Config::default()).await;
    let session = http.initialized("2025-11-25").await;
    let mut stream = http.send("GET", "/mcp", &[("Mcp-Session-Id", &session)], b"").await;
    let first = stream.event().await.unwrap().id.unwrap();
    let beyond = first.replace("-0", "-999");
    for (last, status) in [(first.as_str(), 200), (&beyond, 400), ("99-0", 400), ("x", 400)] {
        let headers = [("Mcp-Session-Id", session.as_str()), ("Last-Event-ID", last)];
        assert_eq!(http.send("GET", "/mcp", &headers, b"").await.status, status, "{last}");
    }
}

#[tokio::test]
async fn slow_long_bodies_give_way() {
    let http = Http::open(Config::default()).await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(http.address).await.unwrap();
        let start = format!("{{{}", " ".repeat(20_000));
        let text = head(&http, &format!("Content-Length: 4000000\r\n\r\n{start}"));
        stream.write_all(text.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let body = format!("{}{}", initialize("2025-11-25"), " ".repeat(200_000));
    let (first, rest) = body.split_at(100_000);
    let mut stream = TcpStream::connect(http.address).await.unwrap();
    let start = head(&http, &format!("Connection: close\r\nContent-Length: {}\r\n\r\n{first}", body.len()));
    stream.write_all(start.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    stream.write_all(rest.as_bytes()).await.unwrap();
    assert!(heard(&mut stream).await.starts_with("HTTP/1.1 200"));
}
