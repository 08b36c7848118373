//! What connections ask for, and what is swept as they come by.

use super::{SessionStore, part_of};
use crate::held::Found;
use crate::shard::Want;
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
        let (part, at) = self.find(key)?;
        self.leave_to_parent();
        let (mut dropped, mut neighbour) = (Vec::new(), None);
        let mut room = part.lock();
        let found = if let Some(shard) = room.get() {
            if sweep == Sweep::Along {
                if shard.is_sweep_due(now) {
                    shard.sweep(now, &mut dropped);
                }
                neighbour = shard.begin();
            }
            shard.offer(at, want, now, &mut accept, &mut dropped)
        } else {
            room.miss();
            None
        };
        drop(room);
        if let Some(distance) = neighbour {
            self.sweep_part(part_of(at.hash).wrapping_add(distance), now);
        }
        self.watched.note(key, |stats| match &found {
            Some(found) => {
                stats.offered += 1;
                stats.taken += u64::from(matches!(found, Found::SingleUse(_)));
            }
            None => stats.missed += 1,
        });
        if let (None, Some(behind)) = (&found, &self.behind) {
            behind.missed(key);
        }
        match found? {
            Found::SingleUse(held) => Some(held.into_offer(Usage::SingleUse)),
            Found::Reusable(held) => self.copy_of(part, at, held, now),
        }
    }

    /// Frees expired sessions, one part of the store a call: of some 500 to 1,000 servers (more
    /// only where `server_bytes` is a large part of `total_bytes`) those are looked at of which a
    /// session can have expired. Call it now and then where no connection calls
    /// [`begin`](Self::begin); it returns at once when there is nothing to do.
    pub fn sweep(&self, now: Timestamp) {
        let next = self.next_swept.0.fetch_add(1, Ordering::Relaxed);
        self.sweep_part(next, now);
    }

    /// Sweeps one part, by a number of any size.
    fn sweep_part(&self, number: usize, now: Timestamp) {
        let Some(last) = self.shards.len().checked_sub(1) else {
            return;
        };
        let mut dropped = Vec::new();
        if let Some(shard) = self.shards[number & last].lock().get()
            && shard.needs_sweep(now)
        {
            shard.sweep(now, &mut dropped);
        }
    }
}
