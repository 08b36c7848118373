//! One file, one opening of it: what the tiers of a process share.
//!
//! LMDB must not open a file twice in a process, and heed does not let it. So what is open is
//! counted here, and closed when its last tier goes.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heed::MdbError;

use super::env::File;
use super::error::{LmdbError, Trouble};
use super::place::{FileId, Place};
use super::tables::Tables;
use super::work::{Bounds, Work};
use crate::TierError;

/// What is open in this process, and by how many tiers.
static OPEN: Mutex<BTreeMap<PathBuf, (Arc<Shared>, usize)>> = Mutex::new(BTreeMap::new());

/// An open file, for all tiers of this process.
#[derive(Debug)]
struct Shared {
    place: Place,
    /// What the file may grow to, as far as this process is concerned.
    bytes: usize,
    /// LMDB's locks are not for a process that was forked.
    process: u32,
    // Taken for each transaction: those of one process would wait for each other anyway.
    // `None` when the file was given up, until the next call.
    work: Mutex<Option<Work>>,
}

/// A tier's share.
#[derive(Debug)]
pub(super) struct Share(Arc<Shared>);

impl Share {
    /// Opens the file of a place, or joins the tiers that have it open.
    pub(super) fn open(place: Place, bounds: &Bounds) -> Result<Self, LmdbError> {
        let mut open = lock(&OPEN);
        if let Some((shared, tiers)) = open.get_mut(&place.path) {
            if shared.process == process::id() {
                *tiers += 1;
                return Ok(Self(Arc::clone(shared)));
            }
            // It is that of the parent, whose threads are not here: if one was at work, it will
            // never end.
            let Ok(mut work) = shared.work.try_lock() else {
                return Err(LmdbError::Forked { path: place.path });
            };
            *work = None;
        }
        let path = place.path.clone();
        let work = Some(open_or_start_over(&place, bounds.file)?);
        let shared = Arc::new(Shared {
            place,
            bytes: bounds.file,
            process: process::id(),
            work: Mutex::new(work),
        });
        open.insert(path, (Arc::clone(&shared), 1));
        Ok(Self(shared))
    }

    /// Does some work on the file. Another process may hold it up that writes; but what only looks
    /// waits for nobody.
    pub(super) fn with<T>(
        &self,
        work: impl Fn(&Work) -> Result<T, Trouble>,
    ) -> Result<T, TierError> {
        let shared = &*self.0;
        if shared.process != process::id() {
            let text = "this process was forked: open the store after the fork";
            return Err(TierError::NotApplied(text.into()));
        }
        let mut slot = lock(&shared.work);
        let open = match slot.take() {
            Some(open) => open,
            None => open_or_start_over(&shared.place, shared.bytes)
                .map_err(|error| TierError::NotApplied(error.to_string()))?,
        };
        let done = work(&open);
        if done.as_ref().is_err_and(Trouble::is_damage) {
            let seen = open.file_id();
            drop(open);
            // If this fails, opening it fails, too, and says why.
            let _ = shared.place.remove(seen);
        } else {
            *slot = Some(open);
        }
        done.map_err(TierError::from)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.0.process != process::id() {
            return; // the parent's, in a process that was forked
        }
        let mut open = lock(&OPEN);
        let Some((shared, tiers)) = open.get_mut(&self.0.place.path) else {
            return;
        };
        *tiers -= 1;
        if *tiers == 0 {
            // Closed while nobody can open it: LMDB must not find it open still.
            *lock(&shared.work) = None;
            open.remove(&self.0.place.path);
        }
    }
}

/// How often a file is opened that other processes are replacing.
const TRIES: usize = 10;

/// Opens the file; makes it if there is none, or none of LMDB's.
fn open_or_start_over(place: &Place, bytes: usize) -> Result<Work, LmdbError> {
    let mut failed = heed::Error::Mdb(MdbError::Problem);
    for _ in 0..TRIES {
        let seen = place.file();
        if seen.is_none() {
            // A directory without a file would be in the way.
            place.remove(seen)?;
            place.create(|dir| Tables::create(&File::create(dir, bytes, place.lasting)?))?;
        }
        let directory = place.directory();
        match open(place) {
            // Else its lock may be that of the old file.
            Ok(work) if place.directory() == directory => {
                place.guard()?;
                return Ok(work);
            }
            Ok(_) => {}
            Err(error) if is_damage(&error) => {
                if seen.is_some() {
                    place.remove(seen)?;
                }
                failed = error;
            }
            // Taken away just now.
            Err(heed::Error::Io(error)) if error.kind() == ErrorKind::NotFound => {
                failed = error.into();
            }
            Err(error) => return Err(LmdbError::lmdb(&place.path)(error)),
        }
    }
    Err(LmdbError::lmdb(&place.path)(failed))
}

fn is_damage(error: &heed::Error) -> bool {
    use MdbError::{BadTxn, Corrupted, Incompatible, Invalid, PageNotFound, VersionMismatch};
    matches!(
        error,
        heed::Error::Mdb(
            BadTxn | Corrupted | Incompatible | Invalid | PageNotFound | VersionMismatch
        )
    )
}

fn open(place: &Place) -> heed::Result<Work> {
    let file = File::open(place)?;
    file.clear_stale_readers()?;
    let tables = Tables::open(&file)?;
    Ok(Work { file, tables })
}

impl Work {
    fn file_id(&self) -> Option<FileId> {
        let file = self.file.try_clone_inner_file().ok()?;
        Some(FileId::of(&file.metadata().ok()?))
    }
}

/// Whoever panicked under a lock has left nothing half done: a transaction that is dropped is
/// aborted.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
