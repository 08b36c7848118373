//! Who has to go when space is short.

use super::segment::Place;
use super::{Shard, Which};
use crate::Timestamp;
use crate::ghosts::Ghost;
use crate::server::{Dropped, Server};

/// How many of the least recently used servers are looked through for one whose sessions have all
/// expired, before a living one is evicted.
pub(super) const LOOK_FOR_EXPIRED: usize = 16;
/// Share of a shard, in servers and in bytes, that servers seen again may fill.
const SEEN_AGAIN_SHARE: (usize, usize) = (4, 5);

impl<S> Shard<S> {
    /// Evicts until one more server of `bytes` fits.
    pub(super) fn make_room(
        &mut self,
        bytes: usize,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
    ) {
        while self.once.len() + self.again.len() >= self.limits.servers
            || self.once.bytes() + self.again.bytes() + bytes > self.limits.total_bytes
        {
            let evicted = self.expired_server(now).or_else(|| self.least_wanted());
            let Some((place, server)) = evicted else {
                return;
            };
            if server.last_expiry() <= now {
                self.stats.expired += server.len() as u64;
            } else {
                self.stats.evicted += server.len() as u64;
            }
            self.ghosts.set(
                place.at().hash,
                Ghost {
                    hint: server.hint,
                    seen_again: false,
                },
            );
            dropped.push(Dropped::Server(server));
        }
    }

    /// A server among the least recently used whose sessions have all expired.
    fn expired_server(&mut self, now: Timestamp) -> Option<(Place, Server<S>)> {
        if now < self.next_expiry {
            return None;
        }
        for which in [Which::Once, Which::Again] {
            let segment = self.segment(which);
            let expired = segment
                .oldest_first()
                .take(LOOK_FOR_EXPIRED)
                .find(|(_, server)| server.last_expiry() <= now)
                .map(|(place, _)| place.clone());
            if let Some(place) = expired {
                return segment.remove(place.at());
            }
        }
        None
    }

    /// The least recently used server: of those seen once, else of those seen again. One in `once`
    /// that was visited since it came moves on to `again` instead.
    fn least_wanted(&mut self) -> Option<(Place, Server<S>)> {
        while let Some((place, mut server)) = self.once.pop_oldest() {
            if !server.visited {
                return Some((place, server));
            }
            server.visited = false;
            self.again.insert(place, server);
            self.keep_share();
        }
        self.again.pop_oldest()
    }

    /// Sends servers from `again` back to `once` while they fill more than their share.
    pub(super) fn keep_share(&mut self) {
        let (part, whole) = SEEN_AGAIN_SHARE;
        let servers = (self.limits.servers.saturating_mul(part) / whole).max(1);
        let bytes = self.limits.total_bytes / whole * part;
        while self.again.len() > servers || (self.again.bytes() > bytes && self.again.len() > 1) {
            let Some((place, mut server)) = self.again.pop_oldest() else {
                return;
            };
            server.visited = false;
            self.once.insert(place, server);
        }
    }
}
