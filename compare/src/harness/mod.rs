//! The clients that are measured, all by the same clock.
//!
//! A [`Stage`] is a server in this process and the root that its clients trust. A [`Lane`] is one
//! client on that stage with one way of keeping sessions. Each handshake runs on one thread over
//! memory. The client's clock starts when a connection is asked for and stops when the tickets are
//! stored; what the server does meanwhile is subtracted. The name to connect to is made before it;
//! closing and dropping the connection come after it.
//!
//! A [`Store`] says where a client's sessions come from; a program can bring its own ([`Own`]).
//!
//! No handshake is taken at its word: client and server, each by its own library, have to say that
//! it was resumed, or that it was not.

mod clock;
mod corner;
mod openssl;
mod own;
mod rustls;

use std::fmt;
use std::time::Duration;

use lab::certificate::Authority;
use lab::server::{Group, Handshake, Library, Protocol, Server, ServerSettings};
use lab::transport::InMemory;
use pki_types::CertificateDer;
use thiserror::Error;

use self::clock::Reading;
pub use self::corner::{Corner, Groups, Stack, Store};
pub use self::own::{OpenSslStore, Own, is_single_use};

/// The name that every client asks for and verifies.
const NAME: &str = "server.lab.example";
/// The port in the keys of the stores. Nothing listens there.
const PORT: u16 = 443;
/// Tickets that follow a handshake, full or resumed, where a stage is not told otherwise: then the
/// stores neither grow nor run dry, and both libraries' servers send the same.
pub const TICKETS: usize = 1;

/// A server and what its clients trust.
#[derive(Clone, Debug)]
pub struct Stage {
    corner: Corner,
    server: Server,
    root: CertificateDer<'static>,
}

impl Stage {
    /// Sets the stage for a corner that is possible. `authority` has keys of the corner's kind.
    pub fn new(corner: Corner, authority: &Authority) -> Self {
        Self::with_tickets(corner, authority, TICKETS)
    }

    /// The same with so many tickets after a full handshake. After a resumed one, rustls sends as
    /// many again, OpenSSL one.
    pub fn with_tickets(corner: Corner, authority: &Authority, tickets: usize) -> Self {
        let settings = ServerSettings {
            protocols: vec![corner.protocol],
            groups: corner.groups.of_server(),
            tickets,
            ..ServerSettings::new(authority.issue(&[NAME]))
        };
        Self {
            corner,
            server: Server::new(corner.server, &settings),
            root: authority.root_der(),
        }
    }

    /// The corner.
    pub fn corner(&self) -> Corner {
        self.corner
    }

    /// A client on this stage that has not connected yet.
    pub fn fresh_lane(&self, store: Store) -> Result<Lane, HandshakeError> {
        let client: Box<dyn Client> = match self.corner.client.library() {
            Library::Rustls => {
                Box::new(rustls::RustlsClient::new(self.corner, &self.root, &store)?)
            }
            Library::OpenSsl => Box::new(openssl::OpenSslClient::new(
                self.corner,
                &self.root,
                &store,
            )?),
        };
        Ok(Lane {
            client,
            server: self.server.clone(),
            corner: self.corner,
            store,
        })
    }

    /// A client on this stage, after its first handshake: a full one that gives it sessions.
    pub fn lane(&self, store: Store) -> Result<Lane, HandshakeError> {
        let lane = self.fresh_lane(store)?;
        lane.connect(false)?;
        Ok(lane)
    }
}

/// One client with one way of keeping sessions. Threads can share it.
pub struct Lane {
    client: Box<dyn Client>,
    server: Server,
    corner: Corner,
    store: Store,
}

impl Lane {
    /// Makes one handshake, of the kind that the store is for.
    pub fn measure(&self) -> Result<Take, HandshakeError> {
        self.connect(self.store.resumes())
    }

