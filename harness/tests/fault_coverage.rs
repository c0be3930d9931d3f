//! What the faults of the reference server cover: every requirement that is decided, and the bugs of real servers.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use mcprove::protocol::catalogue::{Catalogue, Requirement};
use mcprove::{monitors, probes};
use mcprove_reference_server::faults;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoFault {
    row: Vec<Row>,
}

/// A requirement that no fault of a server can break, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RealBugs {
    bug: Vec<Bug>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bug {
    number: usize,
    what: String,
    links: Vec<String>,
    #[serde(default)]
    faults: Vec<String>,
    why: Option<String>,
}

fn read<T: serde::de::DeserializeOwned>(path: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn without_fault() -> Vec<Row> {
    read::<NoFault>("catalogue/policy/no-fault.toml").row
}

fn is_decided(requirement: &Requirement) -> bool {
    let id = requirement.id.as_str();
    monitors::deciding(id).next().is_some() || probes::deciding(id).next().is_some()
}

fn broken() -> BTreeSet<&'static str> {
    faults().flat_map(mcprove_reference_server::Fault::breaks).collect()
}

#[test]
fn every_requirement_that_is_decided_is_broken_by_a_fault() {
    let (broken, rows) = (broken(), without_fault());
    let excused: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let missing: Vec<&str> = Catalogue::get()
        .iter()
        .filter(|row| is_decided(row))
        .map(|row| row.id.as_str())
        .filter(|id| !broken.contains(id) && !excused.contains(id))
        .collect();
    assert!(missing.is_empty(), "no fault breaks these, and nothing says why:\n{}", missing.join("\n"));
}

#[test]
fn what_has_no_fault_is_told_with_the_reason_and_nothing_else_is() {
    let (broken, rows) = (broken(), without_fault());
    let mut wrong = Vec::new();
    for row in &rows {
        match Catalogue::get().requirement(&row.id) {
            None => wrong.push(format!("{}: there is no such requirement", row.id)),
            Some(requirement) if !is_decided(requirement) => {
                wrong.push(format!("{}: nothing decides it", row.id));
            }
            Some(_) if broken.contains(row.id.as_str()) => {
                wrong.push(format!("{}: a fault breaks it", row.id));
            }
            Some(_) if !row.why.ends_with('.') => {
                wrong.push(format!("{}: the reason is no sentence", row.id));
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows.is_sorted_by(|a, b| a.id < b.id), "the entries are not sorted by id, or one stands twice");
}

/// How many bugs of real servers were collected.
const BUGS: usize = 60;

#[test]
fn every_bug_of_a_real_server_is_a_fault_or_told_why_not() {
    let bugs = read::<RealBugs>("../fixtures/real-bugs.toml").bug;
    let abouts: BTreeMap<&str, &str> = faults().map(|fault| (fault.id(), fault.about())).collect();
    let mut wrong = Vec::new();
    for bug in &bugs {
        let number = bug.number;
        if !bug.what.ends_with('.') || bug.links.is_empty() {
            wrong.push(format!("{number}: what it is, as a sentence, and where it is told"));
        }
        if bug.faults.is_empty() != bug.why.as_ref().is_some_and(|why| why.ends_with('.')) {
            wrong.push(format!("{number}: either faults, or a sentence that says why there is none"));
        }
        for id in &bug.faults {
            match abouts.get(id.as_str()) {
                None => wrong.push(format!("{number}: there is no fault {id}")),
                Some(about) if !bug.links.iter().any(|link| tells(about, link)) => {
                    wrong.push(format!("{number}: {id} does not say where the bug is told"));
                }
                Some(_) => {}
            }
        }
        // The other way round: what carries its link is named by it.
        for link in &bug.links {
            let silent = abouts
                .iter()
                .filter(|(id, about)| tells(about, link) && !bug.faults.iter().any(|f| f == *id));
            wrong.extend(silent.map(|(id, _)| format!("{number}: {id} carries {link}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let numbers: Vec<usize> = bugs.iter().map(|bug| bug.number).collect();
    assert_eq!(numbers, (1..=BUGS).collect::<Vec<_>>());
}

/// Whether a sentence carries a link, and not just a longer one.
fn tells(about: &str, link: &str) -> bool {
    about
        .match_indices(link)
        .any(|(at, _)| !about[at + link.len()..].starts_with(|c: char| c.is_ascii_alphanumeric()))
}
