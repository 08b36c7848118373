//! A shard: some of a store's servers.

mod application_data;
mod clear;
#[cfg(any(test, feature = "__fuzzing"))]
pub(crate) mod comparison;
mod evict;
mod history;
#[cfg(any(test, feature = "__fuzzing"))]
mod model;
#[cfg(test)]
mod model_tests;
mod pack;
mod slab;
mod sweep;
#[cfg(any(test, feature = "__fuzzing"))]
mod tracked;

use std::num::NonZeroU64;

use self::slab::{Node, Ring, Slab, fixed_bytes};
use crate::dropped::Dropped;
use crate::held::Held;
use crate::limits::Lifetimes;
use crate::server::{Bounds, Server};
use crate::{
    Begun, Entry, EntryId, Limits, LookUp, Offer, Outcome, Refused, SessionKey, Start, Stats,
    Storable, Timestamp, Usage, Want,
};

pub(crate) use self::clear::{Cleared, Part};
pub(crate) use self::pack::ToPack;
pub(crate) use self::slab::{HashedKey, Index};

/// Some of a store's servers, without lock or clock.
///
/// Eviction is by two rings. A server enters [`Ring::Probation`]. When the hand of eviction comes to
/// it, it moves to [`Ring::Protected`] if it was looked up meanwhile, else it is evicted. So a scan
/// of servers that are connected to once passes through probation and does not touch the protected
/// servers. An operation on a server that is there moves it in no ring: it sets a bit. With several
/// security domains, the hand passes over those that have no more than an equal share.
///
/// A connection remembers the [`Index`] of its server, and finds it there at its end.
pub(crate) struct Shard<S> {
    limits: Limits,
    // Whether servers keep only the sessions that they need when bytes are short. Off with a tier:
    // the tier takes the surplus, and restores sessions one after the other.
    trims: bool,
    lifetimes: Lifetimes,
    slab: Slab<S>,
    // The slots that the hands pass next.
    sweep_hand: u32,
    pack_hand: u32,
    last_id: u64,
    cleared: Cleared,
    // invariant: false, but in `begin` and `put`, and after one of them panicked
    is_changing: bool,
    pub(crate) stats: Stats,
}

impl<S: Storable> Shard<S> {
    /// Creates an empty shard. `limits` are the share of this shard; with `trims`, servers keep only
    /// the sessions that they need when bytes are short. `cleared` is what was cleared before.
    pub(crate) fn new(limits: &Limits, trims: bool, cleared: Cleared) -> Self {
        Self {
            limits: Limits {
                // An index has 32 bits.
                servers: limits.servers.min(1 << 30),
                ..limits.clone()
            },
            trims,
            lifetimes: Lifetimes::new(limits),
            slab: Slab::new(),
            sweep_hand: 0,
            pack_hand: 0,
            last_id: 0,
            cleared,
            is_changing: false,
            stats: Stats::default(),
        }
    }

    /// Whether an `accept` panicked, so that no invariant holds.
    #[inline]
    pub(crate) fn is_half_changed(&self) -> bool {
        self.is_changing
    }

    /// Looks up a session for a connection. `start` is what a connection begins with if there is none;
    /// it is updated, since it is large.
    #[inline]
    pub(crate) fn begin(
        &mut self,
        hashed: &HashedKey<'_>,
        look_up: LookUp,
        now: Timestamp,
        accept: &mut impl FnMut(&S) -> bool,
        dropped: &mut Dropped<S>,
        start: &mut Start<S>,
    ) {
        let index = self.slab.find(hashed).unwrap_or(Index::NONE);
        start.begun.index = index;
        if let Some((node, rings)) = self.slab.get_counted(index) {
            start.hint = node.hint;
            node.need.count_lookup();
            let holds = !node.server.is_empty();
            let observes = !look_up.reports || !node.history.is_plain();
            if holds {
                (node.visited, node.used) = (true, true);
            }
            if observes {
                let may_offer = node.history.may_offer(look_up, now);
                start.begun.is_doubtful = node.history.is_doubtful();
                if !may_offer {
                    return self.avoid(index, look_up, start);
                }
            }
            if holds {
                let before = node.server.size();
                let (stats, offer) = (&mut self.stats, &mut start.offer);
                self.is_changing = true;
                node.server
                    .offer(look_up, now, accept, stats, dropped, offer);
                self.is_changing = false;
                if observes && start.offer.is_some() {
                    node.history.offered(look_up, now);
                }
                rings.count_change(node, before);
            }
        }
        if let Some(offer) = &start.offer {
            self.stats.offered += 1;
            if offer.entry.address != look_up.address && look_up.address.is_some() {
                start.begun.other_address = offer.entry.address;
            }
            if offer.entry.usage == Usage::Reusable {
                start.begun.reusable = NonZeroU64::new(offer.id.0);
            }
        } else if look_up.want != Want::SingleUseFirst {
            self.stats.missed += 1;
        }
        if !look_up.reports && index == Index::NONE {
            self.remember_begin(hashed, look_up, now);
        }
    }

