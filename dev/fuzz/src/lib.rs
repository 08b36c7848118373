//! The bodies of the fuzz targets, as ordinary functions: a fuzzer calls them with what it makes
//! up, and `tests/replay.rs` with the corpus, on any toolchain.
//!
//! Each takes any bytes and panics where something that must hold does not.

mod keys;
mod limits;

pub use keys::keys;
pub use limits::limits;
pub use store_core::fuzz::store;
pub use store_tiers::fuzz::records;

/// A target: bytes in, or a panic.
pub type Target = fn(&[u8]);

/// All targets, by the names of their corpora.
pub const TARGETS: [(&str, Target); 4] = [
    ("store", store),
    ("keys", keys),
    ("limits", limits),
    ("records", records),
];
