//! What happens in a run, as a sequence of events: every report is drawn from them, live or read back from `run.jsonl`.

use super::known::Known;
use super::result::{ResultRow, Summary};
use crate::protocol::{Revision, Transport};
use serde::{Deserialize, Serialize};

/// The format name in the first line of `run.jsonl`.
pub const RUN_FORMAT: &str = "mcprove-run";
/// The version of the format that this program writes, and the newest that it reads.
pub const RUN_VERSION: u32 = 1;

/// One line of `run.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum RunEvent {
    /// The first line.
    Header(Header),
    /// What the target turned out to be on one transport.
    TargetIdentified(Identity),
    /// A revision is being tested over a transport.
    UnitStarted {
        /// The revision spoken.
        revision: Revision,
        /// The transport used.
        transport: Transport,
    },
    /// How far a unit is, for a progress display. Not every step is told.
    Progress {
        /// The revision spoken.
        revision: Revision,
        /// The transport used.
        transport: Transport,
        /// Steps done.
        done: u32,
        /// Steps planned.
        of: u32,
        /// What is being done now.
        doing: String,
    },
    /// A conversation was stored.
    Conversation {
        /// Path of the transcript, relative to the run's folder.
        transcript: String,
        /// The revision spoken.
        revision: Revision,
        /// The transport used.
        transport: Transport,
        /// What the conversation was for, in a few words.
        purpose: String,
    },
    /// The outcome of one requirement in one unit.
    Result(Box<ResultRow>),
    /// A unit is over.
    UnitFinished {
        /// The revision spoken.
        revision: Revision,
        /// The transport used.
        transport: Transport,
        /// Wall time of the unit in milliseconds.
        millis: u64,
    },
    /// Something that a reader should know and that is no result: a tool left out, a revision not spoken.
    Notice {
        /// A sentence.
        text: String,
    },
    /// The results held against a baseline; before the footer, where there is one.
    Baseline(Known),
    /// The last line; a file without it is truncated.
    Footer(Footer),
}

impl RunEvent {
    /// The words that `event` may have in this version of the format.
    pub(super) const KINDS: [&'static str; 10] = [
        "header",
        "target-identified",
        "unit-started",
        "progress",
        "conversation",
        "result",
        "unit-finished",
        "notice",
        "baseline",
        "footer",
    ];
}

/// The head of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Always [`RUN_FORMAT`].
    pub format: String,
    /// The version of the format.
    pub version: u32,
    /// The version of the tool that wrote it.
    pub tool_version: String,
    /// The verb: `check`.
    pub command: String,
    /// The command line, secrets replaced.
    pub command_line: Vec<String>,
    /// What was tested.
    pub target: TargetInfo,
    /// The seed of every random choice.
    pub seed: u64,
    /// The date of the set of requirements.
    pub requirement_set: String,
    /// When it began, RFC 3339 in UTC.
    pub started_at: String,
}

/// What was tested, as the user named it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetInfo {
    /// `embedded`, `command` or `url`.
    pub kind: String,
    /// The command or URL, secrets replaced.
    pub display: String,
    /// Name and version that the server gave itself, once known.
    pub server_info: Option<ServerInfo>,
}

/// Name and version that a server gave itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerInfo {
    /// `serverInfo.name`.
    pub name: String,
    /// `serverInfo.version`.
    pub version: String,
}

/// What a target is on one transport.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The transport.
    pub transport: Transport,
    /// The revisions that it speaks there, oldest first.
    pub revisions: Vec<Revision>,
    /// Name and version, if it told.
    pub server_info: Option<ServerInfo>,
    /// Milliseconds from the start of the process (or the connection) to the first valid answer.
    pub startup_millis: u64,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Footer {
    /// Results by outcome.
    pub summary: Summary,
    /// The exit code.
    pub exit_code: u8,
    /// Why there is no (complete) result, for exit codes 3, 70, 130 and 143.
    pub error: Option<RunError>,
    /// Whether the run was cut short.
    pub truncated: bool,
    /// Wall time in milliseconds.
    pub millis: u64,
    /// CPU time of the harness itself in milliseconds, without its children; `None` where the system does not tell.
    pub harness_cpu_millis: Option<u64>,
    /// Processes of the target started, over all transports.
    pub process_starts: u32,
}

/// Why a run has no complete result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunError {
    /// The exit code that goes with it: 3, 70, 130 or 143.
    pub code: u8,
    /// What happened and what to do.
    pub message: String,
}
