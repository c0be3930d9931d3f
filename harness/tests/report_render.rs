//! What is drawn from a run: whole outputs, hostile texts, runs cut short, and the time that drawing takes.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used)]

mod report_support;

use indicatif::{ProgressDrawTarget, TermLike};
use mcprove::report::{
    Html, Json, Progress, Reporter, Terminal, TerminalOptions, draw, render_html, render_terminal,
};
use mcprove::run::{Outcome, RunEvent, RunReader, RunState};
use report_support as support;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use unicode_width::UnicodeWidthStr;

fn options() -> TerminalOptions {
    TerminalOptions { width: Some(100), report: Some("reports/latest/index.html".into()) }
}

fn feed(reporter: &mut dyn Reporter, events: &[RunEvent]) {
    for event in events {
        reporter.event(event).unwrap();
    }
    reporter.finish().unwrap();
}

fn terminal(events: &[RunEvent]) -> String {
    let mut out = anstream::StripStream::new(Vec::new());
    feed(&mut Terminal::new(&mut out, options()), events);
    String::from_utf8(out.into_inner()).unwrap()
}

fn terminal_with_colour(events: &[RunEvent]) -> String {
    let mut out = Vec::new();
    feed(&mut Terminal::new(&mut out, options()), events);
    String::from_utf8(out).unwrap()
}

fn progress(events: &[RunEvent]) -> String {
    let mut out = anstream::StripStream::new(Vec::new());
    feed(&mut Progress::lines(&mut out), events);
    String::from_utf8(out.into_inner()).unwrap()
}

fn html(events: &[RunEvent]) -> String {
    let mut out = Vec::new();
    feed(&mut Html::new(&mut out), events);
    String::from_utf8(out).unwrap()
}

/// The escape character as a sign that a reader of a snapshot can see.
fn readable(text: &str) -> String {
    text.replace('\u{1b}', "␛")
}

#[test]
fn terminal_report() {
    insta::assert_snapshot!(terminal(&support::sample()));
}

#[test]
fn terminal_report_with_colour() {
    let text = terminal_with_colour(&support::sample());
    assert_eq!(anstream::adapter::strip_str(&text).to_string(), terminal(&support::sample()));
    insta::assert_snapshot!(readable(&text));
}

#[test]
fn terminal_report_of_a_run_cut_short() {
    insta::assert_snapshot!(terminal(&support::cut()));
}

#[test]
fn terminal_report_of_a_run_without_an_answer() {
    insta::assert_snapshot!(terminal(&support::empty()));
}

#[test]
fn terminal_report_of_hostile_texts() {
    insta::assert_snapshot!(terminal(&support::hostile()));
}

#[test]
fn terminal_report_of_a_sound_server() {
    let mut events: Vec<_> = support::sample()
        .into_iter()
        .filter(|event| match event {
            RunEvent::Result(row) => matches!(row.outcome, Outcome::Pass | Outcome::NotApplicable),
            RunEvent::Footer(_) => false,
            _ => true,
        })
        .collect();
    let state = RunState::of(&events);
    events.push(support::footer(&state, 0, None));
    insta::assert_snapshot!(terminal(&events));
}

#[test]
fn plain_progress() {
    insta::assert_snapshot!(progress(&support::sample()));
}

#[test]
fn page() {
    insta::assert_snapshot!(html(&support::sample()));
}

