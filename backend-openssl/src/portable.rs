//! Sessions written down: OpenSSL's own encoding, with how their peer was verified beside it.

use openssl::ssl::SslSession;
use store_core::{Encoded, Portable, Usage};
use zeroize::Zeroizing;

use crate::der::Fields;
use crate::origin::Origin;
use crate::session::{Session, usage};
use crate::verification::Verification;

/// OpenSSL's encoding is DER (`i2d_SSL_SESSION`), which leaves out the peer's certificates but its
/// own; that one is in it whatever the policy is. It is not protected by anything: most changes of a byte decode to another session, and one
/// without its verification result reads as verified. So the facts stand beside it, and whoever
/// stores it seals both.
impl Portable for Session {
    const FORMAT: u32 = 0x0001_0001;

    fn encode(&self) -> Option<Encoded> {
        Some(Encoded {
            facts: encode_facts(self.verification()),
            session: self.to_der()?,
        })
    }

    fn decode(encoded: &Encoded, expected: Usage) -> Option<(Self, usize)> {
        let verification = decode_facts(&encoded.facts)?;
        let session = SslSession::from_der(&encoded.session).ok()?;
        // OpenSSL ignores what follows, and takes more than one encoding of the same.
        let again = Zeroizing::new(session.to_der().ok()?);
        if *again != *encoded.session || usage(&session) != expected {
            return None;
        }
        let peer = Fields::read(&encoded.session)?.peer;
        let session = Self::new(session, Origin::read(verification, peer));
        let weight = session.weight();
        Some((session, weight))
    }
}

/// Whether the peer was verified; its name; the client's own certificate: each of the last two with
/// a length, or without if there is none.
fn encode_facts(verification: &Verification) -> Vec<u8> {
    let mut out = vec![u8::from(verification.peer)];
    let name = verification.name.as_deref().map(str::as_bytes);
    for part in [name, verification.own.as_deref()] {
        out.push(u8::from(part.is_some()));
        if let Some(part) = part {
            out.extend((part.len() as u64).to_be_bytes());
            out.extend_from_slice(part);
        }
    }
    out
}

fn decode_facts(mut facts: &[u8]) -> Option<Verification> {
    let peer = take_flag(&mut facts)?;
    let name = take_part(&mut facts)?;
    let own = take_part(&mut facts)?;
    let name = match name {
        Part::Present(name) => Some(Box::from(str::from_utf8(name).ok()?)),
        Part::Absent => None,
    };
    let own = match own {
        Part::Present(own) => Some(Box::from(own)),
        Part::Absent => None,
    };
    facts.is_empty().then_some(Verification { peer, name, own })
}

/// A part that need not be there.
enum Part<'a> {
    Absent,
    Present(&'a [u8]),
}

fn take_flag(from: &mut &[u8]) -> Option<bool> {
    let (flag, rest) = from.split_first()?;
    *from = rest;
    match flag {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn take_part<'a>(from: &mut &'a [u8]) -> Option<Part<'a>> {
    if !take_flag(from)? {
        return Some(Part::Absent);
    }
    let (len, rest) = from.split_first_chunk()?;
    let len = usize::try_from(u64::from_be_bytes(*len)).ok()?;
    let (part, rest) = rest.split_at_checked(len)?;
    *from = rest;
    Some(Part::Present(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_back_and_nothing_else_does() {
        let names = [None, Some("host a\0flags 0"), Some("")];
        let own: [Option<&[u8]>; 3] = [None, Some(b"digest"), Some(b"")];
        for (peer, name, own) in [true, false]
            .into_iter()
            .flat_map(|peer| names.map(|name| (peer, name)))
            .flat_map(|(peer, name)| own.map(|own| (peer, name, own)))
        {
            let verification = Verification {
                peer,
                name: name.map(Into::into),
                own: own.map(Into::into),
            };
            let facts = encode_facts(&verification);
            assert_eq!(decode_facts(&facts), Some(verification));
            for len in 0..facts.len() {
                assert_eq!(decode_facts(&facts[..len]), None);
            }
            assert_eq!(decode_facts(&[&facts[..], &[0]].concat()), None);
        }
        assert_eq!(decode_facts(&[2, 0, 0]), None);
        assert_eq!(decode_facts(&[1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0]), None);
    }

    #[test]
    fn garbage_is_a_miss() {
        let encoded = |session: &[u8]| Encoded {
            facts: encode_facts(&Verification {
                peer: true,
                name: None,
                own: None,
            }),
            session: session.to_vec().into(),
        };
        for garbage in [&b""[..], b"\x30\x00", b"not a session", &[0x30; 64]] {
            assert!(Session::decode(&encoded(garbage), Usage::SingleUse).is_none());
        }
    }
}
