//! R22: `clear` and `clear_server` act at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use store_core::{Entry, Limits, Refused};

use crate::helpers::*;

/// R22: `clear` removes everything, and refuses late puts of connections that began before.
#[test]
fn clear_acts_at_once() {
    let store = store(Limits::default());
    let servers = keys("s", 200);
    let begun = store.generation();
    for key in &servers {
        put(&store, key, entry(SingleUse, 1), start()).expect("stored");
        put(&store, key, entry(Reusable, 2), start()).expect("stored");
        store.set_hint(key, 29);
    }
    store.clear();
    let stats = store.stats();
    assert_eq!((stats.sessions, stats.servers, stats.bytes), (0, 0, 0));
    assert_eq!(stats.removed, 400);
    let after = store.generation();
    for key in &servers {
        assert!(store.is_cleared_since(key, begun) && !store.is_cleared_since(key, after));
        assert_eq!(offered(&store, key, start()), None);
        assert_eq!(store.hint(key), None);
        let late = store.put(key, entry(SingleUse, 3), begun, start());
        assert_eq!(late, Err(Refused::Cleared));
        store
            .put(key, entry(SingleUse, 4), after, start())
            .expect("begun after");
        assert_eq!(drain(&store, key, start()), [4]);
    }
    assert_eq!(store.stats().refused_cleared, 200);
}

/// R22.
#[test]
fn clear_server_acts_on_its_server_only() {
    let store = small(10);
    let (a, b) = (key("a"), key("b"));
    let begun = store.generation();
    for key in [&a, &b] {
        put(&store, key, entry(SingleUse, 1), start()).expect("stored");
        put(&store, key, entry(Reusable, 2), start()).expect("stored");
    }
    assert!(!store.is_cleared_since(&a, begun));
    store.clear_server(&a);
    assert!(store.is_cleared_since(&a, begun) && !store.is_cleared_since(&b, begun));
    assert_eq!(store.stats().removed, 2);
    assert_eq!(offered(&store, &a, start()), None);
    let late = store.put(&a, entry(SingleUse, 3), begun, start());
    assert_eq!(late, Err(Refused::Cleared));
    assert!(store.put(&b, entry(SingleUse, 4), begun, start()).is_ok());
    assert_eq!(drain(&store, &b, start()), [4, 1]);
    put(&store, &a, entry(SingleUse, 5), start()).expect("begun after");
    assert_eq!(drain(&store, &a, start()), [5]);
}

/// R22: a connection that began between two clears may put to the server that was cleared before.
#[test]
fn a_clear_refuses_only_connections_that_began_before_it() {
    let store = small(10);
    let (a, b) = (key("a"), key("b"));
    store.clear_server(&a);
    let between = store.generation();
    store.clear_server(&b);
    let puts = |key| store.put(key, entry(SingleUse, 1), between, start());
    assert!(puts(&a).is_ok());
    assert_eq!(puts(&b), Err(Refused::Cleared));
    store.clear_server(&a);
    assert_eq!(puts(&a), Err(Refused::Cleared), "the later clear counts");
    assert_eq!(store.stats().sessions, 0);
}

/// R22: also with far more cleared servers than are remembered one by one. Later connections may
/// put to all of them.
#[test]
fn late_puts_to_many_cleared_servers_are_refused() {
    let store = small(1_000);
    let servers = keys("s", 300);
    let begun = store.generation();
    for key in &servers {
        store.clear_server(key);
        for cleared in &servers {
            let late = store.put(cleared, entry(SingleUse, 1), begun, start());
            if std::ptr::eq(cleared, key) {
                assert_eq!(late, Err(Refused::Cleared));
                break;
            }
            assert_eq!(late, Err(Refused::Cleared), "{cleared:?} after {key:?}");
        }
    }
    let after = store.generation();
    for (number, key) in (0..).zip(&servers) {
        store
            .put(key, entry(SingleUse, number), after, start())
            .expect("begun after");
        assert_eq!(drain(&store, key, start()), [number]);
    }
}

/// R22: not only when their memory is needed.
#[test]
fn cleared_sessions_are_dropped_at_once() {
    let alive = Arc::new(AtomicUsize::new(0));
    let store = store(Limits::default());
    let servers = keys("s", 100);
    let entry = |usage| Entry::new(Tracked::new(&alive), usage, None, 100, start());
    for key in &servers {
        put(&store, key, entry(SingleUse), start()).expect("stored");
        put(&store, key, entry(Reusable), start()).expect("stored");
    }
    store.clear_server(&servers[0]);
    assert_eq!(alive.load(Ordering::SeqCst), 198);
    store.clear();
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

/// R22: while threads put, no session of a connection that began before a clear is found after it.
#[test]
fn late_puts_of_threads_are_refused() {
    let store = store(Limits::default());
    let servers = keys("s", 4);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|seed| {
                let (store, servers) = (&store, &servers);
                scope.spawn(move || {
                    let mut random = Random(seed);
                    for _ in 0..5_000 {
                        let begun = store.generation();
                        let key = random.pick(servers);
                        // The session contains the generation of its connection.
                        let session = store.put(key, marked(begun), begun, start());
                        assert!(matches!(session, Ok(_) | Err(Refused::Cleared)));
                    }
                })
            })
            .collect();
        let mut random = Random(99);
        while threads.iter().any(|thread| !thread.is_finished()) {
            let before = store.generation();
            if random.below(2) == 0 {
                store.clear();
            } else {
                for key in &servers {
                    store.clear_server(key);
                }
            }
            // No connection that began before this clear has a session in the store.
            for key in &servers {
                while let Some(offer) = store.offer(key, Want::Any, start(), |_| true) {
                    assert!(offer.entry.session.0 > before, "a late put was stored");
                }
            }
        }
    });
}

/// R22.
#[test]
fn clears_of_threads_do_not_undo_each_other() {
    let store = small(4);
    let key = key("a");
    std::thread::scope(|scope| {
        for seed in 0..3 {
            let (store, key) = (&store, &key);
            scope.spawn(move || {
                let mut random = Random(seed);
                for _ in 0..100_000 {
                    let begun = store.generation();
                    if random.below(100) == 0 {
                        store.clear();
                    } else {
                        store.clear_server(key);
                    }
                    let late = store.put(key, entry(Reusable, 1), begun, start());
                    assert_eq!(late, Err(Refused::Cleared));
                }
            });
        }
    });
}

#[derive(Clone)]
struct Marked(store_core::Generation);

impl store_core::Storable for Marked {
    fn duplicate(&self) -> Option<Self> {
        Some(self.clone())
    }
}

fn marked(begun: store_core::Generation) -> Entry<Marked> {
    Entry::new(Marked(begun), SingleUse, None, 100, start())
}
