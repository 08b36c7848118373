//! The settings of a server, for either library.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pki_types::CertificateDer;
use rustls::CipherSuite;
use rustls::server::ProducesTickets;

pub use store_core::Protocol;

use super::ticket_keys::TicketKeys;
use crate::certificate::Identity;

/// A TLS library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Library {
    /// rustls with aws-lc-rs.
    Rustls,
    /// OpenSSL: the system's, or the vendored one.
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

    /// Whether this library, as linked, has the group. OpenSSL has ML-KEM since 3.5.
    pub fn supports(self, group: Group) -> bool {
        const OPENSSL_3_5: i64 = 0x3050_0000;
        match (self, group) {
            (Self::OpenSsl, Group::X25519MlKem768) => openssl::version::number() >= OPENSSL_3_5,
            _ => true,
        }
    }
}

/// A key-exchange group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// X25519.
    X25519,
    /// X25519 with ML-KEM-768, in TLS 1.3 only.
    X25519MlKem768,
    /// NIST P-256.
    P256,
}

impl Group {
    /// The name in OpenSSL's group lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X25519 => "X25519",
            Self::X25519MlKem768 => "X25519MLKEM768",
            Self::P256 => "P-256",
        }
    }
}

/// How a server supports resumption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServerResumption {
    /// Self-contained tickets, encrypted with keys that only the server has.
    ///
    /// A ticket can be used any number of times: neither library records the use of one.
    Tickets,
    /// A session cache in the server: session ids in TLS 1.2, and in TLS 1.3 tickets that are the
    /// id of a cached session.
    ///
    /// rustls removes a session of TLS 1.3 from the cache when it is used; OpenSSL keeps it.
    SessionIds,
    /// Neither tickets nor session ids.
    Off,
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The settings of a [`Server`](super::Server).
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The server's certificate chain and key.
    pub identity: Identity,
    /// The supported versions. At least one.
    pub protocols: Vec<Protocol>,
    /// The supported groups, preferred first. At least one.
    pub groups: Vec<Group>,
    /// How many tickets the server sends after a full handshake of TLS 1.3.
    ///
    /// After a resumed handshake rustls sends as many again, and OpenSSL sends one.
    pub tickets: usize,
    /// The lifetime of sessions, in whole seconds. `None` is the library's default (rustls 12
    /// hours, OpenSSL 2 hours); TLS 1.3 allows seven days at most.
    ///
    /// The server announces the lifetime and declines older sessions. A rustls server does so for
    /// [`ServerResumption::Tickets`] only, and announces 24 hours for the tickets of its cache.
    pub lifetime: Option<Duration>,
    /// How clients may resume sessions.
    pub resumption: ServerResumption,
    /// The keys that encrypt the tickets of [`ServerResumption::Tickets`]. Servers with the same
    /// keys accept each other's tickets. `None` generates keys for this server.
    pub ticket_keys: Option<TicketKeys>,
    /// The supported application protocols, preferred first. If empty, the server ignores the
    /// client's; otherwise the handshake fails if the client offers others only.
    pub alpn: Vec<Vec<u8>>,
    /// If set, clients have to present a certificate that chains to this root.
    ///
    /// In TLS 1.2, OpenSSL accepts an ECDSA certificate only if its curve is among the groups, so
    /// an OpenSSL server then appends P-256 to its groups.
    pub client_root: Option<CertificateDer<'static>>,
    /// How many bytes of early data a ticket of TLS 1.3 allows; 0 disables early data.
    ///
    /// With early data both libraries keep sessions in a cache, so that each ticket is accepted
    /// once: TLS 1.3 (on rustls TLS 1.2, too) then uses [`ServerResumption::SessionIds`] instead of
    /// [`ServerResumption::Tickets`], unless [`OpenSslOnly::accepts_replays`] is set. OpenSSL reads
    /// 16 KiB at most, whatever it announces.
    pub max_early_data: u32,
    /// Settings of a rustls server only.
    pub rustls: RustlsOnly,
    /// Settings of an OpenSSL server only.
    pub openssl: OpenSslOnly,
}

/// Settings of a rustls server only, mostly for [`crate::faults`].
#[derive(Clone, Debug, Default)]
pub struct RustlsOnly {
    /// Makes the tickets of [`ServerResumption::Tickets`] instead of rustls's own ticketer, without
    /// regard to [`ServerSettings::lifetime`] and [`ServerSettings::ticket_keys`]. Servers that
    /// share it accept each other's tickets.
    pub ticketer: Option<Arc<dyn ProducesTickets>>,
    /// The supported cipher suites; `None` is all of the library's.
    pub ciphers: Option<Vec<CipherSuite>>,
}

/// Settings of an OpenSSL server only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct OpenSslOnly {
    /// Supports TLS 1.0 and 1.1 only, whatever [`ServerSettings::protocols`] says. Handshakes of
    /// these versions are not reported, since [`Protocol`] does not have them.
    pub outdated: bool,
    /// Accepts replayed early data (`SSL_OP_NO_ANTI_REPLAY`): tickets are then self-contained in
    /// spite of [`ServerSettings::max_early_data`].
    pub accepts_replays: bool,
    /// Asks for client certificates, without requiring one, and has no session-id context: OpenSSL
    /// then ends a handshake with `internal_error` whenever a session is offered.
    pub no_session_id_context: bool,
    /// Sends no ticket after a resumed handshake of TLS 1.3: a client is to use its ticket again. Postfix
    /// does so.
    pub renews_nothing: bool,
}

impl ServerSettings {
    /// Both protocol versions, X25519, two tickets, and the defaults for the rest.
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

    /// Whether the server keeps sessions in its cache, at least those of TLS 1.3.
    pub(super) fn caches_sessions(&self) -> bool {
        match self.resumption {
            ServerResumption::Tickets => self.max_early_data > 0,
            ServerResumption::SessionIds => true,
            ServerResumption::Off => false,
        }
    }
}
