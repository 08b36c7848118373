//! One part of a store: servers in the order of their use, and who has to go.

use std::borrow::Borrow;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use lru::LruCache;

use crate::ghosts::{Ghost, Ghosts};
use crate::server::{Dropped, Found, Held, Losses, Server};
use crate::{Entry, EntryId, Generation, KeyRef, Limits, Refused, SessionKey, Stats, Timestamp};

/// How many of the least recently used servers are looked through for one whose sessions have all
/// expired, before a living one is evicted.
const LOOK_FOR_EXPIRED: usize = 16;
/// How many cleared servers are remembered by name; see [`Shard::clear_server`].
const CLEARED_SERVERS: usize = 64;
/// Share of a shard, in servers and in bytes, that servers seen again may fill.
const SEEN_AGAIN_SHARE: (usize, usize) = (4, 5);

/// One part of a store, without lock or clock.
///
/// Two segments in least-recently-used order: a server enters `once`, and moves to `again` when
/// it is put to after a connection was offered one of its sessions. A scan of servers that are
/// never seen again passes through `once` and leaves `again` alone.
pub(crate) struct Shard<S> {
    limits: Arc<Limits>,
    once: Segment<S>,
    again: Segment<S>,
    ghosts: Ghosts,
    // invariant: no session in the shard expires before this
    next_expiry: Timestamp,
    last_id: u64,
    // Puts of connections begun before this are refused, whatever their server.
    cleared: Generation,
    // The same for single servers, by hash; oldest first, at most CLEARED_SERVERS.
    cleared_servers: Vec<(u64, Generation)>,
    pub(crate) stats: Stats,
}

/// Servers in the order of their use, with the bytes they hold.
struct Segment<S> {
    // invariant: no server in it is empty
    servers: LruCache<Place, Server<S>, BuildHasherDefault<Prehashed>>,
    bytes: usize,
}

/// The two segments, to name one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Once,
    Again,
}

/// Which sessions a connection can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Any,
    SingleUse,
    Reusable,
}

impl<S> Shard<S> {
    /// An empty shard; `limits` are its own, already divided. Allocates next to nothing.
    pub(crate) fn new(limits: Arc<Limits>) -> Self {
        Self {
            limits,
            once: Segment::new(),
            again: Segment::new(),
            ghosts: Ghosts::default(),
            next_expiry: Timestamp::NEVER,
            last_id: 0,
            cleared: Generation(0),
            cleared_servers: Vec::new(),
            stats: Stats::default(),
        }
    }

    pub(crate) fn put(
        &mut self,
        at: At<'_>,
        entry: Entry<S>,
        begun: Generation,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
    ) -> Result<EntryId, Refused> {
        let Entry {
            session,
            usage,
            established,
            expires,
            weight,
        } = entry;
        let established = established.min(now);
        let own_bound = now.after(self.limits.lifetime(usage));
        let age_bound = established.after(self.limits.total_age);
        let expires = expires.min(own_bound).min(age_bound);
        let room = self
            .limits
            .total_bytes
            .checked_sub(fixed_bytes::<S>(at.key));
        let most = room.map(|room| room.min(self.limits.server_bytes));
        let refused = if self.is_cleared(at.hash, begun) {
            Some((Refused::Cleared, &mut self.stats.refused_cleared))
        } else if most.is_none_or(|most| weight > self.limits.session_bytes.min(most)) {
            Some((Refused::TooLarge, &mut self.stats.refused_too_large))
        } else if expires <= now {
            Some((Refused::Expired, &mut self.stats.refused_expired))
        } else {
            None
        };
        if let Some((why, counter)) = refused {
            *counter += 1;
            dropped.push(Dropped::Session(session));
            return Err(why);
        }

        self.last_id += 1;
        let id = EntryId(self.last_id);
        let held = Held {
            id,
            session,
            established,
            received: now,
            expires,
            weight,
        };
        self.stats.stored += 1;
        self.next_expiry = self.next_expiry.min(expires);

        let server_limits = (self.limits.sessions_per_server, most.unwrap_or_default());
        let (which, place, mut server) = self.check_out(at);
        let losses = server.put(held, usage, server_limits, now, dropped);
        self.count(losses);
        self.make_room(server_bytes(&place, &server), now, dropped);
        self.segment(which).insert(place, server);
        self.keep_share(which);
        Ok(id)
    }

