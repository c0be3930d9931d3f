//! Authorization with tokens (basic/authorization): what a good one is worth, what one for somebody else, and what one of
//! little scope.

use super::Solo;
use super::auth::{OPEN, Shown, guarded, knock, own_token, show};
use super::credentials::{LOW_SCOPE, OTHER_AUDIENCE};
use super::probe::{breach, probes};
use crate::client::{Binding, Conversation, Fetch, HttpEdits, Outgoing, Reply, Ticket};
use crate::monitors::Breach;
use crate::protocol::Era;
use crate::wire::{Challenge, Taint};
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

const HEADER: &str = "auth.token.header-supported";
const QUERY: &str = "auth.token.query-refused";
const AUDIENCE: &str = "auth.token.audience";
const EVERY: &str = "auth.token.every-request";
const CASE: &str = "auth.canonical-uri.case-robust";
const CLIENT: &str = "auth.extension.client-credentials-validated";
const NOT_AUTHENTICATION: &str = "security.session.not-authentication";
const BOUND: &str = "security.session.bound-to-user";
const ROWS: [&str; 8] = [HEADER, QUERY, AUDIENCE, EVERY, CASE, CLIENT, NOT_AUTHENTICATION, BOUND];

const FORBIDDEN: &str = "auth.status.insufficient-forbidden";
const LOW_STATUS: &str = "auth.scope.insufficient-status";
const LOW_ERROR: &str = "auth.scope.insufficient-error";
const LOW_SCOPES: &str = "auth.scope.insufficient-scopes-named";
const LOW_METADATA: &str = "auth.scope.insufficient-metadata";
const COMPLETE: &str = "auth.scope.complete-in-one-challenge";
const PROGRESSIVE: &str = "auth.scope.progressive";
const SCOPE_ROWS: [&str; 7] =
    [FORBIDDEN, LOW_STATUS, LOW_ERROR, LOW_SCOPES, LOW_METADATA, COMPLETE, PROGRESSIVE];

/// How many tools are tried with a token of little scope, and how long one may have taken before.
const TOOLS: usize = 40;
const QUICK: Duration = Duration::from_secs(2);

probes! {
    /// Uses the token that the user has given, or one of the issuer of test tokens: with the scheme in capitals and in
    /// small letters (both are taken), in the query of the URL (it is not; tried with test tokens only, because URLs are
    /// logged), one for another server, and after a good request none at all, in the same session and on the same
    /// connection: each request is looked at by itself. In a session of one principal, the token of another finds
    /// nothing.
    tokens_count_for_one_server_and_one_request (Alone, Both, Http) decides [
        "auth.token.header-supported", "auth.token.query-refused", "auth.token.audience", "auth.token.every-request",
        "auth.canonical-uri.case-robust", "auth.extension.client-credentials-validated",
        "security.session.not-authentication", "security.session.bound-to-user",
    ];
    /// Calls tools with a token of little scope that were served with the full one. Where one is refused, it is with 403
    /// and a challenge that says `insufficient_scope`, which scopes are needed, all at once, and where the metadata is.
    little_scope_is_told_what_is_missing (Alone, Both, Http) decides [
        "auth.status.insufficient-forbidden", "auth.scope.insufficient-status", "auth.scope.insufficient-error",
        "auth.scope.insufficient-scopes-named", "auth.scope.insufficient-metadata",
        "auth.scope.complete-in-one-challenge", "auth.scope.progressive",
    ];
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
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

fn undecided(solo: &mut Solo<'_>, rows: &[&'static str], code: &str, text: &str) {
    for id in rows {
        solo.judge.undecided(id, code, text);
    }
}

const NO_TOKEN: &str = "it takes a token that the server accepts: --bearer-env, or --trust-test-issuer";
const NO_ISSUER: &str = "it takes tokens of an issuer that the server trusts: --trust-test-issuer";
const NO_OTHER: &str =
    "it takes the token of another principal: --principal NAME=VAR, or --trust-test-issuer";

async fn tokens_count_for_one_server_and_one_request(solo: &mut Solo<'_>) {
    let Some((mut opened, ..)) = guarded(solo, &ROWS).await else { return };
    let Some(token) = good_token(solo).await else {
        undecided(solo, &ROWS, "no-token", NO_TOKEN);
        return solo.close(opened).await;
    };
    let talk = &mut opened.talk;
    let (ticket, upper) = knock(solo, talk, &Shown::Value(&bearer(&token))).await;
    if upper.result().is_none() {
        let text = format!("the token that was given is not taken: {}", upper.describe());
        undecided(solo, &ROWS, "token-refused", &text);
        return solo.close(opened).await;
    }
    let (_, lower) = knock(solo, talk, &Shown::Value(&format!("bearer {token}"))).await;
    solo.judge.decide(HEADER, lower.result().is_some(), || {
        breach("lower-case", "`bearer` in small letters is not taken for the scheme", &ticket, &lower)
            .quality()
            .expected(&["the result: names of schemes have no case"])
    });
    judge_minted(solo, talk).await;
    judge_query(solo, talk).await;
    solo.close(opened).await;
    judge_session(solo).await;
}

