//! Frozen sets of requirements: they never change, and an older one never fails for what came later.

use crate::program::{PROGRAM, run_in, valid};
use mcprove::protocol::Revision;
use mcprove::protocol::catalogue::{Catalogue, REQUIREMENT_SET, RequirementSet};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The published sets, each with the SHA-256 of its file. A line of this list is never changed: who changes the
/// catalogue gives `REQUIREMENT_SET` a new date, and adds a line.
const PUBLISHED: &[(&str, &str)] = &[
    ("2026-11-22", "9d03c5c2c30d53d35215d5a1c9d7492b6e0167bc93c9afa02d33723b95a26552"),
    ("2026-11-23", "9f7158496325dd736eb2404607a1651bee72ba8e4f6f5ab9a8384221337de790"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogue/sets")
}

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// The catalogue as a set.
fn of_catalogue() -> String {
    let revisions: Vec<String> = Revision::ALL.iter().map(|revision| format!("\"{revision}\"")).collect();
    let mut text = format!(
        "# The requirements of {REQUIREMENT_SET}: for each revision M (MUST, MUST NOT, INVARIANT), S (SHOULD, SHOULD NOT) or - (none).\n\
         # Frozen: a set that was published never changes. `.ci/docs` writes a new one.\n\
         date = \"{REQUIREMENT_SET}\"\nrevisions = [{}]\n\n[requirements]\n",
        revisions.join(", ")
    );
    let rows: BTreeMap<&str, String> = Catalogue::get()
        .iter()
        .map(|row| {
            let letter =
                |revision| row.level(revision).map_or('-', |level| if level.is_should() { 'S' } else { 'M' });
            (row.id.as_str(), Revision::ALL.map(letter).iter().collect())
        })
        .collect();
    for (id, letters) in rows {
        let _ = writeln!(text, "\"{id}\" = \"{letters}\"");
    }
    text
}

#[test]
fn a_published_set_never_changes() {
    let mut dates: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().strip_suffix(".toml").unwrap().to_owned())
        .collect();
    dates.sort();
    let published: Vec<&str> = PUBLISHED.iter().map(|(date, _)| *date).collect();
    assert_eq!(dates, published, "each file of catalogue/sets has a line in PUBLISHED");
    for (date, expected) in PUBLISHED {
        let text = fs::read_to_string(folder().join(format!("{date}.toml"))).unwrap();
        assert_eq!(hash(&text), *expected, "the set of {date} was published and has changed");
        assert!(RequirementSet::known().contains(date), "the set of {date} is not in the program");
    }
}

#[test]
fn every_id_of_a_set_is_still_there() {
    for (date, _) in PUBLISHED {
        let text = fs::read_to_string(folder().join(format!("{date}.toml"))).unwrap();
        let set = RequirementSet::read(&text).unwrap();
        let lost: Vec<&str> =
            set.ids().into_iter().filter(|id| Catalogue::get().requirement(id).is_none()).collect();
        assert!(lost.is_empty(), "{date}: {lost:?}");
    }
}

#[test]
fn the_newest_set_is_the_catalogue() {
    let path = folder().join(format!("{REQUIREMENT_SET}.toml"));
    let now = of_catalogue();
    if fs::read_to_string(&path).ok().as_ref() == Some(&now) {
        return;
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &now).unwrap();
        panic!(
            "written; put the line (\"{REQUIREMENT_SET}\", \"{}\") into PUBLISHED if it was not yet",
            hash(&now)
        );
    }
    panic!(
        "the catalogue is not what the set of {REQUIREMENT_SET} froze: give REQUIREMENT_SET the date of today, add \
         that file to the list in files.rs, and write it with: UPDATE=1 cargo test -p mcprove --test whole sets"
    );
}

#[test]
fn an_older_set_does_not_fail_for_what_came_later() {
    let folder = tempfile::tempdir().unwrap();
    let check = |set: &[&str]| {
        let args = ["check", "--only", "caching.ttl", "--output-format", "json"];
        let server = ["--", PROGRAM, "serve", "--fault", "caching.ttl.integer/text"];
        run_in(folder.path(), &[&args, set, &server].concat())
    };
    let now = check(&[]);
    assert_eq!(
        (now.code, &now.json()["requirement_set"]),
        (Some(1), &REQUIREMENT_SET.into()),
        "{}",
        now.whole()
    );
    assert_eq!(check(&["--requirements", REQUIREMENT_SET]).json()["summary"], now.json()["summary"]);
    // The rule came with 2026-07-28: by the rules until then nothing of it is asked.
    let then = check(&["--requirements", "2025-11-25"]);
    assert_eq!(then.code, Some(4), "{}", then.whole());
    let whole =
        ["check", "--only", "caching.ttl,ping", "--requirements", "2025-11-25", "--output-format", "json"];
    let server = ["--", PROGRAM, "serve", "--fault", "caching.ttl.integer/text"];
    let ran = run_in(folder.path(), &[&whole[..], &server].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.whole());
    let document = ran.json();
    valid("report-v1.schema.json", &document);
    assert_eq!(document["requirement_set"], "2025-11-25");
    let rows = document["results"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["requirement"].as_str().unwrap().starts_with("ping.")));
    let modern: Vec<_> = rows.iter().filter(|row| row["revision"] == "2026-07-28").collect();
    assert!(!modern.is_empty() && modern.iter().all(|row| row["outcome"] == "not-applicable"), "{modern:?}");
}
