//! What the encoding of a session says, where rustls has no words for it.
//!
//! The layout is the one of rustls 0.24.0-dev.1 (`Tls12Session::encode`, `Tls13Session::encode`).

use std::time::Duration;

use store_core::Usage;

/// What a session says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// Its length when it is written down.
    pub(super) bytes: usize,
    /// By the server's word; zero if it did not say.
    pub(super) lifetime: Duration,
    /// Bytes that a TLS 1.3 ticket allows.
    pub(super) early_data: Option<u32>,
}

impl Facts {
    /// Those of an encoded session for TCP; `None` for anything else.
    pub(super) fn read(encoded: &[u8], usage: Usage) -> Option<Self> {
        let mut rest = Rest(encoded);
        rest.skip(2)?; // cipher suite
        let early_data = match usage {
            Usage::Reusable => {
                rest.skip_sized(1)?; // session id
                rest.skip(48)?; // master secret
                rest.skip(1)?; // extended master secret
                None
            }
            Usage::SingleUse => {
                rest.skip_sized(1)?; // secret
                rest.skip(4)?; // what is added to the age
                Some(u32::try_from(rest.number(4)?).ok()?)
            }
        };
        rest.skip_sized(2)?; // ticket
        rest.skip(8)?; // when it came
        let lifetime = Duration::from_secs(rest.number(8)?);
        match rest.number(1)? {
            // The server's certificate, and those that it sent with it.
            0 => rest.skip_sized(3).and_then(|()| rest.skip_sized(3))?,
            // Its public key.
            1 => rest.skip_sized(3)?,
            _ => return None,
        }
        if usage == Usage::SingleUse && rest.number(2)? > 0 {
            return None; // QUIC's transport parameters
        }
        rest.0.is_empty().then_some(Self {
            bytes: encoded.len(),
            lifetime,
            early_data,
        })
    }
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn skip(&mut self, length: usize) -> Option<()> {
        self.0 = self.0.get(length..)?;
        Some(())
    }

    /// Skips a field that has its length in front, in `width` bytes.
    fn skip_sized(&mut self, width: usize) -> Option<()> {
        let length = usize::try_from(self.number(width)?).ok()?;
        self.skip(length)
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
    fn the_facts_are_where_rustls_puts_them() {
        let chain = &[0, 0, 0, 1, 5, 0, 0, 4, 0, 0, 1, 6][..];
        for identity in [chain, &[1, 0, 0, 2, 5, 5]] {
            let bytes = ticket(identity, &[0, 0]);
            let facts = Facts::read(&bytes, Usage::SingleUse).unwrap();
            assert_eq!(facts.bytes, bytes.len());
            assert_eq!(facts.lifetime, Duration::from_secs(7_200));
            assert_eq!(facts.early_data, Some(0x4000));
            for length in 0..bytes.len() {
                assert_eq!(Facts::read(&bytes[..length], Usage::SingleUse), None);
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
        ] {
            let bytes = ticket(identity, end);
            assert_eq!(Facts::read(&bytes, Usage::SingleUse), None);
        }
    }
}
