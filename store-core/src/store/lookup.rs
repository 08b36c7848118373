//! Look-ups of sessions, and sweeping.

use super::SessionStore;
use super::shards::number_of;
use crate::held::Found;
use crate::shard::{CONNECTIONS_A_SWEEP, Want};
use crate::sync::Ordering;
use crate::{KeyRef, Offer, Storable, Timestamp, Usage};

/// Whether a look-up also frees expired sessions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sweep {
    No,
    Yes,
}

impl<S: Storable> SessionStore<S> {
    pub(super) fn find_session(
        &self,
        key: KeyRef<'_>,
        want: Want,
        now: Timestamp,
        sweep: Sweep,
        mut accept: impl FnMut(&S) -> bool,
    ) -> Option<Offer<S>> {
        if self.shards.len() == 0 {
            return None;
        }
        self.clear_after_fork();
        let hashed = self.hashed(key);
        let Some(shard) = self.shards.get(hashed.hash) else {
            if want == Want::SingleUseFirst {
                self.sweep(now);
                return None;
            }
            let missed = self.counters.missed.fetch_add(1, Ordering::Relaxed);
            if sweep == Sweep::Yes && missed.is_multiple_of(CONNECTIONS_A_SWEEP.into()) {
                let next =
                    usize::try_from(missed / u64::from(CONNECTIONS_A_SWEEP)).unwrap_or_default();
                self.sweep_shard(next, now);
            }
            self.count_miss(key);
            return None;
        };
        let (mut dropped, mut also_sweep) = (Vec::new(), None);
        let mut locked = shard.lock();
        if sweep == Sweep::Yes {
            if locked.is_sweep_due(now) {
                locked.sweep(now, &mut dropped);
            }
            also_sweep = locked.count_connection();
        }
        let found = locked.offer(hashed, want, now, &mut accept, &mut dropped);
        drop(locked);
        if let Some(distance) = also_sweep {
            self.sweep_shard(number_of(hashed.hash).wrapping_add(distance), now);
        }
        let Some(found) = found else {
            if want != Want::SingleUseFirst {
                self.count_miss(key);
            }
            return None;
        };
        let single_use = matches!(found, Found::SingleUse(_));
        self.watched.count(key, |stats| {
            stats.offered += 1;
            stats.taken += u64::from(single_use);
        });
        let offer = match found {
            Found::SingleUse(held) => Some(held.into_offer(Usage::SingleUse)),
            Found::Reusable(held) => self.copy_for_offer(shard, hashed, held, now),
        }?;
        self.events.offered(key, offer.entry.usage);
        Some(offer)
    }

    fn count_miss(&self, key: KeyRef<'_>) {
        self.watched.count(key, |stats| stats.missed += 1);
        self.events.missed(key);
        if let Some(observer) = &self.observer {
            observer.missed(key);
        }
    }

    /// Frees the expired sessions of one shard per call, which has some 100 to 250 servers (more
    /// only where `server_bytes` is a large part of `total_bytes`). Returns at once if none can
    /// have expired. Call it now and then where no connection calls [`begin`](Self::begin).
    pub fn sweep(&self, now: Timestamp) {
        let next = self.counters.next_swept.fetch_add(1, Ordering::Relaxed);
        self.sweep_shard(next, now);
    }

    /// Sweeps the shard in the slot `number`, modulo the number of slots.
    fn sweep_shard(&self, number: usize, now: Timestamp) {
        let Some(shard) = self.shards.by_number(number) else {
            return;
        };
        let mut dropped = Vec::new();
        let mut locked = shard.lock();
        if locked.needs_sweep(now) {
            locked.sweep(now, &mut dropped);
        }
        drop(locked);
    }
}
