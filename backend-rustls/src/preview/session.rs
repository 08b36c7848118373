//! What the next rustls hands out for resumption, as the store holds it and as it is written down.

use std::cell::Cell;
use std::sync::LazyLock;
use std::time::Duration;

use rustls_next::client::{Tls12Session, Tls13Session};
use rustls_next::crypto::CipherSuite;
use store_core::{Chain, Chains, Encoded, Entry, Portable, SharedPart, Storable, Timestamp, Usage};
use zeroize::{Zeroize, Zeroizing};

use super::PROVIDER;
use super::written::{Facts, Parts, join};

/// No encoding is longer: a ticket and QUIC parameters have 16-bit lengths, and rustls takes 64 KiB
/// of certificates.
const LONGEST: usize = 3 * 65_536 + 4_096;
/// How long rustls says at most that a session may be used.
const LONGEST_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The certificates of all sessions of this process: a session that comes from beyond it knows no
/// store, and should find those that are here.
static CHAINS: LazyLock<Chains> = LazyLock::new(Chains::default);

/// One session of the next rustls: a TLS 1.2 session or a TLS 1.3 ticket with its secret.
///
/// It is kept as it is written down, without the peer's certificates, which sessions share. What
/// rustls makes of that at a connection takes several times the memory.
///
/// Without `Debug`: it holds key material, which is wiped when it is dropped.
#[expect(
    missing_debug_implementations,
    reason = "a session is a secret and is never shown"
)]
pub struct Session {
    // invariant: what `Parts::split` made of an encoding, with facts that can be read
    own: Zeroizing<Box<[u8]>>,
    chain: Chain,
    usage: Usage,
}

