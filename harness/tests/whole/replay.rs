//! Recordings are replayed by the whole program: an unchanged server shows no difference, a changed one every change.

mod bad;
mod planted;
mod review;

use crate::program::{PROGRAM, Ran, run_in};
use crate::recording::{over_http, over_stdio, server, written};
use mcprove::protocol::Revision;

use std::path::Path;

#[track_caller]
fn no_difference(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    assert!(ran.stdout.ends_with("\nno difference\n"), "{}", ran.whole());
}

fn against_stdio(folder: &Path, file: &str, flags: &[&str]) -> Ran {
    run_in(folder, &[&["replay", file], flags, &["--", PROGRAM, "serve"]].concat())
}

/// Learns from three recordings what varies; the rules are in the first.
fn learned(folder: &Path, files: [&str; 3]) {
    let args = [&["transcript", "learn"], &files[..], &["--write", files[0]]].concat();
    let ran = run_in(folder, &args);
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
}

#[test]
fn the_reference_server_replays_over_stdio() {
    let folder = tempfile::tempdir().unwrap();
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28, Revision::V2025_03_26] {
        for file in ["a.jsonl", "b.jsonl", "c.jsonl"] {
            assert!(over_stdio(folder.path(), file, &[], revision) > 30);
        }
        learned(folder.path(), ["a.jsonl", "b.jsonl", "c.jsonl"]);
        no_difference(&against_stdio(folder.path(), "a.jsonl", &[]));
        no_difference(&against_stdio(folder.path(), "b.jsonl", &["--mode", "schema"]));
    }
}

#[test]
fn the_reference_server_replays_over_http() {
    let folder = tempfile::tempdir().unwrap();
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        for file in ["a.jsonl", "b.jsonl", "c.jsonl"] {
            // It remembers what was done to it, so each conversation is with a new one.
            let (_server, url) = server(folder.path(), &["--page-size", "9"]);
            assert!(over_http(folder.path(), file, &url, revision, 1) > 30);
        }
        learned(folder.path(), ["a.jsonl", "b.jsonl", "c.jsonl"]);
        let (_server, url) = server(folder.path(), &["--page-size", "9"]);
        let ran = run_in(folder.path(), &["replay", "a.jsonl", url.as_str()]);
        no_difference(&ran);
        assert!(!ran.stdout.contains(" 0 values bound"), "cursors are of the server: {}", ran.whole());
    }
}

#[test]
fn each_transport_replays_over_the_other() {
    let folder = tempfile::tempdir().unwrap();
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        over_stdio(folder.path(), "stdio.jsonl", &[], revision);
        let (_server, url) = server(folder.path(), &[]);
        no_difference(&run_in(folder.path(), &["replay", "stdio.jsonl", "--mode", "shape", url.as_str()]));
        let (_server, url) = server(folder.path(), &[]);
        over_http(folder.path(), "http.jsonl", &url, revision, 1);
        no_difference(&against_stdio(folder.path(), "http.jsonl", &["--mode", "shape"]));
    }
}

#[test]
fn every_session_of_a_recording_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["two.jsonl", "b.jsonl", "c.jsonl"] {
        let (_server, url) = server(folder.path(), &[]);
        over_http(folder.path(), file, &url, Revision::V2025_06_18, 2);
    }
    learned(folder.path(), ["two.jsonl", "b.jsonl", "c.jsonl"]);
    let (_server, url) = server(folder.path(), &[]);
    let ran = run_in(folder.path(), &["replay", "two.jsonl", url.as_str(), "--output-format", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    let document = ran.json();
    crate::program::valid("report-v1.schema.json", &document);
    let sessions = document["replay"]["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    assert!(sessions.iter().all(|session| session["sent"] == session["sends"] && session["gone"].is_null()));
}

#[test]
fn another_era_is_spoken_and_what_it_lacks_is_told() {
    let folder = tempfile::tempdir().unwrap();
    over_stdio(folder.path(), "legacy.jsonl", &[], Revision::V2025_11_25);
    let ran = against_stdio(folder.path(), "legacy.jsonl", &["--revision", "2026-07-28"]);
    assert!(ran.stdout.contains("ping: the modern era has no `ping`"), "{}", ran.whole());
    over_stdio(folder.path(), "modern.jsonl", &[], Revision::V2026_07_28);
    let ran = against_stdio(folder.path(), "modern.jsonl", &["--revision", "2025-11-25"]);
    assert!(
        ran.stdout.contains("subscriptions/listen: a legacy server sends changes by itself"),
        "{}",
        ran.whole()
    );
}

/// The same gaps, and not a moment less.
#[test]
fn gaps_are_kept_where_that_is_wished() {
    let folder = tempfile::tempdir().unwrap();
    let ping = |id: u32| {
        format!(
            "--> {{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}\n<-- {{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}}}}\n"
        )
    };
    written(folder.path(), "t.jsonl", &[ping(1), ping(2)].concat());
    let path = folder.path().join("t.jsonl");
    let later = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        let seq = line["seq"].as_u64().unwrap_or(0);
        if line.get("at_ns").is_some() {
            line["at_ns"] = (if seq < 2 { 0_u64 } else { 1_500_000_000 }).into();
        }
        line.to_string() + "\n"
    };
    let text: String = std::fs::read_to_string(&path).unwrap().lines().map(later).collect();
    std::fs::write(&path, text).unwrap();
    let took = |flags: &[&str]| {
        let began = std::time::Instant::now();
        no_difference(&against_stdio(folder.path(), "t.jsonl", flags));
        began.elapsed().as_millis()
    };
    assert!(took(&["--timing", "recorded"]) >= 1500);
    assert!(took(&[]) < 1400);
}
