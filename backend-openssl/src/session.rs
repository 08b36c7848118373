//! A stored session, and how its peer was verified.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use foreign_types::ForeignTypeRef;
use openssl::hash::MessageDigest;
use openssl::ssl::{SslRef, SslSession, SslSessionRef, SslVerifyMode, SslVersion};
use openssl::stack::StackRef;
use openssl::x509::{X509, X509Ref, X509VerifyResult};
use store_core::{Entry, Storable, Timestamp, Usage};

use crate::ffi;

/// Bytes of a duplicate itself, and of each certificate of the peer that it keeps alive in parsed
/// form. Measured on OpenSSL 3.6: 8.6 kB (TLS 1.3) to 15.7 kB (TLS 1.2) with two certificates.
const OBJECT_BYTES: usize = 1_200;
const CERTIFICATE_BYTES: usize = 6 * 1024;
/// Large certificates weigh a multiple of their encoding, which is kept twice beside the parsed
/// names: 4.7 with 600 names.
const PARSED: usize = 5;

/// An OpenSSL session as the store keeps it: an object of its own, which nothing changes, and the
/// facts of its verification. OpenSSL wipes its secrets when the last reference is dropped.
pub struct Session {
    inner: SslSession,
    verification: Verification,
}

/// How the peer of a session was verified, or must be verified for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verification {
    /// The certificate had to be valid (`SSL_VERIFY_PEER`), and it was.
    pub(crate) peer: bool,
    /// The names and addresses that the certificate had to be for.
    pub(crate) name: Option<Arc<str>>,
    /// The digest of the client's own certificate, where it is not that of the context, which the
    /// security domain covers.
    pub(crate) own: Option<Arc<[u8]>>,
}

impl Session {
    /// A session that nobody else has.
    pub(crate) fn new(inner: SslSession, verification: Verification) -> Self {
        Self {
            inner,
            verification,
        }
    }

    /// A private copy of what OpenSSL hands out. Taken inside the `new_session` callback, it stays
    /// good whatever happens to the connection.
    pub(crate) fn copy_of(session: &SslSessionRef, verification: Verification) -> Option<Self> {
        Some(Self::new(ffi::duplicate(session)?, verification))
    }

    pub(crate) fn as_ssl(&self) -> &SslSessionRef {
        &self.inner
    }

    pub(crate) fn verification(&self) -> &Verification {
        &self.verification
    }

    /// The session as an entry that a full handshake gave at `now`; `chain` is what the peer
    /// sent.
    pub(crate) fn into_entry(self, chain: Option<&StackRef<X509>>, now: Timestamp) -> Entry<Self> {
        let lifetime = Duration::from_secs(ffi::ticket_lifetime(&self.inner));
        let usage = usage(&self.inner);
        let weight = self.weight(chain);
        Entry::new(self, usage, Some(lifetime), weight, now)
    }

    /// Bytes that it occupies with the certificates that it keeps alive: `chain`, or the peer's
    /// own.
    pub(crate) fn weight(&self, chain: Option<&StackRef<X509>>) -> usize {
        let weigh = |certificate: &X509Ref| {
            CERTIFICATE_BYTES.max(PARSED.saturating_mul(ffi::certificate_len(certificate)))
        };
        let certificates = match chain {
            Some(chain) => chain.iter().map(weigh).fold(0, usize::saturating_add),
            None => ffi::peer(&self.inner).map_or(0, weigh),
        };
        (OBJECT_BYTES + ffi::ticket_len(&self.inner)).saturating_add(certificates)
    }
}

impl Storable for Session {
    fn duplicate(&self) -> Option<Self> {
        Self::copy_of(&self.inner, self.verification.clone())
    }
}

impl fmt::Debug for Session {
    /// Shows how the peer was verified, never the session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("verification", &self.verification)
            .finish_non_exhaustive()
    }
}

/// TLS 1.3 tickets are used once, sessions of earlier versions until they expire.
pub(crate) fn usage(session: &SslSessionRef) -> Usage {
    if session.protocol_version() == SslVersion::TLS1_3 {
        Usage::SingleUse
    } else {
        Usage::Reusable
    }
}

impl Verification {
    /// What the connection demands of its peer, as it is configured now.
    pub(crate) fn demanded_by(ssl: &SslRef) -> Self {
        let peer = ssl.verify_mode().contains(SslVerifyMode::PEER);
        Self {
            peer,
            name: ffi::demanded_names(ssl).map(Into::into),
            own: own_certificate(ssl),
        }
    }

    /// What a full handshake of the connection has shown, or nothing if verification was demanded
    /// and did not succeed (a verify callback may have let it pass: that verdict cannot be
    /// repeated on resumption, so such a session is not kept).
    pub(crate) fn shown_by(ssl: &SslRef) -> Option<Self> {
        let shown = Self::demanded_by(ssl);
        // Without a certificate, as with a pre-shared key, the result is OK as well.
        let verified =
            || ssl.verify_result() == X509VerifyResult::OK && ssl.peer_certificate().is_some();
        (!shown.peer || verified()).then_some(shown)
    }

    /// Whether a session verified like this may be resumed by a connection with these demands. A
    /// resumed handshake verifies nothing itself: not the chain, not the name; and the server may
    /// take the client for who it was in the full one.
    pub(crate) fn satisfies(&self, demanded: &Self) -> bool {
        let peer = self.peer || !demanded.peer;
        // Demanded even if the peer need not be valid: an application may look at the result of
        // the verification, which a resumed connection takes from the session.
        let name = demanded.name.is_none() || self.name == demanded.name;
        peer && name && self.own == demanded.own
    }
}

/// The digest of the certificate that a connection was given for itself alone.
fn own_certificate(ssl: &SslRef) -> Option<Arc<[u8]>> {
    let own = ssl.certificate()?;
    let of_context = ssl.ssl_context().certificate();
    if of_context.is_some_and(|shared| shared.as_ptr() == own.as_ptr()) {
        return None;
    }
    // What cannot be told apart is nobody's: an empty digest is that of no certificate.
    let digest = own.digest(MessageDigest::sha256());
    Some(digest.map_or_else(|_| Arc::default(), |digest| Arc::from(&*digest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R4: a session is offered only where its own verification was at least as strict.
    #[test]
    fn verification_satisfies_what_demands_no_more() {
        let of = |peer, name: Option<&str>| Verification {
            peer,
            name: name.map(Into::into),
            own: None,
        };
        let strict = of(true, Some("a"));
        assert!(strict.satisfies(&strict));
        assert!(strict.satisfies(&of(false, None)));
        assert!(strict.satisfies(&of(true, None)));
        assert!(!of(true, None).satisfies(&strict));
        assert!(!of(false, Some("a")).satisfies(&strict));
        assert!(!of(true, Some("b")).satisfies(&strict));
        assert!(!of(false, Some("b")).satisfies(&of(false, Some("a"))));
    }
}
