//! Fuzzes a shard, compared with its model.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::store(data));

#[cfg(not(fuzzing))]
fn main() {}
