//! See `throttle_tests::fuzz`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| throttle_tests::fuzz::check("units", bytes));
