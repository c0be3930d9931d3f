//! A check of a server that is not ours: the example built on `rmcp`, over stdio and over HTTP. What is found there is
//! kept as a snapshot; each `fail` was looked at by hand (`fixtures/zoo/verdicts.toml` says why it is true).

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

fn example() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_mcprove")).with_file_name("examples").join("rmcp_server");
    assert!(
        program.exists(),
        "{} is missing; run `cargo test` or `cargo build --examples`",
        program.display()
    );
    program
}

/// Runs a check and returns its document.
fn check(target: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_mcprove"))
        .args(["check", "--output-format", "json", "--out"])
        .arg(folder.path().join("run"))
        .args(target)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("no document: {error}\n{}", String::from_utf8_lossy(&output.stderr));
    })
}

/// True, but a race inside rmcp 3.9.0: `notifications/cancelled` takes the route of its request away at once, and a
/// response that crosses it goes to the stream of the session. A run sees it or does not.
const RACES: [&str; 1] = ["http.get.no-response"];

/// What was found, one line a requirement: outcome, id, the units in which it was found, and what came.
fn findings(document: &Value) -> String {
    assert_eq!(document["truncated"], false, "{}", document["error"]);
    let mut lines = std::collections::BTreeMap::<(String, String, String), Vec<String>>::new();
    for result in document["results"].as_array().unwrap() {
        let outcome = result["outcome"].as_str().unwrap();
        let races = RACES.contains(&result["requirement"].as_str().unwrap());
        if races || !matches!(outcome, "fail" | "warn" | "flaky") {
            continue;
        }
        let what = match result["findings"].as_array().unwrap().first() {
            Some(finding) => {
                let text = |member: &str| finding[member].as_str().unwrap().to_owned();
                unnamed(&format!("{} [{}]", text("message"), text("actual")))
            }
            None => result["reason"]["text"].as_str().unwrap().to_owned(),
        };
        let key = (outcome.to_owned(), result["requirement"].as_str().unwrap().to_owned(), what);
        lines.entry(key).or_default().push(result["revision"].as_str().unwrap().to_owned());
    }
    let mut text = String::new();
    for ((outcome, id, what), revisions) in lines {
        text += &format!("{outcome} {id} ({})\n    {what}\n", revisions.join(", "));
    }
    text
}

/// Requests are pipelined: of several results with one defect any may be the first, so their names are left out.
fn unnamed(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 0 { part } else { "`…`" }).collect()
}

/// Every revision of rmcp was tested, and most of what any server can show was decided.
fn really_ran(document: &Value, units: usize) {
    let results = document["results"].as_array().unwrap();
    let tested: std::collections::BTreeSet<&str> =
        results.iter().map(|result| result["revision"].as_str().unwrap()).collect();
    assert_eq!(tested.len(), units, "{tested:?}");
    let passed = document["summary"]["pass"].as_u64().unwrap();
    assert!(passed > 40 * units as u64, "only {passed} results passed: what was tested?");
}

#[test]
fn over_stdio() {
    let document = check(&["--", example().to_str().unwrap()]);
    really_ran(&document, 5);
    insta::assert_snapshot!("rmcp_stdio", findings(&document));
}

#[test]
fn over_http() {
    let mut server = Command::new(example())
        .arg("127.0.0.1:0")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().rsplit(' ').next().unwrap().to_owned();
    let document = std::panic::catch_unwind(|| check(&[url.as_str()]));
    server.kill().unwrap();
    server.wait().unwrap();
    let document = document.unwrap();
    really_ran(&document, 5);
    // The port is another one each time.
    let text = findings(&document).replace(url.trim_end_matches("/mcp"), "http://HOST");
    insta::assert_snapshot!("rmcp_http", text);
}
