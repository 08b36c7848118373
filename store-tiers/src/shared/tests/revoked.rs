//! Revoked sessions do not come back.

use super::*;

/// R4: a session is revoked in the tier, too.
#[test]
fn a_revoked_session_does_not_come_back() {
    let tier = FakeTier::default();
    let store = new_store(&tier, settings());
    let id = put(&store, "a", Usage::SingleUse, 1);
    put(&store, "a", Usage::SingleUse, 2);
    put(&store, "b", Usage::SingleUse, 3);
    assert!(store.flush(LONG));
    assert_eq!(tier.single_use(), 3);
    assert!(!store.memory().remove(&key("a"), id), "it is not in memory");
    assert!(!store.prefetch(&key("a"), LONG));
    assert!(store.prefetch(&key("b"), LONG));
}

/// R22: a clear takes effect at once.
#[test]
fn cleared_sessions_do_not_come_back_after_the_tier_was_down() {
    let tier = FakeTier::default();
    let store = new_store(&tier, settings());
    put(&store, "a", Usage::SingleUse, 1);
    put(&store, "b", Usage::SingleUse, 2);
    assert!(store.flush(LONG));
    tier.set(|state| state.error = Some(TierError::NotApplied("down".into())));
    store.memory().clear_server(&key("a"));
    eventually(|| store.tier_stats().resting);
    store.memory().clear();
    tier.set(|state| state.error = None);
    eventually(|| !store.tier_stats().resting);
    assert!(!store.prefetch(&key("a"), LONG));
    assert!(!store.prefetch(&key("b"), LONG));
    assert_eq!(tier.single_use(), 0);
}

#[test]
fn a_clear_discards_a_fetch_in_flight() {
    let tier = FakeTier::default();
    let store = new_store(&tier, settings());
    put(&store, "a", Usage::SingleUse, 1);
    assert!(store.flush(LONG));
    tier.set(|state| {
        state.calls = 0;
        state.hang = true;
    });
    let fetch = store.fetch(&key("a"));
    tier.wait_for_call();
    store.memory().clear_server(&key("a"));
    tier.set(|state| state.hang = false);
    fetch.wait(LONG);
    assert!(store.flush(LONG));
    assert_eq!(offered(&store, "a"), None);
    assert_eq!(tier.single_use(), 0);
}

/// R9: memory numbers a fetched session as a new one, although it is older than one that failed.
#[test]
fn a_failed_handshake_revokes_fetched_sessions() {
    for in_flight in [false, true] {
        let tier = FakeTier::default();
        let store = new_store(&tier, settings());
        for number in 1..=3 {
            put(&store, "a", Usage::SingleUse, number);
        }
        eventually(|| tier.single_use() == 2);
        let offer = store
            .memory()
            .offer(&key("a"), Want::Any, SystemClock.now(), |_| true)
            .unwrap();
        tier.set(|state| {
            state.calls = 0;
            state.hang = in_flight;
        });
        let fetch = store.fetch(&key("a"));
        tier.wait_for_call();
        if !in_flight {
            eventually(|| store.tier_stats().fetched == 1);
        }
        store.memory().remove_up_to(&key("a"), offer.id);
        tier.set(|state| state.hang = false);
        fetch.wait(LONG);
        assert!(store.flush(LONG));
        assert_eq!((offered(&store, "a"), tier.single_use()), (None, 0));
    }
}

/// R4: another process has the session in memory, and writes it to the tier again.
#[test]
fn a_revoked_session_does_not_come_back_from_another_process() {
    let tier = FakeTier::default();
    let (store, other) = (new_store(&tier, settings()), new_store(&tier, settings()));
    put(&store, "a", Usage::SingleUse, 1);
    put(&store, "a", Usage::SingleUse, 2);
    eventually(|| tier.single_use() == 1);
    assert!(other.prefetch(&key("a"), LONG));
    store.memory().clear_server(&key("a"));
    assert!(store.flush(LONG));
    assert!(other.flush(LONG), "it writes the session again");
    assert_eq!(tier.single_use(), 1);
    assert!(!store.prefetch(&key("a"), LONG));
    assert_eq!(store.tier_stats().rejected_expired, 1);
    // A session of a later full handshake is good.
    thread::sleep(Duration::from_millis(2));
    put(&other, "a", Usage::SingleUse, 3);
    assert!(other.flush(LONG));
    thread::sleep(Duration::from_millis(60)); // past CONNECTION_RETRY
    assert!(store.prefetch(&key("a"), LONG));
}

