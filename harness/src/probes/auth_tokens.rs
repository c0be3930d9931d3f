//! Authorization with tokens (basic/authorization): what a good one is worth, and what one for somebody else.

use super::Solo;
use super::credentials::OTHER_AUDIENCE;
use super::door::{Door, Guarded, Shown, bearing, guarded, knock, other_token, own_token, show};
use super::probe::{breach, probes};
use crate::client::{Binding, Conversation, Fetch, HttpEdits, Outgoing, Reply, Ticket};
use crate::monitors::Breach;
use crate::protocol::Era;
use crate::wire::Taint;
use serde_json::{Value, json};
use url::Url;

const HEADER: &str = "auth.token.header-supported";
const QUERY: &str = "auth.token.query-refused";
const AUDIENCE: &str = "auth.token.audience";
const EVERY: &str = "auth.token.every-request";
const CASE: &str = "auth.canonical-uri.case-robust";
const CLIENT: &str = "auth.extension.client-credentials-validated";
const NOT_AUTHENTICATION: &str = "security.session.not-authentication";
const BOUND: &str = "security.session.bound-to-user";
/// Decided by the probe of strangers; here it is only found broken.
const INVALID: &str = "auth.status.invalid-token-unauthorized";
const ROWS: [&str; 8] = [HEADER, QUERY, AUDIENCE, EVERY, CASE, CLIENT, NOT_AUTHENTICATION, BOUND];

probes! {
    /// Uses the token that the user has given, or one of the issuer of test tokens: with the scheme in capitals and in
    /// small letters (both are taken), in the query of the URL (it is not; tried with test tokens only, because URLs are
    /// logged), one for another server, and after a good request none at all, in the same session and on the same
    /// connection: each request is looked at by itself. In a session of one principal, the token of another finds
    /// nothing, opens no stream and ends nothing.
    tokens_count_for_one_server_and_one_request (Alone, Both, Http) decides [
        "auth.token.header-supported", "auth.token.query-refused", "auth.token.audience", "auth.token.every-request",
        "auth.canonical-uri.case-robust", "auth.extension.client-credentials-validated",
        "security.session.not-authentication", "security.session.bound-to-user",
        "auth.status.invalid-token-unauthorized",
    ];
}

/// A good token: the user's own, or a minted one.
async fn good_token(solo: &Solo<'_>) -> Option<String> {
    match own_token(solo) {
        Some(own) => Some(own),
        None => {
            let issuer = solo.settings.credentials.issuer.as_ref()?;
            issuer.mint(json!({"scope": issuer.scopes})).await
        }
    }
}

pub(super) fn undecided(solo: &mut Solo<'_>, rows: &[&'static str], code: &str, text: &str) {
    for id in rows {
        solo.judge.undecided(id, code, text);
    }
}

const NO_TOKEN: &str = "it takes a token that the server accepts: --bearer-env, or --trust-test-issuer";
const NO_ISSUER: &str = "it takes tokens of an issuer that the server trusts: --trust-test-issuer";
const NO_OTHER: &str =
    "it takes the token of another principal: --principal NAME=VAR, or --trust-test-issuer";

async fn tokens_count_for_one_server_and_one_request(solo: &mut Solo<'_>) {
    let Some(guarded) = guarded(solo, &ROWS).await else { return };
    let Guarded { mut opened, door, .. } = guarded;
    let Some(token) = good_token(solo).await else {
        undecided(solo, &ROWS, "no-token", NO_TOKEN);
        return solo.close(opened).await;
    };
    let talk = &mut opened.talk;
    let (ticket, upper) = knock(solo, talk, &door, &Shown::Token(&token)).await;
    if upper.result().is_none() {
        let text = format!("the token that was given is not taken: {}", upper.describe());
        undecided(solo, &ROWS, "token-refused", &text);
        return solo.close(opened).await;
    }
    if bearing(solo).carrier().eq_ignore_ascii_case("authorization") {
        let (_, lower) = knock(solo, talk, &door, &Shown::Value(&format!("bearer {token}"))).await;
        solo.judge.decide(HEADER, lower.result().is_some(), || {
            breach("lower-case", "`bearer` in small letters is not taken for the scheme", &ticket, &lower)
                .quality()
                .expected(&["the result: names of schemes have no case"])
        });
    } else {
        let text = "the server is shown what lets in by another header than `Authorization`";
        solo.judge.undecided(HEADER, "other-header", text);
    }
    judge_minted(solo, talk, &door).await;
    judge_query(solo, talk, &door).await;
    solo.close(opened).await;
    judge_session(solo, &door).await;
}

