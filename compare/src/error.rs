//! Errors and exit codes of the program.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

use thiserror::Error;

/// Prints a line to standard error, with the program's name. A failure to print is ignored: the exit
/// code has the outcome, too.
pub fn print_message(message: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "compare: {message}");
}

/// The outcome of a command that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every handshake succeeded and was of the kind that was wanted; no rule failed.
    Passed,
    /// A handshake or a rule failed.
    Failed,
    /// A signal interrupted the command. Finished sections are saved.
    Interrupted,
}

/// A command that could not do its work. The message is one line and says what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument, or a file that it names, cannot be used.
    #[error("{0}")]
    BadInput(String),
    /// The report could not be written or read back.
    #[error("cannot write {}: {source}; name another directory with --out", path.display())]
    Report {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A client, server or child process could not be set up.
    #[error("cannot set up the measurement: {0}")]
    Setup(String),
    /// A tier could not be asked.
    #[error("{0}")]
    Tier(String),
    /// Metrics could not be read.
    #[error("{0}")]
    Metrics(String),
    /// The output could not be written.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

impl Error {
    /// The exit code of the program: 2 if other arguments would help, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::BadInput(_) | Self::Report { .. } => 2,
            Self::Setup(_) | Self::Tier(_) | Self::Metrics(_) | Self::Print(_) => 1,
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
