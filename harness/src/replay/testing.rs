//! Conversations for tests, from lines with `-->` and `<--`.

use super::script::Script;
use crate::transcript::import;
use crate::transcript::{Rule, Source};

/// A script of lines with arrows.
pub(super) fn script(arrows: &str) -> Script {
    let imported = import(arrows, Some(Source::Arrows), "t").unwrap();
    Script::of_records(&imported.about, &[], imported.records).unwrap()
}

/// A rule of its JSON text.
pub(super) fn rule(text: &str) -> Rule {
    serde_json::from_str(text).unwrap()
}
