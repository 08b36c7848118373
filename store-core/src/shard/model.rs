//! A model of the shard: the same behaviour, written as simply as possible.

mod application_data;
mod evict;
mod server;

use self::server::{Server, Session};
use super::pack::MOST_PASSED;
use super::slab::Ring;
use super::tracked::{Sizes, Tracked};
use crate::application_data::bytes_beside;
use crate::server::Addresses;
use crate::{
    AddressId, Begun, Entry, Limits, LookUp, Outcome, Stats, Storable, Timestamp, Usage, Want,
};

/// A shard with one vector of servers, in the order in which they entered their rings.
pub(super) struct Model {
    limits: Limits,
    /// The number of security domains. A server is in that of its name, modulo this number.
    domains: u8,
    sizes: Sizes,
    servers: Vec<Server>,
    /// The slots of the slab, with the server in each, and those that are vacant, the next last.
    slots: Vec<Option<u8>>,
    vacant: Vec<usize>,
    sweep_hand: usize,
    pack_hand: usize,
    pub(super) last_id: u64,
    pub(super) stats: Stats,
}

impl Model {
    /// An empty shard.
    pub(super) fn new(limits: &Limits, domains: u8, sizes: Sizes) -> Self {
        Self {
            limits: limits.clone(),
            domains,
            sizes,
            servers: Vec::new(),
            slots: Vec::new(),
            vacant: Vec::new(),
            sweep_hand: 0,
            pack_hand: 0,
            last_id: 0,
            stats: Stats::default(),
        }
    }

    fn position(&self, name: u8) -> Option<usize> {
        self.servers.iter().position(|server| server.name == name)
    }

    fn insert(&mut self, name: u8, ring: Ring) {
        if let Some(slot) = self.vacant.pop() {
            self.slots[slot] = Some(name);
        } else {
            self.slots.push(Some(name));
        }
        self.servers.push(Server::new(name, ring));
    }

    fn remove(&mut self, position: usize) -> Server {
        let server = self.servers.remove(position);
        let taken = |slot: &Option<u8>| *slot == Some(server.name);
        let slot = self.slots.iter().position(taken).expect("each has a slot");
        self.slots[slot] = None;
        self.vacant.push(slot);
        server
    }

    fn move_to(&mut self, position: usize, ring: Ring) {
        let server = self.servers.remove(position);
        self.servers.push(Server { ring, ..server });
    }

    fn bytes(&self) -> usize {
        let costs = |server: &Server| self.sizes.fixed + server.footprint(self.sizes);
        self.servers.iter().map(costs).sum()
    }

    fn fits(&self) -> bool {
        self.servers.len() <= self.limits.servers && self.bytes() <= self.limits.total_bytes
    }

