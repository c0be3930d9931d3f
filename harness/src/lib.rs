//! `mcprove` tests servers of the Model Context Protocol: conformance, fuzzing, replay and benchmarks, black box,
//! over STDIO and HTTP, in every revision.
//!
//! The modules are layers; each may use those above it in this list and none below
//! (`harness/tests/layers.rs` holds this).

pub mod protocol;
pub mod wire;
pub mod transcript;
pub mod run;
pub mod client;
pub mod generate;
pub mod shrink;
pub mod mutate;
pub mod monitors;
pub mod properties;
pub mod probes;
pub mod baseline;
pub mod docs;
pub mod check;
pub mod replay;
pub mod export;
pub mod minimize;
#[cfg(feature = "proptest")]
pub mod strategies;
pub mod recording;
pub mod mock;
pub mod report;
pub mod suite;
pub mod kill;
#[cfg(feature = "cli")]
pub mod cli;
