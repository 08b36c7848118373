//! Operations for a tier: sessions that move out of memory and back.

use crate::{Entry, EntryId, Generation, KeyRef, Refused, SessionKey, Timestamp};

/// The sessions of one server that a look-up can find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Available {
    /// Valid single-use sessions.
    pub single_use: usize,
    /// Whether there is a valid reusable session.
    pub reusable: bool,
}

/// Whether handshakes with a session succeed at a server, as far as processes tell each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing speaks against an offer.
    Good,
    /// An offer failed. The next connection offers nothing: it shows whether the server works at all.
    Failed,
    /// An offer failed, and a full handshake succeeded. If the next offer fails, the server is avoided.
    Doubtful,
    /// Offers fail, and full handshakes succeed: nothing is offered.
    Avoided {
        /// Until when. Then one connection tries again.
        until: Timestamp,
        /// How often it was avoided since a session was last resumed: each time takes twice as long.
        times: u8,
        /// Whether a handshake without a session has succeeded since.
        rested: bool,
    },
}

/// The operations of a [`SessionStore`](crate::SessionStore) for a tier, which implements
/// [`StoreObserver`](crate::StoreObserver). None of them counts as an offer or a miss.
pub trait TierAccess<S> {
    /// The sessions of `key` that a connection could be offered.
    fn available<'k>(&self, key: impl Into<KeyRef<'k>>, now: Timestamp) -> Available;

    /// Removes and returns the single-use sessions of `key`, the oldest first, all but the newest
    /// `keep`. The store keeps no copy of them.
    fn surplus<'k>(&self, key: impl Into<KeyRef<'k>>, keep: usize, now: Timestamp)
    -> Vec<Entry<S>>;

    /// Returns a copy of the reusable session of `key`.
    fn reusable_copy<'k>(&self, key: impl Into<KeyRef<'k>>, now: Timestamp) -> Option<Entry<S>>;

    /// Stores a session from a tier, where this or another process put it. Refuses it if the store
    /// or its server was cleared after the generation `as_of`. Does not notify the observer.
    fn restore<'k>(
        &self,
        key: impl Into<KeyRef<'k>>,
        entry: Entry<S>,
        as_of: Generation,
        now: Timestamp,
    ) -> Result<EntryId, Refused>;

    /// Whether the server is in memory, with a session or not.
    fn knows<'k>(&self, key: impl Into<KeyRef<'k>>) -> bool;

    /// Another process tells of a server. A server that is in memory is known better here. Does not notify
    /// the observer.
    fn learn<'k>(&self, key: impl Into<KeyRef<'k>>, standing: Standing);

    /// Emits an event: a tier has a session of this server from the future, since the clocks of machines
    /// differ.
    fn tell_from_future<'k>(&self, key: impl Into<KeyRef<'k>>);

    /// The servers that have a session now, in any order. Locks one shard at a time.
    fn servers(&self) -> impl Iterator<Item = SessionKey>;
}
