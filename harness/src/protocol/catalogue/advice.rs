//! What people are told beside the rules: why a requirement matters, how a server is mended, and what was seen on the
//! wire when it was kept and when it was broken.

use super::files::{ADVICE, EXAMPLES, NO_FAULT};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::OnceLock;

/// Why a requirement matters, and how a server that breaks it is mended.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advice {
    /// The requirement.
    pub id: String,
    /// What breaks for users.
    pub why: String,
    /// What a server does instead.
    pub mend: String,
}

/// What crossed the wire when the reference server broke a requirement, and when it kept it. Written by
/// `mcprove kill-matrix --examples`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The requirement.
    pub id: String,
    /// The fault that breaks it.
    pub fault: String,
    /// What the server with the fault does.
    pub about: String,
    /// The revision spoken.
    pub revision: String,
    /// The transport used.
    pub transport: String,
    /// What the finding says.
    pub message: String,
    /// What would have been right.
    pub expected: Vec<String>,
    /// What came instead.
    pub actual: String,
    /// What had been sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<String>,
    /// What came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<String>,
    /// What had been sent to the honest server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good_sent: Option<String>,
    /// What came from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good_received: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows<T> {
    #[serde(default = "Vec::new")]
    row: Vec<T>,
}

/// The advice on a requirement.
pub fn advice(id: &str) -> Option<&'static Advice> {
    static ALL: OnceLock<HashMap<String, Advice>> = OnceLock::new();
    ALL.get_or_init(|| read(ADVICE, |advice: &Advice| advice.id.clone())).get(id)
}

/// The example of a requirement.
pub fn example(id: &str) -> Option<&'static Example> {
    static ALL: OnceLock<HashMap<String, Example>> = OnceLock::new();
    ALL.get_or_init(|| read(EXAMPLES, |example: &Example| example.id.clone())).get(id)
}

/// Why a requirement that is decided is broken by no fault of the reference server, if that was said.
pub fn no_fault(id: &str) -> Option<&'static str> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Reason {
        id: String,
        why: String,
    }
    static ALL: OnceLock<HashMap<String, Reason>> = OnceLock::new();
    let file = super::files::File { area: "no-fault", text: NO_FAULT };
    let all = ALL.get_or_init(|| read(&[file], |reason: &Reason| reason.id.clone()));
    all.get(id).map(|reason| reason.why.as_str())
}

fn read<T: for<'a> Deserialize<'a>>(
    files: &[super::files::File<'static>],
    id: impl Fn(&T) -> String,
) -> HashMap<String, T> {
    let mut all = HashMap::new();
    for file in files {
        let rows: Rows<T> =
            toml::from_str(file.text).expect("the embedded files never change, and a test reads them");
        all.extend(rows.row.into_iter().map(|row| (id(&row), row)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::Catalogue;
    use super::super::files::{ADVICE, EXAMPLES, File};
    use super::*;
    use std::collections::BTreeSet;

    fn rows<T: for<'a> Deserialize<'a>>(file: &File<'static>) -> Vec<T> {
        let read = toml::from_str::<Rows<T>>(file.text);
        read.unwrap_or_else(|error| panic!("{}: {error}", file.area)).row
    }

    #[test]
    fn every_requirement_has_advice_of_its_own() {
        let mut known = BTreeSet::new();
        for file in ADVICE {
            for row in rows::<Advice>(file) {
                let requirement = Catalogue::get().requirement(&row.id);
                assert!(
                    requirement.is_some_and(|known| known.area == file.area),
                    "{}: {}",
                    file.area,
                    row.id
                );
                assert!(row.why.trim().len() > 10 && row.mend.trim().len() > 10, "{}", row.id);
                assert!(known.insert(row.id.clone()), "{} stands twice", row.id);
            }
        }
        let missing: Vec<&str> = Catalogue::get()
            .iter()
            .filter(|row| advice(&row.id).is_none())
            .map(|row| row.id.as_str())
            .collect();
        assert!(missing.is_empty(), "no advice for {missing:?}");
    }

    #[test]
    fn every_example_is_of_a_requirement_and_small() {
        let mut known = BTreeSet::new();
        for file in EXAMPLES {
            for row in rows::<Example>(file) {
                let requirement = Catalogue::get().requirement(&row.id);
                assert!(
                    requirement.is_some_and(|known| known.area == file.area),
                    "{}: {}",
                    file.area,
                    row.id
                );
                assert!(row.fault.contains('/') && !row.message.is_empty(), "{}", row.id);
                for text in
                    [&row.sent, &row.received, &row.good_sent, &row.good_received].into_iter().flatten()
                {
                    assert!(text.chars().count() <= 1000, "{}", row.id);
                }
                assert!(known.insert(row.id.clone()), "{} stands twice", row.id);
                assert_eq!(example(&row.id), Some(&row));
            }
        }
    }
}
