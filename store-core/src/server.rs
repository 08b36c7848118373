//! The sessions of one server.

mod addresses;
mod application_data;
mod forms;
mod history;
mod need;
mod offer;
mod reusable;

use std::collections::VecDeque;

use crate::dropped::Dropped;
use crate::held::Held;
use crate::{AddressId, EntryId, SharedPart, Stats, Storable, Timestamp, Usage};

pub(crate) use self::addresses::Addresses;
#[cfg(any(test, feature = "__fuzzing"))]
pub(crate) use self::addresses::Relation;
pub(crate) use self::history::History;
pub(crate) use self::need::Need;
#[cfg(any(test, feature = "__fuzzing"))]
pub(crate) use self::reusable::MOST_REUSABLE;

/// The sessions of one server.
///
/// A state machine: the time is an argument, and removed sessions go to the caller, which drops
/// them outside the lock.
pub(crate) struct Server<S> {
    // invariant: `None` only if there is no session
    newest: Option<Held<S>>,
    // invariant: ids ascend, up to that of the newest
    older: VecDeque<Held<S>>,
    // invariant: the number of reusable ones: at most one, but if something is known of the server's addresses,
    // one of each group, `MOST_REUSABLE` at most
    reusable: usize,
    // What is known of the server's addresses, if one has met a session of another.
    addresses: Option<Box<Addresses>>,
    // invariant: the sum of the weights, of the parts that sessions share, each once, and of the slots of
    // older sessions
    footprint: usize,
    // invariant: the number of sessions that are not packed; 0 if their type has no packed form
    unpacked: usize,
}

/// The size of one server.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// Its sessions that are not packed.
    pub(crate) unpacked: usize,
    /// Bytes of its sessions and of the slots of older ones.
    pub(crate) footprint: usize,
}

/// The bounds of one server.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// Single-use sessions; at least one.
    pub(crate) sessions: usize,
    /// Bytes of its sessions.
    pub(crate) bytes: usize,
    /// Bytes of its sessions and of the slots of older ones.
    pub(crate) footprint: usize,
}

impl<S: Storable> Server<S> {
    pub(crate) fn new() -> Self {
        Self {
            newest: None,
            older: VecDeque::new(),
            reusable: 0,
            addresses: None,
            footprint: 0,
            unpacked: 0,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.older.len() + usize::from(self.newest.is_some())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.newest.is_none()
    }

    /// Bytes of the sessions, and of the slots of all but the newest.
    #[inline]
    pub(crate) fn footprint(&self) -> usize {
        self.footprint
    }

    /// Bytes of the sessions.
    fn bytes(&self) -> usize {
        self.footprint - self.slot_bytes()
    }

    fn slot_bytes(&self) -> usize {
        self.older.capacity() * size_of::<Held<S>>()
    }

    /// Changes the number of slots of older sessions.
    fn change_slots(&mut self, change: impl FnOnce(&mut VecDeque<Held<S>>)) {
        let bytes = self.bytes();
        change(&mut self.older);
        self.footprint = bytes + self.slot_bytes();
    }

    #[inline]
    pub(crate) fn size(&self) -> Size {
        Size {
            unpacked: self.unpacked,
            footprint: self.footprint,
        }
    }

    /// Whether no session is valid at `now` or later.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.iter().all(|held| held.expires <= now)
    }

    /// Whether a session has expired at `now`, or is from the future.
    #[inline]
    pub(crate) fn has_invalid(&self, now: Timestamp) -> bool {
        self.iter().any(|held| !held.is_valid(now))
    }

    fn iter(&self) -> impl Iterator<Item = &Held<S>> {
        self.older.iter().chain(&self.newest)
    }

    #[inline]
    fn get(&self, index: usize) -> Option<&Held<S>> {
        if index == self.older.len() {
            self.newest.as_ref()
        } else {
            self.older.get(index)
        }
    }

    #[inline]
    fn get_mut(&mut self, index: usize) -> Option<&mut Held<S>> {
        if index == self.older.len() {
            self.newest.as_mut()
        } else {
            self.older.get_mut(index)
        }
    }

    #[inline]
    fn position(&self, matches: impl FnMut(&Held<S>) -> bool) -> Option<usize> {
        self.iter().position(matches)
    }

