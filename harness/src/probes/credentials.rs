//! Tokens: those that the user has given, and those that an issuer of test tokens mints.

use crate::client::{Fetch, fetch_alone};
use serde_json::{Value, json};
use std::fmt;
use url::Url;

/// The names of tokens with a meaning of their own: one of little scope, one that has expired, and one of the same issuer
/// for another server.
pub const LOW_SCOPE: &str = "low-scope";
/// See [`LOW_SCOPE`].
pub const EXPIRED: &str = "expired";
/// See [`LOW_SCOPE`].
pub const OTHER_AUDIENCE: &str = "other-audience";

/// Tokens beside the one that every request carries.
#[derive(Clone, Default)]
pub struct Credentials {
    /// Further tokens, each with its name: [`LOW_SCOPE`], [`EXPIRED`], [`OTHER_AUDIENCE`], or that of another principal.
    pub tokens: Vec<(String, String)>,
    /// An issuer whose tokens the target takes.
    pub issuer: Option<Issuer>,
}

/// An issuer of test tokens, on this machine.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// Where it mints what it is asked for.
    pub mint: Url,
    /// Whether it is part of the target, which is our own then: clients may be registered there.
    pub is_target: bool,
    /// All the scopes that the target knows, with spaces between them.
    pub scopes: String,
    /// The roles that tokens name: the first those of every request, the second, where there is one, that of another
    /// principal.
    pub roles: Vec<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.tokens.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Credentials").field("tokens", &names).field("issuer", &self.issuer).finish()
    }
}

impl Credentials {
    /// The token with a name.
    pub fn named(&self, name: &str) -> Option<&str> {
        self.tokens.iter().find(|(own, _)| own == name).map(|(_, token)| token.as_str())
    }

    /// The token of another principal.
    pub async fn another(&self) -> Option<String> {
        let special = [LOW_SCOPE, EXPIRED, OTHER_AUDIENCE];
        if let Some((_, token)) = self.tokens.iter().find(|(name, _)| !special.contains(&name.as_str())) {
            return Some(token.clone());
        }
        let issuer = self.issuer.as_ref()?;
        let mut wanted = json!({"sub": "mcprove-another", "scope": issuer.scopes});
        if let Some(role) = issuer.roles.last() {
            wanted["roles"] = json!([role]);
        }
        issuer.mint(wanted).await
    }
}

impl Issuer {
    /// A token as `POST /mint` of the test authorization server makes it, with the first role if it names none.
    pub async fn mint(&self, mut wanted: Value) -> Option<String> {
        if let (Some(role), None) = (self.roles.first(), wanted.get("roles")) {
            wanted["roles"] = json!([role]);
        }
        let fetched = fetch_alone(Fetch::json(self.mint.clone(), &wanted)).await.ok()?;
        Some(fetched.object()?.get("access_token")?.as_str()?.to_owned())
    }
}
