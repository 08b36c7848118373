//! What a tier may do instead of what it is asked to.

use super::*;

/// R20: who waits for a tier that hangs waits once, and all others not at all.
#[test]
fn a_tier_that_hangs_stalls_its_worker_only() {
    let place = Place::default();
    let one = store(
        &place,
        SharedSettings {
            shutdown_timeout: SOON,
            ..quick()
        },
    );
    place.set(|kept| kept.hangs = true);
    assert!(!one.prefetch(&key("a"), SOON));
    place.wait_for_a_call();
    until(|| one.queue.is_stalled());
    let began = Instant::now();
    for n in 0..1_000 {
        // Had each waited, this would take a thousand minutes.
        assert!(!one.prefetch(&key(&format!("host-{n}")), LONG));
        put(&one, "b", Usage::SingleUse, n);
        assert!(offered(&one, "b").is_some());
    }
    assert!(began.elapsed() < LONG);
    assert!(!one.flush(SOON));
    place.set(|kept| kept.hangs = false);
    put(&one, "c", Usage::SingleUse, 0);
    assert!(one.flush(LONG), "it comes back by itself");
    place.set(|kept| kept.hangs = true);
    drop(one);
    place.set(|kept| kept.hangs = false);
}

#[test]
fn what_certainly_was_not_written_stays_in_memory() {
    let place = Place::default();
    let one = store(&place, quick());
    place.set(|kept| kept.fails = Some(TierError::NotApplied("down".into())));
    for number in 0..3 {
        put(&one, "a", Usage::SingleUse, number);
    }
    until(|| one.tier_stats().failures > 0);
    assert!(!one.flush(LONG));
    let ready = || {
        one.memory()
            .available(&key("a"), SystemClock.now())
            .single_use
    };
    until(|| ready() == 3);
    // It is tried again by itself, and works.
    place.set(|kept| kept.fails = None);
    until(|| place.held() == 2);
    assert!(one.flush(LONG));
    assert_eq!((ready(), place.held()), (0, 3));
}

/// R7: what may be in the tier is nowhere else.
#[test]
fn what_may_have_been_written_is_given_up() {
    for works_all_the_same in [false, true] {
        let place = Place::default();
        let one = store(&place, quick());
        put(&one, "a", Usage::SingleUse, 1);
        place.set(|kept| {
            kept.fails = Some(TierError::MaybeApplied("cut".into()));
            kept.works_all_the_same = works_all_the_same;
        });
        assert!(!one.flush(LONG));
        assert_eq!(one.tier_stats().lost, 1);
        // Before a miss has it fetched, which would be one more that nobody knows the end of.
        place.set(|kept| kept.fails = None);
        assert_eq!(offered(&one, "a"), None);
        until(|| !one.tier_stats().resting);
        assert_eq!(one.prefetch(&key("a"), LONG), works_all_the_same);
    }
}

/// R23: dropped, counted, and the next one is tried.
#[test]
fn a_changed_record_is_dropped_and_the_next_one_tried() {
    let place = Place::default();
    let one = store(&place, quick());
    for number in 0..3 {
        put(&one, "a", Usage::SingleUse, number);
    }
    assert!(one.flush(LONG));
    place.set(|kept| {
        let records = kept.single_use.values_mut().next().unwrap();
        let tampered = &mut records[2].bytes;
        *tampered.last_mut().unwrap() ^= 1;
        records[1].bytes = b"of another program".to_vec();
    });
    assert!(one.prefetch(&key("a"), LONG));
    assert_eq!(offered(&one, "a"), Some(0));
    let stats = one.tier_stats();
    assert_eq!((stats.rejected_tampered, stats.rejected_foreign), (1, 1));
    assert_eq!(stats.rejected(), 2);
}

#[test]
fn too_much_waiting_is_counted_and_stays_in_memory() {
    let place = Place::default();
    place.set(|kept| kept.hangs = true);
    let settings = SharedSettings {
        queue_capacity: 2,
        shutdown_timeout: SOON,
        ..quick()
    };
    let one = store(&place, settings);
    one.fetch(&key("x")).wait(SOON);
    place.wait_for_a_call();
    for n in 0..5_u64 {
        put(&one, &format!("host-{n}"), Usage::SingleUse, n);
    }
    assert_eq!(one.tier_stats().dropped, 3);
    for n in 0..5_u64 {
        assert_eq!(offered(&one, &format!("host-{n}")), Some(n));
    }
    place.set(|kept| kept.hangs = false);
}

