//! Fuzz target: see the invariants in `src/stdio_framing.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mcprove_fuzz::stdio_framing::check(bytes));
