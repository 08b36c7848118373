//! The connector, the same for either backend.

use std::fmt;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
#[cfg(feature = "metrics")]
use std::sync::Mutex;

use pki_types::ServerName;
use store_core::{KeyRef, SecurityDomain, ServerStats, SessionKey, SessionStore, Stats};
#[cfg(feature = "shared")]
use store_tiers::Fetch;

use crate::builder::ConnectorBuilder;
#[cfg(feature = "metrics")]
use crate::metrics::{self, Meter};
use crate::settings::Settings;
#[cfg(feature = "shared")]
use crate::sharing::Beyond;
use crate::stream::Stream;
use crate::transport::{self, Transport};
use crate::{Backend, Error, ErrorKind};

/// Makes TLS connections that resume earlier ones to the same server where they can.
///
/// Cheap to clone; all clones use the same configuration and the same store.
pub struct Connector<B: Backend> {
    inner: Arc<Inner<B>>,
}

struct Inner<B: Backend> {
    settings: Settings,
    backend: B,
    store: Arc<SessionStore<B::Session>>,
    #[cfg(feature = "shared")]
    beyond: Option<Box<dyn Beyond>>,
    #[cfg(feature = "metrics")]
    meter: Mutex<Meter>,
}

impl<B: Backend> Connector<B> {
    /// Starts a connector that trusts Mozilla's roots, speaks TLS 1.2 and 1.3, and keeps sessions
    /// within the default [`Limits`](crate::Limits).
    pub fn builder() -> ConnectorBuilder<B> {
        ConnectorBuilder {
            settings: Settings::default(),
            options: B::Options::default(),
            #[cfg(feature = "shared")]
            open: crate::sharing::in_memory::<B::Session>,
        }
    }

