//! How sessions move between memory and the tier.

use super::*;

#[test]
fn the_newest_stays_and_the_others_are_shared() {
    let place = Place::default();
    let one = store(&place, quick());
    for number in 0..3 {
        put(&one, "a", Usage::SingleUse, number);
    }
    until(|| place.held() == 2);
    assert_eq!(
        one.memory()
            .available(&key("a"), SystemClock.now())
            .single_use,
        1
    );
    assert_eq!(offered(&one, "a"), Some(2), "the newest, from memory");

    let other = store(&place, quick());
    assert!(other.prefetch(&key("a"), LONG));
    assert_eq!(place.held(), 1, "taken from the tier");
    assert!(offered(&other, "a").is_some_and(|number| number < 2));
    assert_eq!(offered(&other, "a"), None);
}

#[test]
fn what_lies_idle_is_shared_too() {
    let place = Place::default();
    let settings = SharedSettings {
        idle_timeout: SOON,
        ..quick()
    };
    let one = store(&place, settings);
    put(&one, "a", Usage::SingleUse, 1);
    until(|| place.held() == 1);
    assert_eq!(offered(&one, "a"), None);
    // Fetched for a connection that does not come, it goes back.
    assert!(one.prefetch(&key("a"), LONG));
    until(|| place.held() == 1);
}

#[test]
fn a_reusable_session_is_in_both_places() {
    let place = Place::default();
    let one = store(&place, quick());
    put(&one, "a", Usage::Reusable, 1);
    until(|| place.see(|kept| kept.reusable.len() == 1));
    assert_eq!(offered(&one, "a"), Some(1));
    let other = store(&place, quick());
    for _ in 0..2 {
        assert!(other.prefetch(&key("a"), LONG));
        assert_eq!(offered(&other, "a"), Some(1));
    }
    assert_eq!(
        other.tier_stats().fetched,
        1,
        "once there, it is not fetched again"
    );
}

#[test]
fn a_miss_fetches_for_the_next_connection() {
    let place = Place::default();
    put(&store(&place, quick()), "a", Usage::SingleUse, 1);
    let one = store(&place, quick());
    assert_eq!(offered(&one, "a"), None);
    until(|| one.tier_stats().fetched == 1);
    assert_eq!(offered(&one, "a"), Some(1));
}

#[test]
fn connections_that_begin_together_have_one_fetched_each() {
    let place = Place::default();
    let one = store(&place, quick());
    for number in 0..16 {
        put(&one, "a", Usage::SingleUse, number);
    }
    drop(one);
    assert_eq!(place.held(), 16, "dropping a store writes what it holds");
    let one = store(&place, quick());
    let fetches: Vec<Fetch> = (0..16).map(|_| one.fetch(&key("a"))).collect();
    for fetch in fetches {
        fetch.wait(LONG);
    }
    let numbers: HashSet<u64> = (0..16).filter_map(|_| offered(&one, "a")).collect();
    assert_eq!(numbers.len(), 16);
}

#[test]
fn a_process_that_starts_loads_its_own_domain_only() {
    let place = Place::default();
    let one = store(&place, quick());
    for number in 0..4_u64 {
        put(&one, &format!("host-{number}"), Usage::SingleUse, number);
    }
    drop(one);
    let one = store(&place, quick());
    assert!(one.load(&SecurityDomain::from([8; 32]), 10, LONG));
    assert_eq!((one.memory().stats().sessions, place.held()), (0, 4));
    assert!(one.load(&domain(), 3, LONG));
    assert_eq!((one.memory().stats().sessions, place.held()), (3, 1));
}

/// What a connection counts on is not shared meanwhile, neither for lying idle nor as surplus.
#[test]
fn what_is_expected_stays() {
    let place = Place::default();
    let settings = SharedSettings {
        idle_timeout: SOON,
        ..quick()
    };
    let one = store(&place, settings);
    let fetch = one.fetch(&key("a"));
    put(&one, "a", Usage::SingleUse, 1);
    put(&one, "b", Usage::SingleUse, 2);
    until(|| place.held() == 1);
    assert_eq!(
        one.memory()
            .available(&key("a"), SystemClock.now())
            .single_use,
        1
    );
    drop(fetch);
    until(|| place.held() == 2);

    let fetches = [(); 3].map(|()| one.fetch(&key("c")));
    for number in 0..4 {
        put(&one, "c", Usage::SingleUse, number);
    }
    until(|| place.held() == 3);
    for fetch in fetches {
        fetch.wait(LONG);
        assert!(offered(&one, "c").is_some());
    }
}

/// A connection that asks again, because the answer is late, has one session fetched.
#[test]
fn asking_again_fetches_no_more() {
    let place = Place::default();
    let one = store(&place, quick());
    for number in 0..9 {
        put(&one, "a", Usage::SingleUse, number);
    }
    assert!(one.flush(LONG));
    place.set(|kept| {
        kept.calls = 0;
        kept.hangs = true;
    });
    one.fetch(&key("a")).wait(Duration::ZERO);
    place.wait_for_a_call();
    let again = one.fetch(&key("a"));
    let also = [(); 20].map(|()| one.fetch(&key("b")));
    drop(also);
    place.set(|kept| kept.hangs = false);
    again.wait(LONG);
    until(|| one.tier_stats().missed == 1);
    assert_eq!((one.tier_stats().fetched, place.held()), (1, 8));
}

/// R7: many stores on one place, and no session is handed out twice.
#[test]
fn no_session_is_handed_out_twice() {
    const STORES: u64 = 4;
    const ROUNDS: u64 = 300;
    let place = Place::default();
    let taken = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for worker in 0..STORES {
            let (place, taken) = (place.clone(), &taken);
            scope.spawn(move || {
                let one = store(
                    &place,
                    SharedSettings {
                        idle_timeout: Duration::ZERO,
                        ..quick()
                    },
                );
                for round in 0..ROUNDS {
                    put(&one, "a", Usage::SingleUse, worker * ROUNDS + round);
                    let _ = one.prefetch(&key("a"), Duration::from_millis(1));
                    taken.lock().unwrap().extend(offered(&one, "a"));
                }
            });
        }
    });
    let taken = taken.into_inner().unwrap();
    let distinct: HashSet<u64> = taken.iter().copied().collect();
    assert_eq!(taken.len(), distinct.len());
    assert!(
        taken.len() as u64 > STORES * ROUNDS / 4,
        "most are used: {}",
        taken.len()
    );
}

#[cfg(feature = "tokio")]
#[test]
fn a_task_waits_without_blocking_its_thread() {
    let place = Place::default();
    put(&store(&place, quick()), "a", Usage::SingleUse, 1);
    let one = store(&place, quick());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    assert!(runtime.block_on(one.prefetch_async(&key("a"), LONG)));
    assert_eq!(offered(&one, "a"), Some(1));
    place.set(|kept| kept.hangs = true);
    assert!(!runtime.block_on(one.prefetch_async(&key("b"), SOON)));
    assert_eq!(offered(&one, "b"), None);
    place.set(|kept| kept.hangs = false);
}
