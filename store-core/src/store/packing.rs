//! Packing of sessions that are not in use, and unpacking of reusable ones that are looked up.

use super::SessionStore;
use super::shards::LockedShard;
use crate::dropped::Dropped;
use crate::shard::{HashedKey, ToPack};
use crate::{Offer, Storable, Timestamp, Usage};

impl<S: Storable> SessionStore<S> {
    /// Packs sessions and returns them to their shard.
    #[cold]
    pub(super) fn pack(&self, shard: &LockedShard<S>, to_pack: Vec<ToPack<S>>, now: Timestamp) {
        for to_pack in to_pack {
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

    /// The offer of a reusable session, unpacked. A packed session is stored unpacked from then on,
    /// since it will be looked up again.
    pub(super) fn unpack(
        &self,
        shard: &LockedShard<S>,
        hashed: &HashedKey<'_>,
        mut offer: Offer<S>,
        now: Timestamp,
    ) -> Option<Offer<S>> {
        if offer.entry.usage == Usage::SingleUse {
            return Some(offer);
        }
        let Some((session, weight)) = self.within_limits(offer.entry.session.unpacked()) else {
            return Some(offer);
        };
        offer.entry.session = session.duplicate()?;
        let mut dropped = Dropped::new();
        let mut locked = shard.lock();
        locked.unpack(hashed, offer.id, (session, weight), now, &mut dropped);
        drop(locked);
        Some(offer)
    }

    /// Another form of a session; `None` if it is larger than the limit for a session.
    fn within_limits(&self, form: Option<(S, usize)>) -> Option<(S, usize)> {
        form.filter(|(session, weight)| {
            let shared = session.shared_part().map_or(0, |shared| shared.bytes);
            weight.saturating_add(shared) <= self.limits().session_bytes
        })
    }
}
