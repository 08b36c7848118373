//! A model of the shard: the same behaviour, written as simply as possible.

mod packing;
mod server;

use std::collections::{HashMap, VecDeque};

use self::server::{Server, Session};
use super::evict::EXPIRED_SEARCH;
use super::tracked::{Sizes, Tracked};
use super::{MAX_EMPTIED, Want};
use crate::ghosts::{Ghost, Ghosts};
use crate::server::Need;
use crate::{Entry, Limits, Stats, Storable, Timestamp, Usage};

/// A shard with vectors of servers, the least recently used first.
pub(super) struct Model {
    limits: Limits,
    sizes: Sizes,
    probation: Vec<Server>,
    protected: Vec<Server>,
    emptied: Vec<Server>,
    ghosts: HashMap<u8, Ghost>,
    ghost_bytes: usize,
    has_ghosts: bool,
    unpacked: VecDeque<u64>,
    pub(super) last_id: u64,
    pub(super) stats: Stats,
    // A lower bound of all expiries, as in the shard: it searches for expired servers only after
    // it.
    next_expiry: Timestamp,
}

impl Model {
    /// An empty shard.
    pub(super) fn new(limits: &Limits, sizes: Sizes) -> Self {
        let ghost_bytes = Ghosts::bytes_for(limits.servers, limits.total_bytes);
        Self {
            limits: Limits {
                total_bytes: limits.total_bytes.saturating_sub(ghost_bytes),
                ..limits.clone()
            },
            sizes,
            probation: Vec::new(),
            protected: Vec::new(),
            emptied: Vec::new(),
            ghosts: HashMap::new(),
            ghost_bytes,
            has_ghosts: false,
            unpacked: VecDeque::new(),
            last_id: 0,
            stats: Stats::default(),
            next_expiry: Timestamp::NEVER,
        }
    }

    fn bytes(&self, servers: &[Server]) -> usize {
        let costs = |server: &Server| self.sizes.fixed + server.footprint(&self.sizes);
        servers.iter().map(costs).sum()
    }

    fn all_bytes(&self) -> usize {
        self.bytes(&self.probation) + self.bytes(&self.protected) + self.bytes(&self.emptied)
    }

    pub(super) fn put(
        &mut self,
        name: u8,
        entry: &Entry<Tracked>,
        now: Timestamp,
        returns: bool,
    ) -> bool {
        let mut limits = self.limits.clone();
        let taken = self.sizes.fixed + self.sizes.slot(entry.usage);
        let room = limits.total_bytes.checked_sub(taken);
        let most = limits.session_bytes.min(limits.server_bytes);
        let most = room.map(|room| room.min(most));
        let expires = entry
            .expires
            .min(now.after(limits.lifetime(entry.usage)))
            .min(entry.established.after(limits.total_age));
        let shared = entry.session.shared_part();
        let bytes = shared.map_or(0, |shared| shared.bytes);
        let bytes = entry.weight.saturating_add(bytes);
        if most.is_none_or(|most| bytes > most) {
            self.stats.refused_too_large += 1;
            return false;
        }
        if expires <= now {
            self.stats.refused_expired += 1;
            return false;
        }
        self.last_id += 1;
        if returns {
            self.stats.returned += 1;
        } else {
            self.stats.stored += 1;
        }
        self.next_expiry = self.next_expiry.min(expires);

        let (mut server, seen_again) = self.take_or_create(name);
        let session = Session {
            id: self.last_id,
            number: entry.session.number,
            usage: entry.usage,
            received: now,
            expires,
            weight: entry.weight,
            shared,
            packing: None,
        };
        server.need.count_put();
        let costs = self.sizes.fixed + server.footprint(&self.sizes) + entry.weight;
        if self.all_bytes() + costs > limits.total_bytes {
            limits.sessions_per_server = limits.sessions_per_server.min(server.need.sessions());
        }
        server.put(session, &limits, &self.sizes, now, &mut self.stats);
        let needed = self.sizes.fixed + server.footprint(&self.sizes);
        self.make_room(1, needed, now);
        let servers = if seen_again {
            &mut self.protected
        } else {
            &mut self.probation
        };
        servers.push(server);
        if seen_again {
            self.bound_protected();
        }
        self.unpacked.push_back(self.last_id);
        true
    }

    fn take_or_create(&mut self, name: u8) -> (Server, bool) {
        for (servers, protected) in [
            (&mut self.protected, true),
            (&mut self.probation, false),
            (&mut self.emptied, false),
        ] {
            if let Some(index) = servers.iter().position(|server| server.name == name) {
                let mut server = servers.remove(index);
                let visited = std::mem::take(&mut server.visited);
                return (server, protected || visited);
            }
        }
        self.has_ghosts = true;
        let ghost = self.ghosts.remove(&name).unwrap_or_default();
        let mut server = Server::new(name, ghost.hint);
        server.need = Need::from_remembered(ghost.need);
        (server, ghost.seen_again)
    }

