//! Runs operations on a shard and on its model, and compares results and counters. Property tests
//! (`model_tests.rs`) and a fuzzer (`fuzz.rs`) choose the operations.

use std::collections::{HashSet, VecDeque};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::model::Model;
use super::sweep::SERVERS_A_STEP;
use super::tracked::{Sizes, Tracked};
use super::{Cleared, HashedKey, Index, Shard, ToPack, fixed_bytes};
use crate::application_data::bytes_beside;
use crate::dropped::Dropped;
use crate::held::Held;
use crate::{
    AddressId, ApplicationData, Begun, Entry, EntryId, Generation, KeyRef, Limits, LookUp, Outcome,
    SecurityDomain, Timestamp, Usage,
};

/// The number of servers in the operations.
pub(crate) const SERVERS: u8 = 12;

/// Every way in which a handshake ends.
pub(crate) const OUTCOMES: [Outcome; 11] = [
    Outcome::Resumed,
    Outcome::Declined,
    Outcome::Failed,
    Outcome::Rejected,
    Outcome::Broken,
    Outcome::Cancelled,
    Outcome::Full,
    Outcome::FullFailed,
    Outcome::Succeeded,
    Outcome::RejectedLate,
    Outcome::Distrusted,
];

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
        /// Bytes of application data; 0 for none.
        beside: usize,
        /// The numbers of the address that gave it, and of the one whose session was offered; 0 for none.
        address: u32,
        other: u32,
    },
    /// The application data of some sessions is set.
    SetData {
        server: u8,
        /// The first of them; three follow.
        id: u64,
        bytes: usize,
    },
    Offer {
        server: u8,
        look_up: LookUp,
        only_even: bool,
    },
    /// A handshake ended.
    End {
        server: u8,
        outcome: Outcome,
        /// How long the handshake took.
        took: u64,
        /// The reusable session that was offered; 0 for none.
        id: u64,
        doubtful: bool,
        /// The numbers of the address that gave the session offered, and of that of the connection.
        from: u32,
        to: u32,
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
        forgets: bool,
    },
    ClearDomain {
        domain: u8,
    },
    Clear,
    Sweep,
    SweepStep,
    /// A session that is being packed returns.
    Pack {
        which: u8,
        weight: usize,
        shares: u8,
    },
    /// The reusable session of a server gets another form.
    Unpack {
        server: u8,
        weight: usize,
        shares: u8,
    },
    Later {
        millis: u64,
    },
    Earlier {
        millis: u64,
    },
}

