//! Twists of what the server asks its client for, of retries, and of how the eras get along.

use super::features::{Case, case};

const LEGACY: &str = "2025-11-25";
const MODERN: &str = "2026-07-28";

pub(super) static CASES: &[Case] = &[
    case("hangs-on-decline", LEGACY, "elicitation", &["elicitation.actions.handled"]),
    case("takes-any-form", LEGACY, "elicitation", &["elicitation.form.response-validated"]),
    case(
        "hangs-on-refusal",
        LEGACY,
        "elicitation,roots,sampling",
        &["elicitation.error.handled", "roots.error.handled", "sampling.result.rejection-handled"],
    ),
    case("wants-end-turn", LEGACY, "sampling", &["sampling.result.any-stop-reason"]),
    case("hangs-on-no-message", LEGACY, "sampling", &["sampling.result.validated"]),
    case("endless-tools", MODERN, "sampling.tool-loop", &["sampling.tool-loop.limit"]),
    case(
        "asks-undeclared",
        MODERN,
        "capabilities.client.only-declared-used,elicitation,mrtr.result,roots,sampling",
        &[
            "capabilities.client.only-declared-used",
            "elicitation.mode.declared-only",
            "sampling.tools.capability",
        ],
    ),
    case(
        "asks-undeclared",
        LEGACY,
        "capabilities.client.only-declared-used,elicitation,roots,sampling",
        &[
            "capabilities.client.only-declared-used",
            "elicitation.mode.declared-only",
            "sampling.tools.capability",
        ],
    ),
    case("ignores-changed-roots", LEGACY, "roots", &["roots.list-changed.handled"]),
    case("reads-anywhere", LEGACY, "roots", &["roots.boundaries.respected"]),
    case("takes-any-state", MODERN, "mrtr", &["mrtr.state.tampered-refused"]),
    // A tool that asks is judged by its own answers, however long others keep theirs.
    case("takes-any-state-beside-slow-tools", MODERN, "mrtr", &["mrtr.state.tampered-refused"]),
    case("loses-empty-states", MODERN, "mrtr", &["mrtr.state.untrusted"]),
    case("no-extra-responses", MODERN, "mrtr", &["mrtr.retry.extra-responses-ignored"]),
    case("no-missing-responses", MODERN, "mrtr", &["mrtr.retry.missing-responses-rerequested"]),
    case(
        "takes-any-retry",
        MODERN,
        "mrtr",
        &["mrtr.retry.malformed-error", "mrtr.retry.responses-validated"],
    ),
    case("takes-any-contact", LEGACY, "json-schema", &["json-schema.validated-by-dialect"]),
    case("slow-contact", MODERN, "json-schema.bounded-validation", &["json-schema.bounded-validation"]),
    case("silent-to-initialize", MODERN, "compat", &["compat.initialize-refused-on-stdio"]),
    case("unnamed-versions", MODERN, "compat", &["compat.initialize-refusal-names-versions"]),
    case(
        "wants-discover",
        MODERN,
        "compat",
        &["compat.dual-era.initialize-selects-legacy", "compat.dual-era.modern-meta-selects-modern"],
    ),
];
