//! Properties: what must hold whatever a tool is called with. The cases are drawn and judged by `properties`.

use super::probe::probes;
use super::{Known, Offer, Solo};
use crate::properties::{
    AGAIN, ANSWERED, ECHO, MISS_ERROR, OUTPUT, PAST, Plan, REFUSED, Report, SPELLING, Stand, Subject, hunt,
};
use crate::protocol::{Era, Revision, Transport};
use serde_json::Value;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A tool that took longer is not called again and again.
const QUICK: Duration = Duration::from_millis(400);
/// A call that takes longer, where all before were quick, is looked at again; the first is where time is short.
const GLANCE: Duration = Duration::from_millis(600);
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the cases of one unit may take where nobody has said how many there are to be.
const WITHIN: Duration = Duration::from_millis(300);
/// With how many tools a unit is tried.
const MOST_TOOLS: usize = 80;
const MOST_PROMPTS: usize = 20;

/// The rows, in the order of the catalogue.
const ROWS: [&str; 8] = [ANSWERED, REFUSED, MISS_ERROR, OUTPUT, AGAIN, SPELLING, PAST, ECHO];

probes! {
    /// Calls each quick tool that may be called, and gets each prompt, again and again (`--properties N`): with valid
    /// arguments drawn from its schema, at the edges of every keyword and with odd texts, one at a time, several at once and
    /// in short sequences; with arguments that break one keyword; the same call again, spelled otherwise, and after others.
    /// What shows is tried again in a fresh process or session and made as small as it can be.
    properties_hold_for_drawn_arguments (Alone, Both, Any) decides [
        "property.valid.answered", "property.miss.refused", "property.miss.error", "property.output.conforms",
        "property.again.agrees", "property.spelling.agrees", "property.past.ignored", "property.echo.none",
    ];
}

/// How many cases properties are tried with, and how many were.
#[derive(Debug, Default)]
pub struct Properties {
    /// For each tool and prompt; a small number within a limited time if nobody says. 0 for none.
    pub cases: Option<u32>,
    /// What was tried, by all units together.
    pub tally: PropertyTally,
}

/// How many cases were tried.
#[derive(Debug, Default)]
pub struct PropertyTally {
    cases: AtomicU64,
    calls: AtomicU64,
    cut: AtomicU64,
    unsteady: AtomicU64,
    left: AtomicU64,
}

impl Properties {
    /// So many cases for each tool and prompt.
    pub fn with(cases: Option<u32>) -> Self {
        Self { cases, tally: PropertyTally::default() }
    }

    fn add(&self, report: &Report) {
        self.tally.cases.fetch_add(report.cases, Ordering::Relaxed);
        self.tally.calls.fetch_add(report.calls, Ordering::Relaxed);
        self.tally.cut.fetch_add(u64::from(report.cut.is_some()), Ordering::Relaxed);
        self.tally.unsteady.fetch_add(report.unsteady.into(), Ordering::Relaxed);
        self.tally.left.fetch_add(report.left.into(), Ordering::Relaxed);
    }

    /// What was tried, for people; `None` where nothing was.
    pub fn told(&self) -> Option<String> {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (cases, calls, cut) = (read(&self.tally.cases), read(&self.tally.calls), read(&self.tally.cut));
        let end = match (cut, self.cases) {
            (0, _) => String::new(),
            (_, None) => "; their time was over before all were tried (--properties N tries N for each tool)"
                .to_owned(),
            (_, Some(_)) => "; the target went away before all were tried".to_owned(),
        };
        let mut also = String::new();
        for (count, text) in [
            (read(&self.tally.left), "showed what others show that are told: mend those first"),
            (read(&self.tally.unsteady), "showed something that did not come again"),
        ] {
            if count > 0 {
                let _ = write!(also, "; {count} {text}");
            }
        }
        (cases > 0).then(|| format!("properties: {cases} cases with {calls} calls{end}{also}"))
    }
}

/// The tools and prompts that are tried. What is slow, asks for something or becomes a task is left to others.
fn subjects(solo: &Solo<'_>, known: &Known) -> Vec<Subject> {
    let Offer { tools, prompts, calls, .. } = &known.offer;
    let awkward = |name: &str| {
        calls.iter().any(|call| call.tool == name && (call.took > QUICK || call.asked_for_input))
    };
    let task = |tool: &Value| {
        solo.revision == Revision::V2025_11_25
            && tool.pointer("/execution/taskSupport").and_then(Value::as_str) == Some("required")
    };
    let fits = |tool: &&Value| {
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
        let over_http =
            solo.revision.era() == Era::Modern && solo.opener.binding().transport() == Transport::Http;
        let mirrored = over_http
            && tool.get("inputSchema").is_some_and(|schema| schema.to_string().contains("x-mcp-header"));
        solo.settings.safety.may_call(tool).is_ok()
            && !awkward(name)
            && !task(tool)
            && !mirrored
            && !known.offer.task_tools.iter().any(|other| other == name)
    };
    let tools = tools.iter().filter(fits).take(MOST_TOOLS).map(Subject::of_tool);
    let prompts = prompts.iter().take(MOST_PROMPTS).map(Subject::of_prompt);
    // A schema that cannot be worked with is told by the rules about schemas.
    tools.chain(prompts).filter_map(Result::ok).flatten().collect()
}

async fn properties_hold_for_drawn_arguments(solo: &mut Solo<'_>) {
    let known = solo.known().await;
    if solo.settings.properties.cases == Some(0) {
        return none(solo, "switched-off", "properties are not tried with --properties 0");
    }
    // Each revision costs a process more.
    let newest = matches!(solo.revision, Revision::V2025_11_25 | Revision::V2026_07_28);
    if settings_are_silent(solo) && !newest {
        return none(
            solo,
            "newest-only",
            "without --properties N properties are tried in 2025-11-25 and 2026-07-28 only",
        );
    }
    let mut subjects = subjects(solo, &known);
    if subjects.is_empty() {
        return none(solo, "nothing-to-call", "there is no quick tool that may be called, and no prompt");
    }
    let settings = solo.settings;
    let request = solo.opener.opening().timeouts.request;
    let plan = Plan {
        seed: settings.seed,
        cases: settings.properties.cases.unwrap_or(Plan::default().cases),
        within: settings.properties.cases.is_none().then_some(WITHIN),
        patience: if settings.properties.cases.is_some() { PATIENCE } else { GLANCE }.min(request),
        limit: request,
        ..Plan::default()
    };
    let stand = Stand { opener: solo.opener, revision: solo.revision };
    let report = hunt(stand, &mut subjects, &plan).await;
    settings.properties.add(&report);
    told(solo, report);
}

/// Whether nobody has said how many cases there are to be.
fn settings_are_silent(solo: &Solo<'_>) -> bool {
    solo.settings.properties.cases.is_none()
}

fn none(solo: &mut Solo<'_>, code: &str, text: &str) {
    for id in ROWS {
        solo.judge.undecided(id, code, text);
    }
}

fn told(solo: &mut Solo<'_>, report: Report) {
    let Report { found, held, judge, .. } = report;
    for id in held {
        solo.judge.held(id);
    }
    for found in found {
        let (property, requirement) = (found.shown.property, found.shown.requirement);
        if requirement != property {
            solo.judge.broke(property, found.breach().see(requirement));
        }
        solo.judge.broke(requirement, found.breach());
    }
    solo.judge.merge(judge);
}
