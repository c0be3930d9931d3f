//! Access tokens that an issuer has signed (RFC 9068): signature, issuer, audience, time.

use std::fmt;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, Validation, dangerous, decode, decode_header};
use serde::Deserialize;

use crate::auth::denial::Denial;
use crate::auth::key_set::{InvalidKeys, KeySet};
use crate::auth::remote_keys::{NoKey, RemoteKeys};
use crate::auth::signature::{ALGORITHMS, install};
use crate::auth::{Grant, Term};
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
    keys: Keys,
}

/// The keys of an issuer.
#[derive(Clone)]
enum Keys {
    /// These, for good.
    Given(Arc<KeySet>),
    /// Those that it publishes.
    Published(Arc<RemoteKeys>),
}

impl fmt::Debug for TrustedIssuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TrustedIssuer").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// What of the claims is used beyond what is validated.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    /// One, as RFC 9068 has it; whose it may be is validated. What names several is of none of them.
    #[serde(default, rename = "iss")]
    _issuer: Option<String>,
    #[serde(default)]
    aud: Names,
    /// Seconds since 1970, with or without parts.
    exp: Option<f64>,
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
    ///
    /// # Errors
    /// The text is no key set, or has no key for ES256 or EdDSA.
    pub fn new(issuer: impl Into<String>, key_set: &str) -> Result<Self, InvalidKeys> {
        install();
        let keys = Keys::Given(Arc::new(KeySet::read(key_set.as_bytes())?));
        Ok(Self { issuer: issuer.into(), keys })
    }

    /// An issuer whose keys are at a URL (its `jwks_uri`), and may change. They are fetched with the first token, and again
    /// every five minutes or when a token names a key that is not among them or was not signed by the one that it names, once
    /// a second at most. As long as they
    /// cannot be had, nobody is let in.
    ///
    /// # Errors
    /// The URL is neither of `https` nor of this machine.
    pub fn publishing(issuer: impl Into<String>, url: &str) -> Result<Self, InvalidKeys> {
        install();
        let keys = Keys::Published(Arc::new(RemoteKeys::at(url)?));
        Ok(Self { issuer: issuer.into(), keys })
    }

    /// The keys, with one that has this id.
    async fn keys(&self, id: Option<&str>) -> Result<Arc<KeySet>, Denial> {
        const UNKNOWN: Denial = Denial::Invalid("The token is signed with a key that is not known");
        match &self.keys {
            Keys::Given(keys) => keys.find(id).map(|_| Arc::clone(keys)).ok_or(UNKNOWN),
            // In a box: it is rare that anything has to be waited for, and each request would keep room for it.
            Keys::Published(keys) => Box::pin(keys.with(id)).await.map_err(|reason| match reason {
                NoKey::Unknown => UNKNOWN,
                NoKey::Unreachable => Denial::Unverifiable,
            }),
        }
    }

    /// The keys that are published now, if they are others.
    async fn other_keys(&self, tried: &Arc<KeySet>) -> Option<Arc<KeySet>> {
        match &self.keys {
            Keys::Given(_) => None,
            Keys::Published(keys) => Box::pin(keys.other_than(tried)).await,
        }
    }

    /// What the bearer of a token may do at a resource.
    pub(super) async fn grant(&self, server: &Server, token: &str, resource: &str) -> Result<Grant, Denial> {
        let unreadable = Denial::Invalid("The token cannot be read");
        if token.len() > LONGEST {
            return Err(unreadable);
        }
        let claims = if server.keeps(Duty::TokenSignatureChecked) {
            let header = decode_header(token).map_err(|_| unreadable)?;
            // RFC 7515, section 4.1.11: what is critical and not understood may not be passed over.
            if header.crit.is_some() || !header.typ.as_deref().is_none_or(is_access_token) {
                return Err(Denial::Invalid("The token is no access token"));
            }
            let id = header.kid.as_deref();
            let by = |keys: &KeySet| {
                let key = keys.find(id).ok_or(unreadable)?;
                let decoded = decode::<Claims>(token, key, &self.validation(server, key));
                decoded.map(|decoded| decoded.claims).map_err(|error| because(error.kind()))
            };
            let keys = self.keys(id).await?;
            match by(&keys) {
                Err(WRONG_SIGNATURE) => match self.other_keys(&keys).await {
                    Some(others) => by(&others)?,
                    None => return Err(WRONG_SIGNATURE),
                },
                claims => claims?,
            }
        } else {
            dangerous::insecure_decode_claims::<Claims>(token).map_err(|_| unreadable)?
        };
        let is_for_us = claims.aud.as_slice().iter().any(|audience| is_same(audience, resource));
        if !is_for_us && server.keeps(Duty::TokenAudienceChecked) {
            return Err(Denial::Invalid("The token is for another server"));
        }
        if claims.sub.is_empty() {
            return Err(Denial::Invalid("The token names nobody"));
        }
        let role = server.enterprise().and_then(|profile| profile.role_name(claims.roles.as_slice()));
        Ok(Grant::of_token(&claims.sub, &claims.scope, role).with_term(term(server, claims.exp)))
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

/// Whether `typ` may stand in an access token: that of RFC 9068, or what says nothing, as most issuers have it.
fn is_access_token(typ: &str) -> bool {
    let media_type = typ.to_ascii_lowercase();
    matches!(media_type.strip_prefix("application/").unwrap_or(&media_type), "at+jwt" | "jwt")
}

/// How long a token is taken that expires then: for as long as it would be let in.
fn term(server: &Server, expires: Option<f64>) -> Term {
    let expires = expires.filter(|_| server.keeps(Duty::TokenExpiryChecked));
    // A time that no clock will come to is none.
    let Some(Ok(end)) = expires.map(Duration::try_from_secs_f64) else { return Term::default() };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // The library counts whole seconds, and the last of them is good to its end.
    let end = Duration::from_secs(end.as_secs().saturating_add(LEEWAY + 1));
    Term::lasting(end.saturating_sub(now))
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

const WRONG_SIGNATURE: Denial = Denial::Invalid("The signature is wrong");

/// What a client is told; it is for the developer, not for the user.
fn because(kind: &ErrorKind) -> Denial {
    Denial::Invalid(match kind {
        ErrorKind::ExpiredSignature => "The token has expired",
        ErrorKind::ImmatureSignature => "The token is not valid yet",
        ErrorKind::InvalidIssuer => "The token is of another issuer",
        ErrorKind::InvalidSignature => return WRONG_SIGNATURE,
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
