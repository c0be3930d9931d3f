//! Exported programs do a conversation again, with servers that make up other values, and nothing of a recording is run.

use crate::program::{PROGRAM, run_in};
use crate::recording::{over_http, over_stdio, server, written};
use mcprove::protocol::{Era, Revision};
use mcprove::replay::Script;
use mcprove::transcript::{RulePart, TranscriptReader};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What runs the programs of a language; `None`, and a word about it, where this machine has nothing for it.
fn interpreter(language: &str) -> Option<Vec<&'static str>> {
    let (words, nothing) = match language {
        "python" => (vec!["python3"], ["-c", ""]),
        "typescript" => (vec!["node", "--no-warnings", "--experimental-strip-types"], ["-e", ""]),
        _ => (vec!["sh"], ["-c", ""]),
    };
    let found = Command::new(words[0]).args(&words[1..]).args(nothing).output();
    let runs = found.is_ok_and(|output| output.status.success());
    if !runs {
        println!("left out: there is no `{}` here", words.join(" "));
    }
    runs.then_some(words)
}

/// Exports a recording; the program is in a file beside it.
fn exported(folder: &Path, file: &str, language: &str) -> PathBuf {
    let ran = run_in(folder, &["transcript", "export", file, "--as", language]);
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    let script = folder.join(if language == "typescript" { "script.ts" } else { "script" });
    std::fs::write(&script, &ran.stdout).unwrap();
    script
}

fn text(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{}\n{out}\n{err}", output.status)
}

/// Whether each answer of a recording was a result, by session and id.
fn recorded(file: &Path) -> Vec<BTreeMap<String, bool>> {
    let script = Script::read(TranscriptReader::open(file).unwrap()).unwrap();
    let answers = |session: &mcprove::replay::Session| {
        let answers =
            session.expected.iter().filter(|one| one.part == RulePart::Answer && !one.ends_subscription);
        answers.map(|one| (one.message.value()["id"].to_string(), one.message.result().is_some())).collect()
    };
    script.sessions.iter().map(answers).collect()
}

/// The answers that a program printed.
fn answered(output: &Output) -> Vec<BTreeMap<String, bool>> {
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    let mut sessions = vec![BTreeMap::new()];
    for line in printed.lines() {
        if line.contains(" messages sent, ") {
            sessions.push(BTreeMap::new());
        }
        let Some(message) = line.strip_prefix("<-- ") else { continue };
        let Ok(message) = serde_json::from_str::<Value>(message) else { continue };
        if message.get("method").is_none() && message.get("id").is_some() {
            sessions.last_mut().unwrap().insert(message["id"].to_string(), message.get("result").is_some());
        }
    }
    assert!(sessions.pop().unwrap().is_empty(), "{}", text(output));
    sessions
}

/// Every request got what it had got: a result where there had been one.
#[track_caller]
fn same_answers(folder: &Path, file: &str, output: &Output) {
    assert!(output.status.success(), "{}", text(output));
    let (then, now) = (recorded(&folder.join(file)), answered(output));
    assert_eq!(then.len(), now.len(), "{}", text(output));
    for (then, now) in then.iter().zip(&now) {
        for (id, was) in then {
            assert_eq!(now.get(id), Some(was), "the answer to {id}: {}", text(output));
        }
    }
}

/// Runs a program with what it is given.
fn run(words: &[&str], script: &Path, given: &[&str]) -> Output {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(script).args(given).current_dir(script.parent().unwrap());
    command.stdin(Stdio::null()).output().unwrap()
}

