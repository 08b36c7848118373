//! Errors that stop a probe.

use std::io;

use thiserror::Error;

/// An error that stops a probe. A failed handshake is not an error but a
/// [`Finding`](crate::Finding). The message is one line and says what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// An option, or a file that it names, cannot be used.
    #[error("{0}")]
    BadInput(String),
    /// No thread could be started to connect with.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// A finding could not be written.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}
