//! Freeing what has expired without a visit.

use std::time::Duration;

use super::{After, Shard};
use crate::held::Dropped;
use crate::{Storable, Timestamp};

/// How long connections leave a shard alone that they have swept: what expires in between is not
/// offered anyway, and takes space for so much longer.
const PAUSE: Duration = Duration::from_secs(1);
/// After how many connections to the servers of a shard its next neighbour is looked at too, so
/// that shards are swept to which nobody connects.
pub(crate) const NEIGHBOUR: u32 = 16;

impl<S: Storable> Shard<S> {
    /// Drops all sessions that are not valid at `now` of the servers of which one has expired.
    pub(crate) fn sweep(&mut self, now: Timestamp, dropped: &mut Vec<Dropped<S>>) {
        for index in self.order.expiring(now) {
            let swept = self.order.change(index, |server| {
                let expired = server.prune(now, dropped);
                server.shrink();
                (expired, server.first_expiry())
            });
            let Some((expired, first_expiry)) = swept else {
                continue;
            };
            self.stats.expired += expired;
            self.order.set_first_expiry(index, first_expiry);
            if first_expiry == Timestamp::NEVER {
                self.emptied(index, After::Leaves);
            }
        }
        self.next_expiry = self.order.next_expiry();
        self.swept = now;
    }

    /// Whether a sweep at `now` might find anything. A clock that went back is noticed when the
    /// sessions are visited.
    pub(crate) fn needs_sweep(&self, now: Timestamp) -> bool {
        self.next_expiry <= now
    }

    /// The same for a connection that comes by, and which may leave it to a later one.
    pub(crate) fn is_sweep_due(&self, now: Timestamp) -> bool {
        // A clock that went back must not put it off.
        let just_swept = self.swept <= now && now < self.swept.after(PAUSE);
        self.needs_sweep(now) && !just_swept
    }

    /// Counts a connection that begins, and says how many shards further on one is to be swept.
    pub(crate) fn begin(&mut self) -> Option<usize> {
        self.begun = self.begun.wrapping_add(1);
        let neighbour = self.begun / NEIGHBOUR;
        let its_turn = self.begun.is_multiple_of(NEIGHBOUR);
        its_turn.then_some(neighbour as usize)
    }
}
