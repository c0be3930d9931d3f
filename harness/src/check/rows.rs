//! From what was said about requirements to the rows of the report.

use super::confirm::{Confirmation, Confirmations};
use crate::monitors::{self, Breach, Judge, Tally};
use crate::probes;
use crate::protocol::catalogue::{
    Catalogue, Requirement, RequirementSet, Testable, Violation, outcome_of_violation,
};
use crate::protocol::{Revision, Transport};
use crate::run::{Evidence, Finding, Outcome, Reason, ResultRow};
use crate::transcript::{Record, Recorder};
use crate::wire::{Event, Payload};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

/// How much of a message goes into a finding, in bytes.
const EXCERPT: usize = 4096;

/// The code of the reason of rows whose revision was asked for and is not spoken.
pub(super) const NOT_SPOKEN: &str = "revision-not-spoken";

/// What the rows of a unit are made from.
pub(super) struct Rows<'a> {
    /// The set of requirements by which is judged.
    pub(super) set: &'a RequirementSet,
    pub(super) judge: &'a Judge,
    pub(super) confirmations: &'a Confirmations,
    pub(super) revision: Revision,
    pub(super) transport: Transport,
    /// The command line that names the target, and the seed.
    pub(super) reproduce: &'a str,
    pub(super) seed: u64,
    /// The file of a conversation, relative to the run's folder.
    pub(super) transcript: &'a (dyn Fn(&Arc<Recorder>) -> Option<String> + Sync),
    /// Whether a requirement has a row in this run.
    pub(super) selected: &'a (dyn Fn(&str) -> bool + Sync),
    /// Why no more was seen, if the run ended early or could not go on: a code and a text.
    pub(super) cut_short: Option<(&'static str, &'a str)>,
}

