//! What a check is asked to do.

use crate::baseline::Baseline;
use crate::client::{Binding, Opening};
use crate::probes::Settings;
use crate::protocol::Revision;
use crate::protocol::catalogue::{RequirementSet, Selection};
use crate::run::{Known, Outcome, Summary, TargetInfo};
use crate::transcript::{About, Record, Redactor};
use std::path::PathBuf;
use std::sync::Arc;

use super::stop::Stop;

/// Watches traffic as it happens: the number of the conversation, what it is, the event, and what is secret by then.
pub type Watcher = Arc<dyn Fn(u32, &About, &Record, &Redactor) + Send + Sync>;

/// What makes the exit code 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailOn {
    /// A `fail`.
    #[default]
    Must,
    /// A `warn` too.
    Should,
    /// Nothing.
    Never,
}

impl FailOn {
    /// Whether a result with this outcome makes the exit code 1.
    pub fn counts(self, outcome: Outcome) -> bool {
        match self {
            Self::Must => outcome == Outcome::Fail,
            Self::Should => matches!(outcome, Outcome::Fail | Outcome::Warn),
            Self::Never => false,
        }
    }

    /// The exit code of a run that came to its end: 4 where there is no result at all. What a baseline covers does not
    /// count, and a baseline that has to be mended does.
    pub fn exit_code(self, summary: &Summary, known: Option<&Known>) -> u8 {
        let covered = |outcome| known.map_or(0, |known| known.count(outcome));
        let broken = |outcome| self.counts(outcome) && summary.count(outcome) > covered(outcome);
        let rotten = self != Self::Never && known.is_some_and(|known| !known.problems.is_empty());
        match summary.total() {
            0 => 4,
            _ => u8::from(rotten || broken(Outcome::Fail) || broken(Outcome::Warn)),
        }
    }
}

/// The defects that are known, and what is to become of their file.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// What is known.
    pub baseline: Baseline,
    /// Whether its file is written anew to fit the run, if the run comes to its end.
    pub update: bool,
}

/// What a check is asked to do.
pub struct CheckConfig {
    /// Where the target is reached, one entry a transport.
    pub bindings: Vec<Binding>,
    /// How the target is named in reports.
    pub target: TargetInfo,
    /// Limits, time-outs and headers.
    pub opening: Opening,
    /// The requirements to judge.
    pub selection: Selection,
    /// The set of requirements by which is judged; what it does not have has no row.
    pub set: RequirementSet,
    /// The revisions to test; those that the server speaks, if empty.
    pub revisions: Vec<Revision>,
    /// What may be called, and the seed.
    pub settings: Settings,
    /// How many conversations run at once over each transport.
    pub parallel: usize,
    /// The verb, for the header of the run.
    pub command: String,
    /// The command line, for the header of the run; secrets already replaced.
    pub command_line: Vec<String>,
    /// The part of a command line that names the target, for the lines that reproduce findings.
    pub reproduce_target: String,
    /// Where transcripts go; nowhere if `None`.
    pub transcripts: Option<PathBuf>,
    /// Secret values with their names, and further names of secret headers.
    pub secrets: (Vec<(String, String)>, Vec<String>),
    /// Watches the traffic as it happens.
    pub watcher: Option<Watcher>,
    /// What makes the exit code 1.
    pub fail_on: FailOn,
    /// The defects that are known and do not count.
    pub accepted: Option<Accepted>,
    /// Set when the user wants to stop: what is known by then is reported.
    pub stop: Stop,
}
