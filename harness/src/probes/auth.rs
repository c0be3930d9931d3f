//! Authorization without a good token (basic/authorization): what a server says to those whom it does not know.

use super::Solo;
use super::door::{Door, Guarded, Shown, bearing, guarded, knock, own_token, show};
use super::probe::{breach, probes};
use crate::client::{Conversation, HttpEdits, Outgoing, Reply, Ticket};
use crate::monitors::Breach;
use crate::protocol::Era;
use crate::wire::{Challenge, Taint};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub(super) const OPEN: &str = "the server serves requests without a token";

pub(super) const MISSING: &str = "auth.status.missing-token-unauthorized";
const INVALID: &str = "auth.status.invalid-token-unauthorized";
const MALFORMED: &str = "auth.status.malformed-bad-request";
const VALIDATED: &str = "auth.token.validated";
const FOREIGN: &str = "auth.token.foreign-refused";
const BEFORE: &str = "auth.token.before-processing";
const CONSISTENT: &str = "auth.challenge.scope-consistent";
const LOCAL: &str = "security.local-server-restricted";
const ROWS: [&str; 8] = [MISSING, INVALID, MALFORMED, VALIDATED, FOREIGN, BEFORE, CONSISTENT, LOCAL];
/// Rows of monitors that need a challenge to look at.
const WATCHED: [&str; 7] = [
    "auth.challenge.present",
    "auth.challenge.bearer-scheme",
    "auth.challenge.resource-metadata",
    "auth.challenge.no-error-without-credentials",
    "auth.challenge.invalid-token-error",
    "auth.challenge.no-duplicate-params",
    "auth.challenge.no-offline-access",
];

probes! {
    /// Sends the first request of a conversation without a token, and then with tokens that nobody has issued: a random
    /// text, JWTs with plausible claims that are unsigned or signed by nobody, a changed form of the user's own token,
    /// headers that hold no token at all. Where the first one is refused, that is with 401, and all the others have to be,
    /// and no listing or call gets data. Where the first request is open to all, the lists and a call are tried in its
    /// place. A server that serves all of them has no authorization, and nothing is judged. What counts as a token is what
    /// the user gave with --bearer-env or --header, an API key among them.
    strangers_are_kept_out (Alone, Both, Http) decides [
        "auth.status.missing-token-unauthorized", "auth.status.invalid-token-unauthorized",
        "auth.status.malformed-bad-request", "auth.token.validated", "auth.token.foreign-refused",
        "auth.token.before-processing", "auth.challenge.scope-consistent", "security.local-server-restricted",
        "auth.challenge.present", "auth.challenge.bearer-scheme", "auth.challenge.resource-metadata",
        "auth.challenge.no-error-without-credentials", "auth.challenge.invalid-token-error",
        "auth.challenge.no-duplicate-params", "auth.challenge.no-offline-access",
    ];
}

/// A JWT with these parts.
fn jwt(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(signature))
}

/// Tokens that nobody has issued, each with what it is.
fn forged(solo: &Solo<'_>, own: Option<&str>) -> Vec<(&'static str, String)> {
    let url = match solo.opener.binding() {
        crate::client::Binding::Http(url) | crate::client::Binding::HttpSse(url) => url.clone(),
        crate::client::Binding::Stdio(_) => return Vec::new(),
    };
    let now = jiff::Timestamp::now().as_second();
    let issuer = url.origin().ascii_serialization();
    let claims = json!({
        "iss": issuer, "sub": "mcprove", "aud": url.as_str(), "scope": "mcp", "client_id": "mcprove",
        "iat": now, "nbf": now, "exp": now + 600,
    });
    // The claims and the key id of the user's own token are more plausible still.
    let part = |at: usize| -> Option<Value> {
        let bytes = URL_SAFE_NO_PAD.decode(own?.split('.').nth(at)?).ok()?;
        serde_json::from_slice::<Value>(&bytes).ok().filter(Value::is_object)
    };
    let (claims, kid) = (part(1).unwrap_or(claims), part(0).and_then(|header| header.get("kid").cloned()));
    let head = |algorithm: &str| {
        let mut head = json!({"typ": "JWT", "alg": algorithm});
        if let Some(kid) = &kid {
            head["kid"] = kid.clone();
        }
        head
    };
    let mut tokens = vec![
        ("random", "mcprove-4f8e1c0b7a6d493e9a27".to_owned()),
        ("unsigned", jwt(&head("none"), &claims, b"")),
        ("self-signed", jwt(&head("ES256"), &claims, &[7; 64])),
        ("self-signed", jwt(&head("HS256"), &claims, &[7; 32])),
    ];
    if let Some(own) = own.filter(|own| own.is_ascii() && own.len() > 8) {
        tokens.push(("truncated", own[..own.len() - 5].to_owned()));
        // Not the last character, some bits of which mean nothing.
        let (place, last) = (own.len() - 4, own.as_bytes()[own.len() - 4]);
        let other = if last == b'A' { 'B' } else { 'A' };
        tokens.push(("altered", format!("{}{other}{}", &own[..place], &own[place + 1..])));
    }
    tokens
}

