//! R17, R19: the order of eviction, and sweeping.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use store_core::{Entry, Limits, SessionStore};

use crate::helpers::*;

/// R17: each put frees the expired sessions of one server, in turn, so that they take no room from
/// new servers.
#[test]
fn puts_free_expired_servers() {
    let store = small(4);
    let servers = keys("s", 5);
    for (number, key) in (0..4).zip(&servers) {
        let life = if number == 2 { 10 } else { 100 };
        put(
            &store,
            key,
            lives(SingleUse, number, life, start()),
            start(),
        )
        .expect("stored");
    }
    let put_at_10 = |index: usize, number| {
        let entry = lives(SingleUse, number, 100, at(10));
        put(&store, &servers[index], entry, at(10)).expect("stored");
    };
    // The 16th put sweeps.
    (10..21).for_each(|number| put_at_10(0, number));
    assert_eq!(store.stats().expired, 0);
    put_at_10(0, 21);
    assert_eq!(store.stats().expired, 1);
    put_at_10(4, 4);
    assert_eq!(store.stats().evicted, 0);
    for (key, expected) in servers
        .iter()
        .zip([Some(21), Some(1), None, Some(3), Some(4)])
    {
        assert_eq!(offered(&store, key, at(10)), expected);
    }
}

/// R17: if none has expired. The oldest one is evicted, unless it was looked up since the hand passed
/// it.
#[test]
fn the_oldest_server_without_a_lookup_is_evicted() {
    let store = small(3);
    let servers = keys("s", 4);
    for (number, key) in (0..3).zip(&servers) {
        put(&store, key, entry(SingleUse, number), start()).expect("stored");
    }
    assert_eq!(offered(&store, &servers[0], start()), Some(0));
    put(&store, &servers[0], entry(SingleUse, 10), start()).expect("stored");
    put(&store, &servers[3], entry(SingleUse, 3), start()).expect("stored");
    assert_eq!(drain(&store, &servers[1], start()), [0; 0]);
    assert_eq!(drain(&store, &servers[0], start()), [10]);
    assert_eq!(drain(&store, &servers[2], start()), [2]);
    assert_eq!(drain(&store, &servers[3], start()), [3]);
}

/// R17: also among the sessions of one server.
#[test]
fn expired_sessions_of_a_server_are_dropped_first() {
    let store = store(Limits::default().with_sessions_per_server(2));
    let key = key("a");
    put(&store, &key, lives(SingleUse, 1, 100, start()), start()).expect("stored");
    put(&store, &key, lives(SingleUse, 2, 10, start()), start()).expect("stored");
    put(&store, &key, lives(SingleUse, 3, 100, at(10)), at(10)).expect("stored");
    assert_eq!(store.stats().expired, 1);
    assert_eq!(drain(&store, &key, at(10)), [3, 1]);
}

/// Stores a session of each of a hundred times as many servers as fit.
fn scan(store: &SessionStore<Numbered>, size: usize) {
    for key in &keys("cold", 100 * size) {
        put(store, key, entry(SingleUse, 1), start()).expect("stored");
    }
}

/// R17: with TLS 1.3, where each connection stores a ticket, and with TLS 1.2, where it need not.
#[test]
fn a_hot_server_survives_a_scan() {
    let store = small(50);
    let (tickets, session) = (key("tickets"), key("session"));
    for number in 0..2 {
        put(&store, &tickets, entry(SingleUse, number), start()).expect("stored");
    }
    assert_eq!(offered(&store, &tickets, start()), Some(1));
    put(&store, &tickets, entry(SingleUse, 2), start()).expect("stored");
    put(&store, &session, entry(Reusable, 3), start()).expect("stored");
    assert_eq!(offered(&store, &session, start()), Some(3));
    scan(&store, 50);
    assert_eq!(drain(&store, &tickets, start()), [2, 0]);
    assert_eq!(offered(&store, &session, start()), Some(3));
}

/// R17: a server whose last ticket was taken is still known to be hot.
#[test]
fn an_emptied_server_stays_hot() {
    let store = small(50);
    let hot = key("hot");
    put(&store, &hot, entry(SingleUse, 1), start()).expect("stored");
    assert_eq!(offered(&store, &hot, start()), Some(1));
    put(&store, &hot, entry(SingleUse, 2), start()).expect("stored");
    scan(&store, 50);
    assert_eq!(offered(&store, &hot, start()), Some(2));
}

