//! The keys of a place: what seals its records, and what hides the names of servers.

use std::fmt;

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use store_core::{KeyRef, Timestamp};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::record::{Record, millis, take, timestamp};

/// What every record begins with. The last byte is the version of the layout.
const MAGIC: [u8; 4] = *b"TLR\x01";
/// Magic, key, format, expiry, nonce.
const HEADER: usize = 4 + 4 + 4 + 8 + NONCE;
const NONCE: usize = 24;
const TAG: usize = 16;

/// The keys of one place: the secret under which servers' names are hashed, and the keys that
/// seal records. The first key seals, all of them open, so keys are changed without loss: add a new
/// one at the end everywhere ([`with_new_key`](Self::with_new_key)), then put it in front everywhere
/// ([`with_last_key_first`](Self::with_last_key_first)), and take the old one away when its last
/// record has expired.
///
/// Records are sealed with XChaCha20-Poly1305, whose nonces are long enough to be drawn at random
/// by any number of machines under one key.
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
    /// A new key, with an id at random: other rings' keys are told from a change of this one's.
    fn generate() -> Result<Self, KeyError> {
        let (id, secret) = (random()?, random()?);
        let [a, b, c, d, ..] = *id;
        Ok(Self {
            id: u32::from_be_bytes([a, b, c, d]),
            secret,
        })
    }
}

/// A server as a place beyond the process knows it: a keyed hash of its
/// [`SessionKey`](store_core::SessionKey).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerId([u8; 32]);

/// A key ring cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No key to seal with.
    #[error("the key ring has no key: give at least one")]
    NoKey,
    /// One id for two keys.
    #[error("the key ring has two keys with the id {0}: give each an id of its own")]
    SameId(u32),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
}

/// A record cannot be sealed: it is not stored, and nothing is lost but a resumption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the record cannot be sealed")]
pub struct SealError;

/// Why a record is not opened. Each is a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Rejected {
    /// It is not a record of this version.
    #[error("not a record of this version")]
    Foreign,
    /// It is sealed with a key that the ring does not have.
    #[error("sealed with a key that is not in the ring")]
    UnknownKey,
    /// It was changed, or put under another server.
    #[error("tampered with, or of another server")]
    Tampered,
    /// Its time is over.
    #[error("expired")]
    Expired,
}

impl KeyRing {
    /// A ring of these keys: the secret for names, then the sealing keys with their ids, the one
    /// to seal with first.
    pub fn new(
        names: [u8; 32],
        keys: impl IntoIterator<Item = (u32, [u8; 32])>,
    ) -> Result<Self, KeyError> {
        let seal = |(id, secret)| SealingKey {
            id,
            secret: Zeroizing::new(secret),
        };
        Self::of(Zeroizing::new(names), keys.into_iter().map(seal).collect())
    }

    pub(crate) fn of(names: Zeroizing<[u8; 32]>, keys: Vec<SealingKey>) -> Result<Self, KeyError> {
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

    /// A new ring with one key, from the system's random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        Self::of(random()?, vec![SealingKey::generate()?])
    }

    /// The same ring with a new key at its end, which opens records and seals none yet: the first
    /// step of a change of keys, on every machine.
    pub fn with_new_key(&self) -> Result<Self, KeyError> {
        let new = std::iter::once(SealingKey::generate()?);
        let keys = self.keys.iter().cloned().chain(new);
        Self::of(self.names.clone(), keys.collect())
    }

    /// The same ring with its last key in front, which seals from now on: the second step, once
    /// every machine has that key.
    #[must_use]
    pub fn with_last_key_first(mut self) -> Self {
        self.keys.rotate_right(1);
        self
    }

    /// What the place is called where records under these keys lie, if it is one that others use,
    /// too: 16 hexadecimal digits, which stay when sealing keys are changed.
    pub fn tag(&self) -> String {
        let digest = self.hash(b"the place itself");
        let digits = digest[..8].iter().map(|byte| format!("{byte:02x}"));
        digits.collect()
    }

    /// The ids of the keys, the one that seals first.
    pub fn key_ids(&self) -> impl Iterator<Item = u32> {
        self.keys.iter().map(|key| key.id)
    }

    pub(crate) fn names(&self) -> &[u8; 32] {
        &self.names
    }

    pub(crate) fn keys(&self) -> &[SealingKey] {
        &self.keys
    }

    /// What a server is called outside: HMAC-SHA-256 of its key under the ring's secret for names.
    /// It stays the same when sealing keys are changed.
    pub fn server_id(&self, server: KeyRef<'_>) -> ServerId {
        ServerId(self.hash(&server.encode()))
    }

    fn hash(&self, bytes: &[u8]) -> [u8; 32] {
        // HMAC fills a shorter key up with zeros to its block (RFC 2104): so no length can be wrong.
        let mut block = Zeroizing::new([0; 64]);
        block[..self.names.len()].copy_from_slice(&*self.names);
        let mut mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }

    /// Seals a record of `server`, with a nonce from the system's random numbers.
    pub fn seal(&self, record: &Record, server: &ServerId) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| SealError)?;
        self.seal_with(record, server, nonce)
    }

    /// The same with a nonce that must never have been used under this key.
    fn seal_with(
        &self,
        record: &Record,
        server: &ServerId,
        nonce: [u8; NONCE],
    ) -> Result<Vec<u8>, SealError> {
        let plain = record.encode();
        self.seal_bytes(&plain, (record.format, record.expires), server, nonce)
    }

    /// Seals any bytes, as only a fuzzer does.
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
        let bound = bound(&sealed, server);
        sealed.extend_from_slice(plain);
        let tag = cipher(key)
            .encrypt_inout_detached(&XNonce::from(nonce), &bound, (&mut sealed[HEADER..]).into())
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
                &bound(&sealed[..HEADER], server),
                plain.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .map_err(|_| Rejected::Tampered)?;
        // Only now the expiry is worth anything.
        if header.expires <= now {
            return Err(Rejected::Expired);
        }
        Record::decode(&plain, header.format, header.expires).ok_or(Rejected::Foreign)
    }
}

/// When a record expires, by what stands in the clear: worth something only to those who cannot
/// open it.
pub(crate) fn expiry(sealed: &[u8]) -> Option<Timestamp> {
    Header::parse(sealed).map(|header| header.expires)
}

/// What stands before a record in the clear.
struct Header {
    key: u32,
    format: u32,
    expires: Timestamp,
    nonce: [u8; NONCE],
}

impl Header {
    fn parse(mut sealed: &[u8]) -> Option<Self> {
        let from = &mut sealed;
        if take::<4>(from)? != MAGIC {
            return None;
        }
        Some(Self {
            key: u32::from_be_bytes(take(from)?),
            format: u32::from_be_bytes(take(from)?),
            expires: timestamp(u64::from_be_bytes(take(from)?)),
            nonce: take(from)?,
        })
    }
}

/// What a record is bound to: its whole header, and its server.
fn bound(header: &[u8], server: &ServerId) -> Vec<u8> {
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
    /// No server: what no key is hashed to, but by a chance of one in 2^256.
    pub(crate) fn nobody() -> Self {
        Self([0; 32])
    }

    /// The server that goes by these bytes, which were once [`as_bytes`](Self::as_bytes) of it.
    #[cfg(feature = "lmdb")]
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
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
