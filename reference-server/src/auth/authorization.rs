//! Which access tokens the server takes, and the document in which it says where to get them (RFC 9728).

use std::fmt;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::auth::jwt::TrustedIssuer;
use crate::auth::{Grant, denial::Denial};
use crate::enterprise::RoleName;
use crate::server::Server;

/// The scope that every request needs.
pub(crate) const BASIC_SCOPE: &str = "mcp";

/// Authorization of HTTP requests. STDIO has none: there the client is the user who started the server.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// The canonical URI of the MCP endpoint, such as `https://mcp.example/mcp`: what tokens have to be issued for.
    pub resource: String,
    /// The issuers at which clients get their tokens; none where the tokens are agreed on beforehand.
    pub authorization_servers: Vec<String>,
    /// The tokens that are taken.
    pub tokens: Tokens,
}

/// The tokens that are taken.
#[derive(Clone, Debug)]
pub enum Tokens {
    /// These, which do not expire.
    Fixed(Vec<FixedToken>),
    /// Those that this issuer has signed for this server (RFC 9068).
    Signed(TrustedIssuer),
}

/// A token that was agreed on beforehand.
#[derive(Clone)]
pub struct FixedToken {
    /// SHA-256 of it: to compare the digests tells nothing about how much of a guess was right.
    digest: [u8; 32],
    grant: Grant,
}

impl FixedToken {
    /// A token of somebody, with scopes that have spaces between them: `mcp` for anything, `mcp:write` besides for tools
    /// that change what others see.
    pub fn new(token: &str, principal: &str, scopes: &str) -> Self {
        Self { digest: Sha256::digest(token).into(), grant: Grant::of_token(principal, scopes, None) }
    }

    /// A token of which only the digest is known: SHA-256, in hexadecimal digits.
    pub(crate) fn of_digest(digest: &str, principal: &str, scopes: &str, role: RoleName) -> Option<Self> {
        let byte = |place: usize| u8::from_str_radix(digest.get(place..place + 2)?, 16).ok();
        let bytes = (0..digest.len()).step_by(2).map(byte).collect::<Option<Vec<u8>>>()?;
        let grant = Grant::of_token(principal, scopes, Some(role));
        Some(Self { digest: bytes.try_into().ok()?, grant })
    }
}

impl fmt::Debug for FixedToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FixedToken").field("grant", &self.grant).finish_non_exhaustive()
    }
}

/// Where the metadata of a protected resource stands, before the path of the resource.
pub(super) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

impl Authorization {
    /// The resource cut where its path begins.
    fn origin_and_path(&self) -> (&str, &str) {
        let authority = self.resource.find("://").map_or(0, |scheme| scheme + 3);
        let path = self.resource[authority..].find('/').map_or(self.resource.len(), |path| authority + path);
        self.resource.split_at(path)
    }

    /// The URL of the metadata: the well-known path comes before that of the resource (RFC 9728, section 3.1).
    pub(super) fn metadata_url(&self) -> String {
        let (origin, path) = self.origin_and_path();
        format!("{origin}{WELL_KNOWN}{}", path.trim_end_matches('/'))
    }

    /// Whether a path is one of the two at which clients look for the metadata: with the path of the resource, and
    /// without.
    pub(super) fn is_metadata(&self, path: &str) -> bool {
        let (_, own) = self.origin_and_path();
        path.strip_prefix(WELL_KNOWN).is_some_and(|rest| rest.is_empty() || rest == own.trim_end_matches('/'))
    }

    /// The metadata. `scopes_supported` has what basic use takes; more is asked for when it is needed.
    pub(super) fn metadata(&self) -> Value {
        let mut metadata = json!({
            "resource": self.resource,
            "resource_name": "mcprove reference server",
            "scopes_supported": [BASIC_SCOPE],
            "bearer_methods_supported": ["header"],
        });
        if !self.authorization_servers.is_empty() {
            metadata["authorization_servers"] = json!(self.authorization_servers);
        }
        metadata
    }

    /// Whether tokens are agreed on beforehand, so that an API key is as good.
    pub(super) const fn takes_api_keys(&self) -> bool {
        matches!(self.tokens, Tokens::Fixed(_))
    }

    /// What the bearer of a token may do.
    pub(super) async fn grant(&self, server: &Server, token: &str) -> Result<Grant, Denial> {
        match &self.tokens {
            Tokens::Signed(issuer) => issuer.grant(server, token, &self.resource).await,
            Tokens::Fixed(tokens) => {
                let digest: [u8; 32] = Sha256::digest(token).into();
                let found = tokens.iter().find(|fixed| fixed.digest == digest);
                found.map(|fixed| fixed.grant.clone()).ok_or(Denial::Invalid("The token is not known"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Authorization, Tokens};

    fn of(resource: &str) -> Authorization {
        Authorization {
            resource: resource.to_owned(),
            authorization_servers: Vec::new(),
            tokens: Tokens::Fixed(Vec::new()),
        }
    }

    #[test]
    fn the_well_known_path_comes_before_that_of_the_resource() {
        for (resource, url) in [
            ("https://h.example/mcp", "https://h.example/.well-known/oauth-protected-resource/mcp"),
            ("https://h.example:8/a/b", "https://h.example:8/.well-known/oauth-protected-resource/a/b"),
            ("https://h.example", "https://h.example/.well-known/oauth-protected-resource"),
            ("https://h.example/", "https://h.example/.well-known/oauth-protected-resource"),
        ] {
            assert_eq!(of(resource).metadata_url(), url);
        }
        let with_path = of("https://h.example/mcp");
        assert!(with_path.is_metadata("/.well-known/oauth-protected-resource"));
        assert!(with_path.is_metadata("/.well-known/oauth-protected-resource/mcp"));
        assert!(!with_path.is_metadata("/.well-known/oauth-protected-resource/other"));
        assert!(!with_path.is_metadata("/mcp/.well-known/oauth-protected-resource"));
    }
}
