//! Ghosts: facts about servers that hold no session.

use crate::server::RememberedNeed;

/// A direct-mapped table of [`Ghost`]s: an insert overwrites the ghost that is in its slot.
///
/// It has a fixed size and is allocated once; ghosts do not count as servers in a store's limits. A
/// lost or wrong ghost costs a round trip or an eviction, never correctness.
#[derive(Debug, Default)]
pub(crate) struct Ghosts {
    // invariant: empty, or its length is a power of two
    slots: Box<[Slot]>,
}

/// The facts about one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ghost {
    /// The key-exchange group that the server chose last.
    pub(crate) hint: Option<u16>,
    /// Whether the server enters the protected segment when its next session is stored.
    pub(crate) seen_again: bool,
    /// How many single-use sessions its connections use up.
    pub(crate) need: RememberedNeed,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    // The upper half of the key's hash; its lower bits are the slot's index. Servers with equal
    // tags and indices share a ghost.
    tag: u32,
    ghost: Packed,
}

/// An optional [`Ghost`] in four bytes.
#[derive(Clone, Copy, Debug, Default)]
enum Packed {
    #[default]
    Vacant,
    WithoutHint {
        facts: Facts,
    },
    WithHint {
        facts: Facts,
        group: u16,
    },
}

/// `seen_again` in the highest bit, `need` in the others.
#[derive(Clone, Copy, Debug)]
struct Facts(u8);

impl Facts {
    const SEEN_AGAIN: u8 = 1 << 7;

    fn seen_again(self) -> bool {
        self.0 & Self::SEEN_AGAIN != 0
    }

    fn need(self) -> RememberedNeed {
        RememberedNeed::new(usize::from(self.0 & !Self::SEEN_AGAIN))
    }
}

impl From<Ghost> for Packed {
    fn from(ghost: Ghost) -> Self {
        let seen_again = if ghost.seen_again {
            Facts::SEEN_AGAIN
        } else {
            0
        };
        let facts = Facts(seen_again | ghost.need.sessions());
        match ghost.hint {
            None => Self::WithoutHint { facts },
            Some(group) => Self::WithHint { facts, group },
        }
    }
}

impl Packed {
    fn unpack(self) -> Option<Ghost> {
        let (facts, hint) = match self {
            Self::Vacant => return None,
            Self::WithoutHint { facts } => (facts, None),
            Self::WithHint { facts, group } => (facts, Some(group)),
        };
        Some(Ghost {
            hint,
            seen_again: facts.seen_again(),
            need: facts.need(),
        })
    }
}

impl Ghosts {
    /// The size of the table of a shard with these limits: below 1/32 of `bytes`, but at least 16
    /// slots; 0 for a shard below `LEAST_BYTES`.
    pub(crate) fn bytes_for(servers: usize, bytes: usize) -> usize {
        Self::len_for(servers, bytes) * size_of::<Slot>()
    }

    fn len_for(servers: usize, bytes: usize) -> usize {
        /// A shard with less has no table.
        const LEAST_BYTES: usize = 512;
        if bytes < LEAST_BYTES {
            return 0;
        }
        let affordable = bytes / (64 * size_of::<Slot>());
        let len = servers.min(affordable).clamp(16, 1 << 16);
        len.next_power_of_two()
    }

    /// Allocates the table if it is not yet there. `bytes` is from [`bytes_for`](Self::bytes_for).
    pub(crate) fn allocate(&mut self, bytes: usize) {
        if self.slots.is_empty() {
            self.slots = vec![Slot::default(); bytes / size_of::<Slot>()].into();
        }
    }

    /// Bytes that the table occupies.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val::<[Slot]>(&self.slots)
    }

    /// Stores the ghost of a server, if there is a table.
    pub(crate) fn insert(&mut self, hash: u64, ghost: Ghost) {
        if let Some(slot) = self.slot_mut(hash) {
            *slot = Slot {
                tag: tag(hash),
                ghost: Packed::from(ghost),
            };
        }
    }

    /// The ghost of a server.
    pub(crate) fn get(&self, hash: u64) -> Option<Ghost> {
        let slot = self.slots.get(index(hash, self.slots.len())?)?;
        (slot.tag == tag(hash)).then(|| slot.ghost.unpack())?
    }

    /// Removes the ghost of a server and returns it.
    pub(crate) fn take(&mut self, hash: u64) -> Option<Ghost> {
        let ghost = self.get(hash)?;
        self.slot_mut(hash)?.ghost = Packed::Vacant;
        Some(ghost)
    }

    fn slot_mut(&mut self, hash: u64) -> Option<&mut Slot> {
        let index = index(hash, self.slots.len())?;
        self.slots.get_mut(index)
    }
}

/// The index of a hash in a table of `len` slots; `None` if it is empty.
#[allow(clippy::cast_possible_truncation, reason = "the low bits are wanted")]
fn index(hash: u64, len: usize) -> Option<usize> {
    Some(hash as usize & len.checked_sub(1)?)
}

fn tag(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ghost_is_kept_until_it_is_overwritten_or_taken() {
        let mut ghosts = Ghosts::default();
        let ghost = Ghost {
            hint: Some(29),
            seen_again: true,
            need: RememberedNeed::new(64),
        };
        ghosts.insert(1, ghost);
        assert_eq!(ghosts.get(1), None, "there is no table yet");
        ghosts.allocate(Ghosts::bytes_for(10, 10_000));
        assert_eq!(ghosts.bytes(), 16 * 8);
        assert_eq!(ghosts.bytes(), Ghosts::bytes_for(10, 10_000));
        ghosts.insert(1, ghost);
        assert_eq!(ghosts.get(1), Some(ghost));
        let collides = (7 << 32) | 1;
        assert_eq!(ghosts.get(collides), None);
        ghosts.insert(collides, Ghost::default());
        assert_eq!(ghosts.get(1), None);
        assert_eq!(ghosts.take(collides), Some(Ghost::default()));
        assert_eq!(ghosts.take(collides), None);
    }
}
