//! The registry of this process's open environments.
//!
//! LMDB must not open a file twice in a process, and heed refuses to. So the tiers of a process
//! share an environment, which is closed with its last tier.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heed::MdbError;

use super::directory::{EnvDir, FileId};
use super::env::Environment;
use super::error::{LmdbError, LmdbResult, TxnError};
use super::record_store::{Bounds, RecordStore};
use super::tables::Tables;
use crate::TierError;

/// The open environments by directory, each with the number of tiers that use it.
static REGISTRY: Mutex<BTreeMap<PathBuf, (Arc<OpenEnv>, usize)>> = Mutex::new(BTreeMap::new());

/// An environment that the tiers of this process share.
#[derive(Debug)]
struct OpenEnv {
    dir: EnvDir,
    /// The size of a new file.
    bytes: usize,
    /// The process that opened it: LMDB's locks do not work in a forked child.
    process: u32,
    // Locked for each call: LMDB would serialize the writers of one process anyway.
    // `None` after damage, until the next call opens a new file.
    store: Mutex<Option<RecordStore>>,
}

/// A tier's reference to an open environment.
#[derive(Debug)]
pub(super) struct EnvHandle(Arc<OpenEnv>);

impl EnvHandle {
    /// Opens the environment in a directory, or shares the one that this process has open.
    pub(super) fn open(dir: EnvDir, bounds: &Bounds) -> Result<Self, LmdbError> {
        let mut registry = lock(&REGISTRY);
        if let Some((env, tiers)) = registry.get_mut(&dir.path) {
            if env.process == process::id() {
                *tiers += 1;
                return Ok(Self(Arc::clone(env)));
            }
            // The parent's. Its threads do not exist in this child: a lock that one held at the
            // fork is never released.
            let Ok(mut store) = env.store.try_lock() else {
                return Err(LmdbError::Forked { path: dir.path });
            };
            *store = None;
        }
        let path = dir.path.clone();
        let store = Some(open_or_create(&dir, bounds.file)?);
        let env = Arc::new(OpenEnv {
            dir,
            bytes: bounds.file,
            process: process::id(),
            store: Mutex::new(store),
        });
        registry.insert(path, (Arc::clone(&env), 1));
        Ok(Self(env))
    }

    /// Runs one operation on the environment. A write waits for a write transaction of another
    /// process; a read waits for none.
    pub(super) fn with<T>(
        &self,
        operation: impl Fn(&RecordStore) -> LmdbResult<T>,
    ) -> Result<T, TierError> {
        let env = &*self.0;
        if env.process != process::id() {
            let text = "this process was forked: open the store after the fork";
            return Err(TierError::NotApplied(text.into()));
        }
        let mut slot = lock(&env.store);
        let store = match slot.take() {
            Some(store) => store,
            None => open_or_create(&env.dir, env.bytes)
                .map_err(|error| TierError::NotApplied(error.to_string()))?,
        };
        let result = operation(&store);
        if result.as_ref().is_err_and(TxnError::is_damage) {
            let damaged = file_id(&store);
            drop(store);
            // If this fails, the next call fails to open the file, and reports why.
            let _ = env.dir.remove(damaged);
        } else {
            *slot = Some(store);
        }
        result.map_err(TierError::from)
    }
}

impl Drop for EnvHandle {
    fn drop(&mut self) {
        if self.0.process != process::id() {
            return; // the parent's, in a forked child
        }
        let mut registry = lock(&REGISTRY);
        let Some((env, tiers)) = registry.get_mut(&self.0.dir.path) else {
            return;
        };
        *tiers -= 1;
        if *tiers == 0 {
            // Closed under the registry's lock, so that no other thread opens the file before that.
            *lock(&env.store) = None;
            registry.remove(&self.0.dir.path);
        }
    }
}

/// Most attempts to open a file that other processes are replacing.
const TRIES: usize = 10;

/// Opens the file. Creates it if there is none, and replaces it if LMDB cannot read it.
fn open_or_create(dir: &EnvDir, bytes: usize) -> Result<RecordStore, LmdbError> {
    let mut last_error = heed::Error::Mdb(MdbError::Problem);
    for _ in 0..TRIES {
        let file = dir.file();
        if file.is_none() {
            // A directory without a file would prevent the rename.
            dir.remove(file)?;
            dir.create(|new| Tables::create(&Environment::create(new, bytes, dir.durable)?))?;
        }
        let directory = dir.directory();
        match open(dir) {
            // If another process replaced the directory meanwhile, data file and lock file may be
            // of different directories.
            Ok(store) if dir.directory() == directory => {
                dir.check()?;
                return Ok(store);
            }
            Ok(_) => {}
            Err(error) if is_damage(&error) => {
                if file.is_some() {
                    dir.remove(file)?;
                }
                last_error = error;
            }
            // Another process has just removed it.
            Err(heed::Error::Io(error)) if error.kind() == ErrorKind::NotFound => {
                last_error = error.into();
            }
            Err(error) => return Err(LmdbError::lmdb(&dir.path)(error)),
        }
    }
    Err(LmdbError::lmdb(&dir.path)(last_error))
}

/// Whether a file that cannot be opened is to be replaced.
fn is_damage(error: &heed::Error) -> bool {
    use MdbError::{BadTxn, Corrupted, Incompatible, Invalid, PageNotFound, VersionMismatch};
    matches!(
        error,
        heed::Error::Mdb(
            BadTxn | Corrupted | Incompatible | Invalid | PageNotFound | VersionMismatch
        )
    )
}

fn open(dir: &EnvDir) -> heed::Result<RecordStore> {
    let env = Environment::open(&dir.path, dir.durable)?;
    env.clear_stale_readers()?;
    let tables = Tables::open(&env)?;
    Ok(RecordStore { env, tables })
}

fn file_id(store: &RecordStore) -> Option<FileId> {
    let file = store.env.try_clone_inner_file().ok()?;
    Some(FileId::of(&file.metadata().ok()?))
}

/// A panic under a lock leaves a consistent state: a dropped transaction is aborted.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
