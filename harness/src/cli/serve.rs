//! `mcprove serve`: the reference server.

use super::args::ServeArgs;
use mcprove_reference_server::{Config, Server, serve_http, serve_stdio};
use std::io;

pub(super) fn serve(args: &ServeArgs) -> io::Result<()> {
    // On stdio the one client is the user who started the process, so there is nobody to protect a cursor from; a
    // fixed secret lets cursors outlive the process (2026-07-28, basic/index#statelessness).
    let cursor_secret = args.http.is_none().then_some([0; 32]);
    let server = Server::new(Config { cursor_secret, ..Config::default() });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(async {
        let Some(address) = args.http else { return serve_stdio(server).await };
        let listener = tokio::net::TcpListener::bind(address).await?;
        eprintln!("mcprove serves MCP at http://{}/mcp", listener.local_addr()?);
        serve_http(server, listener).await
    });
    runtime.shutdown_background();
    result
}
