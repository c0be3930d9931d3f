//! `mcprove explain`: one requirement, and how it is tested.

use super::failure::Failure;
use super::inspect::width;
use super::list::{Coverage, paragraph};
use super::out;
use crate::monitors;
use crate::probes;
use crate::protocol::catalogue::{
    Catalogue, Level, Requirement, Selection, VerdictMax, Violation, outcome_of_violation,
};
use crate::protocol::{Era, Revision};
use crate::report::wrap;
use anstyle::Style;
use std::fmt::Write;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

pub(super) fn explain(id: &str) -> Result<u8, Failure> {
    let Some(requirement) = Catalogue::get().requirement(id) else {
        return Err(match Selection::parse(&[id]) {
            Ok(several) => Failure::Usage(format!(
                "`{id}` names {} requirements; list them with: mcprove list requirements '{id}'",
                several.len()
            )),
            Err(error) => Failure::usage(error),
        });
    };
    out::print(&page(requirement))?;
    Ok(0)
}

struct Page {
    text: String,
}

impl Page {
    fn prose(&mut self, indent: usize, text: &str) {
        for line in wrap(text, width() - indent) {
            let _ = writeln!(self.text, "{:indent$}{line}", "");
        }
    }

    fn title(&mut self, text: &str) {
        let _ = writeln!(self.text, "\n{DIM}{text}{DIM:#}");
    }
}

fn page(row: &Requirement) -> String {
    let mut page = Page { text: String::new() };
    let _ = writeln!(page.text, "{BOLD}{}{BOLD:#}", row.id);
    page.prose(2, &row.title);
    page.title("What it says");
    page.prose(2, &row.statement);
    page.title("Where it stands");
    for (revision, level) in row.levels.iter() {
        place(&mut page, row, revision, level);
    }
    let mut further: Vec<&str> = Vec::new();
    further.extend(row.spec.legacy_also.iter().map(String::as_str));
    further.extend(row.spec.modern_also.iter().map(String::as_str));
    further.extend(row.spec.external.iter().map(String::as_str));
    further.dedup();
    if !further.is_empty() {
        page.prose(2, &format!("see also {}", further.join(", ")));
    }
    page.title("What it means");
    let transport = match row.transport.as_str() {
        "any" => "every transport".to_owned(),
        other => format!("{other} only"),
    };
    let severity = match row.severity.as_str() {
        "interop" => "client and server do not work together",
        "security" => "somebody can be harmed",
        _ => "it works, but badly",
    };
    page.prose(2, &format!("severity {} ({severity} when it is broken); {transport}", row.severity));
    if let Some(other) = &row.restates {
        page.prose(2, &format!("restates {other}, which carries the finding where both are broken"));
    }
    match row.verdict_max {
        Some(VerdictMax::Warn) => page.prose(2, "policy: a violation warns at most"),
        Some(VerdictMax::Fail) => {
            page.prose(2, "policy: a violation may fail although the text only implies it");
        }
        None => {}
    }
    page.title("How it is tested");
    tested(&mut page, row);
    page.text
}

fn place(page: &mut Page, row: &Requirement, revision: Revision, level: Level) {
    let outcome = match outcome_of_violation(row, revision, false) {
        Violation::Fail => "fail",
        Violation::Warn => "warn",
    };
    let carried = if row.is_carried(revision) { ", level inferred from another revision" } else { "" };
    let reference = row.spec_reference(revision).unwrap_or_default();
    let _ =
        writeln!(page.text, "  {BOLD}{revision}{BOLD:#}  {level:<10}  a violation is a `{outcome}`{carried}");
    page.prose(14, &reference);
    if let Some(url) = row.spec_url(revision) {
        // Never broken over lines, so that it can be opened.
        let _ = writeln!(page.text, "{:14}{DIM}{url}{DIM:#}", "");
    }
}

fn tested(page: &mut Page, row: &Requirement) {
    for (era, revision) in [("up to 2025-11-25", Era::Legacy), ("in 2026-07-28", Era::Modern)] {
        let newest = row.levels.iter().map(|(r, _)| r).filter(|r| r.era() == revision).last();
        if let Some(text) = newest.and_then(|revision| row.stimulus(revision)) {
            page.prose(2, &format!("{era}: {text}"));
        }
    }
    if let Some(needs) = &row.needs {
        page.prose(2, &format!("needs: {needs}"));
    }
    for monitor in monitors::deciding(&row.id) {
        let _ = writeln!(page.text, "\n  monitor {BOLD}{}{BOLD:#}", monitor.name);
        page.prose(4, &paragraph(monitor.explain));
    }
    for probe in probes::deciding(&row.id) {
        let _ = writeln!(page.text, "\n  probe {BOLD}{}{BOLD:#}", probe.name);
        page.prose(4, &paragraph(probe.explain));
    }
    match Coverage::of(row) {
        Coverage::Decided => {}
        Coverage::NotObservable => {
            page.prose(2, "Not testable from outside: it has no effect on the wire that decides it.");
        }
        Coverage::NoCheck => {
            page.prose(2, "No monitor and no probe decides it yet: it is reported as inconclusive.");
        }
    }
}
