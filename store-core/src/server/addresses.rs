//! Which addresses of a server accept each other's sessions.

use std::time::Duration;

use crate::{AddressId, Timestamp};

/// The most addresses that are known of a server. Of others nothing is learned.
const MOST: usize = 16;
/// That addresses are apart is forgotten after this time: keys of servers change. Learning it again costs
/// each address two full handshakes at most, which it would have made without a session, too.
const APART_FOR: Duration = Duration::from_secs(60 * 60);
/// An address that has declined the sessions of so many others, or given what they declined, shares its keys
/// with none.
const ALONE: u32 = 2;
/// So many declines that teach something do not count as declines, until one resumes.
const FREE_LESSONS: u8 = 16;

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
/// do not. 250 bytes at most, which do not count as the server's.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    // `MOST` at most.
    known: Vec<Known>,
    // For each group, a bit for each group that it is apart from.
    // invariant: symmetric; 0 for a group without an address
    apart: [u16; MOST],
    // Since when it is known which are apart.
    since: Timestamp,
    // Declines that taught something, since a session was last resumed at another address.
    lessons: u8,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    address: AddressId,
    group: u8,
    /// The last session of another of its group was declined there: either keys have changed, or it has
    /// left the group.
    is_doubtful: bool,
}

impl Addresses {
    /// Nothing is known.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            known: Vec::new(),
            apart: [0; MOST],
            since: now,
            lessons: 0,
        }
    }

    /// Whether a session that `from` gave is of use at `to`.
    pub(crate) fn relation(&self, from: AddressId, to: AddressId, now: Timestamp) -> Relation {
        if from == to {
            return Relation::Same;
        }
        let groups = [from, to].map(|address| self.group(address));
        match groups {
            [Some(one), Some(other)] if one == other => Relation::Same,
            _ if self.is_outdated(now) => Relation::Unknown,
            [Some(one), Some(other)] if self.are_apart(one, other) => Relation::Apart,
            groups
                if groups
                    .into_iter()
                    .flatten()
                    .any(|group| self.is_alone(group)) =>
            {
                Relation::Apart
            }
            _ => Relation::Unknown,
        }
    }

    /// A session that `from` gave was resumed at `to`, or declined. Returns whether the outcome tells of
    /// their keys alone, and not of the server.
    ///
    /// What proves wrong is forgotten. A group stays when keys change: the first decline after it is no
    /// sign, the second without a resumption between them is.
    pub(crate) fn learn(
        &mut self,
        from: AddressId,
        to: AddressId,
        resumed: bool,
        now: Timestamp,
    ) -> bool {
        if from == to {
            return false;
        }
        if self.is_outdated(now) {
            self.forget_apart(now);
        }
        if resumed {
            self.lessons = 0;
        }
        match (self.relation(from, to, now), resumed) {
            (Relation::Apart, false) => false,
            (Relation::Same, resumed) => {
                let was_doubtful = self.set_doubtful(to, !resumed);
                let left = was_doubtful && !resumed;
                if left {
                    self.forget(to);
                }
                left && self.count_lesson()
            }
            (Relation::Unknown | Relation::Apart, resumed) => {
                let groups = [from, to].map(|address| self.add(address));
                let [Some(one), Some(other)] = groups else {
                    return false;
                };
                if resumed {
                    self.merge(one, other);
                    return true;
                }
                self.apart[usize::from(one)] |= bit(other);
                self.apart[usize::from(other)] |= bit(one);
                self.count_lesson()
            }
        }
    }

    /// Counts a decline that taught something. Returns whether it is one of the free ones.
    fn count_lesson(&mut self) -> bool {
        self.lessons = self.lessons.saturating_add(1);
        self.lessons <= FREE_LESSONS
    }

    fn is_outdated(&self, now: Timestamp) -> bool {
        now.since(self.since).is_none_or(|age| age >= APART_FOR)
    }

    /// Forgets which groups are apart. Those of one address say nothing else.
    fn forget_apart(&mut self, now: Timestamp) {
        let groups = self.known.clone();
        let size = |group| groups.iter().filter(|known| known.group == group).count();
        self.known.retain(|known| size(known.group) > 1);
        self.apart = [0; MOST];
        self.since = now;
    }

    fn group(&self, address: AddressId) -> Option<u8> {
        let known = self.known.iter().find(|known| known.address == address);
        known.map(|known| known.group)
    }

    fn are_apart(&self, one: u8, other: u8) -> bool {
        self.apart[usize::from(one)] & bit(other) != 0
    }

    /// Whether the group is one address that shares its keys with none.
    fn is_alone(&self, group: u8) -> bool {
        let members = self.known.iter().filter(|known| known.group == group);
        self.apart[usize::from(group)].count_ones() >= ALONE && members.count() == 1
    }

    /// Returns whether it was doubtful.
    fn set_doubtful(&mut self, address: AddressId, is_doubtful: bool) -> bool {
        let mut known = self.known.iter_mut();
        let known = known.find(|known| known.address == address);
        known.is_some_and(|known| std::mem::replace(&mut known.is_doubtful, is_doubtful))
    }

    /// The group of an address, which gets one of its own if it is new and there is room.
    fn add(&mut self, address: AddressId) -> Option<u8> {
        self.group(address).or_else(|| {
            let is_free = |group: &u8| self.known.iter().all(|known| known.group != *group);
            let mut groups = (0..MOST).filter_map(|group| u8::try_from(group).ok());
            let group = groups.find(is_free)?;
            let known = Known {
                address,
                group,
                is_doubtful: false,
            };
            let has_room = self.known.len() < MOST;
            has_room.then(|| self.known.push(known))?;
            Some(group)
        })
    }

    /// Makes two groups one, which is apart from those that either was.
    fn merge(&mut self, one: u8, other: u8) {
        for known in &mut self.known {
            if known.group == other {
                known.group = one;
            }
        }
        let apart = self.apart[usize::from(one)] | self.clear(other);
        self.clear(one);
        let apart = apart & !bit(one) & !bit(other);
        self.apart[usize::from(one)] = apart;
        for (group, bits) in (0..).zip(&mut self.apart) {
            if apart & bit(group) != 0 {
                *bits |= bit(one);
            }
        }
    }

    /// Forgets what a group is apart from, and returns it.
    fn clear(&mut self, group: u8) -> u16 {
        for bits in &mut self.apart {
            *bits &= !bit(group);
        }
        std::mem::take(&mut self.apart[usize::from(group)])
    }

    fn forget(&mut self, address: AddressId) {
        let Some(group) = self.group(address) else {
            return;
        };
        self.known.retain(|known| known.address != address);
        if self.known.iter().all(|known| known.group != group) {
            self.clear(group);
        }
    }
}

