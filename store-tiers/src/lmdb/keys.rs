//! How the tables' keys are written. Every length is exact: a key of any other is garbage.

use store_core::Timestamp;

use crate::ServerId;
use crate::record::{millis, take, timestamp};

const SERVER: usize = 32;
const SUFFIX: usize = 12;
/// Of a single-use record, in its own table and in the expiry index.
const SINGLE: usize = SERVER + 8 + SUFFIX;
/// Of a reusable record in the expiry index.
const REUSABLE: usize = 8 + SERVER;

/// What keeps two records of one server and one expiry apart: the number of the transaction that
/// puts it, which no other has, and its place in that. So of two that expire together the newer
/// one comes later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suffix([u8; SUFFIX]);

impl Suffix {
    pub(super) fn new(transaction: usize, place: u32) -> Self {
        let mut bytes = [0; SUFFIX];
        bytes[..8].copy_from_slice(&(transaction as u64).to_be_bytes());
        bytes[8..].copy_from_slice(&place.to_be_bytes());
        Self(bytes)
    }
}

/// A single-use record: its server, then its expiry, so that the records of a server lie together
/// and the one that lives longest is the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SingleKey {
    pub(super) server: [u8; SERVER],
    pub(super) expires: Timestamp,
    pub(super) suffix: Suffix,
}

impl SingleKey {
    pub(super) fn encode(&self) -> [u8; SINGLE] {
        let mut key = [0; SINGLE];
        key[..SERVER].copy_from_slice(&self.server);
        key[SERVER..SERVER + 8].copy_from_slice(&millis(self.expires).to_be_bytes());
        key[SERVER + 8..].copy_from_slice(&self.suffix.0);
        key
    }

    pub(super) fn decode(mut key: &[u8]) -> Option<Self> {
        let from = &mut key;
        let decoded = Self {
            server: take(from)?,
            expires: expiry(from)?,
            suffix: Suffix(take(from)?),
        };
        key.is_empty().then_some(decoded)
    }

    /// Behind every single-use record of a server.
    pub(super) fn behind(server: &ServerId) -> [u8; SINGLE] {
        let mut key = [0xff; SINGLE];
        key[..SERVER].copy_from_slice(server.as_bytes());
        key
    }
}

/// An entry of the expiry index: the expiry, then where the record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IndexKey {
    Single(SingleKey),
    Reusable {
        server: [u8; SERVER],
        expires: Timestamp,
    },
}

impl IndexKey {
    pub(super) fn expires(&self) -> Timestamp {
        match self {
            Self::Single(key) => key.expires,
            Self::Reusable { expires, .. } => *expires,
        }
    }

    /// The key; how long it is says which kind it is.
    pub(super) fn encode(&self) -> IndexBytes {
        let (server, expires) = match self {
            Self::Single(key) => (&key.server, key.expires),
            Self::Reusable { server, expires } => (server, *expires),
        };
        let mut bytes = [0; SINGLE];
        bytes[..8].copy_from_slice(&millis(expires).to_be_bytes());
        bytes[8..REUSABLE].copy_from_slice(server);
        let len = match self {
            Self::Single(key) => {
                bytes[REUSABLE..].copy_from_slice(&key.suffix.0);
                SINGLE
            }
            Self::Reusable { .. } => REUSABLE,
        };
        IndexBytes { bytes, len }
    }

    pub(super) fn decode(mut key: &[u8]) -> Option<Self> {
        let from = &mut key;
        let expires = expiry(from)?;
        let server = take(from)?;
        if from.is_empty() {
            return Some(Self::Reusable { server, expires });
        }
        let suffix = Suffix(take(from)?);
        key.is_empty().then_some(Self::Single(SingleKey {
            server,
            expires,
            suffix,
        }))
    }
}

/// An encoded [`IndexKey`].
pub(super) struct IndexBytes {
    bytes: [u8; SINGLE],
    len: usize,
}

impl AsRef<[u8]> for IndexBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The value of a reusable record: its expiry, then the record.
pub(super) fn encode_reusable(expires: Timestamp, record: &[u8]) -> Vec<u8> {
    [&millis(expires).to_be_bytes(), record].concat()
}

pub(super) fn decode_reusable(mut value: &[u8]) -> Option<(Timestamp, &[u8])> {
    let expires = expiry(&mut value)?;
    Some((expires, value))
}

fn expiry(from: &mut &[u8]) -> Option<Timestamp> {
    Some(timestamp(u64::from_be_bytes(take(from)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(expires: u64, transaction: usize, place: u32) -> SingleKey {
        SingleKey {
            server: [7; SERVER],
            expires: timestamp(expires),
            suffix: Suffix::new(transaction, place),
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let key = single(5, 6, 7);
        assert_eq!(SingleKey::decode(&key.encode()), Some(key));
        let reusable = IndexKey::Reusable {
            server: [9; SERVER],
            expires: timestamp(5),
        };
        for index in [IndexKey::Single(key), reusable] {
            assert_eq!(IndexKey::decode(index.encode().as_ref()), Some(index));
        }
        let value = encode_reusable(timestamp(5), b"record");
        assert_eq!(
            decode_reusable(&value),
            Some((timestamp(5), &b"record"[..]))
        );
    }

    /// R23: no other length is read as a key.
    #[test]
    fn any_other_length_is_garbage() {
        for len in (0..100).filter(|len| *len != SINGLE) {
            let bytes = vec![1; len];
            assert_eq!(SingleKey::decode(&bytes), None, "{len}");
            assert_eq!(IndexKey::decode(&bytes).is_some(), len == REUSABLE, "{len}");
            assert_eq!(decode_reusable(&bytes).is_some(), len >= 8, "{len}");
        }
    }

    #[test]
    fn keys_lie_by_expiry_then_by_age() {
        let keys = [
            single(1, 9, 9),
            single(2, 1, 2),
            single(2, 1, 3),
            single(2, 256, 0),
        ];
        assert!(keys.is_sorted_by_key(SingleKey::encode));
        assert!(keys.is_sorted_by_key(|key| IndexKey::Single(*key).encode().as_ref().to_vec()));
    }
}
