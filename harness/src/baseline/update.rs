//! `--update-baseline`: the baseline that fits a run.

use super::file::{Baseline, Entry, NO_REASON};
use super::judge::Scope;
use crate::run::{Outcome, ResultRow};

/// A baseline made to fit a run, and what became of its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updated {
    /// The baseline as it has to be written.
    pub baseline: Baseline,
    /// Entries for defects that were not known before; they wait for a reason.
    pub added: usize,
    /// Entries that were taken out: what they covered does not happen any more, or they covered too much.
    pub removed: usize,
}

impl Baseline {
    /// Makes it fit: an entry for each defect that counts and that none speaks of yet, and none for what does not
    /// happen any more. What was not decided stays, and so does what is past its day: only a person renews that. An
    /// entry that is too wide gives its reason to the narrow ones that take its place. `counts` says which outcomes
    /// make the exit code 1.
    pub fn updated(&self, rows: &[ResultRow], scope: Scope<'_>, counts: impl Fn(Outcome) -> bool) -> Updated {
        let mut entries: Vec<Entry> = self
            .entries
            .iter()
            .filter(|entry| {
                let happens = rows.iter().any(|row| row.findings.iter().any(|f| entry.matches(row, f)));
                if entry.is_too_wide() { !happens && !scope.complete } else { !entry.is_gone(rows, scope) }
            })
            .cloned()
            .collect();
        let removed = self.entries.len() - entries.len();
        let mut added = 0;
        for row in rows.iter().filter(|row| counts(row.outcome)) {
            for finding in &row.findings {
                if entries.iter().any(|entry| entry.matches(row, finding)) {
                    continue;
                }
                let wide = self.entries.iter().find(|entry| entry.matches(row, finding));
                added += 1;
                entries.push(Entry {
                    requirement: row.requirement.clone(),
                    signature: finding.signature.clone(),
                    transport: wide.and_then(|wide| wide.transport),
                    // Of the other revisions a run that was asked for some knows nothing.
                    revision: match wide {
                        Some(wide) => wide.revision,
                        None => (!scope.revisions.is_empty()).then_some(row.revision),
                    },
                    reason: wide.map_or_else(|| NO_REASON.to_owned(), |wide| wide.reason.clone()),
                    expires: wide.and_then(|wide| wide.expires),
                    line: 0,
                });
            }
        }
        Updated { baseline: Self { file: self.file.clone(), entries }, added, removed }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{finding, row, scope};
    use super::*;
    use crate::protocol::Revision::V2025_11_25 as R2;
    use crate::protocol::Transport::Stdio;
    use crate::protocol::catalogue::Selection;
    use Outcome::{Fail, Inconclusive, Pass, Warn};

    const FILE: &str = "version = 1\n\
        [[known]]\nrequirement = \"ping.answered\"\nsignature = \"aa\"\nreason = \"stays\"\n\
        [[known]]\nrequirement = \"ping.empty-result\"\nsignature = \"aa\"\nreason = \"goes\"\n\
        [[known]]\nrequirement = \"ping.params-tolerated\"\nsignature = \"aa\"\nreason = \"was not decided\"\n\
        [[known]]\nrequirement = \"tools.*\"\nsignature = \"*\"\nreason = \"wide\"\n\
        [[known]]\nrequirement = \"stdio.exit-on-eof\"\nsignature = \"aa\"\nreason = \"old\"\nexpires = \"2020-01-01\"\n";

    #[test]
    fn entries_come_stay_and_go() {
        let old = Baseline::parse("known.toml".as_ref(), FILE).unwrap();
        let rows = [
            row("ping.answered", R2, Stdio, Fail, vec![finding("F1", "aa"), finding("F2", "bb")]),
            row("ping.empty-result", R2, Stdio, Pass, Vec::new()),
            row("ping.params-tolerated", R2, Stdio, Inconclusive, Vec::new()),
            row("tools.list.answered", R2, Stdio, Fail, vec![finding("F3", "cc")]),
            row("stdio.exit-on-eof", R2, Stdio, Fail, vec![finding("F4", "aa")]),
            row("tools.call.unknown-tool-error", R2, Stdio, Warn, vec![finding("F5", "dd")]),
        ];
        let all = Selection::all();
        let updated = old.updated(&rows, scope(&all), |outcome| outcome == Fail);
        assert_eq!((updated.added, updated.removed), (2, 2));
        let told: Vec<_> = updated
            .baseline
            .entries
            .iter()
            .map(|e| (e.requirement.as_str(), e.signature.as_str(), e.reason.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("ping.answered", "aa", "stays"),
                ("ping.params-tolerated", "aa", "was not decided"),
                ("stdio.exit-on-eof", "aa", "old"),
                ("ping.answered", "bb", NO_REASON),
                ("tools.list.answered", "cc", "wide"),
            ]
        );
        // The same run again changes nothing.
        let text = updated.baseline.to_text();
        let again = Baseline::parse("known.toml".as_ref(), &text).unwrap();
        let again = again.updated(&rows, scope(&all), |outcome| outcome == Fail);
        assert_eq!((again.added, again.removed, again.baseline.to_text()), (0, 0, text));
    }
}
