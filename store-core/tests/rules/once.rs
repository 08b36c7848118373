//! R7, R8, R9: single-use sessions are offered once and the newest first; a server has one reusable
//! session.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use store_core::Limits;

use crate::helpers::*;

/// R7: by `take` and by `offer`.
#[test]
fn a_single_use_session_is_offered_once() {
    let store = small(4);
    let key = key("a");
    for number in 1..=2 {
        put(&store, &key, entry(SingleUse, number), start()).expect("stored");
    }
    assert!(
        store
            .offer(&key, Want::Reusable, start(), |_| true)
            .is_none(),
        "never copied"
    );
    let taken = store
        .offer(&key, Want::SingleUse, start(), |_| true)
        .expect("there");
    assert_eq!(taken.entry.session, Numbered(2));
    assert!(!store.remove(&key, taken.id), "no longer the store's");
    assert_eq!(offered(&store, &key, start()), Some(1));
    assert_eq!(offered(&store, &key, start()), None);
    assert_eq!(store.stats().sessions, 0);
}

/// R7: each session is offered once or dropped.
#[test]
fn threads_never_share_a_single_use_session() {
    const THREADS: u64 = 8;
    const ROUNDS: u64 = 20_000;
    let store = store(Limits::default().with_sessions_per_server(16));
    let keys = keys("contended", 3);
    let number = AtomicU64::new(0);
    let work = |seed| {
        let mut random = Random(seed);
        let mut seen = Vec::new();
        for _ in 0..ROUNDS {
            let key = random.pick(&keys);
            if random.below(2) == 0 {
                let session = number.fetch_add(1, Ordering::Relaxed);
                put(&store, key, entry(SingleUse, session), start()).expect("stored");
            } else {
                seen.extend(offered(&store, key, start()));
            }
        }
        seen
    };
    let mut seen: Vec<u64> = std::thread::scope(|scope| {
        let spawn = |seed| scope.spawn(move || work(seed));
        let threads: Vec<_> = (0..THREADS).map(spawn).collect();
        let results = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        results.flatten().collect()
    });
    for key in &keys {
        seen.extend(drain(&store, key, start()));
    }
    let stats = store.stats();
    let different: HashSet<u64> = seen.iter().copied().collect();
    assert_eq!(different.len(), seen.len(), "a session was offered twice");
    assert_eq!(stats.stored, number.into_inner());
    assert_eq!(stats.taken, seen.len() as u64);
    assert_eq!(stats.stored, stats.taken + stats.evicted);
    assert_eq!((stats.sessions, stats.servers), (0, 0));
}

/// R8: the oldest are dropped when there are more than the limit.
#[test]
fn the_newest_are_kept_and_offered_first() {
    let store = store(Limits::default().with_sessions_per_server(3));
    for number in 1..=10 {
        put(&store, &key("a"), entry(SingleUse, number), start()).expect("stored");
        assert!(store.stats().sessions <= 3);
    }
    assert_eq!(store.stats().evicted, 7);
    assert_eq!(drain(&store, &key("a"), start()), [10, 9, 8]);
}

/// R8: the limit counts single-use sessions. The reusable one is offered when they are used up.
#[test]
fn a_reusable_session_does_not_count_as_single_use() {
    let store = store(Limits::default().with_sessions_per_server(2));
    let key = key("a");
    put(&store, &key, entry(Reusable, 100), start()).expect("stored");
    for number in 1..=3 {
        put(&store, &key, entry(SingleUse, number), start()).expect("stored");
    }
    assert_eq!(store.stats().sessions, 3);
    let order: Vec<_> = (0..4).map(|_| offered(&store, &key, start())).collect();
    assert_eq!(order, [Some(3), Some(2), Some(100), Some(100)]);
}

/// R9: a server has one, which is offered again and again.
#[test]
fn a_reusable_session_is_replaced_by_a_newer_one() {
    let store = small(4);
    let key = key("a");
    for number in 1..=3 {
        put(&store, &key, entry(Reusable, number), start()).expect("stored");
    }
    for _ in 0..3 {
        assert_eq!(offered(&store, &key, start()), Some(3));
    }
    assert!(
        store
            .offer(&key, Want::SingleUse, start(), |_| true)
            .is_none(),
        "not single-use"
    );
    let stats = store.stats();
    assert_eq!((stats.replaced, stats.sessions, stats.copied), (2, 1, 3));
}

