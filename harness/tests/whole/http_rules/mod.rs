//! Every rule about HTTP finds the server that breaks it: the reference server behind a proxy that twists one thing, and
//! the requirements that a check must then find broken, no fewer and no others.

mod client;
mod guards;
mod legacy;
mod legacy_sse;
mod modern;
mod proxy;

use mcprove_reference_server::{Config, Revision};
use proxy::Twist;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::{Arc, Mutex};

/// A twisted server and what is broken by it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) twist: Arc<dyn Twist>,
    /// The revision to check.
    pub(crate) revision: &'static str,
    /// The revisions that the server speaks; all if empty.
    pub(crate) serves: &'static [&'static str],
    /// What is checked; all areas about HTTP by default.
    pub(crate) only: &'static str,
    /// Further arguments of the check.
    pub(crate) arguments: &'static [&'static str],
    /// The path of the endpoint.
    pub(crate) path: &'static str,
    /// The requirements that must be found broken.
    pub(crate) breaks: &'static [&'static str],
}

impl Case {
    pub(crate) fn new(
        name: &'static str,
        revision: &'static str,
        twist: impl Twist,
        breaks: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            twist: Arc::new(twist),
            revision,
            serves: &[],
            only: AREAS,
            path: "/mcp",
            arguments: &[],
            breaks,
        }
    }
}

const AREAS: &str = "http,http-session,http-headers,http-legacy-sse";

/// What a check finds broken: the ids with `fail`, `warn` or `flaky`; and what it says about every row.
fn broken(case: &Case) -> Result<(BTreeSet<String>, BTreeMap<String, String>), String> {
    let mut config = Config::default();
    if !case.serves.is_empty() {
        config.revisions = case.serves.iter().filter_map(|revision| Revision::parse(revision)).collect();
    }
    let address = proxy::serve(config, Arc::clone(&case.twist));
    let out = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_mcprove"))
        .args(["check", &format!("http://{address}{}", case.path), "--only", case.only])
        .args(["--revision", case.revision, "--output-format", "json", "--timeout", "5"])
        .args(case.arguments)
        .envs(guards::TOKENS)
        .arg("--out")
        .arg(out.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let report: Value = serde_json::from_str(&text)
        .map_err(|error| format!("{error}: {text}\n{}", String::from_utf8_lossy(&output.stderr)))?;
    let rows = report["results"].as_array().unwrap();
    if rows.is_empty() {
        return Err(format!("nothing was judged: {}", report["error"]));
    }
    let id = |row: &Value| row["requirement"].as_str().unwrap().to_owned();
    let broken = rows
        .iter()
        .filter(|row| matches!(row["outcome"].as_str(), Some("fail" | "warn" | "flaky")))
        .map(id)
        .collect();
    let told = |row: &Value| {
        let found = &row["findings"][0];
        format!("{} {} {} {}", row["outcome"], row["reason"]["text"], found["message"], found["actual"])
    };
    Ok((broken, rows.iter().map(|row| (id(row), told(row))).collect()))
}

/// What is wrong with what a check finds of a case, if anything.
fn wrong(case: &Case) -> Option<String> {
    let expected: BTreeSet<String> = case.breaks.iter().map(|id| (*id).to_owned()).collect();
    match broken(case) {
        Ok((found, _)) if found == expected => None,
        Ok((found, told)) => {
            let with_reason = |id: &String| format!("{id}: {:?}", told.get(id));
            let missed: Vec<_> = expected.difference(&found).map(with_reason).collect();
            let wrong: Vec<_> = found.difference(&expected).map(with_reason).collect();
            Some(format!("{} ({}): missed {missed:?}, wrongly found {wrong:?}", case.name, case.revision))
        }
        Err(why) => Some(format!("{}: {why}", case.name)),
    }
}

fn run(cases: Vec<Case>) {
    let only = std::env::var("MCPROVE_TEST_CASE").ok();
    let cases = cases.into_iter().filter(|case| only.as_ref().is_none_or(|only| case.name == only));
    let queue = Mutex::new(cases.collect::<Vec<_>>());
    let again = Mutex::new(Vec::new());
    // A check waits far more than it works.
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let Some(case) = queue.lock().unwrap().pop() else { return };
                    if wrong(&case).is_some() {
                        again.lock().unwrap().push(case);
                    }
                }
            });
        }
    });
    // Some twists can be told only where the answers are quick: what the crowd hid is tried by itself.
    let failures: Vec<String> = again.into_inner().unwrap().iter().filter_map(wrong).collect();
    assert!(failures.is_empty(), "\n{}\n", failures.join("\n"));
}

#[test]
fn broken_servers_of_the_older_era_are_found() {
    run(legacy::cases());
}

#[test]
fn broken_servers_of_the_newer_era_are_found() {
    run(modern::cases());
}

#[test]
fn broken_servers_of_the_oldest_transport_are_found() {
    run(legacy_sse::cases());
}

#[test]
fn broken_guards_are_found() {
    run(guards::cases());
}
