//! The legacy era's lifecycle under test (basic/lifecycle).

use super::http_origin::end_session;
use super::probe::probes;
use super::{Solo, Stage, breach};
use crate::client::{Conversation, Opened, Outgoing, Reply, Ticket};
use crate::monitors::Breach;
use crate::protocol::{Revision, Transport};
use crate::wire::{Event, Taint, header};
use serde_json::{Value, json};
use std::time::Duration;

/// How long a server is left alone before anything is sent.
const QUIET: Duration = Duration::from_secs(2);
/// How long an answer to what should not have been sent is waited for.
const ON_PURPOSE: Duration = Duration::from_secs(3);
/// How long `notifications/initialized` is held back.
const HELD_BACK: Duration = Duration::from_millis(500);

probes! {
    /// Lists or pings right after `notifications/initialized` without params: the server works. Without it nothing
    /// else could be tested.
    initialized_opens_the_conversation (Clean, Legacy, Any) decides ["lifecycle.initialize.initialized-accepted"];
    /// Starts the server, sends nothing for two seconds and listens (STDIO): before initialization a server may send
    /// pings and log messages, and nothing else. Then a listing and a ping come too early; any answer to the listing
    /// will do, silence and exit are a matter of quality. Then `initialize` with unknown client capabilities and
    /// unknown members of `clientInfo`, a ping, a cancellation of nothing, and `initialized` with an empty object: all of it
    /// works. In 2025-11-25 the client says that it can show pages and no forms: tools that asked for a form are called
    /// again, and ask for none. At last a
    /// second `initialize`, for another version, which should not silently switch the session (over HTTP it may begin
    /// another one beside it), and a third one that is cancelled at once, which no client may do: the server goes on.
    early_and_odd_openings_are_borne (AloneForEra, Legacy, Any) decides [
        "lifecycle.initialize.first", "lifecycle.pre-init.request-answered", "lifecycle.pre-init.ping-answered",
        "lifecycle.initialize.client-info-extras-tolerated", "capabilities.client.unknown-tolerated",
        "lifecycle.initialize.initialized-accepted", "lifecycle.initialize.repeat-refused",
        "cancellation.initialize-harmless", "cancellation.unknown-id-ignored", "elicitation.mode.declared-only",
        "capabilities.client.only-declared-used",
    ];
    /// Closes connections in the middle of an exchange, without a word, and opens a new session: it works. Clients go
    /// away like that all the time.
    closed_connections_do_no_harm (AloneForEra, Legacy, AnyHttp) decides ["lifecycle.shutdown.http-close-harmless"];
}

/// Why nothing is said where a ping is refused as a method that does not exist.
pub(super) const NO_PING: &str = "the server does not know `ping`: see ping.answered";
const ACCEPTED: &str = "lifecycle.initialize.initialized-accepted";

async fn initialized_opens_the_conversation(stage: &mut Stage<'_>) {
    let (ticket, reply) = stage.request("ping", json!({})).await;
    match &reply {
        Reply::Result(_) => stage.judge.held(ACCEPTED),
        _ if reply.error_code() == Some(-32601) => stage.judge.undecided(ACCEPTED, "no-ping", NO_PING),
        Reply::Error(_) => stage.judge.broke(
            ACCEPTED,
            breach("not-open", "after `notifications/initialized` a ping was refused", &ticket, &reply)
                .expected(&["an empty result"])
                .pointer("/error"),
        ),
        _ => {}
    }
}

async fn early_and_odd_openings_are_borne(solo: &mut Solo<'_>) {
    const FIRST: &str = "lifecycle.initialize.first";
    let Ok(mut opened) = solo.open(None).await else {
        for id in [FIRST, "lifecycle.pre-init.request-answered", "lifecycle.pre-init.ping-answered"] {
            solo.judge.undecided(id, "no-conversation", "a further conversation could not be opened");
        }
        return;
    };
    match opened.talk.transport() {
        Transport::Stdio => {
            opened.talk.idle(QUIET).await;
            judge_quiet(solo, &mut opened.talk);
        }
        Transport::HttpSse => {
            opened.talk.idle(opened.talk.timeouts().grace).await;
            judge_quiet(solo, &mut opened.talk);
        }
        Transport::Http => {
            solo.judge.not_applicable(
                FIRST,
                "transport",
                "over HTTP a server cannot speak before it is spoken to",
            );
        }
    }
    let early = if opened.talk.transport() == Transport::Stdio {
        early_on_stdio(solo, &mut opened.talk).await
    } else {
        early_over_http(solo, &mut opened.talk).await;
        Vec::new()
    };
    odd_opening(solo, &mut opened).await;
    judge_early(solo, &mut opened.talk, early).await;
    solo.close(opened).await;
}