/// R9: a session that was stored meanwhile has another id.
#[test]
fn removal_spares_a_newer_session() {
    let store = small(4);
    let (a, b) = (key("a"), key("b"));
    let id = put(&store, &a, entry(Reusable, 1), start()).expect("stored");
    let offer = store
        .offer(&a, Want::Any, start(), |_| true)
        .expect("offered");
    assert_eq!(offer.id, id);
    let newer = put(&store, &a, entry(Reusable, 2), start()).expect("stored");
    assert!(!store.remove(&a, offer.id), "replaced already");
    assert_eq!(offered(&store, &a, start()), Some(2));
    assert!(!store.remove(&b, newer), "another server's");
    assert!(store.remove(&a, newer));
    assert!(!store.remove(&a, newer), "once");
    assert_eq!(offered(&store, &a, start()), None);
    let stats = store.stats();
    assert_eq!((stats.removed, stats.replaced, stats.servers), (1, 1, 0));
}

/// R9, R4: also one that is neither the newest nor the oldest.
#[test]
fn a_single_use_session_is_removed_by_its_id() {
    let store = small(4);
    let key = key("a");
    let store_one = |number| put(&store, &key, entry(SingleUse, number), start());
    let ids: Vec<_> = (1..=4)
        .map(|number| store_one(number).expect("stored"))
        .collect();
    assert!(store.remove(&key, ids[1]));
    assert!(store.remove(&key, ids[3]));
    assert_eq!(store.stats().removed, 2);
    assert_eq!(drain(&store, &key, start()), [3, 1]);
    assert_eq!(store.stats().sessions, 0);
}

/// The next older session is then tried.
#[test]
fn a_session_that_accept_rejects_stays() {
    let store = small(4);
    let key = key("a");
    for number in 1..=4 {
        put(&store, &key, entry(SingleUse, number), start()).expect("stored");
    }
    put(&store, &key, entry(Reusable, 100), start()).expect("stored");
    let only = |wanted: u64| {
        let found = store.offer(&key, Want::Any, start(), |session| session.0 == wanted);
        found.map(|offer| offer.entry.session.0)
    };
    assert_eq!(only(2), Some(2));
    assert_eq!(only(2), None, "taken");
    assert_eq!(only(100), Some(100));
    assert_eq!(only(100), Some(100), "copied");
    assert_eq!(only(7), None);
    assert_eq!(store.stats().sessions, 4);
    assert_eq!(drain(&store, &key, start()), [4, 3, 1]);
}

#[test]
fn accept_sees_valid_sessions_only() {
    let store = small(4);
    let key = key("a");
    put(&store, &key, lives(SingleUse, 1, 100, start()), start()).expect("stored");
    put(&store, &key, lives(SingleUse, 2, 10, start()), start()).expect("stored");
    put(&store, &key, lives(Reusable, 3, 10, start()), start()).expect("stored");
    let mut asked = Vec::new();
    let found = store.offer(&key, Want::Any, at(10), |session| {
        asked.push(session.0);
        false
    });
    assert!(found.is_none());
    assert_eq!(asked, [1]);
    assert_eq!(store.stats().expired, 2);
}

/// R16, R9: all but the slot of a ticket, which is kept for the next one.
#[test]
fn every_removal_frees_the_bytes_of_its_session() {
    let store = small(4);
    let key = key("a");
    let remove = |id| assert!(store.remove(&key, id));
    for number in 1..=2 {
        put(&store, &key, entry(SingleUse, number), start()).expect("stored");
    }
    let with_two = store.stats().bytes;
    assert_eq!(offered(&store, &key, start()), Some(2));
    let before = store.stats().bytes;
    assert_eq!(before, with_two - 100);
    let second = put(&store, &key, entry(SingleUse, 2), start()).expect("stored");
    assert_eq!(store.stats().bytes, with_two);
    remove(second);
    assert_eq!(store.stats().bytes, before);
    let reusable = put(&store, &key, entry(Reusable, 2), start()).expect("stored");
    assert_eq!(
        store.stats().bytes,
        with_two,
        "any kind of session has the slot"
    );
    remove(reusable);
    assert_eq!(store.stats().bytes, before);
    put(&store, &key, entry(SingleUse, 3), start()).expect("stored");
    assert_eq!(offered(&store, &key, start()), Some(3));
    put(&store, &key, lives(Reusable, 4, 10, start()), start()).expect("stored");
    assert!(
        store
            .offer(&key, Want::Reusable, at(10), |_| true)
            .is_none(),
        "expired"
    );
    assert_eq!(store.stats().bytes, before);
}
