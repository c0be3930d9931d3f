//! Why a request is not let in, and how that is said: status and challenge (OAuth 2.1, section 5.3).

use hyper::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};

use crate::auth::authorization::{Authorization, BASIC_SCOPE};
use crate::message::{INTERNAL_ERROR, RpcError};
use crate::server::Server;
use crate::transport::{HttpReply, error_reply};

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// There is no token, or one of a scheme that is not ours.
    Missing,
    /// The header is no bearer token, or there are two.
    Malformed(&'static str),
    /// The token is not taken.
    Invalid(&'static str),
    /// The token is good, but not for this: all the scopes that this takes, with spaces between them.
    Insufficient(&'static str),
    /// Whether the token is good cannot be told, because the keys of its issuer cannot be had.
    Unverifiable,
}

impl Denial {
    /// The response. Every challenge names the metadata, so that a client finds out where to get a token.
    pub(super) fn reply(self, server: &Server, authorization: &Authorization) -> HttpReply {
        let (status, error, description, scope) = match self {
            // Who brought no token has made no mistake yet, so there is no error code.
            Self::Missing => (401, None, "Unauthorized: a token is needed", Some(BASIC_SCOPE)),
            Self::Malformed(what) => (400, Some("invalid_request"), what, None),
            Self::Invalid(what) => (401, Some("invalid_token"), what, Some(BASIC_SCOPE)),
            Self::Insufficient(scopes) => {
                (403, Some("insufficient_scope"), "The token lacks a scope that this takes", Some(scopes))
            }
            Self::Unverifiable => return unverifiable(server),
        };
        let mut challenge = format!("Bearer resource_metadata=\"{}\"", authorization.metadata_url());
        if let Some(error) = error {
            challenge.push_str(&format!(", error=\"{error}\", error_description=\"{description}\""));
        }
        if let Some(scope) = scope {
            challenge.push_str(&format!(", scope=\"{scope}\""));
        }
        let refusal = RpcError::invalid_request(description);
        let mut reply = error_reply(status, None, &refusal, server.newest());
        if let Ok(value) = HeaderValue::from_str(&challenge) {
            reply.headers_mut().insert(WWW_AUTHENTICATE, value);
        }
        reply
    }
}

/// The token may be good, so there is no challenge: another one would fare no better.
fn unverifiable(server: &Server) -> HttpReply {
    const SECONDS: &str = "5";
    let text = "Tokens cannot be verified: the keys of the issuer cannot be fetched. Try again later";
    let refusal = RpcError::new(INTERNAL_ERROR, text);
    let mut reply = error_reply(503, None, &refusal, server.newest());
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(SECONDS));
    reply
}
