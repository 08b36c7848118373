//! What connections ask for, and what is swept as they come by.

use super::SessionStore;
use super::part::number_of;
use crate::held::Found;
use crate::shard::{NEIGHBOUR, Want};
use crate::sync::Ordering;
use crate::{KeyRef, Offer, Storable, Timestamp, Usage};

/// Whether an offer frees what has expired, too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sweep {
    No,
    Along,
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
        if self.parts.len() == 0 {
            return None;
        }
        self.leave_to_parent();
        let at = self.at(key);
        let Some(part) = self.parts.get(at.hash) else {
            if want == Want::SingleUseFirst {
                self.sweep(now);
                return None;
            }
            let missed = self.counters.missed.fetch_add(1, Ordering::Relaxed);
            if sweep == Sweep::Along && missed.is_multiple_of(NEIGHBOUR.into()) {
                let next = usize::try_from(missed / u64::from(NEIGHBOUR)).unwrap_or_default();
                self.sweep_part(next, now);
            }
            self.note_missed(key);
            return None;
        };
        let (mut dropped, mut neighbour) = (Vec::new(), None);
        let mut shard = part.lock();
        if sweep == Sweep::Along {
            if shard.is_sweep_due(now) {
                shard.sweep(now, &mut dropped);
            }
            neighbour = shard.begin();
        }
        let found = shard.offer(at, want, now, &mut accept, &mut dropped);
        drop(shard);
        if let Some(distance) = neighbour {
            self.sweep_part(number_of(at.hash).wrapping_add(distance), now);
        }
        let Some(found) = found else {
            if want != Want::SingleUseFirst {
                self.note_missed(key);
            }
            return None;
        };
        let single_use = matches!(found, Found::SingleUse(_));
        self.watched.note(key, |stats| {
            stats.offered += 1;
            stats.taken += u64::from(single_use);
        });
        let offer = match found {
            Found::SingleUse(held) => Some(held.into_offer(Usage::SingleUse)),
            Found::Reusable(held) => self.copy_of(part, at, held, now),
        }?;
        self.events.offered(key, offer.entry.usage);
        Some(offer)
    }

    fn note_missed(&self, key: KeyRef<'_>) {
        self.watched.note(key, |stats| stats.missed += 1);
        self.events.missed(key);
        if let Some(behind) = &self.behind {
            behind.missed(key);
        }
    }

    /// Frees expired sessions, one part of the store a call: of some 100 to 250 servers (more
    /// only where `server_bytes` is a large part of `total_bytes`) those are looked at of which a
    /// session can have expired. Call it now and then where no connection calls
    /// [`begin`](Self::begin); it returns at once when there is nothing to do.
    pub fn sweep(&self, now: Timestamp) {
        let next = self.counters.next_swept.fetch_add(1, Ordering::Relaxed);
        self.sweep_part(next, now);
    }

    /// Sweeps one part, by a number of any size.
    fn sweep_part(&self, number: usize, now: Timestamp) {
        let Some(part) = self.parts.by_number(number) else {
            return;
        };
        let mut dropped = Vec::new();
        let mut shard = part.lock();
        if shard.needs_sweep(now) {
            shard.sweep(now, &mut dropped);
        }
        drop(shard);
    }
}
