//! Caching hints (2026-07-28, server/utilities/caching); their types are judged with the schema.

use super::answered::answered;
use super::rule::monitors;
use super::{Breach, Judge, Moment};
use crate::protocol::Era;

monitors! {
    /// A demand for input carries neither `ttlMs` nor `cacheScope`: it must not be kept and shown again.
    demands_for_input_are_not_cached (WhileWeObey) decides ["caching.hints.not-on-input-required"];
}

fn demands_for_input_are_not_cached(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(answer) = answered(moment) else { return };
    if answer.revision.era() != Era::Modern || answer.result["resultType"] != "input_required" {
        return;
    }
    let hint = ["ttlMs", "cacheScope"].into_iter().find(|hint| answer.result.get(*hint).is_some());
    judge.decide("caching.hints.not-on-input-required", hint.is_none(), || {
        let hint = hint.unwrap_or_default();
        Breach::new("hint", "a demand for input carries a caching hint")
            .expected(&["neither `ttlMs` nor `cacheScope`"])
            .actual(format!("a member `{hint}`"))
            .at(moment.record)
            .pointer(format!("/result/{hint}"))
    });
}
