//! What there is to say of a requirement, in sections; `explain` prints them, and the generated pages show them.

use super::coverage::Coverage;
use crate::monitors;
use crate::probes;
use crate::protocol::catalogue::{
    Example, Requirement, VerdictMax, Violation, advice, example, no_fault, outcome_of_violation,
};
use crate::protocol::{Era, Revision};

/// All that there is to say of a requirement.
#[derive(Debug, Clone)]
pub struct Article {
    /// Its id.
    pub id: &'static str,
    /// Its title.
    pub title: &'static str,
    /// The sections, in the order in which they are read.
    pub sections: Vec<Section>,
}

/// A part of an article.
#[derive(Debug, Clone)]
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// What stands in it.
    pub blocks: Vec<Block>,
}

/// A paragraph, or something like it.
#[derive(Debug, Clone)]
pub enum Block {
    /// Prose.
    Text(String),
    /// A place in the specification, with the force that it has there.
    Place(Place),
    /// A monitor or a probe.
    Check {
        /// Which of them.
        kind: &'static str,
        /// Its name.
        name: &'static str,
        /// What it does.
        text: String,
    },
    /// Something that crossed the wire.
    Wire {
        /// `sent` or `received`.
        label: &'static str,
        /// The text, as it crossed; shortened, and without what differs from run to run.
        text: String,
    },
}

/// Where a requirement stands in a revision.
#[derive(Debug, Clone)]
pub struct Place {
    /// The revision.
    pub revision: Revision,
    /// Its level there.
    pub level: &'static str,
    /// What a violation counts as there.
    pub outcome: &'static str,
    /// Whether the level was inferred from another revision.
    pub inferred: bool,
    /// The place and its force, in words.
    pub reference: String,
    /// The address of the place.
    pub url: Option<String>,
}

impl Article {
    /// The article of a requirement.
    pub fn of(row: &'static Requirement) -> Self {
        let advice = advice(&row.id);
        let mut sections =
            vec![Section { title: "What it says", blocks: vec![Block::Text(row.statement.clone())] }];
        if let Some(advice) = advice {
            sections.push(Section { title: "Why it matters", blocks: vec![Block::Text(advice.why.clone())] });
        }
        sections.push(Section { title: "Where it stands", blocks: places(row) });
        sections.push(Section { title: "What it means", blocks: meaning(row) });
        sections.push(Section { title: "How it is tested", blocks: tested(row) });
        let seen = example(&row.id);
        sections.push(Section { title: "A server that keeps it", blocks: kept(seen) });
        sections.push(Section { title: "A server that breaks it", blocks: broken(row, seen) });
        if let Some(advice) = advice {
            sections.push(Section {
                title: "How to mend a server",
                blocks: vec![Block::Text(advice.mend.clone())],
            });
        }
        Self { id: &row.id, title: &row.title, sections }
    }
}

fn places(row: &Requirement) -> Vec<Block> {
    let mut blocks: Vec<Block> = row
        .levels
        .iter()
        .map(|(revision, level)| {
            Block::Place(Place {
                revision,
                level: level.as_str(),
                outcome: match outcome_of_violation(row, revision, false) {
                    Violation::Fail => "fail",
                    Violation::Warn => "warn",
                },
                inferred: row.is_carried(revision),
                reference: row.spec_reference(revision).unwrap_or_default(),
                url: row.spec_url(revision),
            })
        })
        .collect();
    let mut further: Vec<&str> = Vec::new();
    further.extend(row.spec.legacy_also.iter().map(String::as_str));
    further.extend(row.spec.modern_also.iter().map(String::as_str));
    further.extend(row.spec.external.iter().map(String::as_str));
    further.dedup();
    if !further.is_empty() {
        blocks.push(Block::Text(format!("see also {}", further.join(", "))));
    }
    blocks
}

