//! Which requirement a place in a message belongs to: the table behind the schema monitor.

use crate::protocol::Revision;
use crate::protocol::catalogue::Catalogue;
use std::collections::HashMap;
use std::sync::OnceLock;

/// The kind of message that a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Of {
    /// The result of a request with this method.
    Result(&'static str),
    /// A demand for input in place of a result (2026-07-28).
    InputRequired,
    /// A task in place of the result of a call (2025-11-25).
    CreatedTask,
    /// A notification with this method.
    Notification(&'static str),
    /// A request of the server with this method.
    Request(&'static str),
    /// The `data` of an error with this code.
    Error(i64),
}

/// How a place can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// In any way.
    Any,
    /// Only where the member is missing.
    Missing,
    /// Only where it is a number below zero.
    Negative,
    /// In any way, but what fits says nothing yet: another rule looks closer.
    Broken,
}

/// One row: a place, as a pointer in which `*` stands for any index or member and a final `**` for everything at and
/// below, and the requirement that a violation there breaks.
pub(super) struct Row {
    pub(super) at: Vec<String>,
    pub(super) below: bool,
    /// The `type` that the object around it must have.
    pub(super) kind: Option<&'static str>,
    pub(super) when: When,
    pub(super) id: &'static str,
    /// The revisions that have the requirement, one bit each.
    pub(super) levels: u8,
}

type Short = (&'static str, &'static str);

const TOOLS: &[Short] = &[
    ("/tools/*/name", "tools.definition.name"),
    ("/tools/*/title", "tools.definition.title"),
    ("/tools/*/description", "tools.definition.description"),
    ("/tools/*/inputSchema/properties/**", "tools.definition.input-schema-members"),
    ("/tools/*/inputSchema/required/**", "tools.definition.input-schema-members"),
    ("/tools/*/inputSchema/**", "tools.definition.input-schema-root"),
    ("/tools/*/outputSchema/**", "tools.definition.output-schema-root"),
    ("/tools/*/annotations/**", "tools.definition.annotations-types"),
    ("/tools/*/execution/**", "tools.definition.task-support"),
    ("/tools", "tools.list.result-shape"),
    ("/tools/*", "tools.list.result-shape"),
];

const RESOURCES: &[Short] = &[
    ("/resources/*/uri", "resources.definition.uri"),
    ("/resources/*/name", "resources.definition.name"),
    ("/resources/*/title", "resources.definition.optional-types"),
    ("/resources/*/description", "resources.definition.optional-types"),
    ("/resources/*/mimeType", "resources.definition.optional-types"),
    ("/resources/*/size", "resources.definition.optional-types"),
    ("/resources", "resources.list.result-shape"),
    ("/resources/*", "resources.list.result-shape"),
];

const TEMPLATES: &[Short] = &[
    ("/resourceTemplates/*/uriTemplate", "resources.templates.fields"),
    ("/resourceTemplates/*/name", "resources.templates.fields"),
    ("/resourceTemplates/*/title", "resources.templates.fields"),
    ("/resourceTemplates/*/description", "resources.templates.fields"),
    ("/resourceTemplates/*/mimeType", "resources.templates.fields"),
    ("/resourceTemplates", "resources.templates.result-shape"),
    ("/resourceTemplates/*", "resources.templates.result-shape"),
];

const READ: &[Short] = &[
    ("/contents/*/uri", "resources.read.content-uri"),
    ("/contents/*/text", "resources.read.text-or-blob"),
    ("/contents/*/blob", "resources.read.text-or-blob"),
    ("/contents", "resources.read.result-shape"),
    ("/contents/*/mimeType", "resources.read.result-shape"),
    ("/contents/*", "resources.read.text-or-blob"),
];

const PROMPTS: &[Short] = &[
    ("/prompts/*/name", "prompts.definition.name"),
    ("/prompts/*/title", "prompts.definition.optional-types"),
    ("/prompts/*/description", "prompts.definition.optional-types"),
    ("/prompts/*/arguments", "prompts.definition.optional-types"),
    ("/prompts/*/arguments/*/**", "prompts.definition.argument-shape"),
    ("/prompts", "prompts.list.result-shape"),
    ("/prompts/*", "prompts.list.result-shape"),
];

const GET: &[Short] = &[
    ("/messages/*/role", "prompts.get.role"),
    ("/messages/*/content", "prompts.get.single-content"),
    ("/messages", "prompts.get.result-shape"),
    ("/messages/*", "prompts.get.result-shape"),
    ("/description", "prompts.get.result-shape"),
];

const CALL: &[Short] = &[
    ("/content", "tools.call.result-shape"),
    ("/content/*", "content.known-type"),
    ("/isError", "tools.call.is-error-boolean"),
    ("/structuredContent/**", "tools.structured.object"),
];

const COMPLETE: &[Short] = &[
    ("/completion/total", "completion.result.optional-types"),
    ("/completion/hasMore", "completion.result.optional-types"),
    ("/completion", "completion.result.shape"),
    ("/completion/values/**", "completion.result.shape"),
];

/// A task of 2025-11-25.
const TASK: &[Short] = &[
    ("/taskId", "tasks.id.string"),
    ("/status", "tasks.status.known"),
    ("/createdAt", "tasks.fields.created-at"),
    ("/lastUpdatedAt", "tasks.fields.last-updated-at"),
    ("/ttl", "tasks.fields.ttl"),
];

const CAPABILITIES: &[Short] = &[
    ("/capabilities/tasks/**", "tasks.capability.shape"),
    ("/capabilities/extensions/*", "capabilities.extension.settings-object"),
    ("/capabilities/*/**", "capabilities.server.flag-types"),
    ("/capabilities", "identity.capabilities-object"),
    ("/instructions", "identity.instructions-string"),
];

/// Inside what names a server.
const IMPLEMENTATION: &[Short] = &[
    ("/name", "identity.server-info-shape"),
    ("/version", "identity.server-info-shape"),
    ("/title", "identity.server-info-title"),
    ("/description", "identity.server-info-extras"),
    ("/websiteUrl", "identity.server-info-extras"),
    ("/icons", "identity.server-info-extras"),
    ("", "identity.server-info-shape"),
];

/// Inside whatever may carry icons.
const ICONS: &[Short] = &[
    ("/icons/*/src", "content.icon.source-required"),
    ("/icons/*/sizes/**", "content.icon.sizes-format"),
    ("/icons/*/theme", "content.icon.theme-value"),
    ("/icons/*/mimeType", "content.icon.mime-type"),
    ("/icons/**", "content.icon.source-required"),
];

/// Inside whatever may be annotated.
const ANNOTATIONS: &[Short] = &[
    ("/annotations/audience/**", "content.annotations.audience"),
    ("/annotations/priority", "content.annotations.priority"),
    ("/annotations/lastModified", "content.annotations.last-modified"),
    ("/annotations", "content.annotations.audience"),
];

/// Inside a content block, by its type.
const BLOCK: &[(&str, &str, &str)] = &[
    ("text", "/text", "content.text"),
    ("image", "/data", "content.image"),
    ("image", "/mimeType", "content.image"),
    ("audio", "/data", "content.audio"),
    ("audio", "/mimeType", "content.audio"),
    ("resource_link", "/uri", "content.resource-link"),
    ("resource_link", "/name", "content.resource-link"),
    ("resource_link", "/title", "content.resource-link"),
    ("resource_link", "/description", "content.resource-link"),
    ("resource_link", "/mimeType", "content.resource-link"),
    ("resource_link", "/size", "content.resource-link"),
    ("resource", "/resource/**", "content.embedded-resource"),
];

const NOTIFICATIONS: &[(&str, &str, &str)] = &[
    ("notifications/message", "/params/level", "logging.message.level"),
    ("notifications/message", "/params/data", "logging.message.data"),
    ("notifications/message", "/params/logger", "logging.message.logger"),
    ("notifications/progress", "/params/**", "progress.notification.shape"),
    ("notifications/progress", "/params", "progress.notification.shape"),
    ("notifications/cancelled", "/params/**", "cancellation.sent.shape"),
    ("notifications/resources/updated", "/params/**", "resources.subscribe.updated-shape"),
    ("notifications/tasks/status", "/params/**", "tasks.notify.shape"),
    ("notifications/subscriptions/acknowledged", "/params/notifications/**", "subscriptions.ack.shape"),
];

const REQUESTS: &[(&str, &str, &str)] = &[
    ("sampling/createMessage", "/params/messages", "sampling.request.required-fields"),
    ("sampling/createMessage", "/params/maxTokens", "sampling.request.required-fields"),
    ("sampling/createMessage", "/params/messages/*/**", "sampling.message.shape"),
    ("sampling/createMessage", "/params/modelPreferences/**", "sampling.preferences.range"),
    ("sampling/createMessage", "/params/tools/**", "sampling.tools.shape"),
    ("sampling/createMessage", "/params/toolChoice/**", "sampling.tools.shape"),
    ("sampling/createMessage", "/params/includeContext", "sampling.include-context.value"),
    ("sampling/createMessage", "/params/*", "sampling.request.optional-types"),
    ("elicitation/create", "/params/message", "elicitation.request.message"),
    ("elicitation/create", "/params/mode", "elicitation.request.mode"),
    ("elicitation/create", "/params/requestedSchema", "elicitation.form.schema-present"),
    ("elicitation/create", "/params/requestedSchema/type", "elicitation.form.schema-present"),
    ("elicitation/create", "/params/requestedSchema/properties", "elicitation.form.schema-present"),
    ("elicitation/create", "/params/requestedSchema/properties/*/format", "elicitation.form.string-format"),
    ("elicitation/create", "/params/requestedSchema/properties/*/default", "elicitation.form.default-type"),
    ("elicitation/create", "/params/requestedSchema/**", "elicitation.form.flat-primitives"),
    ("elicitation/create", "/params/url", "elicitation.url.fields"),
    ("elicitation/create", "/params/elicitationId", "elicitation.url.fields"),
    ("roots/list", "/params/**", "roots.request.shape"),
];

const INPUT_REQUIRED: &[Short] = &[
    ("/inputRequests", "mrtr.result.input-requests-object"),
    ("/inputRequests/*/method", "mrtr.result.request-kinds"),
    ("/inputRequests/*/**", "mrtr.result.request-shape"),
    ("/requestState", "mrtr.result.state-string"),
];

/// Results with caching hints in 2026-07-28, and the rows that demand them.
const CACHED: &[Short] = &[
    ("server/discover", "caching.hints.discover"),
    ("tools/list", "caching.hints.tools-list"),
    ("prompts/list", "caching.hints.prompts-list"),
    ("resources/list", "caching.hints.resources-list"),
    ("resources/templates/list", "caching.hints.resource-templates-list"),
    ("resources/read", "caching.hints.resources-read"),
];

const ERRORS: &[(i64, &str, &str)] = &[(-32021, "/error/data/**", "capabilities.client.missing-error-data")];

/// Methods whose result is empty.
pub(super) const EMPTY: &[&str] =
    &["ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"];

/// What a demand for input can ask for.
pub(super) const INPUTS: &[&str] = &["elicitation/create", "sampling/createMessage", "roots/list"];

/// The rows for a kind of message, the most specific ones first.
pub(super) fn rows(of: Of) -> &'static [Row] {
    static TABLE: OnceLock<HashMap<Of, Vec<Row>>> = OnceLock::new();
    TABLE.get_or_init(build).get(&of).map_or(&[], Vec::as_slice)
}

