//! Recordings that cannot be replayed, secrets that are missing, and targets that are dead, silent or slow.

use crate::program::{PROGRAM, run_in, settings};
use crate::recording::{server, written};
use std::path::Path;

macro_rules! snapshot {
    ($name:literal, $text:expr) => {
        settings().bind(|| insta::assert_snapshot!($name, $text))
    };
}

const PING: &str = "--> {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n<-- {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n";

fn pings(count: u32) -> String {
    (1..=count).map(|id| PING.replace("\"id\":1", &format!("\"id\":{id}"))).collect()
}

fn replayed(folder: &Path, file: &str, rest: &[&str]) -> String {
    let ran = run_in(folder, &[&["replay", file], rest].concat());
    format!("==== {file} {}\n{}", rest.join(" "), ran.whole())
}

#[test]
fn files_that_are_no_recordings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    written(path, "t.jsonl", PING);
    let text = std::fs::read_to_string(path.join("t.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let header = lines[0];
    let files = [
        ("empty", String::new()),
        ("text", "hello\n".to_owned()),
        ("future", text.replacen("\"version\":1", "\"version\":7", 1)),
        ("corrupt", format!("{header}\n{{\"event\":\"sent\",\n{}\n", lines[2])),
        ("nobody", format!("{header}\n{{\"event\":\"end\"}}\n")),
        (
            "rule",
            text.replacen(
                "\"version\":1",
                "\"version\":1,\"rules\":[{\"path\":\"x\",\"rule\":\"ignore\"}]",
                1,
            ),
        ),
    ];
    let mut told = String::new();
    for (name, text) in files {
        std::fs::write(path.join(name), text).unwrap();
        told += &replayed(path, name, &["--", PROGRAM, "serve"]);
    }
    told += &replayed(path, "missing", &[]);
    snapshot!("replay_unreadable", told);
    // What is whole of a file that was cut off is replayed.
    let cut = text.strip_suffix("{\"event\":\"end\"}\n").unwrap();
    std::fs::write(path.join("cut"), &cut[..cut.len() - 10]).unwrap();
    let ran = run_in(path, &["replay", "cut", "--", PROGRAM, "serve"]);
    assert!(ran.stdout.contains("the recording was cut off"), "{}", ran.whole());
}

/// A server that answers as before, with more on its standard output than messages, or that ends by itself as it did before.
#[test]
fn noise_is_a_difference_and_the_same_end_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    written(path, "t.jsonl", PING);
    let answers = |before: &str, after: &str| {
        let result = r#"echo '{"jsonrpc":"2.0","id":1,"result":{}}'"#;
        format!("read line; {before}{result}; {after}")
    };
    let replay = |file: &str, script: &str| run_in(path, &["replay", file, "--", "sh", "-c", script]);
    let quiet = replay("t.jsonl", &answers("", "read line"));
    assert_eq!(quiet.code, Some(0), "{}", quiet.whole());
    let loud = replay("t.jsonl", &answers("echo DEBUG; ", "read line"));
    assert_eq!(loud.code, Some(1), "{}", loud.whole());
    let told = "1 times came what is no message, 0 times in the recording: `DEBUG`";
    assert!(loud.stdout.contains(told), "{}", loud.whole());

    let crash = answers("", "exit 3");
    std::fs::write(path.join("crash.sh"), &crash).unwrap();
    let ping = r#"echo '{"jsonrpc":"2.0","id":1,"method":"ping"}'"#;
    let record = format!("({ping}; sleep 1) | {PROGRAM} record --quiet --out crash.jsonl -- sh crash.sh");
    let recorded = std::process::Command::new("sh").args(["-c", &record]).current_dir(path).output().unwrap();
    assert_eq!(recorded.status.code(), Some(3));
    let same = replay("crash.jsonl", &crash);
    assert_eq!(same.code, Some(0), "{}", same.whole());
    let other = replay("crash.jsonl", &crash.replace("exit 3", "exit 4"));
    assert_eq!(other.code, Some(1), "{}", other.whole());
}

