//! Sessions of a server that are away for a moment, to come back in another form.

use std::sync::Arc;

use super::{Bounds, Server};
use crate::held::{Dropped, Held, Losses};
use crate::{EntryId, Storable, Timestamp};

/// A session to be packed without a lock.
pub(crate) enum Packable<S> {
    /// Out of its place, which is kept for it. No connection finds it meanwhile.
    SingleUse(Held<S>),
    /// Offered as it is meanwhile.
    Reusable(Arc<Held<S>>),
}

impl<S: Storable> Server<S> {
    /// Gives the session `id` out to be packed, if it is here.
    pub(crate) fn packable(&mut self, id: EntryId) -> Option<Packable<S>> {
        if let Some(held) = self.reusable.as_ref().filter(|held| held.id == id) {
            return Some(Packable::Reusable(Arc::clone(held)));
        }
        let index = self.find(id)?;
        let held = &mut self.single_use[index];
        let session = held.session.take()?;
        let away = held.with(session);
        // The place keeps what the session alone keeps alive, so that the bytes stay as they were.
        let alone = self.alone(&away.session);
        self.single_use[index].weight += alone;
        Some(Packable::SingleUse(away))
    }

    /// Brings a single-use session back into its place; it is dropped if that is gone.
    pub(crate) fn bring_back(&mut self, held: Held<S>, dropped: &mut Vec<Dropped<S>>) -> bool {
        let place = self.find(held.id);
        let place = place.filter(|index| self.single_use[*index].session.is_none());
        let Some(index) = place else {
            dropped.push(Dropped::Session(held.session));
            return false;
        };
        self.bytes -= self.single_use[index].weight;
        self.count(&held.session, held.weight);
        let facts = held.with(());
        self.single_use[index] = facts.with(Some(held.session));
        true
    }

    /// Puts another form of the reusable session into the place of `old`; it is dropped if that
    /// is no longer there.
    pub(crate) fn change_form(
        &mut self,
        old: Arc<Held<S>>,
        new: Held<S>,
        dropped: &mut Vec<Dropped<S>>,
    ) -> bool {
        let still_there = |held: &Arc<Held<S>>| Arc::ptr_eq(held, &old);
        let is_there = self.reusable.as_ref().is_some_and(still_there);
        dropped.push(Dropped::Shared(old));
        if !is_there {
            dropped.push(Dropped::Session(new.session));
            return false;
        }
        self.drop_reusable(dropped);
        self.count(&new.session, new.weight);
        self.reusable = Some(Arc::new(new));
        true
    }

    /// Drops what does not fit, after another form of a session took its place.
    pub(crate) fn fit(
        &mut self,
        bounds: Bounds,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
    ) -> Losses {
        let mut losses = Losses::default();
        self.keep_within(bounds, None, now, dropped, &mut losses);
        losses
    }
}
