//! A conformance check as a test binary: every requirement × revision × transport is a test of its own in `cargo test`
//! and `cargo nextest run`. Recorded conversations as tests: [`transcript_tests!`](crate::transcript_tests). Properties
//! as tests, with the feature `proptest`: `properties!`.
//!
//! ```text
//! // tests/mcp.rs, with `harness = false` for it in Cargo.toml
//! fn main() -> std::process::ExitCode {
//!     mcprove::suite::main("node server.js") // or env!("CARGO_BIN_EXE_…"), or a URL
//! }
//! ```

mod cases;
#[cfg(feature = "proptest")]
mod conversations;
mod environment;
#[cfg(feature = "proptest")]
mod properties;
mod recorded;
mod run;
mod store;

#[cfg(feature = "proptest")]
pub use properties::Properties;
pub use recorded::Recordings;
pub use run::{Suite, SuiteError, main};
