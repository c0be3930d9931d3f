//! Faults of authorization: of challenges, of the metadata, of what tokens are worth. Those of the authorization server
//! have a file of their own, `auth_server.rs`.

use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, StatusCode, Uri};
use serde_json::{Value, json};

use crate::faults::Duty;
use crate::faults::fault::{
    Fault, HTTP, MODERN, SESSIONS, SINCE_2025_03, SINCE_2025_06, SINCE_2025_11, STDIO, V2025_06, fault,
};
use crate::faults::hook::Hook::{Answer, HttpReply, HttpRequest, Neglect};
use crate::faults::hook::{HttpAsked, Memory};
use crate::memory::Answered;
use crate::transport::HttpReply as Reply;
use crate::transport::http_reply::{ReplyBody, empty};

const METADATA: &str = "/.well-known/oauth-protected-resource";

/// Changes the challenge of responses with this status.
pub(super) fn challenge(reply: &mut Reply, status: u16, change: impl FnOnce(String) -> String) {
    if reply.status() != status {
        return;
    }
    let line = reply.headers().get(WWW_AUTHENTICATE).and_then(|line| line.to_str().ok()).map(str::to_owned);
    if let Some(Ok(line)) = line.map(|line| HeaderValue::from_str(&change(line))) {
        reply.headers_mut().insert(WWW_AUTHENTICATE, line);
    }
}

/// A challenge without one of its parameters.
fn without(line: &str, name: &str) -> String {
    let kept =
        line.trim_start_matches("Bearer ").split(", ").filter(|part| !part.starts_with(&format!("{name}=")));
    format!("Bearer {}", kept.collect::<Vec<_>>().join(", "))
}

/// A challenge without the URL of the metadata, on every 401.
fn unnamed(reply: &mut Reply) {
    challenge(reply, 401, |line| without(&line, "resource_metadata"));
}

/// Changes a JSON document.
pub(super) fn document(reply: &mut Reply, change: impl FnOnce(&mut Value)) {
    let ReplyBody::Whole(body) = reply.body_mut() else { return };
    let Answered { text, held } = std::mem::take(body).into_answered();
    let changed = match serde_json::from_str(&text) {
        Ok(mut value) => {
            change(&mut value);
            value.to_string()
        }
        Err(_) => text,
    };
    *reply.body_mut() = ReplyBody::Whole(Answered { text: changed, held }.into());
}

/// Changes the metadata of the resource.
fn metadata(asked: &HttpAsked, reply: &mut Reply, change: impl FnOnce(&mut Value)) {
    if asked.path.starts_with(METADATA) && reply.status() == StatusCode::OK {
        document(reply, change);
    }
}

fn has_token(asked: &HttpAsked) -> bool {
    asked.headers.contains_key(AUTHORIZATION)
}

/// A request with another path.
pub(super) fn moved(request: &mut hyper::Request<hyper::body::Incoming>, path: &'static str) {
    *request.uri_mut() = Uri::from_static(path);
}

/// What a JWT in `Authorization` says.
fn claims(request: &hyper::Request<hyper::body::Incoming>) -> Option<Value> {
    let token = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&claims).ok()
}

