//! The sessions of one server.

mod need;
mod packing;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::held::{Held, Losses};
use crate::{EntryId, Storable, Timestamp, Usage};

pub(crate) use self::need::{Need, RememberedNeed};
pub(crate) use self::packing::Packable;

/// The sessions of one server, its hint and its need.
///
/// A state machine: the time is an argument, and removed sessions go to the caller, which drops
/// them outside the lock.
pub(crate) struct Server<S> {
    // invariant: ids ascend from front to back. `None` is the slot of a session that is being
    // packed: it counts, and no look-up finds it.
    single_use: VecDeque<Held<Option<S>>>,
    reusable: Option<Arc<Held<S>>>,
    // invariant: the sum of the weights, and of the parts that sessions share, each once
    bytes: usize,
    pub(crate) hint: Option<u16>,
    /// Whether the server was looked up since it entered its segment of the LRU.
    pub(crate) visited: bool,
    pub(crate) need: Need,
}

/// Values to drop, and thereby to wipe, when no lock is held.
#[allow(dead_code, reason = "the values are here to be dropped")]
pub(crate) enum Dropped<S> {
    Session(S),
    Shared(Arc<Held<S>>),
    Server(Server<S>),
}

/// The bounds of one server.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// Single-use sessions; at least one.
    pub(crate) sessions: usize,
    /// Bytes of its sessions.
    pub(crate) bytes: usize,
    /// Bytes of its sessions and of their slots.
    pub(crate) footprint: usize,
}