    /// One of these parts.
    pub(crate) fn assembled(
        settings: Settings,
        backend: B,
        store: Arc<SessionStore<B::Session>>,
        #[cfg(feature = "shared")] beyond: Option<Box<dyn Beyond>>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                #[cfg(feature = "metrics")]
                meter: metrics::meter(&settings),
                settings,
                backend,
                store,
                #[cfg(feature = "shared")]
                beyond,
            }),
        }
    }

    /// Connects to `host`, a DNS name or IP address, over TCP, and makes the handshake.
    ///
    /// Tries the host's addresses in turn, each for its share of the time that is left. The connector's
    /// timeout bounds the whole but for the look-up of the name, which the system decides.
    pub fn connect(&self, host: &str, port: u16) -> Result<Stream<B, TcpStream>, Error> {
        self.over_tcp(host, port, &[]).map(|(stream, _)| stream)
    }

    /// Connects as [`connect`](Self::connect) does, and sends the beginning of `data` with the first
    /// message of the handshake, as early data (0-RTT), if the connector was
    /// [built for it](ConnectorBuilder::early_data) and has a session that allows it.
    ///
    /// Says how many leading bytes of `data` the server has accepted. The rest is still to be
    /// written, and that may be all of it: there was no session, or none that allows early data, or
    /// the server has rejected it, as it may at any time. No more is sent than half of what the
    /// session allows, since servers that reject early data count it in different ways, and never more
    /// than 16 KiB. What a later session allows is known when it comes
    /// ([`early_data_max`](Stream::early_data_max)).
    ///
    /// ```no_run
    /// # #[cfg(feature = "rustls")]
    /// # fn status() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::io::{Read, Write};
    /// use tls_resume::rustls::Connector; // or tls_resume::openssl::Connector
    ///
    /// let builder = Connector::builder().alpn([b"http/1.1".to_vec()]);
    /// let connector = builder.early_data(true).build()?;
    /// // A request that may be made twice.
    /// let request = b"GET /status HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n";
    /// let (mut stream, accepted) = connector.connect_early("example.com", 443, request)?;
    /// stream.write_all(&request[accepted..])?;
    /// let mut answer = Vec::new();
    /// stream.read_to_end(&mut answer)?; // "425 Too Early": ask again, by `connect`
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # When this is safe
    /// Whoever sees early data on its way can send it to the server again, and to another machine
    /// of the same name; it is encrypted, and the server knows that it is this client's, but not
    /// that it comes for the first time. And it is secret only as long as the server's ticket keys
    /// are. So send only what the server may act upon more than once: a request that reads and
    /// changes nothing, and that is safe for the application protocol too (RFC 8446, section 8 and
    /// appendix E.5; for HTTP, RFC 8470 with its status 425). This library sends a ticket once, and
    /// early data with it once; whether a copy is refused is the server's affair.
    ///
    /// An error does not say that the server has not acted on `data`. The session is used up then,
    /// as after any handshake that failed, and the older ones of its server are gone, but a newer one
    /// may have come by another connection: to be sure that nothing is sent early again, use
    /// [`connect`](Self::connect).
    pub fn connect_early(
        &self,
        host: &str,
        port: u16,
        data: &[u8],
    ) -> Result<(Stream<B, TcpStream>, usize), Error> {
        self.over_tcp(host, port, self.early(data))
    }

    fn over_tcp(
        &self,
        host: &str,
        port: u16,
        early: &[u8],
    ) -> Result<(Stream<B, TcpStream>, usize), Error> {
        let name = Host::parse(host)?;
        let key = self.resumable(&name, port);
        #[cfg(feature = "shared")]
        let on_its_way = self.fetch(key.as_ref());
        let tcp = transport::connect(&name.text, port, self.inner.settings.timeout)?;
        #[cfg(feature = "shared")]
        self.wait_for(on_its_way);
        let (mut stream, accepted) = self.handshake(&name, key, early, tcp)?;
        match stream.transport().lift_deadline() {
            Ok(()) => Ok((stream, accepted)),
            Err(error) => Err(Error::of_transport(&name.text, error)),
        }
    }

    /// Makes the handshake with `host` over a transport that is connected already; its timeouts
    /// are the caller's. `host` is what is sent in SNI and what the certificate must be for; with
    /// `port` it is the key of the sessions.
    pub fn connect_stream<IO: Read + Write>(
        &self,
        host: &str,
        port: u16,
        io: IO,
    ) -> Result<Stream<B, IO>, Error> {
        self.over(host, port, &[], io).map(|(stream, _)| stream)
    }

    /// Makes the handshake over a transport as [`connect_stream`](Self::connect_stream) does, and
    /// sends the beginning of `data` with its first message: all that is said of
    /// [`connect_early`](Self::connect_early).
    pub fn connect_stream_early<IO: Read + Write>(
        &self,
        host: &str,
        port: u16,
        io: IO,
        data: &[u8],
    ) -> Result<(Stream<B, IO>, usize), Error> {
        self.over(host, port, self.early(data), io)
    }

    fn over<IO: Read + Write>(
        &self,
        host: &str,
        port: u16,
        early: &[u8],
        io: IO,
    ) -> Result<(Stream<B, IO>, usize), Error> {
        let name = Host::parse(host)?;
        let key = self.resumable(&name, port);
        #[cfg(feature = "shared")]
        self.wait_for(self.fetch(key.as_ref()));
        self.handshake(&name, key, early, Transport::new(io))
    }

    /// What of `data` may be sent early: all, or nothing.
    pub(crate) fn early<'d>(&self, data: &'d [u8]) -> &'d [u8] {
        if self.inner.settings.early_data {
            data
        } else {
            &[]
        }
    }

    fn handshake<IO: Read + Write>(
        &self,
        host: &Host,
        key: Option<SessionKey>,
        early: &[u8],
        io: Transport<IO>,
    ) -> Result<(Stream<B, IO>, usize), Error> {
        let backend = &self.inner.backend;
        let (tls, accepted) = backend.handshake(&host.text, key, early, io)?;
        Ok((Stream::new(tls), accepted))
    }

    #[cfg(any(feature = "rustls", feature = "tokio"))]
    pub(crate) fn backend(&self) -> &B {
        &self.inner.backend
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn meter(&self) -> &Mutex<Meter> {
        &self.inner.meter
    }

    #[cfg(any(feature = "rustls", feature = "tokio"))]
    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The key of a server, unless it is never resumed with.
    pub(crate) fn resumable(&self, host: &Host, port: u16) -> Option<SessionKey> {
        let resumes = !self.inner.settings.never_resumes(&host.text);
        resumes.then(|| self.key(&host.text, port))
    }

    /// What the store has done and holds.
    pub fn stats(&self) -> Stats {
        self.inner.store.stats()
    }

    /// Removes all sessions; what open connections still receive is not stored. Where sessions are
    /// shared, those of all who share them: everything under the same keys.
    pub fn clear(&self) {
        self.inner.store.clear();
    }

    /// Removes the sessions of one server, likewise; of clients with a `client_config`, quinn's
    /// too, those of the host, where all its ports are one.
    pub fn clear_server(&self, host: &str, port: u16) {
        self.for_each_key(host, port, |key| self.inner.store.clear_server(key));
    }

    /// Counts what happens with one server from now on, for
    /// [`server_stats`](Self::server_stats): for a handful of servers, to find out why one does
    /// not resume. Of clients with a `client_config`, quinn's too, that is the host, where all its
    /// ports are one.
    pub fn watch(&self, host: &str, port: u16) {
        self.for_each_key(host, port, |key| self.inner.store.watch(key));
    }

    /// Counts it no longer.
    pub fn unwatch(&self, host: &str, port: u16) {
        self.for_each_key(host, port, |key| self.inner.store.unwatch(key));
    }

    /// The counters of one server, if it is watched: of this connector's own connections, and of
    /// clients with its `client_config`, together.
    pub fn server_stats(&self, host: &str, port: u16) -> Option<ServerStats> {
        let mut sum: Option<ServerStats> = None;
        self.for_each_key(host, port, |key| {
            if let Some(stats) = self.inner.store.server_stats(key) {
                sum.get_or_insert_default().add(&stats);
            }
        });
        sum
    }

    /// The domain of this connector's sessions: a digest of its configuration.
    pub fn security_domain(&self) -> &SecurityDomain {
        self.inner.backend.domain()
    }

    /// Everything under which sessions of a server may lie.
    fn for_each_key(&self, host: &str, port: u16, mut each: impl FnMut(KeyRef<'_>)) {
        let host = bare(host);
        each(self.key(host, port).as_key());
        for domain in self.inner.backend.domains_of_others() {
            each(KeyRef::new(&domain, host));
        }
    }

    fn key(&self, host: &str, port: u16) -> SessionKey {
        KeyRef::new(self.security_domain(), host)
            .with_port(port)
            .to_key()
    }
}

impl<B: Backend> Clone for Connector<B> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<B: Backend> fmt::Debug for Connector<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}

