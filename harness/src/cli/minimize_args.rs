//! Flags of `minimize`.

use super::args::{ReachArgs, SharedArgs, TargetArgs, seconds};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Flags of `minimize`.
#[derive(Debug, Args)]
pub(super) struct MinimizeArgs {
    /// The recording, or the id of a finding of a run, such as F1.
    #[arg(value_name = "FINDING")]
    pub(super) finding: String,
    #[command(flatten)]
    pub(super) target: TargetArgs,
    #[command(flatten)]
    pub(super) reach: ReachArgs,
    #[command(flatten)]
    pub(super) shared: SharedArgs,
    /// The requirement that is to stay broken; needed where the monitors find several broken in a recording.
    #[arg(long, value_name = "ID", help_heading = "Minimizing")]
    pub(super) requirement: Option<String>,
    /// The run that has the finding; the last one if not given.
    #[arg(long, value_name = "DIR", help_heading = "Minimizing")]
    pub(super) run: Option<PathBuf>,
    /// Write the small conversation to this file; FILE.min.transcript.jsonl if not given.
    #[arg(long, value_name = "FILE", help_heading = "Minimizing")]
    pub(super) out: Option<PathBuf>,
    /// Hold at most so many conversations.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 5000,
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Minimizing"
    )]
    pub(super) tries: u32,
    /// Try nothing new after so many seconds; what there is by then is confirmed and written.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "600", help_heading = "Minimizing")]
    pub(super) time: Duration,
    /// How long an answer is waited for, in seconds, beyond what it took in the recording.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "2", help_heading = "Minimizing")]
    pub(super) wait: Duration,
    /// Put the value of this environment variable where the recording has the placeholder of that name.
    #[arg(long, value_name = "NAME=VAR", help_heading = "Minimizing")]
    pub(super) secret: Vec<String>,
}