fn judge_quiet(solo: &mut Solo<'_>, talk: &mut Conversation) {
    const ID: &str = "lifecycle.initialize.first";
    let mut good = true;
    for heard in talk.heard_since(0) {
        let method = heard.message.method().unwrap_or("a response");
        if !matches!(method, "ping" | "notifications/message") {
            good = false;
            solo.judge.broke(
                ID,
                Breach::new("early-message", "the server sent a message before it was initialized")
                    .expected(&["nothing, a ping, or a log message"])
                    .actual(format!("`{method}`"))
                    .at(&heard.record),
            );
        }
    }
    let opened = |event: &Event| {
        matches!(event, Event::ProcessStarted { .. } | Event::ResponseHead { status: 200, .. })
    };
    if good && talk.recorder().snapshot().iter().any(|record| opened(&record.event)) {
        solo.judge.held(ID);
    }
}

/// Sends something on purpose in a conversation of its own, and waits for the answer.
pub(super) async fn on_purpose(
    solo: &Solo<'_>,
    talk: &mut Conversation,
    outgoing: Outgoing,
) -> (Ticket, Reply) {
    let ticket = talk.send(outgoing.deliberate(solo.name, Taint::Message)).await;
    let reply = talk.reply_within(&ticket, talk.timeouts().request.min(ON_PURPOSE)).await;
    (ticket, reply)
}

const EARLY_REQUEST: &str = "lifecycle.pre-init.request-answered";
const EARLY_PING: &str = "lifecycle.pre-init.ping-answered";

/// Sends a listing and a ping before `initialize`, without waiting: a process that starts slowly is not one that keeps
/// silent. The answer to `initialize` will tell that it has started.
async fn early_on_stdio(solo: &Solo<'_>, talk: &mut Conversation) -> Vec<(&'static str, Ticket)> {
    let mut tickets = Vec::new();
    for (id, method) in [(EARLY_REQUEST, "tools/list"), (EARLY_PING, "ping")] {
        let request = Outgoing::request(&talk.fresh_id(), method, None);
        tickets.push((id, talk.send(request.deliberate(solo.name, Taint::Message)).await));
    }
    tickets
}

/// Over HTTP there may be no session yet in which to ping, so there is the listing alone.
async fn early_over_http(solo: &mut Solo<'_>, talk: &mut Conversation) {
    let request = Outgoing::request(&talk.fresh_id(), "tools/list", None);
    let ticket = talk.send(request.deliberate(solo.name, Taint::Message)).await;
    let reply = talk.reply(&ticket).await;
    judge_early_answer(solo, EARLY_REQUEST, &ticket, &reply);
}

async fn judge_early(solo: &mut Solo<'_>, talk: &mut Conversation, early: Vec<(&'static str, Ticket)>) {
    for (id, ticket) in early {
        let reply = talk.reply_within(&ticket, talk.timeouts().grace).await;
        judge_early_answer(solo, id, &ticket, &reply);
    }
}

fn judge_early_answer(solo: &mut Solo<'_>, id: &'static str, ticket: &Ticket, reply: &Reply) {
    let ping = id == EARLY_PING;
    match reply {
        Reply::Result(_) => solo.judge.held(id),
        Reply::Error(_) | Reply::Unmatched(_) if !ping => solo.judge.held(id),
        Reply::NoMessage(head) if head.status >= 400 => solo.judge.held(id),
        Reply::Gone(crate::client::Gone::ConnectFailed(why)) => {
            solo.judge.undecided(id, "no-connection", why.clone());
        }
        // The end of the process is told for the first of them.
        Reply::Gone(_) if ping => solo.judge.undecided(id, "gone", "the process ended on what came before"),
        _ if ping && reply.error_code() == Some(-32601) => solo.judge.undecided(id, "no-ping", NO_PING),
        _ if ping => solo.judge.broke(
            id,
            breach(
                "before-initialize",
                "a ping before `initialize` was not answered with a result",
                ticket,
                reply,
            )
            .expected(&["an empty result"]),
        ),
        _ => solo.judge.broke(
            id,
            breach("no-answer", "a request sent before `initialize` got no answer", ticket, reply)
                .quality()
                .expected(&["an error", "an HTTP status of 400 or more", "a result"]),
        ),
    }
}

