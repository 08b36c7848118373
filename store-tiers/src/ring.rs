//! The key ring of a tier: the keys that seal records, and the secret that hides server names.

use std::fmt;

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use store_core::{KeyRef, SecurityDomain, Timestamp};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::record::{Record, millis, timestamp};

/// The first bytes of every sealed record. The last of them is the version of the layout.
// 3: the address that gave the session is in it; 2: application data follows the session.
const MAGIC: [u8; 4] = *b"TLR\x03";
/// Length of the header: magic, key id, format, expiry, nonce.
const HEADER: usize = 4 + 4 + 4 + 8 + NONCE;
const NONCE: usize = 24;
const TAG: usize = 16;

/// The keys of a tier: keys that seal records, and the secret of the keyed hash of server names.
///
/// The first key seals, and all keys open, so that keys rotate without loss: append a new key on
/// every machine ([`with_new_key`](Self::with_new_key)), then move it to the front on every machine
/// ([`with_last_key_first`](Self::with_last_key_first)), and remove the old key when its last
/// record has expired.
///
/// The cipher is XChaCha20-Poly1305: its nonces are long enough to be random, however many machines
/// use one key.
#[derive(Clone)]
pub struct KeyRing {
    names: Zeroizing<[u8; 32]>,
    // invariant: not empty, and no two have the same id
    keys: Vec<SealingKey>,
}

#[derive(Clone)]
pub(crate) struct SealingKey {
    pub(crate) id: u32,
    pub(crate) secret: Zeroizing<[u8; 32]>,
}

impl SealingKey {
    /// Generates a key. Its id is random, so that keys of different rings do not share one.
    fn generate() -> Result<Self, KeyError> {
        let (id, secret) = (random()?, random()?);
        let [a, b, c, d, ..] = *id;
        Ok(Self {
            id: u32::from_be_bytes([a, b, c, d]),
            secret,
        })
    }
}

/// The id of a server in a tier: a keyed hash of its [`SessionKey`](store_core::SessionKey).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerId([u8; 32]);

/// A key ring cannot be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It has no key.
    #[error("the key ring has no key: give at least one")]
    NoKey,
    /// Two keys have the same id.
    #[error("the key ring has two keys with the id {0}: give each an id of its own")]
    SameId(u32),
    /// The system has no random numbers.
    #[error("the system has no random numbers")]
    NoRandomness,
}

/// A record cannot be sealed, so it is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the record cannot be sealed")]
pub struct SealError;

/// Why a record is rejected, which is a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Rejected {
    /// It is not a record of this version.
    #[error("not a record of this version")]
    Foreign,
    /// It is sealed with a key that the ring does not have.
    #[error("sealed with a key that is not in the ring")]
    UnknownKey,
    /// It was modified, or moved to another server.
    #[error("tampered with, or of another server")]
    Tampered,
    /// It has expired.
    #[error("expired")]
    Expired,
}

impl KeyRing {
    /// Creates a ring from the secret for server names and the sealing keys with their ids. The
    /// first key seals.
    pub fn new(
        names: [u8; 32],
        keys: impl IntoIterator<Item = (u32, [u8; 32])>,
    ) -> Result<Self, KeyError> {
        let seal = |(id, secret)| SealingKey {
            id,
            secret: Zeroizing::new(secret),
        };
        Self::from_parts(Zeroizing::new(names), keys.into_iter().map(seal).collect())
    }

    pub(crate) fn from_parts(
        names: Zeroizing<[u8; 32]>,
        keys: Vec<SealingKey>,
    ) -> Result<Self, KeyError> {
        if keys.is_empty() {
            return Err(KeyError::NoKey);
        }
        for (index, key) in keys.iter().enumerate() {
            if keys[..index].iter().any(|other| other.id == key.id) {
                return Err(KeyError::SameId(key.id));
            }
        }
        Ok(Self { names, keys })
    }

    /// Generates a ring with one key.
    pub fn generate() -> Result<Self, KeyError> {
        Self::from_parts(random()?, vec![SealingKey::generate()?])
    }

    /// Returns the ring with a new key at the end, which only opens records: the first step of a
    /// rotation, on every machine.
    pub fn with_new_key(&self) -> Result<Self, KeyError> {
        let new = std::iter::once(SealingKey::generate()?);
        let keys = self.keys.iter().cloned().chain(new);
        Self::from_parts(self.names.clone(), keys.collect())
    }

    /// Returns the ring with its last key moved to the front, where it seals: the second step of a
    /// rotation, once every machine has that key.
    #[must_use]
    pub fn with_last_key_first(mut self) -> Self {
        self.keys.rotate_right(1);
        self
    }

    /// A tag of 16 hexadecimal digits, to separate the records of different rings in a shared
    /// Redis. It stays the same when sealing keys rotate.
    pub fn tag(&self) -> String {
        // Any other constant would be another tag: clients would no longer share their sessions.
        let digest = self.hash(b"the place itself");
        let digits = digest[..8].iter().map(|byte| format!("{byte:02x}"));
        digits.collect()
    }

    /// The ids of the keys; the first one seals.
    pub fn key_ids(&self) -> impl Iterator<Item = u32> {
        self.keys.iter().map(|key| key.id)
    }

    pub(crate) fn names(&self) -> &[u8; 32] {
        &self.names
    }

    pub(crate) fn keys(&self) -> &[SealingKey] {
        &self.keys
    }

    /// The id of a server in the tier: HMAC-SHA-256 of its key under the ring's secret for names.
    /// It stays the same when sealing keys rotate.
    pub fn server_id(&self, server: KeyRef<'_>) -> ServerId {
        ServerId(self.hash(&server.encode()))
    }

