//! What a TLS library must be able to do to stand behind a connector.

use std::io::{self, Read, Write};
use std::sync::Arc;

use store_core::{SecurityDomain, SessionKey, SessionStore, Storable};

use crate::Error;
use crate::facts::Facts;
use crate::settings::Settings;
use crate::transport::Transport;

/// What became of resumption in a handshake, by the TLS library's own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resumption {
    /// A full handshake: there was no session to offer.
    Full,
    /// The session that was offered was resumed.
    Resumed,
    /// A session was offered and the server made a full handshake instead.
    Declined,
}

/// A TLS library behind a connector: `tls_resume::rustls::Rustls` or
/// `tls_resume::openssl::OpenSsl`. Sealed: the set is closed.
pub trait Backend: sealed::Backend {}

pub(crate) mod sealed {
    #[cfg(feature = "tokio")]
    use std::task::{Context, Poll};
    #[cfg(feature = "tokio")]
    use tokio::io::{AsyncRead, AsyncWrite};
    #[cfg(feature = "tokio")]
    use tokio::time::Instant;

    #[cfg(feature = "tokio")]
    use crate::tokio::AsyncIo;

    use super::{
        Arc, Error, Facts, Read, SecurityDomain, SessionKey, SessionStore, Settings, Storable,
        Transport, Write, io,
    };

    /// A library with its configuration, over a store.
    pub trait Backend: Sized + Send + Sync + 'static {
        /// What a caller can set for this backend alone.
        type Options: Default + Send;
        /// What the library hands out for resumption.
        type Session: Storable + Send + Sync + 'static;
        /// A connection whose handshake is done.
        type Tls<IO: Read + Write>: Tls<IO>;

        /// The domains of the sessions of clients that are not ours, whose keys have no port.
        fn domains_of_others(&self) -> Vec<SecurityDomain> {
            Vec::new()
        }

        /// How a place beyond memory is opened, if sessions can leave it.
        #[cfg(feature = "shared")]
        fn open_shared() -> Option<crate::sharing::Open<Self::Session>> {
            None
        }

        /// Builds the library's configuration.
        fn build(
            settings: &Settings,
            options: Self::Options,
            store: Arc<SessionStore<Self::Session>>,
        ) -> Result<Self, Error>;
        /// The domain of the sessions.
        fn domain(&self) -> &SecurityDomain;
        /// Makes the handshake with `host`; without a key it neither offers nor keeps sessions.
        /// Sends a beginning of `early`, unless that is empty, as early data if the session that it
        /// offers allows it, and says how much of it the server has accepted.
        fn handshake<IO: Read + Write>(
            &self,
            host: &str,
            key: Option<SessionKey>,
            early: &[u8],
            io: Transport<IO>,
        ) -> Result<(Self::Tls<IO>, usize), Error>;
    }

    /// A library that is driven by tasks of tokio, too.
    #[cfg(feature = "tokio")]
    pub trait AsyncBackend: Backend {
        /// A connection whose handshake is done.
        type AsyncTls<IO: AsyncIo>: AsyncTls<IO>;

        /// Makes the handshake with `host` until `end`; without a key it neither offers nor keeps
        /// sessions. Looks for a session when it is polled first, and writes it at once. Early data
        /// as in [`handshake`](Backend::handshake).
        fn handshake_async<IO: AsyncIo>(
            &self,
            host: &str,
            key: Option<SessionKey>,
            early: &[u8],
            io: IO,
            end: Option<Instant>,
        ) -> impl Future<Output = Result<(Self::AsyncTls<IO>, usize), Error>> + Send;
    }

    /// A connection that is driven by tasks.
    #[cfg(feature = "tokio")]
    pub trait AsyncTls<IO>: AsyncRead + AsyncWrite + Send + Unpin {
        /// What is known of it.
        fn facts(&self) -> impl Facts;
        /// Is ready when there is application data, which is kept for later, or the end.
        fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
        fn io(&self) -> &IO;
        fn io_mut(&mut self) -> &mut IO;
    }

    /// A connection of a library.
    pub trait Tls<IO>: Read + Write {
        /// What is known of it.
        fn facts(&self) -> impl Facts;
        /// Reads once and keeps application data for later; false if it makes no sense to go on
        /// reading because such data, or the end, has come.
        fn read_ahead(&mut self) -> io::Result<bool>;
        fn close(&mut self) -> io::Result<()>;
        fn io(&self) -> &Transport<IO>;
        fn io_mut(&mut self) -> &mut Transport<IO>;
    }
}
