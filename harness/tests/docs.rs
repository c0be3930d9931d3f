//! The generated pages and tables are what the catalogue says. With UPDATE=1 they are written anew.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use mcprove::docs::{area_page, coverage_table, index_page};
use mcprove::protocol::catalogue::{Catalogue, Requirement};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn update() -> bool {
    std::env::var_os("UPDATE").is_some()
}

#[test]
fn the_pages_of_the_requirements_are_those_of_the_catalogue() {
    let folder = repository().join("docs/requirements");
    let mut pages: BTreeMap<String, String> =
        Catalogue::get().areas().iter().map(|area| (format!("{area}.md"), area_page(area))).collect();
    pages.insert("README.md".to_owned(), index_page());
    if update() {
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in &pages {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    let there: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
        .collect();
    let strangers: Vec<&String> = there.iter().filter(|name| !pages.contains_key(*name)).collect();
    assert!(strangers.is_empty(), "{strangers:?} are pages of no area");
    let old: Vec<&String> = pages
        .iter()
        .filter(|(n, text)| fs::read_to_string(folder.join(n)).ok().as_ref() != Some(text))
        .map(|(n, _)| n)
        .collect();
    assert!(old.is_empty(), "{old:?} are not what the catalogue says; write them with .ci/docs");
}

#[test]
fn every_page_says_all_there_is_to_say() {
    for area in Catalogue::get().areas() {
        let page = area_page(area);
        let rows = Catalogue::get().iter().filter(|row| row.area == *area).count();
        for section in [
            "What it says",
            "Why it matters",
            "Where it stands",
            "How it is tested",
            "A server that keeps it",
            "A server that breaks it",
            "How to mend a server",
        ] {
            assert_eq!(page.matches(&format!("\n**{section}**\n")).count(), rows, "{area}: {section}");
        }
    }
}

#[test]
fn the_coverage_in_the_readme_is_that_of_the_catalogue() {
    let path = repository().join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let rows: Vec<&Requirement> = Catalogue::get().iter().collect();
    let (begin, end) = ("<!-- coverage: written by .ci/docs -->\n", "<!-- end of coverage -->");
    let (before, rest) = text.split_once(begin).expect("the README has the marker of the table");
    let (table, after) = rest.split_once(end).expect("the README has the marker of the table's end");
    let now = coverage_table(&rows);
    if update() {
        fs::write(&path, format!("{before}{begin}{now}{end}{after}")).unwrap();
        return;
    }
    assert!(table == now, "the table is not what the catalogue says; write it with .ci/docs");
}
