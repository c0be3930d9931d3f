//! The test authorization server on a listener of its own, for servers of others.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::TestAuthorizationServer;
use crate::transport::json_reply;

/// Connections at once.
const CONNECTIONS: usize = 64;
/// How long a head may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves a test authorization server until it is dropped. The listener has to be on a loopback address.
///
/// # Errors
/// The listener is not on a loopback address.
pub async fn serve_test_authorization_server(
    issuer: Arc<TestAuthorizationServer>,
    listener: TcpListener,
) -> io::Result<()> {
    refuse_others(&listener)?;
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
                let issuer = Arc::clone(&issuer);
                tasks.spawn(async move {
                    let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| async {
                        let (parts, body) = request.into_parts();
                        Ok::<_, Infallible>(if TestAuthorizationServer::serves(parts.uri.path()) {
                            issuer.answer(&parts, body).await
                        } else {
                            json_reply(404, String::new())
                        })
                    });
                    let mut http = http1::Builder::new();
                    let http = http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
                    // A connection that breaks concerns nobody else.
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                    drop(permit);
                });
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}

/// Who can reach a test authorization server can have any token.
pub(crate) fn refuse_others(listener: &TcpListener) -> io::Result<()> {
    if listener.local_addr()?.ip().is_loopback() {
        return Ok(());
    }
    Err(io::Error::other("a test authorization server is served on a loopback address only"))
}
