//! Every twist of `examples/twisted` must be found, and found as what it is: a table of twists and the requirements
//! that each one breaks. The untwisted server must come out clean.
//!
//! The test binary is the twisted server too (`twisted serve NAME`), so that the two can't be out of step.

#[allow(dead_code, reason = "the example uses what the tests do not")]
#[path = "../../examples/twisted/server/mod.rs"]
mod server;

mod asking;
mod base;
mod batch;
mod features;
mod notices;
mod robustness;
mod stdio;
mod real;
mod values;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// A twist, where it is checked, and what must be found.
struct Case {
    /// The name of the twist.
    twist: &'static str,
    /// The revision spoken.
    revision: &'static str,
    /// What is checked: `--only`.
    only: &'static str,
    /// Requirements with a finding of their own, each with its outcome; no other may have one.
    found: &'static [(&'static str, &'static str)],
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if let [_, serve, name] = words.as_slice()
        && serve == "serve"
    {
        return server::run(name).unwrap_or(ExitCode::from(2));
    }
    // The longest first.
    let longest = Trial::test("robustness.liveness_closes-its-input_2025-11-25", real::closes_its_input);
    let mut trials = vec![longest];
    for case in [
        base::CASES,
        batch::CASES,
        notices::CASES,
        real::CASES,
        robustness::CASES,
        stdio::CASES,
        values::CASES,
    ]
    .into_iter()
    .flatten()
    {
        let name = format!("{}_{}_{}", case.only.replace(',', "+"), case.twist, case.revision);
        let found = case.found.iter().map(|(id, outcome)| (*id, Some(*outcome))).collect();
        trials.push(Trial::test(name, move || check(case.twist, case.revision, case.only, found)));
    }
    for case in asking::CASES.iter().chain(features::CASES) {
        let name = format!("{}_{}_{}", case.only.replace(',', "+"), case.twist, case.revision);
        let found = case.found.iter().map(|id| (*id, None)).collect();
        trials.push(Trial::test(name, move || check(case.twist, case.revision, case.only, found)));
    }
    let mut arguments = Arguments::from_args();
    // They wait more than they work.
    arguments.test_threads.get_or_insert(30);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Checks a twist. `expected` are the requirements with a finding of their own and, where it matters, their outcomes; no
/// other may have one.
fn check(
    twist: &str,
    revision: &str,
    only: &str,
    expected: Vec<(&'static str, Option<&'static str>)>,
) -> Result<(), Failed> {
    let words = [std::env::current_exe()?.into(), "serve".into(), twist.into()];
    check_command(&words, revision, only, expected)
}

/// The same of any command.
fn check_command(
    command: &[OsString],
    revision: &str,
    only: &str,
    mut expected: Vec<(&'static str, Option<&'static str>)>,
) -> Result<(), Failed> {
    let out = tempfile::tempdir()?;
    let output = Command::new(env!("CARGO_BIN_EXE_mcprove"))
        .args(["check", "--timeout", "1", "--output-format", "json", "--calls", "all"])
        .args(["--revision", revision, "--only", only, "--out"])
        .arg(out.path())
        .arg("--")
        .args(command)
        .output()?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("no report: {error}\n{}", String::from_utf8_lossy(&output.stderr)))?;
    let results = report["results"].as_array().ok_or("no results")?;
    let mut found: Vec<(&str, &str)> = results
        .iter()
        .filter(|row| row["findings"].as_array().is_some_and(|findings| !findings.is_empty()))
        .filter_map(|row| Some((row["requirement"].as_str()?, row["outcome"].as_str()?)))
        .collect();
    found.sort_unstable();
    expected.sort_unstable();
    let fits = |((id, outcome), (wanted, wanted_outcome)): (&(&str, &str), &(&str, Option<&str>))| {
        id == wanted && wanted_outcome.is_none_or(|wanted| wanted == *outcome)
    };
    if found.len() != expected.len() || !found.iter().zip(&expected).all(fits) {
        let details: Vec<String> = results
            .iter()
            .flat_map(|row| row["findings"].as_array().into_iter().flatten().map(move |f| (row, f)))
            .map(|(row, finding)| {
                format!(
                    "{} {}: {} | {}",
                    row["outcome"], row["requirement"], finding["message"], finding["actual"]
                )
            })
            .collect();
        return Err(format!(
            "found {found:?}\nexpected {expected:?}\n{}\nerror {}",
            details.join("\n"),
            report["error"]
        )
        .into());
    }
    Ok(())
}
