//! How sessions move between memory and the tier.

use super::*;

#[test]
fn the_newest_session_stays_in_memory_and_the_others_are_written() {
    let tier = FakeTier::default();
    let store = new_store(&tier, settings());
    for number in 0..3 {
        put(&store, "a", Usage::SingleUse, number);
    }
    eventually(|| tier.single_use() == 2);
    assert_eq!(
        store
            .memory()
            .available(&key("a"), SystemClock.now())
            .single_use,
        1
    );
    assert_eq!(offered(&store, "a"), Some(2), "the newest, from memory");

    let other = new_store(&tier, settings());
    assert!(other.prefetch(&key("a"), LONG));
    assert_eq!(tier.single_use(), 1, "taken from the tier");
    assert!(offered(&other, "a").is_some_and(|number| number < 2));
    assert_eq!(offered(&other, "a"), None);
}

#[test]
fn an_idle_session_is_written() {
    let tier = FakeTier::default();
    let settings = SharedSettings {
        idle_timeout: SOON,
        ..settings()
    };
    let store = new_store(&tier, settings);
    put(&store, "a", Usage::SingleUse, 1);
    eventually(|| tier.single_use() == 1);
    assert_eq!(offered(&store, "a"), None);
    // Fetched for a connection that does not come, it is written again.
    assert!(store.prefetch(&key("a"), LONG));
    eventually(|| tier.single_use() == 1);
}

/// A tier that answers late would not have it back in time.
#[cfg(feature = "__simulation")]
#[test]
fn an_idle_session_stays_in_memory_while_the_tier_is_slow() {
    use super::simulation::{Next, SimulatedClock, SimulatedStore};

    let (idle, quick) = (Duration::from_secs(1), Duration::from_millis(1));
    let (tier, clock) = (FakeTier::default(), Arc::new(SimulatedClock::new()));
    let limits = Limits::default();
    let settings = SharedSettings {
        idle_timeout: idle,
        ..settings()
    };
    let boxed = Box::new(tier.clone());
    let mut store = SimulatedStore::new(limits, boxed, ring(), settings, &clock).unwrap();
    put(store.store(), "a", Usage::SingleUse, 1);
    // A fetch, and what follows until this time; each task takes so long.
    let mut run = |host: &str, until: Duration, takes: Duration| {
        assert_eq!(offered(store.store(), host), None);
        while clock.elapsed() < until {
            match store.next_task() {
                Next::Task(task) => {
                    clock.set(clock.elapsed() + takes);
                    store.perform(task);
                }
                Next::Nothing(due) => clock.set(due.min(until)),
                Next::Ended => panic!("it goes on"),
            }
        }
    };
    for second in 1..6 {
        run(&format!("b{second}"), idle * second, SOON * 2);
    }
    assert_eq!(tier.single_use(), 0);
    run("c", idle * 5 + SOON, quick);
    assert_eq!(tier.single_use(), 1);
}

#[test]
fn a_reusable_session_is_in_memory_and_in_the_tier() {
    let tier = FakeTier::default();
    let store = new_store(&tier, settings());
    put(&store, "a", Usage::Reusable, 1);
    eventually(|| tier.read(|state| state.reusable.len() == 1));
    assert_eq!(offered(&store, "a"), Some(1));
    let other = new_store(&tier, settings());
    for _ in 0..2 {
        assert!(other.prefetch(&key("a"), LONG));
        assert_eq!(offered(&other, "a"), Some(1));
    }
    assert_eq!(other.tier_stats().fetched, 1, "it is not fetched again");
}

#[test]
fn a_miss_fetches_for_the_next_connection() {
    let tier = FakeTier::default();
    put(&new_store(&tier, settings()), "a", Usage::SingleUse, 1);
    let store = new_store(&tier, settings());
    assert_eq!(offered(&store, "a"), None);
    eventually(|| store.tier_stats().fetched == 1);
    assert_eq!(offered(&store, "a"), Some(1));
}

#[test]
fn concurrent_connections_fetch_one_session_each() {
    let tier = FakeTier::default();
    let store = new_store(&tier, settings());
    for number in 0..16 {
        put(&store, "a", Usage::SingleUse, number);
    }
    drop(store);
    assert_eq!(
        tier.single_use(),
        16,
        "dropping a store writes its sessions"
    );
    let store = new_store(&tier, settings());
    let fetches: Vec<Fetch> = (0..16).map(|_| store.fetch(&key("a"))).collect();
    for fetch in fetches {
        fetch.wait(LONG);
    }
    let numbers: HashSet<u64> = (0..16).filter_map(|_| offered(&store, "a")).collect();
    assert_eq!(numbers.len(), 16);
}

