//! `mcprove transcript`: recorded conversations.

use super::args::OutputFormat;
use super::failure::Failure;
use super::out;
use super::transcript_args::TranscriptVerb;
use crate::check::{Told, overheard_run};
use crate::monitors::Overhearing;
use crate::report::{TerminalOptions, render_terminal, visible};
use crate::run::{Document, RunState};
use crate::transcript::{ReadError, TranscriptReader};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

pub(super) fn transcript(what: &TranscriptVerb) -> Result<u8, Failure> {
    match what {
        TranscriptVerb::Check { file, output_format } => check(file, *output_format),
        _ => Err(Failure::Bug("not there".to_owned())),
    }
}

/// Why a file cannot be read, with its name.
pub(super) fn unreadable(file: &Path, error: &ReadError) -> Failure {
    Failure::Usage(format!("{}: {error}", file.display()))
}

fn check(file: &Path, format: OutputFormat) -> Result<u8, Failure> {
    let mut reader = TranscriptReader::open(file).map_err(|error| unreadable(file, &error))?;
    let mut hearing = Overhearing::new(reader.about());
    while let Some(record) = reader.next_record().map_err(|error| unreadable(file, &error))? {
        hearing.hear(&Arc::new(record));
    }
    let overheard = hearing.finish(reader.truncated());
    let name = file.display().to_string();
    let told = Told {
        about: reader.about(),
        started_at: reader.started_at(),
        file: &name,
        command_line: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
    };
    let state = RunState::of(&overheard_run(&overheard, &told));
    match format {
        OutputFormat::Text => {
            out::print(&render_terminal(&state, &TerminalOptions { width: None, report: None }))?;
        }
        OutputFormat::Json => match Document::of(&state) {
            Some(document) => out::print_json(&document)?,
            None => return Err(Failure::Bug("a run without a header".to_owned())),
        },
    }
    if reader.truncated() {
        let text = format!("mcprove: {name} was cut off; what is there was checked");
        let _ = writeln!(std::io::stderr(), "{}", visible(&text, 4000));
    }
    Ok(state.footer().map_or(70, |footer| footer.exit_code))
}