/// All requirements that the table names.
#[cfg(test)]
pub(super) fn ids() -> std::collections::BTreeSet<&'static str> {
    let all = build();
    all.values().flatten().map(|row| row.id).collect()
}

fn build() -> HashMap<Of, Vec<Row>> {
    let mut table = Table::default();
    let result = |method| Of::Result(method);
    for (method, rows) in [
        ("tools/list", TOOLS),
        ("resources/list", RESOURCES),
        ("resources/templates/list", TEMPLATES),
        ("prompts/list", PROMPTS),
        ("completion/complete", COMPLETE),
        ("initialize", CAPABILITIES),
        ("server/discover", CAPABILITIES),
    ] {
        table.add(result(method), "", rows);
    }
    table.one(result("initialize"), "/protocolVersion", "lifecycle.initialize.result-protocol-version");
    table.one(result("server/discover"), "/supportedVersions/**", "discover.supported-versions");
    table.add(result("initialize"), "/serverInfo", ICONS);
    table.add(result("initialize"), "/serverInfo", IMPLEMENTATION);
    for (method, entry) in [
        ("tools/list", "/tools/*"),
        ("resources/list", "/resources/*"),
        ("resources/templates/list", "/resourceTemplates/*"),
        ("prompts/list", "/prompts/*"),
    ] {
        table.add(result(method), entry, ICONS);
        table.one(result(method), "/nextCursor", "pagination.cursor.string");
        if entry.starts_with("/resource") {
            table.add(result(method), entry, ANNOTATIONS);
        }
        table.one(result(method), &format!("{entry}/_meta/**"), "meta.value-object");
    }
    // Blocks before what they stand in.
    table.block(result("tools/call"), "/content/*");
    table.add(result("tools/call"), "", CALL);
    table.block(result("prompts/get"), "/messages/*/content");
    table.add(result("prompts/get"), "", GET);
    table.one(result("resources/read"), "/contents/*/_meta/**", "meta.value-object");
    table.add(result("resources/read"), "", READ);
    for (method, id) in CACHED {
        for member in ["/ttlMs", "/cacheScope"] {
            table.push(result(method), member, None, When::Missing, id);
        }
        table.push(result(method), "/ttlMs", None, When::Negative, "caching.ttl.non-negative");
        table.one(result(method), "/ttlMs", "caching.ttl.integer");
        table.one(result(method), "/cacheScope", "caching.scope.value");
    }
    let schema = "/tools/*/outputSchema/**";
    table.push(result("tools/list"), schema, None, When::Broken, "tools.definition.output-schema-valid");
    table.add(Of::InputRequired, "", INPUT_REQUIRED);
    for (of, prefix, rest) in [
        (Of::CreatedTask, "/task", "tasks.create.result"),
        (result("tasks/get"), "", "tasks.get.shape"),
        (result("tasks/cancel"), "", "tasks.cancel.to-cancelled"),
        (result("tasks/list"), "/tasks/*", "tasks.list.shape"),
    ] {
        table.add(of, prefix, TASK);
        for member in ["", "/statusMessage", "/pollInterval"] {
            table.push(of, &format!("{prefix}{member}"), None, When::Broken, rest);
        }
    }
    table.one(result("tasks/list"), "/tasks", "tasks.list.shape");
    table.one(result("tasks/list"), "/nextCursor", "pagination.cursor.string");
    for method in EMPTY {
        table.one(result(method), "", "schema.empty-result");
    }
    let info = "/_meta/io.modelcontextprotocol~1serverInfo";
    let methods: Vec<Of> = table.0.keys().copied().collect();
    for of in methods {
        if matches!(of, Of::Result(_) | Of::InputRequired) {
            table.add(of, info, ICONS);
            table.add(of, info, IMPLEMENTATION);
            table.one(of, "/_meta", "meta.value-object");
        }
    }
    for (method, at, id) in NOTIFICATIONS {
        table.one(Of::Notification(method), at, id);
        table.one(Of::Notification(method), "/params/_meta", "meta.value-object");
    }
    for (method, at, id) in REQUESTS {
        table.one(Of::Request(method), at, id);
        table.one(Of::Request(method), "/params/_meta", "meta.value-object");
    }
    for (code, at, id) in ERRORS {
        table.one(Of::Error(*code), at, id);
    }
    table.0
}

