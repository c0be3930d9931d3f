//! What real servers do: that must not be found, or not as more than it is, and what was overlooked in them.

use super::Case;
use libtest_mimic::Failed;

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

/// A server that closes its input at the first line that is no JSON, and lives on: nobody is told, and every request
/// after it is in vain.
pub(super) fn closes_its_input() -> Result<(), Failed> {
    const SCRIPT: &str = r#"exec 3<&0
        { sed -u '/"method": }/q' <&3; exec 3<&-; exec sleep 60; } | "$0" serve "$1" 3<&- &
        exec 3<&- 0<&-
        wait"#;
    let twist = "refuses-second-initialize";
    let words = ["sh".into(), "-c".into(), SCRIPT.into(), std::env::current_exe()?.into(), twist.into()];
    let found = vec![("robustness.liveness.after-malformed", Some("fail"))];
    super::check_command(&words, LEGACY, "robustness.liveness.after-malformed", found)
}

pub(super) static CASES: &[Case] = &[
    // Without `ping` nothing else is broken for it.
    case("knows-no-ping", LEGACY, "ping,lifecycle,versioning", &[("ping.answered", "fail")]),
    case(
        "no-ping-no-notifications",
        "2024-11-05",
        "base.notification",
        &[("base.notification.no-reply", "fail")],
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
