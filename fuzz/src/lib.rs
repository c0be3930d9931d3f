//! What has to hold of the decoders for any input: one function a fuzz target, which panics where it does not hold.
//! `harness/tests/corpus.rs` holds the same functions against the corpus and against random input.

mod chunks;
pub mod json;
mod plain;
pub mod reference_server;
pub mod sse;
pub mod stdio_framing;
