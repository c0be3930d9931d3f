//! Fuzz target: see the invariants in `src/reference_server.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mcprove_fuzz::reference_server::check(bytes));
