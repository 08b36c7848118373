//! The store under a model checker: at every lock and atomic, `shuttle` chooses the thread that
//! continues. It runs each scenario a thousand times, at random and by PCT (which finds rare
//! orders).
//!
//! A failure prints its schedule, and its seed if it was chosen at random. To repeat it:
//!
//! ```text
//! SHUTTLE_SCHEDULE='...' cargo test -p store-core --lib THE_TEST
//! SHUTTLE_RANDOM_SEED='...' cargo test -p store-core --lib THE_TEST
//! ```
//!
//! A schedule fits only the code that failed; a seed can be tried on repaired code too.
//! `SHUTTLE_ITERATIONS` sets the number of schedules per scenario and way of choosing (500).

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use shuttle::thread;

mod histories;

use super::*;
use crate::{Entry, Outcome, Refused, SecurityDomain, SessionKey, Usage, Want};

/// A session that is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Numbered(u64);

impl Storable for Numbered {
    fn duplicate(&self) -> Option<Self> {
        Some(*self)
    }
}

type Store = Arc<SessionStore<Numbered>>;

/// Runs a scenario under many schedules, or under the one that failed.
fn explore(scenario: fn()) {
    if let Ok(schedule) = std::env::var("SHUTTLE_SCHEDULE") {
        return shuttle::replay(scenario, schedule.trim());
    }
    let iterations = std::env::var("SHUTTLE_ITERATIONS").ok();
    let iterations = iterations.and_then(|text| text.parse().ok());
    let iterations = iterations.unwrap_or(500);
    shuttle::check_random(scenario, iterations);
    shuttle::check_pct(scenario, iterations, 3);
}

/// A store of one shard.
fn small(servers: usize) -> Store {
    store(Limits::default().with_servers(servers))
}

fn store(limits: Limits) -> Store {
    Arc::new(SessionStore::new(limits).expect("valid limits"))
}

fn key(host: &str) -> SessionKey {
    KeyRef::new(&SecurityDomain::from([7; 32]), host).to_key()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix(Duration::from_secs(1_700_000_000 + seconds))
}

/// A session that lives `seconds` from the start on.
fn lives(usage: Usage, number: u64, seconds: u64) -> Entry<Numbered> {
    let lifetime = Some(Duration::from_secs(seconds));
    Entry::new(Numbered(number), usage, lifetime, 100, at(0))
}

fn put(store: &Store, host: &str, usage: Usage, number: u64) -> Result<EntryId, Refused> {
    let entry = lives(usage, number, 3_600);
    store.put(&key(host), entry, store.generation(), at(0))
}

/// The numbers of the sessions that `lookups` look-ups find.
fn offered(store: &Store, host: &str, lookups: usize) -> Vec<u64> {
    let offer = |_| store.offer(&key(host), Want::Any, at(0), |_| true);
    let offers = (0..lookups).filter_map(offer);
    offers.map(|offer| offer.entry.session.0).collect()
}

/// Spawns a thread that works on the store.
fn spawn<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&Store) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let store = Arc::clone(store);
    thread::spawn(move || work(&store))
}

fn join<T>(thread: thread::JoinHandle<T>) -> T {
    thread.join().expect("no panic")
}

/// Every stored session was taken, or dropped for a counted reason, or is still stored.
fn assert_adds_up(stats: &Stats) {
    let removed = stats.taken + stats.expired + stats.evicted + stats.replaced + stats.removed;
    assert_eq!(stats.stored, removed + stats.sessions, "{stats:?}");
    assert_eq!(stats.offered, stats.taken + stats.copied, "{stats:?}");
}

/// R7, R8: and no session is lost.
#[test]
fn a_single_use_session_goes_to_one_connection() {
    explore(|| {
        let store = small(4);
        for number in 0..3 {
            put(&store, "a", Usage::SingleUse, number).expect("stored");
        }
        let takers = [(), ()].map(|()| spawn(&store, |store| offered(store, "a", 2)));
        let late = spawn(&store, |store| put(store, "a", Usage::SingleUse, 3).is_ok());
        let mut all: Vec<u64> = takers.into_iter().flat_map(join).collect();
        assert!(join(late), "stored");
        all.extend(offered(&store, "a", 10));
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3]);
        assert_adds_up(&store.stats());
    });
}

