//! The client that claims are checked on.

use std::fmt::{self, Debug, Display};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use lab::certificate::Identity;
use serde::{Deserialize, Serialize};
use tls_resume::pki_types::CertificateDer;
use tls_resume::{Clock, Limits, Protocol, Resumption, ReuseTickets, Stats, TierStats};

use crate::door::Door;
use crate::wire::Wire;

/// A TLS client with a session store.
///
/// The three connectors of tls-resume implement it. To check another client, implement it and check
/// [`claims`](crate::claims).
pub trait Client: Debug + Send + Sync + Sized + 'static {
    /// A connection whose handshake is completed.
    type Connection: Connection;
    /// Why the store cannot read the lifetime of a session, if so.
    const HIDES_LIFETIME: Option<&'static str> = None;
    /// Why no code of the client runs in callbacks of C, if so.
    const NO_CALLBACKS: Option<&'static str> = None;
    /// Why the client cannot choose the group of the first key share, if so.
    const NO_KEY_SHARES: Option<&'static str> = None;
    /// Why the store cannot read when certificates expire, if so.
    const HIDES_CERTIFICATES: Option<&'static str> = None;
    /// Why the client cannot change its certificate and keep its store, if so.
    const NO_ROTATION: Option<&'static str> = None;
    /// Why the client cannot send early data, if so.
    const NO_EARLY_DATA: Option<&'static str> = None;
    /// Why the client cannot offer a TLS 1.3 ticket more than once, if so.
    const NO_REUSE: Option<&'static str> = None;
    /// Why the client has no connections in tasks of tokio, if so.
    const NO_TASKS: Option<&'static str> = None;
    /// Why the client has no connections over streams of futures-io, if so.
    const NO_FUTURES: Option<&'static str> = Self::NO_TASKS;
    /// Why there is no `ClientConfig` with the client's store, if so.
    const NO_CLIENT_CONFIG: Option<&'static str> = None;
    /// Why the client makes no TCP connections itself, if so.
    const NO_DIALING: Option<&'static str> = None;
    /// Why a connection cannot have [`Options`], if so. Without, implement
    /// [`connect_with`](Self::connect_with) and the two methods after it.
    const NO_OPTIONS: Option<&'static str> = Some("the client has no options of a connection");

    /// Why a connection cannot keep its session for its kin, if so. Without, implement
    /// [`connect_kin`](Self::connect_kin).
    const NO_KIN: Option<&'static str> = Some("the client has no kin of a connection");

    /// The client's name in the [`Task`](crate::child::Task) of a child process; or why its
    /// sessions cannot leave the memory of their process, so that it cannot share them with a
    /// child.
    fn name_for_child() -> Result<String, &'static str>;
    /// Creates a client with an empty memory.
    fn new(setup: Setup) -> Result<Self, String>;
    /// A client with another client certificate onto the store of this one.
    fn with_identity(&self, identity: Identity) -> Result<Self, String>;
    /// Makes a handshake.
    fn connect(&self, host: &str, port: u16, wire: Wire) -> Result<Self::Connection, Failure>;
    /// Makes a handshake with as much of `data` as early data as the setup and the session allow.
    /// Returns how many bytes of it the server has accepted.
    fn connect_early(
        &self,
        host: &str,
        port: u16,
        wire: Wire,
        data: &[u8],
    ) -> Result<(Self::Connection, usize), Failure>;
    /// Makes a whole connection through a door that the client has: a handshake, an echo of one
    /// byte, with which the tickets arrive, and the end. Without a `wire`, the client connects over
    /// TCP itself. Returns whether a session was resumed.
    fn visit_through(
        &self,
        door: Door,
        host: &str,
        port: u16,
        wire: Option<Wire>,
    ) -> Result<bool, Failure>;
    /// Makes a handshake with these options.
    fn connect_with(
        &self,
        host: &str,
        port: u16,
        wire: Wire,
        options: &Options,
    ) -> Result<Self::Connection, Failure> {
        let _ = options;
        self.connect(host, port, wire)
    }
    /// Makes a handshake that resumes the session of `connection`, which keeps it
    /// ([`Options::keep_session`]), and no other.
    fn connect_kin(
        &self,
        connection: &Self::Connection,
        wire: Wire,
    ) -> Result<Self::Connection, Failure> {
        let _ = (connection, wire);
        Err(Failure::Other("the client has no kin".to_owned()))
    }
    /// Removes the sessions of a partition.
    fn clear_partition(&self, name: &str) {
        let _ = name;
    }
    /// Replaces the servers that are never resumed.
    fn set_never_resume(&self, servers: &[String]) {
        let _ = servers;
    }
    /// The security domain of its sessions.
    fn domain(&self) -> Vec<u8>;
    /// Clears the store.
    fn clear(&self);
    /// Removes the sessions of one server.
    fn clear_server(&self, host: &str, port: u16);
    /// The counters of the store.
    fn stats(&self) -> Stats;
    /// The counters of the tier.
    fn tier_stats(&self) -> TierStats;
}

/// A connection whose handshake is completed.
pub trait Connection: Debug {
    /// Whether a session was offered and resumed, as the TLS library reports it.
    fn resumption(&self) -> Resumption;
    /// Reads the tickets that the server sends, and returns their number.
    fn read_tickets(&mut self) -> Result<usize, String>;
    /// Reads application data once, and returns its length.
    fn read_data(&mut self) -> Result<usize, String>;
    /// Revokes the sessions of the connection.
    fn forget(&self);
    /// Closes the connection with `close_notify`.
    fn close(self) -> Result<(), String>;
    /// The transport.
    fn wire(&mut self) -> &mut Wire;
}

/// The options of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether sessions are offered and stored.
    pub resumption: bool,
    /// Whether the connection keeps its session for its kin.
    pub keep_session: bool,
    /// The partition of the store.
    pub partition: Option<String>,
    /// The endpoint.
    pub endpoint: Option<String>,
    /// The address of the server.
    pub address: Option<IpAddr>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            resumption: true,
            keep_session: false,
            partition: None,
            endpoint: None,
            address: None,
        }
    }
}

/// The settings of a [`Client`].
#[derive(Clone, Debug)]
pub struct Setup {
    /// The trusted roots.
    pub roots: Vec<CertificateDer<'static>>,
    /// The client certificate.
    pub identity: Option<Identity>,
    /// The application protocols to offer.
    pub alpn: Vec<Vec<u8>>,
    /// The versions of TLS to allow.
    pub protocols: Vec<Protocol>,
    /// The limits of the store.
    pub limits: Limits,
    /// The name of the security domain.
    pub domain: String,
    /// The hosts, and hosts with a port, that are never resumed.
    pub never_resume: Vec<String>,
    /// Whether connections resume with a client certificate.
    pub resume_with_client_certificate: bool,
    /// Whether TLS 1.3 tickets are offered more than once.
    pub reuse_tickets: ReuseTickets,
    /// Whether early data is allowed.
    pub early_data: bool,
    /// The clock of the store.
    pub clock: Arc<dyn Clock>,
    /// The tier, if sessions are shared.
    pub store: Option<Store>,
}

/// The tier of a shared store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    /// `lmdb:DIR` or `redis://HOST:PORT`.
    pub url: String,
    /// The path of the key file.
    pub keys: PathBuf,
}

/// Why a handshake failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server's certificate was rejected.
    Certificate,
    /// Another error of the library.
    Other(String),
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate => f.write_str("the certificate was rejected"),
            Self::Other(error) => f.write_str(error),
        }
    }
}