    /// Makes room for a session of this usage, which `from` gives, and drops the one that it replaces. `other`:
    /// the address whose session its connection offered, if it is not its own. Returns the slot for it, which
    /// is empty.
    #[inline]
    pub(crate) fn slot_for(
        &mut self,
        usage: Usage,
        (from, other): (Option<AddressId>, Option<AddressId>),
        bounds: &Bounds,
        now: Timestamp,
        stats: &mut Stats,
        dropped: &mut Dropped<S>,
    ) -> &mut Option<Held<S>> {
        match usage {
            Usage::SingleUse if self.single_use() >= bounds.sessions => {
                self.drop_single_use(bounds.sessions - 1, now, stats, dropped);
            }
            Usage::SingleUse => {}
            Usage::Reusable => {
                if self.reusable > 0 {
                    stats.replaced += self.drop_replaced((from, other), now, dropped);
                }
                self.reusable += 1;
            }
        }
        if self.newest.is_some() {
            self.push_newest(bounds.sessions);
        }
        &mut self.newest
    }

    /// Counts the session that was put into its [slot](Self::slot_for), which has `bytes` bytes with its
    /// shared part. Drops sessions that exceed `bounds`: expired ones first, then the oldest single-use
    /// ones, the reusable one last, never the one just added.
    #[inline]
    pub(crate) fn count_put(
        &mut self,
        bytes: usize,
        bounds: &Bounds,
        now: Timestamp,
        stats: &mut Stats,
        dropped: &mut Dropped<S>,
    ) {
        self.unpacked += usize::from(S::PACKS);
        let newest = self.newest.as_ref();
        let part = newest.and_then(|newest| newest.session.as_ref()?.shared_part());
        let counted = part.filter(|part| !self.older.is_empty() && self.older_shares(*part));
        let counted = counted.map_or(0, |part| part.bytes);
        self.footprint = self.footprint.saturating_add(bytes - counted);
        if self.footprint > bounds.bytes.min(bounds.footprint) {
            let usage = self.newest.as_ref().map(|newest| newest.usage);
            self.drop_excess(*bounds, usage, now, stats, dropped);
        }
    }

    /// Whether an older session has this shared part.
    #[cold]
    fn older_shares(&self, part: SharedPart) -> bool {
        let older = self.older.iter().filter_map(|held| held.session.as_ref());
        let mut parts = older.filter_map(S::shared_part);
        parts.any(|other| other.id == part.id)
    }

    #[inline]
    fn single_use(&self) -> usize {
        self.len() - self.reusable
    }

    /// Moves the newest session to the older ones. Doubles the number of slots when they are full, up to
    /// `most` (a reusable session may need one more).
    #[cold]
    fn push_newest(&mut self, most: usize) {
        let (len, slots) = (self.older.len(), self.older.capacity());
        if len == slots {
            let wanted = slots.saturating_mul(2).min(most).max(len + 1);
            self.change_slots(|older| older.reserve_exact(wanted - len));
        }
        self.older.extend(self.newest.take());
    }

    /// Drops expired sessions, and then the oldest single-use ones until `most` are left.
    #[cold]
    fn drop_single_use(
        &mut self,
        most: usize,
        now: Timestamp,
        stats: &mut Stats,
        dropped: &mut Dropped<S>,
    ) {
        self.prune(now, stats, dropped);
        while self.single_use() > most && self.drop_oldest(Usage::SingleUse, dropped) {
            stats.evicted += 1;
        }
    }

    /// Drops sessions that exceed `bounds`, except the newest one of the usage `spared`.
    #[cold]
    pub(crate) fn drop_excess(
        &mut self,
        bounds: Bounds,
        spared: Option<Usage>,
        now: Timestamp,
        stats: &mut Stats,
        dropped: &mut Dropped<S>,
    ) {
        let fits = |server: &mut Self| {
            if server.footprint > bounds.footprint {
                server.change_slots(VecDeque::shrink_to_fit);
            }
            server.bytes() <= bounds.bytes && server.footprint <= bounds.footprint
        };
        if fits(self) {
            return;
        }
        self.prune(now, stats, dropped);
        let keep = usize::from(spared == Some(Usage::SingleUse));
        while !fits(self) && self.single_use() > keep && self.drop_oldest(Usage::SingleUse, dropped)
        {
            stats.evicted += 1;
        }
        let keep = usize::from(spared == Some(Usage::Reusable));
        while !fits(self) && self.reusable > keep && self.drop_oldest(Usage::Reusable, dropped) {
            stats.evicted += 1;
        }
    }

    /// Whether the session `id` is there.
    pub(crate) fn holds(&self, id: EntryId) -> bool {
        self.iter().any(|held| held.id == id)
    }

    /// Removes the session `id` and returns its usage.
    pub(crate) fn remove(&mut self, id: EntryId, dropped: &mut Dropped<S>) -> Option<Usage> {
        let held = self.remove_at(self.position(|held| held.id == id)?)?;
        dropped.extend(held.session);
        Some(held.usage)
    }

    /// Removes the session `id` and all older ones, and returns their number.
    pub(crate) fn remove_up_to(&mut self, id: EntryId, dropped: &mut Dropped<S>) -> u64 {
        self.drop_where(|held| held.id <= id, dropped)
    }

