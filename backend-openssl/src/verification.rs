//! How the peer of a session was verified, and what a connection requires of its peer.

use std::borrow::Cow;

use foreign_types::ForeignTypeRef;
use openssl::hash::MessageDigest;
use openssl::ssl::{SslRef, SslVerifyMode};
use openssl::x509::X509VerifyResult;

use crate::ffi;

/// How the peer of a session was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verification {
    /// A valid certificate was required (`SSL_VERIFY_PEER`) and presented.
    pub(crate) verified: bool,
    /// The names and addresses that the certificate had to match.
    pub(crate) names: Option<Box<str>>,
    /// The digest of the client certificate, if it was set on the `SSL` alone. The security domain
    /// covers the certificate of the context.
    pub(crate) client_certificate: Option<Box<[u8]>>,
}

impl Verification {
    /// The verification made by the full handshake on `ssl`. `None` if verification was required
    /// and did not succeed: a verify callback may have accepted the peer, but it does not run on
    /// resumption, so such a session is not stored.
    pub(crate) fn after_handshake(ssl: &SslRef) -> Option<Self> {
        let required = Requirements::read(ssl);
        // The result is also OK without a certificate, as with a pre-shared key.
        let verified =
            || ssl.verify_result() == X509VerifyResult::OK && ssl.peer_certificate().is_some();
        (!required.verify_peer || verified()).then(|| required.into_verification())
    }

    /// Whether a connection with these requirements may resume a session verified like this. A
    /// resumed handshake verifies neither chain nor name, and the server may treat the client as
    /// the one of the full handshake.
    pub(crate) fn satisfies(&self, required: &Requirements<'_>) -> bool {
        let peer = self.verified || !required.verify_peer;
        // Names count even without `SSL_VERIFY_PEER`: the application may look at the verify
        // result, which a resumed connection takes from the session.
        let names = required.names.is_none() || required.names.equals(self.names.as_deref());
        peer && names && self.client_certificate == required.client_certificate
    }
}

/// What the settings of a context require of every peer that has a name: read once, so that a
/// connection need not ask OpenSSL.
pub(crate) struct ContextRequirements {
    verify_peer: bool,
    host_flags: Box<str>,
}

impl ContextRequirements {
    /// Reads them from an `Ssl` of the context that requires one host. `None` if it requires more,
    /// such as an address.
    pub(crate) fn read(ssl: &SslRef) -> Option<Self> {
        let required = Requirements::read(ssl);
        match required.names {
            Names::Host(_, host_flags) => Some(Self {
                verify_peer: required.verify_peer,
                host_flags: host_flags.into(),
            }),
            Names::None | Names::Text(_) => None,
        }
    }

    /// What a connection to `host`, a name and no address, requires.
    pub(crate) fn for_host<'a>(&'a self, host: &'a str) -> Requirements<'a> {
        Requirements {
            verify_peer: self.verify_peer,
            names: Names::Host(host, Cow::Borrowed(&self.host_flags)),
            client_certificate: None,
        }
    }
}

/// What a connection requires of its peer, as its `SSL` object is configured at the time of
/// reading.
pub(crate) struct Requirements<'a> {
    verify_peer: bool,
    names: Names<'a>,
    client_certificate: Option<Box<[u8]>>,
}

impl<'a> Requirements<'a> {
    pub(crate) fn read(ssl: &'a SslRef) -> Self {
        Self {
            verify_peer: ssl.verify_mode().contains(SslVerifyMode::PEER),
            names: Names::read(ssl),
            client_certificate: client_certificate(ssl),
        }
    }

    /// Whether a session verified like this had the same requirements.
    pub(crate) fn equals(&self, verification: &Verification) -> bool {
        self.verify_peer == verification.verified
            && self.names.equals(verification.names.as_deref())
            && self.client_certificate == verification.client_certificate
    }

    /// The verification of a session whose handshake met these requirements.
    pub(crate) fn into_verification(self) -> Verification {
        Verification {
            verified: self.verify_peer,
            names: self.names.into_text(),
            client_certificate: self.client_certificate,
        }
    }
}

