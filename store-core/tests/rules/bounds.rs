//! R16, R18: a store is bounded, whatever servers send.

use store_core::{Entry, KeyRef, Limits, Outcome, Refused, SecurityDomain, SessionStore, Stats};

use crate::helpers::*;

/// Bytes of bookkeeping for a server with one ticket of weight zero, in a store of its own.
fn fixed(key: &store_core::SessionKey) -> usize {
    let store = small(1);
    put(&store, key, weighs(1, 0), start()).expect("stored");
    usize::try_from(store.stats().bytes).expect("small")
}

/// R16.
#[test]
fn servers_are_bounded() {
    let store = small(10);
    for (number, key) in (0..).zip(&keys("s", 100)) {
        put(&store, key, entry(SingleUse, number), start()).expect("stored");
        assert!(store.stats().servers <= 10);
    }
    let stats = store.stats();
    assert_eq!((stats.servers, stats.sessions, stats.evicted), (10, 10, 90));
}

/// R16: to the last byte.
#[test]
fn a_session_is_bounded_in_bytes() {
    let store = store(Limits::default().with_bytes(1_000, 4_000, 100_000));
    assert!(put(&store, &key("a"), weighs(1, 1_000), start()).is_ok());
    let refused = put(&store, &key("a"), weighs(2, 1_001), start());
    assert_eq!(refused, Err(Refused::TooLarge));
    let stats = store.stats();
    assert_eq!(
        (stats.stored, stats.refused_too_large, stats.refused()),
        (1, 1, 1)
    );
    assert_eq!(drain(&store, &key("a"), start()), [1]);
}

/// R34: to the last byte.
#[test]
fn a_ticket_is_bounded_in_bytes() {
    let store = store(Limits::default());
    let ticket = |number, bytes| entry(SingleUse, number).with_ticket_bytes(bytes);
    assert!(put(&store, &key("a"), ticket(1, 8_192), start()).is_ok());
    let refused = put(&store, &key("a"), ticket(2, 8_193), start());
    assert_eq!(refused, Err(Refused::TicketTooLarge));
    let stats = store.stats();
    assert_eq!((stats.refused_ticket_too_large, stats.refused()), (1, 1));
    assert_eq!(drain(&store, &key("a"), start()), [1]);
}

/// R16: to the last byte.
#[test]
fn a_server_is_bounded_in_bytes() {
    let store = store(Limits::default().with_bytes(500, 1_000, 100_000));
    let key = key("a");
    for number in 1..=10 {
        put(&store, &key, weighs(number, 250), start()).expect("stored");
    }
    assert_eq!(store.stats().evicted, 6);
    put(&store, &key, weighs(11, 251), start()).expect("stored");
    assert_eq!(drain(&store, &key, start()), [11, 10, 9]);
}

/// R16: the reusable session counts too. It is dropped only if the new session does not fit with
/// it.
#[test]
fn the_reusable_session_is_dropped_last() {
    let store = store(Limits::default().with_bytes(1_000, 1_000, 100_000));
    let key = key("a");
    let reusable = Entry {
        weight: 400,
        ..entry(Reusable, 100)
    };
    put(&store, &key, reusable, start()).expect("stored");
    for number in 1..=3 {
        put(&store, &key, weighs(number, 300), start()).expect("stored");
    }
    assert!(
        store
            .offer(&key, Want::Reusable, start(), |_| true)
            .is_some()
    );
    assert_eq!(store.stats().sessions, 3);
    put(&store, &key, weighs(4, 601), start()).expect("stored");
    assert!(
        store
            .offer(&key, Want::Reusable, start(), |_| true)
            .is_none()
    );
    assert_eq!(drain(&store, &key, start()), [4]);
    assert_eq!(store.stats().evicted, 4);
}

