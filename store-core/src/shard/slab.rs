//! The servers of a shard: a slab, a map by key, and rings in the order of eviction.

mod domains;

use hashbrown::HashTable;

use self::domains::{Domains, Slot};
use crate::server::{History, Need, Server, Size};
use crate::{
    Begun, Generation, KeyRef, Limits, SecurityDomain, SessionKey, Start, Storable, Timestamp,
};

/// The rings. A server enters a ring at its newest end; the hand of eviction takes the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ring {
    /// Servers without a session, which keep their hint and their need while there is room.
    Empty,
    /// New servers, and servers that moved here because the protected ones filled their share.
    Probation,
    /// Servers that were looked up between two passes of the hand.
    Protected,
}

/// The index of a node, valid until that node is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Index(u32);

impl Index {
    /// No node.
    pub(crate) const NONE: Self = Self(u32::MAX);

    #[inline]
    fn as_usize(self) -> usize {
        // Lossless: on every platform with std's threads, a `usize` has 32 bits or more.
        self.0 as usize
    }

    fn get(self) -> Option<Self> {
        (self != Self::NONE).then_some(self)
    }
}

/// The servers of a shard, and the bytes that they cost.
pub(super) struct Slab<S> {
    table: HashTable<Index>,
    nodes: Vec<Option<Node<S>>>,
    vacant: Vec<Index>,
    domains: Domains,
    rings: Rings,
}

/// The rings, and sums over all servers.
pub(super) struct Rings {
    ends: [Ends; 3],
    // invariant: the sums of the sessions that are not packed, and of the bytes of all servers
    unpacked: usize,
    bytes: usize,
}

/// A server with its key and what is remembered of it.
pub(super) struct Node<S> {
    hash: u64,
    newer: Index,
    older: Index,
    domain: Slot,
    ring: Ring,
    /// Whether the server was looked up since the hand of eviction passed it.
    pub(super) visited: bool,
    /// The same for the hand that packs.
    pub(super) used: bool,
    pub(super) need: Need,
    pub(super) history: History,
    /// The key-exchange group that the server chose last.
    pub(super) hint: Option<u16>,
    key: SessionKey,
    pub(super) server: Server<S>,
}

#[derive(Clone, Copy)]
struct Ends {
    newest: Index,
    oldest: Index,
    len: usize,
    // invariant: the sum of the bytes that its servers cost
    bytes: usize,
}

impl<S: Storable> Slab<S> {
    /// Creates an empty slab, and allocates nothing.
    pub(super) fn new() -> Self {
        let empty = Ends {
            newest: Index::NONE,
            oldest: Index::NONE,
            len: 0,
            bytes: 0,
        };
        Self {
            table: HashTable::new(),
            nodes: Vec::new(),
            vacant: Vec::new(),
            domains: Domains::new(),
            rings: Rings {
                ends: [empty; 3],
                unpacked: 0,
                bytes: 0,
            },
        }
    }

    /// The number of servers in a ring.
    #[inline]
    pub(super) fn len(&self, ring: Ring) -> usize {
        self.rings.ends[ring as usize].len
    }

    /// The number of servers.
    #[inline]
    pub(super) fn servers(&self) -> usize {
        self.nodes.len() - self.vacant.len()
    }

    /// The number of sessions that are not packed; 0 if their type has no packed form.
    #[inline]
    pub(super) fn unpacked(&self) -> usize {
        self.rings.unpacked
    }

