//! Eviction.

use super::order::{Index, Node};
use super::{Segment, Shard};
use crate::ghosts::Ghost;
use crate::server::Dropped;
use crate::{Storable, Timestamp};

/// How many of the least recently used servers are checked for one whose sessions have all expired,
/// which is then evicted first.
pub(super) const EXPIRED_SEARCH: usize = 16;
/// The share of a shard, in servers and in bytes, that protected servers may fill.
const PROTECTED_SHARE: (usize, usize) = (4, 5);

impl<S: Storable> Shard<S> {
    /// Evicts other servers until the server of a put fits.
    #[inline]
    pub(super) fn make_room_for(
        &mut self,
        index: Index,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
    ) {
        if self.fits(0, 0) {
            return;
        }
        let Some(segment) = self.order.unlink(index) else {
            return;
        };
        let bytes = self.order.get(index).map_or(0, Node::bytes);
        self.make_room(1, bytes, now, dropped);
        self.order.link(index, segment);
    }

    /// Whether `servers` and `bytes` more fit.
    #[inline]
    fn fits(&self, servers: usize, bytes: usize) -> bool {
        let holding = self.order.len(Segment::Probation) + self.order.len(Segment::Protected);
        holding + servers <= self.limits.servers && self.has_space(bytes)
    }

    #[inline]
    fn has_space(&self, bytes: usize) -> bool {
        self.order.bytes() + bytes <= self.limits.total_bytes
    }

    /// Evicts servers until `servers` and `bytes` more fit.
    pub(super) fn make_room(
        &mut self,
        servers: usize,
        bytes: usize,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
    ) {
        while !self.fits(servers, bytes) {
            if !self.has_space(bytes) && self.remove_oldest_emptied() {
                continue;
            }
            let evicted = self.expired_server(now).or_else(|| self.least_recent());
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
        self.ghosts.insert(hash, ghost);
        dropped.push(Dropped::Server(server));
    }

    /// A server among the least recently used whose sessions have all expired.
    fn expired_server(&self, now: Timestamp) -> Option<Index> {
        if now < self.next_expiry {
            return None;
        }
        [Segment::Probation, Segment::Protected]
            .into_iter()
            .find_map(|segment| {
                let mut oldest = self.order.oldest_first(segment).take(EXPIRED_SEARCH);
                let expired = oldest.find(|(_, node)| node.server.last_expiry() <= now);
                expired.map(|(index, _)| index)
            })
    }

    /// The least recently used server on probation, else the least recently used protected one.
    /// Moves servers on probation that had a look-up to the protected ones instead.
    fn least_recent(&mut self) -> Option<Index> {
        while let Some(index) = self.order.oldest(Segment::Probation) {
            if !self.move_to(index, Segment::Protected) {
                return Some(index);
            }
            self.bound_protected();
        }
        self.order.oldest(Segment::Protected)
    }

    /// Moves protected servers to probation while they fill more than their share.
    pub(super) fn bound_protected(&mut self) {
        let (part, whole) = PROTECTED_SHARE;
        let servers = (self.limits.servers.saturating_mul(part) / whole).max(1);
        let bytes = self.limits.total_bytes / whole * part;
        while self.order.len(Segment::Protected) > servers
            || (self.order.bytes_of(Segment::Protected) > bytes
                && self.order.len(Segment::Protected) > 1)
        {
            let Some(index) = self.order.oldest(Segment::Protected) else {
                return;
            };
            self.move_to(index, Segment::Probation);
        }
    }

    /// Moves a server to the front of `segment` and resets `visited`. It becomes protected only if
    /// it was visited; returns whether it moved.
    fn move_to(&mut self, index: Index, segment: Segment) -> bool {
        let Some(node) = self.order.get_mut(index) else {
            return false;
        };
        let visited = std::mem::take(&mut node.server.visited);
        let moves = visited || segment == Segment::Probation;
        if moves {
            self.order.move_to(index, segment);
        }
        moves
    }
}
