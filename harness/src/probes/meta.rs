//! Metadata under test: keys that the server does not know, capabilities that it does not know (basic/index).

use super::probe::probes;
use super::{Stage, breach};
use crate::client::{Outgoing, Reply, with_meta};
use crate::protocol::Era;
use serde_json::{Value, json};

probes! {
    /// Repeats a request that works with more in its `_meta`: a key of a vendor with nested JSON, a key without a
    /// prefix, trace context. It is served as before. Gateways and tracing add such keys to everything.
    unknown_meta_keys_are_tolerated (Clean, Both, Any) decides
        ["meta.extra-keys-tolerated", "meta.trace-context.tolerated"];
    /// Repeats a request with an undefined key under a prefix reserved for MCP, its value null, a list and a deep
    /// object: the server stands it.
    reserved_meta_keys_are_borne (Breaking, Both, Any) decides ["meta.reserved-keys-no-assumptions"];
    /// Asks without `clientInfo` and under other names (2026-07-28): served, with the same tools. A server that looks
    /// at the name of its client breaks for all others.
    client_info_does_not_matter (Clean, Modern, Any) decides
        ["meta.request.client-info-optional", "meta.client-info-no-behaviour"];
    /// Declares capabilities and extensions that there are not (2026-07-28): requests are served as before.
    unknown_client_capabilities_are_tolerated (Clean, Modern, Any) decides
        ["capabilities.client.unknown-tolerated", "capabilities.extension.unknown-tolerated"];
}

