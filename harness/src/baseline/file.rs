//! The file of a baseline: read strictly, written sorted.

use crate::protocol::catalogue::{Catalogue, Selection};
use crate::protocol::{Revision, Transport};
use jiff::civil::Date;
use serde::Deserialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// The version of the format.
const VERSION: u32 = 1;

/// The reason that stands for a missing one; an entry that has it is told until somebody writes a better one.
pub const NO_REASON: &str = "TODO: say why this is accepted, and until when";

/// The largest file that is read, in bytes.
const LARGEST: u64 = 4 << 20;

/// A defect that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The requirement's id; a pattern that matches several is told as too wide.
    pub requirement: String,
    /// The signature of its findings; `*` in it stands for any text.
    pub signature: String,
    /// The one transport over which it is known; all, if `None`.
    pub transport: Option<Transport>,
    /// The one revision in which it is known; all, if `None`.
    pub revision: Option<Revision>,
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it is.
    pub expires: Option<Date>,
    /// The line where it begins, from 1; 0 for one that is in no file.
    pub line: u32,
}

/// The known defects of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    /// The file, as the user named it.
    pub file: PathBuf,
    /// The entries in the order of the file.
    pub entries: Vec<Entry>,
}

/// Why a baseline cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// There is no such file, or it cannot be read or written.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It says something that cannot be.
    #[error("{}:{line}: {problem}", file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u32,
        /// What is wrong with it.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    version: Spanned<u32>,
    #[serde(default)]
    known: Vec<Spanned<RawEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    requirement: Spanned<String>,
    signature: Spanned<String>,
    transport: Option<Spanned<Transport>>,
    revision: Option<Spanned<Revision>>,
    reason: Spanned<String>,
    expires: Option<Spanned<String>>,
}

/// The line of a byte of a text, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> u32 {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    u32::try_from(before.split(|byte| *byte == b'\n').count()).unwrap_or(u32::MAX)
}

impl Baseline {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or says something that cannot be; with the line.
    pub fn read(file: &Path) -> Result<Self, BaselineError> {
        let io = |source| BaselineError::Io { file: file.to_owned(), source };
        let size = std::fs::metadata(file).map_err(io)?.len();
        if size > LARGEST {
            let source = std::io::Error::other(format!("{size} bytes are too many for a baseline"));
            return Err(BaselineError::Io { file: file.to_owned(), source });
        }
        Self::parse(file, &std::fs::read_to_string(file).map_err(io)?)
    }

    /// Reads a text that stands in `file`.
    ///
    /// # Errors
    /// When it says something that cannot be; with the line.
    pub fn parse(file: &Path, text: &str) -> Result<Self, BaselineError> {
        let wrong = |at: usize, problem: String| BaselineError::Content {
            file: file.to_owned(),
            line: line_of(text, at),
            problem,
        };
        let raw: RawFile = toml::from_str(text)
            .map_err(|error| wrong(error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
        if *raw.version.get_ref() != VERSION {
            let problem =
                format!("version {} is not known; this mcprove reads {VERSION}", raw.version.get_ref());
            return Err(wrong(raw.version.span().start, problem));
        }
        let mut entries: Vec<Entry> = Vec::new();
        for spanned in raw.known {
            let start = spanned.span().start;
            let raw = spanned.into_inner();
            // A table in an array begins at its header; one written in line, at its brace.
            let line = line_of(text, start);
            let requirement = raw.requirement.get_ref();
            Selection::parse(&[requirement])
                .map_err(|error| wrong(raw.requirement.span().start, error.to_string()))?;
            for (name, field) in [("signature", &raw.signature), ("reason", &raw.reason)] {
                if field.get_ref().trim().is_empty() {
                    return Err(wrong(field.span().start, format!("`{name}` is empty")));
                }
            }
            let expires = match &raw.expires {
                Some(text) => Some(text.get_ref().parse::<Date>().map_err(|_| {
                    wrong(text.span().start, format!("`{}` is no day; write YYYY-MM-DD", text.get_ref()))
                })?),
                None => None,
            };
            let entry = Entry {
                requirement: requirement.clone(),
                signature: raw.signature.into_inner(),
                transport: raw.transport.map(Spanned::into_inner),
                revision: raw.revision.map(Spanned::into_inner),
                reason: raw.reason.into_inner(),
                expires,
                line,
            };
            if let Some(same) = entries.iter().find(|known| known.key() == entry.key()) {
                return Err(wrong(start, format!("the entry of line {} stands here again", same.line)));
            }
            entries.push(entry);
        }
        Ok(Self { file: file.to_owned(), entries })
    }

    /// The file's text: the entries sorted, one value a line, so that a change shows as one.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "# Known deviations of a server from the Model Context Protocol, for `mcprove check --baseline`.\n\
             # Each needs a reason; `expires = \"YYYY-MM-DD\"` is its last day. `--update-baseline` writes this file anew.\n\
             version = {VERSION}\n"
        );
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by_key(|entry| entry.key());
        for entry in entries {
            // A JSON string is one of TOML, but for one character.
            let quoted = |text: &str| serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F");
            let mut line = |name: &str, value: &str| {
                let _ = writeln!(text, "{name} = {}", quoted(value));
            };
            line("\n[[known]]\nrequirement", &entry.requirement);
            line("signature", &entry.signature);
            if let Some(transport) = entry.transport {
                line("transport", transport.as_str());
            }
            if let Some(revision) = entry.revision {
                line("revision", revision.as_str());
            }
            line("reason", &entry.reason);
            if let Some(expires) = entry.expires {
                line("expires", &expires.to_string());
            }
        }
        text
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(&self) -> Result<(), BaselineError> {
        std::fs::write(&self.file, self.to_text())
            .map_err(|source| BaselineError::Io { file: self.file.clone(), source })
    }
}

impl Entry {
    /// What it covers; no two entries have the same.
    pub(super) fn key(&self) -> (&str, &str, Option<Transport>, Option<Revision>) {
        (&self.requirement, &self.signature, self.transport, self.revision)
    }

