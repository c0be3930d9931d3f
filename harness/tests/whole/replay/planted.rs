//! Changes that are planted into a server: each is reported, at its path, and nothing else is.

use crate::program::{PROGRAM, Ran, run_in};
use crate::recording::{server, written};
use mcprove::protocol::Era;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// The server's messages of one call: a line of the log, two notifications of progress, and the answer.
type Said = Vec<Value>;
/// Where something is reported: what, of which message, and where in it.
type Told = (&'static str, &'static str, &'static str, &'static str);

/// What is done to one call, and where that is reported.
type Change = (fn(&mut Said), Told);

fn answer(said: &mut Said) -> &mut Value {
    said.last_mut().unwrap()
}

fn content(said: &mut Said) -> &mut Value {
    &mut answer(said)["result"]["structuredContent"]
}

fn remove(value: &mut Value, name: &str) {
    value.as_object_mut().unwrap().remove(name).unwrap();
}

const fn in_answer(kind: &'static str, path: &'static str) -> Told {
    (kind, "answer", "tools/call", path)
}

const LOG: &str = "notifications/message";
const PROGRESS: &str = "notifications/progress";

/// Each change is planted into a call of its own.
const CHANGES: [Change; 54] = [
    (|s| content(s)["name"] = json!("Bob"), in_answer("value", "/result/structuredContent/name")),
    (|s| content(s)["name"] = json!(""), in_answer("value", "/result/structuredContent/name")),
    (|s| content(s)["name"] = json!("alice"), in_answer("value", "/result/structuredContent/name")),
    (|s| content(s)["steady"] = json!(8), in_answer("value", "/result/structuredContent/steady")),
    (|s| content(s)["steady"] = json!(-7), in_answer("value", "/result/structuredContent/steady")),
    (|s| content(s)["flag"] = json!(false), in_answer("value", "/result/structuredContent/flag")),
    (
        |s| content(s)["deep"]["a"]["b"][1]["c"] = json!("y"),
        in_answer("value", "/result/structuredContent/deep/a/b/1/c"),
    ),
    (
        |s| content(s)["deep"]["x/y~z"] = json!("y"),
        in_answer("value", "/result/structuredContent/deep/x~1y~0z"),
    ),
    (|s| content(s)["list"][1] = json!(20), in_answer("value", "/result/structuredContent/list/1")),
    (
        |s| answer(s)["result"]["content"][0]["text"] = json!("Took 12 ms, for Bob"),
        in_answer("value", "/result/content/0/text"),
    ),
    (
        |s| answer(s)["result"]["content"][0]["text"] = json!("Took long, for Alice"),
        in_answer("value", "/result/content/0/text"),
    ),
    (
        |s| answer(s)["result"]["content"][0]["type"] = json!("other"),
        in_answer("value", "/result/content/0/type"),
    ),
    (|s| answer(s)["jsonrpc"] = json!("2.1"), in_answer("value", "/jsonrpc")),
    // Where rules were learned, what they do not cover is a difference.
    (|s| content(s)["at"] = json!("yesterday"), in_answer("value", "/result/structuredContent/at")),
    (|s| content(s)["at"] = json!(1_700_000_000), in_answer("type", "/result/structuredContent/at")),
    (|s| content(s)["at"] = json!(null), in_answer("type", "/result/structuredContent/at")),
    (|s| content(s)["count"] = json!("3"), in_answer("type", "/result/structuredContent/count")),
    (|s| content(s)["count"] = json!({}), in_answer("type", "/result/structuredContent/count")),
    (|s| remove(content(s), "count"), in_answer("missing", "/result/structuredContent/count")),
    (|s| remove(content(s), "at"), in_answer("missing", "/result/structuredContent/at")),
    (|s| content(s)["bag"] = json!(["b", "z"]), in_answer("value", "/result/structuredContent/bag/0")),
    (|s| content(s)["bag"] = json!("ab"), in_answer("type", "/result/structuredContent/bag")),
    // Types.
    (|s| content(s)["name"] = json!(["Alice"]), in_answer("type", "/result/structuredContent/name")),
    (|s| content(s)["name"] = json!(null), in_answer("type", "/result/structuredContent/name")),
    (|s| content(s)["steady"] = json!("7"), in_answer("type", "/result/structuredContent/steady")),
    (|s| content(s)["flag"] = json!("true"), in_answer("type", "/result/structuredContent/flag")),
    (|s| content(s)["list"] = json!({"0": 1}), in_answer("type", "/result/structuredContent/list")),
    (|s| content(s)["deep"]["a"] = json!([]), in_answer("type", "/result/structuredContent/deep/a")),
    (|s| answer(s)["result"]["content"] = json!("text"), in_answer("type", "/result/content")),
    (|s| answer(s)["result"]["isError"] = json!(null), in_answer("type", "/result/isError")),
    // Members and elements.
    (|s| remove(content(s), "name"), in_answer("missing", "/result/structuredContent/name")),
    (
        |s| remove(&mut content(s)["deep"]["a"]["b"][1], "c"),
        in_answer("missing", "/result/structuredContent/deep/a/b/1/c"),
    ),
    (|s| remove(&mut answer(s)["result"], "isError"), in_answer("missing", "/result/isError")),
    (
        |s| remove(&mut answer(s)["result"], "structuredContent"),
        in_answer("missing", "/result/structuredContent"),
    ),
    (|s| content(s)["list"] = json!([1, 3]), in_answer("missing", "/result/structuredContent/list/1")),
    (|s| content(s)["new"] = json!(1), in_answer("extra", "/result/structuredContent/new")),
    (
        |s| content(s)["deep"]["a"]["new"] = json!(null),
        in_answer("extra", "/result/structuredContent/deep/a/new"),
    ),
    (|s| content(s)["list"] = json!([1, 2, 2.5, 3]), in_answer("extra", "/result/structuredContent/list/2")),
    (
        |s| {
            answer(s)["result"]["content"]
                .as_array_mut()
                .unwrap()
                .push(json!({"type": "text", "text": "more"}));
        },
        in_answer("extra", "/result/content/1"),
    ),
    (|s| answer(s)["extra"] = json!(1), in_answer("extra", "/extra")),
    // Order.
    (|s| content(s)["list"] = json!([3, 2, 1]), in_answer("order", "/result/structuredContent/list")),
    (|s| s.swap(1, 2), ("message-order", "notification", PROGRESS, "")),
    (|s| s.swap(0, 2), ("message-order", "notification", PROGRESS, "")),
    // Outcomes.
    (
        |s| {
            *answer(s) =
                json!({"jsonrpc": "2.0", "id": answer(s)["id"], "error": {"code": -32603, "message": "no"}});
        },
        in_answer("outcome", ""),
    ),
    // Notifications.
    (|s| s[0]["params"]["data"] = json!("other"), ("value", "notification", LOG, "/params/data")),
    (|s| s[0]["params"]["level"] = json!("error"), ("value", "notification", LOG, "/params/level")),
    (|s| s[0]["params"]["data"] = json!(7), ("type", "notification", LOG, "/params/data")),
    (|s| s[0]["params"]["logger"] = json!("l"), ("extra", "notification", LOG, "/params/logger")),
    (|s| s[1]["params"]["progress"] = json!(0.75), ("value", "notification", PROGRESS, "/params/progress")),
    (|s| remove(&mut s[2]["params"], "total"), ("missing", "notification", PROGRESS, "/params/total")),
    (|s| drop(s.remove(0)), ("missing-message", "notification", LOG, "")),
    (|s| drop(s.remove(2)), ("missing-message", "notification", PROGRESS, "")),
    (
        |s| {
            s.insert(
                1,
                json!({"jsonrpc": "2.0", "method": LOG, "params": {"level": "info", "data": "once more"}}),
            );
        },
        ("extra-message", "notification", LOG, ""),
    ),
    // A missing answer, at last: the server hangs on it.
    (Vec::clear, ("missing-message", "answer", "tools/call", "")),
];
/// Calls that are refused in the recording, after the others.
const REFUSED: [Change; 4] = [
    (|s| answer(s)["error"]["code"] = json!(-32603), in_answer("error-code", "/error/code")),
    (|s| answer(s)["error"]["message"] = json!("other"), in_answer("value", "/error/message")),
    (|s| answer(s)["error"]["data"] = json!(null), in_answer("extra", "/error/data")),
    (
        |s| *answer(s) = json!({"jsonrpc": "2.0", "id": answer(s)["id"], "result": {"content": []}}),
        in_answer("outcome", ""),
    ),
];

