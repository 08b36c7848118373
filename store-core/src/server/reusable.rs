//! The reusable sessions of a server, and what is known of the addresses that gave them.

use super::Server;
use super::addresses::{Addresses, Relation};
use crate::dropped::Dropped;
use crate::{AddressId, Begun, Outcome, Storable, Timestamp, Usage};

/// The most reusable sessions of a server: of addresses that do not share keys.
pub(crate) const MOST_REUSABLE: usize = 16;

impl<S: Storable> Server<S> {
    /// Removes the reusable sessions, and returns their number.
    pub(crate) fn drop_reusable(&mut self, dropped: &mut Dropped<S>) -> u64 {
        self.drop_where(|held| held.usage == Usage::Reusable, dropped)
    }

    /// Removes the reusable session that a new one of `address` replaces, and returns the number of those
    /// removed. As soon as a session was offered at another address, each has its own: TLS 1.2 gives the new
    /// one before it is known whether that of the `other` address was declined. One of an address that is not
    /// known then replaces only such a one.
    #[inline]
    pub(super) fn drop_replaced(
        &mut self,
        (address, other): (Option<AddressId>, Option<AddressId>),
        now: Timestamp,
        dropped: &mut Dropped<S>,
    ) -> u64 {
        let newest = self.newest.as_ref();
        let is_newest = newest.is_some_and(|newest| newest.usage == Usage::Reusable);
        if is_newest && self.reusable == 1 && self.addresses.is_none() && other.is_none() {
            dropped.extend(self.take_newest());
            self.free_newest();
            return 1;
        }
        self.search_replaced((address, other), now, dropped)
    }

    #[cold]
    fn search_replaced(
        &mut self,
        (address, other): (Option<AddressId>, Option<AddressId>),
        now: Timestamp,
        dropped: &mut Dropped<S>,
    ) -> u64 {
        let mut replaced = 0;
        for index in (0..self.len()).rev() {
            let Some(held) = self.get(index) else {
                continue;
            };
            let may_stay = self.addresses.is_some() || (other.is_some() && held.address == other);
            let is_same = match address {
                Some(_) => self.relation(held.address, address, now) == Relation::Same,
                None => held.address.is_none(),
            };
            if held.usage == Usage::Reusable && (is_same || !may_stay) {
                replaced += u64::from(self.drop_at(index, dropped));
            }
        }
        if self.reusable >= MOST_REUSABLE {
            replaced += u64::from(self.drop_oldest(Usage::Reusable, dropped));
        }
        replaced
    }

    /// Whether a session that the address `from` gave is of use at `to`.
    pub(super) fn relation(
        &self,
        from: Option<AddressId>,
        to: Option<AddressId>,
        now: Timestamp,
    ) -> Relation {
        match (from, to, &self.addresses) {
            (Some(from), Some(to), Some(addresses)) => addresses.relation(from, to, now),
            (from, Some(to), _) if from != Some(to) => Relation::Unknown,
            _ => Relation::Same,
        }
    }

    /// How a handshake ended that offered a session of another address tells whether both share keys.
    /// Returns whether it was not known.
    pub(crate) fn learn(&mut self, begun: &Begun, outcome: Outcome, now: Timestamp) -> bool {
        let (Some(from), Some(to)) = (begun.other_address, begun.address) else {
            return false;
        };
        if !matches!(outcome, Outcome::Resumed | Outcome::Declined) {
            return false;
        }
        let empty = || Box::new(Addresses::new(now));
        let addresses = self.addresses.get_or_insert_with(empty);
        addresses.learn(from, to, outcome == Outcome::Resumed, now)
    }
}
