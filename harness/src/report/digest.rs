//! What a person wants to know of a run: findings gathered by requirement and signature, reasons counted.

use super::style;
use crate::protocol::{Revision, Transport};
use crate::run::{BaselineProblem, Finding, Footer, KnownDefect, Outcome, ResultRow, RunState};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

/// Where something was seen, and with which outcome.
pub(super) type Place = (Transport, Revision, Outcome);

/// A requirement that was seen broken.
#[derive(Debug)]
pub(super) struct Broken<'a> {
    /// The row with the worst outcome.
    pub(super) row: &'a ResultRow,
    /// What was found, one entry a signature.
    pub(super) problems: Vec<Problem<'a>>,
}

/// One defect, wherever it was seen.
#[derive(Debug)]
pub(super) struct Problem<'a> {
    /// The row of the finding that is shown.
    pub(super) row: &'a ResultRow,
    /// The finding that is shown: one of the worst outcome, confirmed if any is.
    pub(super) finding: &'a Finding,
    /// The ids of all findings with this signature.
    pub(super) ids: Vec<&'a str>,
    /// Where it was seen.
    pub(super) places: Vec<Place>,
}

/// A requirement with the outcome of another one.
#[derive(Debug)]
pub(super) struct Restated<'a> {
    /// The worst row.
    pub(super) row: &'a ResultRow,
    /// Where.
    pub(super) places: Vec<Place>,
}

/// What could not be decided for one reason.
#[derive(Debug)]
pub(super) struct Undecided<'a> {
    /// The reason's code.
    pub(super) code: &'a str,
    /// The reason's sentence.
    pub(super) text: &'a str,
    /// The number of results.
    pub(super) count: usize,
    /// The requirements, sorted, each once.
    pub(super) requirements: Vec<&'a str>,
}

/// A defect that the baseline covers.
#[derive(Debug)]
pub(super) struct Accepted<'a> {
    /// What the baseline says of it.
    pub(super) defect: &'a KnownDefect,
    /// The worst outcome that it has.
    pub(super) outcome: Outcome,
    /// Where it was seen.
    pub(super) places: Vec<Place>,
}

/// A run in the order in which a person reads it.
#[derive(Debug)]
pub(super) struct Digest<'a> {
    /// The broken requirements: the worst outcome first, then by severity and id.
    pub(super) broken: Vec<Broken<'a>>,
    /// Requirements that share the outcome of another one.
    pub(super) restated: Vec<Restated<'a>>,
    /// What could not be decided, the most frequent reason first.
    pub(super) undecided: Vec<Undecided<'a>>,
    /// What the baseline covers.
    pub(super) accepted: Vec<Accepted<'a>>,
    /// What has to be mended in the baseline.
    pub(super) rotten: &'a [BaselineProblem],
}

impl<'a> Digest<'a> {
    pub(super) fn of(state: &'a RunState) -> Self {
        let rows = state.sorted();
        let known_before = state.known();
        let covered: HashSet<&str> = known_before
            .iter()
            .flat_map(|known| &known.defects)
            .flat_map(|defect| defect.findings.iter().map(String::as_str))
            .collect();
        let passed_over: HashSet<(&str, Revision, Transport)> = known_before
            .iter()
            .flat_map(|known| &known.results)
            .map(|result| (result.requirement.as_str(), result.revision, result.transport))
            .collect();
        let accepted = known_before
            .iter()
            .flat_map(|known| &known.defects)
            .filter_map(|defect| Accepted::of(defect, &rows))
            .collect();
        let mut broken: BTreeMap<&str, Broken<'a>> = BTreeMap::new();
        let mut known: HashMap<(&str, &str), usize> = HashMap::new();
        let mut restated: BTreeMap<&str, Restated<'a>> = BTreeMap::new();
        let mut undecided: BTreeMap<(&str, &str), Undecided<'a>> = BTreeMap::new();
        for row in rows {
            let id = row.requirement.as_str();
            if passed_over.contains(&(id, row.revision, row.transport)) {
                continue;
            }
            match row.outcome {
                Outcome::Fail | Outcome::Warn | Outcome::Flaky if row.findings.is_empty() => {
                    let place = (row.transport, row.revision, row.outcome);
                    let entry = restated.entry(id).or_insert(Restated { row, places: Vec::new() });
                    if row.outcome < entry.row.outcome {
                        entry.row = row;
                    }
                    entry.places.push(place);
                }
                Outcome::Fail | Outcome::Warn | Outcome::Flaky => {
                    let entry = broken.entry(id).or_insert(Broken { row, problems: Vec::new() });
                    if row.outcome < entry.row.outcome {
                        entry.row = row;
                    }
                    for finding in
                        row.findings.iter().filter(|finding| !covered.contains(finding.id.as_str()))
                    {
                        let at = known.entry((id, &finding.signature)).or_insert(entry.problems.len());
                        gather(&mut entry.problems, *at, row, finding);
                    }
                }
                Outcome::Inconclusive => {
                    let (code, text) =
                        row.reason.as_ref().map_or(("", ""), |reason| (&reason.code, &reason.text));
                    let entry = undecided.entry((code, text)).or_insert(Undecided {
                        code,
                        text,
                        count: 0,
                        requirements: Vec::new(),
                    });
                    entry.count += 1;
                    if entry.requirements.last() != Some(&id) {
                        entry.requirements.push(id);
                    }
                }
                Outcome::Pass | Outcome::NotApplicable => {}
            }
        }
        let mut broken: Vec<_> = broken.into_values().filter(|entry| !entry.problems.is_empty()).collect();
        broken.sort_by_key(|b| (b.row.outcome, severity_rank(&b.row.severity)));
        for entry in &mut broken {
            entry.problems.sort_by_key(|problem| problem.row.outcome);
            for problem in &mut entry.problems {
                // F2 before F10.
                problem.ids.sort_by_key(|id| (id.len(), *id));
            }
        }
        let mut restated: Vec<_> = restated.into_values().collect();
        restated.sort_by_key(|r| r.row.outcome);
        let mut undecided: Vec<_> = undecided.into_values().collect();
        undecided.sort_by_key(|u| std::cmp::Reverse(u.count));
        let rotten = known_before.map_or(&[][..], |known| &known.problems);
        Self { broken, restated, undecided, accepted, rotten }
    }

