//! Recordings as tests, one a file: judged by the monitors, with what is known of them in a file beside them.

use crate::check::{Told, overheard_run};
use crate::monitors::Overhearing;
use crate::run::{Outcome, RunEvent};
use crate::transcript::TranscriptReader;
use libtest_mimic::{Arguments, Failed, Trial};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// The name of the file with what is known.
const EXPECTED: &str = "expected.toml";
/// How the name of a transcript ends.
const ENDING: &str = ".jsonl";

/// The transcripts of a folder, each a test: it fails if the server or the client broke a MUST in it.
///
/// What is known to be broken stands in `expected.toml` in that folder; an entry that is no longer true fails the test,
/// too:
///
/// ```toml
/// [[finding]]
/// requirement = "tools.call.unknown-tool"
/// files = ["weather-stdio.jsonl"]
/// reason = "unknown tools are answered by a result, see issue 7"
/// ```
#[derive(Debug, Clone)]
pub struct Recordings {
    folder: PathBuf,
    warnings: bool,
}

/// The whole of a test binary (with `harness = false`): the transcripts of a folder of the package as tests, one a file.
///
/// ```text
/// // tests/conversations.rs
/// mcprove::transcript_tests!("tests/transcripts");
/// ```
#[macro_export]
macro_rules! transcript_tests {
    ($folder:literal) => {
        fn main() -> ::std::process::ExitCode {
            let package = ::std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
            $crate::suite::Recordings::in_folder(package.join($folder)).run()
        }
    };
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    #[serde(default)]
    finding: Vec<Known>,
}

/// Something that is known to be broken.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    requirement: String,
    files: Vec<String>,
    reason: String,
}

/// A test.
enum Case {
    /// A transcript, whether warnings count, and what is known of it.
    Judge(PathBuf, bool, Vec<Known>),
    /// Why there is nothing to judge.
    Wrong(String),
}

impl Case {
    fn verdict(&self) -> Result<(), String> {
        match self {
            Self::Judge(path, warnings, known) => judge(path, *warnings, known),
            Self::Wrong(why) => Err(why.clone()),
        }
    }
}

impl Recordings {
    /// The transcripts (`*.jsonl`) that lie in a folder.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), warnings: false }
    }

    /// A broken SHOULD fails, too.
    #[must_use]
    pub fn warnings(mut self) -> Self {
        self.warnings = true;
        self
    }

    /// Lists or runs the tests, as the arguments of this process say.
    pub fn run(self) -> ExitCode {
        let cases = self.cases().unwrap_or_else(|why| vec![("transcripts".to_owned(), Case::Wrong(why))]);
        let trial =
            |(name, case): (String, Case)| Trial::test(name, move || case.verdict().map_err(Failed::from));
        libtest_mimic::run(&Arguments::from_args(), cases.into_iter().map(trial).collect()).exit_code()
    }

    /// One test a file, and one for what is known of files that are not there.
    fn cases(&self) -> Result<Vec<(String, Case)>, String> {
        let names = self.names()?;
        let known = self.known()?;
        let mut cases = Vec::new();
        for name in &names {
            let here = known.iter().filter(|known| known.files.contains(name)).cloned().collect();
            let title = name.trim_end_matches(ENDING).to_owned();
            cases.push((title, Case::Judge(self.folder.join(name), self.warnings, here)));
        }
        let files = known.iter().flat_map(|known| known.files.iter());
        let missing: BTreeSet<&String> = files.filter(|file| !names.contains(*file)).collect();
        if !missing.is_empty() {
            let why = format!("{EXPECTED} names what is not there: {missing:?}");
            cases.push((EXPECTED.to_owned(), Case::Wrong(why)));
        }
        Ok(cases)
    }

    fn names(&self) -> Result<BTreeSet<String>, String> {
        let cannot = |error| format!("cannot read {}: {error}", self.folder.display());
        let mut names = BTreeSet::new();
        for entry in std::fs::read_dir(&self.folder).map_err(cannot)? {
            let name = entry.map_err(cannot)?.file_name().to_string_lossy().into_owned();
            if name.ends_with(ENDING) {
                names.insert(name);
            }
        }
        if names.is_empty() {
            return Err(format!("there is no transcript (*{ENDING}) in {}", self.folder.display()));
        }
        Ok(names)
    }

    fn known(&self) -> Result<Vec<Known>, String> {
        let path = self.folder.join(EXPECTED);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
        };
        let expected: Expected =
            toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        if let Some(known) = expected.finding.iter().find(|known| known.reason.trim().is_empty()) {
            return Err(format!("{}: `{}` has no reason", path.display(), known.requirement));
        }
        Ok(expected.finding)
    }
}