/// R16: bookkeeping and names included, to the last byte.
#[test]
fn a_store_is_bounded_in_bytes() {
    let all = keys("s", 9);
    let one = fixed(&all[0]) + 100;
    for (spare, held) in [(0, 3), (one - 1, 3), (one, 4)] {
        let total = 3 * one + spare;
        let store = store(Limits::default().with_bytes(100, 500, total));
        for (number, key) in (0..).zip(&all) {
            put(&store, key, entry(SingleUse, number), start()).expect("stored");
        }
        let stats = store.stats();
        assert_eq!(stats.sessions, held, "{spare} bytes to spare");
        assert_eq!(stats.bytes, held * one as u64);
        assert_eq!(stats.evicted, 9 - held);
    }
    assert_eq!(fixed(&key("abcd")), fixed(&key("ab")) + 2, "names count");
}

/// R16.
#[test]
fn a_session_must_fit_together_with_its_bookkeeping() {
    let total = fixed(&key("a")) + 400;
    let store = store(Limits::default().with_bytes(401, 401, total));
    assert!(put(&store, &key("a"), weighs(1, 400), start()).is_ok());
    let refused = put(&store, &key("a"), weighs(2, 401), start());
    assert_eq!(refused, Err(Refused::TooLarge));
}

/// A store with two tickets of each of two thousand servers.
fn populated(limits: Limits) -> (SessionStore<Numbered>, Vec<store_core::SessionKey>) {
    let (store, others) = (store(limits), keys("other", 2_000));
    for key in &others {
        for number in 0..2 {
            put(&store, key, weighs(number, 1_000), start()).expect("stored");
        }
    }
    (store, others)
}

fn assert_undisturbed(store: &SessionStore<Numbered>, others: &[store_core::SessionKey]) {
    for key in others {
        assert_eq!(drain(store, key, start()), [1, 0], "{key:?}");
    }
}

/// R16: 10,000 tickets of one server evict no session of another.
#[test]
fn a_flood_of_tickets_evicts_no_other_server() {
    let (store, others) = populated(Limits::default());
    let flooding = key("flood.example");
    for number in 0..10_000 {
        put(&store, &flooding, weighs(number, 1_000), start()).expect("stored");
    }
    assert_eq!(store.stats().evicted, 10_000 - 64);
    assert_eq!(drain(&store, &flooding, start()).len(), 64);
    assert_undisturbed(&store, &others);
}

/// R16: neither do 10,000 tickets of 64 KiB, refused or, where a session may be so large, stored.
#[test]
fn a_flood_of_large_tickets_evicts_no_other_server() {
    const KIB: usize = 1_024;
    let large = Limits::default().with_bytes(64 * KIB, 256 * KIB, 32 * KIB * KIB);
    for (limits, refused, kept) in [(Limits::default(), 10_000, 0), (large, 0, 4)] {
        let (store, others) = populated(limits);
        let flooding = key("flood.example");
        for number in 0..10_000 {
            let put = put(&store, &flooding, weighs(number, 64 * KIB), start());
            assert_eq!(put.is_err(), refused > 0);
        }
        assert_eq!(store.stats().refused_too_large, refused);
        assert_eq!(drain(&store, &flooding, start()).len(), kept);
        assert_undisturbed(&store, &others);
    }
}

/// R16: each refusal counts under its reason, and changes nothing else.
#[test]
fn refusals_are_counted() {
    let store = store(Limits::default());
    let begun = store.generation();
    store.clear();
    for _ in 0..3 {
        assert!(put(&store, &key("a"), weighs(1, usize::MAX), start()).is_err());
    }
    for _ in 0..2 {
        assert!(put(&store, &key("a"), entry(SingleUse, 1), at(HOUR)).is_err());
    }
    assert!(
        store
            .put(&key("a"), entry(SingleUse, 1), begun, start())
            .is_err()
    );
    let stats = store.stats();
    let refused = (
        stats.refused_too_large,
        stats.refused_expired,
        stats.refused_cleared,
    );
    assert_eq!(refused, (3, 2, 1));
    assert_eq!((stats.refused(), stats.stored, stats.servers), (6, 0, 0));
}

