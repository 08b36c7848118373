//! Who has to go when space is short.

use super::order::{Index, Node};
use super::{Shard, Which};
use crate::ghosts::Ghost;
use crate::held::Dropped;
use crate::{Storable, Timestamp};

/// How many of the least recently used servers are looked through for one whose sessions have all
/// expired, before a living one is evicted.
pub(super) const LOOK_FOR_EXPIRED: usize = 16;
/// Share of a shard, in servers and in bytes, that servers seen again may fill.
const SEEN_AGAIN_SHARE: (usize, usize) = (4, 5);

impl<S: Storable> Shard<S> {
    /// Evicts others until a server fits that was put to.
    #[inline]
    pub(super) fn make_room_beside(
        &mut self,
        index: Index,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
    ) {
        if self.fits(0, 0) {
            return;
        }
        let Some(which) = self.order.unlink(index) else {
            return;
        };
        let bytes = self.order.get(index).map_or(0, Node::bytes);
        self.make_room(1, bytes, now, dropped);
        self.order.link(index, which);
    }

    /// Whether so many more servers and bytes fit.
    #[inline]
    fn fits(&self, servers: usize, bytes: usize) -> bool {
        let holding = self.order.len(Which::Once) + self.order.len(Which::Again);
        holding + servers <= self.limits.servers && self.has_space(bytes)
    }

    #[inline]
    fn has_space(&self, bytes: usize) -> bool {
        self.order.bytes() + bytes <= self.limits.total_bytes
    }

    /// Evicts until so many more servers and bytes fit.
    pub(super) fn make_room(
        &mut self,
        servers: usize,
        bytes: usize,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
    ) {
        while !self.fits(servers, bytes) {
            if !self.has_space(bytes) && self.let_emptied_go() {
                continue;
            }
            let evicted = self.expired_server(now).or_else(|| self.least_wanted());
            let Some(index) = evicted else {
                return;
            };
            self.evict(index, now, dropped);
        }
    }

    fn evict(&mut self, index: Index, now: Timestamp, dropped: &mut Vec<Dropped<S>>) {
        self.order.unlink(index);
        let hash = self.order.hash(index);
        let Some(node) = self.order.remove(index) else {
            return;
        };
        let server = node.server;
        if server.last_expiry() <= now {
            self.stats.expired += server.len() as u64;
        } else {
            self.stats.evicted += server.len() as u64;
        }
        let ghost = Ghost {
            hint: server.hint,
            seen_again: false,
            need: server.need.remembered(),
        };
        self.ghosts.set(hash, ghost);
        dropped.push(Dropped::Server(server));
    }

    /// A server among the least recently used whose sessions have all expired.
    fn expired_server(&self, now: Timestamp) -> Option<Index> {
        if now < self.next_expiry {
            return None;
        }
        [Which::Once, Which::Again].into_iter().find_map(|which| {
            let mut oldest = self.order.oldest_first(which).take(LOOK_FOR_EXPIRED);
            let expired = oldest.find(|(_, node)| node.server.last_expiry() <= now);
            expired.map(|(index, _)| index)
        })
    }

    /// The least recently used server: of those seen once, else of those seen again. One in `Once`
    /// that was visited since it came moves on to `Again` instead.
    fn least_wanted(&mut self) -> Option<Index> {
        while let Some(index) = self.order.oldest(Which::Once) {
            if !self.move_to(index, Which::Again) {
                return Some(index);
            }
            self.keep_share();
        }
        self.order.oldest(Which::Again)
    }

    /// Sends servers from `Again` back to `Once` while they fill more than their share.
    pub(super) fn keep_share(&mut self) {
        let (part, whole) = SEEN_AGAIN_SHARE;
        let servers = (self.limits.servers.saturating_mul(part) / whole).max(1);
        let bytes = self.limits.total_bytes / whole * part;
        while self.order.len(Which::Again) > servers
            || (self.order.bytes_of(Which::Again) > bytes && self.order.len(Which::Again) > 1)
        {
            let Some(index) = self.order.oldest(Which::Again) else {
                return;
            };
            self.move_to(index, Which::Once);
        }
    }

    /// Makes a server the most recently used of another list, with its mark taken off; to `Again`
    /// only if it has one.
    fn move_to(&mut self, index: Index, which: Which) -> bool {
        let Some(node) = self.order.get_mut(index) else {
            return false;
        };
        let visited = std::mem::take(&mut node.server.visited);
        let moves = visited || which == Which::Once;
        if moves {
            self.order.move_to(index, which);
        }
        moves
    }
}
