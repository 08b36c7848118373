//! The packed and unpacked forms of sessions.

use super::Server;
use crate::application_data::set_beside;
use crate::dropped::Dropped;
use crate::held::Held;
use crate::{EntryId, Storable};

impl<S: Storable> Server<S> {
    /// Takes the oldest unpacked session out of its slot, which stays. Returns it with its id and
    /// its weight.
    pub(crate) fn take_for_packing(&mut self) -> Option<(EntryId, S, usize)> {
        let index = self.position(|held| !held.packed && held.session.is_some())?;
        let held = self.get_mut(index)?;
        let (id, session, weight) = (held.id, held.session.take()?, held.weight);
        // The slot still counts a part that only this session has, so that the bytes do not change.
        let shared = self.uncounted_share(&session);
        self.get_mut(index)?.weight += shared;
        Some((id, session, weight))
    }

    /// Sets another form of the session `id`: the packed one, in the slot that
    /// [`take_for_packing`](Self::take_for_packing) left, or the unpacked one, in place of the
    /// packed one. Drops it and returns `false` if the session is gone.
    pub(crate) fn set_form(
        &mut self,
        id: EntryId,
        (mut session, mut weight): (S, usize),
        packed: bool,
        dropped: &mut Dropped<S>,
    ) -> bool {
        let expected = |held: &Held<S>| held.id == id && held.session.is_none() == packed;
        let index = self.position(expected);
        let Some(held) = index.and_then(|index| self.get_mut(index)) else {
            dropped.push(session);
            return false;
        };
        let (before, before_weight) = (held.session.take(), held.weight);
        if let Some(before) = &before {
            // It may have been set since the form was made.
            let data = before.application_data().cloned();
            set_beside(&mut session, &mut weight, data);
        }
        let was_packed = std::mem::replace(&mut held.packed, packed);
        held.weight = weight;
        self.unpacked = self.unpacked + usize::from(was_packed) - usize::from(packed);
        let counted = before_weight
            + before
                .as_ref()
                .map_or(0, |before| self.uncounted_share(before));
        let counts = weight.saturating_add(self.uncounted_share(&session));
        self.footprint = self
            .footprint
            .saturating_sub(counted)
            .saturating_add(counts);
        if let Some(held) = index.and_then(|index| self.get_mut(index)) {
            held.session = Some(session);
        }
        dropped.extend(before);
        true
    }
}
