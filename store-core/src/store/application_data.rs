//! Application data beside stored sessions.

use super::SessionStore;
use crate::dropped::Dropped;
use crate::{ApplicationData, EntryId, KeyRef, Storable, Timestamp, Usage};

impl<S: Storable> SessionStore<S> {
    /// Sets what the application keeps beside those of the sessions `ids` of `key` that are stored here, in
    /// place of what it kept before; `None` removes it.
    ///
    /// Its bytes count as the session's: one that would exceed the limit of a session keeps none. A single-use
    /// session that was taken, or moved to a tier, before this call is not changed.
    pub fn set_application_data<'k>(
        &self,
        key: impl Into<KeyRef<'k>>,
        ids: impl IntoIterator<Item = EntryId>,
        data: Option<&ApplicationData>,
        now: Timestamp,
    ) {
        self.clear_after_fork();
        let hashed = self.hashed(key);
        let Some(shard) = self.shards.get(hashed.hash) else {
            return;
        };
        // Before the lock: it is the caller's code.
        let ids: Vec<EntryId> = ids.into_iter().collect();
        let mut dropped = Dropped::new();
        let mut locked = shard.lock();
        let reusable = locked.set_application_data(&hashed, &ids, data, now, &mut dropped);
        drop(locked);
        // The tier has a copy of a reusable session without it.
        if let (true, Some(observer)) = (reusable, &self.observer) {
            observer.stored(hashed.key, Usage::Reusable);
        }
    }
}
