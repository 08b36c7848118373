//! One part of a store: servers in the order of their use, and who has to go.

#[cfg(any(test, feature = "__fuzzing"))]
pub(crate) mod agreement;
mod evict;
mod leaving;
#[cfg(any(test, feature = "__fuzzing"))]
mod model;
#[cfg(test)]
mod model_tests;
mod segment;

use std::sync::Arc;

use self::segment::{Place, Segment, fixed_bytes, server_bytes};
use crate::ghosts::{Ghost, Ghosts};
use crate::server::{Dropped, Found, Held, Losses, Server};
use crate::{Entry, EntryId, Generation, Limits, Refused, Stats, Timestamp, Usage};

pub(crate) use self::segment::At;

/// How many cleared servers are remembered by name; see [`Shard::clear_server`].
const CLEARED_SERVERS: usize = 64;
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
        if which == Which::Again {
            self.keep_share();
        }
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

    fn peek(&self, at: At<'_>) -> Option<&Server<S>> {
        self.again.peek(at).or_else(|| self.once.peek(at))
    }

    /// Sessions held of a server.
    pub(crate) fn held(&self, at: At<'_>) -> usize {
        self.peek(at).map_or(0, Server::len)
    }

    /// The group that the server chose last.
    pub(crate) fn hint(&self, at: At<'_>) -> Option<u16> {
        match self.peek(at) {
            Some(server) => server.hint,
            None => self.ghosts.get(at.hash)?.hint,
        }
    }

    pub(crate) fn set_hint(&mut self, at: At<'_>, group: u16) {
        let resident = self.again.peek_mut(at).or_else(|| self.once.peek_mut(at));
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

    /// Removes the session `id` of a server, and says what it was if it was there.
    pub(crate) fn remove(
        &mut self,
        at: At<'_>,
        id: EntryId,
        dropped: &mut Vec<Dropped<S>>,
    ) -> Option<Usage> {
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
            .is_some()
    }

    fn remove_with(
        &mut self,
        at: At<'_>,
        remove: impl FnMut(&mut Server<S>) -> Option<Dropped<S>>,
        dropped: &mut Vec<Dropped<S>>,
    ) -> Option<Usage> {
        let removed = self.with_server(at, remove).flatten()?;
        self.stats.removed += 1;
        let usage = match removed {
            Dropped::Shared(_) => Usage::Reusable,
            Dropped::Session(_) | Dropped::Server(_) => Usage::SingleUse,
        };
        dropped.push(removed);
        Some(usage)
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
            if let Some((_, server)) = self.segment(which).remove(at) {
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
            let mut emptied = Vec::new();
            self.segment(which).visit_all(|place, server| {
                expired += server.prune(now, dropped);
                next_expiry = next_expiry.min(server.first_expiry());
                if server.is_empty() {
                    emptied.push(place.clone());
                }
            });
            for place in emptied {
                self.leave_a_ghost(place.at(), which);
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
        let servers = (self.once.len() + self.again.len()) as u64;
        let (sessions, bytes) = (
            self.sessions() as u64,
            (self.once.bytes() + self.again.bytes()) as u64,
        );
        Stats {
            servers,
            sessions,
            bytes,
            ..self.stats
        }
    }

    fn sessions(&self) -> usize {
        let all = self.once.oldest_first().chain(self.again.oldest_first());
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
        if let Some((place, server)) = self.again.remove(at) {
            return (Which::Again, place, server);
        }
        if let Some((place, mut server)) = self.once.remove(at) {
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
        let place = Place::new(at);
        (which, place, Server::new(ghost.hint))
    }

    /// Calls `visit` with a server, counts it as used, and lets it go if that emptied it.
    fn with_server<T>(
        &mut self,
        at: At<'_>,
        mut visit: impl FnMut(&mut Server<S>) -> T,
    ) -> Option<T> {
        for which in [Which::Again, Which::Once] {
            let visited = self.segment(which).visit(at, &mut visit);
            if let Some((result, empty)) = visited {
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
        if let Some((_, server)) = self.segment(which).remove(at) {
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

    fn count(&mut self, losses: Losses) {
        self.stats.expired += losses.expired;
        self.stats.evicted += losses.evicted;
        self.stats.replaced += losses.replaced;
    }
}