/// Zero servers turns resumption off: nothing is stored, and nothing panics.
#[test]
fn with_zero_servers_nothing_is_stored() {
    let store = store(Limits::off());
    let key = key("a");
    let id = {
        let other = small(1);
        put(&other, &key, entry(SingleUse, 1), start()).expect("stored")
    };
    assert_eq!(
        put(&store, &key, entry(SingleUse, 1), start()),
        Err(Refused::Off)
    );
    store.set_hint(&key, 29);
    assert_eq!(store.hint(&key), None);
    assert_eq!(offered(&store, &key, start()), None);
    assert!(!store.remove(&key, id));
    store.report(&key, Outcome::Resumed, start());
    store.clear_server(&key);
    store.clear();
    store.sweep(at(HOUR));
    assert_eq!(store.stats(), Stats::default());
}

/// R18: hints and servers without a session do not count as servers, and take no room from those
/// that have one.
#[test]
fn hints_and_emptied_servers_hold_no_place() {
    let store = small(100);
    for key in &keys("hinted", 10_000) {
        store.set_hint(key, 29);
    }
    for key in &keys("emptied", 1_000) {
        put(&store, key, entry(SingleUse, 1), start()).expect("stored");
        offered(&store, key, start());
    }
    let (taken, removed) = (key("taken"), key("removed"));
    for key in [&taken, &removed] {
        let id = put(&store, key, entry(SingleUse, 1), start()).expect("stored");
        store.set_hint(key, 29);
        let _ = store.remove(&removed, id);
    }
    offered(&store, &taken, start());
    assert_eq!(store.stats().servers, 0);
    let bytes = store.stats().bytes;
    let most = 100 * fixed(&key("emptied-1000.example")) as u64;
    assert!(bytes <= most, "at most as many as servers: {bytes}");

    let living = keys("living", 100);
    for (number, key) in (0..).zip(&living) {
        put(&store, key, entry(SingleUse, number), start()).expect("stored");
    }
    for key in &keys("hinted-later", 10_000) {
        store.set_hint(key, 29);
    }
    assert_eq!(store.stats().evicted, 0);
    for (number, key) in (0..).zip(&living) {
        assert_eq!(offered(&store, key, start()), Some(number));
    }
}

/// R18: a hint exists before and after the sessions of its server.
#[test]
fn a_hint_needs_no_session() {
    let store = small(100);
    let key = key("a");
    assert_eq!(store.hint(&key), None);
    store.set_hint(&key, 29);
    assert_eq!(store.hint(&key), Some(29));
    put(&store, &key, entry(SingleUse, 1), start()).expect("stored");
    assert_eq!(store.hint(&key), Some(29));
    store.set_hint(&key, 23);
    offered(&store, &key, start());
    assert_eq!(store.hint(&key), Some(23));
    store.clear_server(&key);
    assert_eq!(store.hint(&key), None);
}

/// R16: a key that is larger than the whole store is refused, whatever its session weighs.
#[test]
fn a_key_larger_than_the_store_is_refused() {
    let store = store(Limits::default().with_bytes(100, 1_000, 10_000));
    put(&store, &key("a"), entry(Reusable, 1), start()).expect("stored");
    let (domain, endpoint) = (SecurityDomain::from([1; 32]), vec![0; 20_000]);
    let large = KeyRef::new(&domain, "b").with_endpoint(&endpoint);
    let refused = store.put(large, weighs(2, 0), store.generation(), start());
    assert_eq!(refused, Err(Refused::TooLarge));
    assert_eq!(offered(&store, &key("a"), start()), Some(1));
    assert!(store.stats().bytes <= 10_000);
}

/// R16: also if the limit is no multiple of the number of shards.
#[test]
fn servers_are_bounded_in_many_shards() {
    let store = store(Limits::default().with_servers(4_100));
    for key in &keys("s", 10_000) {
        put(&store, key, entry(SingleUse, 1), start()).expect("stored");
    }
    assert!(store.stats().servers <= 4_100, "{}", store.stats().servers);
}
