//! How much of the catalogue is decided: by area, by level and by revision.

use crate::monitors;
use crate::probes;
use crate::protocol::Revision;
use crate::protocol::catalogue::{Level, Requirement, Testable};
use serde::Serialize;
use std::fmt::Write as _;

/// Whether anything decides a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coverage {
    /// A monitor or a probe does, for any server.
    Decided,
    /// A monitor or a probe does, for a server that has what it takes.
    Conditional,
    /// Nothing on the wire would tell.
    NotObservable,
    /// Nothing does yet.
    NoCheck,
}

impl Coverage {
    /// The coverage of a requirement.
    pub fn of(requirement: &Requirement) -> Self {
        let id = requirement.id.as_str();
        let decided = monitors::deciding(id).next().is_some() || probes::deciding(id).next().is_some();
        match (decided, requirement.testable) {
            (true, Testable::Conditional) => Self::Conditional,
            (true, _) => Self::Decided,
            (false, Testable::Never) => Self::NotObservable,
            (false, _) => Self::NoCheck,
        }
    }

    /// The word used in listings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Conditional => "conditional",
            Self::NotObservable => "not observable",
            Self::NoCheck => "no check",
        }
    }

    /// Why it is not decided for any server; what it takes.
    pub fn why(self, requirement: &Requirement) -> Option<&str> {
        match self {
            Self::Conditional | Self::NotObservable => {
                Some(requirement.needs.as_deref().unwrap_or("it has no effect on the wire"))
            }
            Self::Decided | Self::NoCheck => None,
        }
    }
}

/// Requirements counted by their coverage.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All of them.
    pub requirements: usize,
    /// Decided for any server.
    pub decided: usize,
    /// Decided for a server that has what it takes.
    pub conditional: usize,
    /// Not observable from outside.
    pub not_observable: usize,
    /// Not decided yet.
    pub no_check: usize,
}

impl Counts {
    /// Counts requirements.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Requirement>) -> Self {
        let mut counts = Self::default();
        for row in rows {
            counts.requirements += 1;
            match Coverage::of(row) {
                Coverage::Decided => counts.decided += 1,
                Coverage::Conditional => counts.conditional += 1,
                Coverage::NotObservable => counts.not_observable += 1,
                Coverage::NoCheck => counts.no_check += 1,
            }
        }
        counts
    }

    /// What is decided of what can be observed at all, in percent, rounded down.
    pub fn percent(&self) -> usize {
        100 * (self.decided + self.conditional) / (self.requirements - self.not_observable).max(1)
    }
}

/// Requirements that belong together.
#[derive(Debug, Clone)]
pub struct Group {
    /// What they have in common: `area`, `level`, `revision` or `all`.
    pub by: &'static str,
    /// Its name.
    pub name: String,
    /// How many there are.
    pub counts: Counts,
}

/// The force of a requirement where it is strongest: a level without its polarity.
fn strongest(row: &Requirement) -> &'static str {
    let rank = |level: Level| match level {
        Level::Invariant => 0,
        Level::Must | Level::MustNot => 1,
        Level::Should | Level::ShouldNot => 2,
    };
    let best = row.levels.iter().map(|(_, level)| rank(level)).min();
    ["INVARIANT", "MUST", "SHOULD"][best.unwrap_or(2)]
}

/// The requirements by area, by their strongest level, by revision, and all together.
pub fn coverage_groups(rows: &[&Requirement]) -> Vec<Group> {
    let mut areas: Vec<&str> = rows.iter().map(|row| row.area).collect();
    areas.dedup();
    let group = |by, name: &str, keep: &dyn Fn(&Requirement) -> bool| Group {
        by,
        name: name.to_owned(),
        counts: Counts::of(rows.iter().copied().filter(|row| keep(row))),
    };
    let by_area = areas.iter().map(|area| group("area", area, &|row| row.area == *area));
    let by_level = ["MUST", "SHOULD", "INVARIANT"]
        .into_iter()
        .map(|name| group("level", name, &|row| strongest(row) == name));
    let by_revision = Revision::ALL
        .into_iter()
        .map(|revision| group("revision", revision.as_str(), &|row| row.level(revision).is_some()));
    by_area.chain(by_level).chain(by_revision).chain([group("all", "all", &|_| true)]).collect()
}

/// The coverage as a table in Markdown.
pub fn coverage_table(rows: &[&Requirement]) -> String {
    let mut text = String::from(
        "| | requirements | decided | conditional | not observable | no check |\n|---|---:|---:|---:|---:|---:|\n",
    );
    let mut last = "area";
    for Group { by, name, counts } in coverage_groups(rows) {
        if by != last {
            if by != "all" {
                let _ = writeln!(text, "| **by {by}** | | | | | |");
            }
            last = by;
        }
        let Counts { requirements, decided, conditional, not_observable, no_check } = counts;
        let _ = writeln!(
            text,
            "| {name} | {requirements} | {decided} | {conditional} | {not_observable} | {no_check} |"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::catalogue::Catalogue;

    #[test]
    fn every_requirement_is_counted_once_in_each_way() {
        let rows: Vec<&Requirement> = Catalogue::get().iter().collect();
        let groups = coverage_groups(&rows);
        let all = groups.last().unwrap().counts;
        assert_eq!(all.requirements, Catalogue::get().len());
        assert_eq!(all.requirements, all.decided + all.conditional + all.not_observable + all.no_check);
        for by in ["area", "level"] {
            let of_it = groups.iter().filter(|group| group.by == by);
            assert_eq!(of_it.map(|group| group.counts.requirements).sum::<usize>(), all.requirements, "{by}");
        }
    }
}
