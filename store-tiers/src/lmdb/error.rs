//! What can be wrong when a place is opened, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::TierError;

/// A place cannot be opened. The message is one line and says what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LmdbError {
    /// The directory or what is in it cannot be made, read or changed.
    #[error("{path}: {error}: give a directory that this user may write to, on a disk of this \
             machine", path = path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// There is something else than a directory.
    #[error("{path}: not a directory: give a directory, or a path where none is yet",
            path = path.display())]
    NotADirectory {
        /// What is no directory.
        path: PathBuf,
    },
    /// Others than the owner may read or change it.
    #[error("{path}: others can read or change it (mode {mode:03o}): chmod 700 it, or give \
             another directory", path = path.display())]
    NotPrivate {
        /// The directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It belongs to another user.
    #[error("{path}: belongs to user {owner}, not to this one: give each user a directory of its \
             own", path = path.display())]
    NotOwn {
        /// The directory.
        path: PathBuf,
        /// The number of the user that it belongs to.
        owner: u32,
    },
    /// This process is a fork of one that was using the place at that moment.
    #[error("{path}: was in use when this process was forked: open it after the fork",
            path = path.display())]
    Forked {
        /// The directory.
        path: PathBuf,
    },
    /// LMDB does not open it.
    #[error("{path}: LMDB: {reason}: if it stays so, stop the programs that use it and delete it",
            path = path.display())]
    Lmdb {
        /// The directory.
        path: PathBuf,
        /// What LMDB said.
        reason: String,
    },
}

impl LmdbError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io {
            path: path.into(),
            error,
        }
    }

    pub(super) fn lmdb(path: &Path) -> impl FnOnce(heed::Error) -> Self {
        move |error| Self::Lmdb {
            path: path.into(),
            reason: error.to_string(),
        }
    }
}

/// Why a transaction was not carried out.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It was aborted: nothing was changed.
    NotApplied(heed::Error),
    /// It failed while it was being committed.
    MaybeApplied(heed::Error),
}

impl Trouble {
    fn error(&self) -> &heed::Error {
        match self {
            Self::NotApplied(error) | Self::MaybeApplied(error) => error,
        }
    }

    /// The same of work in several transactions, of which some were done before.
    pub(super) fn after(self, some: bool) -> Self {
        match self {
            Self::NotApplied(error) if some => Self::MaybeApplied(error),
            trouble => trouble,
        }
    }

    /// The file has no page left.
    pub(super) fn is_full(&self) -> bool {
        matches!(self.error(), heed::Error::Mdb(heed::MdbError::MapFull))
    }

    /// The file is damaged, or LMDB has given up on it: a new one is needed.
    pub(super) fn is_damage(&self) -> bool {
        // A table's root that cannot be read shows as a bad transaction, not as corruption.
        use heed::MdbError::{BadTxn, Corrupted, Invalid, PageNotFound, Panic};
        let error = self.error();
        matches!(
            error,
            heed::Error::Mdb(BadTxn | Corrupted | PageNotFound | Invalid | Panic)
        )
    }
}

impl From<heed::Error> for Trouble {
    fn from(error: heed::Error) -> Self {
        Self::NotApplied(error)
    }
}

impl From<Trouble> for TierError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::NotApplied(error) => Self::NotApplied(format!("LMDB: {error}")),
            Trouble::MaybeApplied(error) => Self::MaybeApplied(format!("LMDB: {error}")),
        }
    }
}