/// A tier that takes nothing and still gives is asked for sessions, and less and less often to
/// take some.
#[test]
fn a_tier_that_is_full_still_gives() {
    struct Full(Place);
    impl Tier for Full {
        fn put(&mut self, _: &[Sealed], _: Timestamp) -> Result<(), TierError> {
            Err(TierError::NotApplied("out of memory".into()))
        }
        fn take(&mut self, id: &ServerId, most: usize, now: Timestamp) -> Result<Taken, TierError> {
            self.0.take(id, most, now)
        }
        fn remove(&mut self, id: &ServerId) -> Result<(), TierError> {
            self.0.remove(id)
        }
        fn clear(&mut self) -> Result<(), TierError> {
            self.0.clear()
        }
    }
    let place = Place::default();
    put(&store(&place, quick()), "a", Usage::SingleUse, 1);
    let (tier, clock) = (Box::new(Full(place.clone())), Arc::new(SystemClock));
    let one = SharedStore::new(Limits::default(), tier, ring(), quick(), clock).unwrap();
    for n in 0..3 {
        put(&one, "b", Usage::Reusable, n);
    }
    until(|| one.tier_stats().failures > 2);
    assert!(!one.tier_stats().resting);
    assert!(one.prefetch(&key("a"), LONG));
    assert_eq!(offered(&one, "a"), Some(1));
}

/// A tier that panics ends its worker; nobody waits for it, and it shows.
#[test]
fn a_tier_that_panics_is_seen() {
    struct Panics;
    impl Tier for Panics {
        fn put(&mut self, _: &[Sealed], _: Timestamp) -> Result<(), TierError> {
            Ok(())
        }
        fn take(&mut self, _: &ServerId, _: usize, _: Timestamp) -> Result<Taken, TierError> {
            // Unwinds as a panic does, without a message on the terminal.
            std::panic::resume_unwind(Box::new("the test demands it"))
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
    let one = SharedStore::new(limits, Box::new(Panics), ring(), quick(), clock).unwrap();
    let began = Instant::now();
    assert!(!one.prefetch(&key("a"), LONG));
    until(|| one.tier_stats().stopped);
    assert!(!one.prefetch(&key("a"), LONG) && !one.flush(LONG));
    assert!(began.elapsed() < LONG);
    put(&one, "a", Usage::SingleUse, 1);
    assert_eq!(offered(&one, "a"), Some(1), "memory works on");
}

/// Keys change on one machine after the other: what only some can open is left for them.
#[test]
fn what_others_have_the_key_of_is_left_for_them() {
    let place = Place::default();
    let clock = Arc::new(SystemClock);
    let newer = ring().with_new_key().unwrap().with_last_key_first();
    let (tier, limits) = (Box::new(place.clone()), Limits::default());
    let new = SharedStore::new(limits, tier, newer, quick(), clock).unwrap();
    let old = store(&place, quick());
    put(&old, "a", Usage::SingleUse, 0);
    assert!(old.flush(LONG));
    for number in 1..=5 {
        put(&new, "a", Usage::SingleUse, number);
    }
    assert!(new.flush(LONG));
    assert!(old.prefetch(&key("a"), LONG), "its own lies behind");
    assert_eq!(offered(&old, "a"), Some(0));
    assert_eq!(old.tier_stats().rejected_unknown_key, 5);
    assert_eq!(place.held(), 5);
    assert!(!old.load(&domain(), 9, LONG) || place.held() == 5);
    assert!(new.prefetch(&key("a"), LONG));
}

/// R13: not from a clock that is far ahead.
#[test]
fn a_session_from_the_future_is_not_used() {
    for (ahead, comes) in [(10, true), (3_600, false)] {
        let place = Place::default();
        let clock = SystemClock.now().after(Duration::from_secs(ahead));
        let clock = Arc::new(store_core::ManualClock::new(clock));
        let (tier, limits) = (Box::new(place.clone()), Limits::default());
        let other = SharedStore::new(limits, tier, ring(), quick(), clock).unwrap();
        put(&other, "a", Usage::SingleUse, 1);
        assert!(other.flush(LONG));
        assert_eq!(store(&place, quick()).prefetch(&key("a"), LONG), comes);
    }
}

/// A client that keeps nothing takes nothing from others.
#[test]
fn a_client_without_room_leaves_what_is_there() {
    let place = Place::default();
    put(&store(&place, quick()), "a", Usage::SingleUse, 1);
    let (tier, clock) = (Box::new(place.clone()), Arc::new(SystemClock));
    let off = SharedStore::<Numbered>::new(Limits::off(), tier, ring(), quick(), clock).unwrap();
    assert!(!off.prefetch(&key("a"), LONG));
    assert_eq!(place.held(), 1);
}