    /// The one requirement that it is about; `None` where it is a pattern of several.
    pub(super) fn single(&self) -> Option<&'static str> {
        let catalogue = Catalogue::get();
        if let Some(row) = catalogue.requirement(&self.requirement) {
            return Some(&row.id);
        }
        let selection = Selection::parse(&[&self.requirement]).ok()?;
        let mut ids = selection.ids();
        ids.next().filter(|_| ids.next().is_none())
    }

    /// Whether it covers any defect at all.
    pub(super) fn is_too_wide(&self) -> bool {
        self.single().is_none() || self.signature.chars().all(|c| c == '*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Baseline, String> {
        Baseline::parse(Path::new("known.toml"), text).map_err(|error| error.to_string())
    }

    const ENTRY: &str =
        "version = 1\n\n[[known]]\nrequirement = \"ping.answered\"\nsignature = \"0a1b\"\nreason = \"r\"\n";

    #[test]
    fn what_is_written_is_read_back_sorted() {
        let entry = |id: &str, transport| Entry {
            requirement: id.to_owned(),
            signature: "0a1b2c3d4e5f".to_owned(),
            transport,
            revision: Some(Revision::V2025_11_25),
            reason: "a \"quoted\" reason\nof two lines".to_owned(),
            expires: "2027-01-31".parse().ok(),
            line: 0,
        };
        let entries = vec![
            entry("tools.list.answered", None),
            entry("ping.answered", Some(Transport::HttpSse)),
            entry("ping.answered", None),
        ];
        let baseline = Baseline { file: "known.toml".into(), entries };
        let text = baseline.to_text();
        let read = parse(&text).unwrap();
        assert_eq!(read.to_text(), text);
        let ids: Vec<_> = read.entries.iter().map(|e| (e.requirement.as_str(), e.transport)).collect();
        assert_eq!(
            ids,
            [
                ("ping.answered", None),
                ("ping.answered", Some(Transport::HttpSse)),
                ("tools.list.answered", None)
            ]
        );
        assert_eq!(read.entries[0].reason, baseline.entries[0].reason);
        assert_eq!(read.entries[0].expires, Some(jiff::civil::date(2027, 1, 31)));
        assert_eq!(text.lines().nth(read.entries[1].line as usize - 1), Some("[[known]]"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let table = [
            ("", "known.toml:1: missing field `version`"),
            ("version = 2\n", "known.toml:1: version 2 is not known; this mcprove reads 1"),
            ("version = 1\nknwon = []\n", "known.toml:2: unknown field `knwon`"),
            ("version = 1\n[[known]\n", "known.toml:2: "),
            ("version = 1\n[[known]]\nrequirement = 3\n", "known.toml:3: invalid type"),
            (
                &ENTRY.replace("ping.answered", "ping.answred"),
                "known.toml:4: `ping.answred` matches no requirement; did you mean",
            ),
            (&ENTRY.replace("\"r\"", "\" \""), "known.toml:6: `reason` is empty"),
            (&ENTRY.replace("reason = \"r\"\n", ""), "known.toml:3: missing field `reason`"),
            (&format!("{ENTRY}expires = \"soon\"\n"), "known.toml:7: `soon` is no day; write YYYY-MM-DD"),
            (&format!("{ENTRY}revision = \"2020-01-01\"\n"), "known.toml:7: "),
            (&format!("{ENTRY}transport = \"tcp\"\n"), "known.toml:7: unknown value `tcp`"),
            (&format!("{ENTRY}{}", &ENTRY[13..]), "known.toml:7: the entry of line 3 stands here again"),
        ];
        for (text, expected) in table {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(expected), "{error}\nfor\n{text}");
        }
    }

    #[test]
    fn wide_entries_are_known_as_such() {
        let wide = |requirement: &str, signature: &str| {
            parse(&ENTRY.replace("ping.answered", requirement).replace("0a1b", signature)).unwrap().entries[0]
                .is_too_wide()
        };
        assert!(!wide("ping.answered", "0a1b") && !wide("ping.answered", "0a*") && !wide("ping.ans*", "0a"));
        assert!(
            wide("ping", "0a1b")
                && wide("*", "0a1b")
                && wide("ping.answered", "*")
                && wide("ping.answered", "**")
        );
    }
}
