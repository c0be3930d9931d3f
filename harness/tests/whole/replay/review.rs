//! What is new is accepted, all of it or one by one; rules stand in the recording or in the settings.

use crate::program::{PROGRAM, Ran, run_in, settings};
use crate::recording::written;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

macro_rules! snapshot {
    ($name:literal, $text:expr) => {
        settings().bind(|| insta::assert_snapshot!($name, $text))
    };
}

fn talk(name: &str, count: u32, time: &str, logs: u32) -> String {
    let log = "<-- {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"x\"}}\n";
    format!(
        r#"--> {{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"protocolVersion":"2025-11-25","capabilities":{{}},"clientInfo":{{"name":"c","version":"1"}}}}}}
<-- {{"jsonrpc":"2.0","id":1,"result":{{"protocolVersion":"2025-11-25","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"s","version":"1"}}}}}}
--> {{"jsonrpc":"2.0","method":"notifications/initialized"}}
--> {{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"who","arguments":{{}}}}}}
{}<-- {{"jsonrpc":"2.0","id":2,"result":{{"content":[{{"type":"text","text":"It is {name}, at {time}"}}],"structuredContent":{{"name":"{name}","count":{count}}}}}}}
"#,
        log.repeat(logs as usize)
    )
}

/// A recording, and a server that says something else by now.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), "t.jsonl", &talk("Alice", 1, "10:00:00", 0));
    written(folder.path(), "now.jsonl", &talk("Bob", 2, "10:00:01", 1));
    folder
}

fn replay(folder: &Path, flags: &[&str]) -> Ran {
    run_in(
        folder,
        &[&["replay", "t.jsonl"], flags, &["--", PROGRAM, "serve", "--from", "now.jsonl"]].concat(),
    )
}

fn review(folder: &Path, answers: &str) -> Ran {
    let mut command = Command::new(PROGRAM);
    command
        .args(["transcript", "review", "t.jsonl"])
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn differences_are_seen_side_by_side() {
    let folder = folder();
    snapshot!("replay_differences", replay(folder.path(), &[]).whole());
    let shape = replay(folder.path(), &["--mode", "shape"]);
    assert_eq!(shape.code, Some(1), "one notification is more than none: {}", shape.whole());
}

#[test]
fn what_is_new_is_accepted_as_a_whole() {
    let folder = folder();
    let ran = replay(folder.path(), &["--accept"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("wrote t.jsonl.new with 4 differences"), "{}", ran.whole());
    let done = run_in(folder.path(), &["transcript", "review", "t.jsonl", "--accept-all"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), "mcprove: 4 accepted, 0 rejected, 0 left\n"));
    assert!(!folder.path().join("t.jsonl.new").exists());
    assert_eq!(replay(folder.path(), &[]).code, Some(0));
}

#[test]
fn what_is_new_is_rejected_as_a_whole() {
    let folder = folder();
    let before = std::fs::read_to_string(folder.path().join("t.jsonl")).unwrap();
    replay(folder.path(), &["--accept"]);
    let done = run_in(folder.path(), &["transcript", "review", "t.jsonl", "--reject-all"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), "mcprove: 0 accepted, 4 rejected, 0 left\n"));
    assert_eq!(std::fs::read_to_string(folder.path().join("t.jsonl")).unwrap(), before);
    let nothing = run_in(folder.path(), &["transcript", "review", "t.jsonl"]);
    assert_eq!(nothing.code, Some(2));
    assert!(nothing.stderr.contains("there is nothing to review"), "{}", nothing.whole());
}

#[test]
fn differences_are_decided_one_by_one() {
    let folder = folder();
    replay(folder.path(), &["--accept"]);
    let first = review(folder.path(), "what?\na\nr\ns\n");
    snapshot!("review", first.whole());
    assert_eq!(first.code, Some(1), "one is skipped, and one was not come to");
    let second = review(folder.path(), "a\na\n");
    assert_eq!(
        (second.code, second.stderr.ends_with("2 accepted, 0 rejected, 0 left\n")),
        (Some(0), true),
        "{}",
        second.whole()
    );
    let left = replay(folder.path(), &["--output-format", "json"]).json();
    let left = left["replay"]["differences"].as_array().unwrap();
    assert_eq!(left.len(), 1, "the one that was rejected: {left:?}");
}

#[test]
fn rules_are_learned_and_shown() {
    let folder = folder();
    written(folder.path(), "b.jsonl", &talk("Alice", 5, "11:30:17", 0));
    written(folder.path(), "c.jsonl", &talk("Alice", 9, "12:05:41", 2));
    let args = ["transcript", "learn", "t.jsonl", "b.jsonl", "c.jsonl"];
    let printed = run_in(folder.path(), &args);
    snapshot!("learn", printed.whole());
    std::fs::write(folder.path().join("mcprove.toml"), &printed.stdout).unwrap();
    written(folder.path(), "now.jsonl", &talk("Alice", 77, "23:59:59", 1));
    let by_settings = replay(folder.path(), &[]);
    assert_eq!(by_settings.code, Some(0), "{}", by_settings.whole());
    std::fs::remove_file(folder.path().join("mcprove.toml")).unwrap();
    assert_eq!(replay(folder.path(), &[]).code, Some(1));
    let written_to = run_in(folder.path(), &[&args[..], &["--write", "t.jsonl"]].concat());
    snapshot!("learn_write", written_to.whole());
    assert_eq!(replay(folder.path(), &[]).code, Some(0), "by the header");
    let checked = run_in(folder.path(), &["transcript", "show", "t.jsonl"]);
    assert_eq!(checked.code, Some(0), "{}", checked.whole());
}

#[test]
fn rules_that_cannot_be_used_are_told() {
    let folder = folder();
    let told = |rule: &str| {
        std::fs::write(folder.path().join("mcprove.toml"), format!("timeout = 5\n\n[[rules]]\n{rule}\n"))
            .unwrap();
        let ran = replay(folder.path(), &[]);
        assert_eq!(ran.code, Some(2), "{}", ran.whole());
        ran.stderr
    };
    let all = [
        told("path = \"/result\"\nrule = \"pattern\"\npattern = \"(\""),
        told("path = \"result\"\nrule = \"ignore\""),
        told("path = \"/result\"\nrule = \"whatever\""),
    ];
    snapshot!("replay_rules_refused", all.concat());
}

#[test]
fn the_run_is_kept_where_that_is_wished() {
    let folder = folder();
    let ran = replay(folder.path(), &["--out", "run", "--output-format", "json"]);
    let kept = std::fs::read_to_string(folder.path().join("run/report.json")).unwrap();
    assert_eq!(ran.stdout, kept);
    crate::program::valid("report-v1.schema.json", &ran.json());
    let live = "run/transcripts/001-replay.transcript.jsonl";
    assert_eq!(run_in(folder.path(), &["transcript", "show", live]).code, Some(0));
    assert_eq!(
        run_in(folder.path(), &["report", "run", "--output-format", "json"]).json()["command"],
        "replay"
    );
}
