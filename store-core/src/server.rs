//! The sessions of one server.

mod need;
mod packing;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::held::{Dropped, Held, Losses};
use crate::{EntryId, Storable, Timestamp, Usage};

pub(crate) use self::need::{Need, Remembered};
pub(crate) use self::packing::Packable;

/// The sessions of one server, and what else is known of it.
///
/// A state machine: time is an argument, and what it drops goes to the caller, who drops it
/// without a lock.
pub(crate) struct Server<S> {
    // invariant: ids ascend from front to back. Where there is no session it is away to be packed:
    // its place counts like any other, and nothing is found in it.
    single_use: VecDeque<Held<Option<S>>>,
    reusable: Option<Arc<Held<S>>>,
    // invariant: the sum of the weights of the sessions held, and what they share, once each
    bytes: usize,
    pub(crate) hint: Option<u16>,
    /// Whether a connection was offered a session since this server got its place in the order.
    pub(crate) visited: bool,
    /// How many single-use sessions its connections use up.
    pub(crate) need: Need,
}

/// What one server may hold.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// Single-use sessions; at least one.
    pub(crate) sessions: usize,
    /// Bytes of its sessions.
    pub(crate) bytes: usize,
    /// The same with the places they are held in.
    pub(crate) room: usize,
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

    /// Sessions held.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.single_use.len() + usize::from(self.reusable.is_some())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the sessions held and of the places that they are held in.
    #[inline]
    pub(crate) fn footprint(&self) -> usize {
        let reusable = self
            .reusable
            .as_ref()
            .map_or(0, |_| place::<S>(Usage::Reusable));
        self.bytes + self.single_use.capacity() * place::<S>(Usage::SingleUse) + reusable
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

    /// Adds a session and drops what it replaces or what no longer fits: expired sessions first,
    /// then the oldest single-use ones, the reusable one last, never the one just added.
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
                self.count(&session, facts.weight);
                self.single_use.push_back(facts.with(Some(session)));
            }
            Usage::Reusable => {
                losses.replaced += u64::from(self.drop_reusable(dropped));
                self.count(&session, facts.weight);
                self.reusable = Some(Arc::new(facts.with(session)));
            }
        }
        if self.bytes > bounds.bytes || self.footprint() > bounds.room {
            self.keep_within(bounds, Some(usage), now, dropped, &mut losses);
        }
        losses
    }

    /// Drops what does not fit, but not the newest session of the usage `spared`.
    fn keep_within(
        &mut self,
        bounds: Bounds,
        spared: Option<Usage>,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
        losses: &mut Losses,
    ) {
        let fits = |server: &mut Self| {
            if server.footprint() > bounds.room {
                server.single_use.shrink_to_fit();
            }
            server.bytes <= bounds.bytes && server.footprint() <= bounds.room
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

    /// Makes a place for one more single-use session: the first costs one, and then twice as many.
    #[inline]
    fn grow(&mut self, most: usize) {
        let (len, places) = (self.single_use.len(), self.single_use.capacity());
        if len == places {
            let wanted = places.saturating_mul(2).min(most).max(len + 1);
            self.single_use.reserve_exact(wanted - len);
        }
    }

    /// Gives places back after a burst.
    pub(crate) fn shrink(&mut self) {
        if self.single_use.capacity() / 4 > self.single_use.len() {
            self.single_use.shrink_to(self.single_use.len() * 2);
        }
    }

    /// Finds the newest valid single-use session that `accept` likes, and removes it; expired
    /// ones on the way are dropped.
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
                return held.here();
            }
            dropped.extend(held.session.map(Dropped::Session));
            losses.expired += 1;
        }
        None
    }

    /// Finds the reusable session, if it is valid and `accept` likes it.
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

    /// Takes the oldest valid single-use sessions out, all but `keep`; expired ones on the way are
    /// dropped, and one that is away to be packed stays.
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
            let Some(held) = self.remove_at(index).and_then(Held::here) else {
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

    /// Single-use sessions that are valid and here.
    pub(crate) fn available(&self, now: Timestamp) -> usize {
        let ready = |held: &&Held<Option<S>>| held.is_valid(now) && held.session.is_some();
        self.single_use.iter().filter(ready).count()
    }

    /// Removes the session `id`, whichever it is, and says what it was.
    pub(crate) fn remove(&mut self, id: EntryId, dropped: &mut Vec<Dropped<S>>) -> Option<Usage> {
        if self.reusable.as_ref().is_some_and(|held| held.id == id) {
            self.drop_reusable(dropped);
            return Some(Usage::Reusable);
        }
        let held = self.remove_at(self.find(id)?)?;
        dropped.extend(held.session.map(Dropped::Session));
        Some(Usage::SingleUse)
    }

    /// Removes the session `id` and all that came before it, and says how many.
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

    /// Removes the reusable session, and says whether there was one.
    pub(crate) fn drop_reusable(&mut self, dropped: &mut Vec<Dropped<S>>) -> bool {
        let Some(held) = self.reusable.take() else {
            return false;
        };
        self.discount(&held.session, held.weight);
        dropped.push(Dropped::Shared(held));
        true
    }

    /// Drops all sessions that are not valid at `now`, and says how many.
    pub(crate) fn prune(&mut self, now: Timestamp, dropped: &mut Vec<Dropped<S>>) -> u64 {
        let before = self.len();
        for index in (0..self.single_use.len()).rev() {
            if !self.single_use[index].is_valid(now) {
                let gone = self.remove_at(index).and_then(|held| held.session);
                dropped.extend(gone.map(Dropped::Session));
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
        // The newest, which is what connections take, leaves nothing to be moved.
        let held = if index + 1 == self.single_use.len() {
            self.single_use.pop_back()?
        } else {
            self.single_use.remove(index)?
        };
        match &held.session {
            Some(session) => self.discount(session, held.weight),
            None => self.bytes -= held.weight,
        }
        Some(held)
    }

    /// Counts a session that is about to be held.
    #[inline]
    fn count(&mut self, session: &S, weight: usize) {
        self.bytes = self
            .bytes
            .saturating_add(weight.saturating_add(self.alone(session)));
    }

    /// The opposite, for a session that is no longer held.
    #[inline]
    fn discount(&mut self, session: &S, weight: usize) {
        self.bytes = self
            .bytes
            .saturating_sub(weight.saturating_add(self.alone(session)));
    }

    /// Bytes of what `session` shares, if no session held shares it.
    #[inline]
    fn alone(&self, session: &S) -> usize {
        let Some(shared) = session.shared_part() else {
            return 0;
        };
        let single_use = self
            .single_use
            .iter()
            .filter_map(|held| held.session.as_ref());
        let reusable = self.reusable.iter().map(|held| &held.session);
        let mut others = single_use.chain(reusable).filter_map(S::shared_part);
        let held = others.any(|other| other.id == shared.id);
        if held { 0 } else { shared.bytes }
    }
}

/// Bytes of the place that a session is held in, the session's own value included.
pub(crate) const fn place<S>(usage: Usage) -> usize {
    /// The two counters of an `Arc`.
    const COUNTERS: usize = 2 * size_of::<usize>();
    match usage {
        Usage::SingleUse => size_of::<Held<Option<S>>>(),
        Usage::Reusable => size_of::<Held<S>>() + COUNTERS,
    }
}
