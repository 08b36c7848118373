//! The clients that are measured, all by the same clock.
//!
//! A [`Stage`] is a server in this process and the root that its clients trust. A [`Lane`] is one
//! client on that stage with one way of keeping sessions. Each handshake runs on one thread over
//! memory. The client's clock starts when a connection is asked for and stops when the tickets are
//! stored; what the server does meanwhile is subtracted. Closing the connection comes after it.
//!
//! No handshake is taken at its word: client and server, each by its own library, have to say that
//! it was resumed, or that it was not.

mod clock;
mod openssl;
mod rustls;

use std::fmt;
use std::time::Duration;

use lab::certificate::{Authority, KeyKind};
use lab::server::{Group, Library, Protocol, Server, ServerSettings};
use lab::transport::InMemory;
use pki_types::CertificateDer;
use thiserror::Error;

use self::clock::Reading;

/// The name that every client asks for and verifies.
const NAME: &str = "server.lab.example";
/// The port in the keys of the stores. Nothing listens there.
const PORT: u16 = 443;
/// Tickets that follow a full handshake.
const TICKETS: usize = 2;
/// The group of every key exchange. Clients name P-256 after it: in TLS 1.2, OpenSSL takes an ECDSA
/// certificate only if its curve is among the groups.
pub const GROUP: Group = Group::X25519;

/// Who connects to whom, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Corner {
    /// The client's library: the one that is measured.
    pub client: Library,
    /// The server's library.
    pub server: Library,
    /// The version of TLS that both are pinned to.
    pub protocol: Protocol,
    /// The kind of every key in the server's chain.
    pub key: KeyKind,
}

impl Corner {
    /// Every combination for one kind of key.
    pub fn all(key: KeyKind) -> impl Iterator<Item = Self> {
        Library::ALL.into_iter().flat_map(move |client| {
            Protocol::ALL.into_iter().flat_map(move |protocol| {
                Library::ALL.into_iter().map(move |server| Self {
                    client,
                    server,
                    protocol,
                    key,
                })
            })
        })
    }
}

impl fmt::Display for Corner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            client,
            server,
            protocol,
            key,
        } = self;
        write!(f, "{client} to {server}, TLS {protocol}, {key}")
    }
}

/// Where a client's sessions come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Store {
    /// From nowhere: every handshake is a full one.
    None,
    /// From a variable, where the newest lies ready: the floor for any store.
    InHand,
    /// From the store of tls-resume.
    TlsResume,
}

impl Store {
    /// All ways.
    pub const ALL: [Self; 3] = [Self::None, Self::InHand, Self::TlsResume];

    /// The name used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::InHand => "in-hand",
            Self::TlsResume => "tls-resume",
        }
    }

    /// Whether the handshakes are resumed, all but a lane's first.
    pub fn resumes(self) -> bool {
        self != Self::None
    }
}

/// A server and what its clients trust.
#[derive(Debug)]
pub struct Stage {
    corner: Corner,
    server: Server,
    root: CertificateDer<'static>,
}

impl Stage {
    /// Sets the stage for a corner. `authority` has keys of the corner's kind.
    pub fn new(corner: Corner, authority: &Authority) -> Self {
        let settings = ServerSettings {
            protocols: vec![corner.protocol],
            groups: vec![GROUP],
            tickets: TICKETS,
            ..ServerSettings::new(authority.issue(&[NAME]))
        };
        Self {
            corner,
            server: Server::new(corner.server, &settings),
            root: authority.root_der(),
        }
    }

    /// A client on this stage, after its first handshake: a full one that gives it sessions.
    pub fn lane(&self, store: Store) -> Result<Lane, HandshakeError> {
        let (protocol, root) = (self.corner.protocol, &self.root);
        let client: Box<dyn Client> = match self.corner.client {
            Library::Rustls => Box::new(rustls::RustlsClient::new(protocol, root, store)?),
            Library::OpenSsl => Box::new(openssl::OpenSslClient::new(protocol, root, store)?),
        };
        let lane = Lane {
            client,
            server: self.server.clone(),
            protocol,
            store,
        };
        lane.connect(false)?;
        Ok(lane)
    }
}

/// One client with one way of keeping sessions.
pub struct Lane {
    client: Box<dyn Client>,
    server: Server,
    protocol: Protocol,
    store: Store,
}

impl Lane {
    /// Makes one handshake, of the kind that the store is for.
    pub fn measure(&self) -> Result<Take, HandshakeError> {
        self.connect(self.store.resumes())
    }

    fn connect(&self, resumed: bool) -> Result<Take, HandshakeError> {
        let mut transport = InMemory::new(&self.server);
        let seen = self.client.connect(&mut transport)?;
        let by_server = transport
            .server()
            .facts()
            .ok_or(HandshakeError::ServerNotDone)?;
        for (who, word) in [("client", seen.resumed), ("server", by_server.resumed)] {
            if word != resumed {
                return Err(HandshakeError::Kind { who, resumed: word });
            }
        }
        if by_server.protocol != self.protocol {
            return Err(HandshakeError::Protocol(by_server.protocol));
        }
        Ok(Take {
            client: seen.reading.client,
            server: seen.reading.server,
            bytes_in: seen.reading.bytes_in,
            bytes_out: seen.reading.bytes_out,
            cipher: seen.cipher,
        })
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("server", &self.server)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// One measured handshake.
#[derive(Clone, Debug)]
pub struct Take {
    /// The client's time.
    pub client: Duration,
    /// The server's time.
    pub server: Duration,
    /// Bytes that the client received until its clock stopped.
    pub bytes_in: u64,
    /// Bytes that the client sent until its clock stopped.
    pub bytes_out: u64,
    /// The cipher suite, by its IANA name.
    pub cipher: String,
}

/// A handshake that failed, or was not what it was meant to be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The client could not be set up, or its library reports a failure.
    #[error("the client failed: {0}")]
    Client(String),
    /// The client is done and the server is not.
    #[error("the server did not finish the handshake")]
    ServerNotDone,
    /// One side calls the handshake resumed, or full, where it should be the other.
    #[error("the {who} says that the handshake was {}", if *resumed { "resumed" } else { "full" })]
    Kind {
        /// Who says so.
        who: &'static str,
        /// What it says.
        resumed: bool,
    },
    /// Another version of TLS was negotiated.
    #[error("the server says that the handshake was one of TLS {0}")]
    Protocol(Protocol),
}

impl HandshakeError {
    fn client(error: impl fmt::Display) -> Self {
        Self::Client(error.to_string())
    }
}

/// What either library's client does for a [`Lane`].
trait Client {
    /// Makes a handshake, reads the tickets, and closes the connection off the clock.
    fn connect(&self, transport: &mut InMemory) -> Result<Seen, HandshakeError>;
}

/// A handshake as the client saw it.
struct Seen {
    reading: Reading,
    resumed: bool,
    cipher: String,
}