    /// Finds a session for a connection, in the order of the `rustls` client: the newest
    /// single-use one, else the reusable one.
    pub(crate) fn offer(
        &mut self,
        at: At<'_>,
        want: Want,
        now: Timestamp,
        accept: &mut dyn FnMut(&S) -> bool,
        dropped: &mut Vec<Dropped<S>>,
    ) -> Option<Found<S>> {
        let mut losses = Losses::default();
        let found = self.with_server(at, |server| {
            server.visited = true;
            let single_use = (want != Want::Reusable)
                .then(|| server.take(now, accept, dropped, &mut losses))
                .flatten();
            if let Some(held) = single_use {
                return Some(Found::SingleUse(held));
            }
            let reusable = (want != Want::SingleUse)
                .then(|| server.share(now, accept, dropped, &mut losses))
                .flatten();
            reusable.map(Found::Reusable)
        });
        let found = found.flatten();
        self.count(losses);
        match &found {
            Some(Found::SingleUse(_)) => self.stats.taken += 1,
            Some(Found::Reusable(_)) => self.stats.copied += 1,
            None => self.stats.missed += 1,
        }
        self.stats.offered += u64::from(found.is_some());
        found
    }

    /// The group that the server chose last.
    pub(crate) fn hint(&self, at: At<'_>) -> Option<u16> {
        let key: &dyn Lookup = &at;
        let server = self
            .again
            .servers
            .peek(key)
            .or_else(|| self.once.servers.peek(key));
        match server {
            Some(server) => server.hint,
            None => self.ghosts.get(at.hash)?.hint,
        }
    }

    pub(crate) fn set_hint(&mut self, at: At<'_>, group: u16) {
        let key: &dyn Lookup = &at;
        let resident = match self.again.servers.peek_mut(key) {
            Some(server) => Some(server),
            None => self.once.servers.peek_mut(key),
        };
        if let Some(server) = resident {
            server.hint = Some(group);
        } else {
            self.ghosts.prepare(self.limits.servers);
            let known = self.ghosts.get(at.hash).unwrap_or_default();
            self.ghosts.set(
                at.hash,
                Ghost {
                    hint: Some(group),
                    ..known
                },
            );
        }
    }

    /// Removes the session `id` of a server, and says whether it was there.
    pub(crate) fn remove(
        &mut self,
        at: At<'_>,
        id: EntryId,
        dropped: &mut Vec<Dropped<S>>,
    ) -> bool {
        self.remove_with(at, |server| server.remove(id), dropped)
    }

    /// Removes the session `id` of a server and all that came before it.
    pub(crate) fn remove_up_to(&mut self, at: At<'_>, id: EntryId, dropped: &mut Vec<Dropped<S>>) {
        let removed = self.with_server(at, |server| server.remove_up_to(id, dropped));
        self.stats.removed += removed.unwrap_or(0);
    }

    /// Removes the reusable session of a server, and says whether there was one.
    pub(crate) fn remove_reusable(&mut self, at: At<'_>, dropped: &mut Vec<Dropped<S>>) -> bool {
        self.remove_with(at, Server::remove_reusable, dropped)
    }

    fn remove_with(
        &mut self,
        at: At<'_>,
        remove: impl FnOnce(&mut Server<S>) -> Option<Dropped<S>>,
        dropped: &mut Vec<Dropped<S>>,
    ) -> bool {
        let removed = self.with_server(at, remove).flatten();
        self.stats.removed += u64::from(removed.is_some());
        let was_there = removed.is_some();
        dropped.extend(removed);
        was_there
    }