/// A connection that began before a clear has no session after it, whether its put comes before or
/// after the clear.
fn clear_wins(store: &Store, clear: fn(&Store)) {
    let begun = store.generation();
    let hosts = ["a", "b", "c"];
    let late = spawn(store, move |store| {
        for host in hosts {
            // Removed by the clear, or refused after it.
            let _ = store.put(&key(host), lives(Usage::Reusable, 1, 60), begun, at(0));
        }
    });
    let clear = spawn(store, clear);
    join(late);
    join(clear);
    for host in hosts {
        assert_eq!(offered(store, host, 1), [0; 0], "{host}");
        assert_eq!(put(store, host, Usage::SingleUse, 2).err(), None);
        assert_eq!(offered(store, host, 2), [2], "{host}");
    }
    let stats = store.stats();
    assert_eq!(stats.removed + stats.refused_cleared, 3, "{stats:?}");
    assert_adds_up(&stats);
}

/// R22: with one shard.
#[test]
fn clear_acts_on_concurrent_puts() {
    explore(|| clear_wins(&small(4), |store| store.clear()));
}

/// R22: with several shards, which `clear` and `clear_domain` visit one after the other.
#[test]
fn clear_acts_on_concurrent_puts_to_any_shard() {
    explore(|| {
        let clears: [fn(&Store); 2] = [|store| store.clear(), clear_domain];
        for clear in clears {
            let store = small(2_048);
            assert!(store.shards.len() > 1);
            clear_wins(&store, clear);
        }
    });
}

/// R22: server by server.
#[test]
fn clear_server_acts_on_concurrent_puts() {
    explore(|| {
        clear_wins(&small(4), |store| {
            for host in ["a", "b", "c"] {
                store.clear_server(&key(host));
            }
        });
    });
}

/// R22: a clear does not undo the refusals of another one, so generations must arrive at a shard in
/// ascending order.
fn clears_add_up(other: fn(&Store), mine: fn(&Store)) {
    let store = small(4);
    let other = spawn(&store, other);
    let refused = spawn(&store, move |store| {
        let begun = store.generation();
        mine(store);
        store.put(&key("a"), lives(Usage::SingleUse, 1, 60), begun, at(0))
    });
    join(other);
    assert_eq!(join(refused), Err(Refused::Cleared));
    assert_eq!(offered(&store, "a", 1), [0; 0]);
    put(&store, "a", Usage::SingleUse, 2).expect("begun after all clears");
}

fn clear_domain(store: &Store) {
    store.clear_domain(key("a").as_key().domain());
}

fn clear_server(store: &Store) {
    store.clear_server(&key("a"));
}

#[test]
fn clears_of_one_server_at_once_add_up() {
    explore(|| clears_add_up(clear_server, clear_server));
}

#[test]
fn clears_of_parts_and_of_all_at_once_add_up() {
    explore(|| {
        clears_add_up(clear_server, clear_domain);
        clears_add_up(clear_server, |store| store.clear());
        clears_add_up(|store| store.clear(), clear_server);
    });
}

/// R9: two connections that copied a session and failed remove it once, and never the newer one.
#[test]
fn removing_by_id_spares_a_newer_session() {
    explore(|| {
        let store = small(4);
        let old = put(&store, "a", Usage::Reusable, 1).expect("stored");
        let removers = [(), ()].map(|()| spawn(&store, move |store| store.remove(&key("a"), old)));
        let newer = spawn(&store, |store| put(store, "a", Usage::Reusable, 2));
        let copy = store.offer(&key("a"), Want::Reusable, at(0), |_| true);
        let removed = removers.map(join);
        let newer = join(newer).expect("stored");
        if let Some(copy) = copy {
            let number = if copy.id == old { 1 } else { 2 };
            assert_eq!(copy.entry.session.0, number, "a session has its own id");
        }
        assert_ne!(removed, [true, true], "removed once at most");
        let found = store
            .offer(&key("a"), Want::Reusable, at(0), |_| true)
            .expect("the newer one");
        assert_eq!((found.id, found.entry.session.0), (newer, 2));
        let stats = store.stats();
        assert_eq!(stats.replaced + stats.removed, 1, "{stats:?}");
    });
}

