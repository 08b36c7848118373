//! The calls to LMDB and the system that the compiler cannot check: the only unsafe code here.

#![allow(unsafe_code)]

use std::ops::Deref;
use std::path::Path;
#[cfg(target_os = "linux")]
use std::{mem::MaybeUninit, os::fd::AsRawFd};

use heed::{Env, EnvFlags, EnvOpenOptions};

use super::place::Place;

/// Processes and threads that may look at the file at once. Each costs 64 bytes of the lock file.
const READERS: u32 = 1024;
/// Tables in the file.
const TABLES: u32 = 3;

/// An open file.
#[derive(Debug)]
pub(super) struct File(Env);

impl File {
    /// Makes a new file of `bytes`, a multiple of the page size, in a directory that nobody else
    /// knows yet. A lasting one is on the disk when it is closed.
    pub(super) fn create(dir: &Path, bytes: usize, lasting: bool) -> heed::Result<Self> {
        let flags = if lasting {
            EnvFlags::empty()
        } else {
            EnvFlags::NO_SYNC
        };
        Self::open_with(dir, Some(bytes), flags)
    }

    /// Opens the file of a place. How large it may be is written in it.
    ///
    /// Which flags, and why a killed process does no harm:
    /// - `NO_SYNC`: what is written is in the kernel's hands, which a kill does not touch. Data
    ///   goes to pages that no committed transaction refers to, then the meta page that is not in
    ///   use, its number last. So the file shows a transaction wholly or not at all. When the
    ///   *machine* stops, what is on the disk is not known: then the file is left behind (see
    ///   [`place`](super::place)), or it is a lasting one, which has no such flag.
    /// - `WRITE_MAP`: a change is made in memory that is the kernel's, too, so that a commit is no
    ///   system call, which makes it three times as fast. But a write for which the disk has no
    ///   room ends the program by a signal, where a call would return an error: so only on a file
    ///   that has all its room beforehand.
    /// - `NO_READ_AHEAD`: records of different servers are read in no order.
    /// - not `NO_MEM_INIT`: it would write what else was in the program's memory to the file.
    pub(super) fn open(place: &Place) -> heed::Result<Self> {
        if place.lasting {
            return Self::open_with(&place.path, None, EnvFlags::NO_READ_AHEAD);
        }
        let called = EnvFlags::NO_READ_AHEAD | EnvFlags::NO_SYNC;
        let mapped = Self::open_with(&place.path, None, called | EnvFlags::WRITE_MAP)?;
        if mapped.reserve(mapped.0.info().map_size) {
            return Ok(mapped);
        }
        drop(mapped); // nothing was written to the map
        Self::open_with(&place.path, None, called)
    }

    /// All processes must agree on the size: with `WRITE_MAP`, LMDB cuts the file to it.
    fn open_with(dir: &Path, bytes: Option<usize>, flags: EnvFlags) -> heed::Result<Self> {
        let mut options = EnvOpenOptions::new();
        options.max_readers(READERS).max_dbs(TABLES);
        if let Some(bytes) = bytes {
            options.map_size(bytes);
        }
        // SAFETY: the flags keep LMDB's locks; NO_SYNC endangers the file only when the machine
        // stops, after which it is not opened again.
        unsafe { options.flags(flags) };
        // SAFETY: the file lies in a directory that only this user can reach, and only LMDB
        // writes to it there; heed sees to it that a process does not map it twice.
        unsafe { options.open(dir) }.map(Self)
    }

    /// Gives the file its room on the disk, and says whether it has it for good: not where a page
    /// takes new room whenever it is written, as on btrfs and ZFS.
    #[cfg(target_os = "linux")]
    fn reserve(&self, bytes: usize) -> bool {
        // The numbers of ext2 to ext4, tmpfs and XFS, for whose type each libc has another opinion.
        const WRITTEN_IN_PLACE: [u32; 3] = [0xef53, 0x0102_1994, 0x5846_5342];
        let (Ok(file), Ok(bytes)) = (self.0.try_clone_inner_file(), bytes.try_into()) else {
            return false;
        };
        let mut facts = MaybeUninit::<libc::statfs>::uninit();
        // SAFETY: the file is open, and there is room for what is told about it.
        if unsafe { libc::fstatfs(file.as_raw_fd(), facts.as_mut_ptr()) } != 0 {
            return false;
        }
        // SAFETY: the call has succeeded, so it has filled it in.
        let kind = u32::try_from(unsafe { facts.assume_init() }.f_type).unwrap_or(0);
        // SAFETY: the file is open; the call changes neither what is in it nor makes it shorter.
        WRITTEN_IN_PLACE.contains(&kind)
            && unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, bytes) } == 0
    }

    #[cfg(not(target_os = "linux"))]
    fn reserve(&self, _bytes: usize) -> bool {
        false
    }
}

impl Deref for File {
    type Target = Env;

    fn deref(&self) -> &Env {
        &self.0
    }
}

/// The user that this process acts for.
pub(super) fn this_user() -> u32 {
    // SAFETY: takes nothing, cannot fail, and only returns a number.
    unsafe { libc::geteuid() }
}
