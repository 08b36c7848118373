//! Writes to an LMDB tier records that no client resumes.

use std::path::Path;
use std::time::Duration;

use store_core::{Clock, KeyRef, SecurityDomain, SystemClock, Usage};
use store_tiers::lmdb::{LmdbSettings, LmdbTier};
use store_tiers::{KeyRing, Sealed, Tier};

use crate::check::message;

/// Records in a write: so many that the writer is in a transaction most of the time.
const RECORDS: usize = 256;

/// Writes records of a server that no client connects to.
pub(crate) struct LmdbWriter {
    tier: LmdbTier,
    records: Vec<Sealed>,
}

impl LmdbWriter {
    pub(crate) fn open(directory: &Path) -> Result<Self, String> {
        let domain = SecurityDomain::from([0; 32]);
        let keys = KeyRing::generate().map_err(message)?;
        let record = Sealed {
            server: keys.server_id(KeyRef::new(&domain, "nobody.test")),
            usage: Usage::SingleUse,
            expires: SystemClock.now().after(Duration::from_secs(3_600)),
            bytes: vec![0; 1_000],
        };
        Ok(Self {
            tier: LmdbTier::open(directory, LmdbSettings::default()).map_err(message)?,
            records: vec![record; RECORDS],
        })
    }

    /// Writes all records in one transaction, after those of other processes.
    pub(crate) fn write(&mut self) -> Result<(), String> {
        let now = SystemClock.now();
        self.tier.put(&self.records, now).map_err(message)
    }
}
