//! JSON-RPC under test: valid requests of every kind (basic/index).

use super::Stage;
use super::probe::{breach, probes};
use crate::client::{Outgoing, Reply};
use crate::protocol::{Era, Id, Kind};
use crate::wire::Taint;
use serde_json::json;
use std::time::Duration;

probes! {
    /// After the handshake, sends the simplest request there is (`ping`, in 2026-07-28 `server/discover`). A result
    /// passes. Everything else in the protocol is optional; this is not.
    the_base_protocol_works (Clean, Both, Any) decides ["base.protocol.core-supported"];
    /// Sends a request for a method that does not exist, valid in every other way. The answer is error -32601: clients
    /// detect features by it, and another code makes them take an optional feature for a broken one.
    unknown_method_is_not_found (Clean, Both, Any) decides
        ["base.error.method-not-found-code", "base.error.standard-codes", "base.error.same-id"];
    /// Sends harmless requests (`ping`, in 2026-07-28 `server/discover`) with ids of every legal kind: zero, negative,
    /// beyond 32 bits, the largest exact integer, strings that look like numbers, the empty string, other alphabets,
    /// 1 KiB. Each answer carries the same id, in value and JSON type. A client that gets another one waits for ever.
    answers_carry_the_id_of_the_request (Clean, Both, Any) decides
        ["base.response.same-id", "base.request.both-id-types-accepted"];
    /// Sends twenty harmless requests without waiting in between. Each must be answered; in which order, and whether
    /// side by side or one after the other, is the server's choice. Clients ask for several things at once.
    concurrent_requests_are_all_answered (Clean, Both, Any) decides ["base.request.concurrent"];
    /// Sends a list request (or the harmless request) with an additional member in `params`. It is answered as without
    /// it: newer clients send members that older servers do not know.
    unknown_members_of_params_are_ignored (Clean, Both, Any) decides ["base.request.unknown-params-tolerated"];
    /// In 2026-07-28 reads a resource that cannot exist. An error with the retired code -32002 fails.
    missing_resources_have_the_new_code (Clean, Modern, Any) decides
        ["base.error.retired-not-found-code-unused"];
}

async fn the_base_protocol_works(stage: &mut Stage<'_>) {
    const ID: &str = "base.protocol.core-supported";
    let method = stage.harmless();
    let (ticket, reply) = stage.request(method, json!({})).await;
    match &reply {
        Reply::Result(_) => stage.judge.held(ID),
        Reply::Error(_) => stage.judge.broke(
            ID,
            breach("error", format!("`{method}` after the handshake was refused"), &ticket, &reply)
                .expected(&["a result"]),
        ),
        _ => stage.judge.undecided(ID, "no-answer", format!("no usable answer came: {}", reply.describe())),
    }
}

async fn unknown_method_is_not_found(stage: &mut Stage<'_>) {
    const ID: &str = "base.error.method-not-found-code";
    const GENERAL: &str = "base.error.standard-codes";
    let (ticket, reply) = stage.request("mcprove/no-such-method", json!({})).await;
    let message = "a request for a method that does not exist was not answered with error -32601";
    let wrong = |class: &str, pointer: &str| {
        breach(class, message, &ticket, &reply)
            .expected(&["error -32601 (method not found)"])
            .pointer(pointer)
    };
    match &reply {
        Reply::Error(answer) if answer.message.error_code() == Some(-32601) => {
            stage.judge.held(ID);
            stage.judge.held(GENERAL);
        }
        Reply::Error(answer) if answer.message.error_code().is_none() => {
            stage.judge.undecided(ID, "no-code", "the error has no code that could be read");
        }
        Reply::Error(_) => {
            stage.judge.broke(ID, wrong("other-code", "/error/code"));
            stage.judge.broke(GENERAL, wrong("other-code", "/error/code"));
        }
        Reply::Result(_) => {
            stage.judge.broke(ID, wrong("result", "/result"));
            stage.judge.broke(GENERAL, wrong("result", "/result"));
        }
        // A refusal by a gateway, silence and death are judged by their own rows.
        _ => {
            stage.judge.undecided(ID, "no-answer", format!("no usable answer came: {}", reply.describe()));
            let lost = stage.talk.heard_since(ticket.since).into_iter().find(|heard| {
                *heard.message.kind() == Kind::Error && heard.message.id().is_none_or(Id::is_null)
            });
            if let (Some(lost), Reply::Silence(_)) = (lost, &reply) {
                stage.judge.broke(
                    "base.error.same-id",
                    breach("no-id", "an error does not carry the id of its request", &ticket, &reply)
                        .expected(&["the id of the request"])
                        .at(&lost.record),
                );
            }
        }
    }
}

