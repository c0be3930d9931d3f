//! Subscriptions under test (2026-07-28, basic/patterns/subscriptions).

use super::probe::probes;
use super::{Stage, breach};
use crate::client::{Heard, Outgoing, Reply, Ticket};
use crate::protocol::{Id, Transport};
use crate::wire::Taint;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long an acknowledgement is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often a stream is opened and closed again.
const OFTEN: usize = 16;

const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

probes! {
    /// Opens subscriptions that ask for nothing, for something that there is not, and without a filter. An empty filter
    /// is legal, unknown fields are passed over and not acknowledged, and a filter there must be: error -32602.
    odd_filters_are_borne (Breaking, Modern, Any) decides [
        "subscriptions.listen.empty-filter-legal", "subscriptions.listen.unknown-filter-fields-tolerated",
        "subscriptions.listen.filter-required",
    ];
    /// Opens a subscription and closes its stream, sixteen times, and opens another one: it is acknowledged. A server that
    /// does not notice the end of a stream runs into its limit.
    closed_streams_end_subscriptions (Breaking, Modern, Http) decides ["subscriptions.end.client-close-http"];
    /// Leaves a subscription open until the conversation ends, so that the monitors see how the server ends it.
    last_subscription_is_left_open (Breaking, Modern, Stdio) decides [
        "subscriptions.end.graceful-result", "subscriptions.end.graceful-result-shape",
        "cancellation.sent.on-teardown",
    ];
}

/// A subscription that was asked for.
pub(super) struct Listening {
    pub(super) ticket: Ticket,
    id: Value,
}

impl Listening {
    /// The id of the request, which names the subscription.
    pub(super) fn id(&self) -> &Value {
        &self.id
    }
}

/// What came of asking for a subscription.
pub(super) enum Opened {
    /// It was acknowledged.
    Acknowledged(Heard),
    /// It was answered instead.
    Answered(Reply),
    /// Neither.
    Nothing,
}

/// Asks for a subscription.
pub(super) async fn listen(stage: &mut Stage<'_>, id: &Id, params: Value, on_purpose: bool) -> Listening {
    let params = stage.talk.params(params);
    let mut outgoing = Outgoing::request(id, "subscriptions/listen", params);
    if on_purpose {
        outgoing = outgoing.deliberate(stage.name, Taint::Message);
    }
    let ticket = stage.talk.send(outgoing).await;
    Listening { ticket, id: serde_json::from_str(id.as_json()).unwrap_or_default() }
}

/// Waits for the acknowledgement of a subscription.
pub(super) async fn opened(stage: &mut Stage<'_>, listening: &Listening) -> Opened {
    let deadline = Instant::now() + stage.talk.timeouts().request.min(PATIENCE);
    let http = stage.transport() == Transport::Http;
    loop {
        let reply = stage.talk.reply_within(&listening.ticket, Duration::from_millis(5)).await;
        let heard = stage.talk.heard_since(listening.ticket.since).into_iter().find(|heard| {
            let named = heard
                .message
                .params()
                .and_then(|params| params.pointer("/_meta/io.modelcontextprotocol~1subscriptionId"));
            heard.message.method() == Some(ACKNOWLEDGED)
                && if http {
                    heard.record.channel == listening.ticket.channel
                } else {
                    // That it has another JSON type is told of the id, not of the acknowledgement.
                    named.is_some_and(|named| bare(named) == bare(&listening.id))
                }
        });
        match (heard, reply) {
            (Some(heard), _) => return Opened::Acknowledged(heard),
            (None, Reply::Silence(_)) if Instant::now() < deadline => {}
            (None, Reply::Silence(_)) => return Opened::Nothing,
            (None, reply) => return Opened::Answered(reply),
        }
    }
}

/// Ends a subscription as a client should.
pub(super) async fn end(stage: &mut Stage<'_>, listening: &Listening) {
    if stage.transport().is_http() {
        return stage.talk.abort(&listening.ticket).await;
    }
    stage.talk.notify("notifications/cancelled", json!({"requestId": listening.id})).await;
}

/// Whether the server declares anything that can be subscribed to.
fn takes_subscriptions(stage: &Stage<'_>) -> bool {
    ["tools/listChanged", "prompts/listChanged", "resources/listChanged", "resources/subscribe"]
        .into_iter()
        .any(|path| stage.declares(path))
}

