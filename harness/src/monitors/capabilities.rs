//! Capabilities: what was not declared is not used, by neither side.

use super::answered::answered;
use super::rule::monitors;
use super::text::{is_meta_name, is_meta_prefix};
use super::{Asked, Breach, Heard, Judge, Moment, State};
use crate::protocol::{Era, Kind};
use serde_json::Value;

monitors! {
    /// Where the server advertises extensions and a request declares none, the answer is one of the core protocol.
    extensions_fall_back (WhileWeObey) decides ["capabilities.extension.fallback"];
    /// A server announces changes of a list, or of a resource, only where it declared that it would
    /// (`listChanged`, `subscribe`). Clients that believe the declaration have nobody listening.
    changes_are_announced_only_if_declared (WhileWeObey) decides [
        "tools.list-changed.not-undeclared", "resources.list-changed.not-undeclared",
        "prompts.list-changed.not-undeclared", "resources.subscribe.updated-needs-capability",
        "resources.subscribe.updated-only-subscribed",
    ] at_end nothing_undeclared_was_announced;
    /// A server asks only for what the client declared: sampling, roots, elicitation. In 2026-07-28 the declaration
    /// is that of the request at hand.
    only_declared_client_capabilities_are_used (WhileWeObey) decides ["capabilities.client.only-declared-used"];
    /// Identifiers of extensions in the server's capabilities are prefixed keys of the `_meta` grammar.
    extension_identifiers_are_prefixed (WhileWeObey) decides
        ["capabilities.extension.identifier-format", "capabilities.extension.settings-object"];
}

const ANNOUNCEMENTS: &[(&str, &str, &str)] = &[
    ("notifications/tools/list_changed", "tools/listChanged", "tools.list-changed.not-undeclared"),
    (
        "notifications/resources/list_changed",
        "resources/listChanged",
        "resources.list-changed.not-undeclared",
    ),
    ("notifications/prompts/list_changed", "prompts/listChanged", "prompts.list-changed.not-undeclared"),
    (
        "notifications/resources/updated",
        "resources/subscribe",
        "resources.subscribe.updated-needs-capability",
    ),
];

const UNASKED: &str = "resources.subscribe.updated-only-subscribed";

/// Results of requests that declare no extension.
fn extensions_fall_back(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "capabilities.extension.fallback";
    let advertised =
        moment.state.capabilities.as_ref().and_then(|server| server.get("extensions")?.as_object());
    if advertised.is_none_or(serde_json::Map::is_empty) {
        return;
    }
    let Some(answer) = answered(moment).filter(|answer| answer.revision.era() == Era::Modern) else { return };
    let declared = answer.asked.message.params().and_then(|params| {
        params.pointer("/_meta/io.modelcontextprotocol~1clientCapabilities/extensions")?.as_object()
    });
    if declared.is_some_and(|declared| !declared.is_empty()) {
        return;
    }
    let kind = answer.result.get("resultType").and_then(Value::as_str);
    judge.decide(ID, kind.is_none_or(|kind| matches!(kind, "complete" | "input_required")), || {
        Breach::new("extension", "a request that declares no extension got the result of one")
            .expected(&["`complete`", "`input_required`", "an error"])
            .actual(format!("resultType `{}`", super::base::shorten(kind.unwrap_or_default())))
            .at(moment.record)
            .pointer("/result/resultType")
            .sent(answer.asked.seq)
            .see("base.result-type.extension-only-when-declared")
    });
}

fn changes_are_announced_only_if_declared(moment: &Moment<'_>, judge: &mut Judge) {
    let Some(Heard { message, .. }) = moment.message else { return };
    // In 2026-07-28 announcements come where they were asked for, and are judged there.
    let legacy = moment.state.era() == Some(Era::Legacy);
    if *message.kind() != Kind::Notification || moment.state.capabilities.is_none() || !legacy {
        return;
    }
    let method = message.method().unwrap_or_default();
    let Some((_, path, id)) = ANNOUNCEMENTS.iter().find(|(known, ..)| *known == method) else { return };
    if !moment.state.declares(path) {
        judge.broke(
            id,
            Breach::new("undeclared", format!("`{method}` was sent although `{path}` was not declared"))
                .expected(&[&format!("no such notification, or `{path}` in the capabilities")])
                .actual("it was sent")
                .at(moment.record)
                .pointer("/method"),
        );
    }
    if method == "notifications/resources/updated" {
        updates_were_asked_for(moment, judge);
    }
}

