//! The directories of a tier: the caller's, and in it one for each layout and boot.
//!
//! ```text
//! DIR/                      0700, the caller's
//! DIR/1-0123456789abcdef/   layout 1, a digest of the boot id
//!     data.mdb lock.mdb     0600
//! ```
//!
//! A commit without a sync survives the kill of a process, but not a stop of the machine, after
//! which the file could be damaged, or hold a record that was taken. So a file is used during one
//! boot only, and files of earlier boots are removed. Without a boot id, one file is used for all
//! boots, and each commit waits for the disk.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::error::LmdbError;

/// Prefix with the version of the layout of tables, keys and values. Different layouts can use one
/// directory, and do not touch each other's files.
const LAYOUT: &str = "1-";
/// Name of the directory for all boots.
const DURABLE: &str = "lasting";
/// Prefix of damaged directories that are about to be removed.
const DAMAGED: &str = "damaged-";
/// Prefix of directories that are being created.
const NEW: &str = "new-";
/// A directory that is still being created after this time was left by an ended process.
const ABANDONED: Duration = Duration::from_secs(60);
/// Hexadecimal digits of a boot id's digest.
const DIGITS: usize = 16;

/// A digest of the machine's boot id; `None` if the system has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BootId(Option<String>);

impl BootId {
    /// Reads the id of the current boot, which only Linux has.
    pub(super) fn current() -> Self {
        match fs::read_to_string("/proc/sys/kernel/random/boot_id") {
            Ok(id) if !id.trim().is_empty() => Self::new(id.trim()),
            _ => Self::unknown(),
        }
    }

    pub(super) fn new(id: &str) -> Self {
        let digest = Sha256::digest(id.as_bytes());
        let mut digits = String::with_capacity(DIGITS);
        for byte in digest.iter().take(DIGITS / 2) {
            let _ = write!(digits, "{byte:02x}"); // writing to a string does not fail
        }
        Self(Some(digits))
    }

    pub(super) fn unknown() -> Self {
        Self(None)
    }
}

/// The directory of an LMDB environment, for this layout and boot.
#[derive(Clone, Debug)]
pub(super) struct EnvDir {
    /// The absolute path, which ends in `1-0123456789abcdef`.
    pub(super) path: PathBuf,
    /// Whether the file is used for all boots, so that commits must reach the disk.
    pub(super) durable: bool,
}

impl EnvDir {
    /// Creates the caller's directory, or checks that no other user has access to it, and removes
    /// files of earlier boots.
    pub(super) fn prepare(dir: &Path, boot: &BootId) -> Result<Self, LmdbError> {
        private_directory(dir)?;
        // heed identifies an environment by its canonical path.
        let dir = dir.canonicalize().map_err(LmdbError::io(dir))?;
        let name = boot.0.as_deref().unwrap_or(DURABLE);
        let path = dir.join(format!("{LAYOUT}{name}"));
        remove_leftovers(&dir, &path);
        Ok(Self {
            path,
            durable: boot.0.is_none(),
        })
    }

    /// Creates the directory with the files that `fill` writes, unless another process is faster.
    /// It is renamed to its path when it is complete, so that no process opens an incomplete one or
    /// waits for another to create it.
    pub(super) fn create(
        &self,
        fill: impl FnOnce(&Path) -> heed::Result<()>,
    ) -> Result<(), LmdbError> {
        let new = self.sibling(NEW);
        let _ = fs::remove_dir_all(&new); // of an earlier process with this process id
        private_directory(&new)?;
        let created = fill(&new)
            .map_err(LmdbError::lmdb(&self.path))
            .and_then(|()| restrict_files(&new));
        if created.is_ok() {
            // Fails if there is a directory that is not empty.
            let _ = fs::rename(&new, &self.path);
        }
        let _ = fs::remove_dir_all(&new);
        created
    }

    /// Checks the permissions of the directory, and restricts those of the files.
    pub(super) fn check(&self) -> Result<(), LmdbError> {
        check_directory(&self.path)?;
        restrict_files(&self.path)
    }

    /// The id of the data file; `None` if it does not exist or is empty.
    pub(super) fn file(&self) -> Option<FileId> {
        let metadata = fs::metadata(self.path.join("data.mdb")).ok()?;
        (metadata.len() > 0).then(|| FileId::of(&metadata))
    }

    /// The id of the directory.
    pub(super) fn directory(&self) -> Option<FileId> {
        Some(FileId::of(&fs::metadata(&self.path).ok()?))
    }

    /// Removes the directory with the damaged file `damaged`, or without a file (`None`), unless
    /// another process has replaced it. Processes that have the file open keep using it.
    pub(super) fn remove(&self, damaged: Option<FileId>) -> Result<(), LmdbError> {
        let _lock = self.lock();
        // `exists` first: the other order would remove a directory that another process renames to
        // this path between the two checks.
        if !self.path.exists() || self.file() != damaged {
            return Ok(());
        }
        let aside = self.sibling(DAMAGED);
        fs::rename(&self.path, &aside).map_err(LmdbError::io(&self.path))?;
        let _ = fs::remove_dir_all(&aside).or_else(|_| fs::remove_file(&aside));
        Ok(())
    }

    /// Locks the caller's directory, so that a process that saw the damaged file does not remove
    /// the new one, which another process has created. Waits at most a second, for the holder may
    /// be stopped.
    fn lock(&self) -> Option<File> {
        let dir = File::open(self.path.parent()?).ok()?;
        for _ in 0..100 {
            if dir.try_lock().is_ok() {
                return Some(dir); // locked until it is dropped
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// A new path in the caller's directory.
    fn sibling(&self, prefix: &str) -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        self.path
            .with_file_name(format!("{LAYOUT}{prefix}{process}-{count}"))
    }
}

/// Gives LMDB's files mode 0600 under any umask. It does not open them: closing them would release
/// LMDB's locks on them (POSIX record locks).
fn restrict_files(dir: &Path) -> Result<(), LmdbError> {
    for name in ["data.mdb", "lock.mdb"] {
        let path = dir.join(name);
        let io = || LmdbError::io(&path);
        let metadata = fs::metadata(&path).map_err(io())?;
        if metadata.mode() & 0o777 != 0o600 {
            fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(io())?;
        }
    }
    Ok(())
}

/// A file's identity: its device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// Creates a directory with mode 0700, or checks the existing one.
fn private_directory(path: &Path) -> Result<(), LmdbError> {
    let io = || LmdbError::io(path);
    match DirBuilder::new().mode(0o700).create(path) {
        // The umask may have removed permissions of the owner.
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(io()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_directory(path),
        Err(error) => Err(io()(error)),
    }
}

fn check_directory(path: &Path) -> Result<(), LmdbError> {
    let metadata = fs::metadata(path).map_err(LmdbError::io(path))?;
    if !metadata.is_dir() {
        return Err(LmdbError::NotADirectory { path: path.into() });
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(LmdbError::NotOwn {
            path: path.into(),
            owner: metadata.uid(),
        });
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(LmdbError::NotPrivate {
            path: path.into(),
            mode,
        });
    }
    Ok(())
}

/// Removes what earlier boots and ended processes left of this layout. No process uses it, so no
/// lock is needed; an error is harmless.
fn remove_leftovers(dir: &Path, current: &Path) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().and_then(|name| name.strip_prefix(LAYOUT)) else {
            continue;
        };
        let is_abandoned = || {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > ABANDONED))
        };
        let is_leftover = (is_boot_digest(name) && entry.path() != current)
            || name.starts_with(DAMAGED)
            || (name.starts_with(NEW) && is_abandoned());
        if is_leftover {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_boot_digest(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
