//! What a check is asked to do.

use crate::client::{Binding, Opening};
use crate::probes::Settings;
use crate::protocol::Revision;
use crate::protocol::catalogue::Selection;
use crate::run::TargetInfo;
use crate::transcript::Live;
use std::path::PathBuf;

use super::stop::Stop;

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
    pub live: Option<Live>,
    /// Set when the user wants to stop: what is known by then is reported.
    pub stop: Stop,
}
