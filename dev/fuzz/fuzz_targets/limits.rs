//! Fuzzes the reading of limits, and stores with them.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::limits(data));

#[cfg(not(fuzzing))]
fn main() {}