/// There is something in the program that the server makes up, and in the legacy era something that it asks.
fn binds(script: &Path, revision: Revision) {
    let text = std::fs::read_to_string(script).unwrap();
    assert!(text.contains("/params/cursor") && text.contains("/result/nextCursor"), "{text}");
    assert_eq!(text.contains(r#""answer":true"#), revision.era() == Era::Legacy, "{text}");
}

#[test]
fn conversations_over_stdio_are_held_again() {
    let folder = tempfile::tempdir().unwrap();
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        assert!(over_stdio(folder.path(), "r.jsonl", &["--page-size", "9"], revision) > 30);
        for language in ["python", "typescript"] {
            let Some(words) = interpreter(language) else { continue };
            let script = exported(folder.path(), "r.jsonl", language);
            binds(&script, revision);
            let output = run(&words, &script, &[PROGRAM, "serve", "--page-size", "9"]);
            same_answers(folder.path(), "r.jsonl", &output);
            assert!(!text(&output).contains("as it was recorded"), "{}", text(&output));
        }
    }
}

#[test]
fn conversations_over_http_are_held_again() {
    let folder = tempfile::tempdir().unwrap();
    for (revision, times) in [(Revision::V2025_11_25, 2), (Revision::V2026_07_28, 1)] {
        let (running, url) = server(folder.path(), &["--page-size", "9"]);
        assert!(over_http(folder.path(), "r.jsonl", &url, revision, times) > 30);
        drop(running);
        for language in ["python", "typescript"] {
            let Some(words) = interpreter(language) else { continue };
            let script = exported(folder.path(), "r.jsonl", language);
            binds(&script, revision);
            let (_server, url) = server(folder.path(), &["--page-size", "9"]);
            same_answers(folder.path(), "r.jsonl", &run(&words, &script, &[url.as_str()]));
        }
    }
}

/// Holds a conversation about a task with the reference server, recorded as `r.jsonl`.
fn record_a_task(folder: &Path) {
    let mut command = Command::new(PROGRAM);
    command.args(["record", "--quiet", "--out", "r.jsonl", "--", PROGRAM, "serve"]).current_dir(folder);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut ask = |message: Value| {
        writeln!(stdin, "{message}").unwrap();
        let mut answers = stdout.by_ref().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
        message
            .get("id")
            .map(|id| answers.find(|answer| answer["id"] == *id && answer.get("method").is_none()).unwrap())
    };
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}});
    ask(json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}));
    ask(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    let call = json!({"name": "slow_compute", "arguments": {}, "task": {"ttl": 60000}});
    let made = ask(json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call})).unwrap();
    let id = made["result"]["task"]["taskId"].clone();
    assert!(id.is_string(), "{made}");
    for (number, method) in [(2, "tasks/get"), (3, "tasks/result")] {
        let answer =
            ask(json!({"jsonrpc": "2.0", "id": number, "method": method, "params": {"taskId": id}})).unwrap();
        assert!(answer.get("result").is_some(), "{answer}");
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_task_is_followed_by_the_id_of_now() {
    let folder = tempfile::tempdir().unwrap();
    record_a_task(folder.path());
    for language in ["python", "typescript"] {
        let Some(words) = interpreter(language) else { continue };
        let script = exported(folder.path(), "r.jsonl", language);
        let output = run(&words, &script, &[]);
        same_answers(folder.path(), "r.jsonl", &output);
    }
    if let Some(program) = compiled(folder.path(), &exported(folder.path(), "r.jsonl", "rust")) {
        let output = Command::new(program).output().unwrap();
        same_answers(folder.path(), "r.jsonl", &output);
    }
}

/// Compiles an exported program with the `serde_json` that these tests were built with.
fn compiled(folder: &Path, script: &Path) -> Option<PathBuf> {
    let tests = std::env::current_exe().unwrap();
    let libraries = tests.parent().unwrap();
    let program = folder.join("program");
    let mut said = String::new();
    for library in std::fs::read_dir(libraries).unwrap().map(|entry| entry.unwrap().path()) {
        let name = library.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("libserde_json-")
            || library.extension().is_none_or(|extension| extension != "rlib")
        {
            continue;
        }
        let mut rustc = Command::new("rustc");
        rustc.args(["--edition", "2024", "--crate-type", "bin", "--crate-name", "program", "-o"]);
        rustc.arg(&program).arg(script).arg("-L").arg(format!("dependency={}", libraries.display()));
        rustc.arg("--extern").arg(format!("serde_json={}", library.display()));
        match rustc.output() {
            Ok(output) if output.status.success() => return Some(program),
            Ok(output) => said = String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => said = error.to_string(),
        }
        // Another compiler's library, or none of its own, is no fault of the program.
        assert!(
            !said.contains("error[E0")
                || said.contains("error[E0514]")
                || said.contains("error[E0463]")
                || said.contains("error[E0460]"),
            "{said}"
        );
    }
    println!("left out: no `rustc` with `serde_json` here: {said}");
    None
}

/// Texts that end strings, comments and templates somewhere.
const HOSTILE: [&str; 12] = [
    "'; touch owned; '",
    "\"; touch owned; \"",
    "'''\nimport os; os.system('touch owned')\n'''",
    "`touch owned` $(touch owned) ${process.exit(3)}",
    "*/ process.exit(3) /*",
    "\"#; std::process::exit(3); r#\"",
    "\\' \\\" \\\\ \\u0027 \\",
    "\r\n--> x\n%s %n\t\u{0}\u{7f}\u{1b}[31m",
    "\u{2028}\u{2029}\u{85}\u{feff}\u{202e}",
    "😀\u{10ffff}é",
    "__proto__",
    "{\"jsonrpc\":\"2.0\"}",
];

#[test]
fn nothing_of_a_recording_is_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut messages: Vec<String> = Vec::new();
    for (number, text) in HOSTILE.iter().enumerate() {
        let next = HOSTILE[(number + 1) % HOSTILE.len()];
        let params = json!({*text: [next, {next: text}], "__proto__": {"a": 1}, "n": 1.5e300, "i": u64::MAX});
        messages.push(json!({"jsonrpc": "2.0", "method": text, "params": params}).to_string());
    }
    messages.push(r#"{"jsonrpc":"2.0","method":"a","params":{"a":"\ud800 alone","a":1.0,"b":123456789012345678901234567890}}"#.to_owned());
    messages.push("'no message`; $(touch owned) %s \\".to_owned());
    let arrows = format!("--> {}\n", messages.join("\n--> "));
    written(folder.path(), "h.jsonl", &arrows);
    for language in ["shell", "python", "typescript"] {
        let Some(words) = interpreter(language) else { continue };
        let script = exported(folder.path(), "h.jsonl", language);
        let output = run(&words, &script, &["sh", "-c", "cat >got"]);
        assert!(output.status.success(), "{language}: {}", text(&output));
        check_hostile(folder.path(), language, &messages);
    }
    if let Some(program) = compiled(folder.path(), &exported(folder.path(), "h.jsonl", "rust")) {
        let output = Command::new(program).args(["sh", "-c", "cat >got"]).current_dir(folder.path()).output();
        assert!(output.as_ref().unwrap().status.success(), "{}", text(&output.unwrap()));
        check_hostile(folder.path(), "rust", &messages);
    }
}

/// What the server got is what was sent in the recording.
#[track_caller]
fn check_hostile(folder: &Path, language: &str, messages: &[String]) {
    let got = std::fs::read_to_string(folder.join("got")).unwrap();
    let got: Vec<&str> = got.lines().collect();
    assert_eq!(got.len(), messages.len(), "{language}: {got:?}");
    for (got, sent) in got.iter().zip(messages) {
        let read = |text: &str| serde_json::from_str::<Value>(text).ok();
        assert!(
            got == sent || read(got).is_some() && read(got) == read(sent),
            "{language}: {got} for {sent}"
        );
    }
    assert!(!folder.join("owned").exists(), "{language}");
    std::fs::remove_file(folder.join("got")).unwrap();
}

#[test]
fn what_does_not_come_and_what_was_taken_out_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let ping = "--> {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n<-- {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n";
    let key = "--> {\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":{\"key\":\"«token-1»\"}}\n";
    written(folder.path(), "p.jsonl", ping);
    written(folder.path(), "k.jsonl", key);
    for language in ["python", "typescript"] {
        let Some(words) = interpreter(language) else { continue };
        let script = exported(folder.path(), "p.jsonl", language);
        let silent = Command::new(words[0])
            .args(&words[1..])
            .arg(&script)
            .args(["sh", "-c", "cat >/dev/null"])
            .env("TIMEOUT", "0.3")
            .output()
            .unwrap();
        assert_eq!(silent.status.code(), Some(1), "{}", text(&silent));
        assert!(text(&silent).contains("no answer 1: nothing came within 0.3 s"), "{}", text(&silent));
        let gone = run(&words, &script, &["true"]);
        assert_eq!(gone.status.code(), Some(1), "{}", text(&gone));
        let script = exported(folder.path(), "k.jsonl", language);
        let missing = run(&words, &script, &["cat"]);
        assert_eq!(missing.status.code(), Some(1), "{}", text(&missing));
        assert!(text(&missing).contains("TOKEN_1"), "{}", text(&missing));
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(&script).args(["sh", "-c", "cat >&2"]).env("TOKEN_1", "a\"b");
        let output = command.output().unwrap();
        assert!(
            text(&output).contains(r#""key": "a\"b""#) || text(&output).contains(r#""key":"a\"b""#),
            "{}",
            text(&output)
        );
    }
}
