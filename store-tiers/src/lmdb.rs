//! A file that the processes of one machine share, by LMDB: no daemon, no port, and a session that
//! one process has put is there for the next one.
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
//! # What it withstands
//! - **A process that is killed**, at any moment: what it had committed stays, the rest is as if
//!   it had never been, and its locks are freed.
//! - **A machine that stops**: the file is empty afterwards, for each boot has its own. Where the
//!   system does not tell its boots apart (others than Linux), the file stays, and each change
//!   waits for the disk.
//! - **A process that is stopped** (`SIGSTOP`): while it is stopped within a change, the changes
//!   of all other processes wait for it, but looking, opening and making a file do not.
//! - **A full file**: what expires first goes, and LMDB's "map full" reaches nobody.
//! - **A damaged file**: a new, empty one takes its place.
//!
//! # What it needs
//! The directory must be on a disk of this machine, not on one that machines share over a network
//! or that a virtual machine shares with its host: they boot at different times. The processes must
//! see each other's process numbers, as those within one container do, and either all or none of them
//! `/proc`, which tells the boot: one in a chroot without it has a file of its own. A process that forks opens
//! the place after the fork; what was opened before it works in the parent only.

mod env;
mod error;
mod keys;
mod place;
mod shared;
mod tables;
#[cfg(test)]
mod tests;
mod work;

use std::path::Path;

use store_core::Timestamp;

pub use self::error::LmdbError;
use self::place::{BootMark, Place};
use self::shared::Share;
use self::work::Bounds;
use crate::{Sealed, ServerId, Taken, Tier, TierError};

/// How much is kept. The processes that share a file should agree on it; where they do not, each
/// keeps to its own when it puts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LmdbSettings {
    bytes: usize,
    server_records: usize,
    server_bytes: usize,
}

impl LmdbSettings {
    /// The smallest file.
    const LEAST: usize = 1 << 20;

    /// The file has so many bytes: 64 MiB unless told, and 1 MiB at least. An eighth of it, 256 KiB
    /// at least, is kept free for changes. The process that makes the file decides; where another
    /// one wants less, that one fills less of it when it puts.
    #[must_use]
    pub fn with_bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// So many single-use records of a server are kept, those that live longest: 64 unless told.
    #[must_use]
    pub fn with_records_per_server(mut self, records: usize) -> Self {
        self.server_records = records;
        self
    }

    /// Together they have no more than so many bytes: 1 MiB unless told, and a quarter of the file at
    /// most. So a server that gives large sessions with long lives pushes out its own.
    #[must_use]
    pub fn with_server_bytes(mut self, bytes: usize) -> Self {
        self.server_bytes = bytes;
        self
    }

    fn bounds(self) -> Bounds {
        // LMDB wants whole pages; no system's are larger than this.
        const PAGE: usize = 64 << 10;
        Bounds {
            file: self.bytes.max(Self::LEAST) / PAGE * PAGE,
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

/// A file that the processes of one machine share. What it promises is that of [`Tier`]; what it
/// withstands and needs is told [above](self).
///
/// Several of one process on one directory share one opening of it, and wait for each other.
/// `put`, `remove`, `clear`, `load`, and a `take` or `sweep` that finds something, wait for who is
/// writing in another process, too.
#[derive(Debug)]
pub struct LmdbTier {
    share: Share,
    bounds: Bounds,
}

impl LmdbTier {
    /// Opens the place, and makes it if it is not there: a directory that only this user may read
    /// and change. Its parent must exist.
    pub fn open(dir: &Path, settings: LmdbSettings) -> Result<Self, LmdbError> {
        Self::open_in_boot(dir, settings, &BootMark::read())
    }

    fn open_in_boot(
        dir: &Path,
        settings: LmdbSettings,
        boot: &BootMark,
    ) -> Result<Self, LmdbError> {
        let bounds = settings.bounds();
        let share = Share::open(Place::prepare(dir, boot)?, &bounds)?;
        Ok(Self { share, bounds })
    }
}

impl Tier for LmdbTier {
    fn put(&mut self, records: &[Sealed], now: Timestamp) -> Result<(), TierError> {
        self.share.with(|work| work.put(records, now, &self.bounds))
    }

    fn take(&mut self, server: &ServerId, most: usize, now: Timestamp) -> Result<Taken, TierError> {
        self.share.with(|work| work.take(server, most, now))
    }

    fn remove(&mut self, server: &ServerId) -> Result<(), TierError> {
        self.share.with(|work| work.remove(server))
    }

    fn clear(&mut self) -> Result<(), TierError> {
        self.share.with(work::Work::clear)
    }

    fn sweep(&mut self, now: Timestamp) -> Result<bool, TierError> {
        self.share.with(|work| work.sweep(now))
    }

    fn load(&mut self, most: usize, now: Timestamp) -> Result<Vec<Sealed>, TierError> {
        self.share.with(|work| work.load(most, now))
    }
}
