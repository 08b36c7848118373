//! Options of a connection, and handles of a connector whose connections have them.

use std::fmt;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;

use store_core::SecurityDomain;

use crate::connector::Connector;
use crate::domain;
use crate::stream::Stream;
use crate::{Backend, Error};

/// What a connection does with sessions, other than its connector's settings say.
///
/// For one connection: [`connect_with`](crate::generic::Connector::connect_with). For a handle whose
/// connections, clients and configurations all have them:
/// [`with_options`](crate::generic::Connector::with_options). For a request of hyper: in the request's
/// extensions, with `tls_resume::hyper::Clients`.
///
/// ```
/// # #[cfg(feature = "rustls")]
/// # fn main() -> Result<(), tls_resume::Error> {
/// use tls_resume::{ConnectOptions, rustls::Connector};
///
/// let connector = Connector::builder().build()?;
/// let fresh = ConnectOptions::new().resumption(false);
/// let tenant = ConnectOptions::new().partition("tenant-7");
/// let error = connector.connect_with("not a host", 443, &fresh).unwrap_err();
/// assert_eq!(error.kind(), tls_resume::ErrorKind::Name);
/// assert_ne!(connector.security_domain(), connector.with_options(&tenant).security_domain());
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "rustls"))]
/// # fn main() {}
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct ConnectOptions {
    no_resumption: bool,
    keep_session: bool,
    partition: Option<Arc<str>>,
    endpoint: Option<Arc<[u8]>>,
    address: Option<IpAddr>,
}

impl ConnectOptions {
    /// The connector's settings alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether the connection offers a session and stores those that it receives. Default
    /// `true`, which does not override a setting of the connector or of its handle.
    #[must_use]
    pub fn resumption(mut self, resumes: bool) -> Self {
        self.no_resumption = !resumes;
        self
    }

    /// Sets whether the connection keeps its session for connections that
    /// [resume it](crate::generic::Connector::resuming) and no other: FTPS data connections. Default
    /// `false`.
    ///
    /// Its sessions are its own: none of the connector's store is offered, so the connection itself
    /// makes a full handshake, and none is stored there, so that no other connection offers a ticket
    /// which these offer, too. A `client_config` and quinn do not have this option.
    #[must_use]
    pub fn keep_session(mut self, keep: bool) -> Self {
        self.keep_session = keep;
        self
    }

    /// Keeps the sessions of the connection in this [partition](crate::generic::Connector::partition)
    /// of the connector's store.
    #[must_use]
    pub fn partition(mut self, name: impl Into<Arc<str>>) -> Self {
        self.partition = Some(name.into());
        self
    }

    /// The address of the host that the transport of a `connect_stream` is connected to.
    ///
    /// The addresses of a host may not share ticket keys. The store learns which do: a connection is
    /// offered a session that its address gave, or one that is known to accept it, and none that is known
    /// to be declined there. A connector that connects by itself (`connect`, hyper, lettre's
    /// `connect_starttls`, ureq) knows the address.
    #[must_use]
    pub fn address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Names the machine that the connection is made to, usually by its address, where machines of
    /// one host and port do not accept each other's sessions: each is then a server of its own, in a tier,
    /// too. Its [address](Self::address) is then of no interest.
    #[must_use]
    pub fn endpoint(mut self, name: impl Into<Vec<u8>>) -> Self {
        self.endpoint = Some(name.into().into());
        self
    }
}

impl fmt::Debug for ConnectOptions {
    /// Shows no name: it may identify a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("resumption", &!self.no_resumption)
            .field("keep_session", &self.keep_session)
            .field("has_partition", &self.partition.is_some())
            .field("has_endpoint", &self.endpoint.is_some())
            .field("has_address", &self.address.is_some())
            .finish()
    }
}

/// The sessions that the connections of a handle use.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// The names of partitions, each within the one before.
    partitions: Vec<Arc<str>>,
    pub(crate) endpoint: Option<Arc<[u8]>>,
    /// The address that transports are connected to.
    pub(crate) address: Option<IpAddr>,
    /// Whether there are any.
    pub(crate) resumes: bool,
    /// Whether each connection keeps its session for its kin.
    pub(crate) keeps_session: bool,
}

impl Scope {
    /// All sessions of a connector.
    pub(crate) fn new() -> Self {
        Self {
            partitions: Vec::new(),
            endpoint: None,
            address: None,
            resumes: true,
            keeps_session: false,
        }
    }

