//! Operations on a shard and on its naive model: the same answers, the same counters. Driven by
//! property tests (`model_tests.rs`) and by a fuzzer (`fuzz.rs`).

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::model::Model;
use super::{At, Form, Shard, ToPack, Want, fixed_bytes};
use crate::held::{Found, Held};
use crate::server::{Packable, place};
use crate::{
    Entry, EntryId, Generation, KeyRef, Limits, SecurityDomain, SharedPart, Storable, Timestamp,
    Usage,
};

/// Servers that operations name.
pub(crate) const SERVERS: u8 = 12;

/// A session that knows its number and counts its end.
pub(crate) struct Tracked {
    pub(super) number: u64,
    shared: Option<SharedPart>,
    alive: Arc<AtomicUsize>,
}

impl Tracked {
    fn new(number: u64, shares: u8, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        let id = usize::from(shares);
        Self {
            number,
            shared: (id > 0).then_some(SharedPart { id, bytes: id * 20 }),
            alive: Arc::clone(alive),
        }
    }
}

impl Storable for Tracked {
    const PACKS: bool = true;

    fn duplicate(&self) -> Option<Self> {
        None
    }

    fn shared_part(&self) -> Option<SharedPart> {
        self.shared
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Bytes of what the sessions are held in.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) fixed: usize,
    pub(super) single_use: usize,
    pub(super) reusable: usize,
}

impl Sizes {
    pub(super) fn place(&self, usage: Usage) -> usize {
        match usage {
            Usage::SingleUse => self.single_use,
            Usage::Reusable => self.reusable,
        }
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
        /// One of a few things that sessions keep alive, or nothing.
        shares: u8,
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
    /// One of those that are away to be packed comes back in another form.
    ComeBack {
        which: u8,
        weight: usize,
        shares: u8,
        /// A reusable one as one that was unpacked.
        renewed: bool,
    },
    Later {
        millis: u64,
    },
    Earlier {
        millis: u64,
    },
}

fn number_of(away: &ToPack<Tracked>) -> u64 {
    match &away.session {
        Packable::SingleUse(held) => held.session.number,
        Packable::Reusable(held) => held.session.number,
    }
}

/// Carries out `ops` on a shard and on its model, and panics where they do not agree, where a
/// bound does not hold or where a session leaks.
#[allow(clippy::too_many_lines, reason = "one arm an operation")]
pub(crate) fn agree(limits: &Limits, ops: &[Op]) {
    let domain = SecurityDomain::from([0; 32]);
    let names: Vec<String> = (0..SERVERS).map(|n| format!("server-{n:02}")).collect();
    let at = |server: u8| At {
        hash: u64::from(server),
        key: KeyRef::new(&domain, &names[usize::from(server)]),
    };
    let alive = Arc::new(AtomicUsize::new(0));
    let mut shard = Shard::<Tracked>::new(limits, true);
    let sizes = Sizes {
        fixed: fixed_bytes::<Tracked>(at(0).key),
        single_use: place::<Tracked>(Usage::SingleUse),
        reusable: place::<Tracked>(Usage::Reusable),
    };
    let mut model = Model::new(limits, sizes);
    let mut away: VecDeque<ToPack<Tracked>> = VecDeque::new();
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
                shares,
            } => {
                number += 1;
                let session = Tracked::new(number, shares, &alive);
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
                    model.put(server, &entry, now, returns)
                };
                let put = if returns {
                    shard.restore(at(server), entry, begun, now, &mut dropped)
                } else {
                    shard.put(at(server), entry, begun, now, &mut dropped)
                };
                assert_eq!(put.is_ok(), expected, "{op:?} {put:?}");
                assert!(put.is_err() || put == Ok(EntryId(model.last_id)));
                let to_pack = shard.next_to_pack();
                assert_eq!(to_pack.as_ref().map(number_of), model.next_to_pack());
                away.extend(to_pack);
            }
            Op::ComeBack {
                which,
                weight,
                shares,
                renewed,
            } => {
                let index = usize::from(which) % away.len().max(1);
                let Some(ToPack { place, session }) = away.remove(index) else {
                    continue;
                };
                number += 1;
                let form = Tracked::new(number, shares, &alive);
                let with = |held: &Held<Tracked>, session| Held {
                    weight,
                    ..held.with(session)
                };
                match session {
                    Packable::SingleUse(held) => {
                        let expected = model.change_form(held.session.number, &form, weight, now);
                        let form = Form::SingleUse(with(&held, form));
                        let changed = shard.change_form(place, form, now, &mut dropped);
                        assert_eq!(changed, expected, "{op:?}");
                    }
                    Packable::Reusable(old) if renewed && limits.unpacked_sessions > 0 => {
                        let was_there = model.change_form(old.session.number, &form, weight, now);
                        if was_there {
                            model.renew(old.id.0);
                        }
                        let new = with(&old, form);
                        let to_pack = shard.unpack(place, old, new, now, &mut dropped);
                        assert_eq!(
                            to_pack.as_ref().map(number_of),
                            model.next_to_pack(),
                            "{op:?}"
                        );
                        away.extend(to_pack);
                    }
                    Packable::Reusable(old) => {
                        let expected = model.change_form(old.session.number, &form, weight, now);
                        let new = with(&old, form);
                        let form = Form::Reusable { old, new };
                        let changed = shard.change_form(place, form, now, &mut dropped);
                        assert_eq!(changed, expected, "{op:?}");
                    }
                }
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
            assert_eq!(
                shard.available(at(server), now),
                model.available(server, now)
            );
        }
        for server in 0..SERVERS {
            assert_eq!(shard.hint(at(server)), model.hint(server), "after {op:?}");
        }
        assert!(stats.servers <= limits.servers as u64);
        assert!(stats.bytes <= limits.total_bytes as u64);
        // What is away and no longer in its place is dropped when it comes back.
        let mut all: HashSet<u64> = model.sessions().map(|session| session.number).collect();
        all.extend(away.iter().map(number_of));
        assert_eq!(
            alive.load(Ordering::SeqCst),
            all.len(),
            "nothing leaks: {op:?}"
        );
    }
    drop((shard, away));
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}
