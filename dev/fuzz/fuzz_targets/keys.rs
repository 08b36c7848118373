//! Fuzzes keys and domains.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::keys(data));
