//! Twists of what tools are given and give, of ids and of cursors.

use super::Case;

const LEGACY: &str = "2025-11-25";
const MODERN: &str = "2026-07-28";

const fn case(
    twist: &'static str,
    revision: &'static str,
    only: &'static str,
    found: &'static [(&'static str, &'static str)],
) -> Case {
    Case { twist, revision, only, found }
}

pub(super) static CASES: &[Case] = &[
    case("none", LEGACY, "tools.structured,tools.call,pagination,cancellation,progress", &[]),
    case("wrong-below-zero", LEGACY, "tools.structured.conforms", &[("tools.structured.conforms", "fail")]),
    case("wrong-below-zero", MODERN, "tools.structured.conforms", &[("tools.structured.conforms", "fail")]),
    case("tells-otherwise", LEGACY, "tools.structured.text-copy", &[("tools.structured.text-copy", "warn")]),
    case("deaf-to-long-arguments", LEGACY, "robustness.long-strings", &[("robustness.long-strings", "warn")]),
    case("dies-of-blank-line", LEGACY, "robustness.process", &[("robustness.process.survives", "fail")]),
    case(
        "answers-cancellations",
        LEGACY,
        "cancellation.no-response",
        &[("cancellation.no-response", "warn")],
    ),
    case(
        "cursors-in-a-circle",
        LEGACY,
        "pagination.cursor.absent-at-end",
        &[("pagination.cursor.absent-at-end", "fail")],
    ),
    case("trims-ids", LEGACY, "robustness.response", &[("robustness.response.no-unknown-id", "fail")]),
    case(
        "tokens-are-text",
        LEGACY,
        "progress.token.type-preserved",
        &[("progress.token.type-preserved", "fail")],
    ),
    case(
        "null-beside-errors",
        LEGACY,
        "base.response.result-xor-error,base.error.method-not-found-code,tools.call.unknown-tool-error",
        &[("base.response.result-xor-error", "fail")],
    ),
    case(
        "names-no-versions",
        MODERN,
        "discover.supported-versions",
        &[("discover.supported-versions", "fail")],
    ),
];
