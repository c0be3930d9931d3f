//! A fresh conversation of 2026-07-28: nothing precedes its first request, and it stands beside the main one.

use super::compat;
use super::elsewhere;
use super::lifecycle::on_purpose;
use super::probe::probes;
use super::versioning::{judge_removed, naming};
use super::{Solo, breach};
use crate::client::{Conversation, HttpEdits, Outgoing, Reply, Ticket, mrtr, with_meta};
use crate::protocol::Revision;
use serde_json::{Value, json};

probes! {
    /// Opens a fresh process or connection and begins with a listing that carries its `_meta`: no handshake is needed.
    /// The lists and the answer to `server/discover` are the same as in the other conversation, and a cursor from
    /// there goes on here: nothing hangs on a connection, so that any instance of a server can serve any request.
    /// A list may change at any time: where one differs, this connection, a fresh one and this one again are asked in
    /// turn, several times over, and only what differs between the two and stays the same on this one is a finding.
    /// At last it gets the `initialize` of an older client: a server of this era only refuses it, and says which
    /// versions there are; over HTTP with status 400.
    fresh_connection_is_served_alike (AloneForEra, Modern, Any) decides [
        "versioning.request.no-handshake-needed", "discover.connection-independent",
        "tools.list.same-on-every-connection", "resources.list.same-on-every-connection",
        "prompts.list.same-on-every-connection",
        "tools.list.unaffected-by-requests", "resources.list.unaffected-by-requests",
        "prompts.list.unaffected-by-requests", "pagination.cursor.any-connection",
        "versioning.request.legacy-version-refused", "versioning.removed-methods-unknown",
        "meta.request.absent-refused", "meta.request.version-missing-refused",
        "meta.request.capabilities-missing-refused", "meta.request.wrong-type-refused",
        "meta.request.refusal-http-status", "capabilities.client.missing-error",
        "capabilities.client.only-declared-used", "capabilities.client.missing-error-http-status",
        "base.stateless.capabilities-not-inferred",
        "compat.dual-era.modern-meta-selects-modern", "compat.dual-era.initialize-selects-legacy",
        "compat.dual-era.negotiated-revision-followed", "compat.initialize-refusal-names-versions",
        "compat.initialize-refused-on-stdio", "compat.initialize-refused-on-http",
    ];
}

const NO_HANDSHAKE: &str = "versioning.request.no-handshake-needed";

async fn fresh_connection_is_served_alike(solo: &mut Solo<'_>) {
    let Ok(mut opened) = solo.open(Some(solo.revision)).await else {
        return solo.judge.undecided(
            NO_HANDSHAKE,
            "no-conversation",
            "a further conversation could not be opened",
        );
    };
    opened.talk.speak_modern(solo.revision);
    // The main conversations, which are waited for now, may need the place.
    opened.step_aside();
    let method = solo.known().await.offer.listed.first().copied().unwrap_or("server/discover");
    let outgoing = opened.talk.compose(method, json!({}));
    let ticket = opened.talk.send(outgoing).await;
    let reply = opened.talk.reply(&ticket).await;
    match &reply {
        Reply::Result(_) => solo.judge.held(NO_HANDSHAKE),
        Reply::Error(_) => solo.judge.broke(
            NO_HANDSHAKE,
            breach("refused", format!("`{method}` as the first request was refused"), &ticket, &reply)
                .expected(&["a result"])
                .pointer("/error"),
        ),
        _ => solo.judge.undecided(
            NO_HANDSHAKE,
            "no-answer",
            format!("no usable answer came: {}", reply.describe()),
        ),
    }
    compat::first_answer(solo, method, &ticket, &reply);
    if opened.talk.gone().is_none() {
        elsewhere::compare(solo, &mut opened).await;
        without_capabilities(solo, &mut opened.talk).await;
        malformed_metadata(solo, &mut opened.talk).await;
        legacy_version(solo, &mut opened.talk).await;
        compat::late_initialize(solo, &mut opened.talk).await;
    }
    solo.close(opened).await;
}

