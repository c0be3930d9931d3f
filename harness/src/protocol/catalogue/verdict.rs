//! From a violation to an outcome: the policy of `catalogue/policy/POLICY.md`, section 2, as one function.

use super::requirement::{Basis, Requirement, VerdictMax};
use crate::protocol::Revision;

/// The outcome of a requirement that was seen to be violated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Violation {
    /// Kept below a failure.
    Warn,
    /// A failure.
    Fail,
}

/// What a violation of `requirement` counts as in `revision`.
///
/// `quality` says that the reaction was of the right kind and only its details were wrong, or that the check calls
/// the observation a matter of quality: it warns at most. A `SHOULD` never fails; a basis that is only implied fails
/// only where the row says `verdict_max = "fail"`; a carried level warns at most; `verdict_max = "warn"` caps
/// everything. A revision without the duty cannot be violated: such a call warns, so that a mistake of a check never
/// fails a server.
pub fn outcome_of_violation(requirement: &Requirement, revision: Revision, quality: bool) -> Violation {
    let Some(level) = requirement.level(revision) else { return Violation::Warn };
    let implied = requirement.basis_for(revision) == Basis::Implied
        && requirement.verdict_max != Some(VerdictMax::Fail);
    if quality
        || implied
        || level.is_should()
        || requirement.is_carried(revision)
        || requirement.verdict_max == Some(VerdictMax::Warn)
    {
        Violation::Warn
    } else {
        Violation::Fail
    }
}

#[cfg(test)]
mod tests {
    use super::super::requirement::{AppliesTo, Level, Levels, Party, Severity, Spec, Testable};
    use super::*;
    use Basis::{Implied, Invariant, JsonRpc, Keyword, Rfc, Schema};
    use Violation::{Fail, Warn};

    const OLD: Revision = Revision::V2025_11_25;
    const NEW: Revision = Revision::V2026_07_28;

    fn row(level: Level, basis: Basis) -> Requirement {
        let mut levels = Levels::default();
        levels.0[OLD as usize] = Some(level);
        levels.0[NEW as usize] = Some(level);
        Requirement {
            id: "ping.answered".to_owned(),
            area: "ping",
            title: String::new(),
            statement: String::new(),
            party: Party::Server,
            transport: AppliesTo::Any,
            severity: Severity::Interop,
            basis,
            basis_legacy: None,
            implied_by: None,
            testable: Testable::Always,
            needs: None,
            stimulus_legacy: None,
            stimulus_modern: None,
            carried: Vec::new(),
            restates: None,
            verdict_max: None,
            levels,
            spec: Spec::default(),
        }
    }

    #[test]
    fn level_basis_and_cap_decide() {
        use Level::{Must, MustNot, Should, ShouldNot};
        let (none, warn, fail) = (None, Some(VerdictMax::Warn), Some(VerdictMax::Fail));
        let table = [
            // level, basis, verdict_max, carried, quality, expected
            (Must, Keyword, none, false, false, Fail),
            (MustNot, Keyword, none, false, false, Fail),
            (Must, Schema, none, false, false, Fail),
            (Must, JsonRpc, none, false, false, Fail),
            (MustNot, Rfc, none, false, false, Fail),
            (Must, Implied, none, false, false, Warn),
            (Must, Implied, fail, false, false, Fail),
            (Must, Implied, fail, true, false, Warn),
            (Must, Implied, fail, false, true, Warn),
            (Should, Keyword, none, false, false, Warn),
            (ShouldNot, Schema, none, false, false, Warn),
            (Should, Keyword, fail, false, false, Warn),
            (Should, Implied, fail, false, false, Warn),
            (Must, Keyword, none, true, false, Warn),
            (Must, Keyword, fail, true, false, Warn),
            (Must, Keyword, warn, false, false, Warn),
            (Must, Keyword, none, false, true, Warn),
            (Level::Invariant, Invariant, none, false, false, Fail),
            (Level::Invariant, Invariant, warn, false, false, Warn),
            (Level::Invariant, Invariant, none, false, true, Warn),
        ];
        for (level, basis, verdict_max, carried, quality, expected) in table {
            let mut row = row(level, basis);
            row.verdict_max = verdict_max;
            if carried {
                row.carried.push(OLD);
            }
            let seen = outcome_of_violation(&row, OLD, quality);
            assert_eq!(seen, expected, "{level} {basis} {verdict_max:?} carried {carried} quality {quality}");
        }
    }

    #[test]
    fn each_era_has_its_basis_and_each_revision_its_carried_mark() {
        let mut row = row(Level::Must, Keyword);
        row.basis_legacy = Some(Implied);
        assert_eq!(outcome_of_violation(&row, OLD, false), Warn);
        assert_eq!(outcome_of_violation(&row, NEW, false), Fail);
        row.basis_legacy = None;
        row.carried.push(NEW);
        assert_eq!(outcome_of_violation(&row, OLD, false), Fail);
        assert_eq!(outcome_of_violation(&row, NEW, false), Warn);
    }

    #[test]
    fn a_revision_without_the_duty_never_fails() {
        let row = row(Level::Must, Keyword);
        assert_eq!(outcome_of_violation(&row, Revision::V2024_11_05, false), Warn);
    }
}
