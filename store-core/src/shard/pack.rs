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

impl<S: Storable> Shard<S> {
    /// A session to pack after a put to `put`, if the shard has more than it keeps unpacked. Passes
    /// the hand over one server, and takes a session of it unless it was looked up since the hand
    /// passed it last.
    #[inline]
    pub(crate) fn next_to_pack(&mut self, put: Index) -> Option<ToPack<S>> {
        if !S::PACKS || self.slab.sessions() <= self.limits.unpacked_sessions {
            return None;
        }
        if self.limits.unpacked_sessions == 0 {
            // Each session is packed when it is stored.
            return self.take_for_packing(put);
        }
        let index = self.slab.pass(&mut self.pack_hand)?;
        let used = std::mem::take(&mut self.slab.get_mut(index)?.used);
        if used {
            return None;
        }
        self.take_for_packing(index)
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