impl Rows<'_> {
    /// The row of a requirement in a revision that was asked for and is not spoken.
    pub(super) fn not_spoken(&self, requirement: &Requirement) -> ResultRow {
        let text = format!("the server does not speak {} over {}", self.revision, self.transport);
        ResultRow {
            outcome: Outcome::NotApplicable,
            reason: Some(Reason::new(NOT_SPOKEN, text)),
            findings: Vec::new(),
            ..self.row(requirement)
        }
    }

    /// The row of a requirement. Findings have no id yet.
    pub(super) fn row(&self, requirement: &Requirement) -> ResultRow {
        let (outcome, reason, findings) = self.outcome(requirement);
        ResultRow {
            requirement: requirement.id.clone(),
            title: Some(requirement.title.clone()),
            url: requirement.spec_url(self.revision),
            level: self.set.level(requirement, self.revision).map(|level| level.as_str().to_owned()),
            severity: requirement.severity.as_str().to_owned(),
            revision: self.revision,
            transport: self.transport,
            outcome,
            reason,
            findings,
        }
    }

    fn outcome(&self, requirement: &Requirement) -> (Outcome, Option<Reason>, Vec<Finding>) {
        if let Err(why) = requirement.applies(self.revision, self.transport) {
            return (Outcome::NotApplicable, Some(Reason::new(why.code(), why.to_string())), Vec::new());
        }
        if self.set.level(requirement, self.revision).is_none() {
            let text = format!("the requirements of {} do not have it for this revision", self.set.name());
            return (Outcome::NotApplicable, Some(Reason::new("not-in-set", text)), Vec::new());
        }
        let tally = self.judge.get(&requirement.id);
        if let Some(tally) = tally.filter(|tally| !tally.breaches.is_empty()) {
            return self.broken(requirement, tally);
        }
        let reasoned = |outcome, reason| (outcome, Some(reason), Vec::new());
        match tally {
            Some(Tally { unseen: Some(reason), .. }) => reasoned(Outcome::Inconclusive, reason.clone()),
            Some(tally) if tally.held > 0 => (Outcome::Pass, None, Vec::new()),
            Some(Tally { not_applicable: Some(reason), .. }) => {
                reasoned(Outcome::NotApplicable, reason.clone())
            }
            Some(Tally { undecided: Some(reason), .. }) => reasoned(Outcome::Inconclusive, reason.clone()),
            _ => reasoned(Outcome::Inconclusive, self.why_undecided(requirement)),
        }
    }

    /// What a violation counts as: what was raised after the set was frozen warns.
    fn violation(&self, requirement: &Requirement, breach: &Breach) -> Violation {
        let raised = self.set.level(requirement, self.revision) != requirement.level(self.revision);
        outcome_of_violation(requirement, self.revision, breach.quality || raised)
    }

    fn why_undecided(&self, requirement: &Requirement) -> Reason {
        if let Some((code, why)) = self.cut_short {
            return Reason::new(code, why);
        }
        if requirement.testable == Testable::Never {
            let needs = requirement.needs.as_deref().unwrap_or("it has no effect on the wire");
            return Reason::new("not-observable", needs);
        }
        let id = requirement.id.as_str();
        let runs_here = |probe: &probes::Probe| probe.runs(self.revision, self.transport);
        if monitors::deciding(id).next().is_none() && !probes::deciding(id).any(runs_here) {
            return Reason::new("no-check", "no monitor and no probe decides this requirement yet");
        }
        match &requirement.needs {
            Some(needs) => {
                Reason::new("not-seen", format!("nothing that decides it was seen; it needs: {needs}"))
            }
            None => Reason::new("not-seen", "nothing that decides it was seen in these conversations"),
        }
    }

    fn broken(&self, requirement: &Requirement, tally: &Tally) -> (Outcome, Option<Reason>, Vec<Finding>) {
        if let Some(other) = Catalogue::get().restated(requirement, self.revision)
            && (self.selected)(&other.id)
            && other.applies(self.revision, self.transport).is_ok()
            && self.set.level(other, self.revision).is_some()
            && let Some(theirs) = self.judge.get(&other.id).filter(|theirs| !theirs.breaches.is_empty())
        {
            return self.like(requirement, tally, other, theirs);
        }
        let other = tally.breaches.iter().map(|breach| breach.see).collect::<Option<Vec<_>>>();
        let other = other.and_then(|all| all.first().and_then(|id| Catalogue::get().requirement(id)));
        if let Some(other) = other
            && let Some(theirs) = self.judge.get(&other.id).filter(|theirs| !theirs.breaches.is_empty())
        {
            return self.like(requirement, tally, other, theirs);
        }
        let violation = |breach: &Breach| self.violation(requirement, breach);
        let fails = tally.breaches.iter().any(|breach| violation(breach) == Violation::Fail);
        let confirmation = self.confirmations.get(requirement.id.as_str());
        let (outcome, reason) = match (fails, confirmation) {
            (false, _) => (Outcome::Warn, None),
            (true, Some(Confirmation::Flaky { seen, of })) => {
                let text = format!("seen in {seen} of {of} tries");
                (Outcome::Flaky, Some(Reason::new("flaky", text)))
            }
            (true, Some(Confirmation::Untried(why))) => {
                let text = format!("seen once; it could not be tried again: {why}");
                (Outcome::Fail, Some(Reason::new("unconfirmed", text)))
            }
            (true, _) => (Outcome::Fail, None),
        };
        let mut seen = Vec::new();
        let mut findings = Vec::new();
        for breach in &tally.breaches {
            // The worst kind only: what warns beside a failure of the same row is part of it.
            if fails && violation(breach) != Violation::Fail {
                continue;
            }
            let signature = signature(&requirement.id, breach);
            if !seen.contains(&signature) {
                findings.push(self.finding(requirement, breach, signature.clone(), confirmation));
                seen.push(signature);
            }
        }
        (outcome, reason, findings)
    }

    /// The outcome of another row that rests on the same observation, capped by the row's own level and basis.
    fn like(
        &self,
        requirement: &Requirement,
        tally: &Tally,
        other: &Requirement,
        theirs: &Tally,
    ) -> (Outcome, Option<Reason>, Vec<Finding>) {
        let (outcome, ..) = self.broken(other, theirs);
        let fails = |breach: &Breach| self.violation(requirement, breach) == Violation::Fail;
        let outcome = match outcome {
            Outcome::Fail | Outcome::Flaky if !tally.breaches.iter().any(fails) => Outcome::Warn,
            outcome => outcome,
        };
        (outcome, Some(Reason::new("see-other", format!("see {}", other.id))), Vec::new())
    }

    fn finding(
        &self,
        requirement: &Requirement,
        breach: &Breach,
        signature: String,
        confirmation: Option<&Confirmation>,
    ) -> Finding {
        let spec = requirement.spec_reference(self.revision).unwrap_or_default();
        let clean = |text: &str| match &breach.conversation {
            Some(recorder) => recorder.redact(text),
            None => text.to_owned(),
        };
        Finding {
            id: String::new(),
            signature,
            message: clean(&breach.message),
            evidence: evidence(breach),
            expected: breach.expected.clone(),
            actual: clean(&breach.actual),
            spec: match requirement.spec_url(self.revision) {
                Some(url) => format!("{spec} <{url}>"),
                None => spec,
            },
            reproduce: format!(
                "mcprove check --only {} --revision {} --seed {}{}",
                requirement.id, self.revision, self.seed, self.reproduce
            ),
            transcript: breach.conversation.as_ref().and_then(self.transcript),
            confirmed: match confirmation {
                Some(Confirmation::Again(fresh)) => Some((*fresh).to_owned()),
                _ => None,
            },
        }
    }
}

