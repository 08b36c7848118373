//! What a shard should do, written naively.

use std::collections::HashMap;
use std::time::Duration;

use super::Want;
use super::agreement::Tracked;
use super::evict::LOOK_FOR_EXPIRED;
use crate::ghosts::Ghost;
use crate::{Entry, Limits, Stats, Timestamp, Usage};

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) id: u64,
    number: u64,
    pub(super) usage: Usage,
    received: Timestamp,
    expires: Timestamp,
    weight: usize,
}

impl Session {
    fn valid(&self, now: Timestamp) -> bool {
        now < self.expires && self.received <= now.after(Duration::from_secs(1))
    }
}

/// A server.
#[derive(Clone, Debug)]
pub(super) struct Row {
    name: u8,
    pub(super) sessions: Vec<Session>,
    hint: Option<u16>,
    visited: bool,
}

/// What the shard should do, written with vectors, oldest first.
#[derive(Default)]
pub(super) struct Model {
    once: Vec<Row>,
    again: Vec<Row>,
    ghosts: HashMap<u8, Ghost>,
    fixed: usize,
    pub(super) last_id: u64,
    pub(super) stats: Stats,
    // The shard looks for expired servers only once its bound has passed: the same bound here.
    next_expiry: Option<Timestamp>,
}

impl Model {
    /// Nothing yet; a server costs `fixed` bytes without its sessions.
    pub(super) fn new(fixed: usize) -> Self {
        Self {
            fixed,
            ..Self::default()
        }
    }

    fn bytes(&self, rows: &[Row]) -> usize {
        let weight = |row: &Row| {
            row.sessions
                .iter()
                .map(|session| session.weight)
                .sum::<usize>()
        };
        rows.iter().map(|row| self.fixed + weight(row)).sum()
    }

