//! What stops the program, and how it ends.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

use thiserror::Error;

/// Says on standard error what is wrong, in a line. Where nobody reads it, the exit code says enough.
pub fn complain(what: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "compare: {what}");
}

/// How the work went, once it could be done at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every handshake succeeded and did what it was meant to do; no rule failed.
    AsClaimed,
    /// At least one did not.
    Failed,
    /// It was asked to end before it did. What was finished is saved.
    Interrupted,
}

impl Outcome {
    /// [`Failed`](Self::Failed) as soon as one part failed.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self == Self::AsClaimed { other } else { self }
    }
}

/// Why the work could not be done. The message is one line and says what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// Something on the command line, or in a file that it names, cannot be used.
    #[error("{0}")]
    BadInput(String),
    /// The report could not be written or read back.
    #[error("cannot write {}: {source}; name another directory with --out", path.display())]
    Report {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The laboratory itself is broken: a client or server could not be set up.
    #[error("cannot set up the measurement: {0}")]
    Setup(String),
    /// The output could not be written.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

impl Error {
    /// The exit code of the program: 2 for what the caller can mend, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::BadInput(_) | Self::Report { .. } => 2,
            Self::Setup(_) | Self::Print(_) => 1,
        }
    }
}

impl From<probe::Error> for Error {
    fn from(error: probe::Error) -> Self {
        match error {
            probe::Error::BadInput(message) => Self::BadInput(message),
            probe::Error::Print(error) => Self::Print(error),
            error => Self::Setup(error.to_string()),
        }
    }
}
