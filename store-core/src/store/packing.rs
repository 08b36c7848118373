//! Packing of sessions that are not in use, and unpacking of reusable ones that are looked up.

use super::SessionStore;
use super::shards::LockedShard;
use crate::dropped::Dropped;
use crate::shard::{HashedKey, Index, ToPack};
use crate::{EntryId, Offer, Storable, Timestamp, Usage};

impl<S: Storable> SessionStore<S> {
    /// Packs sessions after a put to `put`, and returns them to their shard.
    #[cold]
    pub(super) fn pack(&self, shard: &LockedShard<S>, put: Index, now: Timestamp) {
        let to_pack = shard.lock().next_to_pack(put);
        for to_pack in to_pack.into_iter().flatten() {
            self.pack_one(shard, to_pack, now);
        }
    }

    fn pack_one(&self, shard: &LockedShard<S>, to_pack: ToPack<S>, now: Timestamp) {
        let ToPack {
            index,
            id,
            session,
            weight,
        } = to_pack;
        let packed = self.within_limits(session.packed());
        let mut dropped = Dropped::new();
        let form = match packed {
            Some(form) => {
                dropped.push(session);
                form
            }
            None => (session, weight),
        };
        let mut locked = shard.lock();
        locked.set_form(index, id, form, true, now, &mut dropped);
        drop(locked);
    }

    /// Unpacks the session of an offer, if it is reusable; none, if it cannot be copied. A packed session
    /// is stored unpacked from then on, since it will be looked up again.
    #[inline]
    pub(super) fn unpack(
        &self,
        shard: &LockedShard<S>,
        hashed: &HashedKey<'_>,
        offer: &mut Option<Offer<S>>,
        now: Timestamp,
    ) {
        if let Some(Offer { id, entry }) = offer
            && entry.usage == Usage::Reusable
            && let Some(form) = entry.session.unpacked()
        {
            let is_copied = self.unpack_form(shard, hashed, (*id, form), &mut entry.session, now);
            if !is_copied {
                *offer = None;
            }
        }
    }

    /// Stores the unpacked form of a session, and sets `session` to a copy of it. `false` if it cannot be
    /// copied.
    #[cold]
    fn unpack_form(
        &self,
        shard: &LockedShard<S>,
        hashed: &HashedKey<'_>,
        (id, form): (EntryId, (S, usize)),
        session: &mut S,
        now: Timestamp,
    ) -> bool {
        let Some(form) = self.within_limits(Some(form)) else {
            return true; // packed as it is
        };
        let Some(copy) = form.0.duplicate() else {
            return false;
        };
        *session = copy;
        let mut dropped = Dropped::new();
        let mut locked = shard.lock();
        locked.unpack(hashed, id, form, now, &mut dropped);
        drop(locked);
        true
    }

    /// Another form of a session; `None` if it is larger than the limit for a session.
    fn within_limits(&self, form: Option<(S, usize)>) -> Option<(S, usize)> {
        form.filter(|(session, weight)| {
            let shared = session.shared_part().map_or(0, |shared| shared.bytes);
            weight.saturating_add(shared) <= self.limits().session_bytes
        })
    }
}
