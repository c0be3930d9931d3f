//! Fuzz target: see the invariants in `src/json.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mcprove_fuzz::json::check(bytes));
