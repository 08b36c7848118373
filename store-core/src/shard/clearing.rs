//! Clearing, and what is refused afterwards.

use super::order::Order;
use super::{At, Shard};
use crate::ghosts::Ghosts;
use crate::held::Dropped;
use crate::{Generation, Storable, Timestamp};

/// How many cleared servers are remembered by name; see [`Shard::clear_server`].
const CLEARED_SERVERS: usize = 64;

impl<S: Storable> Shard<S> {
    /// Removes a server with all that is known of it, and refuses what connections put that began
    /// before `now_is`.
    pub(crate) fn clear_server(
        &mut self,
        at: At<'_>,
        now_is: Generation,
        dropped: &mut Vec<Dropped<S>>,
    ) {
        self.ghosts.take(at.hash);
        if let Some(index) = self.order.find(at) {
            self.order.unlink(index);
            if let Some(node) = self.order.remove(index) {
                self.stats.removed += node.server.len() as u64;
                dropped.push(Dropped::Server(node.server));
            }
        }
        self.cleared_servers.retain(|(hash, _)| *hash != at.hash);
        if self.cleared_servers.len() >= CLEARED_SERVERS {
            // No room to remember the oldest by name: refuse late puts to all servers instead.
            let (_, oldest) = self.cleared_servers.remove(0);
            self.cleared = self.cleared.max(oldest);
        }
        self.cleared_servers.push((at.hash, now_is));
    }

    /// Removes everything, and refuses what connections put that began before `now_is`.
    pub(crate) fn clear(&mut self, now_is: Generation, dropped: &mut Vec<Dropped<S>>) {
        self.stats.removed += self.sessions() as u64;
        let order = std::mem::replace(&mut self.order, Order::new());
        dropped.extend(order.into_servers().map(Dropped::Server));
        self.ghosts = Ghosts::default();
        self.unpacked.clear();
        self.next_expiry = Timestamp::NEVER;
        self.cleared = self.cleared.max(now_is);
        self.cleared_servers.clear();
    }

    /// Starts over after a panic in the middle of a change, keeping the counters.
    pub(crate) fn start_over(&mut self, dropped: &mut Vec<Dropped<S>>) {
        let by_name = self.cleared_servers.iter().map(|(_, cleared)| *cleared);
        let cleared = by_name.fold(self.cleared, Generation::max);
        self.clear(cleared, dropped);
    }

    /// Whether a put to a server comes too late.
    pub(super) fn is_cleared(&self, hash: u64, begun: Generation) -> bool {
        let by_name = self
            .cleared_servers
            .iter()
            .find(|(cleared, _)| *cleared == hash);
        begun < self.cleared || by_name.is_some_and(|(_, cleared)| begun < *cleared)
    }
}
