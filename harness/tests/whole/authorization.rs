//! Servers with authorization, as a check of a server that knows nothing of us sees them.
#![cfg(feature = "enterprise")]

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const MCPROVE: &str = env!("CARGO_BIN_EXE_mcprove");

/// The reference server on a port of its own.
struct Served {
    process: Child,
    url: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(arguments: &[&str]) -> Served {
    let mut process = Command::new(MCPROVE)
        .args(["serve", "--http", "127.0.0.1:0"])
        .args(arguments)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.split_whitespace().last().unwrap().to_owned();
    Served { process, url }
}

/// The exit code and the document of a check.
fn check(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, Value) {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(MCPROVE)
        .args(["check", "--output-format", "json", "--out"])
        .arg(folder.path())
        .args(["--only", "auth,security"])
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), document)
}

fn outcome<'a>(document: &'a Value, requirement: &str) -> &'a str {
    let rows = document["results"].as_array().unwrap();
    let row = rows.iter().find(|row| row["requirement"] == requirement);
    row.unwrap_or_else(|| panic!("no row {requirement}"))["outcome"].as_str().unwrap()
}

fn bad(document: &Value) -> Vec<String> {
    let rows = document["results"].as_array().unwrap().iter();
    let bad = rows.filter(|row| ["fail", "warn", "flaky"].contains(&row["outcome"].as_str().unwrap()));
    bad.map(|row| row["requirement"].to_string()).collect()
}

#[test]
fn a_server_that_is_shut_is_judged_by_what_it_says() {
    let served = serve(&["--with-test-authorization-server"]);
    let (code, document) = check(&[&served.url], &[]);
    assert_eq!(code, 3);
    assert!(
        document["error"]["message"].as_str().unwrap().contains("asks for a token"),
        "{}",
        document["error"]
    );
    assert_eq!(bad(&document), Vec::<String>::new());
    for held in [
        "auth.challenge.present",
        "auth.challenge.scope",
        "auth.metadata.implemented",
        "auth.metadata.resource-matches",
        "auth.status.missing-token-unauthorized",
        "auth.status.invalid-token-unauthorized",
        "auth.token.before-processing",
    ] {
        assert_eq!(outcome(&document, held), "pass", "{held}");
    }
    assert_eq!(outcome(&document, "auth.token.audience"), "inconclusive");
    let served = serve(&["--with-test-authorization-server", "--fault", "auth.challenge.present/absent"]);
    let (code, document) = check(&[&served.url], &[]);
    assert_eq!((code, outcome(&document, "auth.challenge.present")), (3, "fail"));
}

#[test]
fn an_open_server_has_nothing_to_fail() {
    let served = serve(&[]);
    let (code, document) = check(&[&served.url, "--revision", "2025-11-25"], &[]);
    assert_eq!(code, 0);
    assert_eq!(bad(&document), Vec::<String>::new());
    for row in ["auth.challenge.present", "auth.metadata.implemented", "auth.token.audience"] {
        assert_eq!(outcome(&document, row), "not-applicable", "{row}");
    }
}
