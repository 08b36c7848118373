//! The connector, and its blocking connections.

mod beginning;
mod configured;
mod facts;
mod kin;
mod reconfigure;
#[cfg(feature = "shared")]
mod tier;

use std::fmt;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
#[cfg(feature = "metrics")]
use std::sync::{Mutex, PoisonError};

use store_core::{KeyRef, SecurityDomain, ServerStats, Stats};

pub(crate) use self::beginning::Beginning;
pub(crate) use self::configured::Configured;
use self::configured::Current;
pub(crate) use self::kin::Kin;
use crate::backend::sealed::Attempt;
use crate::connect_options::Scope;
use crate::error::TlsEvidence;
use crate::host::Host;
#[cfg(feature = "metrics")]
use crate::metrics::Meter;
use crate::never_resume::{NeverResume, Servers};
use crate::settings::Settings;
use crate::store::Store;
use crate::stream::Stream;
use crate::transport::{self, Transport};
use crate::{Backend, Error};

/// Makes TLS connections that resume earlier sessions with the same server where they can.
///
/// Cheap to clone; all clones share one configuration and one store. A handle with
/// [options](Self::with_options) of its own, such as a [partition](Self::partition), is a connector
/// that shares them, too.
pub struct Connector<B: Backend> {
    inner: Arc<Inner<B>>,
    scope: Scope,
    /// Connections resume its session, and no others.
    kin: Option<Arc<Kin<B>>>,
}

struct Inner<B: Backend> {
    settings: Settings,
    options: B::Options,
    current: Current<B>,
    opened: Arc<Opened<B::Session>>,
}

/// A store with what belongs to it. All connectors that are made of one share it.
pub(crate) struct Opened<S> {
    pub(crate) store: Store<S>,
    pub(crate) never_resume: Arc<NeverResume>,
    #[cfg(feature = "metrics")]
    pub(crate) meter: Mutex<Meter>,
}

impl<B: Backend> Connector<B> {
    /// A connector of loaded settings. Fails if the backend rejects them.
    pub(crate) fn new(
        mut settings: Settings,
        options: B::Options,
        opened: Arc<Opened<B::Session>>,
    ) -> Result<Self, Error> {
        if let Some(source) = &settings.client_source {
            settings.client = Some(source.current());
        }
        let current = Current::new(&settings, options.clone(), &opened.store.memory)?;
        let inner = Arc::new(Inner {
            settings,
            options,
            current,
            opened,
        });
        Ok(Self {
            inner,
            scope: Scope::new(),
            kin: None,
        })
    }

    /// Connects to `host`, a DNS name or IP address, over TCP, and makes the handshake.
    ///
    /// Tries the host's addresses in turn, each for its share of the time that is left. The
    /// connector's [timeout](crate::generic::ConnectorBuilder::timeout) bounds everything except
    /// the resolution of the name, which has the system's timeout.
    pub fn connect(&self, host: &str, port: u16) -> Result<Stream<B, TcpStream>, Error> {
        self.over_tcp(host, port, &[]).map(|(stream, _)| stream)
    }

    /// Connects as [`connect`](Self::connect) does, and sends the beginning of `data` with the first
    /// message of the handshake, as early data (0-RTT), if the connector was
    /// [built for it](crate::generic::ConnectorBuilder::early_data) and has a session that allows it.
    ///
    /// Returns with the stream how many leading bytes of `data` the server accepted. The rest is
    /// still to be written. That is all of `data` if there was no session that allows early data,
    /// or if the server rejected it, as it may at any time. At most half of what the session allows
    /// is sent, since servers that reject early data count it in different ways, and never more
    /// than 16 KiB. [`max_early_data`](crate::generic::ConnectionInfo::max_early_data) is what the
    /// sessions received on a connection allow.
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
    /// stream.read_to_end(&mut answer)?; // "425 Too Early": repeat by `connect`
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # When this is safe
    /// An attacker on the network can replay early data, to the same server or to another machine
    /// of the same name. Early data is encrypted, and the server can verify that this client wrote
    /// it, but not that it is no replay. It has no forward secrecy: it is secret only as long as
    /// the server's ticket keys are. So send only a request that the server may process more than
    /// once: one that changes nothing, and that the application protocol allows as early data (RFC
    /// 8446, section 8 and appendix E.5; for HTTP, RFC 8470 with its status 425). This library
    /// sends a ticket once, and early data with it once; only the server can reject a replay.
    ///
    /// After an error, the server may have processed `data` all the same. The session is used
    /// up; others stay, unless the server sent an alert, and a later call may offer one with early
    /// data: to be sure that none is sent, use [`connect`](Self::connect).
    pub fn connect_early(
        &self,
        host: &str,
        port: u16,
        data: &[u8],
    ) -> Result<(Stream<B, TcpStream>, usize), Error> {
        self.over_tcp(host, port, self.allowed_early_data(data))
    }

