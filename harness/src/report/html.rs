//! `index.html`: one page that stands alone, without script and without the network.

use super::digest::{self, Broken, Digest, Problem};
use super::reporter::Reporter;
use super::style;
use super::text::{excerpt, visible};
use crate::run::{Outcome, RunEvent, RunState, Summary};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Columns of evidence, which scrolls.
const EVIDENCE: usize = 4_000;
/// Columns of other texts.
const PROSE: usize = 2_000;
/// Columns of names.
const NAME: usize = 200;
/// Defects shown of one requirement.
const PROBLEMS: usize = 20;

/// Why no page could be drawn.
#[derive(Debug, thiserror::Error)]
pub enum HtmlError {
    /// The run has no header.
    #[error("the run has no header")]
    NoHeader,
    /// The template does not fit the data: a bug.
    #[error("the template of the page is at fault: {0}")]
    Template(#[from] minijinja::Error),
}

/// Draws the page when the run is over.
#[derive(Debug)]
pub struct Html<W> {
    state: RunState,
    out: W,
}

impl<W: Write> Html<W> {
    /// Draws to `out` at the end of the run.
    pub fn new(out: W) -> Self {
        Self { state: RunState::default(), out }
    }
}

impl<W: Write> Reporter for Html<W> {
    fn event(&mut self, event: &RunEvent) -> io::Result<()> {
        self.state.apply(event);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        let page = render(&self.state).map_err(io::Error::other)?;
        self.out.write_all(page.as_bytes())?;
        self.out.flush()
    }
}

/// The page of a run.
///
/// # Errors
///
/// [`HtmlError`] when the run has no header, or when the template is at fault.
pub fn render(state: &RunState) -> Result<String, HtmlError> {
    let page = Page::of(state).ok_or(HtmlError::NoHeader)?;
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    Ok(environment.render_str(include_str!("templates/index.html"), Serde(page))?)
}

#[derive(Serialize)]
struct Page {
    command: String,
    target: String,
    server: Option<String>,
    speaks: Vec<Speaks>,
    started_at: String,
    requirement_set: String,
    seed: String,
    tool_version: String,
    millis: Option<String>,
    cost: Option<String>,
    truncated: bool,
    error: Option<String>,
    totals: Vec<Count>,
    total: u32,
    units: Vec<UnitHead>,
    areas: Vec<Area>,
    sections: Vec<Section>,
    restated: Vec<Restated>,
    undecided: Vec<Undecided>,
    accepted: Vec<Accepted>,
    rotten: Vec<Rotten>,
    notices: Vec<String>,
}

#[derive(Serialize)]
struct Speaks {
    transport: &'static str,
    revisions: String,
    startup: String,
}

#[derive(Serialize)]
struct Count {
    outcome: &'static str,
    symbol: &'static str,
    results: u32,
}

#[derive(Serialize)]
struct UnitHead {
    transport: &'static str,
    revision: &'static str,
    time: Option<String>,
}

#[derive(Serialize)]
struct Area {
    name: String,
    cells: Vec<Cell>,
}

/// A field of the grid: the worst outcome and how often, of how many results.
#[derive(Serialize)]
struct Cell {
    outcome: Option<&'static str>,
    symbol: &'static str,
    count: u32,
    total: u32,
    title: String,
}

#[derive(Serialize)]
struct Section {
    outcome: &'static str,
    title: &'static str,
    requirements: Vec<Requirement>,
}

#[derive(Serialize)]
struct Requirement {
    id: String,
    title: Option<String>,
    level: String,
    severity: String,
    outcome: &'static str,
    symbol: &'static str,
    problems: Vec<Shown>,
    more: usize,
}

#[derive(Serialize)]
struct Shown {
    ids: String,
    signature: String,
    message: String,
    sent: Option<String>,
    received: Option<Received>,
    expected: Vec<String>,
    actual: String,
    spec: String,
    url: Option<String>,
    places: String,
    confirmed: String,
    note: Option<String>,
    transcript: Option<String>,
    reproduce: String,
}

#[derive(Serialize)]
struct Received {
    before: String,
    mark: String,
    after: String,
    pointer: Option<String>,
}

#[derive(Serialize)]
struct Restated {
    id: String,
    outcome: &'static str,
    symbol: &'static str,
    reason: String,
    places: String,
}

#[derive(Serialize)]
struct Accepted {
    id: String,
    outcome: &'static str,
    symbol: &'static str,
    signature: String,
    reason: String,
    expires: Option<String>,
    places: String,
}

#[derive(Serialize)]
struct Rotten {
    code: &'static str,
    place: String,
    id: String,
    signature: String,
    text: String,
}

#[derive(Serialize)]
struct Undecided {
    code: String,
    text: String,
    count: usize,
    requirements: String,
}

/// A sign for an outcome, so that colour is never all there is.
const fn symbol(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Fail => "✗",
        Outcome::Warn => "!",
        Outcome::Flaky => "~",
        Outcome::Inconclusive => "?",
        Outcome::Pass => "✓",
        Outcome::NotApplicable => "–",
    }
}

