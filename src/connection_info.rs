//! Properties of a connection after its handshake, for every backend and every kind of stream.

use std::fmt;
use std::time::Duration;

use pki_types::CertificateDer;

use crate::Protocol;

/// How a handshake used the session store, as the TLS library reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resumption {
    /// A full handshake: there was no session to offer.
    Full,
    /// The session that was offered was resumed.
    Resumed,
    /// A session was offered, and the server made a full handshake instead.
    Declined,
}

/// The properties of a TLS connection: methods of both the blocking
/// [`Stream`](crate::generic::Stream) and the stream for tokio.
///
/// Streams dereference to it: call `stream.protocol()`.
pub struct ConnectionInfo<T> {
    pub(crate) tls: T,
}

impl<T: Connection> ConnectionInfo<T> {
    pub(crate) fn new(tls: T) -> Self {
        Self { tls }
    }

    /// The version of TLS that was negotiated.
    pub fn protocol(&self) -> Protocol {
        self.tls.details().protocol()
    }

    /// Whether the handshake was resumed, as the TLS library reports it.
    pub fn resumption(&self) -> Resumption {
        let details = self.tls.details();
        match (details.resumed(), details.offered()) {
            (true, _) => Resumption::Resumed,
            (false, true) => Resumption::Declined,
            (false, false) => Resumption::Full,
        }
    }

    /// Whether a session was offered.
    pub fn offered(&self) -> bool {
        self.tls.details().offered()
    }

    /// Sessions received so far, stored or not: TLS 1.3 tickets, or the session of a TLS 1.2
    /// handshake. After a resumed TLS 1.2 handshake, OpenSSL counts a session only if the server
    /// renewed it; rustls stores the session again and counts it in any case. Zero for a host in
    /// [`never_resume`](crate::generic::ConnectorBuilder::never_resume).
    pub fn tickets(&self) -> usize {
        self.tls.details().tickets()
    }

    /// The lifetime that the server gave the session received last; zero if it gave none. `None`
    /// before the first, and always with rustls 0.23, which does not expose it.
    pub fn lifetime(&self) -> Option<Duration> {
        self.tls.details().lifetime()
    }

    /// Bytes of early data that the sessions received allow (RFC 8446, section 4.2.10): with rustls
    /// the largest number, with OpenSSL that of the last session. Zero if they allow none; `None`
    /// before the first, and with rustls also after a TLS 1.2 session.
    pub fn max_early_data(&self) -> Option<u32> {
        self.tls.details().max_early_data()
    }

    /// The server's certificates, its own first; on a resumed connection those of the full
    /// handshake that the session comes from. If that session came from a tier, OpenSSL has the
    /// server's own certificate only.
    pub fn peer_certificates(&self) -> Vec<CertificateDer<'static>> {
        self.tls.details().peer_certificates()
    }

    /// The application protocol that the server chose by ALPN (RFC 7301); `None` if it chose none.
    pub fn alpn(&self) -> Option<Vec<u8>> {
        self.tls.details().alpn()
    }

    /// The cipher suite by its name in IANA's registry, such as `TLS_AES_128_GCM_SHA256`.
    pub fn cipher(&self) -> Option<String> {
        self.tls.details().cipher()
    }

    /// The key-exchange group by its number in IANA's "TLS Supported Groups" registry; `None` if
    /// there was no key exchange.
    pub fn group(&self) -> Option<u16> {
        self.tls.details().group()
    }

    /// Revokes the sessions that this connection stored, and the TLS 1.2 session that it offered:
    /// for an application whose own check of the server fails after the handshake. If the connection was
    /// resumed, also the session that it resumed and all older ones of the server: a server that lost
    /// the client's identity answers the next connection after a full handshake. Sessions received on
    /// this connection later are not stored.
    pub fn forget(&self) {
        self.tls.details().forget();
    }
}

impl<T: Connection> fmt::Debug for ConnectionInfo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionInfo")
            .field("protocol", &self.protocol())
            .field("resumption", &self.resumption())
            .finish_non_exhaustive()
    }
}

/// A connection of a TLS library, blocking or not.
pub trait Connection {
    fn details(&self) -> impl Details;
}

/// A TLS library's answers to the methods of [`ConnectionInfo`].
pub trait Details {
    fn protocol(&self) -> Protocol;
    /// Whether the connection has a handle, which stores its sessions and counts them.
    fn keeps_sessions(&self) -> bool;
    fn offered(&self) -> bool;
    fn resumed(&self) -> bool;
    fn tickets(&self) -> usize;
    fn lifetime(&self) -> Option<Duration>;
    fn max_early_data(&self) -> Option<u32>;
    fn peer_certificates(&self) -> Vec<CertificateDer<'static>>;
    fn alpn(&self) -> Option<Vec<u8>>;
    fn cipher(&self) -> Option<String>;
    fn group(&self) -> Option<u16>;
    fn forget(&self);
}
