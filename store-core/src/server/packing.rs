//! Sessions of a server that are packed or unpacked outside the lock.

use std::sync::Arc;

use super::{Bounds, Dropped, Server};
use crate::held::{Held, Losses};
use crate::{EntryId, Storable, Timestamp};

/// A session to be packed outside the lock.
pub(crate) enum Packable<S> {
    /// Taken out of its slot, which stays; no look-up finds it meanwhile.
    SingleUse(Held<S>),
    /// Still stored, and offered in its old form meanwhile.
    Reusable(Arc<Held<S>>),
}

impl<S: Storable> Server<S> {
    /// The session `id` for packing; `None` if it is gone or already being packed.
    pub(crate) fn take_for_packing(&mut self, id: EntryId) -> Option<Packable<S>> {
        if let Some(held) = self.reusable.as_ref().filter(|held| held.id == id) {
            return Some(Packable::Reusable(Arc::clone(held)));
        }
        let index = self.find(id)?;
        let held = &mut self.single_use[index];
        let session = held.session.take()?;
        let taken = held.with_session(session);
        // The slot still counts a part that only this session has, so that the bytes do not change.
        let shared = self.uncounted_share(&taken.session);
        self.single_use[index].weight += shared;
        Some(Packable::SingleUse(taken))
    }

    /// Returns a single-use session to its slot; drops it and returns `false` if the slot is gone.
    pub(crate) fn return_packed(&mut self, held: Held<S>, dropped: &mut Vec<Dropped<S>>) -> bool {
        let slot = self.find(held.id);
        let slot = slot.filter(|index| self.single_use[*index].session.is_none());
        let Some(index) = slot else {
            dropped.push(Dropped::Session(held.session));
            return false;
        };
        self.bytes -= self.single_use[index].weight;
        self.add_bytes(&held.session, held.weight);
        let facts = held.with_session(());
        self.single_use[index] = facts.with_session(Some(held.session));
        true
    }

    /// Replaces the reusable session `old` by its form `new`; drops `new` and returns `false` if
    /// `old` is gone.
    pub(crate) fn replace_form(
        &mut self,
        old: Arc<Held<S>>,
        new: Held<S>,
        dropped: &mut Vec<Dropped<S>>,
    ) -> bool {
        let is_old = |held: &Arc<Held<S>>| Arc::ptr_eq(held, &old);
        let is_stored = self.reusable.as_ref().is_some_and(is_old);
        dropped.push(Dropped::Shared(old));
        if !is_stored {
            dropped.push(Dropped::Session(new.session));
            return false;
        }
        self.drop_reusable(dropped);
        self.add_bytes(&new.session, new.weight);
        self.reusable = Some(Arc::new(new));
        true
    }

    /// Drops sessions that exceed `bounds` after one was replaced by another form.
    pub(crate) fn enforce(
        &mut self,
        bounds: Bounds,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
    ) -> Losses {
        let mut losses = Losses::default();
        self.drop_excess(bounds, None, now, dropped, &mut losses);
        losses
    }
}
