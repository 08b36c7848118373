//! Fuzzes the decoding of records.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::records(data));

#[cfg(not(fuzzing))]
fn main() {}