    pub(super) fn put(
        &mut self,
        limits: &Limits,
        name: u8,
        entry: &Entry<Tracked>,
        now: Timestamp,
        returns: bool,
    ) -> bool {
        let room = limits.total_bytes.checked_sub(self.fixed);
        let most = room.unwrap_or_default().min(limits.server_bytes);
        let expires = entry
            .expires
            .min(now.after(limits.lifetime(entry.usage)))
            .min(entry.established.after(limits.total_age));
        if room.is_none() || entry.weight > limits.session_bytes.min(most) {
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
        self.next_expiry = Some(self.next_expiry.map_or(expires, |next| next.min(expires)));

        let (mut row, seen_again) = self.check_out(name);
        if entry.usage == Usage::Reusable {
            let before = row.sessions.len();
            row.sessions
                .retain(|session| session.usage != Usage::Reusable);
            self.stats.replaced += (before - row.sessions.len()) as u64;
        }
        row.sessions.push(Session {
            id: self.last_id,
            number: entry.session.number,
            usage: entry.usage,
            received: now,
            expires,
            weight: entry.weight,
        });
        let weight = |row: &Row| {
            row.sessions
                .iter()
                .map(|session| session.weight)
                .sum::<usize>()
        };
        let tickets = |row: &Row| {
            row.sessions
                .iter()
                .filter(|session| session.usage == Usage::SingleUse)
                .count()
        };
        if tickets(&row) > limits.sessions_per_server || weight(&row) > most {
            let before = row.sessions.len();
            row.sessions.retain(|session| session.valid(now));
            self.stats.expired += (before - row.sessions.len()) as u64;
        }
        while tickets(&row) > limits.sessions_per_server || weight(&row) > most {
            let newest = self.last_id;
            let oldest_ticket = row
                .sessions
                .iter()
                .position(|session| session.usage == Usage::SingleUse && session.id != newest);
            let reusable = row.sessions.iter().position(|session| session.id != newest);
            row.sessions
                .remove(oldest_ticket.or(reusable).expect("the new one fits alone"));
            self.stats.evicted += 1;
        }

        let needed = self.fixed + weight(&row);
        self.make_room(limits, needed, now);
        if seen_again {
            &mut self.again
        } else {
            &mut self.once
        }
        .push(row);
        if seen_again {
            self.keep_share(limits);
        }
        true
    }

    fn check_out(&mut self, name: u8) -> (Row, bool) {
        if let Some(index) = self.again.iter().position(|row| row.name == name) {
            return (self.again.remove(index), true);
        }
        if let Some(index) = self.once.iter().position(|row| row.name == name) {
            let mut row = self.once.remove(index);
            return (row.clone(), std::mem::take(&mut row.visited)).unvisited();
        }
        let ghost = self.ghosts.remove(&name).unwrap_or_default();
        let row = Row {
            name,
            sessions: Vec::new(),
            hint: ghost.hint,
            visited: false,
        };
        (row, ghost.seen_again)
    }

    fn make_room(&mut self, limits: &Limits, needed: usize, now: Timestamp) {
        while self.once.len() + self.again.len() >= limits.servers
            || self.bytes(&self.once) + self.bytes(&self.again) + needed > limits.total_bytes
        {
            let row = self.evict(limits, now);
            let over = row.sessions.iter().all(|session| session.expires <= now);
            let counter = if over {
                &mut self.stats.expired
            } else {
                &mut self.stats.evicted
            };
            *counter += row.sessions.len() as u64;
            self.ghosts.insert(
                row.name,
                Ghost {
                    hint: row.hint,
                    seen_again: false,
                },
            );
        }
    }

    fn evict(&mut self, limits: &Limits, now: Timestamp) -> Row {
        if self.next_expiry.is_some_and(|next| next <= now) {
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
            self.keep_share(limits);
        }
        self.again.remove(0)
    }

    fn keep_share(&mut self, limits: &Limits) {
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
        let found = self.visit(name, |row, stats| {
            row.visited = true;
            for usage in [Usage::SingleUse, Usage::Reusable] {
                let unwanted = if usage == Usage::SingleUse {
                    Want::Reusable
                } else {
                    Want::SingleUse
                };
                if want == unwanted {
                    continue;
                }
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
                    if even && !session.number.is_multiple_of(2) {
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
        self.stats.missed += u64::from(found.is_none());
        found
    }

    /// The numbers of the sessions that leave.
    pub(super) fn surplus(&mut self, name: u8, keep: usize, now: Timestamp) -> Vec<u64> {
        let surplus = self.visit(name, |row, stats| {
            let single_use = |session: &&Session| session.usage == Usage::SingleUse;
            let many = row.sessions.iter().filter(single_use).count();
            let leaving = many.saturating_sub(keep);
            let leaving: Vec<Session> = row
                .sessions
                .iter()
                .filter(single_use)
                .take(leaving)
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

    pub(super) fn ready(&self, name: u8, now: Timestamp) -> (usize, bool) {
        let rows = self.again.iter().chain(&self.once);
        let sessions = rows
            .filter(|row| row.name == name)
            .flat_map(|row| &row.sessions)
            .filter(|session| session.valid(now));
        let (single_use, reusable): (Vec<_>, Vec<_>) =
            sessions.partition(|session| session.usage == Usage::SingleUse);
        (single_use.len(), !reusable.is_empty())
    }

    pub(super) fn visit<T>(
        &mut self,
        name: u8,
        visit: impl FnOnce(&mut Row, &mut Stats) -> T,
    ) -> Option<T> {
        for (rows, again) in [(&mut self.again, true), (&mut self.once, false)] {
            if let Some(index) = rows.iter().position(|row| row.name == name) {
                let mut row = rows.remove(index);
                let result = visit(&mut row, &mut self.stats);
                if row.sessions.is_empty() {
                    let seen_again = again || row.visited;
                    self.ghosts.insert(
                        name,
                        Ghost {
                            hint: row.hint,
                            seen_again,
                        },
                    );
                } else {
                    rows.push(row);
                }
                return Some(result);
            }
        }
        None
    }

    pub(super) fn remove_where(&mut self, name: u8, gone: impl Fn(&Session) -> bool) -> u64 {
        let removed = self.visit(name, |row, _| {
            let before = row.sessions.len();
            row.sessions.retain(|session| !gone(session));
            (before - row.sessions.len()) as u64
        });
        let removed = removed.unwrap_or(0);
        self.stats.removed += removed;
        removed
    }

    pub(super) fn hint(&self, name: u8) -> Option<u16> {
        let row = self
            .again
            .iter()
            .chain(&self.once)
            .find(|row| row.name == name);
        row.map_or_else(|| self.ghosts.get(&name)?.hint, |row| row.hint)
    }

    pub(super) fn set_hint(&mut self, name: u8, group: u16) {
        let row = self
            .again
            .iter_mut()
            .chain(&mut self.once)
            .find(|row| row.name == name);
        match row {
            Some(row) => row.hint = Some(group),
            None => self.ghosts.entry(name).or_default().hint = Some(group),
        }
    }

    pub(super) fn clear_server(&mut self, name: u8) {
        self.ghosts.remove(&name);
        for rows in [&mut self.again, &mut self.once] {
            if let Some(index) = rows.iter().position(|row| row.name == name) {
                self.stats.removed += rows.remove(index).sessions.len() as u64;
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.stats.removed += self.sessions();
        self.once.clear();
        self.again.clear();
        self.ghosts.clear();
        self.next_expiry = None;
    }

    pub(super) fn sweep(&mut self, now: Timestamp) {
        for (rows, again) in [(&mut self.once, false), (&mut self.again, true)] {
            for row in rows.iter_mut() {
                let before = row.sessions.len();
                row.sessions.retain(|session| session.valid(now));
                self.stats.expired += (before - row.sessions.len()) as u64;
                if row.sessions.is_empty() {
                    let seen_again = again || row.visited;
                    self.ghosts.insert(
                        row.name,
                        Ghost {
                            hint: row.hint,
                            seen_again,
                        },
                    );
                }
            }
            rows.retain(|row| !row.sessions.is_empty());
        }
        let rows = self.once.iter().chain(&self.again);
        self.next_expiry = rows
            .flat_map(|row| &row.sessions)
            .map(|session| session.expires)
            .min();
    }

    fn sessions(&self) -> u64 {
        self.once
            .iter()
            .chain(&self.again)
            .map(|row| row.sessions.len() as u64)
            .sum()
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            servers: (self.once.len() + self.again.len()) as u64,
            sessions: self.sessions(),
            bytes: (self.bytes(&self.once) + self.bytes(&self.again)) as u64,
            ..self.stats
        }
    }
}

/// A row leaves `once` with its mark taken off.
trait Unvisited {
    fn unvisited(self) -> Self;
}

impl Unvisited for (Row, bool) {
    fn unvisited(mut self) -> Self {
        self.0.visited = false;
        self
    }
}
