//! A fault as the matrix needs it: how the server is told of it, and what has to be seen.

use crate::protocol::{Revision, Transport};
use serde::Serialize;

/// A fault that the embedded server can have.
#[derive(Debug, Clone, Serialize)]
pub struct Planted {
    /// Its name.
    pub id: String,
    /// What the server does.
    pub about: String,
    /// The requirements that it breaks.
    pub breaks: Vec<String>,
    /// Further requirements that may be seen broken, too.
    pub also: Vec<String>,
    /// The revisions in which it warns at most: the reaction is of the right kind, and only its details are wrong.
    pub warns: Vec<Revision>,
    /// The revisions in which it can show.
    pub revisions: Vec<Revision>,
    /// The transports over which it can show.
    pub transports: Vec<Transport>,
    /// Whether it shows only where there is no authorization.
    pub anonymous: bool,
    /// Arguments for the server's `serve`.
    #[serde(skip)]
    pub arguments: Vec<String>,
}

impl Planted {
    /// The revisions and transports in which it can show, as far as they exist together.
    pub(super) fn units(&self) -> impl Iterator<Item = (Revision, Transport)> + '_ {
        let pairs = self.transports.iter().flat_map(|t| self.revisions.iter().map(|r| (*r, *t)));
        pairs.filter(|(revision, transport)| {
            *transport != Transport::HttpSse || *revision == Revision::V2024_11_05
        })
    }

    /// Whether a broken requirement is one that it may break.
    pub(super) fn may_break(&self, requirement: &str) -> bool {
        self.breaks.iter().chain(&self.also).any(|id| id == requirement)
    }
}