    /// The id under which the tier remembers the standing of a server.
    pub(crate) fn standing_id(&self, server: KeyRef<'_>) -> ServerId {
        ServerId(self.hash(&[b"standing", server.encode().as_slice()].concat()))
    }

    /// The id under which the tier remembers when a security domain was cleared.
    pub(crate) fn domain_id(&self, domain: &SecurityDomain) -> ServerId {
        ServerId(self.hash(&[b"cleared domain", domain.as_bytes().as_slice()].concat()))
    }

    fn hash(&self, bytes: &[u8]) -> [u8; 32] {
        // HMAC pads a shorter key with zeros to its block (RFC 2104), so this is the same key, in a
        // type that cannot have a wrong length.
        let mut block = Zeroizing::new([0; 64]);
        block[..self.names.len()].copy_from_slice(&*self.names);
        let mut mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }

    /// Seals a record for `server`, with a random nonce.
    pub fn seal(&self, record: &Record, server: &ServerId) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| SealError)?;
        self.seal_with(record, server, nonce)
    }

    /// Seals a record with a nonce that must never have been used under this key.
    fn seal_with(
        &self,
        record: &Record,
        server: &ServerId,
        nonce: [u8; NONCE],
    ) -> Result<Vec<u8>, SealError> {
        let plain = record.encode();
        self.seal_bytes(&plain, (record.format, record.expires), server, nonce)
    }

    /// Seals any bytes as a record, for the fuzzer.
    #[cfg(feature = "__fuzzing")]
    pub(crate) fn seal_plain(
        &self,
        plain: &[u8],
        format: u32,
        expires: Timestamp,
        server: &ServerId,
    ) -> Result<Vec<u8>, SealError> {
        self.seal_bytes(plain, (format, expires), server, [0; NONCE])
    }

    fn seal_bytes(
        &self,
        plain: &[u8],
        (format, expires): (u32, Timestamp),
        server: &ServerId,
        nonce: [u8; NONCE],
    ) -> Result<Vec<u8>, SealError> {
        let key = self.keys.first().ok_or(SealError)?;
        let mut sealed = Vec::with_capacity(HEADER + plain.len() + TAG);
        sealed.extend(MAGIC);
        sealed.extend(key.id.to_be_bytes());
        sealed.extend(format.to_be_bytes());
        sealed.extend(millis(expires).to_be_bytes());
        sealed.extend(nonce);
        let associated_data = associated_data(&sealed, server);
        sealed.extend_from_slice(plain);
        let tag = cipher(key)
            .encrypt_inout_detached(
                &XNonce::from(nonce),
                &associated_data,
                (&mut sealed[HEADER..]).into(),
            )
            .map_err(|_| SealError)?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Opens a record that was sealed for `server` and has not expired at `now`.
    pub fn open(
        &self,
        sealed: &[u8],
        server: &ServerId,
        now: Timestamp,
    ) -> Result<Record, Rejected> {
        let header = Header::parse(sealed).ok_or(Rejected::Foreign)?;
        let body = sealed.get(HEADER..).ok_or(Rejected::Foreign)?;
        let (body, tag) = body.split_last_chunk::<TAG>().ok_or(Rejected::Foreign)?;
        let key = self.keys.iter().find(|key| key.id == header.key);
        let key = key.ok_or(Rejected::UnknownKey)?;
        let mut plain = Zeroizing::new(body.to_vec());
        cipher(key)
            .decrypt_inout_detached(
                &XNonce::from(header.nonce),
                &associated_data(&sealed[..HEADER], server),
                plain.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .map_err(|_| Rejected::Tampered)?;
        // The header is authenticated only now.
        if header.expires <= now {
            return Err(Rejected::Expired);
        }
        Record::decode(&plain, header.format, header.expires).ok_or(Rejected::Foreign)
    }
}

/// The expiry in a record's header, unauthenticated: for records that this ring cannot open.
pub(crate) fn expiry(sealed: &[u8]) -> Option<Timestamp> {
    Header::parse(sealed).map(|header| header.expires)
}

/// The header of a sealed record, in the clear.
struct Header {
    key: u32,
    format: u32,
    expires: Timestamp,
    nonce: [u8; NONCE],
}

impl Header {
    fn parse(sealed: &[u8]) -> Option<Self> {
        let rest = sealed.strip_prefix(&MAGIC)?;
        let (key, rest) = rest.split_first_chunk()?;
        let (format, rest) = rest.split_first_chunk()?;
        let (expires, rest) = rest.split_first_chunk()?;
        Some(Self {
            key: u32::from_be_bytes(*key),
            format: u32::from_be_bytes(*format),
            expires: timestamp(u64::from_be_bytes(*expires)),
            nonce: *rest.first_chunk()?,
        })
    }
}

/// The associated data of a record: its header and its server.
fn associated_data(header: &[u8], server: &ServerId) -> Vec<u8> {
    [header, &server.0].concat()
}

fn cipher(key: &SealingKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&*key.secret).into())
}

pub(crate) fn random() -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|_| KeyError::NoRandomness)?;
    Ok(bytes)
}

impl ServerId {
    /// The id of no server, except with a chance of 2^-256.
    pub(crate) fn nobody() -> Self {
        Self([0; 32])
    }

    /// Restores an id from [`as_bytes`](Self::as_bytes).
    #[cfg(any(feature = "lmdb", feature = "redis"))]
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, ..] = self.0;
        write!(f, "ServerId({a:02x}{b:02x}..)")
    }
}

impl fmt::Debug for KeyRing {
    /// Shows the ids of the keys, never a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<u32> = self.key_ids().collect();
        f.debug_struct("KeyRing")
            .field("keys", &ids)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
