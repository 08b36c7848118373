//! The operations for a tier.

use super::SessionStore;
use super::shards::LockedShard;
use crate::dropped::Dropped;
use crate::shard::Index;
use crate::tier::{Available, Standing, TierAccess};
use crate::{Entry, EntryId, Generation, KeyRef, Refused, SessionKey, Storable, Timestamp};

impl<S: Storable> TierAccess<S> for SessionStore<S> {
    fn available<'k>(&self, key: impl Into<KeyRef<'k>>, now: Timestamp) -> Available {
        let hashed = self.hashed(key);
        let shard = self.shards.get(hashed.hash);
        let available = shard.map(|shard| shard.lock().available(&hashed, now));
        let (single_use, reusable) = available.unwrap_or_default();
        Available {
            single_use,
            reusable,
        }
    }

    fn surplus<'k>(
        &self,
        key: impl Into<KeyRef<'k>>,
        keep: usize,
        now: Timestamp,
    ) -> Vec<Entry<S>> {
        let hashed = self.hashed(key);
        let mut dropped = Dropped::new();
        let shard = self.shards.get(hashed.hash);
        let surplus = shard.map(|shard| shard.lock().surplus(&hashed, keep, now, &mut dropped));
        let offers = surplus.into_iter().flatten();
        offers.map(|offer| offer.entry).collect()
    }

    fn reusable_copy<'k>(&self, key: impl Into<KeyRef<'k>>, now: Timestamp) -> Option<Entry<S>> {
        let hashed = self.hashed(key);
        let shard = self.shards.get(hashed.hash)?;
        let copy = shard.lock().reusable_copy(&hashed, now)?;
        Some(copy.entry)
    }

    fn restore<'k>(
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
        let (mut dropped, mut index) = (Dropped::new(), Index::NONE);
        let mut locked = shard.lock();
        let restored = locked.put(&hashed, &mut index, entry, &as_of.into(), now, &mut dropped);
        if restored.is_ok() {
            locked.count_as_returned();
        }
        let is_packing_due = locked.is_packing_due();
        drop(locked);
        if is_packing_due {
            self.pack(shard, index, now);
        }
        restored
    }

    fn knows<'k>(&self, key: impl Into<KeyRef<'k>>) -> bool {
        let hashed = self.hashed(key);
        let shard = self.shards.get(hashed.hash);
        shard.is_some_and(|shard| shard.lock().knows(&hashed))
    }

    fn learn<'k>(&self, key: impl Into<KeyRef<'k>>, standing: Standing) {
        let hashed = self.hashed(key);
        if let Some(shard) = self.shards.get_or_create(hashed.hash, &self.limits) {
            shard.lock().learn(&hashed, standing);
        }
    }

    fn tell_from_future<'k>(&self, key: impl Into<KeyRef<'k>>) {
        self.events.session_from_future(&key.into());
    }

    fn servers(&self) -> impl Iterator<Item = SessionKey> {
        let servers = |shard: &LockedShard<S>| shard.lock().servers();
        self.shards.iter().flat_map(servers)
    }
}
