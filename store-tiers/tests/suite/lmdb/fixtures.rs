//! Records, servers and time for the tests of the LMDB tier.

#![allow(dead_code)] // tests/lmdb_fork.rs uses only some of it

use std::time::Duration;

use store_core::{KeyRef, SecurityDomain, Timestamp, Usage};
use store_tiers::lmdb::{LmdbSettings, LmdbTier};
use store_tiers::{KeyRing, Sealed, ServerId, Tier};

/// The current time in tests that use no real clock.
pub(crate) const NOW: Timestamp = Timestamp::EPOCH;

/// This many seconds after [`NOW`].
pub(crate) fn at(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

/// The same server in every process.
pub(crate) fn server(number: usize) -> ServerId {
    let ring = KeyRing::new([1; 32], [(1, [2; 32])]).expect("a key ring");
    let domain = SecurityDomain::builder("lmdb tests").finish();
    ring.server_id(KeyRef::new(&domain, &format!("{number}.example")))
}

pub(crate) fn single(server: &ServerId, expires: u64, bytes: impl Into<Vec<u8>>) -> Sealed {
    Sealed {
        server: *server,
        usage: Usage::SingleUse,
        expires: at(expires),
        bytes: bytes.into(),
    }
}

pub(crate) fn reusable(server: &ServerId, expires: u64, bytes: impl Into<Vec<u8>>) -> Sealed {
    Sealed {
        usage: Usage::Reusable,
        ..single(server, expires, bytes)
    }
}

/// A tier in a temporary folder.
pub(crate) struct Temporary {
    pub(crate) tier: LmdbTier,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) fn temporary(settings: LmdbSettings) -> Temporary {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tier = LmdbTier::open(&folder.path().join("tier"), settings).expect("a new tier");
    Temporary { tier, folder }
}

/// Takes all single-use records of a server.
pub(crate) fn take_all(tier: &mut LmdbTier, server: &ServerId) -> Vec<Vec<u8>> {
    tier.take(server, 1000, NOW).expect("a take").single_use
}
