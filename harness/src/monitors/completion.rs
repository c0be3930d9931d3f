//! Completion results (server/utilities/completion).

use super::answered::answered;
use super::rule::monitors;
use super::{Breach, Judge, Moment};
use serde_json::Value;

/// The most values in one answer.
const MOST: usize = 100;

monitors! {
    /// At most 100 values are returned at once; `total` is not smaller than the number of values returned, and `hasMore` is not false while `total` says that
    /// there are more. A client decides by them whether to go on asking.
    completion_totals_agree (WhileWeObey) decides
        ["completion.result.totals-consistent", "completion.result.max-values"];
}

fn completion_totals_agree(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(answer) = answered(moment).and_then(|answer| answer.to("completion/complete")) else { return };
    let completion = &answer.result["completion"];
    let Some(count) = completion["values"].as_array().map(Vec::len) else { return };
    judge.decide("completion.result.max-values", count <= MOST, || {
        Breach::new("too-many", "more than 100 completion values were returned")
            .expected(&["at most 100 values"])
            .actual(format!("{count} values"))
            .at(moment.record)
            .pointer("/result/completion/values")
    });
    let total = completion.get("total").and_then(Value::as_f64);
    let more = completion.get("hasMore").and_then(Value::as_bool);
    let count_known = u32::try_from(count).map_or(f64::MAX, f64::from);
    let fewer = total.is_some_and(|total| total < count_known);
    let denied = more == Some(false) && total.is_some_and(|total| total > count_known);
    judge.decide("completion.result.totals-consistent", !fewer && !denied, || {
        Breach::new(
            if fewer { "total-too-small" } else { "more-denied" },
            "`total` and `hasMore` contradict the values",
        )
        .expected(&["`total` at least the number of values; `hasMore` true where `total` is greater"])
        .actual(format!("{count} values, total {}, hasMore {}", completion["total"], completion["hasMore"]))
        .at(moment.record)
        .pointer("/result/completion")
    });
}
