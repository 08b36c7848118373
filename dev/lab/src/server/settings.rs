//! What a server does, in words that both libraries understand.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pki_types::CertificateDer;
use rustls::CipherSuite;
use rustls::server::ProducesTickets;

pub use store_core::Protocol;

use super::TicketKeys;
use crate::certificate::Identity;

/// A TLS library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Library {
    /// rustls with aws-lc-rs.
    Rustls,
    /// OpenSSL, as linked: the system's, or the vendored one.
    OpenSsl,
}

impl Library {
    /// Both libraries.
    pub const ALL: [Self; 2] = [Self::Rustls, Self::OpenSsl];

    /// The name used in tables and on command lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rustls => "rustls",
            Self::OpenSsl => "openssl",
        }
    }

    /// Whether this library, as built here, has the group. OpenSSL knows ML-KEM since 3.5.
    pub fn supports(self, group: Group) -> bool {
        const OPENSSL_3_5: i64 = 0x3050_0000;
        match (self, group) {
            (Self::OpenSsl, Group::X25519MlKem768) => openssl::version::number() >= OPENSSL_3_5,
            _ => true,
        }
    }
}

/// A group for the key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// X25519.
    X25519,
    /// The hybrid of X25519 and ML-KEM-768; TLS 1.3 only.
    X25519MlKem768,
    /// The NIST curve P-256.
    P256,
}

impl Group {
    /// The name as OpenSSL's group lists have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X25519 => "X25519",
            Self::X25519MlKem768 => "X25519MLKEM768",
            Self::P256 => "P-256",
        }
    }
}

/// How a server lets clients resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServerResumption {
    /// Self-contained tickets, sealed with keys that only the server has.
    ///
    /// A ticket can be used any number of times: neither library remembers that it saw one.
    Tickets,
    /// A cache in the server: session ids in TLS 1.2, in TLS 1.3 tickets that merely name an entry.
    ///
    /// rustls removes the entry of a TLS 1.3 ticket when it is used; OpenSSL keeps it.
    SessionIds,
    /// No resumption: no tickets, no session ids.
    Off,
}

macro_rules! display_as_str {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}

display_as_str!(Library, Group);

/// Everything that can be set on a [`Server`](super::Server).
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The server's certificate chain and key.
    pub identity: Identity,
    /// The versions it speaks. At least one.
    pub protocols: Vec<Protocol>,
    /// The groups it takes, best first. At least one.
    pub groups: Vec<Group>,
    /// How many tickets follow a full handshake of TLS 1.3, exactly.
    ///
    /// After a resumed handshake rustls sends as many again, while OpenSSL sends one.
    pub tickets: usize,
    /// How long sessions live; `None` is the library's choice (rustls 12 hours, OpenSSL 2 hours).
    ///
    /// Both libraries announce the lifetime and then decline older sessions, but there are limits:
    /// rustls honours it for [`ServerResumption::Tickets`] only and always says 24 hours for the
    /// tickets of its cache. Whole seconds count, and TLS 1.3 allows seven days at most.
    pub lifetime: Option<Duration>,
    /// How clients may resume.
    pub resumption: ServerResumption,
    /// The keys that seal the tickets of [`ServerResumption::Tickets`]; `None` draws some for this
    /// server alone. Servers with the same ones take each other's tickets.
    pub ticket_keys: Option<TicketKeys>,
    /// The application protocols it speaks, best first. Empty ignores what the client offers; else
    /// a client that offers only other ones is refused.
    pub alpn: Vec<Vec<u8>>,
    /// When set, clients have to present a certificate that leads to this root.
    ///
    /// In TLS 1.2, OpenSSL takes an ECDSA certificate only if its curve is among the groups. An
    /// OpenSSL server therefore adds P-256 to the end of its list when it has to.
    pub client_root: Option<CertificateDer<'static>>,
    /// How many bytes of early data a ticket of TLS 1.3 allows; 0 is none.
    ///
    /// Early data makes the tickets stateful on both libraries, so that each is accepted once:
    /// [`ServerResumption::Tickets`] then acts as [`ServerResumption::SessionIds`] for TLS 1.3 (on
    /// rustls for TLS 1.2, too), unless [`OpenSslOnly::accepts_replays`] says otherwise. OpenSSL
    /// reads 16 KiB at most, whatever it announces.
    pub max_early_data: u32,
    /// What only a rustls server can be told.
    pub rustls: RustlsOnly,
    /// What only an OpenSSL server can be told.
    pub openssl: OpenSslOnly,
}

/// What only a rustls server can be told, mostly to make it misbehave: see [`crate::faults`].
#[derive(Clone, Debug, Default)]
pub struct RustlsOnly {
    /// Makes the tickets of [`ServerResumption::Tickets`] instead of rustls's own ticketer.
    /// [`ServerSettings::lifetime`] and [`ServerSettings::ticket_keys`] then count for nothing. Servers that share it accept each
    /// other's tickets.
    pub ticketer: Option<Arc<dyn ProducesTickets>>,
    /// The cipher suites it takes; `None` is all that there are.
    pub ciphers: Option<Vec<CipherSuite>>,
}

/// What only an OpenSSL server can be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenSslOnly {
    /// Speaks TLS 1.0 and 1.1 and nothing newer, as servers did before 2008, whatever
    /// [`ServerSettings::protocols`] says. A handshake of these versions is reported by nobody:
    /// [`Protocol`] has no word for them.
    pub outdated: bool,
    /// Takes early data as often as it comes (`SSL_OP_NO_ANTI_REPLAY`): its tickets are then
    /// self-contained in spite of [`ServerSettings::max_early_data`].
    pub accepts_replays: bool,
}

impl ServerSettings {
    /// Both protocol versions, X25519 only, two tickets, and nothing else.
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            protocols: Protocol::ALL.to_vec(),
            groups: vec![Group::X25519],
            tickets: 2,
            lifetime: None,
            resumption: ServerResumption::Tickets,
            ticket_keys: None,
            alpn: Vec::new(),
            client_root: None,
            max_early_data: 0,
            rustls: RustlsOnly::default(),
            openssl: OpenSslOnly::default(),
        }
    }

    /// Whether sessions live in the server's cache, at least those of TLS 1.3.
    pub(super) fn keeps_sessions(&self) -> bool {
        match self.resumption {
            ServerResumption::Tickets => self.max_early_data > 0,
            ServerResumption::SessionIds => true,
            ServerResumption::Off => false,
        }
    }
}
