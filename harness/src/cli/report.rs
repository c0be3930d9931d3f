//! `mcprove report`: a stored run, drawn again.

use super::args::{DrawFormat, ReportArgs};
use super::failure::Failure;
use super::out;
use crate::check;
use crate::report::{TerminalOptions, render_html, render_terminal, visible};
use crate::run::{Document, RunState, StoredRun};
use std::io::Write;

pub(super) fn report(args: &ReportArgs) -> Result<u8, Failure> {
    let mut run = StoredRun::read(&args.dir).map_err(Failure::usage)?;
    if run.truncated {
        // A run that was killed had seen more than it told.
        let folder = if args.dir.is_dir() { Some(args.dir.as_path()) } else { args.dir.parent() };
        let more = folder.map(|folder| check::rejudge(folder, &run.events)).unwrap_or_default();
        run.events.extend(more);
    }
    let state = RunState::of(&run.events);
    if run.unreadable > 0 {
        let text = format!("mcprove: {} lines of the run could not be read", run.unreadable);
        let _ = writeln!(std::io::stderr(), "{}", visible(&text, 200));
    }
    match args.output_format {
        DrawFormat::Text => {
            let page = args.dir.join("index.html");
            let report = page.is_file().then(|| page.display().to_string());
            out::print(&render_terminal(&state, &TerminalOptions { width: None, report }))?;
        }
        DrawFormat::Json => match Document::of(&state) {
            Some(document) => out::print_json(&document)?,
            None => return Err(Failure::Usage("the run has no header".to_owned())),
        },
        DrawFormat::Html => {
            out::print_bytes(render_html(&state).map_err(Failure::usage)?.as_bytes())?;
        }
    }
    Ok(0)
}
