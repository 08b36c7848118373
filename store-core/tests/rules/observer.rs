//! What lies behind a store: what it is told, and how sessions leave and come back.

use std::sync::{Arc, Mutex};
use std::thread;

use store_core::{
    Available, EntryId, Generation, KeyRef, Limits, Refused, SessionKey, SessionStore,
    StoreObserver, Usage,
};

use crate::helpers::*;

/// What was told.
#[derive(Clone, Debug, PartialEq)]
enum Told {
    Stored(SessionKey, Usage),
    Missed(SessionKey),
    Revoked(SessionKey, Generation),
    Cleared(Generation),
}

#[derive(Default)]
struct Listener(Mutex<Vec<Told>>);

impl Listener {
    fn take(&self) -> Vec<Told> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }

    fn note(&self, told: Told) {
        self.0.lock().expect("no panic").push(told);
    }
}

impl StoreObserver for Listener {
    fn stored(&self, key: KeyRef<'_>, usage: Usage) {
        self.note(Told::Stored(key.to_key(), usage));
    }

    fn missed(&self, key: KeyRef<'_>) {
        self.note(Told::Missed(key.to_key()));
    }

    fn revoked(&self, key: KeyRef<'_>, now_is: Generation) {
        self.note(Told::Revoked(key.to_key(), now_is));
    }

    fn cleared(&self, now_is: Generation) {
        self.note(Told::Cleared(now_is));
    }
}

fn listened(limits: Limits) -> (Arc<Listener>, SessionStore<Numbered>) {
    let listener = Arc::new(Listener::default());
    let behind = Arc::<Listener>::clone(&listener);
    let store = SessionStore::with_observer(limits, behind).expect("valid limits");
    (listener, store)
}

#[test]
fn it_is_told_what_connections_do() {
    let (told, store) = listened(Limits::default());
    let (a, b) = (key("a"), key("b"));
    put(&store, &a, entry(SingleUse, 1), start()).expect("stored");
    put(&store, &a, entry(Reusable, 2), start()).expect("stored");
    let expected = [SingleUse, Reusable].map(|usage| Told::Stored(a.clone(), usage));
    assert_eq!(told.take(), expected);
    assert_eq!(offered(&store, &a, start()), Some(1));
    assert_eq!(told.take(), []);
    assert_eq!(offered(&store, &b, start()), None);
    assert_eq!(told.take(), [Told::Missed(b.clone())]);
    let expired = put(&store, &b, lives(SingleUse, 1, 0, start()), start());
    assert_eq!(expired, Err(Refused::Expired));
    assert_eq!(told.take(), []);

    store.clear_server(&a);
    assert_eq!(told.take(), [Told::Revoked(a.clone(), store.generation())]);
    store.clear();
    assert_eq!(told.take(), [Told::Cleared(store.generation())]);
}

/// None of what it does itself is told, counts as an offer, or changes what is held.
#[test]
fn it_is_not_told_what_it_does_itself() {
    let (told, store) = listened(Limits::default());
    let a = key("a");
    for number in 0..3 {
        put(&store, &a, entry(SingleUse, number), start()).expect("stored");
    }
    put(&store, &a, entry(Reusable, 9), start()).expect("stored");
    told.take();

    let ready = |single_use, reusable| Available {
        single_use,
        reusable,
    };
    assert_eq!(store.available(&a, start()), ready(3, true));
    let surplus = store.surplus(&a, 1, start());
    let numbers: Vec<u64> = surplus.iter().map(|entry| entry.session.0).collect();
    assert_eq!(numbers, [0, 1], "the oldest go first");
    assert_eq!(store.available(&a, start()), ready(1, true));
    let copy = store.reusable_copy(&a, start()).expect("it is there");
    assert_eq!((copy.session.0, copy.usage), (9, Reusable));
    assert!(store.servers().eq([a.clone()]));
    for entry in surplus {
        store
            .restore(&a, entry, store.generation(), start())
            .expect("room");
    }
    assert_eq!(store.available(&a, start()), ready(3, true));
    assert_eq!(store.available(&key("b"), start()), Available::default());
    assert_eq!(store.surplus(&key("b"), 0, start()).len(), 0);
    assert_eq!(told.take(), []);

    let stats = store.stats();
    assert_eq!((stats.stored, stats.left, stats.returned), (4, 2, 2));
    assert_eq!((stats.offered, stats.missed, stats.sessions), (0, 0, 4));
}