    pub(super) fn put(
        &mut self,
        name: u8,
        entry: &Entry<Tracked>,
        other: Option<AddressId>,
        now: Timestamp,
        returns: bool,
    ) -> bool {
        let mut limits = self.limits.clone();
        let room = limits.total_bytes.checked_sub(self.sizes.fixed);
        let most = limits.session_bytes.min(limits.server_bytes);
        let most = room.map(|room| room.min(most));
        let expires = entry
            .expires
            .min(now.after(limits.lifetime(entry.usage)))
            .min(entry.established.after(limits.total_age));
        let shared = entry.session.shared_part();
        let bytes = shared.map_or(0, |shared| shared.bytes);
        let beside = bytes_beside(&entry.session);
        let bytes = entry.weight.saturating_add(bytes);
        if most.is_none_or(|most| bytes > most) {
            self.stats.refused_too_large += 1;
            return false;
        }
        if entry.ticket_bytes > limits.ticket_bytes {
            self.stats.refused_ticket_too_large += 1;
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
        match self.position(name) {
            None => self.insert(name, Ring::Probation),
            Some(position) if self.servers[position].ring == Ring::Empty => {
                self.move_to(position, Ring::Probation);
            }
            Some(_) => {}
        }
        let short = self.bytes() + entry.weight > limits.total_bytes;
        let position = self.position(name).expect("inserted above");
        let server = &mut self.servers[position];
        server.need.count_put();
        if entry.usage == Usage::Reusable {
            server.history.stored_reusable();
        }
        if short {
            limits.sessions_per_server = limits.sessions_per_server.min(server.need.sessions());
        }
        let session = Session {
            id: self.last_id,
            number: entry.session.number,
            usage: entry.usage,
            received: now,
            expires,
            weight: entry.weight - beside,
            shared,
            packed: false,
            packing: None,
            beside,
            address: entry.address,
        };
        server.put(session, other, &limits, self.sizes, now, &mut self.stats);
        self.make_room(Some(name), now);
        true
    }

    fn oldest(&self, ring: Ring) -> Option<usize> {
        self.servers.iter().position(|server| server.ring == ring)
    }

    fn len(&self, ring: Ring) -> usize {
        let servers = self.servers.iter();
        servers.filter(|server| server.ring == ring).count()
    }

    /// The ids and the numbers of the sessions to pack after a put to `put`; `None` if that was
    /// refused.
    pub(super) fn next_to_pack(&mut self, put: Option<u8>) -> Vec<(u64, u64)> {
        let most = self.limits.unpacked_sessions;
        let unpacked = self.sessions().filter(|session| !session.packed).count();
        let excess = unpacked.saturating_sub(most);
        if excess == 0 {
            return Vec::new();
        }
        if most == 0 {
            let position = put.and_then(|name| self.position(name));
            return position.map_or_else(Vec::new, |it| self.servers[it].take_for_packing(excess));
        }
        for _ in 0..MOST_PASSED {
            let passed = Self::pass(&self.slots, &mut self.pack_hand);
            let Some(position) = passed.and_then(|name| self.position(name)) else {
                continue;
            };
            if std::mem::take(&mut self.servers[position].used) {
                continue;
            }
            let to_pack = self.servers[position].take_for_packing(excess);
            if !to_pack.is_empty() {
                return to_pack;
            }
        }
        Vec::new()
    }

    /// Moves a hand to the next slot, and returns the server in the one that it leaves.
    fn pass(slots: &[Option<u8>], hand: &mut usize) -> Option<u8> {
        let passed = slots.get(*hand).copied().flatten();
        *hand = if *hand + 1 < slots.len() {
            *hand + 1
        } else {
            0
        };
        passed
    }

    /// Drops the sessions of a server that are not valid, and the server with its last one.
    fn prune(&mut self, name: u8, now: Timestamp) {
        let emptied = self.change(name, |server, stats| {
            let held = !server.sessions.is_empty();
            server.prune(now, stats);
            server.shrink();
            held && server.sessions.is_empty()
        });
        let position = self.position(name).expect("it is there");
        if emptied == Some(true) && self.servers[position].history.is_plain() {
            self.remove(position);
        }
    }

    pub(super) fn offer(
        &mut self,
        name: u8,
        look_up: LookUp,
        even: bool,
        now: Timestamp,
    ) -> Option<(u64, u64, usize)> {
        let mut found = None;
        if let Some(position) = self.position(name) {
            let server = &mut self.servers[position];
            server.need.count_lookup();
            let observes = !look_up.reports || !server.history.is_plain();
            if !server.sessions.is_empty() {
                (server.visited, server.used) = (true, true);
            }
            if observes && !server.history.may_offer(look_up, now) {
                if !look_up.is_second() {
                    let holds = !server.sessions.is_empty();
                    self.stats.avoided += u64::from(holds);
                    self.stats.missed += u64::from(!holds);
                }
                return None;
            }
            if !server.sessions.is_empty() {
                let accept = |number: u64| !even || number.is_multiple_of(2);
                found = server.offer(look_up, accept, now, &mut self.stats);
                if observes && found.is_some() {
                    server.history.offered(look_up, now);
                }
            }
        }
        let is_unknown = self.position(name).is_none();
        self.stats.offered += u64::from(found.is_some());
        self.stats.missed += u64::from(found.is_none() && look_up.want != Want::SingleUseFirst);
        if is_unknown
            && !look_up.reports
            && let Some(position) = self.insert_empty(name)
        {
            self.servers[position].history.may_offer(look_up, now);
        }
        found
    }

    /// Returns the numbers of the sessions that are taken out.
    pub(super) fn surplus(&mut self, name: u8, keep: usize, now: Timestamp) -> Vec<u64> {
        let surplus = self.change(name, |server, stats| {
            let excess = server.single_use().saturating_sub(keep);
            let single_use = |it: &&Session| it.usage == Usage::SingleUse;
            let oldest = server.sessions.iter().filter(single_use).take(excess);
            let present = oldest.filter(|session| session.packing.is_none());
            let moves = |it: &&Session| keep == 0 || !server.is_newest_of_address(it, now);
            let removed: Vec<Session> = present.filter(moves).cloned().collect();
            server.remove(|session| removed.iter().any(|other| other.id == session.id));
            let valid = removed.iter().filter(|session| session.is_valid(now));
            let numbers: Vec<u64> = valid.map(|session| session.number).collect();
            stats.left += numbers.len() as u64;
            stats.expired += (removed.len() - numbers.len()) as u64;
            numbers
        });
        surplus.unwrap_or_default()
    }

    pub(super) fn available(&self, name: u8, now: Timestamp) -> (usize, bool) {
        let server = self.position(name).map(|position| &self.servers[position]);
        let sessions = server.into_iter().flat_map(|server| &server.sessions);
        let ready = sessions.filter(|it| it.is_valid(now) && it.packing.is_none());
        let (single_use, reusable): (Vec<_>, Vec<_>) =
            ready.partition(|session| session.usage == Usage::SingleUse);
        (single_use.len(), !reusable.is_empty())
    }

    /// Changes a server. One that loses its last session moves to the ring of empty ones.
    fn change<T>(
        &mut self,
        name: u8,
        change: impl FnOnce(&mut Server, &mut Stats) -> T,
    ) -> Option<T> {
        let position = self.position(name)?;
        let before = self.servers[position].sessions.len();
        let result = change(&mut self.servers[position], &mut self.stats);
        if before > 0 && self.servers[position].sessions.is_empty() {
            self.move_to(position, Ring::Empty);
        }
        Some(result)
    }

    pub(super) fn remove_where(&mut self, name: u8, matches: impl Fn(&Session) -> bool) -> u64 {
        let removed = self.change(name, |server, _| server.remove(matches));
        self.stats.removed += removed.unwrap_or(0);
        removed.unwrap_or(0)
    }

    /// Sets another form of the session `id`; `false` if it is not there, in its slot (`packed`: of
    /// one that is being packed).
    pub(super) fn set_form(
        &mut self,
        name: u8,
        id: u64,
        (form, weight): (&Tracked, usize),
        packed: bool,
        now: Timestamp,
    ) -> bool {
        let (limits, sizes) = (self.limits.clone(), self.sizes);
        let replaced = self.change(name, |server, stats| {
            let expected = |it: &&mut Session| it.id == id && it.packing.is_some() == packed;
            let session = server.sessions.iter_mut().find(expected)?;
            (session.packing, session.packed) = (None, packed);
            (session.number, session.weight) = (form.number, weight);
            session.shared = form.shared_part();
            server.drop_excess(&limits, sizes, None, now, stats);
            Some(())
        });
        self.make_room(None, now);
        replaced.flatten().is_some()
    }

    /// The server of the session `id`.
    pub(super) fn name_of(&self, id: u64) -> Option<u8> {
        let has = |server: &&Server| server.sessions.iter().any(|session| session.id == id);
        self.servers.iter().find(has).map(|server| server.name)
    }

    /// The id of a server's reusable session, if it is not being packed.
    pub(super) fn reusable(&self, name: u8) -> Option<u64> {
        let mut sessions = self.servers[self.position(name)?].sessions.iter();
        let reusable = |it: &&Session| it.usage == Usage::Reusable && it.packing.is_none();
        sessions.find(reusable).map(|session| session.id)
    }

    pub(super) fn hint(&self, name: u8) -> Option<u16> {
        self.servers[self.position(name)?].hint
    }

    pub(super) fn set_hint(&mut self, name: u8, group: u16) {
        if let Some(position) = self.position(name).or_else(|| self.insert_empty(name)) {
            self.servers[position].hint = Some(group);
        }
    }

    /// Inserts a server without a session, if there is room.
    fn insert_empty(&mut self, name: u8) -> Option<usize> {
        while self.servers.len() >= self.limits.servers
            || self.bytes() + self.sizes.fixed > self.limits.total_bytes
        {
            let oldest = self.oldest(Ring::Empty)?;
            self.remove(oldest);
        }
        self.insert(name, Ring::Empty);
        self.position(name)
    }

    pub(super) fn remember(
        &mut self,
        name: u8,
        (outcome, reusable): (Outcome, Option<u64>),
        begun: &Begun,
        now: Timestamp,
    ) {
        let fails = outcome.is_failed_offer();
        let found = self.position(name);
        let Some(position) = found.or_else(|| fails.then(|| self.insert_empty(name))?) else {
            return;
        };
        let server = &mut self.servers[position];
        let is_of_other = begun.other_address.is_some();
        let mut taught = false;
        if let (Some(from), Some(to)) = (begun.other_address, begun.address)
            && matches!(outcome, Outcome::Resumed | Outcome::Declined)
        {
            let empty = || Addresses::new(now);
            let addresses = server.addresses.get_or_insert_with(empty);
            taught = addresses.learn(from, to, outcome == Outcome::Resumed, now);
        }
        if taught && outcome == Outcome::Declined {
            server.history.declined_elsewhere();
        } else {
            server.history.ended(outcome, begun.is_doubtful, now);
        }
        let is_there = |id: &u64| server.sessions.iter().any(|session| session.id == *id);
        if let Some(id) = reusable.filter(is_there)
            && outcome == Outcome::Declined
            && !is_of_other
            && self.servers[position].history.declined_reusable()
        {
            self.remove_where(name, |session| session.id == id);
        }
    }

    pub(super) fn clear_server(&mut self, name: u8, forgets: bool) {
        let Some(position) = self.position(name) else {
            return;
        };
        self.servers[position].hint = None;
        let keeps = !forgets && !self.servers[position].history.is_plain();
        let removed = self.change(name, |server, _| server.remove(|_| true));
        self.stats.removed += removed.unwrap_or(0);
        if keeps {
            let position = self.position(name).expect("it is there");
            self.servers[position].slots = 0;
        } else {
            self.remove(self.position(name).expect("it is there"));
        }
    }

    pub(super) fn clear_domain(&mut self, domain: u8) {
        let of_domain = |server: &Server| server.name % self.domains == domain;
        // In the order of their slots, in which the shard removes them.
        let slots = self.slots.iter().flatten().copied();
        let names: Vec<u8> = slots.filter(|name| self.domain(*name) == domain).collect();
        let removed = self.servers.iter().filter(|it| of_domain(it));
        self.stats.removed += removed.map(|it| it.sessions.len() as u64).sum::<u64>();
        for name in names {
            self.remove(self.position(name).expect("it is there"));
        }
    }

    pub(super) fn clear(&mut self) {
        self.stats.removed += self.sessions().count() as u64;
        self.servers.clear();
        self.slots.clear();
        self.vacant.clear();
    }

    /// Sweeps `servers` servers at most.
    pub(super) fn sweep(&mut self, servers: usize, now: Timestamp) {
        for _ in 0..servers.min(self.slots.len()) {
            if let Some(name) = Self::pass(&self.slots, &mut self.sweep_hand) {
                self.prune(name, now);
            }
        }
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.servers.iter().flat_map(|server| &server.sessions)
    }

    pub(super) fn stats(&self) -> Stats {
        let holding = self.servers.iter().filter(|it| !it.sessions.is_empty());
        Stats {
            servers: holding.count() as u64,
            sessions: self.sessions().count() as u64,
            bytes: self.bytes() as u64,
            ..self.stats
        }
    }
}
