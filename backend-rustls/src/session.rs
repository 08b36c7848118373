//! A session of rustls 0.23 as the store keeps it.

use std::sync::Arc;

use rustls::client::{Tls12ClientSessionValue, Tls13ClientSessionValue};
use store_core::{ApplicationData, Entry, Protocol, Storable, Timestamp, Usage};

use crate::handle::TlsSession;

/// The smallest weight of a session in the store's byte limits: 4 KiB.
///
/// rustls 0.23 does not expose a session's size. A ticket with a chain of three certificates takes
/// about 2.8 kB; the rest is headroom. A session received in more bytes has their number as its
/// weight, if it is reported ([`Connection::received`](crate::Connection::received)). A limit
/// `session_bytes` below 4 KiB turns resumption off.
pub const SESSION_WEIGHT: usize = 4 * 1024;

/// One rustls session: a TLS 1.2 session or a TLS 1.3 ticket with its secret.
///
/// Opaque, and without `Debug`: it holds key material, which rustls wipes when it is dropped.
#[expect(
    missing_debug_implementations,
    reason = "a session is secret and is never printed"
)]
pub struct Session {
    value: Value,
    /// When the certificates of the full handshake expire, as far as they are known.
    not_after: Timestamp,
}

// Behind a pointer: a value has some 150 bytes, and a handshake moves it seven times.
enum Value {
    Tls12(Arc<Kept<Tls12ClientSessionValue>>),
    Tls13(Box<Kept<Tls13ClientSessionValue>>),
}

/// A value of rustls, and what the application keeps beside it.
#[derive(Clone)]
struct Kept<V> {
    application_data: Option<ApplicationData>,
    value: V,
}

impl Session {
    /// Single-use for a TLS 1.3 ticket, reusable for a TLS 1.2 session.
    pub fn usage(&self) -> Usage {
        match self.value {
            Value::Tls12(_) => Usage::Reusable,
            Value::Tls13(_) => Usage::SingleUse,
        }
    }

    /// An entry for a session of a full handshake, received at `now` in at most `bytes` bytes; 0 if
    /// their number is not known.
    pub(crate) fn into_entry(self, bytes: usize, now: Timestamp) -> Entry<Self> {
        let usage = self.usage();
        // rustls does not expose the lifetime, and checks it itself when it is given the session.
        Entry::new(self, usage, None, SESSION_WEIGHT.max(bytes), now)
    }

    pub(crate) fn into_tls12(self) -> Option<Tls12ClientSessionValue> {
        match self.value {
            // The store has the value, too, unless it was replaced meanwhile.
            Value::Tls12(kept) => Some(kept.value.clone()),
            Value::Tls13(_) => None,
        }
    }

    pub(crate) fn into_tls13(self) -> Option<Tls13ClientSessionValue> {
        match self.value {
            Value::Tls13(kept) => Some(kept.value),
            Value::Tls12(_) => None,
        }
    }
}

impl From<Tls12ClientSessionValue> for Session {
    fn from(value: Tls12ClientSessionValue) -> Self {
        Value::Tls12(Arc::new(value.into())).into()
    }
}

impl From<Tls13ClientSessionValue> for Session {
    fn from(value: Tls13ClientSessionValue) -> Self {
        // Written in place: `Box::new` would build it on the stack first.
        let kept = Box::write(Box::new_uninit(), value.into());
        Value::Tls13(kept).into()
    }
}

impl<V> From<V> for Kept<V> {
    #[inline]
    fn from(value: V) -> Self {
        let application_data = None;
        Self {
            application_data,
            value,
        }
    }
}

impl From<Value> for Session {
    fn from(value: Value) -> Self {
        let not_after = Timestamp::NEVER;
        Self { value, not_after }
    }
}

impl TlsSession for Session {
    fn protocol(&self) -> Protocol {
        match self.value {
            Value::Tls12(_) => Protocol::Tls12,
            Value::Tls13(_) => Protocol::Tls13,
        }
    }

    fn not_after(&self) -> Timestamp {
        self.not_after
    }

    fn set_not_after(&mut self, not_after: Timestamp) {
        self.not_after = not_after;
    }
}

impl Storable for Session {
    /// A TLS 1.2 session is copied. A TLS 1.3 ticket is for one use and is not.
    fn duplicate(&self) -> Option<Self> {
        match &self.value {
            Value::Tls12(kept) => Some(Self {
                value: Value::Tls12(Arc::clone(kept)),
                not_after: self.not_after,
            }),
            Value::Tls13(_) => None,
        }
    }

    fn application_data(&self) -> Option<&ApplicationData> {
        match &self.value {
            Value::Tls12(kept) => kept.application_data.as_ref(),
            Value::Tls13(kept) => kept.application_data.as_ref(),
        }
    }

    fn set_application_data(&mut self, data: Option<ApplicationData>) {
        match &mut self.value {
            Value::Tls12(kept) => Arc::make_mut(kept).application_data = data,
            Value::Tls13(kept) => kept.application_data = data,
        }
    }
}