    /// Removes a server with all that is known of it, and refuses what connections put that began
    /// before `now_is`.
    pub(crate) fn clear_server(
        &mut self,
        at: At<'_>,
        now_is: Generation,
        dropped: &mut Vec<Dropped<S>>,
    ) {
        self.ghosts.take(at.hash);
        for which in [Which::Again, Which::Once] {
            if let Some((_, server)) = self.segment(which).remove(&at) {
                self.stats.removed += server.len() as u64;
                dropped.push(Dropped::Server(server));
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
        for which in [Which::Once, Which::Again] {
            let segment = std::mem::replace(self.segment(which), Segment::new());
            dropped.extend(segment.into_servers().map(Dropped::Server));
        }
        self.ghosts = Ghosts::default();
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

    /// Drops all sessions of the shard that are not valid at `now`.
    pub(crate) fn sweep(&mut self, now: Timestamp, dropped: &mut Vec<Dropped<S>>) {
        let mut expired = 0;
        let mut next_expiry = Timestamp::NEVER;
        for which in [Which::Once, Which::Again] {
            let segment = self.segment(which);
            let mut emptied = Vec::new();
            for (place, server) in &mut segment.servers {
                let before = server.bytes();
                expired += server.prune(now, dropped);
                segment.bytes -= before - server.bytes();
                next_expiry = next_expiry.min(server.first_expiry());
                if server.is_empty() {
                    emptied.push(place.clone());
                }
            }
            for place in emptied {
                let at = At {
                    hash: place.hash,
                    key: place.key.as_key(),
                };
                self.leave_a_ghost(at, which);
            }
        }
        self.stats.expired += expired;
        self.next_expiry = next_expiry;
    }

    /// Whether a sweep at `now` might find anything. A clock that went back is noticed when the
    /// sessions are visited.
    pub(crate) fn needs_sweep(&self, now: Timestamp) -> bool {
        self.next_expiry <= now
    }

    /// The counters and what is held now.
    pub(crate) fn stats(&self) -> Stats {
        let servers = (self.once.servers.len() + self.again.servers.len()) as u64;
        let (sessions, bytes) = (
            self.sessions() as u64,
            (self.once.bytes + self.again.bytes) as u64,
        );
        Stats {
            servers,
            sessions,
            bytes,
            ..self.stats
        }
    }

    fn sessions(&self) -> usize {
        let all = self.once.servers.iter().chain(self.again.servers.iter());
        all.map(|(_, server)| server.len()).sum()
    }

    fn segment(&mut self, which: Which) -> &mut Segment<S> {
        match which {
            Which::Once => &mut self.once,
            Which::Again => &mut self.again,
        }
    }

    fn is_cleared(&self, hash: u64, begun: Generation) -> bool {
        let by_name = self
            .cleared_servers
            .iter()
            .find(|(cleared, _)| *cleared == hash);
        begun < self.cleared || by_name.is_some_and(|(_, cleared)| begun < *cleared)
    }

    /// Takes a server out of the order to put to it: from its segment, or a new one with what its
    /// ghost remembers; and says into which segment it goes back.
    fn check_out(&mut self, at: At<'_>) -> (Which, Place, Server<S>) {
        if let Some((place, server)) = self.again.remove(&at) {
            return (Which::Again, place, server);
        }
        if let Some((place, mut server)) = self.once.remove(&at) {
            let which = if server.visited {
                Which::Again
            } else {
                Which::Once
            };
            server.visited = false;
            return (which, place, server);
        }
        self.ghosts.prepare(self.limits.servers);
        let ghost = self.ghosts.take(at.hash).unwrap_or_default();
        let which = if ghost.seen_again {
            Which::Again
        } else {
            Which::Once
        };
        let place = Place {
            hash: at.hash,
            key: at.key.to_key(),
        };
        (which, place, Server::new(ghost.hint))
    }

    /// Calls `visit` with a server, counts it as used, and lets it go if that emptied it.
    fn with_server<T>(&mut self, at: At<'_>, visit: impl FnOnce(&mut Server<S>) -> T) -> Option<T> {
        for which in [Which::Again, Which::Once] {
            let segment = self.segment(which);
            if let Some(server) = segment.servers.get_mut(&at as &dyn Lookup) {
                let before = server.bytes();
                let result = visit(server);
                let empty = server.is_empty();
                segment.bytes -= before - server.bytes();
                if empty {
                    self.leave_a_ghost(at, which);
                }
                return Some(result);
            }
        }
        None
    }

    /// Lets an empty server go and remembers what is worth it.
    fn leave_a_ghost(&mut self, at: At<'_>, which: Which) {
        if let Some((_, server)) = self.segment(which).remove(&at) {
            let seen_again = which == Which::Again || server.visited;
            self.ghosts.set(
                at.hash,
                Ghost {
                    hint: server.hint,
                    seen_again,
                },
            );
        }
    }

    /// Evicts until one more server of `bytes` fits.
    fn make_room(&mut self, bytes: usize, now: Timestamp, dropped: &mut Vec<Dropped<S>>) {
        while self.once.servers.len() + self.again.servers.len() >= self.limits.servers
            || self.once.bytes + self.again.bytes + bytes > self.limits.total_bytes
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
            let seen_again = false;
            self.ghosts.set(
                place.hash,
                Ghost {
                    hint: server.hint,
                    seen_again,
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
            let oldest = segment.servers.iter().rev().take(LOOK_FOR_EXPIRED);
            let expired = oldest
                .into_iter()
                .find(|(_, server)| server.last_expiry() <= now)
                .map(|(place, _)| place.clone());
            if let Some(place) = expired {
                return segment.remove(&At {
                    hash: place.hash,
                    key: place.key.as_key(),
                });
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
            self.keep_share(Which::Again);
        }
        self.again.pop_oldest()
    }

    /// Sends servers from `again` back to `once` while they fill more than their share.
    fn keep_share(&mut self, grown: Which) {
        if grown == Which::Once {
            return;
        }
        let (part, whole) = SEEN_AGAIN_SHARE;
        let servers = (self.limits.servers.saturating_mul(part) / whole).max(1);
        let bytes = self.limits.total_bytes / whole * part;
        while self.again.servers.len() > servers
            || (self.again.bytes > bytes && self.again.servers.len() > 1)
        {
            let Some((place, mut server)) = self.again.pop_oldest() else {
                return;
            };
            server.visited = false;
            self.once.insert(place, server);
        }
    }

    fn count(&mut self, losses: Losses) {
        self.stats.expired += losses.expired;
        self.stats.evicted += losses.evicted;
        self.stats.replaced += losses.replaced;
    }
}

impl<S> Segment<S> {
    fn new() -> Self {
        Self {
            servers: LruCache::unbounded_with_hasher(BuildHasherDefault::default()),
            bytes: 0,
        }
    }

    /// Adds a server as the most recently used.
    fn insert(&mut self, place: Place, server: Server<S>) {
        self.bytes += server_bytes(&place, &server);
        self.servers.push(place, server);
    }

    fn remove(&mut self, at: &At<'_>) -> Option<(Place, Server<S>)> {
        let (place, server) = self.servers.pop_entry(at as &dyn Lookup)?;
        self.bytes -= server_bytes(&place, &server);
        Some((place, server))
    }

    fn pop_oldest(&mut self) -> Option<(Place, Server<S>)> {
        let (place, server) = self.servers.pop_lru()?;
        self.bytes -= server_bytes(&place, &server);
        Some((place, server))
    }

    fn into_servers(mut self) -> impl Iterator<Item = Server<S>> {
        std::iter::from_fn(move || self.servers.pop_lru().map(|(_, server)| server))
    }
}

/// Bytes a server with its sessions and its place costs.
fn server_bytes<S>(place: &Place, server: &Server<S>) -> usize {
    fixed_bytes::<S>(place.key.as_key()) + server.bytes()
}

/// Bytes a server without sessions would cost.
fn fixed_bytes<S>(key: KeyRef<'_>) -> usize {
    // The two links of the order, the slot of the map and the allocator's own share.
    const LINKS: usize = 48;
    size_of::<Place>() + size_of::<Server<S>>() + LINKS + key.heap_bytes()
}

/// A key with its hash, so that a server is hashed once for an operation.
#[derive(Clone)]
pub(crate) struct Place {
    hash: u64,
    key: SessionKey,
}

/// The same, borrowed.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) hash: u64,
    pub(crate) key: KeyRef<'a>,
}

/// What lets an owned key be found by a borrowed one.
trait Lookup {
    fn at(&self) -> At<'_>;
}

impl Lookup for Place {
    fn at(&self) -> At<'_> {
        At {
            hash: self.hash,
            key: self.key.as_key(),
        }
    }
}

impl Lookup for At<'_> {
    fn at(&self) -> At<'_> {
        *self
    }
}

impl<'a> Borrow<dyn Lookup + 'a> for Place {
    fn borrow(&self) -> &(dyn Lookup + 'a) {
        self
    }
}

impl PartialEq for dyn Lookup + '_ {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.at(), other.at());
        one.hash == other.hash && one.key == other.key
    }
}

impl Eq for dyn Lookup + '_ {}

impl Hash for dyn Lookup + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.at().hash);
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.key == other.key
    }
}

impl Eq for Place {}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// Passes on the one hash it is given.
#[derive(Default)]
struct Prehashed(u64);

impl Hasher for Prehashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Never called: keys write one u64. Correct all the same.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(any(test, feature = "__fuzzing"))]
pub(crate) mod agreement;
#[cfg(any(test, feature = "__fuzzing"))]
mod model;
#[cfg(test)]
mod model_tests;