    fn over_tcp(
        &self,
        host: &str,
        port: u16,
        early: &[u8],
    ) -> Result<(Stream<B, TcpStream>, usize), Error> {
        let host = Host::parse(host)?;
        let beginning = self.begin(&host, port);
        #[cfg(feature = "shared")]
        let fetch = self.fetch(beginning.key.as_ref());
        let tcp = transport::connect(host.as_str(), port, self.inner.settings.timeout)?;
        #[cfg(feature = "shared")]
        self.wait_for(fetch);
        let again = tcp.again();
        let again = || again.and_then(|again| again.connect().ok());
        let (mut stream, accepted) =
            self.handshake_or_retry(beginning, &host, early, tcp, again)?;
        match stream.transport().lift_deadline() {
            Ok(()) => Ok((stream, accepted)),
            Err(error) => {
                let evidence = TlsEvidence::Records;
                Err(Error::of_transport(host.as_str(), evidence, error))
            }
        }
    }

    /// Makes the handshake with `host` over a transport that is already connected. The transport's
    /// own timeouts apply, not the connector's. `host` is sent in SNI unless it is an IP address,
    /// and the certificate must be for it; sessions are stored under `host` and `port`.
    ///
    /// A failed handshake drops the transport, and so closes the connection. To keep it, pass a
    /// reference that reads and writes, such as `&TcpStream`.
    pub fn connect_stream<IO: Read + Write>(
        &self,
        host: &str,
        port: u16,
        io: IO,
    ) -> Result<Stream<B, IO>, Error> {
        let connected = self.over(host, port, &[], io, || None);
        connected.map(|(stream, _)| stream)
    }

    /// Makes the handshake over `io` as [`connect_stream`](Self::connect_stream) does, and makes a
    /// failed one [again](Self::handshake_or_retry) over the transport that `again` returns.
    #[cfg(feature = "ureq")]
    pub(crate) fn connect_stream_or_retry<IO: Read + Write>(
        &self,
        host: &str,
        port: u16,
        io: IO,
        again: impl FnOnce() -> Option<IO>,
    ) -> Result<Stream<B, IO>, Error> {
        let connected = self.over(host, port, &[], io, again);
        connected.map(|(stream, _)| stream)
    }

    /// Makes the handshake over a transport as [`connect_stream`](Self::connect_stream) does, with
    /// early data as in [`connect_early`](Self::connect_early).
    pub fn connect_stream_early<IO: Read + Write>(
        &self,
        host: &str,
        port: u16,
        io: IO,
        data: &[u8],
    ) -> Result<(Stream<B, IO>, usize), Error> {
        let early = self.allowed_early_data(data);
        self.over(host, port, early, io, || None)
    }

    fn over<IO: Read + Write>(
        &self,
        host: &str,
        port: u16,
        early: &[u8],
        io: IO,
        again: impl FnOnce() -> Option<IO>,
    ) -> Result<(Stream<B, IO>, usize), Error> {
        let host = Host::parse(host)?;
        let beginning = self.begin(&host, port);
        #[cfg(feature = "shared")]
        self.wait_for(self.fetch(beginning.key.as_ref()));
        let again = || again().map(Transport::new);
        self.handshake_or_retry(beginning, &host, early, Transport::new(io), again)
    }

