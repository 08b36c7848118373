//! The sessions put last stay as they are; those before them are given out to be packed.

use std::sync::Arc;

use super::{After, At, Index, Shard, fixed_bytes};
use crate::held::{Dropped, Held};
use crate::server::{Packable, Server};
use crate::{EntryId, Storable, Timestamp};

/// A session to be packed without a lock, and where it came from.
pub(crate) struct ToPack<S> {
    pub(crate) place: Index,
    pub(crate) session: Packable<S>,
}

/// Another form of a session, for the place that it came from.
pub(crate) enum Form<S> {
    SingleUse(Held<S>),
    /// The new form of what is there.
    Reusable {
        old: Arc<Held<S>>,
        new: Held<S>,
    },
}

impl<S: Storable> Shard<S> {
    /// Notes a session that was put, as the newest.
    pub(super) fn note_unpacked(&mut self, place: Index, id: EntryId) {
        if S::PACKS {
            self.unpacked.push_back((place, id));
        }
    }

    /// A session that is no longer among the newest, if it is still there.
    pub(crate) fn next_to_pack(&mut self) -> Option<ToPack<S>> {
        while self.unpacked.len() > self.limits.unpacked_sessions {
            let (place, id) = self.unpacked.pop_front()?;
            // By now another server may be in its place: ids are those of the whole shard.
            let give_out = |server: &mut Server<S>| server.packable(id);
            if let Some(session) = self.order.change(place, give_out).flatten() {
                return Some(ToPack { place, session });
            }
        }
        None
    }

    /// Puts the unpacked form of a reusable session into its place: it counts as new. Gives out
    /// what is to be packed instead.
    pub(crate) fn unpack(
        &mut self,
        place: Index,
        old: Arc<Held<S>>,
        new: Held<S>,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
    ) -> Option<ToPack<S>> {
        let (id, form) = (new.id, Form::Reusable { old, new });
        if self.limits.unpacked_sessions == 0 {
            form.drop_into(dropped);
            return None;
        }
        if self.change_form(place, form, now, dropped) {
            self.note_unpacked(place, id);
        }
        self.next_to_pack()
    }

    /// Where a server is now.
    pub(crate) fn place_of(&self, at: At<'_>) -> Option<Index> {
        self.order.find(at)
    }

    /// Puts another form of a session into the place that it came from, if that is still there,
    /// and says whether it is. What has to be given up for it, if it is larger, is dropped.
    pub(crate) fn change_form(
        &mut self,
        place: Index,
        form: Form<S>,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
    ) -> bool {
        let Some(node) = self.order.get(place) else {
            form.drop_into(dropped);
            return false;
        };
        let bounds = self.bounds(fixed_bytes::<S>(node.key().as_key()));
        let changed = self.order.change(place, |server| {
            let is_there = match form {
                Form::SingleUse(held) => server.bring_back(held, dropped),
                Form::Reusable { old, new } => server.change_form(old, new, dropped),
            };
            let losses = is_there.then(|| server.fit(bounds, now, dropped))?;
            Some((losses, server.is_empty()))
        });
        let Some((losses, empty)) = changed.flatten() else {
            return false;
        };
        self.count(losses);
        if empty {
            self.emptied(place, After::Leaves);
        }
        self.make_room(0, 0, now, dropped);
        true
    }
}

impl<S> Form<S> {
    fn drop_into(self, dropped: &mut Vec<Dropped<S>>) {
        match self {
            Self::SingleUse(held) => dropped.push(Dropped::Session(held.session)),
            Self::Reusable { old, new } => {
                dropped.extend([Dropped::Shared(old), Dropped::Session(new.session)]);
            }
        }
    }
}