#[test]
fn json_document() {
    let mut out = Vec::new();
    feed(&mut Json::new(&mut out), &support::cut()[..9]);
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn a_live_run_and_one_read_back_look_the_same() {
    let events = support::sample();
    let stored: Vec<u8> = events
        .iter()
        .flat_map(|event| serde_json::to_vec(event).unwrap().into_iter().chain([b'\n']))
        .collect();
    let mut out = anstream::StripStream::new(Vec::new());
    let reader = RunReader::new("run.jsonl", &stored[..]).unwrap();
    draw(reader, &mut Terminal::new(&mut out, options())).unwrap();
    assert_eq!(String::from_utf8(out.into_inner()).unwrap(), terminal(&events));
}

/// No control character but the line end, nothing that turns the direction of text, nothing invisible.
#[track_caller]
fn harmless(text: &str) {
    for c in text.chars() {
        let bad = (c.is_control() && c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e0fff}');
        assert!(!bad, "{:?}", u32::from(c));
    }
}

#[test]
fn hostile_texts_act_on_nothing() {
    let events = support::hostile();
    let plain = terminal(&events);
    harmless(&plain);
    for line in plain.lines().filter(|line| !line.contains("reproduce")) {
        assert!(line.width() <= 100, "{line}");
    }
    // The only escape sequences of the coloured report are our own styles.
    let coloured = terminal_with_colour(&events);
    for part in coloured.split('\u{1b}').skip(1) {
        let style = &part[..=part.find('m').unwrap()];
        assert!(
            style.starts_with('[')
                && style[1..style.len() - 1].chars().all(|c| c.is_ascii_digit() || c == ';'),
            "{style:?}"
        );
    }
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
    harmless(&progress(&events));
    let page = html(&events);
    harmless(&page);
    assert!(!page.contains("<script") && !page.contains("javascript:") && !page.contains("passwd"));
    assert!(page.len() < 120_000, "{}", page.len());
    assert!(plain.len() < 30_000, "{}", plain.len());
}

#[test]
fn the_page_needs_nothing_from_anywhere() {
    let page = html(&support::sample());
    assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'"));
    for forbidden in ["<script", "<link", "<img", "<iframe", " src=", "@import", "url(", " onclick"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    let hrefs: Vec<_> = page.split("href=\"").skip(1).map(|part| &part[..part.find('"').unwrap()]).collect();
    assert!(!hrefs.is_empty());
    for href in hrefs {
        assert!(href.starts_with("https:") || href.starts_with("transcripts"), "{href}");
    }
}

#[test]
fn a_defect_is_one_entry_wherever_it_was_seen() {
    let plain = terminal(&support::sample());
    assert_eq!(plain.matches("carries the id as a string").count(), 1);
    assert!(plain.contains("stdio 2025-06-18, 2025-11-25 · http 2025-06-18, 2025-11-25"));
    assert_eq!(html(&support::sample()).matches("carries the id as a string").count(), 1);
}

#[test]
fn what_was_cut_short_never_reads_as_a_pass() {
    for events in [support::cut(), support::empty(), vec![support::header()], vec![]] {
        let mut events = events;
        events.retain(|event| !matches!(event, RunEvent::Result(row) if row.outcome == Outcome::Fail));
        let text = terminal(&events);
        assert!(text.contains("TRUNCATED"), "{text}");
        assert!(!text.contains("PASS"), "{text}");
    }
    assert!(html(&support::cut()).contains("Truncated."));
    // All that was asked is undecided: that is no pass either.
    let mut events = vec![support::header()];
    let row = support::undecided("a.b", support::R1, support::STDIO, "no-probe", "nothing decides it");
    events.push(RunEvent::Result(Box::new(row)));
    events.push(support::footer(&RunState::of(&events), 0, None));
    let text = terminal(&events);
    assert!(!text.contains("PASS") && text.contains("none was seen to be kept"), "{text}");
}

#[test]
fn every_width_holds() {
    for width in [0, 60, 61, 77, 100, 160, usize::MAX] {
        let state = RunState::of(&support::sample());
        let text = render_terminal(&state, &TerminalOptions { width: Some(width), report: None });
        let text = anstream::adapter::strip_str(&text).to_string();
        // What is there to be copied is not broken, and the table has a width of its own.
        let free = |line: &&str| !line.contains("reproduce") && !line.trim_start().starts_with("https:");
        for line in text.lines().filter(free) {
            assert!(line.width() <= width.clamp(80, 160), "{width}: {line}");
        }
    }
}

#[test]
fn a_large_run_is_drawn_at_once() {
    let state = RunState::of(&support::large(1000));
    assert_eq!(state.summary().total(), 4000);
    let limit = Duration::from_millis(if cfg!(debug_assertions) { 500 } else { 50 });
    let mut best = [Duration::MAX; 2];
    for _ in 0..3 {
        let start = Instant::now();
        let text = render_terminal(&state, &options());
        best[0] = best[0].min(start.elapsed());
        assert!(text.contains("4000 results"));
        let start = Instant::now();
        let page = render_html(&state).unwrap();
        best[1] = best[1].min(start.elapsed());
        assert!(page.contains("area39"));
    }
    eprintln!("terminal {:?}, page {:?}", best[0], best[1]);
    assert!(best.iter().all(|time| *time < limit), "{best:?}");
}

/// A terminal that keeps what is written to it.
#[derive(Debug, Clone, Default)]
struct Screen(Arc<Mutex<String>>);

impl TermLike for Screen {
    fn width(&self) -> u16 {
        100
    }
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)?;
        self.write_str("\n")
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.lock().unwrap().push_str(text);
        Ok(())
    }
    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn bars_show_what_is_done_and_leave_the_outcome_behind() {
    let screen = Screen::default();
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255);
    feed(&mut Progress::bars_on(target), &support::sample());
    let text = anstream::adapter::strip_str(&screen.0.lock().unwrap()).to_string();
    assert!(text.contains("stdio    2025-06-18 "), "{text}");
    assert!(text.contains("checked  http     2025-11-25  3 fail · 1 flaky"), "{text}");

    let screen = Screen::default();
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255);
    feed(&mut Progress::bars_on(target), &support::hostile());
    let text = anstream::adapter::strip_str(&screen.0.lock().unwrap()).to_string();
    harmless(&text.replace('\r', ""));
}
