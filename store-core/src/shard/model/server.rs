//! A server of the model.

use std::collections::HashSet;
use std::time::Duration;

use crate::server::{Addresses, History, MOST_REUSABLE, Need, Relation};
use crate::shard::slab::Ring;
use crate::shard::tracked::Sizes;
use crate::{AddressId, Limits, LookUp, SharedPart, Stats, Timestamp, Usage, Want};

#[derive(Clone, Debug)]
pub(in crate::shard) struct Session {
    pub(in crate::shard) id: u64,
    pub(in crate::shard) number: u64,
    pub(in crate::shard) usage: Usage,
    pub(super) received: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) weight: usize,
    pub(super) shared: Option<SharedPart>,
    pub(super) packed: bool,
    /// Being packed: the bytes that its slot counts for its shared part.
    pub(super) packing: Option<usize>,
    /// Bytes of its application data.
    pub(in crate::shard) beside: usize,
    pub(in crate::shard) address: Option<AddressId>,
}

impl Session {
    pub(super) fn is_valid(&self, now: Timestamp) -> bool {
        now < self.expires && self.received <= now.after(Duration::from_secs(1))
    }
}

/// A server with its sessions, oldest first.
#[derive(Clone, Debug)]
pub(in crate::shard) struct Server {
    pub(super) name: u8,
    pub(super) ring: Ring,
    pub(in crate::shard) sessions: Vec<Session>,
    /// The allocated slots for all but the newest session.
    pub(super) slots: usize,
    pub(super) hint: Option<u16>,
    pub(super) visited: bool,
    pub(super) used: bool,
    pub(super) need: Need,
    pub(super) history: History,
    pub(super) addresses: Option<Addresses>,
}

impl Server {
    pub(super) fn new(name: u8, ring: Ring) -> Self {
        Self {
            name,
            ring,
            sessions: Vec::new(),
            slots: 0,
            hint: None,
            visited: false,
            used: false,
            need: Need::default(),
            history: History::default(),
            addresses: None,
        }
    }

