//! R27: the counters add up, and no session leaks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use store_core::{Entry, Limits, Outcome, SessionKey, SessionStore, Stats};

use crate::helpers::*;

/// Counters of the callers of a store.
#[derive(Default)]
struct Calls {
    puts: AtomicU64,
    stored: AtomicU64,
    offers: AtomicU64,
    found: AtomicU64,
    removed: AtomicU64,
}

/// Runs random operations of all kinds.
fn run(
    store: &SessionStore<Tracked>,
    keys: &[SessionKey],
    alive: &Arc<AtomicUsize>,
    calls: &Calls,
    (first, count): (u64, u64),
) {
    let add = |counter: &AtomicU64, yes| counter.fetch_add(u64::from(yes), Ordering::SeqCst);
    let mut random = Random(first);
    let mut begun = store.generation();
    let mut now = start();
    for round in 0..count {
        let key = random.pick(keys);
        match random.below(100) {
            0..45 => {
                let usage = *random.pick(&[SingleUse, SingleUse, Reusable]);
                let weight = usize::try_from(random.below(1_100)).expect("small");
                let lifetime = Some(secs(random.below(100)));
                let entry = Entry::new(Tracked::new(alive), usage, lifetime, weight, now);
                let stored = store.put(key, entry, begun, now);
                add(&calls.puts, true);
                add(&calls.stored, stored.is_ok());
                if let (Ok(id), 0) = (stored, random.below(10)) {
                    add(&calls.removed, store.remove(key, id));
                }
            }
            45..85 => {
                let liked = random.below(10) > 0;
                let offer = store.offer(key, Want::Any, now, |_| liked);
                add(&calls.offers, true);
                add(&calls.found, offer.is_some());
            }
            85..90 => store.set_hint(key, 29),
            90..95 => store.sweep(now),
            95 => store.report(key, Outcome::Declined, now),
            96 => begun = store.generation(),
            97 => store.clear_server(key),
            // Mostly forwards, sometimes back.
            98 => now = start().after(millis(round * 2 + random.below(5_000))),
            _ if random.below(50) == 0 => store.clear(),
            _ => {}
        }
    }
}

fn assert_adds_up(stats: &Stats, calls: &Calls, alive: &AtomicUsize) {
    let removed = stats.taken + stats.expired + stats.evicted + stats.replaced + stats.removed;
    assert_eq!(stats.stored, removed + stats.sessions, "{stats:?}");
    assert_eq!(stats.offered, stats.taken + stats.copied);
    let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
    assert_eq!(stats.stored, count(&calls.stored));
    assert_eq!(stats.stored + stats.refused(), count(&calls.puts));
    assert_eq!(stats.offered, count(&calls.found));
    assert_eq!(stats.offered + stats.missed, count(&calls.offers));
    assert!(stats.removed >= count(&calls.removed));
    assert_eq!(
        stats.sessions,
        alive.load(Ordering::SeqCst) as u64,
        "leaked or lost"
    );
}

/// Limits and servers for stores of one and of many shards, that are full by servers or by bytes.
fn stores() -> impl Iterator<Item = (Limits, Vec<SessionKey>)> {
    let limits = Limits::default().with_sessions_per_server(4);
    let (few, many) = (keys("few", 40), keys("many", 6_000));
    [
        (
            limits
                .clone()
                .with_servers(20)
                .with_bytes(1_000, 2_500, 20_000),
            few,
        ),
        (
            limits
                .clone()
                .with_servers(2_048)
                .with_bytes(1_000, 2_500, 1 << 20),
            many.clone(),
        ),
        (limits.with_servers(512), many),
    ]
    .into_iter()
}

fn assert_every_counter_moved(stats: &Stats) {
    let counters = [
        stats.taken,
        stats.copied,
        stats.missed,
        stats.declined,
        stats.expired,
        stats.evicted,
        stats.removed,
        stats.replaced,
        stats.refused_expired,
        stats.refused_cleared,
    ];
    assert!(!counters.contains(&0), "{stats:?}");
}