/// Lets in who was let in before in the same session.
fn let_in_again(memory: &Memory, request: &mut hyper::Request<hyper::body::Incoming>) {
    let Some(session) =
        request.headers().get("mcp-session-id").and_then(|id| id.to_str().ok()).map(str::to_owned)
    else {
        return;
    };
    let mut known = memory.kept().unwrap_or_else(|| json!({}));
    match request.headers().get(AUTHORIZATION).and_then(|token| token.to_str().ok()) {
        // Whoever came first is taken for the owner.
        Some(token) if known.get(&session).is_none() => {
            known[&session] = token.into();
            memory.keep(known);
        }
        Some(_) => {}
        None => {
            let token = known
                .get(&session)
                .and_then(Value::as_str)
                .and_then(|token| HeaderValue::from_str(token).ok());
            if let Some(token) = token {
                request.headers_mut().insert(AUTHORIZATION, token);
            }
        }
    }
}

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "auth.stdio-uses-environment/challenge",
        "Over STDIO a wrong request is answered with a challenge for a token.",
        &[Answer(|_, answer| {
            if let Err(error) = answer {
                error.data = Some(Box::new(json!({"WWW-Authenticate": "Bearer"})));
            }
        })],
    )
    .also_seen(&[
        "capabilities.client.missing-error-data",
        "elicitation.required-error.list",
        "extension-tasks.create.undeclared-required-error",
        "versioning.request.unsupported-error-data",
    ])
    .within(SINCE_2025_03)
    .warning_in(SINCE_2025_03)
    .over(STDIO),
    fault(
        "auth.challenge.present/absent",
        "A 401 has no challenge.",
        &[HttpReply(|_, reply| {
            if reply.status() == StatusCode::UNAUTHORIZED {
                reply.headers_mut().remove(WWW_AUTHENTICATE);
            }
        })],
    )
    .breaking(&["auth.http-conformance"])
    .within(SINCE_2025_03)
    .over(HTTP),
    fault(
        "auth.challenge.bearer-scheme/bare",
        "The challenge of a 401 says `Bearer` and nothing else.",
        &[HttpReply(|_, reply| challenge(reply, 401, |_| "Bearer".to_owned()))],
    )
    .also_seen(&[
        "auth.challenge.resource-metadata",
        "auth.challenge.scope",
        "auth.challenge.invalid-token-error",
    ])
    .within(SINCE_2025_03)
    .over(HTTP),
    fault(
        "auth.challenge.bearer-scheme/basic",
        "The challenge of a 401 asks for a name and a password.",
        &[HttpReply(|_, reply| challenge(reply, 401, |_| "Basic realm=\"mcp\"".to_owned()))],
    )
    .also_seen(&["auth.http-conformance"])
    .within(SINCE_2025_03)
    .over(HTTP),
    fault(
        "auth.challenge.resource-metadata/absent",
        "The challenge of a 401 does not name the metadata.",
        &[HttpReply(|_, reply| unnamed(reply))],
    )
    .within(V2025_06)
    .over(HTTP),
    fault(
        "auth.challenge.resource-metadata-reachable/nowhere",
        "The challenge names a place where no metadata is.",
        &[HttpReply(|_, reply| challenge(reply, 401, |line| line.replace(METADATA, "/nowhere")))],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "auth.challenge.scope/absent",
        "The challenge of a 401 does not name the scopes that are needed.",
        &[HttpReply(|_, reply| challenge(reply, 401, |line| without(&line, "scope")))],
    )
    .within(SINCE_2025_11)
    .over(HTTP),
    fault(
        "auth.challenge.scope-consistent/varies",
        "Every other challenge asks for another scope.",
        &[HttpReply(|_, reply| {
            static OTHER: AtomicBool = AtomicBool::new(false);
            if reply.status() == StatusCode::UNAUTHORIZED && OTHER.fetch_xor(true, Ordering::Relaxed) {
                challenge(reply, 401, |line| line.replace("scope=\"mcp\"", "scope=\"mcp mcp:write\""));
            }
        })],
    )
    .within(SINCE_2025_11)
    .over(HTTP),
    fault(
        "auth.challenge.no-error-without-credentials/error",
        "The challenge to a request without a token says that the token is invalid.",
        &[HttpReply(|asked, reply| {
            if !has_token(asked) {
                challenge(reply, 401, |line| format!("{line}, error=\"invalid_token\""));
            }
        })],
    )
    .within(SINCE_2025_03)
    .over(HTTP),
    fault(
        "auth.challenge.invalid-token-error/silent",
        "The challenge to a bad token does not say that it is bad.",
        &[HttpReply(|_, reply| {
            challenge(reply, 401, |line| without(&without(&line, "error"), "error_description"));
        })],
    )
    .within(SINCE_2025_03)
    .over(HTTP),
    fault(
        "auth.challenge.no-duplicate-params/twice",
        "The challenge names the scopes twice.",
        &[HttpReply(|_, reply| challenge(reply, 401, |line| format!("{line}, scope=\"mcp\"")))],
    )
    .within(SINCE_2025_03)
    .over(HTTP),
    fault(
        "auth.challenge.no-offline-access/asked",
        "The challenge asks for `offline_access`.",
        &[HttpReply(|_, reply| {
            challenge(reply, 401, |line| line.replace("scope=\"mcp\"", "scope=\"mcp offline_access\""));
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "auth.status.missing-token-unauthorized/forbidden",
        "A request without a token gets the status 403.",
        &[HttpReply(|asked, reply| {
            if reply.status() == StatusCode::UNAUTHORIZED && !has_token(asked) {
                *reply.status_mut() = StatusCode::FORBIDDEN;
            }
        })],
    )
    .within(SINCE_2025_03)
    .over(HTTP),
    fault(
        "auth.status.invalid-token-unauthorized/forbidden",
        "A bad token gets the status 403.",
        &[HttpReply(|asked, reply| {
            if reply.status() == StatusCode::UNAUTHORIZED && has_token(asked) {
                *reply.status_mut() = StatusCode::FORBIDDEN;
            }
        })],
    )
    .within(SINCE_2025_03)
    .over(HTTP),
    fault(
        "auth.status.malformed-bad-request/fails",
        "A header without a token makes the server fail.",
        &[HttpReply(|asked, reply| {
            if reply.status() == StatusCode::BAD_REQUEST
                && has_token(asked)
                && reply.headers().contains_key(WWW_AUTHENTICATE)
            {
                *reply.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            }
        })],
    )
    .also_seen(&["robustness.http.no-5xx"])
    .within(SINCE_2025_03)
    .over(HTTP),
    fault(
        "auth.token.validated/signature",
        "Nobody looks at the signature of a token, nor at its time and issuer.",
        &[Neglect(Duty::TokenSignatureChecked)],
    )
    .breaking(&[
        "auth.status.invalid-token-unauthorized",
        "auth.token.foreign-refused",
        "auth.extension.client-credentials-validated",
    ])
    .within(SINCE_2025_03)
    .over(HTTP),
    fault(
        "auth.token.validated/expired",
        "Tokens are taken after their time.",
        &[Neglect(Duty::TokenExpiryChecked)],
    )
    .breaking(&["auth.status.invalid-token-unauthorized"])
    .within(SINCE_2025_03)
    .over(HTTP),
    fault(
        "auth.token.foreign-refused/other-issuer",
        "Tokens of any issuer are taken.",
        &[Neglect(Duty::TokenIssuerChecked)],
    )
    .breaking(&["auth.token.validated", "auth.status.invalid-token-unauthorized"])
    .within(SINCE_2025_03)
    .over(HTTP),
    fault(
        "auth.token.audience/any",
        "Tokens for other servers are taken.",
        &[Neglect(Duty::TokenAudienceChecked)],
    )
    .within(SINCE_2025_06)
    .over(HTTP),
    fault(
        "auth.token.query-refused/taken",
        "A token in the query of the URL is taken.",
        &[HttpRequest(|_, request| {
            let token = request.uri().query().and_then(|query| query.strip_prefix("access_token="));
            if let Some(Ok(token)) = token.map(|token| HeaderValue::from_str(&format!("Bearer {token}"))) {
                request.headers_mut().insert(AUTHORIZATION, token);
            }
            None
        })],
    )
    .within(SINCE_2025_03)
    .over(HTTP),
    fault(
        "auth.token.header-supported/capitals",
        "The scheme `bearer` has to be written with a capital letter.",
        &[HttpRequest(|_, request| {
            if request
                .headers()
                .get(AUTHORIZATION)
                .is_some_and(|value| value.as_bytes().starts_with(b"bearer"))
            {
                request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("Bearer refused"));
            }
            None
        })],
    )
    .within(SINCE_2025_03)
    .warning_in(SINCE_2025_03)
    .over(HTTP),
    fault(
        "auth.token.every-request/once",
        "Who has shown a token once in a session need not show it again.",
        &[HttpRequest(|memory, request| {
            let_in_again(memory, request);
            None
        })],
    )
    .also_seen(&["tasks.isolation.foreign-refused", "tasks.isolation.list-own"])
    .breaking(&["security.session.not-authentication"])
    .within(SESSIONS)
    .over(HTTP),
    fault(
        "auth.token.before-processing/stream",
        "GET without a token opens a stream.",
        &[HttpReply(|asked, reply| {
            let bare = asked.method == Method::GET
                && asked.path == "/mcp"
                && !asked.headers.contains_key("mcp-session-id");
            if bare && reply.status() == StatusCode::UNAUTHORIZED {
                *reply = empty(StatusCode::OK);
                reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            }
        })],
    )
    .within(SINCE_2025_06)
    .over(HTTP),
    fault(
        "auth.canonical-uri.case-robust/exact",
        "An audience in capitals is not recognised.",
        &[HttpRequest(|_, request| {
            let audience = claims(request).and_then(|claims| claims.get("aud")?.as_str().map(str::to_owned));
            if audience.is_some_and(|audience| audience.starts_with("HTTP")) {
                request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("Bearer refused"));
            }
            None
        })],
    )
    .within(SINCE_2025_06)
    .over(HTTP),
    fault(
        "auth.metadata.implemented/none",
        "There is no metadata.",
        &[
            HttpRequest(|_, request| {
                request.uri().path().starts_with(METADATA).then(|| empty(StatusCode::NOT_FOUND))
            }),
            HttpReply(|_, reply| unnamed(reply)),
        ],
    )
    .breaking(&["auth.metadata.discoverable", "auth.http-conformance"])
    .also_seen(&["auth.challenge.resource-metadata"])
    .within(SINCE_2025_06)
    .over(HTTP),
    fault(
        "auth.metadata.well-known-path/appended",
        "The metadata lies below the path of the endpoint.",
        &[
            HttpRequest(|_, request| {
                if request.uri().path().starts_with(METADATA) {
                    return Some(empty(StatusCode::NOT_FOUND));
                }
                if request.uri().path() == "/mcp/.well-known/oauth-protected-resource" {
                    moved(request, METADATA);
                }
                None
            }),
            HttpReply(|_, reply| unnamed(reply)),
        ],
    )
    .breaking(&["auth.metadata.implemented", "auth.metadata.discoverable", "auth.http-conformance"])
    .also_seen(&["auth.challenge.resource-metadata"])
    .within(SINCE_2025_06)
    .over(HTTP),
    fault(
        "auth.metadata.public/guarded",
        "The metadata takes a token.",
        &[HttpRequest(|_, request| {
            let guarded =
                request.uri().path().starts_with(METADATA) && !request.headers().contains_key(AUTHORIZATION);
            guarded.then(|| empty(StatusCode::UNAUTHORIZED))
        })],
    )
    .breaking(&[
        "auth.metadata.implemented",
        "auth.metadata.discoverable",
        "auth.http-conformance",
        "auth.challenge.resource-metadata-reachable",
    ])
    .within(SINCE_2025_06)
    .over(HTTP),
    fault(
        "auth.metadata.authorization-servers/none",
        "The metadata lists no authorization server.",
        &[HttpReply(|asked, reply| {
            metadata(asked, reply, |document| {
                document.as_object_mut().and_then(|members| members.remove("authorization_servers"));
            });
        })],
    )
    .within(SINCE_2025_06)
    .over(HTTP),
    fault(
        "auth.metadata.authorization-server-url/query",
        "The issuer in the metadata has a query.",
        &[HttpReply(|asked, reply| {
            metadata(asked, reply, |document| {
                document["authorization_servers"] = json!(["https://issuer.example/?tenant=1"]);
            });
        })],
    )
    .within(SINCE_2025_06)
    .over(HTTP),
    fault(
        "auth.security.https/plain",
        "The issuer in the metadata is reached without TLS.",
        &[HttpReply(|asked, reply| {
            metadata(asked, reply, |document| {
                document["authorization_servers"] = json!(["http://issuer.example"]);
            });
        })],
    )
    .breaking(&["auth.metadata.authorization-server-url"])
    .within(SINCE_2025_06)
    .over(HTTP),
    fault(
        "auth.metadata.resource-present/absent",
        "The metadata does not name the resource.",
        &[HttpReply(|asked, reply| {
            metadata(asked, reply, |document| {
                document.as_object_mut().and_then(|members| members.remove("resource"));
            });
        })],
    )
    .within(SINCE_2025_06)
    .over(HTTP),
    fault(
        "auth.metadata.resource-matches/other",
        "The metadata names another endpoint.",
        &[HttpReply(|asked, reply| {
            metadata(asked, reply, |document| document["resource"] = "http://127.0.0.1:1/other".into());
        })],
    )
    .within(SINCE_2025_06)
    .warning_in(SINCE_2025_06)
    .over(HTTP),
    fault(
        "auth.metadata.json-ok/html",
        "The metadata is served as HTML.",
        &[HttpReply(|asked, reply| {
            if asked.path.starts_with(METADATA) {
                reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
            }
        })],
    )
    .within(SINCE_2025_06)
    .over(HTTP),
    fault(
        "auth.metadata.no-empty-arrays/empty",
        "The metadata has a member without elements.",
        &[HttpReply(|asked, reply| {
            metadata(asked, reply, |document| document["resource_signing_alg_values_supported"] = json!([]));
        })],
    )
    .within(SINCE_2025_06)
    .over(HTTP),
    fault(
        "auth.metadata.scopes-minimal/everything",
        "The metadata lists a scope for everything.",
        &[HttpReply(|asked, reply| {
            metadata(asked, reply, |document| document["scopes_supported"] = json!(["mcp", "*"]));
        })],
    )
    .within(SINCE_2025_11)
    .over(HTTP),
    fault(
        "auth.canonical-uri.no-trailing-slash/slash",
        "The resource in the metadata ends with a slash.",
        &[HttpReply(|asked, reply| {
            metadata(asked, reply, |document| {
                let resource = document["resource"].as_str().map(|resource| format!("{resource}/"));
                document["resource"] = resource.into();
            });
        })],
    )
    .within(SINCE_2025_06)
    .over(HTTP),
    fault(
        "auth.status.insufficient-forbidden/unauthorized",
        "A token of too little scope gets the status 401.",
        &[HttpReply(|_, reply| {
            if reply.status() == StatusCode::FORBIDDEN && reply.headers().contains_key(WWW_AUTHENTICATE) {
                *reply.status_mut() = StatusCode::UNAUTHORIZED;
                challenge(reply, 401, |line| line.replace("insufficient_scope", "invalid_token"));
            }
        })],
    )
    .breaking(&["auth.scope.insufficient-status"])
    .within(SINCE_2025_03)
    .warning_in(SINCE_2025_03)
    .over(HTTP),
    fault(
        "auth.status.insufficient-forbidden/served",
        "Nobody looks at the scopes of a token.",
        &[Neglect(Duty::ScopeChecked)],
    )
    .breaking(&["auth.scope.insufficient-status"])
    .within(SINCE_2025_03)
    .over(HTTP),
    fault(
        "auth.scope.insufficient-error/silent",
        "The 403 for too little scope does not say so.",
        &[HttpReply(|_, reply| challenge(reply, 403, |line| without(&line, "error")))],
    )
    .within(SINCE_2025_11)
    .over(HTTP),
    fault(
        "auth.scope.insufficient-scopes-named/absent",
        "The 403 for too little scope does not name the scopes.",
        &[HttpReply(|_, reply| challenge(reply, 403, |line| without(&line, "scope")))],
    )
    .breaking(&["auth.scope.complete-in-one-challenge"])
    .within(SINCE_2025_11)
    .over(HTTP),
    fault(
        "auth.scope.insufficient-metadata/absent",
        "The 403 for too little scope does not name the metadata.",
        &[HttpReply(|_, reply| challenge(reply, 403, |line| without(&line, "resource_metadata")))],
    )
    .within(SINCE_2025_11)
    .over(HTTP),
    fault(
        "auth.scope.complete-in-one-challenge/one-by-one",
        "The scopes that are needed are asked for one after the other.",
        &[HttpReply(|_, reply| {
            challenge(reply, 403, |line| line.replace("scope=\"mcp mcp:write\"", "scope=\"mcp\""));
        })],
    )
    .within(MODERN)
    .over(HTTP),
    fault(
        "auth.http-conformance/own-scheme",
        "The server asks for a scheme of its own, which was exempt before, and has no metadata.",
        &[
            HttpRequest(|_, request| {
                request.uri().path().starts_with(METADATA).then(|| empty(StatusCode::NOT_FOUND))
            }),
            HttpReply(|_, reply| challenge(reply, 401, |_| "ApiKey realm=\"mcp\"".to_owned())),
        ],
    )
    .breaking(&["auth.metadata.implemented", "auth.metadata.discoverable"])
    .within(MODERN)
    .warning_in(MODERN)
    .over(HTTP),
];