/// R17: the control for the tests above.
#[test]
fn a_cold_server_does_not_survive_a_scan() {
    let store = small(50);
    let cold = key("never-visited");
    for number in 1..=3 {
        put(&store, &cold, entry(SingleUse, number), start()).expect("stored");
    }
    scan(&store, 50);
    assert_eq!(offered(&store, &cold, start()), None);
}

/// R17.
#[test]
fn hot_servers_of_yesterday_are_evicted() {
    let store = small(10);
    for (number, key) in (0..).zip(&keys("yesterday", 10)) {
        for _ in 0..2 {
            put(&store, key, entry(Reusable, number), start()).expect("stored");
            offered(&store, key, start());
        }
    }
    let today = keys("today", 10);
    for _ in 0..10 {
        for (number, key) in (0..).zip(&today) {
            put(&store, key, entry(Reusable, number), start()).expect("stored");
            offered(&store, key, start());
        }
    }
    for (number, key) in (0..).zip(&today) {
        assert_eq!(offered(&store, key, start()), Some(number));
    }
}

/// R19: without a look-up; valid sessions stay.
#[test]
fn a_sweep_frees_expired_sessions_in_steps() {
    let alive = Arc::new(AtomicUsize::new(0));
    let count = || alive.load(Ordering::SeqCst);
    // 4,096 servers are eight shards: as many steps.
    let store = store(Limits::default());
    let put_all = |prefix, seconds| {
        for key in &keys(prefix, 1_000) {
            for usage in [SingleUse, Reusable] {
                let session = Tracked::new(&alive);
                let entry = Entry::new(session, usage, Some(secs(seconds)), 100, start());
                put(&store, key, entry, start()).expect("stored");
            }
        }
    };
    put_all("short", 10);
    put_all("long", 100);
    assert_eq!(count(), 4_000);
    for _ in 0..64 {
        store.sweep(start().after(millis(9_999)));
    }
    assert_eq!(count(), 4_000, "nothing has expired");
    store.sweep(at(10));
    assert!(
        (2_001..4_000).contains(&count()),
        "one step sweeps one shard: {}",
        count()
    );
    for _ in 1..32 {
        store.sweep(at(10));
    }
    assert_eq!(
        count(),
        2_000,
        "all steps free all expired sessions, and no others"
    );
    assert_eq!(store.stats().expired, 2_000);
    for _ in 0..32 {
        store.sweep(at(100));
    }
    assert_eq!(count(), 0);
    let stats = store.stats();
    assert_eq!((stats.expired, stats.servers), (4_000, 0));
    assert_eq!(stats.bytes, 0);
}

/// R19: valid sessions of the same server stay.
#[test]
fn a_sweep_drops_single_sessions() {
    let store = small(4);
    let key = key("a");
    for (number, seconds) in [(1, 100), (2, 10), (3, 100), (4, 20)] {
        put(
            &store,
            &key,
            lives(SingleUse, number, seconds, start()),
            start(),
        )
        .expect("stored");
    }
    store.sweep(at(10));
    assert_eq!(store.stats().sessions, 3);
    store.sweep(at(20));
    assert_eq!(store.stats().sessions, 2);
    assert_eq!(drain(&store, &key, at(20)), [3, 1]);
}

/// R17: bursts of connections find as many sessions as they use up, also where other servers fill
/// the store and store sessions in between.
#[test]
fn a_full_store_keeps_the_sessions_that_bursts_use_up() {
    const BURST: usize = 10;
    for (others, tickets) in [(0, 1), (1, 1), (5, 1), (1, 2), (5, 2)] {
        let limits = Limits::default()
            .with_servers(400)
            .with_bytes(2_000, 50_000, 300_000);
        let store = store(limits);
        let (mut cold, burst) = (keys("cold", 390).into_iter().cycle(), key("burst"));
        let mut connect = |now| {
            let key = cold.next().expect("without end");
            let _ = store.offer(&key, Want::Any, now, |_| true);
            put(&store, &key, weighs(0, 1_000), now).expect("stored");
        };
        for _ in 0..390 {
            connect(start());
        }
        for round in 0..12 {
            let now = at(round);
            for _ in 0..BURST {
                connect(now);
            }
            let hits =
                (0..BURST).filter(|_| store.offer(&burst, Want::Any, now, |_| true).is_some());
            // The first burst finds none; the second one shows the need.
            assert!(hits.count() >= BURST * usize::from(round > 1), "{round}");
            for _ in 0..others {
                connect(now);
            }
            for number in 0..BURST * tickets {
                let _ = put(&store, &burst, weighs(number as u64, 1_000), now);
            }
        }
        assert!(store.stats().evicted > 0, "the store is full");
    }
}
