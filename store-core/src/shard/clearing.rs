//! Clearing: removal, and the refusal of late puts.

use super::order::Order;
use super::{HashedKey, Shard};
use crate::ghosts::Ghosts;
use crate::server::Dropped;
use crate::{Generation, Storable, Timestamp};

/// How many cleared servers are remembered one by one; see [`Shard::clear_server`].
const MAX_CLEARED_SERVERS: usize = 64;

impl<S: Storable> Shard<S> {
    /// Removes a server and its ghost, and refuses later puts of connections that began before
    /// `generation`.
    pub(crate) fn clear_server(
        &mut self,
        hashed: HashedKey<'_>,
        generation: Generation,
        dropped: &mut Vec<Dropped<S>>,
    ) {
        self.ghosts.take(hashed.hash);
        if let Some(index) = self.order.find(hashed) {
            self.order.unlink(index);
            if let Some(node) = self.order.remove(index) {
                self.stats.removed += node.server.len() as u64;
                dropped.push(Dropped::Server(node.server));
            }
        }
        self.cleared_servers
            .retain(|(hash, _)| *hash != hashed.hash);
        if self.cleared_servers.len() >= MAX_CLEARED_SERVERS {
            // Forget the oldest, and refuse late puts to all servers instead: this refuses more
            // puts than needed, never fewer.
            let (_, oldest) = self.cleared_servers.remove(0);
            self.cleared = self.cleared.max(oldest);
        }
        self.cleared_servers.push((hashed.hash, generation));
    }

    /// Removes all servers and ghosts, and refuses later puts of connections that began before
    /// `generation`.
    pub(crate) fn clear(&mut self, generation: Generation, dropped: &mut Vec<Dropped<S>>) {
        self.stats.removed += self.sessions() as u64;
        let order = std::mem::replace(&mut self.order, Order::new());
        dropped.extend(order.into_servers().map(Dropped::Server));
        self.ghosts = Ghosts::default();
        self.unpacked.clear();
        self.next_expiry = Timestamp::NEVER;
        self.cleared = self.cleared.max(generation);
        self.cleared_servers.clear();
    }

    /// Empties the shard after a panic in the middle of a change. Keeps the counters and the
    /// refusals.
    pub(crate) fn reset(&mut self, dropped: &mut Vec<Dropped<S>>) {
        let by_server = self.cleared_servers.iter().map(|(_, cleared)| *cleared);
        let cleared = by_server.fold(self.cleared, Generation::max);
        self.clear(cleared, dropped);
    }

    /// Whether a server was cleared after `begun`.
    pub(super) fn is_cleared(&self, hash: u64, begun: Generation) -> bool {
        let by_server = self
            .cleared_servers
            .iter()
            .find(|(cleared, _)| *cleared == hash);
        begun < self.cleared || by_server.is_some_and(|(_, cleared)| begun < *cleared)
    }
}
