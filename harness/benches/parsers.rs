//! Speed of the decoders: JSON beside `serde_json`, lines and event streams in bytes a second.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mcprove::protocol::json;
use mcprove::wire::framing::LineSplitter;
use mcprove::wire::sse::{Decoder, Item};
use serde_json::Value;
use std::fmt::Write;
use std::hint::black_box;

/// The answer to a small `tools/call`, about 300 bytes.
const SMALL: &str = r#"{"jsonrpc":"2.0","id":17,"result":{"content":[{"type":"text","text":"The temperature in Oslo is 4.5 degrees.\nWind: 3 m/s, from the \"north\"."}],"structuredContent":{"city":"Oslo","temperature":4.5,"wind":{"speed":3,"from":"N"},"stale":false},"isError":false,"_meta":{"example.org/trace":"00-4bf92f3577b34da6"}}}"#;

/// The answer to `tools/list` of a server with many tools, about 64 KiB.
fn large() -> String {
    let mut text = String::from(r#"{"jsonrpc":"2.0","id":2,"result":{"tools":["#);
    for number in 0.. {
        if number > 0 {
            text.push(',');
        }
        let _ = write!(
            text,
            r#"{{"name":"tool_{number}","title":"Tool number {number}","description":"Looks up the record with the given key, and tells when it was last changed.\nAnswers in \"plain\" text.","inputSchema":{{"type":"object","properties":{{"key":{{"type":"string","minLength":1,"maxLength":64}},"limit":{{"type":"integer","minimum":0,"maximum":1{number},"default":0.5}},"verbose":{{"type":"boolean"}}}},"required":["key"],"additionalProperties":false}},"annotations":{{"readOnlyHint":true,"openWorldHint":false}}}}"#
        );
        if text.len() > 65_000 {
            break;
        }
    }
    text + "]}}"
}

fn json(c: &mut Criterion) {
    let large = large();
    for (name, text) in [("300 B", SMALL), ("64 KiB", large.as_str())] {
        let mut group = c.benchmark_group(format!("json {name}"));
        group.throughput(Throughput::Bytes(text.len() as u64));
        let bytes = text.as_bytes();
        // A text that is refused early would look fast.
        assert_eq!(
            json::parse(bytes).ok().map(|parsed| parsed.value),
            serde_json::from_slice(bytes).ok(),
            "both read the same value"
        );
        assert!(json::locate(text, "/id").is_some());
        group
            .bench_function("parse", |b| b.iter(|| json::parse(black_box(bytes)).map(|parsed| parsed.value)));
        group.bench_function("serde_json", |b| b.iter(|| serde_json::from_slice::<Value>(black_box(bytes))));
        group.bench_function("locate", |b| b.iter(|| json::locate(black_box(text), "/id")));
        group.finish();
    }
}

fn split(stream: &[u8], chunk: usize) -> (usize, usize) {
    let mut splitter = LineSplitter::new(16 << 20);
    let (mut lines, mut bytes) = (0, 0);
    for chunk in stream.chunks(chunk) {
        splitter.push(chunk, |line| {
            lines += 1;
            bytes += black_box(line).bytes.len();
        });
    }
    (lines, bytes)
}

fn framing(c: &mut Criterion) {
    let large = large();
    for (name, text) in [("300 B", SMALL), ("64 KiB", large.as_str())] {
        let count = (1 << 20) / text.len();
        let stream = format!("{text}\n").repeat(count);
        let mut group = c.benchmark_group(format!("framing, lines of {name}"));
        group.throughput(Throughput::Bytes(stream.len() as u64));
        for chunk in [512, 8 << 10, 64 << 10] {
            assert_eq!(split(stream.as_bytes(), chunk), (count, count * text.len()));
            group.bench_function(format!("chunks of {chunk}"), |b| {
                b.iter(|| split(black_box(stream.as_bytes()), chunk));
            });
        }
        group.finish();
    }
}

fn decode(stream: &[u8], chunk: usize) -> (usize, usize) {
    let mut decoder = Decoder::new(16 << 20);
    let (mut events, mut bytes) = (0, 0);
    for chunk in stream.chunks(chunk) {
        decoder.push(chunk, |item| {
            if let Item::Event { data, .. } = black_box(item) {
                events += 1;
                bytes += data.len();
            }
        });
    }
    (events, bytes)
}

fn sse(c: &mut Criterion) {
    let large = large();
    for (name, text) in [("300 B", SMALL), ("64 KiB", large.as_str())] {
        let count = (1 << 20) / text.len();
        let stream = format!("event: message\nid: 12\ndata: {text}\n\n").repeat(count);
        let mut group = c.benchmark_group(format!("sse, events of {name}"));
        group.throughput(Throughput::Bytes(stream.len() as u64));
        for chunk in [512, 8 << 10, 64 << 10] {
            assert_eq!(decode(stream.as_bytes(), chunk), (count, count * text.len()));
            group.bench_function(format!("chunks of {chunk}"), |b| {
                b.iter(|| decode(black_box(stream.as_bytes()), chunk));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, json, framing, sse);
criterion_main!(benches);
