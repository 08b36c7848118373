//! Errors of the LMDB tier.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::TierError;

/// An [`LmdbTier`](super::LmdbTier) cannot be opened. The message is one line and says what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LmdbError {
    /// The directory or a file in it cannot be created, read or changed.
    #[error("{path}: {error}: give a directory that this user may write to, on a disk of this \
             machine", path = path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The path exists and is not a directory.
    #[error("{path}: not a directory: give a directory, or a path that does not exist",
            path = path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// Other users may read or change the directory.
    #[error("{path}: others can read or change it (mode {mode:03o}): chmod 700 it, or give \
             another directory", path = path.display())]
    NotPrivate {
        /// The directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The directory belongs to another user.
    #[error("{path}: belongs to user {owner}, not to this one: give each user a directory of its \
             own", path = path.display())]
    NotOwn {
        /// The directory.
        path: PathBuf,
        /// The id of its owner.
        owner: u32,
    },
    /// This process was forked while its parent was in a call to the tier.
    #[error("{path}: was in use when this process was forked: open it after the fork",
            path = path.display())]
    Forked {
        /// The directory.
        path: PathBuf,
    },
    /// LMDB cannot open the file.
    #[error("{path}: LMDB: {reason}: if this persists, stop the programs that use it and delete it",
            path = path.display())]
    Lmdb {
        /// The directory.
        path: PathBuf,
        /// LMDB's message.
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

/// The result of one or several transactions.
pub(super) type LmdbResult<T> = Result<T, TxnError>;

/// A transaction failed.
#[derive(Debug)]
pub(super) enum TxnError {
    /// It was aborted: nothing was changed.
    NotApplied(heed::Error),
    /// It failed in its commit.
    MaybeApplied(heed::Error),
}

impl TxnError {
    fn error(&self) -> &heed::Error {
        match self {
            Self::NotApplied(error) | Self::MaybeApplied(error) => error,
        }
    }

    /// The error of an operation in several transactions, if some of them were committed before.
    pub(super) fn after(self, committed: bool) -> Self {
        match self {
            Self::NotApplied(error) if committed => Self::MaybeApplied(error),
            error => error,
        }
    }

    /// Whether the file has no free page.
    pub(super) fn is_full(&self) -> bool {
        matches!(self.error(), heed::Error::Mdb(heed::MdbError::MapFull))
    }

    /// Whether the file is damaged, or LMDB's environment unusable, so that the file is to be
    /// replaced.
    pub(super) fn is_damage(&self) -> bool {
        // LMDB reports a table's unreadable root page as BadTxn, not as Corrupted.
        use heed::MdbError::{BadTxn, Corrupted, Invalid, PageNotFound, Panic};
        let error = self.error();
        matches!(
            error,
            heed::Error::Mdb(BadTxn | Corrupted | PageNotFound | Invalid | Panic)
        )
    }
}

impl From<heed::Error> for TxnError {
    fn from(error: heed::Error) -> Self {
        Self::NotApplied(error)
    }
}

impl From<TxnError> for TierError {
    fn from(error: TxnError) -> Self {
        match error {
            TxnError::NotApplied(error) => Self::NotApplied(format!("LMDB: {error}")),
            TxnError::MaybeApplied(error) => Self::MaybeApplied(format!("LMDB: {error}")),
        }
    }
}
