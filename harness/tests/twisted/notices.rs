//! Twists of progress, cancellation, logging, subscriptions and changes, and of what hostile arguments lead to.

use super::Case;

const fn case(
    twist: &'static str,
    revision: &'static str,
    only: &'static str,
    found: &'static [(&'static str, &'static str)],
) -> Case {
    Case { twist, revision, only, found }
}

const LEGACY: &str = "2025-11-25";
const MODERN: &str = "2026-07-28";
const AREAS: &str = "progress,cancellation,logging,subscriptions";

pub(super) static CASES: &[Case] = &[
    case("none", LEGACY, AREAS, &[]),
    case("none", MODERN, AREAS, &[]),
    case("no-set-level", LEGACY, "logging", &[("logging.set-level.served", "warn")]),
    case("some-levels", LEGACY, "logging", &[("logging.level.all-accepted", "warn")]),
    case("some-levels", MODERN, "logging", &[("logging.level.all-accepted", "warn")]),
    case("any-level", LEGACY, "logging", &[("logging.level.invalid-refused", "warn")]),
    case("loud", LEGACY, "logging", &[("logging.level.filters", "warn")]),
    case("mute", LEGACY, "logging", &[("logging.level.delivers", "warn")]),
    case("chatty", MODERN, "logging.level.none-without", &[("logging.level.none-without", "fail")]),
    case("talkative-tools", MODERN, "logging.level.none-without", &[("logging.level.none-without", "fail")]),
    case("careless-logs", LEGACY, "logging", &[("logging.no-credentials", "warn")]),
    case(
        "late-progress",
        LEGACY,
        "progress.stops-after-completion",
        &[("progress.stops-after-completion", "fail")],
    ),
    case("stringly-tokens", MODERN, "progress", &[("progress.token.type-preserved", "fail")]),
    case("standing-progress", LEGACY, "progress", &[("progress.value.increases", "fail")]),
    case("standing-progress", MODERN, "progress", &[("progress.value.increases", "fail")]),
    case("no-token-zero", LEGACY, "progress", &[("progress.token.accepted", "warn")]),
    case("answers-notices", LEGACY, "progress", &[("progress.from-client-tolerated", "warn")]),
    case(
        "answers-notices",
        MODERN,
        "cancellation",
        &[
            ("cancellation.completed-id-ignored", "warn"),
            ("cancellation.malformed-ignored", "warn"),
            ("cancellation.unknown-id-ignored", "warn"),
        ],
    ),
    case(
        "ignores-cancel",
        LEGACY,
        "cancellation",
        &[("cancellation.no-response", "warn"), ("cancellation.stops-work", "warn")],
    ),
    case("ignores-cancel", MODERN, "cancellation.stops-work", &[("cancellation.stops-work", "warn")]),
    case("slow-and-heedless", LEGACY, "cancellation.no-response", &[("cancellation.no-response", "warn")]),
    case("dizzy", LEGACY, "cancellation.race-handled", &[("cancellation.race-handled", "fail")]),
    case(
        "fears-late-answers",
        LEGACY,
        "cancellation.sent",
        &[("cancellation.sent.late-response-ignored", "warn")],
    ),
    case("foreign-cancel", LEGACY, "cancellation", &[("cancellation.sent.own-direction", "fail")]),
    case("foreign-cancel", MODERN, "cancellation", &[("cancellation.sent.only-for-listen", "fail")]),
    case(
        "fears-cancelled-initialize",
        LEGACY,
        "cancellation",
        &[("cancellation.initialize-harmless", "warn")],
    ),
    case(
        "silent-changes",
        LEGACY,
        "resources.subscribe",
        &[("resources.subscribe.update-delivered", "warn")],
    ),
    case(
        "silent-changes",
        MODERN,
        "resources.subscribe",
        &[("resources.subscribe.update-delivered", "warn")],
    ),
    case(
        "stubborn-updates",
        LEGACY,
        "resources.unsubscribe",
        &[("resources.unsubscribe.stops-updates", "warn")],
    ),
    case("silent-lists", LEGACY, "tools.list-changed", &[("tools.list-changed.sent", "warn")]),
    case(
        "no-listen",
        MODERN,
        "subscriptions.listen.supported",
        &[("subscriptions.listen.supported", "fail")],
    ),
    case("no-acknowledgement", MODERN, "subscriptions.ack.sent", &[("subscriptions.ack.sent", "fail")]),
    case("generous-acknowledgement", MODERN, "subscriptions", &[("subscriptions.ack.subset", "warn")]),
    case("stringly-subscriptions", MODERN, "subscriptions.id-tag", &[("subscriptions.id-tag.value", "warn")]),
    case("nameless-changes", MODERN, "subscriptions.id-tag", &[("subscriptions.id-tag.present", "fail")]),
    case(
        "every-change",
        MODERN,
        "subscriptions.filter",
        &[("subscriptions.filter.only-requested-types", "fail")],
    ),
    case(
        "endless-subscriptions",
        MODERN,
        "subscriptions",
        &[("subscriptions.end.client-cancel-stdio", "fail")],
    ),
    case(
        "wants-a-filter",
        MODERN,
        "subscriptions",
        &[
            ("subscriptions.listen.empty-filter-legal", "warn"),
            ("subscriptions.listen.unknown-filter-fields-tolerated", "warn"),
        ],
    ),
    case("wants-no-filter", MODERN, "subscriptions", &[("subscriptions.listen.filter-required", "warn")]),
    case("nameless-end", MODERN, "subscriptions", &[("subscriptions.end.graceful-result-shape", "fail")]),
    case("evaluates-prompts", LEGACY, "prompts.injection-safe", &[("prompts.injection-safe", "fail")]),
    case("completes-files", MODERN, "completion.no-disclosure", &[("completion.no-disclosure", "warn")]),
    case("raw-output", LEGACY, "tools.call.outputs-sanitized", &[("tools.call.outputs-sanitized", "fail")]),
    case(
        "lax-paths",
        MODERN,
        "resources.read.path-traversal-blocked",
        &[("resources.read.path-traversal-blocked", "fail")],
    ),
];
