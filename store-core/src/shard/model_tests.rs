//! The shard against a naive model: random operations, the same answers, the same counters.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{SecurityDomain, Usage};

const SERVERS: u8 = 8;
const GROUPS: u16 = 3;

/// A session that knows its number and counts its end.
struct Tracked {
    number: u64,
    alive: Arc<AtomicUsize>,
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Clone, Debug)]
enum Op {
    Put {
        server: u8,
        usage: Usage,
        weight: usize,
        lives: u64,
        age: u64,
        late: bool,
    },
    Offer {
        server: u8,
        want: Want,
        only_even: bool,
    },
    Remove {
        server: u8,
        id: u64,
    },
    SetHint {
        server: u8,
        group: u16,
    },
    ClearServer {
        server: u8,
    },
    Clear,
    Sweep,
    Later {
        millis: u64,
    },
    Earlier {
        millis: u64,
    },
}

fn ops() -> impl Strategy<Value = Op> {
    let server = 0..SERVERS;
    let usage = prop_oneof![3 => Just(Usage::SingleUse), 1 => Just(Usage::Reusable)];
    let want = prop_oneof![
        4 => Just(Want::Any),
        1 => Just(Want::SingleUse),
        1 => Just(Want::Reusable),
    ];
    prop_oneof![
        12 => (server.clone(), usage, 0..200_usize, 0..20_000_u64, 0..20_000_u64, prop::bool::weighted(0.1))
            .prop_map(|(server, usage, weight, lives, age, late)| {
                Op::Put { server, usage, weight, lives, age, late }
            }),
        8 => (server.clone(), want, prop::bool::weighted(0.2))
            .prop_map(|(server, want, only_even)| Op::Offer { server, want, only_even }),
        1 => (server.clone(), 0..60_u64).prop_map(|(server, id)| Op::Remove { server, id }),
        2 => (server.clone(), 0..GROUPS).prop_map(|(server, group)| Op::SetHint { server, group }),
        1 => server.prop_map(|server| Op::ClearServer { server }),
        1 => Just(Op::Clear),
        1 => Just(Op::Sweep),
        4 => (0..4_000_u64).prop_map(|millis| Op::Later { millis }),
        1 => (0..3_000_u64).prop_map(|millis| Op::Earlier { millis }),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    (
        1..6_usize,
        1..5_usize,
        50..300_usize,
        1..4_usize,
        1..6_usize,
        5..15_u64,
    )
        .prop_map(
            |(servers, sessions, session_bytes, per_server, servers_full, age)| {
                let server_bytes = session_bytes * per_server;
                let total = (server_bytes + 400) * servers_full;
                Limits::default()
                    .with_servers(servers)
                    .with_sessions_per_server(sessions)
                    .with_bytes(session_bytes, server_bytes, total)
                    .with_lifetimes(Duration::from_secs(12), Duration::from_secs(9))
                    .with_total_age(Duration::from_secs(age))
            },
        )
}

#[derive(Clone, Debug)]
struct Session {
    id: u64,
    number: u64,
    usage: Usage,
    received: Timestamp,
    expires: Timestamp,
    weight: usize,
}

impl Session {
    fn valid(&self, now: Timestamp) -> bool {
        now < self.expires && self.received <= now.after(Duration::from_secs(1))
    }
}

#[derive(Clone, Debug)]
struct Row {
    name: u8,
    sessions: Vec<Session>,
    hint: Option<u16>,
    visited: bool,
}

/// What the shard should do, written with vectors, oldest first.
#[derive(Default)]
struct Model {
    once: Vec<Row>,
    again: Vec<Row>,
    ghosts: HashMap<u8, Ghost>,
    fixed: usize,
    last_id: u64,
    stats: Stats,
    // The shard looks for expired servers only once its bound has passed: the same bound here.
    next_expiry: Option<Timestamp>,
}

impl Model {
    fn bytes(&self, rows: &[Row]) -> usize {
        let weight = |row: &Row| {
            row.sessions
                .iter()
                .map(|session| session.weight)
                .sum::<usize>()
        };
        rows.iter().map(|row| self.fixed + weight(row)).sum()
    }

    fn put(&mut self, limits: &Limits, name: u8, entry: &Entry<Tracked>, now: Timestamp) -> bool {
        let most = limits
            .total_bytes
            .saturating_sub(self.fixed)
            .min(limits.server_bytes);
        let expires = entry
            .expires
            .min(now.after(limits.lifetime(entry.usage)))
            .min(entry.established.after(limits.total_age));
        if entry.weight > limits.session_bytes.min(most) {
            self.stats.refused_too_large += 1;
            return false;
        }
        if expires <= now {
            self.stats.refused_expired += 1;
            return false;
        }
        self.last_id += 1;
        self.stats.stored += 1;
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

    fn offer(&mut self, name: u8, want: Want, even: bool, now: Timestamp) -> Option<(u64, u64)> {
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

    fn visit<T>(&mut self, name: u8, visit: impl FnOnce(&mut Row, &mut Stats) -> T) -> Option<T> {
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

    fn hint(&self, name: u8) -> Option<u16> {
        let row = self
            .again
            .iter()
            .chain(&self.once)
            .find(|row| row.name == name);
        row.map_or_else(|| self.ghosts.get(&name)?.hint, |row| row.hint)
    }

    fn set_hint(&mut self, name: u8, group: u16) {
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

    fn clear_server(&mut self, name: u8) {
        self.ghosts.remove(&name);
        for rows in [&mut self.again, &mut self.once] {
            if let Some(index) = rows.iter().position(|row| row.name == name) {
                self.stats.removed += rows.remove(index).sessions.len() as u64;
            }
        }
    }

    fn clear(&mut self) {
        self.stats.removed += self.sessions();
        self.once.clear();
        self.again.clear();
        self.ghosts.clear();
        self.next_expiry = None;
    }

    fn sweep(&mut self, now: Timestamp) {
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

    fn stats(&self) -> Stats {
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

#[allow(clippy::too_many_lines, reason = "one arm an operation")]
fn agree(limits: &Limits, ops: &[Op]) {
    let domain = SecurityDomain::from([0; 32]);
    let names: Vec<String> = (0..SERVERS).map(|n| format!("server-{n}")).collect();
    let at = |server: u8| At {
        hash: u64::from(server),
        key: KeyRef::new(&domain, &names[usize::from(server)]),
    };
    let alive = Arc::new(AtomicUsize::new(0));
    let mut shard = Shard::<Tracked>::new(Arc::new(limits.clone()));
    let mut model = Model {
        fixed: fixed_bytes::<Tracked>(at(0).key),
        ..Model::default()
    };
    let mut now = Timestamp::from_unix(Duration::from_secs(1_000_000));
    let mut generation = Generation(1);
    let mut cleared = [Generation(0); SERVERS as usize];
    let mut number = 0;

    for op in ops {
        let mut dropped = Vec::new();
        match *op {
            Op::Put {
                server,
                usage,
                weight,
                lives,
                age,
                late,
            } => {
                number += 1;
                alive.fetch_add(1, Ordering::SeqCst);
                let session = Tracked {
                    number,
                    alive: Arc::clone(&alive),
                };
                let lifetime = Some(Duration::from_millis(lives));
                let established = now
                    .since(Timestamp::EPOCH.after(Duration::from_millis(age)))
                    .map_or(now, Timestamp::from_unix);
                let entry =
                    Entry::new(session, usage, lifetime, weight, now).established_at(established);
                let begun = Generation(if late { generation.0 - 1 } else { generation.0 });
                let too_late = begun < cleared[usize::from(server)];
                let expected = if too_late {
                    model.stats.refused_cleared += 1;
                    false
                } else {
                    model.put(limits, server, &entry, now)
                };
                let put = shard.put(at(server), entry, begun, now, &mut dropped);
                assert_eq!(put.is_ok(), expected, "{op:?} {put:?}");
                assert!(put.is_err() || put == Ok(EntryId(model.last_id)));
            }
            Op::Offer {
                server,
                want,
                only_even,
            } => {
                let mut accept = |tracked: &Tracked| !only_even || tracked.number.is_multiple_of(2);
                let found = shard.offer(at(server), want, now, &mut accept, &mut dropped);
                let found = found.map(|found| match found {
                    Found::SingleUse(held) => (held.id.0, held.session.number),
                    Found::Reusable(held) => (held.id.0, held.session.number),
                });
                assert_eq!(found, model.offer(server, want, only_even, now), "{op:?}");
            }
            Op::Remove { server, id } => {
                let expected = model.visit(server, |row, _| {
                    let index = row.sessions.iter().position(|session| session.id == id);
                    index.map(|index| row.sessions.remove(index)).is_some()
                });
                let expected = expected.unwrap_or(false);
                model.stats.removed += u64::from(expected);
                assert_eq!(
                    shard.remove(at(server), EntryId(id), &mut dropped),
                    expected
                );
            }
            Op::SetHint { server, group } => {
                shard.set_hint(at(server), group);
                model.set_hint(server, group);
            }
            Op::ClearServer { server } => {
                generation.0 += 1;
                cleared[usize::from(server)] = generation;
                shard.clear_server(at(server), generation, &mut dropped);
                model.clear_server(server);
            }
            Op::Clear => {
                generation.0 += 1;
                cleared = [generation; SERVERS as usize];
                shard.clear(generation, &mut dropped);
                model.clear();
            }
            Op::Sweep => {
                shard.sweep(now, &mut dropped);
                model.sweep(now);
            }
            Op::Later { millis } => now = now.after(Duration::from_millis(millis)),
            Op::Earlier { millis } => {
                let earlier = now.since(Timestamp::EPOCH.after(Duration::from_millis(millis)));
                now = Timestamp::from_unix(earlier.expect("far from the epoch"));
            }
        }
        drop(dropped);
        let stats = shard.stats();
        assert_eq!(stats, model.stats(), "after {op:?}");
        for server in 0..SERVERS {
            assert_eq!(shard.hint(at(server)), model.hint(server), "after {op:?}");
        }
        assert!(stats.servers <= limits.servers as u64);
        assert!(stats.bytes <= limits.total_bytes as u64);
        assert_eq!(
            alive.load(Ordering::SeqCst) as u64,
            stats.sessions,
            "nothing leaks: {op:?}"
        );
    }
    drop(shard);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

proptest! {
    // 250 runs of 200 operations; more by PROPTEST_CASES.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]
    #[test]
    fn the_shard_does_what_the_model_does(
        limits in limits(),
        ops in prop::collection::vec(ops(), 200),
    ) {
        agree(&limits, &ops);
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(250)
}
