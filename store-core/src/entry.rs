//! A session with the facts that the store needs.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::application_data::set_beside;
use crate::{AddressId, ApplicationData, Protocol, Timestamp};

/// A session type that a store can keep.
///
/// A session contains key material: its own `Drop` must wipe it. The store drops sessions while it
/// holds no lock, so `Drop` may call into a TLS library.
pub trait Storable: Sized {
    /// Whether sessions of this type have a packed form. By default they have none: the store does
    /// not track which are newest, and calls neither [`packed`](Self::packed) nor
    /// [`unpacked`](Self::unpacked).
    const PACKS: bool = false;

    /// A reusable session for one connection: what the connection does to it reaches no other.
    /// `None` if the session cannot be copied; it is then not offered.
    ///
    /// Called under a lock: it should only count a reference or copy bytes, and must not call into a
    /// TLS library.
    fn duplicate(&self) -> Option<Self>;

    /// What the application keeps beside this session. `None`, the default, for a type that keeps none.
    ///
    /// Called under a lock: it should only read a field.
    fn application_data(&self) -> Option<&ApplicationData> {
        None
    }

    /// Sets what the application keeps beside this session, and not beside copies of it. By default it
    /// drops the data. [`Entry::set_application_data`] counts its bytes, too.
    ///
    /// Called under a lock: it should only copy bytes, and must not call into a TLS library.
    fn set_application_data(&mut self, data: Option<ApplicationData>) {
        drop(data);
    }

    /// Memory that this session shares with others of its server, such as the server's
    /// certificates. It counts once per server, and is not part of the entry's weight.
    ///
    /// Called often, under a lock: it should only read fields.
    fn shared_part(&self) -> Option<SharedPart> {
        None
    }

    /// The session in a form that takes less memory, with the weight of that form; `None` if there
    /// is no smaller form. The store calls this for a server that is not in use, when it has
    /// [many sessions](crate::Limits::unpacked_sessions). It does not offer the session during the
    /// call.
    ///
    /// Called with no lock held.
    fn packed(&self) -> Option<(Self, usize)> {
        None
    }

    /// A packed reusable session in the form that is quick to copy, with the weight of that form;
    /// `None` if it is not packed or cannot be unpacked. Single-use sessions are offered packed.
    ///
    /// Called with no lock held.
    fn unpacked(&self) -> Option<(Self, usize)> {
        None
    }
}

/// Memory that several sessions keep alive together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedPart {
    /// Identifies the memory for as long as a session keeps it alive: its address.
    pub id: usize,
    /// Its size in bytes.
    pub bytes: usize,
}

/// How often a session may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Usage {
    /// Once: a TLS 1.3 ticket (RFC 8446, appendix C.4). A connection takes it out of the store.
    SingleUse,
    /// Until it expires: a TLS 1.2 session, and a ticket where [`ReuseTickets`] says so. A connection
    /// gets a copy.
    Reusable,
}

impl Usage {
    /// The longest lifetime that the protocol allows: 7 days for TLS 1.3 (RFC 8446, section
    /// 4.6.1), 24 hours for TLS 1.2 (RFC 5246, section F.1.4).
    pub const fn longest_lifetime(self) -> Duration {
        const DAY: u64 = 24 * 60 * 60;
        match self {
            Self::SingleUse => Duration::from_secs(7 * DAY),
            Self::Reusable => Duration::from_secs(DAY),
        }
    }
}

/// Whether a TLS 1.3 ticket is offered more than once.
///
/// Once is the rule (RFC 8446, appendix C.4): who observes the network, and sees a ticket twice, knows
/// that the same client came back. It is no secret where both ends have fixed addresses and names, such
/// as between mail servers, some of which give one ticket and none after a resumption, to be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum ReuseTickets {
    /// Each ticket is offered once.
    #[default]
    Never,
    /// The newest ticket of a server is offered by every connection, until the server sends another or
    /// does not accept it, for 24 hours at most. Never with early data.
    UntilRenewed,
}

impl ReuseTickets {
    /// How often a session of this version may be used, which its server gave this `lifetime`.
    pub fn usage(self, protocol: Protocol, lifetime: Duration) -> Usage {
        match (protocol, self) {
            (Protocol::Tls12, _) => Usage::Reusable,
            // Zero means "do not store", for a single-use session only.
            (Protocol::Tls13, Self::UntilRenewed) if !lifetime.is_zero() => Usage::Reusable,
            (Protocol::Tls13, _) => Usage::SingleUse,
        }
    }
}

