//! Clearing: removal, and the refusal of late puts.

use super::{HashedKey, Shard};
use crate::dropped::Dropped;
use crate::{Generation, Storable};

/// How many cleared servers are remembered one by one; see [`Shard::clear_server`].
const MAX_CLEARED_SERVERS: usize = 64;

impl<S: Storable> Shard<S> {
    /// Removes a server with its hint, and with `forgets` what is remembered of its handshakes.
    /// Refuses later puts of connections that began before `generation`.
    pub(crate) fn clear_server(
        &mut self,
        hashed: &HashedKey<'_>,
        generation: Generation,
        forgets: bool,
        dropped: &mut Dropped<S>,
    ) {
        if let Some(index) = self.slab.find(hashed) {
            let node = self.slab.get_mut(index);
            let keeps = node.is_some_and(|node| {
                node.hint = None;
                !forgets && !node.history.is_plain()
            });
            let removed = self.change_at(index, |server, _| server.clear(dropped));
            self.stats.removed += removed.unwrap_or(0);
            if !keeps {
                self.slab.remove(index);
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

    /// Removes all servers, and refuses later puts of connections that began before `generation`.
    pub(crate) fn clear(&mut self, generation: Generation, dropped: &mut Dropped<S>) {
        for mut server in std::mem::replace(&mut self.slab, super::Slab::new()).into_servers() {
            self.stats.removed += server.clear(dropped);
        }
        self.cleared = self.cleared.max(generation);
        self.cleared_servers.clear();
    }

    /// Empties the shard after a panic in the middle of a change. Keeps the counters and the
    /// refusals.
    pub(crate) fn reset(&mut self, dropped: &mut Dropped<S>) {
        let by_server = self.cleared_servers.iter().map(|(_, cleared)| *cleared);
        let cleared = by_server.fold(self.cleared, Generation::max);
        self.clear(cleared, dropped);
    }

    /// Whether a server was cleared after `begun`.
    #[inline]
    pub(super) fn is_cleared(&self, hash: u64, begun: Generation) -> bool {
        begun < self.cleared
            || (!self.cleared_servers.is_empty() && self.is_server_cleared(hash, begun))
    }

    #[cold]
    fn is_server_cleared(&self, hash: u64, begun: Generation) -> bool {
        let mut servers = self.cleared_servers.iter();
        servers.any(|(cleared, generation)| *cleared == hash && begun < *generation)
    }
}