    /// Stores a session. `index` is that of its server, if it is known; it is updated.
    #[inline]
    pub(crate) fn put(
        &mut self,
        hashed: &HashedKey<'_>,
        index: &mut Index,
        entry: Entry<S>,
        begun: &Begun,
        now: Timestamp,
        dropped: &mut Dropped<S>,
    ) -> Result<EntryId, Refused> {
        let (usage, weight) = (entry.usage, entry.weight);
        let established = entry.established.min(now);
        let latest = self.lifetimes.latest_expiry(usage, established, now);
        let expires = entry.expires.min(latest);
        let shared = entry.session.shared_part().map_or(0, |part| part.bytes);
        let bytes = weight.saturating_add(shared);
        let fixed = fixed_bytes::<S>(&hashed.key);
        if self.cleared.covers(hashed, begun.generation)
            || self.is_too_large(bytes, fixed)
            || entry.ticket_bytes > self.limits.ticket_bytes
            || expires <= now
        {
            let is_cleared = self.cleared.covers(hashed, begun.generation);
            return Err(self.refuse(entry, is_cleared, self.is_too_large(bytes, fixed), dropped));
        }

        self.last_id += 1;
        let id = EntryId(self.last_id);
        self.stats.stored += 1;
        self.is_changing = true;
        if !self.slab.is_at(*index, hashed) {
            *index = self.slab.find_or_insert(hashed);
        }
        let mut bounds = self.bounds(fixed);
        let short = self.trims && self.slab.bytes() + weight > self.limits.total_bytes;
        let Some((node, rings)) = self.slab.get_counted(*index) else {
            return Ok(id); // never: it is there
        };
        let (ring, before) = (node.ring(), node.server.size());
        node.need.count_put();
        if usage == Usage::Reusable {
            node.history.stored_reusable();
        }
        if short {
            // Before another server is evicted, this one drops sessions that it does not need.
            bounds.sessions = bounds.sessions.min(node.need.sessions());
        }
        let stats = &mut self.stats;
        let addresses = (entry.address, begun.other_address);
        let slot = node
            .server
            .slot_for(usage, addresses, &bounds, now, stats, dropped);
        *slot = Some(Held {
            session: Some(entry.session),
            id,
            established,
            received: now,
            expires,
            weight,
            usage,
            packed: false,
            address: entry.address,
        });
        node.server.count_put(bytes, &bounds, now, stats, dropped);
        rings.count_change(node, before);
        if ring == Ring::Empty {
            self.slab.move_to(*index, Ring::Probation);
        }
        if !self.fits() {
            self.make_room(*index, now, dropped);
        }
        self.is_changing = false;
        Ok(id)
    }

    /// The session of the last put came from a tier: counted as returned, not as stored.
    pub(crate) fn count_as_returned(&mut self) {
        self.stats.stored -= 1;
        self.stats.returned += 1;
    }

    /// Whether a session of `bytes` exceeds a limit. Its server costs `fixed` bytes more.
    #[inline]
    fn is_too_large(&self, bytes: usize, fixed: usize) -> bool {
        bytes > self.limits.session_bytes
            || bytes > self.limits.server_bytes
            || bytes.saturating_add(fixed) > self.limits.total_bytes
    }

    /// Counts a session that is not stored: it has expired, unless there is another reason.
    #[cold]
    fn refuse(
        &mut self,
        entry: Entry<S>,
        cleared: bool,
        too_large: bool,
        dropped: &mut Dropped<S>,
    ) -> Refused {
        dropped.push(entry.session);
        let large_ticket = entry.ticket_bytes > self.limits.ticket_bytes;
        let stats = &mut self.stats;
        let (why, counter) = if cleared {
            (Refused::Cleared, &mut stats.refused_cleared)
        } else if too_large {
            (Refused::TooLarge, &mut stats.refused_too_large)
        } else if large_ticket {
            (Refused::TicketTooLarge, &mut stats.refused_ticket_too_large)
        } else {
            (Refused::Expired, &mut stats.refused_expired)
        };
        *counter += 1;
        why
    }

    fn bounds(&self, fixed: usize) -> Bounds {
        Bounds {
            sessions: self.limits.sessions_per_server,
            bytes: self.limits.server_bytes,
            footprint: self.limits.total_bytes.saturating_sub(fixed),
        }
    }

    /// Counts the outcome of a handshake, if a session was offered.
    #[inline]
    pub(crate) fn count(&mut self, outcome: Outcome) {
        if outcome == Outcome::Resumed {
            self.stats.resumed += 1;
        } else {
            self.count_other(outcome);
        }
    }

