//! The servers of a shard: a map by key, and lists in the order of use.

use hashbrown::HashTable;

use crate::server::Server;
use crate::{KeyRef, SessionKey, Storable, Timestamp};

/// The lists: the two segments of a segmented LRU, and the servers without a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// New servers, and servers that moved here because the protected ones filled their share.
    Probation,
    /// Servers that were looked up.
    Protected,
    /// Servers whose last session was taken just now.
    Emptied,
}

/// The index of a server's slot, valid until that server is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Index(u32);

impl Index {
    /// The end of a list.
    const NONE: Self = Self(u32::MAX);

    #[inline]
    fn as_usize(self) -> usize {
        // Lossless: on every platform with std's threads, a `usize` has 32 bits or more.
        self.0 as usize
    }

    fn get(self) -> Option<Self> {
        (self != Self::NONE).then_some(self)
    }
}

/// The servers of a shard in the order of their use, and the bytes they cost.
///
/// A slot has the fields that are needed to find a server, to move it in its list and to check that
/// none of its sessions has expired. The server itself is in an allocation of its own, and never
/// moves in memory.
pub(super) struct Order<S> {
    table: HashTable<Index>,
    slots: Vec<Slot<S>>,
    vacant: Vec<Index>,
    lists: [List; 3],
}

struct Slot<S> {
    hash: u64,
    // The next more and the next less recently used server of the list.
    newer: Index,
    older: Index,
    // invariant: no session of the server expires before this
    first_expiry: Timestamp,
    node: Option<Box<Node<S>>>,
}

/// A server with its key.
pub(super) struct Node<S> {
    key: SessionKey,
    // Bytes that the server costs without sessions.
    fixed: usize,
    segment: Segment,
    pub(super) server: Server<S>,
}

#[derive(Clone, Copy)]
struct List {
    newest: Index,
    oldest: Index,
    len: usize,
    // invariant: the sum of the bytes that its servers cost
    bytes: usize,
}

impl List {
    const EMPTY: Self = Self {
        newest: Index::NONE,
        oldest: Index::NONE,
        len: 0,
        bytes: 0,
    };
}

impl<S: Storable> Order<S> {
    /// Creates an empty order, and allocates nothing.
    pub(super) fn new() -> Self {
        Self {
            table: HashTable::new(),
            slots: Vec::new(),
            vacant: Vec::new(),
            lists: [List::EMPTY; 3],
        }
    }

    /// The number of servers in a list.
    #[inline]
    pub(super) fn len(&self, segment: Segment) -> usize {
        self.list(segment).len
    }

