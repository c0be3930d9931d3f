//! The authorization server that is part of a server of 2025-03-26 (basic/authorization of that revision). Later a server
//! names one, and what that does is not the server's affair.

use super::Solo;
use super::door::guarded;
use super::probe::probes;
use crate::client::{Binding, Fetch, Fetched};
use crate::monitors::Breach;
use crate::protocol::Revision;
use crate::wire::{header, is_loopback};
use serde_json::{Value, json};
use url::Url;

const METADATA: &str = "auth.as.metadata";
const BASE: &str = "auth.as.base-url";
const FALLBACK: &str = "auth.as.fallback-urls";
const REGISTRATION: &str = "auth.as.registration";
const PKCE: &str = "auth.as.pkce-required";
const REDIRECT: &str = "auth.as.redirect-validated";
const REDIRECT_TLS: &str = "auth.as.redirect-https-or-localhost";
const EXPIRY: &str = "auth.as.token-expiry";
const TLS: &str = "auth.security.https";
const ROWS: [&str; 9] = [METADATA, BASE, FALLBACK, REGISTRATION, PKCE, REDIRECT, REDIRECT_TLS, EXPIRY, TLS];

const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";
const BACK: &str = "http://127.0.0.1:9/mcprove";
const ELSEWHERE: &str = "http://evil.example/mcprove";
/// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

probes! {
    /// Of a server of 2025-03-26 that asks for a token and has an authorization server of its own, at the root of its own
    /// origin: reads its metadata. Only where that is our own: registers clients, and asks it to redirect to places that
    /// it must not, without PKCE, and for tokens. A server that only names an authorization server, as later revisions
    /// have it, or repeats the metadata of one elsewhere, is not judged. Nothing is sent to another origin.
    built_in_authorization_server (Alone, Legacy, Http) decides [
        "auth.as.metadata", "auth.as.base-url", "auth.as.fallback-urls", "auth.as.registration",
        "auth.as.pkce-required", "auth.as.redirect-validated", "auth.as.redirect-https-or-localhost",
        "auth.as.token-expiry", "auth.security.https",
    ];
}

fn about(fetched: &Fetched, class: &str, text: &str) -> Breach {
    let mut breach = Breach::new(class, text).actual(format!("HTTP {}", fetched.status));
    breach.event = Some(fetched.event);
    breach.conversation = Some(std::sync::Arc::clone(&fetched.recorder));
    breach
}

async fn built_in_authorization_server(solo: &mut Solo<'_>) {
    if solo.revision != Revision::V2025_03_26 {
        return;
    }
    let Some(guarded) = guarded(solo, &ROWS).await else { return };
    solo.close(guarded.opened).await;
    let (Binding::Http(endpoint) | Binding::HttpSse(endpoint)) = solo.opener.binding().clone() else {
        return;
    };
    let at = |path: &str| {
        let mut url = endpoint.clone();
        url.set_path(path);
        url.set_query(None);
        url
    };
    let fetch = async |url: Url| solo.opener.fetch(solo.name, Fetch::get(url)).await.ok();
    let is_metadata = |fetched: &Fetched| {
        fetched.status == 200 && fetched.object().is_some_and(|object| object.get("token_endpoint").is_some())
    };
    let root = fetch(at(WELL_KNOWN)).await.filter(is_metadata);
    let path = endpoint.path().trim_end_matches('/');
    let below = fetch(at(&format!("{path}{WELL_KNOWN}"))).await.filter(is_metadata);
    match (&root, &below) {
        (Some(_), _) => {
            solo.judge.held(METADATA);
            solo.judge.held(BASE);
            solo.judge.not_applicable(FALLBACK, "has-metadata", "the server has metadata");
        }
        (None, Some(below)) if !path.is_empty() => {
            solo.judge.held(METADATA);
            let breach = about(below, "below", "the metadata lies below the path of the endpoint")
                .expected(&["it lies at the root of the origin"]);
            solo.judge.broke(BASE, breach);
        }
        _ => {
            let token =
                solo.opener.fetch(solo.name, Fetch::form(at("/token"), &[("grant_type", "none")])).await;
            let authorize = fetch(at("/authorize")).await;
            return judge_fallback(solo, token.ok(), authorize);
        }
    }
    let Some(metadata) = root.or(below) else { return };
    if is_elsewhere(&metadata, &endpoint) {
        for id in [REGISTRATION, PKCE, REDIRECT, REDIRECT_TLS, EXPIRY] {
            let text = "the metadata is that of an authorization server elsewhere";
            solo.judge.not_applicable(id, "none-built-in", text);
        }
        return;
    }
    judge_metadata(solo, &metadata);
    let is_target = solo.settings.credentials.issuer.as_ref().is_some_and(|issuer| issuer.is_target);
    if is_target {
        use_it(solo, &metadata).await;
    } else {
        for id in [REDIRECT, REDIRECT_TLS, EXPIRY] {
            let text = "it takes a registered client, and nobody is asked to register one";
            solo.judge.undecided(id, "no-registration", text);
        }
    }
}

