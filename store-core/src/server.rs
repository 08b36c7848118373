//! The sessions of one server.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::{Entry, EntryId, Offer, Timestamp, Usage};

/// How far a clock may go back before sessions count as "from the future".
const CLOCK_BACK: Duration = Duration::from_secs(1);

/// The sessions of one server, and what else is known of it.
///
/// A state machine: time is an argument, and what it drops goes to the caller, who drops it
/// without a lock.
pub(crate) struct Server<S> {
    // invariant: ids ascend from front to back
    single_use: VecDeque<Held<S>>,
    reusable: Option<Held<Arc<S>>>,
    // invariant: the sum of the weights of the sessions held
    bytes: usize,
    pub(crate) hint: Option<u16>,
    /// Whether a connection was offered a session since this server got its place in the order.
    pub(crate) visited: bool,
}

/// A session in its place, with the facts that decide over it.
pub(crate) struct Held<S> {
    pub(crate) id: EntryId,
    pub(crate) session: S,
    pub(crate) established: Timestamp,
    pub(crate) received: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) weight: usize,
}

/// Something to be dropped, and wiped by its drop, once no lock is held.
#[allow(dead_code, reason = "the values are here to be dropped")]
pub(crate) enum Dropped<S> {
    Session(S),
    Shared(Arc<S>),
    Server(Server<S>),
}

/// A session found for a connection.
pub(crate) enum Found<S> {
    SingleUse(Held<S>),
    Reusable(Held<Arc<S>>),
}

/// What a visit dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    pub(crate) expired: u64,
    pub(crate) evicted: u64,
    pub(crate) replaced: u64,
}

impl<S> Held<S> {
    /// The same facts of another form of the session.
    pub(crate) fn map<T>(self, change: impl FnOnce(S) -> T) -> Held<T> {
        Held {
            id: self.id,
            session: change(self.session),
            established: self.established,
            received: self.received,
            expires: self.expires,
            weight: self.weight,
        }
    }

    /// What a connection gets of it.
    pub(crate) fn into_offer(self, usage: Usage) -> Offer<S> {
        Offer {
            id: self.id,
            entry: Entry {
                session: self.session,
                usage,
                established: self.established,
                expires: self.expires,
                weight: self.weight,
            },
        }
    }

    fn is_valid(&self, now: Timestamp) -> bool {
        now < self.expires && self.received <= now.after(CLOCK_BACK)
    }
}

impl<S> Held<Arc<S>> {
    fn share(&self) -> Self {
        Self {
            session: Arc::clone(&self.session),
            ..*self
        }
    }
}

impl<S> Server<S> {
    pub(crate) fn new(hint: Option<u16>) -> Self {
        Self {
            single_use: VecDeque::new(),
            reusable: None,
            bytes: 0,
            hint,
            visited: false,
        }
    }