/// A session with the facts that the store needs.
#[derive(Clone)]
pub struct Entry<S> {
    /// The session itself, opaque to the store.
    pub session: S,
    /// How often it may be used.
    pub usage: Usage,
    /// The time of the full handshake that this session descends from.
    pub established: Timestamp,
    /// The time from which on it is no longer offered.
    pub expires: Timestamp,
    /// Bytes of memory that it owns on the heap, as exactly as its backend knows, with what the
    /// application keeps beside it. The store adds the size of the value itself.
    pub weight: usize,
    /// At most so many bytes of it go into a `ClientHello`: those of its ticket. 0 if they are not
    /// known, as in an offer.
    pub ticket_bytes: usize,
    /// The address of the server that gave it. `None`: that of the connection which stores it, if the
    /// store knows it.
    pub address: Option<AddressId>,
}

impl<S> Entry<S> {
    /// An entry for a session that a full handshake at `now` created.
    ///
    /// `lifetime` is what the server sent; a longer one counts as [`Usage::longest_lifetime`], and
    /// so does `None`, for a backend that cannot see it. A lifetime of zero means "do not store"
    /// for a TLS 1.3 ticket (RFC 8446, section 4.6.1) and "unspecified" for a TLS 1.2 session (RFC
    /// 5077, section 3.3).
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
            ticket_bytes: 0,
            address: None,
        }
    }

    /// Sets the size of the ticket, which [`Limits::ticket_bytes`](crate::Limits::ticket_bytes) bounds.
    #[must_use]
    pub fn with_ticket_bytes(self, ticket_bytes: usize) -> Self {
        Self {
            ticket_bytes,
            ..self
        }
    }

    /// Cuts the expiry to `latest`, if it is later: the time at which the certificates expire that
    /// the session stands on.
    #[must_use]
    pub fn expires_by(self, latest: Timestamp) -> Self {
        Self {
            expires: self.expires.min(latest),
            ..self
        }
    }

    /// Sets the time of the full handshake, for a session that a *resumed* handshake created: its
    /// total age counts from there.
    #[must_use]
    pub fn established_at(self, established: Timestamp) -> Self {
        Self {
            established,
            ..self
        }
    }
}

impl<S: Storable> Entry<S> {
    /// Sets what the application keeps beside the session, and counts its bytes in `weight`.
    #[cold]
    pub fn set_application_data(&mut self, data: Option<ApplicationData>) {
        set_beside(&mut self.session, &mut self.weight, data);
    }
}

impl<S> fmt::Debug for Entry<S> {
    /// Leaves the session out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("usage", &self.usage)
            .field("established", &self.established)
            .field("expires", &self.expires)
            .field("weight", &self.weight)
            .field("ticket_bytes", &self.ticket_bytes)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Identifies a stored entry of a server. Not reused while the store exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub(crate) u64);

/// A number that increases with each `clear` and `clear_server` of a store.
///
/// A connection reads it when it begins. The sessions that it stores later are refused if its
/// server was cleared in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub(crate) u64);

/// A session for one connection, which owns it.
pub struct Offer<S> {
    /// Identifies the entry for [`SessionStore::remove`](crate::SessionStore::remove).
    pub id: EntryId,
    /// The session and its facts. `expires` is within the store's limits.
    pub entry: Entry<S>,
}

impl<S> fmt::Debug for Offer<S> {
    /// Leaves the session out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer")
            .field("id", &self.id)
            .field("entry", &self.entry)
            .finish()
    }
}

/// The reason why a session was not stored. Needs no handling: the next handshake is a full one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refused {
    /// The store's limits allow no server: resumption is off.
    #[error("resumption is off: the limits allow no server")]
    Off,
    /// The session is larger than a session may be.
    #[error("the session is larger than the limit for one session")]
    TooLarge,
    /// The session's ticket would make a `ClientHello` larger than middleboxes bear.
    #[error("the ticket is larger than the limit for one ticket")]
    TicketTooLarge,
    /// The session has expired, or its lifetime is zero.
    #[error("the session has expired, or its lifetime is zero")]
    Expired,
    /// The store or the server was cleared after the connection began.
    #[error("the store or the server was cleared after the connection began")]
    Cleared,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R11: zero means "do not store" in TLS 1.3 and "unspecified" in TLS 1.2.
    #[test]
    fn a_lifetime_is_bounded_by_the_protocol() {
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
