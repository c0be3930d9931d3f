//! `check --baseline`: what is known does not count, and a baseline cannot rot.

use crate::program::{PROGRAM, Ran, run_in, settings, valid};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const CHECK: [&str; 5] = ["check", "--only", "ping,base.response", "--revision", "2025-11-25"];

/// Checks the reference server with a fault, or an honest one.
fn check(folder: &Path, fault: Option<&str>, more: &[&str]) -> Ran {
    let fault: Vec<&str> = fault.iter().flat_map(|fault| ["--fault", fault]).collect();
    run_in(folder, &[&CHECK, more, &["--", PROGRAM, "serve"], &fault].concat())
}

const PONG: Option<&str> = Some("ping.empty-result/pong");
const BASELINE: [&str; 2] = ["--baseline", "known.toml"];

/// Replaces the signatures, which follow the rules that see the defect.
macro_rules! snapshot {
    ($name:literal, $text:expr) => {{
        let mut settings = settings();
        settings.add_filter(r"\b[0-9a-f]{12}\b", "[signature]");
        settings.bind(|| insta::assert_snapshot!($name, $text))
    }};
}

/// What the report says of the baseline, and its last word.
fn told(ran: &Ran) -> String {
    let mut ours = false;
    let mut text = String::new();
    for line in ran.stdout.lines() {
        if line.starts_with("── ") {
            ours = line.starts_with("── Known") || line.starts_with("── The baseline");
        }
        if ours || ["    PASS ", "    FAIL ", "    MEND "].iter().any(|word| line.starts_with(word)) {
            text.push_str(&format!("{line}\n"));
        }
    }
    text
}

/// Gives the reason of the one entry.
fn fill_in(file: &Path) {
    let text = fs::read_to_string(file).unwrap();
    let placeholder = text.lines().find(|line| line.starts_with("reason")).unwrap();
    fs::write(file, text.replace(placeholder, "reason = \"mended in the next release\"")).unwrap();
}

#[test]
fn a_baseline_is_written_filled_in_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known.toml");
    assert_eq!(check(folder.path(), PONG, &[]).code, Some(1));

    // Written, it still waits for somebody who says why.
    let ran = check(folder.path(), PONG, &[&BASELINE[..], &["--update-baseline"]].concat());
    assert_eq!(ran.code, Some(1), "{}", ran.whole());
    let text = fs::read_to_string(&file).unwrap();
    snapshot!("baseline_written", &text);
    snapshot!("baseline_without_reason", told(&ran));
    let again = check(folder.path(), PONG, &[&BASELINE[..], &["--update-baseline"]].concat());
    assert_eq!((again.code, fs::read_to_string(&file).unwrap()), (Some(1), text.clone()));

    // With a reason it is known and does not count.
    fill_in(&file);
    let ran = check(folder.path(), PONG, &BASELINE);
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    snapshot!("baseline_known", told(&ran));
    let drawn = run_in(folder.path(), &["report", ".mcprove/latest"]);
    assert_eq!(drawn.stdout, ran.stdout);
    let page = fs::read_to_string(folder.path().join(".mcprove/latest/index.html")).unwrap();
    assert!(page.contains("mended in the next release") && !page.contains("id=\"fail\""), "{page}");
    let document = check(folder.path(), PONG, &[&BASELINE[..], &["--output-format", "json"]].concat()).json();
    valid("report-v1.schema.json", &document);
    assert!(document["summary"]["fail"].as_u64().unwrap() > 0, "the results are told as they are");
    let baseline = &document["baseline"];
    assert_eq!(baseline["results"].as_array().unwrap().len() as u64, document["summary"]["fail"]);
    assert_eq!(baseline["problems"], json!([]));
    assert_eq!(baseline["defects"][0]["reason"], "mended in the next release");
}

