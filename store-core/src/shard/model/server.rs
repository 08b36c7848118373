//! A server of the model.

use std::collections::HashSet;
use std::time::Duration;

use crate::server::Need;
use crate::shard::tracked::Sizes;
use crate::{Limits, SharedPart, Stats, Timestamp, Usage};

#[derive(Clone, Debug)]
pub(in crate::shard) struct Session {
    pub(in crate::shard) id: u64,
    pub(in crate::shard) number: u64,
    pub(in crate::shard) usage: Usage,
    pub(super) received: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) weight: usize,
    pub(super) shared: Option<SharedPart>,
    /// Being packed: the bytes that its slot counts for its shared part.
    pub(super) packing: Option<usize>,
}

impl Session {
    pub(super) fn valid(&self, now: Timestamp) -> bool {
        now < self.expires && self.received <= now.after(Duration::from_secs(1))
    }
}

/// A server with its sessions, oldest first.
#[derive(Clone, Debug)]
pub(in crate::shard) struct Server {
    pub(super) name: u8,
    pub(in crate::shard) sessions: Vec<Session>,
    /// The allocated slots for single-use sessions.
    pub(super) slots: usize,
    pub(super) hint: Option<u16>,
    pub(super) visited: bool,
    pub(super) need: Need,
    pub(super) first_expiry: Timestamp,
}

impl Server {
    pub(super) fn new(name: u8, hint: Option<u16>) -> Self {
        Self {
            name,
            sessions: Vec::new(),
            slots: 0,
            hint,
            visited: false,
            need: Need::default(),
            first_expiry: Timestamp::NEVER,
        }
    }

    pub(super) fn single_use(&self) -> usize {
        let single_use = |session: &&Session| session.usage == Usage::SingleUse;
        self.sessions.iter().filter(single_use).count()
    }

    fn reusable(&self) -> usize {
        self.sessions.len() - self.single_use()
    }

    /// Whether a session that is not being packed shares `id`.
    pub(super) fn shares(&self, id: usize) -> bool {
        let present = self
            .sessions
            .iter()
            .filter(|session| session.packing.is_none());
        present
            .filter_map(|session| session.shared)
            .any(|shared| shared.id == id)
    }

    /// Bytes of the sessions.
    pub(super) fn weight(&self) -> usize {
        let own = self
            .sessions
            .iter()
            .map(|session| session.weight + session.packing.unwrap_or(0));
        let present = self
            .sessions
            .iter()
            .filter(|session| session.packing.is_none());
        let shared: HashSet<(usize, usize)> = present
            .filter_map(|session| session.shared)
            .map(|shared| (shared.id, shared.bytes))
            .collect();
        own.sum::<usize>() + shared.iter().map(|(_, bytes)| bytes).sum::<usize>()
    }

    /// Bytes of the sessions and of their slots.
    pub(super) fn footprint(&self, sizes: &Sizes) -> usize {
        self.weight() + self.slots * sizes.single_use + self.reusable() * sizes.reusable
    }

    /// Drops sessions that are not valid, and returns their number.
    pub(super) fn prune(&mut self, now: Timestamp) -> u64 {
        let before = self.sessions.len();
        self.sessions.retain(|session| session.valid(now));
        (before - self.sessions.len()) as u64
    }

    /// Drops the oldest single-use session.
    fn drop_oldest(&mut self) {
        let oldest = self
            .sessions
            .iter()
            .position(|session| session.usage == Usage::SingleUse);
        self.sessions.remove(oldest.expect("one more than kept"));
    }

    /// Adds a session, which is known to fit alone.
    pub(super) fn put(
        &mut self,
        session: Session,
        limits: &Limits,
        sizes: &Sizes,
        now: Timestamp,
        stats: &mut Stats,
    ) {
        let usage = session.usage;
        self.first_expiry = self.first_expiry.min(session.expires);
        if usage == Usage::Reusable {
            let before = self.sessions.len();
            self.sessions
                .retain(|session| session.usage != Usage::Reusable);
            stats.replaced += (before - self.sessions.len()) as u64;
        } else {
            let most = limits.sessions_per_server;
            if self.single_use() >= most {
                stats.expired += self.prune(now);
            }
            while self.single_use() >= most {
                self.drop_oldest();
                stats.evicted += 1;
            }
            if self.single_use() == self.slots {
                self.slots = (self.slots * 2).min(most).max(self.slots + 1);
            }
        }
        self.sessions.push(session);
        self.drop_excess(limits, sizes, Some(usage), now, stats);
    }

    /// Drops sessions that exceed the limits, except the newest one of the usage `spared`.
    pub(super) fn drop_excess(
        &mut self,
        limits: &Limits,
        sizes: &Sizes,
        spared: Option<Usage>,
        now: Timestamp,
        stats: &mut Stats,
    ) {
        let room = limits.total_bytes - sizes.fixed;
        let fits = |server: &mut Self| {
            if server.footprint(sizes) > room {
                server.slots = server.single_use();
            }
            server.weight() <= limits.server_bytes && server.footprint(sizes) <= room
        };
        if fits(self) {
            return;
        }
        stats.expired += self.prune(now);
        while !fits(self) && self.single_use() > usize::from(spared == Some(Usage::SingleUse)) {
            self.drop_oldest();
            stats.evicted += 1;
        }
        if !fits(self) && spared != Some(Usage::Reusable) {
            stats.evicted += self.reusable() as u64;
            self.sessions
                .retain(|session| session.usage == Usage::SingleUse);
        }
    }
}
