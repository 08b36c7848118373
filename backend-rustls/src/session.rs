//! What rustls hands out for resumption, as the store holds it.

use rustls::client::{Tls12ClientSessionValue, Tls13ClientSessionValue};
use store_core::{Entry, Storable, Timestamp, Usage};

/// What one session counts for at least in the store's byte limits: 4 KiB.
///
/// rustls 0.23 does not show a session's size. A ticket with a chain of three certificates takes
/// about 2.8 kB; the rest is headroom. A [`Connection`](crate::Connection) that is told what
/// arrived ([`arrived`](crate::Connection::arrived)) counts a session that came with more for
/// that much. `session_bytes` below 4 KiB turns resumption off.
pub const SESSION_WEIGHT: usize = 4 * 1024;

/// One rustls session: a TLS 1.2 session or a TLS 1.3 ticket with its secret.
///
/// Opaque, and without `Debug`: it holds key material, which rustls wipes when it is dropped.
#[expect(
    missing_debug_implementations,
    reason = "a session is a secret and is never shown"
)]
pub struct Session(Value);

enum Value {
    Tls12(Tls12ClientSessionValue),
    Tls13(Tls13ClientSessionValue),
}

impl Session {
    /// How often it may be used: a TLS 1.3 ticket once, a TLS 1.2 session until it expires.
    pub fn usage(&self) -> Usage {
        match self.0 {
            Value::Tls12(_) => Usage::Reusable,
            Value::Tls13(_) => Usage::SingleUse,
        }
    }

    /// The session with what the store must know of it, received at `now` from a full handshake,
    /// in no more than `bytes`, if that is known.
    pub(crate) fn into_entry(self, bytes: usize, now: Timestamp) -> Entry<Self> {
        let usage = self.usage();
        // rustls keeps the lifetime to itself and checks it when it is handed the session.
        Entry::new(self, usage, None, SESSION_WEIGHT.max(bytes), now)
    }

    pub(crate) fn into_tls12(self) -> Option<Tls12ClientSessionValue> {
        match self.0 {
            Value::Tls12(value) => Some(value),
            Value::Tls13(_) => None,
        }
    }

    pub(crate) fn into_tls13(self) -> Option<Tls13ClientSessionValue> {
        match self.0 {
            Value::Tls13(value) => Some(value),
            Value::Tls12(_) => None,
        }
    }
}

impl From<Tls12ClientSessionValue> for Session {
    fn from(value: Tls12ClientSessionValue) -> Self {
        Self(Value::Tls12(value))
    }
}

impl From<Tls13ClientSessionValue> for Session {
    fn from(value: Tls13ClientSessionValue) -> Self {
        Self(Value::Tls13(value))
    }
}

impl Storable for Session {
    /// A TLS 1.2 session is copied; a TLS 1.3 ticket is for one use and has no copy.
    fn duplicate(&self) -> Option<Self> {
        match &self.0 {
            Value::Tls12(value) => Some(Self(Value::Tls12(value.clone()))),
            Value::Tls13(_) => None,
        }
    }
}