fn line(arrow: &str, value: &Value) -> String {
    format!("{arrow} {value}\n")
}

/// The opening of a conversation.
fn opening(era: Era) -> String {
    match era {
        Era::Legacy => [
            line("-->", &json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}})),
            line("<--", &json!({"jsonrpc": "2.0", "id": 0, "result": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}, "logging": {}}, "serverInfo": {"name": "s", "version": "1"}}})),
            line("-->", &json!({"jsonrpc": "2.0", "method": "notifications/initialized"})),
        ]
        .concat(),
        Era::Modern => [
            line("-->", &json!({"jsonrpc": "2.0", "id": 0, "method": "server/discover", "params": {"_meta": meta(None)}})),
            line("<--", &json!({"jsonrpc": "2.0", "id": 0, "result": {"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "s", "version": "1"}}}})),
        ]
        .concat(),
    }
}

fn meta(token: Option<usize>) -> Value {
    let mut meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "c", "version": "1"},
    });
    if let Some(token) = token {
        meta["progressToken"] = json!(token);
    }
    meta
}

/// The conversation, of one of several runs of the server, with the changes or without them.
fn conversation(era: Era, run: usize, planted: bool) -> String {
    let mut text = opening(era);
    let changes =
        CHANGES.iter().map(|change| (change, false)).chain(REFUSED.iter().map(|change| (change, true)));
    for (number, ((plant, told), refused)) in changes.enumerate() {
        let id = number + 1;
        let token = match era {
            Era::Legacy => json!({"progressToken": id}),
            Era::Modern => meta(Some(id)),
        };
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "t", "arguments": {"n": id}, "_meta": token}});
        let progress = |n: u32| json!({"jsonrpc": "2.0", "method": PROGRESS, "params": {"progressToken": id, "progress": n, "total": 2}});
        let mut said = vec![
            json!({"jsonrpc": "2.0", "method": LOG, "params": {"level": "info", "data": format!("call {id}")}}),
            progress(1),
            progress(2),
        ];
        if told.0 == "missing-message" && told.1 == "answer" {
            // What comes before an answer that never comes has nowhere to go over HTTP.
            said.clear();
        }
        let bag = if run.is_multiple_of(2) { json!(["a", "b"]) } else { json!(["b", "a"]) };
        let millis = 12 + 7 * run;
        said.push(if refused {
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32602, "message": "refused"}})
        } else {
            json!({"jsonrpc": "2.0", "id": id, "result": {
                "content": [{"type": "text", "text": format!("Took {millis} ms, for Alice")}],
                "structuredContent": {
                    "name": "Alice", "steady": 7, "flag": true, "list": [1, 2, 3], "bag": bag, "count": run,
                    "at": format!("2026-11-23T10:0{run}:00.{run}Z"),
                    "deep": {"a": {"b": [{"c": "x"}, {"c": "x"}]}, "x/y~z": "x"},
                },
                "isError": false,
            }})
        });
        if planted {
            plant(&mut said);
        }
        text += &line("-->", &call);
        text.extend(said.iter().map(|message| line("<--", message)));
    }
    text
}

