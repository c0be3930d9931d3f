//! Recording and what is done with recordings, by the whole program.

mod transparency;

use crate::program::{PROGRAM, Ran, run_in, settings, valid};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

/// A conversation of a client that makes mistakes with a server that makes some, too.
const ARROWS: &str = r#"# a conversation
--> {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}
<-- {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}}
--> {"jsonrpc":"2.0","method":"notifications/initialized"}
--> {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"it's \u001b[31mred","api_key":"hunter2hunter2"}}}
<-- {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"hunter2hunter2"}]}}
--> {"jsonrpc":"2.0","id":1,"method":"ping"}
<-- {"jsonrpc":"2.0","id":1,"result":{}}
<-- {"jsonrpc":"2.0","id":99,"result":{}}
"#;

/// A folder with that conversation as `t.jsonl`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.txt"), ARROWS).unwrap();
    let ran = run_in(folder.path(), &["transcript", "import", "t.txt", "--out", "t.jsonl"]);
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    folder
}

macro_rules! snapshot {
    ($name:literal, $text:expr) => {
        settings().bind(|| insta::assert_snapshot!($name, $text))
    };
}

#[test]
fn a_conversation_is_shown() {
    let folder = folder();
    snapshot!("transcript_show", run_in(folder.path(), &["transcript", "show", "t.jsonl"]).whole());
    let full = run_in(folder.path(), &["transcript", "show", "t.jsonl", "--full", "--only", "ping"]);
    snapshot!("transcript_show_full", full.whole());
    assert!(!full.stdout.contains('\u{1b}'));
}

#[test]
fn a_conversation_is_checked() {
    let folder = folder();
    let text = run_in(folder.path(), &["transcript", "check", "t.jsonl"]);
    assert_eq!(text.code, Some(1));
    snapshot!("transcript_check", text.whole());
    let document = run_in(folder.path(), &["transcript", "check", "t.jsonl", "--output-format", "json"]);
    assert_eq!(document.code, Some(1));
    let document = document.json();
    valid("report-v1.schema.json", &document);
    let results = document["results"].as_array().unwrap();
    let outcome = |id: &str| {
        let row = results.iter().find(|row| row["requirement"] == id).unwrap();
        row["outcome"].as_str().unwrap()
    };
    assert_eq!(outcome("client.base.request-id-unique"), "fail");
    assert_eq!(outcome("client.lifecycle.initialized-sent"), "pass");
    assert_eq!(outcome("robustness.response.no-unknown-id"), "fail");
}

#[test]
fn secrets_are_taken_out() {
    let folder = folder();
    let ran = run_in(folder.path(), &["transcript", "redact", "t.jsonl", "--out", "clean.jsonl"]);
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    let text = std::fs::read_to_string(folder.path().join("clean.jsonl")).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(text.matches("«secret-1»").count(), 2, "{text}");
    let checked = run_in(folder.path(), &["transcript", "check", "clean.jsonl"]);
    assert!(!checked.stderr.contains("looks like a secret"), "{}", checked.whole());
    let same = run_in(folder.path(), &["transcript", "redact", "t.jsonl", "--out", "./t.jsonl"]);
    assert_eq!(same.code, Some(2));
}

#[test]
fn conversations_are_compared() {
    let folder = folder();
    let same = run_in(folder.path(), &["transcript", "diff", "t.jsonl", "t.jsonl"]);
    assert_eq!((same.code, same.stdout.as_str()), (Some(0), "no difference\n"));
    let other = ARROWS.replace("\"text\":\"hunter2hunter2\"", "\"text\":7").replace("\"id\":1", "\"id\":5");
    let other = other.replace("--> {\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\"}\n<-- {\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}\n", "");
    std::fs::write(folder.path().join("u.txt"), other).unwrap();
    run_in(folder.path(), &["transcript", "import", "u.txt", "--out", "u.jsonl"]);
    let ran = run_in(folder.path(), &["transcript", "diff", "t.jsonl", "u.jsonl"]);
    assert_eq!(ran.code, Some(1));
    snapshot!("transcript_diff", ran.whole());
}

#[test]
fn a_diagram_is_drawn() {
    let folder = folder();
    snapshot!("transcript_mermaid", run_in(folder.path(), &["transcript", "to-mermaid", "t.jsonl"]).whole());
}

#[test]
fn what_cannot_be_read_is_told() {
    let folder = folder();
    let path = folder.path();
    let text = std::fs::read_to_string(path.join("t.jsonl")).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    std::fs::write(path.join("cut.jsonl"), &text[..text.len() - 40]).unwrap();
    lines[3] = "garbage";
    std::fs::write(path.join("corrupt.jsonl"), lines.join("\n")).unwrap();
    std::fs::write(path.join("newer.jsonl"), text.replacen("\"version\":1", "\"version\":2", 1)).unwrap();
    std::fs::write(path.join("empty.jsonl"), "").unwrap();
    std::fs::write(path.join("binary.jsonl"), [0x7f, b'E', b'L', b'F', 0, 0xff]).unwrap();
    let mut told = String::new();
    for file in ["cut", "corrupt", "newer", "empty", "binary", "missing"] {
        let ran = run_in(path, &["transcript", "show", &format!("{file}.jsonl")]);
        assert_eq!(ran.code, Some(if file == "cut" { 0 } else { 2 }), "{file}: {}", ran.whole());
        told += &format!("{file}: {}", ran.stderr);
    }
    snapshot!("transcript_unreadable", told);
}

