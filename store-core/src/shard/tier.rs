//! Sessions that move to a tier and back.

use std::sync::Arc;

use super::{HashedKey, Shard, WhenEmpty};
use crate::held::{Held, Losses};
use crate::server::{Dropped, Server};
use crate::{Entry, EntryId, Generation, Refused, Storable, Timestamp};

impl<S: Storable> Shard<S> {
    /// Stores a session from a tier: counted as returned, not as stored.
    pub(crate) fn restore(
        &mut self,
        hashed: HashedKey<'_>,
        entry: Entry<S>,
        begun: Generation,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
    ) -> Result<EntryId, Refused> {
        let put = self.put(hashed, entry, begun, now, dropped);
        if put.is_ok() {
            self.stats.stored -= 1;
            self.stats.returned += 1;
        }
        put
    }

    /// Removes and returns the oldest single-use sessions of a server, all but the newest `keep`.
    pub(crate) fn surplus(
        &mut self,
        hashed: HashedKey<'_>,
        keep: usize,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
    ) -> Vec<Held<S>> {
        let mut losses = Losses::default();
        let surplus = |server: &mut Server<S>| server.surplus(keep, now, dropped, &mut losses);
        let surplus = self.visit(hashed, WhenEmpty::Remove, surplus);
        let surplus = surplus.unwrap_or_default();
        self.count(losses);
        self.stats.left += surplus.len() as u64;
        surplus
    }

    /// The reusable session of a server; not counted as offered.
    pub(crate) fn peek_reusable(
        &self,
        hashed: HashedKey<'_>,
        now: Timestamp,
    ) -> Option<Arc<Held<S>>> {
        self.peek(hashed)?.peek_reusable(now)
    }

    /// The number of valid single-use sessions of a server, and whether it has a valid reusable
    /// one.
    pub(crate) fn available(&self, hashed: HashedKey<'_>, now: Timestamp) -> (usize, bool) {
        self.peek(hashed).map_or((0, false), |server| {
            (server.available(now), server.peek_reusable(now).is_some())
        })
    }
}
