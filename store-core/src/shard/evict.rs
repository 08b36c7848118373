//! Eviction.

use super::Shard;
use super::slab::{HashedKey, Index, Ring, fixed_bytes};
use crate::dropped::Dropped;
use crate::{Storable, Timestamp};

/// The share of a shard, in servers and in bytes, that protected servers may fill.
const PROTECTED_SHARE: (usize, usize) = (4, 5);

impl<S: Storable> Shard<S> {
    /// Whether the limits hold.
    #[inline]
    pub(super) fn fits(&self) -> bool {
        self.slab.servers() <= self.limits.servers && self.slab.bytes() <= self.limits.total_bytes
    }

    /// Evicts servers, but not `spared`, until the limits hold.
    #[cold]
    pub(super) fn make_room(&mut self, spared: Index, now: Timestamp, dropped: &mut Dropped<S>) {
        while !self.fits() {
            let Some(index) = self.victim(spared, now) else {
                return;
            };
            let Some(mut node) = self.slab.remove(index) else {
                return;
            };
            let counter = if node.server.is_expired(now) {
                &mut self.stats.expired
            } else {
                &mut self.stats.evicted
            };
            *counter += node.server.clear(dropped);
        }
    }

    /// Inserts a server without a session, in place of another one if there is no room.
    pub(super) fn insert_empty(&mut self, hashed: &HashedKey<'_>) -> Option<Index> {
        let fixed = fixed_bytes::<S>(&hashed.key);
        let fits = |shard: &Self| {
            shard.slab.servers() < shard.limits.servers
                && shard.slab.bytes() + fixed <= shard.limits.total_bytes
        };
        while !fits(self) {
            let oldest = self.slab.oldest(Ring::Empty)?;
            self.slab.remove(oldest);
        }
        Some(self.slab.insert(hashed, Ring::Empty))
    }

    /// The next server to evict: one without a session, else one of a security domain that has more
    /// than an equal share. If `spared` is the only such server, any other.
    fn victim(&mut self, spared: Index, now: Timestamp) -> Option<Index> {
        if let Some(index) = self.slab.oldest(Ring::Empty) {
            return Some(index);
        }
        self.slab.mark_excess(&self.limits);
        self.pass_hand(spared, now).or_else(|| {
            self.slab.mark_all();
            self.pass_hand(spared, now)
        })
    }

    /// Moves the hand of eviction over the servers of marked domains, to one on probation that was
    /// not looked up since the hand passed, else to a protected one.
    fn pass_hand(&mut self, spared: Index, now: Timestamp) -> Option<Index> {
        for ring in [Ring::Probation, Ring::Protected] {
            while let Some(index) = self.slab.oldest_marked(ring) {
                if index == spared {
                    if self.slab.newer_marked(index).is_none() {
                        break;
                    }
                    self.slab.move_to(index, ring);
                } else if self.keeps(index, now) {
                    self.slab.move_to(index, Ring::Protected);
                    if ring == Ring::Probation {
                        self.bound_protected(now);
                    }
                } else {
                    return Some(index);
                }
            }
        }
        None
    }

    /// Whether the hand passes a server: it was looked up since the last time, and has a session
    /// that has not expired.
    fn keeps(&mut self, index: Index, now: Timestamp) -> bool {
        self.slab.get_mut(index).is_some_and(|node| {
            let visited = std::mem::take(&mut node.visited);
            visited && !node.server.is_expired(now)
        })
    }

    /// Moves protected servers to probation while they fill more than their share: those that were
    /// not looked up since the hand passed.
    fn bound_protected(&mut self, now: Timestamp) {
        let (part, whole) = PROTECTED_SHARE;
        let servers = (self.limits.servers.saturating_mul(part) / whole).max(1);
        let bytes = self.limits.total_bytes / whole * part;
        while self.slab.len(Ring::Protected) > servers
            || (self.slab.bytes_of(Ring::Protected) > bytes && self.slab.len(Ring::Protected) > 1)
        {
            let Some(index) = self.slab.oldest(Ring::Protected) else {
                return;
            };
            let ring = if self.keeps(index, now) {
                Ring::Protected
            } else {
                Ring::Probation
            };
            self.slab.move_to(index, ring);
        }
    }
}
