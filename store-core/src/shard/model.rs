//! What a shard should do, written naively.

mod packing;
mod row;

use std::collections::{HashMap, VecDeque};

use self::row::{Row, Session};
use super::agreement::{Sizes, Tracked};
use super::evict::LOOK_FOR_EXPIRED;
use super::{EMPTIED, Want};
use crate::ghosts::{Ghost, Ghosts};
use crate::server::Need;
use crate::{Entry, Limits, Stats, Storable, Timestamp, Usage};

/// What the shard should do, written with vectors, oldest first.
pub(super) struct Model {
    limits: Limits,
    sizes: Sizes,
    once: Vec<Row>,
    again: Vec<Row>,
    emptied: Vec<Row>,
    ghosts: HashMap<u8, Ghost>,
    ghost_bytes: usize,
    has_ghosts: bool,
    unpacked: VecDeque<u64>,
    pub(super) last_id: u64,
    pub(super) stats: Stats,
    // The shard looks for expired servers only once its bound has passed: the same bound here.
    next_expiry: Timestamp,
}

impl Model {
    /// Nothing yet.
    pub(super) fn new(limits: &Limits, sizes: Sizes) -> Self {
        let ghost_bytes = Ghosts::bytes_for(limits.servers, limits.total_bytes);
        Self {
            limits: Limits {
                total_bytes: limits.total_bytes.saturating_sub(ghost_bytes),
                ..limits.clone()
            },
            sizes,
            once: Vec::new(),
            again: Vec::new(),
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

    fn bytes(&self, rows: &[Row]) -> usize {
        let costs = |row: &Row| self.sizes.fixed + row.footprint(&self.sizes);
        rows.iter().map(costs).sum()
    }

    fn all_bytes(&self) -> usize {
        self.bytes(&self.once) + self.bytes(&self.again) + self.bytes(&self.emptied)
    }

    pub(super) fn put(
        &mut self,
        name: u8,
        entry: &Entry<Tracked>,
        now: Timestamp,
        returns: bool,
    ) -> bool {
        let mut limits = self.limits.clone();
        let taken = self.sizes.fixed + self.sizes.place(entry.usage);
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

        let (mut row, seen_again) = self.check_out(name);
        let session = Session {
            id: self.last_id,
            number: entry.session.number,
            usage: entry.usage,
            received: now,
            expires,
            weight: entry.weight,
            shared,
            away: None,
        };
        row.need.given();
        let costs = self.sizes.fixed + row.footprint(&self.sizes) + entry.weight;
        if self.all_bytes() + costs > limits.total_bytes {
            limits.sessions_per_server = limits.sessions_per_server.min(row.need.sessions());
        }
        row.put(session, &limits, &self.sizes, now, &mut self.stats);
        let needed = self.sizes.fixed + row.footprint(&self.sizes);
        self.make_room(1, needed, now);
        let rows = if seen_again {
            &mut self.again
        } else {
            &mut self.once
        };
        rows.push(row);
        if seen_again {
            self.keep_share();
        }
        self.unpacked.push_back(self.last_id);
        true
    }

    fn check_out(&mut self, name: u8) -> (Row, bool) {
        for (rows, again) in [
            (&mut self.again, true),
            (&mut self.once, false),
            (&mut self.emptied, false),
        ] {
            if let Some(index) = rows.iter().position(|row| row.name == name) {
                let mut row = rows.remove(index);
                let visited = std::mem::take(&mut row.visited);
                return (row, again || visited);
            }
        }
        self.has_ghosts = true;
        let ghost = self.ghosts.remove(&name).unwrap_or_default();
        let mut row = Row::new(name, ghost.hint);
        row.need = Need::again(ghost.need);
        (row, ghost.seen_again)
    }

    /// What becomes of a row without sessions: remembered by what is worth it.
    fn leave_a_ghost(&mut self, row: &Row, seen_again: bool) {
        let ghost = Ghost {
            hint: row.hint,
            seen_again,
            need: row.need.remembered(),
        };
        if self.ghost_bytes > 0 {
            self.ghosts.insert(row.name, ghost);
        }
    }

    fn let_emptied_go(&mut self) {
        let row = self.emptied.remove(0);
        self.leave_a_ghost(&row, row.visited);
    }

    fn make_room(&mut self, servers: usize, needed: usize, now: Timestamp) {
        loop {
            let full = self.all_bytes() + needed > self.limits.total_bytes;
            if !full && self.once.len() + self.again.len() + servers <= self.limits.servers {
                return;
            }
            if full && !self.emptied.is_empty() {
                self.let_emptied_go();
                continue;
            }
            let row = self.evict(now);
            let over = row.sessions.iter().all(|session| session.expires <= now);
            let counter = if over {
                &mut self.stats.expired
            } else {
                &mut self.stats.evicted
            };
            *counter += row.sessions.len() as u64;
            self.leave_a_ghost(&row, false);
        }
    }

    fn evict(&mut self, now: Timestamp) -> Row {
        if self.next_expiry <= now {
            for rows in [&mut self.once, &mut self.again] {
                let over = |row: &Row| row.sessions.iter().all(|session| session.expires <= now);
                if let Some(index) = rows.iter().take(LOOK_FOR_EXPIRED).position(over) {
                    return rows.remove(index);
                }
            }
        }
        while !self.once.is_empty() {
            let mut row = self.once.remove(0);
            if !row.visited {
                return row;
            }
            row.visited = false;
            self.again.push(row);
            self.keep_share();
        }
        self.again.remove(0)
    }

    fn keep_share(&mut self) {
        let limits = &self.limits;
        while self.again.len() > (limits.servers * 4 / 5).max(1)
            || (self.bytes(&self.again) > limits.total_bytes / 5 * 4 && self.again.len() > 1)
        {
            let mut row = self.again.remove(0);
            row.visited = false;
            self.once.push(row);
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
        if let Some(row) = emptied.find(|row| row.name == name) {
            row.need.asked();
        }
        let found = self.visit(name, true, |row, stats| {
            row.need.asked();
            row.visited = true;
            let wanted: &[Usage] = match want {
                Want::Any => &[Usage::SingleUse, Usage::Reusable],
                Want::SingleUse | Want::SingleUseFirst => &[Usage::SingleUse],
                Want::Reusable => &[Usage::Reusable],
            };
            for &usage in wanted {
                let mut index = row.sessions.len();
                while index > 0 {
                    index -= 1;
                    let session = &row.sessions[index];
                    if session.usage != usage {
                        continue;
                    }
                    if !session.valid(now) {
                        row.sessions.remove(index);
                        stats.expired += 1;
                        continue;
                    }
                    if session.away.is_some() || (even && !session.number.is_multiple_of(2)) {
                        continue;
                    }
                    let answer = (session.id, session.number);
                    if usage == Usage::SingleUse {
                        row.sessions.remove(index);
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

    /// The numbers of the sessions that leave.
    pub(super) fn surplus(&mut self, name: u8, keep: usize, now: Timestamp) -> Vec<u64> {
        let surplus = self.visit(name, false, |row, stats| {
            let single_use = |session: &&Session| session.usage == Usage::SingleUse;
            let many = row.sessions.iter().filter(single_use).count();
            let leaving = many.saturating_sub(keep);
            let leaving: Vec<Session> = row
                .sessions
                .iter()
                .filter(single_use)
                .take(leaving)
                .filter(|session| session.away.is_none())
                .cloned()
                .collect();
            row.sessions
                .retain(|session| leaving.iter().all(|gone| gone.id != session.id));
            let valid = leaving.iter().filter(|session| session.valid(now));
            let numbers: Vec<u64> = valid.map(|session| session.number).collect();
            stats.left += numbers.len() as u64;
            stats.expired += (leaving.len() - numbers.len()) as u64;
            numbers
        });
        surplus.unwrap_or_default()
    }

    pub(super) fn available(&self, name: u8, now: Timestamp) -> (usize, bool) {
        let rows = self.again.iter().chain(&self.once);
        let sessions = rows
            .filter(|row| row.name == name)
            .flat_map(|row| &row.sessions)
            .filter(|session| session.valid(now) && session.away.is_none());
        let (single_use, reusable): (Vec<_>, Vec<_>) =
            sessions.partition(|session| session.usage == Usage::SingleUse);
        (single_use.len(), !reusable.is_empty())
    }

    /// Uses a row; if that empties it, it `waits` for the next session or goes.
    pub(super) fn visit<T>(
        &mut self,
        name: u8,
        waits: bool,
        visit: impl FnOnce(&mut Row, &mut Stats) -> T,
    ) -> Option<T> {
        for again in [true, false] {
            let rows = if again {
                &mut self.again
            } else {
                &mut self.once
            };
            let Some(index) = rows.iter().position(|row| row.name == name) else {
                continue;
            };
            let mut row = rows.remove(index);
            let result = visit(&mut row, &mut self.stats);
            if !row.sessions.is_empty() {
                rows.push(row);
                return Some(result);
            }
            row.visited |= again;
            if waits {
                row.first_expiry = Timestamp::NEVER;
                self.emptied.push(row);
                if self.emptied.len() > EMPTIED {
                    self.let_emptied_go();
                }
            } else {
                self.leave_a_ghost(&row, row.visited);
            }
            return Some(result);
        }
        None
    }

    pub(super) fn remove_where(&mut self, name: u8, gone: impl Fn(&Session) -> bool) -> u64 {
        let removed = self.visit(name, false, |row, _| {
            let before = row.sessions.len();
            row.sessions.retain(|session| !gone(session));
            (before - row.sessions.len()) as u64
        });
        let removed = removed.unwrap_or(0);
        self.stats.removed += removed;
        removed
    }

    fn rows(&mut self) -> impl Iterator<Item = &mut Row> {
        let holding = self.again.iter_mut().chain(&mut self.once);
        holding.chain(&mut self.emptied)
    }

    pub(super) fn hint(&self, name: u8) -> Option<u16> {
        let mut rows = self.again.iter().chain(&self.once).chain(&self.emptied);
        let row = rows.find(|row| row.name == name);
        row.map_or_else(|| self.ghosts.get(&name)?.hint, |row| row.hint)
    }

    pub(super) fn set_hint(&mut self, name: u8, group: u16) {
        if let Some(row) = self.rows().find(|row| row.name == name) {
            row.hint = Some(group);
        } else if self.ghost_bytes > 0 {
            self.has_ghosts = true;
            self.ghosts.entry(name).or_default().hint = Some(group);
        }
    }

    pub(super) fn clear_server(&mut self, name: u8) {
        self.ghosts.remove(&name);
        for rows in [&mut self.again, &mut self.once, &mut self.emptied] {
            if let Some(index) = rows.iter().position(|row| row.name == name) {
                self.stats.removed += rows.remove(index).sessions.len() as u64;
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.stats.removed += self.sessions().count() as u64;
        self.once.clear();
        self.again.clear();
        self.emptied.clear();
        self.ghosts.clear();
        self.has_ghosts = false;
        self.unpacked.clear();
        self.next_expiry = Timestamp::NEVER;
    }

    pub(super) fn sweep(&mut self, now: Timestamp) {
        for again in [false, true] {
            let rows = if again {
                &mut self.again
            } else {
                &mut self.once
            };
            for mut row in std::mem::take(rows) {
                if row.first_expiry <= now {
                    self.stats.expired += row.prune(now);
                    let tickets = row.tickets();
                    if row.places / 4 > tickets {
                        row.places = tickets * 2;
                    }
                    let expiries = row.sessions.iter().map(|session| session.expires);
                    row.first_expiry = expiries.min().unwrap_or(Timestamp::NEVER);
                }
                if row.sessions.is_empty() {
                    self.leave_a_ghost(&row, again || row.visited);
                } else if again {
                    self.again.push(row);
                } else {
                    self.once.push(row);
                }
            }
        }
        let rows = self.once.iter().chain(&self.again);
        let next = rows.map(|row| row.first_expiry).min();
        self.next_expiry = next.unwrap_or(Timestamp::NEVER);
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = &Session> {
        let rows = self.once.iter().chain(&self.again);
        rows.flat_map(|row| &row.sessions)
    }

    pub(super) fn stats(&self) -> Stats {
        let ghosts = if self.has_ghosts { self.ghost_bytes } else { 0 };
        Stats {
            servers: (self.once.len() + self.again.len()) as u64,
            sessions: self.sessions().count() as u64,
            bytes: (self.all_bytes() + ghosts) as u64,
            ..self.stats
        }
    }
}
