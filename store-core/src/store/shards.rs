//! The parts of a store: shards behind locks, each made when it is first needed.

use std::sync::OnceLock;

use crate::shard::Shard;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, PoisonError};
use crate::{Generation, Limits, Outcome, Stats, Storable};

/// The parts of a store. Those that nothing was ever put into are not there.
pub(super) struct Parts<S> {
    // invariant: empty if resumption is off, else a power of two long
    places: Box<[OnceLock<Box<Part<S>>>]>,
    shed: bool,
    // When everything was cleared last: what a part that is not there yet will know of it. Held
    // while a part is made and while all are cleared, so that none comes in between.
    cleared: Mutex<Generation>,
}

/// A shard behind its lock, and the outcomes of its servers.
///
/// A whole number of cache lines each, so that threads with servers in different shards do not
/// wait for each other.
#[repr(align(64))]
pub(super) struct Part<S> {
    shard: Mutex<Shard<S>>,
    resumed: AtomicU64,
    declined: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
}

impl<S: Storable> Parts<S> {
    /// So many parts, none of them there yet, which shed what servers do not need or do not.
    pub(super) fn new(parts: usize, shed: bool) -> Self {
        Self {
            shed,
            places: (0..parts).map(|_| OnceLock::new()).collect(),
            cleared: Mutex::new(Generation(0)),
        }
    }

    /// How many there may be; zero if resumption is off.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The part of a hash, if it is there.
    #[inline]
    pub(super) fn get(&self, hash: u64) -> Option<&Part<S>> {
        self.by_number(number_of(hash))
    }

    /// The part of this number, which may be too large and then begins again, if it is there.
    #[inline]
    pub(super) fn by_number(&self, number: usize) -> Option<&Part<S>> {
        let last = self.places.len().checked_sub(1)?;
        self.places[number & last].get().map(|part| &**part)
    }

    /// The part of a hash in a store of these limits; nothing if resumption is off.
    #[inline]
    pub(super) fn get_or_make(&self, hash: u64, limits: &Limits) -> Option<&Part<S>> {
        let last = self.places.len().checked_sub(1)?;
        let place = &self.places[number_of(hash) & last];
        Some(match place.get() {
            Some(part) => part,
            None => self.make(place, limits),
        })
    }

    #[cold]
    fn make<'p>(&self, place: &'p OnceLock<Box<Part<S>>>, limits: &Limits) -> &'p Part<S> {
        let cleared = self.hold();
        place.get_or_init(|| {
            let mut shard = Shard::new(&limits.share(self.places.len()), self.shed);
            shard.clear(*cleared, &mut Vec::new());
            Box::new(Part::new(shard))
        })
    }

    /// The generation in which everything was cleared last. No part is made while this is held.
    pub(super) fn hold(&self) -> MutexGuard<'_, Generation> {
        self.cleared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The parts that are there.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Part<S>> {
        self.places
            .iter()
            .filter_map(OnceLock::get)
            .map(|part| &**part)
    }
}

/// Which part a hash belongs to, by bits that neither a shard's map nor its ghosts use first.
pub(super) fn number_of(hash: u64) -> usize {
    usize::try_from(hash >> 40).unwrap_or_default()
}

impl<S: Storable> Part<S> {
    fn new(shard: Shard<S>) -> Self {
        Self {
            shard: Mutex::new(shard),
            resumed: AtomicU64::new(0),
            declined: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(super) fn lock(&self) -> MutexGuard<'_, Shard<S>> {
        loop {
            match self.shard.lock() {
                Ok(shard) => return shard,
                Err(poisoned) => self.start_over(poisoned.into_inner()),
            }
        }
    }

    /// An `accept` or an allocation panicked half-way: what is left is a miss for all.
    #[cold]
    fn start_over(&self, mut shard: MutexGuard<'_, Shard<S>>) {
        let mut dropped = Vec::new();
        shard.start_over(&mut dropped);
        self.shard.clear_poison();
        drop(shard);
    }

    /// Counts an outcome.
    pub(super) fn count(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Resumed => &self.resumed,
            Outcome::Declined => &self.declined,
            Outcome::Failed => &self.failed,
            Outcome::Cancelled => &self.cancelled,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn stats(&self) -> Stats {
        let held = self.lock().stats();
        Stats {
            resumed: self.resumed.load(Ordering::Relaxed),
            declined: self.declined.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            cancelled: self.cancelled.load(Ordering::Relaxed),
            ..held
        }
    }
}
