//! A server of the model: its sessions in one vector, oldest first.

use std::collections::HashSet;
use std::time::Duration;

use crate::server::Need;
use crate::shard::agreement::Sizes;
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
    /// Away to be packed: with the bytes that its place keeps for what it shared.
    pub(super) away: Option<usize>,
}

impl Session {
    pub(super) fn valid(&self, now: Timestamp) -> bool {
        now < self.expires && self.received <= now.after(Duration::from_secs(1))
    }
}

/// A server.
#[derive(Clone, Debug)]
pub(in crate::shard) struct Row {
    pub(super) name: u8,
    pub(in crate::shard) sessions: Vec<Session>,
    /// For single-use sessions, taken or not.
    pub(super) places: usize,
    pub(super) hint: Option<u16>,
    pub(super) visited: bool,
    pub(super) need: Need,
    pub(super) first_expiry: Timestamp,
}

impl Row {
    pub(super) fn new(name: u8, hint: Option<u16>) -> Self {
        Self {
            name,
            sessions: Vec::new(),
            places: 0,
            hint,
            visited: false,
            need: Need::default(),
            first_expiry: Timestamp::NEVER,
        }
    }

    pub(super) fn tickets(&self) -> usize {
        let single_use = |session: &&Session| session.usage == Usage::SingleUse;
        self.sessions.iter().filter(single_use).count()
    }

    fn reusable(&self) -> usize {
        self.sessions.len() - self.tickets()
    }

    /// Whether a session that is here shares `id`.
    pub(super) fn shares(&self, id: usize) -> bool {
        let here = self
            .sessions
            .iter()
            .filter(|session| session.away.is_none());
        here.filter_map(|session| session.shared)
            .any(|shared| shared.id == id)
    }

    /// Bytes of the sessions.
    pub(super) fn weight(&self) -> usize {
        let own = self
            .sessions
            .iter()
            .map(|session| session.weight + session.away.unwrap_or(0));
        let here = self
            .sessions
            .iter()
            .filter(|session| session.away.is_none());
        let shared: HashSet<(usize, usize)> = here
            .filter_map(|session| session.shared)
            .map(|shared| (shared.id, shared.bytes))
            .collect();
        own.sum::<usize>() + shared.iter().map(|(_, bytes)| bytes).sum::<usize>()
    }

    /// The same with the places that they are held in.
    pub(super) fn footprint(&self, sizes: &Sizes) -> usize {
        self.weight() + self.places * sizes.single_use + self.reusable() * sizes.reusable
    }

    /// Drops what is not valid, and says how many.
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

    /// Adds a session as the shard does; what it shares and weighs is known to fit alone.
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
            if self.tickets() >= most {
                stats.expired += self.prune(now);
            }
            while self.tickets() >= most {
                self.drop_oldest();
                stats.evicted += 1;
            }
            if self.tickets() == self.places {
                self.places = (self.places * 2).min(most).max(self.places + 1);
            }
        }
        self.sessions.push(session);
        self.keep_within(limits, sizes, Some(usage), now, stats);
    }

    /// Drops what does not fit, but not the newest session of the usage `spared`.
    pub(super) fn keep_within(
        &mut self,
        limits: &Limits,
        sizes: &Sizes,
        spared: Option<Usage>,
        now: Timestamp,
        stats: &mut Stats,
    ) {
        let room = limits.total_bytes - sizes.fixed;
        let fits = |row: &mut Self| {
            if row.footprint(sizes) > room {
                row.places = row.tickets();
            }
            row.weight() <= limits.server_bytes && row.footprint(sizes) <= room
        };
        if fits(self) {
            return;
        }
        stats.expired += self.prune(now);
        while !fits(self) && self.tickets() > usize::from(spared == Some(Usage::SingleUse)) {
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
