//! The report on a terminal: what failed, with the evidence, what to do about it, and the totals.

use super::digest::{self, Accepted, Broken, Digest, Problem};
use super::reporter::Reporter;
use super::style::{self, BOLD, DIM, LINK, MARK, PLAIN, paint};
use super::text::{columns, excerpt, visible, wrap};
use crate::run::{Outcome, ResultRow, RunEvent, RunState, Summary};
use anstyle::Style;
use std::io::{self, Write};

/// Columns of a text that is wrapped over several lines.
const PROSE: usize = 800;
/// Columns of a command line, which is never wrapped so that it can be copied.
const COMMAND: usize = 4_000;
/// Columns of names.
const NAME: usize = 120;
/// Defects shown of one requirement.
const PROBLEMS: usize = 5;
/// Alternatives shown of what would have been right.
const EXPECTED: usize = 6;
/// Reasons shown why something could not be decided.
const REASONS: usize = 20;
/// Remarks shown.
const NOTICES: usize = 20;
/// Lines shown of an error's message.
const ERROR_LINES: usize = 20;
/// Where the texts beside the labels begin.
const TEXT: usize = 15;
/// Columns that the table of results takes.
const TABLE: usize = 94;

/// How to draw.
#[derive(Debug, Clone, Default)]
pub struct TerminalOptions {
    /// Columns; from the environment's `COLUMNS`, else 100, when not given. Held between 60 and 160.
    pub width: Option<usize>,
    /// Path of the report that tells more, as a person would type it.
    pub report: Option<String>,
}

/// Draws the report when the run is over. Lines carry styles; a writer that strips them (`anstream::AutoStream`)
/// makes them plain.
#[derive(Debug)]
pub struct Terminal<W> {
    state: RunState,
    options: TerminalOptions,
    out: W,
}

impl<W: Write> Terminal<W> {
    /// Draws to `out` at the end of the run.
    pub fn new(out: W, options: TerminalOptions) -> Self {
        Self { state: RunState::default(), options, out }
    }
}

impl<W: Write> Reporter for Terminal<W> {
    fn event(&mut self, event: &RunEvent) -> io::Result<()> {
        self.state.apply(event);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.write_all(render(&self.state, &self.options).as_bytes())?;
        self.out.flush()
    }
}

/// The report as text with styles.
pub fn render(state: &RunState, options: &TerminalOptions) -> String {
    let width = options
        .width
        .or_else(|| std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()))
        .unwrap_or(100)
        .clamp(60, 160);
    let mut page = Page { text: String::new(), width };
    let digest = Digest::of(state);
    page.head(state);
    page.failures(&digest);
    page.shorter(&digest, Outcome::Flaky, "Flaky: seen, but not again when repeated");
    page.shorter(&digest, Outcome::Warn, "Warnings");
    page.accepted(&digest);
    page.rotten(&digest, state);
    page.restated(&digest);
    page.undecided(&digest);
    page.notices(state);
    page.units(state);
    page.verdict(state, &digest, options.report.as_deref());
    page.text
}

/// One result as the report shows it, with styles: what failed, the evidence, what to do about it.
pub fn render_result(row: &ResultRow, width: usize) -> String {
    let mut state = RunState::default();
    state.apply(&RunEvent::Result(Box::new(row.clone())));
    let digest = Digest::of(&state);
    let mut page = Page { text: String::new(), width: width.clamp(60, 160) };
    for broken in &digest.broken {
        page.defects(broken);
    }
    if digest.broken.is_empty() {
        let reason = row.reason.as_ref().map_or("no finding of its own", |reason| &reason.text);
        page.line(&format!(
            "  {} {}  {}",
            paint(style::of(row.outcome), row.outcome.as_str().to_uppercase()),
            visible(&row.requirement, NAME),
            visible(reason, PROSE)
        ));
    }
    page.text
}

struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn rule(&mut self, title: &str, count: Option<usize>, colour: Style) {
        let count = count.map_or_else(String::new, |count| format!(" ({count})"));
        let used = 4 + columns(title) + count.len();
        let rest = "─".repeat(self.width.saturating_sub(used));
        self.blank();
        self.line(&format!("{} {}{count} {}", paint(DIM, "──"), paint(colour, title), paint(DIM, rest)));
    }

    /// A label and a text beside it, wrapped.
    fn entry(&mut self, label: &str, text: &str, colour: Style) {
        let mut label = label;
        for line in wrap(&visible(text, PROSE), self.width - TEXT) {
            self.labelled(label, &paint(colour, line));
            label = "";
        }
    }

    fn labelled(&mut self, label: &str, text: &str) {
        self.line(&format!("    {} {text}", paint(DIM, format_args!("{label:<10}"))));
    }

    fn prose(&mut self, indent: usize, text: &str, colour: Style) {
        for line in wrap(&visible(text, PROSE), self.width - indent) {
            self.line(&format!("{:indent$}{}", "", paint(colour, line)));
        }
    }

    fn head(&mut self, state: &RunState) {
        let Some(header) = state.header() else {
            self.line(&paint(MARK, "A run without a header"));
            return;
        };
        let title = format!("mcprove {}", visible(&header.command, NAME));
        let room = self.width.saturating_sub(columns(&title) + 2).max(20);
        let target = if header.target.kind == "embedded" {
            "the embedded reference server".to_owned()
        } else {
            visible(&header.target.display, room)
        };
        self.line(&format!("{}  {target}", paint(BOLD, title)));
        self.blank();
        if let Some(server) = state.server_info() {
            let name = format!("{} {}", visible(&server.name, NAME), visible(&server.version, 40));
            self.entry("server", &name, PLAIN);
        }
        for (n, identity) in state.identities().iter().enumerate() {
            let revisions: Vec<_> = identity.revisions.iter().map(|r| r.as_str()).collect();
            let revisions =
                if revisions.is_empty() { "no revision".to_owned() } else { revisions.join(", ") };
            let startup =
                paint(DIM, format_args!("first answer after {}", style::duration(identity.startup_millis)));
            let label = if n == 0 { "speaks" } else { "" };
            self.labelled(label, &format!("{:<8} {revisions}  {startup}", identity.transport));
        }
        self.entry(
            "run",
            &format!(
                "{} · requirements of {} · seed {} · mcprove {}",
                header.started_at, header.requirement_set, header.seed, header.tool_version
            ),
            PLAIN,
        );
    }

    fn failures(&mut self, digest: &Digest<'_>) {
        let count = digest.with(Outcome::Fail).count();
        if count == 0 {
            return;
        }
        self.rule("Failures", Some(count), style::of(Outcome::Fail));
        for broken in digest.with(Outcome::Fail) {
            self.blank();
            self.defects(broken);
        }
    }

    /// A requirement with everything that is known of its defects.
    fn defects(&mut self, broken: &Broken<'_>) {
        self.requirement(broken);
        for problem in broken.problems.iter().take(PROBLEMS) {
            self.blank();
            self.problem(problem);
        }
        self.more(broken.problems.len(), PROBLEMS, "defects of this requirement");
    }

    /// `FAIL  id                MUST · interop`, and the title below.
    fn requirement(&mut self, broken: &Broken<'_>) {
        let row = broken.row;
        let word = format!("{:<6}", row.outcome.as_str().to_uppercase());
        let id = visible(&row.requirement, NAME);
        let level = row.level.as_deref().unwrap_or("no level");
        let right = format!("{} · {}", visible(level, 20), visible(&row.severity, 20));
        let gap = self.width.saturating_sub(2 + columns(&word) + 1 + columns(&id) + columns(&right)).max(2);
        let severity = paint(style::of_severity(&row.severity), visible(&row.severity, 20));
        self.line(&format!(
            "  {} {}{:gap$}{} · {severity}",
            paint(style::of(row.outcome), word),
            paint(BOLD, id),
            "",
            visible(level, 20),
        ));
        if let Some(title) = &row.title {
            self.prose(9, title, PLAIN);
        }
    }

    fn problem(&mut self, problem: &Problem<'_>) {
        let finding = problem.finding;
        self.prose(4, &finding.message, BOLD);
        self.blank();
        let evidence = &finding.evidence;
        let room = self.width - TEXT;
        if let Some(sent) = &evidence.sent {
            self.labelled("sent", &visible(sent, room));
        }
        match &evidence.received {
            Some(received) => self.received(received, evidence.mark, evidence.pointer.as_deref()),
            None if evidence.sent.is_some() => self.labelled("received", &paint(DIM, "nothing")),
            None => {}
        }
        for (n, expected) in finding.expected.iter().take(EXPECTED).enumerate() {
            self.entry(if n == 0 { "expected" } else { "      or" }, expected, style::of(Outcome::Pass));
        }
        if finding.expected.len() > EXPECTED {
            self.labelled("", &format!("… and {} more", finding.expected.len() - EXPECTED));
        }
        self.entry("actual", &finding.actual, MARK);
        self.entry("spec", &finding.spec, PLAIN);
        let page = |url: &&str| url.starts_with("https://") || url.starts_with("http://");
        if let Some(url) = problem.row.url.as_deref().filter(page).filter(|url| !finding.spec.contains(url)) {
            self.labelled("", &paint(LINK, visible(url, 300)));
        }
        self.entry("seen over", &digest::places(&problem.places, problem.row.outcome), PLAIN);
        let colour = if finding.confirmed.is_some() { PLAIN } else { style::of(Outcome::Warn) };
        self.entry("confirmed", &digest::confirmed(finding), colour);
        if let Some(reason) = &problem.row.reason {
            self.entry("note", &reason.text, PLAIN);
        }
        let mut files = format!("{} · signature {}", ids(&problem.ids), finding.signature);
        if let Some(transcript) = &finding.transcript {
            files = format!("{files} · {transcript}");
        }
        self.entry("finding", &files, PLAIN);
        self.labelled("reproduce", &paint(LINK, visible(&finding.reproduce, COMMAND)));
    }

    fn received(&mut self, received: &str, mark: Option<[usize; 2]>, pointer: Option<&str>) {
        let room = self.width - TEXT;
        let cut = excerpt(received, mark, room);
        let pointer = pointer.filter(|pointer| !pointer.is_empty());
        if received.is_empty() {
            self.labelled("received", &paint(DIM, "an empty message"));
            return;
        }
        self.labelled("received", &format!("{}{}{}", cut.before, paint(MARK, &cut.mark), cut.after));
        if mark.is_some() {
            let carets = "^".repeat(cut.mark_cols.max(1));
            let right = room.saturating_sub(cut.before_cols + carets.len() + 1);
            let pointer = pointer.map_or_else(String::new, |pointer| visible(pointer, room / 2));
            let used = columns(&pointer);
            // The pointer stands where there is room for it.
            let (before, text) = if used > right && used < cut.before_cols {
                (cut.before_cols - used - 1, format!("{pointer} {carets}"))
            } else {
                (cut.before_cols, format!("{carets} {}", visible(&pointer, right)))
            };
            self.labelled("", &format!("{:before$}{}", "", paint(MARK, text.trim_end())));
        } else if let Some(pointer) = pointer {
            self.entry("at", pointer, PLAIN);
        }
    }

    fn more(&mut self, all: usize, shown: usize, what: &str) {
        if all > shown {
            self.blank();
            self.line(&paint(DIM, format_args!("    … and {} more {what}", all - shown)));
        }
    }

    fn shorter(&mut self, digest: &Digest<'_>, outcome: Outcome, title: &str) {
        let count = digest.with(outcome).count();
        if count == 0 {
            return;
        }
        self.rule(title, Some(count), style::of(outcome));
        for broken in digest.with(outcome) {
            self.blank();
            self.requirement(broken);
            for problem in broken.problems.iter().take(PROBLEMS) {
                self.prose(4, &problem.finding.message, BOLD);
                if let Some(reason) = &problem.row.reason {
                    self.entry("note", &reason.text, PLAIN);
                }
                self.entry("seen over", &digest::places(&problem.places, problem.row.outcome), PLAIN);
                self.labelled("reproduce", &paint(LINK, visible(&problem.finding.reproduce, COMMAND)));
            }
            self.more(broken.problems.len(), PROBLEMS, "defects of this requirement");
        }
    }

    fn accepted(&mut self, digest: &Digest<'_>) {
        if digest.accepted.is_empty() {
            return;
        }
        self.rule("Known", Some(digest.accepted.len()), BOLD);
        self.blank();
        for Accepted { defect, outcome, places } in &digest.accepted {
            let word = format!("{:<6}", outcome.as_str().to_uppercase());
            let until = defect.expires.as_ref().map_or_else(String::new, |day| format!(" · until {day}"));
            self.line(&format!(
                "  {} {}  {}",
                paint(DIM, word),
                visible(&defect.requirement, NAME),
                paint(DIM, format_args!("{}{until}", visible(&defect.signature, 40)))
            ));
            self.prose(9, &defect.reason, PLAIN);
            self.prose(9, &format!("seen over {}", digest::places(places, *outcome)), DIM);
        }
    }

    fn rotten(&mut self, digest: &Digest<'_>, state: &RunState) {
        let Some(known) = state.known().filter(|_| !digest.rotten.is_empty()) else { return };
        self.rule("The baseline has to be mended", Some(digest.rotten.len()), style::of(Outcome::Fail));
        self.blank();
        for problem in digest.rotten {
            let code = paint(style::of(Outcome::Fail), format_args!("{:<9}", problem.code.as_str()));
            let place = format!("{}:{}", visible(&known.file, NAME), problem.line);
            self.line(&format!(
                "  {code} {}  {}",
                visible(&problem.requirement, NAME),
                paint(DIM, format_args!("{} · {place}", visible(&problem.signature, 40)))
            ));
            self.prose(12, &problem.text, PLAIN);
        }
    }

    fn restated(&mut self, digest: &Digest<'_>) {
        if digest.restated.is_empty() {
            return;
        }
        self.rule("The same under another requirement", Some(digest.restated.len()), BOLD);
        self.blank();
        for restated in &digest.restated {
            let row: &ResultRow = restated.row;
            let word = format!("{:<6}", row.outcome.as_str().to_uppercase());
            let reason = row.reason.as_ref().map_or("no finding of its own", |reason| &reason.text);
            let id = visible(&row.requirement, NAME);
            let room = self.width.saturating_sub(11 + columns(&id)).max(20);
            self.line(&format!(
                "  {} {id}  {}",
                paint(style::of(row.outcome), word),
                paint(DIM, visible(reason, room))
            ));
        }
    }

    fn undecided(&mut self, digest: &Digest<'_>) {
        if digest.undecided.is_empty() {
            return;
        }
        let count = digest.undecided.iter().map(|u| u.count).sum();
        self.rule("Could not be decided", Some(count), style::of(Outcome::Inconclusive));
        self.blank();
        for undecided in digest.undecided.iter().take(REASONS) {
            let mut count = paint(style::of(Outcome::Inconclusive), format_args!("{:>6}", undecided.count));
            let text = if undecided.text.is_empty() {
                "no reason was given".to_owned()
            } else {
                undecided.text.to_owned()
            };
            for line in wrap(&visible(&text, PROSE / 2), self.width - 8) {
                self.line(&format!("{count}  {line}"));
                count = " ".repeat(6);
            }
            let ids = some(&undecided.requirements, self.width - 8);
            let code = visible(undecided.code, 40);
            let ids = if code.is_empty() { ids } else { format!("{code}: {ids}") };
            self.line(&format!("{:8}{}", "", paint(DIM, visible(&ids, self.width - 8))));
        }
        self.more(digest.undecided.len(), REASONS, "reasons");
    }

    fn notices(&mut self, state: &RunState) {
        let notices = state.notices();
        if notices.is_empty() {
            return;
        }
        self.rule("Notes", None, BOLD);
        self.blank();
        for notice in notices.iter().take(NOTICES) {
            self.prose(4, notice, PLAIN);
        }
        self.more(notices.len(), NOTICES, "notes");
    }

    fn units(&mut self, state: &RunState) {
        let units = state.units();
        if units.is_empty() {
            return;
        }
        self.rule("Results", None, BOLD);
        self.blank();
        if self.width < TABLE {
            for unit in &units {
                let time = unit.millis.map_or_else(|| "cut short".to_owned(), style::duration);
                let time = paint(if unit.millis.is_some() { DIM } else { MARK }, time);
                self.line(&format!("    {:<8} {}  {time}", unit.transport, unit.revision));
                self.prose(8, &style::counts(&unit.summary, false), PLAIN);
            }
            return;
        }
        let names = Outcome::ALL.map(|outcome| format!("{:>1$}", outcome.as_str(), cell(outcome))).concat();
        self.line(&paint(
            DIM,
            format_args!("    {:<9} {:<10}{names}  {:>9}", "transport", "revision", "time"),
        ));
        for unit in &units {
            let time = unit.millis.map_or_else(|| "cut short".to_owned(), style::duration);
            let time = paint(if unit.millis.is_some() { DIM } else { MARK }, format_args!("{time:>9}"));
            let counts = counted(&unit.summary);
            self.line(&format!("    {:<9} {:<10}{counts}  {time}", unit.transport, unit.revision));
        }
        if units.len() > 1 {
            let all = paint(BOLD, format_args!("{:<20}", "all"));
            self.line(&format!("    {all}{}", counted(&state.summary())));
        }
    }

    fn verdict(&mut self, state: &RunState, digest: &Digest<'_>, report: Option<&str>) {
        let summary = state.summary();
        let error = state.footer().and_then(|footer| footer.error.as_ref());
        self.blank();
        if let Some(error) = error {
            let mut word = paint(MARK, "ERROR     ");
            for line in error.message.lines().take(ERROR_LINES) {
                for line in wrap(&visible(line, PROSE), self.width - TEXT) {
                    self.line(&format!("    {word} {line}"));
                    word = " ".repeat(10);
                }
            }
            self.labelled("", &paint(DIM, format_args!("exit code {}", error.code)));
        }
        if state.truncated() {
            self.line(&format!(
                "    {} the run was cut short; what is not listed here was not tested",
                paint(style::of(Outcome::Warn), "TRUNCATED ")
            ));
        }
        let (word, colour, text) = judgement(state, digest, error.is_some() || state.truncated());
        if !text.is_empty() {
            self.line(&format!("    {} {text}", paint(colour, format_args!("{word:<10}"))));
        }
        if summary.total() > 0 {
            let end = state
                .footer()
                .map_or_else(String::new, |footer| format!(" in {}", style::duration(footer.millis)));
            let counts = style::counts(&summary, false);
            let head = format!("{} results: ", summary.total());
            if columns(&head) + columns(&counts) + columns(&end) <= self.width - TEXT {
                let end = paint(DIM, end);
                self.labelled("", &format!("{head}{}{end}", style::counts(&summary, true)));
            } else {
                self.entry("", &format!("{head}{counts}{end}"), PLAIN);
            }
        }
        if let Some(footer) = state.footer() {
            self.entry("cost", &digest::cost(footer), DIM);
        }
        if let Some(report) = report {
            self.labelled("report", &paint(LINK, visible(report, COMMAND)));
        }
    }
}