async fn strangers_are_kept_out(solo: &mut Solo<'_>) {
    let rows: Vec<&'static str> = ROWS.into_iter().chain(WATCHED).collect();
    let Some(guarded) = guarded(solo, &rows).await else { return };
    let Guarded { mut opened, door, ticket, reply } = guarded;
    // Another status than 401 was judged already; what is behind it is guarded all the same.
    if reply.status() == Some(401) {
        solo.judge.held(MISSING);
    }
    solo.judge.held(LOCAL);
    let talk = &mut opened.talk;
    judge_consistency(solo, talk, &door, &ticket, &reply).await;
    let own = own_token(solo);
    let mut all = true;
    for (what, token) in forged(solo, own.as_deref()) {
        let (ticket, reply) = knock(solo, talk, &door, &Shown::Token(&token)).await;
        all &= judge_token(solo, what, &ticket, &reply);
    }
    let credentials = solo.settings.credentials.clone();
    let mut expired = credentials.named(super::credentials::EXPIRED).map(str::to_owned);
    let mut bad = Vec::new();
    if let Some(issuer) = &credentials.issuer {
        let scope = &issuer.scopes;
        expired = expired.or(issuer.mint(json!({"scope": scope, "exp": -3600, "nbf": -7200})).await);
        bad.push(("early", issuer.mint(json!({"scope": scope, "nbf": 1800, "exp": 3600})).await));
        bad.push(("foreign-key", issuer.mint(json!({"scope": scope, "sign": "foreign-key"})).await));
        bad.push(("key-as-secret", issuer.mint(json!({"scope": scope, "sign": "HS256"})).await));
        bad.push((
            "other-issuer",
            issuer.mint(json!({"scope": scope, "iss": "https://issuer.example"})).await,
        ));
    }
    bad.push(("expired", expired));
    for (what, token) in bad {
        let Some(token) = token else { continue };
        let (ticket, reply) = knock(solo, talk, &door, &Shown::Token(&token)).await;
        all &= judge_token(solo, what, &ticket, &reply);
    }
    if all {
        for id in [INVALID, VALIDATED, FOREIGN] {
            solo.judge.held(id);
        }
    }
    malformed_headers(solo, talk, &door, &reply).await;
    nothing_is_processed(solo, talk, &door, &reply).await;
    solo.close(opened).await;
}

/// How often a request is repeated to see whether its challenge stays the same. A server that asks for this and that in
/// turn asks others meanwhile.
const AGAIN: usize = 5;

/// The same request gets the same challenge each time.
async fn judge_consistency(
    solo: &mut Solo<'_>,
    talk: &mut Conversation,
    door: &Door,
    first: &Ticket,
    reply: &Reply,
) {
    let scopes = |reply: &Reply| -> Option<Vec<String>> {
        let challenges = Challenge::all(&reply.http()?.headers);
        let bearer = challenges.iter().find(|challenge| challenge.is("Bearer"))?;
        bearer.get("scope")?;
        Some(bearer.scopes().into_iter().map(str::to_owned).collect())
    };
    let before = scopes(reply);
    for _ in 0..AGAIN {
        let (_, again) = knock(solo, talk, door, &Shown::Nothing).await;
        if again.status() != Some(401) {
            return;
        }
        let after = scopes(&again);
        if before != after {
            return solo.judge.broke(
                CONSISTENT,
                breach("varies", "the same request was challenged with other scopes", first, &again)
                    .expected(&["the same set of scopes"])
                    .actual(format!(
                        "{:?}, then {:?}",
                        before.unwrap_or_default(),
                        after.unwrap_or_default()
                    )),
            );
        }
    }
    if before.is_some() {
        solo.judge.held(CONSISTENT);
    } else {
        solo.judge.undecided(CONSISTENT, "no-scope", "challenges name no scopes");
    }
}

/// What became of a token that must not be taken; whether it was refused as it should be.
pub(super) fn judge_token(solo: &mut Solo<'_>, what: &'static str, ticket: &Ticket, reply: &Reply) -> bool {
    let found = |class: &str, text: String| breach(class, text, ticket, reply).expected(&["HTTP 401"]);
    let status = match reply.status() {
        Some(401) => return true,
        Some(429) | None => {
            for id in [INVALID, VALIDATED, FOREIGN] {
                solo.judge.undecided(id, "no-answer", reply.describe());
            }
            return false;
        }
        Some(status) => status,
    };
    if reply.result().is_some() || (status < 300 && !reply.is_error()) {
        let text = format!("a token that is {} was taken", described(what));
        // The rows of what a token is carry the finding for that; the others rest on it.
        if matches!(what, "unsigned" | "self-signed" | "foreign-key" | "key-as-secret" | "other-issuer") {
            solo.judge.broke(FOREIGN, found(what, text.clone()).see(VALIDATED));
        }
        solo.judge.broke(INVALID, found(what, text.clone()).see(VALIDATED));
        solo.judge.broke(VALIDATED, found(what, text));
    } else {
        let text = format!("a token that is {} was refused with HTTP {status}", described(what));
        let seen = found("other-status", text);
        // What is taken for malformed may be refused as that.
        solo.judge.broke(INVALID, if status == 400 { seen.quality() } else { seen });
        solo.judge.held(VALIDATED);
        solo.judge.held(FOREIGN);
    }
    false
}

