//! What clients have to do: the duties that can be seen in a recorded conversation.

use crate::protocol::Revision;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// A duty of clients.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duty {
    /// Its id, beginning with `client.`.
    pub id: String,
    /// What it demands.
    pub statement: String,
    levels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct File {
    duty: Vec<Duty>,
}

impl Duty {
    /// Its force in a revision, `MUST` or the like; `None` where the revision does not have it.
    pub fn level(&self, revision: Revision) -> Option<&str> {
        self.levels.get(revision.as_str()).map(String::as_str)
    }

    /// Whether breaking it is a failure in a revision.
    pub fn is_must(&self, revision: Revision) -> bool {
        self.level(revision).is_some_and(|level| level.starts_with("MUST"))
    }
}

/// All duties, in the order of the file.
pub fn duties() -> &'static [Duty] {
    static DUTIES: OnceLock<Vec<Duty>> = OnceLock::new();
    DUTIES.get_or_init(|| {
        let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/catalogue/client/duties.toml"));
        let read = toml::from_str::<File>(text).map(|file| file.duty);
        // A test reads it: what is embedded can be read.
        read.unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_duties_can_be_read() {
        let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/catalogue/client/duties.toml"));
        let read = toml::from_str::<File>(text).unwrap().duty;
        assert_eq!(read.len(), duties().len());
        for duty in duties() {
            assert!(duty.id.starts_with("client."), "{}", duty.id);
            assert!(!duty.levels.is_empty() && duty.statement.ends_with('.'), "{}", duty.id);
            for (revision, level) in &duty.levels {
                assert!(revision.parse::<Revision>().is_ok(), "{revision}");
                assert!(["MUST", "MUST NOT", "SHOULD", "SHOULD NOT"].contains(&level.as_str()), "{level}");
            }
        }
        let mut ids: Vec<_> = duties().iter().map(|duty| &duty.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), duties().len());
    }
}
