//! `mcprove list`: what there is to check, and what checks it.

use super::args::{ListWhat, OutputFormat};
use super::failure::Failure;
use super::inspect::width;
use super::kill_matrix::selected;
use super::out;
use crate::docs::{Counts, Coverage, Group, coverage_groups};
use crate::monitors;
use crate::probes;
use crate::protocol::Revision;
use crate::protocol::catalogue::{Catalogue, Level, REQUIREMENT_SET, Requirement, Selection};
use crate::report::wrap;
use anstyle::Style;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

pub(super) fn list(what: &ListWhat) -> Result<u8, Failure> {
    match what {
        ListWhat::Requirements { patterns, coverage, output_format } => {
            requirements(patterns, *coverage, *output_format)?;
        }
        ListWhat::Monitors => {
            out::print(&checks(monitors::all().map(|m| (m.name, m.explain, m.decides))))?;
        }
        ListWhat::Faults { patterns, output_format } => faults(patterns, *output_format)?,
        ListWhat::Probes => out::print(&checks(probes::all().map(|p| (p.name, p.explain, p.decides))))?,
    }
    Ok(0)
}

/// The document of `list requirements --output-format json`.
#[derive(Serialize)]
struct Listing<'a> {
    format: &'static str,
    version: u32,
    requirement_set: &'static str,
    coverage: Counts,
    requirements: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    area: &'a str,
    title: &'a str,
    severity: &'a str,
    transport: &'a str,
    levels: BTreeMap<&'static str, &'static str>,
    coverage: Coverage,
    why: Option<&'a str>,
    monitors: Vec<&'static str>,
    probes: Vec<&'static str>,
}

fn requirements(patterns: &[String], coverage: bool, format: OutputFormat) -> Result<(), Failure> {
    let selection = if patterns.is_empty() {
        Selection::all()
    } else {
        Selection::parse(patterns).map_err(Failure::usage)?
    };
    // In the order of the catalogue, where what belongs together stands together.
    let rows: Vec<&Requirement> = Catalogue::get().iter().filter(|row| selection.contains(&row.id)).collect();
    if format == OutputFormat::Json {
        return out::print_json(&listing(&rows));
    }
    let text = match (patterns.is_empty(), coverage) {
        (true, false) => by_area(&rows),
        (true, true) => self::coverage(&rows),
        (false, _) => one_by_one(&rows, coverage),
    };
    out::print(&text)
}

fn listing<'a>(rows: &[&'a Requirement]) -> Listing<'a> {
    let all = Counts::of(rows.iter().copied());
    let requirements = rows
        .iter()
        .map(|row| {
            let coverage = Coverage::of(row);
            Listed {
                id: &row.id,
                area: row.area,
                title: &row.title,
                severity: row.severity.as_str(),
                transport: row.transport.as_str(),
                levels: row
                    .levels
                    .iter()
                    .map(|(revision, level)| (revision.as_str(), level.as_str()))
                    .collect(),
                coverage,
                why: coverage.why(row),
                monitors: monitors::deciding(&row.id).map(|monitor| monitor.name).collect(),
                probes: probes::deciding(&row.id).map(|probe| probe.name).collect(),
            }
        })
        .collect();
    Listing {
        format: "mcprove-requirements",
        version: 1,
        requirement_set: REQUIREMENT_SET,
        coverage: all,
        requirements,
    }
}

/// The force of a requirement where it is strongest.
fn strongest(row: &Requirement) -> Option<Level> {
    let rank = |level: &Level| match level {
        Level::Invariant => 0,
        Level::Must | Level::MustNot => 1,
        Level::Should | Level::ShouldNot => 2,
    };
    row.levels.iter().map(|(_, level)| level).min_by_key(rank)
}

fn grouped<'a>(rows: &[&'a Requirement]) -> Vec<(&'a str, Vec<&'a Requirement>)> {
    let mut areas: Vec<(&str, Vec<&Requirement>)> = Vec::new();
    for row in rows {
        match areas.last_mut() {
            Some((area, list)) if *area == row.area => list.push(row),
            _ => areas.push((row.area, vec![row])),
        }
    }
    areas
}

fn by_area(rows: &[&Requirement]) -> String {
    let mut text = String::new();
    let revisions = Revision::ALL.map(|revision| format!("{revision:>12}")).concat();
    let head =
        format!("{:<18}{:>6}{:>6}{:>8}{:>11}{revisions}", "area", "all", "MUST", "SHOULD", "INVARIANT");
    let _ = writeln!(text, "{DIM}{head}{DIM:#}");
    let mut line = |name: &str, rows: &[&Requirement], style: Style| {
        let strength = |levels: &[Level]| {
            rows.iter().filter(|row| strongest(row).is_some_and(|level| levels.contains(&level))).count()
        };
        let having = |revision| rows.iter().filter(|row| row.level(revision).is_some()).count();
        let revisions = Revision::ALL.map(|revision| format!("{:>12}", having(revision))).concat();
        let _ = writeln!(
            text,
            "{style}{name:<18}{style:#}{:>6}{:>6}{:>8}{:>11}{revisions}",
            rows.len(),
            strength(&[Level::Must, Level::MustNot]),
            strength(&[Level::Should, Level::ShouldNot]),
            strength(&[Level::Invariant]),
        );
    };
    for (area, rows) in grouped(rows) {
        line(area, &rows, Style::new());
    }
    line("all", rows, BOLD);
    let _ = writeln!(
        text,
        "\nThe set of {REQUIREMENT_SET}; the level is the strongest of any revision.\n\
         One by one: mcprove list requirements AREA. What decides them: --coverage."
    );
    text
}

