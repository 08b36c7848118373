//! Fuzzes the reading of limits, and stores with them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::limits(data));
