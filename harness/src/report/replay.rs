//! Draws what differs between a recording and its replay: the JSON side by side, with paths.

use super::style::{BOLD, DIM, MARK, paint};
use super::text::{columns, visible};
use crate::replay::{Difference, Kind, Replayed};
use crate::transcript::RulePart;
use anstyle::{AnsiColor, Style};
use serde_json::Value;

/// How many differences are drawn.
const DRAWN: usize = 200;
/// How many lines of one value are drawn.
const LINES: usize = 24;
/// Lines around a change that are drawn with it.
const AROUND: usize = 2;

const GOOD: Style = AnsiColor::Green.on_default();
const NEW: Style = AnsiColor::Yellow.on_default();

/// The whole report of a replay, so many columns wide. Texts of the server are made visible; `clean` takes secrets out.
pub fn render_replay(
    replayed: &Replayed,
    title: &str,
    columns: usize,
    clean: &dyn Fn(&str) -> String,
) -> String {
    let mut text = format!("{}  {}\n", paint(BOLD, "mcprove replay"), visible(&clean(title), columns));
    let over = if replayed.recorded_over == replayed.replayed_over {
        format!("over {}", replayed.replayed_over)
    } else {
        format!("recorded over {}, replayed over {}", replayed.recorded_over, replayed.replayed_over)
    };
    let sum =
        |of: fn(&crate::replay::SessionReplayed) -> usize| replayed.sessions.iter().map(of).sum::<usize>();
    text += &format!(
        "  {} of {} messages sent, {} of {} came back; {over}, mode {}, {} rules, {} values bound\n",
        sum(|session| session.sent),
        sum(|session| session.sends),
        sum(|session| session.heard),
        sum(|session| session.expected),
        replayed.mode,
        replayed.rules,
        sum(|session| session.bound),
    );
    for note in &replayed.notes {
        text += &format!("  {}\n", paint(DIM, visible(&clean(note), 4 * columns)));
    }
    if !replayed.untranslated.is_empty() {
        text += &format!("\n{}\n", paint(BOLD, "Not replayed as it was"));
    }
    for one in &replayed.untranslated {
        let method = visible(&one.method, 60);
        text += &format!("  event {:<5} {method}: {}\n", one.event, one.why);
    }
    for difference in replayed.differences.iter().take(DRAWN) {
        text.push('\n');
        text += &render_difference(difference, columns, clean);
    }
    if let Some(more) = replayed.differences.len().checked_sub(DRAWN).filter(|more| *more > 0) {
        text += &format!("\n{}\n", paint(DIM, format!("… and {more} more; --output-format json has all")));
    }
    text += &match replayed.differences.len() {
        0 => format!("\n{}\n", paint(GOOD, "no difference")),
        1 => format!("\n{}\n", paint(MARK, "1 difference")),
        many => format!("\n{}\n", paint(MARK, format!("{many} differences"))),
    };
    text
}

/// One difference: what it is, where, and both sides.
pub fn render_difference(difference: &Difference, width: usize, clean: &dyn Fn(&str) -> String) -> String {
    let message = &difference.message;
    let method = visible(&message.method, 80);
    let what = match (message.of, difference.kind) {
        (_, Kind::Gone) => "the conversation".to_owned(),
        (RulePart::Answer, Kind::Status) => format!("the response to {method} ({})", message.nth),
        (RulePart::Answer, _) if method.is_empty() => format!("an answer to no request ({})", message.nth),
        (RulePart::Answer, _) => format!("the answer to {method} ({})", message.nth),
        (RulePart::Request, _) => format!("the request {method} ({})", message.nth),
        (RulePart::Notification, _) => format!("the notification {method} ({})", message.nth),
    };
    let session =
        if message.session > 0 { format!("session {}, ", message.session + 1) } else { String::new() };
    let event = match message.event {
        Some(event) => format!("  {}", paint(DIM, format!("{session}event {event}"))),
        None => String::new(),
    };
    let note = difference.note.as_ref().map(|note| format!(": {}", visible(&clean(note), 4 * width)));
    let path = visible(&difference.path, 2 * width);
    let mut text = match difference.kind {
        kind if kind.is_of_messages() => {
            format!(
                "{} {}{}{event}\n",
                paint(BOLD, what),
                paint(MARK, kind.words()),
                note.unwrap_or_default()
            )
        }
        kind => {
            let at = if path.is_empty() { String::new() } else { format!(" at {}", paint(BOLD, &path)) };
            format!("{}{at}  {}{event}\n", paint(BOLD, what), paint(MARK, kind.words()))
        }
    };
    text += &sides(difference.recorded.as_ref(), difference.live.as_ref(), width, clean);
    text
}

