//! The encoding of sessions for tiers: OpenSSL's DER and a record of how the peer was verified.

use openssl::ssl::SslSession;
use store_core::{Clock, Encoded, Portable, Protocol, SystemClock, Timestamp, Usage};
use zeroize::Zeroizing;

use crate::der::Fields;
use crate::ffi;
use crate::peer::PeerInfo;
use crate::session::{Session, protocol};
use crate::verification::Verification;

/// OpenSSL's DER (`i2d_SSL_SESSION`) contains the peer's own certificate, with either
/// [`PeerCertificate`](crate::PeerCertificate), and no others. It is not authenticated: most
/// changed bytes decode to another session, and a session whose verify result is missing decodes as
/// verified. So the verification is encoded separately, and both are sealed before they reach the
/// tier.
impl Portable for Session {
    // 2: the session of a ticket has no id, which only this version and later ones can offer.
    // 3: the facts contain when the certificates expire.
    const FORMAT: u32 = 0x0001_0003;

    fn encode(&self) -> Option<Encoded> {
        Some(Encoded {
            facts: encode_facts(self.verification(), self.not_after()),
            session: self.to_der()?,
        })
    }

    fn decode(encoded: &Encoded, expected: Usage) -> Option<(Self, usize)> {
        let (verification, not_after) = decode_facts(&encoded.facts)?;
        let mut session = SslSession::from_der(&encoded.session).ok()?;
        // OpenSSL ignores trailing bytes, and accepts several encodings of one session.
        let again = Zeroizing::new(session.to_der().ok()?);
        // A ticket of either usage; a session of TLS 1.2 is reusable.
        let fits = expected == Usage::Reusable || protocol(&session) == Protocol::Tls13;
        if *again != *encoded.session || !fits {
            return None;
        }
        not_from_future(&mut session);
        let certificate = Fields::read(&encoded.session)?.certificate;
        let session = Self::new(
            session,
            expected,
            PeerInfo::decoded(verification, not_after, certificate),
        );
        let weight = session.weight();
        Some((session, weight))
    }
}

/// A session of a machine whose clock is ahead was received now. OpenSSL 3.0 takes it for one that is
/// older than its lifetime, and silently does not offer it.
fn not_from_future(session: &mut SslSession) {
    let now = SystemClock.now().since_epoch().as_secs();
    if let Ok(now) = now.try_into()
        && session.time() > now
    {
        ffi::set_time(session, now);
    }
}

/// Encodes when the certificates expire, in milliseconds, and the verification.
fn encode_facts(verification: &Verification, not_after: Timestamp) -> Vec<u8> {
    let mut out = not_after.as_millis().to_be_bytes().to_vec();
    out.append(&mut encode_verification(verification));
    out
}

fn decode_facts(facts: &[u8]) -> Option<(Verification, Timestamp)> {
    let (millis, verification) = facts.split_first_chunk()?;
    let not_after = Timestamp::from_millis(u64::from_be_bytes(*millis));
    Some((decode_verification(verification)?, not_after))
}

/// Encodes a flag for `verified`, then the names and the client certificate: for each a flag and,
/// if it is set, a 64-bit big-endian length and the bytes.
fn encode_verification(verification: &Verification) -> Vec<u8> {
    let mut out = vec![u8::from(verification.verified)];
    let names = verification.names.as_deref().map(str::as_bytes);
    for field in [names, verification.client_certificate.as_deref()] {
        out.push(u8::from(field.is_some()));
        if let Some(field) = field {
            out.extend((field.len() as u64).to_be_bytes());
            out.extend_from_slice(field);
        }
    }
    out
}

fn decode_verification(mut rest: &[u8]) -> Option<Verification> {
    let verified = read_flag(&mut rest)?;
    let names = if read_flag(&mut rest)? {
        Some(str::from_utf8(read_field(&mut rest)?).ok()?.into())
    } else {
        None
    };
    let client_certificate = if read_flag(&mut rest)? {
        Some(read_field(&mut rest)?.into())
    } else {
        None
    };
    rest.is_empty().then_some(Verification {
        verified,
        names,
        client_certificate,
    })
}

fn read_flag(rest: &mut &[u8]) -> Option<bool> {
    match rest.split_off_first()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn read_field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, after) = rest.split_first_chunk()?;
    *rest = after;
    rest.split_off(..usize::try_from(u64::from_be_bytes(*len)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verification_survives_encoding_and_nothing_else_decodes() {
        let names = [None, Some("host a\0flags 0"), Some("")];
        let digests: [Option<&[u8]>; 3] = [None, Some(b"digest"), Some(b"")];
        for (verified, names, digest) in [true, false]
            .into_iter()
            .flat_map(|verified| names.map(|names| (verified, names)))
            .flat_map(|(verified, names)| digests.map(|digest| (verified, names, digest)))
        {
            let verification = Verification {
                verified,
                names: names.map(Into::into),
                client_certificate: digest.map(Into::into),
            };
            let encoded = encode_verification(&verification);
            assert_eq!(decode_verification(&encoded), Some(verification));
            for len in 0..encoded.len() {
                assert_eq!(decode_verification(&encoded[..len]), None);
            }
            assert_eq!(decode_verification(&[&encoded[..], &[0]].concat()), None);
        }
        assert_eq!(decode_verification(&[2, 0, 0]), None);
        let not_utf8 = [1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0];
        assert_eq!(decode_verification(&not_utf8), None);
    }

    const VERIFIED: Verification = Verification {
        verified: true,
        names: None,
        client_certificate: None,
    };

    #[test]
    fn the_time_at_which_certificates_expire_survives_encoding() {
        for millis in [0, 1_795_982_400_000, u64::MAX] {
            let not_after = Timestamp::from_millis(millis);
            let encoded = encode_facts(&VERIFIED, not_after);
            assert_eq!(decode_facts(&encoded), Some((VERIFIED, not_after)));
            assert_eq!(decode_facts(&encoded[1..]), None);
        }
    }

    #[test]
    fn garbage_is_a_miss() {
        let encoded = |session: &[u8]| Encoded {
            facts: encode_facts(&VERIFIED, Timestamp::NEVER),
            session: session.to_vec().into(),
        };
        for garbage in [&b""[..], b"\x30\x00", b"not a session", &[0x30; 64]] {
            assert!(Session::decode(&encoded(garbage), Usage::SingleUse).is_none());
        }
    }
}
