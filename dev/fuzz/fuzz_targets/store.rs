//! Operations on a shard against its naive model.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::store(data));
