//! What the server spends on a call, end to end: text in, text out, on a pipe in memory. The time of the pipe itself is
//! the time of `refused`, which reads a line that is no JSON.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mcprove_reference_server::{Config, Server, serve_stream};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::runtime::Runtime;

/// Messages that are sent together, so that the switches between client and server hardly count.
const TOGETHER: usize = 64;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;
const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

struct Client {
    reader: BufReader<ReadHalf<DuplexStream>>,
    writer: WriteHalf<DuplexStream>,
    line: Vec<u8>,
}

impl Client {
    /// A client on a server in the same runtime.
    fn open(runtime: &Runtime) -> Self {
        let (client, server) = tokio::io::duplex(1 << 20);
        let (reader, writer) = tokio::io::split(server);
        runtime.spawn(serve_stream(Server::new(Config::default()), reader, writer));
        let (reader, writer) = tokio::io::split(client);
        let mut client = Self { reader: BufReader::new(reader), writer, line: Vec::new() };
        runtime.block_on(client.exchange(format!("{INITIALIZE}\n").as_bytes(), 1));
        client
    }

    async fn exchange(&mut self, messages: &[u8], answers: usize) {
        self.writer.write_all(messages).await.expect("the server reads until the client is gone");
        for _ in 0..answers {
            self.line.clear();
            let read = self.reader.read_until(b'\n', &mut self.line).await;
            assert!(read.is_ok_and(|length| length > 2), "the server answers each message");
            black_box(&self.line);
        }
    }
}

fn hot_paths(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime without threads of its own needs nothing that could lack");
    let mut group = criterion.benchmark_group("stream");
    group.throughput(criterion::Throughput::Elements(TOGETHER as u64));
    let calls = |params: &str| {
        (1..=TOGETHER)
            .map(|id| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{{params}}}}}"#))
            .collect()
    };
    let list =
        |params: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{{params}}}}}"#);
    let echo = r#""name":"echo","arguments":{"text":"The quick brown fox jumps over the lazy dog."}"#;
    let modern = format!("{echo},{META}");
    let scenes: [(&str, Vec<String>); 6] = [
        ("refused", vec!["no message".to_owned(); TOGETHER]),
        ("ping", vec![r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned(); TOGETHER]),
        ("echo", calls(echo)),
        ("echo of the stateless era", calls(&modern)),
        ("a page of tools", vec![list(""); TOGETHER]),
        ("a page of tools of the stateless era", vec![list(META); TOGETHER]),
    ];
    for (name, messages) in scenes {
        let mut client = Client::open(&runtime);
        let input: String = messages.iter().flat_map(|message| [message, "\n"]).collect();
        group.bench_function(name, |bencher| {
            bencher.iter(|| runtime.block_on(client.exchange(input.as_bytes(), TOGETHER)));
        });
    }
    group.finish();
}

criterion_group!(benches, hot_paths);
criterion_main!(benches);
