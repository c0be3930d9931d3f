//! Planted failures, each of a single cause in a conversation of 200 messages, come down to the smallest conversation
//! that is known to show them.

use crate::program::{PROGRAM, Ran, command, finish, run_in, settings, valid};
use serde_json::{Value, json};
use std::path::Path;

/// A planted failure.
struct Planted {
    /// What the server is started with.
    serve: [&'static str; 2],
    /// What is broken.
    requirement: &'static str,
    /// What the client says that matters, method and parameters, among much that does not.
    says: Vec<(&'static str, Value)>,
    /// What is left of it.
    left: Vec<(&'static str, Value)>,
}

fn planted() -> Vec<Planted> {
    let tool = |name: &str, arguments: Value| ("tools/call", json!({"name": name, "arguments": arguments}));
    let bare = |name: &str| ("tools/call", json!({"name": name}));
    let list = |method| (method, Value::Null);
    let buggy =
        |requirement, says: Vec<_>, left| Planted { serve: ["--profile", "buggy"], requirement, says, left };
    let fault = |id: &'static str, says: Vec<_>, left| {
        let requirement = id.split('/').next().unwrap();
        Planted { serve: ["--fault", id], requirement, says, left }
    };
    let unchanged = |id, said: (&'static str, Value)| fault(id, vec![said.clone()], vec![said]);
    let tree = |depth| (1..depth).fold(json!({}), |tree, _| json!({"child": tree}));
    let survives = "robustness.process.survives";
    let conforms = "tools.structured.conforms";
    let complete = |value: &str| {
        let argument = json!({"name": "style", "value": value});
        ("completion/complete", json!({"ref": {"type": "ref/prompt", "name": "greet"}, "argument": argument}))
    };
    let count = json!({"name": "countdown", "arguments": {"from": 3, "interval_ms": 1}, "_meta": {"progressToken": "t"}});
    let counted = json!({"name": "countdown", "_meta": {"progressToken": ""}});
    let prompt = |name: &str| ("prompts/get", json!({"name": name}));
    let read = |uri: &str| ("resources/read", json!({"uri": uri}));
    vec![
        buggy(survives, vec![tool("square", json!({"n": 54_321}))], vec![tool("square", json!({"n": 1001}))]),
        buggy(
            survives,
            vec![tool("initial", json!({"text": ""}))],
            vec![tool("initial", json!({"text": ""}))],
        ),
        buggy(
            survives,
            vec![tool("depth", json!({"tree": tree(30)}))],
            vec![tool("depth", json!({"tree": tree(17)}))],
        ),
        buggy(survives, vec![tool("upper", json!({"word": 7}))], vec![bare("upper")]),
        buggy(
            conforms,
            vec![list("tools/list"), tool("percent", json!({"part": 100}))],
            vec![list("tools/list"), tool("percent", json!({"part": 100}))],
        ),
        buggy(
            conforms,
            vec![list("tools/list"), tool("repeat", json!({"times": 20}))],
            vec![list("tools/list"), tool("repeat", json!({"times": 20}))],
        ),
        unchanged("ping.empty-result/pong", list("ping")),
        fault("completion.result.shape/objects", vec![complete("f")], vec![complete("")]),
        fault("completion.result.max-values/more", vec![complete("for")], vec![complete("")]),
        fault("content.image/not-base64", vec![tool("picture", json!({}))], vec![bare("picture")]),
        fault("content.audio/not-base64", vec![tool("sound", json!({}))], vec![bare("sound")]),
        fault("content.resource-link/no-name", vec![tool("link_note", json!({}))], vec![bare("link_note")]),
        fault(
            "content.embedded-resource/no-uri",
            vec![tool("embed_note", json!({}))],
            vec![bare("embed_note")],
        ),
        fault("content.text/number", vec![tool("add", json!({"a": 3, "b": 4}))], vec![bare("add")]),
        fault("logging.message.level/unknown", vec![tool("log_levels", json!({}))], vec![bare("log_levels")]),
        fault(
            "progress.value.increases/falls",
            vec![("tools/call", count.clone())],
            vec![("tools/call", counted.clone())],
        ),
        fault(
            "progress.stops-after-completion/once-more",
            vec![("tools/call", count)],
            // Whatever is called: it needs no more than to ask for progress.
            vec![("tools/call", json!({"_meta": {"progressToken": ""}}))],
        ),
        unchanged("prompts.get.role/system", prompt("simple")),
        unchanged("prompts.get.result-shape/left-out", prompt("simple")),
        unchanged("prompts.content.image-valid/not-base64", prompt("describe_image")),
        unchanged("prompts.list.result-shape/object", list("prompts/list")),
        unchanged("resources.list.result-shape/left-out", list("resources/list")),
        unchanged("resources.templates.fields/no-name", list("resources/templates/list")),
        unchanged("resources.read.content-uri/left-out", read("test://static-text")),
        fault(
            "resources.read.blob-base64/not-base64",
            vec![list("resources/list"), read("test://static-binary")],
            vec![list("resources/list"), read("test://static-binary")],
        ),
        unchanged(
            "schema.empty-result/subscribed",
            ("resources/subscribe", json!({"uri": "note://touches"})),
        ),
        unchanged("pagination.cursor.string/number", list("resources/list")),
        unchanged("tools.list.result-shape/object", list("tools/list")),
        fault(
            "tools.call.is-error-boolean/text",
            vec![tool("echo", json!({"text": "hello"}))],
            vec![tool("echo", json!({"text": ""}))],
        ),
        fault(
            "tools.structured.present/left-out",
            vec![list("tools/list"), tool("add", json!({"a": 3, "b": 4}))],
            vec![list("tools/list"), tool("add", json!({"a": 0, "b": 0}))],
        ),
    ]
}

fn message(id: usize, method: &str, params: &Value) -> Value {
    let mut message = json!({"jsonrpc": "2.0", "id": id, "method": method});
    if !params.is_null() {
        message["params"] = params.clone();
    }
    message
}

/// The conversation in 200 messages of the client, as lines with arrows.
fn conversation(planted: &Planted) -> String {
    let info = json!({"name": "client", "version": "1"});
    let begin = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info});
    let agreed = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": info});
    let mut text = format!(
        "--> {}\n<-- {}\n--> {}\n",
        message(0, "initialize", &begin),
        json!({"jsonrpc": "2.0", "id": 0, "result": agreed}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
    );
    let matters = |method: &str| planted.says.iter().any(|(said, _)| *said == method);
    let others = ["ping", "tools/list", "prompts/list", "resources/templates/list", "resources/list"];
    let others: Vec<&str> = others.into_iter().filter(|method| !matters(method)).collect();
    let places: Vec<usize> = (1..=planted.says.len()).map(|nth| 61 * nth).collect();
    for id in 1..=198 {
        let said = match places.iter().position(|place| *place == id) {
            Some(nth) => message(id, planted.says[nth].0, &planted.says[nth].1),
            None => message(id, others[id * 7 % others.len()], &Value::Null),
        };
        text.push_str(&format!("--> {said}\n<-- {}\n", json!({"jsonrpc": "2.0", "id": id, "result": {}})));
    }
    text
}

fn record(folder: &Path, planted: &Planted) {
    std::fs::write(folder.join("said.txt"), conversation(planted)).unwrap();
    let ran = run_in(folder, &["transcript", "import", "said.txt", "--out", "said.jsonl"]);
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
}

fn minimize(folder: &Path, planted: &Planted, more: &[&str]) -> Ran {
    let args = ["minimize", "said.jsonl", "--requirement", planted.requirement];
    run_in(folder, &[&args, more, &["--", PROGRAM, "serve"], &planted.serve].concat())
}

fn comes_down(planted: &Planted) {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path(), planted);
    let ran = minimize(folder.path(), planted, &["--output-format", "json"]);
    assert_eq!(ran.code, Some(0), "{:?}: {}", planted.serve, ran.whole());
    let document = ran.json();
    valid("report-v1.schema.json", &document);
    let told = &document["minimize"];
    assert_eq!((&told["before"], &told["confirmed"]), (&json!(200), &json!(3)), "{told}");
    let sent = told["sent"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    let sent: Vec<Value> = sent.map(|line| serde_json::from_str(line).unwrap()).collect();
    let methods: Vec<&str> = sent[..2].iter().map(|message| message["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["initialize", "notifications/initialized"]);
    let left: Vec<(&str, Value)> = sent[2..]
        .iter()
        .map(|message| (message["method"].as_str().unwrap(), message["params"].clone()))
        .collect();
    assert_eq!(left, planted.left, "{:?}", planted.serve);
    // What was written shows it again, to whoever has the file alone.
    let checked = run_in(
        folder.path(),
        &["transcript", "check", told["transcript"].as_str().unwrap(), "--output-format", "json"],
    );
    let results = checked.json()["results"].as_array().unwrap().clone();
    let broken = |row: &Value| row["requirement"] == planted.requirement && row["findings"] != json!([]);
    assert!(results.iter().any(broken), "{}", checked.whole());
}

#[test]
fn some_planted_failures_come_down_to_the_known_minimum() {
    planted().iter().step_by(7).for_each(comes_down);
}

/// About a minute.
#[test]
#[ignore = "long; the nightly job runs it"]
fn thirty_planted_failures_come_down_to_the_known_minimum() {
    let planted = planted();
    assert_eq!(planted.len(), 30);
    planted.iter().for_each(comes_down);
}

#[test]
fn a_limit_ends_it_and_what_there_is_by_then_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let planted = &planted()[0];
    record(folder.path(), planted);
    for limit in [["--tries", "3"], ["--time", "0.1"]] {
        let ran = minimize(folder.path(), planted, &[&["--output-format", "json"][..], &limit].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.whole());
        let told = &ran.json()["minimize"];
        assert_eq!(told["cut_short"], true);
        // The last three confirm what there is.
        assert!(told["conversations"].as_u64().unwrap() <= 6, "{told}");
        assert!(told["after"].as_u64().unwrap() > planted.left.len() as u64 + 2, "{told}");
    }
}

#[test]
fn over_http_each_try_has_a_server_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let all = planted();
    let planted = all.iter().find(|planted| planted.requirement == "ping.empty-result").unwrap();
    record(folder.path(), planted);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let start = format!("{PROGRAM} serve --http 127.0.0.1:{port} {}", planted.serve.join(" "));
    let url = format!("http://127.0.0.1:{port}/mcp");
    let args = ["minimize", "said.jsonl", "--requirement", planted.requirement, "--output-format", "json"];
    let ran = run_in(folder.path(), &[&args[..], &["--start", &start, &url]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    let told = &ran.json()["minimize"];
    assert_eq!((&told["after"], &told["cut_short"]), (&json!(3), &json!(false)), "{told}");
}

#[test]
fn what_a_user_sees() {
    let folder = tempfile::tempdir().unwrap();
    let planted = &planted()[0];
    record(folder.path(), planted);
    let mut settings = settings();
    settings.add_filter(r"in \d+ conversations", "in [n] conversations");
    let mut told = minimize(folder.path(), planted, &[]).whole();
    for args in [
        // It needs to be said what is meant.
        &["minimize", "said.jsonl"][..],
        &["minimize", "said.jsonl", "--requirement", "ping.no-such-thing"],
        &["minimize", "no-such-file.jsonl"],
        &["minimize", "F1"],
        // This does not show it.
        &[
            "minimize",
            "said.jsonl",
            "--requirement",
            "ping.empty-result",
            "--wait",
            "0.3",
            "--",
            PROGRAM,
            "serve",
        ],
        &["minimize", "said.jsonl", "--requirement", "ping.empty-result", "--wait", "0.3", "--", "true"],
        &[
            "minimize",
            "said.jsonl",
            "--requirement",
            "ping.empty-result",
            "--out",
            "said.jsonl",
            "--",
            PROGRAM,
            "serve",
            "--fault",
            "ping.empty-result/pong",
        ],
    ] {
        let ran = finish(command(folder.path(), args).spawn().unwrap());
        told.push_str(&format!("\n$ mcprove {}\n{}", args.join(" "), ran.whole()));
    }
    settings.bind(|| insta::assert_snapshot!("minimize", told));
}
