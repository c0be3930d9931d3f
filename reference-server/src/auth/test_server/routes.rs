//! The endpoints of the test authorization server: metadata (RFC 8414), keys, registration (RFC 7591), authorization
//! with PKCE (RFC 7636), tokens, and one to mint tokens of any kind.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, HeaderValue, LOCATION};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::forms::{Form, with_query};
use super::issued::{Client, Consent, Issued, redirect_uris};
use super::keys::{Keys, now};
use crate::auth::authorization::BASIC_SCOPE;
use crate::seal::random_id;
use crate::server::lock;
use crate::transport::{HttpReply, json_reply, not_allowed_reply};

/// How long a token lasts, in seconds.
const LIFETIME: i64 = 600;
/// The largest body, in bytes.
const BODY: usize = 64 << 10;
/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The user who agrees to everything.
const USER: &str = "alice";

const METADATA: [&str; 2] = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];

/// An authorization server for tests, which agrees to everything and mints bad tokens, too. Its keys are random and its
/// own. Who can reach it can have any token, so it belongs on a loopback address only.
pub struct TestAuthorizationServer {
    issuer: String,
    /// What its tokens are for, unless a client says otherwise.
    resource: String,
    keys: Mutex<Arc<Keys>>,
    issued: Mutex<Issued>,
}

impl fmt::Debug for TestAuthorizationServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TestAuthorizationServer")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// A refusal as the token endpoint words it.
fn refusal(error: &str) -> HttpReply {
    unstored(json_reply(400, json!({"error": error}).to_string()))
}

