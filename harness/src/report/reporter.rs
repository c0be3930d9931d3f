//! What all reporters have in common, and drawing a stored run.

use crate::run::{ReadError, RunEvent, RunReader};
use std::io::{self, BufRead};

/// Draws a run from its events, live or read back.
pub trait Reporter {
    /// Takes one event.
    ///
    /// # Errors
    ///
    /// When what is drawn cannot be written.
    fn event(&mut self, event: &RunEvent) -> io::Result<()>;

    /// The run is over, or there are no more events of it. A run without a footer is drawn as truncated.
    ///
    /// # Errors
    ///
    /// When what is drawn cannot be written.
    fn finish(&mut self) -> io::Result<()>;
}

/// Why a stored run could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// The run cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The report cannot be written.
    #[error("cannot write the report: {0}")]
    Write(#[from] io::Error),
}

/// Draws a stored run.
///
/// # Errors
///
/// When the run cannot be read or the report cannot be written.
pub fn draw<R: BufRead>(run: RunReader<R>, reporter: &mut dyn Reporter) -> Result<(), DrawError> {
    for event in run {
        reporter.event(&event?)?;
    }
    reporter.finish()?;
    Ok(())
}
