//! The tiers against real files, processes and servers.

#[cfg(feature = "lmdb")]
mod lmdb;
#[cfg(feature = "redis")]
mod redis;
