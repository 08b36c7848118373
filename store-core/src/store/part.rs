//! A shard behind its lock.

use crate::shard::Shard;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, PoisonError};
use crate::{Generation, Limits, Outcome, Stats, Storable};

/// A shard behind its lock, and the outcomes of its servers.
///
/// A whole number of cache lines each, so that threads with servers in different shards do not
/// wait for each other.
#[repr(align(64))]
pub(super) struct Part<S> {
    room: Mutex<Room<S>>,
    resumed: AtomicU64,
    declined: AtomicU64,
    failed: AtomicU64,
}

/// A place for a shard, which comes when it is needed.
pub(super) struct Room<S> {
    shard: Option<Box<Shard<S>>>,
    // What a shard that has not come yet would remember: offers missed and when it was cleared.
    missed: u64,
    cleared: Generation,
}

impl<S: Storable> Room<S> {
    /// The shard, if anything was ever put into it.
    #[inline]
    pub(super) fn get(&mut self) -> Option<&mut Shard<S>> {
        self.shard.as_deref_mut()
    }

    /// The shard, one of so many in a store of these limits.
    pub(super) fn get_or_make(&mut self, limits: &Limits, parts: usize) -> &mut Shard<S> {
        self.shard.get_or_insert_with(|| {
            let mut shard = Shard::new(&limits.share(parts));
            shard.stats.missed = self.missed;
            shard.clear(self.cleared, &mut Vec::new());
            Box::new(shard)
        })
    }

    /// Counts an offer for which there is not even a shard.
    pub(super) fn miss(&mut self) {
        self.missed += 1;
    }

    /// Remembers a clear until there is a shard.
    pub(super) fn clear_nothing(&mut self, now_is: Generation) {
        self.cleared = self.cleared.max(now_is);
    }
}

impl<S: Storable> Part<S> {
    pub(super) fn new() -> Self {
        Self {
            room: Mutex::new(Room {
                shard: None,
                missed: 0,
                cleared: Generation(0),
            }),
            resumed: AtomicU64::new(0),
            declined: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, Room<S>> {
        loop {
            let poisoned = match self.room.lock() {
                Ok(room) => return room,
                Err(poisoned) => poisoned,
            };
            // An `accept` or an allocation panicked half-way: what is left is a miss for all.
            let mut dropped = Vec::new();
            let mut room = PoisonError::into_inner(poisoned);
            if let Some(shard) = room.get() {
                shard.start_over(&mut dropped);
            }
            self.room.clear_poison();
            drop(room);
        }
    }

    /// Counts an outcome.
    pub(super) fn count(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Resumed => &self.resumed,
            Outcome::Declined => &self.declined,
            Outcome::Failed => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn stats(&self) -> Stats {
        let mut room = self.lock();
        let nothing = Stats {
            missed: room.missed,
            ..Stats::default()
        };
        let held = room.get().map_or(nothing, |shard| shard.stats());
        drop(room);
        Stats {
            resumed: self.resumed.load(Ordering::Relaxed),
            declined: self.declined.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            ..held
        }
    }
}
