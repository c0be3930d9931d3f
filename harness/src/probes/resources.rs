//! Resources under test: what does not exist, subscriptions (server/resources).

use super::lists::declares;
use super::probe::probes;
use super::{Stage, breach};
use crate::client::{Outgoing, Reply, Ticket};
use crate::monitors::Breach;
use crate::protocol::Era;
use serde_json::{Value, json};
use std::time::Duration;

probes! {
    /// Subscribes to a listed resource and unsubscribes again (legacy era): both are answered with an empty result
    /// where `subscribe` is declared, and refused with -32601 where it is not.
    subscriptions_are_served_as_declared (Clean, Legacy, Any) decides [
        "resources.subscribe.served", "resources.unsubscribe.served", "resources.subscribe.undeclared-refused",
    ];
    /// Listens for updates of a listed resource (2026-07-28): where `subscribe` is declared, the acknowledgement names
    /// its URI.
    subscribe_flag_tells_the_truth (Clean, Modern, Any) decides ["resources.capability.subscribe-flag"];
    /// Reads two URIs that cannot exist, one of them in a scheme that the server uses: error -32002 (in 2026-07-28
    /// -32602), and no empty result. Clients tell a missing file from an empty one by it.
    missing_resource_is_not_found (Breaking, Both, Any) decides
        ["resources.read.not-found-error", "resources.read.not-found-not-empty"];
    /// Reads what is no URI or no URI of this server: the empty string, words, other schemes, control characters, 64 KiB
    /// of path. Each is refused; nothing of it yields contents.
    odd_uris_are_refused (Breaking, Both, Any) decides ["resources.read.uris-validated"];
}

fn first_uri(stage: &Stage<'_>) -> Option<String> {
    stage.offer.first.get("resources/list")?.first().cloned()
}