/// Whether what the metadata describes is at another origin: its tokens are not the server's own.
fn is_elsewhere(metadata: &Fetched, endpoint: &Url) -> bool {
    let named = metadata.object().and_then(|object| Url::parse(object.get("token_endpoint")?.as_str()?).ok());
    named.is_some_and(|url| url.origin() != endpoint.origin())
}

/// Without metadata: the three places, if any of them is there.
fn judge_fallback(solo: &mut Solo<'_>, token: Option<Fetched>, authorize: Option<Fetched>) {
    let is_there = |fetched: &Option<Fetched>| {
        fetched.as_ref().is_some_and(|fetched| !matches!(fetched.status, 404 | 405 | 501))
            && fetched.as_ref().is_some_and(|fetched| !matches!(fetched.status, 401 | 403))
    };
    if !is_there(&token) && !is_there(&authorize) {
        for id in ROWS.into_iter().filter(|id| *id != TLS) {
            let text = "the server has no authorization server of its own";
            solo.judge.not_applicable(id, "none-built-in", text);
        }
        return;
    }
    if let Some(endpoint) = token.as_ref().filter(|_| is_there(&token)).or(authorize.as_ref()) {
        let text = "the server has an authorization server of its own, without metadata";
        let found = about(endpoint, "absent", text).expected(&["/.well-known/oauth-authorization-server"]);
        solo.judge.broke(METADATA, found);
    }
    let missing = if is_there(&token) { authorize.filter(|a| a.status == 404) } else { token };
    match missing {
        Some(missing) if missing.status == 404 => solo.judge.broke(
            FALLBACK,
            about(&missing, "half", "one of the default endpoints is there and another is not")
                .expected(&["/authorize and /token at the root of the origin"]),
        ),
        _ => solo.judge.held(FALLBACK),
    }
}

/// What the metadata says of itself.
fn judge_metadata(solo: &mut Solo<'_>, metadata: &Fetched) {
    let Some(object) = metadata.object() else { return };
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    solo.judge.decide(REGISTRATION, text("registration_endpoint").is_some(), || {
        about(metadata, "absent", "the metadata names no registration endpoint")
            .expected(&["registration_endpoint (RFC 7591)"])
            .actual("it is absent")
    });
    let methods = object.get("code_challenge_methods_supported").and_then(Value::as_array);
    solo.judge.decide(
        PKCE,
        methods.is_some_and(|methods| methods.iter().any(|method| method == "S256")),
        || {
            about(metadata, "not-named", "the metadata does not say that PKCE with S256 is supported")
                .quality()
                .expected(&["code_challenge_methods_supported with S256"])
                .actual(
                    object
                        .get("code_challenge_methods_supported")
                        .map_or("it is absent".to_owned(), Value::to_string),
                )
                .pointer("/code_challenge_methods_supported")
        },
    );
    let endpoints = ["authorization_endpoint", "token_endpoint", "registration_endpoint"];
    let plain = endpoints.into_iter().find(|name| {
        let url = text(name).and_then(|text| Url::parse(text).ok());
        url.is_some_and(|url| url.scheme() != "https" && !is_loopback(&url))
    });
    solo.judge.decide(TLS, plain.is_none(), || {
        let name = plain.unwrap_or_default();
        about(metadata, "plain", "an endpoint of the authorization server is reached without TLS")
            .expected(&["https"])
            .actual(text(name).unwrap_or_default().to_owned())
            .pointer(format!("/{name}"))
    });
}

