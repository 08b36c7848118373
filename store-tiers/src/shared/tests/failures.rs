//! Tiers that fail, hang, panic or return records that this store cannot use.

use super::*;

/// R20: the first connection waits for a tier that hangs, and the others do not.
#[test]
fn a_tier_that_hangs_stalls_its_worker_only() {
    let tier = FakeTier::default();
    let store = new_store(
        &tier,
        SharedSettings {
            shutdown_timeout: SOON,
            ..settings()
        },
    );
    tier.set(|state| state.hang = true);
    assert!(!store.prefetch(&key("a"), SOON));
    tier.wait_for_call();
    eventually(|| store.queue.is_stalled());
    let began = Instant::now();
    for n in 0..1_000 {
        // If each waited, this would take a thousand minutes.
        assert!(!store.prefetch(&key(&format!("host-{n}")), LONG));
        put(&store, "b", Usage::SingleUse, n);
        assert!(offered(&store, "b").is_some());
    }
    assert!(began.elapsed() < LONG);
    assert!(!store.flush(SOON));
    tier.set(|state| state.hang = false);
    put(&store, "c", Usage::SingleUse, 0);
    assert!(store.flush(LONG), "it recovers by itself");
    tier.set(|state| state.hang = true);
    drop(store);
    tier.set(|state| state.hang = false);
}

/// R41: the worker ends by itself.
#[test]
fn dropping_does_not_wait_for_a_tier_that_hangs() {
    let tier = FakeTier::default();
    let store = new_store(
        &tier,
        SharedSettings {
            shutdown_timeout: Duration::MAX,
            ..settings()
        },
    );
    put(&store, "a", Usage::SingleUse, 1);
    tier.set(|state| state.hang = true);
    let queue = Arc::clone(&store.queue);
    drop(store);
    assert!(queue.has_worker(), "it hangs");
    tier.set(|state| state.hang = false);
    eventually(|| !queue.has_worker());
    assert_eq!(tier.single_use(), 1, "and writes the rest then");
}

/// A Redis far away.
#[test]
fn dropping_waits_for_a_tier_whose_calls_take_long() {
    let tier = FakeTier::default();
    let settings = SharedSettings {
        shutdown_timeout: LONG,
        ..settings()
    };
    tier.set(|state| state.delay = Duration::from_millis(60));
    let store = new_store(&tier, settings);
    assert!(!store.prefetch(&key("a"), LONG));
    put(&store, "a", Usage::SingleUse, 1);
    drop(store);
    assert_eq!(tier.single_use(), 1);
}

#[test]
fn sessions_that_were_not_written_stay_in_memory() {
    let tier = FakeTier::default();
    let store = new_store(&tier, settings());
    tier.set(|state| state.error = Some(TierError::NotApplied("down".into())));
    for number in 0..3 {
        put(&store, "a", Usage::SingleUse, number);
    }
    eventually(|| store.tier_stats().failures > 0);
    assert!(!store.flush(LONG));
    let in_memory = || {
        store
            .memory()
            .available(&key("a"), SystemClock.now())
            .single_use
    };
    eventually(|| in_memory() == 3);
    // The worker retries.
    tier.set(|state| state.error = None);
    eventually(|| tier.single_use() == 2);
    assert!(store.flush(LONG));
    assert_eq!((in_memory(), tier.single_use()), (0, 3));
}

/// R7: a session that may be in the tier must not be in memory.
#[test]
fn a_session_that_may_have_been_written_is_dropped() {
    for applies_on_failure in [false, true] {
        let tier = FakeTier::default();
        let store = new_store(&tier, settings());
        put(&store, "a", Usage::SingleUse, 1);
        tier.set(|state| {
            state.error = Some(TierError::MaybeApplied("cut".into()));
            state.applies_on_failure = applies_on_failure;
        });
        assert!(!store.flush(LONG));
        assert_eq!(store.tier_stats().lost, 1);
        // Before the miss below, which causes a fetch that must not fail.
        tier.set(|state| state.error = None);
        assert_eq!(offered(&store, "a"), None);
        eventually(|| !store.tier_stats().resting);
        assert_eq!(store.prefetch(&key("a"), LONG), applies_on_failure);
    }
}

/// R23.
#[test]
fn a_changed_record_is_dropped_and_the_next_one_tried() {
    let tier = FakeTier::default();
    let store = new_store(&tier, settings());
    for number in 0..3 {
        put(&store, "a", Usage::SingleUse, number);
    }
    assert!(store.flush(LONG));
    tier.set(|state| {
        let records = state.single_use.values_mut().next().unwrap();
        let tampered = &mut records[2].bytes;
        *tampered.last_mut().unwrap() ^= 1;
        records[1].bytes = b"of another program".to_vec();
    });
    assert!(store.prefetch(&key("a"), LONG));
    assert_eq!(offered(&store, "a"), Some(0));
    let stats = store.tier_stats();
    assert_eq!((stats.rejected_tampered, stats.rejected_foreign), (1, 1));
    assert_eq!(stats.rejected(), 2);
}

