//! A run on its way to the folder, the terminal and the final report, whatever happens in between.

use super::args::OutputFormat;
use super::failure::Failure;
use super::out;
use crate::check::Stop;
use crate::report::{Progress, Reporter, TerminalOptions, render_html, render_terminal};
use crate::run::{Document, Footer, RunError, RunEvent, RunState, RunWriter, write_file};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Takes the events of a run.
pub(super) struct Session {
    inner: Mutex<Inner>,
}

struct Inner {
    state: RunState,
    writer: RunWriter,
    progress: Box<dyn Reporter + Send>,
}

impl Session {
    /// Makes the folder ready.
    pub(super) fn open(folder: &Path, plain: bool) -> Result<Self, Failure> {
        let writer = RunWriter::create(folder).map_err(Failure::usage)?;
        out::ignore_by_git(folder);
        let stderr = std::io::stderr();
        let colourless = anstream::AutoStream::choice(&stderr) == anstream::ColorChoice::Never;
        let progress: Box<dyn Reporter + Send> = if stderr.is_terminal() && !plain && !colourless {
            Box::new(Progress::bars())
        } else {
            Box::new(Progress::lines(anstream::AutoStream::auto(stderr)))
        };
        Ok(Self { inner: Mutex::new(Inner { state: RunState::default(), writer, progress }) })
    }

    /// Takes one event.
    pub(super) fn event(&self, event: &RunEvent) {
        let mut inner = self.lock();
        inner.state.apply(event);
        if let Err(error) = inner.writer.append(event) {
            // The first one is told, and the run goes on: what is on the terminal is still whole.
            let _ = writeln!(std::io::stderr(), "mcprove: {error}");
        }
        // A terminal that is gone does not end a run.
        let _ = inner.progress.event(event);
    }

    /// Ends a run that a bug of ours has cut short, if it has not ended.
    pub(super) fn broken(&self, message: String) {
        let summary = {
            let inner = self.lock();
            if inner.state.header().is_none() || inner.state.footer().is_some() {
                return;
            }
            inner.state.summary()
        };
        self.event(&RunEvent::Footer(Footer {
            summary,
            exit_code: 70,
            error: Some(RunError { code: 70, message }),
            truncated: true,
            millis: 0,
            harness_cpu_millis: None,
            process_starts: 0,
        }));
    }

    /// Draws the reports, and returns the exit code of the run.
    pub(super) fn finish(&self, format: OutputFormat) -> Result<u8, Failure> {
        let mut inner = self.lock();
        let _ = inner.progress.finish();
        let folder = inner.writer.dir().to_owned();
        let state = &inner.state;
        let page = render_html(state).map_err(Failure::bug)?;
        let report = match write_file(&folder, "index.html", page.as_bytes()) {
            Ok(path) => Some(path.display().to_string()),
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "mcprove: {error}");
                None
            }
        };
        match format {
            OutputFormat::Text => {
                out::print(&render_terminal(state, &TerminalOptions { width: None, report }))?;
            }
            OutputFormat::Json => match Document::of(state) {
                Some(document) => out::print_json(&document)?,
                None => return Err(Failure::Bug("a run without a header".to_owned())),
            },
        }
        if format == OutputFormat::Json
            && let Some(error) = state.footer().and_then(|footer| footer.error.as_ref())
        {
            let text: String =
                error.message.lines().map(|line| crate::report::visible(line, 4000) + "\n").collect();
            let _ = write!(std::io::stderr(), "mcprove: {text}");
        }
        Ok(state.footer().map_or(70, |footer| footer.exit_code))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks a run to stop at the first signal, with the exit code that goes with it; the second one ends at once, and the
/// guardian ends what the run had started.
pub(super) fn heed_signals(stop: &Stop) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    for (kind, code) in [(SignalKind::interrupt(), 130), (SignalKind::terminate(), 143)] {
        let mut signals =
            signal(kind).map_err(|error| Failure::Bug(format!("cannot take signals: {error}")))?;
        let stop = stop.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if stop.wanted().is_some() {
                    std::process::exit(i32::from(code));
                }
                stop.now(code);
            }
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Header, RUN_FORMAT, RUN_VERSION, StoredRun, TargetInfo};

    #[test]
    fn a_run_cut_short_by_a_bug_has_a_footer() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        let session = Session::open(&run, true).unwrap();
        session.broken("before the header".to_owned());
        session.event(&RunEvent::Header(Header {
            format: RUN_FORMAT.to_owned(),
            version: RUN_VERSION,
            tool_version: "0".to_owned(),
            command: "check".to_owned(),
            command_line: Vec::new(),
            target: TargetInfo { kind: "url".to_owned(), display: "http://h/".to_owned(), server_info: None },
            seed: 1,
            requirement_set: "2026-11-22".to_owned(),
            started_at: "2026-11-22T00:00:00Z".to_owned(),
        }));
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _held = session.lock();
            std::panic::resume_unwind(Box::new("a bug"));
        }));
        assert!(panic.is_err());
        session.broken("a bug".to_owned());
        session.broken("another one".to_owned());
        let stored = StoredRun::read(&run).unwrap();
        let Some(RunEvent::Footer(footer)) = stored.events.last() else { panic!("no footer") };
        assert_eq!((footer.exit_code, stored.events.len()), (70, 2));
        assert!(stored.truncated);
    }
}
