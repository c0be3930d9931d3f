//! Access tokens that an issuer has signed (RFC 9068): signature, issuer, audience, time.

use std::fmt;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, dangerous, decode, decode_header};
use serde::Deserialize;

use crate::auth::Grant;
use crate::auth::denial::Denial;
use crate::auth::signature::{ALGORITHMS, install};
use crate::faults::Duty;
use crate::server::Server;

/// Seconds by which the clocks of issuer and server may differ.
const LEEWAY: u64 = 5;
/// The longest token that is looked at, in bytes.
const LONGEST: usize = 16 << 10;

/// An issuer whose tokens are taken.
#[derive(Clone)]
pub struct TrustedIssuer {
    issuer: String,
    /// Its keys, each with its id.
    keys: Vec<(Option<String>, DecodingKey)>,
}

impl fmt::Debug for TrustedIssuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TrustedIssuer").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// A set of keys that cannot be read, or has none of a kind that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidKeys(String);

impl fmt::Display for InvalidKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the keys of the issuer cannot be used: {}", self.0)
    }
}

impl std::error::Error for InvalidKeys {}

/// What of the claims is used beyond what is validated.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    aud: Names,
    #[serde(default)]
    scope: String,
    /// RFC 9068, section 2.2.3.1.
    #[serde(default)]
    roles: Names,
}

/// A claim with one name, or several: `aud`, `roles`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Several(Vec<String>),
}

impl Default for Names {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Names {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

impl TrustedIssuer {
    /// An issuer, by its identifier and its keys: the text of a JWK set (RFC 7517), as its `jwks_uri` serves it.
    pub fn new(issuer: impl Into<String>, key_set: &str) -> Result<Self, InvalidKeys> {
        install();
        let set: JwkSet = serde_json::from_str(key_set).map_err(|error| InvalidKeys(error.to_string()))?;
        let read = |jwk| DecodingKey::from_jwk(jwk).ok();
        let keys: Vec<_> =
            set.keys.iter().filter_map(|jwk| Some((jwk.common.key_id.clone(), read(jwk)?))).collect();
        if keys.is_empty() {
            return Err(InvalidKeys("there is none".to_owned()));
        }
        Ok(Self { issuer: issuer.into(), keys })
    }

    /// The key with this id; without one, the only key.
    fn key(&self, id: Option<&str>) -> Option<&DecodingKey> {
        let found = match id {
            Some(id) => self.keys.iter().find(|(own, _)| own.as_deref() == Some(id)),
            None => self.keys.first().filter(|_| self.keys.len() == 1),
        };
        found.map(|(_, key)| key)
    }

    /// What the bearer of a token may do at a resource.
    pub(super) fn grant(&self, server: &Server, token: &str, resource: &str) -> Result<Grant, Denial> {
        let unreadable = Denial::Invalid("The token cannot be read");
        if token.len() > LONGEST {
            return Err(unreadable);
        }
        let claims = if server.keeps(Duty::TokenSignatureChecked) {
            let header = decode_header(token).map_err(|_| unreadable)?;
            let key = self.key(header.kid.as_deref());
            let key = key.ok_or(Denial::Invalid("The token is signed with a key that is not known"))?;
            let decoded = decode::<Claims>(token, key, &self.validation(server, key));
            decoded.map_err(|error| because(error.kind()))?.claims
        } else {
            dangerous::insecure_decode_claims::<Claims>(token).map_err(|_| unreadable)?
        };
        let is_for_us = claims.aud.as_slice().iter().any(|audience| is_same(audience, resource));
        if !is_for_us && server.keeps(Duty::TokenAudienceChecked) {
            return Err(Denial::Invalid("The token is for another server"));
        }
        let role = server.enterprise().and_then(|profile| profile.role_name(claims.roles.as_slice()));
        Ok(Grant::of_token(&claims.sub, &claims.scope, role))
    }

    fn validation(&self, server: &Server, key: &DecodingKey) -> Validation {
        let mut validation = Validation::new(ALGORITHMS[0]);
        // What the key is for decides, never what the token says of itself.
        validation.algorithms = ALGORITHMS.into_iter().filter(|own| own.family() == key.family()).collect();
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        // The library compares letter by letter; see `is_same`.
        validation.validate_aud = false;
        validation.validate_exp = server.keeps(Duty::TokenExpiryChecked);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        if server.keeps(Duty::TokenIssuerChecked) {
            validation.set_issuer(&[&self.issuer]);
        }
        validation
    }
}

/// Whether an audience names a resource: the scheme and the host may be written in any case.
fn is_same(audience: &str, resource: &str) -> bool {
    let path = |uri: &str| {
        let authority = uri.find("://").map_or(0, |scheme| scheme + 3);
        uri[authority..].find('/').map_or(uri.len(), |path| authority + path)
    };
    let (theirs, ours) = (audience.split_at(path(audience)), resource.split_at(path(resource)));
    theirs.0.eq_ignore_ascii_case(ours.0) && theirs.1 == ours.1
}

/// What a client is told; it is for the developer, not for the user.
fn because(kind: &ErrorKind) -> Denial {
    Denial::Invalid(match kind {
        ErrorKind::ExpiredSignature => "The token has expired",
        ErrorKind::ImmatureSignature => "The token is not valid yet",
        ErrorKind::InvalidIssuer => "The token is of another issuer",
        ErrorKind::InvalidSignature => "The signature is wrong",
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => "The algorithm is not taken",
        ErrorKind::MissingRequiredClaim(_) => "The token lacks a claim",
        _ => "The token cannot be read",
    })
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn scheme_and_host_may_be_written_in_any_case() {
        let ours = "http://localhost:80/mcp";
        for same in [ours, "HTTP://LOCALHOST:80/mcp", "http://Localhost:80/mcp"] {
            assert!(is_same(same, ours), "{same}");
        }
        for other in ["http://localhost:80/MCP", "http://localhost:80/mcp/", "http://localhost:80", "mcp", ""]
        {
            assert!(!is_same(other, ours), "{other}");
        }
    }
}
