//! How a replay went.

use super::compare::Mode;
use super::difference::Difference;
use super::translate::Untranslated;
use crate::protocol::{Revision, Transport};
use serde::Serialize;

/// How a replay went. Serialised, it is the section `replay` of the document that `--output-format json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct Replayed {
    /// How closely was compared: `exact`, `shape` or `schema`.
    pub mode: &'static str,
    /// How many rules said what may differ.
    pub rules: usize,
    /// The transport of the recording.
    pub recorded_over: Transport,
    /// The transport of the replay.
    pub replayed_over: Transport,
    /// The revision of the recording, where it names one.
    pub recorded_revision: Option<Revision>,
    /// The sessions, in their order.
    pub sessions: Vec<SessionReplayed>,
    /// What differs.
    pub differences: Vec<Difference>,
    /// The client's messages that mean nothing in the revision that is spoken, and why.
    pub untranslated: Vec<Untranslated>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// How one session went.
#[derive(Debug, Clone, Serialize)]
pub struct SessionReplayed {
    /// The revision that was spoken, where the conversation tells.
    pub revision: Option<Revision>,
    /// What the client had to send.
    pub sends: usize,
    /// What of it was sent.
    pub sent: usize,
    /// The server's messages in the recording.
    pub expected: usize,
    /// The messages that came.
    pub heard: usize,
    /// The values of the client that were bound to what the server calls them now.
    pub bound: usize,
    /// Why it ended before its time, if it did.
    pub gone: Option<String>,
}

impl Replayed {
    pub(super) fn new(mode: Mode, rules: usize, recorded_over: Transport, replayed_over: Transport) -> Self {
        Self {
            mode: mode.as_str(),
            rules,
            recorded_over,
            replayed_over,
            recorded_revision: None,
            sessions: Vec::new(),
            differences: Vec::new(),
            untranslated: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Whether any message came at all.
    pub fn was_answered(&self) -> bool {
        self.sessions.iter().any(|session| session.heard > 0)
    }

    /// Why nothing came, where that is so and is known.
    pub fn why_gone(&self) -> Option<&str> {
        self.sessions.iter().find_map(|session| session.gone.as_deref())
    }
}
