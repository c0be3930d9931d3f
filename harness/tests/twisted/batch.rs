//! Twists of batches.

use super::Case;

pub(super) static CASES: &[Case] = &[
    Case {
        twist: "batch-refused",
        revision: "2025-03-26",
        only: "base.batch",
        found: &[("base.batch.received", "fail")],
    },
    Case {
        twist: "batch-dropped",
        revision: "2025-03-26",
        only: "base.batch",
        found: &[("base.batch.received", "fail")],
    },
    Case {
        twist: "batch-apart",
        revision: "2025-03-26",
        only: "base.batch",
        found: &[("base.batch.response-grouping", "warn")],
    },
    Case {
        twist: "batch-too-many",
        revision: "2025-03-26",
        only: "base.batch",
        found: &[("base.batch.one-response-per-request", "fail")],
    },
    Case {
        twist: "batch-of-nothing",
        revision: "2025-03-26",
        only: "base.batch",
        found: &[("base.batch.empty-array-refused", "warn"), ("base.batch.no-empty-response", "fail")],
    },
    Case {
        twist: "batch-of-nothing-dropped",
        revision: "2025-03-26",
        only: "base.batch",
        found: &[("base.batch.empty-array-refused", "warn")],
    },
    Case {
        twist: "batch-all-or-nothing",
        revision: "2025-03-26",
        only: "base.batch",
        found: &[("base.batch.invalid-element", "warn")],
    },
    Case {
        twist: "batch-initialize",
        revision: "2025-03-26",
        only: "base.batch",
        found: &[("base.batch.initialize-refused", "warn")],
    },
    Case {
        twist: "modern-batch",
        revision: "2026-07-28",
        only: "stdio",
        found: &[("stdio.batch-line-not-processed", "warn")],
    },
];