/// An `initialize` request.
pub(super) fn initialize(
    talk: &mut Conversation,
    version: &str,
    capabilities: &Value,
    info: &Value,
) -> Outgoing {
    let params = json!({"protocolVersion": version, "capabilities": capabilities, "clientInfo": info});
    let id = talk.fresh_id();
    Outgoing::request(&id, "initialize", Some(params))
}

fn odd_info(revision: Revision) -> Value {
    let mut info = crate::client::client_info();
    if revision >= Revision::V2025_06_18 {
        info["title"] = json!("mcprove");
    }
    if revision >= Revision::V2025_11_25 {
        info["description"] = json!("Conformance harness");
        info["websiteUrl"] = json!("https://mcprove.example/");
        info["icons"] =
            json!([{"src": "data:image/png;base64,iVBORw0KGgo=", "mimeType": "image/png", "sizes": ["any"]}]);
    }
    info["mcproveUnknown"] = json!({"a": [1]});
    info
}

async fn odd_opening(solo: &mut Solo<'_>, opened: &mut Opened) {
    const INFO: &str = "lifecycle.initialize.client-info-extras-tolerated";
    const CAPABILITIES: &str = "capabilities.client.unknown-tolerated";
    let talk = &mut opened.talk;
    let revision = solo.revision;
    let mut odd = crate::client::capabilities(revision);
    odd["experimental"] = json!({"com.example/x": {}});
    odd["mcproveUnknown"] = json!({"a": 1});
    if revision == Revision::V2025_11_25 {
        odd["elicitation"] = json!({"url": {}});
    }
    // Both at once: where it works both are borne, and where it does not they are tried one by one.
    let plain = (crate::client::capabilities(revision), crate::client::client_info());
    let both = (odd.clone(), odd_info(revision));
    let (ticket, reply) = opening(talk, revision, &both).await;
    if reply.result().is_some() {
        solo.judge.held(INFO);
        solo.judge.held(CAPABILITIES);
        return opened_oddly(solo, opened, &reply, &odd).await;
    }
    let message = "`initialize` with members that the server does not know was refused";
    let seen =
        |ticket: &Ticket, reply: &Reply| breach("refused", message, ticket, reply).expected(&["a result"]);
    let with_info = opening(talk, revision, &(plain.0.clone(), both.1)).await;
    if with_info.1.result().is_some() {
        solo.judge.held(INFO);
        solo.judge.broke(CAPABILITIES, seen(&ticket, &reply));
        return opened_oddly(solo, opened, &with_info.1, &plain.0).await;
    }
    let with_capabilities = opening(talk, revision, &(odd.clone(), plain.1.clone())).await;
    if with_capabilities.1.result().is_some() {
        solo.judge.held(CAPABILITIES);
        solo.judge.broke(INFO, seen(&with_info.0, &with_info.1));
        return opened_oddly(solo, opened, &with_capabilities.1, &odd).await;
    }
    let (_, reply) = opening(talk, revision, &plain).await;
    if reply.result().is_none() {
        for id in [INFO, CAPABILITIES, ACCEPTED] {
            solo.judge.undecided(id, "no-initialize", "after early requests no `initialize` was answered");
        }
        return;
    }
    solo.judge.broke(INFO, seen(&with_info.0, &with_info.1));
    solo.judge.broke(CAPABILITIES, seen(&with_capabilities.0, &with_capabilities.1));
    opened_oddly(solo, opened, &reply, &plain.0).await;
}

async fn opening(talk: &mut Conversation, revision: Revision, with: &(Value, Value)) -> (Ticket, Reply) {
    let outgoing = initialize(talk, revision.as_str(), &with.0, &with.1);
    talk.opening_in_legacy(outgoing).await
}

