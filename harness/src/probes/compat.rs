//! Servers of the newer era and clients of the older one: what becomes of `initialize` where only 2026-07-28 is spoken, and
//! how the eras get along where both are (2026-07-28, basic/versioning#compatibility-matrix).

use super::lifecycle::{initialize, on_purpose};
use super::probe::probes;
use super::versioning::is_own_process;
use super::{Solo, breach};
use crate::client::{Conversation, HttpEdits, Outgoing, Reply, Ticket};
use crate::protocol::{Era, Revision};
use serde_json::{Value, json};
use std::time::Duration;

probes! {
    /// Where both eras are spoken: opens a legacy session and a modern conversation side by side over HTTP and takes turns.
    /// Both are served, each by its own rules, and neither disturbs the other. Over STDIO a process may keep to the era in
    /// which it was opened; there `initialize` in a process that spoke the newer era is served or refused, as it likes.
    eras_live_side_by_side (AloneForEra, Modern, Http) decides [
        "compat.dual-era.initialize-selects-legacy", "compat.dual-era.negotiated-revision-followed",
        "compat.dual-era.eras-not-mixed",
    ];
}

const SELECTS: &str = "compat.dual-era.initialize-selects-legacy";
const FOLLOWED: &str = "compat.dual-era.negotiated-revision-followed";
const NOT_MIXED: &str = "compat.dual-era.eras-not-mixed";
const SERVED: &str = "compat.dual-era.modern-meta-selects-modern";
const NAMES: &str = "compat.initialize-refusal-names-versions";
const ON_STDIO: &str = "compat.initialize-refused-on-stdio";
const ON_HTTP: &str = "compat.initialize-refused-on-http";

/// Says of a server of one era that what is about both does not apply.
fn one_era(solo: &mut Solo<'_>, ids: &[&'static str]) {
    for id in ids {
        solo.judge.not_applicable(id, "one-era", "the server speaks 2026-07-28 only");
    }
}

async fn eras_live_side_by_side(solo: &mut Solo<'_>) {
    let ids = [SELECTS, FOLLOWED, NOT_MIXED];
    if !solo.dual_era {
        return one_era(solo, &ids);
    }
    let method = solo.known().await.offer.listed.first().copied().unwrap_or("server/discover");
    let Ok((mut old, mut new)) = solo.opener.open_two(solo.name, None).await else {
        for id in ids {
            solo.judge.undecided(id, "no-conversation", "two further conversations could not be opened");
        }
        return;
    };
    let begun = begin_legacy(&mut old.talk).await;
    new.talk.speak_modern(solo.revision);
    if begun.is_none() {
        for id in ids {
            solo.judge.undecided(
                id,
                "no-handshake",
                "`initialize` was not answered with a version to go on with",
            );
        }
    } else {
        let mut served = (0, 0);
        for _ in 0..2 {
            let (ticket, reply) = ask(&mut new.talk, method).await;
            solo.judge.about(new.talk.recorder());
            served.0 += u32::from(judge_modern(solo, &[SELECTS, NOT_MIXED], method, &ticket, &reply));
            let legacy = if method == "server/discover" { "ping" } else { method };
            let (ticket, reply) = ask(&mut old.talk, legacy).await;
            solo.judge.about(old.talk.recorder());
            served.1 += u32::from(judge_legacy(solo, &[FOLLOWED, NOT_MIXED], legacy, &ticket, &reply));
        }
        for (id, good) in [(SELECTS, served.0 == 2), (FOLLOWED, served.1 == 2), (NOT_MIXED, served == (2, 2))]
        {
            if good {
                solo.judge.held(id);
            }
        }
    }
    solo.close(old).await;
    solo.close(new).await;
}

/// Opens the older era; the revision that was agreed on.
async fn begin_legacy(talk: &mut Conversation) -> Option<Revision> {
    let reply = talk.initialize(Revision::V2025_11_25.as_str()).await;
    talk.agree(&reply).ok()?;
    talk.initialized().await;
    talk.revision()
}

async fn ask(talk: &mut Conversation, method: &str) -> (Ticket, Reply) {
    let outgoing = talk.compose(method, json!({}));
    let ticket = talk.send(outgoing).await;
    let reply = talk.reply(&ticket).await;
    (ticket, reply)
}

