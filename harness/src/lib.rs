//! `mcprove` tests servers of the Model Context Protocol: conformance, fuzzing, replay and benchmarks, black box,
//! over STDIO and HTTP, in every revision.
//!
//! The modules are layers; each may use those above it in this list and none below
//! (`harness/tests/layers.rs` holds this).

pub mod generate;
pub mod protocol;
pub mod run;
pub mod wire;