thread_local! {
    /// Where sessions are written, wiped after each. It has room for any: a buffer that grew would
    /// leave secrets behind, and its size is not known before. What is not written to costs
    /// next to nothing.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Shows what `encode` writes to `read`, and wipes it. `None` in a thread that is at its end.
fn written<T>(encode: impl FnOnce(&mut Vec<u8>), read: impl FnOnce(&[u8]) -> T) -> Option<T> {
    // Wiped if something panics on the way, too.
    let mut buffer = Zeroizing::new(SCRATCH.try_with(Cell::take).ok()?);
    buffer.reserve_exact(LONGEST);
    encode(&mut buffer);
    let read = read(&buffer);
    buffer.as_mut_slice().zeroize();
    buffer.clear();
    let buffer = std::mem::take(&mut *buffer);
    let _ = SCRATCH.try_with(|scratch| scratch.set(buffer));
    Some(read)
}

impl Session {
    /// `None` if its encoding is not the one that is known here, or its cipher suite is another
    /// provider's.
    pub(super) fn of_tls12(session: &Tls12Session) -> Option<Self> {
        let read = |encoded: &[u8]| Self::of(encoded, Usage::Reusable);
        written(|buffer| session.encode(buffer), read)?
    }

    /// The same; a ticket for QUIC is not one for TCP, and none here.
    pub(super) fn of_tls13(session: &Tls13Session) -> Option<Self> {
        let read = |encoded: &[u8]| Self::of(encoded, Usage::SingleUse);
        written(|buffer| session.encode(buffer), read)?
    }

    fn of(encoded: &[u8], usage: Usage) -> Option<Self> {
        let parts = Parts::split(encoded, usage)?;
        let suite = CipherSuite(u16::from_be_bytes(*encoded.first_chunk()?));
        let known = match usage {
            Usage::Reusable => {
                let mut suites = PROVIDER.tls12_cipher_suites.iter();
                suites.any(|known| known.common.suite == suite)
            }
            Usage::SingleUse => {
                let mut suites = PROVIDER.tls13_cipher_suites.iter();
                suites.any(|known| known.common.suite == suite)
            }
        };
        known.then(|| Self {
            own: Zeroizing::new(parts.own.into()),
            chain: CHAINS.intern(parts.certificates),
            usage,
        })
    }

    /// How often it may be used: a TLS 1.3 ticket once, a TLS 1.2 session until it expires.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// How long it may be used, by the server's word; zero if it did not say.
    pub fn lifetime(&self) -> Duration {
        self.facts().map_or(Duration::ZERO, |facts| facts.lifetime)
    }

    /// Bytes of early data that a TLS 1.3 ticket allows. `None` for a TLS 1.2 session.
    pub fn early_data(&self) -> Option<u32> {
        self.facts()?.early_data
    }

    /// Bytes of memory that it occupies, without the certificates that it shares.
    pub fn weight(&self) -> usize {
        // As allocators round up, with their own word.
        (self.own.len() + size_of::<usize>()).next_multiple_of(16) + size_of::<Self>()
    }

    fn facts(&self) -> Option<Facts> {
        Facts::read(&self.own, self.usage)
    }

    fn joined(&self) -> Zeroizing<Vec<u8>> {
        join(&self.own, &self.chain, self.usage)
    }

    /// The session with what the store must know of it, received at `now` from a full handshake.
    pub(super) fn into_entry(self, now: Timestamp) -> Entry<Self> {
        let (usage, lifetime, weight) = (self.usage(), self.lifetime(), self.weight());
        Entry::new(self, usage, Some(lifetime), weight, now)
    }

    pub(super) fn to_tls12(&self) -> Option<Tls12Session> {
        match self.usage {
            Usage::Reusable => Tls12Session::from_slice(&self.joined(), &PROVIDER).ok(),
            Usage::SingleUse => None,
        }
    }

    pub(super) fn into_tls13(self) -> Option<Tls13Session> {
        match self.usage {
            Usage::SingleUse => Tls13Session::from_slice(&self.joined(), &PROVIDER).ok(),
            Usage::Reusable => None,
        }
    }
}

impl Storable for Session {
    /// A TLS 1.2 session is copied; a TLS 1.3 ticket is for one use and has no copy.
    fn duplicate(&self) -> Option<Self> {
        match self.usage {
            Usage::Reusable => Some(Self {
                own: self.own.clone(),
                chain: self.chain.clone(),
                usage: self.usage,
            }),
            Usage::SingleUse => None,
        }
    }

    /// The peer's certificates.
    fn shared_part(&self) -> Option<SharedPart> {
        self.chain.shared_part()
    }
}

/// The version of TLS as it stands in the facts of what is written: the minor number on the wire.
fn version(usage: Usage) -> &'static [u8] {
    match usage {
        Usage::Reusable => &[3],
        Usage::SingleUse => &[4],
    }
}

impl Portable for Session {
    /// rustls's preview, first format.
    const FORMAT: u32 = 0x0002_0001;

    fn encode(&self) -> Option<Encoded> {
        Some(Encoded {
            facts: version(self.usage).to_vec(),
            session: self.joined(),
        })
    }

    /// For cipher suites of [`provider`](super::provider).
    fn decode(encoded: &Encoded, usage: Usage) -> Option<(Self, usize)> {
        if encoded.facts != version(usage) {
            return None;
        }
        let bytes = &encoded.session;
        let facts = Facts::read(bytes, usage)?;
        // rustls writes no longer lifetime and would wait for its end, up to an age that its
        // arithmetic does not bear. A ticket of TLS 1.3 without any is never stored.
        let unlimited = usage == Usage::SingleUse && facts.lifetime.is_zero();
        if facts.lifetime > LONGEST_LIFETIME || unlimited {
            return None;
        }
        // Not all that can be read is what was written: any byte but 1 reads as "no".
        let same = |again: &[u8]| again == bytes.as_slice();
        let exact = match usage {
            Usage::Reusable => {
                let session = Tls12Session::from_slice(bytes, &PROVIDER).ok()?;
                written(|buffer| session.encode(buffer), same)?
            }
            Usage::SingleUse => {
                let session = Tls13Session::from_slice(bytes, &PROVIDER).ok()?;
                written(|buffer| session.encode(buffer), same)?
            }
        };
        let session = exact.then(|| Self::of(bytes, usage))??;
        let weight = session.weight();
        Some((session, weight))
    }
}