/// R11, R19: while the clock moves, no expired session is offered and no valid one is swept.
#[test]
fn sweeping_drops_what_expired_and_nothing_else() {
    explore(|| {
        let store = small(4);
        let clock = Arc::new(AtomicU64::new(0));
        let now = |clock: &Arc<AtomicU64>| at(clock.load(Ordering::SeqCst));
        let put_for = |store: &Store, number, seconds, now| {
            let entry = lives(Usage::SingleUse, number, seconds);
            store.put(&key("a"), entry, store.generation(), now).is_ok()
        };
        for (number, seconds) in [(1, 100), (2, 2), (3, 3)] {
            assert!(put_for(&store, number, seconds, at(0)));
        }
        let ticking = Arc::clone(&clock);
        let sweeper = spawn(&store, move |store| {
            for _ in 0..3 {
                ticking.fetch_add(1, Ordering::SeqCst);
                store.sweep(now(&ticking));
            }
        });
        let watched = Arc::clone(&clock);
        let connection = spawn(&store, move |store| {
            put_for(store, 4, 100, now(&watched));
            let mut taken = Vec::new();
            for _ in 0..2 {
                let now = now(&watched);
                let offer = store
                    .offer(&key("a"), Want::SingleUse, now, |_| true)
                    .expect("1 and 4 are valid");
                assert!(now < offer.entry.expires, "{offer:?}");
                taken.push(offer.entry.session.0);
            }
            taken
        });
        join(sweeper);
        let mut taken = join(connection);
        store.sweep(now(&clock));
        let left = store.offer(&key("a"), Want::SingleUse, now(&clock), |_| true);
        taken.extend(left.map(|offer| offer.entry.session.0));
        assert!(taken.contains(&1) || taken.len() == 2, "{taken:?}");
        assert_eq!(taken.iter().filter(|number| **number == 4).count(), 1);
        let stats = store.stats();
        assert_eq!(stats.stored, 4);
        assert_adds_up(&stats);
    });
}

/// R20: a panic under the lock loses sessions only: no other thread panics, hangs or gets a session
/// twice, and late puts stay refused.
#[test]
fn a_panic_under_the_lock_is_only_a_miss() {
    explore(|| {
        let store = small(4);
        let begun = store.generation();
        store.clear_server(&key("a"));
        put(&store, "a", Usage::SingleUse, 1).expect("stored");
        let panics = spawn(&store, |store| {
            catch_unwind(AssertUnwindSafe(|| {
                // Not `panic!`: that would report this schedule as the failing one.
                store.offer(&key("a"), Want::Any, at(0), |_| {
                    resume_unwind(Box::new("accept"))
                })
            }))
            .is_err()
        });
        let others = [2, 3].map(|number| {
            spawn(&store, move |store| {
                put(store, "a", Usage::SingleUse, number).expect("stored");
                store.sweep(at(0));
                offered(store, "a", 1)
            })
        });
        let panicked = join(panics);
        let mut taken: Vec<u64> = others.into_iter().flat_map(join).collect();
        let late = store.put(&key("a"), lives(Usage::SingleUse, 4, 60), begun, at(0));
        assert_eq!(late, Err(Refused::Cleared));
        put(&store, "a", Usage::SingleUse, 5).expect("stored");
        taken.extend(offered(&store, "a", 10));
        taken.sort_unstable();
        assert!(taken.is_sorted_by(|one, next| one < next), "{taken:?}");
        assert!(taken.contains(&5));
        if !panicked {
            assert_eq!(taken, [1, 2, 3, 5], "without a panic no session is lost");
        }
        assert_adds_up(&store.stats());
    });
}

