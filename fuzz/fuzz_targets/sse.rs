//! Fuzz target: see the invariants in `src/sse.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mcprove_fuzz::sse::check(bytes));