fn described(what: &str) -> &'static str {
    match what {
        "random" => "a random text",
        "unsigned" => "a JWT with `alg: none`",
        "self-signed" => "a JWT with a made-up signature",
        "truncated" => "the user's, cut short",
        "altered" => "the user's, with one character changed",
        "early" => "not valid yet",
        "foreign-key" => "signed with a key that is not the issuer's",
        "key-as-secret" => "signed with the public key as a shared secret",
        "other-issuer" => "of another issuer",
        "expired" => "expired",
        "other-server" => "for another server",
        _ => "not good",
    }
}

/// Headers that hold no token.
async fn malformed_headers(solo: &mut Solo<'_>, talk: &mut Conversation, door: &Door, bare: &Reply) {
    if !bearing(solo).carrier().eq_ignore_ascii_case("authorization") {
        let text = "the server is shown what lets in by another header than `Authorization`";
        return solo.judge.undecided(MALFORMED, "other-header", text);
    }
    let twice = "Bearer mcprove-4f8e1c0b7a6d493e9a27";
    for (what, shown) in [
        ("no-token", Shown::Value("Bearer")),
        ("two-tokens", Shown::Value("Bearer mcprove one")),
        ("two-headers", Shown::Twice(twice)),
    ] {
        let (ticket, reply) = knock(solo, talk, door, &shown).await;
        let found = |class: &str, text: &str| {
            breach(class, text, &ticket, &reply).expected(&["HTTP 400", "HTTP 401"])
        };
        match reply.status() {
            Some(400 | 401) => solo.judge.held(MALFORMED),
            Some(429) | None => solo.judge.undecided(MALFORMED, "no-answer", reply.describe()),
            Some(status) if status < 300 && !reply.is_error() => {
                solo.judge.broke(MALFORMED, found(what, "a malformed `Authorization` was taken"));
            }
            status if status == bare.status() => {
                let text = "it is refused as if nothing had been shown";
                solo.judge.undecided(MALFORMED, "as-missing", text);
            }
            Some(500..) => {
                let text = "a malformed `Authorization` made the server fail";
                solo.judge.broke(MALFORMED, found("server-error", text));
            }
            Some(_) => {
                let text = "a malformed `Authorization` was refused with another status";
                solo.judge.broke(MALFORMED, found("other-status", text).quality());
            }
        }
    }
}

/// Listings and calls without a token get no data, whatever the status.
async fn nothing_is_processed(solo: &mut Solo<'_>, talk: &mut Conversation, door: &Door, reply: &Reply) {
    let data = |reply: &Reply| reply.answer().is_some_and(|answer| answer.message.result().is_some());
    if !door.is_first() {
        // What else is open to all is open on purpose.
        return solo.judge.decide(BEFORE, !data(reply), || {
            Breach::new("data", "a request that takes a token got data without")
                .reply(reply)
                .expected(&["HTTP 401 without a result"])
        });
    }
    let era = solo.revision.era();
    for (method, params) in [
        ("tools/list", json!({})),
        ("resources/list", json!({})),
        ("prompts/list", json!({})),
        ("tools/call", json!({"name": "mcprove-no-such-tool", "arguments": {}})),
    ] {
        let id = talk.fresh_id();
        let params = match era {
            Era::Legacy => params,
            Era::Modern => crate::client::with_meta(params, solo.revision.as_str()),
        };
        let outgoing = Outgoing::request(&id, method, Some(params));
        let (ticket, reply) = show(talk, solo.name, outgoing, &Shown::Nothing).await;
        match reply.status() {
            Some(429) | None => solo.judge.undecided(BEFORE, "no-answer", reply.describe()),
            Some(_) => solo.judge.decide(BEFORE, !data(&reply), || {
                breach("data", format!("`{method}` without a token got data"), &ticket, &reply)
                    .expected(&["HTTP 401 without a result"])
            }),
        }
    }
    // A stream that opens is open to what the server says to others.
    let edits = Shown::Nothing.edits(&talk.bearing(), HttpEdits::default());
    let edits = Outgoing::bytes("").http(edits).deliberate(solo.name, Taint::Message);
    let ticket = talk.get_stream(None, &edits);
    let head = talk.head(&ticket).await;
    talk.abort(&ticket).await;
    if let Ok(head) = head {
        solo.judge.decide(BEFORE, !head.is_event_stream(), || {
            Breach::new("stream", "GET without a token opened an event stream")
                .expected(&["HTTP 401"])
                .actual(format!("HTTP {} with an event stream", head.status))
                .sent(ticket.since)
        });
    }
}