/// The names and addresses that a peer's certificate must match.
enum Names<'a> {
    None,
    /// One host and the text of its match flags, the usual case: compared without building the
    /// whole text.
    Host(&'a str, Cow<'a, str>),
    /// Anything else, as text.
    Text(Box<str>),
}

impl<'a> Names<'a> {
    fn read(ssl: &'a SslRef) -> Self {
        let address = ffi::required_address(ssl);
        let (host, email) = (ffi::required_host(ssl, 0), ffi::required_email(ssl));
        let host_only = host.is_some() && email.is_none() && address.is_none();
        if host_only
            && ffi::required_host(ssl, 1).is_none()
            && let Some(Ok(host)) = host.map(str::from_utf8)
        {
            return Self::Host(host, flags_text(ssl).into());
        }
        // No name contains a zero byte, so the text is unambiguous.
        let mut text = String::new();
        let mut add = |kind: &str, name: &[u8]| {
            text.extend([kind, &String::from_utf8_lossy(name), "\0"]);
        };
        for host in (0..).map_while(|index| ffi::required_host(ssl, index)) {
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
        text.push_str(&flags_text(ssl));
        Self::Text(text.into())
    }

    fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether `text` is the text of these names.
    fn equals(&self, text: Option<&str>) -> bool {
        match self {
            Self::None => text.is_none(),
            Self::Host(host, flags) => {
                let rest = text.and_then(|text| text.strip_prefix("host "));
                let rest = rest.and_then(|rest| rest.strip_prefix(host));
                rest.and_then(|rest| rest.strip_prefix('\0')) == Some(&**flags)
            }
            Self::Text(own) => text == Some(own),
        }
    }

    fn into_text(self) -> Option<Box<str>> {
        match self {
            Self::None => None,
            Self::Host(host, flags) => Some(format!("host {host}\0{flags}").into()),
            Self::Text(text) => Some(text),
        }
    }
}

/// The flags by which hosts are matched.
fn flags_text(ssl: &SslRef) -> String {
    format!("flags {:x}", ffi::host_flags(ssl))
}

/// The digest of a client certificate that was set on `ssl` and not on its context.
fn client_certificate(ssl: &SslRef) -> Option<Box<[u8]>> {
    let own = ssl.certificate()?;
    let of_context = ssl.ssl_context().certificate();
    if of_context.is_some_and(|shared| shared.as_ptr() == own.as_ptr()) {
        return None;
    }
    // An empty digest if hashing fails: it equals the digest of no certificate.
    let digest = own.digest(MessageDigest::sha256());
    Some(digest.map_or_else(|_| Box::default(), |digest| Box::from(&*digest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirements(verification: &Verification) -> Requirements<'_> {
        let text = verification.names.as_deref();
        Requirements {
            verify_peer: verification.verified,
            names: text.map_or(Names::None, |text| Names::Text(text.into())),
            client_certificate: verification.client_certificate.clone(),
        }
    }

    /// R4: a session is offered only where its own verification was at least as strict.
    #[test]
    fn a_verification_satisfies_requirements_that_are_no_stricter() {
        let verification = |verified, names: Option<&str>| Verification {
            verified,
            names: names.map(Into::into),
            client_certificate: None,
        };
        let satisfies =
            |one: &Verification, other: &Verification| one.satisfies(&requirements(other));
        let strict = verification(true, Some("a"));
        assert!(satisfies(&strict, &strict));
        assert!(satisfies(&strict, &verification(false, None)));
        assert!(satisfies(&strict, &verification(true, None)));
        assert!(!satisfies(&verification(true, None), &strict));
        assert!(!satisfies(&verification(false, Some("a")), &strict));
        assert!(!satisfies(&verification(true, Some("b")), &strict));
        assert!(!satisfies(
            &verification(false, Some("b")),
            &verification(false, Some("a"))
        ));
    }

    #[test]
    fn a_single_host_equals_its_text_and_no_other() {
        let host = || Names::Host("a.example", "flags 1f".into());
        let text = host().into_text();
        assert_eq!(text.as_deref(), Some("host a.example\0flags 1f"));
        assert!(host().equals(text.as_deref()));
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
            assert!(!host().equals(other), "{other:?}");
        }
    }
}
