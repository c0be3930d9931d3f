//! The one JSON document that `--output-format json` prints. Scripts rely on it; it changes only with its version.

use super::event::{RunError, ServerInfo};
use super::known::Known;
use super::result::{Finding, Outcome, Reason, Summary};
use super::state::RunState;
use crate::protocol::{Revision, Transport};
use serde::Serialize;

/// The name of the format.
pub const DOCUMENT_FORMAT: &str = "mcprove-report";
/// The version of the format.
pub const DOCUMENT_VERSION: u32 = 1;

/// A run as one document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Document<'a> {
    /// Always [`DOCUMENT_FORMAT`].
    pub format: &'static str,
    /// Always [`DOCUMENT_VERSION`].
    pub version: u32,
    /// The verb: `check`.
    pub command: &'a str,
    /// What was tested.
    pub target: DocumentTarget<'a>,
    /// The seed of every random choice.
    pub seed: u64,
    /// The date of the set of requirements.
    pub requirement_set: &'a str,
    /// Whether results are missing because the run was cut short.
    pub truncated: bool,
    /// Results by outcome; the sum is the number of `results`.
    pub summary: Summary,
    /// One result for each requirement, revision and transport, sorted by these.
    pub results: Vec<DocumentResult<'a>>,
    /// The results held against a baseline; `None` where there was none.
    pub baseline: Option<&'a Known>,
    /// Why there is no complete result, for exit codes 3, 70, 130 and 143.
    pub error: Option<&'a RunError>,
}

/// What was tested.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DocumentTarget<'a> {
    /// `embedded`, `command` or `url`.
    pub kind: &'a str,
    /// The command or URL, secrets replaced.
    pub display: &'a str,
    /// Name and version that the server gave itself.
    pub server_info: Option<&'a ServerInfo>,
}

/// The outcome of one requirement × revision × transport.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DocumentResult<'a> {
    /// The requirement's id.
    pub requirement: &'a str,
    /// Its level in the revision.
    pub level: Option<&'a str>,
    /// What breaks for a user.
    pub severity: &'a str,
    /// The revision spoken.
    pub revision: Revision,
    /// The transport used.
    pub transport: Transport,
    /// The outcome.
    pub outcome: Outcome,
    /// Why.
    pub reason: Option<&'a Reason>,
    /// What was found.
    pub findings: &'a [Finding],
}

impl<'a> Document<'a> {
    /// The document of a run as far as it came; `None` before its header.
    pub fn of(state: &'a RunState) -> Option<Self> {
        let header = state.header()?;
        Some(Self {
            format: DOCUMENT_FORMAT,
            version: DOCUMENT_VERSION,
            command: &header.command,
            target: DocumentTarget {
                kind: &header.target.kind,
                display: &header.target.display,
                server_info: state.server_info(),
            },
            seed: header.seed,
            requirement_set: &header.requirement_set,
            truncated: state.truncated(),
            summary: state.summary(),
            results: state
                .sorted()
                .into_iter()
                .map(|row| DocumentResult {
                    requirement: &row.requirement,
                    level: row.level.as_deref(),
                    severity: &row.severity,
                    revision: row.revision,
                    transport: row.transport,
                    outcome: row.outcome,
                    reason: row.reason.as_ref(),
                    findings: &row.findings,
                })
                .collect(),
            baseline: state.known(),
            error: state.footer().and_then(|footer| footer.error.as_ref()),
        })
    }
}
