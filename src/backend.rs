//! What a TLS library must be able to do to stand behind a connector.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use pki_types::CertificateDer;
use store_core::{SecurityDomain, SessionKey, SessionStore, Storable};

use crate::Error;
use crate::settings::Settings;
use crate::transport::Transport;

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}

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
    use super::{
        Arc, CertificateDer, Duration, Error, Protocol, Read, SecurityDomain, SessionKey,
        SessionStore, Settings, Storable, Transport, Write, io,
    };

    /// A library with its configuration, over a store.
    pub trait Backend: Sized + Send + Sync + 'static {
        /// What a caller can set for this backend alone.
        type Options: Default + Send;
        /// What the library hands out for resumption.
        type Session: Storable + Send + Sync + 'static;
        /// A connection whose handshake is done.
        type Tls<IO: Read + Write>: Tls<IO>;

        /// Builds the library's configuration.
        fn build(
            settings: &Settings,
            options: Self::Options,
            store: Arc<SessionStore<Self::Session>>,
        ) -> Result<Self, Error>;
        /// The domain of the sessions.
        fn domain(&self) -> &SecurityDomain;
        /// Makes the handshake with `host`; without a key it neither offers nor keeps sessions.
        fn handshake<IO: Read + Write>(
            &self,
            host: &str,
            key: Option<SessionKey>,
            io: Transport<IO>,
        ) -> Result<Self::Tls<IO>, Error>;
    }

    /// A connection of a library.
    pub trait Tls<IO>: Read + Write {
        fn protocol(&self) -> Protocol;
        fn offered(&self) -> bool;
        fn resumed(&self) -> bool;
        fn tickets(&self) -> usize;
        fn lifetime(&self) -> Option<Duration>;
        fn early_data_max(&self) -> Option<u32>;
        fn peer_certificates(&self) -> Vec<CertificateDer<'static>>;
        fn alpn(&self) -> Option<Vec<u8>>;
        fn cipher(&self) -> Option<String>;
        fn group(&self) -> Option<u16>;
        /// Reads once and keeps application data for later; false if it makes no sense to go on
        /// reading because such data, or the end, has come.
        fn read_ahead(&mut self) -> io::Result<bool>;
        fn forget(&self);
        fn close(&mut self) -> io::Result<()>;
        fn io(&self) -> &Transport<IO>;
        fn io_mut(&mut self) -> &mut Transport<IO>;
    }
}
