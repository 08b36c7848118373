//! A shard: some of a store's servers, in the order of their use.

mod clearing;
#[cfg(any(test, feature = "__fuzzing"))]
pub(crate) mod comparison;
mod evict;
#[cfg(any(test, feature = "__fuzzing"))]
mod model;
#[cfg(test)]
mod model_tests;
mod order;
mod packing;
mod sweep;
mod tier;
#[cfg(any(test, feature = "__fuzzing"))]
mod tracked;

use std::collections::VecDeque;

use self::order::{Order, Segment, fixed_bytes};
use crate::ghosts::{Ghost, Ghosts};
use crate::held::{Found, Held, Losses};
use crate::server::{Bounds, Dropped, Need, Server, slot_bytes};
use crate::{
    Entry, EntryId, Generation, Limits, Refused, SessionKey, Stats, Storable, Timestamp, Usage,
};

pub(crate) use self::order::{HashedKey, Index};
pub(crate) use self::packing::{Form, ToPack};
pub(crate) use self::sweep::CONNECTIONS_A_SWEEP;

/// How many servers without a session keep their allocation for the next session. A server that
/// sends one ticket per connection has no session while a connection uses its last one.
const MAX_EMPTIED: usize = 8;

/// Some of a store's servers, without lock or clock.
///
/// A segmented LRU: a server enters [`Segment::Probation`], and moves to [`Segment::Protected`]
/// when a session is stored for it after one was looked up. A scan of servers that are connected to
/// once passes through probation and does not touch the protected servers. [`Segment::Emptied`] has
/// the few servers whose last session was taken just now: they do not count as servers, and are
/// evicted first.
pub(crate) struct Shard<S> {
    // The limits of this shard; `total_bytes` is without the ghosts.
    limits: Limits,
    // Whether servers keep only the sessions that they need when bytes are short. Off with a tier:
    // the tier takes the surplus, and restores sessions one after the other.
    trims: bool,
    order: Order<S>,
    ghosts: Ghosts,
    // The size of the table of ghosts, which is allocated when it is first needed.
    ghost_bytes: usize,
    // invariant: no session in the shard expires before this
    next_expiry: Timestamp,
    swept: Timestamp,
    connections: u32,
    last_id: u64,
    // The newest sessions, oldest first; empty for a type without a packed form.
    unpacked: VecDeque<(Index, EntryId)>,
    // Puts of connections that began before this generation are refused.
    cleared: Generation,
    // The same for single servers, by hash; oldest first, MAX_CLEARED_SERVERS at most.
    cleared_servers: Vec<(u64, Generation)>,
    pub(crate) stats: Stats,
}

/// The kinds of sessions that a look-up may return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Any,
    SingleUse,
    /// A single-use one, for a caller that looks up a reusable one next: finding none is not yet a
    /// miss.
    SingleUseFirst,
    Reusable,
}

impl<S: Storable> Shard<S> {
    /// Creates an empty shard, and allocates nothing. `limits` are the share of this shard; with
    /// `trims`, servers keep only the sessions that they need when bytes are short.
    pub(crate) fn new(limits: &Limits, trims: bool) -> Self {
        let ghost_bytes = Ghosts::bytes_for(limits.servers, limits.total_bytes);
        let limits = Limits {
            // An index has 32 bits.
            servers: limits.servers.min(1 << 30),
            total_bytes: limits.total_bytes.saturating_sub(ghost_bytes),
            ..limits.clone()
        };
        Self {
            limits,
            trims,
            order: Order::new(),
            ghosts: Ghosts::default(),
            ghost_bytes,
            next_expiry: Timestamp::NEVER,
            swept: Timestamp::EPOCH,
            connections: 0,
            last_id: 0,
            unpacked: VecDeque::new(),
            cleared: Generation(0),
            cleared_servers: Vec::new(),
            stats: Stats::default(),
        }
    }

