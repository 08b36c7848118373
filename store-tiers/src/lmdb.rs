//! The LMDB tier: a file that the processes of one machine share, without a daemon or a port. A
//! session that one process has put is available to the next one.
//!
//! ```
//! use store_tiers::lmdb::{LmdbSettings, LmdbTier};
//!
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path().join("sessions");
//! let tier = LmdbTier::open(&dir, LmdbSettings::default())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Failures
//! - **A process is killed**, at any moment: its committed transactions stay, an unfinished one is
//!   aborted, and its locks are released.
//! - **The machine stops**: the next boot starts with an empty file, because each boot has a file
//!   of its own. Where the system has no boot id (systems other than Linux), one file is used for
//!   all boots, and each commit waits for the disk.
//! - **A process is stopped** (`SIGSTOP`) within a write transaction: write transactions of all
//!   other processes wait for it; reading, opening and creating a file do not.
//! - **The file is full**: records that expire first are evicted. LMDB's "map full" is not an error
//!   of the tier.
//! - **The file is damaged**: it is replaced by an empty one.
//!
//! # Requirements
//! The directory must be on a local disk: not on a network file system, and not on one that a
//! virtual machine shares with its host, because those machines boot at different times. The
//! processes must see each other's process ids, as those of one container do. Either all or none of
//! them must see `/proc`, which has the boot id: a process in a chroot without it has a file of its
//! own. A forked child opens the tier after the fork; a tier opened before works in the parent
//! only.

mod directory;
mod env;
mod error;
mod keys;
mod record_store;
mod registry;
mod tables;
#[cfg(test)]
mod tests;

use std::path::Path;

use store_core::Timestamp;

use self::directory::{BootId, EnvDir};
pub use self::error::LmdbError;
use self::record_store::{Bounds, RecordStore};
use self::registry::EnvHandle;
use crate::{Sealed, ServerId, Taken, Tier, TierError};

/// Limits of an [`LmdbTier`]. The processes that share a file should agree on them; if they do not,
/// each applies its own when it puts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LmdbSettings {
    bytes: usize,
    server_records: usize,
    server_bytes: usize,
}

impl LmdbSettings {
    /// The smallest file.
    const MIN_BYTES: usize = 1 << 20;

    /// Sets the size of the file in bytes. Default 64 MiB, minimum 1 MiB. An eighth of it, at least
    /// 256 KiB, stays free for transactions. The process that creates the file decides its size; a
    /// process with a smaller setting fills less of it when it puts.
    #[must_use]
    pub fn with_bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets the most single-use records per server. Default 64. The records that expire last are
    /// kept.
    #[must_use]
    pub fn with_records_per_server(mut self, records: usize) -> Self {
        self.server_records = records;
        self
    }

    /// Sets the most bytes in the single-use records of a server. Default 1 MiB, maximum a quarter
    /// of the file. So a server with large, long-lived sessions evicts only its own.
    #[must_use]
    pub fn with_server_bytes(mut self, bytes: usize) -> Self {
        self.server_bytes = bytes;
        self
    }

    fn bounds(self) -> Bounds {
        // LMDB requires whole pages; no system has larger ones.
        const PAGE: usize = 64 << 10;
        Bounds {
            file: self.bytes.max(Self::MIN_BYTES) / PAGE * PAGE,
            server_records: self.server_records,
            server_bytes: self.server_bytes,
        }
    }
}

impl Default for LmdbSettings {
    fn default() -> Self {
        Self {
            bytes: 64 << 20,
            server_records: 64,
            server_bytes: 1 << 20,
        }
    }
}

/// A [`Tier`] in a file that the processes of one machine share; see [the module](self) for its
/// failures and requirements.
///
/// Tiers of one process on one directory share one LMDB environment, and their calls run one after
/// the other. `put`, `remove`, `clear`, `load`, and a `take` or `sweep` that finds something, also
/// wait for a write transaction of another process.
#[derive(Debug)]
pub struct LmdbTier {
    env: EnvHandle,
    bounds: Bounds,
}

impl LmdbTier {
    /// Opens the tier in a directory that only this user may access, and creates the directory if
    /// it does not exist. Its parent must exist.
    pub fn open(dir: &Path, settings: LmdbSettings) -> Result<Self, LmdbError> {
        Self::open_in_boot(dir, settings, &BootId::current())
    }

    fn open_in_boot(dir: &Path, settings: LmdbSettings, boot: &BootId) -> Result<Self, LmdbError> {
        let bounds = settings.bounds();
        let env = EnvHandle::open(EnvDir::prepare(dir, boot)?, &bounds)?;
        Ok(Self { env, bounds })
    }
}

impl Tier for LmdbTier {
    fn put(&mut self, records: &[Sealed], now: Timestamp) -> Result<(), TierError> {
        self.env.with(|store| store.put(records, now, &self.bounds))
    }

    fn take(&mut self, server: &ServerId, most: usize, now: Timestamp) -> Result<Taken, TierError> {
        self.env.with(|store| store.take(server, most, now))
    }

    fn remove(&mut self, server: &ServerId) -> Result<(), TierError> {
        self.env.with(|store| store.remove(server))
    }

    fn clear(&mut self) -> Result<(), TierError> {
        self.env.with(RecordStore::clear)
    }

    fn sweep(&mut self, now: Timestamp) -> Result<bool, TierError> {
        self.env.with(|store| store.sweep(now))
    }

    fn load(&mut self, most: usize, now: Timestamp) -> Result<Vec<Sealed>, TierError> {
        self.env.with(|store| store.load(most, now))
    }
}
