//! Which addresses of a server accept each other's sessions.

use std::time::Duration;

use crate::{AddressId, Timestamp};

/// The most addresses that are known of a server. Of others nothing is learned.
const MOST: usize = 16;
/// What is known is forgotten after this time: keys of servers change. Learning it again costs each address
/// two full handshakes at most, which it would have made without a session, too.
const KNOWN_FOR: Duration = Duration::from_secs(60 * 60);
/// An address that has declined the sessions of so many others shares its keys with none.
const ALONE: u32 = 2;

/// Whether a session that one address gave is of use at another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Relation {
    /// It is declined.
    Apart,
    /// It is not known.
    Unknown,
    /// It is one address, or they accept each other's sessions.
    Same,
}

/// What is known of the addresses of a server: groups that accept each other's sessions, and which groups
/// do not.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    // Each with the number of its group; `MOST` at most.
    known: Vec<(AddressId, usize)>,
    // For each group, a bit for each group that it is apart from.
    // invariant: symmetric; 0 for a group without an address
    apart: [u16; MOST],
    since: Timestamp,
}

impl Addresses {
    /// Nothing is known.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            known: Vec::new(),
            apart: [0; MOST],
            since: now,
        }
    }

    /// Whether a session that `from` gave is of use at `to`.
    pub(crate) fn relation(&self, from: AddressId, to: AddressId, now: Timestamp) -> Relation {
        if from == to {
            return Relation::Same;
        }
        if self.is_outdated(now) {
            return Relation::Unknown;
        }
        let groups = [from, to].map(|address| self.group(address));
        let is_alone = |group: &usize| self.apart[*group].count_ones() >= ALONE;
        match groups {
            [Some(one), Some(other)] if one == other => Relation::Same,
            [Some(one), Some(other)] if self.apart[one] & bit(other) != 0 => Relation::Apart,
            groups if groups.iter().flatten().any(is_alone) => Relation::Apart,
            _ => Relation::Unknown,
        }
    }

    /// A session that `from` gave was resumed at `to`, or declined. Returns whether that was not known.
    ///
    /// What proves wrong is forgotten.
    pub(crate) fn learn(
        &mut self,
        from: AddressId,
        to: AddressId,
        resumed: bool,
        now: Timestamp,
    ) -> bool {
        if self.is_outdated(now) {
            *self = Self::new(now);
        }
        let before = self.relation(from, to, now);
        match (before, resumed) {
            (Relation::Same, true) | (Relation::Apart, false) => false,
            (Relation::Same, false) if from == to => false,
            (Relation::Same, false) => {
                self.forget(to);
                true
            }
            (Relation::Unknown | Relation::Apart, resumed) => {
                let groups = [from, to].map(|address| self.add(address));
                let [Some(one), Some(other)] = groups else {
                    return false;
                };
                if resumed {
                    self.merge(one, other);
                } else {
                    self.apart[one] |= bit(other);
                    self.apart[other] |= bit(one);
                }
                true
            }
        }
    }

    fn is_outdated(&self, now: Timestamp) -> bool {
        now.since(self.since).is_none_or(|age| age >= KNOWN_FOR)
    }

    fn group(&self, address: AddressId) -> Option<usize> {
        let known = self.known.iter().find(|(known, _)| *known == address);
        known.map(|(_, group)| *group)
    }

    /// The group of an address, which gets one of its own if it is new and there is room.
    fn add(&mut self, address: AddressId) -> Option<usize> {
        self.group(address).or_else(|| {
            let is_free = |group: &usize| self.known.iter().all(|(_, taken)| taken != group);
            let group = (0..MOST).find(is_free)?;
            let has_room = self.known.len() < MOST;
            has_room.then(|| self.known.push((address, group)))?;
            Some(group)
        })
    }

    /// Makes two groups one, which is apart from those that either was.
    fn merge(&mut self, one: usize, other: usize) {
        for (_, group) in &mut self.known {
            if *group == other {
                *group = one;
            }
        }
        let apart = self.apart[one] | self.clear(other);
        self.clear(one);
        let apart = apart & !bit(one) & !bit(other);
        self.apart[one] = apart;
        for (group, bits) in self.apart.iter_mut().enumerate() {
            if apart & bit(group) != 0 {
                *bits |= bit(one);
            }
        }
    }

    /// Forgets what a group is apart from, and returns it.
    fn clear(&mut self, group: usize) -> u16 {
        for bits in &mut self.apart {
            *bits &= !bit(group);
        }
        std::mem::take(&mut self.apart[group])
    }

    fn forget(&mut self, address: AddressId) {
        let Some(group) = self.group(address) else {
            return;
        };
        self.known.retain(|(known, _)| *known != address);
        if self.known.iter().all(|(_, other)| *other != group) {
            self.clear(group);
        }
    }
}