/// A request that works, and its plain outcome.
fn method(stage: &Stage<'_>) -> &'static str {
    match (stage.offer.listed.first(), stage.era()) {
        (Some(method), _) => method,
        (None, Era::Modern) => "server/discover",
        (None, Era::Legacy) => "ping",
    }
}

async fn unknown_meta_keys_are_tolerated(stage: &mut Stage<'_>) {
    let cases = [
        ("meta.extra-keys-tolerated", json!({"com.example/x": {"a": [1]}, "plain": "x"})),
        (
            "meta.trace-context.tolerated",
            json!({
                "traceparent": "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
                "tracestate": "vendor=1", "baggage": "user=1",
            }),
        ),
    ];
    for (id, meta) in cases {
        if id == "meta.trace-context.tolerated" && stage.era() == Era::Legacy {
            continue;
        }
        let method = method(stage);
        let (ticket, reply) = stage.request(method, json!({"_meta": meta})).await;
        match &reply {
            Reply::Result(_) => stage.judge.held(id),
            Reply::Error(_) => stage.judge.broke(
                id,
                breach(
                    "refused",
                    format!("`{method}` is refused with further keys in `_meta`"),
                    &ticket,
                    &reply,
                )
                .expected(&["the result as without them"])
                .pointer("/error"),
            ),
            _ => {
                stage.judge.undecided(
                    id,
                    "no-answer",
                    format!("no usable answer came: {}", reply.describe()),
                );
            }
        }
    }
}

async fn reserved_meta_keys_are_borne(stage: &mut Stage<'_>) {
    const ID: &str = "meta.reserved-keys-no-assumptions";
    for value in [Value::Null, json!([1, "a"]), json!({"a": {"b": {"c": {"d": [{}]}}}})] {
        let method = method(stage);
        let outgoing =
            stage.talk.compose(method, json!({"_meta": {"io.modelcontextprotocol/mcprove": value}}));
        let (ticket, reply) = stage.breaking(outgoing).await;
        match &reply {
            Reply::Result(_) => stage.judge.held(ID),
            Reply::Error(_) if stage.era() == Era::Legacy => stage.judge.held(ID),
            Reply::Error(_) => stage.judge.broke(
                ID,
                breach(
                    "refused",
                    format!("`{method}` is refused for a reserved key in `_meta`"),
                    &ticket,
                    &reply,
                )
                .quality()
                .expected(&["the result as without it"])
                .pointer("/error"),
            ),
            _ => {
                stage.judge.undecided(
                    ID,
                    "no-answer",
                    format!("no usable answer came: {}", reply.describe()),
                );
            }
        }
    }
}

/// A request of 2026-07-28 with a changed `_meta`.
fn with(stage: &mut Stage<'_>, method: &str, change: impl FnOnce(&mut Value)) -> Outgoing {
    let mut params = with_meta(json!({}), stage.revision.as_str());
    change(&mut params["_meta"]);
    let id = stage.talk.fresh_id();
    Outgoing::request(&id, method, Some(params))
}

const INFO: &str = "io.modelcontextprotocol/clientInfo";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

async fn client_info_does_not_matter(stage: &mut Stage<'_>) {
    const OPTIONAL: &str = "meta.request.client-info-optional";
    const NO_BEHAVIOUR: &str = "meta.client-info-no-behaviour";
    let outgoing = with(stage, "server/discover", |meta| {
        if let Some(meta) = meta.as_object_mut() {
            meta.remove(INFO);
        }
    });
    let (ticket, reply) = stage.valid(outgoing).await;
    match &reply {
        Reply::Result(_) => stage.judge.held(OPTIONAL),
        Reply::Error(_) => stage.judge.broke(
            OPTIONAL,
            breach("refused", "a request without `clientInfo` was refused", &ticket, &reply)
                .expected(&["a result"])
                .pointer("/error"),
        ),
        _ => {}
    }
    let method = method(stage);
    let mut sets: Vec<Value> = Vec::new();
    let mut last = None;
    // The first name comes again: what differs then, too, has nothing to do with names.
    for name in [None, Some("mcprove-other"), Some("claude-desktop"), None, None] {
        let outgoing = with(stage, method, |meta| match name {
            Some(name) => meta[INFO] = json!({"name": name, "version": "9.9.9"}),
            None => drop(meta.as_object_mut().map(|meta| meta.remove(INFO))),
        });
        let (ticket, reply) = stage.valid(outgoing).await;
        let Some(result) = reply.result() else { continue };
        let mut plain = result.clone();
        if let Some(members) = plain.as_object_mut() {
            members.retain(|name, _| !matches!(name.as_str(), "_meta" | "ttlMs" | "nextCursor"));
        }
        sets.push(plain);
        if name.is_some() {
            last = Some((ticket, reply));
        }
    }
    let ([first, other, another, again, once_more], Some((ticket, reply))) = (sets.as_slice(), last) else {
        return;
    };
    if first != again || first != once_more {
        let text = format!("`{method}` is answered otherwise each time");
        return stage.judge.undecided(NO_BEHAVIOUR, "varies", text);
    }
    stage.judge.decide(NO_BEHAVIOUR, other == first && another == first, || {
        breach(
            "differs",
            format!("`{method}` is answered otherwise for another client name"),
            &ticket,
            &reply,
        )
        .expected(&["the same result for every client name"])
        .actual("another result")
        .pointer("/result")
    });
}

async fn unknown_client_capabilities_are_tolerated(stage: &mut Stage<'_>) {
    let method = method(stage);
    let cases = [
        (
            "capabilities.client.unknown-tolerated",
            json!({"mcproveUnknown": {"a": 1}, "elicitation": {"mcproveUnknown": {}}}),
        ),
        (
            "capabilities.extension.unknown-tolerated",
            json!({"extensions": {"com.example/unknown": {}}, "experimental": {"com.example/x": {}}}),
        ),
    ];
    for (id, more) in cases {
        let outgoing = with(stage, method, |meta| {
            let (Some(declared), Value::Object(more)) = (meta[CAPABILITIES].as_object_mut(), more) else {
                return;
            };
            declared.extend(more);
        });
        let (ticket, reply) = stage.valid(outgoing).await;
        match &reply {
            Reply::Result(_) => stage.judge.held(id),
            Reply::Error(_) => stage.judge.broke(
                id,
                breach(
                    "refused",
                    format!("`{method}` is refused with capabilities that the server does not know"),
                    &ticket,
                    &reply,
                )
                .expected(&["a result"])
                .pointer("/error"),
            ),
            _ => {
                stage.judge.undecided(
                    id,
                    "no-answer",
                    format!("no usable answer came: {}", reply.describe()),
                );
            }
        }
    }
}
