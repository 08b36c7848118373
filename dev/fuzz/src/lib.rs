//! The bodies of the fuzz targets, as ordinary functions: a fuzzer calls them, and `tests/replay.rs`
//! calls them with the corpora on any toolchain.
//!
//! Each accepts any bytes, and panics if the code under test is wrong.

mod keys;
mod limits;

pub use keys::keys;
pub use limits::limits;
pub use store_core::fuzz::store;
pub use store_tiers::fuzz::records;

/// The body of a fuzz target.
pub type Target = fn(&[u8]);

/// All targets, by the names of their corpora.
pub const TARGETS: [(&str, Target); 4] = [
    ("store", store),
    ("keys", keys),
    ("limits", limits),
    ("records", records),
];
