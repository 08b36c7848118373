//! Which sessions of a server are returned: to a connection, and to a tier.

use super::Server;
use crate::dropped::Dropped;
use crate::held::Held;
use crate::{Offer, Stats, Storable, Timestamp, Usage, Want};

impl<S: Storable> Server<S> {
    /// Returns the newest valid single-use session that `accept` accepts, which is removed, else a
    /// copy of the reusable one, if it is valid and accepted: as far as `want` allows each. Drops
    /// expired sessions that it finds on the way. Writes to `offer`, which is `None`, since it is large.
    #[inline]
    pub(crate) fn offer(
        &mut self,
        want: Want,
        now: Timestamp,
        accept: &mut impl FnMut(&S) -> bool,
        stats: &mut Stats,
        dropped: &mut Dropped<S>,
        offer: &mut Option<Offer<S>>,
    ) {
        // The usual case: the newest session. A reusable one, if no single-use one is older.
        if let Some(newest) = &self.newest
            && want.includes(newest.usage)
            && newest.is_valid(now)
            && let Some(session) = &newest.session
            && accept(session)
        {
            if newest.usage == Usage::SingleUse {
                stats.taken += 1;
                if let Some(session) = self.take_newest()
                    && let Some(newest) = &self.newest
                {
                    *offer = Some(newest.offer(session));
                }
                return self.free_newest();
            } else if self.older.is_empty() {
                if let Some(copy) = session.duplicate() {
                    stats.copied += 1;
                    *offer = Some(newest.offer(copy));
                }
                return;
            }
        }
        *offer = self.search(want, now, accept, stats, dropped);
    }

    /// [`offer`](Self::offer) among all sessions.
    #[cold]
    fn search(
        &mut self,
        want: Want,
        now: Timestamp,
        accept: &mut impl FnMut(&S) -> bool,
        stats: &mut Stats,
        dropped: &mut Dropped<S>,
    ) -> Option<Offer<S>> {
        let mut reusable = None;
        for index in (0..self.len()).rev() {
            let held = self.get_mut(index)?;
            if !want.includes(held.usage) {
                continue;
            }
            if !held.is_valid(now) {
                stats.expired += 1;
                self.drop_at(index, dropped);
                // The reusable session moves down with what was above it.
                reusable = reusable.map(|found: usize| found - 1);
            } else if held.session.as_ref().is_some_and(&mut *accept) {
                if held.usage == Usage::SingleUse {
                    let held = self.remove_at(index)?;
                    return Self::take(held, stats);
                }
                reusable = Some(index);
            }
        }
        self.copy_at(reusable?, stats)
    }

    fn take(mut held: Held<S>, stats: &mut Stats) -> Option<Offer<S>> {
        stats.taken += 1;
        let session = held.session.take()?;
        Some(held.offer(session))
    }

    fn copy_at(&mut self, index: usize, stats: &mut Stats) -> Option<Offer<S>> {
        let held = self.get_mut(index)?;
        let copy = held.session.as_ref()?.duplicate()?;
        stats.copied += 1;
        Some(held.offer(copy))
    }

    /// A copy of the reusable session, if it is valid.
    pub(crate) fn reusable_copy(&self, now: Timestamp) -> Option<Offer<S>> {
        let mut reusable = self.iter().filter(|held| held.usage == Usage::Reusable);
        let held = reusable.next().filter(|held| held.is_valid(now))?;
        let copy = held.session.as_ref()?.duplicate()?;
        Some(held.offer(copy))
    }

    /// Removes and returns the oldest valid single-use sessions, all but the newest `keep`. Drops
    /// expired sessions that it finds on the way; one that is being packed stays.
    pub(crate) fn surplus(
        &mut self,
        keep: usize,
        now: Timestamp,
        stats: &mut Stats,
        dropped: &mut Dropped<S>,
    ) -> Vec<Offer<S>> {
        let (mut surplus, mut index) = (Vec::new(), 0);
        let mut excess = self.single_use().saturating_sub(keep);
        while excess > 0 {
            let Some(held) = self.get_mut(index) else {
                break;
            };
            excess -= usize::from(held.usage == Usage::SingleUse);
            if held.usage == Usage::Reusable || held.session.is_none() {
                index += 1;
                continue;
            }
            let Some(mut held) = self.remove_at(index) else {
                break;
            };
            if !held.is_valid(now) {
                stats.expired += 1;
                dropped.extend(held.session);
            } else if let Some(session) = held.session.take() {
                surplus.push(held.offer(session));
            }
        }
        surplus
    }

    /// The number of valid single-use sessions, and whether there is a valid reusable one; without
    /// those being packed.
    pub(crate) fn available(&self, now: Timestamp) -> (usize, bool) {
        let ready = self
            .iter()
            .filter(|held| held.is_valid(now) && held.session.is_some());
        ready.fold((0, false), |(single_use, reusable), held| {
            match held.usage {
                Usage::SingleUse => (single_use + 1, reusable),
                Usage::Reusable => (single_use, true),
            }
        })
    }
}
