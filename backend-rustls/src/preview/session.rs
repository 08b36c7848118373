//! What the next rustls hands out for resumption, as the store holds it and as it is written down.

use std::time::Duration;

use rustls_next::client::{Tls12Session, Tls13Session};
use store_core::{Encoded, Entry, Portable, Storable, Timestamp, Usage};
use zeroize::{Zeroize, Zeroizing};

use super::PROVIDER;
use super::written::Facts;

/// Bytes of memory that a session takes beside what its encoding holds, with a chain of up to six
/// certificates: itself, the vectors and counters behind it, and what an allocator rounds up. Each
/// further certificate takes some 40 more. A test measures it.
const OVERHEAD: usize = 768;
/// No encoding is longer: a ticket and QUIC parameters have 16-bit lengths, and rustls takes 64 KiB
/// of certificates.
const LONGEST: usize = 3 * 65_536 + 4_096;
/// How long rustls says at most that a session may be used.
const LONGEST_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// One session of the next rustls: a TLS 1.2 session or a TLS 1.3 ticket with its secret.
///
/// Without `Debug`: it holds key material, which rustls wipes when it is dropped.
#[expect(
    missing_debug_implementations,
    reason = "a session is a secret and is never shown"
)]
pub struct Session {
    value: Value,
    facts: Facts,
}

enum Value {
    // In a box: its secret stands in the session itself, and whoever moved it about would leave
    // copies behind. A ticket has its secret elsewhere.
    Tls12(Box<Tls12Session>),
    Tls13(Tls13Session),
}

impl Value {
    fn usage(&self) -> Usage {
        match self {
            Self::Tls12(_) => Usage::Reusable,
            Self::Tls13(_) => Usage::SingleUse,
        }
    }

    fn encode(&self, buffer: &mut Vec<u8>) {
        match self {
            Self::Tls12(session) => session.encode(buffer),
            Self::Tls13(session) => session.encode(buffer),
        }
    }

    /// Shows its encoding to `read`, and wipes it.
    fn written<T>(&self, read: impl FnOnce(&[u8]) -> T) -> T {
        // With room for any: a buffer that grew would leave secrets behind. Memory that is not
        // written to costs next to nothing.
        let mut buffer = Vec::with_capacity(LONGEST);
        self.encode(&mut buffer);
        let read = read(&buffer);
        buffer.as_mut_slice().zeroize();
        read
    }
}

impl Session {
    /// `None` if its encoding is not the one that is known here.
    pub(super) fn of_tls12(session: Tls12Session) -> Option<Self> {
        Self::of(Value::Tls12(Box::new(session)))
    }

    /// The same; a ticket for QUIC is not one for TCP, and none here.
    pub(super) fn of_tls13(session: Tls13Session) -> Option<Self> {
        Self::of(Value::Tls13(session))
    }

    fn of(value: Value) -> Option<Self> {
        let facts = value.written(|bytes| Facts::read(bytes, value.usage()))?;
        Some(Self { value, facts })
    }

    /// How often it may be used: a TLS 1.3 ticket once, a TLS 1.2 session until it expires.
    pub fn usage(&self) -> Usage {
        self.value.usage()
    }

    /// How long it may be used, by the server's word; zero if it did not say.
    pub fn lifetime(&self) -> Duration {
        self.facts.lifetime
    }

    /// Bytes of early data that a TLS 1.3 ticket allows. `None` for a TLS 1.2 session.
    pub fn early_data(&self) -> Option<u32> {
        self.facts.early_data
    }

    /// Bytes of memory that it occupies.
    pub fn weight(&self) -> usize {
        self.facts.bytes + OVERHEAD
    }

    /// The session with what the store must know of it, received at `now` from a full handshake.
    pub(super) fn into_entry(self, now: Timestamp) -> Entry<Self> {
        let (usage, lifetime, weight) = (self.usage(), self.lifetime(), self.weight());
        Entry::new(self, usage, Some(lifetime), weight, now)
    }

    pub(super) fn into_tls12(self) -> Option<Tls12Session> {
        match self.value {
            // Cloned, so that what was in the box is wiped by its own drop.
            Value::Tls12(session) => Some(session.as_ref().clone()),
            Value::Tls13(_) => None,
        }
    }

    pub(super) fn into_tls13(self) -> Option<Tls13Session> {
        match self.value {
            Value::Tls13(session) => Some(session),
            Value::Tls12(_) => None,
        }
    }
}

impl Storable for Session {
    /// A TLS 1.2 session is copied; a TLS 1.3 ticket is for one use and has no copy.
    fn duplicate(&self) -> Option<Self> {
        match &self.value {
            Value::Tls12(session) => Some(Self {
                value: Value::Tls12(session.clone()),
                facts: self.facts,
            }),
            Value::Tls13(_) => None,
        }
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
        // With room for all, so that nothing is left behind where it grew.
        let mut session = Zeroizing::new(Vec::with_capacity(self.facts.bytes));
        self.value.encode(&mut session);
        Some(Encoded {
            facts: version(self.usage()).to_vec(),
            session,
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
        let value = match usage {
            Usage::Reusable => {
                Value::Tls12(Box::new(Tls12Session::from_slice(bytes, &PROVIDER).ok()?))
            }
            Usage::SingleUse => Value::Tls13(Tls13Session::from_slice(bytes, &PROVIDER).ok()?),
        };
        // Not all that can be read is what was written: any byte but 1 reads as "no".
        let exact = value.written(|again| again == bytes.as_slice());
        let session = Self { value, facts };
        let weight = session.weight();
        exact.then_some((session, weight))
    }
}
