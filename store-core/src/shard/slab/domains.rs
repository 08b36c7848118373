//! The security domains of a shard's servers, and which of them have more than an equal share.

use hashbrown::HashTable;

use crate::SecurityDomain;

/// The domains that have a server in a shard. Those that exceed an equal share are marked when room
/// is needed: it is made among their servers.
pub(super) struct Domains {
    table: HashTable<Slot>,
    slots: Vec<Servers>,
    vacant: Vec<Slot>,
}

/// The number of a domain, valid while it has a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(u32);

/// The servers of a domain.
struct Servers {
    domain: SecurityDomain,
    // invariant: 0 only if the slot is vacant
    count: usize,
    /// Bytes that they cost, when the domains were marked last.
    bytes: usize,
    exceeds: bool,
}

impl Domains {
    /// No domains; allocates nothing.
    pub(super) fn new() -> Self {
        Self {
            table: HashTable::new(),
            slots: Vec::new(),
            vacant: Vec::new(),
        }
    }

    /// The number of domains.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }

    pub(super) fn find(&self, domain: &SecurityDomain) -> Option<Slot> {
        let matches = |slot: &Slot| self.slots[slot.as_usize()].domain == *domain;
        self.table.find(hash(domain), matches).copied()
    }

    /// Counts one more server of a domain.
    pub(super) fn enter(&mut self, domain: &SecurityDomain) -> Slot {
        let slot = self.find(domain).unwrap_or_else(|| self.insert(domain));
        self.slots[slot.as_usize()].count += 1;
        slot
    }

    fn insert(&mut self, domain: &SecurityDomain) -> Slot {
        let new = Servers {
            domain: *domain,
            count: 0,
            bytes: 0,
            exceeds: true,
        };
        let slot = if let Some(slot) = self.vacant.pop() {
            self.slots[slot.as_usize()] = new;
            slot
        } else {
            self.slots.push(new);
            Slot(u32::try_from(self.slots.len() - 1).expect("no more domains than servers"))
        };
        let slots = &self.slots;
        let hash_of = |slot: &Slot| hash(&slots[slot.as_usize()].domain);
        self.table.insert_unique(hash(domain), slot, hash_of);
        slot
    }

    /// Counts one server of a domain less.
    pub(super) fn leave(&mut self, slot: Slot) {
        let Servers { domain, count, .. } = &mut self.slots[slot.as_usize()];
        *count -= 1;
        if *count > 0 {
            return;
        }
        if let Ok(entry) = self.table.find_entry(hash(domain), |found| *found == slot) {
            entry.remove();
        }
        self.vacant.push(slot);
    }

    /// Whether a domain is marked.
    #[inline]
    pub(super) fn exceeds(&self, slot: Slot) -> bool {
        self.slots[slot.as_usize()].exceeds
    }

    /// Marks all domains.
    pub(super) fn mark_all(&mut self) {
        for domain in &mut self.slots {
            domain.exceeds = true;
        }
    }

    /// Marks the domains that have more than an equal share of `most` servers.
    pub(super) fn mark_by_servers(&mut self, most: usize) {
        let share = most / self.len().max(1);
        for domain in &mut self.slots {
            domain.exceeds = domain.count > share;
        }
    }

    /// Marks the domains whose servers, all of them in `servers`, cost more than an equal share of
    /// `most` bytes.
    pub(super) fn mark_by_bytes(
        &mut self,
        most: usize,
        servers: impl Iterator<Item = (Slot, usize)>,
    ) {
        let share = most / self.len().max(1);
        for domain in &mut self.slots {
            domain.bytes = 0;
        }
        for (slot, bytes) in servers {
            self.slots[slot.as_usize()].bytes += bytes;
        }
        for domain in &mut self.slots {
            domain.exceeds = domain.bytes > share;
        }
    }
}

impl Slot {
    #[inline]
    fn as_usize(self) -> usize {
        self.0 as usize // lossless, as for `Index`
    }
}

/// A domain is a digest, and part of it is as random as the whole.
fn hash(domain: &SecurityDomain) -> u64 {
    let first = domain.as_bytes().first_chunk().copied();
    u64::from_le_bytes(first.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(n: u8) -> SecurityDomain {
        // The same hash for all.
        let mut bytes = [7; 32];
        bytes[31] = n;
        SecurityDomain::from(bytes)
    }

    fn marked(domains: &Domains, slots: &[Slot]) -> Vec<bool> {
        slots.iter().map(|slot| domains.exceeds(*slot)).collect()
    }

    #[test]
    fn slots_are_used_again_once_their_domain_has_no_server() {
        let mut domains = Domains::new();
        let a = domains.enter(&domain(1));
        assert_eq!(domains.enter(&domain(1)), a);
        let b = domains.enter(&domain(2));
        assert_ne!(a, b);
        domains.leave(a);
        assert_eq!((domains.len(), domains.find(&domain(1))), (2, Some(a)));
        domains.leave(a);
        assert_eq!((domains.len(), domains.find(&domain(1))), (1, None));
        assert_eq!(domains.enter(&domain(3)), a);
        assert_eq!(domains.find(&domain(2)), Some(b));
    }

    #[test]
    fn domains_above_an_equal_share_are_marked() {
        let mut domains = Domains::new();
        let slots = [1, 2, 2, 3, 3, 3].map(|n| domains.enter(&domain(n)));
        let [a, _, b, .., c] = slots;
        let all = [a, b, c];
        assert_eq!(marked(&domains, &all), [true; 3]);
        domains.mark_by_servers(6);
        assert_eq!(marked(&domains, &all), [false, false, true]);
        domains.mark_by_servers(5);
        assert_eq!(marked(&domains, &all), [false, true, true]);
        domains.mark_by_bytes(30, [(a, 11), (b, 10), (c, 3)].into_iter());
        assert_eq!(marked(&domains, &all), [true, false, false]);
        domains.mark_all();
        assert_eq!(marked(&domains, &all), [true; 3]);
    }
}
