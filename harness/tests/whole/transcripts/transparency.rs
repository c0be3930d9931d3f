//! Whatever crosses, a recorder changes nothing: generated streams of bytes come out as they went in, both ways.
//!
//! `MCPROVE_CONVERSATIONS` says how many conversations are generated; `cargo test … -- --ignored` takes 10 000.

use crate::program::PROGRAM;
use base64::Engine as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Bytes as a client or a server may write them, hostile ones among them.
fn stream(random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.random_range(0..12) {
        match random.random_range(0..9) {
            0 => bytes.extend_from_slice(br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#),
            1 => bytes.extend_from_slice(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#),
            2 => bytes.extend((0..random.random_range(0..200)).map(|_| random.random::<u8>())),
            3 => bytes.extend_from_slice(b"{\"half\":"),
            4 => bytes.extend_from_slice(b"\r\n\r\n"),
            5 => bytes.extend_from_slice(&[0, 0xff, 0xfe, 0xc3]),
            6 => bytes.extend(std::iter::repeat_n(b'x', random.random_range(0..100_000))),
            7 => bytes.extend(std::iter::repeat_n(b'[', random.random_range(0..2_000))),
            _ => bytes.extend_from_slice("{\"ü\":\"\u{2028}\"}".as_bytes()),
        }
        if random.random_bool(0.7) {
            bytes.push(b'\n');
        }
    }
    bytes
}

/// One conversation: what the client writes has to reach the server, which keeps it in a file, and what the server writes
/// (a file, too) has to reach the client.
fn conversation(seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let (input, output, error) = (stream(&mut random), stream(&mut random), stream(&mut random));
    std::fs::write(folder.path().join("output"), &output).unwrap();
    std::fs::write(folder.path().join("error"), &error).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["record", "--quiet", "--out", "t.jsonl", "--"]).current_dir(folder.path());
    command.args(["sh", "-c", "cat output & cat error >&2; cat >input; wait; exit 3"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let written = input.clone();
    let pieces = random.random_range(1..5);
    let writer = std::thread::spawn(move || {
        for piece in written.chunks(written.len().div_ceil(pieces).max(1)) {
            stdin.write_all(piece).unwrap();
            stdin.flush().unwrap();
        }
    });
    let came = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!(came.status.code(), Some(3), "seed {seed}");
    assert!(came.stdout == output, "seed {seed}: standard output differs");
    assert!(came.stderr == error, "seed {seed}: standard error differs");
    assert!(
        std::fs::read(folder.path().join("input")).unwrap() == input,
        "seed {seed}: standard input differs"
    );
    let text = std::fs::read_to_string(folder.path().join("t.jsonl")).unwrap();
    assert!(text.ends_with("{\"event\":\"end\"}\n"), "seed {seed}");
    assert_eq!(recorded(&text, "stderr"), error, "seed {seed}: the recording of standard error differs");
}

/// The bytes of all raw events of a kind.
fn recorded(text: &str, kind: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        if line["event"] == kind {
            match (line["text"].as_str(), line["base64"].as_str()) {
                (Some(text), _) => bytes.extend_from_slice(text.as_bytes()),
                (None, Some(text)) => {
                    bytes.extend(base64::engine::general_purpose::STANDARD.decode(text).unwrap());
                }
                (None, None) => {}
            }
        }
    }
    bytes
}

#[test]
fn nothing_is_changed() {
    let count = std::env::var("MCPROVE_CONVERSATIONS").ok().and_then(|count| count.parse().ok());
    (0..count.unwrap_or(60)).for_each(conversation);
}

#[test]
#[ignore = "takes minutes"]
fn nothing_is_changed_in_ten_thousand_conversations() {
    (0..10_000).for_each(conversation);
}

/// The median time of a line there and back through `cat`, with the recorder between or not.
fn round_trip(recorded: bool) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let mut command = if recorded {
        let mut command = Command::new(PROGRAM);
        command.args(["record", "--quiet", "--out", "t.jsonl", "--", "cat"]);
        command
    } else {
        Command::new("cat")
    };
    command.current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let line = [br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.as_slice(), b"\n"].concat();
    let mut times = Vec::new();
    let mut back = vec![0; line.len()];
    for _ in 0..400 {
        let began = Instant::now();
        stdin.write_all(&line).unwrap();
        stdout.read_exact(&mut back).unwrap();
        times.push(began.elapsed());
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
    times.sort();
    times[times.len() / 2]
}

#[test]
fn recording_adds_less_than_a_millisecond() {
    // A busy machine may be slow now and then, and not three times in a row.
    let added = || round_trip(true).saturating_sub(round_trip(false));
    let best = (0..3).map(|_| added()).min().unwrap();
    println!("recording adds {best:?} to a round trip");
    assert!(best < Duration::from_millis(1), "recording adds {best:?} to a round trip");
}
