//! Twists of the handshake, of versions, and of the server's features.

/// A twist, where it is checked, and the requirements that must have a finding of their own.
pub(super) struct Case {
    pub(super) twist: &'static str,
    pub(super) revision: &'static str,
    pub(super) only: &'static str,
    pub(super) found: &'static [&'static str],
}

pub(super) const fn case(
    twist: &'static str,
    revision: &'static str,
    only: &'static str,
    found: &'static [&'static str],
) -> Case {
    Case { twist, revision, only, found }
}

const OLD: &str = "2025-06-18";
const LEGACY: &str = "2025-11-25";
const MODERN: &str = "2026-07-28";

pub(super) static CASES: &[Case] = &[
    case("echoes-version", LEGACY, "versioning", &["versioning.initialize.counter-offer"]),
    case("refuses-version", LEGACY, "versioning", &["versioning.initialize.counter-offer"]),
    case(
        "offers-what-it-does-not-speak",
        LEGACY,
        "versioning",
        &["versioning.initialize.counter-offer-latest", "versioning.initialize.supported-version-echoed"],
    ),
    case("dies-of-version", LEGACY, "lifecycle", &["lifecycle.errors.handled"]),
    case("refuses-initialize", LEGACY, "lifecycle", &["lifecycle.initialize.answered"]),
    case("asks-early", LEGACY, "lifecycle", &["lifecycle.pre-init.no-server-requests"]),
    case(
        "ignores-early",
        LEGACY,
        "lifecycle.pre-init",
        &["lifecycle.pre-init.ping-answered", "lifecycle.pre-init.request-answered"],
    ),
    case(
        "refuses-unknown-info",
        LEGACY,
        "lifecycle.initialize.client-info-extras-tolerated",
        &["lifecycle.initialize.client-info-extras-tolerated"],
    ),
    case("refuses-unknown-capabilities", LEGACY, "capabilities", &["capabilities.client.unknown-tolerated"]),
    case(
        "wants-bare-initialized",
        LEGACY,
        "lifecycle.initialize.initialized-accepted",
        &["lifecycle.initialize.initialized-accepted"],
    ),
    case("refuses-second-initialize", LEGACY, "lifecycle", &[]),
    case(
        "hides-features",
        LEGACY,
        "tools.capability,resources.capability,prompts.capability",
        &["prompts.capability.declared", "resources.capability.declared", "tools.capability.declared"],
    ),
    case(
        "hides-features",
        MODERN,
        "tools.capability,resources.capability,prompts.capability",
        &["prompts.capability.declared", "resources.capability.declared", "tools.capability.declared"],
    ),
    case("tools-fail", LEGACY, "tools", &["tools.list.answered"]),
    case("tools-fail", MODERN, "tools", &["tools.list.answered"]),
    case("tools-unknown", LEGACY, "tools,capabilities", &["tools.list.answered"]),
    case("wants-params", LEGACY, "tools", &["tools.list.without-params"]),
    case("tool-twice", OLD, "tools", &["tools.definition.name-unique"]),
    case("no-end", LEGACY, "pagination", &["pagination.cursor.absent-at-end", "pagination.page.no-repeats"]),
    case("refuses-cursor", LEGACY, "pagination", &["pagination.cursor.accepted"]),
    case("takes-any-cursor", LEGACY, "pagination", &["pagination.cursor.invalid-error"]),
    case("overlapping-pages", LEGACY, "pagination", &["pagination.page.no-repeats"]),
    case("any-tool", LEGACY, "tools", &["tools.call.unknown-tool-error"]),
    case("unknown-tool-in-result", LEGACY, "tools", &["tools.call.unknown-tool-error"]),
    case("any-arguments", LEGACY, "tools.call", &["tools.call.inputs-validated"]),
    case("tool-in-any-case", LEGACY, "tools", &["tools.definition.name-case-sensitive"]),
    case("wants-arguments", LEGACY, "tools", &["tools.call.arguments-optional"]),
    case("lone-sum", LEGACY, "tools", &["tools.structured.present"]),
    case("sum-as-text", MODERN, "tools", &["tools.structured.conforms", "tools.structured.text-copy"]),
    case("shuffled-tools", MODERN, "tools", &["tools.list.deterministic-order"]),
    case("tools-by-process", MODERN, "tools", &["tools.list.same-on-every-connection"]),
    case("tools-after-calls", MODERN, "tools", &["tools.list.unaffected-by-requests"]),
    case("suggests-what-is-not", LEGACY, "resources", &["resources.templates.expandable"]),
    case("described-by-process", MODERN, "discover", &["discover.connection-independent"]),
    case("empty-for-missing", LEGACY, "resources", &["resources.read.not-found-error"]),
    case("empty-for-missing", MODERN, "resources", &["resources.read.not-found-not-empty"]),
    case("listed-is-missing", MODERN, "resources.list", &["resources.list.readable"]),
    case("refuses-subscription", LEGACY, "resources", &["resources.subscribe.served"]),
    case(
        "any-prompt",
        LEGACY,
        "prompts",
        &[
            "prompts.get.arguments-are-strings",
            "prompts.get.missing-argument-error",
            "prompts.get.unknown-name-error",
        ],
    ),
    case("no-completion", LEGACY, "completion.ref", &["completion.ref.prompt", "completion.ref.resource"]),
    case(
        "any-completion",
        LEGACY,
        "completion",
        &[
            "completion.error.missing-parameter",
            "completion.error.unknown-reference",
            "completion.inputs-validated",
        ],
    ),
    case("hides-completions", LEGACY, "completion", &["completion.capability.declared"]),
    case("hides-completions", MODERN, "completion", &["completion.capability.declared"]),
    case("no-context", LEGACY, "completion", &["completion.context-accepted"]),
    case("no-extra-meta", LEGACY, "meta", &["meta.extra-keys-tolerated"]),
    case("any-version-served", MODERN, "versioning,discover", &["versioning.request.unsupported-error"]),
    case("version-error-without-data", MODERN, "versioning", &["versioning.request.unsupported-error-data"]),
    case("stuck-after-version", MODERN, "versioning", &["versioning.request.decided-per-request"]),
    case("wants-discover", MODERN, "versioning", &["versioning.request.no-handshake-needed"]),
    case("takes-missing-capabilities", MODERN, "meta", &["meta.request.capabilities-missing-refused"]),
    case("still-pings", MODERN, "versioning", &["versioning.removed-methods-unknown"]),
    case("wants-client-info", MODERN, "meta", &["meta.request.client-info-optional"]),
    case(
        "names-a-version-it-refuses",
        MODERN,
        "versioning",
        &["versioning.offered-version-works", "versioning.request.supported-list-consistent"],
    ),
];