async fn odd_filters_are_borne(stage: &mut Stage<'_>) {
    const EMPTY: &str = "subscriptions.listen.empty-filter-legal";
    const UNKNOWN: &str = "subscriptions.listen.unknown-filter-fields-tolerated";
    const REQUIRED: &str = "subscriptions.listen.filter-required";
    if !takes_subscriptions(stage) {
        for id in [EMPTY, UNKNOWN, REQUIRED] {
            let text = "the server declares nothing that can be subscribed to";
            stage.judge.not_applicable(id, "nothing-to-subscribe", text);
        }
        return;
    }
    let acknowledgement = ["an acknowledgement"];
    let id = stage.talk.fresh_id();
    let empty = listen(stage, &id, json!({"notifications": {}}), false).await;
    match opened(stage, &empty).await {
        Opened::Answered(reply) if reply.error_code() == Some(-32601) => {
            for id in [EMPTY, UNKNOWN, REQUIRED] {
                stage.judge.undecided(id, "unknown-method", "`subscriptions/listen` is not there");
            }
            return;
        }
        Opened::Acknowledged(_) => stage.judge.held(EMPTY),
        Opened::Answered(reply) if reply.is_error() => stage.judge.broke(
            EMPTY,
            breach("refused", "a subscription with an empty filter was refused", &empty.ticket, &reply)
                .expected(&acknowledgement),
        ),
        _ => stage.judge.undecided(EMPTY, "no-answer", "neither an acknowledgement nor an error came"),
    }
    end(stage, &empty).await;
    let id = stage.talk.fresh_id();
    let filter = json!({"toolsListChanged": true, "com.example/mcprove": true});
    let unknown = listen(stage, &id, json!({"notifications": filter}), true).await;
    match opened(stage, &unknown).await {
        Opened::Acknowledged(heard) => {
            let echoed = heard
                .message
                .params()
                .and_then(|params| params.get("notifications")?.get("com.example/mcprove").cloned());
            stage.judge.decide(UNKNOWN, echoed.is_none(), || {
                crate::monitors::Breach::new("echoed", "an unknown filter field was acknowledged")
                    .quality()
                    .expected(&["an acknowledgement without it"])
                    .actual("the field as it was sent")
                    .at(&heard.record)
                    .sent(unknown.ticket.since)
                    .pointer("/params/notifications")
            });
        }
        Opened::Answered(reply) if reply.is_error() => stage.judge.broke(
            UNKNOWN,
            breach("refused", "a filter with an unknown field was refused", &unknown.ticket, &reply)
                .quality()
                .expected(&acknowledgement),
        ),
        _ => stage.judge.undecided(UNKNOWN, "no-answer", "neither an acknowledgement nor an error came"),
    }
    end(stage, &unknown).await;
    let id = stage.talk.fresh_id();
    let without = listen(stage, &id, json!({}), true).await;
    let expected = ["error -32602 (invalid params)"];
    match opened(stage, &without).await {
        Opened::Answered(reply) if reply.is_error() => {
            stage.judge.decide(REQUIRED, reply.error_code() == Some(-32602), || {
                let text = "a subscription without a filter was refused with another code";
                breach("other-code", text, &without.ticket, &reply).quality().expected(&expected)
            });
        }
        Opened::Acknowledged(heard) => {
            stage.judge.broke(
                REQUIRED,
                crate::monitors::Breach::new(
                    "acknowledged",
                    "a subscription without a filter was acknowledged",
                )
                .quality()
                .expected(&expected)
                .actual("an acknowledgement")
                .at(&heard.record)
                .sent(without.ticket.since),
            );
            end(stage, &without).await;
        }
        _ => stage.judge.undecided(REQUIRED, "no-answer", "neither an acknowledgement nor an error came"),
    }
}

async fn closed_streams_end_subscriptions(stage: &mut Stage<'_>) {
    const ID: &str = "subscriptions.end.client-close-http";
    if !takes_subscriptions(stage) {
        let text = "the server declares nothing that can be subscribed to";
        return stage.judge.not_applicable(ID, "nothing-to-subscribe", text);
    }
    for round in 0..=OFTEN {
        let id = stage.talk.fresh_id();
        let filter = json!({"notifications": {"toolsListChanged": true, "promptsListChanged": true}});
        let listening = listen(stage, &id, filter, false).await;
        let came = opened(stage, &listening).await;
        end(stage, &listening).await;
        match came {
            Opened::Acknowledged(_) => {}
            _ if round == 0 => {
                return stage.judge.undecided(ID, "no-subscription", "no subscription was acknowledged");
            }
            Opened::Answered(reply) => {
                let text = format!("after {round} streams were opened and closed, another one was not");
                return stage.judge.broke(
                    ID,
                    breach("used-up", text, &listening.ticket, &reply)
                        .quality()
                        .expected(&["an acknowledgement"]),
                );
            }
            Opened::Nothing => {
                return stage.judge.undecided(ID, "no-answer", "an acknowledgement did not come in time");
            }
        }
    }
    let alive = stage.talk.canary().await;
    if alive.result().is_some() {
        stage.judge.held(ID);
    }
}

async fn last_subscription_is_left_open(stage: &mut Stage<'_>) {
    if takes_subscriptions(stage) {
        let id = stage.talk.fresh_id();
        let filter = json!({"notifications": {"toolsListChanged": true, "resourcesListChanged": true}});
        let listening = listen(stage, &id, filter, false).await;
        opened(stage, &listening).await;
    }
}

/// The text of an id, whatever its JSON type.
pub(super) fn bare(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}