/// A response that nobody may keep.
fn unstored(mut reply: HttpReply) -> HttpReply {
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

fn redirect(to: &str) -> HttpReply {
    let mut reply = unstored(json_reply(302, String::new()));
    if let Ok(value) = HeaderValue::from_str(to) {
        reply.headers_mut().insert(LOCATION, value);
    }
    reply
}

impl TestAuthorizationServer {
    /// A server whose issuer is this origin, such as `http://127.0.0.1:8080`, and whose tokens are for `resource` where
    /// nobody says otherwise.
    pub fn new(origin: impl Into<String>, resource: impl Into<String>) -> Self {
        let (issuer, resource) = (origin.into(), resource.into());
        Self { issuer, resource, keys: Mutex::new(Arc::new(Keys::random())), issued: Mutex::default() }
    }

    /// Its identifier, which tokens have as `iss`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The text of its key set, for [`crate::TrustedIssuer::new`].
    pub fn key_set(&self) -> String {
        self.keys().set().to_string()
    }

    /// Replaces its keys by new ones: tokens that it gave before are worth nothing to those who look.
    pub fn rotate_keys(&self) {
        *lock(&self.keys) = Arc::new(Keys::random());
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&lock(&self.keys))
    }

    /// A token as `POST /mint` makes it. The members of `wanted`, all optional: `sub`, `scope`, `aud`, `iss` replace the
    /// claims (`null` leaves one out), `roles` adds that claim, `exp` and `nbf` are in seconds from now, and `sign` is `ES256`, `foreign-key`,
    /// `HS256` or `none`. `None` where one of them makes no sense.
    pub fn mint(&self, wanted: &Value) -> Option<String> {
        let mut claims = self.claims(USER, BASIC_SCOPE, &self.resource);
        for (name, value) in wanted.as_object()? {
            match name.as_str() {
                "sign" => {}
                "exp" | "nbf" => claims[name] = now().checked_add(value.as_i64()?)?.into(),
                "sub" | "scope" | "aud" | "iss" | "roles" if !value.is_null() => claims[name] = value.clone(),
                "sub" | "scope" | "aud" | "iss" | "roles" => {
                    claims.as_object_mut()?.remove(name);
                }
                _ => return None,
            }
        }
        let way = wanted.get("sign").map_or(Some("ES256"), Value::as_str)?;
        self.keys().sign(&claims, way)
    }

    fn claims(&self, subject: &str, scope: &str, resource: &str) -> Value {
        let now = now();
        json!({
            "iss": self.issuer, "sub": subject, "aud": resource, "scope": scope, "client_id": "test",
            "iat": now, "nbf": now, "exp": now + LIFETIME, "jti": random_id(),
        })
    }

    /// Whether one of its endpoints has this path.
    pub(crate) fn serves(path: &str) -> bool {
        METADATA.contains(&path) || matches!(path, "/jwks" | "/register" | "/authorize" | "/token" | "/mint")
    }

    /// Answers a request to one of its endpoints.
    pub(crate) async fn answer(&self, parts: &Parts, body: Incoming) -> HttpReply {
        let (path, method) = (parts.uri.path(), &parts.method);
        let needs_body = matches!(path, "/register" | "/token" | "/mint");
        match (method, needs_body) {
            (&Method::GET, false) | (&Method::POST, true) => {}
            (_, false) => return not_allowed_reply("GET"),
            (_, true) => return not_allowed_reply("POST"),
        }
        let body = if needs_body {
            match tokio::time::timeout(PATIENCE, Limited::new(body, BODY).collect()).await {
                Ok(Ok(body)) => body.to_bytes(),
                _ => return json_reply(413, String::new()),
            }
        } else {
            Bytes::new()
        };
        match path {
            "/jwks" => json_reply(200, self.key_set()),
            "/register" => self.register(&body),
            "/authorize" => self.authorize(parts.uri.query().unwrap_or_default()),
            "/token" => self.token(&parts.headers, &body),
            "/mint" => self.minted(&body),
            _ => json_reply(200, self.metadata().to_string()),
        }
    }

    fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "registration_endpoint": at("/register"),
            "jwks_uri": at("/jwks"),
            "scopes_supported": [BASIC_SCOPE, "mcp:write"],
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    }

    fn minted(&self, body: &[u8]) -> HttpReply {
        let wanted = serde_json::from_slice(body).unwrap_or(Value::Null);
        match self.mint(&wanted) {
            Some(token) => unstored(json_reply(200, json!({"access_token": token}).to_string())),
            None => refusal("invalid_request"),
        }
    }

    fn register(&self, body: &[u8]) -> HttpReply {
        let Ok(registration) = serde_json::from_slice::<Value>(body) else {
            return refusal("invalid_client_metadata");
        };
        let grants =
            registration.get("grant_types").cloned().unwrap_or_else(|| json!(["authorization_code"]));
        let has = |grant: &str| grants.as_array().is_some_and(|grants| grants.iter().any(|own| own == grant));
        let Some(uris) =
            redirect_uris(&registration).filter(|uris| !has("authorization_code") || !uris.is_empty())
        else {
            return refusal("invalid_redirect_uri");
        };
        let client = lock(&self.issued).register(uris, has("client_credentials"));
        let mut answer = json!({
            "client_id": client.id,
            "redirect_uris": client.redirect_uris,
            "grant_types": grants,
            "token_endpoint_auth_method": if client.secret.is_some() { "client_secret_basic" } else { "none" },
        });
        if let Some(secret) = client.secret {
            answer["client_secret"] = secret.into();
            answer["client_secret_expires_at"] = 0.into();
        }
        unstored(json_reply(201, answer.to_string()))
    }

    /// The authorization endpoint; the user agrees at once. Nobody is ever sent to a URI that was not registered.
    fn authorize(&self, query: &str) -> HttpReply {
        let Some(form) = Form::read(query.as_bytes()) else { return refusal("invalid_request") };
        let Some(client) = lock(&self.issued).client(form.get("client_id")) else {
            return refusal("invalid_client");
        };
        let redirect_uri = form.get("redirect_uri");
        if !client.redirect_uris.iter().any(|uri| uri == redirect_uri) {
            return refusal("invalid_request");
        }
        let back = |parameters: &[(&str, &str)]| {
            let all = [parameters, &[("state", form.get("state")), ("iss", &self.issuer)]].concat();
            redirect(&with_query(redirect_uri, &all))
        };
        if form.get("response_type") != "code" {
            return back(&[("error", "unsupported_response_type")]);
        }
        // The digest of a verifier has 43 characters.
        if form.get("code_challenge_method") != "S256" || form.get("code_challenge").len() != 43 {
            return back(&[("error", "invalid_request")]);
        }
        let consent = Consent {
            client: client.id,
            redirect_uri: redirect_uri.to_owned(),
            challenge: form.get("code_challenge").to_owned(),
            scope: form.get("scope").to_owned(),
            resource: form.get("resource").to_owned(),
        };
        let code = lock(&self.issued).code(consent);
        back(&[("code", &code)])
    }

    /// The token endpoint.
    fn token(&self, headers: &HeaderMap, body: &[u8]) -> HttpReply {
        let Some(form) = Form::read(body) else { return refusal("invalid_request") };
        let Some(client) = self.authenticated(headers, &form) else { return refusal("invalid_client") };
        match form.get("grant_type") {
            "authorization_code" => {
                let consent = lock(&self.issued).redeem(form.get("code"));
                let verifier = URL_SAFE_NO_PAD.encode(Sha256::digest(form.get("code_verifier")));
                let good = |consent: &Consent| {
                    consent.client == client.id
                        && consent.redirect_uri == form.get("redirect_uri")
                        && consent.challenge == verifier
                };
                match consent.filter(good) {
                    Some(consent) => self.granted(consent),
                    None => refusal("invalid_grant"),
                }
            }
            "refresh_token" => {
                let consent = lock(&self.issued).refresh(form.get("refresh_token"));
                match consent.filter(|consent| consent.client == client.id) {
                    Some(consent) => self.granted(consent),
                    None => refusal("invalid_grant"),
                }
            }
            "client_credentials" if client.secret.is_some() => {
                self.issue(&client.id, form.get("scope"), form.get("resource"), None)
            }
            "client_credentials" => refusal("unauthorized_client"),
            _ => refusal("unsupported_grant_type"),
        }
    }

    /// The client that a token request is of: by its secret, if it has one, in the header or in the form.
    fn authenticated(&self, headers: &HeaderMap, form: &Form) -> Option<Client> {
        let basic = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
        let (id, secret) = match basic {
            Some(encoded) => {
                let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
                let (id, secret) = pair.split_once(':')?;
                (id.to_owned(), secret.to_owned())
            }
            None => (form.get("client_id").to_owned(), form.get("client_secret").to_owned()),
        };
        let client = lock(&self.issued).client(&id)?;
        client.secret.as_ref().is_none_or(|own| *own == secret).then_some(client)
    }

    /// The tokens for a consent; the refresh token is a new one each time.
    fn granted(&self, consent: Consent) -> HttpReply {
        let refresh = lock(&self.issued).refresh_token(consent.clone());
        self.issue(USER, &consent.scope, &consent.resource, Some(&refresh))
    }

    fn issue(&self, subject: &str, scope: &str, resource: &str, refresh: Option<&str>) -> HttpReply {
        let scope = if scope.is_empty() { BASIC_SCOPE } else { scope };
        let resource = if resource.is_empty() { &self.resource } else { resource };
        let Some(token) = self.keys().sign(&self.claims(subject, scope, resource), "ES256") else {
            return refusal("server_error");
        };
        let mut answer =
            json!({"access_token": token, "token_type": "Bearer", "expires_in": LIFETIME, "scope": scope});
        if let Some(refresh) = refresh {
            answer["refresh_token"] = refresh.into();
        }
        unstored(json_reply(200, answer.to_string()))
    }
}
