//! Properties of a connection after its handshake, for every backend and every kind of stream.

use std::fmt;
use std::io;
use std::time::Duration;

use pki_types::CertificateDer;

use crate::{ApplicationData, ApplicationDataError, NamedGroup, Protocol};

/// The most bytes that HKDF derives with SHA-256 (RFC 5869, section 2.3).
const MAX_OUTPUT: usize = 255 * 32;
/// The most bytes of a label: 255 with its prefix `tls13 ` (RFC 8446, section 7.1).
const MAX_LABEL: usize = 249;

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

    /// The key-exchange group; `None` if there was no key exchange.
    pub fn group(&self) -> Option<NamedGroup> {
        self.tls.details().group().map(NamedGroup::from)
    }

    /// Fills `output` with keying material that both ends of this connection, and nobody else, can derive
    /// (RFC 5705; RFC 8446, section 7.5). `label` and `context` separate uses: labels are in IANA's "TLS
    /// Exporter Labels" registry. In TLS 1.2, no context and an empty one give different material.
    ///
    /// A resumed connection has other material than the one that its session comes from. Fails with
    /// [`io::ErrorKind::InvalidInput`] if `output` is empty or has more than the 8,160 bytes that TLS 1.3
    /// derives with SHA-256, if `label` has more than 249 bytes, or `context` more than 65,535. In TLS
    /// 1.2, OpenSSL before 3.3 takes 958 bytes of both together.
    pub fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &str,
        context: Option<&[u8]>,
    ) -> io::Result<()> {
        let invalid = |error: Box<dyn std::error::Error + Send + Sync>| {
            io::Error::new(io::ErrorKind::InvalidInput, error)
        };
        // Libraries differ: some panic.
        let fits = (1..=MAX_OUTPUT).contains(&output.len())
            && label.len() <= MAX_LABEL
            && context.is_none_or(|context| u16::try_from(context.len()).is_ok());
        if !fits {
            let message = "no keying material is exported for an empty output, or for a long output, \
                 label or context";
            return Err(invalid(message.into()));
        }
        let exported = self.tls.details().export(output, label, context);
        exported.map_err(invalid)
    }

    /// The channel binding `tls-exporter` of this connection (RFC 9266), which authentication inside it,
    /// such as SCRAM, can be bound to.
    ///
    /// `None` if the connection is not safe to bind to: in TLS 1.2 that needs the extended master secret
    /// (RFC 7627). rustls does not tell whether it was negotiated, so there it is `None` in TLS 1.2.
    pub fn tls_exporter(&self) -> Option<[u8; 32]> {
        let details = self.tls.details();
        if details.protocol() == Protocol::Tls12 && !details.has_extended_master_secret() {
            return None;
        }
        let mut binding = [0; 32];
        let (label, context) = ("EXPORTER-Channel-Binding", Some(&[][..]));
        let exported = details.export(&mut binding, label, context);
        exported.is_ok().then_some(binding)
    }

    /// What the application keeps beside the sessions of this connection: what it has
    /// [set](Self::set_application_data), else what it kept beside the session that was resumed.
    ///
    /// `None` if that is nothing, and after a full handshake until it is set.
    pub fn application_data(&self) -> Option<ApplicationData> {
        self.tls.details().application_data()
    }

    /// Keeps `data` beside the sessions of this connection, of which a connection that resumes one gets it
    /// back: what the application learned from the server and need not ask again, such as the answer to
    /// SMTP's EHLO. Replaces what was kept before; nothing is kept if it is empty.
    ///
    /// It goes with those received later, too, so it can be set at any time. Sessions that another connection
    /// has taken before, or that have moved to a tier, do not have it. It is stored as sessions are, sealed
    /// in a tier, and its bytes count as theirs. Data of more than [`ApplicationData::MAX`] bytes is an
    /// error, and what was kept before stays. Does nothing on a connection that stores no sessions.
    ///
    /// The server is not bound to it: it may have changed since. Treat it as what the server said once.
    pub fn set_application_data(&self, data: &[u8]) -> Result<(), ApplicationDataError> {
        let is_empty = data.is_empty();
        let data = (!is_empty).then(|| ApplicationData::try_from(data));
        let data = data.transpose()?;
        self.tls.details().set_application_data(data);
        Ok(())
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
    /// Its number in IANA's "TLS Supported Groups" registry.
    fn group(&self) -> Option<u16>;
    /// Fills `output` with keying material.
    fn export(
        &self,
        output: &mut [u8],
        label: &str,
        context: Option<&[u8]>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
    /// Whether a TLS 1.2 connection is known to have the extended master secret: rustls does not tell.
    fn has_extended_master_secret(&self) -> bool {
        false
    }
    fn application_data(&self) -> Option<ApplicationData>;
    fn set_application_data(&self, data: Option<ApplicationData>);
    fn forget(&self);
}