    pub(super) fn single_use(&self) -> usize {
        let single_use = |session: &&Session| session.usage == Usage::SingleUse;
        self.sessions.iter().filter(single_use).count()
    }

    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        self.sessions.iter().all(|session| session.expires <= now)
    }

    fn present(&self) -> impl Iterator<Item = &Session> {
        let sessions = self.sessions.iter();
        sessions.filter(|session| session.packing.is_none())
    }

    /// Bytes of the sessions.
    pub(super) fn weight(&self) -> usize {
        let own = |it: &Session| it.weight + it.packing.unwrap_or(0) + it.beside;
        let own: usize = self.sessions.iter().map(own).sum();
        let shared = self.present().filter_map(|session| session.shared);
        let shared: HashSet<(usize, usize)> =
            shared.map(|shared| (shared.id, shared.bytes)).collect();
        own + shared.iter().map(|(_, bytes)| bytes).sum::<usize>()
    }

    /// Bytes of the sessions, and of the slots of all but the newest.
    pub(super) fn footprint(&self, sizes: Sizes) -> usize {
        self.weight() + self.slots * sizes.slot
    }

    /// Removes the sessions that match, and returns their number.
    pub(super) fn remove(&mut self, matches: impl Fn(&Session) -> bool) -> u64 {
        let before = self.sessions.len();
        self.sessions.retain(|session| !matches(session));
        (before - self.sessions.len()) as u64
    }

    pub(super) fn prune(&mut self, now: Timestamp, stats: &mut Stats) {
        stats.expired += self.remove(|session| !session.is_valid(now));
    }

    /// Frees unused slots after a burst.
    pub(super) fn shrink(&mut self) {
        let older = self.sessions.len().saturating_sub(1);
        if self.slots / 4 > older {
            self.slots = older * 2;
        }
    }

    /// Drops the oldest single-use session.
    fn drop_oldest(&mut self, stats: &mut Stats) {
        let single_use = |session: &Session| session.usage == Usage::SingleUse;
        let oldest = self.sessions.iter().position(single_use);
        self.sessions.remove(oldest.expect("one more than kept"));
        stats.evicted += 1;
    }

    /// Adds a session, which is known to fit alone.
    pub(super) fn put(
        &mut self,
        session: Session,
        other: Option<AddressId>,
        limits: &Limits,
        sizes: Sizes,
        now: Timestamp,
        stats: &mut Stats,
    ) {
        let (usage, most) = (session.usage, limits.sessions_per_server);
        if usage == Usage::Reusable {
            let relations = self.relations(session.address, now);
            let replaced = |(it, relation): &(&Session, Relation)| {
                let may_stay = self.addresses.is_some() || (other.is_some() && it.address == other);
                let is_same = match session.address {
                    Some(_) => *relation == Relation::Same,
                    None => it.address.is_none(),
                };
                it.usage == Usage::Reusable && (!may_stay || is_same)
            };
            let replaced: Vec<u64> = relations.filter(replaced).map(|(it, _)| it.id).collect();
            stats.replaced += self.remove(|session| replaced.contains(&session.id));
            let reusable = |it: &&Session| it.usage == Usage::Reusable;
            if self.sessions.iter().filter(reusable).count() >= MOST_REUSABLE {
                let oldest = self.sessions.iter().find(reusable).map(|it| it.id);
                stats.replaced += self.remove(|session| Some(session.id) == oldest);
            }
        } else if self.single_use() >= most {
            self.prune(now, stats);
            while self.single_use() >= most {
                self.drop_oldest(stats);
            }
        }
        let older = self.sessions.len();
        if older > self.slots {
            self.slots = (self.slots * 2).min(most).max(older);
        }
        self.sessions.push(session);
        self.drop_excess(limits, sizes, Some(usage), now, stats);
    }

    /// Sets the bytes beside the session `id`, unless it would then have more than `most`. Removes it if
    /// it is being packed.
    pub(super) fn set_beside(&mut self, id: u64, bytes: usize, most: usize, stats: &mut Stats) {
        stats.removed += self.remove(|it| it.id == id && it.packing.is_some());
        let mut sessions = self.sessions.iter_mut();
        if let Some(session) = sessions.find(|session| session.id == id) {
            let own = session.weight + session.shared.map_or(0, |shared| shared.bytes);
            session.beside = if own + bytes <= most { bytes } else { 0 };
        }
    }

    /// Drops sessions that exceed the limits, except the newest one of the usage `spared`.
    pub(super) fn drop_excess(
        &mut self,
        limits: &Limits,
        sizes: Sizes,
        spared: Option<Usage>,
        now: Timestamp,
        stats: &mut Stats,
    ) {
        let room = limits.total_bytes - sizes.fixed;
        let fits = |server: &mut Self| {
            if server.footprint(sizes) > room {
                server.slots = server.sessions.len().saturating_sub(1);
            }
            server.weight() <= limits.server_bytes && server.footprint(sizes) <= room
        };
        if fits(self) {
            return;
        }
        self.prune(now, stats);
        while !fits(self) && self.single_use() > usize::from(spared == Some(Usage::SingleUse)) {
            self.drop_oldest(stats);
        }
        let reusable = |session: &Session| session.usage == Usage::Reusable;
        let keep = usize::from(spared == Some(Usage::Reusable));
        while !fits(self) && self.sessions.iter().filter(|it| reusable(it)).count() > keep {
            let oldest = self.sessions.iter().position(reusable);
            self.sessions.remove(oldest.expect("one more than kept"));
            stats.evicted += 1;
        }
    }

    /// The sessions, and whether each is of use at `to`.
    fn relations(
        &self,
        to: Option<AddressId>,
        now: Timestamp,
    ) -> impl Iterator<Item = (&Session, Relation)> {
        self.sessions.iter().map(move |session| {
            let relation = match (session.address, to) {
                (_, None) => Relation::Same,
                (from, to) if from == to => Relation::Same,
                (None, Some(_)) => Relation::Unknown,
                (Some(from), Some(to)) => {
                    let known = self.addresses.as_ref();
                    known.map_or(Relation::Unknown, |it| it.relation(from, to, now))
                }
            };
            (session, relation)
        })
    }

    /// Whether no newer single-use session is of use where this one is, if some addresses are known to be
    /// apart.
    pub(super) fn is_newest_of_address(&self, session: &Session, now: Timestamp) -> bool {
        let newer = self.relations(session.address, now);
        let mut newer = newer.filter(|(it, _)| it.usage == Usage::SingleUse && it.id > session.id);
        self.addresses.is_some() && newer.all(|(_, relation)| relation == Relation::Apart)
    }

    /// The id, the number and the bytes beside the session that a look-up returns.
    pub(super) fn offer(
        &mut self,
        look_up: LookUp,
        accept: impl Fn(u64) -> bool,
        now: Timestamp,
        stats: &mut Stats,
    ) -> Option<(u64, u64, usize)> {
        let wanted = |session: &Session| match session.usage {
            Usage::SingleUse => look_up.want != Want::Reusable,
            Usage::Reusable => matches!(look_up.want, Want::Any | Want::Reusable),
        };
        // The best one: what it is, its id, and its place.
        let mut best: Option<((Relation, bool), u64)> = None;
        let relations = self.relations(look_up.address, now);
        let all: Vec<(Session, Relation)> = relations
            .map(|(it, relation)| (it.clone(), relation))
            .collect();
        for (session, relation) in all.iter().rev().filter(|(it, _)| wanted(it)) {
            let fit = (*relation, session.usage == Usage::SingleUse);
            if !session.is_valid(now) {
                self.remove(|it| it.id == session.id);
                stats.expired += 1;
            } else if *relation != Relation::Apart
                && session.packing.is_none()
                && accept(session.number)
                && best.is_none_or(|(other, _)| fit > other)
            {
                best = Some((fit, session.id));
            }
            if best.is_some_and(|(fit, _)| fit == (Relation::Same, true)) {
                break;
            }
        }
        let (_, id) = best?;
        let found = self
            .sessions
            .iter()
            .find(|session| session.id == id)?
            .clone();
        if found.usage == Usage::SingleUse {
            self.remove(|session| session.id == id);
            stats.taken += 1;
        } else {
            stats.copied += 1;
        }
        Some((found.id, found.number, found.beside))
    }

    /// Takes the oldest unpacked sessions out for packing, `most` at most, and returns their ids and
    /// numbers.
    pub(super) fn take_for_packing(&mut self, most: usize) -> Vec<(u64, u64)> {
        let oldest = || self.take_oldest_for_packing();
        std::iter::from_fn(oldest).take(most).collect()
    }

    fn take_oldest_for_packing(&mut self) -> Option<(u64, u64)> {
        let unpacked = |session: &Session| !session.packed && session.packing.is_none();
        let index = self.sessions.iter().position(unpacked)?;
        self.sessions[index].packing = Some(0);
        if let Some(shared) = self.sessions[index].shared {
            let shares = |session: &Session| session.shared.is_some_and(|it| it.id == shared.id);
            let alone = !self.present().any(shares);
            self.sessions[index].packing = Some(if alone { shared.bytes } else { 0 });
        }
        Some((self.sessions[index].id, self.sessions[index].number))
    }
}