/// A session of another domain than [`domain`].
fn put_elsewhere(store: &SharedStore<Numbered>, host: &str, number: u64) -> SessionKey {
    let key = KeyRef::new(&SecurityDomain::from([8; 32]), host).to_key();
    let (memory, now) = (store.memory(), store.clock().now());
    let lifetime = Some(Duration::from_secs(3_600));
    let entry = Entry::new(Numbered(number), Usage::SingleUse, lifetime, 8, now);
    memory.put(&key, entry, memory.generation(), now).unwrap();
    key
}

/// R35: not in a process that begins later, either.
#[test]
fn sessions_of_a_cleared_domain_do_not_come_back() {
    let tier = FakeTier::default();
    let store = new_store(&tier, settings());
    put(&store, "a", Usage::SingleUse, 1);
    put(&store, "b", Usage::Reusable, 2);
    let elsewhere = put_elsewhere(&store, "a", 3);
    assert!(store.flush(LONG));
    store.memory().clear_domain(&domain());
    assert!(store.flush(LONG));
    let later = new_store(&tier, settings());
    for store in [&store, &later] {
        assert!(!store.prefetch(&key("a"), LONG));
        assert!(!store.prefetch(&key("b"), LONG));
    }
    assert!(later.prefetch(&elsewhere, LONG), "another domain");
    assert!(later.load(&domain(), 10, LONG));
    assert_eq!(offered(&later, "b"), None);
    // A session of a later full handshake is good.
    thread::sleep(Duration::from_millis(2));
    put(&store, "c", Usage::SingleUse, 4);
    assert!(store.flush(LONG));
    assert!(later.prefetch(&key("c"), LONG));
}

/// R35: the clear is written when the tier is up again, before anything is fetched.
#[test]
fn a_domain_that_is_cleared_while_the_tier_is_down_stays_cleared() {
    let tier = FakeTier::default();
    let store = new_store(&tier, settings());
    put(&store, "a", Usage::SingleUse, 1);
    assert!(store.flush(LONG));
    tier.set(|state| state.error = Some(TierError::NotApplied("down".into())));
    store.memory().clear_domain(&domain());
    eventually(|| store.tier_stats().resting);
    tier.set(|state| state.error = None);
    eventually(|| !store.tier_stats().resting);
    assert!(!store.prefetch(&key("a"), LONG));
    let later = new_store(&tier, settings());
    assert!(!later.prefetch(&key("a"), LONG));
}

/// R35: if it is unknown when the domain was cleared, its sessions are rejected.
#[test]
fn a_changed_record_of_a_clear_revokes() {
    let tier = FakeTier::default();
    let store = new_store(&tier, settings());
    store.memory().clear_domain(&domain());
    assert!(store.flush(LONG));
    thread::sleep(Duration::from_millis(2));
    put(&store, "a", Usage::SingleUse, 1);
    assert!(store.flush(LONG));
    tier.set(|state| {
        for record in state.reusable.values_mut() {
            *record.bytes.last_mut().unwrap() ^= 1;
        }
    });
    let later = new_store(&tier, settings());
    assert!(!later.prefetch(&key("a"), LONG));
    assert_eq!(later.tier_stats().rejected_tampered, 1);
}

/// A slot of a cluster that is being moved, or whose primary is down.
#[test]
fn a_revocation_that_fails_again_and_again_stops_nothing_else() {
    let tier = FakeTier::default();
    let other = new_store(&tier, settings());
    for host in ["a", "b"] {
        put(&other, host, Usage::SingleUse, 1);
    }
    assert!(other.flush(LONG));
    let moved = TierError::NotApplied("its slot is being moved".into());
    tier.set(|state| state.remove_error = Some(moved));
    let store = new_store(&tier, settings());
    store.memory().clear_server(&key("a"));
    eventually(|| store.prefetch(&key("b"), LONG));
    assert!(
        !store.prefetch(&key("a"), LONG),
        "it is revoked all the same"
    );
}