#[test]
fn secrets_have_to_be_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let talk = |key: &str| {
        format!(
            "--> {{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{{\"name\":\"a\",\"arguments\":{{\"key\":\"{key}\"}}}}}}\n<-- {{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{{\"content\":[{{\"type\":\"text\",\"text\":\"it is {key}.\"}}]}}}}\n"
        )
    };
    written(folder.path(), "t.jsonl", &talk("«token-1»"));
    written(folder.path(), "now.jsonl", &talk("hunter2hunter2"));
    let target = ["--", PROGRAM, "serve", "--from", "now.jsonl"];
    let mut told = replayed(folder.path(), "t.jsonl", &target);
    for secret in ["token-1", "token-9=HOME", "token-1=NO_SUCH_VARIABLE"] {
        told += &replayed(folder.path(), "t.jsonl", &[&["--secret", secret], &target[..]].concat());
    }
    snapshot!("replay_secrets", told);
    let mut command = std::process::Command::new(PROGRAM);
    command.args(["replay", "t.jsonl", "-v", "--secret", "token-1=THE_TOKEN"]).args(target);
    let output = command.current_dir(folder.path()).env("THE_TOKEN", "hunter2hunter2").output().unwrap();
    let whole = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{whole}");
    assert!(!whole.contains("hunter2"), "{whole}");
}

#[test]
fn targets_that_are_dead_or_say_nothing() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), "t.jsonl", &pings(5));
    let dead = ["--wait", "0.3", "http://127.0.0.1:9/mcp"];
    let mut told = replayed(folder.path(), "t.jsonl", &dead);
    told += &replayed(folder.path(), "t.jsonl", &["--", "/no/such/program"]);
    told += &replayed(folder.path(), "t.jsonl", &["--wait", "0.3", "--", "sh", "-c", "read line; exit 3"]);
    told += &replayed(folder.path(), "t.jsonl", &["--wait", "0.3", "--", "sh", "-c", "cat >/dev/null"]);
    let once = "read line; echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}'; read line; exit 7";
    told += &replayed(folder.path(), "t.jsonl", &["--wait", "1", "--", "sh", "-c", once]);
    snapshot!("replay_dead_targets", told);
}

#[test]
fn late_answers_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    written(path, "t.jsonl", &pings(2));
    let late = |ran: crate::program::Ran| {
        let document = ran.json();
        let kinds: Vec<String> = document["replay"]["differences"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| format!("{} {}", one["kind"].as_str().unwrap(), one["message"]["nth"]))
            .collect();
        assert_eq!(kinds, ["late 1"], "{}", ran.whole());
    };
    let flags = ["replay", "t.jsonl", "--wait", "0.4", "--output-format", "json"];
    // The first answer comes after the wait for it, and before the one to the second request.
    let slow = "read a; sleep 0.7; echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}'; read b; echo '{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}'; cat >/dev/null";
    late(run_in(path, &[&flags[..], &["--", "sh", "-c", slow]].concat()));
}

/// The reference server holds its answers back, over both transports and in both eras.
#[test]
fn late_answers_of_a_slow_server_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let modern = "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{},\"io.modelcontextprotocol/clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}";
    let ask = |id: u32, method: &str, params: &str| {
        format!(
            "--> {{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",\"params\":{{{params}}}}}\n<-- {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}}}}\n"
        )
    };
    let hello = "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}";
    let legacy = ask(1, "initialize", hello)
        + "--> {\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n"
        + &ask(2, "ping", "")
        + &ask(3, "ping", "");
    written(path, "legacy.jsonl", &legacy);
    written(path, "modern.jsonl", &(1..4).map(|id| ask(id, "tools/list", modern)).collect::<String>());
    let (_server, url) = server(path, &["--delay", "700ms"]);
    let stdio = ["--", PROGRAM, "serve", "--delay", "700ms"];
    for target in [&[url.as_str()][..], &stdio] {
        for (file, method) in [("legacy.jsonl", "ping"), ("modern.jsonl", "tools/list")] {
            let flags = ["replay", file, "--wait", "0.4", "--output-format", "json"];
            let ran = run_in(path, &[&flags[..], target].concat());
            assert_eq!(ran.code, Some(1), "{}", ran.whole());
            let document = ran.json();
            let all = document["replay"]["differences"].as_array().unwrap();
            let late = all.iter().find(|one| one["kind"] == "late" && one["message"]["method"] == method);
            assert!(late.is_some(), "{file} {target:?}: {}", ran.whole());
        }
    }
}
