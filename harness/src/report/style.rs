//! The colours and words of the terminal, in one place.

use crate::run::{Outcome, Summary};
use anstyle::{AnsiColor, Style};
use std::fmt::Display;

pub(super) const PLAIN: Style = Style::new();
pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const MARK: Style = AnsiColor::Red.on_default().bold();
pub(super) const LINK: Style = AnsiColor::Cyan.on_default();

/// Text in a style.
pub(super) fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// The colour of an outcome.
pub(super) const fn of(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Fail => AnsiColor::Red.on_default().bold(),
        Outcome::Warn => AnsiColor::Yellow.on_default().bold(),
        Outcome::Flaky => AnsiColor::Magenta.on_default().bold(),
        Outcome::Inconclusive => AnsiColor::Cyan.on_default(),
        Outcome::Pass => AnsiColor::Green.on_default(),
        Outcome::NotApplicable => DIM,
    }
}

/// The colour of a severity.
pub(super) fn of_severity(severity: &str) -> Style {
    match severity {
        "security" => AnsiColor::Magenta.on_default().bold(),
        "interop" => BOLD,
        _ => PLAIN,
    }
}

/// The outcomes that occur, with their counts: `2 fail · 3 pass`.
pub(super) fn counts(summary: &Summary, colour: bool) -> String {
    let words: Vec<_> = Outcome::ALL
        .into_iter()
        .filter(|outcome| summary.count(*outcome) > 0)
        .map(|outcome| {
            let text = format!("{} {outcome}", summary.count(outcome));
            if colour { paint(of(outcome), text) } else { text }
        })
        .collect();
    if words.is_empty() { "no result".to_owned() } else { words.join(" · ") }
}

/// A length of time for people.
pub(super) fn duration(millis: u64) -> String {
    let seconds = millis / 1000;
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{seconds}.{} s", millis % 1000 / 100),
        60_000..3_600_000 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3_600_000..3_600_000_000 => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
        _ => "> 999 h".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_read_well() {
        for (millis, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1.0 s"),
            (59_999, "59.9 s"),
            (61_000, "1 min 01 s"),
            (3_660_000, "1 h 01 min"),
            (u64::MAX, "> 999 h"),
        ] {
            assert_eq!(duration(millis), text);
        }
    }
}
