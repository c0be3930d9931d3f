//! What the rows of a check have to be for a fault to count as caught.

use super::planted::Planted;
use crate::protocol::catalogue::{Catalogue, Requirement, Violation, outcome_of_violation};
use crate::protocol::{Revision, Transport};
use crate::run::{Outcome, ResultRow};
use crate::{monitors, probes};
use serde::Serialize;

/// Where a requirement is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unit {
    /// The revision spoken.
    pub revision: Revision,
    /// The transport used.
    pub transport: Transport,
}

/// The outcome of a requirement in a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The requirement.
    pub requirement: String,
    /// Where.
    #[serde(flatten)]
    pub unit: Unit,
    /// What the check said; `None` where it has no row.
    pub outcome: Option<Outcome>,
    /// What was found, in the words of the first finding; for a row that is missing its finding, why.
    pub what: String,
}

/// What became of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All that it breaks was seen broken, wherever it can show, and nothing else.
    Caught,
    /// Something that it breaks was not seen broken.
    Missed,
    /// All that it breaks was seen broken, and something else, too.
    Extra,
    /// No monitor and no probe decides what it breaks yet.
    Undecided,
}

/// Whether anything decides a requirement in a unit.
fn is_decided(requirement: &Requirement, unit: Unit) -> bool {
    let id = requirement.id.as_str();
    requirement.applies(unit.revision, unit.transport).is_ok()
        && (monitors::deciding(id).next().is_some()
            || probes::deciding(id).any(|probe| probe.runs(unit.revision, unit.transport)))
}

/// The rows that have to be broken: every requirement that the fault breaks, in every unit in which it can show and in
/// which the requirement is decided. Empty where nothing is.
pub(super) fn demands(fault: &Planted) -> Vec<(&'static Requirement, Unit)> {
    let units = || fault.units().map(|(revision, transport)| Unit { revision, transport });
    let requirements = fault.breaks.iter().filter_map(|id| Catalogue::get().requirement(id));
    requirements
        .flat_map(|requirement| units().map(move |unit| (requirement, unit)))
        .filter(|(requirement, unit)| is_decided(requirement, *unit))
        .collect()
}

/// What the rows say: caught, missed, extra.
pub(super) struct Sorted {
    pub(super) caught: Vec<Seen>,
    pub(super) missed: Vec<Seen>,
    pub(super) extra: Vec<Seen>,
}

/// Sorts the rows of a check. A row that only repeats the finding of another has none of its own and is nothing extra.
pub(super) fn sort(fault: &Planted, rows: &[ResultRow]) -> Sorted {
    let mut sorted = Sorted { caught: Vec::new(), missed: Vec::new(), extra: Vec::new() };
    for (requirement, unit) in demands(fault) {
        let row = rows.iter().find(|row| {
            row.requirement == requirement.id
                && row.revision == unit.revision
                && row.transport == unit.transport
        });
        let seen = Seen {
            requirement: requirement.id.clone(),
            unit,
            outcome: row.map(|row| row.outcome),
            what: row.map_or_else(|| "the check has no row for it".to_owned(), what),
        };
        if seen.outcome == Some(demanded(fault, requirement, unit.revision)) {
            sorted.caught.push(seen);
        } else {
            sorted.missed.push(seen);
        }
    }
    for row in rows {
        let broken = matches!(row.outcome, Outcome::Fail | Outcome::Warn | Outcome::Flaky);
        if broken && !row.findings.is_empty() && !fault.may_break(&row.requirement) {
            sorted.extra.push(Seen {
                requirement: row.requirement.clone(),
                unit: Unit { revision: row.revision, transport: row.transport },
                outcome: Some(row.outcome),
                what: what(row),
            });
        }
    }
    sorted
}

/// What the policy makes of the fault.
fn demanded(fault: &Planted, requirement: &Requirement, revision: Revision) -> Outcome {
    match outcome_of_violation(requirement, revision, fault.warns.contains(&revision)) {
        Violation::Fail => Outcome::Fail,
        Violation::Warn => Outcome::Warn,
    }
}

fn what(row: &ResultRow) -> String {
    let found = row.findings.first().map(|finding| format!("{}: {}", finding.message, finding.actual));
    found.or_else(|| row.reason.as_ref().map(|reason| reason.text.clone())).unwrap_or_default()
}
