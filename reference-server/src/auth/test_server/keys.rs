//! The keys of the test authorization server, and the tokens made with them: good ones, and such as nobody may take.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use crate::seal::random_id;

/// Two key pairs: one that is in the key set, and one that is not.
pub(super) struct Keys {
    published: EcdsaKeyPair,
    foreign: EcdsaKeyPair,
    id: String,
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    i64::try_from(elapsed).unwrap_or(i64::MAX)
}

fn pair() -> EcdsaKeyPair {
    const RANDOM: &str = "the operating system has random bytes, std's hash maps need them too";
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect(RANDOM);
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random)
        .expect("it was made for this algorithm a line before")
}

impl Keys {
    pub(super) fn random() -> Self {
        Self { published: pair(), foreign: pair(), id: random_id() }
    }

    /// The key set (RFC 7517).
    pub(super) fn set(&self) -> Value {
        // An uncompressed point: a byte that says so, and both coordinates.
        let (x, y) = self.published.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": self.id, "use": "sig", "alg": "ES256"}]})
    }

    /// A token with these claims, signed in this way; none for a way that is not known.
    pub(super) fn sign(&self, claims: &Value, way: &str) -> Option<String> {
        let algorithm = match way {
            "ES256" | "foreign-key" => "ES256",
            "none" => "none",
            // The public key taken for a shared secret: a classic mistake of those who verify.
            "HS256" => "HS256",
            _ => return None,
        };
        let header = json!({"typ": "at+jwt", "alg": algorithm, "kid": self.id});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let content = format!("{}.{}", part(&header), part(claims));
        let by = |pair: &EcdsaKeyPair| {
            let signature = pair.sign(&SystemRandom::new(), content.as_bytes()).ok()?;
            Some(URL_SAFE_NO_PAD.encode(signature))
        };
        let signature = match way {
            "ES256" => by(&self.published)?,
            "foreign-key" => by(&self.foreign)?,
            "HS256" => {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, self.published.public_key().as_ref());
                URL_SAFE_NO_PAD.encode(hmac::sign(&secret, content.as_bytes()))
            }
            _ => String::new(),
        };
        Some(format!("{content}.{signature}"))
    }
}
