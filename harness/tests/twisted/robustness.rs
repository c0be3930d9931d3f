//! Twists of a server that does not stand everything.

use super::Case;

pub(super) static CASES: &[Case] = &[
    Case {
        twist: "die-on-garbage",
        revision: "2025-11-25",
        only: "robustness,stdio,base.response,ping",
        found: &[("robustness.process.survives", "fail")],
    },
    Case {
        twist: "leave-on-blank-line",
        revision: "2025-11-25",
        only: "robustness,stdio,base.response,ping",
        found: &[("robustness.process.survives", "fail")],
    },
    Case {
        twist: "forgets-when-unread",
        revision: "2026-07-28",
        only: "robustness.stdio,stdio",
        found: &[("robustness.stdio.late-reader", "fail")],
    },
    Case {
        twist: "die-on-depth",
        revision: "2026-07-28",
        only: "robustness,stdio,base.response,ping",
        found: &[("robustness.process.survives", "fail")],
    },
    Case {
        twist: "leave-on-surrogates",
        revision: "2025-11-25",
        only: "robustness,stdio,base.response,ping",
        found: &[("robustness.process.survives", "fail")],
    },
    Case {
        twist: "deaf-after-garbage",
        revision: "2026-07-28",
        only: "robustness,stdio,base.response,ping",
        found: &[("robustness.liveness.after-malformed", "fail")],
    },
    Case {
        twist: "deaf-after-length",
        revision: "2025-11-25",
        only: "robustness,stdio,base.response,ping",
        found: &[("robustness.liveness.after-stress", "fail")],
    },
    Case {
        twist: "deaf-after-numbers",
        revision: "2026-07-28",
        only: "robustness,stdio,base.response,ping",
        found: &[("robustness.liveness.after-stress", "fail")],
    },
    Case {
        twist: "deaf-after-members",
        revision: "2025-11-25",
        only: "robustness,stdio,base.response,ping",
        found: &[("robustness.liveness.after-stress", "fail")],
    },
    Case {
        twist: "stack-trace",
        revision: "2026-07-28",
        only: "robustness,stdio,base.response,ping",
        found: &[("robustness.output.no-internals", "warn")],
    },
    Case {
        twist: "endless-line",
        revision: "2025-11-25",
        only: "robustness,stdio,base.response,ping",
        found: &[("robustness.output.bounded", "fail")],
    },
    Case {
        twist: "long-lines-dropped",
        revision: "2025-11-25",
        only: "robustness.long-strings,robustness.liveness",
        found: &[("robustness.long-strings", "warn")],
    },
    Case {
        twist: "plain-text-only",
        revision: "2026-07-28",
        only: "robustness,stdio,base.response,ping",
        found: &[("robustness.equal-json-equal-verdict", "fail")],
    },
];