async fn subscriptions_are_served_as_declared(stage: &mut Stage<'_>) {
    const SUBSCRIBE: &str = "resources.subscribe.served";
    const UNSUBSCRIBE: &str = "resources.unsubscribe.served";
    const UNDECLARED: &str = "resources.subscribe.undeclared-refused";
    let Some(uri) = first_uri(stage) else { return };
    let declared = declares(stage.talk, "resources/subscribe");
    if !declared {
        let text = "the server does not declare `resources.subscribe`";
        for id in [
            SUBSCRIBE,
            UNSUBSCRIBE,
            "resources.unsubscribe.stops-updates",
            "resources.subscribe.update-delivered",
        ] {
            stage.judge.not_applicable(id, "not-declared", text);
        }
        // It is a request that a client has no business to send.
        let outgoing = stage.talk.compose("resources/subscribe", json!({"uri": uri}));
        let (ticket, reply) = stage.breaking(outgoing).await;
        if matches!(reply, Reply::Result(_) | Reply::Error(_)) {
            stage.judge.decide(UNDECLARED, reply.error_code() == Some(-32601), || {
                breach(
                    "not-refused",
                    "`resources/subscribe` was not declared, and not refused with -32601",
                    &ticket,
                    &reply,
                )
                .quality()
                .expected(&["error -32601 (method not found)"])
            });
        }
        return;
    }
    stage.judge.not_applicable(UNDECLARED, "declared", "the server declares `resources.subscribe`");
    for (method, id) in [("resources/subscribe", SUBSCRIBE), ("resources/unsubscribe", UNSUBSCRIBE)] {
        let (ticket, reply) = stage.request(method, json!({"uri": uri})).await;
        match &reply {
            Reply::Result(_) => stage.judge.held(id),
            Reply::Error(_) => stage.judge.broke(
                id,
                breach("refused", format!("`{method}` for a listed resource was refused"), &ticket, &reply)
                    .expected(&["an empty result"])
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

async fn subscribe_flag_tells_the_truth(stage: &mut Stage<'_>) {
    const ID: &str = "resources.capability.subscribe-flag";
    const WAIT: Duration = Duration::from_secs(2);
    let Some(uri) = first_uri(stage) else {
        if !declares(stage.talk, "resources") {
            stage.judge.not_applicable(ID, "not-declared", "the server does not declare `resources`");
        }
        return;
    };
    if !declares(stage.talk, "resources/subscribe") {
        return stage.judge.not_applicable(
            ID,
            "not-declared",
            "the server does not declare `resources.subscribe`",
        );
    }
    let outgoing = stage
        .talk
        .compose("subscriptions/listen", json!({"notifications": {"resourceSubscriptions": [uri]}}));
    let id: Option<Value> = outgoing.id.as_ref().and_then(|id| serde_json::from_str(id.as_json()).ok());
    let ticket = stage.talk.send(outgoing).await;
    let deadline = tokio::time::Instant::now() + WAIT;
    let mut acknowledged = None;
    let mut refused = None;
    while tokio::time::Instant::now() < deadline && acknowledged.is_none() && refused.is_none() {
        match stage.talk.reply_within(&ticket, Duration::from_millis(20)).await {
            Reply::Silence(_) => {}
            reply => refused = Some(reply),
        }
        acknowledged = stage
            .talk
            .heard_since(ticket.since)
            .into_iter()
            .find(|heard| heard.message.method() == Some("notifications/subscriptions/acknowledged"));
    }
    match (&acknowledged, &refused) {
        (Some(heard), _) => {
            let uris = heard
                .message
                .params()
                .and_then(|params| params.pointer("/notifications/resourceSubscriptions"));
            let named =
                uris.and_then(Value::as_array).is_some_and(|uris| uris.iter().any(|known| *known == uri));
            stage.judge.decide(ID, named, || {
                Breach::new(
                    "not-acknowledged",
                    "`resources.subscribe` is declared, but a listed resource is not acknowledged",
                )
                .expected(&[&format!("`{uri}` among `resourceSubscriptions`")])
                .actual(uris.map_or("no `resourceSubscriptions`".to_owned(), Value::to_string))
                .at(&heard.record)
                .pointer("/params/notifications")
                .sent(ticket.since)
            });
        }
        (None, Some(reply)) if reply.is_error() => stage.judge.broke(
            ID,
            breach(
                "refused",
                "`resources.subscribe` is declared, but listening to a listed resource is refused",
                &ticket,
                reply,
            )
            .expected(&["an acknowledgement that names the URI"]),
        ),
        _ => stage.judge.undecided(ID, "no-answer", "no acknowledgement came in time"),
    }
    if refused.is_none() {
        stop_listening(stage, &ticket, id).await;
    }
}

/// Ends a subscription as a client should: by closing the stream over HTTP, by a notification otherwise.
async fn stop_listening(stage: &mut Stage<'_>, ticket: &Ticket, id: Option<Value>) {
    if stage.transport().is_http() {
        return stage.talk.abort(ticket).await;
    }
    if let Some(id) = id {
        stage.talk.notify("notifications/cancelled", json!({"requestId": id})).await;
    }
}

fn is_listed(stage: &Stage<'_>) -> bool {
    stage.offer.listed.contains(&"resources/list")
}

async fn missing_resource_is_not_found(stage: &mut Stage<'_>) {
    const ERROR: &str = "resources.read.not-found-error";
    const EMPTY: &str = "resources.read.not-found-not-empty";
    if !is_listed(stage) {
        return;
    }
    let scheme = first_uri(stage).and_then(|uri| Some(uri.split_once("://")?.0.to_owned()));
    let own = scheme.filter(|scheme| !scheme.starts_with("http")).unwrap_or_else(|| "file".to_owned());
    let mut served = 0;
    for uri in
        [format!("{own}:///mcprove/no-such-resource-7f3a"), "mcprove-none://no-such-resource-7f3a".to_owned()]
    {
        let outgoing = stage.talk.compose("resources/read", json!({"uri": uri}));
        let (ticket, reply) = stage.breaking(outgoing).await;
        let modern = stage.era() == Era::Modern;
        let expected = if modern { "error -32602" } else { "error -32002" };
        let seen = |class: &str, message: &str| breach(class, message, &ticket, &reply).expected(&[expected]);
        match &reply {
            Reply::Error(answer) => {
                let code = answer.message.error_code();
                stage.judge.held(EMPTY);
                // -32602 serves servers of both eras for all of them.
                let right = if modern { code == Some(-32602) } else { matches!(code, Some(-32002 | -32602)) };
                stage.judge.decide(ERROR, right, || {
                    let other = seen("other-code", "a missing resource was refused with another code")
                        .pointer("/error/code");
                    if modern { other } else { other.quality() }
                });
            }
            Reply::Result(answer) => {
                let result = answer.message.result().cloned().unwrap_or(Value::Null);
                if result["resultType"] == "input_required" {
                    continue;
                }
                let contents = result.get("contents").and_then(Value::as_array);
                if contents.is_some_and(Vec::is_empty) {
                    let message = "a missing resource was answered with empty contents";
                    let empty = seen("empty", message).pointer("/result/contents");
                    if modern {
                        stage.judge.broke(EMPTY, empty.clone());
                        stage.judge.broke(ERROR, empty.see(EMPTY));
                    } else {
                        stage.judge.broke(ERROR, empty);
                    }
                } else if uri.starts_with("mcprove-none:") && !any_template(stage) {
                    // Neither a listed resource nor a template comes near it.
                    let message = "contents were found under a URI that nothing the server lists can match";
                    stage.judge.broke(ERROR, seen("invented", message).quality().pointer("/result/contents"));
                } else {
                    served += 1;
                }
            }
            _ => stage.judge.undecided(
                ERROR,
                "no-answer",
                format!("no usable answer came: {}", reply.describe()),
            ),
        }
        if stage.talk.gone().is_some() {
            return;
        }
    }
    if served > 0 {
        let text =
            "the server finds something under URIs that were made up: its templates may match anything";
        stage.judge.undecided(ERROR, "catch-all", text);
    }
}

/// Whether a template may match a URI in any scheme.
fn any_template(stage: &Stage<'_>) -> bool {
    let templates = stage.offer.templates.iter().filter_map(|template| template.get("uriTemplate")?.as_str());
    templates.into_iter().any(|template| !template.split('{').next().unwrap_or_default().contains(':'))
}

async fn odd_uris_are_refused(stage: &mut Stage<'_>) {
    const ID: &str = "resources.read.uris-validated";
    if !is_listed(stage) {
        return;
    }
    let long = format!("mcprove-none:///{}", "a".repeat(65_536));
    let mut refused = 0;
    let uris = ["", "no uri at all", "javascript:alert(1)", "mcprove-none://a\u{1}b", "///", long.as_str()];
    for uri in uris {
        let mut outgoing: Outgoing = stage.talk.compose("resources/read", json!({"uri": uri}));
        if uri.len() > 8000 {
            // No header is that long; the body alone is what is asked about.
            if stage.era() == Era::Modern && stage.transport().is_http() {
                refused += 1;
                continue;
            }
            outgoing.name = None;
        }
        let (ticket, reply) = stage.breaking(outgoing).await;
        match &reply {
            Reply::Error(_) | Reply::Unmatched(_) if reply.is_error() => refused += 1,
            Reply::NoMessage(head) if (400..500).contains(&head.status) => refused += 1,
            Reply::Result(answer) => {
                let contents = answer.message.result().and_then(|result| result.get("contents")?.as_array());
                if uri == "javascript:alert(1)" && contents.is_some_and(|contents| !contents.is_empty()) {
                    let text = "the server finds something under URIs that were made up: its templates may match anything";
                    stage.judge.undecided(ID, "catch-all", text);
                    return;
                }
                let _ = &ticket;
            }
            _ => {}
        }
        if stage.talk.gone().is_some() {
            return;
        }
    }
    if refused == uris.len() {
        stage.judge.held(ID);
    } else {
        stage.judge.undecided(
            ID,
            "served",
            "some made-up URI was answered with a result: whether rightly cannot be told",
        );
    }
}