/// Records a conversation with the reference server and exports it.
fn recorded(folder: &Path, out: &str) -> Ran {
    let messages = ARROWS.lines().filter_map(|line| line.strip_prefix("--> ")).take(3);
    let mut command = Command::new(PROGRAM);
    command.args(["record", "--out", out, "--", PROGRAM, "serve"]).current_dir(folder);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for message in messages {
        writeln!(stdin, "{message}").unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn a_recording_can_be_run_again_without_mcprove() {
    let folder = tempfile::tempdir().unwrap();
    let ran = recorded(folder.path(), "r.jsonl");
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    assert!(ran.stderr.contains("mcprove recorded "), "{}", ran.stderr);
    for (format, interpreter) in [("shell", "sh"), ("python", "python3")] {
        let script = run_in(folder.path(), &["transcript", "export", "r.jsonl", "--as", format]);
        assert_eq!(script.code, Some(0), "{}", script.whole());
        std::fs::write(folder.path().join("script"), &script.stdout).unwrap();
        let Ok(output) = Command::new(interpreter).arg("script").current_dir(folder.path()).output() else {
            continue;
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{format}: {said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("mcprove-reference-server"), "{format}: {said}");
        assert_eq!(said.matches("<-- ").count(), 2, "{format}: {said}");
    }
    for format in ["typescript", "rust", "markdown"] {
        let script = run_in(folder.path(), &["transcript", "export", "r.jsonl", "--as", format]);
        assert!(script.code == Some(0) && script.stdout.contains("tools/call"), "{}", script.whole());
    }
    let curl = run_in(folder.path(), &["transcript", "export", "r.jsonl", "--as", "curl"]);
    assert_eq!(curl.code, Some(2));
}

#[test]
fn exit_codes_and_signals_are_passed_on() {
    use std::os::unix::process::ExitStatusExt as _;
    let folder = tempfile::tempdir().unwrap();
    let run = |script: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(["record", "--out", "x.jsonl", "--", "sh", "-c", script]).current_dir(folder.path());
        command.stdin(Stdio::null()).output().unwrap()
    };
    assert_eq!(run("exit 7").status.code(), Some(7));
    assert_eq!(run("kill -TERM $$").status.signal(), Some(15));
    let output = run("echo out; echo err >&2");
    assert_eq!(output.stdout, b"out\n");
    assert!(output.stderr.starts_with(b"err\n"));
    let missing = run_in(folder.path(), &["record", "--out", "x.jsonl", "--", "no-such-program"]);
    assert_eq!(missing.code, Some(2), "{}", missing.whole());
}

#[test]
fn a_full_disk_changes_nothing_but_is_told() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let ran = recorded(folder.path(), "/dev/full");
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.whole());
    assert!(ran.stderr.contains("could not be recorded"), "{}", ran.stderr);
    let nowhere = recorded(folder.path(), "no/such/folder/x.jsonl");
    assert_eq!((nowhere.code, nowhere.stdout.lines().count()), (Some(0), 2), "{}", nowhere.whole());
}

#[test]
fn http_is_recorded_as_it_streams() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["record", "--listen", "127.0.0.1:0", "--upstream", &format!("http://{address}/mcp")]);
    command.args(["--out", "h.jsonl"]).current_dir(folder.path());
    let mut child = command.stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let proxy = url.trim_start_matches("http://").trim_end_matches("/mcp").to_owned();
    let mut client = std::net::TcpStream::connect(&proxy).unwrap();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    write!(
        client,
        "POST /mcp?x=1 HTTP/1.1\r\nHost: {proxy}\r\nX-Odd: a\r\nConnection: X-Hop\r\nX-Hop: 1\r\nAccept: application/json, text/event-stream\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let (mut server, _) = upstream.accept().unwrap();
    let mut got = vec![0; 4096];
    let mut length = 0;
    while !String::from_utf8_lossy(&got[..length]).contains(body) {
        length += server.read(&mut got[length..]).unwrap();
    }
    let request = String::from_utf8_lossy(&got[..length]).into_owned();
    assert!(request.starts_with("POST /mcp?x=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("X-Odd: a\r\n") && !request.contains("X-Hop"), "{request}");
    assert!(request.contains(&address.to_string()), "{request}");
    server
        .write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .unwrap();
    let piece = ": hello\n\n";
    write!(server, "{:x}\r\n{piece}\r\n", piece.len()).unwrap();
    // It comes through before the response is over.
    let mut seen = String::new();
    client.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    while !seen.contains(": hello") {
        let read = client.read(&mut got).unwrap();
        assert_ne!(read, 0, "{seen}");
        seen += &String::from_utf8_lossy(&got[..read]);
    }
    let piece = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n";
    write!(server, "{:x}\r\n{piece}\r\n0\r\n\r\n", piece.len()).unwrap();
    while !seen.contains("\r\n0\r\n") {
        let read = client.read(&mut got).unwrap();
        assert_ne!(read, 0, "{seen}");
        seen += &String::from_utf8_lossy(&got[..read]);
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    let text = std::fs::read_to_string(folder.path().join("h.jsonl")).unwrap();
    let kinds: Vec<String> = text
        .lines()
        .skip(1)
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].as_str().unwrap().to_owned()
        })
        .collect();
    let wanted = ["request-head", "sent", "response-head", "sse-other", "received", "response-ended", "end"];
    assert_eq!(kinds, wanted, "{text}");
}
