//! The reference server of mcprove: a strict, complete Model Context Protocol server to learn the protocol from.
//!
//! It speaks all five revisions over STDIO, Streamable HTTP and HTTP+SSE. Start with [`Server::new`], then hand the
//! server to [`serve_stdio`] or [`serve_http`]; `README.md` maps each page of the specification to a file.

mod auth;
mod buggy;
mod changes;
mod chaos;
mod context;
#[cfg(feature = "enterprise")]
mod enterprise;
mod faults;
mod features;
mod legacy;
mod memory;
mod message;
mod modern;
mod pace;
mod revision;
mod schema;
mod seal;
mod server;
mod transport;

#[cfg(feature = "enterprise")]
pub use auth::{
    Authorization, FixedToken, InvalidKeys, TestAuthorizationServer, Tokens, TrustedIssuer,
    serve_test_authorization_server,
};
pub use buggy::{Bug, Shows, bugs};
#[cfg(feature = "enterprise")]
pub use enterprise::{AuditReading, Enterprise, EnterpriseFiles, InvalidProfile};
pub use faults::{Fault, FaultId, Transport, UnknownFault, areas, faults, faults_within};
pub use pace::{Delay, InvalidPace, Stall};
pub use revision::Revision;
pub use server::{Config, Server};
pub use transport::{serve_http, serve_http_until, serve_stdio, serve_stream};

/// The examples of the README are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