    /// Bytes that all servers cost.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.lists.iter().map(|list| list.bytes).sum()
    }

    /// Bytes that the servers of a list cost.
    pub(super) fn bytes_of(&self, segment: Segment) -> usize {
        self.list(segment).bytes
    }

    /// The slot of a server.
    #[inline]
    pub(super) fn find(&self, hashed: HashedKey<'_>) -> Option<Index> {
        let matches = |index: &Index| {
            let slot = &self.slots[index.as_usize()];
            let same_key = |node: &Node<S>| node.key.matches(hashed.key);
            slot.hash == hashed.hash && slot.node.as_deref().is_some_and(same_key)
        };
        self.table.find(hashed.hash, matches).copied()
    }

    #[inline]
    pub(super) fn get(&self, index: Index) -> Option<&Node<S>> {
        self.slots.get(index.as_usize())?.node.as_deref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: Index) -> Option<&mut Node<S>> {
        self.slots.get_mut(index.as_usize())?.node.as_deref_mut()
    }

    /// The hash of a server's key.
    pub(super) fn hash(&self, index: Index) -> u64 {
        self.slots[index.as_usize()].hash
    }

    /// A lower bound of the expiries of a server's sessions.
    pub(super) fn first_expiry(&self, index: Index) -> Timestamp {
        self.slots[index.as_usize()].first_expiry
    }

    pub(super) fn set_first_expiry(&mut self, index: Index, expiry: Timestamp) {
        self.slots[index.as_usize()].first_expiry = expiry;
    }

    /// Adds a server to the map. It is in no list until [`link`](Self::link) is called.
    pub(super) fn insert(&mut self, hashed: HashedKey<'_>, server: Server<S>) -> Index {
        let slot = Slot {
            hash: hashed.hash,
            newer: Index::NONE,
            older: Index::NONE,
            first_expiry: Timestamp::NEVER,
            node: Some(Box::new(Node {
                key: hashed.key.to_key(),
                fixed: fixed_bytes::<S>(hashed.key),
                segment: Segment::Probation,
                server,
            })),
        };
        let index = if let Some(index) = self.vacant.pop() {
            self.slots[index.as_usize()] = slot;
            index
        } else {
            if self.slots.len() == self.slots.capacity() {
                // By a quarter, not to twice the size: a full shard never uses the rest.
                self.slots.reserve_exact(4.max(self.slots.len() / 4));
            }
            self.slots.push(slot);
            Index(u32::try_from(self.slots.len() - 1).expect("no shard has as many servers"))
        };
        let slots = &self.slots;
        self.table
            .insert_unique(hashed.hash, index, |index| slots[index.as_usize()].hash);
        index
    }

    /// Removes a server that is in no list.
    pub(super) fn remove(&mut self, index: Index) -> Option<Box<Node<S>>> {
        let node = self.slots[index.as_usize()].node.take()?;
        let found = self
            .table
            .find_entry(self.hash(index), |found| *found == index);
        if let Ok(entry) = found {
            entry.remove();
        }
        self.vacant.push(index);
        Some(node)
    }

    /// Adds a server that is in no list to `segment`, as the most recently used.
    #[inline]
    pub(super) fn link(&mut self, index: Index, segment: Segment) {
        let Some(node) = self.get_mut(index) else {
            return;
        };
        node.segment = segment;
        let bytes = node.bytes();
        let list = &mut self.lists[segment as usize];
        let newest = std::mem::replace(&mut list.newest, index);
        list.len += 1;
        list.bytes += bytes;
        if newest == Index::NONE {
            list.oldest = index;
        } else {
            self.slots[newest.as_usize()].newer = index;
        }
        let slot = &mut self.slots[index.as_usize()];
        (slot.newer, slot.older) = (Index::NONE, newest);
    }

    /// Moves a server to `segment`, as the most recently used.
    #[inline]
    pub(super) fn move_to(&mut self, index: Index, segment: Segment) {
        if self.get(index).is_some_and(|node| node.segment == segment) {
            self.touch(index);
        } else {
            self.unlink(index);
            self.link(index, segment);
        }
    }

    /// Moves a server to the front of its list, as the most recently used.
    #[inline]
    pub(super) fn touch(&mut self, index: Index) {
        if self.slots[index.as_usize()].newer != Index::NONE
            && let Some(segment) = self.unlink(index)
        {
            self.link(index, segment);
        }
    }

    /// Changes a server, and updates the bytes of its list.
    #[inline]
    pub(super) fn change<T>(
        &mut self,
        index: Index,
        change: impl FnOnce(&mut Server<S>) -> T,
    ) -> Option<T> {
        let node = self.slots.get_mut(index.as_usize())?.node.as_deref_mut()?;
        let before = node.server.footprint();
        let result = change(&mut node.server);
        let bytes = &mut self.lists[node.segment as usize].bytes;
        *bytes = *bytes - before + node.server.footprint();
        Some(result)
    }

    /// Removes a server from its list, and returns that list's segment.
    #[inline]
    pub(super) fn unlink(&mut self, index: Index) -> Option<Segment> {
        let node = self.get(index)?;
        let (segment, bytes) = (node.segment, node.bytes());
        let (newer, older) = {
            let slot = &self.slots[index.as_usize()];
            (slot.newer, slot.older)
        };
        let list = &mut self.lists[segment as usize];
        list.len -= 1;
        list.bytes -= bytes;
        match newer.get() {
            Some(newer) => self.slots[newer.as_usize()].older = older,
            None => list.newest = older,
        }
        match older.get() {
            Some(older) => self.slots[older.as_usize()].newer = newer,
            None => self.lists[segment as usize].oldest = newer,
        }
        Some(segment)
    }

    /// The least recently used server of a list.
    pub(super) fn oldest(&self, segment: Segment) -> Option<Index> {
        self.list(segment).oldest.get()
    }

    /// The servers of a list, the least recently used first.
    pub(super) fn oldest_first(&self, segment: Segment) -> impl Iterator<Item = (Index, &Node<S>)> {
        std::iter::successors(self.oldest(segment), |index| {
            self.slots[index.as_usize()].newer.get()
        })
        .filter_map(|index| Some((index, self.get(index)?)))
    }

    /// Servers with a session that may have expired at `now`, in any order.
    pub(super) fn expiring(&self, now: Timestamp) -> Vec<Index> {
        let slots = (0..).map(Index).zip(&self.slots);
        slots
            .filter(|(_, slot)| slot.node.is_some() && slot.first_expiry <= now)
            .map(|(index, _)| index)
            .collect()
    }

    /// A lower bound of the expiries of all sessions.
    pub(super) fn next_expiry(&self) -> Timestamp {
        let taken = self.slots.iter().filter(|slot| slot.node.is_some());
        let next = taken.map(|slot| slot.first_expiry).min();
        next.unwrap_or(Timestamp::NEVER)
    }

    /// All servers, in any order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Node<S>> {
        self.slots.iter().filter_map(|slot| slot.node.as_deref())
    }

    pub(super) fn into_servers(self) -> impl Iterator<Item = Server<S>> {
        let nodes = self.slots.into_iter().filter_map(|slot| slot.node);
        nodes.map(|node| node.server)
    }

    #[inline]
    fn list(&self, segment: Segment) -> &List {
        &self.lists[segment as usize]
    }
}

impl<S: Storable> Node<S> {
    pub(super) fn key(&self) -> &SessionKey {
        &self.key
    }

    pub(super) fn segment(&self) -> Segment {
        self.segment
    }

    /// Bytes that the server costs, with its sessions, its slot and its entry in the map.
    pub(super) fn bytes(&self) -> usize {
        self.fixed + self.server.footprint()
    }
}

/// Bytes that a server without sessions costs.
pub(super) fn fixed_bytes<S>(key: KeyRef<'_>) -> usize {
    // An index and a byte of its hash, in a table that is between 7/16 and 7/8 full.
    const TABLE: usize = 2 * (size_of::<Index>() + 1);
    size_of::<Node<S>>() + size_of::<Slot<S>>() + TABLE + key.heap_bytes()
}

/// A key with its hash, so that an operation hashes it once.
#[derive(Clone, Copy)]
pub(crate) struct HashedKey<'a> {
    pub(crate) hash: u64,
    pub(crate) key: KeyRef<'a>,
}
