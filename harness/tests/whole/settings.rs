//! `mcprove.toml`: targets, defaults of flags and the baseline of a project.

use crate::program::{PROGRAM, run_in, settings};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn write(folder: &Path, text: &str) {
    fs::write(folder.join("mcprove.toml"), text.replace("PROGRAM", PROGRAM)).unwrap();
}

fn ids(document: &Value) -> BTreeSet<&str> {
    let results = document["results"].as_array().unwrap();
    results.iter().map(|row| row["requirement"].as_str().unwrap()).collect()
}

#[test]
fn a_file_names_the_target_and_the_defaults_of_flags() {
    let folder = tempfile::tempdir().unwrap();
    let text = "target = \"PROGRAM serve --fault ping.empty-result/pong\"\nonly = [\"ping.answered\", \"ping.empty-result\"]\n\
                revision = \"2025-11-25\"\nseed = 7\noutput-format = \"json\"\nbaseline = \"known.toml\"\n";
    write(folder.path(), text);
    fs::write(folder.path().join("known.toml"), "version = 1\n").unwrap();
    let ran = run_in(folder.path(), &["check"]);
    assert_eq!(ran.code, Some(1), "{}", ran.whole());
    assert!(ran.stderr.contains("with the settings of mcprove.toml"), "{}", ran.stderr);
    let document = ran.json();
    assert_eq!((&document["seed"], &document["target"]["kind"]), (&7.into(), &"command".into()));
    assert_eq!(ids(&document), BTreeSet::from(["ping.answered", "ping.empty-result"]));
    assert_eq!(document["baseline"]["file"], "known.toml");
    // The same without a verb; and what the command line says wins, for each flag and for the target.
    assert_eq!(run_in(folder.path(), &[]).json()["seed"], 7);
    let ran =
        run_in(folder.path(), &["check", "--only", "ping.answered", "--seed", "8", "--", PROGRAM, "serve"]);
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    let document = ran.json();
    assert_eq!((ids(&document), &document["seed"]), (BTreeSet::from(["ping.answered"]), &8.into()));
    assert!(document["target"]["display"].as_str().unwrap().ends_with("serve"));

    // Named by a flag, paths in it begin at its folder.
    let below = folder.path().join("below");
    fs::create_dir(&below).unwrap();
    let ran = run_in(&below, &["check", "--settings", "../mcprove.toml"]);
    assert_eq!(ran.json()["baseline"]["file"], "../known.toml", "{}", ran.whole());
}

#[test]
fn a_file_names_several_targets_each_with_its_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let text = "only = \"ping\"\nrevision = [\"2025-11-25\"]\n\
                [targets.good]\ntarget = \"PROGRAM serve\"\nbaseline = \"good.toml\"\n\
                [targets.bad]\ntarget = \"PROGRAM serve --fault ping.empty-result/pong\"\n";
    write(folder.path(), text);
    let ran = run_in(folder.path(), &["check", "--target", "good", "--update-baseline"]);
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    assert!(folder.path().join("good.toml").is_file());
    let ran = run_in(folder.path(), &["check"]);
    assert_eq!(ran.code, Some(1), "{}", ran.whole());
    for name in ["good", "bad"] {
        let run =
            fs::read_to_string(folder.path().join(".mcprove/latest").join(name).join("run.jsonl")).unwrap();
        assert_eq!(run.contains("\"event\":\"baseline\""), name == "good", "{name}");
    }

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = format!(
        "[targets.web]\ntarget = \"http://127.0.0.1:{port}/mcp\"\nstart = \"PROGRAM serve --http 127.0.0.1:{port}\"\n"
    );
    write(folder.path(), &text);
    let ran = run_in(folder.path(), &["check", "--only", "ping.answered", "--target", "web"]);
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut told = String::new();
    for text in [
        "target = \n",
        "seed = 1\ntimeuot = 5\n",
        "timeout = \"long\"\n",
        "\ntimeout = [1, 2]\n",
        "sandbox = \"yes\"\n",
        "fail-on = \"always\"\n",
        "calls = { of = \"x\" }\n",
        "update-baseline = true\n",
        "start = \"node server.js\"\n",
        "target = \"a\"\n[targets.b]\ntarget = \"c\"\n",
        "[targets.b]\ntarget = \"c\"\nbasline = \"d\"\n",
        "[targets.b]\nbaseline = \"d\"\n",
        "[targets.b]\ntarget = \"true\"\nstart = \"true\"\n",
    ] {
        write(folder.path(), text);
        let ran = run_in(folder.path(), &["check"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{text}: {}", ran.whole());
        let lines = ran.stderr.lines().filter(|line| !line.contains("with the settings of"));
        told.push_str(&lines.map(|line| line.to_owned() + "\n").collect::<String>());
    }
    let ran = run_in(folder.path(), &["check", "--settings", "no.toml"]);
    assert_eq!(ran.code, Some(2), "{}", ran.whole());
    told.push_str(&ran.stderr);
    settings().bind(|| insta::assert_snapshot!("settings_wrong", told));
}