async fn answers_carry_the_id_of_the_request(stage: &mut Stage<'_>) {
    const TYPES: &str = "base.request.both-id-types-accepted";
    let ids = [
        Id::number(0),
        Id::number(-7),
        Id::number(2_147_483_648),
        Id::number(9_007_199_254_740_991),
        // No id of another request, should it come back as a number.
        Id::string("900719925"),
        Id::string(""),
        Id::string(" A b "),
        Id::string("ключ-鍵-🔑"),
        Id::string(&"long".repeat(256)),
    ];
    // A subscription has the empty one, and no id is used twice.
    let subscribes = stage.era() == Era::Modern;
    let ids = ids.into_iter().filter(|id| !(subscribes && *id == Id::string("")));
    let method = stage.harmless();
    let (_, usual) = stage.request(method, json!({})).await;
    if usual.result().is_none() {
        return stage.judge.undecided(
            TYPES,
            "no-answer",
            format!("no usable answer came: {}", usual.describe()),
        );
    }
    let mut types_served = (false, false);
    for id in ids {
        let outgoing = Outgoing::request(&id, method, stage.talk.params(json!({})));
        // Valid, but what comes is judged here and by the rules on ids alone.
        let ticket = stage.talk.send(outgoing.deliberate(stage.name, Taint::Message)).await;
        let reply = stage.talk.reply(&ticket).await;
        match &reply {
            Reply::Result(_) => {
                stage.judge.held("base.response.same-id");
                if id.is_integer() { types_served.0 = true } else { types_served.1 = true }
            }
            Reply::Error(_) => stage.judge.broke(
                TYPES,
                breach("refused", "a request with a legal id was refused", &ticket, &reply)
                    .expected(&["a result, whichever type and value the id has"]),
            ),
            // A response with another id is told by the monitors; it was seen on its way in.
            Reply::Silence(_) => {
                if responses_since(stage, ticket.since) == 0 {
                    stage.judge.broke(
                        TYPES,
                        breach("silence", "a request with a legal id was not answered", &ticket, &reply)
                            .expected(&["a result, whichever type and value the id has"]),
                    );
                }
                break;
            }
            // Its message went to somebody else's place: the monitors tell it.
            Reply::Unmatched(_) => {}
            Reply::NoMessage(head) if matches!(head.status, 401 | 403 | 429 | 502..=504) => {
                return stage.judge.unseen(TYPES, "no-answer", reply.describe());
            }
            Reply::NoMessage(_) => stage.judge.broke(
                TYPES,
                breach(
                    "no-message",
                    "a request with a legal id was answered with no message",
                    &ticket,
                    &reply,
                )
                .expected(&["a result, whichever type and value the id has"]),
            ),
            Reply::Gone(_) => return stage.judge.unseen(TYPES, "gone", reply.describe()),
        }
    }
    if types_served == (true, true) {
        stage.judge.held(TYPES);
    }
}

async fn concurrent_requests_are_all_answered(stage: &mut Stage<'_>) {
    const ID: &str = "base.request.concurrent";
    const MANY: usize = 20;
    let method = stage.light_request();
    let since = stage.talk.now();
    let mut tickets = Vec::with_capacity(MANY);
    for _ in 0..MANY {
        let outgoing = stage.talk.compose(method, json!({}));
        tickets.push(stage.talk.send(outgoing).await);
    }
    let mut waiting = stage.talk.timeouts().request;
    let mut unanswered = None;
    let mut answered = 0;
    for ticket in tickets {
        let reply = stage.talk.reply_within(&ticket, waiting).await;
        match reply {
            Reply::Silence(_) => {
                // All of them had the same time.
                waiting = Duration::ZERO;
                stage.talk.note_timed_out(&ticket);
                unanswered.get_or_insert((ticket, reply));
            }
            Reply::Gone(_) => {
                return stage.judge.undecided(ID, "gone", reply.describe());
            }
            _ => answered += 1,
        }
    }
    match unanswered {
        None => stage.judge.held(ID),
        // They came, but not as answers to these requests: that is told by the monitors.
        Some(_) if responses_since(stage, since) >= MANY => {
            stage.judge.undecided(ID, "other-ids", "the answers carry other ids than the requests");
        }
        Some((ticket, reply)) => stage.judge.broke(
            ID,
            breach("unanswered", "of several requests sent at once some were not answered", &ticket, &reply)
                .expected(&["one answer for each request"])
                .actual(format!("{answered} answers to {MANY} requests")),
        ),
    }
}

/// How many responses came since a position.
pub(super) fn responses_since(stage: &mut Stage<'_>, since: u64) -> usize {
    stage.talk.heard_since(since).iter().filter(|heard| heard.message.is_response()).count()
}

async fn unknown_members_of_params_are_ignored(stage: &mut Stage<'_>) {
    const ID: &str = "base.request.unknown-params-tolerated";
    let method = stage.light_request();
    let (_, plain) = stage.request(method, json!({})).await;
    let outgoing = stage.talk.compose(method, json!({"x-mcprove": {"any": ["thing"]}}));
    // Valid, but what it provokes is judged here alone.
    let ticket = stage.talk.send(outgoing.deliberate(stage.name, Taint::Message)).await;
    let reply = stage.talk.reply(&ticket).await;
    match (&plain, &reply) {
        (Reply::Result(_), Reply::Result(_)) => stage.judge.held(ID),
        (Reply::Result(_), Reply::Error(_)) => stage.judge.broke(
            ID,
            breach(
                "refused",
                format!("`{method}` with an unknown member in `params` was refused"),
                &ticket,
                &reply,
            )
            .quality()
            .expected(&["the same as without that member"]),
        ),
        _ => stage.judge.undecided(ID, "no-answer", format!("no usable answer came: {}", reply.describe())),
    }
}

async fn missing_resources_have_the_new_code(stage: &mut Stage<'_>) {
    if !stage.declares("resources") {
        return;
    }
    let uri = format!("mcprove://no-such-authority-{:x}/nothing", stage.settings.seed);
    // The monitor of error codes looks at the answer.
    stage.request("resources/read", json!({"uri": uri})).await;
}
