//! Encoding of the tables' keys and values. A key whose length is not one of these is garbage.

use store_core::Timestamp;

use crate::ServerId;
use crate::record::{millis, timestamp};

const SERVER: usize = 32;
const SUFFIX: usize = 12;
/// Length of a single-use record's key, in its table and in the expiry index.
const SINGLE: usize = SERVER + 8 + SUFFIX;
/// Length of a reusable record's key in the expiry index.
const REUSABLE: usize = 8 + SERVER;

/// Distinguishes records of one server and one expiry: the id of the transaction that put the
/// record, and its index in that. The newer record sorts later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suffix([u8; SUFFIX]);

impl Suffix {
    pub(super) fn new(transaction: usize, index: u32) -> Self {
        let mut bytes = [0; SUFFIX];
        bytes[..8].copy_from_slice(&(transaction as u64).to_be_bytes());
        bytes[8..].copy_from_slice(&index.to_be_bytes());
        Self(bytes)
    }
}

/// The key of a single-use record: server, expiry, suffix. The records of a server are contiguous,
/// and the last one has the latest expiry.
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

    pub(super) fn decode(key: &[u8]) -> Option<Self> {
        let (server, rest) = key.split_first_chunk()?;
        let (expires, suffix) = split_expiry(rest)?;
        Some(Self {
            server: *server,
            expires,
            suffix: Suffix(suffix.try_into().ok()?),
        })
    }

    /// The upper bound of a server's keys.
    pub(super) fn upper_bound(server: &ServerId) -> [u8; SINGLE] {
        let mut key = [0xff; SINGLE];
        key[..SERVER].copy_from_slice(server.as_bytes());
        key
    }
}

/// A key of the expiry index: the expiry, then the rest of the record's key.
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

    /// Encodes the key. The two kinds have different lengths.
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

    pub(super) fn decode(key: &[u8]) -> Option<Self> {
        let (expires, rest) = split_expiry(key)?;
        let (server, suffix) = rest.split_first_chunk()?;
        let server = *server;
        if suffix.is_empty() {
            return Some(Self::Reusable { server, expires });
        }
        Some(Self::Single(SingleKey {
            server,
            expires,
            suffix: Suffix(suffix.try_into().ok()?),
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

/// Encodes the value of a reusable record: its expiry, then the record.
pub(super) fn encode_reusable(expires: Timestamp, record: &[u8]) -> Vec<u8> {
    [&millis(expires).to_be_bytes(), record].concat()
}

pub(super) fn decode_reusable(value: &[u8]) -> Option<(Timestamp, &[u8])> {
    split_expiry(value)
}

fn split_expiry(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (expires, rest) = bytes.split_first_chunk()?;
    Some((timestamp(u64::from_be_bytes(*expires)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(expires: u64, transaction: usize, index: u32) -> SingleKey {
        SingleKey {
            server: [7; SERVER],
            expires: timestamp(expires),
            suffix: Suffix::new(transaction, index),
        }
    }

    #[test]
    fn encoded_keys_and_values_decode() {
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

    /// R23: a key of another length does not decode.
    #[test]
    fn other_lengths_do_not_decode() {
        for len in (0..100).filter(|len| *len != SINGLE) {
            let bytes = vec![1; len];
            assert_eq!(SingleKey::decode(&bytes), None, "{len}");
            assert_eq!(IndexKey::decode(&bytes).is_some(), len == REUSABLE, "{len}");
            assert_eq!(decode_reusable(&bytes).is_some(), len >= 8, "{len}");
        }
    }

    #[test]
    fn keys_sort_by_expiry_then_by_age() {
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