/// Calls tools that asked for input before, with no client capability declared: they refuse by -32021, or do without.
async fn without_capabilities(solo: &mut Solo<'_>, talk: &mut Conversation) {
    const ID: &str = "capabilities.client.missing-error";
    const USED: &str = "capabilities.client.only-declared-used";
    const INFERRED: &str = "base.stateless.capabilities-not-inferred";
    let known = solo.known().await;
    for call in known.offer.calls.iter().filter(|call| call.asked_for_input).take(3) {
        let calling = |talk: &mut Conversation, bare: bool| {
            let mut params =
                with_meta(json!({"name": call.tool, "arguments": call.arguments}), solo.revision.as_str());
            if bare {
                params["_meta"][CAPABILITIES] = json!({});
            }
            let mut outgoing = Outgoing::request(&talk.fresh_id(), "tools/call", Some(params));
            outgoing.mirrored = known.offer.mirrored(talk, &call.tool, &call.arguments);
            outgoing
        };
        let outgoing = calling(talk, true);
        let ticket = talk.send(outgoing).await;
        let reply = talk.reply(&ticket).await;
        let message =
            format!("`{}`, which asks for input, was called without client capabilities", call.tool);
        let seen = |class: &str| {
            breach(class, message.clone(), &ticket, &reply).expected(&["error -32021", "a complete result"])
        };
        match &reply {
            Reply::Error(_) if reply.error_code() == Some(-32021) => {
                solo.judge.held(ID);
                solo.judge.held(USED);
                // What went before on this connection declared all of them.
                solo.judge.held(INFERRED);
                if let Some(status) = reply.status() {
                    let streamed = talk.head(&ticket).await.is_ok_and(|head| head.is_event_stream());
                    solo.judge.decide("capabilities.client.missing-error-http-status", status == 400, || {
                        let status_seen =
                            seen("status").expected(&["HTTP 400"]).actual(format!("HTTP {status}"));
                        // An event stream that is open already cannot change its status.
                        if streamed { status_seen.quality() } else { status_seen }
                    });
                }
            }
            Reply::Error(_) => solo.judge.broke(ID, seen("other-code").pointer("/error/code")),
            Reply::Result(answer) => match answer.message.result() {
                // Nothing is asked of the client: it is to come again, as a server that is busy may say.
                Some(result) if mrtr::demands_input(result) && !mrtr::asks(result) => {
                    let text = "the call is to be made again, and nothing was asked";
                    solo.judge.undecided(ID, "state-only", text);
                }
                // The monitors tell this one.
                Some(result) if mrtr::demands_input(result) => {
                    solo.judge.broke(ID, seen("asked").see(USED));
                    solo.judge.broke(INFERRED, seen("asked").see(USED));
                }
                Some(result) if result["isError"] == true => {
                    // What was done once may fail from then on, before anything is asked.
                    let outgoing = calling(talk, false);
                    let again = talk.exchange(outgoing).await;
                    if again.result().is_some_and(mrtr::demands_input) {
                        solo.judge.broke(ID, seen("is-error").quality());
                    } else {
                        let text = "the call that asked for input asks no more";
                        solo.judge.undecided(ID, "not-asked", text);
                    }
                }
                _ => {
                    solo.judge.held(ID);
                    solo.judge.held(USED);
                    solo.judge.held(INFERRED);
                }
            },
            _ => {
                solo.judge.undecided(ID, "no-answer", format!("no usable answer came: {}", reply.describe()));
            }
        }
    }
}

/// A known version of the other era, named in a request of this one; and `initialize`, which this era no longer has.
async fn legacy_version(solo: &mut Solo<'_>, talk: &mut Conversation) {
    const ID: &str = "versioning.request.legacy-version-refused";
    if solo.dual_era {
        return solo.judge.undecided(
            ID,
            "dual-era",
            "a server of both eras may serve such a request as it likes",
        );
    }
    let id = talk.fresh_id();
    let outgoing = naming(&id, "server/discover", Revision::V2025_11_25.as_str());
    let (ticket, reply) = on_purpose(solo, talk, outgoing).await;
    match &reply {
        Reply::Error(_) | Reply::Unmatched(_) if reply.error_code() == Some(-32022) => solo.judge.held(ID),
        Reply::Result(_) | Reply::Error(_) => solo.judge.broke(
            ID,
            breach(
                "other",
                "a request naming the version 2025-11-25 was not answered -32022",
                &ticket,
                &reply,
            )
            .expected(&["error -32022"]),
        ),
        _ => solo.judge.undecided(ID, "no-answer", format!("no usable answer came: {}", reply.describe())),
    }
    let outgoing = talk.compose("initialize", json!({
        "protocolVersion": solo.revision.as_str(), "capabilities": {}, "clientInfo": crate::client::client_info(),
    }));
    let (ticket, reply) = on_purpose(solo, talk, outgoing).await;
    // Any error will do that names versions; which code is left open.
    if !reply.is_error() || reply.error_code() == Some(-32601) {
        judge_removed(solo.judge, "versioning.removed-methods-unknown", "initialize", &ticket, &reply);
    }
}