fn coverage(rows: &[&Requirement]) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{DIM}{:<18}{:>6}{:>9}{:>13}{:>16}{:>10}{:>9}{DIM:#}",
        "area", "all", "decided", "conditional", "not observable", "no check", "percent"
    );
    let mut last = "area";
    for Group { by, name, counts } in coverage_groups(rows) {
        if by != last {
            text.push('\n');
            last = by;
        }
        let style = if by == "all" { BOLD } else { Style::new() };
        let Counts { requirements, decided, conditional, not_observable, no_check } = counts;
        let percent = format!("{} %", counts.percent());
        let _ = writeln!(
            text,
            "{style}{name:<18}{style:#}{requirements:>6}{decided:>9}{conditional:>13}{not_observable:>16}{no_check:>10}{percent:>9}"
        );
    }
    let _ = writeln!(
        text,
        "\ndecided: for any server, by a monitor or a probe; conditional: for a server that has what it takes;\n\
         not observable: nothing on the wire would tell. The level is the strongest of any revision; percent is of\n\
         what can be observed. Reasons, one by one: mcprove list requirements --coverage PATTERN"
    );
    text
}

fn one_by_one(rows: &[&Requirement], coverage: bool) -> String {
    let mut text = String::new();
    for row in rows {
        let level = strongest(row).map_or("", Level::as_str);
        let of_it = Coverage::of(row);
        let covered = if coverage { format!("{:<16}", of_it.as_str()) } else { String::new() };
        let _ = writeln!(text, "{level:<11}{covered}{BOLD}{}{BOLD:#}  {DIM}{}{DIM:#}", row.id, row.title);
        for line in of_it.why(row).filter(|_| coverage).iter().flat_map(|why| wrap(why, width() - 27)) {
            let _ = writeln!(text, "{:27}{DIM}{line}{DIM:#}", "");
        }
    }
    text
}

/// The document of `list faults --output-format json`.
#[derive(Serialize)]
struct FaultListing {
    format: &'static str,
    version: u32,
    faults: Vec<ListedFault>,
}

#[derive(Serialize)]
struct ListedFault {
    id: &'static str,
    about: &'static str,
    breaks: Vec<&'static str>,
    also: &'static [&'static str],
    warns: Vec<&'static str>,
    revisions: Vec<&'static str>,
    transports: Vec<&'static str>,
    /// The test of the reference server that finds it, where no check does.
    judged_by: Option<&'static str>,
}

fn faults(patterns: &[String], format: OutputFormat) -> Result<(), Failure> {
    let faults: Vec<ListedFault> = selected(patterns)?
        .map(|fault| ListedFault {
            id: fault.id(),
            about: fault.about(),
            breaks: fault.breaks().collect(),
            also: fault.also(),
            warns: fault.warns().iter().map(|revision| revision.as_str()).collect(),
            revisions: fault.revisions().iter().map(|revision| revision.as_str()).collect(),
            transports: fault.transports().iter().map(|transport| transport.as_str()).collect(),
            judged_by: fault.judge(),
        })
        .collect();
    if format == OutputFormat::Json {
        return out::print_json(&FaultListing { format: "mcprove-faults", version: 1, faults });
    }
    let mut text = String::new();
    for fault in &faults {
        let _ = writeln!(text, "{BOLD}{}{BOLD:#}", fault.id);
        for line in wrap(fault.about, width() - 2) {
            let _ = writeln!(text, "  {line}");
        }
        if let Some(test) = fault.judged_by {
            let rule = fault.id.split('/').next().unwrap_or_default();
            let detail = format!(
                "breaks the rule {rule} of the profile, which no check sees; judged by the test {test} of the reference server"
            );
            for line in wrap(&detail, width() - 2) {
                let _ = writeln!(text, "  {DIM}{line}{DIM:#}");
            }
            continue;
        }
        let mut detail = format!("breaks {}", fault.breaks.join(", "));
        if !fault.also.is_empty() {
            let _ = write!(detail, "; also {}", fault.also.join(", "));
        }
        let _ = write!(detail, "; {} over {}", fault.revisions.join(", "), fault.transports.join(", "));
        for line in wrap(&detail, width() - 2) {
            let _ = writeln!(text, "  {DIM}{line}{DIM:#}");
        }
    }
    out::print(&text)
}

fn checks(all: impl Iterator<Item = (&'static str, &'static str, &'static [&'static str])>) -> String {
    let mut text = String::new();
    for (name, explain, decides) in all {
        let _ = writeln!(text, "{BOLD}{name}{BOLD:#}");
        for line in wrap(&paragraph(explain), width() - 2) {
            let _ = writeln!(text, "  {line}");
        }
        for line in wrap(&format!("decides {}", decides.join(", ")), width() - 2) {
            let _ = writeln!(text, "  {DIM}{line}{DIM:#}");
        }
    }
    text
}

/// The lines of a comment as one paragraph.
fn paragraph(comment: &str) -> String {
    comment.split_whitespace().collect::<Vec<_>>().join(" ")
}
