//! Observers: what they are notified of, and how a tier moves sessions out of memory and back.

use std::sync::{Arc, Mutex};
use std::thread;

use store_core::{
    EntryId, Generation, KeyRef, Limits, Refused, SecurityDomain, SessionKey, SessionStore,
    StoreObserver, Usage,
};

use store_core::Outcome;
use store_core::tier::{Available, Standing, TierAccess};

use crate::helpers::*;

/// A call of an observer.
#[derive(Clone, Debug, PartialEq)]
enum Call {
    Stored(SessionKey, Usage),
    Missed(SessionKey),
    Revoked(SessionKey, Generation),
    Standing(SessionKey, Standing),
    DomainCleared(SecurityDomain, Generation),
    Cleared(Generation),
}

#[derive(Default)]
struct Recorder(Mutex<Vec<Call>>);

impl Recorder {
    fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }

    fn record(&self, call: Call) {
        self.0.lock().expect("no panic").push(call);
    }
}

impl StoreObserver for Recorder {
    fn stored(&self, key: KeyRef<'_>, usage: Usage) {
        self.record(Call::Stored(key.to_key(), usage));
    }

    fn missed(&self, key: KeyRef<'_>) {
        self.record(Call::Missed(key.to_key()));
    }

    fn revoked(&self, key: KeyRef<'_>, generation: Generation) {
        self.record(Call::Revoked(key.to_key(), generation));
    }

    fn standing(&self, key: KeyRef<'_>, standing: Standing) {
        self.record(Call::Standing(key.to_key(), standing));
    }

    fn domain_cleared(&self, domain: &SecurityDomain, generation: Generation) {
        self.record(Call::DomainCleared(*domain, generation));
    }

    fn cleared(&self, generation: Generation) {
        self.record(Call::Cleared(generation));
    }
}

fn recorded(limits: Limits) -> (Arc<Recorder>, SessionStore<Numbered>) {
    let recorder = Arc::new(Recorder::default());
    let observer = Arc::<Recorder>::clone(&recorder);
    let store = SessionStore::with_observer(limits, observer).expect("valid limits");
    (recorder, store)
}

#[test]
fn puts_misses_and_clears_are_reported() {
    let (calls, store) = recorded(Limits::default());
    let (a, b) = (key("a"), key("b"));
    put(&store, &a, entry(SingleUse, 1), start()).expect("stored");
    put(&store, &a, entry(Reusable, 2), start()).expect("stored");
    let expected = [SingleUse, Reusable].map(|usage| Call::Stored(a.clone(), usage));
    assert_eq!(calls.take(), expected);
    assert_eq!(offered(&store, &a, start()), Some(1));
    assert_eq!(calls.take(), []);
    assert_eq!(offered(&store, &b, start()), None);
    assert_eq!(calls.take(), [Call::Missed(b.clone())]);
    let expired = put(&store, &b, lives(SingleUse, 1, 0, start()), start());
    assert_eq!(expired, Err(Refused::Expired));
    assert_eq!(calls.take(), []);

    store.clear_server(&a);
    let revoked = Call::Revoked(a.clone(), store.generation());
    assert_eq!(
        calls.take(),
        [revoked, Call::Standing(a.clone(), Standing::Good)]
    );
    let domain = *a.as_key().domain();
    store.clear_domain(&domain);
    assert_eq!(
        calls.take(),
        [Call::DomainCleared(domain, store.generation())]
    );
    store.clear();
    assert_eq!(calls.take(), [Call::Cleared(store.generation())]);
}

/// R29: and a store that is told so avoids the server, too.
#[test]
fn a_change_of_standing_is_reported_once() {
    let (calls, store) = recorded(Limits::default());
    let a = key("a");
    put(&store, &a, entry(SingleUse, 1), start()).expect("stored");
    calls.take();
    for outcome in [Outcome::Broken, Outcome::Full, Outcome::Full] {
        let begun = store.begin(&a, Want::Any, start(), |_| true).begun;
        store.finish(&a, &begun, Some(outcome), None, None, start());
    }
    let failed = Standing::Failed;
    let avoided = Standing::Avoided {
        until: start().after(std::time::Duration::from_secs(600)),
        times: 1,
        rested: true,
    };
    let reported = calls.take().into_iter();
    let reported = reported.filter(|call| matches!(call, Call::Standing(..)));
    let reported: Vec<_> = reported.collect();
    let expected = [failed, avoided].map(|standing| Call::Standing(a.clone(), standing));
    assert_eq!(reported, expected);

    let (calls, other) = recorded(Limits::default());
    other.learn(&a, avoided);
    put(&other, &a, entry(SingleUse, 1), start()).expect("stored");
    let start = other.begin(&a, Want::Any, start(), |_| true);
    assert!(start.avoided && start.offer.is_none());
    assert_eq!(calls.take(), [Call::Stored(a, SingleUse)]);
}

