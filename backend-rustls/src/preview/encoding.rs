//! The encoding of a session by rustls, split into its parts and joined again.
//!
//! The layout is that of rustls 0.24.0-dev.1 (`Tls12Session::encode`, `Tls13Session::encode`): the
//! session's own fields, the peer's identity, and in TLS 1.3 the parameters of QUIC.

use std::time::Duration;

use store_core::{Chain, Protocol};
use zeroize::Zeroizing;

/// The longest chain to accept: the peer chooses its length, and each certificate costs a look-up.
const MAX_CERTIFICATES: usize = 64;
/// The kinds of a peer's identity: certificates, or a raw public key.
const CERTIFICATES: u64 = 0;
const PUBLIC_KEY: u64 = 1;
/// Empty QUIC parameters, which end a TLS 1.3 ticket for TCP.
const NO_QUIC: [u8; 2] = [0, 0];

/// Fields of a session that rustls has no accessors for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    /// The lifetime that the server gave; zero if it gave none.
    pub(super) lifetime: Duration,
    /// Bytes of early data that a TLS 1.3 ticket allows.
    pub(super) max_early_data: Option<u32>,
}

impl Metadata {
    /// Reads the metadata of an encoded session, or of its [body](Parts::body).
    pub(super) fn read(mut encoded: &[u8], protocol: Protocol) -> Option<Self> {
        Self::read_from(&mut encoded, protocol)
    }

    /// Reads all fields before the peer's identity.
    fn read_from(rest: &mut &[u8], protocol: Protocol) -> Option<Self> {
        rest.split_off(..2)?; // cipher suite
        let max_early_data = match protocol {
            Protocol::Tls12 => {
                read_field(rest, 1)?; // session id
                rest.split_off(..48)?; // master secret
                rest.split_off(..1)?; // extended master secret
                None
            }
            Protocol::Tls13 => {
                read_field(rest, 1)?; // secret
                rest.split_off(..4)?; // ticket_age_add
                Some(u32::try_from(read_number(rest, 4)?).ok()?)
            }
        };
        read_field(rest, 2)?; // ticket
        rest.split_off(..8)?; // time of receipt
        let lifetime = Duration::from_secs(read_number(rest, 8)?);
        Some(Self {
            lifetime,
            max_early_data,
        })
    }
}

/// An encoded session in parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// All but the certificates and the constant end. Contains the secrets.
    pub(super) body: &'a [u8],
    /// The peer's certificates, its own first; none if it has a raw public key.
    pub(super) certificates: Vec<&'a [u8]>,
}

impl<'a> Parts<'a> {
    /// Splits a session for TCP. `None` for any other encoding: [`join`] of the parts would differ.
    pub(super) fn split(encoded: &'a [u8], protocol: Protocol) -> Option<Self> {
        let mut rest = encoded;
        Metadata::read_from(&mut rest, protocol)?;
        let mut certificates = Vec::new();
        let body_length = match read_number(&mut rest, 1)? {
            CERTIFICATES => {
                let length = encoded.len() - rest.len();
                certificates.push(read_field(&mut rest, 3)?);
                let mut others = read_field(&mut rest, 3)?;
                while !others.is_empty() {
                    certificates.push(read_field(&mut others, 3)?);
                }
                length
            }
            PUBLIC_KEY => {
                read_field(&mut rest, 3)?;
                encoded.len() - rest.len()
            }
            _ => return None,
        };
        let valid = rest == end(protocol) && certificates.len() <= MAX_CERTIFICATES;
        valid.then_some(Self {
            body: &encoded[..body_length],
            certificates,
        })
    }
}

/// Sets to zero how many bytes of early data the ticket allows whose body this is.
pub(super) fn forbid_early_data(body: &mut [u8]) {
    // After the cipher suite, the secret and `ticket_age_add`, as in `Metadata::read_from`.
    let secret = body.get(2).copied().map_or(0, usize::from);
    if let Some(max_early_data) = body.get_mut(3 + secret + 4..3 + secret + 8) {
        max_early_data.fill(0);
    }
}

/// Encodes a session from its parts.
pub(super) fn join(body: &[u8], chain: &Chain, protocol: Protocol) -> Zeroizing<Vec<u8>> {
    let others: usize = chain.iter().skip(1).map(|it| 3 + it.len()).sum();
    let first = chain.iter().next().map_or(0, |it| 3 + it.len() + 3);
    // A vector that grows leaves a copy of the secrets in freed memory.
    let length = body.len() + first + others + end(protocol).len();
    let mut encoded = Zeroizing::new(Vec::with_capacity(length));
    encoded.extend_from_slice(body);
    for (position, certificate) in chain.iter().enumerate() {
        encoded.extend(encode_length(certificate.len()));
        encoded.extend_from_slice(certificate);
        if position == 0 {
            encoded.extend(encode_length(others));
        }
    }
    encoded.extend_from_slice(end(protocol));
    encoded
}

