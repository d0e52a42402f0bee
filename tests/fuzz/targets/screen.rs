//! See `screen` in the checks.
#![no_main]

#[path = "../mod.rs"]
#[expect(dead_code, reason = "one check of several")]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::screen(bytes));
