//! A recorded server is served again: the same client cannot tell the difference.

use crate::program::{PROGRAM, run_in};
use crate::recording::{self, over_stdio, serving};
use mcprove::mock::{Part, Player};
use mcprove::protocol::{Era, Message, Revision};
use mcprove::transcript::{Record, Transcript, TranscriptReader};
use mcprove::wire::{Event, Payload};
use std::collections::HashSet;
use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use url::Url;

/// Records a conversation with a server over HTTP.
fn over_http(folder: &Path, out: &str, server: &[&str], revision: Revision) -> usize {
    let (_server, upstream) = recording::server(folder, server);
    recording::over_http(folder, out, &upstream, revision, 1)
}

type Recording = fn(&Path, &str, &[&str], Revision) -> usize;

/// Records the reference server, serves the recording, records that, and compares.
fn no_difference(record: Recording, again: Recording, revision: Revision) {
    let folder = tempfile::tempdir().unwrap();
    let results = record(folder.path(), "a.jsonl", &[], revision);
    assert!(results > 40, "the conversation is worth something: {results}");
    let text = std::fs::read_to_string(folder.path().join("a.jsonl")).unwrap();
    let asks =
        if revision.era() == Era::Legacy { "\"method\":\"elicitation/create\"" } else { "input_required" };
    assert!(
        text.contains("notifications/progress") && text.contains(asks),
        "it has all that is hard to play"
    );
    assert_eq!(again(folder.path(), "b.jsonl", &["--from", "a.jsonl"], revision), results);
    let ran = run_in(folder.path(), &["transcript", "diff", "a.jsonl", "b.jsonl"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "no difference\n"), "{}", ran.whole());
}

#[test]
fn over_stdio_in_the_legacy_era() {
    no_difference(over_stdio, over_stdio, Revision::V2025_11_25);
}

#[test]
fn over_stdio_in_the_modern_era() {
    no_difference(over_stdio, over_stdio, Revision::V2026_07_28);
}

#[test]
fn over_http_in_the_legacy_era() {
    no_difference(over_http, over_http, Revision::V2025_11_25);
}

#[test]
fn over_http_in_the_modern_era() {
    no_difference(over_http, over_http, Revision::V2026_07_28);
}

#[test]
fn what_was_recorded_over_stdio_is_served_over_http() {
    no_difference(over_stdio, over_http, Revision::V2025_06_18);
}

/// A request by hand, and the response to it, up to the end of the connection.
fn by_hand(url: &Url, head: &str, body: &str) -> String {
    let address = url.socket_addrs(|| None).unwrap()[0];
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let host = if head.contains("Host:") { String::new() } else { format!("Host: {address}\r\n") };
    let length = body.len();
    write!(stream, "{head}{host}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
    let mut said = String::new();
    // A body that is too long may be refused before it was read.
    let _ = std::io::Read::read_to_string(&mut stream, &mut said);
    said
}

#[test]
fn sessions_and_hosts_are_heeded_over_http() {
    let folder = tempfile::tempdir().unwrap();
    over_http(folder.path(), "a.jsonl", &[], Revision::V2025_11_25);
    let (_server, url) = serving(folder.path(), &["serve", "--http", "127.0.0.1:0", "--from", "a.jsonl"]);
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let initialize =
        r#"{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
    let status = |head: &str, body: &str| {
        let said = by_hand(&url, head, body);
        said.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    let post = "POST /mcp HTTP/1.1\r\n";
    assert_eq!(status(post, ping), "400", "without a session");
    assert_eq!(status(&format!("{post}Mcp-Session-Id: other\r\n"), ping), "404");
    assert_eq!(status(&format!("{post}Host: example.com\r\n"), initialize), "403");
    assert_eq!(status(&format!("{post}Origin: https://example.com\r\n"), initialize), "403");
    assert_eq!(status("POST /other HTTP/1.1\r\n", initialize), "404");
    assert_eq!(status(post, "garbage"), "400");
    assert_eq!(status(post, &"x".repeat(9 << 20)), "413");
    let said = by_hand(&url, post, initialize);
    assert!(said.starts_with("HTTP/1.1 200") && said.contains("\"id\":\"i\""), "{said}");
    let session = said.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap();
    let of_session = |method: &str| format!("{method} /mcp HTTP/1.1\r\nMcp-Session-Id: {session}\r\n");
    let said = by_hand(&url, &of_session("POST"), ping);
    assert!(said.contains("\"result\":{}"), "{said}");
    let unknown = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"never"}}"#;
    let said = by_hand(&url, &of_session("POST"), unknown);
    assert!(said.contains("-32602") && said.contains("a.jsonl"), "{said}");
    assert_eq!(status(&of_session("DELETE"), ""), "204", "as it was recorded");
    assert_eq!(status(&of_session("POST"), ping), "404", "it is over");
}