/// Tokens that only an issuer of our own can make.
async fn judge_minted(solo: &mut Solo<'_>, talk: &mut Conversation) {
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
            let (ticket, reply) = knock(solo, talk, &Shown::Value(&bearer(&foreign))).await;
            match reply.status() {
                Some(429) | None => solo.judge.undecided(AUDIENCE, "no-answer", reply.describe()),
                Some(_) => solo.judge.decide(AUDIENCE, reply.result().is_none(), || {
                    breach("other-server", "a token for another server was taken", &ticket, &reply)
                        .expected(&["HTTP 401"])
                }),
            }
        }
    }
    let Some(issuer) = issuer else {
        return undecided(solo, &[CASE, CLIENT], "no-issuer", NO_ISSUER);
    };
    let (Binding::Http(own) | Binding::HttpSse(own)) = solo.opener.binding().clone() else { return };
    let loud = loud(&own);
    if let Some(token) = issuer.mint(json!({"scope": issuer.scopes, "aud": loud})).await {
        let (ticket, reply) = knock(solo, talk, &Shown::Value(&bearer(&token))).await;
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
        let (_, served) = knock(solo, talk, &Shown::Value(&bearer(&good))).await;
        let (ticket, refused) = knock(solo, talk, &Shown::Value(&bearer(&bad))).await;
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
async fn judge_query(solo: &mut Solo<'_>, talk: &mut Conversation) {
    let Some(issuer) = solo.settings.credentials.issuer.clone() else {
        let text =
            format!("a token in a URL may end in a log, so only test tokens are sent there; {NO_ISSUER}");
        return solo.judge.undecided(QUERY, "no-test-token", text);
    };
    let Some(token) = issuer.mint(json!({"scope": issuer.scopes})).await else { return };
    let (Binding::Http(url) | Binding::HttpSse(url)) = solo.opener.binding() else { return };
    let mut url = url.clone();
    url.query_pairs_mut().append_pair("access_token", &token);
    let first = super::http_origin::first_request(talk, solo.revision);
    let body: Value = serde_json::from_slice(&first.body).unwrap_or(Value::Null);
    let mut fetch = Fetch::json(url, &body);
    if let (Some(version), Some(method)) = (&first.version, &first.method) {
        fetch = fetch.header("MCP-Protocol-Version", version).header("Mcp-Method", method);
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
async fn judge_session(solo: &mut Solo<'_>) {
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
    let harmless = |talk: &mut Conversation| {
        if legacy { talk.compose("ping", json!({})) } else { talk.compose("server/discover", json!({})) }
    };
    // On the same connection, right after a good request.
    let before = talk.canary().await;
    let outgoing = harmless(talk)
        .http(HttpEdits::default().without("Authorization"))
        .deliberate(solo.name, Taint::Message);
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
        bare_methods(solo, talk).await;
        another_principal(solo, talk, harmless).await;
    } else {
        for id in [NOT_AUTHENTICATION, BOUND] {
            solo.judge.not_applicable(id, "no-session-id", "the server assigns no session ids");
        }
    }
    solo.close(opened).await;
}

/// GET and DELETE with the session id alone.
async fn bare_methods(solo: &mut Solo<'_>, talk: &mut Conversation) {
    let edits = || {
        Outgoing::bytes("")
            .http(HttpEdits::default().without("Authorization"))
            .deliberate(solo.name, Taint::Message)
    };
    let get = edits();
    let delete = edits();
    let ticket = talk.get_stream(None, &get);
    let head = talk.head(&ticket).await;
    talk.abort(&ticket).await;
    if let Ok(head) = head {
        solo.judge.decide(NOT_AUTHENTICATION, !head.is_event_stream(), || {
            Breach::new("GET", "GET with the session id alone opened the stream of the session")
                .expected(&["HTTP 401"])
                .actual(format!("HTTP {}", head.status))
                .sent(ticket.since)
        });
    }
    let reply = talk.bare("DELETE", delete).await;
    if let Some(status) = reply.status() {
        solo.judge.decide(NOT_AUTHENTICATION, !(200..300).contains(&status), || {
            Breach::new("DELETE", "DELETE with the session id alone ended the session")
                .expected(&["HTTP 401"])
                .reply(&reply)
        });
    }
}

/// The session of one principal with the token of another.
async fn another_principal(
    solo: &mut Solo<'_>,
    talk: &mut Conversation,
    harmless: impl Fn(&mut Conversation) -> Outgoing,
) {
    let Some(other) = solo.settings.credentials.another().await else {
        return solo.judge.undecided(BOUND, "one-principal", NO_OTHER);
    };
    // That the other one gets in at all has to be seen first.
    let (_, own) = knock(solo, talk, &Shown::Value(&bearer(&other))).await;
    if own.result().is_none() {
        let text = format!("the token of the other principal is not taken: {}", own.describe());
        return solo.judge.undecided(BOUND, "token-refused", text);
    }
    let outgoing = harmless(talk);
    let (ticket, reply) = show(talk, solo.name, outgoing, &Shown::Value(&bearer(&other))).await;
    match reply.status() {
        Some(429) | None => solo.judge.undecided(BOUND, "no-answer", reply.describe()),
        Some(_) => solo.judge.decide(BOUND, reply.result().is_none(), || {
            breach("shared", "the session of one principal was served to another", &ticket, &reply)
                .expected(&["HTTP 401, 403 or 404"])
        }),
    }
}

async fn little_scope_is_told_what_is_missing(solo: &mut Solo<'_>) {
    let credentials = solo.settings.credentials.clone();
    let (low, basic) = match (credentials.named(LOW_SCOPE), &credentials.issuer) {
        (Some(low), _) => (Some(low.to_owned()), None),
        (None, Some(issuer)) => {
            let least = issuer.scopes.split(' ').next().unwrap_or_default();
            (issuer.mint(json!({"scope": ""})).await, issuer.mint(json!({"scope": least})).await)
        }
        (None, None) => (None, None),
    };
    let Some(low) = low.filter(|_| own_token(solo).is_some()) else {
        // A server without any authorization has no scopes either.
        let Some((opened, ..)) = guarded(solo, &SCOPE_ROWS).await else { return };
        let text = "it takes a token of little scope: --principal low-scope=VAR, or --trust-test-issuer";
        undecided(solo, &SCOPE_ROWS, "no-token", text);
        return solo.close(opened).await;
    };
    let Some(mut opened) = solo.begin(solo.revision, &SCOPE_ROWS).await else { return };
    let known = solo.known().await;
    let talk = &mut opened.talk;
    let (_, bare) = knock_bare(solo, talk).await;
    if bare.result().is_some() {
        for id in SCOPE_ROWS {
            solo.judge.not_applicable(id, "no-authorization", OPEN);
        }
        return solo.close(opened).await;
    }
    let mut seen = false;
    let mut calls: Vec<_> =
        known.offer.calls.iter().filter(|call| call.succeeded() && call.took < QUICK).cloned().collect();
    // What has effects is most likely to take more than what only reads.
    let reads = |name: &str| {
        let tool = known.offer.tools.iter().find(|tool| tool["name"] == name);
        tool.is_some_and(|tool| tool.pointer("/annotations/readOnlyHint") == Some(&Value::Bool(true)))
    };
    calls.sort_by_key(|call| reads(&call.tool));
    calls.truncate(TOOLS);
    for call in calls {
        let compose = |talk: &mut Conversation| {
            let params = json!({"name": call.tool, "arguments": call.arguments});
            known.offer.compose_call(talk, params)
        };
        // With the least scope that lets in at all, if one can be had: then it is about this tool.
        let shown = basic.as_ref().unwrap_or(&low);
        let outgoing = compose(talk);
        let (ticket, reply) = show(talk, solo.name, outgoing, &Shown::Value(&bearer(shown))).await;
        match reply.status() {
            // Served: it takes no more than this.
            Some(200..=299) if !reply.is_error() => {
                solo.judge.held(PROGRESSIVE);
                continue;
            }
            Some(401 | 403) => {}
            _ => continue,
        }
        seen = true;
        judge_insufficient(solo, &ticket, &reply);
        if let (Some(_), Some(challenge)) = (&basic, insufficient(&reply)) {
            judge_complete(solo, talk, &challenge, &low, compose).await;
        }
        break;
    }
    if !seen {
        judge_little(solo, talk, &low).await;
        let text = "no tool that may be called takes more than the token of little scope has";
        undecided(solo, &SCOPE_ROWS, "none-needs-more", text);
    }
    solo.close(opened).await;
}

/// The first request without a token, from within a conversation.
async fn knock_bare(solo: &mut Solo<'_>, talk: &mut Conversation) -> (Ticket, Reply) {
    let outgoing = talk.compose("tools/list", json!({}));
    show(talk, solo.name, outgoing, &Shown::Nothing).await
}

/// A token without any scope: refused like any other of too little scope, or served everything, so that scopes are not
/// looked at. Whether it takes any scope at all is known of our own server only.
async fn judge_little(solo: &mut Solo<'_>, talk: &mut Conversation, low: &str) {
    let own = solo.settings.credentials.issuer.as_ref().is_some_and(|issuer| issuer.is_target);
    let outgoing = talk.compose("tools/list", json!({}));
    let (ticket, reply) = show(talk, solo.name, outgoing, &Shown::Value(&bearer(low))).await;
    if reply.status() == Some(403) {
        return judge_insufficient(solo, &ticket, &reply);
    }
    if reply.result().is_some() && own {
        let found = || {
            breach("served", "a token without the scope that everything takes was served", &ticket, &reply)
                .expected(&["HTTP 403 with insufficient_scope"])
        };
        solo.judge.broke(LOW_STATUS, found().see(FORBIDDEN));
        solo.judge.broke(FORBIDDEN, found());
    }
}

/// The Bearer challenge of a reply that says `insufficient_scope`.
fn insufficient(reply: &Reply) -> Option<Challenge> {
    let challenges = Challenge::all(&reply.http()?.headers);
    challenges.into_iter().find(|one| one.is("Bearer") && one.get("error") == Some("insufficient_scope"))
}

/// A refusal for want of scope.
fn judge_insufficient(solo: &mut Solo<'_>, ticket: &Ticket, reply: &Reply) {
    let line = reply.http().and_then(|head| crate::wire::header(&head.headers, "www-authenticate"));
    let line =
        line.map_or_else(|| "no WWW-Authenticate".to_owned(), |line| format!("WWW-Authenticate: {line}"));
    let found = |class: &str, text: &str| {
        breach(class, text, ticket, reply).expected(&["HTTP 403 with error=\"insufficient_scope\" and scope"])
    };
    let forbidden = reply.status() == Some(403);
    solo.judge.decide(LOW_STATUS, forbidden, || {
        found("unauthorized", "a good token of too little scope was refused with 401").see(FORBIDDEN)
    });
    solo.judge.decide(FORBIDDEN, forbidden, || {
        found("unauthorized", "a good token of too little scope was refused with 401").quality()
    });
    if !forbidden {
        return;
    }
    let challenge = insufficient(reply);
    solo.judge.decide(LOW_ERROR, challenge.is_some(), || {
        found("no-error", "the 403 for too little scope does not say so").actual(line.clone())
    });
    let challenges = reply.http().map(|head| Challenge::all(&head.headers)).unwrap_or_default();
    let bearer = challenges.iter().find(|challenge| challenge.is("Bearer"));
    solo.judge.decide(LOW_SCOPES, bearer.is_some_and(|bearer| !bearer.scopes().is_empty()), || {
        found("no-scope", "the 403 for too little scope does not name the scopes that are needed")
            .actual(line.clone())
    });
    let metadata = bearer.and_then(|bearer| bearer.get("resource_metadata"));
    solo.judge.decide(LOW_METADATA, metadata.is_some_and(|url| Url::parse(url).is_ok()), || {
        found("no-metadata", "the 403 for too little scope does not name the metadata").actual(line.clone())
    });
}

/// Gets a token with exactly what the challenge asks for, and tries again; a token without any scope was told the same.
async fn judge_complete(
    solo: &mut Solo<'_>,
    talk: &mut Conversation,
    challenge: &Challenge,
    low: &str,
    compose: impl Fn(&mut Conversation) -> Outgoing,
) {
    let Some(issuer) = solo.settings.credentials.issuer.clone() else { return };
    let outgoing = compose(talk);
    let (ticket, first) = show(talk, solo.name, outgoing, &Shown::Value(&bearer(low))).await;
    let asked = insufficient(&first);
    let scopes = asked.as_ref().unwrap_or(challenge).scopes().join(" ");
    let Some(token) = issuer.mint(json!({"scope": scopes})).await else { return };
    let outgoing = compose(talk);
    let (_, again) = show(talk, solo.name, outgoing, &Shown::Value(&bearer(&token))).await;
    solo.judge.decide(COMPLETE, insufficient(&again).is_none(), || {
        breach("twice", "with all the scopes of the challenge, another challenge came", &ticket, &again)
            .expected(&["the result"])
            .actual(format!("after `{scopes}`: {}", again.describe()))
    });
    let narrow = asked.is_some_and(|asked| asked.scopes().len() <= issuer.scopes.split(' ').count());
    if narrow {
        solo.judge.held(PROGRESSIVE);
    }
}