/// Tokens that only an issuer of our own can make.
async fn judge_minted(solo: &mut Solo<'_>, talk: &mut Conversation, door: &Door) {
    let credentials = solo.settings.credentials.clone();
    let issuer = credentials.issuer.as_ref();
    let mut foreign = credentials.named(OTHER_AUDIENCE).map(str::to_owned);
    if let Some(issuer) = issuer {
        let wanted = json!({"scope": issuer.scopes, "aud": "http://127.0.0.1:1/another-server"});
        foreign = foreign.or(issuer.mint(wanted).await);
    }
    match foreign {
        None => solo.judge.undecided(AUDIENCE, "no-token", NO_ISSUER),
        Some(foreign) => {
            let (ticket, reply) = knock(solo, talk, door, &Shown::Token(&foreign)).await;
            match reply.status() {
                Some(429) | None => solo.judge.undecided(AUDIENCE, "no-answer", reply.describe()),
                Some(_) => {
                    solo.judge.decide(AUDIENCE, reply.result().is_none(), || {
                        breach("other-server", "a token for another server was taken", &ticket, &reply)
                            .expected(&["HTTP 401"])
                    });
                    judge_refusal(solo, &ticket, &reply);
                }
            }
        }
    }
    let Some(issuer) = issuer else {
        return undecided(solo, &[CASE, CLIENT], "no-issuer", NO_ISSUER);
    };
    let (Binding::Http(own) | Binding::HttpSse(own)) = solo.opener.binding().clone() else { return };
    let loud = loud(&own);
    if let Some(token) = issuer.mint(json!({"scope": issuer.scopes, "aud": loud})).await {
        let (ticket, reply) = knock(solo, talk, door, &Shown::Token(&token)).await;
        solo.judge.decide(CASE, reply.result().is_some(), || {
            breach(
                "case",
                "an audience with its scheme and host in capitals is not recognised",
                &ticket,
                &reply,
            )
            .expected(&["the result: schemes and hosts have no case"])
            .quality()
        });
    }
    // What a client gets for itself is a token like any other: taken as it is, and not in another form.
    let wanted = json!({"scope": issuer.scopes, "sub": "mcprove-client"});
    if let (Some(good), Some(bad)) =
        (issuer.mint(wanted.clone()).await, issuer.mint(signed(&wanted, "foreign-key")).await)
    {
        let (_, served) = knock(solo, talk, door, &Shown::Token(&good)).await;
        let (ticket, refused) = knock(solo, talk, door, &Shown::Token(&bad)).await;
        match (served.result().is_some(), refused.result().is_some()) {
            (true, false) => solo.judge.held(CLIENT),
            (_, true) => solo.judge.broke(
                CLIENT,
                breach(
                    "unvalidated",
                    "a token of a client was taken with a wrong signature",
                    &ticket,
                    &refused,
                )
                .expected(&["HTTP 401"])
                .see("auth.token.validated"),
            ),
            (false, false) => solo.judge.undecided(CLIENT, "refused", served.describe()),
        }
    }
}

/// The status with which a token for another server was refused: it is an invalid token like any other.
fn judge_refusal(solo: &mut Solo<'_>, ticket: &Ticket, reply: &Reply) {
    if reply.result().is_some() || reply.status() == Some(401) {
        return;
    }
    let status = reply.status().unwrap_or_default();
    let text = format!("a token that is for another server was refused with HTTP {status}");
    let seen = breach("other-audience-status", text, ticket, reply).expected(&["HTTP 401"]);
    // Some take it for a good token of too little worth, which the sentence on 403 could mean.
    solo.judge.broke(INVALID, if status < 500 { seen.quality() } else { seen });
}

