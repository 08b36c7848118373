//! Where the file lies: a directory of the owner's alone, and in it one for each layout and boot.
//!
//! ```text
//! DIR/                      0700, the caller's
//! DIR/1-0123456789abcdef/   layout 1, a digest of the boot's id
//!     data.mdb lock.mdb     0600
//! ```
//!
//! A commit that was not flushed is kept by the kernel when a process is killed, but not when the
//! machine stops: a file could then be damaged, or hold a record again that was taken. So a file
//! is used during one boot only, and what another boot has left is removed. Where there is no id
//! of the boot, one file is used for ever, and each commit waits for the disk.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::env::this_user;
use super::error::LmdbError;

/// The version of the layout of tables, keys and values. Another one lives beside this one, and
/// neither touches the other's files.
const LAYOUT: &str = "1-";
/// The file for all boots.
const LASTING: &str = "lasting";
/// What files that cannot be used are renamed to before they are removed.
const DAMAGED: &str = "damaged-";
/// What a place is called while it is made.
const NEW: &str = "new-";
/// After this time nobody is making it any more.
const ABANDONED: Duration = Duration::from_secs(60);
/// Hexadecimal digits of a boot mark.
const MARK: usize = 16;

/// Which boot of the machine this is, if the system tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BootMark(Option<String>);

impl BootMark {
    /// That of the running system. Only Linux has one.
    pub(super) fn read() -> Self {
        match fs::read_to_string("/proc/sys/kernel/random/boot_id") {
            Ok(id) if !id.trim().is_empty() => Self::of(id.trim()),
            _ => Self::none(),
        }
    }

    /// That of a boot with this id.
    pub(super) fn of(id: &str) -> Self {
        let digest = Sha256::digest(id.as_bytes());
        let mut mark = String::with_capacity(MARK);
        for byte in digest.iter().take(MARK / 2) {
            let _ = write!(mark, "{byte:02x}"); // writing to a string does not fail
        }
        Self(Some(mark))
    }

    /// The system does not tell.
    pub(super) fn none() -> Self {
        Self(None)
    }
}

/// The directory of the file of this layout and boot.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// `1-0123456789abcdef`, with its whole path.
    pub(super) path: PathBuf,
    /// Whether the file outlives the boot, so that commits must reach the disk.
    pub(super) lasting: bool,
}

impl Place {
    /// Makes the directories, or checks that nobody else has access to them, and removes what
    /// earlier boots have left.
    pub(super) fn prepare(dir: &Path, boot: &BootMark) -> Result<Self, LmdbError> {
        private_directory(dir)?;
        // As LMDB will know it, however the caller writes it.
        let dir = dir.canonicalize().map_err(LmdbError::io(dir))?;
        let mark = boot.0.as_deref().unwrap_or(LASTING);
        let path = dir.join(format!("{LAYOUT}{mark}"));
        remove_others(&dir, &path);
        Ok(Self {
            path,
            lasting: boot.0.is_none(),
        })
    }

    /// Makes the place, with what `fill` makes in its directory, unless another process is faster:
    /// it is there wholly or not at all, and nobody waits for who makes it.
    pub(super) fn create(
        &self,
        fill: impl FnOnce(&Path) -> heed::Result<()>,
    ) -> Result<(), LmdbError> {
        let new = self.beside(NEW);
        let _ = fs::remove_dir_all(&new); // of a process that had this one's number
        private_directory(&new)?;
        let made = fill(&new)
            .map_err(LmdbError::lmdb(&self.path))
            .and_then(|()| guard_files(&new));
        if made.is_ok() {
            // Fails if there is one already, unless that is empty.
            let _ = fs::rename(&new, &self.path);
        }
        let _ = fs::remove_dir_all(&new);
        made
    }

    /// Checks that nobody else has access to the directory and the files.
    pub(super) fn guard(&self) -> Result<(), LmdbError> {
        check_directory(&self.path)?;
        guard_files(&self.path)
    }

