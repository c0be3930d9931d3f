//! Tokens of little scope (basic/authorization#scope-challenge-handling): what they are refused, and what they are told.

use super::Solo;
use super::auth_tokens::undecided;
use super::credentials::LOW_SCOPE;
use super::door::{Shown, guarded, own_token, show};
use super::probe::{breach, probes};
use crate::client::{Conversation, Outgoing, Reply, Ticket};
use crate::wire::Challenge;
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

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
    /// Calls tools with a token of little scope that were served with the full one. Where one is refused, it is with 403
    /// and a challenge that says `insufficient_scope`, which scopes are needed, all at once, and where the metadata is.
    little_scope_is_told_what_is_missing (Alone, Both, Http) decides [
        "auth.status.insufficient-forbidden", "auth.scope.insufficient-status", "auth.scope.insufficient-error",
        "auth.scope.insufficient-scopes-named", "auth.scope.insufficient-metadata",
        "auth.scope.complete-in-one-challenge", "auth.scope.progressive",
    ];
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
        let Some(guarded) = guarded(solo, &SCOPE_ROWS).await else { return };
        let text = "it takes a token of little scope: --principal low-scope=VAR, or --trust-test-issuer";
        undecided(solo, &SCOPE_ROWS, "no-token", text);
        return solo.close(guarded.opened).await;
    };
    let Some(guarded) = guarded(solo, &SCOPE_ROWS).await else { return };
    solo.close(guarded.opened).await;
    let Some(mut opened) = solo.begin(solo.revision, &SCOPE_ROWS).await else { return };
    let known = solo.known().await;
    let talk = &mut opened.talk;
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
        let (ticket, reply) = show(talk, solo.name, outgoing, &Shown::Token(shown)).await;
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

/// A token without any scope: refused like any other of too little scope, or served everything, so that scopes are not
/// looked at. Whether it takes any scope at all is known of our own server only.
async fn judge_little(solo: &mut Solo<'_>, talk: &mut Conversation, low: &str) {
    let own = solo.settings.credentials.issuer.as_ref().is_some_and(|issuer| issuer.is_target);
    let outgoing = talk.compose("tools/list", json!({}));
    let (ticket, reply) = show(talk, solo.name, outgoing, &Shown::Token(low)).await;
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
    let (ticket, first) = show(talk, solo.name, outgoing, &Shown::Token(low)).await;
    let asked = insufficient(&first);
    let scopes = asked.as_ref().unwrap_or(challenge).scopes().join(" ");
    let Some(token) = issuer.mint(json!({"scope": scopes})).await else { return };
    let outgoing = compose(talk);
    let (_, again) = show(talk, solo.name, outgoing, &Shown::Token(&token)).await;
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