/// Judges what should be an answer of the newer era; whether it was one.
fn judge_modern(
    solo: &mut Solo<'_>,
    ids: &[&'static str],
    method: &str,
    ticket: &Ticket,
    reply: &Reply,
) -> bool {
    let class = match reply {
        Reply::Result(_) if reply.result().is_some_and(|result| result["resultType"].is_string()) => {
            return true;
        }
        Reply::Result(_) => "legacy-result",
        Reply::Error(_) => "refused",
        _ => {
            for id in ids {
                let text = format!("no usable answer came: {}", reply.describe());
                solo.judge.undecided(id, "no-answer", text);
            }
            return false;
        }
    };
    for id in ids {
        let message = format!("`{method}` with the metadata of 2026-07-28 was not served by that revision");
        solo.judge.broke(id, breach(class, message, ticket, reply).expected(&["a result with `resultType`"]));
    }
    false
}

/// Judges what should be an answer in a legacy session; whether it was one.
fn judge_legacy(
    solo: &mut Solo<'_>,
    ids: &[&'static str],
    method: &str,
    ticket: &Ticket,
    reply: &Reply,
) -> bool {
    match reply {
        Reply::Result(_) => true,
        Reply::Error(_) => {
            for id in ids {
                let message = format!("`{method}` in a session that `initialize` opened was refused");
                solo.judge.broke(id, breach("refused", message, ticket, reply).expected(&["a result"]));
            }
            false
        }
        _ => {
            for id in ids {
                let text = format!("no usable answer came: {}", reply.describe());
                solo.judge.undecided(id, "no-answer", text);
            }
            false
        }
    }
}

/// Judges the first answer on a fresh connection, which nobody had told which era it is in.
pub(super) fn first_answer(solo: &mut Solo<'_>, method: &str, ticket: &Ticket, reply: &Reply) {
    if !solo.dual_era {
        return one_era(solo, &[SERVED, SELECTS, FOLLOWED, NOT_MIXED]);
    }
    let own_process = is_own_process(solo.opener.binding().transport());
    // Other processes were opened by `initialize`, and this one was not.
    let ids: &[&'static str] = if own_process { &[SERVED, SELECTS] } else { &[SERVED] };
    if judge_modern(solo, ids, method, ticket, reply) {
        for id in ids {
            solo.judge.held(id);
        }
    }
}

/// `initialize` at the end of a conversation of the newer era.
pub(super) async fn late_initialize(solo: &mut Solo<'_>, talk: &mut Conversation) {
    match (solo.dual_era, is_own_process(talk.transport())) {
        (true, own_process) => {
            for id in [NAMES, if own_process { ON_STDIO } else { ON_HTTP }] {
                solo.judge.not_applicable(id, "dual-era", "the server speaks both eras");
            }
            if own_process {
                switch_era(solo, talk).await;
            }
        }
        (false, _) => refused_initialize(solo, talk).await,
    }
}

/// How long an answer is waited for that need not come.
const PATIENCE: Duration = Duration::from_secs(2);

/// In a process that spoke the newer era a server of both may keep to that era, whatever it says to `initialize`: what is
/// served from then on by the older one is seen, what is refused is not judged.
async fn switch_era(solo: &mut Solo<'_>, talk: &mut Conversation) {
    let kept = "a process that spoke the newer era does not go over to the older one";
    let version = Revision::V2025_11_25.as_str();
    let outgoing = initialize(talk, version, &json!({}), &crate::client::client_info());
    let ticket = talk.send(outgoing).await;
    let reply = talk.reply_within(&ticket, PATIENCE).await;
    let agreed = reply.result().and_then(|result| result.get("protocolVersion")?.as_str()?.parse().ok());
    if agreed.is_none_or(|revision: Revision| revision.era() == Era::Modern) {
        return solo.judge.undecided(FOLLOWED, "era-kept", kept);
    }
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    talk.send(Outgoing::message(&initialized)).await;
    let method = solo.known().await.offer.listed.first().copied().unwrap_or("ping");
    for method in ["ping", method] {
        let id = talk.fresh_id();
        let ticket = talk.send(Outgoing::request(&id, method, None)).await;
        if talk.reply_within(&ticket, PATIENCE).await.result().is_none() {
            return solo.judge.undecided(FOLLOWED, "era-kept", kept);
        }
    }
    solo.judge.held(FOLLOWED);
}

/// An `initialize` as an older client sends it: without metadata, and over HTTP without the newer headers.
async fn refused_initialize(solo: &mut Solo<'_>, talk: &mut Conversation) {
    let over_http = talk.transport().is_http();
    let version = Revision::V2025_11_25.as_str();
    let outgoing = initialize(talk, version, &json!({}), &crate::client::client_info());
    let headers = ["MCP-Protocol-Version", "Mcp-Method"];
    let edits = headers.into_iter().fold(HttpEdits::default(), HttpEdits::without);
    let (ticket, reply) = on_purpose(solo, talk, outgoing.http(edits)).await;
    let seen = |class: &str, message: &str| breach(class, message, &ticket, &reply);
    let id = if over_http { ON_HTTP } else { ON_STDIO };
    match &reply {
        Reply::Result(_) => return solo.judge.undecided(id, "served", "`initialize` was served after all"),
        Reply::Silence(_) => {
            return solo.judge.broke(
                id,
                seen("silence", "`initialize` got no answer").expected(&["a JSON-RPC error of any code"]),
            );
        }
        Reply::Gone(_) => return solo.judge.undecided(id, "no-answer", reply.describe()),
        _ if over_http => {
            let status = reply.status().unwrap_or_default();
            solo.judge.decide(ON_HTTP, status == 400, || {
                seen("status", "`initialize` of an older client was not refused with 400")
                    .expected(&["HTTP 400"])
                    .actual(format!("HTTP {status}"))
            });
        }
        _ => solo.judge.decide(ON_STDIO, reply.is_error(), || {
            seen("no-error", "`initialize` was not answered with an error").expected(&["a JSON-RPC error"])
        }),
    }
    if !reply.is_error() {
        return;
    }
    let error = reply.answer().and_then(|answer| answer.message.error()).map(Value::to_string);
    let named = error.is_some_and(|error| error.contains(Revision::V2026_07_28.as_str()));
    solo.judge.decide(NAMES, named, || {
        seen("unnamed", "the error that refuses `initialize` does not say which versions there are")
            .expected(&["a version that the server speaks, in the message or the data"])
            .pointer("/error")
    });
}
