//! Twists of real servers that must not be found, or not as more than they are.

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
    // Without `ping` nothing else is broken for it.
    case("knows-no-ping", LEGACY, "ping,lifecycle,versioning", &[("ping.answered", "fail")]),
    case(
        "no-ping-no-notifications",
        "2024-11-05",
        "base.notification",
        &[("base.notification.no-reply", "fail"), ("base.notification.unknown-ignored", "fail")],
    ),
    case("serves-both-eras-at-once", MODERN, "base.stateless", &[]),
    case("lists-no-tools", MODERN, "stdio.restart-works", &[]),
    case("finds-nothing-internally", LEGACY, "resources.templates", &[]),
    case("gets-no-prompts", LEGACY, "base.error.invalid-params-code", &[]),
    // Nobody says that no values are no way to validate.
    case(
        "completes-nothing",
        LEGACY,
        "completion.inputs-validated",
        &[("completion.inputs-validated", "warn")],
    ),
];
