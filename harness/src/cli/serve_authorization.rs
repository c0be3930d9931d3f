//! `mcprove serve` over HTTP: whose tokens are taken.

use super::args::ServeArgs;
use super::failure::Failure;
use mcprove_reference_server::{Authorization, Config, TestAuthorizationServer, Tokens, TrustedIssuer};
use std::net::SocketAddr;
use std::sync::Arc;

/// With the authorization that is asked for: an authorization server for tests, an issuer elsewhere, or the tokens of the
/// role file; none of them leaves the server open.
pub(super) fn authorized(config: Config, args: &ServeArgs, bound: SocketAddr) -> Result<Config, Failure> {
    let resource = args.resource.clone().unwrap_or_else(|| format!("{}/mcp", origin(args, bound)));
    if args.with_test_authorization_server {
        return with_test_issuer(config, bound, resource);
    }
    if let (Some(issuer), Some(url)) = (&args.trust_issuer, &args.jwks_url) {
        let trusted = TrustedIssuer::publishing(issuer, url).map_err(Failure::usage)?;
        return Ok(protected(config, resource, vec![issuer.clone()], Tokens::Signed(trusted)));
    }
    let tokens = config.enterprise.as_ref().map(|profile| profile.fixed_tokens()).unwrap_or_default();
    if tokens.is_empty() {
        return Ok(config);
    }
    let servers = args.authorization_server.iter().cloned().collect();
    Ok(protected(config, resource, servers, Tokens::Fixed(tokens)))
}

fn protected(config: Config, resource: String, authorization_servers: Vec<String>, tokens: Tokens) -> Config {
    let authorization = Authorization { resource, authorization_servers, tokens };
    Config { authorization: Some(Arc::new(authorization)), ..config }
}

/// An authorization server for tests at the same origin.
fn with_test_issuer(config: Config, bound: SocketAddr, resource: String) -> Result<Config, Failure> {
    if !bound.ip().is_loopback() {
        let text = "--with-test-authorization-server gives tokens to anybody, so --http has to be a loopback address";
        return Err(Failure::usage(text));
    }
    let origin = format!("http://{bound}");
    let issuer = TestAuthorizationServer::new(&origin, &resource);
    let trusted = TrustedIssuer::new(issuer.issuer(), &issuer.key_set()).map_err(Failure::bug)?;
    let config = protected(config, resource, vec![origin], Tokens::Signed(trusted));
    Ok(Config { test_authorization_server: Some(Arc::new(issuer)), ..config })
}

/// Where clients find the server. An address that stands for all addresses of the machine is none to call at; the name by
/// which clients may call is.
fn origin(args: &ServeArgs, bound: SocketAddr) -> String {
    if !bound.ip().is_unspecified() {
        return format!("http://{bound}");
    }
    let name = args.allow_host.first().map_or("localhost", String::as_str);
    let name =
        if name.contains(':') && !name.starts_with('[') { format!("[{name}]") } else { name.to_owned() };
    format!("http://{name}:{}", bound.port())
}
