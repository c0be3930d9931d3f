//! A conformance check as a test binary: every requirement × revision × transport is a test of its own in `cargo test`
//! and `cargo nextest run`.
//!
//! ```text
//! // tests/mcp.rs, with `harness = false` for it in Cargo.toml
//! fn main() -> std::process::ExitCode {
//!     mcprove::suite::main("node server.js") // or env!("CARGO_BIN_EXE_…"), or a URL
//! }
//! ```

mod cases;
mod run;
mod store;

pub use run::{Suite, SuiteError, main};