/// After the result of `initialize`: a ping, a cancellation, `initialized` with an empty object, and a second `initialize`.
async fn opened_oddly(solo: &mut Solo<'_>, opened: &mut Opened, reply: &Reply, declared: &Value) {
    const PING: &str = EARLY_PING;
    const CANCELLED: &str = "cancellation.unknown-id-ignored";
    let talk = &mut opened.talk;
    if talk.agree(reply).is_err() {
        return;
    }
    let between = talk.request("ping", json!({})).await;
    match &between {
        Reply::Result(_) => solo.judge.held(PING),
        _ if between.error_code() == Some(-32601) => solo.judge.undecided(PING, "no-ping", NO_PING),
        Reply::Error(_) => solo.judge.broke(
            PING,
            Breach::new("before-initialized", "a ping between `initialize` and `initialized` was refused")
                .expected(&["an empty result"])
                .reply(&between)
                .pointer("/error"),
        ),
        Reply::Silence(_) => solo.judge.broke(
            PING,
            Breach::new(
                "before-initialized",
                "a ping between `initialize` and `initialized` was not answered",
            )
            .expected(&["an empty result"])
            .reply(&between),
        ),
        _ => {}
    }
    if between.result().is_some() {
        let nothing = json!({"requestId": "mcprove-no-such-request", "reason": "too late"});
        let ticket = talk.notify("notifications/cancelled", nothing).await;
        if talk.transport().is_http() {
            talk.reply(&ticket).await;
        }
        let after = talk.request("ping", json!({})).await;
        match &after {
            Reply::Result(_) => solo.judge.held(CANCELLED),
            _ => {
                let text = "after a cancellation that came before `initialized`, a ping was not answered";
                let breach = Breach::new("early", text).expected(&["an empty result"]).reply(&after);
                return solo.judge.broke(CANCELLED, breach.sent(ticket.since));
            }
        }
    }
    let ticket = talk.send(Outgoing::notification("notifications/initialized", Some(json!({})))).await;
    if talk.transport().is_http() {
        talk.reply(&ticket).await;
    }
    let works = talk.request("ping", json!({})).await;
    match &works {
        Reply::Result(_) => solo.judge.held(ACCEPTED),
        _ if works.error_code() == Some(-32601) => solo.judge.undecided(ACCEPTED, "no-ping", NO_PING),
        Reply::Error(_) => solo.judge.broke(
            ACCEPTED,
            Breach::new(
                "empty-object",
                "after `notifications/initialized` with an empty object a ping was refused",
            )
            .expected(&["an empty result"])
            .reply(&works)
            .sent(ticket.since)
            .pointer("/error"),
        ),
        _ => solo.judge.undecided(ACCEPTED, "no-answer", works.describe()),
    }
    if works.result().is_some() {
        if declared.pointer("/elicitation/url").is_some() && declared.pointer("/elicitation/form").is_none() {
            super::versioning::call_with_few_capabilities(solo, talk, declared).await;
        }
        second_initialize(solo, opened).await;
        cancelled_initialize(solo, opened).await;
    }
}

/// An `initialize` that is cancelled as soon as it is sent.
async fn cancelled_initialize(solo: &mut Solo<'_>, opened: &mut Opened) {
    const ID: &str = "cancellation.initialize-harmless";
    let talk = &mut opened.talk;
    if talk.request("ping", json!({})).await.result().is_none() {
        return solo.judge.undecided(ID, "no-session", "the session did not outlive a second `initialize`");
    }
    let agreed = talk.revision().unwrap_or(solo.revision);
    let (capabilities, info) = (crate::client::capabilities(agreed), crate::client::client_info());
    let again = initialize(talk, agreed.as_str(), &capabilities, &info);
    let id = again.id.as_ref().and_then(|id| serde_json::from_str::<Value>(id.as_json()).ok());
    let ticket = talk.send(again.deliberate(solo.name, Taint::Conversation)).await;
    let cancel = Outgoing::notification("notifications/cancelled", Some(json!({"requestId": id})));
    let cancelled = talk.send(cancel.deliberate(solo.name, Taint::Conversation)).await;
    let alive = talk.request("ping", json!({})).await;
    let reply = talk.reply_within(&ticket, Duration::from_millis(50)).await;
    solo.judge.decide(ID, alive.result().is_some() || reply.result().is_some(), || {
        Breach::new(
            "harm",
            "after an `initialize` was cancelled, the server neither finishes it nor answers a ping",
        )
        .quality()
        .expected(&["the result of `initialize`", "a session that works"])
        .reply(&alive)
        .sent(cancelled.since)
    });
}

