//! R29: what one process learns of a server that fails when a session is offered, the others know.

use store_core::Outcome;

use super::*;

/// A connection that offers a session, which fails, and one without that succeeds.
fn breaks(store: &SharedStore<Numbered>, host: &str) {
    let (memory, key, now) = (store.memory(), key(host), store.clock().now());
    for outcome in [Outcome::Broken, Outcome::Full] {
        let start = memory.begin(&key, Want::Any, now, |_| true);
        assert_eq!(start.offer.is_some(), outcome == Outcome::Broken);
        memory.finish(&key, &start.begun, Some(outcome), None, None, now);
    }
}

/// Whether a connection offers nothing although there is a session.
fn avoids(store: &SharedStore<Numbered>, host: &str) -> bool {
    let now = store.clock().now();
    let start = store.memory().begin(&key(host), Want::Any, now, |_| true);
    start.avoided
}

/// The tier has a session of the server beside what it says of it.
fn store_that_avoids(tier: &FakeTier) -> SharedStore<Numbered> {
    let store = new_store(tier, settings());
    put(&store, "a", Usage::SingleUse, 1);
    breaks(&store, "a");
    for number in 2..4 {
        put(&store, "a", Usage::SingleUse, number);
    }
    eventually(|| tier.single_use() == 1 && tier.read(|state| state.reusable.len() == 1));
    assert!(avoids(&store, "a"));
    store
}

/// Processes that make one connection each.
#[test]
fn a_failure_in_one_process_is_known_to_the_next() {
    let tier = FakeTier::default();
    let first = new_store(&tier, settings());
    for number in 1..6 {
        put(&first, "a", Usage::SingleUse, number);
    }
    drop(first);
    for (ends, offers) in [
        (Outcome::Failed, true),
        (Outcome::FullFailed, false),
        (Outcome::Full, false),
        (Outcome::Resumed, true),
        (Outcome::Failed, true),
        (Outcome::Full, false),
        (Outcome::Failed, true),
        (Outcome::Full, false),
        (Outcome::Full, false),
    ] {
        let process = new_store(&tier, settings());
        assert!(process.prefetch(&key("a"), LONG));
        let (memory, now) = (process.memory(), process.clock().now());
        let start = memory.begin(&key("a"), Want::Any, now, |_| true);
        assert_eq!(
            start.offer.is_some(),
            offers,
            "the one that ends as {ends:?}"
        );
        memory.finish(&key("a"), &start.begun, Some(ends), None, None, now);
    }
    let last = new_store(&tier, settings());
    assert!(last.prefetch(&key("a"), LONG));
    assert!(avoids(&last, "a"));
}

#[test]
fn a_server_that_one_process_avoids_is_avoided_by_others() {
    let tier = FakeTier::default();
    let _store = store_that_avoids(&tier);
    let other = new_store(&tier, settings());
    assert!(other.prefetch(&key("a"), LONG), "it fetches a session");
    assert!(avoids(&other, "a"), "and knows that it must not offer it");
    assert!(!avoids(&other, "b"));
}

/// A failure that was nobody's fault, in a process that has ended, costs others one full handshake.
#[test]
fn what_a_process_knows_by_itself_stands() {
    let tier = FakeTier::default();
    let knows = new_store(&tier, settings());
    put(&knows, "a", Usage::SingleUse, 1);
    let _avoids = store_that_avoids(&tier);
    assert!(knows.flush(LONG));
    knows.prefetch(&key("a"), LONG);
    assert!(!avoids(&knows, "a"));
}

#[test]
fn a_store_that_is_loaded_avoids_the_server() {
    let tier = FakeTier::default();
    let _store = store_that_avoids(&tier);
    let other = new_store(&tier, settings());
    assert!(other.load(&domain(), 10, LONG));
    assert!(avoids(&other, "a"));
}

/// R22: also of what had not been written yet.
#[test]
fn a_cleared_store_tells_nothing_from_before() {
    let clears: [fn(&SharedStore<Numbered>); 2] = [
        |store| store.memory().clear(),
        |store| store.memory().clear_domain(&domain()),
    ];
    for clear in clears {
        let tier = FakeTier::default();
        let store = new_store(&tier, settings());
        tier.set(|state| state.hang = true);
        let fetch = store.fetch(&key("b"));
        tier.wait_for_call();
        put(&store, "a", Usage::SingleUse, 1);
        breaks(&store, "a");
        clear(&store);
        tier.set(|state| state.hang = false);
        fetch.wait(LONG);
        assert!(store.flush(LONG));
        // Later than the clear, in the clock's milliseconds.
        thread::sleep(Duration::from_millis(2));
        put(&store, "a", Usage::SingleUse, 2);
        assert!(store.flush(LONG));
        let other = new_store(&tier, settings());
        assert!(other.prefetch(&key("a"), LONG));
        assert!(!avoids(&other, "a"));
    }
}

#[test]
fn a_cleared_server_is_avoided_by_none() {
    let tier = FakeTier::default();
    let store = store_that_avoids(&tier);
    store.memory().clear_server(&key("a"));
    eventually(|| tier.read(|state| state.reusable.is_empty()));
    put(&store, "a", Usage::SingleUse, 5);
    assert!(store.flush(LONG));
    let other = new_store(&tier, settings());
    assert!(other.prefetch(&key("a"), LONG));
    assert!(!avoids(&other, "a"));
    assert!(!avoids(&store, "a"));
}