/// The same for the same defect in every run.
pub fn signature(requirement: &str, breach: &Breach) -> String {
    let digest = Sha256::digest(format!("{requirement}\n{}\n{}", breach.by, breach.class));
    digest.iter().take(6).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

pub(super) fn evidence(breach: &Breach) -> Evidence {
    let Some(recorder) = &breach.conversation else { return Evidence::default() };
    let records = recorder.snapshot();
    let mut evidence =
        Evidence { pointer: breach.pointer.clone(), event: breach.event, ..Evidence::default() };
    if let Some(since) = breach.sent {
        let of = |since: u64| {
            let there =
                move |record: &&Arc<Record>| breach.sent_on.is_none_or(|channel| channel == record.channel);
            records.iter().filter(move |record| record.seq >= since).filter(there)
        };
        let sent = of(since).find_map(|record| match &record.event {
            Event::Sent { payload, .. } => Some(String::from_utf8_lossy(payload.bytes()).into_owned()),
            Event::RequestHead { method, url, .. } if method != "POST" => Some(format!("{method} {url}")),
            _ => None,
        });
        evidence.sent = sent.map(|text| shorten(&recorder.redact(&text), 0).0);
    }
    let decisive = breach.event.and_then(|seq| {
        let index = records.partition_point(|record| record.seq < seq);
        records.get(index).filter(|record| record.seq == seq)
    });
    match decisive.map(|record| &record.event) {
        Some(Event::Received { payload, .. }) => {
            let mark = breach.range.clone().or_else(|| match payload {
                Payload::Message(message) => message.locate(breach.pointer.as_deref()?),
                Payload::Raw { .. } => None,
            });
            let text = String::from_utf8_lossy(payload.bytes()).into_owned();
            let (text, cut) = shorten(&text, mark.as_ref().map_or(0, |mark| mark.start));
            let cleaned = recorder.redact(&text);
            // A replaced secret moves the marks; the pointer still tells the place.
            evidence.mark = mark
                .filter(|mark| cleaned == text && mark.start >= cut && mark.start - cut < text.len())
                .map(|mark| [mark.start - cut, (mark.end - cut).min(text.len())])
                .filter(|[start, end]| text.is_char_boundary(*start) && text.is_char_boundary(*end));
            evidence.received = Some(cleaned);
        }
        Some(Event::ResponseHead { status, headers }) => {
            let lines = headers.iter().map(|(name, value)| format!("\n{name}: {value}"));
            let text = format!("HTTP {status}{}", lines.collect::<String>());
            evidence.received = Some(shorten(&recorder.redact(&text), 0).0);
        }
        Some(Event::ProcessExited { code, signal, .. }) => {
            evidence.received = Some(match (code, signal) {
                (Some(code), _) => format!("the process exited with code {code}"),
                (None, Some(signal)) => format!("the process was ended by signal {signal}"),
                (None, None) => "the process exited".to_owned(),
            });
        }
        _ => {}
    }
    evidence
}

/// At most [`EXCERPT`] bytes around a place, and how many bytes were cut at the front.
fn shorten(text: &str, around: usize) -> (String, usize) {
    if text.len() <= EXCERPT {
        return (text.to_owned(), 0);
    }
    let mut start = around.saturating_sub(EXCERPT / 4).min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = (start + EXCERPT).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (text[start..end].to_owned(), start)
}

/// The path of a transcript in the run's folder.
pub(super) fn transcript_path(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    Some(format!("{}/{name}", crate::run::TRANSCRIPTS_DIR))
}