fn signed(wanted: &Value, way: &str) -> Value {
    let mut wanted = wanted.clone();
    wanted["sign"] = way.into();
    wanted
}

/// A URL with its scheme and host in capitals.
fn loud(url: &Url) -> String {
    let text = url.as_str();
    let path = text.find("://").and_then(|at| text[at + 3..].find('/').map(|path| at + 3 + path));
    let (front, path) = text.split_at(path.unwrap_or(text.len()));
    format!("{}{path}", front.to_ascii_uppercase())
}

/// A token in the query of the URL.
async fn judge_query(solo: &mut Solo<'_>, talk: &mut Conversation, door: &Door) {
    let Some(issuer) = solo.settings.credentials.issuer.clone() else {
        let text =
            format!("a token in a URL may end in a log, so only test tokens are sent there; {NO_ISSUER}");
        return solo.judge.undecided(QUERY, "no-test-token", text);
    };
    let Some(token) = issuer.mint(json!({"scope": issuer.scopes})).await else { return };
    let (Binding::Http(url) | Binding::HttpSse(url)) = solo.opener.binding() else { return };
    let mut url = url.clone();
    url.query_pairs_mut().append_pair("access_token", &token);
    let Some(first) = door.alone(talk, solo.revision) else {
        let text = "what takes a token here takes a session first";
        return solo.judge.undecided(QUERY, "in-session", text);
    };
    let body: Value = serde_json::from_slice(&first.body).unwrap_or(Value::Null);
    let mut fetch = Fetch::json(url, &body);
    if let (Some(version), Some(method)) = (&first.version, &first.method) {
        fetch = fetch.header("MCP-Protocol-Version", version).header("Mcp-Method", method);
    }
    if let Some(name) = &first.name {
        fetch = fetch.header("Mcp-Name", crate::client::headers::encode(name));
    }
    for (suffix, value) in &first.mirrored {
        fetch = fetch.header(&format!("Mcp-Param-{suffix}"), value.as_str());
    }
    match solo.opener.fetch(solo.name, fetch).await {
        Err(why) => solo.judge.undecided(QUERY, "no-answer", why),
        Ok(fetched) => solo.judge.decide(QUERY, fetched.status >= 300 || fetched.result().is_none(), || {
            let mut breach = Breach::new("taken", "a token in the query of the URL was taken")
                .expected(&["HTTP 401"])
                .actual(format!("HTTP {} with a result", fetched.status));
            breach.event = Some(fetched.event);
            breach.conversation = Some(std::sync::Arc::clone(&fetched.recorder));
            breach
        }),
    }
}

/// In a conversation with a good token: a request without one, and one with the token of somebody else.
async fn judge_session(solo: &mut Solo<'_>, door: &Door) {
    let Ok(mut opened) = solo.open(Some(solo.revision)).await else { return };
    let talk = &mut opened.talk;
    let legacy = solo.revision.era() == Era::Legacy;
    let began = match own_token(solo) {
        Some(_) => talk.begin(solo.revision).await.is_ok(),
        // The issuer's token is not in the headers of every request: nothing can be begun as a client would.
        None => false,
    };
    if !began {
        undecided(
            solo,
            &[EVERY, NOT_AUTHENTICATION, BOUND],
            "no-conversation",
            "a conversation could not be begun",
        );
        return solo.close(opened).await;
    }
    let with_session = legacy && talk.session_id().is_some();
    // On the same connection, right after a good request.
    let before = talk.canary().await;
    let edits = Shown::Nothing.edits(&talk.bearing(), HttpEdits::default());
    let outgoing = door.within(talk, solo.revision).http(edits).deliberate(solo.name, Taint::Message);
    let ticket = talk.send(outgoing).await;
    let reply = talk.reply(&ticket).await;
    if before.result().is_none() || matches!(reply.status(), Some(429) | None) {
        undecided(solo, &[EVERY, NOT_AUTHENTICATION], "no-answer", &reply.describe());
    } else {
        let served = reply.result().is_some();
        let found = || {
            breach(
                "unauthorized",
                "a request without a token was served after one with a token",
                &ticket,
                &reply,
            )
            .expected(&["HTTP 401"])
        };
        solo.judge.decide(EVERY, !served, found);
        if with_session {
            solo.judge.decide(NOT_AUTHENTICATION, !served, || found().see(EVERY));
        }
    }
    if with_session {
        // Where it is methods that are guarded, this is none of them.
        if door.is_first() {
            let (row, with) = (NOT_AUTHENTICATION, "the session id alone");
            let nobody = Intruder { row, shown: Shown::Nothing, with, expected: "HTTP 401" };
            methods_of_others(solo, talk, &nobody).await;
        }
        another_principal(solo, talk, door).await;
    } else {
        for id in [NOT_AUTHENTICATION, BOUND] {
            solo.judge.not_applicable(id, "no-session-id", "the server assigns no session ids");
        }
    }
    solo.close(opened).await;
}

