//! Packing of older sessions, and unpacking of reusable ones that are looked up.

use std::sync::Arc;

use super::{LockedShard, SessionStore};
use crate::held::Held;
use crate::server::Packable;
use crate::shard::{Form, HashedKey, ToPack};
use crate::{Offer, Storable, Timestamp, Usage};

impl<S: Storable> SessionStore<S> {
    /// Packs a session and returns it to its shard.
    pub(super) fn pack(&self, shard: &LockedShard<S>, to_pack: ToPack<S>, now: Timestamp) {
        let ToPack { index, session } = to_pack;
        let form = match session {
            Packable::SingleUse(held) => match self.within_limits(held.session.packed()) {
                Some((session, weight)) => Form::SingleUse(Held {
                    weight,
                    ..held.with_session(session)
                }),
                None => Form::SingleUse(held),
            },
            Packable::Reusable(old) => {
                let Some((session, weight)) = self.within_limits(old.session.packed()) else {
                    return;
                };
                let new = Held {
                    weight,
                    ..old.with_session(session)
                };
                Form::Reusable { old, new }
            }
        };
        let mut dropped = Vec::new();
        let mut locked = shard.lock();
        locked.replace_form(index, form, now, &mut dropped);
        drop(locked);
    }

    /// A copy of a reusable session for a connection. A packed session is stored unpacked from then
    /// on, since it will be looked up again.
    pub(super) fn copy_for_offer(
        &self,
        shard: &LockedShard<S>,
        hashed: HashedKey<'_>,
        held: Arc<Held<S>>,
        now: Timestamp,
    ) -> Option<Offer<S>> {
        let unpacked = S::PACKS.then(|| held.session.unpacked()).flatten();
        let Some((session, weight)) = self.within_limits(unpacked) else {
            let copy = held.session.duplicate()?;
            return Some(held.with_session(copy).into_offer(Usage::Reusable));
        };
        let copy = session.duplicate()?;
        let offer = held.with_session(copy).into_offer(Usage::Reusable);
        let new = Held {
            weight,
            ..held.with_session(session)
        };
        let (mut dropped, mut to_pack) = (Vec::new(), None);
        let mut locked = shard.lock();
        if let Some(index) = locked.index_of(hashed) {
            to_pack = locked.unpack(index, held, new, now, &mut dropped);
        }
        drop(locked);
        drop(dropped);
        if let Some(to_pack) = to_pack {
            self.pack(shard, to_pack, now);
        }
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