    #[cold]
    fn count_other(&mut self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Declined => &mut self.stats.declined,
            Outcome::Failed | Outcome::Rejected | Outcome::Broken => &mut self.stats.failed,
            Outcome::Cancelled | Outcome::Distrusted => &mut self.stats.cancelled,
            Outcome::Resumed
            | Outcome::RejectedLate
            | Outcome::Full
            | Outcome::FullFailed
            | Outcome::Succeeded => return,
        };
        *counter += 1;
    }

    fn peek(&self, hashed: &HashedKey<'_>) -> Option<&Node<S>> {
        self.slab.get(self.slab.find(hashed)?)
    }

    /// The key-exchange group that the server chose last.
    pub(crate) fn hint(&self, hashed: &HashedKey<'_>) -> Option<u16> {
        self.peek(hashed)?.hint
    }

    /// Stores the group that the server chose. A server without a session is remembered for it only
    /// while there is room.
    #[inline]
    pub(crate) fn set_hint(&mut self, hashed: &HashedKey<'_>, index: &mut Index, group: u16) {
        let found = self.slab.find_at(*index, hashed);
        let Some(found) = found.or_else(|| self.insert_empty(hashed)) else {
            return;
        };
        *index = found;
        if let Some(node) = self.slab.get_mut(found) {
            node.hint = Some(group);
        }
    }

    /// The number of sessions of a server.
    pub(crate) fn session_count(&self, hashed: &HashedKey<'_>) -> usize {
        self.peek(hashed).map_or(0, |node| node.server.len())
    }

    /// The number of valid single-use sessions of a server, and whether it has a valid reusable
    /// one.
    pub(crate) fn available(&self, hashed: &HashedKey<'_>, now: Timestamp) -> (usize, bool) {
        self.peek(hashed)
            .map_or((0, false), |node| node.server.available(now))
    }

    /// Removes the session `id` of a server and returns its usage.
    pub(crate) fn remove(
        &mut self,
        hashed: &HashedKey<'_>,
        id: EntryId,
        dropped: &mut Dropped<S>,
    ) -> Option<Usage> {
        let removed = self
            .change(hashed, |server, _| server.remove(id, dropped))
            .flatten();
        self.stats.removed += u64::from(removed.is_some());
        removed
    }

    /// Removes the session `id` of a server and all older ones.
    pub(crate) fn remove_up_to(
        &mut self,
        hashed: &HashedKey<'_>,
        id: EntryId,
        dropped: &mut Dropped<S>,
    ) {
        let removed = self.change(hashed, |server, _| server.remove_up_to(id, dropped));
        self.stats.removed += removed.unwrap_or(0);
    }

    /// Removes the reusable sessions of a server; `false` if there is none.
    pub(crate) fn remove_reusable(
        &mut self,
        hashed: &HashedKey<'_>,
        dropped: &mut Dropped<S>,
    ) -> bool {
        let removed = self.change(hashed, |server, _| server.drop_reusable(dropped));
        self.stats.removed += removed.unwrap_or(0);
        removed.is_some_and(|removed| removed > 0)
    }

    /// Removes and returns the oldest single-use sessions of a server, all but the newest `keep`.
    pub(crate) fn surplus(
        &mut self,
        hashed: &HashedKey<'_>,
        keep: usize,
        now: Timestamp,
        dropped: &mut Dropped<S>,
    ) -> Vec<Offer<S>> {
        let surplus = self.change(hashed, |server, stats| {
            server.surplus(keep, now, stats, dropped)
        });
        let surplus = surplus.unwrap_or_default();
        self.stats.left += surplus.len() as u64;
        surplus
    }

    /// A copy of the reusable session of a server; not counted as offered.
    pub(crate) fn reusable_copy(&self, hashed: &HashedKey<'_>, now: Timestamp) -> Option<Offer<S>> {
        self.peek(hashed)?.server.reusable_copy(now)
    }

    /// Changes the sessions of a server. One that loses its last one moves to [`Ring::Empty`].
    fn change<T>(
        &mut self,
        hashed: &HashedKey<'_>,
        change: impl FnOnce(&mut Server<S>, &mut Stats) -> T,
    ) -> Option<T> {
        let index = self.slab.find(hashed)?;
        self.change_at(index, change)
    }

    fn change_at<T>(
        &mut self,
        index: Index,
        change: impl FnOnce(&mut Server<S>, &mut Stats) -> T,
    ) -> Option<T> {
        let stats = &mut self.stats;
        let changed = self.slab.change(index, |node| {
            let held = !node.server.is_empty();
            let result = change(&mut node.server, stats);
            (result, held && node.server.is_empty())
        });
        let (result, emptied) = changed?;
        if emptied {
            self.slab.move_to(index, Ring::Empty);
        }
        Some(result)
    }

    /// The servers that have a session, in any order.
    pub(crate) fn servers(&self) -> Vec<SessionKey> {
        let holding = self.slab.all().filter(|node| !node.server.is_empty());
        holding.map(|node| node.key().clone()).collect()
    }

    /// The counters and the current contents.
    pub(crate) fn stats(&self) -> Stats {
        let holding = self.slab.all().filter(|node| !node.server.is_empty());
        Stats {
            servers: holding.count() as u64,
            sessions: self.slab.all().map(|node| node.server.len() as u64).sum(),
            bytes: self.slab.bytes() as u64,
            ..self.stats
        }
    }
}