    /// Which file it is that a new process would open; an empty one is none.
    pub(super) fn file(&self) -> Option<FileId> {
        file_in(&self.path)
    }

    /// Which directory it is that lies there now.
    pub(super) fn directory(&self) -> Option<FileId> {
        Some(FileId::of(&fs::metadata(&self.path).ok()?))
    }

    /// Takes the damaged file `seen` away, or the directory in which none was seen, unless another
    /// process has done so. Who still uses it is left alone with it.
    pub(super) fn remove(&self, seen: Option<FileId>) -> Result<(), LmdbError> {
        let _alone = self.lock();
        // In this order: a place that another process makes now has a file as soon as it exists.
        if !self.path.exists() || self.file() != seen {
            return Ok(());
        }
        let aside = self.beside(DAMAGED);
        fs::rename(&self.path, &aside).map_err(LmdbError::io(&self.path))?;
        let _ = fs::remove_dir_all(&aside).or_else(|_| fs::remove_file(&aside));
        Ok(())
    }

    /// Keeps other processes from taking something away meanwhile, so that none takes the new file
    /// for the damaged one. One that is stopped while it does so is waited for no longer than a
    /// second.
    fn lock(&self) -> Option<File> {
        let dir = File::open(self.path.parent()?).ok()?;
        for _ in 0..100 {
            if dir.try_lock().is_ok() {
                return Some(dir); // until it is dropped
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// A path in the same directory that nobody else has.
    fn beside(&self, kind: &str) -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        self.path
            .with_file_name(format!("{LAYOUT}{kind}{process}-{count}"))
    }
}

/// Makes sure that only the owner has access to LMDB's files, whatever the umask is. They are not
/// opened for it: closing them would drop the locks that LMDB has on them.
fn guard_files(dir: &Path) -> Result<(), LmdbError> {
    for name in ["data.mdb", "lock.mdb"] {
        let path = dir.join(name);
        let io = || LmdbError::io(&path);
        let facts = fs::metadata(&path).map_err(io())?;
        if facts.mode() & 0o777 != 0o600 {
            fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(io())?;
        }
    }
    Ok(())
}

fn file_in(dir: &Path) -> Option<FileId> {
    let facts = fs::metadata(dir.join("data.mdb")).ok()?;
    (facts.len() > 0).then(|| FileId::of(&facts))
}

/// A file as the system knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(super) fn of(facts: &Metadata) -> Self {
        Self {
            device: facts.dev(),
            inode: facts.ino(),
        }
    }
}

/// Makes the directory, or checks the one that is there.
fn private_directory(path: &Path) -> Result<(), LmdbError> {
    let io = || LmdbError::io(path);
    match DirBuilder::new().mode(0o700).create(path) {
        // The umask may have taken away what the owner needs.
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(io()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_directory(path),
        Err(error) => Err(io()(error)),
    }
}

fn check_directory(path: &Path) -> Result<(), LmdbError> {
    let facts = fs::metadata(path).map_err(LmdbError::io(path))?;
    if !facts.is_dir() {
        return Err(LmdbError::NotADirectory { path: path.into() });
    }
    if facts.uid() != this_user() {
        return Err(LmdbError::NotOwn {
            path: path.into(),
            owner: facts.uid(),
        });
    }
    let mode = facts.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(LmdbError::NotPrivate {
            path: path.into(),
            mode,
        });
    }
    Ok(())
}

/// Removes what earlier boots have left of this layout. Nobody can be using it, no lock is waited
/// for, and what cannot be removed does no harm.
fn remove_others(dir: &Path, ours: &Path) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(kind) = name.to_str().and_then(|name| name.strip_prefix(LAYOUT)) else {
            continue;
        };
        let is_old = || {
            let made = entry.metadata().and_then(|facts| facts.modified());
            made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > ABANDONED))
        };
        let is_leftover = (is_mark(kind) && entry.path() != ours)
            || kind.starts_with(DAMAGED)
            || (kind.starts_with(NEW) && is_old());
        if is_leftover {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_mark(text: &str) -> bool {
    text.len() == MARK && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