    /// The domain of the sessions, of a connector whose domain is `connector`.
    pub(crate) fn domain(&self, connector: &SecurityDomain) -> SecurityDomain {
        let mut domain = *connector;
        for name in &self.partitions {
            domain = domain::of_partition(&domain, name);
        }
        domain
    }

    /// The same, with no sessions of the connector's store.
    pub(crate) fn without_sessions(&self) -> Self {
        Self {
            resumes: false,
            ..self.clone()
        }
    }

    /// Whether the sessions of both are in one place, if there are any.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        (&self.partitions, &self.endpoint) == (&other.partitions, &other.endpoint)
    }

    fn with(&self, options: &ConnectOptions) -> Self {
        let partitions = self.partitions.iter().chain(&options.partition);
        let endpoint = options.endpoint.as_ref().or(self.endpoint.as_ref());
        Self {
            partitions: partitions.cloned().collect(),
            endpoint: endpoint.cloned(),
            address: options.address.or(self.address),
            resumes: self.resumes && !options.no_resumption,
            keeps_session: self.keeps_session || options.keep_session,
        }
    }
}

impl<B: Backend> Connector<B> {
    /// A handle of the same connector whose connections, `client_config`, and clients of other crates
    /// have these options. As cheap as a clone; what it stores, it stores in the same store.
    ///
    /// Options add up: a partition of a handle with a partition is one within it, and resumption that
    /// is off stays off.
    ///
    /// A handle that is [resuming](Self::resuming) a connection still does so, and its connections keep
    /// no session. It does not with a partition, with another endpoint than that connection's, or
    /// without resumption: then its connections make full handshakes and store nothing, as
    /// [`would_resume`](Self::would_resume) says.
    #[must_use]
    pub fn with_options(&self, options: &ConnectOptions) -> Self {
        let scope = self.scope().with(options);
        let is_kin = !options.no_resumption && scope.is_beside(self.scope());
        let kin = self.kin().filter(|_| is_kin).cloned();
        self.in_scope(scope).with_kin(kin)
    }

    /// A handle of the same connector with a partition of its store: for a tenant, an identity, or an
    /// exit of a network, whose connections must not resume the sessions of others.
    ///
    /// The name is part of the key of each session, so a partition costs nothing while it is empty. All
    /// partitions share the store and its [`limits`](crate::generic::ConnectorBuilder::limits). Room is
    /// made in those that have more than an equal share, so that one does not push out the others.
    /// Methods about one server, such as [`clear_server`](Self::clear_server), are about that server in
    /// the partition; [`stats`](Self::stats) and [`clear`](Self::clear) are about the whole store.
    ///
    /// With a tier, every process that names the partition has the same one.
    ///
    /// ```
    /// # #[cfg(feature = "rustls")]
    /// # fn main() -> Result<(), tls_resume::Error> {
    /// use tls_resume::rustls::Connector;
    ///
    /// let connector = Connector::builder().build()?;
    /// let tenant = connector.partition("tenant-7"); // tenant.connect(...), tenant.client_config()
    /// assert_ne!(tenant.security_domain(), connector.security_domain());
    /// connector.clear_partition("tenant-7");
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "rustls"))]
    /// # fn main() {}
    /// ```
    #[must_use]
    pub fn partition(&self, name: &str) -> Self {
        self.with_options(&ConnectOptions::new().partition(name))
    }

    /// Removes the sessions of a partition. Sessions that its open connections receive later are not
    /// stored. Partitions within it stay.
    ///
    /// With a tier, its records there are not removed, but no process stores them in memory again:
    /// a process learns it when it fetches one, other than in the 10 seconds after it last fetched one
    /// of this partition. What other processes have in memory stays.
    pub fn clear_partition(&self, name: &str) {
        let domain = domain::of_partition(&self.security_domain(), name);
        self.clear_domain(&domain);
        let configured = self.configured();
        for other in configured.backend.domains_of_other_clients(&domain) {
            if other != domain {
                self.clear_domain(&other);
            }
        }
    }

    /// Connects as [`connect`](Self::connect) does, with these options.
    pub fn connect_with(
        &self,
        host: &str,
        port: u16,
        options: &ConnectOptions,
    ) -> Result<Stream<B, TcpStream>, Error> {
        self.with_options(options).connect(host, port)
    }

    /// Makes the handshake over a transport as [`connect_stream`](Self::connect_stream) does, with
    /// these options.
    pub fn connect_stream_with<IO: Read + Write>(
        &self,
        host: &str,
        port: u16,
        io: IO,
        options: &ConnectOptions,
    ) -> Result<Stream<B, IO>, Error> {
        self.with_options(options).connect_stream(host, port, io)
    }
}