    /// Sessions held.
    pub(crate) fn len(&self) -> usize {
        self.single_use.len() + usize::from(self.reusable.is_some())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the sessions held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the last session expires.
    pub(crate) fn last_expiry(&self) -> Timestamp {
        let reusable = self.reusable.as_ref().map(|held| held.expires);
        let single_use = self.single_use.iter().map(|held| held.expires);
        single_use.chain(reusable).max().unwrap_or(Timestamp::EPOCH)
    }

    /// When the first session expires.
    pub(crate) fn first_expiry(&self) -> Timestamp {
        let reusable = self.reusable.as_ref().map(|held| held.expires);
        let single_use = self.single_use.iter().map(|held| held.expires);
        single_use.chain(reusable).min().unwrap_or(Timestamp::NEVER)
    }

    /// Adds a session and drops what it replaces or what no longer fits: expired sessions first,
    /// then the oldest single-use ones, the reusable one last, never the one just added.
    pub(crate) fn put(
        &mut self,
        held: Held<S>,
        usage: Usage,
        (max_sessions, max_bytes): (usize, usize),
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
    ) -> Losses {
        let mut losses = Losses::default();
        self.bytes += held.weight;
        match usage {
            Usage::SingleUse => self.single_use.push_back(held),
            Usage::Reusable => {
                let held = held.map(Arc::new);
                if let Some(old) = self.reusable.replace(held) {
                    self.bytes -= old.weight;
                    dropped.push(Dropped::Shared(old.session));
                    losses.replaced += 1;
                }
            }
        }
        if self.single_use.len() > max_sessions || self.bytes > max_bytes {
            losses.expired += self.prune(now, dropped);
        }
        let keep = usize::from(usage == Usage::SingleUse);
        while self.single_use.len() > max_sessions
            || (self.bytes > max_bytes && self.single_use.len() > keep)
        {
            losses.evicted += u64::from(self.drop_oldest(dropped));
        }
        if self.bytes > max_bytes && usage == Usage::SingleUse {
            losses.evicted += u64::from(self.drop_reusable(dropped));
        }
        losses
    }

    /// Finds the newest valid single-use session that `accept` likes, and removes it; expired
    /// ones on the way are dropped.
    pub(crate) fn take(
        &mut self,
        now: Timestamp,
        accept: &mut dyn FnMut(&S) -> bool,
        dropped: &mut Vec<Dropped<S>>,
        losses: &mut Losses,
    ) -> Option<Held<S>> {
        for index in (0..self.single_use.len()).rev() {
            let held = &self.single_use[index];
            if held.is_valid(now) && !accept(&held.session) {
                continue;
            }
            let held = self.single_use.remove(index)?;
            self.bytes -= held.weight;
            if held.is_valid(now) {
                return Some(held);
            }
            dropped.push(Dropped::Session(held.session));
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
    ) -> Option<Held<Arc<S>>> {
        let held = self.reusable.as_ref()?;
        if !held.is_valid(now) {
            losses.expired += u64::from(self.drop_reusable(dropped));
            return None;
        }
        accept(&held.session).then(|| held.share())
    }

    /// Takes the oldest valid single-use sessions out, all but `keep`; expired ones on the way are
    /// dropped.
    pub(crate) fn surplus(
        &mut self,
        keep: usize,
        now: Timestamp,
        dropped: &mut Vec<Dropped<S>>,
        losses: &mut Losses,
    ) -> Vec<Held<S>> {
        let mut surplus = Vec::new();
        while self.single_use.len() > keep {
            let Some(held) = self.single_use.pop_front() else {
                break;
            };
            self.bytes -= held.weight;
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
    pub(crate) fn peek_reusable(&self, now: Timestamp) -> Option<Held<Arc<S>>> {
        let held = self.reusable.as_ref().filter(|held| held.is_valid(now));
        held.map(Held::share)
    }

    /// Single-use sessions that are valid.
    pub(crate) fn ready(&self, now: Timestamp) -> usize {
        let valid = |held: &&Held<S>| held.is_valid(now);
        self.single_use.iter().filter(valid).count()
    }

    /// Removes the session `id`, whichever it is.
    pub(crate) fn remove(&mut self, id: EntryId) -> Option<Dropped<S>> {
        if self.reusable.as_ref().is_some_and(|held| held.id == id) {
            return self.remove_reusable();
        }
        let index = self
            .single_use
            .binary_search_by_key(&id, |held| held.id)
            .ok()?;
        let held = self.single_use.remove(index)?;
        self.bytes -= held.weight;
        Some(Dropped::Session(held.session))
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

    /// Removes the reusable session.
    pub(crate) fn remove_reusable(&mut self) -> Option<Dropped<S>> {
        let held = self.reusable.take()?;
        self.bytes -= held.weight;
        Some(Dropped::Shared(held.session))
    }

    /// Drops all sessions that are not valid at `now`, and says how many.
    pub(crate) fn prune(&mut self, now: Timestamp, dropped: &mut Vec<Dropped<S>>) -> u64 {
        let before = self.len();
        if self.single_use.iter().any(|held| !held.is_valid(now)) {
            for held in std::mem::take(&mut self.single_use) {
                if held.is_valid(now) {
                    self.single_use.push_back(held);
                } else {
                    self.bytes -= held.weight;
                    dropped.push(Dropped::Session(held.session));
                }
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
        let Some(held) = self.single_use.pop_front() else {
            return false;
        };
        self.bytes -= held.weight;
        dropped.push(Dropped::Session(held.session));
        true
    }

    fn drop_reusable(&mut self, dropped: &mut Vec<Dropped<S>>) -> bool {
        let removed = self.remove_reusable();
        let was_there = removed.is_some();
        dropped.extend(removed);
        was_there
    }
}
