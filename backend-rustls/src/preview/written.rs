//! How rustls writes a session down, taken apart and put together again.
//!
//! The layout is the one of rustls 0.24.0-dev.1 (`Tls12Session::encode`, `Tls13Session::encode`):
//! what is the session's own, then what its peer showed, then QUIC's parameters in TLS 1.3.

use std::time::Duration;

use store_core::{Chain, Usage};
use zeroize::Zeroizing;

/// A chain has fewer. Each of a peer's choice costs a look-up.
const MOST_CERTIFICATES: usize = 64;
/// What stands before certificates, and before a public key.
const CERTIFICATES: u64 = 0;
const PUBLIC_KEY: u64 = 1;
/// No parameters of QUIC: how a TLS 1.3 ticket for TCP ends.
const NO_QUIC: [u8; 2] = [0, 0];

/// What a session says of itself, where rustls has no words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// By the server's word; zero if it did not say.
    pub(super) lifetime: Duration,
    /// Bytes that a TLS 1.3 ticket allows.
    pub(super) early_data: Option<u32>,
}

impl Facts {
    /// Those of an encoded session, or of the part of it that is its own.
    pub(super) fn read(own: &[u8], usage: Usage) -> Option<Self> {
        Self::next(&mut Rest(own), usage)
    }

    /// Reads all that stands before what the peer showed.
    fn next(rest: &mut Rest<'_>, usage: Usage) -> Option<Self> {
        rest.skip(2)?; // cipher suite
        let early_data = match usage {
            Usage::Reusable => {
                rest.sized(1)?; // session id
                rest.skip(48)?; // master secret
                rest.skip(1)?; // extended master secret
                None
            }
            Usage::SingleUse => {
                rest.sized(1)?; // secret
                rest.skip(4)?; // what is added to the age
                Some(u32::try_from(rest.number(4)?).ok()?)
            }
        };
        rest.sized(2)?; // ticket
        rest.skip(8)?; // when it came
        let lifetime = Duration::from_secs(rest.number(8)?);
        Some(Self {
            lifetime,
            early_data,
        })
    }
}

/// An encoded session in its parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// All but the certificates and what is the same in every session: secrets stand here.
    pub(super) own: &'a [u8],
    /// The peer's certificates, its own first; none if it showed a mere public key.
    pub(super) certificates: Vec<&'a [u8]>,
}

impl<'a> Parts<'a> {
    /// Those of a session for TCP; `None` for anything that [`join`] would not write the same.
    pub(super) fn split(encoded: &'a [u8], usage: Usage) -> Option<Self> {
        let mut rest = Rest(encoded);
        Facts::next(&mut rest, usage)?;
        let mut certificates = Vec::new();
        let length = match rest.number(1)? {
            CERTIFICATES => {
                let length = encoded.len() - rest.0.len();
                certificates.push(rest.sized(3)?);
                let mut others = Rest(rest.sized(3)?);
                while !others.0.is_empty() {
                    certificates.push(others.sized(3)?);
                }
                length
            }
            PUBLIC_KEY => {
                rest.sized(3)?;
                encoded.len() - rest.0.len()
            }
            _ => return None,
        };
        let end = rest.0 == end(usage) && certificates.len() <= MOST_CERTIFICATES;
        end.then_some(Self {
            own: &encoded[..length],
            certificates,
        })
    }
}

/// The encoding of a session, from its parts.
pub(super) fn join(own: &[u8], chain: &Chain, usage: Usage) -> Zeroizing<Vec<u8>> {
    let others: usize = chain.iter().skip(1).map(|it| 3 + it.len()).sum();
    let peers = chain.iter().next().map_or(0, |it| 3 + it.len() + 3);
    // All the room there is need for, so that nothing is left behind where it grew.
    let length = own.len() + peers + others + end(usage).len();
    let mut encoded = Zeroizing::new(Vec::with_capacity(length));
    encoded.extend_from_slice(own);
    for (place, certificate) in chain.iter().enumerate() {
        encoded.extend(length_of(certificate.len()));
        encoded.extend_from_slice(certificate);
        if place == 0 {
            encoded.extend(length_of(others));
        }
    }
    encoded.extend_from_slice(end(usage));
    encoded
}

