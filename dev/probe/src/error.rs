//! What stops a probe.

use std::io;

use thiserror::Error;

/// Why a probe could not be done. A handshake that fails is no error: it is a
/// [`Finding`](crate::Finding). The message is one line and says what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// An option, or a file that it names, cannot be used.
    #[error("{0}")]
    BadInput(String),
    /// There is no thread to connect with.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// What was found could not be handed on.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}
