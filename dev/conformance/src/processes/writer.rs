//! Who writes to a place by LMDB, and nothing that anybody resumes.

use std::path::Path;
use std::time::Duration;

use store_core::{Clock, KeyRef, SecurityDomain, SystemClock, Usage};
use store_tiers::lmdb::{LmdbSettings, LmdbTier};
use store_tiers::{KeyRing, Sealed, Tier};

use crate::stage::said;

/// So many records at a time that most of a writer's time is spent within a change.
const RECORDS: usize = 256;

/// Writes records of a server that nobody knows.
pub(crate) struct Writer {
    tier: LmdbTier,
    records: Vec<Sealed>,
}

impl Writer {
    pub(crate) fn open(directory: &Path) -> Result<Self, String> {
        let domain = SecurityDomain::from([0; 32]);
        let keys = KeyRing::generate().map_err(said)?;
        let record = Sealed {
            server: keys.server_id(KeyRef::new(&domain, "nobody.test")),
            usage: Usage::SingleUse,
            expires: SystemClock.now().after(Duration::from_secs(3_600)),
            bytes: vec![0; 1_000],
        };
        Ok(Self {
            tier: LmdbTier::open(directory, LmdbSettings::default()).map_err(said)?,
            records: vec![record; RECORDS],
        })
    }

    /// Writes once, which waits for whoever is writing.
    pub(crate) fn write(&mut self) -> Result<(), String> {
        let now = SystemClock.now();
        self.tier.put(&self.records, now).map_err(said)
    }
}
