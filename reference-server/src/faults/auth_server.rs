//! Faults of the authorization server that is part of a server of 2025-03-26.

use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};

use crate::faults::auth::{document, moved};
use crate::faults::fault::{Fault, HTTP, V2025_03, fault};
use crate::faults::hook::Hook::{HttpReply, HttpRequest};
use crate::transport::http_reply::{empty, short_json};

const METADATA: &str = "/.well-known/oauth-authorization-server";

/// The value of a parameter in a query, decoded.
fn parameter(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
}

pub(super) const FAULTS: &[Fault] = &[
    fault(
        "auth.as.metadata/absent",
        "The authorization server has no metadata.",
        &[HttpRequest(|_, request| (request.uri().path() == METADATA).then(|| empty(StatusCode::NOT_FOUND)))],
    )
    .within(V2025_03)
    .over(HTTP),
    fault(
        "auth.as.base-url/below",
        "The metadata of the authorization server lies below the path of the endpoint.",
        &[HttpRequest(|_, request| {
            if request.uri().path() == METADATA {
                return Some(empty(StatusCode::NOT_FOUND));
            }
            if request.uri().path() == "/mcp/.well-known/oauth-authorization-server" {
                moved(request, "/.well-known/openid-configuration");
            }
            None
        })],
    )
    .within(V2025_03)
    .over(HTTP),
    fault(
        "auth.as.fallback-urls/half",
        "The authorization server has neither metadata nor the default authorization endpoint.",
        &[HttpRequest(|_, request| {
            [METADATA, "/authorize"].contains(&request.uri().path()).then(|| empty(StatusCode::NOT_FOUND))
        })],
    )
    .breaking(&["auth.as.metadata"])
    .within(V2025_03)
    .over(HTTP),
    fault(
        "auth.as.registration/absent",
        "Clients cannot register.",
        &[HttpReply(|asked, reply| {
            if asked.path == METADATA {
                document(reply, |metadata| {
                    metadata.as_object_mut().and_then(|members| members.remove("registration_endpoint"));
                });
            }
        })],
    )
    .within(V2025_03)
    .over(HTTP),
    fault(
        "auth.as.pkce-required/optional",
        "A code is given without a code challenge.",
        &[HttpRequest(|_, request| {
            let query = request.uri().query().filter(|_| request.uri().path() == "/authorize")?;
            if parameter(query, "code_challenge").is_some() {
                return None;
            }
            // Any challenge makes the honest server go on.
            let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
            let uri = format!("/authorize?{query}&code_challenge={challenge}&code_challenge_method=S256");
            *request.uri_mut() = uri.parse().ok()?;
            None
        })],
    )
    .within(V2025_03)
    .over(HTTP),
    fault(
        "auth.as.redirect-validated/open",
        "Whoever asks is sent to wherever the request says, with a code.",
        &[HttpRequest(|_, request| {
            let query = request.uri().query().filter(|_| request.uri().path() == "/authorize")?;
            let mut reply = empty(StatusCode::FOUND);
            let to = format!("{}?code=anything", parameter(query, "redirect_uri")?);
            reply.headers_mut().insert(LOCATION, HeaderValue::from_str(&to).ok()?);
            Some(reply)
        })],
    )
    .breaking(&["auth.as.pkce-required"])
    .within(V2025_03)
    .over(HTTP),
    fault(
        "auth.as.redirect-https-or-localhost/any",
        "A client is registered with any redirect URI.",
        &[HttpReply(|asked, reply| {
            if asked.path == "/register" && reply.status() == StatusCode::BAD_REQUEST {
                *reply = short_json(201, "{\"client_id\":\"anybody\"}".to_owned());
            }
        })],
    )
    .within(V2025_03)
    .over(HTTP),
    fault(
        "auth.as.token-expiry/endless",
        "Tokens are issued without a lifetime.",
        &[HttpReply(|asked, reply| {
            if asked.path == "/token" {
                document(reply, |tokens| {
                    tokens.as_object_mut().and_then(|members| members.remove("expires_in"));
                });
            }
        })],
    )
    .within(V2025_03)
    .over(HTTP),
];
