//! Fuzzes a shard, compared with its model.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::store(data));
