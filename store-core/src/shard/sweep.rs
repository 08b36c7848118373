//! Sweeping: frees the expired sessions of servers to which nobody connects.

use super::Shard;
use super::slab::Index;
use crate::dropped::Dropped;
use crate::{Storable, Timestamp};

/// After so many puts in a shard, it is swept by one step.
const PUTS_A_STEP: u64 = 16;
/// After so many puts, another shard is swept by one step, too: one may have no puts.
const PUTS_A_STEP_ELSEWHERE: u64 = 64;
/// How many servers a step passes: as many as the puts between two steps, so that each put pays for
/// one.
pub(super) const SERVERS_A_STEP: usize = 16;

impl<S: Storable> Shard<S> {
    /// Whether a step is due after the last put.
    #[inline]
    pub(crate) fn is_sweep_due(&self) -> bool {
        self.last_id.is_multiple_of(PUTS_A_STEP)
    }

    /// Whether a step in another shard is due as well.
    #[inline]
    pub(crate) fn is_sweep_due_elsewhere(&self) -> bool {
        self.last_id.is_multiple_of(PUTS_A_STEP_ELSEWHERE)
    }

    /// Passes the hand over the next servers, and drops their sessions that are not valid at `now`.
    pub(crate) fn sweep_step(&mut self, now: Timestamp, dropped: &mut Dropped<S>) {
        self.sweep_next(SERVERS_A_STEP, now, dropped);
    }

    /// The same for all servers.
    pub(crate) fn sweep(&mut self, now: Timestamp, dropped: &mut Dropped<S>) {
        self.sweep_next(usize::MAX, now, dropped);
    }

    fn sweep_next(&mut self, servers: usize, now: Timestamp, dropped: &mut Dropped<S>) {
        for _ in 0..servers.min(self.slab.slots()) {
            if let Some(index) = self.slab.pass(&mut self.sweep_hand) {
                self.prune(index, now, dropped);
            }
        }
    }

    /// Drops the sessions of a server that are not valid at `now`, and the server with its last one
    /// unless there is something to remember of it.
    fn prune(&mut self, index: Index, now: Timestamp, dropped: &mut Dropped<S>) {
        let node = self.slab.get(index);
        if !node.is_some_and(|node| node.server.has_invalid(now) || node.server.is_sparse()) {
            return;
        }
        let emptied = self.change_at(index, |server, stats| {
            let held = !server.is_empty();
            server.prune(now, stats, dropped);
            server.shrink();
            held && server.is_empty()
        });
        let node = self.slab.get(index);
        if emptied == Some(true) && node.is_some_and(|node| node.history.is_plain()) {
            self.slab.remove(index);
        }
    }
}