/// The texts of the responses in some payloads, sorted.
fn responses<'a>(payloads: impl Iterator<Item = &'a Payload>) -> Vec<String> {
    let parts = payloads.filter_map(Payload::message).flat_map(Message::parts);
    let mut texts: Vec<String> =
        parts.filter(Message::is_response).map(|part| part.text().replace(['\n', '\r'], " ")).collect();
    texts.sort();
    texts
}

#[test]
fn real_servers_answer_their_clients_as_they_did() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/transcripts");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        files += 1;
        let recording = Transcript::read(BufReader::new(std::fs::File::open(&path).unwrap())).unwrap();
        let part = Part::read(TranscriptReader::open(&path).unwrap(), "the recording").unwrap();
        let mut player = Player::new(part.into(), Duration::from_secs(1));
        let mut lines = player.open().lines;
        for record in &recording.records {
            if let Event::Sent { payload, .. } = &record.event {
                lines.extend(player.hear(payload, record.channel.0.into(), Instant::now()).lines);
            }
        }
        lines.extend(player.close().lines);
        let said: Vec<Payload> = lines.into_iter().map(|line| Payload::read(line.text)).collect();
        // What GET and DELETE were answered is up to HTTP.
        let sent = |record: &&Record| matches!(record.event, Event::Sent { .. });
        let asked: HashSet<_> = recording.records.iter().filter(sent).map(|record| record.channel).collect();
        let recorded = recording.records.iter().filter_map(|record| match &record.event {
            Event::Received { payload, .. } if asked.contains(&record.channel) => Some(payload),
            _ => None,
        });
        assert_eq!(responses(said.iter()), responses(recorded), "{}", path.display());
    }
    assert!(files >= 40, "{files} recordings");
}

/// What the mock writes to lines of input.
fn lines(folder: &Path, input: &str) -> Vec<serde_json::Value> {
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--from", "r.jsonl"]).current_dir(folder);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

fn recording(arrows: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("r.txt"), arrows).unwrap();
    let ran = run_in(folder.path(), &["transcript", "import", "r.txt", "--out", "r.jsonl"]);
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    let path = folder.path().join("r.jsonl");
    (folder, path)
}

const ASKING: &str = r#"--> {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask"}}
<-- {"jsonrpc":"2.0","id":"q","method":"roots/list"}
--> {"jsonrpc":"2.0","id":"q","result":{"roots":[]}}
<-- {"jsonrpc":"2.0","id":1,"result":{"content":[]}}
"#;

#[test]
fn bad_input_is_answered_and_ends_nothing() {
    let (folder, _) = recording(ASKING);
    let deep = "[".repeat(100_000);
    let input = format!(
        "garbage\n{deep}\n\n{}\nnull\n{{\"jsonrpc\":\"2.0\",\"id\":{{}},\"method\":\"tools/call\",\"params\":[]}}\n{}\n",
        "x".repeat(9 << 20),
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"ask"}}"#
    );
    let said = lines(folder.path(), &input);
    let codes: Vec<i64> = said.iter().filter_map(|line| line["error"]["code"].as_i64()).collect();
    assert_eq!(codes, [-32700, -32700, -32700, -32600, -32602]);
    // It does not wait for a client that has gone.
    assert_eq!((&said[5]["method"], &said[6]["id"]), (&"roots/list".into(), &7.into()));
}

#[test]
fn what_cannot_be_served_is_told() {
    let (folder, path) = recording(ASKING);
    let missing = run_in(folder.path(), &["serve", "--from", "missing.jsonl"]);
    assert_eq!(missing.code, Some(2), "{}", missing.whole());
    let text = std::fs::read_to_string(&path).unwrap();
    let silent: String = text
        .lines()
        .filter(|line| !line.contains("received"))
        .fold(String::new(), |all, line| all + line + "\n");
    std::fs::write(&path, silent).unwrap();
    let ran = run_in(folder.path(), &["serve", "--from", "r.jsonl"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("no message of a server"), "{}", ran.whole());
}