fn bit(group: usize) -> u16 {
    1 << group
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::EPOCH;

    fn address(number: u32) -> AddressId {
        AddressId::new(number + 1).expect("not 0")
    }

    /// R40: those that share keys need no lesson for each pair.
    #[test]
    fn addresses_that_resume_each_other_are_one_group() {
        let mut addresses = Addresses::new(NOW);
        for to in 1..5 {
            assert!(addresses.learn(address(to - 1), address(to), true, NOW));
        }
        for (from, to) in [(0, 4), (4, 0), (1, 3)] {
            let relation = addresses.relation(address(from), address(to), NOW);
            assert_eq!(relation, Relation::Same);
        }
        assert!(!addresses.learn(address(0), address(4), true, NOW));
    }

    /// R40: a session is never offered where it is known to be declined, by none of a group to none of the
    /// other.
    #[test]
    fn groups_are_apart() {
        let mut addresses = Addresses::new(NOW);
        addresses.learn(address(0), address(1), true, NOW);
        addresses.learn(address(2), address(3), true, NOW);
        assert!(addresses.learn(address(1), address(2), false, NOW));
        for (from, to) in [(0, 3), (3, 0), (1, 2)] {
            let relation = addresses.relation(address(from), address(to), NOW);
            assert_eq!(relation, Relation::Apart);
        }
        assert!(!addresses.learn(address(3), address(0), false, NOW));
        let other = addresses.relation(address(0), address(9), NOW);
        assert_eq!(other, Relation::Unknown);
    }

    /// Two lessons for an address, however many there are.
    #[test]
    fn an_address_that_declined_twice_is_alone() {
        let mut addresses = Addresses::new(NOW);
        addresses.learn(address(0), address(2), false, NOW);
        addresses.learn(address(1), address(2), false, NOW);
        for other in [0, 1, 3, 9] {
            let relation = addresses.relation(address(other), address(2), NOW);
            assert_eq!(relation, Relation::Apart, "{other}");
        }
        let between = addresses.relation(address(0), address(1), NOW);
        assert_eq!(between, Relation::Unknown);
    }

    /// What proves wrong is forgotten: about the address that declines, not about the others.
    #[test]
    fn a_group_loses_an_address_that_declines() {
        let mut addresses = Addresses::new(NOW);
        addresses.learn(address(0), address(1), true, NOW);
        addresses.learn(address(0), address(2), true, NOW);
        assert!(addresses.learn(address(0), address(2), false, NOW));
        let relation = |from, to| addresses.relation(address(from), address(to), NOW);
        assert_eq!(relation(0, 2), Relation::Unknown);
        assert_eq!(relation(0, 1), Relation::Same);
    }

    #[test]
    fn what_was_apart_may_be_one() {
        let mut addresses = Addresses::new(NOW);
        addresses.learn(address(0), address(1), false, NOW);
        assert!(addresses.learn(address(0), address(1), true, NOW));
        let relation = addresses.relation(address(1), address(0), NOW);
        assert_eq!(relation, Relation::Same);
    }

    #[test]
    fn it_is_forgotten_after_an_hour() {
        let mut addresses = Addresses::new(NOW);
        addresses.learn(address(0), address(1), false, NOW);
        let relation = |now| addresses.relation(address(0), address(1), now);
        assert_eq!(relation(NOW.after(KNOWN_FOR / 2)), Relation::Apart);
        assert_eq!(relation(NOW.after(KNOWN_FOR)), Relation::Unknown);
        let later = NOW.after(KNOWN_FOR);
        assert!(addresses.learn(address(0), address(1), false, later));
        // A clock that was set back.
        assert_eq!(
            addresses.relation(address(0), address(1), NOW),
            Relation::Unknown
        );
    }

    proptest! {
        /// Bounded, symmetric, and right about what was learned last, whatever is learned.
        #[test]
        fn it_keeps_its_invariants(
            lessons in prop::collection::vec((0..20_u32, 0..20_u32, any::<bool>(), 0..100_u64), 300)
        ) {
            let mut addresses = Addresses::new(NOW);
            let mut now = NOW;
            for (from, to, resumed, seconds) in lessons {
                now = now.after(Duration::from_secs(seconds));
                let (from, to) = (address(from), address(to));
                let taught = addresses.learn(from, to, resumed, now);
                prop_assert!(addresses.known.len() <= MOST);
                let after = addresses.relation(from, to, now);
                prop_assert_eq!(addresses.relation(to, from, now), after);
                match (after, resumed) {
                    (Relation::Apart, true) | (Relation::Same, false) => {
                        prop_assert!(!taught && (from == to || addresses.known.len() == MOST));
                    }
                    _ => {}
                }
                for one in 0..MOST {
                    for other in 0..MOST {
                        let apart = addresses.apart[one] & bit(other) != 0;
                        prop_assert_eq!(apart, addresses.apart[other] & bit(one) != 0);
                        let used = addresses.known.iter().any(|(_, group)| *group == one);
                        prop_assert!(!apart || (used && one != other));
                    }
                }
            }
        }
    }
}