#[derive(Default)]
struct Table(HashMap<Of, Vec<Row>>);

impl Table {
    fn add(&mut self, of: Of, prefix: &str, rows: &[Short]) {
        for (at, id) in rows {
            self.one(of, &format!("{prefix}{at}"), id);
        }
    }

    fn block(&mut self, of: Of, prefix: &str) {
        for (kind, at, id) in BLOCK {
            self.push(of, &format!("{prefix}{at}"), Some(kind), When::Any, id);
        }
        self.add(of, prefix, ANNOTATIONS);
        self.one(of, &format!("{prefix}/_meta/**"), "meta.value-object");
        self.one(of, &format!("{prefix}/type"), "content.known-type");
    }

    fn one(&mut self, of: Of, at: &str, id: &'static str) {
        self.push(of, at, None, When::Any, id);
    }

    fn push(&mut self, of: Of, at: &str, kind: Option<&'static str>, when: When, id: &'static str) {
        self.0.entry(of).or_default().push(row(at, kind, when, id));
    }
}

fn row(at: &str, kind: Option<&'static str>, when: When, id: &'static str) -> Row {
    let (at, below) = match at.strip_suffix("/**") {
        Some(at) => (at, true),
        None => (at, false),
    };
    let requirement = Catalogue::get().requirement(id);
    let has = |revision: &Revision| requirement.is_some_and(|row| row.level(*revision).is_some());
    let levels =
        Revision::ALL.into_iter().filter(has).fold(0, |levels, revision| levels | 1 << revision as u8);
    Row { at: super::schema::segments(at), below, kind, when, id, levels }
}

#[cfg(test)]
mod tests {
    use super::Catalogue;

    #[test]
    fn every_row_of_the_table_is_in_the_catalogue() {
        for id in super::ids() {
            assert!(Catalogue::get().requirement(id).is_some(), "{id}");
        }
    }
}
