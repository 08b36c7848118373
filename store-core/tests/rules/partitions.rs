//! R35: security domains that share a store, as partitions of a connector do.

use proptest::prelude::*;
use store_core::tier::TierAccess;
use store_core::{KeyRef, Limits, Refused, SecurityDomain, SessionKey, SessionStore};

use crate::helpers::*;

fn domain(n: u8) -> SecurityDomain {
    SecurityDomain::builder("partition")
        .field("name", &[n])
        .finish()
}

fn key_in(domain: &SecurityDomain, server: usize) -> SessionKey {
    KeyRef::new(domain, &format!("server-{server:05}.example")).to_key()
}

fn servers_of(store: &SessionStore<Numbered>, domain: &SecurityDomain) -> usize {
    let servers = TierAccess::servers(store);
    let of_domain = |key: &SessionKey| key.as_key().domain() == domain;
    servers.filter(of_domain).count()
}

/// What one domain does: puts to a server of its own, or looks one up and puts again.
#[derive(Clone, Debug)]
enum Act {
    Put { server: usize },
    Resume { server: usize },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        2 => (0..200_usize).prop_map(|server| Act::Put { server }),
        1 => (0..200_usize).prop_map(|server| Act::Resume { server }),
    ];
    prop::collection::vec(act, 0..400)
}

fn act(store: &SessionStore<Numbered>, domain: &SecurityDomain, acts: &[Act]) {
    for act in acts {
        let (Act::Put { server } | Act::Resume { server }) = act;
        let key = key_in(domain, *server);
        if matches!(act, Act::Resume { .. }) && offered(store, &key, start()).is_none() {
            continue;
        }
        put(store, &key, entry(SingleUse, 1), start()).expect("stored");
    }
}

/// Fills a store, whose room is for `room` servers, with those of some domains; then one domain does
/// what it likes, and the others keep an equal share of what they had.
fn check_shares(store: &SessionStore<Numbered>, room: usize, fill: &[Vec<Act>], greedy: &[Act]) {
    let domains: Vec<_> = (0..).map(domain).take(fill.len()).collect();
    for (domain, acts) in domains.iter().zip(fill) {
        act(store, domain, acts);
    }
    let had: Vec<_> = domains.iter().map(|it| servers_of(store, it)).collect();
    act(store, &domains[0], greedy);
    let present = had[1..].iter().filter(|had| **had > 0).count() + 1;
    for (domain, had) in domains.iter().zip(had).skip(1) {
        let kept = servers_of(store, domain);
        assert!(kept >= had.min(room / present), "{kept} of {had} are kept");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn a_domain_keeps_its_share_of_the_servers(
        fill in prop::collection::vec(acts(), 2..6),
        greedy in acts(),
    ) {
        check_shares(&small(40), 40, &fill, &greedy);
    }

    #[test]
    fn a_domain_keeps_its_share_of_the_bytes(
        fill in prop::collection::vec(acts(), 2..5),
        greedy in acts(),
    ) {
        // All servers cost the same: they have one ticket each.
        let one = {
            let store = small(1);
            put(&store, &key_in(&domain(0), 0), entry(SingleUse, 1), start()).expect("stored");
            usize::try_from(store.stats().bytes).expect("small")
        };
        let limits = Limits::default().with_sessions_per_server(1);
        let store = store(limits.with_bytes(100, 100 * one, 100 * one));
        check_shares(&store, 100, &fill, &greedy);
    }
}

/// Whatever its servers send, and however often they are looked up.
#[test]
fn a_flood_in_one_domain_leaves_the_others() {
    let store = store(Limits::default());
    let (quiet, greedy) = (domain(1), domain(2));
    for server in 0..500 {
        put(&store, &key_in(&quiet, server), weighs(1, 8_000), start()).expect("stored");
    }
    for server in 0..20_000 {
        let key = key_in(&greedy, server % 5_000);
        for _ in 0..3 {
            put(&store, &key, weighs(2, 20_000), start()).expect("stored");
        }
        offered(&store, &key, start());
    }
    assert_eq!(servers_of(&store, &quiet), 500);
    assert!(store.stats().bytes <= 64 << 20);
}

/// With more domains than room, the store keeps those that were used last.
#[test]
fn more_domains_than_servers_are_kept_as_one_would_be() {
    let store = small(10);
    for n in 0..100 {
        put(
            &store,
            &key_in(&domain(n), 0),
            entry(SingleUse, n.into()),
            start(),
        )
        .expect("stored");
    }
    let held = (0..100).filter(|n| servers_of(&store, &domain(*n)) > 0);
    assert_eq!(held.collect::<Vec<_>>(), (90..100).collect::<Vec<_>>());
}

/// A server may have more than the share of its domain.
#[test]
fn a_single_large_server_is_stored() {
    let store = store(Limits::default().with_bytes(6_000, 6_000, 10_000));
    for n in 0..8 {
        put(
            &store,
            &key_in(&domain(n), 0),
            weighs(n.into(), 500),
            start(),
        )
        .expect("stored");
    }
    let large = key_in(&domain(9), 0);
    put(&store, &large, weighs(100, 6_000), start()).expect("stored");
    assert_eq!(offered(&store, &large, start()), Some(100));
    assert!(store.stats().bytes <= 10_000);
}

/// R22, R35: late puts are refused in every shard, those that do not exist yet included.
#[test]
fn clear_domain_acts_at_once_and_on_its_domain_only() {
    let store = store(Limits::default());
    let (cleared, other) = (domain(1), domain(2));
    let begun = store.generation();
    for server in 0..10 {
        for domain in [&cleared, &other] {
            let key = key_in(domain, server);
            put(&store, &key, entry(SingleUse, 1), start()).expect("stored");
            store.set_hint(&key, 29);
        }
    }
    store.clear_domain(&cleared);
    let stats = store.stats();
    assert_eq!((stats.sessions, stats.removed), (10, 10));
    for server in 0..200 {
        let key = key_in(&cleared, server);
        assert_eq!(
            (offered(&store, &key, start()), store.hint(&key)),
            (None, None)
        );
        let late = store.put(&key, entry(SingleUse, 2), begun, start());
        assert_eq!(late, Err(Refused::Cleared));
        put(&store, &key, entry(SingleUse, 3), start()).expect("begun after");
        assert_eq!(drain(&store, &key, start()), [3]);
        let key = key_in(&other, server);
        let late = store.put(&key, entry(SingleUse, 4), begun, start());
        assert!(late.is_ok(), "another domain");
    }
}

/// R22: however many are cleared after it.
#[test]
fn no_clear_of_a_domain_is_forgotten() {
    let store = store(Limits::default());
    let begun = store.generation();
    for n in 0..200 {
        store.clear_domain(&domain(n));
    }
    let after = store.generation();
    for n in 0..200 {
        for server in 0..20 {
            let key = key_in(&domain(n), server);
            let late = store.put(&key, entry(SingleUse, 1), begun, start());
            assert_eq!(late, Err(Refused::Cleared));
            assert!(store.put(&key, entry(SingleUse, 2), after, start()).is_ok());
        }
    }
}

#[test]
fn clear_domain_without_a_store_does_nothing() {
    let store: SessionStore<Numbered> = store(Limits::off());
    store.clear_domain(&domain(1));
    assert_eq!(store.stats().removed, 0);
}