/// What lies beyond memory.
#[cfg(feature = "shared")]
impl<B: Backend> Connector<B> {
    pub(crate) fn beyond(&self) -> Option<&dyn Beyond> {
        self.inner.beyond.as_deref()
    }

    pub(crate) fn prefetch_for(&self, host: &str, port: u16) {
        if let Ok(host) = Host::parse(host) {
            self.wait_for(self.fetch(self.resumable(&host, port).as_ref()));
        }
    }

    /// Begins to fetch a session for a connection that is about to be made.
    pub(crate) fn fetch(&self, key: Option<&SessionKey>) -> Option<Fetch> {
        Some(self.beyond()?.fetch(key?.as_key()))
    }

    fn wait_for(&self, on_its_way: Option<Fetch>) {
        if let Some(fetch) = on_its_way {
            fetch.wait(self.inner.settings.patience());
        }
    }
}

/// A host as it is sent, verified and dialled: no brackets, no trailing dot.
pub(crate) struct Host {
    pub(crate) text: String,
}

impl Host {
    pub(crate) fn parse(host: &str) -> Result<Self, Error> {
        let text = bare(host);
        match ServerName::try_from(text) {
            Ok(_) => Ok(Self {
                text: text.to_ascii_lowercase(),
            }),
            Err(error) => {
                let message =
                    format!("{host:?} is neither a DNS name nor an IP address: correct it");
                Err(Error::new(ErrorKind::Name, message).caused_by(error))
            }
        }
    }
}

/// A host as it is sent, whatever the case of its letters: in all that takes a host from a caller,
/// so that every spelling means the same one.
pub(crate) fn bare(host: &str) -> &str {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host);
    bare.strip_suffix('.').unwrap_or(bare)
}