#[test]
fn load_restores_its_own_domain_only() {
    let tier = FakeTier::default();
    let store = new_store(&tier, settings());
    for number in 0..4_u64 {
        put(&store, &format!("host-{number}"), Usage::SingleUse, number);
    }
    drop(store);
    let store = new_store(&tier, settings());
    assert!(store.load(&SecurityDomain::from([8; 32]), 10, LONG));
    assert_eq!((store.memory().stats().sessions, tier.single_use()), (0, 4));
    assert!(store.load(&domain(), 3, LONG));
    assert_eq!((store.memory().stats().sessions, tier.single_use()), (3, 1));
}

/// Neither after the idle timeout nor as surplus.
#[test]
fn sessions_for_pending_connections_are_not_written() {
    let tier = FakeTier::default();
    let settings = SharedSettings {
        idle_timeout: SOON,
        ..settings()
    };
    let store = new_store(&tier, settings);
    let fetch = store.fetch(&key("a"));
    put(&store, "a", Usage::SingleUse, 1);
    put(&store, "b", Usage::SingleUse, 2);
    eventually(|| tier.single_use() == 1);
    assert_eq!(
        store
            .memory()
            .available(&key("a"), SystemClock.now())
            .single_use,
        1
    );
    drop(fetch);
    eventually(|| tier.single_use() == 2);

    let fetches = [(); 3].map(|()| store.fetch(&key("c")));
    for number in 0..4 {
        put(&store, "c", Usage::SingleUse, number);
    }
    eventually(|| tier.single_use() == 3);
    for fetch in fetches {
        fetch.wait(LONG);
        assert!(offered(&store, "c").is_some());
    }
}

/// Nor if they begin after the write was queued.
#[cfg(feature = "__simulation")]
#[test]
fn a_write_leaves_the_sessions_that_connections_have_counted() {
    use super::simulation::{Next, SimulatedClock, SimulatedStore};

    let (tier, clock) = (FakeTier::default(), Arc::new(SimulatedClock::new()));
    let (limits, boxed) = (Limits::default(), Box::new(tier.clone()));
    let mut store = SimulatedStore::new(limits, boxed, ring(), settings(), &clock).unwrap();
    for number in 0..4 {
        put(store.store(), "a", Usage::SingleUse, number);
    }
    let Next::Task(write) = store.next_task() else {
        panic!("nothing to write");
    };
    let fetches = [(); 3].map(|()| store.store().fetch(&key("a")));
    store.perform(write);
    assert_eq!(tier.single_use(), 1);
    for fetch in &fetches {
        assert!(fetch.is_completed());
        assert!(offered(store.store(), "a").is_some());
    }
}

/// A connection that fetches again, because the first fetch timed out, takes one session.
#[test]
fn fetching_again_takes_no_second_session() {
    let tier = FakeTier::default();
    let store = new_store(&tier, settings());
    for number in 0..9 {
        put(&store, "a", Usage::SingleUse, number);
    }
    assert!(store.flush(LONG));
    tier.set(|state| {
        state.calls = 0;
        state.hang = true;
    });
    store.fetch(&key("a")).wait(Duration::ZERO);
    tier.wait_for_call();
    let again = store.fetch(&key("a"));
    let also = [(); 20].map(|()| store.fetch(&key("b")));
    drop(also);
    tier.set(|state| state.hang = false);
    again.wait(LONG);
    eventually(|| store.tier_stats().missed == 1);
    assert_eq!((store.tier_stats().fetched, tier.single_use()), (1, 8));
}

/// R7: among many stores on one tier.
#[test]
fn no_session_is_handed_out_twice() {
    const STORES: u64 = 4;
    const ROUNDS: u64 = 300;
    let tier = FakeTier::default();
    let taken = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for index in 0..STORES {
            let (tier, taken) = (tier.clone(), &taken);
            scope.spawn(move || {
                let store = new_store(
                    &tier,
                    SharedSettings {
                        idle_timeout: Duration::ZERO,
                        ..settings()
                    },
                );
                for round in 0..ROUNDS {
                    put(&store, "a", Usage::SingleUse, index * ROUNDS + round);
                    let _ = store.prefetch(&key("a"), Duration::from_millis(1));
                    taken.lock().unwrap().extend(offered(&store, "a"));
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

#[test]
fn a_task_waits_without_blocking_its_thread() {
    let tier = FakeTier::default();
    put(&new_store(&tier, settings()), "a", Usage::SingleUse, 1);
    let store = new_store(&tier, settings());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let prefetch = async |name, timeout| {
        let timeout = tokio::time::sleep(timeout);
        store.prefetch_async(&key(name), timeout).await
    };
    assert!(runtime.block_on(prefetch("a", LONG)));
    assert_eq!(offered(&store, "a"), Some(1));
    tier.set(|state| state.hang = true);
    assert!(!runtime.block_on(prefetch("b", SOON)));
    assert_eq!(offered(&store, "b"), None);
    tier.set(|state| state.hang = false);
}