    /// `data` if the connector allows early data, else nothing. Kin send none: their session is
    /// offered more than once.
    pub(crate) fn allowed_early_data<'d>(&self, data: &'d [u8]) -> &'d [u8] {
        if self.inner.settings.early_data && self.kin.is_none() {
            data
        } else {
            &[]
        }
    }

    /// Makes the handshake over `io`. If it fails and may succeed without the session that it
    /// offered, makes it once more, without one, over the transport that `again` returns: a new
    /// connection to the same server. `None` if there is none: then the first error is returned.
    fn handshake_or_retry<IO: Read + Write>(
        &self,
        beginning: Beginning<B>,
        host: &Host,
        early: &[u8],
        io: Transport<IO>,
        again: impl FnOnce() -> Option<Transport<IO>>,
    ) -> Result<(Stream<B, IO>, usize), Error> {
        let backend = &beginning.configured.backend;
        let address = self.address(io.peer());
        let attempt = Attempt::new(beginning.key, address, early);
        let (tls, accepted, retried) = match backend.handshake(host, attempt.clone(), io) {
            Ok((tls, accepted)) => (tls, accepted, false),
            Err(error) if self.retries(&error, &attempt) => {
                let Some(io) = again() else {
                    return Err(error);
                };
                let second = backend.handshake(host, self.second(attempt), io);
                let (tls, accepted) = second.map_err(Error::after_retry)?;
                (tls, accepted, true)
            }
            Err(error) => return Err(error),
        };
        let stream = Stream::new(tls, beginning.kept, retried);
        self.keep_kin_alone(&stream);
        Ok((stream, accepted))
    }

    /// Whether to make a failed attempt again, without a session, on another connection.
    pub(crate) fn retries(&self, error: &Error, attempt: &Attempt<'_>) -> bool {
        let settings = &self.inner.settings;
        settings.retry_failed_resumption && attempt.early.is_empty() && error.may_be_of_session()
    }

    /// What a second attempt does, which is counted.
    pub(crate) fn second<'e>(&self, attempt: Attempt<'e>) -> Attempt<'e> {
        if let Some(key) = &attempt.key {
            self.inner.opened.store.memory.count_retry(key);
        }
        Attempt {
            offers: false,
            ..attempt
        }
    }

    #[cfg(any(feature = "rustls", feature = "tokio"))]
    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Whether any sessions are stored and offered.
    pub(crate) fn resumes(&self) -> bool {
        self.scope.resumes && self.inner.settings.resumes()
    }

    pub(crate) fn never_resume(&self) -> &Arc<NeverResume> {
        &self.inner.opened.never_resume
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// A handle whose connections use these sessions.
    pub(crate) fn in_scope(&self, scope: Scope) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            scope,
            kin: None,
        }
    }

    pub(crate) fn clear_domain(&self, domain: &SecurityDomain) {
        self.inner.opened.store.memory.clear_domain(domain);
    }

    /// Replaces the servers whose sessions are neither stored nor offered, for this connector, its
    /// clones and handles, connectors onto the same store, and clients with its `client_config`. Each is
    /// a host, or a host with a port, as in
    /// [`never_resume`](crate::generic::ConnectorBuilder::never_resume).
    ///
    /// Connections that have begun are not affected. Sessions of these servers that are stored already
    /// are not offered, but stay until they expire: to remove them, call
    /// [`clear_server`](Self::clear_server). Fails with
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if one is not a host, and then changes nothing.
    pub fn set_never_resume<H: AsRef<str>>(
        &self,
        servers: impl IntoIterator<Item = H>,
    ) -> Result<(), Error> {
        self.never_resume().set(Servers::parse(servers)?);
        Ok(())
    }

    /// What the store has counted, and what it holds.
    pub fn stats(&self) -> Stats {
        self.inner.opened.store.memory.stats()
    }

    /// Removes all sessions, those of all partitions included. Sessions that open connections receive
    /// later are not stored. With a tier, removes the sessions of all connectors that share it:
    /// everything sealed under the same keys.
    pub fn clear(&self) {
        self.inner.opened.store.memory.clear();
    }

    /// Removes the sessions of one server as [`clear`](Self::clear) does. For clients with a
    /// `client_config` and for quinn, which store sessions without a port, removes those of the
    /// host.
    pub fn clear_server(&self, host: &str, port: u16) {
        self.for_each_key(host, port, |key| {
            self.inner.opened.store.memory.clear_server(key);
        });
    }

    /// Starts counters of one server, for [`server_stats`](Self::server_stats): to find out why it
    /// does not resume. Every operation of the store searches the watched servers, so watch only a
    /// few. For clients with a `client_config` and for quinn, the counters are those of all ports
    /// of the host. Watch again after the client certificate has changed: the counters are those of
    /// connections with the one at the time of the call.
    pub fn watch(&self, host: &str, port: u16) {
        self.for_each_key(host, port, |key| self.inner.opened.store.memory.watch(key));
    }

    /// Stops and drops the counters of one server.
    pub fn unwatch(&self, host: &str, port: u16) {
        self.for_each_key(host, port, |key| {
            self.inner.opened.store.memory.unwatch(key);
        });
    }

    /// The counters of one server, `None` if it is not [watched](Self::watch): the sum over this
    /// connector's own connections and the clients with its `client_config`.
    pub fn server_stats(&self, host: &str, port: u16) -> Option<ServerStats> {
        let mut sum: Option<ServerStats> = None;
        self.for_each_key(host, port, |key| {
            if let Some(stats) = self.inner.opened.store.memory.server_stats(key) {
                sum.get_or_insert_default().add(&stats);
            }
        });
        sum
    }

    /// The security domain of this connector's sessions: a digest of its configuration, and of the
    /// [partition](Self::partition) if the handle has one. It changes with the credential of a
    /// [source](crate::generic::ConnectorBuilder::client_credentials).
    pub fn security_domain(&self) -> SecurityDomain {
        self.scope.domain(self.configured().domain())
    }

    /// Calls `each` with every key of the server's sessions; not at all if `host` is not valid.
    fn for_each_key(&self, host: &str, port: u16, mut each: impl FnMut(KeyRef<'_>)) {
        let Ok(host) = Host::parse(host) else {
            return;
        };
        let configured = self.configured();
        let domain = self.scope.domain(configured.domain());
        each(self.key(&host, &domain).with_port(port));
        for domain in configured.backend.domains_of_other_clients(&domain) {
            each(self.key(&host, &domain));
        }
    }

    /// Reports to the application's metrics recorder what this connector's store and its tier have
    /// counted since the last call, and what they hold now. Install the recorder first: reports
    /// made before are lost.
    ///
    /// The label `domain` is the name of the connector's
    /// [domain](crate::generic::ConnectorBuilder::domain), unless it has
    /// [labels](crate::generic::ConnectorBuilder::metric_labels) of its own. Connectors onto one store
    /// ([`with_client_certificate`](Self::with_client_certificate)) record it once. Others with the
    /// same labels add up: a connector that replaces another continues its counters, and dropping
    /// the last clone of a connector subtracts its sessions from the gauges. Servers that are
    /// [watched](Self::watch) have counters of their own, with the label `server`: host and port.
    /// Visits every shard of the store: call it once a second at most.
    #[cfg(feature = "metrics")]
    pub fn record_metrics(&self) {
        let meter = self.inner.opened.meter.lock();
        let mut meter = meter.unwrap_or_else(PoisonError::into_inner);
        meter.record(&self.stats());
        meter.record_servers(&self.inner.opened.store.memory.watched());
        #[cfg(feature = "shared")]
        if let Some(shared) = &self.inner.opened.store.shared {
            meter.record_tier(&shared.store.tier_stats());
        }
    }
}

impl<B: Backend> Clone for Connector<B> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            scope: self.scope.clone(),
            kin: self.kin.clone(),
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
