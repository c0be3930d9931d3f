//! HTTPS: certificates are checked, and a certificate authority of one's own can be trusted.
#![cfg(feature = "tls")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mcprove::wire::{
    Channel, End, Event, Flow, HttpClient, HttpConfig, HttpError, Limits, Observer, Payload, Request,
};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use url::Url;

/// An authority made for this test alone, valid from 2020 to 2120.
const AUTHORITY: &str = "MIIBZjCCAQugAwIBAgIBATAKBggqhkjOPQQDAjAhMR8wHQYDVQQDDBZtY3Byb3ZlIHRlc3QgYXV0aG9yaXR5MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAhMR8wHQYDVQQDDBZtY3Byb3ZlIHRlc3QgYXV0aG9yaXR5MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEiiJ8xzJL3sijtvmh4Vy7HXeU1v1m8ZSpYyJWunNAgPd+vy84JvrJ/+nbvs2OwsfSJEsob+rB8anWTH3Ta6BRuaMyMDAwDwYDVR0TAQH/BAUwAwEB/zAdBgNVHQ4EFgQUZ7EziQdANR21Zw16Y87OwM3gbGgwCgYIKoZIzj0EAwIDSQAwRgIhAIe/G7teeInKUAllwbf5lTPLE0/JyC1WIB7fP6UqkRPWAiEA7U6yHY/NDyP3lL6oVvRtX5wPPVbmt3OOp5m75xrHj1Y=";
/// For `localhost` and 127.0.0.1, by that authority.
const CERTIFICATE: &str = "MIIBjzCCATWgAwIBAgIBAjAKBggqhkjOPQQDAjAhMR8wHQYDVQQDDBZtY3Byb3ZlIHRlc3QgYXV0aG9yaXR5MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAT3WmpVCygNoVmaB+281xThiPnrhK79+sT7yqNrLnwwgc+OxhyxafnnSH3Q+7iZ0DniutIlUZGyzLzVQbnGgbXuo2kwZzAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCQYDVR0TBAIwADAdBgNVHQ4EFgQUndLzOCXJmROYT8fPB2UMn0VulsowHwYDVR0jBBgwFoAUZ7EziQdANR21Zw16Y87OwM3gbGgwCgYIKoZIzj0EAwIDSAAwRQIhANALmUHCfblg0xSOKjeJkH2PJGgyD/vUSfXCGEm4It+kAiA5+coWqlJ/l7NV37/jR+1W5JiH5igkvmFhgYrUKNDbNg==";
/// Its key, which guards nothing.
const KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwBOP0lahpubuuvPdCPZideBBaOgj5/U54oH5IQIqHoyhRANCAAT3WmpVCygNoVmaB+281xThiPnrhK79+sT7yqNrLnwwgc+OxhyxafnnSH3Q+7iZ0DniutIlUZGyzLzVQbnGgbXu";

#[derive(Default)]
struct Log(Mutex<Vec<Event>>);

impl Observer for Log {
    fn observe(&self, _: Channel, event: Event) -> Flow {
        self.0.lock().unwrap().push(event);
        Flow::Continue
    }
}

/// A server that answers each connection once; its port.
async fn serve() -> u16 {
    let certificate = CertificateDer::from(STANDARD.decode(CERTIFICATE).unwrap());
    let key = PrivatePkcs8KeyDer::from(STANDARD.decode(KEY).unwrap());
    let config = ServerConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
            let _ = stream.shutdown().await;
        }
    });
    port
}

async fn get(url: String, config: HttpConfig) -> (End, Vec<Event>) {
    let log = Arc::new(Log::default());
    let client = HttpClient::new(config, Limits::default(), Arc::clone(&log) as Arc<dyn Observer>).unwrap();
    let end = client.exchange(Channel(1), Request::get(Url::parse(&url).unwrap())).await;
    let events = log.0.lock().unwrap().clone();
    (end, events)
}

#[tokio::test]
async fn an_own_authority_is_trusted_when_named_and_not_otherwise() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    let pem = format!("-----BEGIN CERTIFICATE-----\n{AUTHORITY}\n-----END CERTIFICATE-----\n");
    std::fs::write(&file, pem).unwrap();
    let port = serve().await;
    for host in ["localhost", "127.0.0.1"] {
        let trusting = HttpConfig { ca_certificates: Some(file.clone()), ..HttpConfig::default() };
        let (end, events) = get(format!("https://{host}:{port}/"), trusting).await;
        assert_eq!(end, End::Complete, "{events:?}");
        let body = Event::Received { payload: Payload::read("{}"), sse: None };
        assert!(events.contains(&body), "{events:?}");
    }
    let (end, events) = get(format!("https://localhost:{port}/"), HttpConfig::default()).await;
    assert!(matches!(end, End::Broken(_)));
    let Some(Event::ConnectFailed(reason)) = events.last() else { panic!("{events:?}") };
    assert!(reason.contains("certificate"), "{reason}");
}

#[test]
fn a_file_without_certificates_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, "no certificate").unwrap();
    for path in [file, directory.path().join("missing.pem")] {
        let config = HttpConfig { ca_certificates: Some(path), ..HttpConfig::default() };
        let error = HttpClient::new(config, Limits::default(), Arc::new(Log::default())).unwrap_err();
        assert!(matches!(error, HttpError::CaCertificates { .. }), "{error}");
    }
}
