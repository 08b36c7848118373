//! Operations for a tier: sessions that move out of memory and back.

use super::LockedShard;
use crate::{
    Entry, EntryId, Generation, KeyRef, Refused, SessionKey, SessionStore, Storable, Timestamp,
    Usage,
};

/// The sessions of one server that a look-up can find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Available {
    /// Valid single-use sessions.
    pub single_use: usize,
    /// Whether there is a valid reusable session.
    pub reusable: bool,
}

/// Operations for a tier, which implements [`StoreObserver`](crate::StoreObserver). None of them
/// counts as an offer or a miss.
impl<S: Storable> SessionStore<S> {
    /// The sessions of `key` that a connection could be offered.
    pub fn available<'k>(&self, key: impl Into<KeyRef<'k>>, now: Timestamp) -> Available {
        let hashed = self.hashed(key);
        let shard = self.shards.get(hashed.hash);
        let available = shard.map(|shard| shard.lock().available(hashed, now));
        let (single_use, reusable) = available.unwrap_or_default();
        Available {
            single_use,
            reusable,
        }
    }

    /// Removes and returns the single-use sessions of `key`, the oldest first, all but the newest
    /// `keep`. The store keeps no copy of them.
    pub fn surplus<'k>(
        &self,
        key: impl Into<KeyRef<'k>>,
        keep: usize,
        now: Timestamp,
    ) -> Vec<Entry<S>> {
        let hashed = self.hashed(key);
        let mut dropped = Vec::new();
        let shard = self.shards.get(hashed.hash);
        let surplus = shard.map(|shard| shard.lock().surplus(hashed, keep, now, &mut dropped));
        let entries = surplus.into_iter().flatten();
        entries
            .map(|held| held.into_offer(Usage::SingleUse).entry)
            .collect()
    }

    /// Returns a copy of the reusable session of `key`.
    pub fn reusable_copy<'k>(
        &self,
        key: impl Into<KeyRef<'k>>,
        now: Timestamp,
    ) -> Option<Entry<S>> {
        let hashed = self.hashed(key);
        let held = self
            .shards
            .get(hashed.hash)?
            .lock()
            .peek_reusable(hashed, now)?;
        let copy = held.session.duplicate()?;
        Some(held.with_session(copy).into_offer(Usage::Reusable).entry)
    }

    /// Stores a session from a tier, where this or another process put it. Refuses it if the store
    /// or its server was cleared after the generation `as_of`. Does not notify the observer.
    pub fn restore<'k>(
        &self,
        key: impl Into<KeyRef<'k>>,
        entry: Entry<S>,
        as_of: Generation,
        now: Timestamp,
    ) -> Result<EntryId, Refused> {
        let hashed = self.hashed(key);
        let Some(shard) = self.shards.get_or_create(hashed.hash, &self.limits) else {
            return Err(Refused::Off);
        };
        let mut dropped = Vec::new();
        let mut locked = shard.lock();
        let restored = locked.restore(hashed, entry, as_of, now, &mut dropped);
        let to_pack = locked.next_to_pack();
        drop(locked);
        if let Some(to_pack) = to_pack {
            self.pack(shard, to_pack, now);
        }
        restored
    }

    /// The servers that have a session now, in any order. Locks one shard at a time.
    pub fn servers(&self) -> impl Iterator<Item = SessionKey> + '_ {
        let servers = |shard: &LockedShard<S>| shard.lock().servers();
        self.shards.iter().flat_map(servers)
    }
}
