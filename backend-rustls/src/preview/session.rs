//! A session of the rustls preview as the store keeps it, and its encoding.

use std::cell::Cell;
use std::sync::LazyLock;
use std::time::Duration;

use rustls_next::client::{Tls12Session, Tls13Session};
use rustls_next::crypto::CipherSuite;
use store_core::{
    ApplicationData, Chain, Chains, Encoded, Entry, Portable, Protocol, ReuseTickets, SharedPart,
    Storable, Timestamp, Usage,
};
use zeroize::{Zeroize, Zeroizing};

use super::encoding::{Metadata, Parts, forbid_early_data, join};
use super::provider::PROVIDER;
use crate::handle::TlsSession;

/// Upper bound of an encoding in bytes: a ticket and QUIC parameters have 16-bit lengths, and
/// rustls accepts 64 KiB of certificates.
const MAX_ENCODED: usize = 3 * 65_536 + 4_096;
/// The longest lifetime that rustls encodes.
const MAX_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The certificates of all sessions of this process. One table for all stores, because a session
/// decoded from a tier belongs to no store yet, and shares certificates with those in memory.
static CHAINS: LazyLock<Chains> = LazyLock::new(Chains::default);

/// A TLS 1.2 session, or a TLS 1.3 ticket with its secret.
///
/// It is kept encoded, apart from the peer's certificates, which sessions share. The decoded form
/// takes several times the memory.
///
/// Without `Debug`: it holds key material, which is wiped on drop.
#[expect(
    missing_debug_implementations,
    reason = "a session is secret and is never printed"
)]
pub struct Session {
    /// The encoding without the certificates.
    // invariant: from `Parts::split`, with readable metadata
    body: Zeroizing<Box<[u8]>>,
    chain: Chain,
    protocol: Protocol,
    usage: Usage,
    /// When the certificates of the full handshake expire.
    not_after: Timestamp,
    application_data: Option<ApplicationData>,
}

thread_local! {
    /// The buffer in which sessions are encoded, wiped after each. Its capacity is [`MAX_ENCODED`]:
    /// the size is not known before, and a buffer that grows leaves secrets in freed memory. The
    /// system commits no memory for the part that is never written.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Passes the bytes that `encode` writes to `read`, and wipes them. `None` while the thread is being
/// torn down.
fn with_encoded<T>(encode: impl FnOnce(&mut Vec<u8>), read: impl FnOnce(&[u8]) -> T) -> Option<T> {
    // Also wiped on a panic.
    let mut buffer = Zeroizing::new(SCRATCH.try_with(Cell::take).ok()?);
    buffer.reserve_exact(MAX_ENCODED);
    encode(&mut buffer);
    let read = read(&buffer);
    buffer.as_mut_slice().zeroize();
    buffer.clear();
    let buffer = std::mem::take(&mut *buffer);
    let _ = SCRATCH.try_with(|scratch| scratch.set(buffer));
    Some(read)
}

impl Session {
    /// `None` if its encoding is not the known one, or its cipher suite is not of this provider.
    pub(super) fn from_tls12(session: &Tls12Session) -> Option<Self> {
        let read = |encoded: &[u8]| Self::from_encoded(encoded, Protocol::Tls12, Usage::Reusable);
        with_encoded(|buffer| session.encode(buffer), read)?
    }

    /// As [`from_tls12`](Self::from_tls12); `None` also for a ticket of QUIC.
    pub(super) fn from_tls13(session: &Tls13Session) -> Option<Self> {
        let read = |encoded: &[u8]| Self::from_encoded(encoded, Protocol::Tls13, Usage::SingleUse);
        with_encoded(|buffer| session.encode(buffer), read)?
    }

    fn from_encoded(encoded: &[u8], protocol: Protocol, usage: Usage) -> Option<Self> {
        let parts = Parts::split(encoded, protocol)?;
        let suite = CipherSuite(u16::from_be_bytes(*encoded.first_chunk()?));
        let known = match protocol {
            Protocol::Tls12 => {
                let mut suites = PROVIDER.tls12_cipher_suites.iter();
                suites.any(|known| known.common.suite == suite)
            }
            Protocol::Tls13 => {
                let mut suites = PROVIDER.tls13_cipher_suites.iter();
                suites.any(|known| known.common.suite == suite)
            }
        };
        known.then(|| Self {
            body: Zeroizing::new(parts.body.into()),
            chain: CHAINS.intern(parts.certificates),
            protocol,
            usage,
            not_after: Timestamp::NEVER,
            application_data: None,
        })
    }

    /// Single-use for a TLS 1.3 ticket, unless it is [used again](ReuseTickets); reusable for a TLS 1.2
    /// session.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// The lifetime that the server gave; zero if it gave none.
    pub fn lifetime(&self) -> Duration {
        let metadata = self.metadata();
        metadata.map_or(Duration::ZERO, |metadata| metadata.lifetime)
    }

    /// Bytes of early data that a TLS 1.3 ticket allows. `None` for a TLS 1.2 session.
    pub fn max_early_data(&self) -> Option<u32> {
        self.metadata()?.max_early_data
    }

    /// The session's weight in the store's byte limits: bytes of memory without the shared
    /// certificates, and without what the application keeps beside it.
    pub fn weight(&self) -> usize {
        // Including the allocator's rounding and header.
        (self.body.len() + size_of::<usize>()).next_multiple_of(16) + size_of::<Self>()
    }

    fn metadata(&self) -> Option<Metadata> {
        Metadata::read(&self.body, self.protocol)
    }

    /// The whole encoding.
    fn encoded(&self) -> Zeroizing<Vec<u8>> {
        join(&self.body, &self.chain, self.protocol)
    }

    /// An entry for a session of a full handshake, received at `now`.
    pub(super) fn into_entry(mut self, reuse_tickets: ReuseTickets, now: Timestamp) -> Entry<Self> {
        let (lifetime, weight) = (self.lifetime(), self.weight());
        let usage = reuse_tickets.usage(self.protocol, lifetime);
        if usage != self.usage {
            self.usage = usage;
            // The server may accept it once only.
            forbid_early_data(&mut self.body);
        }
        // All but some 100 bytes are the ticket's.
        let ticket_bytes = self.body.len();
        Entry::new(self, usage, Some(lifetime), weight, now).with_ticket_bytes(ticket_bytes)
    }

    pub(super) fn to_tls12(&self) -> Option<Tls12Session> {
        match self.protocol {
            Protocol::Tls12 => Tls12Session::from_slice(&self.encoded(), &PROVIDER).ok(),
            Protocol::Tls13 => None,
        }
    }

    pub(super) fn into_tls13(self) -> Option<Tls13Session> {
        match self.protocol {
            Protocol::Tls13 => Tls13Session::from_slice(&self.encoded(), &PROVIDER).ok(),
            Protocol::Tls12 => None,
        }
    }
}

impl TlsSession for Session {
    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn not_after(&self) -> Timestamp {
        self.not_after
    }

    fn set_not_after(&mut self, not_after: Timestamp) {
        self.not_after = not_after;
    }
}

impl Storable for Session {
    /// A reusable session is copied.
    fn duplicate(&self) -> Option<Self> {
        match self.usage {
            Usage::Reusable => Some(Self {
                body: self.body.clone(),
                chain: self.chain.clone(),
                protocol: self.protocol,
                usage: self.usage,
                not_after: self.not_after,
                application_data: self.application_data.clone(),
            }),
            Usage::SingleUse => None,
        }
    }

    fn application_data(&self) -> Option<&ApplicationData> {
        self.application_data.as_ref()
    }

    fn set_application_data(&mut self, data: Option<ApplicationData>) {
        self.application_data = data;
    }

    /// The peer's certificates.
    fn shared_part(&self) -> Option<SharedPart> {
        self.chain.shared_part()
    }
}

/// What is encoded beside the session: the minor version number of TLS on the wire, and when the
/// certificates expire, in milliseconds.
fn encode_facts(protocol: Protocol, not_after: Timestamp) -> Vec<u8> {
    let millis = not_after.as_millis().to_be_bytes();
    [version(protocol), &millis].concat()
}

fn decode_facts(facts: &[u8], protocol: Protocol) -> Option<Timestamp> {
    let millis = facts.strip_prefix(version(protocol))?;
    let millis = u64::from_be_bytes(millis.try_into().ok()?);
    Some(Timestamp::from_millis(millis))
}

/// The minor version number of TLS on the wire.
fn version(protocol: Protocol) -> &'static [u8] {
    match protocol {
        Protocol::Tls12 => &[3],
        Protocol::Tls13 => &[4],
    }
}