    fn store_ghost(&mut self, server: &Server, seen_again: bool) {
        let ghost = Ghost {
            hint: server.hint,
            seen_again,
            need: server.need.remembered(),
        };
        if self.ghost_bytes > 0 {
            self.ghosts.insert(server.name, ghost);
        }
    }

    fn remove_oldest_emptied(&mut self) {
        let server = self.emptied.remove(0);
        self.store_ghost(&server, server.visited);
    }

    fn make_room(&mut self, servers: usize, needed: usize, now: Timestamp) {
        loop {
            let full = self.all_bytes() + needed > self.limits.total_bytes;
            if !full && self.probation.len() + self.protected.len() + servers <= self.limits.servers
            {
                return;
            }
            if full && !self.emptied.is_empty() {
                self.remove_oldest_emptied();
                continue;
            }
            let server = self.evict(now);
            let over = server.sessions.iter().all(|session| session.expires <= now);
            let counter = if over {
                &mut self.stats.expired
            } else {
                &mut self.stats.evicted
            };
            *counter += server.sessions.len() as u64;
            self.store_ghost(&server, false);
        }
    }

    fn evict(&mut self, now: Timestamp) -> Server {
        if self.next_expiry <= now {
            for servers in [&mut self.probation, &mut self.protected] {
                let over =
                    |server: &Server| server.sessions.iter().all(|session| session.expires <= now);
                if let Some(index) = servers.iter().take(EXPIRED_SEARCH).position(over) {
                    return servers.remove(index);
                }
            }
        }
        while !self.probation.is_empty() {
            let mut server = self.probation.remove(0);
            if !server.visited {
                return server;
            }
            server.visited = false;
            self.protected.push(server);
            self.bound_protected();
        }
        self.protected.remove(0)
    }

    fn bound_protected(&mut self) {
        let limits = &self.limits;
        while self.protected.len() > (limits.servers * 4 / 5).max(1)
            || (self.bytes(&self.protected) > limits.total_bytes / 5 * 4
                && self.protected.len() > 1)
        {
            let mut server = self.protected.remove(0);
            server.visited = false;
            self.probation.push(server);
        }
    }

    pub(super) fn offer(
        &mut self,
        name: u8,
        want: Want,
        even: bool,
        now: Timestamp,
    ) -> Option<(u64, u64)> {
        let mut emptied = self.emptied.iter_mut();
        if let Some(server) = emptied.find(|server| server.name == name) {
            server.need.count_lookup();
        }
        let found = self.visit(name, true, |server, stats| {
            server.need.count_lookup();
            server.visited = true;
            let wanted: &[Usage] = match want {
                Want::Any => &[Usage::SingleUse, Usage::Reusable],
                Want::SingleUse | Want::SingleUseFirst => &[Usage::SingleUse],
                Want::Reusable => &[Usage::Reusable],
            };
            for &usage in wanted {
                let mut index = server.sessions.len();
                while index > 0 {
                    index -= 1;
                    let session = &server.sessions[index];
                    if session.usage != usage {
                        continue;
                    }
                    if !session.valid(now) {
                        server.sessions.remove(index);
                        stats.expired += 1;
                        continue;
                    }
                    if session.packing.is_some() || (even && !session.number.is_multiple_of(2)) {
                        continue;
                    }
                    let answer = (session.id, session.number);
                    if usage == Usage::SingleUse {
                        server.sessions.remove(index);
                        stats.taken += 1;
                    } else {
                        stats.copied += 1;
                    }
                    return Some(answer);
                }
            }
            None
        });
        let found = found.flatten();
        self.stats.offered += u64::from(found.is_some());
        self.stats.missed += u64::from(found.is_none() && want != Want::SingleUseFirst);
        found
    }

    /// Returns the numbers of the sessions that are taken out.
    pub(super) fn surplus(&mut self, name: u8, keep: usize, now: Timestamp) -> Vec<u64> {
        let surplus = self.visit(name, false, |server, stats| {
            let single_use = |session: &&Session| session.usage == Usage::SingleUse;
            let many = server.sessions.iter().filter(single_use).count();
            let count = many.saturating_sub(keep);
            let removed: Vec<Session> = server
                .sessions
                .iter()
                .filter(single_use)
                .take(count)
                .filter(|session| session.packing.is_none())
                .cloned()
                .collect();
            server
                .sessions
                .retain(|session| removed.iter().all(|other| other.id != session.id));
            let valid = removed.iter().filter(|session| session.valid(now));
            let numbers: Vec<u64> = valid.map(|session| session.number).collect();
            stats.left += numbers.len() as u64;
            stats.expired += (removed.len() - numbers.len()) as u64;
            numbers
        });
        surplus.unwrap_or_default()
    }