/// How required metadata can be wrong.
struct Wrong {
    id: &'static str,
    class: &'static str,
    message: &'static str,
    /// Whether the version in the header cannot match, so that -32020 is as good.
    mismatch: bool,
    quality: bool,
    change: fn(&mut Value),
}

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

const WRONG: &[Wrong] = &[
    Wrong {
        id: "meta.request.capabilities-missing-refused",
        class: "capabilities",
        message: "a request without `clientCapabilities` in `_meta`",
        mismatch: false,
        quality: false,
        change: |params| drop(params["_meta"].as_object_mut().map(|meta| meta.remove(CAPABILITIES))),
    },
    Wrong {
        id: "meta.request.version-missing-refused",
        class: "version",
        message: "a request without `protocolVersion` in `_meta`",
        mismatch: true,
        quality: false,
        change: |params| drop(params["_meta"].as_object_mut().map(|meta| meta.remove(VERSION))),
    },
    Wrong {
        id: "meta.request.absent-refused",
        class: "absent",
        message: "a request without `_meta`",
        mismatch: true,
        quality: false,
        change: |params| drop(params.as_object_mut().map(|params| params.remove("_meta"))),
    },
    Wrong {
        id: "meta.request.wrong-type-refused",
        class: "capabilities-string",
        message: "a request whose `clientCapabilities` are a string",
        mismatch: false,
        quality: true,
        change: |params| params["_meta"][CAPABILITIES] = json!("none"),
    },
    Wrong {
        id: "meta.request.wrong-type-refused",
        class: "version-number",
        message: "a request whose `protocolVersion` is a number",
        mismatch: true,
        quality: true,
        change: |params| params["_meta"][VERSION] = json!(20_260_728),
    },
];

async fn malformed_metadata(solo: &mut Solo<'_>, talk: &mut Conversation) {
    let method = solo.known().await.offer.listed.first().copied().unwrap_or("server/discover");
    for wrong in WRONG {
        let claims_nothing = wrong.mismatch && !talk.transport().is_http();
        if solo.dual_era && claims_nothing {
            let text = "a server of both eras may take it for a request of the other one";
            solo.judge.undecided(wrong.id, "dual-era", text);
            continue;
        }
        let mut params = with_meta(json!({}), solo.revision.as_str());
        (wrong.change)(&mut params);
        let id = talk.fresh_id();
        let mut outgoing = Outgoing::request(&id, method, Some(params));
        // The header still says which version is meant.
        outgoing.version = Some(solo.revision.to_string());
        outgoing = outgoing.http(HttpEdits::default());
        let (ticket, reply) = on_purpose(solo, talk, outgoing).await;
        judge_wrong(solo, wrong, talk.transport().is_http(), &ticket, &reply);
        if talk.gone().is_some() {
            return;
        }
    }
}

fn judge_wrong(solo: &mut Solo<'_>, wrong: &Wrong, http: bool, ticket: &Ticket, reply: &Reply) {
    const STATUS: &str = "meta.request.refusal-http-status";
    let code = reply.error_code();
    let right = code == Some(-32602) || (wrong.mismatch && http && code == Some(-32020));
    let expected = ["error -32602 (invalid params)"];
    let seen = breach(wrong.class, format!("{} was not refused with -32602", wrong.message), ticket, reply)
        .expected(&expected);
    match reply {
        Reply::Error(_) | Reply::Unmatched(_) if right => solo.judge.held(wrong.id),
        Reply::Result(_) if wrong.quality => solo.judge.broke(wrong.id, seen.quality()),
        Reply::Result(_) => solo.judge.broke(wrong.id, seen),
        // Refused, with another code: a lesser matter; from a server of both eras it may be the other one's.
        Reply::Error(_) | Reply::Unmatched(_) if solo.dual_era => {
            solo.judge.undecided(
                wrong.id,
                "dual-era",
                format!("a server of both eras answered {}", reply.describe()),
            );
        }
        Reply::Error(_) | Reply::Unmatched(_) => solo.judge.broke(wrong.id, seen.quality()),
        _ => solo.judge.undecided(
            wrong.id,
            "no-answer",
            format!("no usable answer came: {}", reply.describe()),
        ),
    }
    let Some(status) = reply.status().filter(|_| http && reply.is_error() && !wrong.quality) else { return };
    if !right {
        return;
    }
    solo.judge.decide(STATUS, status == 400, || {
        breach(
            wrong.class,
            format!("{} was refused with another status than 400", wrong.message),
            ticket,
            reply,
        )
        .expected(&["HTTP 400"])
        .actual(format!("HTTP {status}"))
    });
}