/// What the monitors find in a transcript, held against what is known of it.
fn judge(path: &Path, warnings: bool, known: &[Known]) -> Result<(), String> {
    let found = found(path, warnings)?;
    let mut wrong = Vec::new();
    for (requirement, text) in &found {
        if !known.iter().any(|known| known.requirement == *requirement) {
            wrong.push(text.clone());
        }
    }
    for known in known {
        if !found.iter().any(|(requirement, _)| *requirement == known.requirement) {
            wrong.push(format!("{EXPECTED} knows of {}, which is not found", known.requirement));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// The requirements that are broken in a transcript, each with a line about it.
fn found(path: &Path, warnings: bool) -> Result<Vec<(String, String)>, String> {
    let cannot = |error| format!("{}: {error}", path.display());
    let mut reader = TranscriptReader::open(path).map_err(cannot)?;
    let mut hearing = Overhearing::new(reader.about());
    while let Some(record) = reader.next_record().map_err(cannot)? {
        hearing.hear(&Arc::new(record));
    }
    if reader.truncated() {
        return Err(format!("{} was cut off after line {}", path.display(), reader.line()));
    }
    let overheard = hearing.finish(false);
    let file = path.display().to_string();
    let told = Told {
        about: reader.about(),
        started_at: reader.started_at(),
        file: &file,
        command_line: Vec::new(),
    };
    let mut found = Vec::new();
    for event in overheard_run(&overheard, &told, |_| true) {
        let RunEvent::Result(row) = event else { continue };
        if row.outcome != Outcome::Fail && !(warnings && row.outcome == Outcome::Warn) {
            continue;
        }
        let outcome = row.outcome.as_str();
        for finding in &row.findings {
            let event = finding.evidence.event.map(|event| format!(", event {event}")).unwrap_or_default();
            let text =
                format!("{outcome} {}: {} [{}]{event}", row.requirement, finding.message, finding.actual);
            found.push((row.requirement.clone(), text));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::{Redactor, TranscriptWriter, import};

    /// A folder with a good and a bad conversation, and what is known of them.
    fn folder(expected: &str) -> (tempfile::TempDir, Recordings) {
        let folder = tempfile::tempdir().unwrap();
        let opening = r#"--> {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}
<-- {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}
--> {"jsonrpc":"2.0","method":"notifications/initialized"}
"#;
        let stray = "<-- {\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{}}\n";
        for (name, more) in [("good.jsonl", ""), ("bad.jsonl", stray)] {
            let imported = import(&format!("{opening}{more}"), None, "test").unwrap();
            let path = folder.path().join(name);
            let mut writer =
                TranscriptWriter::copy(&path, &imported.about, "2026-01-01T00:00:00Z", &[]).unwrap();
            imported.records.iter().for_each(|record| writer.append(record, &Redactor::default()));
            writer.end();
        }
        if !expected.is_empty() {
            std::fs::write(folder.path().join(EXPECTED), expected).unwrap();
        }
        let recordings = Recordings::in_folder(folder.path());
        (folder, recordings)
    }

    fn failures(recordings: &Recordings) -> usize {
        recordings.cases().unwrap().iter().filter(|(_, case)| case.verdict().is_err()).count()
    }

    fn entry(requirement: &str, file: &str) -> String {
        format!("[[finding]]\nrequirement = \"{requirement}\"\nfiles = [\"{file}\"]\nreason = \"a test\"\n")
    }

    #[test]
    fn what_is_found_has_to_be_known_and_what_is_known_to_be_found() {
        let (_folder, recordings) = folder("");
        assert_eq!(failures(&recordings), 1);
        let bad = found(&recordings.folder.join("bad.jsonl"), false).unwrap();
        let ids: BTreeSet<String> = bad.into_iter().map(|(id, _)| id).collect();
        assert!(ids.contains("robustness.response.no-unknown-id"), "{ids:?}");
        let all: String = ids.iter().map(|id| entry(id, "bad.jsonl")).collect();
        let (_folder, recordings) = folder(&all);
        assert_eq!(failures(&recordings), 0);
        let (_folder, recordings) = folder(&(all.clone() + &entry("tools.list.answered", "good.jsonl")));
        assert_eq!(failures(&recordings), 1, "it is not found");
        let (_folder, recordings) = folder(&(all + &entry("tools.list.answered", "other.jsonl")));
        assert_eq!(failures(&recordings), 1, "there is no such file");
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        let empty = tempfile::tempdir().unwrap();
        assert!(Recordings::in_folder(empty.path()).cases().is_err_and(|why| why.contains("no transcript")));
        let (_folder, recordings) = folder(&entry("a", "bad.jsonl").replace("a test", " "));
        assert!(recordings.cases().is_err_and(|why| why.contains("no reason")));
        let (folder, recordings) = folder("");
        std::fs::write(folder.path().join("good.jsonl"), "garbage").unwrap();
        assert_eq!(failures(&recordings), 2);
    }
}