fn end(usage: Usage) -> &'static [u8] {
    match usage {
        Usage::Reusable => &[],
        Usage::SingleUse => &NO_QUIC,
    }
}

/// A length in three bytes; it was read from as many.
fn length_of(bytes: usize) -> impl IntoIterator<Item = u8> {
    bytes.to_be_bytes().into_iter().skip(size_of::<usize>() - 3)
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn skip(&mut self, length: usize) -> Option<()> {
        self.0 = self.0.get(length..)?;
        Some(())
    }

    /// A field that has its length in front, in `width` bytes.
    fn sized(&mut self, width: usize) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number(width)?).ok()?;
        let (field, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }

    /// A number of up to 8 bytes, the highest first.
    fn number(&mut self, width: usize) -> Option<u64> {
        let (bytes, rest) = self.0.split_at_checked(width)?;
        self.0 = rest;
        Some(
            bytes
                .iter()
                .fold(0, |number, byte| number << 8 | u64::from(*byte)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store_core::Chains;

    /// A ticket as rustls writes it, with certificates and QUIC parameters of the caller's.
    fn ticket(identity: &[u8], quic: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x13, 0x01, 2, 8, 8]; // suite, secret
        bytes.extend([1, 1, 1, 1, 0, 0, 0x40, 0]); // age, early data
        bytes.extend([0, 3, 9, 9, 9]); // ticket
        bytes.extend([7; 8]);
        bytes.extend(7_200_u64.to_be_bytes());
        bytes.extend(identity);
        bytes.extend(quic);
        bytes
    }

    #[test]
    fn the_parts_are_where_rustls_puts_them() {
        let own = ticket(&[], &[]).len() + 1;
        for (identity, own, certificates) in [
            (&[0, 0, 0, 1, 5, 0, 0, 0][..], own, &[&[5][..]][..]),
            (
                &[0, 0, 0, 1, 5, 0, 0, 9, 0, 0, 1, 6, 0, 0, 2, 7, 8],
                own,
                &[&[5], &[6], &[7, 8]],
            ),
            (&[0, 0, 0, 0, 0, 0, 0], own, &[&[]]),
            (&[1, 0, 0, 2, 5, 5], own + 5, &[]),
        ] {
            let bytes = ticket(identity, &[0, 0]);
            let parts = Parts::split(&bytes, Usage::SingleUse).unwrap();
            assert_eq!(parts.own, &bytes[..own]);
            assert_eq!(parts.certificates, certificates);
            let chain = Chains::default().intern(parts.certificates);
            assert_eq!(*join(parts.own, &chain, Usage::SingleUse), bytes);

            let facts = Facts::read(&bytes, Usage::SingleUse).unwrap();
            assert_eq!(facts.lifetime, Duration::from_secs(7_200));
            assert_eq!(facts.early_data, Some(0x4000));
            assert_eq!(Facts::read(parts.own, Usage::SingleUse), Some(facts));
            for length in 0..bytes.len() {
                assert_eq!(Parts::split(&bytes[..length], Usage::SingleUse), None);
            }
        }
    }

    #[test]
    fn what_is_not_for_tcp_or_not_whole_is_nothing() {
        let key = &[1, 0, 0, 2, 5, 5][..];
        for (identity, end) in [
            (key, &[0, 1, 4][..]), // QUIC
            (key, &[0, 0, 0]),     // one byte more
            (&[2, 0, 0, 2, 5, 5], &[0, 0]),
            (&[0, 0, 0, 1, 5, 0, 0, 3, 0, 0, 1], &[0, 0]), // half a certificate
        ] {
            let bytes = ticket(identity, end);
            assert_eq!(Parts::split(&bytes, Usage::SingleUse), None);
        }
    }

    #[test]
    fn a_chain_without_end_is_nothing() {
        let with = |others: usize| {
            let mut identity = vec![0, 0, 0, 0, 0];
            identity.extend(u16::try_from(3 * others).unwrap().to_be_bytes());
            identity.resize(identity.len() + 3 * others, 0);
            let bytes = ticket(&identity, &[0, 0]);
            Parts::split(&bytes, Usage::SingleUse).map(|parts| parts.certificates.len())
        };
        assert_eq!(with(MOST_CERTIFICATES - 1), Some(MOST_CERTIFICATES));
        assert_eq!(with(MOST_CERTIFICATES), None);
    }
}