/// What has expired neither leaves nor is ready, and comes back no more.
#[test]
fn what_has_expired_stays_nowhere() {
    let (_, store) = listened(Limits::default());
    let a = key("a");
    put(&store, &a, lives(SingleUse, 1, 10, start()), start()).expect("stored");
    put(&store, &a, lives(SingleUse, 2, 20, start()), start()).expect("stored");
    put(&store, &a, lives(Reusable, 3, 10, start()), start()).expect("stored");
    assert_eq!(store.available(&a, at(15)).single_use, 1);
    assert!(!store.available(&a, at(15)).reusable);
    assert!(store.reusable_copy(&a, at(15)).is_none());
    let surplus = store.surplus(&a, 0, at(15));
    assert_eq!(surplus.len(), 1);
    for entry in surplus {
        let back = store.restore(&a, entry, store.generation(), at(20));
        assert_eq!(back, Err(Refused::Expired));
    }
}

/// R22: what comes back from before a clear is refused, as late tickets are.
#[test]
fn what_was_cleared_does_not_come_back() {
    let (_, store) = listened(Limits::default());
    let a = key("a");
    for clear in [true, false] {
        put(&store, &a, entry(SingleUse, 1), start()).expect("stored");
        let as_of = store.generation();
        let gone = store.surplus(&a, 0, start()).remove(0);
        if clear {
            store.clear();
        } else {
            store.clear_server(&a);
        }
        let back = store.restore(&a, gone, as_of, start());
        assert_eq!(back, Err(Refused::Cleared));
    }
}

/// R4: a session that has left, or a copy of which may have, takes all of its server with it when
/// it is revoked; one that is in memory alone goes alone.
#[test]
fn what_may_have_left_is_revoked_with_its_server() {
    let (told, store) = listened(Limits::default());
    let a = key("a");
    let store_again = || -> [EntryId; 3] {
        let ids = [(SingleUse, 1), (SingleUse, 2), (Reusable, 3)];
        ids.map(|(usage, number)| put(&store, &a, entry(usage, number), start()).expect("stored"))
    };
    let [_, newest, _] = store_again();
    told.take();
    assert!(store.remove(&a, newest));
    assert_eq!(told.take(), []);
    assert_eq!(store.stats().sessions, 2);

    store.clear();
    let [oldest, ..] = store_again();
    drop(store.surplus(&a, 1, start()));
    told.take();
    assert!(!store.remove(&a, oldest), "it has left");
    assert_eq!(told.take(), [Told::Revoked(a.clone(), store.generation())]);
    assert_eq!(store.stats().sessions, 0);

    let [.., reusable] = store_again();
    told.take();
    assert!(store.remove(&a, reusable));
    assert_eq!(told.take(), [Told::Revoked(a.clone(), store.generation())]);
    assert_eq!(store.stats().sessions, 0);

    let [.., reusable] = store_again();
    told.take();
    store.remove_up_to(&a, reusable);
    assert_eq!(told.take(), [Told::Revoked(a.clone(), store.generation())]);
    store_again();
    told.take();
    assert!(store.remove_reusable(&a));
    assert_eq!(told.take(), [Told::Revoked(a.clone(), store.generation())]);
}

/// So that whoever restores as of the last one it was told restores nothing that was revoked.
#[test]
fn generations_arrive_in_ascending_order() {
    let (told, store) = listened(Limits::default());
    thread::scope(|scope| {
        for worker in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..200 {
                    let server = key(&format!("{worker}-{n}"));
                    match n % 20 {
                        0 => store.clear(),
                        1 => drop(store.remove_reusable(&server)),
                        _ => store.clear_server(&server),
                    }
                }
            });
        }
    });
    let generations = told.take().into_iter().map(|told| match told {
        Told::Revoked(_, now_is) | Told::Cleared(now_is) => now_is,
        Told::Stored(..) | Told::Missed(_) => panic!("nothing else was done"),
    });
    assert!(generations.is_sorted());
}

#[test]
fn without_a_place_behind_it_a_session_is_removed_alone() {
    let store = store(Limits::default());
    let a = key("a");
    put(&store, &a, entry(SingleUse, 1), start()).expect("stored");
    let id = put(&store, &a, entry(Reusable, 2), start()).expect("stored");
    assert!(store.remove(&a, id));
    assert!(!store.remove(&a, id));
    assert_eq!(store.stats().sessions, 1);
}

/// What lies behind brings sessions back one after the other: where memory is full, other servers
/// have to go, and not the ones that came just before.
#[test]
fn what_comes_back_stays_in_a_full_store() {
    let limits = Limits::default()
        .with_servers(400)
        .with_bytes(2_000, 50_000, 300_000);
    let store = SessionStore::with_observer(limits, Arc::new(Listener::default())).expect("valid");
    for key in keys("cold", 390) {
        put(&store, &key, weighs(0, 1_000), start()).expect("stored");
    }
    let key = key("a");
    let as_of = store.generation();
    for number in 0..10 {
        let back = store.restore(&key, weighs(number, 1_000), as_of, start());
        back.expect("there is room for it");
    }
    assert_eq!(store.available(&key, start()).single_use, 10);
    assert!(store.stats().evicted > 0, "the store is full");
}
