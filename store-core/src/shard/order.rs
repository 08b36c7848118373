//! Servers, found by a key that was hashed once, each in one of three lists in the order of use.

use hashbrown::HashTable;

use crate::server::Server;
use crate::{KeyRef, SessionKey, Storable, Timestamp};

/// The lists: servers seen once, servers seen again, and servers whose last session was just
/// taken, which wait here for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Once,
    Again,
    Emptied,
}

/// Where a server is. Good until that server is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Index(u32);

impl Index {
    /// No server's.
    const NONE: Self = Self(u32::MAX);

    #[inline]
    fn at(self) -> usize {
        // No platform of the standard library's threads has smaller addresses.
        self.0 as usize
    }

    fn some(self) -> Option<Self> {
        (self != Self::NONE).then_some(self)
    }
}

/// Servers in the order of their use, with the bytes they cost.
///
/// What is needed to find a server, to move it and to know that nothing of it has expired lies
/// close together; the server itself has its own allocation and never moves.
pub(super) struct Order<S> {
    table: HashTable<Index>,
    slots: Vec<Slot<S>>,
    vacant: Vec<Index>,
    lists: [List; 3],
}

struct Slot<S> {
    hash: u64,
    // In the direction of the more and of the less recently used.
    newer: Index,
    older: Index,
    // invariant: no session of the server expires before this
    first_expiry: Timestamp,
    node: Option<Box<Node<S>>>,
}

/// A server in its place.
pub(super) struct Node<S> {
    key: SessionKey,
    // Bytes that it costs without sessions.
    fixed: usize,
    which: Which,
    pub(super) server: Server<S>,
}

#[derive(Clone, Copy)]
struct List {
    newest: Index,
    oldest: Index,
    len: usize,
    // invariant: the sum of what its servers cost
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
    /// No servers. Allocates nothing.
    pub(super) fn new() -> Self {
        Self {
            table: HashTable::new(),
            slots: Vec::new(),
            vacant: Vec::new(),
            lists: [List::EMPTY; 3],
        }
    }

    /// Servers in a list.
    #[inline]
    pub(super) fn len(&self, which: Which) -> usize {
        self.list(which).len
    }

