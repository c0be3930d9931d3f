//! Twists of the JSON-RPC layer.

use super::Case;

pub(super) static CASES: &[Case] = &[
    Case {
        twist: "id-as-string",
        revision: "2025-11-25",
        only: "base.response.same-id",
        found: &["base.response.same-id"],
    },
    Case {
        twist: "two-answers",
        revision: "2026-07-28",
        only: "base.response",
        found: &["base.response.at-most-once"],
    },
];