    /// Bytes that all servers cost.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.rings.bytes
    }

    /// Bytes that the servers of a ring cost.
    pub(super) fn bytes_of(&self, ring: Ring) -> usize {
        self.rings.ends[ring as usize].bytes
    }

    #[inline]
    pub(super) fn find(&self, hashed: &HashedKey<'_>) -> Option<Index> {
        let matches = |index: &Index| {
            self.get(*index)
                .is_some_and(|node| node.hash == hashed.hash && node.key.matches(&hashed.key))
        };
        self.table.find(hashed.hash, matches).copied()
    }

    /// The node of a server, which is probably still at `index`.
    #[inline]
    pub(super) fn find_at(&self, index: Index, hashed: &HashedKey<'_>) -> Option<Index> {
        if self.is_at(index, hashed) {
            return Some(index);
        }
        self.find_again(hashed)
    }

    /// Whether a server is at `index`.
    #[inline]
    pub(super) fn is_at(&self, index: Index, hashed: &HashedKey<'_>) -> bool {
        let node = self.get(index);
        node.is_some_and(|node| node.key.matches(&hashed.key))
    }

    /// The node of a server, which is added if it is not there.
    #[cold]
    pub(super) fn find_or_insert(&mut self, hashed: &HashedKey<'_>) -> Index {
        let found = self.find(hashed);
        found.unwrap_or_else(|| self.insert(hashed, Ring::Probation))
    }

    #[cold]
    fn find_again(&self, hashed: &HashedKey<'_>) -> Option<Index> {
        self.find(hashed)
    }

    #[inline]
    pub(super) fn get(&self, index: Index) -> Option<&Node<S>> {
        self.nodes.get(index.as_usize())?.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: Index) -> Option<&mut Node<S>> {
        self.nodes.get_mut(index.as_usize())?.as_mut()
    }

    /// The node at an index, and the sums to which a change of it is to be [added](Rings::count_change).
    #[inline]
    pub(super) fn get_counted(&mut self, index: Index) -> Option<(&mut Node<S>, &mut Rings)> {
        let node = self.nodes.get_mut(index.as_usize())?.as_mut()?;
        Some((node, &mut self.rings))
    }

    /// Adds a server to the newest end of `ring`.
    pub(super) fn insert(&mut self, hashed: &HashedKey<'_>, ring: Ring) -> Index {
        let node = Some(Node {
            hash: hashed.hash,
            newer: Index::NONE,
            older: Index::NONE,
            domain: self.domains.enter(hashed.key.domain()),
            ring,
            visited: false,
            used: false,
            need: Need::default(),
            history: History::default(),
            hint: None,
            key: hashed.key.to_key(),
            server: Server::new(),
        });
        let index = if let Some(index) = self.vacant.pop() {
            self.nodes[index.as_usize()] = node;
            index
        } else {
            if self.nodes.len() == self.nodes.capacity() {
                // By an eighth, not to twice the size: a full shard never uses the rest.
                self.nodes.reserve_exact(4.max(self.nodes.len() / 8));
            }
            self.nodes.push(node);
            Index(u32::try_from(self.nodes.len() - 1).expect("no shard has as many servers"))
        };
        let nodes = &self.nodes;
        let hash = |index: &Index| nodes[index.as_usize()].as_ref().map_or(0, |node| node.hash);
        self.table.insert_unique(hashed.hash, index, hash);
        self.link(index, ring);
        index
    }

    /// Removes a server.
    pub(super) fn remove(&mut self, index: Index) -> Option<Node<S>> {
        self.unlink(index);
        let node = self.nodes.get_mut(index.as_usize())?.take()?;
        let found = self.table.find_entry(node.hash, |found| *found == index);
        if let Ok(entry) = found {
            entry.remove();
        }
        self.vacant.push(index);
        self.domains.leave(node.domain);
        self.rings.unpacked -= node.server.size().unpacked;
        Some(node)
    }

    /// Moves a server to the newest end of `ring`.
    pub(super) fn move_to(&mut self, index: Index, ring: Ring) {
        self.unlink(index);
        self.link(index, ring);
    }

    fn link(&mut self, index: Index, ring: Ring) {
        let ends = &mut self.rings.ends[ring as usize];
        let newest = std::mem::replace(&mut ends.newest, index);
        if let Some(node) = self.nodes[index.as_usize()].as_mut() {
            (node.ring, node.newer, node.older) = (ring, Index::NONE, newest);
            ends.len += 1;
            ends.bytes += node.bytes();
            self.rings.bytes += node.bytes();
        }
        match newest.get() {
            Some(newest) => self.set_newer(newest, index),
            None => self.rings.ends[ring as usize].oldest = index,
        }
    }

    fn unlink(&mut self, index: Index) {
        let Some(node) = self.get(index) else {
            return;
        };
        let (ring, newer, older, bytes) = (node.ring, node.newer, node.older, node.bytes());
        let ends = &mut self.rings.ends[ring as usize];
        ends.len -= 1;
        ends.bytes -= bytes;
        self.rings.bytes -= bytes;
        if newer == Index::NONE {
            ends.newest = older;
        }
        if older == Index::NONE {
            ends.oldest = newer;
        }
        self.set_newer(older, newer);
        if let Some(node) = self.get_mut(newer) {
            node.older = older;
        }
    }

    fn set_newer(&mut self, index: Index, newer: Index) {
        if let Some(node) = self.get_mut(index) {
            node.newer = newer;
        }
    }

    /// Changes a node and the counts that depend on it.
    #[inline]
    pub(super) fn change<T>(
        &mut self,
        index: Index,
        change: impl FnOnce(&mut Node<S>) -> T,
    ) -> Option<T> {
        let (node, rings) = self.get_counted(index)?;
        let before = node.server.size();
        let result = change(node);
        rings.count_change(node, before);
        Some(result)
    }

    /// The server that has been in a ring longest.
    #[inline]
    pub(super) fn oldest(&self, ring: Ring) -> Option<Index> {
        self.rings.ends[ring as usize].oldest.get()
    }

    /// Marks the security domains that have more than an equal share of what is short: of servers
    /// if there are too many, else of bytes. With one domain, that one.
    pub(super) fn mark_excess(&mut self, limits: &Limits) {
        if self.domains.len() <= 1 {
            self.domains.mark_all();
        } else if self.servers() > limits.servers {
            self.domains.mark_by_servers(limits.servers);
        } else {
            let nodes = self.nodes.iter().flatten();
            let costs = nodes.map(|node| (node.domain, node.bytes()));
            self.domains.mark_by_bytes(limits.total_bytes, costs);
        }
    }

    /// Marks all security domains.
    pub(super) fn mark_all(&mut self) {
        self.domains.mark_all();
    }

    /// The server that has been in a ring longest, of those in a marked domain.
    pub(super) fn oldest_marked(&self, ring: Ring) -> Option<Index> {
        self.marked_from(self.rings.ends[ring as usize].oldest)
    }

    /// The next newer server in the same ring and a marked domain.
    pub(super) fn newer_marked(&self, index: Index) -> Option<Index> {
        self.marked_from(self.get(index)?.newer)
    }

    fn marked_from(&self, mut index: Index) -> Option<Index> {
        while let Some(node) = self.get(index) {
            if self.domains.exceeds(node.domain) {
                return Some(index);
            }
            index = node.newer;
        }
        None
    }

    /// The servers of a security domain.
    pub(super) fn of_domain(&self, domain: &SecurityDomain) -> Vec<Index> {
        let Some(slot) = self.domains.find(domain) else {
            return Vec::new();
        };
        let is_in_domain = |index: &Index| self.get(*index).is_some_and(|it| it.domain == slot);
        let indices = (0..).map(Index).take(self.slots());
        indices.filter(is_in_domain).collect()
    }

    /// The number of nodes, vacant ones included.
    pub(super) fn slots(&self) -> usize {
        self.nodes.len()
    }

    /// Moves `hand`, the number of a slot, to the next one, and returns the server in the slot that
    /// it leaves, if that is not vacant.
    #[inline]
    pub(super) fn pass(&self, hand: &mut u32) -> Option<Index> {
        let passed = Index(*hand);
        let next = passed.as_usize() + 1;
        *hand = if next < self.slots() { *hand + 1 } else { 0 };
        self.get(passed).map(|_| passed)
    }

    /// All servers, in any order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Node<S>> {
        self.nodes.iter().flatten()
    }

    pub(super) fn into_servers(self) -> impl Iterator<Item = Server<S>> {
        self.nodes.into_iter().flatten().map(|node| node.server)
    }
}