    /// The broken requirements whose worst outcome is this.
    pub(super) fn with(&self, outcome: Outcome) -> impl Iterator<Item = &Broken<'a>> {
        self.broken.iter().filter(move |broken| broken.row.outcome == outcome)
    }

    /// The number of requirements whose worst outcome is this, restated ones included.
    pub(super) fn requirements(&self, outcome: Outcome) -> usize {
        self.with(outcome).count() + self.restated.iter().filter(|r| r.row.outcome == outcome).count()
    }
}

impl<'a> Accepted<'a> {
    fn of(defect: &'a KnownDefect, rows: &[&'a ResultRow]) -> Option<Self> {
        let found =
            |row: &&&ResultRow| row.findings.iter().any(|finding| defect.findings.contains(&finding.id));
        let places: Vec<Place> =
            rows.iter().filter(found).map(|row| (row.transport, row.revision, row.outcome)).collect();
        let outcome = places.iter().map(|(_, _, outcome)| *outcome).min()?;
        Some(Self { defect, outcome, places })
    }
}

/// Adds a finding to the problem at its place, which is one after the last for a new signature.
fn gather<'a>(problems: &mut Vec<Problem<'a>>, at: usize, row: &'a ResultRow, finding: &'a Finding) {
    let place = (row.transport, row.revision, row.outcome);
    let Some(known) = problems.get_mut(at) else {
        problems.push(Problem { row, finding, ids: vec![&finding.id], places: vec![place] });
        return;
    };
    known.ids.push(&finding.id);
    if !known.places.contains(&place) {
        known.places.push(place);
    }
    let rank = |row: &ResultRow, finding: &Finding| (row.outcome, finding.confirmed.is_none());
    if rank(row, finding) < rank(known.row, known.finding) {
        known.row = row;
        known.finding = finding;
    }
}

fn severity_rank(severity: &str) -> u8 {
    match severity {
        "security" => 0,
        "interop" => 1,
        _ => 2,
    }
}

/// The area of a requirement: the first part of its id.
#[cfg(feature = "cli")]
pub(super) fn area(requirement: &str) -> &str {
    requirement.split('.').next().unwrap_or(requirement)
}

/// Places in words, by transport: `stdio 2025-06-18, 2025-11-25 · http 2025-11-25 (warn)`.
pub(super) fn places(places: &[Place], worst: Outcome) -> String {
    let mut sorted = places.to_vec();
    sorted.sort_unstable();
    let mut text = String::new();
    let mut last = None;
    for (transport, revision, outcome) in sorted {
        if last == Some(transport) {
            text.push_str(", ");
        } else {
            if last.is_some() {
                text.push_str(" · ");
            }
            let _ = write!(text, "{transport} ");
            last = Some(transport);
        }
        text.push_str(revision.as_str());
        if outcome != worst {
            let _ = write!(text, " ({outcome})");
        }
    }
    text
}

/// How a finding was confirmed, in words.
pub(super) fn confirmed(finding: &Finding) -> String {
    match finding.confirmed.as_deref() {
        Some(how @ ("process" | "session" | "connection")) => format!("again in a fresh {how}"),
        Some(other) => other.to_owned(),
        None => "no, seen once".to_owned(),
    }
}

/// What the run took of the machine.
pub(super) fn cost(footer: &Footer) -> String {
    let mut text = match footer.process_starts {
        1 => "1 process of the target started".to_owned(),
        n => format!("{n} processes of the target started"),
    };
    if let Some(cpu) = footer.harness_cpu_millis {
        let _ = write!(text, " · {} of CPU time used by mcprove itself", style::duration(cpu));
    }
    text
}
