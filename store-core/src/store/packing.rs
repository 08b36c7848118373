//! Packing what is no longer new, and unpacking what is asked for.

use std::sync::Arc;

use super::{Part, SessionStore};
use crate::held::Held;
use crate::server::Packable;
use crate::shard::{At, Form, ToPack};
use crate::{Offer, Storable, Timestamp, Usage};

impl<S: Storable> SessionStore<S> {
    /// Packs a session that was given out for it, and puts it back.
    pub(super) fn pack(&self, part: &Part<S>, to_pack: ToPack<S>, now: Timestamp) {
        let ToPack { place, session } = to_pack;
        let form = match session {
            Packable::SingleUse(held) => match self.in_bounds(held.session.packed()) {
                Some((session, weight)) => Form::SingleUse(Held {
                    weight,
                    ..held.with(session)
                }),
                None => Form::SingleUse(held),
            },
            Packable::Reusable(old) => {
                let Some((session, weight)) = self.in_bounds(old.session.packed()) else {
                    return;
                };
                let new = Held {
                    weight,
                    ..old.with(session)
                };
                Form::Reusable { old, new }
            }
        };
        let mut dropped = Vec::new();
        let mut shard = part.lock();
        shard.change_form(place, form, now, &mut dropped);
        drop(shard);
    }

    /// A private copy of a reusable session for a connection. One that is packed takes its other
    /// form again, since it will be asked for again.
    pub(super) fn copy_of(
        &self,
        part: &Part<S>,
        at: At<'_>,
        held: Arc<Held<S>>,
        now: Timestamp,
    ) -> Option<Offer<S>> {
        let unpacked = S::PACKS.then(|| held.session.unpacked()).flatten();
        let Some((session, weight)) = self.in_bounds(unpacked) else {
            let copy = held.session.duplicate()?;
            return Some(held.with(copy).into_offer(Usage::Reusable));
        };
        let copy = session.duplicate()?;
        let offer = held.with(copy).into_offer(Usage::Reusable);
        let new = Held {
            weight,
            ..held.with(session)
        };
        let (mut dropped, mut to_pack) = (Vec::new(), None);
        let mut shard = part.lock();
        if let Some(place) = shard.place_of(at) {
            to_pack = shard.unpack(place, held, new, now, &mut dropped);
        }
        drop(shard);
        drop(dropped);
        if let Some(to_pack) = to_pack {
            self.pack(part, to_pack, now);
        }
        Some(offer)
    }

    /// Another form of a session, if it is not larger than a session may be.
    fn in_bounds(&self, form: Option<(S, usize)>) -> Option<(S, usize)> {
        form.filter(|(session, weight)| {
            let shared = session.shared_part().map_or(0, |shared| shared.bytes);
            weight.saturating_add(shared) <= self.limits().session_bytes
        })
    }
}
