//! The hand that passes one server at a put: frees its expired sessions, and packs those of a
//! server that is not in use.

use super::{HashedKey, Index, Shard};
use crate::server::Dropped;
use crate::{EntryId, Storable, Timestamp};

/// After this many puts in a shard, another shard is swept, so that shards without puts are swept
/// as well.
const PUTS_A_SWEEP: u64 = 16;

/// How many servers with expired sessions, one after the other, a put passes the hand over.
pub(super) const MOST_PRUNED: usize = 16;

/// A session to be packed outside the lock, and the server that it returns to.
pub(crate) struct ToPack<S> {
    pub(crate) index: Index,
    pub(crate) id: EntryId,
    pub(crate) session: S,
    pub(crate) weight: usize,
}

impl<S: Storable> Shard<S> {
    /// Passes one server after a put to `put`. If it has sessions that are not valid at `now`, drops
    /// them and passes the next one too. If the shard has more sessions than it keeps unpacked, and
    /// the server was not looked up since the hand passed it last, returns a session of it to pack.
    #[inline]
    pub(crate) fn pass_hand(
        &mut self,
        put: Index,
        now: Timestamp,
        dropped: &mut Dropped<S>,
    ) -> Option<ToPack<S>> {
        let mut passed = self.next_passed();
        for _ in 0..MOST_PRUNED {
            let node = passed.and_then(|index| self.slab.get(index));
            if node.is_none_or(|node| !node.server.has_invalid(now)) {
                break;
            }
            if let Some(index) = passed {
                self.prune(index, now, dropped);
            }
            passed = self.next_passed();
        }
        if !S::PACKS || self.slab.sessions() <= self.limits.unpacked_sessions {
            return None;
        }
        let index = if self.limits.unpacked_sessions == 0 {
            // Each session is packed when it is stored.
            put
        } else {
            let index = passed?;
            if std::mem::take(&mut self.slab.get_mut(index)?.used) {
                return None;
            }
            index
        };
        self.take_for_packing(index)
    }

    /// Moves the hand to the next slot, and returns the server in the one that it leaves.
    #[inline]
    fn next_passed(&mut self) -> Option<Index> {
        let slot = self.hand;
        self.hand = if slot + 1 < self.slab.slots() {
            slot + 1
        } else {
            0
        };
        self.slab.in_slot(slot)
    }

    /// Whether the last put should sweep another shard.
    #[inline]
    pub(crate) fn sweeps(&self) -> bool {
        self.last_id.is_multiple_of(PUTS_A_SWEEP)
    }

    fn take_for_packing(&mut self, index: Index) -> Option<ToPack<S>> {
        let node = self.slab.get_mut(index)?;
        let (id, session, weight) = node.server.take_for_packing()?;
        Some(ToPack {
            index,
            id,
            session,
            weight,
        })
    }

    /// Sets another form of a session: its packed or its unpacked one. Drops it if the session is
    /// gone. Evicts what a larger form leaves no room for.
    pub(crate) fn set_form(
        &mut self,
        index: Index,
        id: EntryId,
        form: (S, usize),
        packed: bool,
        now: Timestamp,
        dropped: &mut Dropped<S>,
    ) -> bool {
        let Some(node) = self.slab.get(index) else {
            dropped.push(form.0);
            return false;
        };
        let bounds = self.bounds(node.bytes() - node.server.footprint());
        let replaced = self.change_at(index, |server, stats| {
            // Another server may have the node by now, but ids are unique in a shard.
            let replaced = server.set_form(id, form, packed, dropped);
            if replaced {
                server.drop_excess(bounds, None, now, stats, dropped);
            }
            replaced
        });
        if !self.fits() {
            self.make_room(Index::NONE, now, dropped);
        }
        replaced == Some(true)
    }

    /// Stores the unpacked form of a reusable session, which was just looked up.
    pub(crate) fn unpack(
        &mut self,
        hashed: HashedKey<'_>,
        id: EntryId,
        form: (S, usize),
        now: Timestamp,
        dropped: &mut Dropped<S>,
    ) {
        match self.slab.find(hashed) {
            Some(index) if self.limits.unpacked_sessions > 0 => {
                self.set_form(index, id, form, false, now, dropped);
            }
            _ => dropped.push(form.0),
        }
    }

    /// Drops the sessions that are not valid at `now`, of all servers.
    pub(crate) fn sweep(&mut self, now: Timestamp, dropped: &mut Dropped<S>) {
        for slot in 0..self.slab.slots() {
            if let Some(index) = self.slab.in_slot(slot) {
                self.prune(index, now, dropped);
            }
        }
    }

    /// Drops the sessions of a server that are not valid at `now`, and the server with its last one.
    fn prune(&mut self, index: Index, now: Timestamp, dropped: &mut Dropped<S>) {
        let emptied = self.change_at(index, |server, stats| {
            let held = !server.is_empty();
            server.prune(now, stats, dropped);
            server.shrink();
            held && server.is_empty()
        });
        if emptied == Some(true) {
            self.slab.remove(index);
        }
    }
}
