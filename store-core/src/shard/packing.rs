//! Packing: the newest sessions stay unpacked; older ones are handed to the caller, which packs
//! them outside the lock.

use std::sync::Arc;

use super::{HashedKey, Index, Shard, WhenEmpty, fixed_bytes};
use crate::held::Held;
use crate::server::{Dropped, Packable, Server};
use crate::{EntryId, Storable, Timestamp};

/// A session to be packed outside the lock, and the slot of its server.
pub(crate) struct ToPack<S> {
    pub(crate) index: Index,
    pub(crate) session: Packable<S>,
}

/// Another form of a session, to replace the stored one.
pub(crate) enum Form<S> {
    SingleUse(Held<S>),
    Reusable { old: Arc<Held<S>>, new: Held<S> },
}

impl<S: Storable> Shard<S> {
    /// Adds a session to the unpacked ones, as the newest.
    pub(super) fn add_unpacked(&mut self, index: Index, id: EntryId) {
        if S::PACKS {
            self.unpacked.push_back((index, id));
        }
    }

    /// The next session to pack: one that is no longer among the newest and still stored.
    pub(crate) fn next_to_pack(&mut self) -> Option<ToPack<S>> {
        while self.unpacked.len() > self.limits.unpacked_sessions {
            let (index, id) = self.unpacked.pop_front()?;
            // Another server may have the slot by now, but ids are unique in a shard.
            let take = |server: &mut Server<S>| server.take_for_packing(id);
            if let Some(session) = self.order.change(index, take).flatten() {
                return Some(ToPack { index, session });
            }
        }
        None
    }

    /// Replaces a packed reusable session by its unpacked form, which counts as new. Returns the
    /// session to pack instead.
    pub(crate) fn unpack(
        &mut self,
        index: Index,
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
        if self.replace_form(index, form, now, dropped) {
            self.add_unpacked(index, id);
        }
        self.next_to_pack()
    }

    /// The slot of a server.
    pub(crate) fn index_of(&self, hashed: HashedKey<'_>) -> Option<Index> {
        self.order.find(hashed)
    }

    /// Replaces a stored session by another form, or drops that and returns `false` if the session
    /// is gone. Evicts what a larger form leaves no room for.
    pub(crate) fn replace_form(
        &mut self,
        index: Index,
        form: Form<S>,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
    ) -> bool {
        let Some(node) = self.order.get(index) else {
            form.drop_into(dropped);
            return false;
        };
        let bounds = self.bounds(fixed_bytes::<S>(node.key().as_key()));
        let changed = self.order.change(index, |server| {
            let replaced = match form {
                Form::SingleUse(held) => server.return_packed(held, dropped),
                Form::Reusable { old, new } => server.replace_form(old, new, dropped),
            };
            let losses = replaced.then(|| server.enforce(bounds, now, dropped))?;
            Some((losses, server.is_empty()))
        });
        let Some((losses, empty)) = changed.flatten() else {
            return false;
        };
        self.count(losses);
        if empty {
            self.handle_emptied(index, WhenEmpty::Remove);
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
