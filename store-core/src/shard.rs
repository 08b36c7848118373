//! One part of a store: servers in the order of their use, and who has to go.

#[cfg(any(test, feature = "__fuzzing"))]
pub(crate) mod agreement;
mod clearing;
mod evict;
#[cfg(any(test, feature = "__fuzzing"))]
mod model;
#[cfg(test)]
mod model_tests;
mod order;
mod packing;
mod sweep;
mod transfer;

use std::collections::VecDeque;

use self::order::{Order, Which, fixed_bytes};
use crate::ghosts::{Ghost, Ghosts};
use crate::held::{Dropped, Found, Held, Losses};
use crate::server::{self, Bounds, Need, Server};
use crate::{
    Entry, EntryId, Generation, Limits, Refused, SessionKey, Stats, Storable, Timestamp, Usage,
};

pub(crate) use self::order::{At, Index};
pub(crate) use self::packing::{Form, ToPack};
pub(crate) use self::sweep::NEIGHBOUR;

/// How many servers whose last session was taken keep their place for the next one. A server that
/// gives one ticket a connection is one of them most of the time.
const EMPTIED: usize = 8;

/// One part of a store, without lock or clock.
///
/// Two lists in least-recently-used order: a server enters `Once`, and moves to `Again` when it is
/// put to after a connection was offered one of its sessions. A scan of servers that are never
/// seen again passes through `Once` and leaves `Again` alone. A third one, `Emptied`, has the few
/// servers whose last session was taken just now: they hold nothing, count as no server, and go
/// before anybody else.
pub(crate) struct Shard<S> {
    // Those of this shard; of the bytes, those that servers may cost.
    limits: Limits,
    // Not where something lies behind the store, which would take what is too much, and whose
    // sessions come back one after the other.
    sheds: bool,
    order: Order<S>,
    ghosts: Ghosts,
    // What they will take; `limits` are without it.
    ghost_bytes: usize,
    // invariant: no session in the shard expires before this
    next_expiry: Timestamp,
    swept: Timestamp,
    begun: u32,
    last_id: u64,
    // The sessions put last, oldest first; empty for a type without a smaller form.
    unpacked: VecDeque<(Index, EntryId)>,
    // Puts of connections begun before this are refused, whatever their server.
    cleared: Generation,
    // The same for single servers, by hash; oldest first, at most CLEARED_SERVERS.
    cleared_servers: Vec<(u64, Generation)>,
    pub(crate) stats: Stats,
}

/// Which sessions a connection can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Any,
    SingleUse,
    /// The same, for a connection that asks for a reusable one next: only then has it missed.
    SingleUseFirst,
    Reusable,
}