fn updates_were_asked_for(moment: &Moment<'_>, judge: &mut Judge) {
    let state = moment.state;
    let Some(Heard { message, exchange, .. }) = moment.message else { return };
    // Streams of HTTP belong to sessions.
    let session = exchange.map(super::HttpExchange::session);
    let here = |asked: &Asked| {
        let theirs = state.exchanges.get(&asked.channel).map(super::HttpExchange::session);
        asked.method == "resources/subscribe" && theirs.zip(session).is_none_or(|(a, b)| a == b)
    };
    let wanted: Vec<&str> =
        state.asked.values().filter(|asked| here(asked)).filter_map(|asked| asked.param("uri")).collect();
    let seen = |class, text: &str| {
        Breach::new(class, text)
            .quality()
            .expected(&["updates of what was subscribed to, or of what lies below it"])
            .at(moment.record)
    };
    let Some(uri) = message.params().and_then(|params| params.get("uri")?.as_str()) else { return };
    // What a server calls the same resource by may be longer or shorter.
    if wanted.is_empty() {
        let seen = seen("unasked", "an update was sent although nothing was subscribed to");
        judge.broke(UNASKED, seen.actual("an update").pointer("/method"));
    } else if wanted.iter().any(|wanted| uri.starts_with(wanted) || wanted.starts_with(uri)) {
        judge.held(UNASKED);
    } else {
        let seen = seen("other-uri", "an update was sent for a resource that nobody subscribed to");
        judge.broke(UNASKED, seen.actual(super::base::shorten(uri)).pointer("/params/uri"));
    }
}

fn nothing_undeclared_was_announced(state: &State, judge: &mut Judge) {
    if state.capabilities.is_none() || state.tainted_since.is_some_and(|since| since < 8) {
        return;
    }
    // A breach would outweigh it.
    if state.era() == Some(Era::Legacy) {
        for (_, _, id) in ANNOUNCEMENTS {
            judge.held(id);
        }
        judge.held(UNASKED);
    }
}

fn only_declared_client_capabilities_are_used(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "capabilities.client.only-declared-used";
    let Some(Heard { message, .. }) = moment.message else { return };
    let needed = |method: &str| match method {
        "sampling/createMessage" => Some("sampling"),
        "roots/list" => Some("roots"),
        "elicitation/create" => Some("elicitation"),
        _ => None,
    };
    if *message.kind() == Kind::Request && moment.state.era() == Some(Era::Legacy) {
        let method = message.method().unwrap_or_default();
        let Some(needed) = needed(method) else { return };
        let Some(declared) = declared_at_initialize(moment.state) else { return };
        judge.decide(ID, declared.get(needed).is_some(), || {
            undeclared(method, needed).at(moment.record).pointer("/method")
        });
        return;
    }
    let Some(answer) = answered(moment).filter(|answer| answer.revision.era() == Era::Modern) else { return };
    let Some(requests) = answer.result.get("inputRequests").and_then(Value::as_object) else { return };
    let meta = answer.asked.message.params().and_then(|params| params.get("_meta"));
    let declared = meta.and_then(|meta| meta.get("io.modelcontextprotocol/clientCapabilities"));
    for (key, request) in requests {
        let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
        let Some(needed) = needed(method) else { continue };
        let there = declared.is_some_and(|declared| declared.get(needed).is_some());
        judge.decide(ID, there, || {
            let key = key.replace('~', "~0").replace('/', "~1");
            undeclared(method, needed)
                .at(moment.record)
                .pointer(format!("/result/inputRequests/{key}/method"))
                .sent(answer.asked.seq)
        });
    }
}

/// The capabilities that the client declared in its handshake.
pub(super) fn declared_at_initialize(state: &State) -> Option<&Value> {
    let initialize =
        state.asked.values().find(|asked| asked.method == "initialize" && asked.responses > 0)?;
    initialize.message.params()?.get("capabilities")
}

fn undeclared(method: &str, needed: &str) -> Breach {
    Breach::new(needed, format!("the server asks for `{method}`, but the client did not declare `{needed}`"))
        .expected(&["no such request"])
        .actual(format!("`{method}`"))
}

fn extension_identifiers_are_prefixed(moment: &Moment<'_>, judge: &mut Judge) {
    const ID: &str = "capabilities.extension.identifier-format";
    let Some(answer) = answered(moment).and_then(|answer| answer.to("server/discover")) else { return };
    let extensions = answer.result.pointer("/capabilities/extensions").and_then(Value::as_object);
    if extensions.is_none_or(serde_json::Map::is_empty) {
        // None is right too. What an entry holds is judged with the schema.
        judge.held("capabilities.extension.settings-object");
    }
    let wrong = extensions.into_iter().flatten().map(|(key, _)| key).find(|key| {
        !key.split_once('/').is_some_and(|(prefix, name)| is_meta_prefix(prefix) && is_meta_name(name))
    });
    judge.decide(ID, wrong.is_none(), || {
        let key = wrong.map(String::as_str).unwrap_or_default();
        Breach::new("identifier", "the identifier of an extension has no prefix, or a bad one")
            .expected(&["`prefix.of.labels/name`"])
            .actual(format!("`{}`", key.chars().take(100).collect::<String>()))
            .at(moment.record)
            .pointer(format!("/result/capabilities/extensions/{}", key.replace('~', "~0").replace('/', "~1")))
    });
}
