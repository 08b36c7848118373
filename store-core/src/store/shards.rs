//! The shards of a store, each behind a lock and created when it is first needed.

use std::sync::OnceLock;

use crate::dropped::Dropped;
use crate::shard::{Cleared, Shard};
use crate::sync::{Mutex, MutexGuard, lock};
use crate::{Limits, Storable};

/// The shards of a store.
pub(super) struct Shards<S> {
    // invariant: empty if resumption is off, else its length is a power of two
    slots: Box<[OnceLock<Box<LockedShard<S>>>]>,
    // `Shard::new`'s argument.
    trims: bool,
    // What was cleared in all shards, for those that are created later. Locked while a shard is
    // created and while all are cleared, so that no new shard misses a clear.
    cleared: Mutex<Cleared>,
}

/// A shard behind a lock.
///
/// It has cache lines of its own, so that threads in different shards do not contend for one.
#[repr(align(64))]
pub(super) struct LockedShard<S> {
    shard: Mutex<Shard<S>>,
}

impl<S: Storable> Shards<S> {
    /// Creates `shards` empty slots; with `trims`, servers keep only the sessions that they need
    /// when bytes are short.
    pub(super) fn new(shards: usize, trims: bool) -> Self {
        Self {
            slots: (0..shards).map(|_| OnceLock::new()).collect(),
            trims,
            cleared: Mutex::new(Cleared::new()),
        }
    }

    /// The number of slots; zero if resumption is off.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The shard of a hash; `None` if it does not exist yet.
    #[inline]
    pub(super) fn get(&self, hash: u64) -> Option<&LockedShard<S>> {
        self.by_number(number_of(hash))
    }

    /// The shard in the slot `number`, modulo the number of slots; `None` if it does not exist yet.
    #[inline]
    pub(super) fn by_number(&self, number: usize) -> Option<&LockedShard<S>> {
        let mask = self.slots.len().checked_sub(1)?;
        self.slots[number & mask].get().map(|shard| &**shard)
    }

    /// The shard of a hash in a store with these limits; `None` if resumption is off.
    #[inline]
    pub(super) fn get_or_create(&self, hash: u64, limits: &Limits) -> Option<&LockedShard<S>> {
        let mask = self.slots.len().checked_sub(1)?;
        let slot = &self.slots[number_of(hash) & mask];
        Some(match slot.get() {
            Some(shard) => shard,
            None => self.create(slot, limits),
        })
    }

    #[cold]
    fn create<'s>(
        &self,
        slot: &'s OnceLock<Box<LockedShard<S>>>,
        limits: &Limits,
    ) -> &'s LockedShard<S> {
        let cleared = self.lock_cleared();
        slot.get_or_init(|| {
            let limits = limits.share(self.slots.len());
            let shard = Shard::new(&limits, self.trims, cleared.clone());
            Box::new(LockedShard {
                shard: Mutex::new(shard),
            })
        })
    }

    /// What was cleared in all shards. No shard is created while this is locked.
    pub(super) fn lock_cleared(&self) -> MutexGuard<'_, Cleared> {
        lock(&self.cleared)
    }

    /// The shards that exist.
    pub(super) fn iter(&self) -> impl Iterator<Item = &LockedShard<S>> {
        self.slots
            .iter()
            .filter_map(OnceLock::get)
            .map(|shard| &**shard)
    }
}

/// The number of a hash's slot, from bits that the map of a shard does not use first.
#[inline]
pub(super) fn number_of(hash: u64) -> usize {
    usize::try_from(hash >> 40).unwrap_or_default()
}

impl<S: Storable> LockedShard<S> {
    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, Shard<S>> {
        let shard = lock(&self.shard);
        if shard.is_half_changed() {
            return self.reset(shard);
        }
        shard
    }

    /// Empties the shard after an `accept` panicked in the middle of a change.
    #[cold]
    fn reset<'s>(&'s self, mut shard: MutexGuard<'s, Shard<S>>) -> MutexGuard<'s, Shard<S>> {
        let mut dropped = Dropped::new();
        shard.reset(&mut dropped);
        drop(shard);
        drop(dropped);
        self.lock()
    }
}
