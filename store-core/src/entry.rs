//! A session and what the store must know of it.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::Timestamp;

/// What the store asks of a session type, and what it may ask.
///
/// A session holds key material: its own `Drop` must wipe it. The store drops sessions without
/// holding a lock, so that may call into a TLS library.
pub trait Storable: Sized {
    /// Whether sessions of this type have a smaller form. If not, which is what it says unless it
    /// is set, the store does without all that packing needs, and calls neither
    /// [`packed`](Self::packed) nor [`unpacked`](Self::unpacked).
    const PACKS: bool = false;

    /// A private copy of a reusable session: a connection may change what it is given without
    /// the store's copy changing. `None` if the session cannot be copied: then it is not offered.
    ///
    /// Called without a lock held.
    fn duplicate(&self) -> Option<Self>;

    /// What this session keeps alive and has in common with others of its server, such as the
    /// server's certificates: it is counted once a server, and is not part of the entry's weight.
    ///
    /// Called under a lock, often: it should only look.
    fn shared_part(&self) -> Option<SharedPart> {
        None
    }

    /// The same session in a form that takes less memory, and its weight; `None` if it is as small
    /// as it gets. The store asks for it when the session is no longer among the
    /// [newest](crate::Limits::unpacked_sessions); a single-use one is not offered meanwhile.
    ///
    /// Called without a lock held.
    fn packed(&self) -> Option<(Self, usize)> {
        None
    }

    /// A packed reusable session in the form that is quick to copy, and its weight; `None` if it
    /// is that already, or cannot be had. A single-use session leaves the store as it is.
    ///
    /// Called without a lock held.
    fn unpacked(&self) -> Option<(Self, usize)> {
        None
    }
}

/// Something that several sessions keep alive together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedPart {
    /// The same number for the same thing, for as long as a session keeps it alive: its address.
    pub id: usize,
    /// Bytes that it occupies.
    pub bytes: usize,
}

/// How often a session may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Usage {
    /// Once: a TLS 1.3 ticket (RFC 8446, appendix C.4). Handing it out removes it.
    SingleUse,
    /// Until it expires: a TLS 1.2 session. Handing it out copies it.
    Reusable,
}

impl Usage {
    /// The longest a session may live by the protocol: 7 days for TLS 1.3 (RFC 8446, section
    /// 4.6.1), 24 hours for TLS 1.2 (RFC 5246, section F.1.4).
    pub const fn longest_lifetime(self) -> Duration {
        const DAY: u64 = 24 * 60 * 60;
        match self {
            Self::SingleUse => Duration::from_secs(7 * DAY),
            Self::Reusable => Duration::from_secs(DAY),
        }
    }
}

/// A session with what the store must know of it.
#[derive(Clone)]
pub struct Entry<S> {
    /// The session itself, opaque to the store.
    pub session: S,
    /// Whether it may be used once or often.
    pub usage: Usage,
    /// When the last full handshake took place that this session descends from.
    pub established: Timestamp,
    /// From when on it may no longer be offered.
    pub expires: Timestamp,
    /// Bytes of memory that it keeps for itself beside its own value, as exactly as its backend
    /// can tell: the store counts the value with the place that it is kept in.
    pub weight: usize,
}

impl<S> Entry<S> {
    /// An entry for a session that a full handshake gave at `now`.
    ///
    /// `lifetime` is the server's word; it is cut to [`Usage::longest_lifetime`], which also
    /// stands in where it is `None` (the backend cannot see it). A lifetime of zero means "do not
    /// store" for a TLS 1.3 ticket (RFC 8446, section 4.6.1) and "unspecified" for a TLS 1.2
    /// session (RFC 5077, section 3.3).
    pub fn new(
        session: S,
        usage: Usage,
        lifetime: Option<Duration>,
        weight: usize,
        now: Timestamp,
    ) -> Self {
        let longest = usage.longest_lifetime();
        let lifetime = match lifetime {
            Some(Duration::ZERO) if usage == Usage::Reusable => longest,
            lifetime => lifetime.unwrap_or(longest).min(longest),
        };
        Self {
            session,
            usage,
            established: now,
            expires: now.after(lifetime),
            weight,
        }
    }

    /// The same for a session that a *resumed* handshake gave: it descends from a full handshake
    /// at `established`, and its total age counts from there.
    #[must_use]
    pub fn established_at(self, established: Timestamp) -> Self {
        Self {
            established,
            ..self
        }
    }
}

impl<S> fmt::Debug for Entry<S> {
    /// Shows everything but the session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("usage", &self.usage)
            .field("established", &self.established)
            .field("expires", &self.expires)
            .field("weight", &self.weight)
            .finish_non_exhaustive()
    }
}

/// The identity of a stored entry, unique within its server for as long as the store lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub(crate) u64);

/// A moment in the life of a store that `clear` and `clear_server` separate from the next.
///
/// A connection notes it when it begins; what it puts later is refused if its server was cleared
/// in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub(crate) u64);

/// A session handed to one connection. It is that connection's own.
pub struct Offer<S> {
    /// Which entry it is, for [`SessionStore::remove`](crate::SessionStore::remove).
    pub id: EntryId,
    /// The session and its metadata; `expires` is what the store decided when it was put.
    pub entry: Entry<S>,
}

impl<S> fmt::Debug for Offer<S> {
    /// Shows everything but the session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer")
            .field("id", &self.id)
            .field("entry", &self.entry)
            .finish()
    }
}

/// Why a session was not stored. Nothing to handle: the next handshake is a full one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refused {
    /// The store's limits allow no server: resumption is off.
    #[error("resumption is off: the limits allow no server")]
    Off,
    /// The session is larger than a session may be.
    #[error("the session is larger than the limit for one session")]
    TooLarge,
    /// The session has no time left to live.
    #[error("the session has no time left to live")]
    Expired,
    /// The store or the server was cleared after the connection began.
    #[error("the store or the server was cleared after the connection began")]
    Cleared,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R11: the server's word within the protocol's bounds; zero means what its version says.
    #[test]
    fn lifetimes_are_cut_to_the_protocol() {
        let now = Timestamp::from_unix(Duration::from_secs(1_000));
        let lives = |usage, lifetime: Option<u64>| {
            let lifetime = lifetime.map(Duration::from_secs);
            Entry::new((), usage, lifetime, 0, now)
                .expires
                .since(now)
                .unwrap()
                .as_secs()
        };
        assert_eq!(lives(Usage::SingleUse, Some(7_200)), 7_200);
        assert_eq!(lives(Usage::SingleUse, Some(u64::from(u32::MAX))), 604_800);
        assert_eq!(lives(Usage::SingleUse, Some(0)), 0);
        assert_eq!(lives(Usage::SingleUse, None), 604_800);
        assert_eq!(lives(Usage::Reusable, Some(300)), 300);
        assert_eq!(lives(Usage::Reusable, Some(604_800)), 86_400);
        assert_eq!(lives(Usage::Reusable, Some(0)), 86_400);
    }
}