fn bit(group: u8) -> u16 {
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

    /// What proves wrong is forgotten: about the address that declines twice, not about the others.
    #[test]
    fn a_group_loses_an_address_that_declines() {
        let mut addresses = Addresses::new(NOW);
        addresses.learn(address(0), address(1), true, NOW);
        addresses.learn(address(0), address(2), true, NOW);
        for resumed in [false, true, false] {
            assert!(!addresses.learn(address(0), address(2), resumed, NOW));
        }
        assert!(addresses.learn(address(0), address(2), false, NOW));
        let relation = |from, to| addresses.relation(address(from), address(to), NOW);
        assert_eq!(relation(0, 2), Relation::Unknown);
        assert_eq!(relation(0, 1), Relation::Same);
    }

    /// Those that share keys are none of them alone, whoever else declines their sessions.
    #[test]
    fn a_group_of_several_is_not_alone() {
        let mut addresses = Addresses::new(NOW);
        addresses.learn(address(0), address(1), true, NOW);
        for other in [2, 3] {
            addresses.learn(address(0), address(other), false, NOW);
        }
        let relation = addresses.relation(address(1), address(4), NOW);
        assert_eq!(relation, Relation::Unknown);
    }

    /// R29: lessons are free only as long as something resumes.
    #[test]
    fn lessons_are_free_sixteen_times() {
        let mut addresses = Addresses::new(NOW);
        let mut free = 0;
        for hour in 0..10 {
            let now = NOW.after(hour * APART_FOR);
            for to in 1..9 {
                let (from, to) = (address(100 * hour), address(100 * hour + to));
                free += u8::from(addresses.learn(from, to, false, now));
            }
        }
        assert_eq!(free, FREE_LESSONS);
        assert!(addresses.learn(address(900), address(990), true, NOW.after(10 * APART_FOR)));
    }

    #[test]
    fn what_was_apart_may_be_one() {
        let mut addresses = Addresses::new(NOW);
        addresses.learn(address(0), address(1), false, NOW);
        assert!(addresses.learn(address(0), address(1), true, NOW));
        let relation = addresses.relation(address(1), address(0), NOW);
        assert_eq!(relation, Relation::Same);
    }

    /// Groups stay, since a wrong one shows by a decline.
    #[test]
    fn what_is_apart_is_forgotten_after_an_hour() {
        let mut addresses = Addresses::new(NOW);
        addresses.learn(address(0), address(1), false, NOW);
        addresses.learn(address(5), address(6), true, NOW);
        let relation = |now| addresses.relation(address(0), address(1), now);
        assert_eq!(relation(NOW.after(APART_FOR / 2)), Relation::Apart);
        assert_eq!(relation(NOW.after(APART_FOR)), Relation::Unknown);
        let later = NOW.after(APART_FOR);
        let same = addresses.relation(address(5), address(6), later);
        assert_eq!(same, Relation::Same);
        assert!(addresses.learn(address(0), address(1), false, later));
        // A clock that was set back.
        assert_eq!(
            addresses.relation(address(0), address(1), NOW),
            Relation::Unknown
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
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
                addresses.learn(from, to, resumed, now);
                prop_assert!(addresses.known.len() <= MOST);
                let after = addresses.relation(from, to, now);
                prop_assert_eq!(addresses.relation(to, from, now), after);
                if resumed && after == Relation::Apart {
                    prop_assert_eq!(addresses.known.len(), MOST);
                }
                for one in 0..16 {
                    for other in 0..16 {
                        let apart = addresses.are_apart(one, other);
                        prop_assert_eq!(apart, addresses.are_apart(other, one));
                        let used = addresses.known.iter().any(|known| known.group == one);
                        prop_assert!(!apart || (used && one != other));
                    }
                }
            }
        }
    }
}
