//! Holds the results of a run against a baseline.

use super::file::{Baseline, Entry, NO_REASON};
use crate::protocol::Revision;
use crate::protocol::catalogue::{Selection, matches};
use crate::run::{
    BaselineFault, BaselineProblem, Finding, Known, KnownDefect, KnownResult, Outcome, ResultRow,
};
use jiff::civil::Date;
use std::collections::BTreeSet;

/// What a run was asked, and whether it came to its end: what it did not look at is neither known nor gone.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The requirements that were judged.
    pub selection: &'a Selection,
    /// The revisions that were asked for; all, if empty.
    pub revisions: &'a [Revision],
    /// Whether the run came to its end.
    pub complete: bool,
    /// The day on which it is judged, for entries that expire.
    pub today: Date,
}

/// How many rows that only repeat another one may follow each other.
const CHAIN: usize = 4;

impl Entry {
    /// Whether a result is one that it speaks of.
    pub(super) fn speaks_of(&self, row: &ResultRow) -> bool {
        let requirement = match self.single() {
            Some(id) => id == row.requirement,
            None => matches(&self.requirement, &row.requirement),
        };
        requirement
            && self.transport.is_none_or(|transport| transport == row.transport)
            && self.revision.is_none_or(|revision| revision == row.revision)
    }

    /// Whether it speaks of a finding of a result.
    pub(super) fn matches(&self, row: &ResultRow, finding: &Finding) -> bool {
        self.speaks_of(row)
            && if self.signature.contains('*') {
                matches(&self.signature, &finding.signature)
            } else {
                self.signature == finding.signature
            }
    }

    pub(super) fn is_expired(&self, today: Date) -> bool {
        self.expires.is_some_and(|last| last < today)
    }

    /// Whether what it speaks of counts as known.
    fn covers(&self, today: Date) -> bool {
        !self.is_too_wide() && !self.is_expired(today)
    }

    /// Whether what it speaks of was decided in this run, and did not happen.
    pub(super) fn is_gone(&self, rows: &[ResultRow], scope: Scope<'_>) -> bool {
        let asked = |revision: &Revision| scope.revisions.is_empty() || scope.revisions.contains(revision);
        if !scope.complete || !self.single().is_some_and(|id| scope.selection.contains(id)) {
            return false;
        }
        let mut of_it = rows.iter().filter(|row| self.speaks_of(row)).peekable();
        if of_it.peek().is_none() {
            // The transport was used, all revisions that are spoken were tested, and this one was not among them.
            let transport = |row: &ResultRow| self.transport.is_none_or(|its| its == row.transport);
            return self.revision.is_some() && scope.revisions.is_empty() && rows.iter().any(transport);
        }
        let undecided = |row: &ResultRow| matches!(row.outcome, Outcome::Inconclusive | Outcome::Flaky);
        // Without a revision of its own it speaks of all, and some were not looked at.
        let partly = self.revision.is_none() && !Revision::ALL.iter().all(asked);
        !partly && of_it.all(|row| !undecided(row) && !row.findings.iter().any(|f| self.matches(row, f)))
    }
}

impl Baseline {
    /// What is known of the results of a run, and what has to be mended in the baseline.
    pub fn judge(&self, rows: &[ResultRow], scope: Scope<'_>) -> Known {
        let mut defects: Vec<Option<KnownDefect>> = self.entries.iter().map(|_| None).collect();
        let mut covered: BTreeSet<&str> = BTreeSet::new();
        for (entry, defect) in self.entries.iter().zip(&mut defects) {
            if !entry.covers(scope.today) {
                continue;
            }
            let found = rows.iter().flat_map(|row| row.findings.iter().map(move |finding| (row, finding)));
            let findings: Vec<&Finding> = found
                .filter(|(row, finding)| entry.matches(row, finding))
                .map(|(_, finding)| finding)
                .collect();
            covered.extend(findings.iter().map(|finding| finding.id.as_str()));
            if !findings.is_empty() {
                *defect = Some(KnownDefect {
                    requirement: entry.single().unwrap_or(&entry.requirement).to_owned(),
                    signature: entry.signature.clone(),
                    reason: entry.reason.clone(),
                    expires: entry.expires.map(|day| day.to_string()),
                    findings: findings.iter().map(|finding| finding.id.clone()).collect(),
                });
            }
        }
        let mut results: Vec<KnownResult> = rows
            .iter()
            .filter(|row| {
                matches!(row.outcome, Outcome::Fail | Outcome::Warn) && is_known(row, rows, &covered)
            })
            .map(|row| KnownResult {
                requirement: row.requirement.clone(),
                revision: row.revision,
                transport: row.transport,
                outcome: row.outcome,
            })
            .collect();
        results.sort_unstable();
        Known {
            file: self.file.display().to_string(),
            defects: defects.into_iter().flatten().collect(),
            results,
            problems: self.entries.iter().filter_map(|entry| problem(entry, rows, scope)).collect(),
        }
    }
}

