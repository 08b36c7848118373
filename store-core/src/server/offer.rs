//! Which sessions of a server are returned: to a connection, and to a tier.

use super::Server;
use crate::dropped::Dropped;
use crate::held::Held;
use crate::{LookUp, Offer, Stats, Storable, Timestamp, Usage};

use super::addresses::Relation;

impl<S: Storable> Server<S> {
    /// Returns the newest valid single-use session that `accept` accepts, which is removed, else a
    /// copy of the reusable one, if it is valid and accepted: as far as `look_up` allows each. A session
    /// of the connection's address, or of one that shares keys with it, comes first; one that is known to
    /// be declined there stays. Drops expired sessions that it finds on the way. Writes to
    /// `offer`, which is `None`, since it is large.
    #[inline]
    pub(crate) fn offer(
        &mut self,
        look_up: LookUp,
        now: Timestamp,
        accept: &mut impl FnMut(&S) -> bool,
        stats: &mut Stats,
        dropped: &mut Dropped<S>,
        offer: &mut Option<Offer<S>>,
    ) {
        // The usual case: the newest session. A reusable one, if no single-use one is older.
        if let Some(newest) = &self.newest
            && look_up.want.includes(newest.usage)
            && (newest.address == look_up.address || look_up.address.is_none())
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
        *offer = self.search(look_up, now, accept, stats, dropped);
    }

    /// [`offer`](Self::offer) among all sessions.
    #[cold]
    fn search(
        &mut self,
        look_up: LookUp,
        now: Timestamp,
        accept: &mut impl FnMut(&S) -> bool,
        stats: &mut Stats,
        dropped: &mut Dropped<S>,
    ) -> Option<Offer<S>> {
        let best = (Relation::Same, true);
        let mut found: Option<((Relation, bool), usize)> = None;
        for index in (0..self.len()).rev() {
            let held = self.get(index)?;
            if !look_up.want.includes(held.usage) {
                continue;
            }
            if !held.is_valid(now) {
                stats.expired += 1;
                self.drop_at(index, dropped);
                // The one found moves down with what was above it.
                found = found.map(|(fit, above)| (fit, above - 1));
                continue;
            }
            let relation = self.relation(held.address, look_up.address, now);
            let fit = (relation, held.usage == Usage::SingleUse);
            if relation != Relation::Apart
                && found.is_none_or(|(newer, _)| fit > newer)
                && held.session.as_ref().is_some_and(&mut *accept)
            {
                found = Some((fit, index));
                if fit == best {
                    break;
                }
            }
        }
        let ((_, is_single_use), index) = found?;
        if is_single_use {
            Self::take(self.remove_at(index)?, stats)
        } else {
            self.copy_at(index, stats)
        }
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

    /// A copy of the newest reusable session, if it is valid.
    pub(crate) fn reusable_copy(&self, now: Timestamp) -> Option<Offer<S>> {
        let reusable = self.iter().filter(|held| held.usage == Usage::Reusable);
        let held = reusable.last().filter(|held| held.is_valid(now))?;
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
            let Some(held) = self.get(index) else {
                break;
            };
            excess -= usize::from(held.usage == Usage::SingleUse);
            let is_other = held.usage == Usage::Reusable || held.session.is_none();
            if is_other || (keep > 0 && self.is_newest_of_address(index, now)) {
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

    /// Whether no newer single-use session is of use where this one is, among addresses of which some are
    /// known to decline each other's sessions.
    fn is_newest_of_address(&self, index: usize, now: Timestamp) -> bool {
        let Some(address) = self.get(index).map(|held| held.address) else {
            return false;
        };
        let newer = self.iter().skip(index + 1);
        let mut newer = newer.filter(|held| held.usage == Usage::SingleUse);
        self.addresses.is_some()
            && !newer.any(|held| self.relation(held.address, address, now) != Relation::Apart)
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
