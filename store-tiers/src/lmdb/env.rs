//! The LMDB environment. heed's `open` and `flags` are unsafe, so this file has the only unsafe
//! code.

#![allow(unsafe_code)]

use std::ops::Deref;
use std::path::Path;

use heed::{Env, EnvFlags, EnvOpenOptions, WithoutTls};
#[cfg(target_os = "linux")]
use rustix::fs::{FallocateFlags, fallocate, fstatfs};

/// Most concurrent read transactions of all processes. Each costs 64 bytes of the lock file.
const READERS: u32 = 1024;
/// Tables in the file.
const TABLES: u32 = 3;

/// An open LMDB environment.
#[derive(Debug)]
pub(super) struct Environment(Env<WithoutTls>);

impl Environment {
    /// Creates a file of `bytes`, a multiple of the page size, in a directory that no other process
    /// uses yet. A `durable` file has reached the disk when it is closed.
    pub(super) fn create(dir: &Path, bytes: usize, durable: bool) -> heed::Result<Self> {
        let flags = if durable {
            EnvFlags::empty()
        } else {
            EnvFlags::NO_SYNC
        };
        Self::open_with(dir, Some(bytes), flags)
    }

    /// Opens the file in a directory. The file holds its own map size.
    ///
    /// The flags, and why a killed process does not damage the file:
    /// - `NO_SYNC`: written pages are in the kernel's page cache, which survives a kill. LMDB
    ///   writes data to pages that no committed transaction refers to, then the unused meta page,
    ///   its transaction number last: so a transaction is visible wholly or not at all. After a
    ///   stop of the *machine* the file's state is unknown: so a file is used during one boot (see
    ///   [`directory`](super::directory)), or it is durable and opened without this flag.
    /// - `WRITE_MAP`: writes go to a shared map, so that a commit is no system call, which makes it
    ///   three times as fast. If the disk has no space for a page, the process gets a signal, where
    ///   a system call would return an error: so only on a file whose space is allocated
    ///   beforehand.
    /// - `NO_READ_AHEAD`: records of different servers are read in random order.
    /// - not `NO_MEM_INIT`, which would write other memory of this process to the file.
    pub(super) fn open(dir: &Path, durable: bool) -> heed::Result<Self> {
        if durable {
            return Self::open_with(dir, None, EnvFlags::NO_READ_AHEAD);
        }
        let flags = EnvFlags::NO_READ_AHEAD | EnvFlags::NO_SYNC;
        let mapped = Self::open_with(dir, None, flags | EnvFlags::WRITE_MAP)?;
        if mapped.allocate(mapped.0.info().map_size) {
            return Ok(mapped);
        }
        drop(mapped); // nothing was written to the map
        Self::open_with(dir, None, flags)
    }

    /// All processes must use the size in the file: with `WRITE_MAP`, LMDB truncates the file to
    /// the map size.
    fn open_with(dir: &Path, bytes: Option<usize>, flags: EnvFlags) -> heed::Result<Self> {
        // MDB_NOTLS: otherwise a thread that ends while another one closes the environment reads the
        // unmapped lock file (`mdb_env_reader_dest`).
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options.max_readers(READERS).max_dbs(TABLES);
        if let Some(bytes) = bytes {
            options.map_size(bytes);
        }
        // SAFETY: the flags keep LMDB's locks; NO_SYNC endangers the file only when the machine
        // stops, after which it is not opened again.
        unsafe { options.flags(flags) };
        // SAFETY: the file lies in a directory that only this user can reach, and only LMDB
        // writes to it there; heed refuses to map it twice in one process.
        unsafe { options.open(dir) }.map(Self)
    }

    /// Allocates the file's space on the disk. Returns whether pages can then always be written:
    /// not on copy-on-write file systems such as btrfs and ZFS, where each write takes new space.
    #[cfg(target_os = "linux")]
    fn allocate(&self, bytes: usize) -> bool {
        // The magic numbers of ext2 to ext4, tmpfs and XFS (statfs(2)).
        const WRITTEN_IN_PLACE: [u32; 3] = [0xef53, 0x0102_1994, 0x5846_5342];
        let Ok(file) = self.0.try_clone_inner_file() else {
            return false;
        };
        let kind = fstatfs(&file).map_or(0, |stat| u32::try_from(stat.f_type).unwrap_or(0));
        WRITTEN_IN_PLACE.contains(&kind)
            && fallocate(&file, FallocateFlags::empty(), 0, bytes as u64).is_ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn allocate(&self, _bytes: usize) -> bool {
        false
    }
}

impl Deref for Environment {
    type Target = Env<WithoutTls>;

    fn deref(&self) -> &Env<WithoutTls> {
        &self.0
    }
}
