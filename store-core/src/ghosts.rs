//! What is worth remembering of servers that hold no session.

use crate::server::Remembered;

/// A fixed table of small facts about servers without a session: the group they chose, whether they
/// were seen again, and how many sessions they need. It costs no entry of the store, allocates once,
/// and forgets by being overwritten: losing a ghost costs a round trip or a place in the queue, never
/// correctness.
#[derive(Debug, Default)]
pub(crate) struct Ghosts {
    // invariant: empty, or a power of two long
    slots: Box<[Slot]>,
}

/// One server's facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ghost {
    /// The key-exchange group that the server chose last.
    pub(crate) hint: Option<u16>,
    /// Whether the server was ever offered a session.
    pub(crate) seen_again: bool,
    /// How many sessions of it are used up before the next one comes.
    pub(crate) need: Remembered,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    // The upper half of the key's hash; the lower bits are the slot's index. Two servers that
    // agree in both are taken for one.
    tag: u32,
    known: Known,
}

/// A ghost in four bytes.
#[derive(Clone, Copy, Debug, Default)]
enum Known {
    #[default]
    Nothing,
    Seen {
        seen: Seen,
    },
    Chose {
        seen: Seen,
        group: u16,
    },
}

/// Two facts in a byte.
#[derive(Clone, Copy, Debug)]
struct Seen(u8);

impl Seen {
    const AGAIN: u8 = 1 << 7;

    fn of(ghost: Ghost) -> Self {
        let again = if ghost.seen_again { Self::AGAIN } else { 0 };
        Self(again | ghost.need.sessions())
    }

    fn again(self) -> bool {
        self.0 & Self::AGAIN != 0
    }

    fn need(self) -> Remembered {
        Remembered::of(usize::from(self.0 & !Self::AGAIN))
    }
}

impl From<Ghost> for Known {
    fn from(ghost: Ghost) -> Self {
        let seen = Seen::of(ghost);
        match ghost.hint {
            None => Self::Seen { seen },
            Some(group) => Self::Chose { seen, group },
        }
    }
}

impl Known {
    fn ghost(self) -> Option<Ghost> {
        let (seen, hint) = match self {
            Self::Nothing => return None,
            Self::Seen { seen } => (seen, None),
            Self::Chose { seen, group } => (seen, Some(group)),
        };
        Some(Ghost {
            hint,
            seen_again: seen.again(),
            need: seen.need(),
        })
    }
}

impl Ghosts {
    /// Bytes of a table for some servers that together may cost `bytes`: a small part of that.
    pub(crate) fn bytes_for(servers: usize, bytes: usize) -> usize {
        Self::len_for(servers, bytes) * size_of::<Slot>()
    }

    fn len_for(servers: usize, bytes: usize) -> usize {
        /// With less, there is better use for it.
        const TOO_LITTLE: usize = 512;
        if bytes < TOO_LITTLE {
            return 0;
        }
        let affordable = bytes / (64 * size_of::<Slot>());
        let len = servers.min(affordable).clamp(16, 1 << 16);
        len.next_power_of_two()
    }

    /// Makes a table of so many bytes, which [`bytes_for`](Self::bytes_for) said, if there is none
    /// yet.
    pub(crate) fn prepare(&mut self, bytes: usize) {
        if self.slots.is_empty() {
            self.slots = vec![Slot::default(); bytes / size_of::<Slot>()].into();
        }
    }

    /// Bytes that the table occupies.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val::<[Slot]>(&self.slots)
    }

    /// Remembers a server that has no session (any more).
    pub(crate) fn set(&mut self, hash: u64, ghost: Ghost) {
        if let Some(slot) = self.slot(hash) {
            *slot = Slot {
                tag: tag(hash),
                known: Known::from(ghost),
            };
        }
    }

    /// What is known of a server.
    pub(crate) fn get(&self, hash: u64) -> Option<Ghost> {
        let slot = self.slots.get(index(hash, self.slots.len())?)?;
        (slot.tag == tag(hash)).then(|| slot.known.ghost())?
    }

    /// Forgets a server and says what was known.
    pub(crate) fn take(&mut self, hash: u64) -> Option<Ghost> {
        let ghost = self.get(hash)?;
        self.slot(hash)?.known = Known::Nothing;
        Some(ghost)
    }

    fn slot(&mut self, hash: u64) -> Option<&mut Slot> {
        let index = index(hash, self.slots.len())?;
        self.slots.get_mut(index)
    }
}

/// Where a hash belongs in a table of `len`, a power of two.
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
    fn remembers_overwrites_and_forgets() {
        let mut ghosts = Ghosts::default();
        let ghost = Ghost {
            hint: Some(29),
            seen_again: true,
            need: Remembered::of(64),
        };
        ghosts.set(1, ghost);
        assert_eq!(ghosts.get(1), None, "without room nothing is remembered");
        ghosts.prepare(Ghosts::bytes_for(10, 10_000));
        assert_eq!(ghosts.bytes(), 16 * 8);
        assert_eq!(ghosts.bytes(), Ghosts::bytes_for(10, 10_000));
        ghosts.set(1, ghost);
        assert_eq!(ghosts.get(1), Some(ghost));
        let collides = (7 << 32) | 1;
        assert_eq!(ghosts.get(collides), None);
        ghosts.set(collides, Ghost::default());
        assert_eq!(ghosts.get(1), None);
        assert_eq!(ghosts.take(collides), Some(Ghost::default()));
        assert_eq!(ghosts.take(collides), None);
    }
}
