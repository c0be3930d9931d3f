//! The public keys of an issuer (RFC 7517): those of kinds that are taken, each with its id.

use std::fmt;

use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// The most keys of one issuer.
const MOST: usize = 100;

/// A set of keys that cannot be read, or has none of a kind that is known; or a place of keys that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidKeys(pub(super) String);

impl fmt::Display for InvalidKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the keys of the issuer cannot be used: {}", self.0)
    }
}

impl std::error::Error for InvalidKeys {}

/// The keys of an issuer.
#[derive(Clone)]
pub(super) struct KeySet(Vec<(Option<String>, DecodingKey)>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a key set. Keys of kinds that are not taken are passed over, as RFC 7517, section 5, has it.
    pub(super) fn read(text: &[u8]) -> Result<Self, InvalidKeys> {
        let document: Document =
            serde_json::from_slice(text).map_err(|error| InvalidKeys(error.to_string()))?;
        let keys: Vec<_> = document.keys.into_iter().take(MOST).filter_map(key).collect();
        if keys.is_empty() {
            return Err(InvalidKeys("there is none".to_owned()));
        }
        Ok(Self(keys))
    }

    /// The key with this id; without one, the only key.
    pub(super) fn find(&self, id: Option<&str>) -> Option<&DecodingKey> {
        let found = match id {
            Some(id) => self.0.iter().find(|(own, _)| own.as_deref() == Some(id)),
            None => self.0.first().filter(|_| self.0.len() == 1),
        };
        found.map(|(_, key)| key)
    }
}

fn key(value: Value) -> Option<(Option<String>, DecodingKey)> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    if jwk.common.public_key_use.as_ref().is_some_and(|used| *used != PublicKeyUse::Signature) {
        return None;
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    matches!(key.family(), AlgorithmFamily::Ec | AlgorithmFamily::Ed).then_some((jwk.common.key_id, key))
}

#[cfg(test)]
mod tests {
    use super::KeySet;
    use serde_json::json;

    #[test]
    fn keys_of_other_kinds_are_passed_over() {
        let ec = json!({"kty": "EC", "crv": "P-256", "kid": "a",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"});
        let others = [json!(7), json!({"kty": "oct", "k": "AAAA"}), json!({"kty": "new"})];
        let read = |keys: Vec<serde_json::Value>| KeySet::read(json!({"keys": keys}).to_string().as_bytes());
        let set =
            read(others.iter().cloned().chain([ec]).collect()).unwrap_or_else(|error| panic!("{error}"));
        assert!(set.find(Some("a")).is_some() && set.find(None).is_some() && set.find(Some("b")).is_none());
        assert!(read(others.to_vec()).is_err());
        assert!(KeySet::read(b"{}").is_err() && KeySet::read(b"<html>").is_err());
    }
}
