//! The keys of an issuer that publishes them: fetched when they are needed, kept for a while, and fetched again when a token
//! names one that is not among them or was not signed by the one that it names, because issuers change their keys.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::auth::key_set::{InvalidKeys, KeySet};

/// How long keys are taken without asking for them anew: so long may a token outlive its key.
const LIFETIME: Duration = Duration::from_secs(300);
/// The least time from one attempt to the next, whatever clients send.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a fetch may take, and the largest key set in bytes.
const PATIENCE: Duration = Duration::from_secs(5);
const LARGEST: usize = 256 << 10;

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer has none with this id.
    Unknown,
    /// The issuer cannot be asked.
    Unreachable,
}

/// What is known of the keys.
#[derive(Clone, Default)]
struct Known {
    set: Option<Arc<KeySet>>,
    /// When they were fetched, and when that was last attempted.
    fetched: Option<Instant>,
    attempted: Option<Instant>,
    /// How many attempts have ended.
    ended: u64,
}

impl Known {
    fn current(&self) -> Option<&Arc<KeySet>> {
        self.set.as_ref().filter(|_| self.fetched.is_some_and(|fetched| fetched.elapsed() < LIFETIME))
    }
}

/// The keys at a URL.
pub(super) struct RemoteKeys {
    place: Place,
    known: RwLock<Known>,
    /// Held by the one who fetches; the others wait for what comes of it.
    fetching: Mutex<()>,
}

impl RemoteKeys {
    /// The keys at a URL: of `https`, or of this machine. Nothing is fetched yet.
    pub(super) fn at(url: &str) -> Result<Self, InvalidKeys> {
        Ok(Self { place: Place::read(url)?, known: RwLock::default(), fetching: Mutex::default() })
    }

    /// The key set that has a key with this id.
    pub(super) async fn with(&self, id: Option<&str>) -> Result<Arc<KeySet>, NoKey> {
        let before = self.known();
        if let Some(set) = before.current().filter(|set| set.find(id).is_some()) {
            return Ok(Arc::clone(set));
        }
        let _turn = self.fetching.lock().await;
        let known = self.known();
        // Somebody may have fetched while we waited; and who sends nonsense does not make us fetch all the time.
        if known.ended == before.ended && known.attempted.is_none_or(|at| at.elapsed() >= PAUSE) {
            self.refresh().await;
        }
        let known = self.known();
        let Some(set) = known.current() else { return Err(NoKey::Unreachable) };
        if set.find(id).is_some() {
            return Ok(Arc::clone(set));
        }
        // With the last attempt failed, an unknown key may be the new one.
        Err(if known.attempted == known.fetched { NoKey::Unknown } else { NoKey::Unreachable })
    }

    /// The keys as they are now, asked for because by these a signature is wrong: an issuer may have given a key another value
    /// and left it its name. None where there are no others, or it was asked a moment ago.
    pub(super) async fn other_than(&self, tried: &Arc<KeySet>) -> Option<Arc<KeySet>> {
        let _turn = self.fetching.lock().await;
        let known = self.known();
        let is_tried = |set: &Arc<KeySet>| Arc::ptr_eq(set, tried);
        let may_ask = known.attempted.is_none_or(|at| at.elapsed() >= PAUSE);
        if may_ask && known.set.as_ref().is_some_and(is_tried) {
            self.refresh().await;
        }
        self.known().current().filter(|set| !is_tried(set)).cloned()
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    async fn refresh(&self) {
        let attempted = Some(Instant::now());
        // At once, so that clients who do not wait do not make us ask all the time.
        self.write(|known| known.attempted = attempted);
        let set = match timeout(PATIENCE, self.place.fetch()).await {
            Ok(Some(body)) => KeySet::read(&body).ok(),
            _ => None,
        };
        self.write(|known| {
            known.ended += 1;
            if let Some(set) = set {
                known.fetched = attempted;
                known.set = Some(Arc::new(set));
            }
        });
    }

    fn write(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

/// Where the keys are.
struct Place {
    host: String,
    port: u16,
    path: String,
    tls: Option<TlsConnector>,
}

impl Place {
    fn read(url: &str) -> Result<Self, InvalidKeys> {
        let invalid = |what: &str| InvalidKeys(format!("`{url}` {what}"));
        let uri: Uri = url.parse().map_err(|_| invalid("is no URL"))?;
        let (Some(authority), Some(host)) = (uri.authority(), uri.host()) else {
            return Err(invalid("is no URL"));
        };
        if authority.as_str().contains('@') {
            return Err(invalid("has a user in it"));
        }
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let is_local = name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        let (tls, usual) = match uri.scheme_str() {
            Some("https") => (Some(connector()?), 443),
            Some("http") if is_local => (None, 80),
            _ => return Err(invalid("is neither https nor of this machine")),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { host: name.to_owned(), port: uri.port_u16().unwrap_or(usual), path, tls })
    }

    /// The body of a 200; redirects are not followed.
    async fn fetch(&self) -> Option<Bytes> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.ok()?;
        match &self.tls {
            None => self.get(stream).await,
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone()).ok()?;
                self.get(tls.connect(name, stream).await.ok()?).await
            }
        }
    }

    async fn get(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> Option<Bytes> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let request = Request::get(&self.path)
            .header(HOST, format!("{host}:{}", self.port))
            .header(ACCEPT, "application/json, application/jwk-set+json")
            .body(Empty::<Bytes>::new())
            .ok()?;
        let exchange = async move {
            let response = sender.send_request(request).await.ok()?;
            if response.status() != StatusCode::OK {
                return None;
            }
            Some(Limited::new(response.into_body(), LARGEST).collect().await.ok()?.to_bytes())
        };
        // The connection ends with its sender.
        tokio::join!(exchange, connection).0
    }
}

fn connector() -> Result<TlsConnector, InvalidKeys> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| InvalidKeys(error.to_string()))?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        for good in [
            "https://issuer.example/jwks",
            "http://127.0.0.1:9400/jwks",
            "http://[::1]:1/",
            "http://localhost/k",
        ] {
            assert!(Place::read(good).is_ok(), "{good}");
        }
        for bad in [
            "http://issuer.example/jwks",
            "http://127.0.0.1.evil.example/",
            "http://user@127.0.0.1/",
            "ftp://127.0.0.1/",
            "jwks",
            "",
        ] {
            assert!(Place::read(bad).is_err(), "{bad}");
        }
    }
}
