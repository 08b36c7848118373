//! Operations on a shard and on its naive model: the same answers, the same counters. Driven by
//! property tests (`model_tests.rs`) and by a fuzzer (`fuzz.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::model::Model;
use super::{At, Shard, Want, fixed_bytes};
use crate::server::Found;
use crate::{Entry, EntryId, Generation, KeyRef, Limits, SecurityDomain, Timestamp, Usage};

/// Servers that operations name.
pub(crate) const SERVERS: u8 = 8;

/// A session that knows its number and counts its end.
pub(crate) struct Tracked {
    pub(super) number: u64,
    alive: Arc<AtomicUsize>,
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One operation on a shard; times are milliseconds.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Put {
        server: u8,
        usage: Usage,
        weight: usize,
        lives: u64,
        age: u64,
        late: bool,
        returns: bool,
    },
    Offer {
        server: u8,
        want: Want,
        only_even: bool,
    },
    Surplus {
        server: u8,
        keep: usize,
    },
    Remove {
        server: u8,
        id: u64,
    },
    RemoveUpTo {
        server: u8,
        id: u64,
    },
    RemoveReusable {
        server: u8,
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

/// Carries out `ops` on a shard and on its model, and panics where they do not agree, where a
/// bound does not hold or where a session leaks.
#[allow(clippy::too_many_lines, reason = "one arm an operation")]
pub(crate) fn agree(limits: &Limits, ops: &[Op]) {
    let domain = SecurityDomain::from([0; 32]);
    let names: Vec<String> = (0..SERVERS).map(|n| format!("server-{n}")).collect();
    let at = |server: u8| At {
        hash: u64::from(server),
        key: KeyRef::new(&domain, &names[usize::from(server)]),
    };
    let alive = Arc::new(AtomicUsize::new(0));
    let mut shard = Shard::<Tracked>::new(Arc::new(limits.clone()));
    let mut model = Model::new(fixed_bytes::<Tracked>(at(0).key));
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
                returns,
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
                    model.put(limits, server, &entry, now, returns)
                };
                let put = if returns {
                    shard.restore(at(server), entry, begun, now, &mut dropped)
                } else {
                    shard.put(at(server), entry, begun, now, &mut dropped)
                };
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
            Op::Surplus { server, keep } => {
                let expected = model.surplus(server, keep, now);
                let surplus = shard.surplus(at(server), keep, now, &mut dropped);
                let numbers = surplus.iter().map(|held| held.session.number);
                assert_eq!(numbers.collect::<Vec<_>>(), expected, "{op:?}");
            }
            Op::Remove { server, id } => {
                let expected = model.remove_where(server, |session| session.id == id) > 0;
                let removed = shard.remove(at(server), EntryId(id), &mut dropped);
                assert_eq!(removed.is_some(), expected);
            }
            Op::RemoveUpTo { server, id } => {
                model.remove_where(server, |session| session.id <= id);
                shard.remove_up_to(at(server), EntryId(id), &mut dropped);
            }
            Op::RemoveReusable { server } => {
                let expected =
                    model.remove_where(server, |session| session.usage == Usage::Reusable);
                let removed = shard.remove_reusable(at(server), &mut dropped);
                assert_eq!(removed, expected > 0);
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
            assert_eq!(shard.ready(at(server), now), model.ready(server, now));
        }
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
