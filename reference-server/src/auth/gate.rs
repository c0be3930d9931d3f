//! The gate: what an HTTP request has to show before anything of it is read, and what is open to all.

use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};

use crate::auth::authorization::BASIC_SCOPE;
use crate::auth::denial::Denial;
use crate::auth::{Grant, TestAuthorizationServer};
use crate::faults::Duty;
use crate::message::{Message, Payload, Response};
use crate::server::Server;
use crate::transport::{HttpReply, json_reply, not_allowed_reply};

/// What the bearer of the token in the headers may do; whether that is enough for a message, [`step_up`] decides. Each
/// request is looked at by itself: neither the connection nor a session remembers that an earlier one was let in.
#[allow(clippy::result_large_err, reason = "a refusal is rare, and goes out as it is")]
pub(crate) async fn admit(server: &Server, method: &Method, headers: &HeaderMap) -> Result<Grant, HttpReply> {
    let Some(authorization) = &server.config().authorization else { return Ok(Grant::everything()) };
    let token = if authorization.takes_api_keys() && headers.contains_key(API_KEY) {
        api_key(headers)
    } else {
        bearer_token(headers)
    };
    let admitted = match token {
        Ok(token) => authorization.grant(server, token).await,
        Err(denial) => Err(denial),
    };
    let admitted = admitted.and_then(|grant| {
        // What a body asks for may take more, and that is told all at once.
        let enough =
            *method == Method::POST || grant.allows(BASIC_SCOPE) || !server.keeps(Duty::ScopeChecked);
        if enough { Ok(grant) } else { Err(Denial::Insufficient(BASIC_SCOPE)) }
    });
    admitted.map_err(|denial| denial.reply(server, authorization))
}

/// The token of `Authorization: Bearer TOKEN`; the name of the scheme may be written in any case.
fn bearer_token(headers: &HeaderMap) -> Result<&str, Denial> {
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let value = values.next().ok_or(Denial::Missing)?;
    if values.next().is_some() {
        return Err(Denial::Malformed("There are two Authorization headers"));
    }
    let value = value.to_str().map_err(|_| Denial::Malformed("Authorization is no text"))?.trim();
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Denial::Missing);
    }
    let token = token.trim_start();
    if token.is_empty() || token.contains(' ') {
        return Err(Denial::Malformed("Authorization has no bearer token"));
    }
    Ok(token)
}

/// The header in which a token that was agreed on beforehand may stand as well.
const API_KEY: &str = "x-api-key";

/// The key of `X-API-Key: KEY`.
fn api_key(headers: &HeaderMap) -> Result<&str, Denial> {
    let mut values = headers.get_all(API_KEY).into_iter();
    match (values.next(), values.next(), headers.contains_key(AUTHORIZATION)) {
        (Some(key), None, false) => {
            key.to_str().map(str::trim).map_err(|_| Denial::Malformed("X-API-Key is no text"))
        }
        _ => Err(Denial::Malformed("There are two tokens")),
    }
}

/// Whether the grant is enough for every message of a body. What is missing comes in one challenge, together with what
/// the token has already. An answer takes what the request takes that it is for: `answering` says what that is.
#[allow(clippy::result_large_err, reason = "a refusal is rare, and goes out as it is")]
pub(crate) fn step_up(
    server: &Server,
    grant: &Grant,
    payload: &Payload<'_>,
    answering: &dyn Fn(&Response) -> Option<&'static str>,
) -> Result<(), HttpReply> {
    let Some(authorization) = &server.config().authorization else { return Ok(()) };
    if !server.keeps(Duty::ScopeChecked) {
        return Ok(());
    }
    let needed = match payload {
        Payload::Single(message) => needed_by(server, grant, message, answering),
        Payload::Batch(messages) => {
            let all = messages.iter().filter_map(|raw| crate::message::read_one(raw).ok());
            all.map(|message| needed_by(server, grant, &message, answering))
                .max_by_key(|scopes| scopes.len())
                .unwrap_or(BASIC_SCOPE)
        }
    };
    if needed.split(' ').all(|scope| grant.allows(scope)) {
        return Ok(());
    }
    Err(Denial::Insufficient(needed).reply(server, authorization))
}

/// All the scopes that a message takes.
fn needed_by(
    server: &Server,
    grant: &Grant,
    message: &Message,
    answering: &dyn Fn(&Response) -> Option<&'static str>,
) -> &'static str {
    match message {
        Message::Response(response) => answering(response).unwrap_or(BASIC_SCOPE),
        Message::Request(request) if request.method == "tools/call" => {
            let name = request.params.get("name").and_then(serde_json::Value::as_str).unwrap_or_default();
            server.tools(&grant.principal).scopes(name)
        }
        _ => BASIC_SCOPE,
    }
}

/// Whether a path is open to all: who has no token yet has to find out how to get one.
pub(crate) fn is_open(server: &Server, path: &str) -> bool {
    let config = server.config();
    config.authorization.as_ref().is_some_and(|authorization| authorization.is_metadata(path))
        || (config.test_authorization_server.is_some() && TestAuthorizationServer::serves(path))
}

/// Answers a request for a path that is open to all.
pub(crate) async fn open(server: &Server, parts: &Parts, body: Incoming) -> HttpReply {
    let (config, path) = (server.config(), parts.uri.path());
    match (&config.authorization, &config.test_authorization_server) {
        (Some(authorization), _) if authorization.is_metadata(path) => match parts.method {
            Method::GET => json_reply(200, authorization.metadata().to_string()),
            _ => not_allowed_reply("GET"),
        },
        (_, Some(issuer)) => issuer.answer(parts, body).await,
        _ => json_reply(404, String::new()),
    }
}
