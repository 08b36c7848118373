//! What the client of either library does for the harness, and how a handshake can go wrong.

use std::fmt;
use std::time::Duration;

use lab::server::{Group, Handshake, Protocol};
use lab::transport::InMemory;
use thiserror::Error;

use super::timer::Reading;

/// The name that every client connects to and verifies.
pub(super) const SERVER_NAME: &str = "server.lab.example";
/// The port in the stores' keys. Nothing listens there.
pub(super) const PORT: u16 = 443;

/// A client of one TLS library with one session store.
pub(super) trait TlsClient: Send + Sync {
    /// Looks up a session, makes the `ClientHello`, and goes on as far as the server's answers
    /// allow.
    fn start(&self, transport: InMemory) -> Result<Box<dyn PendingHandshake + '_>, HandshakeError>;
}

/// A handshake in progress.
pub(super) trait PendingHandshake {
    fn transport(&mut self) -> &mut InMemory;

    /// Finishes the handshake and reads the tickets; then ends the connection.
    fn finish(self: Box<Self>) -> Result<Completed, HandshakeError>;
}

/// A completed handshake: what the client saw, and what its server reports.
pub(super) struct Completed {
    pub(super) reading: Reading,
    /// The client's time until the connection was gone.
    pub(super) whole: Duration,
    pub(super) resumed: bool,
    pub(super) cipher: String,
    pub(super) group: Option<u16>,
    pub(super) server: Option<Handshake>,
}

/// A group's number in the TLS registry.
pub(super) fn group_id(group: Group) -> u16 {
    match group {
        Group::P256 => 23,
        Group::X25519 => 29,
        Group::X25519MlKem768 => 4588,
    }
}

/// A handshake that failed, or was not of the kind or with the parameters that were wanted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The client could not be set up, or its library reports a failure.
    #[error("the client failed: {0}")]
    Client(String),
    /// The client has finished the handshake and the server has not.
    #[error("the server did not finish the handshake")]
    ServerNotDone,
    /// The two sides disagree on whether the handshake was resumed.
    #[error(
        "the server says that the handshake was {}, and the client that it was not",
        kind(*resumed)
    )]
    Disagreement {
        /// What the server says.
        resumed: bool,
    },
    /// The handshake was resumed where it should be full, or full where it should be resumed.
    #[error("the server says that the handshake was {}", kind(*resumed))]
    WrongKind {
        /// What it was.
        resumed: bool,
    },
    /// Another version of TLS was negotiated.
    #[error("the server says that the handshake was {0}")]
    Protocol(Protocol),
    /// Another group was negotiated.
    #[error("the client says that the group was not {wanted}")]
    Group {
        /// The group that was wanted.
        wanted: Group,
    },
}

impl HandshakeError {
    pub(super) fn client(error: impl fmt::Display) -> Self {
        Self::Client(error.to_string())
    }
}

fn kind(resumed: bool) -> &'static str {
    if resumed { "resumed" } else { "full" }
}
