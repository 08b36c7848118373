//! Handshakes through the store. Both versions of rustls run the common tests, and each has tests of
//! its own.
#![allow(
    clippy::duplicate_mod,
    reason = "both versions of rustls run the same tests"
)]

/// Needs any provider.
#[cfg(any(feature = "aws-lc-rs", feature = "ring", feature = "graviola"))]
mod rustls_0_23 {
    mod client;
    mod config_pool;
    #[path = "../fixture.rs"]
    #[allow(dead_code, reason = "the preview tests use the rest")]
    mod fixture;
    mod following;
    #[path = "../resumption.rs"]
    mod resumption;
    mod shared_handle;
    #[path = "../trust.rs"]
    mod trust;
}

#[cfg(feature = "preview")]
mod preview {
    mod client;
    #[path = "../fixture.rs"]
    mod fixture;
    mod portable;
    #[path = "../resumption.rs"]
    mod resumption;
    #[path = "../trust.rs"]
    mod trust;
}
