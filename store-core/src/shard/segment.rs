//! Servers in the order of their use, found by a key that was hashed once.

use std::borrow::Borrow;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use lru::LruCache;

use crate::server::Server;
use crate::{KeyRef, SessionKey};

/// Servers in the order of their use, with the bytes they hold.
pub(super) struct Segment<S> {
    // invariant: no server in it is empty
    servers: LruCache<Place, Server<S>, BuildHasherDefault<Prehashed>>,
    // invariant: the sum of `server_bytes` of the servers in it
    bytes: usize,
}

impl<S> Segment<S> {
    /// An empty segment. Allocates next to nothing.
    pub(super) fn new() -> Self {
        Self {
            servers: LruCache::unbounded_with_hasher(BuildHasherDefault::default()),
            bytes: 0,
        }
    }

    /// Servers in it.
    pub(super) fn len(&self) -> usize {
        self.servers.len()
    }

    /// Bytes that they cost.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a server as the most recently used.
    pub(super) fn insert(&mut self, place: Place, server: Server<S>) {
        self.bytes += server_bytes(&place, &server);
        self.servers.push(place, server);
    }

    /// Takes a server out.
    pub(super) fn remove(&mut self, at: At<'_>) -> Option<(Place, Server<S>)> {
        let (place, server) = self.servers.pop_entry(&at as &dyn Lookup)?;
        self.bytes -= server_bytes(&place, &server);
        Some((place, server))
    }

    /// Takes the least recently used server out.
    pub(super) fn pop_oldest(&mut self) -> Option<(Place, Server<S>)> {
        let (place, server) = self.servers.pop_lru()?;
        self.bytes -= server_bytes(&place, &server);
        Some((place, server))
    }

    /// Looks at a server without counting it as used.
    pub(super) fn peek(&self, at: At<'_>) -> Option<&Server<S>> {
        self.servers.peek(&at as &dyn Lookup)
    }

    /// The same, to change what weighs nothing.
    pub(super) fn peek_mut(&mut self, at: At<'_>) -> Option<&mut Server<S>> {
        self.servers.peek_mut(&at as &dyn Lookup)
    }

    /// Uses a server, and says whether that left it empty: then it must be removed.
    pub(super) fn visit<T>(
        &mut self,
        at: At<'_>,
        visit: impl FnOnce(&mut Server<S>) -> T,
    ) -> Option<(T, bool)> {
        let server = self.servers.get_mut(&at as &dyn Lookup)?;
        let before = server.bytes();
        let result = visit(server);
        self.bytes -= before - server.bytes();
        Some((result, server.is_empty()))
    }

    /// Takes sessions out of all servers, in any order and without counting them as used; those
    /// left empty must be removed.
    pub(super) fn visit_all(&mut self, mut visit: impl FnMut(&Place, &mut Server<S>)) {
        for (place, server) in &mut self.servers {
            let before = server.bytes();
            visit(place, server);
            self.bytes -= before - server.bytes();
        }
    }

    /// The servers, the least recently used first.
    pub(super) fn oldest_first(&self) -> impl Iterator<Item = (&Place, &Server<S>)> {
        self.servers.iter().rev()
    }

    /// All servers, taken out.
    pub(super) fn into_servers(mut self) -> impl Iterator<Item = Server<S>> {
        std::iter::from_fn(move || self.servers.pop_lru().map(|(_, server)| server))
    }
}

/// Bytes a server with its sessions and its place costs.
pub(super) fn server_bytes<S>(place: &Place, server: &Server<S>) -> usize {
    fixed_bytes::<S>(place.key.as_key()) + server.bytes()
}

/// Bytes a server without sessions would cost.
pub(super) fn fixed_bytes<S>(key: KeyRef<'_>) -> usize {
    // The two links of the order, the slot of the map and the allocator's own share.
    const LINKS: usize = 48;
    size_of::<Place>() + size_of::<Server<S>>() + LINKS + key.heap_bytes()
}

/// A key with its hash, so that a server is hashed once for an operation.
#[derive(Clone)]
pub(super) struct Place {
    hash: u64,
    key: SessionKey,
}

impl Place {
    /// The place of a server that has none yet.
    pub(super) fn new(at: At<'_>) -> Self {
        Self {
            hash: at.hash,
            key: at.key.to_key(),
        }
    }

    /// The server's key.
    pub(super) fn key(&self) -> &SessionKey {
        &self.key
    }

    /// The same, borrowed.
    pub(super) fn at(&self) -> At<'_> {
        At {
            hash: self.hash,
            key: self.key.as_key(),
        }
    }
}

/// The same, borrowed.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) hash: u64,
    pub(crate) key: KeyRef<'a>,
}

/// What lets an owned key be found by a borrowed one.
trait Lookup {
    fn at(&self) -> At<'_>;
}

impl Lookup for Place {
    fn at(&self) -> At<'_> {
        self.at()
    }
}

impl Lookup for At<'_> {
    fn at(&self) -> At<'_> {
        *self
    }
}

impl<'a> Borrow<dyn Lookup + 'a> for Place {
    fn borrow(&self) -> &(dyn Lookup + 'a) {
        self
    }
}

impl PartialEq for dyn Lookup + '_ {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (self.at(), other.at());
        one.hash == other.hash && one.key == other.key
    }
}

impl Eq for dyn Lookup + '_ {}

impl Hash for dyn Lookup + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.at().hash);
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.key == other.key
    }
}

impl Eq for Place {}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// Passes on the one hash it is given.
#[derive(Default)]
struct Prehashed(u64);

impl Hasher for Prehashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Never called: keys write one u64. Correct all the same.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
