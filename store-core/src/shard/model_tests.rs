//! Random operations on a shard and on its model.

use std::time::Duration;

use proptest::prelude::*;

use super::comparison::{OUTCOMES, Op, SERVERS, compare};
use crate::{AddressId, Limits, LookUp, Usage, Want};

const GROUPS: u16 = 3;
const ADDRESSES: u32 = 4;

fn ops() -> impl Strategy<Value = Op> {
    let server = 0..SERVERS;
    let usage = prop_oneof![3 => Just(Usage::SingleUse), 1 => Just(Usage::Reusable)];
    let want = prop_oneof![
        4 => Just(Want::Any),
        1 => Just(Want::SingleUse),
        1 => Just(Want::SingleUseFirst),
        1 => Just(Want::Reusable),
    ];
    let beside = prop_oneof![3 => Just(0_usize), 1 => 1..60_usize];
    let outcome = prop::sample::select(OUTCOMES.to_vec());
    prop_oneof![
        12 => (server.clone(), usage, 0..200_usize, 0..20_000_u64, 0..20_000_u64, prop::bool::weighted(0.1), prop::bool::weighted(0.2), 0..4_u8, (beside.clone(), 0..ADDRESSES, 0..ADDRESSES))
            .prop_map(|(server, usage, weight, lives, age, late, returns, shares, (beside, address, other))| {
                Op::Put { server, usage, weight, lives, age, late, returns, shares, beside, address, other }
            }),
        2 => (server.clone(), 0..60_u64, beside)
            .prop_map(|(server, id, bytes)| Op::SetData { server, id, bytes }),
        3 => (0..4_u8, 0..200_usize, 0..4_u8)
            .prop_map(|(which, weight, shares)| Op::Pack { which, weight, shares }),
        1 => (server.clone(), 0..200_usize, 0..4_u8)
            .prop_map(|(server, weight, shares)| Op::Unpack { server, weight, shares }),
        2 => (server.clone(), 0..3_usize).prop_map(|(server, keep)| Op::Surplus { server, keep }),
        8 => (server.clone(), want, prop::bool::weighted(0.8), prop::bool::weighted(0.2), 0..ADDRESSES)
            .prop_map(|(server, want, reports, only_even, address)| {
                let address = AddressId::new(address);
                Op::Offer { server, look_up: LookUp { want, address, reports }, only_even }
            }),
        4 => (server.clone(), outcome, 0..4_000_u64, 0..60_u64, any::<bool>(), 0..ADDRESSES, 0..ADDRESSES)
            .prop_map(|(server, outcome, took, id, doubtful, from, to)| {
                Op::End { server, outcome, took, id, doubtful, from, to }
            }),
        1 => (server.clone(), 0..60_u64).prop_map(|(server, id)| Op::Remove { server, id }),
        1 => (server.clone(), 0..60_u64).prop_map(|(server, id)| Op::RemoveUpTo { server, id }),
        1 => server.clone().prop_map(|server| Op::RemoveReusable { server }),
        2 => (server.clone(), 0..GROUPS).prop_map(|(server, group)| Op::SetHint { server, group }),
        1 => (server, any::<bool>())
            .prop_map(|(server, forgets)| Op::ClearServer { server, forgets }),
        1 => (0..4_u8).prop_map(|domain| Op::ClearDomain { domain }),
        1 => Just(Op::Clear),
        1 => Just(Op::Sweep),
        2 => Just(Op::SweepStep),
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
        0..6_usize,
    )
        .prop_map(
            |(servers, sessions, session_bytes, per_server, servers_full, age, unpacked)| {
                let server_bytes = session_bytes * per_server;
                let total = (server_bytes + 700) * servers_full;
                Limits::default()
                    .with_servers(servers)
                    .with_sessions_per_server(sessions)
                    .with_bytes(session_bytes, server_bytes, total)
                    .with_lifetimes(Duration::from_secs(12), Duration::from_secs(9))
                    .with_total_age(Duration::from_secs(age))
                    .with_unpacked_sessions(unpacked)
            },
        )
}

proptest! {
    // 250 runs of 200 operations, or as many as PROPTEST_CASES says.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]
    #[test]
    fn a_shard_behaves_as_its_model(
        limits in limits(),
        domains in prop_oneof![1 => Just(1_u8), 2 => 2..5_u8],
        ops in prop::collection::vec(ops(), 200),
    ) {
        compare(&limits, domains, &ops);
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(250)
}