/// Whether all that was found in a row is covered; for one that only repeats another, whether that one is.
fn is_known(row: &ResultRow, rows: &[ResultRow], covered: &BTreeSet<&str>) -> bool {
    let mut row = row;
    for _ in 0..CHAIN {
        if !row.findings.is_empty() {
            return row.findings.iter().all(|finding| covered.contains(finding.id.as_str()));
        }
        let named = row.reason.as_ref().filter(|reason| reason.code == "see-other");
        let Some(id) = named.and_then(|reason| reason.text.strip_prefix("see ")) else { return false };
        let other = rows.iter().find(|other| {
            other.requirement == id && other.revision == row.revision && other.transport == row.transport
        });
        let Some(other) = other else { return false };
        row = other;
    }
    false
}

fn problem(entry: &Entry, rows: &[ResultRow], scope: Scope<'_>) -> Option<BaselineProblem> {
    let (code, text) = if entry.is_too_wide() {
        let text = "it would hide defects that nobody knows yet; name one requirement and one signature";
        (BaselineFault::TooWide, text.to_owned())
    } else if let Some(last) = entry.expires.filter(|_| entry.is_expired(scope.today)) {
        (
            BaselineFault::Expired,
            format!("its last day was {last}; mend the server, or say anew why and until when"),
        )
    } else if entry.is_gone(rows, scope) {
        (BaselineFault::Gone, "it does not happen any more; take the entry out".to_owned())
    } else if entry.reason == NO_REASON {
        (BaselineFault::NoReason, "nobody has written why this is accepted; write a reason".to_owned())
    } else {
        return None;
    };
    Some(BaselineProblem {
        code,
        line: entry.line,
        requirement: entry.requirement.clone(),
        signature: entry.signature.clone(),
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{finding, row, scope};
    use super::*;
    use crate::protocol::Transport;
    use crate::run::Reason;
    use Outcome::{Fail, Inconclusive, NotApplicable, Pass, Warn};
    use Revision::{V2025_06_18 as R1, V2025_11_25 as R2};
    use Transport::{Http, Stdio};

    fn baseline(entries: &str) -> Baseline {
        let text = format!("version = 1\n{entries}");
        Baseline::parse("known.toml".as_ref(), &text).unwrap()
    }

    fn entry(requirement: &str, signature: &str, more: &str) -> String {
        format!(
            "[[known]]\nrequirement = \"{requirement}\"\nsignature = \"{signature}\"\nreason = \"old\"\n{more}\n"
        )
    }

    fn codes(known: &Known) -> Vec<&'static str> {
        known.problems.iter().map(|problem| problem.code.as_str()).collect()
    }

    #[test]
    fn what_is_covered_does_not_count() {
        let rows = [
            row("ping.answered", R1, Stdio, Fail, vec![finding("F1", "aa")]),
            row("ping.answered", R2, Stdio, Fail, vec![finding("F2", "aa"), finding("F3", "bb")]),
            row("ping.answered", R2, Http, Warn, vec![finding("F4", "aa")]),
            row("tools.list.answered", R2, Http, Fail, vec![finding("F5", "aa")]),
        ];
        let known = baseline(&entry("ping.answered", "aa", "")).judge(&rows, scope(&Selection::all()));
        let places: Vec<_> = known.results.iter().map(|r| (r.revision, r.transport)).collect();
        // The row of F3 has a finding that nobody knew.
        assert_eq!(places, [(R1, Stdio), (R2, Http)]);
        assert_eq!(known.defects[0].findings, ["F1", "F2", "F4"]);
        assert_eq!(known.problems, []);
        let narrow = entry("ping.answered", "aa", "transport = \"http\"\nrevision = \"2025-11-25\"");
        let known = baseline(&narrow).judge(&rows, scope(&Selection::all()));
        assert_eq!((known.results.len(), known.defects[0].findings.len()), (1, 1));
    }

    #[test]
    fn a_row_that_repeats_a_known_one_is_known() {
        let see = |id: &str| Some(Reason::new("see-other", format!("see {id}")));
        let mut like = row("ping.empty-result", R2, Stdio, Fail, Vec::new());
        like.reason = see("ping.answered");
        let mut like_new = row("tools.list.answered", R2, Stdio, Fail, Vec::new());
        like_new.reason = see("tools.call.unknown-tool-error");
        let mut circle = row("ping.periodic", R2, Stdio, Fail, Vec::new());
        circle.reason = see("ping.periodic");
        let rows = [
            row("ping.answered", R2, Stdio, Fail, vec![finding("F1", "aa")]),
            like,
            row("tools.call.unknown-tool-error", R2, Stdio, Fail, vec![finding("F2", "cc")]),
            like_new,
            circle,
        ];
        let known = baseline(&entry("ping.answered", "aa", "")).judge(&rows, scope(&Selection::all()));
        let ids: Vec<_> = known.results.iter().map(|r| r.requirement.as_str()).collect();
        assert_eq!(ids, ["ping.answered", "ping.empty-result"]);
    }

    #[test]
    fn only_what_was_decided_is_gone() {
        let all = Selection::all();
        let base = baseline(&entry("ping.answered", "aa", ""));
        let gone = |rows: &[ResultRow], scope: Scope<'_>| codes(&base.judge(rows, scope)) == ["gone"];
        let pass = |revision| row("ping.answered", revision, Stdio, Pass, Vec::new());
        assert!(gone(&[pass(R1), pass(R2)], scope(&all)));
        assert!(gone(&[pass(R1), row("ping.answered", R2, Stdio, NotApplicable, Vec::new())], scope(&all)));
        assert!(gone(&[row("ping.answered", R2, Stdio, Fail, vec![finding("F1", "bb")])], scope(&all)));
        assert!(!gone(&[pass(R1), row("ping.answered", R2, Stdio, Inconclusive, Vec::new())], scope(&all)));
        assert!(!gone(
            &[row("ping.answered", R2, Stdio, Outcome::Flaky, vec![finding("F1", "bb")])],
            scope(&all)
        ));
        assert!(!gone(&[], scope(&all)));
        assert!(!gone(&[pass(R2)], Scope { complete: false, ..scope(&all) }));
        assert!(!gone(&[pass(R2)], Scope { revisions: &[R2], ..scope(&all) }));
        assert!(!gone(&[pass(R2)], scope(&Selection::parse(&["tools"]).unwrap())));
        // A revision that is not spoken any more.
        let base = baseline(&entry("ping.answered", "aa", "revision = \"2025-06-18\""));
        assert_eq!(codes(&base.judge(&[pass(R2)], scope(&all))), ["gone"]);
        assert_eq!(codes(&base.judge(&[pass(R2)], Scope { revisions: &[R2], ..scope(&all) })), [""; 0]);
    }

    #[test]
    fn what_is_wide_or_old_covers_nothing() {
        let rows = [row("ping.answered", R2, Stdio, Fail, vec![finding("F1", "aa")])];
        let all = Selection::all();
        for (entries, expected, covered) in [
            (entry("ping", "aa", ""), "too-wide", 0),
            (entry("*", "*", ""), "too-wide", 0),
            (entry("ping.answered", "*", ""), "too-wide", 0),
            (entry("ping.answered", "aa", "expires = \"2026-11-21\""), "expired", 0),
            (entry("ping.answered", "aa", "expires = \"2026-11-22\""), "", 1),
            (entry("ping.answered", "aa", "").replace("old", NO_REASON), "no-reason", 1),
        ] {
            let known = baseline(&entries).judge(&rows, scope(&all));
            assert_eq!(
                (codes(&known).concat().as_str(), known.results.len()),
                (expected, covered),
                "{entries}"
            );
            assert!(known.problems.iter().all(|problem| problem.line == 2));
        }
    }
}
