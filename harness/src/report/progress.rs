//! What is shown while a run goes on: bars on a terminal, plain lines elsewhere.

use super::reporter::Reporter;
use super::style::{self, BOLD, DIM, paint};
use super::text::visible;
use crate::protocol::{Revision, Transport};
use crate::run::{RunEvent, Summary};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt;
use std::io::{self, Write};

/// Columns of what is being done now.
const DOING: usize = 48;
/// Columns of a remark.
const NOTICE: usize = 400;

/// Shows how far a run is.
pub struct Progress<W> {
    counts: Vec<((Revision, Transport), Summary)>,
    shown: Shown<W>,
}

enum Shown<W> {
    Lines(W),
    Bars { all: MultiProgress, units: Vec<((Revision, Transport), ProgressBar)> },
}

impl<W> fmt::Debug for Progress<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if matches!(self.shown, Shown::Lines(_)) { "lines" } else { "bars" };
        f.debug_tuple("Progress").field(&kind).finish()
    }
}

impl<W: Write> Progress<W> {
    /// One line for each unit that starts or ends, and for each remark. Lines carry styles; a writer that strips
    /// them (`anstream::AutoStream`) makes them plain.
    pub fn lines(out: W) -> Self {
        Self { counts: Vec::new(), shown: Shown::Lines(out) }
    }

    fn count(&mut self, unit: (Revision, Transport)) -> &mut Summary {
        let at = self.counts.iter().position(|(known, _)| *known == unit).unwrap_or_else(|| {
            self.counts.push((unit, Summary::default()));
            self.counts.len() - 1
        });
        &mut self.counts[at].1
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        match &mut self.shown {
            Shown::Lines(out) => {
                out.write_all(format!("{line}\n").as_bytes())?;
                out.flush()
            }
            Shown::Bars { all, .. } => all.println(line),
        }
    }
}

impl Progress<io::Sink> {
    /// A bar for each unit that is under way, on standard error. Nothing is shown where that is no terminal.
    pub fn bars() -> Self {
        Self::bars_on(ProgressDrawTarget::stderr())
    }

    /// Bars on any target.
    pub fn bars_on(target: ProgressDrawTarget) -> Self {
        let all = MultiProgress::with_draw_target(target);
        Self { counts: Vec::new(), shown: Shown::Bars { all, units: Vec::new() } }
    }
}

fn bar_style() -> ProgressStyle {
    ProgressStyle::with_template("    {prefix} {bar:24.green/dim} {pos:>4}/{len:4} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

fn unit_name(revision: Revision, transport: Transport) -> String {
    format!("{transport:<8} {revision}")
}

impl<W: Write> Reporter for Progress<W> {
    fn event(&mut self, event: &RunEvent) -> io::Result<()> {
        match event {
            RunEvent::TargetIdentified(identity) => {
                let revisions: Vec<_> = identity.revisions.iter().map(|r| r.as_str()).collect();
                let speaks =
                    if revisions.is_empty() { "no revision".to_owned() } else { revisions.join(", ") };
                self.say(&format!("  {} {:<8} {speaks}", paint(DIM, "speaks  "), identity.transport))
            }
            RunEvent::UnitStarted { revision, transport } => {
                let name = unit_name(*revision, *transport);
                match &mut self.shown {
                    Shown::Lines(_) => self.say(&format!("  {} {name}", paint(DIM, "checking"))),
                    Shown::Bars { all, units } => {
                        let bar = all.add(ProgressBar::new(0).with_style(bar_style()).with_prefix(name));
                        bar.tick();
                        units.push(((*revision, *transport), bar));
                        Ok(())
                    }
                }
            }
            RunEvent::Progress { revision, transport, done, of, doing } => {
                if let Shown::Bars { units, .. } = &self.shown
                    && let Some((_, bar)) = units.iter().find(|(unit, _)| *unit == (*revision, *transport))
                {
                    bar.set_length(u64::from(*of));
                    bar.set_position(u64::from(*done));
                    bar.set_message(visible(doing, DOING));
                }
                Ok(())
            }
            RunEvent::Baseline(_) => Ok(()),
            RunEvent::UnitFinished { revision, transport, millis } => {
                if let Shown::Bars { units, .. } = &mut self.shown {
                    let over = |unit: &(Revision, Transport)| *unit == (*revision, *transport);
                    for (_, bar) in units.extract_if(.., |(unit, _)| over(unit)) {
                        bar.finish_and_clear();
                    }
                }
                let counts = style::counts(self.count((*revision, *transport)), true);
                let name = unit_name(*revision, *transport);
                let time = paint(DIM, format_args!("in {}", style::duration(*millis)));
                self.say(&format!("  {} {name}  {counts}  {time}", paint(BOLD, "checked ")))
            }
            RunEvent::Notice { text } => {
                self.say(&format!("  {} {}", paint(DIM, "note    "), visible(text, NOTICE)))
            }
            RunEvent::Result(row) => {
                self.count((row.revision, row.transport)).add(row.outcome);
                Ok(())
            }
            RunEvent::Header(_) | RunEvent::Conversation { .. } | RunEvent::Footer(_) => Ok(()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match &mut self.shown {
            Shown::Lines(out) => out.flush(),
            Shown::Bars { all, units } => {
                units.drain(..).for_each(|(_, bar)| bar.finish_and_clear());
                all.clear()
            }
        }
    }
}
