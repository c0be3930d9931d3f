//! The layers of `src/lib.rs` hold: a module uses those above it in that list and none below.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::path::{Path, PathBuf};

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The modules of the library, in the order of `lib.rs`.
fn layers() -> Vec<String> {
    let text = std::fs::read_to_string(source().join("lib.rs")).unwrap();
    let modules = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    modules.map(str::to_owned).collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules that a file names by `crate::module`, with the lines; comments and string literals are passed over
/// as far as a line tells.
fn uses(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.starts_with("//") {
            continue;
        }
        for (at, _) in line.match_indices("crate::") {
            // `$crate::` in a macro is the same crate; `some_crate::` is not.
            let before = line[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = &line[at + "crate::".len()..];
            let names: Vec<&str> = match rest.strip_prefix('{') {
                Some(group) => group.split(['{', '}', ',']).map(str::trim).collect(),
                None => vec![rest],
            };
            for name in names {
                let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
                if end > 0 {
                    found.push((number + 1, name[..end].to_owned()));
                }
            }
        }
    }
    found
}

#[test]
fn every_module_uses_only_those_above_it() {
    let layers = layers();
    assert!(layers.len() >= 9, "lib.rs lists its modules as `pub mod name;`: {layers:?}");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (depth, layer) in layers.iter().enumerate() {
        let mut paths = Vec::new();
        let folder = source().join(layer);
        if folder.is_dir() {
            files(&folder, &mut paths);
        }
        let single = source().join(format!("{layer}.rs"));
        if single.is_file() {
            paths.push(single);
        }
        assert!(!paths.is_empty(), "no source for the module {layer}");
        for path in paths {
            let text = std::fs::read_to_string(&path).unwrap();
            for (line, used) in uses(&text) {
                let Some(other) = layers.iter().position(|layer| *layer == used) else { continue };
                seen += 1;
                if other > depth {
                    wrong.push(format!("{}:{line}: `{layer}` uses `{used}`", path.display()));
                }
            }
        }
    }
    assert!(seen > 50, "the reader of `use` lines found only {seen} uses: is it broken?");
    assert!(wrong.is_empty(), "a layer uses one below it:\n{}", wrong.join("\n"));
}

#[test]
fn a_use_of_a_lower_layer_is_seen() {
    let found = uses(
        "use crate::{cli, report::Json};\n// crate::no\nlet x = crate::check::check();\nother_crate::no;",
    );
    let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["cli", "report", "check"]);
}

/// A `mod.rs` declares and re-exports, and does nothing else.
#[test]
fn mod_files_only_re_export() {
    let mut paths = Vec::new();
    files(&source(), &mut paths);
    let mut wrong = Vec::new();
    for path in paths.iter().filter(|path| path.ends_with("mod.rs")) {
        let text = std::fs::read_to_string(path).unwrap();
        for keyword in ["fn ", "struct ", "enum ", "impl ", "trait "] {
            let starts = |line: &str| {
                let line = line.trim_start_matches("pub ").trim_start_matches("pub(super) ");
                line.starts_with(keyword)
            };
            if text.lines().any(starts) {
                wrong.push(format!("{} has `{keyword}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The reference server shares no code with the harness: two readings of the specification that have to agree.
#[test]
fn the_reference_server_does_not_know_the_harness() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reference-server/Cargo.toml");
    let text = std::fs::read_to_string(manifest).unwrap();
    let names = text.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
    assert!(!names.into_iter().any(|name| name == "mcprove"), "reference-server depends on mcprove");
}
