//! The peer of a full handshake: how it was verified, and its certificates.

use std::sync::{Arc, OnceLock};

use openssl::ssl::SslRef;
use store_core::{ApplicationData, Chain, Chains, Timestamp};

use crate::not_after;
use crate::verification::Verification;

/// Whether OpenSSL itself has the peer's certificate on resumed connections.
///
/// It changes neither what is verified nor what
/// [`Connection::offered_chain`](crate::Connection::offered_chain) returns.
///
/// The store keeps sessions in use as `SSL_SESSION` objects and packs others to DER
/// ([`Limits::unpacked_sessions`](store_core::Limits::unpacked_sessions)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PeerCertificate {
    /// Sessions keep the certificate. An unpacked session keeps the parsed certificates alive: 7
    /// to 15 kB with a chain of two. Unpacking a session takes as long as a resumed TLS 1.2
    /// handshake. On a resumed connection `SSL_get_peer_cert_chain` returns the whole chain if the
    /// session was never packed, and nothing otherwise.
    #[default]
    Keep,
    /// Sessions drop the certificate: `SSL_get0_peer_certificate` returns null on resumed
    /// connections. An unpacked session takes about 1.2 kB (in TLS 1.2 with a spare copy 2.4 kB),
    /// and unpacking takes a tenth of the time.
    Strip,
}

/// How the peer of a full handshake was verified, and its certificates.
///
/// All sessions that descend from the handshake share it.
#[derive(Clone)]
pub(crate) struct PeerInfo {
    pub(crate) verification: Verification,
    pub(crate) chain: Chain,
    pub(crate) policy: PeerCertificate,
    /// When the certificates expire on which the sessions stand: the verified chain of the server, and
    /// the client's own.
    pub(crate) not_after: Timestamp,
    /// What the application keeps beside the session. Here, since a resumed handshake, whose sessions
    /// inherit it, passes the peer on without a look at it.
    pub(crate) application_data: Option<ApplicationData>,
}

impl PeerInfo {
    /// The peer of the full handshake on `ssl`, verified as given: `known` if it is the same, which an
    /// earlier session of the handshake gave.
    pub(crate) fn new(
        ssl: &SslRef,
        verification: Verification,
        policy: PeerCertificate,
        known: Option<Arc<Self>>,
    ) -> Arc<Self> {
        // OpenSSL bounds what a peer sends: 100 kB by default.
        let sent = ssl.peer_cert_chain().into_iter().flatten();
        let sent: Vec<_> = sent
            .filter_map(|certificate| certificate.to_der().ok())
            .collect();
        let chain = chains().intern(sent.iter().map(Vec::as_slice));
        let is_same = |known: &Arc<Self>| {
            known.verification == verification && known.chain == chain && known.policy == policy
        };
        if let Some(known) = known.filter(is_same) {
            return known;
        }
        Arc::new(Self {
            not_after: not_after::of_handshake(ssl, verification.verified),
            verification,
            chain,
            policy,
            application_data: None,
        })
    }

    /// The peer of a decoded session. An encoding contains the peer's own certificate only.
    pub(crate) fn decoded(
        verification: Verification,
        not_after: Timestamp,
        certificate: Option<&[u8]>,
    ) -> Self {
        Self {
            verification,
            not_after,
            chain: chains().intern(certificate),
            policy: PeerCertificate::Keep,
            application_data: None,
        }
    }

    /// The peer's own certificate.
    pub(crate) fn certificate(&self) -> Option<&[u8]> {
        self.chain.iter().next()
    }

    /// Bytes of memory without the certificates, including the two counters of an `Arc`.
    pub(crate) fn bytes(&self) -> usize {
        let Verification {
            names,
            client_certificate,
            ..
        } = &self.verification;
        let names = names.as_ref().map_or(0, |names| names.len());
        let digest = client_certificate.as_ref().map_or(0, |digest| digest.len());
        let beside = self.application_data.as_ref();
        let beside = beside.map_or(0, ApplicationData::bytes);
        size_of::<Self>() + 2 * size_of::<usize>() + names + digest + beside
    }
}

/// One table of certificates for the process: they are public and the same for every store.
fn chains() -> &'static Chains {
    static CHAINS: OnceLock<Chains> = OnceLock::new();
    CHAINS.get_or_init(Chains::default)
}