/// Two values side by side, the parts that differ marked.
fn sides(
    recorded: Option<&Value>,
    live: Option<&Value>,
    width: usize,
    clean: &dyn Fn(&str) -> String,
) -> String {
    let lines = |value: Option<&Value>| match value {
        None => vec![],
        Some(value) => {
            let text = serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string());
            clean(&text).lines().map(str::to_owned).collect::<Vec<String>>()
        }
    };
    let (left, right) = (lines(recorded), lines(live));
    if left.is_empty() && right.is_empty() {
        return String::new();
    }
    let column = (width.saturating_sub(5)) / 2;
    let start = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
    let rest = left.len().min(right.len()) - start;
    let end = (0..rest).take_while(|n| left[left.len() - 1 - n] == right[right.len() - 1 - n]).count();
    let from = start.saturating_sub(AROUND);
    let rows = left.len().max(right.len());
    let mut text = format!(
        "  {}{} {} {}\n",
        paint(DIM, "recorded"),
        " ".repeat(column.saturating_sub(8)),
        paint(DIM, "│"),
        paint(DIM, "now")
    );
    if from > 0 {
        text += &format!("  {}\n", paint(DIM, format!("… {from} lines that are the same")));
    }
    for (drawn, row) in (from..rows).enumerate() {
        let changed_left = row >= start && row < left.len() - end;
        let changed_right = row >= start && row < right.len() - end;
        if row >= (left.len().max(right.len()) - end) + AROUND {
            break;
        }
        if drawn == LINES {
            text += &format!("  {}\n", paint(DIM, format!("… {} more lines", rows - row)));
            break;
        }
        let cell = |lines: &[String], other: &[String]| {
            let line = lines.get(row).map(String::as_str).unwrap_or_default();
            shown(line, other.get(row).map(String::as_str).unwrap_or_default(), column)
        };
        let (a, b) = (cell(&left, &right), cell(&right, &left));
        let pad = " ".repeat(column.saturating_sub(columns(&a)));
        let a = if changed_left { paint(MARK, &a) } else { a };
        let b = if changed_right { paint(NEW, &b) } else { b };
        text += &format!("  {a}{pad} {} {b}", paint(DIM, "│"));
        text = text.trim_end().to_owned() + "\n";
    }
    text
}

/// A line in so many columns; of a long one the part from where it differs.
fn shown(line: &str, other: &str, column: usize) -> String {
    let whole = visible(line, usize::MAX / 8);
    if columns(&whole) <= column {
        return whole;
    }
    let same = line.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let lead = same.saturating_sub(column / 3);
    if lead == 0 || other.is_empty() {
        return visible(line, column);
    }
    let rest: String = line.chars().skip(lead).collect();
    format!("…{}", visible(&rest, column.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::Place;
    use serde_json::json;

    fn difference(recorded: Value, live: Value) -> Difference {
        let message = Place {
            session: 0,
            method: "tools/call".into(),
            of: RulePart::Answer,
            nth: 2,
            event: Some(7),
            after: None,
        };
        let (recorded, live) = (Some(recorded), Some(live));
        Difference { message, path: "/result".into(), kind: Kind::Value, recorded, live, note: None }
    }

    #[test]
    fn both_sides_stand_beside_each_other() {
        let drawn = render_difference(
            &difference(json!({"a": 1, "b": 2}), json!({"a": 1, "b": 3})),
            60,
            &str::to_owned,
        );
        let plain = anstream_free(&drawn);
        assert!(plain.contains("the answer to tools/call (2) at /result  another value  event 7"), "{plain}");
        assert!(
            plain.lines().any(|line| line.contains("\"b\": 2") && line.contains("│   \"b\": 3")),
            "{plain}"
        );
    }

    #[test]
    fn a_long_text_is_shown_where_it_differs() {
        let text = |end: &str| json!(format!("{}{end}{}", "x".repeat(300), "y".repeat(300)));
        let plain =
            anstream_free(&render_difference(&difference(text("OLD"), text("NEW")), 60, &str::to_owned));
        assert!(plain.contains("OLD") && plain.contains("NEW"), "{plain}");
        assert!(plain.lines().all(|line| line.chars().count() <= 90), "{plain}");
    }

    #[test]
    fn nothing_acts_on_the_terminal() {
        let drawn = render_difference(&difference(json!("\u{1b}[31m"), json!("\u{9b}")), 60, &str::to_owned);
        assert!(!anstream_free(&drawn).chars().any(|c| c.is_control() && c != '\n'));
    }

    /// Without the styles.
    fn anstream_free(text: &str) -> String {
        let mut plain = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c == '\u{1b}' {
                chars.by_ref().take_while(|c| *c != 'm').for_each(drop);
            } else {
                plain.push(c);
            }
        }
        plain
    }
}