/// R27: also while other threads are at work.
#[test]
fn counters_add_up() {
    explore(|| {
        let store = small(2_048);
        let workers = [Outcome::Resumed, Outcome::Declined, Outcome::Cancelled].map(|outcome| {
            spawn(&store, move |store| {
                for (number, host) in (0..).zip(["a", "b"]) {
                    put(store, host, Usage::SingleUse, number).expect("stored");
                    store
                        .offer(&key(host), Want::Any, at(0), |_| true)
                        .expect("one each");
                    store.report(&key(host), outcome, at(0));
                    store.report(&key(host), Outcome::Resumed, at(0));
                }
            })
        });
        let early = store.stats();
        assert_adds_up(&early);
        workers.into_iter().for_each(join);
        let stats = store.stats();
        assert_adds_up(&stats);
        assert_eq!([stats.resumed, stats.declined, stats.cancelled], [8, 2, 2]);
        assert_eq!([stats.stored, stats.taken, stats.sessions], [6, 6, 0]);
        assert!(early.stored <= 6 && early.resumed <= 8);
    });
}

/// R16: not only at the end.
#[test]
fn bounds_hold_at_every_moment() {
    explore(|| {
        let store = store(
            Limits::default()
                .with_servers(2)
                .with_sessions_per_server(1),
        );
        let workers = ["a", "b", "c"].map(|host| {
            spawn(&store, move |store| {
                for number in 0..2 {
                    put(store, host, Usage::SingleUse, number).expect("stored");
                }
            })
        });
        for _ in 0..3 {
            let stats = store.stats();
            assert!(stats.servers <= 2 && stats.sessions <= 2, "{stats:?}");
            assert_adds_up(&stats);
        }
        workers.into_iter().for_each(join);
        assert_eq!(store.stats().sessions, 2);
    });
}

/// A session that is packed as soon as it is stored.
#[derive(Clone, Copy)]
struct Packs {
    number: u64,
    packed: bool,
}

impl Storable for Packs {
    const PACKS: bool = true;

    fn duplicate(&self) -> Option<Self> {
        Some(*self)
    }

    fn packed(&self) -> Option<(Self, usize)> {
        // Packing a real session takes long.
        thread::yield_now();
        let packed = Self {
            packed: true,
            ..*self
        };
        (!self.packed).then_some((packed, 10))
    }

    fn unpacked(&self) -> Option<(Self, usize)> {
        thread::yield_now();
        let unpacked = Self {
            packed: false,
            ..*self
        };
        self.packed.then_some((unpacked, 100))
    }
}

/// R7, R22: a session that is being packed is offered once, does not return after a clear, and is
/// not lost.
#[test]
fn packing_neither_doubles_nor_revives_nor_loses_a_session() {
    explore(|| {
        let limits = Limits::default().with_servers(4).with_unpacked_sessions(0);
        let store: Arc<SessionStore<Packs>> = Arc::new(SessionStore::new(limits).expect("valid"));
        let put = |store: &SessionStore<Packs>, host: &str, usage, number| {
            let session = Packs {
                number,
                packed: false,
            };
            let entry = Entry::new(session, usage, None, 100, at(0));
            let put = store.put(&key(host), entry, store.generation(), at(0));
            assert!(put.is_ok() || host == "cleared", "{put:?}");
        };
        let numbers = |store: &SessionStore<Packs>, host: &str| -> Vec<u64> {
            let take = || store.offer(&key(host), Want::SingleUse, at(0), |_| true);
            let taken = std::iter::from_fn(take);
            taken.map(|offer| offer.entry.session.number).collect()
        };
        let workers = [(1, "kept"), (2, "kept"), (3, "cleared")].map(|(number, host)| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                put(&store, host, Usage::SingleUse, number);
                put(&store, host, Usage::Reusable, number + 10);
                numbers(&store, "kept")
            })
        });
        store.clear_server(&key("cleared"));
        let before = store.stats();
        assert_adds_up(&before);
        let mut all: Vec<u64> = workers.into_iter().flat_map(join).collect();
        let cleared_after = numbers(&store, "cleared");
        assert!(matches!(cleared_after[..], [] | [3]));
        all.extend(numbers(&store, "kept"));
        all.sort_unstable();
        assert_eq!(all, [1, 2], "once each");
        let copy = store
            .offer(&key("kept"), Want::Reusable, at(0), |_| true)
            .expect("it stays");
        assert!(!copy.entry.session.packed, "offered unpacked");
        store.clear();
        assert_eq!(store.stats().bytes, 0);
        assert_adds_up(&store.stats());
    });
}
