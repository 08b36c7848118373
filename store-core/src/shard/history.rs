//! What is remembered of handshakes in which a session was offered.

use super::Shard;
use super::slab::{HashedKey, Index};
use crate::dropped::Dropped;
use crate::server::History;
use crate::tier::{Available, Standing};
use crate::{Begun, EntryId, LookUp, Outcome, Outlook, Start, Storable, Timestamp, Want};

impl<S: Storable> Shard<S> {
    /// A connection to the server at `index` offers nothing because of earlier handshakes.
    #[cold]
    pub(super) fn avoid(&mut self, index: Index, look_up: LookUp, start: &mut Start<S>) {
        let is_second = look_up.is_second();
        let holds = self
            .slab
            .get(index)
            .is_some_and(|node| !node.server.is_empty());
        start.avoided = holds || is_second;
        if !is_second {
            let counter = if holds {
                &mut self.stats.avoided
            } else {
                &mut self.stats.missed
            };
            *counter += 1;
        }
    }

    /// What a connection that begins at `now`, and reports its outcome, would find.
    pub(crate) fn outlook(&self, hashed: &HashedKey<'_>, now: Timestamp) -> Outlook {
        let (single_use, reusable) = self.available(hashed, now);
        if single_use == 0 && !reusable {
            return Outlook::NoSession;
        }
        let look_up = Want::Any.into();
        let history = self.peek(hashed).map(|node| node.history);
        if history.is_some_and(|mut copy| !copy.may_offer(look_up, now)) {
            return Outlook::Avoided;
        }
        Outlook::Offers(Available {
            single_use,
            reusable,
        })
    }

    /// Whether there is something that the outcome of a handshake changes, even a resumed one.
    #[inline]
    pub(crate) fn remembers(&self, index: Index) -> bool {
        let node = self.slab.get(index);
        node.is_none_or(|node| !node.history.is_plain())
    }

    /// A connection to a server that is not known begins, of a client that does not report how it
    /// ends: shows how long handshakes take.
    #[cold]
    pub(super) fn remember_begin(
        &mut self,
        hashed: &HashedKey<'_>,
        look_up: LookUp,
        now: Timestamp,
    ) {
        let node = self.insert_empty(hashed);
        if let Some(node) = node.and_then(|index| self.slab.get_mut(index)) {
            node.history.may_offer(look_up, now);
        }
    }

    /// Whether the server is there, with a session or not.
    pub(crate) fn knows(&self, hashed: &HashedKey<'_>) -> bool {
        self.slab.find(hashed).is_some()
    }

    /// The standing of a server that is there, with a session or not.
    pub(crate) fn standing(&self, hashed: &HashedKey<'_>) -> Option<Standing> {
        self.peek(hashed).map(|node| node.history.standing())
    }

    /// Another process tells of a server. One that is there is known better here.
    pub(crate) fn learn(&mut self, hashed: &HashedKey<'_>, standing: Standing) {
        if self.knows(hashed) {
            return;
        }
        let inserted = self.insert_empty(hashed);
        if let Some(node) = inserted.and_then(|index| self.slab.get_mut(index)) {
            node.history = History::told(standing);
        }
    }

    /// Remembers how a handshake ended. A reusable session that was offered in it, declined again and
    /// not replaced, is dropped. Returns whether the standing of the server has changed.
    #[cold]
    pub(crate) fn remember(
        &mut self,
        hashed: &HashedKey<'_>,
        index: &mut Index,
        (outcome, begun): (Outcome, &Begun),
        now: Timestamp,
        dropped: &mut Dropped<S>,
    ) -> bool {
        let found = self.slab.find_at(*index, hashed);
        let shows = begun.shows(outcome, now);
        let found = found.or_else(|| shows.is_failed_offer().then(|| self.insert_empty(hashed))?);
        let Some(found) = found else { return false };
        *index = found;
        let Some(node) = self.slab.get_mut(found) else {
            return false;
        };
        let before = node.history.standing();
        let taught = node.server.learn(begun, outcome, now);
        if taught && outcome == Outcome::Declined {
            node.history.declined_elsewhere();
        } else {
            node.history.ended(shows, begun.is_doubtful, now);
        }
        let standing = node.history.standing();
        if let Some(id) = begun.reusable.map(|id| EntryId(id.get()))
            && outcome == Outcome::Declined
            && !begun.is_of_other_address()
            && node.server.holds(id)
            && node.history.declined_reusable()
        {
            let removed = self.change_at(found, |server, _| server.remove(id, dropped));
            self.stats.removed += u64::from(removed.flatten().is_some());
        }
        standing != before
    }
}
