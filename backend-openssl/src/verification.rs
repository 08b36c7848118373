//! How the peer of a session was verified, and how one must be for a connection.

use std::fmt::Write as _;

use foreign_types::ForeignTypeRef;
use openssl::hash::MessageDigest;
use openssl::ssl::{SslRef, SslVerifyMode};
use openssl::x509::X509VerifyResult;

use crate::ffi;

/// How the peer of a session was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verification {
    /// The certificate had to be valid (`SSL_VERIFY_PEER`), and it was.
    pub(crate) peer: bool,
    /// The names and addresses that the certificate had to be for.
    pub(crate) name: Option<Box<str>>,
    /// The digest of the client's own certificate, where it is not that of the context, which the
    /// security domain covers.
    pub(crate) own: Option<Box<[u8]>>,
}

impl Verification {
    /// What a full handshake of the connection has shown, or nothing if verification was demanded
    /// and did not succeed (a verify callback may have let it pass: that verdict cannot be
    /// repeated on resumption, so such a session is not kept).
    pub(crate) fn shown_by(ssl: &SslRef) -> Option<Self> {
        let shown = Demands::of(ssl, Address::Ask);
        // Without a certificate, as with a pre-shared key, the result is OK as well.
        let verified =
            || ssl.verify_result() == X509VerifyResult::OK && ssl.peer_certificate().is_some();
        (!shown.peer || verified()).then(|| shown.into_verification())
    }

    /// Whether a session verified like this may be resumed by a connection with these demands. A
    /// resumed handshake verifies nothing itself: not the chain, not the name; and the server may
    /// take the client for who it was in the full one.
    pub(crate) fn satisfies(&self, demanded: &Demands<'_>) -> bool {
        let peer = self.peer || !demanded.peer;
        // Demanded even if the peer need not be valid: an application may look at the result of
        // the verification, which a resumed connection takes from the session.
        let name = demanded.names.are_none() || demanded.names.are(self.name.as_deref());
        peer && name && self.own == demanded.own
    }
}

/// Whether a connection demands an IP address of its peer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Address {
    /// To be asked, which is slow: that there is none is an error to OpenSSL.
    Ask,
    /// It does not, which is known.
    None,
}

/// What a connection demands of its peer, as it is configured now.
pub(crate) struct Demands<'a> {
    peer: bool,
    names: Names<'a>,
    own: Option<Box<[u8]>>,
}

impl<'a> Demands<'a> {
    pub(crate) fn of(ssl: &'a SslRef, address: Address) -> Self {
        Self {
            peer: ssl.verify_mode().contains(SslVerifyMode::PEER),
            names: Names::of(ssl, address),
            own: own_certificate(ssl),
        }
    }

    /// Whether a session that was verified like this was demanded just the same.
    pub(crate) fn are(&self, verification: &Verification) -> bool {
        self.peer == verification.peer
            && self.names.are(verification.name.as_deref())
            && self.own == verification.own
    }

    pub(crate) fn into_verification(self) -> Verification {
        Verification {
            peer: self.peer,
            name: self.names.into_text(),
            own: self.own,
        }
    }
}

/// All that a peer must prove to be.
enum Names<'a> {
    None,
    /// One host, as nearly always, and how it is matched: compared where it stands.
    Host(&'a str, u32),
    /// Anything else, as text.
    Text(Box<str>),
}

impl<'a> Names<'a> {
    fn of(ssl: &'a SslRef, address: Address) -> Self {
        let address = match address {
            Address::Ask => ffi::address(ssl),
            Address::None => None,
        };
        let (host, email) = (ffi::host(ssl, 0), ffi::email(ssl));
        let only = host.is_some() && email.is_none() && address.is_none();
        if only
            && ffi::host(ssl, 1).is_none()
            && let Some(Ok(host)) = host.map(str::from_utf8)
        {
            return Self::Host(host, ffi::host_flags(ssl));
        }
        // No name has a zero byte: a list can be read in one way only.
        let mut text = String::new();
        let mut add = |kind: &str, name: &[u8]| {
            text.extend([kind, &String::from_utf8_lossy(name), "\0"]);
        };
        for host in (0..).map_while(|index| ffi::host(ssl, index)) {
            add("host ", host);
        }
        if let Some(email) = email {
            add("email ", email);
        }
        if let Some(address) = &address {
            add("address ", address.as_bytes());
        }
        if text.is_empty() {
            return Self::None;
        }
        // Writing to a string does not fail.
        let _ = write!(text, "flags {:x}", ffi::host_flags(ssl));
        Self::Text(text.into())
    }

