//! The document of a verb that is no check: that of a run without results, with a section of its own.

use super::failure::Failure;
use crate::check::{CheckConfig, Target};
use crate::run::{Document, Footer, Header, RUN_FORMAT, RUN_VERSION, RunError, RunEvent, RunState, Summary};
use serde::Serialize;
use std::collections::BTreeMap;

/// How it went.
pub(super) struct Went<'a> {
    /// The verb, which is the name of its section too.
    pub(super) verb: &'static str,
    /// What it was told to do.
    pub(super) config: &'a CheckConfig,
    /// When it began.
    pub(super) started_at: String,
    /// How long it took.
    pub(super) millis: u64,
    /// The exit code.
    pub(super) code: u8,
    /// Why it was cut short, if it was.
    pub(super) error: Option<RunError>,
    /// How many processes of the target were started.
    pub(super) process_starts: u32,
}

#[derive(Serialize)]
struct Sectioned<'a, T> {
    #[serde(flatten)]
    document: Document<'a>,
    #[serde(flatten)]
    section: BTreeMap<&'static str, T>,
}

impl Went<'_> {
    /// The events of such a run.
    pub(super) fn events(&self) -> [RunEvent; 2] {
        [
            RunEvent::Header(Header {
                format: RUN_FORMAT.to_owned(),
                version: RUN_VERSION,
                tool_version: env!("CARGO_PKG_VERSION").to_owned(),
                command: self.verb.to_owned(),
                command_line: self.config.command_line.clone(),
                target: self.config.target.clone(),
                seed: self.config.settings.seed,
                requirement_set: self.config.set.name().to_owned(),
                started_at: self.started_at.clone(),
            }),
            RunEvent::Footer(Footer {
                summary: Summary::default(),
                exit_code: self.code,
                truncated: self.error.is_some(),
                error: self.error.clone(),
                millis: self.millis,
                harness_cpu_millis: None,
                process_starts: self.process_starts,
            }),
        ]
    }

    /// The document, without secrets; its section is null where there is nothing to tell.
    pub(super) fn document(
        &self,
        section: Option<impl Serialize>,
        target: &Target,
    ) -> Result<String, Failure> {
        let state = RunState::of(&self.events());
        let document = Document::of(&state).ok_or_else(|| Failure::bug("a run without a header"))?;
        let section = BTreeMap::from([(self.verb, section)]);
        let text = serde_json::to_string_pretty(&Sectioned { document, section }).map_err(Failure::bug)?;
        Ok(target.redactor().clean(&text) + "\n")
    }
}