/// Runs `ops` on a shard with servers of `domains` security domains, and on its model. Panics if they differ, if a bound is exceeded or if a
/// session leaks.
#[allow(clippy::too_many_lines, reason = "one arm an operation")]
pub(crate) fn compare(limits: &Limits, domains: u8, ops: &[Op]) {
    let all_domains: Vec<_> = (0..domains)
        .map(|n| SecurityDomain::from([n; 32]))
        .collect();
    let names: Vec<String> = (0..SERVERS).map(|n| format!("server-{n:02}")).collect();
    let key = |server: u8| HashedKey {
        hash: u64::from(server),
        key: KeyRef::new(
            &all_domains[usize::from(server % domains)],
            &names[usize::from(server)],
        ),
    };
    let data = |bytes: usize| ApplicationData::try_from(&vec![1; bytes][..]).ok();
    let alive = Arc::new(AtomicUsize::new(0));
    let mut shard = Shard::<Tracked>::new(limits, true, Cleared::new());
    let sizes = Sizes {
        fixed: fixed_bytes::<Tracked>(&key(0).key),
        slot: size_of::<Held<Tracked>>(),
    };
    let mut model = Model::new(limits, domains, sizes);
    let mut packing: VecDeque<ToPack<Tracked>> = VecDeque::new();
    let mut now = Timestamp::from_unix(Duration::from_secs(1_000_000));
    let mut generation = Generation(1);
    let mut cleared = [Generation(0); SERVERS as usize];
    let mut number = 0;

    for op in ops {
        let mut dropped = Dropped::new();
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
                beside,
                address,
                other,
            } => {
                number += 1;
                let session = Tracked::new(number, shares, &alive);
                let lifetime = Some(Duration::from_millis(lives));
                let established = now
                    .since(Timestamp::EPOCH.after(Duration::from_millis(age)))
                    .map_or(now, Timestamp::from_unix);
                // Every 16th ticket is one byte too large.
                let ticket_bytes = limits.ticket_bytes + usize::from(number.is_multiple_of(16));
                let mut entry = Entry::new(session, usage, lifetime, weight, now)
                    .established_at(established)
                    .with_ticket_bytes(ticket_bytes);
                entry.set_application_data(data(beside));
                entry.address = AddressId::new(address);
                let begun = Begun {
                    other_address: AddressId::new(other).filter(|_| other != address),
                    ..Generation(generation.0 - u64::from(late)).into()
                };
                let too_late = begun.generation < cleared[usize::from(server)];
                let expected = if too_late {
                    model.stats.refused_cleared += 1;
                    false
                } else {
                    model.put(server, &entry, begun.other_address, now, returns)
                };
                let mut index = Index::NONE;
                let put = shard.put(&key(server), &mut index, entry, &begun, now, &mut dropped);
                if returns && put.is_ok() {
                    shard.count_as_returned();
                }
                assert_eq!(put.is_ok(), expected, "{op:?} {put:?}");
                assert!(put.is_err() || put == Ok(EntryId(model.last_id)));
                let to_pack = shard.next_to_pack(index);
                let to_pack = to_pack.unwrap_or_default();
                let taken = to_pack.iter().map(|it| (it.id.0, it.session.number));
                let taken: Vec<_> = taken.collect();
                let put = put.is_ok().then_some(server);
                assert_eq!(taken, model.next_to_pack(put), "{op:?}");
                packing.extend(to_pack);
            }
            Op::Pack {
                which,
                weight,
                shares,
            } => {
                let which = usize::from(which) % packing.len().max(1);
                let Some(to_pack) = packing.remove(which) else {
                    continue;
                };
                number += 1;
                let mut form = Tracked::new(number, shares, &alive);
                let (id, stored) = (to_pack.id.0, model.name_of(to_pack.id.0));
                let set = |name| model.set_form(name, id, (&form, weight), true, now);
                let expected = stored.is_some_and(set);
                let data = &to_pack.session.application_data;
                form.application_data.clone_from(data);
                let weight = weight + bytes_beside(&form);
                let form = (form, weight);
                let replaced =
                    shard.set_form(to_pack.index, to_pack.id, form, true, now, &mut dropped);
                assert_eq!(replaced, expected, "{op:?}");
            }
            Op::Unpack {
                server,
                weight,
                shares,
            } => {
                let Some(id) = model.reusable(server) else {
                    continue;
                };
                number += 1;
                let form = Tracked::new(number, shares, &alive);
                if limits.unpacked_sessions > 0 {
                    model.set_form(server, id, (&form, weight), false, now);
                }
                let form = (form, weight);
                shard.unpack(&key(server), EntryId(id), form, now, &mut dropped);
            }
            Op::Offer {
                server,
                look_up,
                only_even,
            } => {
                let mut accept = |tracked: &Tracked| !only_even || tracked.number.is_multiple_of(2);
                let (key, dropped) = (key(server), &mut dropped);
                let mut start = key.start(generation, now);
                shard.begin(&key, look_up, now, &mut accept, dropped, &mut start);
                let found = start.offer.map(|it| {
                    let session = &it.entry.session;
                    (it.id.0, session.number, bytes_beside(session))
                });
                assert_eq!(
                    found,
                    model.offer(server, look_up, only_even, now),
                    "{op:?}"
                );
                assert_eq!(start.hint, model.hint(server), "{op:?}");
            }
            Op::SetData { server, id, bytes } => {
                let (key, data) = (key(server), data(bytes));
                let bytes = data.as_ref().map_or(0, ApplicationData::bytes);
                model.set_beside(server, id..id + 4, bytes, now);
                let ids: Vec<EntryId> = (id..id + 4).map(EntryId).collect();
                shard.set_application_data(&key, &ids, data.as_ref(), now, &mut dropped);
            }
            Op::End {
                server,
                outcome,
                took,
                id,
                doubtful,
                from,
                to,
            } => {
                let index = &mut { Index::NONE };
                let took = Duration::from_millis(took);
                let begun = Begun {
                    at: Timestamp::from_unix(now.since_epoch().saturating_sub(took)),
                    is_doubtful: doubtful,
                    reusable: NonZeroU64::new(id),
                    other_address: AddressId::new(from).filter(|_| from != to),
                    address: AddressId::new(to),
                    ..generation.into()
                };
                let ended = (outcome, &begun);
                shard.remember(&key(server), index, ended, now, &mut dropped);
                let id = (id > 0).then_some(id);
                let outcome = match outcome {
                    Outcome::Cancelled if now.since(begun.at) >= Some(Duration::from_secs(2)) => {
                        Outcome::Failed
                    }
                    _ => outcome,
                };
                model.remember(server, (outcome, id), &begun, now);
            }
            Op::Surplus { server, keep } => {
                let expected = model.surplus(server, keep, now);
                let surplus = shard.surplus(&key(server), keep, now, &mut dropped);
                let numbers = surplus.iter().map(|it| it.entry.session.number);
                assert_eq!(numbers.collect::<Vec<_>>(), expected, "{op:?}");
            }
            Op::Remove { server, id } => {
                let expected = model.remove_where(server, |session| session.id == id) > 0;
                let removed = shard.remove(&key(server), EntryId(id), &mut dropped);
                assert_eq!(removed.is_some(), expected);
            }
            Op::RemoveUpTo { server, id } => {
                model.remove_where(server, |session| session.id <= id);
                shard.remove_up_to(&key(server), EntryId(id), &mut dropped);
            }
            Op::RemoveReusable { server } => {
                let expected =
                    model.remove_where(server, |session| session.usage == Usage::Reusable);
                let removed = shard.remove_reusable(&key(server), &mut dropped);
                assert_eq!(removed, expected > 0);
            }
            Op::SetHint { server, group } => {
                shard.set_hint(&key(server), &mut { Index::NONE }, group);
                model.set_hint(server, group);
            }
            Op::ClearServer { server, forgets } => {
                generation.0 += 1;
                cleared[usize::from(server)] = generation;
                shard.clear_server(&key(server), generation, forgets, &mut dropped);
                model.clear_server(server, forgets);
            }
            Op::ClearDomain { domain } => {
                let domain = domain % domains;
                generation.0 += 1;
                for server in (0..SERVERS).filter(|server| server % domains == domain) {
                    cleared[usize::from(server)] = generation;
                }
                let domain_key = &all_domains[usize::from(domain)];
                shard.clear_domain(domain_key, generation, &mut dropped);
                model.clear_domain(domain);
            }
            Op::Clear => {
                generation.0 += 1;
                cleared = [generation; SERVERS as usize];
                shard.clear(generation, &mut dropped);
                model.clear();
            }
            Op::Sweep => {
                shard.sweep(now, &mut dropped);
                model.sweep(usize::MAX, now);
            }
            Op::SweepStep => {
                shard.sweep_step(now, &mut dropped);
                model.sweep(SERVERS_A_STEP, now);
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
                shard.available(&key(server), now),
                model.available(server, now)
            );
        }
        for server in 0..SERVERS {
            assert_eq!(shard.hint(&key(server)), model.hint(server), "after {op:?}");
        }
        assert!(stats.servers <= limits.servers as u64);
        assert!(stats.bytes <= limits.total_bytes as u64);
        // A session that is being packed exists even if its slot is gone.
        let mut all: HashSet<u64> = model.sessions().map(|session| session.number).collect();
        all.extend(packing.iter().map(|it| it.session.number));
        assert_eq!(
            alive.load(Ordering::SeqCst),
            all.len(),
            "a session leaks: {op:?}"
        );
    }
    drop((shard, packing));
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}
