//! Clearing: removal, and the refusal of late puts.

use super::{HashedKey, Shard};
use crate::dropped::Dropped;
use crate::{Generation, SecurityDomain, Storable};

/// How many cleared servers and domains are remembered one by one; see [`Cleared::insert`].
const MAX_CLEARED: usize = 64;

/// What was cleared, and in which generation: puts of connections that began before are refused.
#[derive(Clone, Debug)]
pub(crate) struct Cleared {
    all: Generation,
    // invariant: oldest first, MAX_CLEARED at most
    parts: Vec<(Part, Generation)>,
}

/// A part of a store that is cleared by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A server, by the hash of its key.
    Server(u64),
    Domain(SecurityDomain),
}

impl Cleared {
    /// Nothing.
    pub(crate) fn new() -> Self {
        Self {
            all: Generation(0),
            parts: Vec::new(),
        }
    }

    /// Everything was cleared.
    pub(crate) fn clear(&mut self, generation: Generation) {
        self.all = self.all.max(generation);
        self.parts.clear();
    }

    /// A part was cleared. If there are too many, the oldest is forgotten, and late puts to all
    /// servers are refused instead: this refuses more puts than needed, never fewer.
    pub(crate) fn insert(&mut self, part: Part, generation: Generation) {
        self.parts.retain(|(cleared, _)| *cleared != part);
        if self.parts.len() >= MAX_CLEARED {
            let (_, oldest) = self.parts.remove(0);
            self.all = self.all.max(oldest);
        }
        self.parts.push((part, generation));
    }

    /// Whether a server was cleared after `begun`.
    #[inline]
    pub(super) fn covers(&self, hashed: &HashedKey<'_>, begun: Generation) -> bool {
        begun < self.all || (!self.parts.is_empty() && self.covers_part(hashed, begun))
    }

    #[cold]
    fn covers_part(&self, hashed: &HashedKey<'_>, begun: Generation) -> bool {
        self.parts.iter().any(|(part, generation)| {
            let is_part = match part {
                Part::Server(hash) => *hash == hashed.hash,
                Part::Domain(domain) => domain == hashed.key.domain(),
            };
            is_part && begun < *generation
        })
    }

    /// The last generation in which anything was cleared.
    fn latest(&self) -> Generation {
        let parts = self.parts.iter().map(|(_, cleared)| *cleared);
        parts.fold(self.all, Generation::max)
    }
}

impl<S: Storable> Shard<S> {
    /// Whether a put of a connection that began in `begun` would be refused.
    pub(crate) fn is_cleared_since(&self, hashed: &HashedKey<'_>, begun: Generation) -> bool {
        self.cleared.covers(hashed, begun)
    }

    /// Removes a server with its hint, and with `forgets` what is remembered of its handshakes.
    /// Refuses later puts of connections that began before `generation`.
    pub(crate) fn clear_server(
        &mut self,
        hashed: &HashedKey<'_>,
        generation: Generation,
        forgets: bool,
        dropped: &mut Dropped<S>,
    ) {
        if let Some(index) = self.slab.find(hashed) {
            let node = self.slab.get_mut(index);
            let keeps = node.is_some_and(|node| {
                node.hint = None;
                !forgets && !node.history.is_plain()
            });
            let removed = self.change_at(index, |server, _| server.clear(dropped));
            self.stats.removed += removed.unwrap_or(0);
            if !keeps {
                self.slab.remove(index);
            }
        }
        self.cleared.insert(Part::Server(hashed.hash), generation);
    }

    /// Removes the servers of a domain, with their hints and what is remembered of their
    /// handshakes. Refuses later puts of connections that began before `generation`.
    pub(crate) fn clear_domain(
        &mut self,
        domain: &SecurityDomain,
        generation: Generation,
        dropped: &mut Dropped<S>,
    ) {
        for index in self.slab.of_domain(domain) {
            if let Some(mut node) = self.slab.remove(index) {
                self.stats.removed += node.server.clear(dropped);
            }
        }
        self.cleared.insert(Part::Domain(*domain), generation);
    }

    /// Removes all servers, and refuses later puts of connections that began before `generation`.
    pub(crate) fn clear(&mut self, generation: Generation, dropped: &mut Dropped<S>) {
        for mut server in std::mem::replace(&mut self.slab, super::Slab::new()).into_servers() {
            self.stats.removed += server.clear(dropped);
        }
        self.cleared.clear(generation);
    }

    /// Empties the shard after a panic in the middle of a change. Keeps the counters and the
    /// refusals.
    pub(crate) fn reset(&mut self, dropped: &mut Dropped<S>) {
        self.is_changing = false;
        self.clear(self.cleared.latest(), dropped);
    }
}
