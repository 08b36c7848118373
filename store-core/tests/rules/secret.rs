//! R20, R21, R24: sessions are not shown, they are dropped with no lock held, and a panic does not
//! break the store.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use store_core::{Entry, Limits, Refused, SessionKey, SessionStore, Storable, Usage};

use crate::helpers::*;

const SECRET: &str = "planted-secret";

/// A session whose `Debug` shows its secret.
#[derive(Clone)]
struct Revealing(String);

impl fmt::Debug for Revealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Storable for Revealing {
    fn duplicate(&self) -> Option<Self> {
        Some(self.clone())
    }
}

/// R24: no Debug or Display shows a session.
#[test]
fn a_secret_is_shown_nowhere() {
    let store = store(Limits::default());
    let key = key("a");
    let entry = |usage| Entry::new(Revealing(SECRET.into()), usage, None, 14, start());
    assert_eq!(
        format!("{:?}", entry(SingleUse).session),
        SECRET,
        "the control"
    );
    let mut shown = vec![format!("{:?}", entry(SingleUse))];
    shown.push(format!(
        "{:?}",
        put(&store, &key, entry(SingleUse), start())
    ));
    shown.push(format!("{:?}", put(&store, &key, entry(Reusable), start())));
    shown.push(format!("{store:?} {store:#?} {:?}", store.stats()));
    for _ in 0..2 {
        shown.push(format!(
            "{:#?}",
            store
                .offer(&key, Want::Any, start(), |_| true)
                .expect("offered")
        ));
    }
    let heavy = Entry {
        weight: usize::MAX,
        ..entry(SingleUse)
    };
    let refused = put(&store, &key, heavy, start()).expect_err("too large");
    shown.push(format!("{refused:?} {refused}"));
    for text in shown {
        assert!(!text.contains(SECRET), "{text}");
    }
}

/// A session whose drop calls operations of its store that take a lock.
struct Caller {
    store: Weak<SessionStore<Self>>,
    key: SessionKey,
    drops: Arc<AtomicUsize>,
}

impl Storable for Caller {
    fn duplicate(&self) -> Option<Self> {
        Some(Self {
            store: Weak::clone(&self.store),
            key: self.key.clone(),
            drops: Arc::clone(&self.drops),
        })
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::SeqCst);
        if let Some(store) = self.store.upgrade() {
            store.stats();
            store.set_hint(&self.key, 29);
            store.hint(&self.key);
        }
    }
}

/// A store of such sessions, in one shard of ten servers.
struct CallingStore {
    store: Arc<SessionStore<Caller>>,
    drops: Arc<AtomicUsize>,
}

impl CallingStore {
    fn new() -> Self {
        let limits = Limits::default()
            .with_servers(10)
            .with_sessions_per_server(2);
        Self {
            store: Arc::new(store(limits)),
            drops: Arc::default(),
        }
    }

    fn entry(&self, usage: Usage, seconds: u64) -> Entry<Caller> {
        let session = Caller {
            store: Arc::downgrade(&self.store),
            key: key("a"),
            drops: Arc::clone(&self.drops),
        };
        Entry::new(session, usage, Some(secs(seconds)), 100, start())
    }

    fn put(&self, key: &SessionKey, usage: Usage) -> store_core::EntryId {
        put(&self.store, key, self.entry(usage, 10), start()).expect("stored")
    }

    fn drops(&self) -> usize {
        self.drops.load(Ordering::SeqCst)
    }
}

/// Makes a store with one session of `key("a")` drop that session or another one.
type Way = fn(&CallingStore, Usage, store_core::EntryId);