fn meaning(row: &Requirement) -> Vec<Block> {
    let transport = match row.transport.as_str() {
        "any" => "every transport".to_owned(),
        other => format!("{other} only"),
    };
    let severity = match row.severity.as_str() {
        "interop" => "client and server do not work together",
        "security" => "somebody can be harmed",
        _ => "it works, but badly",
    };
    let mut texts = vec![format!("severity {} ({severity} when it is broken); {transport}", row.severity)];
    if let Some(other) = &row.restates {
        texts.push(format!("restates {other}, which carries the finding where both are broken"));
    }
    match row.verdict_max {
        Some(VerdictMax::Warn) => texts.push("policy: a violation warns at most".to_owned()),
        Some(VerdictMax::Fail) => {
            texts.push("policy: a violation may fail although the text only implies it".to_owned());
        }
        None => {}
    }
    texts.into_iter().map(Block::Text).collect()
}

fn tested(row: &'static Requirement) -> Vec<Block> {
    let mut blocks = Vec::new();
    for (era, of) in [("up to 2025-11-25", Era::Legacy), ("in 2026-07-28", Era::Modern)] {
        let newest =
            row.levels.iter().map(|(revision, _)| revision).filter(|revision| revision.era() == of).last();
        if let Some(text) = newest.and_then(|revision| row.stimulus(revision)) {
            blocks.push(Block::Text(format!("{era}: {text}")));
        }
    }
    if let Some(needs) = &row.needs {
        blocks.push(Block::Text(format!("needs: {needs}")));
    }
    for monitor in monitors::deciding(&row.id) {
        blocks.push(Block::Check { kind: "monitor", name: monitor.name, text: paragraph(monitor.explain) });
    }
    for probe in probes::deciding(&row.id) {
        blocks.push(Block::Check { kind: "probe", name: probe.name, text: paragraph(probe.explain) });
    }
    match Coverage::of(row) {
        Coverage::Decided | Coverage::Conditional => {}
        Coverage::NotObservable => blocks.push(Block::Text(
            "Not testable from outside: it has no effect on the wire that decides it.".to_owned(),
        )),
        Coverage::NoCheck => blocks.push(Block::Text(
            "No monitor and no probe decides it yet: it is reported as inconclusive.".to_owned(),
        )),
    }
    blocks
}

fn kept(seen: Option<&'static Example>) -> Vec<Block> {
    let good =
        seen.map(|seen| wire(seen.good_sent.as_deref(), seen.good_received.as_deref())).unwrap_or_default();
    if good.is_empty() {
        return vec![Block::Text("No example was recorded.".to_owned())];
    }
    good
}

fn broken(row: &Requirement, seen: Option<&'static Example>) -> Vec<Block> {
    let Some(seen) = seen else {
        let text = match (Coverage::of(row), no_fault(&row.id)) {
            (Coverage::NotObservable, _) => "No example: nothing on the wire would show it.".to_owned(),
            (_, Some(why)) => {
                format!("No example, because no fault of the reference server breaks it: {why}")
            }
            (_, None) => "No example was recorded.".to_owned(),
        };
        return vec![Block::Text(text)];
    };
    let mut blocks = vec![Block::Text(format!(
        "{} (fault {}, {} over {})",
        seen.about, seen.fault, seen.revision, seen.transport
    ))];
    blocks.extend(wire(seen.sent.as_deref(), seen.received.as_deref()));
    blocks.push(Block::Text(format!("The finding: {}.", seen.message.trim_end_matches('.'))));
    if !seen.expected.is_empty() {
        blocks.push(Block::Text(format!("Expected: {}.", seen.expected.join("; or "))));
    }
    if !seen.actual.is_empty() {
        blocks.push(Block::Text(format!("Actual: {}.", seen.actual.trim_end_matches('.'))));
    }
    blocks
}

fn wire(sent: Option<&str>, received: Option<&str>) -> Vec<Block> {
    let block = |label, text: &str| Block::Wire { label, text: text.to_owned() };
    let sent = sent.map(|text| block("sent", text));
    sent.into_iter().chain(received.map(|text| block("received", text))).collect()
}

/// The lines of a comment as one paragraph.
fn paragraph(comment: &str) -> String {
    comment.split_whitespace().collect::<Vec<_>>().join(" ")
}
