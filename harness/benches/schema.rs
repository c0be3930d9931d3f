//! What the message schemas cost: the first use of each part, then single checks.

#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Instant;

use criterion::Criterion;
use mcprove::protocol::Revision;
use mcprove::protocol::schema::{
    Party, check_definition, check_request, check_result, definitions, json_schema, methods,
};
use serde_json::{Value, json};

const REVISION: Revision = Revision::V2026_07_28;

/// Each of these happens once in a process, so each is timed once.
fn first_uses() {
    let timed = |what: &str, act: &mut dyn FnMut()| {
        let start = Instant::now();
        act();
        println!("once: {what:<60} {:>10.1} µs", start.elapsed().as_secs_f64() * 1e6);
    };
    let value = tool_result();
    timed("read the data, types of 2026-07-28", &mut || {
        black_box(methods(REVISION, Party::Server));
    });
    timed("JSON Schema of 2026-07-28", &mut || drop(black_box(json_schema(REVISION))));
    timed("first check_result of tools/call", &mut || {
        black_box(check_result(REVISION, "tools/call", &value));
    });
    timed("first check_result of tools/list", &mut || {
        black_box(check_result(REVISION, "tools/list", &json!({})));
    });
    timed("first check_request of tools/call", &mut || {
        black_box(check_request(REVISION, Party::Client, &request()));
    });
    let mut compiled = 0_u32;
    timed("compile every definition of every revision", &mut || {
        for revision in Revision::ALL {
            for name in definitions(revision) {
                black_box(check_definition(revision, name, &Value::Null));
                compiled += 1;
            }
        }
    });
    println!("once: {compiled} definitions");
}

fn tool_result() -> Value {
    json!({
        "resultType": "complete",
        "content": [
            {"type": "text", "text": "one", "annotations": {"audience": ["user"], "priority": 0.5}},
            {"type": "resource", "resource": {"uri": "file:///a", "text": "two"}},
        ],
        "structuredContent": {"a": [1, 2, 3]},
        "isError": false,
    })
}

fn request() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {"text": "a"},
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}}})
}

fn tools(count: usize) -> Value {
    let tool = |index: usize| {
        json!({"name": format!("tool-{index}"), "description": "d", "inputSchema": {"type": "object",
            "properties": {"a": {"type": "string"}}, "required": ["a"]}, "annotations": {"readOnlyHint": true}})
    };
    json!({"resultType": "complete", "ttlMs": 0, "cacheScope": "private",
        "tools": (0..count).map(tool).collect::<Vec<_>>()})
}

fn main() {
    first_uses();
    let mut criterion = Criterion::default().configure_from_args();
    let (result, request, tools) = (tool_result(), request(), tools(100));
    let mut wrong = result.clone();
    wrong["content"][1]["resource"]["text"] = json!(2);
    criterion.bench_function("check_result/tools/call", |b| {
        b.iter(|| check_result(REVISION, "tools/call", black_box(&result)));
    });
    criterion.bench_function("check_request/tools/call", |b| {
        b.iter(|| check_request(REVISION, Party::Client, black_box(&request)));
    });
    criterion.bench_function("check_result/tools/list, 100 tools", |b| {
        b.iter(|| check_result(REVISION, "tools/list", black_box(&tools)));
    });
    criterion.bench_function("check_result/tools/call, explained", |b| {
        b.iter(|| check_result(REVISION, "tools/call", black_box(&wrong)));
    });
    criterion.final_summary();
}