    pub(super) fn available(&self, name: u8, now: Timestamp) -> (usize, bool) {
        let servers = self.protected.iter().chain(&self.probation);
        let sessions = servers
            .filter(|server| server.name == name)
            .flat_map(|server| &server.sessions)
            .filter(|session| session.valid(now) && session.packing.is_none());
        let (single_use, reusable): (Vec<_>, Vec<_>) =
            sessions.partition(|session| session.usage == Usage::SingleUse);
        (single_use.len(), !reusable.is_empty())
    }

    /// Uses a server. One that this leaves without a session is kept for the next one, or removed.
    pub(super) fn visit<T>(
        &mut self,
        name: u8,
        keep_when_empty: bool,
        visit: impl FnOnce(&mut Server, &mut Stats) -> T,
    ) -> Option<T> {
        for protected in [true, false] {
            let servers = if protected {
                &mut self.protected
            } else {
                &mut self.probation
            };
            let Some(index) = servers.iter().position(|server| server.name == name) else {
                continue;
            };
            let mut server = servers.remove(index);
            let result = visit(&mut server, &mut self.stats);
            if !server.sessions.is_empty() {
                servers.push(server);
                return Some(result);
            }
            server.visited |= protected;
            if keep_when_empty {
                server.first_expiry = Timestamp::NEVER;
                self.emptied.push(server);
                if self.emptied.len() > MAX_EMPTIED {
                    self.remove_oldest_emptied();
                }
            } else {
                self.store_ghost(&server, server.visited);
            }
            return Some(result);
        }
        None
    }

    pub(super) fn remove_where(&mut self, name: u8, remove: impl Fn(&Session) -> bool) -> u64 {
        let removed = self.visit(name, false, |server, _| {
            let before = server.sessions.len();
            server.sessions.retain(|session| !remove(session));
            (before - server.sessions.len()) as u64
        });
        let removed = removed.unwrap_or(0);
        self.stats.removed += removed;
        removed
    }

    fn servers(&mut self) -> impl Iterator<Item = &mut Server> {
        let holding = self.protected.iter_mut().chain(&mut self.probation);
        holding.chain(&mut self.emptied)
    }

    pub(super) fn hint(&self, name: u8) -> Option<u16> {
        let mut servers = self
            .protected
            .iter()
            .chain(&self.probation)
            .chain(&self.emptied);
        let server = servers.find(|server| server.name == name);
        server.map_or_else(|| self.ghosts.get(&name)?.hint, |server| server.hint)
    }

    pub(super) fn set_hint(&mut self, name: u8, group: u16) {
        if let Some(server) = self.servers().find(|server| server.name == name) {
            server.hint = Some(group);
        } else if self.ghost_bytes > 0 {
            self.has_ghosts = true;
            self.ghosts.entry(name).or_default().hint = Some(group);
        }
    }

    pub(super) fn clear_server(&mut self, name: u8) {
        self.ghosts.remove(&name);
        for servers in [&mut self.protected, &mut self.probation, &mut self.emptied] {
            if let Some(index) = servers.iter().position(|server| server.name == name) {
                self.stats.removed += servers.remove(index).sessions.len() as u64;
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.stats.removed += self.sessions().count() as u64;
        self.probation.clear();
        self.protected.clear();
        self.emptied.clear();
        self.ghosts.clear();
        self.has_ghosts = false;
        self.unpacked.clear();
        self.next_expiry = Timestamp::NEVER;
    }

    pub(super) fn sweep(&mut self, now: Timestamp) {
        for protected in [false, true] {
            let servers = if protected {
                &mut self.protected
            } else {
                &mut self.probation
            };
            for mut server in std::mem::take(servers) {
                if server.first_expiry <= now {
                    self.stats.expired += server.prune(now);
                    let sessions = server.single_use();
                    if server.slots / 4 > sessions {
                        server.slots = sessions * 2;
                    }
                    let expiries = server.sessions.iter().map(|session| session.expires);
                    server.first_expiry = expiries.min().unwrap_or(Timestamp::NEVER);
                }
                if server.sessions.is_empty() {
                    self.store_ghost(&server, protected || server.visited);
                } else if protected {
                    self.protected.push(server);
                } else {
                    self.probation.push(server);
                }
            }
        }
        let servers = self.probation.iter().chain(&self.protected);
        let next = servers.map(|server| server.first_expiry).min();
        self.next_expiry = next.unwrap_or(Timestamp::NEVER);
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = &Session> {
        let servers = self.probation.iter().chain(&self.protected);
        servers.flat_map(|server| &server.sessions)
    }

    pub(super) fn stats(&self) -> Stats {
        let ghosts = if self.has_ghosts { self.ghost_bytes } else { 0 };
        Stats {
            servers: (self.probation.len() + self.protected.len()) as u64,
            sessions: self.sessions().count() as u64,
            bytes: (self.all_bytes() + ghosts) as u64,
            ..self.stats
        }
    }
}