    /// Drops all sessions that are not valid at `now`.
    pub(crate) fn prune(&mut self, now: Timestamp, stats: &mut Stats, dropped: &mut Dropped<S>) {
        stats.expired += self.drop_where(|held| !held.is_valid(now), dropped);
    }

    /// Whether most slots are unused, as after a burst.
    #[inline]
    pub(crate) fn is_sparse(&self) -> bool {
        self.older.capacity() / 4 > self.older.len()
    }

    /// Frees unused slots if most are.
    pub(crate) fn shrink(&mut self) {
        if self.is_sparse() {
            self.change_slots(|older| older.shrink_to(older.len() * 2));
        }
    }

    /// Drops all sessions, and returns their number. Remembers the addresses.
    pub(crate) fn clear(&mut self, dropped: &mut Dropped<S>) -> u64 {
        let removed = self.len() as u64;
        let all = self.older.drain(..).chain(self.newest.take());
        dropped.extend(all.filter_map(|held| held.session));
        let addresses = self.addresses.take();
        *self = Self {
            addresses,
            ..Self::new()
        };
        removed
    }

    #[cold]
    fn drop_oldest(&mut self, usage: Usage, dropped: &mut Dropped<S>) -> bool {
        let index = self.position(|held| held.usage == usage);
        index.is_some_and(|index| self.drop_at(index, dropped))
    }

    fn drop_where(&mut self, drop: impl Fn(&Held<S>) -> bool, dropped: &mut Dropped<S>) -> u64 {
        let mut removed = 0;
        while let Some(index) = self.position(&drop) {
            removed += u64::from(self.drop_at(index, dropped));
        }
        removed
    }

    #[inline]
    fn drop_at(&mut self, index: usize, dropped: &mut Dropped<S>) -> bool {
        let Some(held) = self.remove_at(index) else {
            return false;
        };
        dropped.extend(held.session);
        true
    }

    fn remove_at(&mut self, index: usize) -> Option<Held<S>> {
        if index >= self.older.len() {
            return self.remove_newest();
        }
        let held = self.older.remove(index)?;
        self.count_removed(&held);
        Some(held)
    }

    fn remove_newest(&mut self) -> Option<Held<S>> {
        let held = self.newest.take()?;
        self.newest = self.older.pop_back();
        self.count_removed(&held);
        Some(held)
    }

    fn count_removed(&mut self, held: &Held<S>) {
        self.reusable -= usize::from(held.usage == Usage::Reusable);
        self.unpacked -= usize::from(S::PACKS && !held.packed);
        self.footprint = self.footprint.saturating_sub(self.bytes_of(held));
    }

    /// Takes the newest session out of its slot, and counts it as removed; `None` while it is packed
    /// outside the lock. The slot stays, so that what it says of the session need not be moved, until
    /// [`free_newest`](Self::free_newest).
    #[inline]
    fn take_newest(&mut self) -> Option<S> {
        let newest = self.newest.as_mut()?;
        let session = newest.session.take();
        let weight = newest.weight;
        self.reusable -= usize::from(newest.usage == Usage::Reusable);
        self.unpacked -= usize::from(S::PACKS && !newest.packed);
        let part = session.as_ref().and_then(S::shared_part);
        let own = part.filter(|part| self.older.is_empty() || !self.older_shares(*part));
        let bytes = weight.saturating_add(own.map_or(0, |part| part.bytes));
        self.footprint = self.footprint.saturating_sub(bytes);
        session
    }

    /// Frees the slot of the newest session, after [`take_newest`](Self::take_newest).
    #[inline]
    fn free_newest(&mut self) {
        self.newest = None;
        if !self.older.is_empty() {
            self.pop_older();
        }
    }

    #[cold]
    fn pop_older(&mut self) {
        self.newest = self.older.pop_back();
    }

    /// Bytes of a session that is not stored: its own, and those of a part that it shares with none that
    /// is.
    #[inline]
    fn bytes_of(&self, held: &Held<S>) -> usize {
        let session = held.session.as_ref();
        let shared = session.map_or(0, |session| self.uncounted_share(session));
        held.weight.saturating_add(shared)
    }

    /// Bytes of the shared part of `session`; 0 if a stored session has the same part.
    #[inline]
    fn uncounted_share(&self, session: &S) -> usize {
        let Some(shared) = session.shared_part() else {
            return 0;
        };
        let stored = self.iter().filter_map(|held| held.session.as_ref());
        let mut others = stored.filter_map(S::shared_part);
        let counted = others.any(|other| other.id == shared.id);
        if counted { 0 } else { shared.bytes }
    }
}
