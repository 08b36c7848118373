//! Sessions that leave memory for a place behind the store, and come back.

use super::Part;
use crate::{
    Entry, EntryId, Generation, KeyRef, Refused, SessionKey, SessionStore, Storable, Timestamp,
    Usage,
};

/// What a store has of one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Available {
    /// Valid single-use sessions.
    pub single_use: usize,
    /// Whether there is a valid reusable session.
    pub reusable: bool,
}

/// For whatever lies [behind](crate::StoreObserver) the store. None of this counts as an offer or a miss.
impl<S: Storable> SessionStore<S> {
    /// What there is of `key` for a connection.
    pub fn available<'k>(&self, key: impl Into<KeyRef<'k>>, now: Timestamp) -> Available {
        let at = self.at(key);
        let part = self.parts.get(at.hash);
        let ready = part.map(|part| part.lock().available(at, now));
        let (single_use, reusable) = ready.unwrap_or_default();
        Available {
            single_use,
            reusable,
        }
    }

    /// Takes the single-use sessions of `key` out, the oldest first, all but the newest `keep`.
    /// They are in no other place then: whoever has them keeps them, brings them back or drops them.
    pub fn surplus<'k>(
        &self,
        key: impl Into<KeyRef<'k>>,
        keep: usize,
        now: Timestamp,
    ) -> Vec<Entry<S>> {
        let at = self.at(key);
        let mut dropped = Vec::new();
        let part = self.parts.get(at.hash);
        let surplus = part.map(|part| part.lock().surplus(at, keep, now, &mut dropped));
        let entries = surplus.into_iter().flatten();
        entries
            .map(|held| held.into_offer(Usage::SingleUse).entry)
            .collect()
    }

    /// A private copy of the reusable session of `key`, which stays.
    pub fn reusable_copy<'k>(
        &self,
        key: impl Into<KeyRef<'k>>,
        now: Timestamp,
    ) -> Option<Entry<S>> {
        let at = self.at(key);
        let held = self.parts.get(at.hash)?.lock().peek_reusable(at, now)?;
        let copy = held.session.duplicate()?;
        Some(held.with(copy).into_offer(Usage::Reusable).entry)
    }

    /// Puts a session back that left memory, here or in another process, as one that was there at
    /// `as_of`: if the store or its server was cleared since, it is refused. What lies behind is not
    /// told of it.
    pub fn restore<'k>(
        &self,
        key: impl Into<KeyRef<'k>>,
        entry: Entry<S>,
        as_of: Generation,
        now: Timestamp,
    ) -> Result<EntryId, Refused> {
        let at = self.at(key);
        let Some(part) = self.parts.get_or_make(at.hash, &self.limits) else {
            return Err(Refused::Off);
        };
        let mut dropped = Vec::new();
        let mut shard = part.lock();
        let restored = shard.restore(at, entry, as_of, now, &mut dropped);
        let to_pack = shard.next_to_pack();
        drop(shard);
        if let Some(to_pack) = to_pack {
            self.pack(part, to_pack, now);
        }
        restored
    }

    /// The servers that have a session now, a part of the store at a time, in no order.
    pub fn servers(&self) -> impl Iterator<Item = SessionKey> + '_ {
        let servers = |part: &Part<S>| part.lock().servers();
        self.parts.iter().flat_map(servers)
    }
}