impl<S: Storable> Server<S> {
    pub(crate) fn new(hint: Option<u16>, need: Need) -> Self {
        Self {
            single_use: VecDeque::new(),
            reusable: None,
            bytes: 0,
            hint,
            visited: false,
            need,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.single_use.len() + usize::from(self.reusable.is_some())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the sessions and of their slots.
    #[inline]
    pub(crate) fn footprint(&self) -> usize {
        let reusable = self
            .reusable
            .as_ref()
            .map_or(0, |_| slot_bytes::<S>(Usage::Reusable));
        self.bytes + self.single_use.capacity() * slot_bytes::<S>(Usage::SingleUse) + reusable
    }

    /// When the last session expires.
    pub(crate) fn last_expiry(&self) -> Timestamp {
        self.expiries().max().unwrap_or(Timestamp::EPOCH)
    }

    /// When the first session expires.
    pub(crate) fn first_expiry(&self) -> Timestamp {
        self.expiries().min().unwrap_or(Timestamp::NEVER)
    }

    fn expiries(&self) -> impl Iterator<Item = Timestamp> {
        let reusable = self.reusable.as_ref().map(|held| held.expires);
        self.single_use
            .iter()
            .map(|held| held.expires)
            .chain(reusable)
    }

    /// Adds a session, and drops the one it replaces and those that exceed `bounds`: expired ones
    /// first, then the oldest single-use ones, the reusable one last, never the one just added.
    #[inline]
    pub(crate) fn put(
        &mut self,
        session: S,
        facts: &Held<()>,
        usage: Usage,
        bounds: Bounds,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
    ) -> Losses {
        let mut losses = Losses::default();
        match usage {
            Usage::SingleUse => {
                if self.single_use.len() >= bounds.sessions {
                    losses.expired += self.prune(now, dropped);
                }
                while self.single_use.len() >= bounds.sessions {
                    losses.evicted += u64::from(self.drop_oldest(dropped));
                }
                self.grow(bounds.sessions);
                self.add_bytes(&session, facts.weight);
                self.single_use.push_back(facts.with_session(Some(session)));
            }
            Usage::Reusable => {
                losses.replaced += u64::from(self.drop_reusable(dropped));
                self.add_bytes(&session, facts.weight);
                self.reusable = Some(Arc::new(facts.with_session(session)));
            }
        }
        if self.bytes > bounds.bytes || self.footprint() > bounds.footprint {
            self.drop_excess(bounds, Some(usage), now, dropped, &mut losses);
        }
        losses
    }

    /// Drops sessions that exceed `bounds`, except the newest one of the usage `spared`.
    fn drop_excess(
        &mut self,
        bounds: Bounds,
        spared: Option<Usage>,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
        losses: &mut Losses,
    ) {
        let fits = |server: &mut Self| {
            if server.footprint() > bounds.footprint {
                server.single_use.shrink_to_fit();
            }
            server.bytes <= bounds.bytes && server.footprint() <= bounds.footprint
        };
        if fits(self) {
            return;
        }
        losses.expired += self.prune(now, dropped);
        let keep = usize::from(spared == Some(Usage::SingleUse));
        while !fits(self) && self.single_use.len() > keep {
            losses.evicted += u64::from(self.drop_oldest(dropped));
        }
        if !fits(self) && spared != Some(Usage::Reusable) {
            losses.evicted += u64::from(self.drop_reusable(dropped));
        }
    }

    /// Reserves a slot for one more single-use session: doubles the number of slots, up to `most`.
    #[inline]
    fn grow(&mut self, most: usize) {
        let (len, slots) = (self.single_use.len(), self.single_use.capacity());
        if len == slots {
            let wanted = slots.saturating_mul(2).min(most).max(len + 1);
            self.single_use.reserve_exact(wanted - len);
        }
    }

    /// Frees unused slots after a burst.
    pub(crate) fn shrink(&mut self) {
        if self.single_use.capacity() / 4 > self.single_use.len() {
            self.single_use.shrink_to(self.single_use.len() * 2);
        }
    }

    /// Removes and returns the newest valid single-use session that `accept` accepts. Drops expired
    /// sessions that it finds on the way.
    #[inline]
    pub(crate) fn take(
        &mut self,
        now: Timestamp,
        accept: &mut dyn FnMut(&S) -> bool,
        dropped: &mut Vec<Dropped<S>>,
        losses: &mut Losses,
    ) -> Option<Held<S>> {
        for index in (0..self.single_use.len()).rev() {
            let held = &self.single_use[index];
            if held.is_valid(now) && !held.session.as_ref().is_some_and(&mut *accept) {
                continue;
            }
            let held = self.remove_at(index)?;
            if held.is_valid(now) {
                return held.into_present();
            }
            dropped.extend(held.session.map(Dropped::Session));
            losses.expired += 1;
        }
        None
    }

    /// The reusable session, if it is valid and `accept` accepts it.
    pub(crate) fn share(
        &mut self,
        now: Timestamp,
        accept: &mut dyn FnMut(&S) -> bool,
        dropped: &mut Vec<Dropped<S>>,
        losses: &mut Losses,
    ) -> Option<Arc<Held<S>>> {
        let held = self.reusable.as_ref()?;
        if !held.is_valid(now) {
            losses.expired += u64::from(self.drop_reusable(dropped));
            return None;
        }
        accept(&held.session).then(|| Arc::clone(held))
    }

    /// Removes and returns the oldest valid single-use sessions, all but the newest `keep`. Drops
    /// expired sessions that it finds on the way; one that is being packed stays.
    pub(crate) fn surplus(
        &mut self,
        keep: usize,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
        losses: &mut Losses,
    ) -> Vec<Held<S>> {
        let mut surplus = Vec::new();
        let mut index = 0;
        for _ in keep..self.single_use.len() {
            if self.single_use[index].session.is_none() {
                index += 1;
                continue;
            }
            let Some(held) = self.remove_at(index).and_then(Held::into_present) else {
                break;
            };
            if held.is_valid(now) {
                surplus.push(held);
            } else {
                dropped.push(Dropped::Session(held.session));
                losses.expired += 1;
            }
        }
        surplus
    }

    /// The reusable session, if it is valid.
    pub(crate) fn peek_reusable(&self, now: Timestamp) -> Option<Arc<Held<S>>> {
        self.reusable
            .as_ref()
            .filter(|held| held.is_valid(now))
            .cloned()
    }

    /// The number of valid single-use sessions, without those being packed.
    pub(crate) fn available(&self, now: Timestamp) -> usize {
        let ready = |held: &&Held<Option<S>>| held.is_valid(now) && held.session.is_some();
        self.single_use.iter().filter(ready).count()
    }

    /// Removes the session `id` and returns its usage.
    pub(crate) fn remove(&mut self, id: EntryId, dropped: &mut Vec<Dropped<S>>) -> Option<Usage> {
        if self.reusable.as_ref().is_some_and(|held| held.id == id) {
            self.drop_reusable(dropped);
            return Some(Usage::Reusable);
        }
        let held = self.remove_at(self.find(id)?)?;
        dropped.extend(held.session.map(Dropped::Session));
        Some(Usage::SingleUse)
    }

    /// Removes the session `id` and all older ones, and returns their number.
    pub(crate) fn remove_up_to(&mut self, id: EntryId, dropped: &mut Vec<Dropped<S>>) -> u64 {
        let before = self.len();
        while self.single_use.front().is_some_and(|held| held.id <= id) {
            self.drop_oldest(dropped);
        }
        if self.reusable.as_ref().is_some_and(|held| held.id <= id) {
            self.drop_reusable(dropped);
        }
        (before - self.len()) as u64
    }

    /// Removes the reusable session; `false` if there is none.
    pub(crate) fn drop_reusable(&mut self, dropped: &mut Vec<Dropped<S>>) -> bool {
        let Some(held) = self.reusable.take() else {
            return false;
        };
        self.subtract_bytes(&held.session, held.weight);
        dropped.push(Dropped::Shared(held));
        true
    }

    /// Drops all sessions that are not valid at `now`, and returns their number.
    pub(crate) fn prune(&mut self, now: Timestamp, dropped: &mut Vec<Dropped<S>>) -> u64 {
        let before = self.len();
        for index in (0..self.single_use.len()).rev() {
            if !self.single_use[index].is_valid(now) {
                let session = self.remove_at(index).and_then(|held| held.session);
                dropped.extend(session.map(Dropped::Session));
            }
        }
        if self
            .reusable
            .as_ref()
            .is_some_and(|held| !held.is_valid(now))
        {
            self.drop_reusable(dropped);
        }
        (before - self.len()) as u64
    }

    fn drop_oldest(&mut self, dropped: &mut Vec<Dropped<S>>) -> bool {
        let Some(held) = self.remove_at(0) else {
            return false;
        };
        dropped.extend(held.session.map(Dropped::Session));
        true
    }

    fn find(&self, id: EntryId) -> Option<usize> {
        self.single_use
            .binary_search_by_key(&id, |held| held.id)
            .ok()
    }

    #[inline]
    fn remove_at(&mut self, index: usize) -> Option<Held<Option<S>>> {
        // The newest, which connections take, is at the back: nothing has to move.
        let held = if index + 1 == self.single_use.len() {
            self.single_use.pop_back()?
        } else {
            self.single_use.remove(index)?
        };
        match &held.session {
            Some(session) => self.subtract_bytes(session, held.weight),
            None => self.bytes -= held.weight,
        }
        Some(held)
    }

    /// Adds the bytes of a session that is about to be stored.
    #[inline]
    fn add_bytes(&mut self, session: &S, weight: usize) {
        self.bytes = self
            .bytes
            .saturating_add(weight.saturating_add(self.uncounted_share(session)));
    }

    /// Subtracts the bytes of a session that has been removed.
    #[inline]
    fn subtract_bytes(&mut self, session: &S, weight: usize) {
        self.bytes = self
            .bytes
            .saturating_sub(weight.saturating_add(self.uncounted_share(session)));
    }

    /// Bytes of the shared part of `session`; 0 if a stored session has the same part.
    #[inline]
    fn uncounted_share(&self, session: &S) -> usize {
        let Some(shared) = session.shared_part() else {
            return 0;
        };
        let single_use = self
            .single_use
            .iter()
            .filter_map(|held| held.session.as_ref());
        let reusable = self.reusable.iter().map(|held| &held.session);
        let mut others = single_use.chain(reusable).filter_map(S::shared_part);
        let counted = others.any(|other| other.id == shared.id);
        if counted { 0 } else { shared.bytes }
    }
}

/// Bytes of a session's slot, which contains the session's value.
pub(crate) const fn slot_bytes<S>(usage: Usage) -> usize {
    /// The two reference counts of an `Arc`.
    const COUNTERS: usize = 2 * size_of::<usize>();
    match usage {
        Usage::SingleUse => size_of::<Held<Option<S>>>(),
        Usage::Reusable => size_of::<Held<S>>() + COUNTERS,
    }
}
