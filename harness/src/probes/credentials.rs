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

/// The most other principals that are tried.
const MOST_OTHERS: usize = 4;

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

    /// The tokens of other principals than the one with the token `own`: those that the user named, else one of the
    /// issuer for each further role, the last first.
    pub async fn others(&self, own: Option<&str>) -> Vec<String> {
        let special = [LOW_SCOPE, EXPIRED, OTHER_AUDIENCE];
        let named = self.tokens.iter().filter(|(name, _)| !special.contains(&name.as_str()));
        let mut others: Vec<String> = Vec::new();
        for (_, token) in named {
            if own != Some(token.as_str()) && !others.contains(token) && others.len() < MOST_OTHERS {
                others.push(token.clone());
            }
        }
        let Some(issuer) = self.issuer.as_ref().filter(|_| others.is_empty()) else { return others };
        let mut roles: Vec<Option<&String>> = issuer.roles.iter().skip(1).rev().map(Some).collect();
        if roles.is_empty() {
            roles.push(issuer.roles.first());
        }
        for role in roles.into_iter().take(MOST_OTHERS) {
            let mut wanted = json!({"sub": "mcprove-another", "scope": issuer.scopes});
            if let Some(role) = role {
                wanted["roles"] = json!([role]);
            }
            others.extend(issuer.mint(wanted).await);
        }
        others
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

#[cfg(test)]
mod tests {
    use super::{Credentials, EXPIRED};

    #[tokio::test]
    async fn others_are_those_with_other_tokens() {
        let tokens = [(EXPIRED, "old"), ("same", "mine"), ("ann", "a"), ("twice", "a"), ("ben", "b")];
        let tokens = tokens.map(|(name, token)| (name.to_owned(), token.to_owned())).to_vec();
        let mut credentials = Credentials { tokens, issuer: None };
        assert_eq!(credentials.others(Some("mine")).await, ["a", "b"]);
        assert_eq!(credentials.others(None).await, ["mine", "a", "b"]);
        credentials.tokens.truncate(2);
        assert_eq!(credentials.others(Some("mine")).await, Vec::<String>::new());
    }
}