    pub(crate) fn put(
        &mut self,
        hashed: HashedKey<'_>,
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
        let fixed = fixed_bytes::<S>(hashed.key);
        let shared = session.shared_part().map_or(0, |shared| shared.bytes);
        let bytes = weight.saturating_add(shared);
        let refused = if self.is_cleared(hashed.hash, begun) {
            Some((Refused::Cleared, &mut self.stats.refused_cleared))
        } else if self
            .max_session_bytes(fixed, usage)
            .is_none_or(|most| bytes > most)
        {
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
        let facts = Held {
            id,
            session: (),
            established,
            received: now,
            expires,
            weight,
        };
        self.stats.stored += 1;
        self.next_expiry = self.next_expiry.min(expires);

        let mut bounds = self.bounds(fixed);
        let (index, segment) = self.find_or_insert(hashed);
        let total = self.limits.total_bytes;
        let (bytes_before, trims) = (self.order.bytes(), self.trims);
        let losses = self.order.change(index, |server| {
            server.need.count_put();
            if trims && bytes_before + weight > total {
                // Before another server is evicted, this one drops sessions that it does not need.
                bounds.sessions = bounds.sessions.min(server.need.sessions());
            }
            server.put(session, &facts, usage, bounds, now, dropped)
        });
        self.count(losses.unwrap_or_default());
        let first = self.order.first_expiry(index).min(expires);
        self.order.set_first_expiry(index, first);
        self.make_room_for(index, now, dropped);
        if segment == Segment::Protected {
            self.bound_protected();
        }
        self.add_unpacked(index, id);
        Ok(id)
    }

    /// The most bytes of one session; `None` if not even its slot fits.
    fn max_session_bytes(&self, fixed: usize, usage: Usage) -> Option<usize> {
        let taken = fixed + slot_bytes::<S>(usage);
        let room = self.limits.total_bytes.checked_sub(taken)?;
        let most = self.limits.session_bytes.min(self.limits.server_bytes);
        Some(most.min(room))
    }

    fn bounds(&self, fixed: usize) -> Bounds {
        Bounds {
            sessions: self.limits.sessions_per_server,
            bytes: self.limits.server_bytes,
            footprint: self.limits.total_bytes.saturating_sub(fixed),
        }
    }

    /// Finds a session for a connection: the newest single-use one, else the reusable one, as the
    /// client of `rustls` does.
    pub(crate) fn offer(
        &mut self,
        hashed: HashedKey<'_>,
        want: Want,
        now: Timestamp,
        accept: &mut dyn FnMut(&S) -> bool,
        dropped: &mut Vec<Dropped<S>>,
    ) -> Option<Found<S>> {
        let mut losses = Losses::default();
        let found = self.visit(hashed, WhenEmpty::Keep, |server| {
            server.visited = true;
            let single_use = (want != Want::Reusable)
                .then(|| server.take(now, accept, dropped, &mut losses))
                .flatten();
            if let Some(held) = single_use {
                return Some(Found::SingleUse(held));
            }
            let reusable = matches!(want, Want::Any | Want::Reusable)
                .then(|| server.share(now, accept, dropped, &mut losses))
                .flatten();
            reusable.map(Found::Reusable)
        });
        let found = found.flatten();
        self.count(losses);
        match &found {
            Some(Found::SingleUse(_)) => self.stats.taken += 1,
            Some(Found::Reusable(_)) => self.stats.copied += 1,
            None => self.stats.missed += u64::from(want != Want::SingleUseFirst),
        }
        self.stats.offered += u64::from(found.is_some());
        found
    }

    fn peek(&self, hashed: HashedKey<'_>) -> Option<&Server<S>> {
        let node = self.order.get(self.order.find(hashed)?)?;
        Some(&node.server)
    }

    /// The number of sessions of a server.
    pub(crate) fn session_count(&self, hashed: HashedKey<'_>) -> usize {
        self.peek(hashed).map_or(0, Server::len)
    }

    /// The key-exchange group that the server chose last.
    pub(crate) fn hint(&self, hashed: HashedKey<'_>) -> Option<u16> {
        match self.peek(hashed) {
            Some(server) => server.hint,
            None => self.ghosts.get(hashed.hash)?.hint,
        }
    }

    pub(crate) fn set_hint(&mut self, hashed: HashedKey<'_>, group: u16) {
        let resident = self.order.find(hashed);
        if let Some(node) = resident.and_then(|index| self.order.get_mut(index)) {
            node.server.hint = Some(group);
        } else {
            self.ghosts.allocate(self.ghost_bytes);
            let known = self.ghosts.get(hashed.hash).unwrap_or_default();
            self.ghosts.insert(
                hashed.hash,
                Ghost {
                    hint: Some(group),
                    ..known
                },
            );
        }
    }

    /// Removes the session `id` of a server and returns its usage.
    pub(crate) fn remove(
        &mut self,
        hashed: HashedKey<'_>,
        id: EntryId,
        dropped: &mut Vec<Dropped<S>>,
    ) -> Option<Usage> {
        let removed = self.visit(hashed, WhenEmpty::Remove, |server| {
            server.remove(id, dropped)
        });
        let removed = removed.flatten();
        self.stats.removed += u64::from(removed.is_some());
        removed
    }

    /// Removes the session `id` of a server and all older ones.
    pub(crate) fn remove_up_to(
        &mut self,
        hashed: HashedKey<'_>,
        id: EntryId,
        dropped: &mut Vec<Dropped<S>>,
    ) {
        let remove = |server: &mut Server<S>| server.remove_up_to(id, dropped);
        let removed = self.visit(hashed, WhenEmpty::Remove, remove);
        self.stats.removed += removed.unwrap_or(0);
    }

    /// Removes the reusable session of a server; `false` if there is none.
    pub(crate) fn remove_reusable(
        &mut self,
        hashed: HashedKey<'_>,
        dropped: &mut Vec<Dropped<S>>,
    ) -> bool {
        let remove = |server: &mut Server<S>| server.drop_reusable(dropped);
        let removed = self.visit(hashed, WhenEmpty::Remove, remove) == Some(true);
        self.stats.removed += u64::from(removed);
        removed
    }

    /// The servers that have a session, in any order.
    pub(crate) fn servers(&self) -> Vec<SessionKey> {
        let holding = self.order.all().filter(|node| !node.server.is_empty());
        holding.map(|node| node.key().clone()).collect()
    }

    /// The counters and the current contents.
    pub(crate) fn stats(&self) -> Stats {
        Stats {
            servers: (self.order.len(Segment::Probation) + self.order.len(Segment::Protected))
                as u64,
            sessions: self.sessions() as u64,
            bytes: (self.order.bytes() + self.ghosts.bytes()) as u64,
            ..self.stats
        }
    }

    fn sessions(&self) -> usize {
        self.order.all().map(|node| node.server.len()).sum()
    }

    /// Makes the server of a put the most recently used of its segment. Creates it from its ghost
    /// if it is not there.
    fn find_or_insert(&mut self, hashed: HashedKey<'_>) -> (Index, Segment) {
        let found = self.order.find(hashed);
        if let Some((index, node)) =
            found.and_then(|index| Some((index, self.order.get_mut(index)?)))
        {
            let seen_again = std::mem::take(&mut node.server.visited);
            let segment = segment_for(seen_again || node.segment() == Segment::Protected);
            self.order.move_to(index, segment);
            return (index, segment);
        }
        self.ghosts.allocate(self.ghost_bytes);
        let ghost = self.ghosts.take(hashed.hash).unwrap_or_default();
        let index = self.order.insert(
            hashed,
            Server::new(ghost.hint, Need::from_remembered(ghost.need)),
        );
        let segment = segment_for(ghost.seen_again);
        self.order.link(index, segment);
        (index, segment)
    }

    /// Calls `visit` with a server that has a session, and makes it the most recently used.
    /// `when_empty` applies if `visit` leaves it without a session.
    fn visit<T>(
        &mut self,
        hashed: HashedKey<'_>,
        when_empty: WhenEmpty,
        visit: impl FnOnce(&mut Server<S>) -> T,
    ) -> Option<T> {
        let index = self.order.find(hashed)?;
        let node = self.order.get_mut(index)?;
        if when_empty == WhenEmpty::Keep {
            node.server.need.count_lookup();
        }
        if node.segment() == Segment::Emptied {
            return None;
        }
        let visit = |server: &mut Server<S>| (visit(server), server.is_empty());
        let (result, empty) = self.order.change(index, visit)?;
        if empty {
            self.handle_emptied(index, when_empty);
        } else {
            self.order.touch(index);
        }
        Some(result)
    }

    /// Keeps or removes a server that has no session any more.
    fn handle_emptied(&mut self, index: Index, when_empty: WhenEmpty) {
        let Some(segment) = self.order.unlink(index) else {
            return;
        };
        if let Some(node) = self.order.get_mut(index) {
            node.server.visited |= segment == Segment::Protected;
        }
        match when_empty {
            WhenEmpty::Keep => {
                self.order.set_first_expiry(index, Timestamp::NEVER);
                self.order.link(index, Segment::Emptied);
                if self.order.len(Segment::Emptied) > MAX_EMPTIED {
                    self.remove_oldest_emptied();
                }
            }
            WhenEmpty::Remove => self.replace_by_ghost(index),
        }
    }

    /// Removes a server that is in no list and has no session, and stores its ghost.
    fn replace_by_ghost(&mut self, index: Index) {
        let hash = self.order.hash(index);
        if let Some(node) = self.order.remove(index) {
            let ghost = Ghost {
                hint: node.server.hint,
                seen_again: node.server.visited,
                need: node.server.need.remembered(),
            };
            self.ghosts.insert(hash, ghost);
        }
    }

    /// Removes the server that has been in [`Segment::Emptied`] longest; `false` if there is none.
    fn remove_oldest_emptied(&mut self) -> bool {
        let Some(index) = self.order.oldest(Segment::Emptied) else {
            return false;
        };
        self.order.unlink(index);
        self.replace_by_ghost(index);
        true
    }

    fn count(&mut self, losses: Losses) {
        self.stats.expired += losses.expired;
        self.stats.evicted += losses.evicted;
        self.stats.replaced += losses.replaced;
    }
}

/// What to do with a server whose last session was removed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WhenEmpty {
    /// Keep it for the next session: a connection took the last one, and will store another.
    Keep,
    Remove,
}

fn segment_for(seen_again: bool) -> Segment {
    if seen_again {
        Segment::Protected
    } else {
        Segment::Probation
    }
}
