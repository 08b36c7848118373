//! Runs operations on a shard and on its model, and compares results and counters. Property tests
//! (`model_tests.rs`) and a fuzzer (`fuzz.rs`) choose the operations.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::model::Model;
use super::tracked::{Sizes, Tracked};
use super::{Form, HashedKey, Shard, ToPack, Want, fixed_bytes};
use crate::held::{Found, Held};
use crate::server::{Packable, slot_bytes};
use crate::{Entry, EntryId, Generation, KeyRef, Limits, SecurityDomain, Timestamp, Usage};

/// The number of servers in the operations.
pub(crate) const SERVERS: u8 = 12;

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
        /// The id of the shared part; 0 for none.
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
    /// A session that is being packed is replaced by another form.
    ReplaceForm {
        which: u8,
        weight: usize,
        shares: u8,
        /// A reusable session counts as unpacked, and so as new.
        renewed: bool,
    },
    Later {
        millis: u64,
    },
    Earlier {
        millis: u64,
    },
}

fn number_of(to_pack: &ToPack<Tracked>) -> u64 {
    match &to_pack.session {
        Packable::SingleUse(held) => held.session.number,
        Packable::Reusable(held) => held.session.number,
    }
}

/// Runs `ops` on a shard and on its model. Panics if they differ, if a bound is exceeded or if a
/// session leaks.
#[allow(clippy::too_many_lines, reason = "one arm an operation")]
pub(crate) fn compare(limits: &Limits, ops: &[Op]) {
    let domain = SecurityDomain::from([0; 32]);
    let names: Vec<String> = (0..SERVERS).map(|n| format!("server-{n:02}")).collect();
    let key = |server: u8| HashedKey {
        hash: u64::from(server),
        key: KeyRef::new(&domain, &names[usize::from(server)]),
    };
    let alive = Arc::new(AtomicUsize::new(0));
    let mut shard = Shard::<Tracked>::new(limits, true);
    let sizes = Sizes {
        fixed: fixed_bytes::<Tracked>(key(0).key),
        single_use: slot_bytes::<Tracked>(Usage::SingleUse),
        reusable: slot_bytes::<Tracked>(Usage::Reusable),
    };
    let mut model = Model::new(limits, sizes);
    let mut packing: VecDeque<ToPack<Tracked>> = VecDeque::new();
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
                    shard.restore(key(server), entry, begun, now, &mut dropped)
                } else {
                    shard.put(key(server), entry, begun, now, &mut dropped)
                };
                assert_eq!(put.is_ok(), expected, "{op:?} {put:?}");
                assert!(put.is_err() || put == Ok(EntryId(model.last_id)));
                let to_pack = shard.next_to_pack();
                assert_eq!(to_pack.as_ref().map(number_of), model.next_to_pack());
                packing.extend(to_pack);
            }
            Op::ReplaceForm {
                which,
                weight,
                shares,
                renewed,
            } => {
                let which = usize::from(which) % packing.len().max(1);
                let Some(ToPack { index, session }) = packing.remove(which) else {
                    continue;
                };
                number += 1;
                let form = Tracked::new(number, shares, &alive);
                let with = |held: &Held<Tracked>, session| Held {
                    weight,
                    ..held.with_session(session)
                };
                match session {
                    Packable::SingleUse(held) => {
                        let expected = model.replace_form(held.session.number, &form, weight, now);
                        let form = Form::SingleUse(with(&held, form));
                        let replaced = shard.replace_form(index, form, now, &mut dropped);
                        assert_eq!(replaced, expected, "{op:?}");
                    }
                    Packable::Reusable(old) if renewed && limits.unpacked_sessions > 0 => {
                        let replaced = model.replace_form(old.session.number, &form, weight, now);
                        if replaced {
                            model.renew(old.id.0);
                        }
                        let new = with(&old, form);
                        let to_pack = shard.unpack(index, old, new, now, &mut dropped);
                        assert_eq!(
                            to_pack.as_ref().map(number_of),
                            model.next_to_pack(),
                            "{op:?}"
                        );
                        packing.extend(to_pack);
                    }
                    Packable::Reusable(old) => {
                        let expected = model.replace_form(old.session.number, &form, weight, now);
                        let new = with(&old, form);
                        let form = Form::Reusable { old, new };
                        let replaced = shard.replace_form(index, form, now, &mut dropped);
                        assert_eq!(replaced, expected, "{op:?}");
                    }
                }
            }
            Op::Offer {
                server,
                want,
                only_even,
            } => {
                let mut accept = |tracked: &Tracked| !only_even || tracked.number.is_multiple_of(2);
                let found = shard.offer(key(server), want, now, &mut accept, &mut dropped);
                let found = found.map(|found| match found {
                    Found::SingleUse(held) => (held.id.0, held.session.number),
                    Found::Reusable(held) => (held.id.0, held.session.number),
                });
                assert_eq!(found, model.offer(server, want, only_even, now), "{op:?}");
            }
            Op::Surplus { server, keep } => {
                let expected = model.surplus(server, keep, now);
                let surplus = shard.surplus(key(server), keep, now, &mut dropped);
                let numbers = surplus.iter().map(|held| held.session.number);
                assert_eq!(numbers.collect::<Vec<_>>(), expected, "{op:?}");
            }
            Op::Remove { server, id } => {
                let expected = model.remove_where(server, |session| session.id == id) > 0;
                let removed = shard.remove(key(server), EntryId(id), &mut dropped);
                assert_eq!(removed.is_some(), expected);
            }
            Op::RemoveUpTo { server, id } => {
                model.remove_where(server, |session| session.id <= id);
                shard.remove_up_to(key(server), EntryId(id), &mut dropped);
            }
            Op::RemoveReusable { server } => {
                let expected =
                    model.remove_where(server, |session| session.usage == Usage::Reusable);
                let removed = shard.remove_reusable(key(server), &mut dropped);
                assert_eq!(removed, expected > 0);
            }
            Op::SetHint { server, group } => {
                shard.set_hint(key(server), group);
                model.set_hint(server, group);
            }
            Op::ClearServer { server } => {
                generation.0 += 1;
                cleared[usize::from(server)] = generation;
                shard.clear_server(key(server), generation, &mut dropped);
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
                shard.available(key(server), now),
                model.available(server, now)
            );
        }
        for server in 0..SERVERS {
            assert_eq!(shard.hint(key(server)), model.hint(server), "after {op:?}");
        }
        assert!(stats.servers <= limits.servers as u64);
        assert!(stats.bytes <= limits.total_bytes as u64);
        // A session that is being packed exists even if its slot is gone.
        let mut all: HashSet<u64> = model.sessions().map(|session| session.number).collect();
        all.extend(packing.iter().map(number_of));
        assert_eq!(
            alive.load(Ordering::SeqCst),
            all.len(),
            "a session leaks: {op:?}"
        );
    }
    drop((shard, packing));
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}