#[test]
fn a_baseline_hides_nothing_else_and_is_emptied() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known.toml");
    check(folder.path(), PONG, &[&BASELINE[..], &["--update-baseline"]].concat());
    fill_in(&file);

    // Another defect counts all the same.
    let two = Some("ping.empty-result/pong,base.response.at-most-once/twice");
    let ran = check(folder.path(), two, &BASELINE);
    assert_eq!(ran.code, Some(1), "{}", ran.whole());
    assert!(ran.stdout.contains("FAIL   base.response.at-most-once"), "{}", ran.stdout);

    // Mended, the entry has to go.
    let ran = check(folder.path(), None, &BASELINE);
    assert_eq!(ran.code, Some(1), "{}", ran.whole());
    snapshot!("baseline_gone", told(&ran));
    let ran = check(folder.path(), None, &[&BASELINE[..], &["--fail-on", "never"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    let ran = check(folder.path(), None, &[&BASELINE[..], &["--update-baseline"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    assert!(!fs::read_to_string(&file).unwrap().contains("[[known]]"));
}

fn entry(requirement: &str, signature: &str, more: &str) -> String {
    format!(
        "\n[[known]]\nrequirement = \"{requirement}\"\nsignature = \"{signature}\"\nreason = \"r\"\n{more}"
    )
}

fn problems(document: &Value) -> Vec<(String, u64)> {
    let problems = document["baseline"]["problems"].as_array().unwrap();
    let code = |problem: &Value| problem["code"].as_str().unwrap().to_owned();
    problems.iter().map(|problem| (code(problem), problem["line"].as_u64().unwrap())).collect()
}

#[test]
fn what_is_wide_or_old_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let text = [
        "version = 1\n".to_owned(),
        entry("ping", "*", ""),
        entry("*", "0123456789ab", ""),
        entry("ping.empty-result", "*", ""),
        entry("ping.empty-result", "0123*", "expires = \"2020-02-29\"\n"),
    ];
    fs::write(folder.path().join("known.toml"), text.concat()).unwrap();
    let ran = check(folder.path(), PONG, &[&BASELINE[..], &["--output-format", "json"]].concat());
    let document = ran.json();
    valid("report-v1.schema.json", &document);
    let expected: Vec<(String, u64)> = [("too-wide", 3), ("too-wide", 8), ("too-wide", 13), ("expired", 18)]
        .map(|(c, l)| (c.to_owned(), l))
        .into();
    assert_eq!(problems(&document), expected);
    assert_eq!((ran.code, &document["baseline"]["results"]), (Some(1), &json!([])));
    snapshot!("baseline_rotten", told(&run_in(folder.path(), &["report", ".mcprove/latest"])));
    // An update puts narrow entries in the place of the wide ones; what is old waits for a person.
    let update = [&BASELINE[..], &["--update-baseline"]].concat();
    check(folder.path(), PONG, &update);
    snapshot!("baseline_narrowed", fs::read_to_string(folder.path().join("known.toml")).unwrap());
}

#[test]
fn what_was_not_decided_is_not_gone() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["check", "--only", "tools", "--revision", "2025-11-25", "--calls", "none"];
    let all = |more: &[&str]| {
        let ran = run_in(
            folder.path(),
            &[&args, more, &["--output-format", "json", "--", PROGRAM, "serve"]].concat(),
        );
        ran.json()
    };
    let rows = all(&[])["results"].as_array().unwrap().clone();
    let with = |outcome: &str| {
        let row = rows.iter().find(|row| row["outcome"] == outcome);
        row.unwrap()["requirement"].as_str().unwrap().to_owned()
    };
    let here = "revision = \"2025-11-25\"\n";
    let text = [
        "version = 1\n".to_owned(),
        entry(&with("inconclusive"), "0123456789ab", here),
        entry(&with("pass"), "0123456789ab", here),
        // Nothing of it was asked.
        entry("ping.answered", "0123456789ab", ""),
        entry(&with("pass"), "0123456789ac", "transport = \"http\"\n"),
    ];
    fs::write(folder.path().join("known.toml"), text.concat()).unwrap();
    assert_eq!(problems(&all(&BASELINE)), [("gone".to_owned(), 9)]);
}

#[test]
fn a_file_that_cannot_be_used_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let good = entry("ping.answered", "0a", "");
    let mut told = String::new();
    for text in [
        "known = []\n",
        "version = 7\n",
        "version = 1\nknown = 3\n",
        "version = 1\n[[known\n",
        &format!("version = 1\n{}", good.replace("answered", "answred")),
        &format!("version = 1\n{}", good.replace("reason = \"r\"\n", "")),
        &format!("version = 1\n{}", good.replace("\"r\"", "\"\"")),
        &format!("version = 1\n{good}expires = \"tomorrow\"\n"),
        &format!("version = 1\n{good}transport = \"carrier pigeon\"\n"),
        &format!("version = 1\n{good}{good}"),
    ] {
        fs::write(folder.path().join("known.toml"), text).unwrap();
        let ran = check(folder.path(), None, &BASELINE);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.whole());
        told.push_str(&ran.stderr);
    }
    for args in [
        &["check", "--baseline", "no.toml"][..],
        &["check", "--baseline", "no/such/folder.toml", "--update-baseline"],
        &["check", "--update-baseline"],
        &["check", "--baseline", "known.toml", "--target", "a=true", "--target", "b=true"],
    ] {
        let ran = run_in(folder.path(), args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.whole());
        told.push_str(&ran.stderr);
    }
    snapshot!("baseline_bad_files", told);
}