/// Nor do they count as offers.
#[test]
fn operations_for_a_tier_are_not_reported() {
    let (calls, store) = recorded(Limits::default());
    let a = key("a");
    for number in 0..3 {
        put(&store, &a, entry(SingleUse, number), start()).expect("stored");
    }
    put(&store, &a, entry(Reusable, 9), start()).expect("stored");
    calls.take();

    let available = |single_use, reusable| Available {
        single_use,
        reusable,
    };
    assert_eq!(store.available(&a, start()), available(3, true));
    let surplus = store.surplus(&a, 1, start());
    let numbers: Vec<u64> = surplus.iter().map(|entry| entry.session.0).collect();
    assert_eq!(numbers, [0, 1], "the oldest are taken out first");
    assert_eq!(store.available(&a, start()), available(1, true));
    let copy = store.reusable_copy(&a, start()).expect("it is there");
    assert_eq!((copy.session.0, copy.usage), (9, Reusable));
    assert!(store.servers().eq([a.clone()]));
    for entry in surplus {
        store
            .restore(&a, entry, store.generation(), start())
            .expect("room");
    }
    assert_eq!(store.available(&a, start()), available(3, true));
    assert_eq!(store.available(&key("b"), start()), Available::default());
    assert_eq!(store.surplus(&key("b"), 0, start()).len(), 0);
    assert_eq!(calls.take(), []);

    let stats = store.stats();
    assert_eq!((stats.stored, stats.left, stats.returned), (4, 2, 2));
    assert_eq!((stats.offered, stats.missed, stats.sessions), (0, 0, 4));
}

#[test]
fn expired_sessions_are_neither_taken_out_nor_restored() {
    let (_, store) = recorded(Limits::default());
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
        let restored = store.restore(&a, entry, store.generation(), at(20));
        assert_eq!(restored, Err(Refused::Expired));
    }
}

/// R22: as late tickets are.
#[test]
fn sessions_from_before_a_clear_are_not_restored() {
    let (_, store) = recorded(Limits::default());
    let a = key("a");
    for clear in [true, false] {
        put(&store, &a, entry(SingleUse, 1), start()).expect("stored");
        let as_of = store.generation();
        let session = store.surplus(&a, 0, start()).remove(0);
        if clear {
            store.clear();
        } else {
            store.clear_server(&a);
        }
        let restored = store.restore(&a, session, as_of, start());
        assert_eq!(restored, Err(Refused::Cleared));
    }
}

/// R4: if the session or a copy of it may be in a tier, its removal revokes all sessions of the
/// server.
#[test]
fn a_session_that_may_be_in_a_tier_is_revoked_with_its_server() {
    let (calls, store) = recorded(Limits::default());
    let a = key("a");
    let store_again = || -> [EntryId; 3] {
        let ids = [(SingleUse, 1), (SingleUse, 2), (Reusable, 3)];
        ids.map(|(usage, number)| put(&store, &a, entry(usage, number), start()).expect("stored"))
    };
    let [_, newest, _] = store_again();
    calls.take();
    assert!(store.remove(&a, newest));
    assert_eq!(calls.take(), []);
    assert_eq!(store.stats().sessions, 2);

    store.clear();
    let [oldest, ..] = store_again();
    drop(store.surplus(&a, 1, start()));
    calls.take();
    assert!(!store.remove(&a, oldest), "it was taken out");
    assert_eq!(calls.take(), [Call::Revoked(a.clone(), store.generation())]);
    assert_eq!(store.stats().sessions, 0);

    let [.., reusable] = store_again();
    calls.take();
    assert!(store.remove(&a, reusable));
    assert_eq!(calls.take(), [Call::Revoked(a.clone(), store.generation())]);
    assert_eq!(store.stats().sessions, 0);

    let [.., reusable] = store_again();
    calls.take();
    store.remove_up_to(&a, reusable);
    assert_eq!(calls.take(), [Call::Revoked(a.clone(), store.generation())]);
    store_again();
    calls.take();
    assert!(store.remove_reusable(&a));
    assert_eq!(calls.take(), [Call::Revoked(a.clone(), store.generation())]);
}

/// An observer that restores as of the last generation it received restores no revoked session.
#[test]
fn generations_arrive_in_ascending_order() {
    let (calls, store) = recorded(Limits::default());
    thread::scope(|scope| {
        for worker in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..200 {
                    let server = key(&format!("{worker}-{n}"));
                    match n % 20 {
                        0 => store.clear(),
                        1 => drop(store.remove_reusable(&server)),
                        2 => store.clear_domain(server.as_key().domain()),
                        _ => store.clear_server(&server),
                    }
                }
            });
        }
    });
    let generations = calls.take().into_iter().filter_map(|call| match call {
        Call::Revoked(_, generation)
        | Call::DomainCleared(_, generation)
        | Call::Cleared(generation) => Some(generation),
        Call::Standing(_, Standing::Good) => None,
        Call::Standing(..) | Call::Stored(..) | Call::Missed(_) => panic!("nothing else was done"),
    });
    assert!(generations.is_sorted());
}

#[test]
fn without_an_observer_a_session_is_removed_alone() {
    let store = store(Limits::default());
    let a = key("a");
    put(&store, &a, entry(SingleUse, 1), start()).expect("stored");
    let id = put(&store, &a, entry(Reusable, 2), start()).expect("stored");
    assert!(store.remove(&a, id));
    assert!(!store.remove(&a, id));
    assert_eq!(store.stats().sessions, 1);
}

/// A tier restores sessions one after the other: in a full store, that evicts other servers, not
/// the sessions restored before.
#[test]
fn restored_sessions_stay_in_a_full_store() {
    let limits = Limits::default()
        .with_servers(400)
        .with_bytes(2_000, 50_000, 300_000);
    let store = SessionStore::with_observer(limits, Arc::new(Recorder::default())).expect("valid");
    for key in keys("cold", 390) {
        put(&store, &key, weighs(0, 1_000), start()).expect("stored");
    }
    let key = key("a");
    let as_of = store.generation();
    for number in 0..10 {
        let restored = store.restore(&key, weighs(number, 1_000), as_of, start());
        restored.expect("there is room for it");
    }
    assert_eq!(store.available(&key, start()).single_use, 10);
    assert!(store.stats().evicted > 0, "the store is full");
}