/// Registers at our own, and tries what it must not do.
async fn use_it(solo: &mut Solo<'_>, metadata: &Fetched) {
    let Some(object) = metadata.object() else { return };
    let endpoint = |name: &str| object.get(name).and_then(Value::as_str).and_then(|url| Url::parse(url).ok());
    let (Some(register), Some(authorize), Some(token)) =
        (endpoint("registration_endpoint"), endpoint("authorization_endpoint"), endpoint("token_endpoint"))
    else {
        return;
    };
    let registration = |uri: &str| Fetch::json(register.clone(), &json!({"redirect_uris": [uri]}));
    if let Ok(fetched) = solo.opener.fetch(solo.name, registration(ELSEWHERE)).await {
        solo.judge.decide(REDIRECT_TLS, fetched.status >= 400, || {
            about(&fetched, "plain", "a client was registered with a redirect URI of http elsewhere")
                .expected(&["HTTP 400"])
        });
    }
    let Ok(fetched) = solo.opener.fetch(solo.name, registration(BACK)).await else { return };
    let Some(client) =
        fetched.object().and_then(|object| Some(object.get("client_id")?.as_str()?.to_owned()))
    else {
        return;
    };
    let ask = async |redirect: &str, challenge: &str| {
        let mut url = authorize.clone();
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", client.as_str()),
            ("redirect_uri", redirect),
            ("state", "mcprove"),
        ];
        if !challenge.is_empty() {
            pairs.extend([("code_challenge", challenge), ("code_challenge_method", "S256")]);
        }
        url.query_pairs_mut().extend_pairs(pairs);
        solo.opener.fetch(solo.name, Fetch::get(url)).await.ok()
    };
    let location = |fetched: &Fetched| header(&fetched.headers, "location").unwrap_or_default().to_owned();
    let elsewhere = ask("http://127.0.0.1:9/another", CHALLENGE).await;
    let bare = ask(BACK, "").await;
    let good = ask(BACK, CHALLENGE).await;
    if let Some(fetched) = elsewhere {
        let to = location(&fetched);
        solo.judge.decide(REDIRECT, !to.starts_with("http://127.0.0.1:9/another"), || {
            about(&fetched, "open", "a redirect URI that was not registered was followed")
                .expected(&["an error page"])
                .actual(to.clone())
        });
    }
    if let Some(fetched) = bare {
        let code = location(&fetched).contains("code=");
        solo.judge.decide(PKCE, !code, || {
            about(&fetched, "no-pkce", "a code was given without a code challenge").expected(&["a refusal"])
        });
    }
    let Some(code) = good.map(|fetched| location(&fetched)).and_then(|to| {
        let url = Url::parse(&to).ok()?;
        url.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned())
    }) else {
        return;
    };
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("client_id", &client),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    let Ok(issued) = solo.opener.fetch(solo.name, Fetch::form(token.clone(), &form)).await else { return };
    let Some(tokens) = issued.object().filter(|tokens| tokens.get("access_token").is_some()) else { return };
    let lasting = tokens.get("expires_in").and_then(Value::as_u64).is_some_and(|seconds| seconds > 0);
    solo.judge.decide(EXPIRY, lasting, || {
        about(&issued, "no-end", "a token was issued without a lifetime")
            .expected(&["expires_in"])
            .pointer("/expires_in")
    });
    let Some(refresh) = tokens.get("refresh_token").and_then(Value::as_str) else { return };
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", &client)];
    let first = solo.opener.fetch(solo.name, Fetch::form(token.clone(), &form)).await;
    let again = solo.opener.fetch(solo.name, Fetch::form(token, &form)).await;
    if let (Ok(first), Ok(again)) = (first, again) {
        let used_twice = first.status == 200 && again.status == 200;
        solo.judge.decide(EXPIRY, !used_twice, || {
            about(&again, "no-rotation", "a refresh token was taken twice").expected(&["HTTP 400"])
        });
    }
}