/// R24, R21: whatever the reason for the drop.
#[test]
fn sessions_are_dropped_without_a_lock() {
    let ways: [(&str, Way); 11] = [
        ("refused as too large", |it, usage, _| {
            let heavy = Entry {
                weight: usize::MAX,
                ..it.entry(usage, 10)
            };
            let refused = put(&it.store, &key("a"), heavy, start());
            assert_eq!(refused, Err(Refused::TooLarge));
        }),
        ("refused as expired", |it, usage, _| {
            let refused = put(&it.store, &key("a"), it.entry(usage, 10), at(10));
            assert_eq!(refused, Err(Refused::Expired));
        }),
        ("refused as cleared", |it, usage, _| {
            let begun = it.store.generation();
            it.store.clear_server(&key("a"));
            let late = it.store.put(&key("a"), it.entry(usage, 10), begun, start());
            assert_eq!(late, Err(Refused::Cleared));
        }),
        ("replaced or evicted by newer ones", |it, usage, _| {
            it.put(&key("a"), usage);
            it.put(&key("a"), usage);
        }),
        ("evicted", |it, usage, _| {
            for key in &keys("other", 10) {
                it.put(key, usage);
            }
        }),
        ("evicted as expired", |it, usage, _| {
            for key in &keys("other", 10) {
                let now = at(10);
                put(&it.store, key, it.entry(usage, 20), now).expect("stored");
            }
        }),
        ("expired", |it, _, _| {
            assert!(
                it.store
                    .offer(&key("a"), Want::Any, at(10), |_| true)
                    .is_none()
            );
        }),
        ("swept", |it, _, _| it.store.sweep(at(10))),
        ("removed", |it, _, id| {
            assert!(it.store.remove(&key("a"), id));
        }),
        ("cleared", |it, _, _| it.store.clear()),
        ("taken or copied", |it, _, _| {
            assert!(
                it.store
                    .offer(&key("a"), Want::Any, start(), |_| true)
                    .is_some()
            );
        }),
    ];
    without_deadlock(move || {
        for (name, way) in ways {
            for usage in [SingleUse, Reusable] {
                let it = CallingStore::new();
                let id = it.put(&key("a"), usage);
                assert_eq!(it.drops(), 0);
                way(&it, usage, id);
                assert!(it.drops() > 0, "{name} {usage:?}: nothing was dropped");
            }
        }
    });
}

/// R24.
#[test]
fn a_dropped_store_drops_its_sessions() {
    without_deadlock(|| {
        let it = CallingStore::new();
        it.put(&key("a"), SingleUse);
        it.put(&key("a"), Reusable);
        drop(it.store);
        assert_eq!(it.drops.load(Ordering::SeqCst), 2);
    });
}

/// Makes an `accept` panic while the store works on `key`.
fn accept_panics<S: Storable>(store: &SessionStore<S>, key: &SessionKey) {
    let call = || store.offer(key, Want::Any, start(), |_| panic!("planned"));
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
}

/// R20: the counters still add up.
#[test]
fn a_panic_leaves_a_working_store() {
    let store = small(4);
    let (a, b) = (key("a"), key("b"));
    for key in [&a, &b] {
        put(&store, key, entry(SingleUse, 1), start()).expect("stored");
        put(&store, key, entry(Reusable, 2), start()).expect("stored");
    }
    accept_panics(&store, &a);
    let stats = store.stats();
    assert_eq!(stats.stored, stats.removed + stats.sessions);
    for round in 1..=2 {
        for key in [&a, &b] {
            put(&store, key, entry(SingleUse, 10 + round), start()).expect("stored");
            assert_eq!(offered(&store, key, start()), Some(10 + round));
        }
        store.sweep(at(2 * HOUR));
        assert_eq!(store.stats().sessions, 0);
    }
}

/// R22, R20.
#[test]
fn a_panic_does_not_undo_a_clear() {
    let store = small(4);
    let (a, b) = (key("a"), key("b"));
    let begun = store.generation();
    put(&store, &b, entry(SingleUse, 1), start()).expect("stored");
    store.clear_server(&a);
    accept_panics(&store, &b);
    let late = store.put(&a, entry(SingleUse, 1), begun, start());
    assert_eq!(late, Err(Refused::Cleared));
}

/// R24, R21.
#[test]
fn a_panic_drops_sessions_without_a_lock() {
    without_deadlock(|| {
        let it = CallingStore::new();
        it.put(&key("a"), SingleUse);
        accept_panics(&it.store, &key("a"));
        it.store.stats();
        assert!(it.drops() > 0);
    });
}

/// R20: also a panic after an expired session was dropped, and before it was counted.
#[test]
fn after_a_panic_the_bytes_are_right() {
    let (store, key) = (small(4), key("a"));
    put(&store, &key, lives(SingleUse, 1, HOUR, at(0)), start()).expect("stored");
    put(&store, &key, lives(SingleUse, 2, HOUR, at(1)), at(2)).expect("stored");
    // The newer one comes from the future and is dropped; then `accept` panics.
    accept_panics(&store, &key);
    drain(&store, &key, start());
    put(&store, &key, entry(SingleUse, 3), start()).expect("stored");
    let fresh = small(4);
    put(&fresh, &key, entry(SingleUse, 3), start()).expect("stored");
    assert_eq!(store.stats().bytes, fresh.stats().bytes);
    assert_eq!(offered(&store, &key, start()), Some(3));
}