    /// Bytes that all servers cost.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.lists.iter().map(|list| list.bytes).sum()
    }

    /// Bytes that the servers of a list cost.
    pub(super) fn bytes_of(&self, which: Which) -> usize {
        self.list(which).bytes
    }

    /// Where a server is.
    #[inline]
    pub(super) fn find(&self, at: At<'_>) -> Option<Index> {
        let is_it = |index: &Index| {
            let slot = &self.slots[index.at()];
            let same = |node: &Node<S>| node.key.is(at.key);
            slot.hash == at.hash && slot.node.as_deref().is_some_and(same)
        };
        self.table.find(at.hash, is_it).copied()
    }

    /// A server that is there.
    #[inline]
    pub(super) fn get(&self, index: Index) -> Option<&Node<S>> {
        self.slots.get(index.at())?.node.as_deref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: Index) -> Option<&mut Node<S>> {
        self.slots.get_mut(index.at())?.node.as_deref_mut()
    }

    /// The hash of a server's key.
    pub(super) fn hash(&self, index: Index) -> u64 {
        self.slots[index.at()].hash
    }

    /// No session of the server expires before this.
    pub(super) fn first_expiry(&self, index: Index) -> Timestamp {
        self.slots[index.at()].first_expiry
    }

    pub(super) fn set_first_expiry(&mut self, index: Index, expiry: Timestamp) {
        self.slots[index.at()].first_expiry = expiry;
    }

    /// Adds a server, which is in no list yet: [`link`](Self::link) has to follow.
    pub(super) fn insert(&mut self, at: At<'_>, server: Server<S>) -> Index {
        let slot = Slot {
            hash: at.hash,
            newer: Index::NONE,
            older: Index::NONE,
            first_expiry: Timestamp::NEVER,
            node: Some(Box::new(Node {
                key: at.key.to_key(),
                fixed: fixed_bytes::<S>(at.key),
                which: Which::Once,
                server,
            })),
        };
        let index = if let Some(index) = self.vacant.pop() {
            self.slots[index.at()] = slot;
            index
        } else {
            if self.slots.len() == self.slots.capacity() {
                // By a quarter: a shard is small, and most of the time it is full.
                self.slots.reserve_exact(4.max(self.slots.len() / 4));
            }
            self.slots.push(slot);
            Index(u32::try_from(self.slots.len() - 1).expect("no shard has as many servers"))
        };
        let slots = &self.slots;
        self.table
            .insert_unique(at.hash, index, |index| slots[index.at()].hash);
        index
    }

    /// Takes a server out, which is in no list any more.
    pub(super) fn remove(&mut self, index: Index) -> Option<Box<Node<S>>> {
        let node = self.slots[index.at()].node.take()?;
        let found = self
            .table
            .find_entry(self.hash(index), |found| *found == index);
        if let Ok(entry) = found {
            entry.remove();
        }
        self.vacant.push(index);
        Some(node)
    }

    /// Makes a server that is in no list the most recently used of one.
    #[inline]
    pub(super) fn link(&mut self, index: Index, which: Which) {
        let Some(node) = self.get_mut(index) else {
            return;
        };
        node.which = which;
        let bytes = node.bytes();
        let list = &mut self.lists[which as usize];
        let newest = std::mem::replace(&mut list.newest, index);
        list.len += 1;
        list.bytes += bytes;
        if newest == Index::NONE {
            list.oldest = index;
        } else {
            self.slots[newest.at()].newer = index;
        }
        let slot = &mut self.slots[index.at()];
        (slot.newer, slot.older) = (Index::NONE, newest);
    }

    /// Makes a server that is in a list the most recently used of one.
    #[inline]
    pub(super) fn move_to(&mut self, index: Index, which: Which) {
        if self.get(index).is_some_and(|node| node.which == which) {
            self.touch(index);
        } else {
            self.unlink(index);
            self.link(index, which);
        }
    }

    /// Makes a server the most recently used of its list.
    #[inline]
    pub(super) fn touch(&mut self, index: Index) {
        if self.slots[index.at()].newer != Index::NONE
            && let Some(which) = self.unlink(index)
        {
            self.link(index, which);
        }
    }

    /// Changes a server where it is.
    #[inline]
    pub(super) fn change<T>(
        &mut self,
        index: Index,
        change: impl FnOnce(&mut Server<S>) -> T,
    ) -> Option<T> {
        let node = self.slots.get_mut(index.at())?.node.as_deref_mut()?;
        let before = node.server.footprint();
        let result = change(&mut node.server);
        let bytes = &mut self.lists[node.which as usize].bytes;
        *bytes = *bytes - before + node.server.footprint();
        Some(result)
    }

    /// Takes a server out of its list, and says which that was.
    #[inline]
    pub(super) fn unlink(&mut self, index: Index) -> Option<Which> {
        let node = self.get(index)?;
        let (which, bytes) = (node.which, node.bytes());
        let (newer, older) = {
            let slot = &self.slots[index.at()];
            (slot.newer, slot.older)
        };
        let list = &mut self.lists[which as usize];
        list.len -= 1;
        list.bytes -= bytes;
        match newer.some() {
            Some(newer) => self.slots[newer.at()].older = older,
            None => list.newest = older,
        }
        match older.some() {
            Some(older) => self.slots[older.at()].newer = newer,
            None => self.lists[which as usize].oldest = newer,
        }
        Some(which)
    }

    /// The least recently used server of a list.
    pub(super) fn oldest(&self, which: Which) -> Option<Index> {
        self.list(which).oldest.some()
    }

    /// The servers of a list, the least recently used first.
    pub(super) fn oldest_first(&self, which: Which) -> impl Iterator<Item = (Index, &Node<S>)> {
        std::iter::successors(self.oldest(which), |index| {
            self.slots[index.at()].newer.some()
        })
        .filter_map(|index| Some((index, self.get(index)?)))
    }

    /// Servers of which a session may have expired at `now`, in any order.
    pub(super) fn expiring(&self, now: Timestamp) -> Vec<Index> {
        let slots = (0..).map(Index).zip(&self.slots);
        slots
            .filter(|(_, slot)| slot.node.is_some() && slot.first_expiry <= now)
            .map(|(index, _)| index)
            .collect()
    }

    /// When the first session of any server may expire.
    pub(super) fn next_expiry(&self) -> Timestamp {
        let taken = self.slots.iter().filter(|slot| slot.node.is_some());
        let next = taken.map(|slot| slot.first_expiry).min();
        next.unwrap_or(Timestamp::NEVER)
    }

    /// All servers, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Node<S>> {
        self.slots.iter().filter_map(|slot| slot.node.as_deref())
    }

    /// All servers, taken out.
    pub(super) fn into_servers(self) -> impl Iterator<Item = Server<S>> {
        let nodes = self.slots.into_iter().filter_map(|slot| slot.node);
        nodes.map(|node| node.server)
    }

    #[inline]
    fn list(&self, which: Which) -> &List {
        &self.lists[which as usize]
    }
}

impl<S: Storable> Node<S> {
    /// The server's key.
    pub(super) fn key(&self) -> &SessionKey {
        &self.key
    }

    /// The list that it is in.
    pub(super) fn which(&self) -> Which {
        self.which
    }

    /// Bytes that the server with its sessions and its place costs.
    pub(super) fn bytes(&self) -> usize {
        self.fixed + self.server.footprint()
    }
}

/// Bytes a server without sessions costs.
pub(super) fn fixed_bytes<S>(key: KeyRef<'_>) -> usize {
    // An index and a byte of its hash, in a table that is between seven sixteenths and seven
    // eighths full.
    const TABLE: usize = 2 * (size_of::<Index>() + 1);
    size_of::<Node<S>>() + size_of::<Slot<S>>() + TABLE + key.heap_bytes()
}

/// A key with its hash, so that a server is hashed once for an operation.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) hash: u64,
    pub(crate) key: KeyRef<'a>,
}