/// A second `initialize` for another version: a session that is switched to it was reset without a word. Over HTTP it
/// may begin a session of its own beside the live one.
async fn second_initialize(solo: &mut Solo<'_>, opened: &mut Opened) {
    const ID: &str = "lifecycle.initialize.repeat-refused";
    let talk = &mut opened.talk;
    if talk.transport() == Transport::Http && talk.session_id().is_none() {
        return solo.judge.not_applicable(
            ID,
            "no-session",
            "the server keeps no session that could be reset",
        );
    }
    let agreed = talk.revision().unwrap_or(solo.revision);
    let other = if agreed == Revision::V2024_11_05 { Revision::V2025_11_25 } else { Revision::V2024_11_05 };
    let again =
        initialize(talk, other.as_str(), &crate::client::capabilities(other), &crate::client::client_info());
    let ticket = talk.send(again.deliberate(solo.name, Taint::Conversation)).await;
    let reply = talk.reply(&ticket).await;
    let own = talk.session_id().map(str::to_owned);
    let given = reply.http().and_then(|head| header(&head.headers, "mcp-session-id"));
    // Another session is a beginning of its own: the live one was left alone, if it still works.
    let elsewhere = given.is_some_and(|given| own.as_deref() != Some(given));
    let alive = talk.request("ping", json!({})).await;
    let version = reply.result().and_then(|result| result.get("protocolVersion")?.as_str());
    let expected = ["an error", "an HTTP status of 400 or more", "the version that was agreed on"];
    let seen =
        |class: &str, message: String| breach(class, message, &ticket, &reply).quality().expected(&expected);
    match (&reply, &alive) {
        (Reply::Result(_), _) if !elsewhere && version != Some(agreed.as_str()) => {
            let message =
                format!("a second `initialize` switched a live session from {agreed} to another version");
            let actual = version.unwrap_or("no version").to_owned();
            solo.judge.broke(ID, seen("reset", message).actual(actual).pointer("/result/protocolVersion"));
        }
        (_, Reply::Result(_)) => solo.judge.held(ID),
        (_, Reply::Error(_)) => {
            let message = "after a second `initialize` the session no longer works".to_owned();
            solo.judge.broke(ID, seen("session-lost", message));
        }
        _ => solo.judge.undecided(ID, "no-answer", format!("no usable answer came: {}", alive.describe())),
    }
    end_session(solo, &mut opened.talk, &reply).await;
}

async fn closed_connections_do_no_harm(solo: &mut Solo<'_>) {
    const ID: &str = "lifecycle.shutdown.http-close-harmless";
    let revision = solo.revision;
    let list = solo.known().await.offer.listed.first().copied().unwrap_or("ping");
    let Ok((mut first, mut second)) = solo.opener.open_two(solo.name, Some(revision)).await else {
        return solo.judge.undecided(ID, "no-conversation", "two further conversations could not be opened");
    };
    solo.judge.about(second.talk.recorder());
    if first.talk.begin(revision).await.is_err() {
        solo.close(first).await;
        solo.close(second).await;
        return solo.judge.undecided(ID, "no-conversation", "a further conversation could not be begun");
    }
    for method in ["ping", list, "ping"] {
        let outgoing = first.talk.compose(method, json!({}));
        let ticket = first.talk.send(outgoing).await;
        first.talk.abort(&ticket).await;
    }
    let begun = second.talk.begin(revision).await;
    let reply = match begun {
        Ok(()) => second.talk.request("ping", json!({})).await,
        Err(crate::client::HandshakeFailure::Refused(reply)) => reply,
        Err(crate::client::HandshakeFailure::OtherVersion(_)) => Reply::Silence(Duration::ZERO),
    };
    solo.judge.decide(ID, reply.result().is_some(), || {
        Breach::new("no-new-session", "after connections were closed abruptly, a new session does not work")
            .expected(&["a session that works"])
            .reply(&reply)
    });
    solo.close(first).await;
    solo.close(second).await;
}

/// Holds `notifications/initialized` back for a while, so that the monitors see what the server asks meanwhile.
pub(super) async fn hold_back(solo: &mut Solo<'_>, talk: &mut Conversation) {
    const ID: &str = "lifecycle.pre-init.no-server-requests";
    talk.idle(HELD_BACK).await;
    if talk.gone().is_none() {
        // A request of the server would be a breach, which outweighs this.
        solo.judge.held(ID);
    }
}