#[test]
fn over_capacity_writes_are_counted_and_sessions_stay_in_memory() {
    let tier = FakeTier::default();
    tier.set(|state| state.hang = true);
    let settings = SharedSettings {
        queue_capacity: 2,
        shutdown_timeout: SOON,
        ..settings()
    };
    let store = new_store(&tier, settings);
    store.fetch(&key("x")).wait(SOON);
    tier.wait_for_call();
    for n in 0..5_u64 {
        put(&store, &format!("host-{n}"), Usage::SingleUse, n);
    }
    assert_eq!(store.tier_stats().dropped, 3);
    for n in 0..5_u64 {
        assert_eq!(offered(&store, &format!("host-{n}")), Some(n));
    }
    tier.set(|state| state.hang = false);
}

/// Failed puts do not pause takes.
#[test]
fn a_full_tier_is_still_read() {
    let tier = FakeTier::default();
    put(&new_store(&tier, settings()), "a", Usage::SingleUse, 1);
    let full = TierError::NotApplied("out of memory".into());
    tier.set(|state| state.put_error = Some(full));
    let store = new_store(&tier, settings());
    for n in 0..3 {
        put(&store, "b", Usage::Reusable, n);
    }
    eventually(|| store.tier_stats().failures > 2);
    assert!(!store.tier_stats().resting);
    assert!(store.prefetch(&key("a"), LONG));
    assert_eq!(offered(&store, "a"), Some(1));
}

/// No connection waits for it, and the statistics show it.
#[test]
fn a_panic_in_the_tier_stops_the_worker() {
    struct Panics;
    impl Tier for Panics {
        fn put(&mut self, _: &[Sealed], _: Timestamp) -> Result<(), TierError> {
            Ok(())
        }
        fn take(&mut self, _: &ServerId, _: usize, _: Timestamp) -> Result<Taken, TierError> {
            // A panic without a message on the terminal.
            std::panic::resume_unwind(Box::new("a test"))
        }
        fn remove(&mut self, _: &ServerId) -> Result<(), TierError> {
            Ok(())
        }
        fn clear(&mut self) -> Result<(), TierError> {
            Ok(())
        }
    }
    let clock = Arc::new(SystemClock);
    let limits = Limits::default();
    let store = SharedStore::new(limits, Box::new(Panics), ring(), settings(), clock).unwrap();
    let began = Instant::now();
    assert!(!store.prefetch(&key("a"), LONG));
    eventually(|| store.tier_stats().stopped);
    assert!(!store.prefetch(&key("a"), LONG) && !store.flush(LONG));
    assert!(began.elapsed() < LONG);
    put(&store, "a", Usage::SingleUse, 1);
    assert_eq!(offered(&store, "a"), Some(1), "memory still works");
}

/// While keys rotate, some machines have a key that others do not have yet.
#[test]
fn records_under_an_unknown_key_are_put_back() {
    let tier = FakeTier::default();
    let clock = Arc::new(SystemClock);
    let newer = ring().with_new_key().unwrap().with_last_key_first();
    let (boxed, limits) = (Box::new(tier.clone()), Limits::default());
    let new = SharedStore::new(limits, boxed, newer, settings(), clock).unwrap();
    let old = new_store(&tier, settings());
    put(&old, "a", Usage::SingleUse, 0);
    assert!(old.flush(LONG));
    for number in 1..=5 {
        put(&new, "a", Usage::SingleUse, number);
    }
    assert!(new.flush(LONG));
    assert!(
        old.prefetch(&key("a"), LONG),
        "its own record is below the others"
    );
    assert_eq!(offered(&old, "a"), Some(0));
    assert_eq!(old.tier_stats().rejected_unknown_key, 5);
    assert_eq!(tier.single_use(), 5);
    assert!(!old.load(&domain(), 9, LONG) || tier.single_use() == 5);
    assert!(new.prefetch(&key("a"), LONG));
}

/// R13: the clocks of machines may differ a little.
#[test]
fn a_session_from_the_future_is_not_used() {
    for (ahead, accepted) in [(4, true), (10, true), (3_600, false)] {
        let tier = FakeTier::default();
        let clock = SystemClock.now().after(Duration::from_secs(ahead));
        let clock = Arc::new(store_core::ManualClock::new(clock));
        let (boxed, limits) = (Box::new(tier.clone()), Limits::default());
        let other = SharedStore::new(limits, boxed, ring(), settings(), clock).unwrap();
        put(&other, "a", Usage::SingleUse, 1);
        assert!(other.flush(LONG));
        let store = new_store(&tier, settings());
        assert_eq!(store.prefetch(&key("a"), LONG), accepted);
        assert_eq!(store.tier_stats().from_future, u64::from(ahead > 5));
    }
}

#[test]
fn a_store_without_memory_takes_nothing() {
    let tier = FakeTier::default();
    put(&new_store(&tier, settings()), "a", Usage::SingleUse, 1);
    let (boxed, clock) = (Box::new(tier.clone()), Arc::new(SystemClock));
    let off =
        SharedStore::<Numbered>::new(Limits::off(), boxed, ring(), settings(), clock).unwrap();
    assert!(!off.prefetch(&key("a"), LONG));
    assert_eq!(tier.single_use(), 1);
}