/// The session of one principal with the token of another.
async fn another_principal(solo: &mut Solo<'_>, talk: &mut Conversation, door: &Door) {
    let Some(other) = other_token(solo).await else {
        return solo.judge.undecided(BOUND, "one-principal", NO_OTHER);
    };
    // That the other one gets in at all has to be seen first.
    let (_, own) = knock(solo, talk, door, &Shown::Token(&other)).await;
    if own.result().is_none() {
        let text = format!("the token of the other principal is not taken: {}", own.describe());
        return solo.judge.undecided(BOUND, "token-refused", text);
    }
    let outgoing = door.within(talk, solo.revision);
    let (ticket, reply) = show(talk, solo.name, outgoing, &Shown::Token(&other)).await;
    match reply.status() {
        Some(429) | None => solo.judge.undecided(BOUND, "no-answer", reply.describe()),
        Some(_) => solo.judge.decide(BOUND, reply.result().is_none(), || {
            breach("shared", "the session of one principal was served to another", &ticket, &reply)
                .expected(&["HTTP 401, 403 or 404"])
        }),
    }
    let (row, with) = (BOUND, "the token of another principal");
    let another = Intruder { row, shown: Shown::Token(&other), with, expected: "HTTP 401, 403 or 404" };
    methods_of_others(solo, talk, &another).await;
}

/// Somebody whose session it is not.
struct Intruder<'a> {
    /// The row that is about them.
    row: &'static str,
    shown: Shown<'a>,
    /// What a finding says they come with.
    with: &'static str,
    /// What is right.
    expected: &'static str,
}

/// The stream of the session, and its end, for somebody else: GET and DELETE, in which nothing but headers says who it is.
async fn methods_of_others(solo: &mut Solo<'_>, talk: &mut Conversation, intruder: &Intruder<'_>) {
    let &Intruder { row, ref shown, with, expected } = intruder;
    let edits = shown.edits(&talk.bearing(), HttpEdits { fresh_connection: true, ..HttpEdits::default() });
    let get = Outgoing::bytes("").http(edits).deliberate(solo.name, Taint::Message);
    let delete = get.clone();
    let ticket = talk.get_stream(None, &get);
    let head = talk.head(&ticket).await;
    talk.abort(&ticket).await;
    if let Ok(head) = head {
        solo.judge.decide(row, !head.is_event_stream(), || {
            Breach::new("GET", format!("GET with {with} opened the stream of a session"))
                .expected(&[expected])
                .actual(format!("HTTP {} with an event stream", head.status))
                .sent(ticket.since)
        });
    }
    // Whether it ended shows in what comes of it for its owner: some say yes to everything.
    let reply = talk.bare("DELETE", delete).await;
    if reply.status().is_some_and(|status| (200..300).contains(&status)) {
        let outgoing = talk.compose("ping", json!({})).deliberate(solo.name, Taint::Message);
        let after = talk.exchange(outgoing).await;
        solo.judge.decide(row, after.result().is_some(), || {
            Breach::new("DELETE", format!("DELETE with {with} ended a session"))
                .expected(&[expected])
                .reply(&reply)
        });
    }
}
