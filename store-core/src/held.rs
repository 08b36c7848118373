//! A stored session with its facts.

use std::time::Duration;

use crate::{AddressId, Entry, EntryId, Offer, Timestamp, Usage};

/// How far the clock may go back before stored sessions count as from the future.
const CLOCK_BACK: Duration = Duration::from_secs(1);

/// A stored session with its facts.
pub(crate) struct Held<S> {
    /// `None` while it is packed outside the lock: it counts, and no look-up finds it.
    pub(crate) session: Option<S>,
    pub(crate) id: EntryId,
    pub(crate) established: Timestamp,
    pub(crate) received: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) weight: usize,
    pub(crate) usage: Usage,
    /// Whether it is packed, or has no smaller form.
    pub(crate) packed: bool,
    /// The address of the server that gave it, if it is known.
    pub(crate) address: Option<AddressId>,
}

impl<S> Held<S> {
    #[inline]
    pub(crate) fn is_valid(&self, now: Timestamp) -> bool {
        now < self.expires && self.received <= now.after(CLOCK_BACK)
    }

    /// An offer of `session`: this one, or a copy of it.
    #[inline]
    pub(crate) fn offer(&self, session: S) -> Offer<S> {
        Offer {
            id: self.id,
            entry: Entry {
                session,
                usage: self.usage,
                established: self.established,
                expires: self.expires,
                weight: self.weight,
                ticket_bytes: 0,
                address: self.address,
            },
        }
    }
}
