//! The traits by which a connector uses a TLS library.

#[cfg(feature = "shared")]
use store_core::Portable;

/// The TLS library of a connector: `tls_resume::rustls::Rustls`, `tls_resume::openssl::OpenSsl` or
/// `tls_resume::rustls_preview::RustlsPreview`. Sealed: other crates cannot implement it.
pub trait Backend: sealed::Backend {}

/// A backend that drives connections from tasks: all of them.
#[cfg(feature = "tokio")]
pub trait AsyncBackend: Backend + sealed::AsyncBackend {}

/// A backend whose sessions can leave the memory of their process: OpenSSL, and the preview of the
/// next rustls.
///
/// Not rustls 0.23, whose sessions are opaque: with it, a call of `store` does not compile.
#[cfg(feature = "shared")]
#[diagnostic::on_unimplemented(
    message = "sessions of `{Self}` cannot leave the memory of their process, so they cannot be shared",
    label = "the sessions of rustls 0.23 are opaque",
    note = "use `tls_resume::openssl` (feature `openssl`), or `tls_resume::rustls_preview` (feature `rustls-preview`), the preview of the next rustls"
)]
pub trait Shareable: Backend + sealed::Backend<Session: Portable> {}

pub(crate) mod sealed {
    use std::io::{self, Read, Write};
    use std::net::IpAddr;
    use std::sync::Arc;
    #[cfg(feature = "tokio")]
    use std::task::{Context, Poll};

    use store_core::{SecurityDomain, SessionKey, SessionStore, Storable};
    #[cfg(feature = "tokio")]
    use tokio::io::{AsyncRead, AsyncWrite};

    use crate::Error;
    use crate::connection_info::Connection;
    use crate::host::Host;
    use crate::settings::Settings;
    #[cfg(feature = "tokio")]
    use crate::transport::AsyncIo;
    use crate::transport::Transport;

    /// What a handshake does with sessions.
    #[derive(Clone, Debug)]
    pub struct Attempt<'a> {
        /// The key of the server's sessions. `None`: they are neither offered nor stored.
        pub key: Option<SessionKey>,
        /// The address of the server that the connection is made to, if it is known and counts.
        pub address: Option<IpAddr>,
        /// Whether a session is offered. Those received are stored either way.
        pub offers: bool,
        /// Unless it is empty, a prefix of it is sent as early data, if the offered session allows it.
        pub early: &'a [u8],
    }

    impl<'a> Attempt<'a> {
        /// The first attempt, which offers a session.
        pub fn new(key: Option<SessionKey>, address: Option<IpAddr>, early: &'a [u8]) -> Self {
            Self {
                key,
                address,
                offers: true,
                early,
            }
        }
    }

    /// A TLS library with its configuration and a session store.
    pub trait Backend: Sized + Send + Sync + 'static {
        /// Its name, as in the names of modules and of `compare`.
        const NAME: &'static str;
        /// Settings of this backend alone.
        type Options: Clone + Default + Send + Sync;
        /// The library's session.
        type Session: Storable + Send + Sync + 'static;
        /// A connection whose handshake is done.
        type Tls<IO: Read + Write>: Tls<IO>;

        /// The domains of sessions that other crates' clients store, under keys without a port, where
        /// those of the connector's own connections are in `domain`.
        fn domains_of_other_clients(&self, domain: &SecurityDomain) -> Vec<SecurityDomain> {
            let _ = domain;
            Vec::new()
        }

        /// The function that opens a store with a tier; `None` if sessions cannot leave their
        /// process.
        #[cfg(feature = "shared")]
        fn open_shared() -> Option<crate::store::Open<Self::Session>> {
            None
        }

        /// Builds the library's configuration.
        fn build(
            settings: &Settings,
            options: Self::Options,
            store: Arc<SessionStore<Self::Session>>,
        ) -> Result<Self, Error>;

        /// Builds the configuration again, for the client credential in `settings` and with all other
        /// settings as before.
        fn with_credential(
            &self,
            settings: &Settings,
            options: Self::Options,
            store: Arc<SessionStore<Self::Session>>,
        ) -> Result<Self, Error> {
            Self::build(settings, options, store)
        }

        /// The same configuration over another store, with the same clock. TLS 1.3 tickets are offered
        /// until they are renewed, if the library can copy them.
        fn over(&self, store: Arc<SessionStore<Self::Session>>) -> Self;

        /// The domain of the connector's sessions.
        fn domain(&self) -> &SecurityDomain;

        /// Makes the handshake with `host`. Returns how many bytes of the early data the server
        /// accepted.
        ///
        /// Reports how it ended to the store: the error's kind says whether the transport failed,
        /// or the server rejected the handshake.
        fn handshake<IO: Read + Write>(
            &self,
            host: &Host,
            attempt: Attempt<'_>,
            io: Transport<IO>,
        ) -> Result<(Self::Tls<IO>, usize), Error>;
    }

    /// A backend that drives connections from tasks, too.
    #[cfg(feature = "tokio")]
    pub trait AsyncBackend: Backend {
        /// A connection whose handshake is done.
        type AsyncTls<IO: AsyncIo>: AsyncTls<IO>;

        /// Makes the handshake with `host`, as [`Backend::handshake`] does; it fails when `deadline`
        /// completes.
        /// The first poll looks the session up, and sends it unless the transport is not ready.
        fn handshake_async<IO: AsyncIo>(
            &self,
            host: &Host,
            attempt: Attempt<'_>,
            io: IO,
            deadline: impl Future<Output = ()> + Send,
        ) -> impl Future<Output = Result<(Self::AsyncTls<IO>, usize), Error>> + Send;
    }

    /// A connection that tasks drive.
    #[cfg(feature = "tokio")]
    pub trait AsyncTls<IO>: Connection + AsyncRead + AsyncWrite + Send + Unpin {
        /// Ready when application data has arrived, which is kept for later reads, or when the
        /// connection has ended.
        fn poll_read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
        fn io(&self) -> &IO;
        fn io_mut(&mut self) -> &mut IO;
    }

    /// A blocking connection.
    pub trait Tls<IO>: Connection + Read + Write {
        /// Reads from the transport once, and keeps application data for later reads. False if
        /// application data has arrived or the connection has ended: there is no use in reading
        /// again.
        fn read_ahead(&mut self) -> io::Result<bool>;
        fn close(&mut self) -> io::Result<()>;
        fn io(&self) -> &Transport<IO>;
        fn io_mut(&mut self) -> &mut Transport<IO>;
    }
}