impl Page {
    fn of(state: &RunState) -> Option<Self> {
        let header = state.header()?;
        let digest = Digest::of(state);
        let summary = state.summary();
        let section = |outcome: Outcome, title| Section {
            outcome: outcome.as_str(),
            title,
            requirements: digest.with(outcome).map(requirement).collect(),
        };
        let mut sections = vec![
            section(Outcome::Fail, "Failures"),
            section(Outcome::Flaky, "Flaky: seen, but not again when repeated"),
            section(Outcome::Warn, "Warnings"),
        ];
        sections.retain(|section| !section.requirements.is_empty());
        Some(Self {
            command: visible(&header.command, NAME),
            target: if header.target.kind == "embedded" {
                "the embedded reference server".to_owned()
            } else {
                visible(&header.target.display, PROSE)
            },
            server: state
                .server_info()
                .map(|server| format!("{} {}", visible(&server.name, NAME), visible(&server.version, NAME))),
            speaks: state
                .identities()
                .iter()
                .map(|identity| Speaks {
                    transport: identity.transport.as_str(),
                    revisions: identity.revisions.iter().map(|r| r.as_str()).collect::<Vec<_>>().join(", "),
                    startup: style::duration(identity.startup_millis),
                })
                .collect(),
            started_at: visible(&header.started_at, NAME),
            requirement_set: visible(&header.requirement_set, NAME),
            seed: header.seed.to_string(),
            tool_version: visible(&header.tool_version, NAME),
            millis: state.footer().map(|footer| style::duration(footer.millis)),
            cost: state.footer().map(digest::cost),
            truncated: state.truncated(),
            error: state.footer().and_then(|footer| footer.error.as_ref()).map(|error| {
                error.message.lines().take(20).map(|line| visible(line, PROSE)).collect::<Vec<_>>().join("\n")
            }),
            totals: Outcome::ALL
                .into_iter()
                .map(|outcome| Count {
                    outcome: outcome.as_str(),
                    symbol: symbol(outcome),
                    results: summary.count(outcome),
                })
                .collect(),
            total: summary.total(),
            units: state
                .units()
                .into_iter()
                .map(|unit| UnitHead {
                    transport: unit.transport.as_str(),
                    revision: unit.revision.as_str(),
                    time: unit.millis.map(style::duration),
                })
                .collect(),
            areas: areas(state),
            sections,
            restated: digest
                .restated
                .iter()
                .map(|restated| Restated {
                    id: visible(&restated.row.requirement, NAME),
                    outcome: restated.row.outcome.as_str(),
                    symbol: symbol(restated.row.outcome),
                    reason: restated
                        .row
                        .reason
                        .as_ref()
                        .map_or_else(|| "no finding of its own".to_owned(), |r| visible(&r.text, PROSE)),
                    places: digest::places(&restated.places, restated.row.outcome),
                })
                .collect(),
            undecided: digest
                .undecided
                .iter()
                .map(|undecided| Undecided {
                    code: visible(undecided.code, NAME),
                    text: visible(undecided.text, PROSE),
                    count: undecided.count,
                    requirements: visible(&undecided.requirements.join(", "), 20_000),
                })
                .collect(),
            accepted: digest
                .accepted
                .iter()
                .map(|accepted| Accepted {
                    id: visible(&accepted.defect.requirement, NAME),
                    outcome: accepted.outcome.as_str(),
                    symbol: symbol(accepted.outcome),
                    signature: visible(&accepted.defect.signature, NAME),
                    reason: visible(&accepted.defect.reason, PROSE),
                    expires: accepted.defect.expires.as_deref().map(|day| visible(day, NAME)),
                    places: digest::places(&accepted.places, accepted.outcome),
                })
                .collect(),
            rotten: digest
                .rotten
                .iter()
                .map(|problem| Rotten {
                    code: problem.code.as_str(),
                    place: state.known().map_or_else(String::new, |known| {
                        format!("{}:{}", visible(&known.file, NAME), problem.line)
                    }),
                    id: visible(&problem.requirement, NAME),
                    signature: visible(&problem.signature, NAME),
                    text: visible(&problem.text, PROSE),
                })
                .collect(),
            notices: state.notices().iter().take(100).map(|notice| visible(notice, PROSE)).collect(),
        })
    }
}

