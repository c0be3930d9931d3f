//! Results made by hand, for the tests of the baseline.

use super::Scope;
use crate::protocol::catalogue::Selection;
use crate::protocol::{Revision, Transport};
use crate::run::{Evidence, Finding, Outcome, ResultRow};

pub(super) fn finding(id: &str, signature: &str) -> Finding {
    Finding {
        id: id.to_owned(),
        signature: signature.to_owned(),
        message: "m".to_owned(),
        evidence: Evidence::default(),
        expected: Vec::new(),
        actual: "a".to_owned(),
        spec: "s".to_owned(),
        reproduce: "r".to_owned(),
        transcript: None,
        confirmed: None,
    }
}

pub(super) fn row(
    requirement: &str,
    revision: Revision,
    transport: Transport,
    outcome: Outcome,
    findings: Vec<Finding>,
) -> ResultRow {
    ResultRow {
        requirement: requirement.to_owned(),
        title: None,
        url: None,
        level: None,
        severity: "interop".to_owned(),
        revision,
        transport,
        outcome,
        reason: None,
        findings,
    }
}

pub(super) fn scope(selection: &Selection) -> Scope<'_> {
    Scope { selection, revisions: &[], complete: true, today: jiff::civil::date(2026, 11, 22) }
}