/// What is reported, without how many of its kind came before it.
fn told(ran: &Ran) -> Vec<[String; 4]> {
    let document = ran.json();
    let differences = document["replay"]["differences"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let one = |one: &Value| {
        [text(&one["kind"]), text(&one["message"]["of"]), text(&one["message"]["method"]), text(&one["path"])]
    };
    differences.iter().map(one).collect()
}

/// The recording, with what three runs teach in its header; the same of a fourth run; and that with the changes.
fn recordings(folder: &Path, era: Era) {
    for run in 0..4 {
        written(folder, &format!("{run}.jsonl"), &conversation(era, run, false));
    }
    written(folder, "planted.jsonl", &conversation(era, 5, true));
    let learned =
        run_in(folder, &["transcript", "learn", "0.jsonl", "1.jsonl", "2.jsonl", "--write", "0.jsonl"]);
    assert_eq!(learned.code, Some(0), "{}", learned.whole());
}

fn replayed(folder: &Path, over_http: bool, from: &str) -> Ran {
    let flags = ["replay", "0.jsonl", "--output-format", "json", "--wait", "1"];
    let (_server, url) = match over_http {
        true => server(folder, &["--from", from]),
        false => return run_in(folder, &[&flags[..], &["--", PROGRAM, "serve", "--from", from]].concat()),
    };
    run_in(folder, &[&flags[..], &[url.as_str()]].concat())
}

fn all_are_found(era: Era, over_http: bool) {
    let folder = tempfile::tempdir().unwrap();
    recordings(folder.path(), era);
    let unchanged = replayed(folder.path(), over_http, "3.jsonl");
    assert_eq!((unchanged.code, told(&unchanged)), (Some(0), vec![]), "{}", unchanged.whole());
    let ran = replayed(folder.path(), over_http, "planted.jsonl");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let told = told(&ran);
    let mut expected: Vec<[String; 4]> = CHANGES
        .iter()
        .chain(&REFUSED)
        .map(|(_, (kind, of, method, path))| [*kind, *of, *method, *path].map(str::to_owned))
        .collect();
    // Swapping the log with the last progress moves it, too.
    let distinct: BTreeSet<&[String; 4]> = expected.iter().collect();
    let strange: Vec<_> = told.iter().filter(|one| !distinct.contains(one)).collect();
    let mut missed = Vec::new();
    let mut left = told.clone();
    for one in expected.drain(..) {
        match left.iter().position(|told| *told == one) {
            Some(at) => drop(left.remove(at)),
            None => missed.push(one),
        }
    }
    assert!(missed.is_empty() && strange.is_empty(), "missed {missed:#?}\nstrange {strange:#?}");
    // Of three messages that turned round two are out of order.
    assert!(left.len() <= 1, "{left:#?}");
}

#[test]
fn in_the_legacy_era_over_stdio() {
    all_are_found(Era::Legacy, false);
}

#[test]
fn in_the_legacy_era_over_http() {
    all_are_found(Era::Legacy, true);
}

#[test]
fn in_the_modern_era_over_stdio() {
    all_are_found(Era::Modern, false);
}

#[test]
fn in_the_modern_era_over_http() {
    all_are_found(Era::Modern, true);
}