    /// Makes so many handshakes at once: each has taken its session and said hello before the
    /// server answers the first. Gives how many were resumed, by the server's word.
    pub fn burst(&self, connections: usize) -> Result<usize, HandshakeError> {
        let begun: Vec<_> = (0..connections)
            .map(|_| {
                let mut transport = InMemory::new(&self.server);
                transport.hold(true);
                self.client.begin(transport)
            })
            .collect::<Result<_, _>>()?;
        let mut resumed = 0;
        for mut begun in begun {
            begun.transport().hold(false);
            let (_, by_server) = self.checked(begun.finish()?)?;
            resumed += usize::from(by_server.resumed);
        }
        Ok(resumed)
    }

    fn connect(&self, resumed: bool) -> Result<Take, HandshakeError> {
        let transport = InMemory::new(&self.server);
        let seen = self.client.begin(transport)?.finish()?;
        let (seen, by_server) = self.checked(seen)?;
        if by_server.resumed != resumed {
            let resumed = by_server.resumed;
            return Err(HandshakeError::Kind { resumed });
        }
        Ok(Take {
            client: seen.reading.client,
            server: seen.reading.server,
            bytes_in: seen.reading.bytes_in,
            bytes_out: seen.reading.bytes_out,
            cipher: seen.cipher,
        })
    }

    /// Both sides tell the same, and what the corner is about.
    fn checked(&self, mut seen: Seen) -> Result<(Seen, Handshake), HandshakeError> {
        let by_server = seen.by_server.take().ok_or(HandshakeError::ServerNotDone)?;
        if seen.resumed != by_server.resumed {
            return Err(HandshakeError::Words {
                resumed: by_server.resumed,
            });
        }
        if by_server.protocol != self.corner.protocol {
            return Err(HandshakeError::Protocol(by_server.protocol));
        }
        // A resumed handshake of TLS 1.2 has no key exchange.
        if self.corner.protocol == Protocol::Tls13 || !seen.resumed {
            let wanted = self.corner.groups.negotiated();
            if seen.group != Some(number(wanted)) {
                return Err(HandshakeError::Group { wanted });
            }
        }
        Ok((seen, by_server))
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("corner", &self.corner)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// A group's number in the TLS registry.
fn number(group: Group) -> u16 {
    match group {
        Group::P256 => 23,
        Group::X25519 => 29,
        Group::X25519MlKem768 => 4588,
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
    /// The two sides do not agree on what it was.
    #[error(
        "the server says that the handshake was {}, and the client that it was not",
        kind(*resumed)
    )]
    Words {
        /// What the server says.
        resumed: bool,
    },
    /// It was resumed, or full, where it should be the other.
    #[error("the server says that the handshake was {}", kind(*resumed))]
    Kind {
        /// What it was.
        resumed: bool,
    },
    /// Another version of TLS was negotiated.
    #[error("the server says that the handshake was one of {0}")]
    Protocol(Protocol),
    /// Another group was negotiated.
    #[error("the client says that the group was not {wanted}")]
    Group {
        /// What it should have been.
        wanted: Group,
    },
}

impl HandshakeError {
    fn client(error: impl fmt::Display) -> Self {
        Self::Client(error.to_string())
    }
}

fn kind(resumed: bool) -> &'static str {
    if resumed { "resumed" } else { "full" }
}

/// What either library's client does for a [`Lane`].
trait Client: Send + Sync {
    /// Takes a session, says hello, and goes on as far as the server's answers allow.
    fn begin(&self, transport: InMemory) -> Result<Box<dyn Begun + '_>, HandshakeError>;
}

/// A handshake under way.
trait Begun {
    fn transport(&mut self) -> &mut InMemory;

    /// Comes to the end of the handshake, reads the tickets, and closes the connection off the
    /// clock.
    fn finish(self: Box<Self>) -> Result<Seen, HandshakeError>;
}

/// A handshake as the client saw it, and what its server says.
struct Seen {
    reading: Reading,
    resumed: bool,
    cipher: String,
    group: Option<u16>,
    by_server: Option<Handshake>,
}