impl Portable for Session {
    // 2: the facts contain when the certificates expire.
    const FORMAT: u32 = 0x0002_0002;

    fn encode(&self) -> Option<Encoded> {
        Some(Encoded {
            facts: encode_facts(self.protocol, self.not_after),
            session: self.encoded(),
        })
    }

    /// Decodes sessions with cipher suites of [`provider`](super::provider).
    fn decode(encoded: &Encoded, usage: Usage) -> Option<(Self, usize)> {
        let protocols = match usage {
            Usage::SingleUse => &[Protocol::Tls13][..],
            Usage::Reusable => &Protocol::ALL,
        };
        let mut protocols = protocols.iter().copied();
        let read = |protocol| Some((protocol, decode_facts(&encoded.facts, protocol)?));
        let (protocol, not_after) = protocols.find_map(read)?;
        let bytes = &encoded.session;
        let metadata = Metadata::read(bytes, protocol)?;
        // rustls never encodes a longer lifetime. With one, a session could reach an age at which
        // rustls's arithmetic overflows. A TLS 1.3 ticket with a lifetime of zero is never stored.
        let unlimited = protocol == Protocol::Tls13 && metadata.lifetime.is_zero();
        if metadata.lifetime > MAX_LIFETIME || unlimited {
            return None;
        }
        // rustls decodes several encodings to one session: as a flag, any byte but 1 means "no".
        let same = |again: &[u8]| again == bytes.as_slice();
        let exact = match protocol {
            Protocol::Tls12 => {
                let session = Tls12Session::from_slice(bytes, &PROVIDER).ok()?;
                with_encoded(|buffer| session.encode(buffer), same)?
            }
            Protocol::Tls13 => {
                let session = Tls13Session::from_slice(bytes, &PROVIDER).ok()?;
                with_encoded(|buffer| session.encode(buffer), same)?
            }
        };
        let mut session = exact.then(|| Self::from_encoded(bytes, protocol, usage))??;
        session.not_after = not_after;
        let weight = session.weight();
        Some((session, weight))
    }
}