    fn are_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether this is their text.
    fn are(&self, text: Option<&str>) -> bool {
        match self {
            Self::None => text.is_none(),
            Self::Host(host, flags) => {
                let rest = text.and_then(|text| text.strip_prefix("host "));
                let rest = rest.and_then(|rest| rest.strip_prefix(host));
                let digits = rest.and_then(|rest| rest.strip_prefix("\0flags "));
                digits.is_some_and(|digits| u32::from_str_radix(digits, 16) == Ok(*flags))
            }
            Self::Text(own) => text == Some(own),
        }
    }

    fn into_text(self) -> Option<Box<str>> {
        match self {
            Self::None => None,
            Self::Host(host, flags) => Some(format!("host {host}\0flags {flags:x}").into()),
            Self::Text(text) => Some(text),
        }
    }
}

/// The digest of the certificate that a connection was given for itself alone.
fn own_certificate(ssl: &SslRef) -> Option<Box<[u8]>> {
    let own = ssl.certificate()?;
    let of_context = ssl.ssl_context().certificate();
    if of_context.is_some_and(|shared| shared.as_ptr() == own.as_ptr()) {
        return None;
    }
    // What cannot be told apart is nobody's: an empty digest is that of no certificate.
    let digest = own.digest(MessageDigest::sha256());
    Some(digest.map_or_else(|_| Box::default(), |digest| Box::from(&*digest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demands(verification: &Verification) -> Demands<'_> {
        let text = verification.name.as_deref();
        Demands {
            peer: verification.peer,
            names: text.map_or(Names::None, |text| Names::Text(text.into())),
            own: verification.own.clone(),
        }
    }

    /// R4: a session is offered only where its own verification was at least as strict.
    #[test]
    fn verification_satisfies_what_demands_no_more() {
        let of = |peer, name: Option<&str>| Verification {
            peer,
            name: name.map(Into::into),
            own: None,
        };
        let satisfies = |one: &Verification, other: &Verification| one.satisfies(&demands(other));
        let strict = of(true, Some("a"));
        assert!(satisfies(&strict, &strict));
        assert!(satisfies(&strict, &of(false, None)));
        assert!(satisfies(&strict, &of(true, None)));
        assert!(!satisfies(&of(true, None), &strict));
        assert!(!satisfies(&of(false, Some("a")), &strict));
        assert!(!satisfies(&of(true, Some("b")), &strict));
        assert!(!satisfies(&of(false, Some("b")), &of(false, Some("a"))));
    }

    /// One host is compared where it stands, and means what its text does.
    #[test]
    fn one_host_is_its_text_and_no_other() {
        let host = Names::Host("a.example", 0x1f);
        let text = Names::Host("a.example", 0x1f).into_text();
        assert_eq!(text.as_deref(), Some("host a.example\0flags 1f"));
        assert!(host.are(text.as_deref()));
        for other in [
            None,
            Some(""),
            Some("host a.example\0flags 1"),
            Some("host a.example\0flags 1f0"),
            Some("host a.example\0flags "),
            Some("host a.example.\0flags 1f"),
            Some("host a.exampl\0flags 1f"),
            Some("host a.example\0host b.example\0flags 1f"),
            Some("host a.example\0address 192.0.2.1\0flags 1f"),
            Some("email a.example\0flags 1f"),
        ] {
            assert!(!host.are(other), "{other:?}");
        }
    }
}
