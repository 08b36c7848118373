//! Connections through the store, by each version of rustls there is: the same tests on both, and
//! what only one of them can do.
#![allow(
    clippy::duplicate_mod,
    reason = "the same tests, with the client of another rustls beside them"
)]

/// They need a provider, whichever it is.
#[cfg(any(feature = "aws-lc-rs", feature = "ring", feature = "graviola"))]
mod rustls_0_23 {
    mod client;
    mod config_pool;
    #[path = "../resumption.rs"]
    mod resumption;
    mod shared_handle;
    #[path = "../trust.rs"]
    mod trust;
    #[path = "../world.rs"]
    #[allow(dead_code, reason = "each client uses its part")]
    mod world;
}

#[cfg(feature = "preview")]
mod preview {
    mod client;
    mod portable;
    #[path = "../resumption.rs"]
    mod resumption;
    #[path = "../trust.rs"]
    mod trust;
    #[path = "../world.rs"]
    mod world;
}
