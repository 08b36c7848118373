//! Packing: sessions of servers that are not in use take their smaller form.

use super::{HashedKey, Index, Shard};
use crate::dropped::Dropped;
use crate::{EntryId, Storable, Timestamp};

/// A session to be packed outside the lock, and the server that it returns to.
pub(crate) struct ToPack<S> {
    pub(crate) index: Index,
    pub(crate) id: EntryId,
    pub(crate) session: S,
    pub(crate) weight: usize,
}

/// How many servers at most a put passes the packing hand over.
pub(super) const MOST_PASSED: usize = 32;

impl<S: Storable> Shard<S> {
    /// Whether the shard has more unpacked sessions than it keeps.
    #[inline]
    pub(crate) fn is_packing_due(&self) -> bool {
        S::PACKS && self.slab.unpacked() > self.limits.unpacked_sessions
    }

    /// Sessions to pack after a put to `put`, if they have a packed form and the shard has more unpacked
    /// ones than it keeps: as many
    /// of the next server that was not looked up since the hand passed it last.
    pub(crate) fn next_to_pack(&mut self, put: Index) -> Option<Vec<ToPack<S>>> {
        if !self.is_packing_due() {
            return None;
        }
        let most = self.limits.unpacked_sessions;
        let excess = self.slab.unpacked() - most;
        if most == 0 {
            // Each session is packed when it is stored.
            return Some(self.take_for_packing(put, excess));
        }
        Some(self.pass_packing_hand(excess))
    }

    fn pass_packing_hand(&mut self, excess: usize) -> Vec<ToPack<S>> {
        for _ in 0..MOST_PASSED {
            let Some(index) = self.slab.pass(&mut self.pack_hand) else {
                continue;
            };
            let used = self.slab.get_mut(index).map(|node| &mut node.used);
            if used.is_some_and(std::mem::take) {
                continue;
            }
            let to_pack = self.take_for_packing(index, excess);
            if !to_pack.is_empty() {
                return to_pack;
            }
        }
        Vec::new()
    }

    /// The oldest unpacked sessions of a server, `most` at most.
    fn take_for_packing(&mut self, index: Index, most: usize) -> Vec<ToPack<S>> {
        let Some(node) = self.slab.get_mut(index) else {
            return Vec::new();
        };
        let next = || {
            let (id, session, weight) = node.server.take_for_packing()?;
            Some(ToPack {
                index,
                id,
                session,
                weight,
            })
        };
        std::iter::from_fn(next).take(most).collect()
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
        hashed: &HashedKey<'_>,
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
}