/// The constant end of a session for TCP.
fn end(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::Tls12 => &[],
        Protocol::Tls13 => &NO_QUIC,
    }
}

/// A length in three bytes, which suffice: each length was decoded from three bytes.
fn encode_length(length: usize) -> impl IntoIterator<Item = u8> {
    length
        .to_be_bytes()
        .into_iter()
        .skip(size_of::<usize>() - 3)
}

/// Reads a field that begins with its length, a number of `width` bytes.
fn read_field<'a>(rest: &mut &'a [u8], width: usize) -> Option<&'a [u8]> {
    let length = usize::try_from(read_number(rest, width)?).ok()?;
    rest.split_off(..length)
}

/// Reads a big-endian number of up to 8 bytes.
fn read_number(rest: &mut &[u8], width: usize) -> Option<u64> {
    let bytes = rest.split_off(..width)?;
    Some(
        bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use store_core::Chains;

    /// A ticket as rustls encodes it, with the given identity and QUIC parameters.
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
    fn a_session_is_split_and_joined_as_rustls_encodes_it() {
        let body = ticket(&[], &[]).len() + 1;
        for (identity, body, certificates) in [
            (&[0, 0, 0, 1, 5, 0, 0, 0][..], body, &[&[5][..]][..]),
            (
                &[0, 0, 0, 1, 5, 0, 0, 9, 0, 0, 1, 6, 0, 0, 2, 7, 8],
                body,
                &[&[5], &[6], &[7, 8]],
            ),
            (&[0, 0, 0, 0, 0, 0, 0], body, &[&[]]),
            (&[1, 0, 0, 2, 5, 5], body + 5, &[]),
        ] {
            let bytes = ticket(identity, &[0, 0]);
            let parts = Parts::split(&bytes, Protocol::Tls13).unwrap();
            assert_eq!(parts.body, &bytes[..body]);
            assert_eq!(parts.certificates, certificates);
            let chain = Chains::default().intern(parts.certificates);
            assert_eq!(*join(parts.body, &chain, Protocol::Tls13), bytes);

            let metadata = Metadata::read(&bytes, Protocol::Tls13).unwrap();
            assert_eq!(metadata.lifetime, Duration::from_secs(7_200));
            assert_eq!(metadata.max_early_data, Some(0x4000));
            let mut without = parts.body.to_vec();
            forbid_early_data(&mut without);
            let without = Metadata::read(&without, Protocol::Tls13);
            let max_early_data = Some(0);
            assert_eq!(
                without,
                Some(Metadata {
                    max_early_data,
                    ..metadata
                })
            );
            assert_eq!(Metadata::read(parts.body, Protocol::Tls13), Some(metadata));
            for length in 0..bytes.len() {
                assert_eq!(Parts::split(&bytes[..length], Protocol::Tls13), None);
            }
        }
    }

    #[test]
    fn sessions_of_quic_and_malformed_ones_are_not_split() {
        let key = &[1, 0, 0, 2, 5, 5][..];
        for (identity, end) in [
            (key, &[0, 1, 4][..]), // QUIC
            (key, &[0, 0, 0]),     // a trailing byte
            (&[2, 0, 0, 2, 5, 5], &[0, 0]),
            (&[0, 0, 0, 1, 5, 0, 0, 3, 0, 0, 1], &[0, 0]), // a cut certificate
        ] {
            let bytes = ticket(identity, end);
            assert_eq!(Parts::split(&bytes, Protocol::Tls13), None);
        }
    }

    #[test]
    fn a_chain_that_is_too_long_is_not_split() {
        let with = |others: usize| {
            let mut identity = vec![0, 0, 0, 0, 0];
            identity.extend(u16::try_from(3 * others).unwrap().to_be_bytes());
            identity.resize(identity.len() + 3 * others, 0);
            let bytes = ticket(&identity, &[0, 0]);
            Parts::split(&bytes, Protocol::Tls13).map(|parts| parts.certificates.len())
        };
        assert_eq!(with(MAX_CERTIFICATES - 1), Some(MAX_CERTIFICATES));
        assert_eq!(with(MAX_CERTIFICATES), None);
    }
}
