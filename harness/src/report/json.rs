//! `--output-format json`: the one document, written when the run is over.

use super::reporter::Reporter;
use crate::run::{Document, RunEvent, RunState};
use std::io::{self, Write};

/// Writes the JSON document of a run.
#[derive(Debug)]
pub struct Json<W> {
    state: RunState,
    out: W,
}

impl<W: Write> Json<W> {
    /// Writes to `out` at the end of the run.
    pub fn new(out: W) -> Self {
        Self { state: RunState::default(), out }
    }
}

impl<W: Write> Reporter for Json<W> {
    fn event(&mut self, event: &RunEvent) -> io::Result<()> {
        self.state.apply(event);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let document = Document::of(&self.state)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the run has no header"))?;
        let mut text = serde_json::to_vec_pretty(&document)?;
        text.push(b'\n');
        self.out.write_all(&text)?;
        self.out.flush()
    }
}