fn assert_bounded(stats: &Stats, limits: &Limits) {
    assert!(stats.servers <= limits.servers as u64, "{stats:?}");
    assert!(stats.bytes <= limits.total_bytes as u64, "{stats:?}");
}

/// R16, R27: after every part of a long random run.
#[test]
fn the_counters_add_up() {
    for (limits, keys) in stores() {
        let (alive, calls) = (Arc::default(), Calls::default());
        let store = store(limits.clone());
        for seed in 0..150 {
            run(&store, &keys, &alive, &calls, (seed, 1_000));
            assert_adds_up(&store.stats(), &calls, &alive);
            assert_bounded(&store.stats(), &limits);
        }
        assert_every_counter_moved(&store.stats());
        store.clear();
        assert_adds_up(&store.stats(), &calls, &alive);
        let stats = store.stats();
        assert_eq!((stats.servers, stats.sessions, stats.bytes), (0, 0, 0));
    }
}

/// R16, R27: the same with eight threads.
#[test]
fn the_counters_of_threads_add_up() {
    for (limits, keys) in stores() {
        let (alive, calls) = (Arc::default(), Calls::default());
        let store = store(limits.clone());
        std::thread::scope(|scope| {
            for seed in 0..8 {
                let (store, keys, alive, calls) = (&store, &keys, &alive, &calls);
                scope.spawn(move || run(store, keys, alive, calls, (seed, 10_000)));
            }
        });
        assert_adds_up(&store.stats(), &calls, &alive);
        assert_bounded(&store.stats(), &limits);
        drop(store);
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    }
}

/// R27: every reported outcome is counted.
#[test]
fn outcomes_are_counted() {
    let store = store::<Tracked>(Limits::default());
    for key in &keys("s", 10) {
        store.report(key, Outcome::Resumed, start());
        for outcome in [Outcome::Declined; 2] {
            store.report(key, outcome, start());
        }
        for outcome in [Outcome::Failed; 3] {
            store.report(key, outcome, start());
        }
    }
    let stats = store.stats();
    assert_eq!((stats.resumed, stats.declined, stats.failed), (10, 20, 30));
}

/// R27: on request, one server has counters of its own.
#[test]
fn a_watched_server_is_counted_by_itself() {
    let store = store(Limits::default());
    let (watched, other) = (key("watched"), key("other"));
    let before = entry(SingleUse, 1);
    put(&store, &watched, before, start()).expect("stored");
    assert_eq!(store.server_stats(&watched), None, "not watched yet");

    store.watch(&watched);
    for number in 0..3 {
        put(&store, &watched, entry(SingleUse, number), start()).expect("stored");
        put(&store, &other, entry(SingleUse, number), start()).expect("stored");
    }
    assert!(put(&store, &watched, weighs(9, usize::MAX), start()).is_err());
    assert!(
        store
            .offer(&watched, Want::Any, start(), |_| true)
            .is_some()
    );
    assert!(store.offer(&other, Want::Any, start(), |_| true).is_some());
    assert!(
        store
            .offer(&watched, Want::Reusable, start(), |_| true)
            .is_none()
    );
    for outcome in [Outcome::Resumed, Outcome::Declined, Outcome::Failed] {
        store.report(&watched, outcome, start());
        store.report(&other, outcome, start());
    }
    let stats = store.server_stats(&watched).expect("watched");
    let counted = [
        stats.stored,
        stats.refused,
        stats.offered,
        stats.taken,
        stats.missed,
    ];
    assert_eq!(counted, [3, 1, 1, 1, 1]);
    assert_eq!(
        [stats.resumed, stats.declined, stats.failed, stats.held],
        [1, 1, 1, 3]
    );

    store.unwatch(&watched);
    assert_eq!(store.server_stats(&watched), None);
}
