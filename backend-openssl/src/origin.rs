//! What the sessions of one full handshake have in common.

use std::sync::OnceLock;

use openssl::ssl::SslRef;
use store_core::{Chain, Chains};

use crate::verification::Verification;

/// Whether OpenSSL has the peer's certificate on a resumed connection, too.
///
/// It makes no difference to what is verified, nor to what
/// [`Connection::offered_chain`](crate::Connection::offered_chain) knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PeerCertificate {
    /// It has: a session that is ready to be offered keeps the parsed certificates alive, 7 to 15
    /// kB of them with two, and one that is not takes as long to be made ready as a resumed TLS 1.2
    /// handshake. `SSL_get_peer_cert_chain` on a resumed connection has the whole chain or none,
    /// depending on whether the session was ready.
    #[default]
    Keep,
    /// It has not: `SSL_get0_peer_certificate` is empty on resumed connections. A session that is
    /// ready takes about 1.2 kB, and one that is not takes a tenth of that time.
    Strip,
}

/// How the peer of a full handshake was verified, and its certificates. Sessions of handshakes
/// that descend from it have it, too.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) verification: Verification,
    pub(crate) chain: Chain,
    pub(crate) policy: PeerCertificate,
}

impl Origin {
    /// Of a full handshake that has shown this.
    pub(crate) fn of(ssl: &SslRef, shown: Verification, policy: PeerCertificate) -> Self {
        // At most what OpenSSL takes from a peer, 100 kB if nothing else is set.
        let sent = ssl.peer_cert_chain().into_iter().flatten();
        let sent: Vec<_> = sent
            .filter_map(|certificate| certificate.to_der().ok())
            .collect();
        let chain = chains().intern(sent.iter().map(Vec::as_slice));
        Self {
            verification: shown,
            chain,
            policy,
        }
    }

    /// Of a session that was written down, which kept the peer's own certificate only.
    pub(crate) fn read(verification: Verification, peer: Option<&[u8]>) -> Self {
        Self {
            verification,
            chain: chains().intern(peer),
            policy: PeerCertificate::Keep,
        }
    }

    /// The peer's own certificate.
    pub(crate) fn peer(&self) -> Option<&[u8]> {
        self.chain.iter().next()
    }

    /// Bytes that this occupies without the certificates.
    pub(crate) fn bytes(&self) -> usize {
        let Verification { name, own, .. } = &self.verification;
        let name = name.as_ref().map_or(0, |name| name.len());
        let own = own.as_ref().map_or(0, |own| own.len());
        size_of::<Self>() + 2 * size_of::<usize>() + name + own
    }
}

/// Certificates are public and the same for every store: one table for the process.
fn chains() -> &'static Chains {
    static CHAINS: OnceLock<Chains> = OnceLock::new();
    CHAINS.get_or_init(Chains::default)
}