impl<S: Storable> Shard<S> {
    /// An empty shard; `limits` are its own, already divided. Allocates nothing. When bytes are
    /// short and it `sheds`, a server goes without sessions that it does not need.
    pub(crate) fn new(limits: &Limits, sheds: bool) -> Self {
        let ghost_bytes = Ghosts::bytes_for(limits.servers, limits.total_bytes);
        let limits = Limits {
            // So many that an index always suffices.
            servers: limits.servers.min(1 << 30),
            total_bytes: limits.total_bytes.saturating_sub(ghost_bytes),
            ..limits.clone()
        };
        Self {
            limits,
            sheds,
            order: Order::new(),
            ghosts: Ghosts::default(),
            ghost_bytes,
            next_expiry: Timestamp::NEVER,
            swept: Timestamp::EPOCH,
            begun: 0,
            last_id: 0,
            unpacked: VecDeque::new(),
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
        let fixed = fixed_bytes::<S>(at.key);
        let shared = session.shared_part().map_or(0, |shared| shared.bytes);
        let bytes = weight.saturating_add(shared);
        let refused = if self.is_cleared(at.hash, begun) {
            Some((Refused::Cleared, &mut self.stats.refused_cleared))
        } else if self
            .most_for_one(fixed, usage)
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
        let (index, which) = self.place(at);
        let total = self.limits.total_bytes;
        let (held_now, sheds) = (self.order.bytes(), self.sheds);
        let losses = self.order.change(index, |server| {
            server.need.given();
            if sheds && held_now + weight > total {
                // Before any server has to go, this one goes without what it does not need.
                bounds.sessions = bounds.sessions.min(server.need.sessions());
            }
            server.put(session, &facts, usage, bounds, now, dropped)
        });
        self.count(losses.unwrap_or_default());
        let first = self.order.first_expiry(index).min(expires);
        self.order.set_first_expiry(index, first);
        self.make_room_beside(index, now, dropped);
        if which == Which::Again {
            self.keep_share();
        }
        self.note_unpacked(index, id);
        Ok(id)
    }

    /// Bytes that one session may have; nothing if not even its place fits.
    fn most_for_one(&self, fixed: usize, usage: Usage) -> Option<usize> {
        let taken = fixed + server::place::<S>(usage);
        let room = self.limits.total_bytes.checked_sub(taken)?;
        let most = self.limits.session_bytes.min(self.limits.server_bytes);
        Some(most.min(room))
    }

    fn bounds(&self, fixed: usize) -> Bounds {
        Bounds {
            sessions: self.limits.sessions_per_server,
            bytes: self.limits.server_bytes,
            room: self.limits.total_bytes.saturating_sub(fixed),
        }
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
        let found = self.visit(at, After::Waits, |server| {
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

    fn peek(&self, at: At<'_>) -> Option<&Server<S>> {
        let node = self.order.get(self.order.find(at)?)?;
        Some(&node.server)
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
        let resident = self.order.find(at);
        if let Some(node) = resident.and_then(|index| self.order.get_mut(index)) {
            node.server.hint = Some(group);
        } else {
            self.ghosts.prepare(self.ghost_bytes);
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
        let removed = self.visit(at, After::Leaves, |server| server.remove(id, dropped));
        let removed = removed.flatten();
        self.stats.removed += u64::from(removed.is_some());
        removed
    }

    /// Removes the session `id` of a server and all that came before it.
    pub(crate) fn remove_up_to(&mut self, at: At<'_>, id: EntryId, dropped: &mut Vec<Dropped<S>>) {
        let remove = |server: &mut Server<S>| server.remove_up_to(id, dropped);
        let removed = self.visit(at, After::Leaves, remove);
        self.stats.removed += removed.unwrap_or(0);
    }

    /// Removes the reusable session of a server, and says whether there was one.
    pub(crate) fn remove_reusable(&mut self, at: At<'_>, dropped: &mut Vec<Dropped<S>>) -> bool {
        let remove = |server: &mut Server<S>| server.drop_reusable(dropped);
        let removed = self.visit(at, After::Leaves, remove) == Some(true);
        self.stats.removed += u64::from(removed);
        removed
    }

    /// The servers that have a session, in no order.
    pub(crate) fn servers(&self) -> Vec<SessionKey> {
        let holding = self.order.all().filter(|node| !node.server.is_empty());
        holding.map(|node| node.key().clone()).collect()
    }

    /// The counters and what is held now.
    pub(crate) fn stats(&self) -> Stats {
        Stats {
            servers: (self.order.len(Which::Once) + self.order.len(Which::Again)) as u64,
            sessions: self.sessions() as u64,
            bytes: (self.order.bytes() + self.ghosts.bytes()) as u64,
            ..self.stats
        }
    }

    fn sessions(&self) -> usize {
        self.order.all().map(|node| node.server.len()).sum()
    }

    /// Makes a server that is put to the most recently used of the list it belongs into, or makes
    /// one with what its ghost remembers; and says which list that is.
    fn place(&mut self, at: At<'_>) -> (Index, Which) {
        let found = self.order.find(at);
        if let Some((index, node)) =
            found.and_then(|index| Some((index, self.order.get_mut(index)?)))
        {
            let seen_again = std::mem::take(&mut node.server.visited);
            let which = segment(seen_again || node.which() == Which::Again);
            self.order.move_to(index, which);
            return (index, which);
        }
        self.ghosts.prepare(self.ghost_bytes);
        let ghost = self.ghosts.take(at.hash).unwrap_or_default();
        let index = self
            .order
            .insert(at, Server::new(ghost.hint, Need::again(ghost.need)));
        let which = segment(ghost.seen_again);
        self.order.link(index, which);
        (index, which)
    }

    /// Calls `visit` with a server that holds something and counts it as used; `after` says what
    /// becomes of it if that emptied it.
    fn visit<T>(
        &mut self,
        at: At<'_>,
        after: After,
        visit: impl FnOnce(&mut Server<S>) -> T,
    ) -> Option<T> {
        let index = self.order.find(at)?;
        let node = self.order.get_mut(index)?;
        if after == After::Waits {
            node.server.need.asked();
        }
        if node.which() == Which::Emptied {
            return None;
        }
        let visit = |server: &mut Server<S>| (visit(server), server.is_empty());
        let (result, empty) = self.order.change(index, visit)?;
        if empty {
            self.emptied(index, after);
        } else {
            self.order.touch(index);
        }
        Some(result)
    }

    /// Does what is to be done with a server that holds nothing any more.
    fn emptied(&mut self, index: Index, after: After) {
        let Some(which) = self.order.unlink(index) else {
            return;
        };
        if let Some(node) = self.order.get_mut(index) {
            node.server.visited |= which == Which::Again;
        }
        match after {
            After::Waits => {
                self.order.set_first_expiry(index, Timestamp::NEVER);
                self.order.link(index, Which::Emptied);
                if self.order.len(Which::Emptied) > EMPTIED {
                    self.let_emptied_go();
                }
            }
            After::Leaves => self.leave_a_ghost(index),
        }
    }

    /// Lets go of a server that is in no list and holds nothing, and remembers what is worth it.
    fn leave_a_ghost(&mut self, index: Index) {
        let hash = self.order.hash(index);
        if let Some(node) = self.order.remove(index) {
            let ghost = Ghost {
                hint: node.server.hint,
                seen_again: node.server.visited,
                need: node.server.need.remembered(),
            };
            self.ghosts.set(hash, ghost);
        }
    }

    /// Lets go of the one of the emptied servers that has waited longest.
    fn let_emptied_go(&mut self) -> bool {
        let Some(index) = self.order.oldest(Which::Emptied) else {
            return false;
        };
        self.order.unlink(index);
        self.leave_a_ghost(index);
        true
    }

    fn count(&mut self, losses: Losses) {
        self.stats.expired += losses.expired;
        self.stats.evicted += losses.evicted;
        self.stats.replaced += losses.replaced;
    }
}

/// What becomes of a server that holds nothing any more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    /// It waits for its next session: connections take and put in turn.
    Waits,
    /// It goes.
    Leaves,
}

/// The list that a server belongs into.
fn segment(seen_again: bool) -> Which {
    if seen_again {
        Which::Again
    } else {
        Which::Once
    }
}
