//! What requests take of the memory is no less than what is said. Alone in its process, whose memory is measured.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod support;

use std::time::Duration;

use mcprove_reference_server::Config;
use support::Http;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Bytes of this process in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[tokio::test]
async fn requests_take_no_more_memory_than_is_counted() {
    let http = Http::open(Config::default()).await;
    let session = http.initialized("2025-11-25").await;
    let nested = format!("{}0{}", "{\"\":".repeat(100), "}".repeat(100));
    let items =
        [("{\"\":0}", 60_000), (nested.as_str(), 600), ("[0]", 60_000), ("\"a\"", 200_000), ("0", 200_000)];
    let (before, held_before) = (resident(), http.server.bytes_held().0);
    let mut streams = Vec::new();
    for (id, (item, count)) in items.into_iter().enumerate() {
        let padding = vec![item; count].join(",");
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"slow_compute","arguments":{{"seconds":60}},"_meta":{{"p":[{padding}]}}}}}}"#
        );
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nMcp-Session-Id: {session}\r\nContent-Length: {}\r\n\r\n",
            http.address,
            body.len()
        );
        let mut stream = TcpStream::connect(http.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let (grown, held) = (resident() - before, http.server.bytes_held().0 - held_before);
    assert!(held > 100 << 20, "{held}: all are in progress");
    // A little is for what the test itself has written.
    assert!(grown <= held + (8 << 20), "{grown} bytes, of which {held} are counted");
}