/// The last word on a run. A run that is not whole is never called a pass.
fn judgement(state: &RunState, digest: &Digest<'_>, unsound: bool) -> (&'static str, Style, String) {
    let summary = state.summary();
    let known = match digest.accepted.len() {
        0 => String::new(),
        1 => "; 1 defect is known".to_owned(),
        n => format!("; {n} defects are known"),
    };
    if state.counted(Outcome::Fail) > 0 {
        let defects = digest.with(Outcome::Fail).map(|broken| broken.problems.len()).sum::<usize>();
        let broken = digest.requirements(Outcome::Fail);
        let requirements = if broken == 1 { "requirement" } else { "requirements" };
        let text = match defects {
            0 => format!("{broken} {requirements} broken{known}"),
            1 => format!("1 defect breaks {broken} {requirements}{known}"),
            _ => format!("{defects} defects break {broken} {requirements}{known}"),
        };
        ("FAIL", style::of(Outcome::Fail), text)
    } else if unsound {
        ("", PLAIN, String::new())
    } else if !digest.rotten.is_empty() {
        let entries = if digest.rotten.len() == 1 {
            "1 entry".to_owned()
        } else {
            format!("{} entries", digest.rotten.len())
        };
        let text = format!("{entries} of the baseline must be mended; nothing else is broken");
        ("MEND", style::of(Outcome::Fail), text)
    } else if summary.total() == 0 {
        ("NOTHING", style::of(Outcome::Warn), "nothing was tested".to_owned())
    } else if summary.pass == 0 {
        (
            "NOTHING",
            style::of(Outcome::Warn),
            "no requirement is broken, and none was seen to be kept".to_owned(),
        )
    } else {
        let undecided = match summary.inconclusive {
            0 => String::new(),
            1 => "; 1 result could not be decided".to_owned(),
            n => format!("; {n} results could not be decided"),
        };
        ("PASS", style::of(Outcome::Pass), format!("no requirement is broken{known}{undecided}"))
    }
}

/// Columns of an outcome in the table.
fn cell(outcome: Outcome) -> usize {
    outcome.as_str().len().max(5) + 2
}

fn counted(summary: &Summary) -> String {
    Outcome::ALL
        .into_iter()
        .map(|outcome| {
            let count = summary.count(outcome);
            let colour = if count == 0 { DIM } else { style::of(outcome) };
            paint(colour, format_args!("{count:>0$}", cell(outcome)))
        })
        .collect()
}

/// `F1, F2, F3 and 7 more`.
fn ids(ids: &[&str]) -> String {
    const SHOWN: usize = 8;
    let shown = ids.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if ids.len() > SHOWN { format!("{shown} and {} more", ids.len() - SHOWN) } else { shown }
}

/// As many names as fit a line, and the number of the others.
fn some(names: &[&str], room: usize) -> String {
    let mut text = String::new();
    for (n, name) in names.iter().enumerate() {
        if n > 0 && columns(&text) + columns(name) + 16 > room {
            return format!("{text} and {} more", names.len() - n);
        }
        if n > 0 {
            text.push_str(", ");
        }
        text.push_str(name);
    }
    text
}