impl Rings {
    /// Updates the sums after a change to the sessions of a node, which had the size `before`.
    #[inline]
    pub(super) fn count_change<S: Storable>(&mut self, node: &Node<S>, before: Size) {
        let after = node.server.size();
        if S::PACKS {
            self.unpacked = self.unpacked - before.unpacked + after.unpacked;
        }
        let grown = after.footprint.wrapping_sub(before.footprint);
        let bytes = &mut self.ends[node.ring as usize].bytes;
        *bytes = bytes.wrapping_add(grown);
        self.bytes = self.bytes.wrapping_add(grown);
    }
}

impl<S: Storable> Node<S> {
    pub(super) fn key(&self) -> &SessionKey {
        &self.key
    }

    pub(super) fn ring(&self) -> Ring {
        self.ring
    }

    /// Bytes that the server costs, with its sessions, its node and its entry in the map.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        fixed_bytes::<S>(&self.key.as_key()) + self.server.footprint()
    }
}

/// Bytes that a server without sessions costs.
#[inline]
pub(super) fn fixed_bytes<S>(key: &KeyRef<'_>) -> usize {
    // An index and a byte of its hash, in a table that is between 7/16 and 7/8 full.
    const TABLE: usize = 2 * (size_of::<Index>() + 1);
    let node = size_of::<Option<Node<S>>>();
    // The slab grows by an eighth, so a sixteenth is vacant.
    node + node / 16 + TABLE + key.heap_bytes()
}

/// A key with its hash, so that a connection hashes it once.
#[derive(Clone, Copy)]
pub(crate) struct HashedKey<'a> {
    pub(crate) hash: u64,
    pub(crate) key: KeyRef<'a>,
}

impl HashedKey<'_> {
    /// What a connection to a server begins with that is not known.
    #[inline]
    pub(crate) fn start<S>(&self, generation: Generation, now: Timestamp) -> Start<S> {
        Start {
            begun: Begun {
                generation,
                is_looked_up: true,
                hash: self.hash,
                index: Index::NONE,
                at: now,
                is_doubtful: false,
                reusable: None,
                address: None,
                other_address: None,
            },
            hint: None,
            offer: None,
            avoided: false,
        }
    }
}
