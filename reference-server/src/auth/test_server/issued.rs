//! What the test authorization server remembers: clients, codes and refresh tokens. The oldest make room.

use std::collections::VecDeque;

use serde_json::Value;

use crate::seal::random_id;

/// How many of each kind are kept.
const KEPT: usize = 100;

/// A client that has registered.
#[derive(Clone)]
pub(super) struct Client {
    pub id: String,
    /// Only of a client that can keep one.
    pub secret: Option<String>,
    pub redirect_uris: Vec<String>,
}

/// What the user has agreed to.
#[derive(Clone)]
pub(super) struct Consent {
    pub client: String,
    pub redirect_uri: String,
    pub challenge: String,
    pub scope: String,
    pub resource: String,
}

/// Values with the secrets by which they are found.
struct Shelf<T>(VecDeque<(String, T)>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Shelf<T> {
    fn put(&mut self, key: String, value: T) {
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back((key, value));
    }

    fn take(&mut self, key: &str) -> Option<T> {
        let place = self.0.iter().position(|(own, _)| own == key)?;
        self.0.remove(place).map(|(_, value)| value)
    }
}

/// All that is remembered.
#[derive(Default)]
pub(super) struct Issued {
    clients: Shelf<Client>,
    codes: Shelf<Consent>,
    refresh_tokens: Shelf<Consent>,
}

impl Issued {
    /// Registers a client; one that wants to act for itself gets a secret.
    pub(super) fn register(&mut self, redirect_uris: Vec<String>, confidential: bool) -> Client {
        let client = Client { id: random_id(), secret: confidential.then(random_id), redirect_uris };
        self.clients.put(client.id.clone(), client.clone());
        client
    }

    pub(super) fn client(&self, id: &str) -> Option<Client> {
        self.clients.0.iter().find(|(own, _)| own == id).map(|(_, client)| client.clone())
    }

    /// A code for a consent.
    pub(super) fn code(&mut self, consent: Consent) -> String {
        let code = random_id();
        self.codes.put(code.clone(), consent);
        code
    }

    /// The consent for a code, which is used up by it.
    pub(super) fn redeem(&mut self, code: &str) -> Option<Consent> {
        self.codes.take(code)
    }

    /// A refresh token for a consent.
    pub(super) fn refresh_token(&mut self, consent: Consent) -> String {
        let token = random_id();
        self.refresh_tokens.put(token.clone(), consent);
        token
    }

    /// The consent for a refresh token, which is used up by it: the answer brings the next one.
    pub(super) fn refresh(&mut self, token: &str) -> Option<Consent> {
        self.refresh_tokens.take(token)
    }
}

/// The redirect URIs of a registration, if every one is `https` or of this machine.
pub(super) fn redirect_uris(registration: &Value) -> Option<Vec<String>> {
    let uris = registration.get("redirect_uris").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let allowed = |uri: &str| {
        let is_local = |host: &str| {
            uri.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':']))
        };
        let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"].into_iter().any(is_local);
        !uri.contains(['#', '@']) && (uri.starts_with("https://") || local)
    };
    uris.iter().map(|uri| uri.as_str().filter(|uri| allowed(uri)).map(str::to_owned)).collect()
}
