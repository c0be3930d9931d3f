//! The whole program and its wires, one module for each matter. One test binary, so that the waits of one overlap with
//! the work of others.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

#[cfg(feature = "enterprise")]
mod authorization;
#[cfg(feature = "cli")]
mod baseline;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod buggy;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod document;
#[cfg(feature = "cli")]
mod export;
#[cfg(feature = "cli")]
mod faults;
#[cfg(feature = "cli")]
mod http_rules;
#[cfg(feature = "cli")]
mod minimize;
#[cfg(feature = "cli")]
mod mock;
mod mutations;
#[cfg(feature = "cli")]
mod program;
#[cfg(feature = "cli")]
mod recording;
#[cfg(feature = "cli")]
mod replay;
#[cfg(feature = "cli")]
mod rmcp;
#[cfg(feature = "cli")]
mod serve;
#[cfg(feature = "cli")]
mod sets;
#[cfg(feature = "cli")]
mod settings;
#[cfg(feature = "cli")]
#[path = "../../examples/converse/talk.rs"]
#[allow(dead_code, reason = "the example uses all of it")]
mod talk;
#[cfg(feature = "cli")]
mod transcripts;
mod wire_http;
mod wire_process;
mod wire_tls;
