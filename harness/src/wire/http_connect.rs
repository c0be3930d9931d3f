//! Connections to HTTP servers: names, addresses, TLS.

use super::http::{HttpConfig, HttpError};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use url::{Host, Url};

/// A connection, plain or TLS.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where a connection leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    tls: bool,
    host: Host,
    port: u16,
}

impl Origin {
    pub(super) fn of(url: &Url) -> Result<Self, String> {
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            other => return Err(format!("`{other}` is no scheme that can be spoken; use http or https")),
        };
        let host = url.host().ok_or("the URL names no host")?.to_owned();
        Ok(Self { tls, host, port: url.port_or_known_default().unwrap_or(80) })
    }
}

/// Makes connections.
pub struct Connector {
    #[cfg(feature = "tls")]
    tls: tokio_rustls::TlsConnector,
}

impl Connector {
    /// Ready to connect.
    ///
    /// # Errors
    /// When certificates are named, and this build has no TLS.
    #[cfg(not(feature = "tls"))]
    pub fn new(config: &HttpConfig) -> Result<Self, HttpError> {
        if config.ca_certificates.is_some() { Err(HttpError::NoTls) } else { Ok(Self {}) }
    }

    /// Ready to connect.
    ///
    /// # Errors
    /// When the certificates cannot be used.
    #[cfg(feature = "tls")]
    pub fn new(config: &HttpConfig) -> Result<Self, HttpError> {
        use tokio_rustls::rustls::crypto::ring::default_provider;
        use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject as _};
        use tokio_rustls::rustls::{ClientConfig, RootCertStore};
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        if let Some(path) = &config.ca_certificates {
            let refuse = |reason: String| HttpError::CaCertificates { path: path.clone(), reason };
            let pem = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
            let mut count = 0;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|error| refuse(error.to_string()))?;
                roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
                count += 1;
            }
            if count == 0 {
                return Err(refuse("it holds no certificate in PEM form".to_owned()));
            }
        }
        let mut tls = ClientConfig::builder_with_provider(default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(|error| HttpError::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tls: tokio_rustls::TlsConnector::from(std::sync::Arc::new(tls)) })
    }

    /// Connects to where a URL leads within a time, TLS included.
    ///
    /// # Errors
    /// When that cannot be done, and why.
    pub async fn connect_to(&self, url: &Url, limit: Duration) -> Result<Box<dyn Stream>, String> {
        self.connect(&Origin::of(url)?, limit).await
    }

    /// Connects within a time, TLS included.
    pub(super) async fn connect(&self, origin: &Origin, limit: Duration) -> Result<Box<dyn Stream>, String> {
        let connecting = async {
            let stream = connect_tcp(origin, Instant::now() + limit).await?;
            if origin.tls {
                self.handshake(origin, stream).await
            } else {
                Ok(Box::new(stream) as Box<dyn Stream>)
            }
        };
        match tokio::time::timeout(limit, connecting).await {
            Ok(result) => result,
            Err(_) => Err(format!("no connection within {limit:?}")),
        }
    }

    #[cfg(feature = "tls")]
    async fn handshake(&self, origin: &Origin, stream: TcpStream) -> Result<Box<dyn Stream>, String> {
        use tokio_rustls::rustls::pki_types::ServerName;
        let name = match &origin.host {
            Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|error| error.to_string())?,
            Host::Ipv4(address) => ServerName::from(IpAddr::from(*address)),
            Host::Ipv6(address) => ServerName::from(IpAddr::from(*address)),
        };
        match self.tls.connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(format!("TLS: {error}")),
        }
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_async, reason = "the same signature with and without TLS")]
    async fn handshake(&self, _: &Origin, _: TcpStream) -> Result<Box<dyn Stream>, String> {
        Err(HttpError::NoTls.to_string())
    }
}

async fn connect_tcp(origin: &Origin, deadline: Instant) -> Result<TcpStream, String> {
    let addresses = addresses(&origin.host, origin.port).await.map_err(|error| error.to_string())?;
    let mut errors = Vec::new();
    for (index, address) in addresses.iter().enumerate() {
        // Each address gets its part of the time, so that a silent one does not use up that of the next.
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Without it a small request can wait for the acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => errors.push(format!("{address}: {error}")),
            Err(_) => errors.push(format!("{address}: no answer within {share:?}")),
        }
    }
    Err(errors.join("; "))
}

/// Whether a name is loopback without asking anybody (RFC 6761).
fn is_localhost(name: &str) -> bool {
    let bare = name.trim_end_matches('.');
    bare == "localhost" || bare.ends_with(".localhost")
}

/// Whether a URL names this machine by a loopback address or name.
pub fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|address| address.is_loopback())
        }
        Some(Host::Domain(name)) => is_localhost(name),
        None => false,
    }
}

async fn addresses(host: &Host, port: u16) -> io::Result<Vec<SocketAddr>> {
    let name = match host {
        Host::Ipv4(address) => return Ok(vec![SocketAddr::new(IpAddr::V4(*address), port)]),
        Host::Ipv6(address) => return Ok(vec![SocketAddr::new(IpAddr::V6(*address), port)]),
        Host::Domain(name) => name.as_str(),
    };
    // A server may listen on one of the two only.
    if is_localhost(name) {
        let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        return Ok(both.map(|address| SocketAddr::new(address, port)).into());
    }
    let mut found: Vec<_> = tokio::net::lookup_host((name, port)).await?.take(8).collect();
    found.dedup();
    if found.is_empty() { Err(io::Error::other(format!("`{name}` has no address"))) } else { Ok(found) }
}