fn areas(state: &RunState) -> Vec<Area> {
    let units = state.units();
    let mut grid: BTreeMap<&str, Vec<Summary>> = BTreeMap::new();
    for row in state.rows() {
        let cells = grid
            .entry(digest::area(&row.requirement))
            .or_insert_with(|| vec![Summary::default(); units.len()]);
        let at = units.iter().position(|u| (u.revision, u.transport) == (row.revision, row.transport));
        if let Some(cell) = at.and_then(|at| cells.get_mut(at)) {
            cell.add(row.outcome);
        }
    }
    grid.into_iter()
        .map(|(name, cells)| Area { name: visible(name, NAME), cells: cells.iter().map(cell).collect() })
        .collect()
}

fn cell(summary: &Summary) -> Cell {
    // What passed says more than what does not apply or was not decided, unless something is wrong.
    let order = [
        Outcome::Fail,
        Outcome::Warn,
        Outcome::Flaky,
        Outcome::Pass,
        Outcome::Inconclusive,
        Outcome::NotApplicable,
    ];
    let shown = order.into_iter().find(|outcome| summary.count(*outcome) > 0);
    Cell {
        outcome: shown.map(Outcome::as_str),
        symbol: shown.map_or("", symbol),
        count: shown.map_or(0, |outcome| summary.count(outcome)),
        total: summary.total(),
        title: style::counts(summary, false),
    }
}

fn requirement(broken: &Broken<'_>) -> Requirement {
    let row = broken.row;
    Requirement {
        id: visible(&row.requirement, NAME),
        title: row.title.as_deref().map(|title| visible(title, PROSE)),
        level: visible(row.level.as_deref().unwrap_or("no level"), NAME),
        severity: visible(&row.severity, NAME),
        outcome: row.outcome.as_str(),
        symbol: symbol(row.outcome),
        problems: broken.problems.iter().take(PROBLEMS).map(problem).collect(),
        more: broken.problems.len().saturating_sub(PROBLEMS),
    }
}

fn problem(problem: &Problem<'_>) -> Shown {
    let finding = problem.finding;
    let evidence = &finding.evidence;
    Shown {
        ids: visible(&problem.ids.join(", "), NAME),
        signature: visible(&finding.signature, NAME),
        message: visible(&finding.message, PROSE),
        sent: evidence.sent.as_deref().map(|sent| visible(sent, EVIDENCE)),
        received: evidence.received.as_deref().map(|received| {
            let cut = excerpt(received, evidence.mark, EVIDENCE);
            Received {
                before: cut.before,
                mark: cut.mark,
                after: cut.after,
                pointer: evidence.pointer.as_deref().map(|pointer| visible(pointer, PROSE)),
            }
        }),
        expected: finding.expected.iter().take(20).map(|expected| visible(expected, PROSE)).collect(),
        actual: visible(&finding.actual, PROSE),
        spec: visible(&finding.spec, PROSE),
        url: problem.row.url.as_deref().or_else(|| url_in(&finding.spec)).and_then(safe_url),
        places: digest::places(&problem.places, problem.row.outcome),
        confirmed: digest::confirmed(finding),
        note: problem.row.reason.as_ref().map(|reason| visible(&reason.text, PROSE)),
        transcript: finding.transcript.as_deref().and_then(safe_path),
        reproduce: visible(&finding.reproduce, EVIDENCE),
    }
}

fn url_in(text: &str) -> Option<&str> {
    text.split_whitespace().find(|word| word.starts_with("https://") || word.starts_with("http://"))
}

/// An address that a browser opens as a page and nothing else.
fn safe_url(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.into())
}

/// A path that stays in the folder of the run.
fn safe_path(path: &str) -> Option<String> {
    let safe = !path.is_empty()
        && path.len() <= 300
        && path.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+/".contains(c))
        && !path.starts_with('/')
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    safe.then(|| path.to_owned())
}
