//! Sweeping: expired sessions are freed even if their server is not looked up again.

use std::time::Duration;

use super::{Shard, WhenEmpty};
use crate::server::Dropped;
use crate::{Storable, Timestamp};

/// The least time between two sweeps of a shard by connections. Sessions that expire in between are
/// not offered, and occupy memory for that much longer.
const PAUSE: Duration = Duration::from_secs(1);
/// After this many connections to a shard's servers, another shard is swept too, so that shards
/// without connections are swept as well.
pub(crate) const CONNECTIONS_A_SWEEP: u32 = 16;

impl<S: Storable> Shard<S> {
    /// Drops the sessions that are not valid at `now`, of each server with an expired session.
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
                self.handle_emptied(index, WhenEmpty::Remove);
            }
        }
        self.next_expiry = self.order.next_expiry();
        self.swept = now;
    }

    /// Whether a session may have expired at `now`. Sessions from the future, after the clock went
    /// back, are found by look-ups only.
    pub(crate) fn needs_sweep(&self, now: Timestamp) -> bool {
        self.next_expiry <= now
    }

    /// The same for a connection, which does not sweep again within [`PAUSE`].
    pub(crate) fn is_sweep_due(&self, now: Timestamp) -> bool {
        // A clock that went back must not delay the sweep.
        let just_swept = self.swept <= now && now < self.swept.after(PAUSE);
        self.needs_sweep(now) && !just_swept
    }

    /// Counts a connection. Returns the distance to another shard if the connection should sweep
    /// that.
    pub(crate) fn count_connection(&mut self) -> Option<usize> {
        self.connections = self.connections.wrapping_add(1);
        let distance = self.connections / CONNECTIONS_A_SWEEP;
        let sweeps = self.connections.is_multiple_of(CONNECTIONS_A_SWEEP);
        sweeps.then_some(distance as usize)
    }
}
